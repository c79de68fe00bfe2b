//! Making a text acceptable as a lesson: one imperative line, or a refusal that says why and what to do.
//!
//! What does not live here: where the text comes from (a person's words, by type: `turn::next_state::HumanWords`), and
//! the redaction of secrets in turns. The look for secrets is a last net: shapes only.

use std::collections::BTreeSet;

use super::MAX_CHARS;
use super::words::{Words, content, stem, tokens};

/// Why a text cannot be a lesson.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the lesson is empty; write what to do, such as \"use rg instead of grep\"")]
    Empty,
    #[error(
        "the lesson has {n_chars} characters, the most are {MAX_CHARS}; shorten it or make two lessons of it"
    )]
    TooLong { n_chars: usize },
    #[error("the lesson only repeats the request; say what should be different next time")]
    RepeatsRequest,
    #[error(
        "the lesson seems to hold a secret (\"{shown}…\"); name the place where the secret is kept instead"
    )]
    Secret {
        /// The first characters of what looks like one.
        shown: String,
    },
    #[error("the lesson says to ignore rules or to hide something (\"{phrase}\"); say what to do instead")]
    Disobeys { phrase: String },
    #[error("the lesson holds a control or template token (\"{token}\"); write it in plain words")]
    ControlToken { token: String },
}

/// The text as a lesson: one line, without quotes, lead-ins and final period. `request` is what the turn was asked;
/// empty where there is none.
pub fn acceptable(text: &str, request: &str) -> Result<String, Refusal> {
    if let Some(token) = control_token(text) {
        return Err(Refusal::ControlToken { token });
    }
    let line = imperative(&one_line(text));
    if !line.chars().any(char::is_alphanumeric) || content(&line).is_empty() {
        return Err(Refusal::Empty);
    }
    let n_chars = line.chars().count();
    if n_chars > MAX_CHARS {
        return Err(Refusal::TooLong { n_chars });
    }
    if let Some(secret) = secret(&line) {
        return Err(Refusal::Secret { shown: secret.chars().take(4).collect() });
    }
    if let Some(phrase) = disobeys(&line) {
        return Err(Refusal::Disobeys { phrase });
    }
    if repeats(&line, request) {
        return Err(Refusal::RepeatsRequest);
    }
    Ok(line)
}

/// Two texts that are one lesson: equal but for case, spaces, punctuation and courtesy.
pub(super) fn normalised(text: &str) -> String {
    let courtesy =
        |token: &str| matches!(token, "please" | "always" | "," | ":" | ";" | "!" | "?" | "the" | "a" | "an");
    let words: Vec<String> = tokens(text).into_iter().filter(|token| !courtesy(token)).collect();
    words.join(" ")
}

/// Tokens with which chat templates steer a model, and those of template languages.
const CONTROL: &[&str] = &[
    "<|",
    "|>",
    "<s>",
    "</s>",
    "[inst]",
    "[/inst]",
    "<<sys>>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "<function",
    "<unk>",
    "<pad>",
    "{{",
    "}}",
    "{%",
    "%}",
    "<｜",
    "｜>",
];
/// Words that open a message in prompts without a template.
const SPEAKERS: &[&str] = &["system:", "assistant:", "user:", "human:", "lessons:", "### "];

fn control_token(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if let Some(raw) = text.chars().find(|c| c.is_control() && !c.is_whitespace()) {
        return Some(format!("{}", raw.escape_unicode()));
    }
    if let Some(hidden) = text.chars().find(|c| is_invisible(*c)) {
        return Some(format!("{}", hidden.escape_unicode()));
    }
    let token = CONTROL.iter().find(|token| lower.contains(*token));
    let speaker = || {
        let mut lines = lower.lines().map(str::trim_start);
        lines.find_map(|line| SPEAKERS.iter().find(|speaker| line.starts_with(*speaker)))
    };
    token.or_else(speaker).map(|token| (*token).trim_end().to_owned())
}

/// Characters that are not seen or turn the reading direction: a lesson is what the user sees of it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' | '\u{ad}')
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What people say before the lesson itself; longest first where one begins another.
const LEADS: &[&str] = &[
    "hint:",
    "lesson:",
    "rule:",
    "note:",
    "remember:",
    "important:",
    "btw",
    "by the way,",
    "for the record,",
    "for the record:",
    "as i said,",
    "no,",
    "nope,",
    "wrong,",
    "please remember to",
    "please remember that",
    "remember that",
    "remember to",
    "always remember to",
    "from now on,",
    "from now on",
    "in future,",
    "in the future,",
    "next time,",
    "next time",
    "in general,",
    "i want you to",
    "i would like you to",
    "i'd like you to",
    "i need you to",
    "you should always",
    "you should never",
    "you should",
    "you must always",
    "you must never",
    "you must",
    "you need to",
    "you have to",
    "could you please",
    "could you",
    "can you please",
    "can you",
    "would you please",
    "make sure to",
    "make sure you",
    "be sure to",
    "try to",
    "please",
    "bitte",
    "ab jetzt",
    "in zukunft",
    "-",
    "*",
    "•",
];

/// Without quotes around it, lead-ins and the final period, in the form of an order.
fn imperative(line: &str) -> String {
    let mut rest = unquoted(line);
    while let Some(shorter) = LEADS.iter().find_map(|lead| without_lead(rest, lead)) {
        rest = unquoted(shorter);
    }
    let polarity = polarity(line, rest);
    let bare = rest.trim_end_matches([' ', '.', '!', ',', ';', '…']);
    let bare = bare.strip_suffix(" please").or_else(|| bare.strip_suffix(", please")).unwrap_or(bare);
    let bare = bare.trim_end_matches([' ', ',']);
    // Dots that end a path or a pattern (`..`) belong to it.
    let bare = if rest.trim_end().ends_with("..") && !rest.trim_end().ends_with("...") {
        rest.trim_end()
    } else {
        bare
    };
    format!("{polarity}{}", lower_verb(bare))
}

/// `you should never …`: the lead-in goes, its never stays.
fn polarity(line: &str, rest: &str) -> &'static str {
    let lead = line.get(..line.len().saturating_sub(rest.len())).unwrap_or_default().to_lowercase();
    let says = |word: &str| lead.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
    if says("never") {
        "never "
    } else if says("always") {
        "always "
    } else {
        ""
    }
}

fn unquoted(line: &str) -> &str {
    let trimmed = line.trim();
    [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('`', '`'), ('\'', '\'')]
        .iter()
        .find_map(|(open, close)| {
            let inner = trimmed.strip_prefix(*open)?.strip_suffix(*close)?;
            (!inner.contains([*open, *close])).then_some(inner.trim())
        })
        .unwrap_or(trimmed)
}

fn without_lead<'a>(line: &'a str, lead: &str) -> Option<&'a str> {
    let head = line.get(..lead.len())?;
    let rest = line.get(lead.len()..)?;
    let ends_here = rest.starts_with(' ') || lead.ends_with([':', ',']) && !rest.is_empty();
    (head.eq_ignore_ascii_case(lead) && ends_here && rest.chars().any(char::is_alphanumeric))
        .then(|| rest.trim_start())
}

/// Verbs with which lessons begin. A name keeps its capital.
const VERBS: &[&str] = &[
    "use", "never", "always", "do", "don't", "dont", "prefer", "answer", "reply", "write", "call", "sign",
    "keep", "give", "ask", "make", "add", "avoid", "show", "run", "start", "stop", "put", "format", "limit",
    "replace", "put", "be", "speak", "name", "explain", "take", "no", "only", "when", "if", "in", "for",
    "the", "my", "our", "instead", "not",
];

fn lower_verb(line: &str) -> String {
    let first = line.split(' ').next().unwrap_or_default();
    let lower = first.to_lowercase();
    if VERBS.contains(&lower.as_str()) {
        format!("{lower}{}", line.get(first.len()..).unwrap_or_default())
    } else {
        line.to_owned()
    }
}

/// Beginnings of keys and tokens that services give out.
const KEY_PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "akia",
    "asia",
    "aiza",
    "ya29.",
    "hf_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "shpat_",
    "sg.",
    "eyj",
    "aaaab3",
    "age-secret-key-",
    "-----begin",
];
/// Words behind which a secret stands.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "kennwort",
    "pwd",
    "secret",
    "token",
    "api-key",
    "apikey",
    "api_key",
    "pin",
    "bearer",
    "contraseña",
];

/// The part of the text that looks like a secret.
fn secret(line: &str) -> Option<String> {
    if line.to_lowercase().contains("-----begin") {
        return Some("-----BEGIN".to_owned());
    }
    let pieces =
        || line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '(' | ')'));
    let by_shape = pieces()
        .flat_map(|piece| piece.split(['=', '@', ':']).chain([piece]))
        .find(|piece| looks_random(piece));
    by_shape
        .map(str::to_owned)
        .or_else(|| behind_a_word(&pieces().filter(|piece| !piece.is_empty()).collect::<Vec<_>>()))
}

fn looks_random(piece: &str) -> bool {
    let lower = piece.to_ascii_lowercase();
    let is_key = KEY_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) && piece.len() >= 16;
    let n_of = |is: fn(&u8) -> bool| piece.bytes().filter(is).count();
    let (digits, uppers, lowers) =
        (n_of(u8::is_ascii_digit), n_of(u8::is_ascii_uppercase), n_of(u8::is_ascii_lowercase));
    let is_hex = piece.len() >= 32 && piece.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits >= 4;
    let is_one_word =
        piece.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-'));
    // Paths and names of several words have separators often, random strings rarely.
    let n_separators = n_of(|byte| matches!(byte, b'/' | b'-' | b'_'));
    let is_mixed = digits >= 3 && uppers >= 2 && lowers >= 2 && n_separators * 6 <= piece.len();
    is_key || is_hex || is_one_word && piece.len() >= 20 && is_mixed
}

/// `password: hunter2`, `the token is abc123`: something with a digit or a sign right behind the word.
fn behind_a_word(pieces: &[&str]) -> Option<String> {
    let is_secret_word = |piece: &str| {
        let word = piece.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        SECRET_WORDS.contains(&word.as_str())
    };
    let looks_chosen = |piece: &str| {
        let has = |is: fn(char) -> bool| piece.chars().any(is);
        !piece.contains('/')
            && piece.chars().count() >= 4
            && has(|c| c.is_ascii_digit() || "!@#$%^&*".contains(c))
    };
    pieces.iter().enumerate().find_map(|(at, piece)| {
        if let Some((word, value)) = piece.split_once(['=', ':'])
            && is_secret_word(word)
            && value.chars().count() >= 4
            && !value.contains('/')
        {
            return Some(value.to_owned());
        }
        let says_value = piece.ends_with([':', '=']);
        let mut after = pieces
            .iter()
            .skip(at + 1)
            .skip_while(|next| matches!(**next, "is" | "=" | ":" | "ist" | "for" | "me"));
        let value = after.next().filter(|_| is_secret_word(piece))?;
        (says_value || looks_chosen(value)).then(|| (*value).to_owned()).filter(|value| looks_chosen(value))
    })
}

const IGNORING: &[&str] = &[
    "ignore",
    "disregard",
    "forget",
    "override",
    "bypass",
    "disobey",
    "violate",
    "break",
    "circumvent",
    "disable",
    "ignoriere",
    "ignorier",
    "vergiss",
    "ignore",
    "ignorez",
    "oublie",
    "ignora",
    "olvida",
    "follow",
    "obey",
];
const QUALIFIERS: &[&str] = &[
    "all",
    "any",
    "every",
    "the",
    "your",
    "my",
    "these",
    "those",
    "previous",
    "prior",
    "earlier",
    "above",
    "other",
    "system",
    "safety",
    "security",
    "of",
    "and",
    "alle",
    "deine",
    "vorherigen",
    "bisherigen",
    "toutes",
    "tes",
    "les",
    "précédentes",
    "todas",
    "las",
    "tus",
    "anteriores",
    "content",
    "own",
];
const RULES: &[&str] = &[
    "instruction",
    "instructions",
    "rules",
    "prompt",
    "prompts",
    "guidelines",
    "guardrails",
    "lessons",
    "policies",
    "restrictions",
    "safeguards",
    "anweisungen",
    "regeln",
    "vorgaben",
    "consignes",
    "instrucciones",
    "reglas",
    "confirmations",
];
const SECRETLY: &[&str] =
    &["secretly", "covertly", "stealthily", "heimlich", "jailbreak", "jailbroken", "unnoticed"];
const READERS: &[&str] =
    &["user", "users", "me", "anyone", "anybody", "them", "owner", "admin", "nutzer", "everyone", "people"];

/// The words that tell to disobey or to hide.
fn disobeys(line: &str) -> Option<String> {
    let words = Words::of(line);
    let tokens: Vec<&str> = words.tokens.iter().map(String::as_str).collect();
    let shown = |from: usize, to: usize| tokens.get(from..=to).unwrap_or_default().join(" ");
    if let Some(word) = tokens.iter().find(|token| SECRETLY.contains(token)) {
        return Some((*word).to_owned());
    }
    for (at, token) in tokens.iter().enumerate() {
        let negated = at > 0
            && tokens
                .get(at.saturating_sub(3)..at)
                .is_some_and(|before| before.iter().any(|word| is_no(word)));
        let ignores = IGNORING.contains(token) && (!matches!(*token, "follow" | "obey") || negated);
        if ignores && let Some(n) = rules_behind(tokens.get(at + 1..).unwrap_or_default()) {
            return Some(shown(at, at + 1 + n));
        }
        if let Some(n) = hides(token, negated, tokens.get(at + 1..).unwrap_or_default()) {
            return Some(shown(at, at + 1 + n));
        }
    }
    words.has_phrase("developer mode").then(|| "developer mode".to_owned())
}

fn is_no(word: &str) -> bool {
    matches!(word, "not" | "never" | "dont" | "no" | "without" | "nicht" | "nie")
}

/// Where the word for rules stands behind words that only say which: `ignore case` and `ignore the lint rule` are fine.
fn rules_behind(rest: &[&str]) -> Option<usize> {
    let at = rest.iter().take(6).position(|word| !QUALIFIERS.contains(word))?;
    rest.get(at).filter(|word| RULES.contains(word)).map(|_| at)
}

/// `hide it from the user`, `never tell the user`; not `hide dotfiles` and not `never show me more than 10 lines`.
fn hides(verb: &str, negated: bool, rest: &[&str]) -> Option<usize> {
    let reader = |skipped: usize| {
        let is_reader = |word: &str| READERS.contains(&word);
        rest.iter().skip(skipped).take(8).position(|word| is_reader(word)).map(|at| at + skipped)
    };
    let is_one_of = |verbs: &[&str]| verbs.iter().any(|known| stem(known) == stem(verb));
    if is_one_of(&["hide", "conceal", "withhold"]) {
        let from = rest.iter().position(|word| *word == "from")?;
        return reader(from + 1);
    }
    // "don't tell me to read the manual" is about manners, not about hiding.
    let tells = is_one_of(&["tell"]);
    let speaks = tells || is_one_of(&["inform", "notify", "warn", "mention", "reveal", "disclose"]);
    reader(0).filter(|at| negated && speaks && !(tells && rest.get(*at) == Some(&"me")))
}

/// Whether the lesson says nothing that the request did not say.
fn repeats(line: &str, request: &str) -> bool {
    let (said, asked): (BTreeSet<String>, BTreeSet<String>) =
        (content(line).into_iter().collect(), content(request).into_iter().collect());
    if asked.is_empty() {
        return false;
    }
    normalised(line) == normalised(request) || said.is_subset(&asked) && said.len() * 5 >= asked.len() * 4
}

#[cfg(test)]
mod tests;
