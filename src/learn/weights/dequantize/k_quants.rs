//! Blocks of 256 weights in groups of 16 or 32, each with a small whole-number scale of its own. Part of
//! `dequantize`, which says why everything is inlined. Layouts: `ggml-common.h`.

use super::{half, keep_apart};

/// `scales[16], quants[64], d, dmin`: group of 16 weights, `d s q - dmin m`; `s` and `m` share a byte.
#[inline(always)]
pub(super) fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let d = half(u16::from_le_bytes([block[80], block[81]]));
    let dmin = half(u16::from_le_bytes([block[82], block[83]]));
    let scales = block[..16].as_chunks::<8>().0;
    let quants = block[16..80].as_chunks::<32>().0;
    for ((out, quants), scales) in out.as_chunks_mut::<128>().0.iter_mut().zip(quants).zip(scales) {
        let pairs = scales.as_chunks::<2>().0;
        for ((out, scales), shift) in out.as_chunks_mut::<32>().0.iter_mut().zip(pairs).zip([0, 2, 4, 6]) {
            let groups = out.as_chunks_mut::<16>().0.iter_mut().zip(quants.as_chunks::<16>().0);
            for ((out, quants), scale) in groups.zip(scales) {
                keep_apart();
                let dl = d * f32::from(scale & 0x0f);
                let ml = dmin * f32::from(scale >> 4);
                for (out, byte) in out.iter_mut().zip(quants) {
                    *out = dl * f32::from((byte >> shift) & 3) - ml;
                }
            }
        }
    }
}

/// `high[32], quants[64], scales[12], d`: group of 16 weights, `d (s - 32) (q - 4)`; the third bit of `q` is in `high`.
#[inline(always)]
pub(super) fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = half(u16::from_le_bytes([block[108], block[109]]));
    let scales = q3_scales(block);
    let quants = block[32..96].as_chunks::<32>().0;
    let halves = out.as_chunks_mut::<128>().0.iter_mut().zip(quants).zip(scales.as_chunks::<8>().0);
    for (((out, bytes), scales), first_bit) in halves.zip([0, 4]) {
        let quants = q3_quants(bytes, &block[..32], first_bit);
        let groups = quants.as_chunks::<16>().0.iter().zip(scales);
        for (out, (quants, scale)) in out.as_chunks_mut::<16>().0.iter_mut().zip(groups) {
            let scale = d * f32::from(*scale);
            for (out, quant) in out.iter_mut().zip(quants) {
                *out = scale * f32::from(*quant);
            }
        }
    }
}

/// Half a block's quants, minus 4. The third bits of its four quarters are in `high` from `first_bit` on.
#[inline(always)]
fn q3_quants(bytes: &[u8; 32], high: &[u8], first_bit: u32) -> [i8; 128] {
    let mut quants = [0; 128];
    for (quants, at) in quants.as_chunks_mut::<32>().0.iter_mut().zip([0, 1, 2, 3]) {
        for ((quant, byte), high) in quants.iter_mut().zip(bytes).zip(high) {
            let third = (high.wrapping_shr(first_bit + at) & 1) << 2;
            *quant = (byte.wrapping_shr(2 * at) & 3 | third).cast_signed().wrapping_sub(4);
        }
    }
    quants
}

/// Sixteen scales of six bits, minus 32: four bits in the first eight bytes, two in the last four.
#[inline(always)]
fn q3_scales(block: &[u8; 110]) -> [i8; 16] {
    let (low, high) = (&block[96..104], &block[104..108]);
    let mut scales = [0; 16];
    let (first, second) = scales.split_at_mut(8);
    for ((first, second), low) in first.iter_mut().zip(second).zip(low) {
        *first = low & 0x0f;
        *second = low >> 4;
    }
    for (scales, shift) in scales.as_chunks_mut::<4>().0.iter_mut().zip([0, 2, 4, 6]) {
        for (scale, high) in scales.iter_mut().zip(high) {
            *scale |= ((high >> shift) & 3) << 4;
        }
    }
    scales.map(|scale| scale.cast_signed().wrapping_sub(32))
}

/// `d, dmin, scales[12], quants[128]`: group of 32 weights, `d s q - dmin m`.
#[inline(always)]
pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (scales, mins) = scales_and_mins(block[..16].as_chunks::<16>().0);
    let pairs = scales.as_chunks::<2>().0.iter().zip(mins.as_chunks::<2>().0);
    let quants = block[16..144].as_chunks::<32>().0;
    for ((out, quants), (scales, mins)) in out.as_chunks_mut::<64>().0.iter_mut().zip(quants).zip(pairs) {
        keep_apart();
        let (low, high) = out.split_at_mut(32);
        for (out, byte) in low.iter_mut().zip(quants) {
            *out = scales[0] * f32::from(byte & 0x0f) - mins[0];
        }
        for (out, byte) in high.iter_mut().zip(quants) {
            *out = scales[1] * f32::from(byte >> 4) - mins[1];
        }
    }
}

/// `d, dmin, scales[12], high[32], quants[128]`: as `q4_k`; bit `g` of `high[j]` is the fifth bit of weight `j` of
/// group `g`.
#[inline(always)]
pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (scales, mins) = scales_and_mins(block[..16].as_chunks::<16>().0);
    let pairs = scales.as_chunks::<2>().0.iter().zip(mins.as_chunks::<2>().0);
    let high = &block[16..48];
    let quants = block[48..176].as_chunks::<32>().0;
    let groups = out.as_chunks_mut::<64>().0.iter_mut().zip(quants).zip(pairs);
    for (((out, quants), (scales, mins)), bit) in groups.zip([0, 2, 4, 6]) {
        let (first, second) = out.split_at_mut(32);
        for ((out, byte), high) in first.iter_mut().zip(quants).zip(high) {
            let quant = (byte & 0x0f) | (((high >> bit) & 1) << 4);
            *out = scales[0] * f32::from(quant) - mins[0];
        }
        for ((out, byte), high) in second.iter_mut().zip(quants).zip(high) {
            let quant = (byte >> 4) | (((high >> (bit + 1)) & 1) << 4);
            *out = scales[1] * f32::from(quant) - mins[1];
        }
    }
}

/// `d s` and `dmin m` of the eight groups of a `q4_k` or `q5_k` block, from its first 16 bytes: `d, dmin`, and twelve
/// bytes with eight scales and eight minima of six bits.
#[inline(always)]
fn scales_and_mins(head: &[[u8; 16]]) -> ([f32; 8], [f32; 8]) {
    let [head] = head else { return ([0.0; 8], [0.0; 8]) };
    let d = half(u16::from_le_bytes([head[0], head[1]]));
    let dmin = half(u16::from_le_bytes([head[2], head[3]]));
    let (mut scales, mut mins) = ([0_u8; 8], [0_u8; 8]);
    let first = head[4..8].iter().zip(&head[8..12]).zip(&head[12..16]);
    let (scales_low, scales_high) = scales.split_at_mut(4);
    let (mins_low, mins_high) = mins.split_at_mut(4);
    let groups = scales_low.iter_mut().zip(scales_high).zip(mins_low.iter_mut().zip(mins_high));
    for (((scale, min), both), ((scale_low, scale_high), (min_low, min_high))) in first.zip(groups) {
        *scale_low = scale & 0x3f;
        *min_low = min & 0x3f;
        *scale_high = (both & 0x0f) | ((scale >> 6) << 4);
        *min_high = (both >> 4) | ((min >> 6) << 4);
    }
    (scales.map(|scale| d * f32::from(scale)), mins.map(|min| dmin * f32::from(min)))
}

/// `low[128], high[64], scales[16], d`: group of 16 weights, `d s (q - 32)`; four bits in `low`, two in `high`.
#[inline(always)]
pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = half(u16::from_le_bytes([block[208], block[209]]));
    let low = block[..128].as_chunks::<64>().0.iter();
    let high = block[128..192].as_chunks::<32>().0.iter();
    let scales = block[192..208].as_chunks::<8>().0.iter();
    let halves = low.zip(high).zip(scales);
    for (out, ((low, high), scales)) in out.as_chunks_mut::<128>().0.iter_mut().zip(halves) {
        let quants = q6_quants(low, high);
        let groups = quants.as_chunks::<16>().0.iter().zip(scales);
        for (out, (quants, scale)) in out.as_chunks_mut::<16>().0.iter_mut().zip(groups) {
            let scale = d * f32::from(scale.cast_signed());
            for (out, quant) in out.iter_mut().zip(quants) {
                *out = scale * f32::from(*quant);
            }
        }
    }
}

/// Half a block's quants, minus 32.
#[inline(always)]
fn q6_quants(low: &[u8; 64], high: &[u8; 32]) -> [i8; 128] {
    let mut quants = [0_i8; 128];
    let (near, far) = low.split_at(32);
    let (first, rest) = quants.split_at_mut(32);
    let (second, rest) = rest.split_at_mut(32);
    let (third, fourth) = rest.split_at_mut(32);
    for ((quant, low), high) in first.iter_mut().zip(near).zip(high) {
        *quant = six_bits(low & 0x0f, high << 4);
    }
    for ((quant, low), high) in second.iter_mut().zip(far).zip(high) {
        *quant = six_bits(low & 0x0f, high << 2);
    }
    for ((quant, low), high) in third.iter_mut().zip(near).zip(high) {
        *quant = six_bits(low >> 4, *high);
    }
    for ((quant, low), high) in fourth.iter_mut().zip(far).zip(high) {
        *quant = six_bits(low >> 4, high >> 2);
    }
    quants
}

/// Four low bits, and two high ones in their places, minus 32.
#[inline(always)]
fn six_bits(low: u8, high: u8) -> i8 {
    (low | (high & 0x30)).cast_signed().wrapping_sub(32)
}
