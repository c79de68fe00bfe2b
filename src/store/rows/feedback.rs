//! Rows of what came after an answer and what was concluded: for `chela why`, `chela turns` and the judge.

use serde::{Deserialize, Serialize};

use super::TurnRow;
use super::lesson::LessonUse;
use super::run::SampleRow;
use crate::judge::Verdict;
use crate::lesson::Lesson;
use crate::signal::Signal;
use crate::turn::next_state::NextState;
use crate::turn::{SessionId, TurnId};

/// One next state of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextStateRow {
    /// Unix milliseconds.
    pub at: i64,
    pub state: NextState,
}

/// One verdict of a turn, with the signals it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictRow {
    pub turn: TurnId,
    /// Unix milliseconds.
    pub judged_at: i64,
    /// How many of the turn's next states were looked at.
    pub seen: u32,
    /// Name of the judge's model.
    pub model: String,
    /// The one that counts.
    pub is_newest: bool,
    pub verdict: Verdict,
    pub signals: Vec<Signal>,
}

/// A turn that waits for a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingTurn {
    pub turn: TurnId,
    pub session: SessionId,
    /// All of its next states, oldest first; the verdict's `seen` is their number.
    pub states: Vec<NextStateRow>,
}

/// A turn that a person rated and the model voted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatedVotes {
    pub turn: TurnId,
    /// The person's newest word.
    pub good: bool,
    /// The newest verdict with votes.
    pub verdict: Verdict,
}

/// A turn in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnLine {
    pub turn: TurnRow,
    /// `None`: not judged.
    pub verdict: Option<VerdictRow>,
    /// Has a next state that no verdict has looked at.
    pub is_waiting: bool,
    /// In its prompt.
    pub n_lessons: usize,
    /// Drawn from it.
    #[serde(default)]
    pub n_drawn: usize,
    /// A person took it out of learning, by itself or with its session or project.
    #[serde(default)]
    pub is_excluded: bool,
}

/// What the verdict that counts says of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    Good,
    Bad,
    /// Looked at, and neither.
    Unclear,
    /// No verdict yet.
    None,
}

/// The whole row of a turn: from what was said to which version learned it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnStory {
    pub turn: TurnRow,
    /// Sampling settings, as JSON text.
    pub settings: String,
    /// Lessons in its prompt, in their order.
    pub used: Vec<LessonUse>,
    /// Oldest first, as the verdicts.
    pub next_states: Vec<NextStateRow>,
    pub verdicts: Vec<VerdictRow>,
    /// Has a next state that no verdict has looked at.
    pub is_waiting: bool,
    /// A person took it out of learning, by itself or with its session or project.
    #[serde(default)]
    pub is_excluded: bool,
    /// Lessons that were drawn from it.
    pub drawn: Vec<Lesson>,
    /// What runs made of it, oldest first.
    pub samples: Vec<SampleRow>,
}
