//! One line that is edited in place. Pure.

use unicode_width::UnicodeWidthChar;

use super::keys::Key;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineEdit {
    letters: Vec<char>,
    at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edited {
    Going,
    Done(String),
    Cancelled,
    Interrupted,
}

impl LineEdit {
    /// Begins with this text, the cursor behind it.
    pub(super) fn new(text: &str) -> Self {
        let letters: Vec<char> = text.chars().collect();
        Self { at: letters.len(), letters }
    }

    pub(super) fn press(&mut self, key: Key) -> Edited {
        let end = self.letters.len();
        match key {
            Key::Enter => return Edited::Done(self.letters.iter().collect()),
            Key::Escape => return Edited::Cancelled,
            Key::CtrlC => return Edited::Interrupted,
            Key::Char(letter) => {
                self.letters.insert(self.at, letter);
                self.at += 1;
            }
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = (self.at + 1).min(end),
            Key::Home => self.at = 0,
            Key::End => self.at = end,
            Key::Backspace => self.cut(self.at.saturating_sub(1), self.at),
            Key::Delete => self.cut(self.at, (self.at + 1).min(end)),
            Key::CutAfter => self.cut(self.at, end),
            Key::CutBefore => self.cut(0, self.at),
            Key::CutWord => self.cut(self.word_before(), self.at),
            Key::Other => {}
        }
        Edited::Going
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.letters.drain(from..to);
        self.at = from;
    }

    fn word_before(&self) -> usize {
        let before = self.letters.get(..self.at).unwrap_or_default();
        let word_end = before.iter().rposition(|one| !one.is_whitespace()).map_or(0, |at| at + 1);
        let word = before.get(..word_end).unwrap_or_default();
        word.iter().rposition(|one| one.is_whitespace()).map_or(0, |at| at + 1)
    }

    /// The part that fits into `width` columns with the cursor in it, and the cursor's column.
    pub(super) fn view(&self, width: usize) -> (String, usize) {
        let columns =
            |letters: &[char]| letters.iter().map(|one| shown(*one).width().unwrap_or(0)).sum::<usize>();
        let width = width.max(2);
        let mut from = 0;
        while columns(self.letters.get(from..self.at).unwrap_or_default()) >= width {
            from += 1;
        }
        let (mut text, mut used) = (String::new(), 0);
        for letter in self.letters.iter().skip(from).map(|letter| shown(*letter)) {
            used += letter.width().unwrap_or(0);
            if used >= width {
                break;
            }
            text.push(letter);
        }
        (text, columns(self.letters.get(from..self.at).unwrap_or_default()))
    }
}

/// A line break is one letter here; others that would move the cursor are not shown as they are.
fn shown(letter: char) -> char {
    match letter {
        '\n' => '⏎',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, keys: &[Key], expected: &str) {
        let mut edit = LineEdit::new(text);
        for key in keys {
            assert_eq!(edit.press(*key), Edited::Going);
        }
        assert_eq!(edit.press(Key::Enter), Edited::Done(expected.to_owned()));
    }

    #[test]
    fn keys_edit_the_line() {
        check("ls", &[Key::Char(' '), Key::Char('é')], "ls é");
        check("ls", &[Key::Home, Key::Char('x'), Key::End, Key::Char('y')], "xlsy");
        check("abc", &[Key::Left, Key::Backspace], "ac");
        check("abc", &[Key::Home, Key::Delete, Key::Right, Key::Delete], "b");
        check("rm -r build ", &[Key::CutWord], "rm -r ");
        check("one two", &[Key::CutWord, Key::CutWord, Key::CutWord], "");
        check("abc", &[Key::Left, Key::CutAfter], "ab");
        check("abc", &[Key::Left, Key::CutBefore], "c");
        check("", &[Key::Backspace, Key::Delete, Key::Left, Key::Other], "");
        assert_eq!(LineEdit::new("x").press(Key::Escape), Edited::Cancelled);
    }

    #[test]
    fn a_long_line_scrolls() {
        let mut edit = LineEdit::new("abcdefgh");
        assert_eq!(edit.view(5), ("efgh".to_owned(), 4));
        edit.press(Key::Home);
        assert_eq!(edit.view(5), ("abcd".to_owned(), 0));
        assert_eq!(LineEdit::new("日本").view(20), ("日本".to_owned(), 4));
        assert_eq!(LineEdit::new("a\nb").view(20), ("a⏎b".to_owned(), 3));
    }

    proptest! {
        #[test]
        fn the_cursor_stays_in_view(text in any::<String>(), left in 0_usize..20, width in 2_usize..30) {
            let mut edit = LineEdit::new(&text);
            for _ in 0..left {
                edit.press(Key::Left);
            }
            let (_, column) = edit.view(width);
            prop_assert!(column < width);
        }
    }
}
