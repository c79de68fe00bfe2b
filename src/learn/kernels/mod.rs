//! The arithmetic below a decoder block, once per family of CPUs, picked when the program runs.
//!
//! What lives here: the trait of single-threaded primitives and its implementations (`avx512_bf16`, `avx512`, `avx2`, `neon`,
//! `accelerate`, `plain`), and on top of it the parallel matrix products (`gemm`). Only `learn` uses it. With the
//! engine's FFI files this is the only folder with `unsafe`; each block says why it is sound.
//!
//! What always holds: a number's summation order depends on the shapes alone, never on the number of threads.
#![expect(
    clippy::indexing_slicing,
    reason = "loops over panels: sizes are asserted where panels are taken apart"
)]
#![expect(clippy::inline_always, reason = "compiled inside functions with the CPU features of each family")]

#[cfg(all(target_arch = "aarch64", target_os = "macos"))]
mod accelerate;
pub(crate) mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
mod elementwise;
#[cfg(target_arch = "x86_64")]
mod encoded;
pub(crate) mod gemm;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod outer;
mod pick;
mod plain;
mod small;
#[cfg(test)]
mod tests;
mod tile;

pub use pick::{available, pick};
pub use tile::{Shared, Tile};

use std::ops::Range;

use super::loss::reference::Reference;
use super::weights::Decoder;

/// The register tile of a matrix kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the left operand in a panel.
    pub left: usize,
    /// Columns of the right operand in a panel.
    pub right: usize,
    /// How many steps of the summed dimension share one 32-bit word: 1 (f32) or 2 (bf16).
    pub per_word: usize,
}

/// A part of a frozen weight matrix as it lies in the file: whole rows, still encoded.
#[derive(Debug, Clone, Copy)]
pub struct Encoded<'a> {
    pub(crate) decoder: Decoder,
    pub(crate) bytes: &'a [u8],
    pub(crate) row_bytes: usize,
    /// Weights and bytes of a block.
    pub(crate) block_len: usize,
    pub(crate) block_bytes: usize,
}

/// Where a stretch of the right operand of a product goes: `[panel][words][lanes]`.
#[derive(Debug)]
pub struct Panels<'a> {
    /// Words of a whole panel.
    pub(crate) words: usize,
    /// Where the stretch begins in each panel.
    pub(crate) first_word: usize,
    pub(crate) lanes: usize,
    pub(crate) right: &'a mut [u32],
}

impl Panels<'_> {
    /// The place of panel `panel`, from word `word` of this stretch on.
    pub(crate) fn panel(&mut self, panel: usize, word: usize) -> &mut [u32] {
        let start = panel * self.words + self.first_word + word;
        &mut self.right[start * self.lanes..(panel + 1) * self.words * self.lanes]
    }
}

/// `words` steps of the summed dimension: the same stretch of a left and of a right panel.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub(crate) words: usize,
    pub(crate) left: &'a [u32],
    pub(crate) right: &'a [u32],
}

/// A row-major matrix, or a window of one.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub(crate) values: &'a [f32],
    /// Distance between the starts of two rows.
    pub(crate) stride: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(values: &'a [f32], stride: usize) -> Self {
        Self { values, stride }
    }

    /// The first `n` values of row `at`.
    #[inline(always)]
    pub(crate) fn row(&self, at: usize, n: usize) -> &'a [f32] {
        &self.values[at * self.stride..][..n]
    }

    /// The window that begins at row `row`, column `col`.
    pub(crate) fn from(&self, row: usize, col: usize) -> Self {
        Self { values: &self.values[row * self.stride + col..], stride: self.stride }
    }
}

/// What one thread does with slices. A value of this trait exists only on CPUs that can run it.
///
/// Operands of `multiply` are packed in panels of 32-bit words, `[k / per_word][width]`: a word holds one f32, or
/// two bf16 of consecutive k (the even one in the low half). Packing pads with zeros.
pub trait Kernels: Send + Sync {
    /// As `chela bench train --kernels` names it.
    fn name(&self) -> &'static str;
    fn shape(&self) -> Shape;

    /// Packs `size = (n_rows, k)` values of a matrix whose rows become the panel's lanes: `panel[k][row]`.
    fn pack_rows(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]);
    /// Packs `size = (k, n_cols)` values of a matrix whose columns become the panel's lanes: `panel[k][col]`.
    fn pack_columns(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]);
    /// `tile (+)= Σ left · right` over the runs, in their order.
    fn multiply(&self, runs: &[Run<'_>], tile: Tile<'_>);
    /// `tile (+)= leftᵀ · right` over `k` rows of both, in f32, unpacked; at most 16 by 16.
    fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>);

    /// Packs encoded weights, rows `cols` of them becoming lanes, summed over their columns `k` (whole blocks),
    /// without decoding them to f32 first. `false`: nothing was done, this type has no such way.
    fn pack_encoded_rows(
        &self,
        _from: &Encoded<'_>,
        _cols: &Range<usize>,
        _k: &Range<usize>,
        _into: &mut Panels<'_>,
    ) -> bool {
        false
    }
    /// The same for columns `cols` (whole blocks) that become lanes, summed over rows `k`.
    fn pack_encoded_columns(
        &self,
        _from: &Encoded<'_>,
        _cols: &Range<usize>,
        _k: &Range<usize>,
        _into: &mut Panels<'_>,
    ) -> bool {
        false
    }

    /// Asks for memory that will be read soon.
    fn prefetch(&self, _bytes: &[u8]) {}
    /// Encoded weights (whole blocks) into f32.
    fn decode(&self, decoder: Decoder, blocks: &[u8], out: &mut [f32]) {
        elementwise::decode(decoder, blocks, out);
    }
    fn rms_norm(&self, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        elementwise::rms_norm(x, weight, epsilon, out);
    }
    /// Adds to `dx`.
    #[expect(clippy::too_many_arguments, reason = "the receiver only names the CPU")]
    fn rms_norm_backward(&self, x: &[f32], weight: &[f32], epsilon: f32, dy: &[f32], dx: &mut [f32]) {
        elementwise::rms_norm_backward(x, weight, epsilon, dy, dx);
    }
    /// Rotary position embedding of one head; with −sin it is its own inverse and its own backward pass.
    fn rotate(&self, x: &mut [f32], cos: &[f32], sin: &[f32], halves: bool) {
        elementwise::rotate(x, cos, sin, halves);
    }
    fn swiglu(&self, gate: &[f32], up: &[f32], out: &mut [f32]) {
        elementwise::swiglu(gate, up, out);
    }
    /// `dout` becomes the gradient of `up`; `out` is computed again for who needs it.
    #[expect(clippy::too_many_arguments, reason = "the receiver only names the CPU")]
    fn swiglu_backward(
        &self,
        gate: &[f32],
        up: &[f32],
        dout: &mut [f32],
        dgate: &mut [f32],
        out: &mut [f32],
    ) {
        elementwise::swiglu_backward(gate, up, dout, dgate, out);
    }
    /// To bf16, nearest even.
    fn round(&self, x: &[f32], out: &mut [u16]) {
        elementwise::round(x, out);
    }
    /// From bf16.
    fn widen(&self, x: &[u16], out: &mut [f32]) {
        elementwise::widen(x, out);
    }
    fn largest(&self, x: &[f32]) -> f32 {
        elementwise::largest(x)
    }
    /// `x ← e^(x − shift)` and its sum.
    fn exp_shifted(&self, x: &mut [f32], shift: f32) -> f32 {
        elementwise::exp_shifted(x, shift)
    }
    fn sum_exp_shifted(&self, x: &[f32], shift: f32) -> f32 {
        elementwise::sum_exp_shifted(x, shift)
    }
    /// `out = factor · e^(x − shift)`.
    fn scaled_exp(&self, x: &[f32], shift: f32, factor: f32, out: &mut [f32]) {
        elementwise::scaled_exp(x, shift, factor, out);
    }
    /// Scores into probabilities, and the gradient of probabilities into that of scores.
    fn softmax_backward(&self, scores: &mut [f32], dp: &mut [f32], lse: f32, delta: f32) {
        elementwise::softmax_backward(scores, dp, lse, delta);
    }
    fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        elementwise::dot(a, b)
    }
    fn scale(&self, x: &mut [f32], factor: f32) {
        elementwise::scale(x, factor);
    }
    /// KL(policy ‖ reference) of two rows of logits with their log-sum-exps.
    fn reference_kl(&self, logits: &[f32], lse: f32, reference: &[f32], reference_lse: f32) -> f64 {
        elementwise::reference_kl(logits, lse, reference, reference_lse)
    }
    /// See [`crate::learn::loss::reference::gradient_in_place_with_reference`].
    fn reference_gradient(&self, logits: &mut [f32], lse: f32, dense: f32, reference: Reference<'_>) {
        elementwise::reference_gradient(logits, lse, dense, reference);
    }
}
