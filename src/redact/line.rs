//! One line of a text, which may arrive in pieces: what was found in it so far, and up to where it may be written. A line
//! goes on after a backslash at its end, as commands do. Pure.

use std::ops::Range;

use super::Rule;
use super::matcher::{Answer, LONGEST_CALL, Matcher};
use super::view::{AHEAD, BACK, boundary, is_word};

/// What becomes of the line, in order. Places are counted in the text that was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Range<usize>),
    /// Stands in the text where a secret begins; `end` may not be its last word.
    Placeholder {
        rule: Rule,
        range: Range<usize>,
    },
    /// The secret that was begun last ends here.
    Ends(usize),
}

#[derive(Debug, Default)]
pub(super) struct Line {
    secrets: Vec<Secret>,
    /// Flags that are secrets, by the commands before them.
    active: u64,
    /// Calls are known up to here.
    searched: usize,
    /// A name ends here that was looked at already.
    named: usize,
    /// Written up to here.
    at: usize,
    /// What was written last is a placeholder.
    in_secret: bool,
    /// The rest of its word belongs to it. A private name is a word of its own.
    takes_word: bool,
    /// Lines of a private key follow.
    pub(super) opens_key: bool,
}

#[derive(Debug)]
struct Secret {
    range: Range<usize>,
    rank: u8,
    rule: Rule,
}

impl Line {
    /// Looks at what is new in the line. `is_whole`: nothing more of it comes. Answers up to where everything is known.
    pub(super) fn search(&mut self, text: &[u8], matcher: &Matcher, is_whole: bool) -> usize {
        let limit = if is_whole { text.len() } else { text.len().saturating_sub(AHEAD) }.max(self.searched);
        let from = self.searched.saturating_sub(LONGEST_CALL);
        for (call, hit) in matcher.calls(text, from..limit) {
            if hit.end > self.searched {
                self.ask(matcher, call, text, &hit);
            }
        }
        self.searched = limit;
        if is_whole { limit } else { boundary(text, limit.saturating_sub(LONGEST_CALL + BACK), 0) }
    }

    /// Writes up to `safe`. Secrets that overlap are one, named by the first.
    pub(super) fn write(&mut self, text: &[u8], safe: usize, is_whole: bool, mut put: impl FnMut(Part)) {
        self.secrets.sort_by_key(|secret| (secret.range.start, secret.rank));
        let n_known = self.secrets.partition_point(|secret| secret.range.start < safe);
        self.swallow(text);
        for secret in self.secrets.drain(..n_known).collect::<Vec<_>>() {
            if secret.range.start < self.at {
                self.takes_word |= matches!(secret.rule, Rule::Secret(_));
                self.at = self.at.max(secret.range.end);
            } else {
                self.write_text(secret.range.start, &mut put);
                put(Part::Placeholder { rule: secret.rule, range: secret.range.clone() });
                self.at = secret.range.end;
                self.in_secret = true;
                self.takes_word = matches!(secret.rule, Rule::Secret(_));
            }
            self.swallow(text);
        }
        if self.at < safe {
            self.write_text(safe, &mut put);
        } else if is_whole && self.in_secret {
            put(Part::Ends(self.at));
        }
    }

    /// Forgets the first `n` bytes of the text, which are written.
    pub(super) fn forget(&mut self, n: usize) {
        self.searched = self.searched.saturating_sub(n);
        self.named = self.named.saturating_sub(n);
        self.at = self.at.saturating_sub(n);
        for secret in &mut self.secrets {
            secret.range = secret.range.start - n..secret.range.end - n;
        }
    }

    fn ask(&mut self, matcher: &Matcher, call: usize, text: &[u8], hit: &Range<usize>) {
        if matcher.is_name(call) && hit.start < self.named {
            return;
        }
        match matcher.answer(call, text, hit, self.active) {
            Answer::Nothing => {}
            Answer::Secret { range, rule, rank } => self.secrets.push(Secret { range, rank, rule }),
            Answer::Command(flags) => self.active |= flags,
            Answer::Key => self.opens_key = true,
            Answer::Named(end) => self.named = end,
        }
    }

    fn swallow(&mut self, text: &[u8]) {
        if self.in_secret && self.takes_word {
            self.at +=
                text.get(self.at..).unwrap_or_default().iter().take_while(|byte| is_word(**byte)).count();
        }
    }

    fn write_text(&mut self, until: usize, put: &mut impl FnMut(Part)) {
        if self.in_secret {
            put(Part::Ends(self.at));
            self.in_secret = false;
        }
        if self.at < until {
            put(Part::Text(self.at..until));
            self.at = until;
        }
    }
}
