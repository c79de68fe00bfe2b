//! Lessons: one imperative sentence with a scope, put in the policy's context when it is relevant.
//!
//! What lives here: what a lesson is, which ones a prompt gets, which contradict, when one retires. Pure: time comes
//! as an argument. What does not: where hints come from (`judge`), where lessons are kept (`store`).

mod claim;
pub mod contradiction;
pub mod life;
mod programs;
pub mod prompt;
pub mod relevance;
pub mod scope;
mod subjects;
pub mod wording;
pub mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::turn::{PolicyVersion, TurnId};

/// Longest text of a lesson, in characters.
pub const MAX_CHARS: usize = 160;
/// Most lessons in a prompt, and most tokens they may take.
pub const MAX_IN_PROMPT: usize = 6;
pub const MAX_TOKENS: usize = 400;

/// The word that a lesson drives out, where it is a swap: `grep` of `use rg instead of grep`.
pub fn driven_out(text: &str) -> Option<String> {
    match claim::claim(&words::Words::of(text), None) {
        claim::Claim::Swap { old, .. } => Some(old),
        _ => None,
    }
}

/// Row id of a lesson in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LessonId(pub i64);

/// A lesson as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    pub id: LessonId,
    pub text: String,
    pub scope: Scope,
    pub state: State,
    pub origin: Origin,
    /// Turns that it was drawn from.
    pub sources: Vec<TurnId>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// In how many prompts it stood, and what came of them.
    pub used: u32,
    pub helped: u32,
    pub failed: u32,
    /// The user wants it never to retire.
    pub pinned: bool,
    /// Words of the requests that it was drawn from ([`words::trigger_words`]): a request like them needs it again.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// What came of its last uses that were judged, oldest first; at most [`life::RECENT`].
    #[serde(default)]
    pub recent: Vec<life::Effect>,
    /// The newer lesson that contradicts it, where that retired it.
    #[serde(default)]
    pub replaced_by: Option<LessonId>,
}

impl Lesson {
    /// A lesson that the user wrote, active and not used yet. `created_at` in Unix milliseconds.
    pub fn new(id: LessonId, text: impl Into<String>, scope: Scope, created_at: i64) -> Self {
        Self {
            id,
            text: text.into(),
            scope,
            state: State::Active,
            origin: Origin::Taught,
            sources: Vec::new(),
            created_at,
            used: 0,
            helped: 0,
            failed: 0,
            pinned: false,
            triggers: Vec::new(),
            recent: Vec::new(),
            replaced_by: None,
        }
    }
}

/// Where a lesson holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum Scope {
    Global,
    /// In and below this directory.
    Project(String),
    /// When this program is asked for or used.
    Program(String),
    /// In this session only.
    Session(String),
}

/// As people read it, with the names as they are: who prints it makes them harmless.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("everywhere"),
            Self::Project(folder) => write!(f, "in {folder}"),
            Self::Program(program) => write!(f, "for {program}"),
            Self::Session(_) => f.write_str("this session"),
        }
    }
}

/// Where a lesson stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "in_version", rename_all = "snake_case")]
pub enum State {
    /// Waits for the user's yes.
    Proposed,
    /// In every prompt that it fits.
    Active,
    /// The weights of this version hold it (the gate has shown that); it is left out of prompts while that version,
    /// or a later one built on it, serves.
    Learned(PolicyVersion),
    /// Contradicted by a newer one, or out of use.
    Retired,
    /// Removed by the user.
    Pruned,
}

/// As lists show it.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proposed => f.write_str("proposed"),
            Self::Active => f.write_str("active"),
            Self::Learned(version) => write!(f, "learned in {version}"),
            Self::Retired => f.write_str("retired"),
            Self::Pruned => f.write_str("removed"),
        }
    }
}

/// Who a lesson is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Written as a lesson: `chela teach`, `/teach`.
    Taught,
    /// Drawn from a person's words or edit.
    Corrected,
    /// Seen in a program's output and confirmed by the person (it ran well, or was accepted in the review pane).
    Confirmed,
}
