//! The dense end of a row's gradient: KL to the reference over the whole vocabulary, and logits into gradients.
//!
//! `KL(p ‖ r) = Σ_j p_j (log p_j - log r_j)`, `dKL / dz_j = p_j (log p_j - log r_j - KL)`
//!
//! Plain loops over slices without a call in them, always inlined: they become what the caller's instruction set
//! has. Sums have a fixed order, so a row gives the same number on any thread.

use super::RowGradient;
use crate::learn::exp::exp;

/// Partial sums are f32 in lanes within a block (short, so exact enough, and vectors), and f64 over blocks.
const LANES: usize = 16;
const BLOCK: usize = 32 * LANES;

/// The same row under the base (adapter off), and how strongly the policy is held to it.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    pub logits: &'a [f32],
    pub log_sum_exp: f32,
    /// The row's [`RowGradient::reference_weight`].
    pub weight: f32,
    /// [`reference_kl`] of the row.
    pub kl: f64,
}

/// KL(policy ‖ reference) in nats. Exact to about the rounding of the two log-sum-exps (1e-6); may be negative by
/// that much. Rows of equal length.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the instruction set of each caller")]
pub fn reference_kl(logits: &[f32], log_sum_exp: f32, reference: &[f32], reference_log_sum_exp: f32) -> f64 {
    let part = |z: f32, r: f32| {
        let logprob = z - log_sum_exp;
        exp(logprob) * (logprob - (r - reference_log_sum_exp))
    };
    let mut kl = 0.0;
    for (policy, reference) in logits.chunks(BLOCK).zip(reference.chunks(BLOCK)) {
        let mut lanes = [0.0_f32; LANES];
        let (policy, policy_rest) = policy.as_chunks::<LANES>();
        let (reference, reference_rest) = reference.as_chunks::<LANES>();
        for (policy, reference) in policy.iter().zip(reference) {
            for ((lane, z), r) in lanes.iter_mut().zip(policy).zip(reference) {
                *lane += part(*z, *r);
            }
        }
        for ((lane, z), r) in lanes.iter_mut().zip(policy_rest).zip(reference_rest) {
            *lane += part(*z, *r);
        }
        kl += lanes.iter().copied().map(f64::from).sum::<f64>();
    }
    kl
}

/// Turns logits into the dense part of their gradient with the KL to the reference: `z_j := p_j (dense + weight (log p_j - log r_j - kl))`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the instruction set of each caller")]
#[expect(clippy::cast_possible_truncation, reason = "gradients are f32; no bound is near")]
pub fn gradient_in_place_with_reference(
    logits: &mut [f32],
    log_sum_exp: f32,
    dense: f32,
    reference: Reference,
) {
    let constant = (f64::from(dense) - f64::from(reference.weight) * reference.kl) as f32;
    for (z, r) in logits.iter_mut().zip(reference.logits) {
        let logprob = *z - log_sum_exp;
        *z = exp(logprob) * (constant + reference.weight * (logprob - (r - reference.log_sum_exp)));
    }
}

impl RowGradient {
    /// Adds the sparse part to the columns of a row that hold the dense part; `first`: the first of them.
    pub fn add_sparse(&self, first: usize, columns: &mut [f32]) {
        for (position, value) in &self.sparse {
            if let Some(z) = position.checked_sub(first).and_then(|column| columns.get_mut(column)) {
                *z += value;
            }
        }
    }
}
