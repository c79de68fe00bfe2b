//! Which drawn answers are worth learning from: not the trivial ones, not those that never end.

use serde::{Deserialize, Serialize};

use crate::turn::Ending;

/// What is too short or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthLimits {
    /// Characters without blanks.
    pub least_chars: usize,
    pub most_tokens: usize,
    /// The same line, or the same word, this often in a row is a loop.
    pub most_repeats: usize,
}

impl Default for LengthLimits {
    fn default() -> Self {
        Self { least_chars: 2, most_tokens: 512, most_repeats: 6 }
    }
}

/// An answer as it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn<'a> {
    pub text: &'a str,
    pub n_tokens: usize,
    pub ending: Ending,
}

/// Why an answer teaches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    Trivial,
    TooLong,
    Repeating,
    /// It did not come to its end.
    Unfinished,
}

/// How many answers were left out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sifted {
    pub kept: usize,
    pub trivial: usize,
    pub too_long: usize,
    pub repeating: usize,
    pub unfinished: usize,
}

impl Sifted {
    pub fn add(&mut self, other: &Self) {
        self.kept += other.kept;
        self.trivial += other.trivial;
        self.too_long += other.too_long;
        self.repeating += other.repeating;
        self.unfinished += other.unfinished;
    }

    pub fn dropped(&self) -> usize {
        self.trivial + self.too_long + self.repeating + self.unfinished
    }
}

/// Positions of the answers to keep, and the counts of the others.
pub fn sift(answers: &[Drawn<'_>], limits: LengthLimits) -> (Vec<usize>, Sifted) {
    let mut counts = Sifted::default();
    let mut kept = Vec::new();
    for (at, answer) in answers.iter().enumerate() {
        match answer.fault(limits) {
            None => kept.push(at),
            Some(Unusable::Trivial) => counts.trivial += 1,
            Some(Unusable::TooLong) => counts.too_long += 1,
            Some(Unusable::Repeating) => counts.repeating += 1,
            Some(Unusable::Unfinished) => counts.unfinished += 1,
        }
    }
    counts.kept = kept.len();
    (kept, counts)
}

impl Drawn<'_> {
    /// What is wrong with it; `None`: it can be learned from.
    pub fn fault(&self, limits: LengthLimits) -> Option<Unusable> {
        let n_chars = self.text.chars().filter(|c| !c.is_whitespace()).count();
        if n_chars < limits.least_chars && !self.text.chars().any(char::is_alphanumeric) {
            return Some(Unusable::Trivial);
        }
        if repeats(self.text, limits.most_repeats) {
            return Some(Unusable::Repeating);
        }
        if self.n_tokens > limits.most_tokens || self.ending == Ending::Length {
            return Some(Unusable::TooLong);
        }
        (!self.ending.is_whole()).then_some(Unusable::Unfinished)
    }
}

/// Whether one line or one word stands `most` times or more in a row.
fn repeats(text: &str, most: usize) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    longest_run(lines) >= most.max(2) || longest_run(text.split_whitespace()) >= most.max(2)
}

fn longest_run<'a>(parts: impl Iterator<Item = &'a str>) -> usize {
    let (mut longest, mut run, mut last) = (0, 0, None);
    for part in parts {
        run = if last == Some(part) { run + 1 } else { 1 };
        last = Some(part);
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, n_tokens: usize, ending: Ending, expected: Option<Unusable>) {
        let limits = LengthLimits { most_tokens: 40, ..LengthLimits::default() };
        assert_eq!(Drawn { text, n_tokens, ending }.fault(limits), expected);
    }

    #[test]
    fn a_command_is_learned_from_however_short() {
        check("ls", 1, Ending::Stop, None);
        check("w", 1, Ending::Stop, None);
        check("grep -rn TODO src", 8, Ending::Stop, None);
    }

    #[test]
    fn trivial_and_runaway_answers_are_not() {
        check("", 0, Ending::Stop, Some(Unusable::Trivial));
        check(" .\n", 1, Ending::Stop, Some(Unusable::Trivial));
        check("one two three", 41, Ending::Stop, Some(Unusable::TooLong));
        check("one two three", 20, Ending::Length, Some(Unusable::TooLong));
        check("echo a a a a a a a", 20, Ending::Stop, Some(Unusable::Repeating));
        check("ls -l\nls -l\nls -l\nls -l\nls -l\nls -l\n", 20, Ending::Length, Some(Unusable::Repeating));
        check("grep", 2, Ending::Interrupted, Some(Unusable::Unfinished));
    }

    #[test]
    fn what_is_dropped_is_counted_by_reason() {
        let drawn = |text, ending| Drawn { text, n_tokens: 3, ending };
        let answers = [
            drawn("ls", Ending::Stop),
            drawn("", Ending::Stop),
            drawn("cat a", Ending::Failed),
            drawn("pwd", Ending::Stop),
        ];
        let (kept, counts) = sift(&answers, LengthLimits::default());
        assert_eq!(kept, [0, 3]);
        assert_eq!(counts, Sifted { kept: 2, trivial: 1, unfinished: 1, ..Sifted::default() });
        assert_eq!(counts.dropped(), 2);
    }
}
