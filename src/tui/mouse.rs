//! What the mouse did, from SGR reports (mode 1006). Pure.

/// Cells from 0, at the screen's top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub kind: MouseKind,
    pub column: usize,
    pub row: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Press,
    WheelUp,
    WheelDown,
    Other,
}

/// `ESC [ < button ; column ; row M`, or `m` where a button went up; what stands between `<` and the last byte.
pub(super) fn report(last: u8, params: &str) -> Option<Mouse> {
    let mut numbers = params.split(';').map(str::parse::<usize>);
    let (button, column, row) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let kind = match (last, button) {
        (b'M', 0) => MouseKind::Press,
        (b'M', 64) => MouseKind::WheelUp,
        (b'M', 65) => MouseKind::WheelDown,
        _ => MouseKind::Other,
    };
    Some(Mouse { kind, column: column.saturating_sub(1), row: row.saturating_sub(1) })
}
