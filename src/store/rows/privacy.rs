//! What is kept of a person, as figures: for `chela privacy`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::StateKind;
use crate::lesson::LessonId;
use crate::turn::{PolicyVersion, Source};

/// All that a ledger holds, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Holdings {
    pub sessions: usize,
    pub turns: Vec<SourceCount>,
    /// When the oldest and the newest turn began, in Unix milliseconds.
    pub oldest: Option<i64>,
    pub newest: Option<i64>,
    /// What followed turns: replies, outcomes of commands, ratings.
    pub next_states: usize,
    pub verdicts: usize,
    pub lessons: Vec<(StateKind, usize)>,
    /// What serves or served holds, version by version.
    pub learned: Vec<Learned>,
    /// What a person, or a rule of the settings, took out of learning.
    pub excluded_turns: usize,
    pub excluded_sessions: usize,
    pub excluded_projects: Vec<String>,
    /// How often each rule hid something in what was said, by the rule's name.
    pub hidden: BTreeMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceCount {
    pub source: Source,
    pub n: usize,
}

/// A lesson in the weights of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Learned {
    pub version: PolicyVersion,
    pub lesson: LessonId,
    pub text: String,
}

impl Holdings {
    pub fn n_turns(&self) -> usize {
        self.turns.iter().map(|count| count.n).sum()
    }
}
