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
    let (low, high) = out.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[2..18]) {
        *low = centred(byte & 0x0f, 8) * d;
        *high = centred(byte >> 4, 8) * d;
    }
}

/// `d, m, quants[16]`: `q d + m`.
#[inline(always)]
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let m = half(u16::from_le_bytes([block[2], block[3]]));
    let (low, high) = out.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[4..20]) {
        *low = f32::from(byte & 0x0f) * d + m;
        *high = f32::from(byte >> 4) * d + m;
    }
}

/// `d, qh[4], quants[16]`: `(q - 16) d`.
#[inline(always)]
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let fifth = fifth_bits([block[2], block[3], block[4], block[5]]);
    let (low, high) = out.split_at_mut(16);
    let (fifth_low, fifth_high) = fifth.split_at(16);
    for ((low, byte), fifth) in low.iter_mut().zip(&block[6..22]).zip(fifth_low) {
        *low = centred((byte & 0x0f) | fifth, 16) * d;
    }
    for ((high, byte), fifth) in high.iter_mut().zip(&block[6..22]).zip(fifth_high) {
        *high = centred((byte >> 4) | fifth, 16) * d;
    }
}

/// `d, m, qh[4], quants[16]`: `q d + m`.
#[inline(always)]
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let m = half(u16::from_le_bytes([block[2], block[3]]));
    let fifth = fifth_bits([block[4], block[5], block[6], block[7]]);
    let (low, high) = out.split_at_mut(16);
    let (fifth_low, fifth_high) = fifth.split_at(16);
    for ((low, byte), fifth) in low.iter_mut().zip(&block[8..24]).zip(fifth_low) {
        *low = f32::from((byte & 0x0f) | fifth) * d + m;
    }
    for ((high, byte), fifth) in high.iter_mut().zip(&block[8..24]).zip(fifth_high) {
        *high = f32::from((byte >> 4) | fifth) * d + m;
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

/// A quant minus its centre; both are small, so the byte cannot wrap.
#[inline(always)]
fn centred(quant: u8, centre: i8) -> f32 {
    f32::from(quant.cast_signed().wrapping_sub(centre))
}

/// Bit `j` of `qh` as 0 or 16, for each of the 32 weights.
#[inline(always)]
fn fifth_bits(qh: [u8; 4]) -> [u8; 32] {
    const BIT: [u8; 32] = {
        let mut bits = [0; 32];
        let mut at = 0;
        while at < 32 {
            bits[at] = 1 << (at % 8);
            at += 1;
        }
        bits
    };
    let mut bits = [0; 32];
    let bytes = qh.iter().flat_map(|byte| [*byte; 8]);
    for ((bit, mask), byte) in bits.iter_mut().zip(BIT).zip(bytes) {
        *bit = if byte & mask == 0 { 0 } else { 16 };
    }
    bits
}
