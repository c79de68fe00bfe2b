//! One line as a terminal shows it: what was overwritten, erased and coloured, as plain text. Pure.

use std::iter::Peekable;
use std::str::Chars;

/// No terminal is wider; what a program moves to beyond it is nowhere.
const MAX_COLUMN: usize = 4096;

/// Cells and cursor. A wide character is one cell here: good enough for text, not for layout.
#[derive(Debug, Default)]
pub(super) struct Line {
    cells: Vec<char>,
    column: usize,
    /// Something was written that a single line cannot show: the cursor moved up, the screen scrolled.
    is_lost: bool,
}

impl Line {
    /// What `text` leaves on a line.
    pub(super) fn shown(text: &str) -> String {
        let mut line = Self::default();
        line.write(text);
        line.cells.into_iter().collect()
    }

    /// Like [`Line::shown`]; `None` where the text does not keep to one line.
    pub(super) fn typed(text: &str) -> Option<String> {
        let mut line = Self::default();
        line.write(text);
        (!line.is_lost).then(|| line.cells.into_iter().collect())
    }

    fn write(&mut self, text: &str) {
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\u{1b}' => self.escape(&mut rest),
                '\r' => self.column = 0,
                '\u{8}' => self.column = self.column.saturating_sub(1),
                '\t' => self.put('\t'),
                '\n' => self.is_lost = true,
                control if control.is_control() => {}
                character => self.put(character),
            }
        }
    }

    fn put(&mut self, character: char) {
        self.fill();
        match self.cells.get_mut(self.column) {
            Some(cell) => *cell = character,
            None => self.cells.push(character),
        }
        self.column += 1;
    }

    /// Blanks up to the cursor.
    fn fill(&mut self) {
        if self.cells.len() < self.column {
            self.cells.resize(self.column, ' ');
        }
    }

    fn escape(&mut self, rest: &mut Peekable<Chars<'_>>) {
        match rest.next() {
            Some('[') => self.control(rest),
            Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
            Some(' '..='/') => {
                while rest.next_if(|character| (' '..='/').contains(character)).is_some() {}
                rest.next();
            }
            Some('D' | 'E' | 'M') => self.is_lost = true,
            _ => {}
        }
    }

    fn control(&mut self, rest: &mut Peekable<Chars<'_>>) {
        let mut parameters = String::new();
        while let Some(character) = rest.next_if(|character| (' '..='?').contains(character)) {
            parameters.push(character);
        }
        let n = parameters.parse().unwrap_or(0).min(MAX_COLUMN);
        match rest.next() {
            Some('C') => self.column = (self.column + n.max(1)).min(MAX_COLUMN),
            Some('D') => self.column = self.column.saturating_sub(n.max(1)),
            Some('G') => self.column = n.max(1) - 1,
            Some('K') => self.erase(n),
            Some('P') => self.delete(n.max(1)),
            Some('@') => self.insert(n.max(1)),
            Some('A' | 'B' | 'E' | 'F' | 'H' | 'J' | 'L' | 'M' | 'S' | 'T' | 'd' | 'f') => {
                self.is_lost = true;
            }
            _ => {}
        }
    }

    fn erase(&mut self, what: usize) {
        match what {
            0 => self.cells.truncate(self.column),
            1 => self.cells.iter_mut().take(self.column + 1).for_each(|cell| *cell = ' '),
            _ => self.cells.clear(),
        }
    }

    fn delete(&mut self, n: usize) {
        let end = (self.column + n).min(self.cells.len());
        if self.column < end {
            self.cells.drain(self.column..end);
        }
    }

    fn insert(&mut self, n: usize) {
        self.fill();
        let at = self.column.min(self.cells.len());
        self.cells.splice(at..at, std::iter::repeat_n(' ', n));
    }
}

/// Skips a string up to BEL or ST.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(character) = rest.next() {
        match character {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Line::shown(text), expected);
    }

    #[test]
    fn colours_and_titles_are_not_text() {
        check("\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b]8;;x\x1b\\link", "red plainlink");
    }

    #[test]
    fn a_progress_bar_ends_as_it_was_seen_last() {
        check("10%\r20%\r100%", "100%");
        check("waiting...\r\x1b[Kdone", "done");
    }

    #[test]
    fn what_is_overwritten_in_part_stays_in_part() {
        check("abcdef\rXY", "XYcdef");
        check("abc\x08\x08Z", "aZc");
    }

    #[test]
    fn cells_are_deleted_and_inserted() {
        check("abcdef\r\x1b[2P", "cdef");
        check("abc\r\x1b[2@XY", "XYabc");
    }

    #[test]
    fn the_cursor_may_stand_beyond_the_text() {
        check("a\x1b[3Cb", "a   b");
        check("a\x1b[999999999Cb\r", &format!("a{}b", " ".repeat(MAX_COLUMN - 1)));
    }

    #[test]
    fn a_sequence_without_an_end_is_no_text() {
        check("text\x1b[12", "text");
        check("text\x1b]0;never ends", "text");
        check("text\x1b", "text");
        check("text\x1b(B.", "text.");
    }

    #[test]
    fn what_was_typed_is_known_as_long_as_it_keeps_to_one_line() {
        assert_eq!(Line::typed("lx\x08s\x1b[K -l"), Some("ls -l".to_owned()));
        assert_eq!(Line::typed("two\nlines"), None);
        assert_eq!(Line::typed("up\x1b[A"), None);
    }
}
