//! What an answer can be asked to be, as data of the tables: a closed set of checks that a program can decide.

use regex::Regex;
use serde::Deserialize;

use super::shell_words::{Word, words};

/// A property of an answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Check {
    All(Vec<Check>),
    Any(Vec<Check>),
    /// The text stands in it as a whole word (letters, digits and `_` around it would make it another).
    HasWord(String),
    LacksWord(String),
    /// Runs this program, anywhere in the command.
    Uses(String),
    /// Runs it nowhere.
    Avoids(String),
    /// The first program of the command is this one.
    BeginsWithProgram(String),
    /// Each run of the program has the option, and there is one.
    HasFlag {
        program: String,
        short: char,
        long: String,
    },
    Matches(Pattern),
    LacksMatch(Pattern),
    /// A line break ends a sentence too. An empty answer has none and fails.
    MaxSentences(usize),
    StartsWith(String),
    /// After the white space at the end.
    EndsWith(String),
}

/// A regular expression that has been compiled.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Regex::new(&text).map(Self)
    }
}

impl Check {
    pub(super) fn holds(&self, answer: &str) -> bool {
        match self {
            Self::All(checks) => checks.iter().all(|check| check.holds(answer)),
            Self::Any(checks) => checks.iter().any(|check| check.holds(answer)),
            Self::HasWord(word) => has_word(answer, word),
            Self::LacksWord(word) => !has_word(answer, word),
            Self::Uses(program) => programs(answer).any(|found| found == *program),
            Self::Avoids(program) => programs(answer).all(|found| found != *program),
            Self::BeginsWithProgram(program) => {
                programs(answer).next().is_some_and(|found| found == *program)
            }
            Self::HasFlag { program, short, long } => has_flag(&words(answer), program, *short, long),
            Self::Matches(pattern) => pattern.0.is_match(answer),
            Self::LacksMatch(pattern) => !pattern.0.is_match(answer),
            Self::MaxSentences(most) => (1..=*most).contains(&n_sentences(answer)),
            Self::StartsWith(text) => answer.trim_start().starts_with(text),
            Self::EndsWith(text) => answer.trim_end().ends_with(text),
        }
    }
}

fn programs(answer: &str) -> impl Iterator<Item = String> {
    words(answer).into_iter().filter(|word| word.is_program).map(|word| word.text)
}

/// Whether `text` contains `word` and not just inside a longer word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, found)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

fn has_flag(words: &[Word], program: &str, short: char, long: &str) -> bool {
    let mut runs = Vec::new();
    let mut is_inside = false;
    for word in words {
        if word.is_program {
            is_inside = word.text == program;
            if is_inside {
                runs.push(false);
            }
        } else if is_inside && let Some(is_given) = runs.last_mut() {
            *is_given |= is_flag(&word.text, short, long);
        }
    }
    !runs.is_empty() && runs.iter().all(|is_given| *is_given)
}

/// `-v`, `-lv` or `--verbose`, also `--verbose=…`.
fn is_flag(argument: &str, short: char, long: &str) -> bool {
    if let Some(name) = argument.strip_prefix("--") {
        return name.split('=').next() == Some(long);
    }
    argument.strip_prefix('-').is_some_and(|letters| letters.contains(short))
}

fn n_sentences(text: &str) -> usize {
    let mut count = 0;
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let ends = words.iter().filter(|word| word.ends_with(['.', '!', '?'])).count();
        let is_open = words.last().is_some_and(|word| !word.ends_with(['.', '!', '?']));
        count += ends + usize::from(is_open);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(table: &str, answer: &str, expected: bool) {
        #[derive(Deserialize)]
        struct One {
            check: Check,
        }
        let one: One = toml::from_str(&format!("check = {table}")).unwrap();
        assert_eq!(one.check.holds(answer), expected, "{table} of {answer}");
    }

    #[test]
    fn words_are_whole() {
        check("{ has_word = 'rg' }", "rg x", true);
        check("{ has_word = 'rg' }", "merge x", false);
        check("{ lacks_word = 'main' }", "git push origin maintenance", true);
        check("{ lacks_word = 'staging' }", "scp a staging:", false);
    }

    #[test]
    fn programs_are_not_arguments() {
        check("{ uses = 'rg' }", "ls | rg x", true);
        check("{ uses = 'rg' }", "apt install rg", false);
        check("{ avoids = 'grep' }", "which grep", true);
        check("{ begins_with_program = 'doas' }", "doas reboot", true);
        check("{ begins_with_program = 'doas' }", "echo doas", false);
        check("{ begins_with_program = 'doas' }", "", false);
    }

    const VERBOSE: &str = "{ has_flag = { program = 'mv', short = 'v', long = 'verbose' } }";

    #[test]
    fn options_may_be_short_joined_or_long() {
        check(VERBOSE, "mv -v a b", true);
        check(VERBOSE, "mv -iv a b", true);
        check(VERBOSE, "mv --verbose a b", true);
        check(VERBOSE, "mv a b", false);
    }

    #[test]
    fn an_option_of_another_program_does_not_count() {
        check(VERBOSE, "mv a b && cp -v c d", false);
        check(VERBOSE, "cp -v c d", false);
        check(VERBOSE, "mv -v a b; mv c d", false);
        check(VERBOSE, "mv --no-verbose a b", false);
    }

    #[test]
    fn patterns_match_anywhere() {
        check(r"{ matches = '\b15:00\b' }", "Call at 15:00.", true);
        check(r"{ lacks_match = '(?i)[0-9]\s*pm' }", "Call at 3 PM.", false);
    }

    #[test]
    fn a_bad_pattern_is_refused() {
        assert!(toml::from_str::<Pattern>("x = '('").is_err());
    }

    #[test]
    fn sentences_end_with_a_mark_or_a_line() {
        check("{ max_sentences = 1 }", "The call is at 9:15 in a.txt.", true);
        check("{ max_sentences = 1 }", "One. Two.", false);
        check("{ max_sentences = 1 }", "Hi Anna,\nOne.", false);
        check("{ max_sentences = 2 }", "One!\n\nTwo", true);
        check("{ max_sentences = 1 }", "  ", false);
    }

    #[test]
    fn ends_are_looked_at_without_white_space() {
        check("{ starts_with = 'Dear ' }", "\nDear Anna", true);
        check("{ ends_with = 'Mira' }", "Regards\nMira\n", true);
        check("{ ends_with = 'Mira' }", "Mira says hi", false);
    }

    #[test]
    fn checks_combine() {
        check("{ all = [{ uses = 'rg' }, { avoids = 'grep' }] }", "rg x | grep y", false);
        check("{ any = [{ uses = 'rg' }, { uses = 'ag' }] }", "ag x", true);
    }
}
