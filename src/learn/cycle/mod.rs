//! One round of learning: rehearse, train, examine. Works through the seams `Engine` and `Trainer`; when a round runs,
//! where its inputs come from and what becomes of the candidate is the caller's (`daemon::learner`).
//!
//! ```text
//! plan ──► Rehearsed (answers drawn by teacher and student) ──► Lectures (samples with their terms) ──► steps
//!      └─► Exam (questions, the base's answers) ──► Measures of base, serving version, candidate ──► gate
//! ```
//!
//! What always holds: everything that is asked of the engine is background work; a pause is obeyed between two answers
//! and between two kernels; the same rehearsal and seed give the same adapter; the exam asks every version the same.

mod exam;
mod lectures;
mod rehearse;
mod speaker;

use super::TrainError;
use crate::engine::EngineError;

pub use exam::{Exam, Examined, Matters};
pub use lectures::{Lectures, Schedule, Taken, Teaching};
pub use rehearse::{Drawing, Kept, Practised, Rehearsed, rehearse};
pub use speaker::{Said, Speaker};

/// What a round is at, told as it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub phase: Phase,
    pub done: u64,
    pub total: u64,
    /// Of the last gradient step.
    pub loss: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Answers are drawn.
    Rehearsing,
    /// Teacher and student are read, and steps are taken.
    Training,
    /// A version is asked the exam's questions.
    Measuring,
}

/// Whoever wants to know how far it is.
pub type Tell<'a> = dyn FnMut(Progress) + 'a;

/// Why a round came to no decision. Nothing that serves was changed.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error("a prompt cannot be written: {0}")]
    Prompt(String),
    #[error("the check for secrets does not see one that was put there to try it; nothing is learned")]
    Blind,
    #[error("the built-in table {name} is broken: {reason}")]
    Table { name: &'static str, reason: String },
}

impl CycleError {
    /// Somebody wanted it to end: no fault.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Cancelled) | Self::Train(TrainError::Cancelled))
    }
}
