//! Signals: what a next state says about the answer before it, by rules alone.
//!
//! What lives here: pure detectors over (turn, next state), each with the rule's name, its strength and the span of
//! text that it rests on. What does not: what follows from several signals (`judge`), any model.
//!
//! What always holds: text that no person wrote says success or failure at most; retries, duplicates and answers that
//! were cut off say nothing.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::turn::{Ending, Source};

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
