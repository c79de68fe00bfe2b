//! Training: samples into gradients, gradients into an adapter, on the user's machine.
//!
//! What lives here: the frozen weights as the trainer reads them, one decoder block forward and backward, the
//! kernels below it, the losses, the optimizer, and the thread that runs it all politely. What does not: the
//! adapter's files (`adapter`), serving (`engine`), where samples come from.
//!
//! What always holds: only the adapter has gradients; the same batch gives the same numbers on any number of
//! threads; no step is taken on a loss or a gradient that is not finite; a pause is noticed within 50 ms.

pub mod advantages;
mod block;
mod budget;
pub mod canaries;
pub mod chat_file;
pub mod chat_sample;
pub mod checkpoint;
pub mod cycle;
pub mod dial;
mod error;
mod exp;
pub mod extraction;
pub mod gate;
mod head;
pub mod kernels;
mod layout;
mod local;
pub mod loss;
mod network;
pub mod optimizer;
mod pace;
mod parameters;
pub mod plan;
mod profile;
pub mod rehearsal;
pub mod resources;
pub mod run;
pub mod samples;
pub mod scripted;
pub mod shuffle;
pub mod speed;
pub mod weights;
pub mod when;
pub mod worker;

use crate::adapter::Adapter;
use crate::engine::Token;

pub use error::TrainError;
pub use local::{LocalTrainer, Start, TrainSettings};
use loss::Term;
pub use pace::Pace;
pub use profile::{Profile, Work};

/// Moves an adapter in the direction that samples ask for. One owner; the scripted twin is for tests of the loop.
pub trait Trainer {
    /// One gradient step over the whole batch, in micro-batches that fit the memory budget.
    fn step(&mut self, batch: &[Sample], pace: &Pace) -> Result<StepReport, TrainError>;
    /// Loss and log-probabilities of each answer token, without a gradient.
    fn score(&mut self, samples: &[Sample], pace: &Pace) -> Result<Vec<Scores>, TrainError>;
    /// The most probable tokens at each answer token: what a teacher hands on (`Term::ForwardKl`), and what a student's
    /// support is drawn from (`Term::ReverseKl`). No gradient; terms are not looked at.
    fn distributions(
        &mut self,
        samples: &[Sample],
        ask: Ask,
        pace: &Pace,
    ) -> Result<Vec<Distributions>, TrainError>;
    /// What was learned so far and what the optimizer remembers.
    fn state(&self) -> TrainState;
}

/// One prompt and the answers to it that are learned from. The answers share the prompt's rows (exactly), which is
/// why four answers to one prompt cost about twice as much as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub prompt: Vec<Token>,
    pub answers: Vec<Answer>,
}

/// One response, and what each of its tokens is asked to become.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub rows: Vec<Row>,
}

/// One answer token. Its row of logits is the one that predicts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub token: Token,
    /// The terms of the loss at this token; empty for tokens that are only context (a masked token).
    pub terms: Vec<Term>,
}

/// What one gradient step did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepReport {
    /// Gradient steps taken so far, this one included.
    pub step: u64,
    /// Weighted sum of all terms over the batch.
    pub loss: f64,
    /// Sum of the KL terms' unweighted values, in nats, divided by the number of rows that have one; 0 without any.
    pub kl: f64,
    /// L2 norm over the whole adapter before clipping.
    pub grad_norm: f64,
    pub learning_rate: f64,
    /// Prompt tokens, once per sample, and answer tokens.
    pub n_tokens: usize,
    /// Answer tokens that carry a term.
    pub n_targets: usize,
}

/// Log-probabilities of one sample's answers under the policy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// Weighted sum of the sample's terms.
    pub loss: f64,
    /// For each answer, for each token: natural log of its probability at temperature 1.
    pub logprobs: Vec<Vec<f32>>,
}

/// Whose distributions, and how much of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// With the adapter as it is now, or the base alone.
    pub adapted: bool,
    /// How many tokens of each distribution, at least 1; at most the vocabulary's.
    pub top: usize,
}

/// Distributions over one sample's answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distributions {
    /// For each answer, for each of its tokens: tokens and natural log-probabilities at temperature 1, most probable
    /// first; equals in the order of their ids.
    pub answers: Vec<Vec<Vec<(Token, f32)>>>,
}

/// Everything that a run needs in order to go on with identical numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    pub adapter: Adapter,
    /// Gradient steps taken.
    pub step: u64,
    /// First and second moment of AdamW, each flat in the order of [`Adapter::pairs`], A before B.
    pub first_moment: Vec<f32>,
    pub second_moment: Vec<f32>,
}
