//! The transcript on the terminal's second screen: whole conversation, scrolled and searched by keys. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::Line;

use super::markdown::{Look, Stream};
use super::surface::Size;
use super::theme;
use super::wrap::{chop, fit};

#[derive(Debug)]
pub(crate) struct Pager {
    text: String,
    /// Rows for the look they were laid out for.
    laid_out: Option<(Look, Vec<Line<'static>>)>,
    /// First row shown; `usize::MAX`: the end.
    top: usize,
}

impl Pager {
    pub(crate) fn new(text: String) -> Self {
        Self { text, laid_out: None, top: usize::MAX }
    }

    /// Moves by a key; false: the key closes the pager.
    pub(crate) fn on_key(&mut self, key: KeyEvent, size: Size) -> bool {
        let page = size.rows.saturating_sub(2).max(1);
        let last = self.n_rows().saturating_sub(page);
        let top = self.top.min(last);
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        self.top = match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return false,
            KeyCode::Char('c' | 't' | 'o') if ctrl => return false,
            KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => top + 1,
            KeyCode::PageUp | KeyCode::Char('b') => top.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ' | 'f') => top + page,
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => usize::MAX,
            _ => top,
        }
        .min(last);
        true
    }

    fn n_rows(&self) -> usize {
        self.laid_out.as_ref().map_or(0, |(_, rows)| rows.len())
    }

    /// Exactly `size.rows` rows.
    pub(crate) fn rows(&mut self, look: Look, size: Size) -> Vec<Line<'static>> {
        if self.laid_out.as_ref().is_none_or(|(laid_out, _)| *laid_out != look) {
            let lines = Stream::whole(&self.text, look);
            let rows = lines.iter().flat_map(|line| chop(line, look.columns)).collect();
            self.laid_out = Some((look, rows));
        }
        let page = size.rows.saturating_sub(2).max(1);
        let n_rows = self.n_rows();
        let top = self.top.min(n_rows.saturating_sub(page));
        let bottom = (top + page).min(n_rows);
        let shown = self.laid_out.as_ref().and_then(|(_, rows)| rows.get(top..bottom)).unwrap_or_default();
        let mut screen = shown.to_vec();
        screen.resize(size.rows.saturating_sub(1), Line::default());
        let place = format!("rows {}–{bottom} of {n_rows} · ↑↓ PgUp PgDn g G · q closes", top + 1);
        screen.push(fit(Line::styled(place, theme::DIM), size.columns));
        screen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Background;

    #[test]
    fn it_opens_at_the_end_and_scrolls_within_the_text() {
        let size = Size { columns: 20, rows: 5 };
        let look = Look { columns: 20, background: Background::Dark };
        let mut pager = Pager::new((1..=10).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n\n"));
        let first = |pager: &mut Pager| pager.rows(look, size)[0].to_string();
        let press = |pager: &mut Pager, code| assert!(pager.on_key(KeyEvent::from(code), size));
        assert_eq!(first(&mut pager), "line 9");
        press(&mut pager, KeyCode::Char('g'));
        assert_eq!(first(&mut pager), "line 1");
        press(&mut pager, KeyCode::Up);
        assert_eq!(first(&mut pager), "line 1");
        press(&mut pager, KeyCode::PageDown);
        press(&mut pager, KeyCode::Down);
        assert_eq!(first(&mut pager), "line 3");
        assert_eq!(pager.rows(look, size).len(), 5);
        assert!(!pager.on_key(KeyEvent::from(KeyCode::Char('q')), size));
    }
}
