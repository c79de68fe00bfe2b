//! Signals: what a next state says about the answer before it, by rules alone.
//!
//! What lives here: pure detectors over (turn, next state), each with the rule's name, its strength and the span of
//! text that it rests on. What does not: what follows from several signals (`judge`), any model.
//!
//! What always holds: text that no person wrote says success or failure at most; retries, duplicates and answers that
//! were cut off say nothing.

mod again;
mod commands;
mod edit;
mod normal;
mod outcome;
mod page;
mod phrases;
mod program_errors;
mod rating;
mod tests_report;
mod tools;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::turn::next_state::{NextState, ToolResult};
use crate::turn::{Ending, Source};

/// All that the rules find in a next state, strongest evidence first. Empty: no rule knows this, the judge may ask the
/// model. An answer that was cut off is never blamed or praised; what the person says to do differently still counts.
pub fn detect(answered: &Answered<'_>, next: &NextState) -> Vec<Signal> {
    let mut signals = found(answered, next);
    if !answered.ending.is_whole() {
        signals.retain(|signal| signal.is_directive);
        for signal in &mut signals {
            signal.says = Says::Nothing;
        }
        signals.insert(0, nothing("answer.cut", 1.0));
        return signals;
    }
    signals.sort_by(|a, b| b.evidence.cmp(&a.evidence).then(b.strength.total_cmp(&a.strength)));
    signals
}

/// What a person made of the command that an answer proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeOf {
    /// It is run as it stands there.
    Taken,
    /// The same is done in another way: another program, option or value for the same words.
    Changed,
    /// Nothing: this is another command.
    Unrelated,
}

/// How a command hangs together with what an answer proposes.
pub fn made_of(answer: &str, command: &str) -> MadeOf {
    match edit::compared(&commands::proposed(answer), command).0 {
        edit::Change::Same => MadeOf::Taken,
        edit::Change::Unrelated => MadeOf::Unrelated,
        _ => MadeOf::Changed,
    }
}

/// Whether a command was ended or put to sleep from outside, by its exit status: that says nothing of the command.
pub fn is_stopped(status: i32) -> bool {
    outcome::is_stopped(status)
}

/// The text that spans count in: the person's words, a command's output, a page, a report, or the contents of all tool
/// results, one after the other with a line end between.
pub fn text_of(next: &NextState) -> Cow<'_, str> {
    match next {
        NextState::Reply { text } | NextState::Edit { text } => text.as_str().into(),
        NextState::Command(outcome) => outcome.output.as_str().into(),
        NextState::Tools { results } => joined(results).into(),
        NextState::Page { after, .. } => after.as_str().into(),
        NextState::Tests { report } => report.as_str().into(),
        NextState::Rating { note, .. } => note.as_deref().unwrap_or_default().into(),
        NextState::Closed { .. } => "".into(),
    }
}

fn joined(results: &[ToolResult]) -> String {
    results.iter().map(|result| result.content.as_str()).collect::<Vec<_>>().join("\n")
}

fn found(answered: &Answered<'_>, next: &NextState) -> Vec<Signal> {
    match next {
        NextState::Reply { text } => replied(answered, text),
        NextState::Edit { text } => edit::edited(answered, text),
        NextState::Command(outcome) => outcome::ran(answered, outcome),
        NextState::Tools { results } => tools::answered(results),
        NextState::Page { before, after } => page::shown(answered.answer, before.as_deref(), after),
        NextState::Tests { report } => tests_report::reported(report),
        NextState::Rating { good, note } => vec![rating::rated(*good, note.as_deref())],
        NextState::Closed { .. } => vec![nothing("session.closed", 1.0)],
    }
}

/// A person's reply: a command of the chat, a retry, a pasted error, words about the answer, or a request.
fn replied(answered: &Answered<'_>, text: &str) -> Vec<Signal> {
    let words = normal::words(text);
    if let Some(signal) = rating::commanded(text, &words).or_else(|| again::retried(answered, &words)) {
        return vec![signal];
    }
    let asked = again::asked(answered, &words);
    if let Some(repeated) = asked.clone().filter(|asked| asked.rule == "request.repeated") {
        return vec![repeated];
    }
    if let Some(retyped) = edit::retyped(answered, text) {
        return vec![retyped];
    }
    let mut said = words::said(&words, again::is_related(answered, &words));
    let praised = said.iter().any(|signal| signal.says == Says::Good);
    if let Some(pasted) = program_errors::pasted(text).filter(|_| !praised) {
        // What the program printed is nobody's wish, whatever its words are.
        said.retain(|signal| !overlap(&signal.span, &pasted.span) && signal.rule != "words.but");
        for signal in said.iter_mut().filter(|signal| signal.rule == "words.wrong") {
            signal.is_directive = false;
        }
        said.push(pasted);
    }
    if said.iter().all(|signal| signal.says == Says::Nothing)
        && let Some(option) = words::missing_option(&words, answered.answer)
    {
        return vec![option];
    }
    if !said.is_empty() {
        return said;
    }
    asked.into_iter().collect()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

fn nothing(rule: &str, strength: f32) -> Signal {
    Signal {
        rule: rule.into(),
        says: Says::Nothing,
        evidence: Evidence::Explicit,
        strength,
        span: 0..0,
        is_directive: false,
    }
}

/// A turn as the detectors see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answered<'a> {
    /// The last thing that was asked.
    pub request: &'a str,
    pub answer: &'a str,
    pub ending: Ending,
    pub source: Source,
    /// Earlier requests of the session, newest first, without this one.
    pub earlier: &'a [&'a str],
    /// From the answer's end to the next state, if known.
    pub after_ms: Option<u64>,
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Name of the rule, as `chela why` shows it: `words.correction`, `exit.failed`, …
    pub rule: String,
    pub says: Says,
    pub evidence: Evidence,
    /// How sure the rule is, 0 to 1.
    pub strength: f32,
    /// Bytes of the next state's text that the rule rests on; empty when it rests on a number.
    pub span: Range<usize>,
    /// What to do differently is said too: a hint may be drawn from the person's words.
    pub is_directive: bool,
}

/// What a signal says of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Good,
    Bad,
    /// Nothing can be concluded, and that is sure: a retry, Ctrl+C, a new topic.
    Nothing,
}

/// Kinds of evidence, weakest first (DESIGN §2.2: explicit rating or correction, edit, outcome, undo, words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The tone of the person's words.
    Words,
    /// Undone, replaced or asked again at once.
    Replacement,
    /// Exit status, test report, tool error, page.
    Outcome,
    /// An edit of the answer before it was used.
    Edit,
    /// A rating, or a correction in so many words.
    Explicit,
}

#[cfg(test)]
mod tests;
