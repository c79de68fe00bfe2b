//! What people and programs look at: turns in a list, and the loop in figures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dashboard::{DiskUse, GateFigures, LearningCost};
use super::{LearnStatus, StateKind};
// The judge's figures and the ledger's rows go over the socket as they are.
pub use crate::judge::calibration::{Agreement, Bin, Calibration};
pub use crate::store::{Judged, RunRow, RunState, TurnLine};
use crate::turn::{SessionId, Source, TurnId};

/// `GET /chela/v1/turns?source=&rule=&reward=&project=&session=&find=&before=&limit=`: what is absent is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnQuery {
    pub source: Option<Source>,
    /// The deciding rule, or what stands before its dot.
    pub rule: Option<String>,
    pub reward: Option<Judged>,
    /// In this directory and below it.
    pub project: Option<String>,
    pub session: Option<SessionId>,
    /// Words of request or answer.
    pub find: Option<String>,
    /// Older than this turn: the next page.
    pub before: Option<TurnId>,
    pub limit: Option<usize>,
}

/// The answer to a [`TurnQuery`]: main-line turns, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnList {
    pub turns: Vec<TurnLine>,
}

/// `GET /chela/v1/stats?days=`: how the loop does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopStats {
    /// First and last day of `rewards` in the daemon's time zone, like `2026-11-23`.
    pub from: String,
    pub to: String,
    /// Days and surfaces with a verdict, oldest first.
    pub rewards: Vec<DayRewards>,
    /// Turns that wait for a verdict.
    pub n_waiting: usize,
    pub lessons: BTreeMap<StateKind, usize>,
    pub runs: BTreeMap<RunState, usize>,
    /// The newest run that came to the gate.
    pub gate: Option<RunRow>,
    /// The judge's votes held against explicit ratings.
    pub judge: Calibration,
    pub ledger: LedgerSize,
    /// What the last gates measured, oldest first.
    pub versions: Vec<GateFigures>,
    /// What is being learned now.
    pub learning: LearnStatus,
    pub cost: LearningCost,
    pub disk: DiskUse,
}

/// Verdicts of one day and surface, by when they were given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayRewards {
    pub day: String,
    pub source: Source,
    pub good: usize,
    pub bad: usize,
    /// Neither, abstentions included.
    pub unclear: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSize {
    pub sessions: usize,
    /// Side turns and running turns included.
    pub turns: usize,
    /// On disk, the write-ahead log included.
    pub bytes: u64,
}
