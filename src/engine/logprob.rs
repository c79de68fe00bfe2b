//! Log-probabilities from logits. Pure; only `engine` uses it.
//!
//! `log p(i) = z_i − max z − ln Σ_j exp(z_j − max z)`: the model's own distribution (temperature 1), before any
//! sampler. This runs for every token over the whole vocabulary (up to 256k entries), so it is written for the
//! vectorizer: lanes of f32 partial sums, an exponential without branches.

/// Partial sums that the compiler keeps in vector registers.
const LANES: usize = 32;

/// `max z + ln Σ_j exp(z_j − max z)`; subtracting it from a logit gives its log-probability.
pub(super) fn log_sum_exp(logits: &[f32]) -> f32 {
    let max = maximum(logits);
    if !max.is_finite() {
        return max;
    }
    let mut sums = [0.0_f32; LANES];
    let chunks = logits.chunks_exact(LANES);
    let tail: f32 = chunks.remainder().iter().map(|&logit| exp_of_negative(logit - max)).sum();
    for chunk in chunks {
        for (sum, &logit) in sums.iter_mut().zip(chunk) {
            *sum += exp_of_negative(logit - max);
        }
    }
    let total: f64 = sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + f64::from(tail);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the logarithm of a sum of at most 2^18 ones fits well"
    )]
    let log = total.ln() as f32;
    max + log
}

/// The index of the largest logit; ties go to the first. `None` when empty or all NaN.
pub(super) fn argmax(logits: &[f32]) -> Option<usize> {
    let max = maximum(logits);
    logits.iter().position(|&logit| logit >= max)
}

/// The indices of the `n` largest logits, largest first.
pub(super) fn largest(logits: &[f32], n: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(n + 1);
    let at = |index: usize| logits.get(index).copied().unwrap_or(f32::NEG_INFINITY);
    for (index, &logit) in logits.iter().enumerate() {
        if best.len() < n || best.last().is_some_and(|&last| logit > at(last)) {
            let place = best.partition_point(|&better| at(better) >= logit);
            best.insert(place, index);
            best.truncate(n);
        }
    }
    best
}

fn maximum(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = logits.chunks_exact(LANES);
    let tail = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for (lane, &logit) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(logit);
        }
    }
    lanes.iter().copied().fold(tail, f32::max)
}

/// `exp(x)` for `x ≤ 0`, relative error below 1e-6 (below −87 it is 0): `2^n · 2^f` with a polynomial for `2^f`, f in
/// ±0.5 (Cephes `expf`).
#[inline]
#[expect(clippy::excessive_precision, clippy::unreadable_literal, reason = "the coefficients as published")]
fn exp_of_negative(x: f32) -> f32 {
    /// 1.5 · 2^23: adding it leaves the nearest whole number in the low bits, without a conversion instruction.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.max(-87.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // Not `mul_add`: without hardware FMA (portable builds) that is a library call per step.
    let r = clamped - n * 0.693359375 + n * 2.12194440e-4;
    let p = 1.9875691500e-4_f32;
    let p = p * r + 1.3981999507e-3;
    let p = p * r + 8.3334519073e-3;
    let p = p * r + 4.1665795894e-2;
    let p = p * r + 1.6666665459e-1;
    let p = p * r + 5.0000001201e-1;
    let mantissa = p * r * r + (r + 1.0);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { mantissa * power }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference(logits: &[f32]) -> f64 {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        f64::from(max) + sum.ln()
    }

    #[test]
    fn equal_logits_give_the_logarithm_of_their_number() {
        let value = log_sum_exp(&vec![3.0; 151_936]);
        assert!((f64::from(value) - (3.0 + 151_936_f64.ln())).abs() < 1e-5, "{value}");
    }

    #[test]
    fn one_certain_token_has_probability_one() {
        let mut logits = vec![-1e4; 1000];
        logits[500] = 20.0;
        assert!((logits[500] - log_sum_exp(&logits)).abs() < 1e-6);
        assert_eq!(argmax(&logits), Some(500));
    }

    #[test]
    fn the_largest_come_in_order_and_ties_keep_theirs() {
        assert_eq!(largest(&[1.0, 5.0, 3.0, 5.0], 3), [1, 3, 2]);
        assert_eq!(largest(&[1.0], 3), [0]);
        assert!(largest(&[1.0, 2.0], 0).is_empty());
    }

    #[test]
    fn nothing_has_no_largest() {
        assert_eq!(argmax(&[]), None);
        assert_eq!(argmax(&[f32::NAN]), None);
    }

    proptest! {
        #[test]
        fn equals_the_definition_in_f64(logits in prop::collection::vec(-60.0_f32..60.0, 1..400)) {
            prop_assert!((f64::from(log_sum_exp(&logits)) - reference(&logits)).abs() < 2e-5);
        }
    }
}
