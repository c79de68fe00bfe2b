//! Text that arrives in pieces. Whatever the pieces, the result is that of the whole: a rule sees only so much of a line
//! around its place (`view`), and nothing is written before all of that has arrived. Memory is bounded by that, too.
//!
//! What is whole up to a line break is written at once; of a longer line, all but its last ten kilobytes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use memchr::memchr;

use super::key::{Key, Role};
use super::line::{Line, Part};
use super::matcher::{LONGEST_CALL, Matcher};
use super::view::{AHEAD, BACK};
use super::{Found, Rule};

/// A line that is longer is looked at before its end has arrived.
const LONG_LINE: usize = 2 * (AHEAD + BACK + LONGEST_CALL);
/// How many secrets are remembered by what was written for them.
const MOST_SEEN: usize = 4096;

/// A part of the result, and what was hidden in it. Places are counted from the beginning of the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub found: Vec<Found>,
}

/// See [`super::Redactor::stream`].
pub struct Stream<'r> {
    matcher: &'r Matcher,
    /// What is not written yet, and what rules may look back at.
    buffer: Vec<u8>,
    /// Where the buffer begins in the stream.
    offset: usize,
    /// The buffer has no line break before this place.
    unbroken: usize,
    line: Line,
    key: Option<Key>,
    /// The line break after a key's line: written when the key goes no further.
    owed: Vec<u8>,
    open: Option<Found>,
    /// Which rule a secret was first hidden by, so that it is hidden by the same again.
    seen: HashMap<u64, Rule>,
}

impl<'r> Stream<'r> {
    pub(super) fn new(matcher: &'r Matcher) -> Self {
        Self {
            matcher,
            buffer: Vec::new(),
            offset: 0,
            unbroken: 0,
            line: Line::default(),
            key: None,
            owed: Vec::new(),
            open: None,
            seen: HashMap::new(),
        }
    }

    /// Takes more text, which may begin and end anywhere, and gives what can be written by now.
    pub fn push(&mut self, text: &[u8]) -> Piece {
        let mut piece = Piece::default();
        piece.bytes.reserve(text.len());
        if self.buffer.is_empty() {
            let n_written = self.lines(text, &mut piece);
            self.buffer.extend_from_slice(text.get(n_written..).unwrap_or_default());
        } else {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.extend_from_slice(text);
            let n_written = self.lines(&buffer, &mut piece);
            buffer.drain(..n_written);
            self.buffer = buffer;
        }
        piece
    }

    /// Ends the text and gives the rest of it.
    pub fn finish(mut self) -> Piece {
        let mut piece = Piece::default();
        let rest = std::mem::take(&mut self.buffer);
        if !rest.is_empty() {
            self.whole_line(&rest, &mut piece);
        }
        self.leave_key(&mut piece);
        piece
    }

    /// Writes all lines of a text that have ended, and says how many bytes nothing looks back at any more.
    fn lines(&mut self, text: &[u8], piece: &mut Piece) -> usize {
        let mut from = 0;
        while let Some(end) = line_end(text, self.unbroken.max(from), from) {
            self.whole_line(text.get(from..end).unwrap_or_default(), piece);
            self.offset += end - from;
            from = end;
        }
        let rest = text.get(from..).unwrap_or_default();
        let n_written = if rest.len() > LONG_LINE { self.part_of_line(rest, piece) } else { 0 };
        self.unbroken = (rest.len() - n_written).saturating_sub(2);
        from + n_written
    }

    fn whole_line(&mut self, line: &[u8], piece: &mut Piece) {
        if self.takes_for_key(line, piece) {
            return;
        }
        let mut state = std::mem::take(&mut self.line);
        self.write(&mut state, line, true, piece);
        if state.opens_key {
            self.key = Some(Key::default());
        }
    }

    /// Writes what is known of a line whose end is far away, and says how many bytes nothing looks back at any more.
    fn part_of_line(&mut self, line: &[u8], piece: &mut Piece) -> usize {
        // A key's lines are short: see `Key::role`.
        if self.key.take().is_some() {
            self.leave_key(piece);
        }
        let mut state = std::mem::take(&mut self.line);
        let n_written = self.write(&mut state, line, false, piece);
        state.forget(n_written);
        self.offset += n_written;
        self.line = state;
        n_written
    }

    fn write(&mut self, state: &mut Line, line: &[u8], is_whole: bool, piece: &mut Piece) -> usize {
        let safe = state.search(line, self.matcher, is_whole);
        state.write(line, safe, is_whole, |part| self.put(line, part, piece));
        safe
    }

    fn put(&mut self, line: &[u8], part: Part, piece: &mut Piece) {
        match part {
            Part::Text(range) => piece.bytes.extend_from_slice(line.get(range).unwrap_or_default()),
            Part::Placeholder { rule, range } => {
                piece.found.extend(self.open.take());
                let rule = self.same_as_before(line.get(range.clone()).unwrap_or_default(), rule);
                piece.bytes.extend_from_slice(rule.placeholder().as_bytes());
                self.open = Some(Found { rule, span: self.in_stream(&range) });
            }
            Part::Ends(at) => {
                let end = self.offset + at;
                piece
                    .found
                    .extend(self.open.take().map(|found| Found { span: found.span.start..end, ..found }));
            }
        }
    }

    /// One secret has one name in one text, wherever it stands.
    fn same_as_before(&mut self, secret: &[u8], rule: Rule) -> Rule {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        let hash = hasher.finish();
        if self.seen.len() >= MOST_SEEN {
            return self.seen.get(&hash).copied().unwrap_or(rule);
        }
        *self.seen.entry(hash).or_insert(rule)
    }

    /// Whether the line belongs to a private key; then it is dealt with.
    fn takes_for_key(&mut self, line: &[u8], piece: &mut Piece) -> bool {
        let Some(key) = &mut self.key else { return false };
        match key.role(line) {
            Role::Header => false,
            Role::Over => {
                self.key = None;
                self.leave_key(piece);
                false
            }
            Role::Body(range) => {
                self.hide_key_line(line, &range, piece);
                true
            }
        }
    }

    fn hide_key_line(&mut self, line: &[u8], body: &Range<usize>, piece: &mut Piece) {
        let place = self.in_stream(body);
        if let Some(found) = &mut self.open {
            found.span.end = place.end;
        } else {
            let rule = Rule::Secret("private-key");
            piece.bytes.extend_from_slice(line.get(..body.start).unwrap_or_default());
            piece.bytes.extend_from_slice(rule.placeholder().as_bytes());
            self.open = Some(Found { rule, span: place });
        }
        self.owed = line.get(body.end..).unwrap_or_default().to_vec();
    }

    fn leave_key(&mut self, piece: &mut Piece) {
        piece.bytes.append(&mut self.owed);
        piece.found.extend(self.open.take());
    }

    fn in_stream(&self, range: &Range<usize>) -> Range<usize> {
        self.offset + range.start..self.offset + range.end
    }
}

/// The end of the line that begins at `from`, with its break; breaks before `unbroken` are known not to be there.
fn line_end(text: &[u8], unbroken: usize, from: usize) -> Option<usize> {
    let mut at = unbroken;
    loop {
        at += memchr(b'\n', text.get(at..)?)? + 1;
        let line = text.get(from..at)?;
        if !line.ends_with(b"\\\n") && !line.ends_with(b"\\\r\n") {
            return Some(at);
        }
    }
}
