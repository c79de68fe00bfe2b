//! What the loop writes into the ledger: next states, verdicts, lessons, runs, the gate's decisions.
//!
//! Values only. What they do to the tables is `write`'s business, what comes back is in `rows`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreError;
use crate::judge::Verdict;
use crate::lesson::{LessonId, Origin, Scope};
use crate::signal::Signal;
use crate::turn::{PolicyVersion, TurnId};

/// What was concluded of a turn, and from what.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVerdict {
    pub turn: TurnId,
    /// How many of the turn's next states were looked at, from the first on. When there are more by now, the turn
    /// goes on waiting.
    pub seen: u32,
    pub signals: Vec<Signal>,
    pub verdict: Verdict,
    /// Name of the model that voted, or would have.
    pub model: String,
    /// Unix milliseconds.
    pub judged_at: i64,
}

impl NewVerdict {
    /// SQLite would store a NaN as NULL, and JSON would too: better no verdict than half a one.
    pub(super) fn check_finite(&self) -> Result<(), StoreError> {
        let mut votes = self.verdict.votes.iter().flat_map(|vote| [vote.good, vote.bad, vote.unclear]);
        if !self.verdict.confidence.is_finite() {
            return Err(StoreError::NotFinite("the verdict's confidence"));
        }
        if !votes.all(f32::is_finite) {
            return Err(StoreError::NotFinite("a vote's probability"));
        }
        if !self.signals.iter().all(|signal| signal.strength.is_finite()) {
            return Err(StoreError::NotFinite("a signal's strength"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewLesson {
    pub text: String,
    pub scope: Scope,
    pub origin: Origin,
    /// Proposed only: it is in no prompt before the user's yes.
    pub waits_for_yes: bool,
    pub pinned: bool,
    /// Turns that it was drawn from.
    pub sources: Vec<TurnId>,
    /// Lessons that it contradicts; they retire in the same moment.
    pub replaces: Vec<LessonId>,
    pub by: By,
    /// Why, for the history.
    pub reason: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// A change of one lesson, with what its history says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LessonEdit {
    pub lesson: LessonId,
    pub change: LessonChange,
    pub by: By,
    pub reason: String,
    /// Unix milliseconds.
    pub at: i64,
}

/// What may happen to a lesson. That a version has learned it is the gate's word ([`NewGate`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LessonChange {
    /// Into every prompt that it fits, whatever it was before.
    Activate,
    Retire {
        replaced_by: Option<LessonId>,
    },
    Prune,
    /// With other words it is no longer what a version has learned: it becomes active where it was learned.
    Reword(String),
    Rescope(Scope),
    Pin(bool),
}

/// Who changed a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The person, by command, key or button.
    User,
    /// The loop: a verdict, a contradiction, a rule of retirement.
    Loop,
    /// The gate, with a promotion.
    Gate,
    /// A change of what serves.
    Rollback,
}

/// Row id of a training run in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Unix milliseconds.
    pub started_at: i64,
    /// Of the base model's file.
    pub base_sha256: String,
    /// The version that training goes on from; 0 begins anew.
    pub parent: PolicyVersion,
    pub seed: u64,
    /// The learning dial's position.
    pub dial: String,
    /// What the run is made of, as far as it is known: lessons, turns, samples, steps.
    pub counts: Value,
}

/// One thing that a run learns from or is measured on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub turn: Option<TurnId>,
    pub lesson: Option<LessonId>,
    pub role: SampleRole,
    /// Hash of the sample's tokens, to see whether two runs were taught the same.
    pub fingerprint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleRole {
    /// Moves the policy.
    Teach,
    /// Keeps it where it is.
    Replay,
    /// Measured by the gate; its turn is never trained on, in this run or another.
    HeldOut,
    /// Of the canary suite.
    Canary,
}

impl SampleRole {
    pub fn is_trained_on(self) -> bool {
        matches!(self, Self::Teach | Self::Replay)
    }
}

/// How a run ends that came to no gate.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    pub run: RunId,
    pub ended_at: i64,
    pub ending: RunEnding,
    pub reason: String,
    pub error: Option<String>,
    /// Replaces the run's counts.
    pub counts: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnding {
    /// There was nothing to learn.
    Idle,
    /// The user, the battery or the budget said stop.
    Cancelled,
    Failed,
}

/// The gate's word on a run's candidate. It ends the run.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGate {
    pub run: RunId,
    /// Unix milliseconds.
    pub at: i64,
    pub candidate: PolicyVersion,
    pub measures: Measures,
    pub decision: Decision,
    /// As the status line says them.
    pub reasons: Vec<String>,
    /// Replaces the run's counts.
    pub counts: Option<Value>,
}

/// What the gate measured, in its own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    pub candidate: Value,
    pub serving: Value,
    pub base: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The candidate serves from now on and holds these lessons.
    Promote {
        learned: Vec<LessonId>,
    },
    Reject,
}
