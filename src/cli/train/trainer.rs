//! The one place where the command line opens the real trainer.

use std::path::PathBuf;

use crate::learn::optimizer::AdamWSettings;
use crate::learn::{LocalTrainer, Start, TrainError, TrainSettings, Trainer};

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
    /// Behind everything else that the machine does.
    pub(in crate::cli) lowest_priority: bool,
}

pub(in crate::cli) fn open_trainer(opening: Opening) -> Result<Box<dyn Trainer>, TrainError> {
    let optimizer = AdamWSettings {
        learning_rate: opening.learning_rate,
        warmup_steps: opening.warmup_steps,
        total_steps: Some(opening.total_steps),
        ..AdamWSettings::default()
    };
    let settings = TrainSettings {
        model: opening.model,
        threads: opening.threads,
        memory_bytes: opening.memory_mib.saturating_mul(1 << 20),
        kernels: opening.kernels,
        optimizer,
        lowest_priority: opening.lowest_priority,
    };
    Ok(Box::new(LocalTrainer::open(&settings, opening.start)?))
}
