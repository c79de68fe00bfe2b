//! Which letters call which rule: one automaton over all of them finds in one pass the few places of a text at which a
//! rule has to look. Built at the first text of a redactor.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};

use super::known::Secrets;
use super::rules::rules;
use super::view::{PLACEHOLDERS, View, is_word};
use super::{Rule, assigned, flags, names, tokens};

/// No call is longer: of a longer known value the first bytes call.
pub(super) const LONGEST_CALL: usize = 64;
const KNOWN_CALL: usize = 32;
/// The rank of what is judged without its surroundings.
const KNOWN: u8 = 1;
const MOST_KNOWN: usize = 1000;

pub(super) struct Matcher {
    automaton: AhoCorasick,
    calls: Vec<Call>,
}

/// What stands behind a pattern of the automaton.
#[derive(Debug, Clone)]
enum Call {
    Token { rule: usize, start: &'static str },
    Name,
    Url,
    Cookie,
    Headline,
    Command { flags: u64 },
    Flag { rule: usize, flag: &'static str },
    Value(String),
    Private { number: usize, name: String },
}

/// What a call came to.
pub(super) enum Answer {
    Nothing,
    /// A secret at a place in the line. Where two begin at one place, the lower rank gives the name.
    Secret {
        range: Range<usize>,
        rule: Rule,
        rank: u8,
    },
    /// These flags are secrets from here to the end of the line.
    Command(u64),
    /// Lines of a private key follow.
    Key,
    /// No other call up to this place names anything new.
    Named(usize),
}

impl Matcher {
    #[expect(
        clippy::expect_used,
        reason = "letting secrets through would be worse; known values are limited in number"
    )]
    pub(super) fn new(secrets: &Secrets) -> Self {
        let mut patterns: Vec<(Vec<u8>, Call)> = token_calls();
        patterns.extend(name_calls());
        patterns.extend(flag_calls());
        patterns.extend([
            (b"://".to_vec(), Call::Url),
            (b"cookie:".to_vec(), Call::Cookie),
            (b"-----begin ".to_vec(), Call::Headline),
        ]);
        patterns.extend(
            secrets.values.iter().take(MOST_KNOWN).map(|value| (call_of(value), Call::Value(value.clone()))),
        );
        for (number, name) in secrets.names().take(MOST_KNOWN) {
            for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                patterns.push((call_of(&name), Call::Private { number, name }));
            }
        }
        let (texts, calls): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA));
        Self { automaton: builder.build(texts).expect("a few thousand short patterns fit"), calls }
    }

    /// Where calls stand in a part of a line, by their ends.
    pub(super) fn calls<'a>(
        &'a self,
        line: &'a [u8],
        part: Range<usize>,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
        let found = self.automaton.try_find_overlapping_iter(Input::new(line).range(part)).ok();
        found.into_iter().flatten().map(|found| (found.pattern().as_usize(), found.range()))
    }

    /// Whether the call is part of a name: one look at a name is enough.
    pub(super) fn is_name(&self, call: usize) -> bool {
        matches!(self.calls.get(call), Some(Call::Name))
    }

    /// Lets the rule behind a call look at the line. `active`: the flags that are secrets here.
    pub(super) fn answer(&self, call: usize, line: &[u8], hit: &Range<usize>, active: u64) -> Answer {
        let (view, from) = View::of(line, hit);
        let secret = |found: Option<Range<usize>>, name: &'static str, rank: u8| match found {
            Some(range) if !range.is_empty() && (rank == KNOWN || !touches_placeholder(&view, &range)) => {
                Answer::Secret { range: range.start + from..range.end + from, rule: Rule::Secret(name), rank }
            }
            _ => Answer::Nothing,
        };
        match self.calls.get(call) {
            Some(Call::Token { rule, start }) => rules()
                .tokens
                .get(*rule)
                .map_or(Answer::Nothing, |rule| secret(tokens::token(&view, rule, start), &rule.rule, 0)),
            Some(Call::Name) => match assigned::assigned(&view) {
                (_, Some((range, names::Kind::Password))) => secret(Some(range), "password", 3),
                (_, Some((range, _))) => secret(Some(range), "token", 3),
                (end, None) => Answer::Named(end + from),
            },
            Some(Call::Url) => secret(tokens::url_password(&view), "password", 2),
            Some(Call::Cookie) => secret(tokens::cookies(&view), "cookie", 2),
            Some(Call::Headline) if tokens::opens_key(&view) => Answer::Key,
            Some(Call::Headline) => secret(tokens::key_body(&view), "private-key", KNOWN),
            Some(Call::Command { flags }) if flags::is_command(&view) => Answer::Command(*flags),
            Some(Call::Flag { rule, flag }) if active & (1 << rule) != 0 => {
                let form = rules().flags.get(*rule).map(|rule| rule.form);
                secret(form.and_then(|form| flags::argument(&view, flag, form)), "password", 2)
            }
            Some(Call::Value(value)) => secret(exactly(&view, value), "env", KNOWN),
            Some(Call::Private { number, name }) => match private(&view, name) {
                Some(range) if !touches_placeholder(&view, &range) => Answer::Secret {
                    range: range.start + from..range.end + from,
                    rule: Rule::Private(*number),
                    rank: 4,
                },
                _ => Answer::Nothing,
            },
            _ => Answer::Nothing,
        }
    }
}

fn token_calls() -> Vec<(Vec<u8>, Call)> {
    let call = |(rule, start): (usize, &'static String)| (call_of(start), Call::Token { rule, start });
    let tokens = rules().tokens.iter().enumerate();
    tokens.flat_map(|(rule, token)| token.starts.iter().map(move |start| (rule, start))).map(call).collect()
}

/// The words of names. One that holds another one needs no call of its own.
fn name_calls() -> Vec<(Vec<u8>, Call)> {
    let names = &rules().names;
    let words: Vec<&str> =
        names.passwords.iter().chain(&names.tokens).map(String::as_str).chain(["key"]).collect();
    let is_needed = |word: &&&str| !words.iter().any(|other| other != *word && word.contains(other));
    words.iter().filter(is_needed).map(|word| (call_of(word), Call::Name)).collect()
}

fn flag_calls() -> Vec<(Vec<u8>, Call)> {
    let mut commands: BTreeMap<&str, u64> = BTreeMap::new();
    let mut calls = Vec::new();
    for (rule, flag) in rules().flags.iter().enumerate() {
        for command in &flag.commands {
            *commands.entry(command).or_default() |= 1 << rule;
        }
        calls.extend(flag.flags.iter().map(|flag| (call_of(flag), Call::Flag { rule, flag })));
    }
    calls.extend(commands.into_iter().map(|(command, flags)| (call_of(command), Call::Command { flags })));
    calls
}

fn call_of(text: &str) -> Vec<u8> {
    text.bytes().take(KNOWN_CALL).collect()
}

/// Whether a placeholder stands right before or behind: then this is the rest of something that was judged as a whole.
fn touches_placeholder(view: &View<'_>, range: &Range<usize>) -> bool {
    let is_behind = PLACEHOLDERS.iter().any(|mark| view.rest(range.end).starts_with(mark));
    is_behind || view.follows_placeholder(range.start)
}

fn exactly(view: &View<'_>, value: &str) -> Option<Range<usize>> {
    view.rest(view.at).starts_with(value.as_bytes()).then(|| view.at..view.at + value.len())
}

/// A name as a word of its own, in capital or small letters.
fn private(view: &View<'_>, name: &str) -> Option<Range<usize>> {
    let range = view.at..view.at + name.len();
    let is_here = view.text.get(range.clone())?.eq_ignore_ascii_case(name.as_bytes());
    let joins = |inside: Option<&u8>, outside: Option<u8>| {
        inside.is_some_and(|byte| is_word(*byte)) && outside.is_some_and(is_word)
    };
    let bytes = name.as_bytes();
    let is_whole =
        !joins(bytes.first(), view.before(range.start)) && !joins(bytes.last(), view.byte(range.end));
    (is_here && is_whole).then_some(range)
}
