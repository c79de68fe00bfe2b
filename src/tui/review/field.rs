//! A line that is being typed. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use crate::tui::theme;
use crate::tui::wrap::width;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Field {
    text: String,
    /// Byte position, on a grapheme's edge.
    cursor: usize,
}

/// What a key did to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    Enter,
    Leave,
    Editor,
    Changed,
    Nothing,
}

impl Field {
    pub(super) fn new(text: &str) -> Self {
        let text = one_line(text);
        Self { cursor: text.len(), text }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn insert(&mut self, text: &str) {
        let text = one_line(text);
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
    }

    pub(super) fn on_key(&mut self, key: KeyEvent) -> Typed {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let was = self.text.clone();
        match key.code {
            KeyCode::Enter => return Typed::Enter,
            KeyCode::Esc => return Typed::Leave,
            KeyCode::Char('c') if ctrl => return Typed::Leave,
            KeyCode::Char('g') if ctrl => return Typed::Editor,
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('u') if ctrl => self.erase(0),
            KeyCode::Char('w') if ctrl => self.erase(self.word_start()),
            KeyCode::Char('h') if ctrl => self.erase(self.before()),
            KeyCode::Backspace => self.erase(self.before()),
            KeyCode::Delete => {
                let after = self.after();
                self.text.replace_range(self.cursor..after, "");
            }
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Char(letter) if !ctrl => self.insert(letter.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        if self.text == was { Typed::Nothing } else { Typed::Changed }
    }

    fn erase(&mut self, from: usize) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    fn before(&self) -> usize {
        let text = self.text.get(..self.cursor).unwrap_or_default();
        text.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let text = self.text.get(self.cursor..).unwrap_or_default();
        self.cursor + text.graphemes(true).next().map_or(0, str::len)
    }

    fn word_start(&self) -> usize {
        let text = self.text.get(..self.cursor).unwrap_or_default().trim_end();
        text.rfind(' ').map_or(0, |at| at + 1)
    }

    /// The line with its cursor, at most so wide: what stands around the cursor.
    pub(super) fn line(&self, label: &str, columns: usize) -> Line<'static> {
        let room = columns.saturating_sub(width(label) + 1).max(1);
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let after = self.text.get(self.cursor..).unwrap_or_default();
        let mut shown: Vec<&str> = Vec::new();
        let mut taken = 0;
        for grapheme in before.graphemes(true).rev() {
            taken += width(grapheme);
            if taken > room {
                break;
            }
            shown.push(grapheme);
        }
        let before: String = shown.into_iter().rev().collect();
        let under = after.graphemes(true).next().unwrap_or(" ");
        let mut rest = String::new();
        let mut left = room.saturating_sub(width(&before));
        for grapheme in after.graphemes(true).skip(1) {
            let Some(now) = left.checked_sub(width(grapheme)) else { break };
            left = now;
            rest.push_str(grapheme);
        }
        Line::from(vec![
            Span::styled(label.to_owned(), theme::BRAND),
            Span::raw(before),
            Span::styled(under.to_owned(), Style::new().add_modifier(Modifier::REVERSED)),
            Span::raw(rest),
        ])
    }
}

/// Line ends become blanks, other control characters vanish.
fn one_line(text: &str) -> String {
    let text = text.trim_end_matches('\n').replace(['\n', '\t'], " ");
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut Field, code: KeyCode) -> Typed {
        field.on_key(KeyEvent::from(code))
    }

    #[test]
    fn letters_go_in_at_the_cursor_and_come_out_whole() {
        let mut field = Field::new("use rg");
        press(&mut field, KeyCode::Home);
        field.insert("please\n");
        press(&mut field, KeyCode::Char(' '));
        assert_eq!(field.text(), "please use rg");
        press(&mut field, KeyCode::End);
        field.insert("e\u{301}");
        assert_eq!(press(&mut field, KeyCode::Backspace), Typed::Changed);
        assert_eq!(field.text(), "please use rg");
        assert_eq!(press(&mut field, KeyCode::Delete), Typed::Nothing);
    }

    #[test]
    fn a_word_is_erased_at_once() {
        let mut field = Field::new("use rg now ");
        field.on_key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(field.text(), "use rg ");
        field.on_key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
        assert_eq!(field.text(), "");
    }

    #[test]
    fn a_long_line_shows_what_is_around_the_cursor() {
        let field = Field::new("0123456789abcdef");
        assert_eq!(field.line("/", 8).to_string(), "/abcdef ");
        let mut field = Field::new("0123456789");
        press(&mut field, KeyCode::Home);
        assert_eq!(field.line("/", 6).to_string(), "/01234");
    }
}
