//! The table of rules, `assets/redact/rules.toml`: read once, at the first text; an expression is compiled when a text
//! first holds the letters that it begins with.

use std::collections::HashSet;
use std::sync::{LazyLock, OnceLock};

use regex::bytes::Regex;
use serde::Deserialize;

static RULES: LazyLock<Rules> = LazyLock::new(read);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    #[serde(rename = "token")]
    pub(super) tokens: Vec<TokenRule>,
    #[serde(rename = "flag")]
    pub(super) flags: Vec<FlagRule>,
    pub(super) names: Names,
}

/// A format that says by itself what it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRule {
    pub(super) rule: String,
    pub(super) starts: Vec<String>,
    then: String,
    #[serde(default)]
    pub(super) anywhere: bool,
    #[serde(default)]
    pub(super) leftwards: bool,
    #[serde(default)]
    pub(super) mixed: bool,
    #[serde(default)]
    pub(super) entropy: f64,
    #[serde(skip)]
    compiled: OnceLock<Regex>,
}

/// An argument of certain commands that is a secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlagRule {
    pub(super) commands: Vec<String>,
    pub(super) flags: Vec<String>,
    pub(super) form: Form,
}

/// Where the secret stands, seen from its flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    Next,
    Attached,
    Any,
    Pair,
    Cookie,
    Openssl,
}

/// The words of which names of secrets, and what stands in their place, are made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) passwords: HashSet<String>,
    pub(super) tokens: HashSet<String>,
    pub(super) keys: HashSet<String>,
    pub(super) services: HashSet<String>,
    pub(super) public: HashSet<String>,
    pub(super) harmless: HashSet<String>,
    pub(super) questions: HashSet<String>,
    pub(super) tails: HashSet<String>,
    pub(super) placeholders: HashSet<String>,
}

pub(super) fn rules() -> &'static Rules {
    &RULES
}

impl TokenRule {
    /// What follows the start. Anchored there; on bytes, because what a terminal shows need not be UTF-8.
    #[expect(clippy::expect_used, reason = "the table is part of the program, and a test compiles all of it")]
    pub(super) fn then(&self) -> &Regex {
        self.compiled
            .get_or_init(|| Regex::new(&format!("(?-u)^(?:{})", self.then)).expect("a rule compiles"))
    }
}

/// A redactor without its rules would let every secret through: better none at all.
#[expect(clippy::expect_used, reason = "the table is part of the program, and a test reads it")]
fn read() -> Rules {
    toml::from_str(include_str!("../../assets/redact/rules.toml")).expect("the table of rules is TOML")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_begins_with_something() {
        for rule in &rules().tokens {
            assert!(rule.then().as_str().starts_with("(?-u)^"), "{}", rule.rule);
            assert!(rule.starts.iter().all(|start| start.len() >= 2), "{}", rule.rule);
        }
    }

    #[test]
    fn what_stands_in_the_text_is_plain_and_small() {
        for rule in &rules().tokens {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(rule.rule.chars().all(plain), "{}", rule.rule);
        }
    }

    #[test]
    fn words_are_compared_in_small_letters() {
        let names = &rules().names;
        let lists = [&names.passwords, &names.tokens, &names.keys, &names.public, &names.placeholders];
        for word in lists.into_iter().flatten() {
            assert_eq!(*word, word.to_lowercase());
        }
    }
}
