//! A turn with all that belongs to it, as `chela export` writes it and `chela import` reads it: one line of JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NextStateRow, TurnRow, VerdictRow};
use crate::engine::Token;
use crate::lesson::LessonId;
use crate::turn::Source;

/// A line of `turns.jsonl`. What a line lacks is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    #[serde(flatten)]
    pub turn: TurnRow,
    /// Of the session that `turn` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_session: Option<SessionFacts>,
    /// Lessons in its prompt, as they stood there.
    #[serde(default)]
    pub lessons: Vec<LessonId>,
    /// Oldest first, as the verdicts.
    #[serde(default)]
    pub next_states: Vec<NextStateRow>,
    #[serde(default)]
    pub verdicts: Vec<VerdictRow>,
    #[serde(flatten)]
    pub exact: Option<ExactTurn>,
}

/// What a session is, beside its turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    pub title: String,
    pub source: Source,
    pub cwd: Option<String>,
    /// Unix milliseconds.
    pub started_at: i64,
    /// `None`: nobody has ended it.
    pub closed_at: Option<i64>,
}

/// A turn as the model saw and sampled it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExactTurn {
    /// Of the sampling, seed included.
    pub settings: Value,
    /// Token ids of the prompt as served.
    pub prompt_tokens: Vec<Token>,
    pub response_tokens: Vec<Token>,
    /// Natural logarithm of each response token's probability when it was sampled.
    pub logprobs: Vec<f32>,
}

/// Which turns are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Unix milliseconds: those that began then or later.
    pub since: i64,
    /// With those that a person took out of learning.
    pub with_excluded: bool,
    /// With those that have no end yet.
    pub with_running: bool,
    /// With token ids, log-probabilities and sampling settings.
    pub exact: bool,
}

/// What is read beside the turns, and why it is not all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub excluded: usize,
    pub running: usize,
}
