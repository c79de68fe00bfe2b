//! Blocks of 32 weights with one scale, or a scale and an offset. Part of `dequantize`, which says why everything is
//! inlined. Layouts: `ggml-common.h`.
//!
//! Weights `j` and `j + 16` of a 4- or 5-bit block share a byte; bit `j` of a 5-bit block's `qh` is the fifth bit of
//! weight `j`.

use super::{half, keep_apart};

/// `d, quants[16]`: `(q - 8) d`.
#[inline(always)]
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let (low, high) = out.split_at_mut(16);
    for (out, byte) in low.iter_mut().zip(&block[2..18]) {
        *out = centred(byte & 0x0f, 8) * d;
    }
    keep_apart();
    for (out, byte) in high.iter_mut().zip(&block[2..18]) {
        *out = centred(byte >> 4, 8) * d;
    }
}

/// `d, m, quants[16]`: `q d + m`.
#[inline(always)]
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let m = half(u16::from_le_bytes([block[2], block[3]]));
    let (low, high) = out.split_at_mut(16);
    for (out, byte) in low.iter_mut().zip(&block[4..20]) {
        *out = f32::from(byte & 0x0f) * d + m;
    }
    keep_apart();
    for (out, byte) in high.iter_mut().zip(&block[4..20]) {
        *out = f32::from(byte >> 4) * d + m;
    }
}

/// `d, qh[4], quants[16]`: `(q - 16) d`.
#[inline(always)]
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let fifths = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    let (low, high) = out.split_at_mut(16);
    for ((out, byte), at) in low.iter_mut().zip(&block[6..22]).zip(0..) {
        *out = (five_bits(byte & 0x0f, fifths, at) - 16.0) * d;
    }
    keep_apart();
    for ((out, byte), at) in high.iter_mut().zip(&block[6..22]).zip(16..) {
        *out = (five_bits(byte >> 4, fifths, at) - 16.0) * d;
    }
}

/// `d, m, qh[4], quants[16]`: `q d + m`.
#[inline(always)]
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let d = half(u16::from_le_bytes([block[0], block[1]]));
    let m = half(u16::from_le_bytes([block[2], block[3]]));
    let fifths = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    let (low, high) = out.split_at_mut(16);
    for ((out, byte), at) in low.iter_mut().zip(&block[8..24]).zip(0..) {
        *out = five_bits(byte & 0x0f, fifths, at) * d + m;
    }
    keep_apart();
    for ((out, byte), at) in high.iter_mut().zip(&block[8..24]).zip(16..) {
        *out = five_bits(byte >> 4, fifths, at) * d + m;
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

/// Four low bits and bit `at` of the others, as a whole number from 0 to 31. Differences of such are exact.
#[inline(always)]
fn five_bits(low: u8, fifths: u32, at: u32) -> f32 {
    let quant = u32::from(low) | ((fifths.wrapping_shr(at) & 1) << 4);
    // Put into the mantissa of 2^23, whose last bit is worth 1: a conversion that all CPUs do in every lane.
    f32::from_bits(quant | 0x4b00_0000) - 8_388_608.0
}
