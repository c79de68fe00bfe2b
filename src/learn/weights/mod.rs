//! The frozen weights, read from the same GGUF file that the engine serves.

use std::path::PathBuf;

/// Why a model file cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    #[error("cannot read {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}
