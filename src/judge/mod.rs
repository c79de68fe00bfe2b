//! The judge: from signals, and votes of the base model where they leave it open, to a verdict.
//!
//! What lives here: the order of evidence, the votes, hints and what makes one acceptable, calibration. What does not:
//! the rules (`signal`), lessons (`lesson`), when judging happens (`daemon`: in the background, never in an answer's way).
//!
//! What always holds: a hint comes from a person's words or edit, never from a program's text
//! ([`HumanWords`](crate::turn::next_state::HumanWords)).

pub mod assess;
pub mod calibration;
pub mod decide;
pub mod hint;
pub mod model;
pub mod prompt;
pub mod provenance;
mod reading;
pub mod scripted;

use serde::{Deserialize, Serialize};

use crate::turn::next_state::NextState;

/// What came of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// −1, 0 or +1; `None`: abstained, nothing is learned from it.
    pub reward: Option<i8>,
    /// What should have been done, as a lesson would say it.
    pub hint: Option<String>,
    /// The rule that decided, or `votes`.
    pub rule: String,
    pub votes: Vec<Vote>,
    /// 0 to 1: the deciding signal's strength, or the mean probability of the winning word.
    pub confidence: f32,
}

/// One reading of the case by the model, with the options in one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// The order of the words in the question, e.g. `good, bad or unclear`.
    pub order: String,
    /// Probabilities of the three words, normalised to sum to 1.
    pub good: f32,
    pub bad: f32,
    pub unclear: f32,
}

/// What the judge is shown: request, answer, next state and who speaks in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case<'a> {
    pub request: &'a str,
    pub answer: &'a str,
    pub next: &'a NextState,
}

/// The seam to the model that judges: the base without any adapter.
pub trait Judge: Send {
    /// One vote for each order of the options (an odd number).
    fn votes(&mut self, case: &Case<'_>) -> Result<Vec<Vote>, JudgeError>;
    /// What the person's words ask to be done differently; `None`: nothing that generalises.
    fn hint(&mut self, case: &Case<'_>) -> Result<Option<String>, JudgeError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    #[error("the judge cannot read this turn: {0}")]
    Prompt(String),
    #[error("the judge's model failed: {0}")]
    Engine(String),
    #[error("judging was put off: somebody waits for an answer")]
    Preempted,
}
