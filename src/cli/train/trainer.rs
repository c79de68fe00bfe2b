//! The one place where the command line opens the real trainer.

use std::path::PathBuf;

use crate::learn::{TrainError, TrainState, Trainer};

/// What to open, and how much of the machine it may use.
pub(in crate::cli) struct Opening {
    pub(in crate::cli) model: PathBuf,
    pub(in crate::cli) threads: usize,
    pub(in crate::cli) memory_mib: u64,
    /// By name; the fastest that this machine has when nothing is named.
    pub(in crate::cli) kernels: Option<String>,
    pub(in crate::cli) learning_rate: f64,
    /// Gradient steps over which the rate rises.
    pub(in crate::cli) warmup_steps: u64,
    /// Gradient steps of the whole run, for the rate's fall.
    pub(in crate::cli) total_steps: u64,
    pub(in crate::cli) start: Start,
}

/// What the adapter begins as.
pub(in crate::cli) enum Start {
    Fresh { rank: usize, alpha: f32, seed: u64 },
    Resume(TrainState),
}

pub(in crate::cli) fn open_trainer(opening: Opening) -> Result<Box<dyn Trainer>, TrainError> {
    let Opening { model, threads, memory_mib, kernels, learning_rate, warmup_steps, total_steps, start } =
        opening;
    let start = match start {
        Start::Fresh { rank, alpha, seed } => format!("rank {rank}, alpha {alpha}, seed {seed}"),
        Start::Resume(state) => format!("step {}", state.step),
    };
    let source = std::io::Error::other(format!(
        "this program was built without a trainer (wanted: {threads} threads, {memory_mib} MiB, kernels {kernels:?}, \
         rate {learning_rate}, warm-up {warmup_steps} of {total_steps}, {start})"
    ));
    Err(TrainError::Io { path: model, source })
}
