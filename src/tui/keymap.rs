//! Which key a byte or a control sequence stands for: legacy codes, xterm's modifiers, the kitty protocol. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A control byte or one UTF-8 character and its length; `None` while the character is not complete.
pub(super) fn plain(bytes: &[u8]) -> Option<(usize, KeyEvent)> {
    let control = |c: u8| KeyEvent::new(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    let first = *bytes.first()?;
    let key = match first {
        b'\r' => KeyEvent::from(KeyCode::Enter),
        b'\t' => KeyEvent::from(KeyCode::Tab),
        0x7f | 0x08 => KeyEvent::from(KeyCode::Backspace),
        0 => control(b' '),
        1..=0x1a => control(first + b'a' - 1),
        0x1c..=0x1f => control(first + b'@'),
        _ => return character(bytes, first),
    };
    Some((1, key))
}

fn character(bytes: &[u8], first: u8) -> Option<(usize, KeyEvent)> {
    let length = match first {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((1, KeyEvent::from(KeyCode::Char(char::REPLACEMENT_CHARACTER)))),
    };
    let have = bytes.get(..length.min(bytes.len()))?;
    match std::str::from_utf8(have) {
        Ok(text) => Some((have.len(), KeyEvent::from(KeyCode::Char(text.chars().next()?)))),
        Err(err) if err.error_len().is_none() && have.len() < length => None,
        Err(_) => Some((1, KeyEvent::from(KeyCode::Char(char::REPLACEMENT_CHARACTER)))),
    }
}

/// The key of a control sequence with this final byte and these parameters.
pub(super) fn csi(last: u8, params: &str) -> Option<KeyEvent> {
    let mut fields = params.split(';');
    let number =
        |field: Option<&str>| field.and_then(|f| f.split(':').next()).and_then(|f| f.parse::<u32>().ok());
    let code = number(fields.next());
    let second = fields.next();
    let modifiers = modifiers(number(second).unwrap_or(1));
    if second.and_then(|f| f.split(':').nth(1)) == Some("3") {
        return None; // a key was released
    }
    match last {
        b'u' => kitty(code?, modifiers),
        b'~' if code == Some(27) => kitty(number(fields.next())?, modifiers),
        b'~' => Some(KeyEvent::new(tilde(code?)?, modifiers)),
        b'Z' => Some(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)),
        _ => letter(last, modifiers),
    }
}

fn modifiers(encoded: u32) -> KeyModifiers {
    let bits = encoded.saturating_sub(1);
    let known = [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
    ];
    known.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, modifier)| modifier).collect()
}

fn kitty(code: u32, modifiers: KeyModifiers) -> Option<KeyEvent> {
    let code = match code {
        13 | 57414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        9 if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        9 => KeyCode::Tab,
        127 => KeyCode::Backspace,
        57399..=57408 => KeyCode::Char(char::from_digit(code - 57399, 10)?),
        57344..=63743 => return None,
        code => KeyCode::Char(char::from_u32(code)?),
    };
    Some(KeyEvent::new(code, modifiers))
}

fn tilde(code: u32) -> Option<KeyCode> {
    Some(match code {
        1 | 7 => KeyCode::Home,
        4 | 8 => KeyCode::End,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        _ => return None,
    })
}

/// Cursor keys as `ESC [ X`, `ESC [ 1 ; m X` and `ESC O X`.
pub(super) fn letter(last: u8, modifiers: KeyModifiers) -> Option<KeyEvent> {
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'M' => KeyCode::Enter,
        _ => return None,
    };
    Some(KeyEvent::new(code, modifiers))
}
