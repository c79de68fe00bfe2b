//! Blocks of 32 weights with one scale, or a scale and an offset. Part of `dequantize`, which says why everything is
//! inlined. Layouts: `ggml-common.h`.
//!
//! Weights `j` and `j + 16` of a 4- or 5-bit block share a byte; bit `j` of a 5-bit block's `qh` is the fifth bit of
//! weight `j`.

use super::half;

/// `d, quants[16]`: `(q - 8) d`.
#[inline(always)]
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let quants = nibbles(&block[2..18]);
    for (out, quant) in out.iter_mut().zip(quants) {
        *out = centred(quant, 8) * d;
    }
}

/// `d, m, quants[16]`: `q d + m`.
#[inline(always)]
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let m = half(u16::from_le_bytes([block[2], block[3]]));
    let quants = nibbles(&block[4..20]);
    for (out, quant) in out.iter_mut().zip(quants) {
        *out = f32::from(quant) * d + m;
    }
}

/// `d, qh[4], quants[16]`: `(q - 16) d`.
#[inline(always)]
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let fifth = fifth_bits([block[2], block[3], block[4], block[5]]);
    let quants = nibbles(&block[6..22]);
    for ((out, quant), fifth) in out.iter_mut().zip(quants).zip(fifth) {
        *out = centred(quant | fifth, 16) * d;
    }
}

/// `d, m, qh[4], quants[16]`: `q d + m`.
#[inline(always)]
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let m = half(u16::from_le_bytes([block[2], block[3]]));
    let fifth = fifth_bits([block[4], block[5], block[6], block[7]]);
    let quants = nibbles(&block[8..24]);
    for ((out, quant), fifth) in out.iter_mut().zip(quants).zip(fifth) {
        *out = f32::from(quant | fifth) * d + m;
    }
}

/// `d, quants[32]`: `q d`.
#[inline(always)]
pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    for (out, byte) in out.iter_mut().zip(&block[2..34]) {
        *out = f32::from(byte.cast_signed()) * d;
    }
}

/// The lower halves of sixteen bytes, then the upper ones.
#[inline(always)]
fn nibbles(bytes: &[u8]) -> [u8; 32] {
    let mut quants = [0; 32];
    let (low, high) = quants.split_at_mut(16);
    for (low, byte) in low.iter_mut().zip(bytes) {
        *low = byte & 0x0f;
    }
    for (high, byte) in high.iter_mut().zip(bytes) {
        *high = byte >> 4;
    }
    quants
}

/// A quant minus its centre; both are small, so the byte cannot wrap.
#[inline(always)]
fn centred(quant: u8, centre: i8) -> f32 {
    f32::from(quant.cast_signed().wrapping_sub(centre))
}

/// Bit `j` of `qh` as 0 or 16, for each of the 32 weights.
#[inline(always)]
fn fifth_bits(qh: [u8; 4]) -> [u8; 32] {
    let qh = u32::from_le_bytes(qh);
    let mut bits = [0; 32];
    for (bit, shift) in bits.iter_mut().zip(0_u32..) {
        *bit = (qh.wrapping_shr(shift).to_le_bytes()[0] & 1) << 4;
    }
    bits
}
