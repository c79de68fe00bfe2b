//! What a lesson claims, read from its wording: one tool for another, an option, a value for a slot, a do or a don't.
//!
//! What lives here: the reading. What follows from two claims is `contradiction`'s, where one holds `scope`'s and
//! `relevance`'s business. The wordings are those that people and the hint's model use; what fits none of them is
//! read as a do or a don't with its words. Only `lesson` uses this.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::programs;
use super::words::{Words, is_stop, stem};

mod slots;

/// How the slot of a fact begins, which is named by the words that the fact is about.
pub(super) const FACT: &str = "fact ";

/// What a lesson claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// Where `old` would be used, `new` is.
    Swap { old: String, new: String },
    /// A program is always, or never, called with an option. `sudo` and its like count as options.
    Switch { program: String, option: String, wanted: bool },
    /// Something that has one value at a time: the language, the editor, the host of staging.
    Value { slot: String, value: BTreeSet<String> },
    /// Anything else: do, or don't, what these words say.
    Rule { wanted: bool, words: BTreeSet<String> },
}

impl Claim {
    /// Whether it is about the manner of every answer: its language, tone and length, how the user is called, how
    /// commands are written.
    pub(super) fn is_manner(&self) -> bool {
        match self {
            Self::Value { slot, .. } => {
                matches!(slot.as_str(), "language" | "tone" | "length" | "name" | "options")
            }
            Self::Rule { wanted, words } => {
                words.contains("sudo") && (!wanted || words.len() == 1 || words.contains("ask"))
            }
            Self::Swap { .. } | Self::Switch { .. } => false,
        }
    }
}

/// Reads a lesson. `program` is one that is known to be meant, though the table may not have it.
pub(super) fn claim(words: &Words, program: Option<&str>) -> Claim {
    let is_program = |word: &str| programs::is_known(word) || Some(word) == program;
    slots::closed(words)
        .or_else(|| swap(words, &is_program))
        .or_else(|| slots::named_by_word(words))
        .or_else(|| switch(words, &is_program))
        .or_else(|| slots::open(words))
        .unwrap_or_else(|| rule(words))
}

/// Wordings of a swap, in any place of the text and without punctuation. `O` stands for the old, `N` for the new.
const SWAPS: &[&str] = &[
    "plain N again not O",
    "use N instead of O",
    "N instead of O",
    "N in place of O",
    "N rather than O",
    "instead of O use N",
    "instead of O run N",
    "instead of O take N",
    "instead of O try N",
    "prefer N to O",
    "N over O",
    "never use O use N",
    "never use O always use N",
    "never use O always N",
    "never run O run N",
    "never O always N",
    "dont use O use N",
    "do not use O use N",
    "do not use O but N",
    "do not run O run N",
    "dont run O run N",
    "use N never O",
    "use N again not O",
    "use N not O",
    "not O but N",
    "statt O lieber N",
    "N statt O",
    "statt O bitte immer N",
    "statt O N",
    "N anstelle von O",
    "N au lieu de O",
    "au lieu de O utilise N",
    "pas O mais N",
    "N en vez de O",
    "N en lugar de O",
    "nie O sondern N",
    "nicht O sondern N",
];

/// The same, but so short that they mean a swap only where one of the two is a program.
const SWAPS_OF_PROGRAMS: &[&str] = &[
    "replace O with N",
    "replace O by N",
    "swap O for N",
    "substitute N for O",
    "switched from O to N",
    "went back from N to O",
    "N replaces O",
    "N not O",
    "N never O",
    "N > O",
    "O -> N",
    "O => N",
    "O means N",
    "O is called N",
    "O goes by the name N",
    "use N for O",
    "take N for O",
    "N is our O",
    "N is my O",
    "no O use N",
    "no O here we have N",
    "no O N",
    "no O here only N",
    "have N not have O",
    "have N i do not have O",
    "O is not installed use N",
    "O is not installed here use N",
    "O is not allowed here use N",
    "O is not available here use N",
    "O is not installed here N is",
    "O is not available use N",
    "O does not exist here use N",
    "O is deprecated use N",
    "O is deprecated take N",
    "O is forbidden use N",
    "O is banned use N",
    "O is broken use N",
    "O is broken on this box N works",
    "O is too slow use N",
    "O is too dangerous N",
    "O was removed use N",
    "O was removed use plain N",
    "N please O is banned",
    "back to N O is gone",
    "N is back O is gone",
    "forget O N it is",
    "forget O plain N",
    "stop using O use N",
    "stop using O N exists",
    "wherever O would do write N",
    "whenever you need O call N",
    "when a command needs O use N",
    "N where you would use O",
    "N where others write O",
    "treat N as the O",
    "N when O comes to mind",
    "N does the same",
    "N is our drop-in for O",
    "N is a drop-in for O",
    "O any more everybody uses N",
    "this machine N does what O does",
    "write N where O would stand",
    "dont use O N is better",
    "O is useless N",
    "N is a drop-in replacement for O",
    "wrapper around O is N",
    "O must not be used the allowed tool is N",
    "as for O we have N",
    "the tool N in place of O",
    "uninstalled O in favour of N",
    "use N for deleting",
];

fn swap(words: &Words, is_program: &dyn Fn(&str) -> bool) -> Option<Claim> {
    let tokens: Vec<&str> =
        words.tokens.iter().map(String::as_str).filter(|token| !is_punctuation(token)).collect();
    let plain = SWAPS.iter().filter_map(|pattern| matched(pattern, &tokens)).find(|(old, _)| is_name(old));
    let of_programs = || {
        let all = SWAPS_OF_PROGRAMS.iter().filter_map(|pattern| matched(pattern, &tokens));
        all.into_iter().find(|(old, new)| {
            is_name(old) && is_name(new) && !new.contains(' ') && (is_program(old) || is_program(new))
        })
    };
    let (old, new) = plain.or_else(of_programs)?;
    (old != new).then_some(Claim::Swap { old, new })
}

fn is_punctuation(token: &str) -> bool {
    matches!(token, "," | ":" | ";" | "!" | "?")
}

fn is_name(word: &str) -> bool {
    word.starts_with(char::is_alphabetic)
}

/// The old and the new word where the pattern stands in the text. The new one may be of up to three words where a word
/// of the pattern stands on either side of it (`use uv pip instead of pip`).
fn matched(pattern: &str, tokens: &[&str]) -> Option<(String, String)> {
    let parts: Vec<&str> = pattern.split(' ').collect();
    (0..tokens.len()).find_map(|start| {
        let found = from(&parts, tokens.get(start..)?, false)?;
        Some((found.0?, found.1?))
    })
}

type Found = (Option<String>, Option<String>);

fn from(parts: &[&str], tokens: &[&str], inside: bool) -> Option<Found> {
    let Some((part, parts)) = parts.split_first() else { return Some((None, None)) };
    if !matches!(*part, "O" | "N") {
        let (token, tokens) = tokens.split_first()?;
        return if token == part { from(parts, tokens, true) } else { None };
    }
    let longest = if inside && !parts.is_empty() { 3 } else { 1 };
    (1..=longest.min(tokens.len())).find_map(|n| {
        let (name, rest) = tokens.split_at_checked(n)?;
        if name.iter().any(|word| is_stop(word)) {
            return None;
        }
        let (old, new) = from(parts, rest, true)?;
        let name = Some(name.join(" "));
        Some(if *part == "O" { (name, new) } else { (old, name) })
    })
}

const NEGATIONS: &[&str] = &[
    "never",
    "no",
    "not",
    "dont",
    "without",
    "avoid",
    "stop",
    "skip",
    "drop",
    "nie",
    "niemals",
    "kein",
    "keine",
    "ohne",
    "jamais",
    "pas",
    "sans",
    "sin",
    "nunca",
    "nicht",
    "forbidden",
    "banned",
];

/// Whether the words say do rather than don't: two negations (`never … without`) cancel out.
fn is_wanted(words: &Words) -> bool {
    words.tokens.iter().filter(|token| NEGATIONS.contains(&token.as_str())).count() % 2 == 0
}

/// An option beside the one program that the text names.
fn switch(words: &Words, is_program: &dyn Fn(&str) -> bool) -> Option<Claim> {
    let is_root = |token: &str| matches!(token, "sudo" | "doas" | "run0");
    let is_option = |token: &str| token.starts_with('-') && token.len() > 1 && token != "->";
    let tokens: Vec<&str> = words.tokens.iter().map(String::as_str).collect();
    let find = |is: &dyn Fn(&str) -> bool| tokens.iter().copied().find(|token| is(token));
    let option = find(&is_option).or_else(|| find(&is_root))?;
    let named: BTreeSet<&str> = tokens
        .iter()
        .copied()
        .filter(|token| is_program(token) && !is_root(token) && *token != option)
        .collect();
    let sure: BTreeSet<&str> =
        named.iter().copied().filter(|name| !programs::is_everyday_word(name)).collect();
    let named = if sure.is_empty() { named } else { sure };
    let program = *named.first().filter(|_| named.len() == 1)?;
    // `to rotate the keys use rsync -av a b` is a recipe for keys, not a habit of rsync.
    let is_call = tokens.windows(2).any(|pair| pair == [program, option]);
    let n_others =
        tokens.iter().filter(|token| !is_stop(token) && **token != program && **token != option).count();
    (!is_call || n_others < 2).then(|| Claim::Switch {
        program: program.to_owned(),
        option: option.to_owned(),
        wanted: is_wanted(words),
    })
}

fn rule(words: &Words) -> Claim {
    let said = words.tokens.iter().filter(|token| !is_stop(token) && !NEGATIONS.contains(&token.as_str()));
    let words_said = said.map(|token| stem(token)).filter(|stem| !is_stop(stem)).collect();
    Claim::Rule { wanted: is_wanted(words), words: words_said }
}

/// Words that begin a sentence about one place only: its name follows. `P` stands for it.
const PLACES: &[&str] = &[
    "in project P",
    "in the project P",
    "in the P project",
    "in the P repo",
    "in the P repository",
    "in P",
    "inside P",
    "inside the P repo",
    "inside the P project",
    "inside project P",
    "inside the container P",
    "only in P",
    "only in the P",
    "for project P",
    "the P project uses",
    "project P",
    "P uses",
    "when working on P",
    "on the machine P",
    "on the server P",
    "only on the machine P",
    "on host P",
    "for user P",
    "im projekt P",
    "dans le projet P",
    "en el proyecto P",
    "in the P cluster",
];
/// What is no place, though `in` stands before it.
const NO_PLACES: &str = "answer answers reply replies response responses command commands general short future full detail \
    details doubt list lists output outputs text texts project projects repo repos repository folder directory session \
    english german french spanish deutsch italian dutch polish portuguese english addition case cases one two three \
    line lines metric bullet bullets markdown json table tables front order sentence sentences words uppercase \
    lowercase snake_case kebab-case camelcase plain";

/// The one place that a lesson is about (a project, a machine), if it says so at its beginning.
pub(super) fn place(words: &Words) -> Option<&str> {
    static NO: LazyLock<BTreeSet<&str>> = LazyLock::new(|| NO_PLACES.split_whitespace().collect());
    let is_place = |word: &str| !is_stop(word) && !NO.contains(word) && !programs::is_known(word);
    let begun =
        PLACES.iter().find_map(|pattern| begins(pattern, &words.tokens).filter(|word| is_place(word)));
    // `shop: rg instead of grep`: only a swap behind the colon makes it a place and no word that is explained.
    let headed = || match words.tokens.as_slice() {
        [head, colon, rest @ ..] if colon == ":" && is_place(head) => {
            let rest: Vec<&str> =
                rest.iter().map(String::as_str).filter(|token| !is_punctuation(token)).collect();
            ["N instead of O", "N not O", "use N for O"]
                .iter()
                .any(|pattern| matched(pattern, &rest).is_some())
                .then_some(head.as_str())
        }
        _ => None,
    };
    begun.or_else(headed)
}

fn begins<'a>(pattern: &str, tokens: &'a [String]) -> Option<&'a str> {
    let mut place = None;
    let mut tokens = tokens.iter();
    for part in pattern.split(' ') {
        let token = tokens.next()?;
        match part {
            "P" => place = Some(token.as_str()),
            _ if token != part => return None,
            _ => {}
        }
    }
    place
}

#[cfg(test)]
mod tests;
