//! The composer: the text being written, its cursor, and the editing keys' meaning. Pure.
//!
//! Long pastes stand in the text as one private character each and are shown as a chip, so that editing and
//! drawing never touch their megabytes. A character of that private range that somebody really typed becomes a
//! chip of its own: nothing is lost.

mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use super::input::Pasted;

pub(crate) use rows::layout;

/// First of the characters that stand for chips (the last private plane, which no font uses).
const FIRST_CHIP: u32 = 0x10_0000;
/// A paste longer than this collapses into a chip.
const CHIP_LINES: usize = 10;
const CHIP_BYTES: usize = 2048;

/// Text with its chips: what the composer holds, and what waits in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    pub text: String,
    chips: BTreeMap<char, Chip>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Chip {
    label: String,
    content: Arc<str>,
}

impl Draft {
    /// What is sent: every chip replaced by what it stands for.
    pub(crate) fn expanded(&self) -> String {
        let mut whole = String::with_capacity(self.n_bytes());
        for c in self.text.chars() {
            match self.chips.get(&c) {
                Some(chip) => whole.push_str(&chip.content),
                None => whole.push(c),
            }
        }
        whole
    }

    /// Bytes of the expanded text.
    pub(crate) fn n_bytes(&self) -> usize {
        self.text.chars().map(|c| self.chips.get(&c).map_or(c.len_utf8(), |chip| chip.content.len())).sum()
    }

    /// What is shown: every chip replaced by its label.
    pub(crate) fn shown(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        for c in self.text.chars() {
            match self.chips.get(&c) {
                Some(chip) => shown.push_str(&chip.label),
                None => shown.push(c),
            }
        }
        shown
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn label(&self, c: char) -> Option<&str> {
        self.chips.get(&c).map(|chip| chip.label.as_str())
    }
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        let mut composer = Composer::default();
        composer.insert(text);
        composer.draft
    }
}

#[derive(Debug, Default)]
pub(crate) struct Composer {
    draft: Draft,
    /// Byte position in the text, on a grapheme's edge.
    cursor: usize,
    killed: Draft,
    n_pastes: usize,
    /// The column that Up and Down aim at.
    goal: Option<usize>,
}

impl Composer {
    pub(crate) fn draft(&self) -> &Draft {
        &self.draft
    }

    pub(crate) fn text(&self) -> &str {
        &self.draft.text
    }

    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.draft.text.is_empty()
    }

    /// Empties the composer and returns what was in it.
    pub(crate) fn take(&mut self) -> Draft {
        self.cursor = 0;
        self.goal = None;
        std::mem::take(&mut self.draft)
    }

    /// Replaces everything; the cursor goes to the end.
    pub(crate) fn set(&mut self, draft: Draft) {
        self.cursor = draft.text.len();
        self.draft = draft;
        self.goal = None;
    }

    /// Like [`Self::set`], for a text of any length: too long a one is shown as a chip.
    pub(crate) fn set_text(&mut self, text: &str, limit: usize) {
        self.take();
        if text.len() > limit {
            self.paste(Pasted::new(text.as_bytes()));
        } else {
            self.insert(text);
        }
    }

    /// Puts `draft` in front of what is being written, which stays.
    pub(crate) fn prepend(&mut self, draft: Draft) {
        let own = self.take();
        self.set(draft);
        if !own.text.is_empty() {
            self.insert("\n");
            self.append(&own);
        }
    }

    fn append(&mut self, other: &Draft) {
        for c in other.text.chars() {
            match other.chips.get(&c) {
                Some(chip) => self.insert_chip(chip.clone()),
                None => self.insert_raw(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    pub(crate) fn insert(&mut self, text: &str) {
        let is_private = |c: char| u32::from(c) >= FIRST_CHIP;
        if !text.contains(is_private) {
            self.insert_raw(text);
            return;
        }
        for c in text.chars() {
            if is_private(c) {
                let label = format!("[U+{:X}]", u32::from(c));
                self.insert_chip(Chip { label, content: String::from(c).into() });
            } else {
                self.insert_raw(c.encode_utf8(&mut [0; 4]));
            }
        }
    }

    pub(crate) fn paste(&mut self, pasted: Pasted) {
        if pasted.n_lines <= CHIP_LINES && pasted.text.len() <= CHIP_BYTES {
            self.insert(&pasted.text);
            return;
        }
        self.n_pastes += 1;
        let lines = if pasted.n_lines == 1 { "1 line".into() } else { format!("{} lines", pasted.n_lines) };
        let label = format!("[paste #{}: {lines}, {}]", self.n_pastes, in_bytes(pasted.text.len()));
        self.insert_chip(Chip { label, content: pasted.text.into() });
    }

    fn insert_chip(&mut self, chip: Chip) {
        let free =
            (FIRST_CHIP..=0x10_fffd).filter_map(char::from_u32).find(|c| !self.draft.chips.contains_key(c));
        // More than 65,000 chips: spelled out instead.
        let Some(c) = free else { return self.insert_raw(&chip.content) };
        self.draft.chips.insert(c, chip);
        self.insert_raw(c.encode_utf8(&mut [0; 4]));
    }

    fn insert_raw(&mut self, text: &str) {
        self.draft.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        self.goal = None;
    }

    pub(crate) fn left(&mut self) {
        self.go(self.previous_edge());
    }

    pub(crate) fn right(&mut self) {
        self.go(self.next_edge());
    }

    pub(crate) fn word_left(&mut self) {
        self.go(self.previous_word());
    }

    pub(crate) fn word_right(&mut self) {
        self.go(self.next_word());
    }

    pub(crate) fn line_start(&mut self) {
        self.go(self.before().rfind('\n').map_or(0, |at| at + 1));
    }

    pub(crate) fn line_end(&mut self) {
        self.go(self.cursor + self.after().find('\n').unwrap_or(self.after().len()));
    }

    pub(crate) fn backspace(&mut self) {
        self.remove(self.previous_edge(), self.cursor);
    }

    pub(crate) fn delete(&mut self) {
        self.remove(self.cursor, self.next_edge());
    }

    /// To the end of the line, or the line break itself at its end.
    pub(crate) fn kill_to_end(&mut self) {
        let rest = self.after().find('\n').unwrap_or(self.after().len());
        let is_at_break = rest == 0 && !self.after().is_empty();
        self.kill(self.cursor, self.cursor + rest + usize::from(is_at_break));
    }

    pub(crate) fn kill_to_start(&mut self) {
        self.kill(self.before().rfind('\n').map_or(0, |at| at + 1), self.cursor);
    }

    /// Back to the last white space, as shells do.
    pub(crate) fn kill_word_back(&mut self) {
        let trimmed = self.before().trim_end();
        let from = trimmed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        // The character before may be wider than one byte.
        let from = trimmed.get(from..).map_or_else(|| self.previous_word(), |_| from);
        self.kill(from, self.cursor);
    }

    pub(crate) fn kill_word(&mut self) {
        self.kill(self.cursor, self.next_word());
    }

    pub(crate) fn yank(&mut self) {
        let killed = std::mem::take(&mut self.killed);
        self.append(&killed);
        self.killed = killed;
    }

    /// One row up as drawn at this width; false at the top.
    pub(crate) fn up(&mut self, columns: usize) -> bool {
        self.vertical(columns, |row| row.checked_sub(1))
    }

    pub(crate) fn down(&mut self, columns: usize) -> bool {
        self.vertical(columns, |row| Some(row + 1))
    }

    fn vertical(&mut self, columns: usize, target: impl Fn(usize) -> Option<usize>) -> bool {
        let drawn = layout(&self.draft, self.cursor, columns);
        let (row, column) = drawn.cursor;
        let goal = self.goal.unwrap_or(column);
        let Some(at) = target(row).and_then(|row| drawn.position(row, goal)) else { return false };
        self.cursor = at;
        self.goal = Some(goal);
        true
    }

    fn kill(&mut self, from: usize, to: usize) {
        let text = self.draft.text.get(from..to).unwrap_or_default();
        if !text.is_empty() {
            self.killed = Draft { text: text.to_owned(), chips: self.draft.chips.clone() };
        }
        self.remove(from, to);
    }

    fn remove(&mut self, from: usize, to: usize) {
        if self.draft.text.get(from..to).is_some() {
            self.draft.text.replace_range(from..to, "");
            self.go(from);
        }
    }

    fn go(&mut self, to: usize) {
        self.cursor = to;
        self.goal = None;
    }

    fn before(&self) -> &str {
        self.draft.text.get(..self.cursor).unwrap_or_default()
    }

    fn after(&self) -> &str {
        self.draft.text.get(self.cursor..).unwrap_or_default()
    }

    fn previous_edge(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn next_edge(&self) -> usize {
        self.cursor + self.after().graphemes(true).next().map_or(0, str::len)
    }

    fn previous_word(&self) -> usize {
        let mut words = self.before().split_word_bound_indices().rev();
        words.find(|(_, word)| !word.trim().is_empty()).map_or(0, |(at, _)| at)
    }

    fn next_word(&self) -> usize {
        let mut words = self.after().split_word_bound_indices();
        let end = words.find(|(_, word)| !word.trim().is_empty()).map(|(at, word)| at + word.len());
        self.cursor + end.unwrap_or(self.after().len())
    }
}

/// `14 kB`, as people write sizes.
pub(crate) fn in_bytes(n: usize) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{} kB", (n + 500) / 1_000),
        _ => format!("{}.{} MB", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests;
