//! The three ways in which files store a matrix's numbers, and into F32. Pure.

/// A little-endian floating-point format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    F32,
    F16,
    Bf16,
}

/// Every value exactly; bytes that are no whole value are left out.
pub(super) fn from_bytes(number: Number, bytes: &[u8]) -> Vec<f32> {
    match number {
        Number::F32 => bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect(),
        Number::F16 => bytes.as_chunks().0.iter().map(|value| from_f16(u16::from_le_bytes(*value))).collect(),
        Number::Bf16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|value| f32::from_bits(u32::from(u16::from_le_bytes(*value)) << 16))
            .collect(),
    }
}

/// IEEE 754 binary16: one sign bit, five of exponent (bias 15), ten of fraction.
fn from_f16(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        // Zero and subnormal numbers: fraction · 2⁻²⁴, exact in F32.
        0 => f32::from(bits & 0x3ff) * f32::from_bits((127 - 24) << 23),
        0x1f => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: Number, bits: u16, expected: f32) {
        let found = from_bytes(number, &bits.to_le_bytes());
        assert_eq!(found.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), [expected.to_bits()]);
    }

    #[test]
    fn half_precision_is_exact() {
        check(Number::F16, 0x0000, 0.0);
        check(Number::F16, 0x8000, -0.0);
        check(Number::F16, 0x3c00, 1.0);
        check(Number::F16, 0xc000, -2.0);
        check(Number::F16, 0x7bff, 65504.0);
        check(Number::F16, 0x0400, 2.0_f32.powi(-14));
        check(Number::F16, 0x0001, 2.0_f32.powi(-24));
        check(Number::F16, 0x83ff, -1023.0 * 2.0_f32.powi(-24));
        check(Number::F16, 0x3555, 0.333_251_95);
        check(Number::F16, 0x7c00, f32::INFINITY);
        assert!(from_f16(0x7e00).is_nan());
    }

    #[test]
    fn bfloat_is_the_upper_half() {
        check(Number::Bf16, 0x3f80, 1.0);
        check(Number::Bf16, 0xc0a0, -5.0);
    }
}
