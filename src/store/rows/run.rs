//! Rows of training runs and of what can be counted: for `chela learn status` and `chela stats`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lesson::StateKind;
use crate::store::{Measures, RunId, Sample};
use crate::turn::{PolicyVersion, Source};

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Promoted,
    Rejected,
    /// There was nothing to learn.
    Idle,
    Cancelled,
    Failed,
    /// The daemon stopped in mid-run.
    Interrupted,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    pub id: RunId,
    /// Unix milliseconds.
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub state: RunState,
    pub base_sha256: String,
    /// The version that training went on from; 0: from nothing.
    pub parent: PolicyVersion,
    /// What served when the run began.
    pub serving: PolicyVersion,
    pub candidate: Option<PolicyVersion>,
    pub seed: u64,
    pub dial: String,
    pub counts: Value,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub gate: Option<GateRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRow {
    /// Unix milliseconds.
    pub at: i64,
    pub promoted: bool,
    pub measures: Measures,
    pub reasons: Vec<String>,
}

/// What a run made of a turn or a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    pub run: RunId,
    pub run_state: RunState,
    pub candidate: Option<PolicyVersion>,
    pub sample: Sample,
}

/// Verdicts of one day, surface and reward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardCount {
    /// Days since 1970-01-01 in the asked-for time zone.
    pub day: i64,
    pub source: Source,
    /// `None`: abstained.
    pub reward: Option<i8>,
    pub n_turns: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// In order of day, surface, reward.
    pub rewards: Vec<RewardCount>,
    pub lessons: Vec<(StateKind, usize)>,
    pub runs: Vec<(RunState, usize)>,
    /// Turns that wait for a verdict.
    pub n_waiting: usize,
}
