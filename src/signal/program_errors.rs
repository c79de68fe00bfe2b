//! What programs print when they fail, and where it stands in a text.

use std::ops::Range;
use std::sync::LazyLock;

use super::{Evidence, Says, Signal};

/// How many lines are searched; what failed is said near the front.
const MAX_LINES: usize = 400;

/// Why a program failed, as far as its words show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The command was written wrongly.
    Usage,
    /// Network, disk, memory: the world is in the way.
    Circumstance,
    Error,
}

/// The first line that tells of a failure, with its bytes. Usage errors count before others.
pub(super) fn failure(text: &str) -> Option<(Failure, Range<usize>)> {
    let told: Vec<(Failure, Range<usize>)> =
        lines(text).filter_map(|(line, span)| Some((failure_of(&line.to_lowercase())?, span))).collect();
    let found = told.iter().find(|(failure, _)| *failure == Failure::Usage).or_else(|| told.first());
    found.cloned()
}

/// A message of a person that is, or quotes, what a program printed when it failed.
pub(super) fn pasted(text: &str) -> Option<Signal> {
    let (line, span) = lines(text).find(|(line, _)| is_printed(line))?;
    let reads_on = text.lines().filter(|line| !line.trim().is_empty()).count() > 2;
    let strength = if reads_on || line.len() + 24 > text.trim().len() { 0.75 } else { 0.6 };
    let rule = "pasted.error".into();
    Some(Signal { rule, says: Says::Bad, evidence: Evidence::Outcome, strength, span, is_directive: false })
}

/// Whether a shell in this output did not find `program`.
pub(super) fn not_found(output: &str, program: &str) -> Option<Range<usize>> {
    let named = |line: &str| {
        let shell = ["bash", "zsh", "sh", "dash", "fish", "ksh", "nu", "-bash"]
            .iter()
            .any(|shell| line.starts_with(shell));
        shell && line.contains("not found") && line.split([' ', ':', '\'']).any(|word| word == program)
    };
    lines(output).find(|(line, _)| !program.is_empty() && named(line)).map(|(_, span)| span)
}

fn failure_of(line: &str) -> Option<Failure> {
    static TABLE: LazyLock<Vec<(Failure, &'static str)>> = LazyLock::new(table);
    TABLE.iter().find(|(_, phrase)| line.contains(phrase)).map(|(failure, _)| *failure)
}

fn table() -> Vec<(Failure, &'static str)> {
    let mut kind = Failure::Error;
    let mut found = Vec::new();
    for line in include_str!("../../assets/signals/errors.txt").lines().filter(|line| !line.starts_with('#'))
    {
        match line.strip_prefix("= ") {
            Some("usage") => kind = Failure::Usage,
            Some("circumstance") => kind = Failure::Circumstance,
            Some(_) => kind = Failure::Error,
            None if !line.is_empty() => found.push((kind, line)),
            None => {}
        }
    }
    found
}

/// Whether a line looks printed by a program, and not like a sentence about an error.
fn is_printed(line: &str) -> bool {
    let small = line.to_lowercase();
    let starts = [
        "traceback (most",
        "error[e",
        "error: ",
        "npm err!",
        "fatal: ",
        "e: ",
        "exception in thread",
        "segmentation fault",
        "panic: ",
    ];
    if starts.iter().any(|start| small.starts_with(start)) || small.contains("' panicked at") {
        return true;
    }
    if failure_of(&small).is_none() {
        return false;
    }
    let prefixed = small.split(": ").filter(|part| !part.trim().is_empty()).count() >= 3
        || small.split_once(": ").is_some_and(|(before, _)| {
            let before = before.trim();
            !before.is_empty() && (!before.contains(' ') && !is_spoken(before) || before.ends_with("error"))
        });
    let short = small.split_whitespace().count() <= 4 && small.starts_with("usage:");
    let quotes_it = [
        "it says",
        "i get",
        "i got",
        "that gives",
        "my terminal says",
        "it printed",
        "da kommt",
        "j'obtiens",
        "me sale",
        "gives",
        "says",
    ]
    .iter()
    .any(|frame| small.starts_with(frame));
    prefixed || short || quotes_it
}

/// Words before a colon that people say, and programs do not.
fn is_spoken(word: &str) -> bool {
    matches!(
        word,
        "no" | "nope"
            | "hm"
            | "hmm"
            | "so"
            | "thanks"
            | "well"
            | "ok"
            | "why"
            | "note"
            | "question"
            | "ps"
            | "wait"
    )
}

/// The first [`MAX_LINES`] lines with their bytes.
fn lines(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    text.split_inclusive('\n').take(MAX_LINES).map(move |whole| {
        let start = at + whole.len() - whole.trim_start().len();
        at += whole.len();
        let line = whole.trim();
        (line, start.min(at)..(start + line.len()).min(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = pasted(text).map(|signal| text[signal.span].to_owned());
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn pasted_errors_are_told_from_talk_about_them() {
        check("bash: tree: command not found", Some("bash: tree: command not found"));
        check("cat: /etc/shadow: Permission denied", Some("cat: /etc/shadow: Permission denied"));
        check("I tried:\nfatal: not a git repository\nwhat now", Some("fatal: not a git repository"));
        check("error[E0308]: mismatched types", Some("error[E0308]: mismatched types"));
        check("ModuleNotFoundError: No module named 'x'", Some("ModuleNotFoundError: No module named 'x'"));
        check("it says permission denied", Some("it says permission denied"));
        check("how do I fix permission denied on /dev/ttyUSB0", None);
        check("find the lines with permission denied", None);
        check("thanks, the command not found is gone", None);
        check("", None);
    }
}
