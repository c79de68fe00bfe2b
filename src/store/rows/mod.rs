//! What the ledger gives back: rows as people, clients and later stages read them.
//!
//! [`SessionRow`], [`SessionThread`] and [`TurnRow`] are boundary rows: the daemon sends them as they are and
//! `chela export` writes them as lines.

mod feedback;
mod lesson;
mod privacy;
mod record;
mod review;
mod run;

pub use feedback::{Judged, NextStateRow, RatedVotes, TurnLine, TurnStory, VerdictRow, WaitingTurn};
pub use lesson::{LessonEvent, LessonStory, LessonUse, StateKind, UsedIn};
pub use privacy::{Holdings, Learned, SourceCount};
pub use record::{ExactTurn, LeftOut, RecordFilter, SessionFacts, TurnRecord};
pub use review::{ReviewCursor, ReviewPage, ReviewRow, ReviewState, ReviewWord};
pub use run::{GateRow, RewardCount, RunRow, RunState, SampleRow, Stats};
use serde::{Deserialize, Serialize};

use crate::engine::Token;
use crate::turn::{Ending, Message, PolicyVersion, SessionId, Source, TurnId, TurnKind};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: SessionId,
    /// Empty until somebody gave it one.
    pub title: String,
    pub source: Source,
    pub cwd: Option<String>,
    /// Unix milliseconds.
    pub started_at: i64,
    /// When the newest main-line turn began; `started_at` when there is none.
    pub last_turn_at: i64,
    /// Main-line turns of all threads.
    pub n_turns: usize,
}

/// A session's newest thread: its newest main-line turn and what that continues, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionThread {
    pub session: SessionRow,
    pub turns: Vec<TurnRow>,
}

/// One turn as a person reads it; also a line of `chela export`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRow {
    pub id: TurnId,
    pub session: SessionId,
    pub parent: Option<TurnId>,
    pub kind: TurnKind,
    pub source: Source,
    pub cwd: Option<String>,
    /// Messages since the parent's response.
    pub messages: Vec<Message>,
    /// The answer; of a running turn, the answer so far.
    pub response: String,
    /// `None`: still running.
    pub ending: Option<Ending>,
    pub error: Option<String>,
    pub policy: PolicyVersion,
    pub model: String,
    pub n_prompt: usize,
    pub n_response: usize,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

impl TurnRow {
    /// Nothing is left of it but its place in the thread.
    pub fn is_forgotten(&self) -> bool {
        self.messages.is_empty()
    }
}

/// Everything that is known of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTurn {
    pub row: TurnRow,
    /// Sampling settings, as JSON text.
    pub settings: String,
    /// The exact prompt as served.
    pub prompt: Vec<Token>,
    /// The response's tokens as they were sampled.
    pub tokens: Vec<Token>,
    /// Log-probability of each of `tokens` when it was sampled.
    pub logprobs: Vec<f32>,
}

/// One change of what serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingRow {
    /// Unix milliseconds.
    pub at: i64,
    pub version: PolicyVersion,
    /// Of the base model's file.
    pub base_sha256: String,
    pub reason: String,
}

/// How much the ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub sessions: usize,
    /// Side turns and running turns included.
    pub turns: usize,
    pub running: usize,
}
