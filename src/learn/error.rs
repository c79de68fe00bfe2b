//! Why training did not happen, in a sentence that names the input and the next step.

use std::path::PathBuf;

/// Why a trainer could not be opened, or a step not be taken. Nothing was changed by a step that failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Weights(#[from] super::weights::WeightError),
    #[error("{what} is not finite at gradient step {step}; the adapter stays as it was before the step")]
    NotFinite { what: String, step: u64 },
    #[error(
        "a sample of {n_tokens} tokens needs {needed_mib} MiB and the memory budget leaves {budget_mib} MiB; \
         raise the budget, or train on shorter samples"
    )]
    OutOfBudget { n_tokens: usize, needed_mib: u64, budget_mib: u64 },
    #[error("sample {sample} has {n_tokens} tokens and the model's context ends at {context}")]
    TooLong { sample: usize, n_tokens: usize, context: usize },
    #[error("sample {sample} {reason}")]
    BadSample { sample: usize, reason: String },
    #[error("the adapter does not fit this model: {0}")]
    Misfit(String),
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("training was cancelled")]
    Cancelled,
}
