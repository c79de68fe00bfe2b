//! What a rule may look at: the part of a line around the letters that called it. Because no rule sees more, a text that
//! arrives in pieces gives the same result as the whole: see `stream`. Pure.

use std::ops::Range;

/// Bytes of a line before the letters that called a rule.
pub(super) const BACK: usize = 192;
/// Bytes of a line after them. A secret that is longer is hidden up to here, and on to the end of its word.
pub(super) const AHEAD: usize = 8192;

/// How placeholders begin.
pub(super) const PLACEHOLDERS: [&[u8]; 2] = [b"<secret:", b"<private:"];

/// Part of a line. Places are counted in this part.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) text: &'a [u8],
    /// Where the letters that called begin and end.
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'a> View<'a> {
    /// The view from letters at `hit`, and where in the line it begins.
    pub(super) fn of(line: &'a [u8], hit: &Range<usize>) -> (Self, usize) {
        let from = hit.start.saturating_sub(BACK);
        let until = boundary(line, hit.end.saturating_add(AHEAD).min(line.len()), from);
        let text = line.get(from..until).unwrap_or_default();
        (Self { text, at: hit.start - from, end: hit.end - from }, from)
    }

    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The byte before `at`; `None` at the beginning of the line.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|before| self.byte(before))
    }

    /// From `at` on, as far as the view goes.
    pub(super) fn rest(&self, at: usize) -> &'a [u8] {
        self.text.get(at..).unwrap_or_default()
    }

    /// The text of a range; bytes that are no UTF-8 become `�`, which is in no secret's alphabet.
    pub(super) fn str(&self, range: &Range<usize>) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.text.get(range.clone()).unwrap_or_default())
    }

    /// The first place from `at` on whose byte is not one of those.
    pub(super) fn skip(&self, at: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
        at + self.rest(at).iter().take_while(|byte| is_skipped(**byte)).count()
    }

    /// The first place before `at`, at most `most` bytes away, from which on all bytes are those.
    pub(super) fn skip_back(&self, at: usize, most: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        at - before.iter().rev().take(most).take_while(|byte| is_skipped(**byte)).count()
    }

    pub(super) fn skip_blanks(&self, at: usize) -> usize {
        let mut at = at;
        loop {
            at = self.skip(at, is_blank);
            // A line that goes on after a backslash goes on here.
            match self.rest(at) {
                [b'\\', b'\n', ..] => at += 2,
                [b'\\', b'\r', b'\n', ..] => at += 3,
                _ => return at,
            }
        }
    }

    /// Whether a placeholder ends at `at`.
    pub(super) fn follows_placeholder(&self, at: usize) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        self.before(at) == Some(b'>') && {
            let name = self.skip_back(at - 1, 40, is_part);
            PLACEHOLDERS.iter().any(|mark| self.text.get(..name).is_some_and(|text| text.ends_with(mark)))
        }
    }

    /// Whether a word can begin at `at`: also after `\n` and `%3D`, which are blanks where text is quoted.
    pub(super) fn begins_word(&self, at: usize) -> bool {
        let Some(before) = self.before(at) else { return true };
        if !is_word(before) {
            return true;
        }
        let escape =
            at.checked_sub(2).and_then(|slash| self.byte(slash)) == Some(b'\\') && b"nrt".contains(&before);
        let percent = at.checked_sub(3).and_then(|percent| self.text.get(percent..at));
        escape || matches!(percent, Some([b'%', a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The last place up to `at`, but not before `from`, at which no character is cut in two.
pub(super) fn boundary(text: &[u8], at: usize, from: usize) -> usize {
    let mut place = at;
    while place > from && at - place < 4 && text.get(place).is_some_and(|byte| byte & 0xC0 == 0x80) {
        place -= 1;
    }
    place
}
