//! A command line as the programs that it runs: their words, redirections and joins, with quotes resolved as far as
//! they are static. Pure. What is known only when the line runs is said to be unknown, never guessed.
//!
//! The grammar is that of POSIX shells with bash's and zsh's additions, read generously: fish's `and`, `or` and `(…)`
//! are understood too, and what no shell would accept is still read as far as possible. Wrappers are looked through:
//! `sudo rm x` is two commands, `sudo` and what it runs.

mod read;
#[cfg(test)]
mod tests;
mod through;
mod word;

use std::ops::Range;

pub(crate) use through::SHELLS;

/// A command line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Every program that the line may run, in the order in which they stand, those inside others after these.
    pub commands: Vec<Simple>,
    /// What cannot be known before the line runs.
    pub unknown: Vec<Unknown>,
}

/// One program with its words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simple {
    pub joined: Joined,
    /// `NAME=value` before the program.
    pub assignments: Vec<Word>,
    /// The program and what follows it. Empty: only assignments or redirections.
    pub words: Vec<Word>,
    pub redirects: Vec<Redirect>,
    /// Where it stands in the line. Inside a quoted script: where the script stands.
    pub span: Range<usize>,
    /// The programs that run it, outermost first: `sudo`, `xargs`, `bash`.
    pub through: Vec<String>,
    /// It stands in `(…)`, `$(…)` or backticks.
    pub is_nested: bool,
    /// It runs on another machine, in a container or under another root: its paths are not the ones here.
    pub is_elsewhere: bool,
    /// More words follow that are known only when it runs (`xargs`).
    pub has_more_words: bool,
}

/// How a command hangs on the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Joined {
    #[default]
    First,
    /// `|`
    Pipe,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;`, a new line, or `&` after the one before.
    Then,
}

/// A word as the program gets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// Without quotes. Where it is not known, what stands in the line.
    pub text: String,
    pub span: Range<usize>,
    /// Nothing in it depends on variables or on what other programs print.
    pub is_known: bool,
    /// It is a pattern of file names.
    pub is_pattern: bool,
    /// It begins with the home directory, which its text has as `~`.
    pub is_home: bool,
}

/// Where a command reads from or writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub kind: RedirectKind,
    /// The file; of a here-document its text, of a duplicate the number.
    pub target: Word,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// `<`
    Read,
    /// `>`, `>|`, `&>`: what was in the file is lost.
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<<`, `<<<`: text that stands in the line.
    Text,
    /// `2>&1`
    Duplicate,
}

/// Something that cannot be known before the line runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub why: Why,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("a quote or bracket is not closed")]
    Unclosed,
    #[error("which program runs is known only when it runs")]
    Program,
    #[error("it runs a script that is not in the line")]
    Script,
    #[error("it is nested too deeply to be read")]
    TooDeep,
    #[error("its braces make too many words to look at")]
    TooManyWords,
    /// A quoted text that ends with a backslash: to fish the quote goes on.
    #[error("shells read its quotes in different ways")]
    Ambiguous,
}

/// Takes a command line apart. Never fails: what it cannot read is in [`Line::unknown`].
pub fn parse(line: &str) -> Line {
    let mut found = read::read(line, None, 0);
    through::look_through(&mut found, 0);
    found
}

impl Simple {
    /// The program's name without its folder; `None`: none is named, or it is not known.
    pub fn program(&self) -> Option<&str> {
        let word = self.words.first().filter(|word| word.is_known)?;
        // `=rm` is zsh's way to name the file of a program.
        let name = word.text.rsplit('/').next().unwrap_or(&word.text);
        Some(name.strip_prefix('=').unwrap_or(name))
    }

    /// What follows the program.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Whether one of these words stands after the program as it is.
    pub fn has(&self, any: &[&str]) -> bool {
        self.arguments().iter().any(|word| any.contains(&word.text.as_str()))
    }

    /// Whether a switch is given: as one of the letters in a bundle (`-rf`), or as a long option (with or without value).
    pub fn has_flag(&self, letters: &str, long: &[&str]) -> bool {
        self.arguments().iter().take_while(|word| word.text != "--").any(|word| {
            match word.text.strip_prefix("--") {
                Some(name) => long.contains(&name.split('=').next().unwrap_or(name)),
                None => word.text.strip_prefix('-').is_some_and(|bundle| {
                    let is_bundle = bundle.chars().all(|letter| letter.is_ascii_alphanumeric());
                    is_bundle && bundle.chars().any(|letter| letters.contains(letter))
                }),
            }
        })
    }

    /// The words after the program that are no options.
    pub fn operands(&self) -> impl Iterator<Item = &Word> {
        let mut only_operands = false;
        self.arguments().iter().filter(move |word| {
            if !only_operands && word.text == "--" {
                only_operands = true;
                return false;
            }
            only_operands || !word.text.starts_with('-') || word.text == "-"
        })
    }

    /// The text of a here-document or here-string, if it is known.
    pub fn given_text(&self) -> Option<&Word> {
        self.redirects
            .iter()
            .rfind(|redirect| redirect.kind == RedirectKind::Text)
            .map(|redirect| &redirect.target)
    }
}
