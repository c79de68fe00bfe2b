//! How fast the single kernels are: the one place where the bench asks the trainer for them.

use serde::Serialize;

use super::TrainBench;
use crate::cli::output;
use crate::learn::kernels::{Kernels, available, pick};
use crate::learn::speed::measure;

/// One kernel on one shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct KernelSpeed {
    pub(super) kernels: String,
    pub(super) weights: String,
    /// Rows, summed dimension, columns of the forward product.
    pub(super) shape: [usize; 3],
    pub(super) forward_gflops: f64,
    pub(super) backward_gflops: f64,
}

/// Of the kernels that the bench uses; of all that this CPU has where only kernels are asked for.
pub(super) fn speeds(bench: &TrainBench) -> anyhow::Result<Vec<KernelSpeed>> {
    let mut speeds = Vec::new();
    for kernels in kernels(bench)? {
        output::note(&format!("measuring {} …", kernels.name()));
        speeds.extend(measure(kernels, bench.n_threads())?.into_iter().map(|speed| KernelSpeed {
            kernels: speed.kernels.to_owned(),
            weights: speed.weights.to_owned(),
            shape: speed.shape,
            forward_gflops: speed.forward_gflops,
            backward_gflops: speed.backward_gflops,
        }));
    }
    Ok(speeds)
}

fn kernels(bench: &TrainBench) -> anyhow::Result<Vec<&'static dyn Kernels>> {
    if bench.kernels_only && bench.kernels.is_none() {
        return Ok(available());
    }
    Ok(vec![pick(bench.kernels.as_deref()).map_err(anyhow::Error::msg)?])
}

/// A table for people.
pub(super) fn lines(speeds: &[KernelSpeed]) -> Vec<String> {
    let head = "kernels        weights  rows x sum x columns  forward GFLOP/s  backward";
    let row = |speed: &KernelSpeed| {
        let shape = speed.shape.map(|n| n.to_string()).join("x");
        format!(
            "{:<15}{:<9}{shape:<22}{:>15.0}{:>10.0}",
            speed.kernels, speed.weights, speed.forward_gflops, speed.backward_gflops
        )
    };
    std::iter::once(head.to_owned()).chain(speeds.iter().map(row)).collect()
}
