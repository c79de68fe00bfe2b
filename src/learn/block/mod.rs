//! One decoder block, forward and backward, written once for all architectures and kernels.
//!
//! What lives here: the linear maps with their adapters, rotations, the block around them
//! and what it keeps for its backward pass. What does not: the embedding, the head and the losses (`policy`).
//!
//! The block (Llama, Qwen2, Qwen3): `x += O·attend(rope(Q·n), rope(K·n), V·n)`, `x += Down·(silu(Gate·m) ∘ Up·m)`
//! with `n = rms(x)·w₁` and `m = rms(x)·w₂`; Qwen2 adds biases to Q, K, V, Qwen3 norms each head of Q and K.
#![expect(
    clippy::indexing_slicing,
    reason = "rows and heads of buffers: sizes follow from the model's shape and the layout"
)]
#![expect(clippy::similar_names, reason = "the pace and a site's place")]

mod backward;
mod forward;
mod linear;
mod rope;
mod stored;

use super::kernels::Kernels;
use super::kernels::attention;
use super::kernels::gemm::Left;
use super::layout::Layout;
use super::parameters::Parameters;
use super::profile::Profile;
use super::weights::WeightFile;
use super::{Pace, TrainError};

pub(super) use backward::norm_backward;
pub(super) use forward::norm_rows;
pub(super) use linear::encoded;
pub(super) use rope::Rotations;
use stored::Stored;

/// What every part of a step needs and none changes.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) kernels: &'static dyn Kernels,
    pub(super) weights: &'a WeightFile,
    pub(super) layout: &'a Layout<'a>,
    pub(super) rotations: &'a Rotations,
    pub(super) pace: &'a Pace,
    /// With the adapter, or the base alone.
    pub(super) adapted: bool,
}

/// What a layer's forward pass leaves for its backward pass, all row-major. Vectors keep their capacity.
#[derive(Debug, Default)]
pub(super) struct Activations {
    pub(super) x: Vec<f32>, // (rows, width), the layer's input
    q: Vec<f32>,            // (out rows, heads · head width), before norm and rotation where there is a norm
    k: Vec<f32>,            // (rows, kv heads · head width), likewise
    v: Vec<f32>,            // (rows, kv heads · head width)
    attended: Vec<f32>,     // (out rows, heads · head width)
    log_sum_exps: Vec<f32>, // (out rows, heads)
    middle: Vec<f32>,       // (out rows, width), between attention and feed-forward
    gate: Stored,           // (out rows, ffn width)
    up: Stored,             // (out rows, ffn width)
    low: [Vec<f32>; 7],     // (rows of the map, rank): scale · A x
}

/// Buffers that every layer uses and none keeps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    left: Left,
    bytes: [Vec<u8>; 3],
    low: Vec<f32>,
    normed: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    d_normed: Vec<f32>,
    d_queries: Vec<f32>,
    d_keys: Vec<f32>,
    d_values: Vec<f32>,
    d_attended: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    d_gate: Vec<f32>,
    d_product: Vec<f32>,
    product: Vec<f32>,
    attention: attention::Scratch,
}

/// One layer at work.
pub(super) struct Layer<'a> {
    pub(super) context: Context<'a>,
    pub(super) index: usize,
    /// First row whose output is wanted: 0, or the first answer row in the last layer.
    pub(super) from: usize,
    pub(super) parameters: &'a mut Parameters,
    pub(super) scratch: &'a mut Scratch,
    pub(super) profile: &'a mut Profile,
}

impl Activations {
    /// For a layer that computes everything again: its input is enough.
    pub(super) fn swap_input(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.x, &mut other.x);
    }
}

/// Sets the length, for a buffer whose contents are about to be written.
fn fit(buffer: &mut Vec<f32>, len: usize) {
    buffer.resize(len, 0.0);
}

impl Layer<'_> {
    fn check_pace(&self) -> Result<(), TrainError> {
        self.context.pace.check()
    }
}
