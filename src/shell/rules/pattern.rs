//! Patterns of commands: a program and words, with `*`.

use crate::shell::parse::{Simple, Word, parse};

/// Directories whose programs a bare name stands for.
const PROGRAM_FOLDERS: &[&str] = &[
    "/bin/",
    "/usr/bin/",
    "/sbin/",
    "/usr/sbin/",
    "/usr/local/bin/",
    "/opt/homebrew/bin/",
    "/run/current-system/sw/bin/",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    words: Vec<String>,
}

impl Pattern {
    /// Words as a shell splits them; says what is wrong with a text that is no pattern of one command.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let line = parse(text);
        let [command] = line.commands.as_slice() else {
            let is_wrapped = line.commands.iter().skip(1).all(|inner| !inner.through.is_empty());
            return match line.commands.first() {
                Some(first) if is_wrapped => Self::of(first),
                Some(_) => Err("a pattern is one command; write a rule for each part"),
                None => Err("the pattern is empty"),
            };
        };
        Self::of(command)
    }

    fn of(command: &Simple) -> Result<Self, &'static str> {
        if !command.redirects.is_empty() || !command.assignments.is_empty() {
            return Err("a pattern has a program and words, no redirection and no variable");
        }
        let words: Vec<String> = command.words.iter().map(|word| word.text.clone()).collect();
        match words.first().map(String::as_str) {
            None | Some("") => Err("the pattern is empty"),
            Some(program) if program.contains('*') => Err("the program must be named: it cannot have a `*`"),
            Some(_) => Ok(Self { words }),
        }
    }

    /// Whether the pattern says every word itself: no `*` stands alone.
    pub(super) fn is_exact(&self) -> bool {
        self.words.iter().all(|word| word != "*")
    }

    /// The whole command fits, word by word.
    pub(super) fn fits(&self, command: &Simple) -> bool {
        let Some((program, rest)) = self.words.split_first() else { return false };
        let Some(given) = command.words.first().filter(|word| word.is_known) else { return false };
        let is_program = *program == given.text
            || PROGRAM_FOLDERS.iter().any(|folder| given.text.strip_prefix(folder) == Some(program));
        is_program && fit(rest, command.arguments())
    }

    /// The words stand in the command, in their order; options anywhere.
    pub(super) fn occurs_in(&self, command: &Simple) -> bool {
        let Some((program, rest)) = self.words.split_first() else { return false };
        let is_program = command.program() == Some(program.rsplit('/').next().unwrap_or(program))
            && (!program.contains('/') || command.words.first().is_some_and(|word| word.text == *program));
        let mut arguments = command.arguments().iter();
        let (options, plain): (Vec<&String>, Vec<&String>) =
            rest.iter().filter(|word| *word != "*").partition(|word| word.starts_with('-'));
        is_program
            && plain.iter().all(|wanted| arguments.any(|word| letters_fit(wanted, &word.text)))
            && options.iter().all(|wanted| has_option(command, wanted))
    }
}

fn fit(pattern: &[String], words: &[Word]) -> bool {
    match (pattern.split_first(), words.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "*" => {
            (0..=words.len()).any(|n| words.get(n..).is_some_and(|after| fit(rest, after)))
        }
        (None, Some(_)) | (Some(_), None) => false,
        (Some((first, rest)), Some((word, after))) => {
            letters_fit(first, &as_written(word)) && fit(rest, after)
        }
    }
}

/// `~` is the home only where the shell takes it so.
fn as_written(word: &Word) -> String {
    if word.text.starts_with('~') && !word.is_home { format!("'{}'", word.text) } else { word.text.clone() }
}

/// `*` fits any letters.
fn letters_fit(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// An option as it is, with a value behind `=`, or as letters of bundles: `-rf` is in `-fr` and in `-r -f`.
fn has_option(command: &Simple, wanted: &str) -> bool {
    let texts = || command.arguments().iter().map(|word| word.text.as_str());
    let has_letter = |letter: char| texts().any(|text| is_bundle(text) && text.contains(letter));
    texts().any(|text| {
        letters_fit(wanted, text) || text.strip_prefix(wanted).is_some_and(|value| value.starts_with('='))
    }) || is_bundle(wanted) && wanted.chars().skip(1).all(has_letter)
}

fn is_bundle(option: &str) -> bool {
    option
        .strip_prefix('-')
        .is_some_and(|letters| !letters.is_empty() && letters.chars().all(|one| one.is_ascii_alphanumeric()))
}
