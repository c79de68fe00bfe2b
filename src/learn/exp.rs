//! e to the x as straight-line arithmetic, which a compiler turns into vectors; `f32::exp` is a call.

/// For x ≤ 0 within 2e-7 of the true value (relative); x below -87 gives 1.6e-38 instead of less, NaN gives NaN.
///
/// `e^x = 2^n e^r` with n the nearest integer to x / ln 2 and |r| ≤ ln 2 / 2; ln 2 in two parts keeps r exact (Cody
/// and Waite 1980); the polynomial is the Taylor series to r^7, whose next term is below 6e-9.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to an integer, which is then in the low bits. No fused multiply-add: where the
    // instruction is missing it would be a call.
    const ROUNDER: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Comparisons that let a NaN through.
    let clamped = if x < -87.0 { -87.0 } else { x };
    let clamped = if clamped > 88.0 { 88.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = (clamped - n * LN_2_HIGH) - n * LN_2_LOW;
    let high = 1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let polynomial = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * high))));
    polynomial * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn is_the_exponential() {
        for step in 0..=u16::MAX {
            let x = -f32::from(step) * 1.327e-3;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 2e-7, "{x}");
        }
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
    }

    #[test]
    fn far_below_is_as_good_as_zero_and_nan_is_nan() {
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(-1e30) >= 0.0);
        assert!(exp(f32::NAN).is_nan());
    }
}
