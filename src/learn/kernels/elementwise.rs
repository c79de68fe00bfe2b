//! Row-wise arithmetic: norms, rotations, SwiGLU, exponentials.
//!
//! Every function is `inline(always)` and written as loops over 16 lanes: each CPU family instantiates it inside a
//! function with its own target features ([`row_methods`]), so that the compiler vectorizes it for that CPU. Sums
//! run in 16 lanes that are added in a fixed order, the same on every CPU.

pub(super) use crate::learn::exp::exp;
use crate::learn::loss::{self, reference::Reference};

/// Lanes of a running sum.
const LANES: usize = 16;

/// Adds `f(a_i, b_i)` over two rows, in 16 lanes.
#[inline(always)]
fn sum_of(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(*a, *b);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(rest_a).zip(rest_b) {
        *lane += f(*a, *b);
    }
    total(lanes)
}

/// The sum of the lanes, pairwise, always in this order.
#[inline(always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// `1 / sqrt(mean(x²) + epsilon)`.
#[inline(always)]
fn inverse_rms(x: &[f32], epsilon: f32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
    let mean = sum_of(x, x, |a, b| a * b) / x.len() as f32;
    1.0 / (mean + epsilon).sqrt()
}

#[inline(always)]
pub(super) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let scale = inverse_rms(x, epsilon);
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

/// With r = 1/rms: `dx += r·w·dy − x·r³/d · Σ x·w·dy`.
#[inline(always)]
pub(super) fn rms_norm_backward(x: &[f32], weight: &[f32], epsilon: f32, dy: &[f32], dx: &mut [f32]) {
    let r = inverse_rms(x, epsilon);
    let mut lanes = [0.0_f32; LANES];
    let (xs, weights, dys) = (x.chunks(LANES), weight.chunks(LANES), dy.chunks(LANES));
    for ((x, weight), dy) in xs.zip(weights).zip(dys) {
        for (((lane, x), weight), dy) in lanes.iter_mut().zip(x).zip(weight).zip(dy) {
            *lane += x * weight * dy;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
    let along = total(lanes) * r * r * r / x.len() as f32;
    for (((dx, x), weight), dy) in dx.iter_mut().zip(x).zip(weight).zip(dy) {
        *dx += r * weight * dy - along * x;
    }
}

/// Rotates pairs of `x` (one head) by the angles of one position. `halves`: pairs are `(i, i + n/2)` (NeoX), else
/// neighbours.
#[inline(always)]
pub(super) fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32], halves: bool) {
    let n = cos.len();
    if halves {
        let (first, second) = x.split_at_mut(n);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    } else {
        let (pairs, _) = x.as_chunks_mut::<2>();
        for (([a, b], cos), sin) in pairs.iter_mut().zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

/// `silu(gate) · up`, Shazeer 2020 (arXiv 2002.05202).
#[inline(always)]
pub(super) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate / (1.0 + exp(-gate)) * up;
    }
}

/// From `dout`, in place: `dup = dout·silu(gate)` (in `dout`), `dgate = dout·up·(σ + silu·(1 − σ))`, and `out` again.
#[inline(always)]
pub(super) fn swiglu_backward(
    gate: &[f32],
    up: &[f32],
    dout: &mut [f32],
    dgate: &mut [f32],
    out: &mut [f32],
) {
    for ((((gate, up), dout), dgate), out) in gate.iter().zip(up).zip(dout).zip(dgate).zip(out) {
        let sigmoid = 1.0 / (1.0 + exp(-gate));
        let silu = gate * sigmoid;
        *out = silu * up;
        *dgate = *dout * up * (sigmoid + silu * (1.0 - sigmoid));
        *dout *= silu;
    }
}

/// To bf16: the upper half of an f32, rounded to nearest even. A NaN may become another number; no gradient is taken
/// when there is one.
#[inline(always)]
pub(super) fn round(x: &[f32], out: &mut [u16]) {
    for (out, x) in out.iter_mut().zip(x) {
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff).wrapping_add((bits >> 16) & 1);
        *out = (rounded >> 16) as u16;
    }
}

#[inline(always)]
pub(super) fn widen(x: &[u16], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = f32::from_bits(u32::from(*x) << 16);
    }
}

/// The largest value; −∞ of an empty row. A NaN is not noticed here but in the sum that follows.
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in x.chunks(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// `x ← e^(x − shift)`; the sum of it.
#[inline(always)]
pub(super) fn exp_shifted(x: &mut [f32], shift: f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for chunk in x.chunks_mut(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = exp(*x - shift);
            *lane += *x;
        }
    }
    total(lanes)
}

/// `Σ e^(x − shift)`.
#[inline(always)]
pub(super) fn sum_exp_shifted(x: &[f32], shift: f32) -> f32 {
    sum_of(x, x, |x, _| exp(x - shift))
}

/// `out = factor · e^(x − shift)`.
#[inline(always)]
pub(super) fn scaled_exp(x: &[f32], shift: f32, factor: f32, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = factor * exp(x - shift);
    }
}

/// The backward pass of a softmax row: `p = e^(s − lse)` into `scores`, `p·(dp − delta)` into `dp`.
#[inline(always)]
pub(super) fn softmax_backward(scores: &mut [f32], dp: &mut [f32], lse: f32, delta: f32) {
    for (score, dp) in scores.iter_mut().zip(dp) {
        *score = exp(*score - lse);
        *dp = *score * (*dp - delta);
    }
}

#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum_of(a, b, |a, b| a * b)
}

/// `x ← x · factor`.
#[inline(always)]
pub(super) fn scale(x: &mut [f32], factor: f32) {
    for x in x {
        *x *= factor;
    }
}

/// The trait's row-wise methods, each compiled for a set of target features.
#[cfg(target_arch = "x86_64")]
macro_rules! row_methods {
    ($features:literal) => {
        elementwise::row_methods!(@each $features
            fn decode(decoder: Decoder, blocks: &[u8], out: &mut [f32]);
            fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]);
            fn rms_norm_backward(x: &[f32], weight: &[f32], epsilon: f32, dy: &[f32], dx: &mut [f32]);
            fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32], halves: bool);
            fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]);
            fn swiglu_backward(gate: &[f32], up: &[f32], dout: &mut [f32], dgate: &mut [f32], out: &mut [f32]);
            fn round(x: &[f32], out: &mut [u16]);
            fn widen(x: &[u16], out: &mut [f32]);
            fn largest(x: &[f32]) -> f32;
            fn exp_shifted(x: &mut [f32], shift: f32) -> f32;
            fn sum_exp_shifted(x: &[f32], shift: f32) -> f32;
            fn scaled_exp(x: &[f32], shift: f32, factor: f32, out: &mut [f32]);
            fn softmax_backward(scores: &mut [f32], dp: &mut [f32], lse: f32, delta: f32);
            fn dot(a: &[f32], b: &[f32]) -> f32;
            fn scale(x: &mut [f32], factor: f32);
            fn reference_kl(logits: &[f32], lse: f32, reference: &[f32], reference_lse: f32) -> f64;
            fn reference_gradient(logits: &mut [f32], lse: f32, dense: f32, reference: Reference<'_>);
        );
    };
    (@each $features:literal $(fn $name:ident($($arg:ident: $kind:ty),*) $(-> $out:ty)?;)*) => {
        $(fn $name(&self, $($arg: $kind),*) $(-> $out)? {
            #[target_feature(enable = $features)]
            fn compiled($($arg: $kind),*) $(-> $out)? {
                elementwise::$name($($arg),*)
            }
            // SAFETY: `self` exists only where its features were detected.
            unsafe { compiled($($arg),*) }
        })*
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use row_methods;

#[inline(always)]
pub(super) fn decode(decoder: crate::learn::weights::Decoder, blocks: &[u8], out: &mut [f32]) {
    decoder.decode(blocks, out);
}

#[inline(always)]
pub(super) fn reference_kl(logits: &[f32], lse: f32, reference: &[f32], reference_lse: f32) -> f64 {
    loss::reference::reference_kl(logits, lse, reference, reference_lse)
}

#[inline(always)]
pub(super) fn reference_gradient(logits: &mut [f32], lse: f32, dense: f32, reference: Reference<'_>) {
    loss::reference::gradient_in_place_with_reference(logits, lse, dense, reference);
}
