//! What can be wrong with a model file as a base for training, in sentences that name it and say what to do.

use std::io;
use std::path::PathBuf;

use crate::gguf::{GgufError, TensorType};

/// Why a model file cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    #[error("cannot read {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// `reason` begins with a verb: "has a mixture of experts …".
    #[error("{} {reason}: this model cannot be trained; lessons still work", path.display())]
    Untrainable { path: PathBuf, reason: String },
    #[error("{} has no tensor {name}, which every model of the architecture {architecture} has; convert the model again", path.display())]
    Missing { path: PathBuf, name: String, architecture: &'static str },
    #[error("tensor {name} of {} has the shape {found:?} and should have {expected:?}; convert the model again", path.display())]
    Shape { path: PathBuf, name: String, expected: Vec<u64>, found: Vec<u64> },
    #[error(
        "tensor {name} of {} is stored in {tensor_type}, which neither chela nor its llama.cpp can decode: this model \
         cannot be trained; get another quantization of it (lessons still work)",
        path.display()
    )]
    UnknownType { path: PathBuf, name: String, tensor_type: TensorType },
    #[error(
        "weight {at} of tensor {name} in {} is not a finite number: the file is damaged or was made by a broken \
         conversion; get the model again",
        path.display()
    )]
    NotFinite { path: PathBuf, name: String, at: u64 },
    #[error("rows {start} to {end} are not all in tensor {name}, which has {n_rows}")]
    NoSuchRows { name: String, start: usize, end: usize, n_rows: usize },
    #[error(
        "the model file changed while training: {} {what}; what was learned since is not kept, start the training again",
        path.display()
    )]
    Changed { path: PathBuf, what: String },
    #[error("reading {} was cancelled", path.display())]
    Cancelled { path: PathBuf },
}

impl WeightError {
    /// The sentence without the file's name, for where that stands already.
    pub fn reason(&self) -> String {
        match self {
            Self::Untrainable { reason, .. } => format!("it {reason}; lessons still work"),
            other => other.to_string(),
        }
    }
}
