//! Plain directives in a person's message: `no, use rg`, `always add -v`, `auf Deutsch bitte`. Pure.
//!
//! Each part of a sentence between pauses is held against [`ROWS`]; the longest part that is one of them
//! as a whole is taken, so that words around a directive are never read into it.

use super::phrases;
use super::rows::{ROWS, Row, Say};
use super::words::{self, Sentence, Slots, Word};
use super::{Hint, MAX_CHARS, command, grounds};
use crate::judge::Case;

/// More pauses than this make no plain sentence.
const MAX_PARTS: usize = 10;

/// The first directive of a message, as a hint.
pub(super) fn hint(case: &Case<'_>, text: &str) -> Option<Hint> {
    let own = grounds::own_words(text);
    let for_good = phrases::is_for_good(&own);
    let read = words::sentences(&own);
    let found = read.iter().find_map(|sentence| of_sentence(sentence, case))?;
    Some(Hint { lasting: found.lasting || for_good, ..found })
}

/// Whether `use NEW instead of OLD` is for more than this answer: a value that stands in it is not.
pub(super) fn swap_lasts(new: &str, old: &str, case: &Case<'_>) -> bool {
    let line = command::line(case.answer);
    if line.is_some_and(|line| command::utilities(line).contains(&first_word(old))) || command::is_flag(old) {
        return true;
    }
    let has_digit = |text: &str| text.chars().any(|c| c.is_ascii_digit());
    !has_digit(new) && !has_digit(old) && !is_there(old, case)
}

/// Whether these words stand in the request or the answer.
fn is_there(words: &str, case: &Case<'_>) -> bool {
    let wanted = grounds::words(words);
    [case.answer, case.request]
        .iter()
        .any(|text| grounds::words(text).windows(wanted.len().max(1)).any(|window| window == wanted))
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

fn of_sentence(sentence: &Sentence<'_>, case: &Case<'_>) -> Option<Hint> {
    let parts = parts(&sentence.words);
    let peeled: Vec<&[Word<'_>]> = parts
        .into_iter()
        .flat_map(|part| peelings(part, sentence.is_question))
        .filter(|words| !words.is_empty())
        .collect();
    let by_row = peeled.iter().find_map(|words| of_part(words, case));
    by_row.or_else(|| peeled.iter().find_map(|words| rule_in_own_words(words)))
}

/// The sentence's parts between pauses, longest first; `but` makes a pause as well.
fn parts<'a, 'b>(words: &'b [Word<'a>]) -> Vec<&'b [Word<'a>]> {
    let mut edges = vec![0];
    for (at, word) in words.iter().enumerate() {
        if word.pauses || phrases::BUT.contains(&word.folded.as_str()) {
            edges.push(at + 1);
        }
    }
    edges.truncate(MAX_PARTS);
    edges.push(words.len());
    edges.dedup();
    let mut found: Vec<&[Word<'_>]> = Vec::new();
    for (nth, &start) in edges.iter().enumerate() {
        found.extend(edges.iter().skip(nth + 1).filter_map(|&end| words.get(start..end)));
    }
    found.sort_by_key(|part| std::cmp::Reverse(part.len()));
    found
}

/// The part with more and more of its polite and introducing words taken away. A question is a directive only when it
/// begins with `can you` and its like.
fn peelings<'a, 'b>(part: &'b [Word<'a>], is_question: bool) -> Vec<&'b [Word<'a>]> {
    let is_question =
        is_question && !part.last().is_some_and(|word| matches!(word.folded.as_str(), "ok" | "okay"));
    let part = match (is_question, phrases::without_can_you(part)) {
        (_, Some(rest)) => rest,
        (true, None) => return Vec::new(),
        (false, None) => part,
    };
    let mut heads = vec![part];
    while let Some(next) = heads.last().and_then(|words| phrases::without_lead(words)) {
        heads.push(next);
    }
    let mut found = Vec::new();
    for head in heads {
        found.push(head);
        let mut left = head;
        while let Some(next) = phrases::without_tail(left) {
            found.push(next);
            left = next;
        }
    }
    found
}

fn of_part(words: &[Word<'_>], case: &Case<'_>) -> Option<Hint> {
    ROWS.iter().copied().flatten().find_map(|Row { pattern, say }| {
        let slots = words::matched(pattern, words, &phrases::fits)?;
        said(*say, &slots, case)
    })
}

fn said(say: Say, slots: &Slots<'_>, case: &Case<'_>) -> Option<Hint> {
    match say {
        Say::Swap => swap(&slots.get('B')?, &slots.get('A')?, case),
        Say::Contrast => swap(&slots.get('B')?, &slots.get('A').filter(|old| is_there(old, case))?, case),
        Say::Tool => tool(&slots.get('Q').or_else(|| slots.get('K'))?, case),
        Say::Value => Some(value(&slots.get('V')?, case)),
        Say::Figure => Some(value(&slots.get('V').filter(|new| kind(new) != Kind::Word)?, case)),
        Say::Add => flag("use", &slots.get('X')?, slots.get('P'), case),
        Say::Drop => flag("do not use", &slots.get('X')?, slots.get('P'), case),
        Say::Root => {
            let program = slots
                .get('P')
                .or_else(|| Some(command::program(command::perhaps(case.answer)?)?.to_owned()))?;
            Some(lasting(format!("use sudo with {program}"), "hint.sudo", Some(program)))
        }
        Say::NoRoot => Some(lasting("do not use sudo".to_owned(), "hint.sudo", None)),
        Say::Never => never(&slots.get('A')?, case),
        Say::Language => {
            let language = phrases::language(&slots.get('L')?.to_lowercase())?;
            Some(lasting(format!("answer in {language}"), "hint.language", None))
        }
        Say::Text(template) => Some(lasting(filled(template, slots), "hint.wish", None)),
    }
}

fn lasting(text: String, rule: &str, program: Option<String>) -> Hint {
    Hint { text, lasting: true, rule: rule.to_owned(), program }
}

fn swap(new: &str, old: &str, case: &Case<'_>) -> Option<Hint> {
    if new == old {
        return None;
    }
    let lasts = swap_lasts(new, old, case);
    let is_program =
        command::line(case.answer).is_some_and(|line| command::utilities(line).contains(&first_word(old)));
    let rule = if lasts { "hint.swap" } else { "hint.value" };
    let text = format!("use {new} instead of {old}");
    Some(Hint {
        text,
        lasting: lasts,
        rule: rule.to_owned(),
        program: is_program.then(|| first_word(old).to_owned()),
    })
}

/// `use rg`: instead of the program of the answer. Among several programs nobody knows which one is meant.
fn tool(new: &str, case: &Case<'_>) -> Option<Hint> {
    let line = command::line(case.answer)?;
    let mut utilities = command::utilities(line);
    utilities.dedup();
    match utilities.as_slice() {
        [old] if *old != new => swap(new, old, case),
        _ => None,
    }
}

/// `I meant Q3`: instead of the one value of its kind in the answer, where there is just one.
fn value(new: &str, case: &Case<'_>) -> Hint {
    let line = command::line(case.answer);
    if line.is_some()
        && command::is_known(new)
        && let Some(found) = tool(new, case)
    {
        return found;
    }
    let kind = kind(new);
    let words = case
        .answer
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && !"/~.-".contains(c)));
    let words = words.map(|word| if kind == Kind::Path { word } else { word.trim_end_matches(['.', '-']) });
    let mut alike: Vec<&str> =
        words.filter(|word| kind != Kind::Word && self::kind(word) == kind && *word != new).collect();
    alike.sort_unstable();
    alike.dedup();
    if alike.len() > 1 && kind == Kind::Code {
        alike.retain(|word| word.chars().next() == new.chars().next());
    }
    let text = match alike.as_slice() {
        [old] => format!("use {new} instead of {old}"),
        _ => format!("use {new}"),
    };
    Hint { text, lasting: false, rule: "hint.value".to_owned(), program: None }
}

/// What a value looks like; values of one kind can stand in each other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Time,
    /// A letter and digits: `Q3`, `B204`.
    Code,
    Day,
    Path,
    File,
    Word,
}

fn kind(word: &str) -> Kind {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let clock = word.strip_suffix("am").or_else(|| word.strip_suffix("pm"));
    let mut chars = word.chars();
    let first = chars.next().unwrap_or(' ');
    match word {
        _ if digits(word) => Kind::Number,
        _ if clock.is_some_and(|rest| digits(&rest.replace(':', ""))) => Kind::Time,
        _ if word.split_once(':').is_some_and(|(hour, minute)| digits(hour) && digits(minute)) => Kind::Time,
        _ if first.is_ascii_uppercase() && digits(chars.as_str()) => Kind::Code,
        _ if first.is_uppercase() && word.ends_with("day") => Kind::Day,
        _ if word.contains('/') || word.starts_with('~') => Kind::Path,
        _ if word.trim_matches('.').contains('.') => Kind::File,
        _ => Kind::Word,
    }
}

fn flag(verb: &str, flag: &str, named: Option<String>, case: &Case<'_>) -> Option<Hint> {
    let is_program = |name: &String| is_there(first_word(name), case) || command::is_known(first_word(name));
    let program = match named {
        Some(name) => Some(name).filter(is_program),
        None => flagged_program(flag, case),
    }?;
    let name = first_word(&program).to_owned();
    Some(lasting(format!("{verb} {flag} with {program}"), "hint.flag", Some(name)))
}

/// The program of the answer that an option is about. Where the option already stands, that shows which of several.
fn flagged_program(flag: &str, case: &Case<'_>) -> Option<String> {
    let line = command::perhaps(case.answer)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_only_one = command::utilities(line).len() == 1;
    let at = words.iter().position(|word| *word == flag).or_else(|| is_only_one.then_some(words.len()))?;
    command::governing(&words, at)
}

fn never(what: &str, case: &Case<'_>) -> Option<Hint> {
    let line = command::line(case.answer);
    let is_used = line.is_some_and(|line| command::utilities(line).contains(&first_word(what)));
    let names_program = is_used || command::is_known(first_word(what));
    names_program
        .then(|| lasting(format!("never use {what}"), "hint.never", Some(first_word(what).to_owned())))
}

fn filled(template: &str, slots: &Slots<'_>) -> String {
    let mut text = template.to_owned();
    for slot in ['D', 'H', 'K', 'M', 'N', 'R', 'W'] {
        if let Some(value) = slots.get(slot) {
            text = text.replace(&format!("{{{slot}}}"), &value);
        }
    }
    text
}

/// `always …`, `never …`, `from now on …` in the person's own words.
fn rule_in_own_words(words: &[Word<'_>]) -> Option<Hint> {
    let words = phrases::rule_words(words)?;
    let mut text = words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
    if let Some(first) = words.first() {
        text.replace_range(..first.text.len(), &first.folded);
    }
    (text.chars().count() <= MAX_CHARS).then(|| lasting(text, "hint.said", None))
}
