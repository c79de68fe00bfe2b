//! Stored weights into numbers, whole blocks at a time: one pure function for each native type.
//!
//! What lives here: the dispatch, the float formats, half precision. The quantized formats are in `legacy` (blocks of
//! 32) and `k_quants` (blocks of 256). What does not: reading the file, types that only ggml decodes (`decoder`).
//!
//! What always holds: the result has the same bits as ggml's own `to_float` (`ggml-quants.c`): the same operations in
//! the same order, never fused. (Where a C compiler fuses products and sums by default, as GCC does for ARM, ggml
//! itself may differ in the last bit of the types with an offset: `Q4_1`, `Q5_1`, `Q2_K`, `Q4_K`, `Q5_K`.)
//!
//! All functions are `#[inline(always)]` because kernels call them inside functions with `#[target_feature]`: only
//! what is inlined there is vectorized for that CPU. Inner loops therefore have fixed lengths, no branches and no
//! bounds checks.
#![expect(
    clippy::inline_always,
    reason = "inlined into kernels with #[target_feature], so that they are vectorized for that CPU"
)]

mod k_quants;
mod legacy;

use crate::gguf::TensorType;

/// A type that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Native {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

impl Native {
    /// `None` for the types that are left to ggml.
    pub fn of(tensor_type: TensorType) -> Option<Self> {
        Some(match tensor_type.name() {
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "Q4_0" => Self::Q4_0,
            "Q4_1" => Self::Q4_1,
            "Q5_0" => Self::Q5_0,
            "Q5_1" => Self::Q5_1,
            "Q8_0" => Self::Q8_0,
            "Q2_K" => Self::Q2K,
            "Q3_K" => Self::Q3K,
            "Q4_K" => Self::Q4K,
            "Q5_K" => Self::Q5K,
            "Q6_K" => Self::Q6K,
            _ => return None,
        })
    }
}

/// Calls the decoder for each block. Not a function that takes the decoder as a value: calls through `Fn` are not
/// always inlined, and then nothing is vectorized.
macro_rules! each_block {
    ($blocks:expr, $out:expr, $decode:path) => {
        for (block, out) in $blocks.as_chunks().0.iter().zip($out.as_chunks_mut().0) {
            keep_apart();
            $decode(block, out);
        }
    };
}

/// Decodes whole blocks. `blocks` and `out` hold the same number of weights; of unequal ones the shorter counts.
#[inline(always)]
pub(crate) fn dequantize(kind: Native, blocks: &[u8], out: &mut [f32]) {
    match kind {
        Native::F32 => f32_bits(blocks, out),
        Native::F16 => f16(blocks, out),
        Native::Bf16 => bf16(blocks, out),
        Native::Q4_0 => each_block!(blocks, out, legacy::q4_0),
        Native::Q4_1 => each_block!(blocks, out, legacy::q4_1),
        Native::Q5_0 => each_block!(blocks, out, legacy::q5_0),
        Native::Q5_1 => each_block!(blocks, out, legacy::q5_1),
        Native::Q8_0 => each_block!(blocks, out, legacy::q8_0),
        Native::Q2K => each_block!(blocks, out, k_quants::q2_k),
        Native::Q3K => each_block!(blocks, out, k_quants::q3_k),
        Native::Q4K => each_block!(blocks, out, k_quants::q4_k),
        Native::Q5K => each_block!(blocks, out, k_quants::q5_k),
        Native::Q6K => each_block!(blocks, out, k_quants::q6_k),
    }
}

/// An empty barrier between groups of weights that share a scale. Without it LLVM vectorizes across groups or blocks,
/// with gathers and scatters, instead of inside a group, where everything is contiguous: six times slower for `Q4_0`
/// and AVX-512.
#[inline(always)]
fn keep_apart() {
    std::hint::black_box(());
}

#[inline(always)]
fn f32_bits(bytes: &[u8], out: &mut [f32]) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = f32::from_le_bytes(*bytes);
    }
}

#[inline(always)]
fn f16(bytes: &[u8], out: &mut [f32]) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = half(u16::from_le_bytes(*bytes));
    }
}

/// The upper half of an `f32`.
#[inline(always)]
fn bf16(bytes: &[u8], out: &mut [f32]) {
    for (out, [low, high]) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = f32::from_le_bytes([0, 0, *low, *high]);
    }
}

/// IEEE half precision, exact for every input (a signalling NaN becomes quiet, as in hardware). Without a branch:
/// normal numbers get their exponent by a product, subnormal ones by a difference, and one of both is chosen.
#[inline(always)]
fn half(bits: u16) -> f32 {
    let wide = u32::from(bits) << 16;
    let magnitude = wide << 1;
    let normal = f32::from_bits((magnitude >> 4).wrapping_add(0xe0 << 23)) * f32::from_bits(15 << 23);
    let subnormal = f32::from_bits((magnitude >> 17) | (126 << 23)) - 0.5;
    let chosen = if magnitude < 1 << 27 { subnormal } else { normal };
    f32::from_bits((wide & 0x8000_0000) | chosen.to_bits())
}

#[cfg(test)]
mod tests;
