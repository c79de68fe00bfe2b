//! The inline surface: text that stays is printed above a small live area, which alone is redrawn.
//!
//! Produces bytes and owns no terminal. No scroll regions and no second screen: what is printed scrolls into the
//! terminal's own scrollback as any program's output does. Invariant: the cursor is inside the live area after
//! each frame, and the surface knows where, so that the next frame can go back to the area's first row.

use std::io::Write;

use ratatui::text::{Line, Span};

use super::ansi::write_line;
use super::theme::Ink;
use super::wrap::{fit, least_width};

/// Columns and rows of the terminal; neither is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// What is redrawn: rows no wider than the terminal, and where the cursor stands in them (row, column).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveArea {
    pub rows: Vec<Line<'static>>,
    pub cursor: (usize, usize),
}

#[derive(Debug)]
pub struct Surface {
    ink: Ink,
    /// Whether the terminal re-wraps what is on the screen when its width changes.
    reflows: bool,
    drawn: LiveArea,
    size: Size,
}

const BEGIN_SYNC: &[u8] = b"\x1b[?2026h";
const END_SYNC: &[u8] = b"\x1b[?2026l";
/// Live rows are cut at the edge instead of wrapped, in case the window shrinks while they are on their way.
const WRAP_OFF: &[u8] = b"\x1b[?7l";
const WRAP_ON: &[u8] = b"\x1b[?7h";
const ERASE_BELOW: &[u8] = b"\x1b[J";
const ERASE_LINE_END: &[u8] = b"\x1b[K";

impl Surface {
    pub fn new(ink: Ink, reflows: bool, size: Size) -> Self {
        Self { ink, reflows, drawn: LiveArea::default(), size }
    }

    /// Prints `committed` above and brings the live area up to date. Nothing to do is no bytes.
    pub fn frame(&mut self, committed: &[Line<'_>], live: LiveArea, size: Size) -> Vec<u8> {
        let live = clip(live, size);
        if committed.is_empty() && live == self.drawn && size == self.size {
            return Vec::new();
        }
        let mut out = BEGIN_SYNC.to_vec();
        if committed.is_empty() && size == self.size {
            self.update_rows(&mut out, &live);
        } else {
            self.erase(&mut out, size);
            for line in committed {
                write_line(&mut out, line, self.ink);
                out.extend_from_slice(b"\r\n");
            }
            self.drawn = LiveArea::default();
            self.update_rows(&mut out, &live);
        }
        out.extend_from_slice(END_SYNC);
        self.drawn = live;
        self.size = size;
        out
    }

    /// Takes the live area away; what follows is printed where it began.
    pub fn leave(&mut self, size: Size) -> Vec<u8> {
        let mut out = Vec::new();
        self.erase(&mut out, size);
        self.forget();
        self.size = size;
        out
    }

    /// The screen was cleared or written by somebody else: the next frame draws at the cursor.
    pub fn forget(&mut self) {
        self.drawn = LiveArea::default();
    }

    pub fn set_ink(&mut self, ink: Ink) {
        self.ink = ink;
    }

    fn erase(&self, out: &mut Vec<u8>, size: Size) {
        move_up(out, self.rows_above_cursor(size.columns));
        out.push(b'\r');
        out.extend_from_slice(ERASE_BELOW);
    }

    /// How many screen rows the cursor is below the first one of the live area, now that the window is this wide.
    fn rows_above_cursor(&self, columns: usize) -> usize {
        let (row, column) = self.drawn.cursor;
        if !self.reflows || columns >= self.size.columns {
            return row;
        }
        let above: usize =
            self.drawn.rows.iter().take(row).map(|line| least_width(line).div_ceil(columns).max(1)).sum();
        above + column / columns
    }

    /// From the cursor of the drawn area to that of `live`, writing only rows that differ.
    fn update_rows(&self, out: &mut Vec<u8>, live: &LiveArea) {
        let old = &self.drawn.rows;
        move_up(out, self.drawn.cursor.0);
        out.push(b'\r');
        out.extend_from_slice(WRAP_OFF);
        for (idx, row) in live.rows.iter().enumerate() {
            if idx > 0 {
                out.extend_from_slice(b"\r\n");
            }
            if old.get(idx) != Some(row) {
                write_line(out, row, self.ink);
                out.extend_from_slice(ERASE_LINE_END);
            }
        }
        if live.rows.is_empty() {
            out.extend_from_slice(ERASE_BELOW);
        } else if old.len() > live.rows.len() {
            // The cursor is on the last row of the new area: erase what is below it, then nothing of it.
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(ERASE_BELOW);
            move_up(out, 1);
        }
        out.extend_from_slice(WRAP_ON);
        move_up(out, live.rows.len().saturating_sub(live.cursor.0 + 1));
        out.push(b'\r');
        if live.cursor.1 > 0 {
            let _ = write!(out, "\x1b[{}C", live.cursor.1);
        }
    }
}

/// All rows of a full-screen view.
pub(crate) fn full_screen(rows: &[Line<'_>], ink: Ink) -> Vec<u8> {
    let mut out = BEGIN_SYNC.to_vec();
    out.extend_from_slice(b"\x1b[H");
    for (idx, row) in rows.iter().enumerate() {
        if idx > 0 {
            out.extend_from_slice(b"\r\n");
        }
        write_line(&mut out, row, ink);
        out.extend_from_slice(ERASE_LINE_END);
    }
    out.extend_from_slice(END_SYNC);
    out
}

/// The rows around the cursor that fit on the screen, each cut at its width.
fn clip(mut live: LiveArea, size: Size) -> LiveArea {
    let overflow = live.rows.len().saturating_sub(size.rows.max(1));
    let above = overflow.min(live.cursor.0);
    live.rows.drain(..above);
    live.rows.truncate(size.rows.max(1));
    live.rows = live.rows.into_iter().map(|row| fit(row, size.columns)).collect();
    live.cursor.0 = (live.cursor.0 - above).min(live.rows.len().saturating_sub(1));
    live.cursor.1 = live.cursor.1.min(size.columns.saturating_sub(1));
    if let Some(row) = live.rows.get_mut(live.cursor.0) {
        hold_cursor(row, live.cursor.1);
    }
    live
}

/// Gives the cursor a character to stand on: behind the last one, terminals disagree on where re-wrapping puts it.
fn hold_cursor(row: &mut Line<'static>, column: usize) {
    let missing = (column + 1).saturating_sub(least_width(row));
    if missing > 0 {
        let mut filling = " ".repeat(missing - 1);
        filling.push('\u{a0}');
        row.spans.push(Span::raw(filling));
    }
}

fn move_up(out: &mut Vec<u8>, rows: usize) {
    if rows > 0 {
        let _ = write!(out, "\x1b[{rows}A");
    }
}
