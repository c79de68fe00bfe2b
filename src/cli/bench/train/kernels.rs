//! How fast the single kernels are: the one place where the bench asks the trainer for them.

use serde::Serialize;

/// One kernel on one shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct KernelSpeed {
    pub(super) name: String,
    /// `m,k,n`.
    pub(super) shape: String,
    pub(super) gflops: f64,
}

pub(super) fn speeds() -> Vec<KernelSpeed> {
    Vec::new()
}
