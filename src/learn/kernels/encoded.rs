//! Weights straight from the file into bf16 panels, without a stop in f32: for the types whose blocks are 32 weights
//! with one scale (`Q4_0`, `Q8_0`). Only the `avx512_bf16` kernels use it; other types are decoded first.
//!
//! What always holds: the words are those that decoding to f32 and rounding to bf16 gives, bit for bit.
#![expect(unsafe_code, reason = "SIMD intrinsics and calls into functions with CPU features")]

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512i, _MM_HINT_T0, _mm_and_si128, _mm_loadu_si128, _mm_prefetch,
    _mm_set1_epi8, _mm_srli_epi16, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_set_m128i, _mm256_set1_epi16, _mm512_castsi256_si512, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu8_epi16, _mm512_cvtneps_pbh, _mm512_cvtph_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mul_ps, _mm512_permutex2var_epi16, _mm512_permutexvar_epi16, _mm512_setzero_si512,
    _mm512_storeu_si512,
};
use std::mem::transmute;
use std::ops::Range;

use super::avx512::{LANES, RIGHT, transpose};
use super::avx512_bf16::to_words;
use super::{Encoded, Panels};
use crate::learn::weights::{Decoder, Native};

/// Weights of a block, both types.
const BLOCK: usize = 32;
/// Bytes that are asked for ahead in a row.
const AHEAD: usize = 192;

/// The types that are decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Q4,
    Q8,
}

impl Kind {
    pub(super) fn of(decoder: Decoder) -> Option<Self> {
        match decoder {
            Decoder::Native(Native::Q4_0) => Some(Self::Q4),
            Decoder::Native(Native::Q8_0) => Some(Self::Q8),
            _ => None,
        }
    }
}

/// See [`super::Kernels::pack_encoded_rows`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn pack_rows(
    kind: Kind,
    from: &Encoded<'_>,
    cols: &Range<usize>,
    k: &Range<usize>,
    into: &mut Panels<'_>,
) {
    match kind {
        Kind::Q4 => rows::<18>(from, cols, k, into),
        Kind::Q8 => rows::<34>(from, cols, k, into),
    }
}

/// See [`super::Kernels::pack_encoded_columns`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn pack_columns(
    kind: Kind,
    from: &Encoded<'_>,
    cols: &Range<usize>,
    k: &Range<usize>,
    into: &mut Panels<'_>,
) {
    match kind {
        Kind::Q4 => columns::<18>(from, cols, k, into),
        Kind::Q8 => columns::<34>(from, cols, k, into),
    }
}

/// Sixteen rows at a time: a block of each is sixteen words, transposed in registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn rows<const BYTES: usize>(
    from: &Encoded<'_>,
    cols: &Range<usize>,
    k: &Range<usize>,
    into: &mut Panels<'_>,
) {
    for first in cols.clone().step_by(LANES) {
        let n = LANES.min(cols.end - first);
        let (panel, group) = ((first - cols.start) / RIGHT, (first - cols.start) % RIGHT);
        for start in k.clone().step_by(BLOCK) {
            let mut words = [_mm512_setzero_si512(); LANES];
            for (lane, words) in words.iter_mut().enumerate() {
                if lane < n {
                    *words = words_of::<BYTES>(block::<BYTES>(from, first + lane, start));
                }
            }
            let out = into.panel(panel, (start - k.start) / 2);
            for (step, words) in transpose(words).into_iter().enumerate() {
                store(&mut out[step * RIGHT + group..][..LANES], words);
            }
        }
        // Lanes beyond the last column of a panel's first half.
        if group == 0 && cols.end - first <= LANES {
            let out = into.panel(panel, 0);
            for step in out.chunks_exact_mut(RIGHT).take(k.len() / 2) {
                step[LANES..].fill(0);
            }
        }
    }
}

/// Two rows at a time: their blocks of the same columns are interleaved to the words of 32 lanes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn columns<const BYTES: usize>(
    from: &Encoded<'_>,
    cols: &Range<usize>,
    k: &Range<usize>,
    into: &mut Panels<'_>,
) {
    let (low, high) = (interleaved(0), interleaved(16));
    let (words, first_word) = (into.words, into.first_word);
    for row in k.clone().step_by(2) {
        // No call between two blocks: the registers would go to memory and back.
        let word = first_word + (row - k.start) / 2;
        let panels = into.right.chunks_exact_mut(words * RIGHT);
        for (col, panel) in cols.clone().step_by(BLOCK).zip(panels) {
            let even = words_of::<BYTES>(block::<BYTES>(from, row, col));
            let odd = if row + 1 < k.end {
                words_of::<BYTES>(block::<BYTES>(from, row + 1, col))
            } else {
                _mm512_setzero_si512()
            };
            let (first, second) = panel[word * RIGHT..][..RIGHT].split_at_mut(LANES);
            store(first, _mm512_permutex2var_epi16(even, low, odd));
            store(second, _mm512_permutex2var_epi16(even, high, odd));
        }
    }
}

/// Picks value `first + i` of two registers of 32 in turn.
#[target_feature(enable = "avx512f,avx512bw")]
fn interleaved(first: u16) -> __m512i {
    let mut order = [0_u16; 32];
    for (pair, at) in order.as_chunks_mut().0.iter_mut().zip(first..) {
        *pair = [at, at + 32];
    }
    // SAFETY: 64 bytes of plain numbers.
    unsafe { _mm512_loadu_si512(order.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u32], words: __m512i) {
    assert_eq!(to.len(), LANES, "a vector of words");
    // SAFETY: the slice has 16 words.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), words) }
}

/// The block of row `row` that begins at column `col`; what follows it in the row is asked for ahead.
#[inline]
#[target_feature(enable = "avx512f")]
fn block<'a, const BYTES: usize>(from: &Encoded<'a>, row: usize, col: usize) -> &'a [u8] {
    let block = &from.bytes[row * from.row_bytes + col / BLOCK * BYTES..][..BYTES];
    _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
    block
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn words_of<const BYTES: usize>(block: &[u8]) -> __m512i {
    assert_eq!(block.len(), BYTES, "a whole block");
    let scale = _mm512_cvtph_ps(_mm256_set1_epi16(i16::from_le_bytes([block[0], block[1]])));
    if BYTES == 18 { four_bits(scale, &block[2..]) } else { eight_bits(scale, &block[2..]) }
}

/// Sixteen values are possible: all are computed, and each weight picks its own.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn four_bits(scale: __m512, quants: &[u8]) -> __m512i {
    const CENTRED: [f32; 16] =
        [-8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    assert_eq!(quants.len(), 16, "32 quants of four bits");
    // SAFETY: 64 bytes of numbers and 16 bytes of quants; both 256-bit types are plain numbers.
    let (packed, table) = unsafe {
        let values = _mm512_mul_ps(scale, _mm512_loadu_ps(CENTRED.as_ptr()));
        let table = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(values));
        (_mm_loadu_si128(quants.as_ptr().cast()), table)
    };
    let mask = _mm_set1_epi8(0x0f);
    let (low, high) = (_mm_and_si128(packed, mask), _mm_and_si128(_mm_srli_epi16::<4>(packed), mask));
    let choice = _mm512_cvtepu8_epi16(_mm256_set_m128i(high, low));
    _mm512_permutexvar_epi16(choice, _mm512_castsi256_si512(table))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn eight_bits(scale: __m512, quants: &[u8]) -> __m512i {
    assert_eq!(quants.len(), 32, "32 quants of eight bits");
    // SAFETY: 32 bytes.
    let packed = unsafe { _mm256_loadu_si256(quants.as_ptr().cast()) };
    let low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(packed)));
    let high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256::<1>(packed)));
    to_words(_mm512_mul_ps(low, scale), _mm512_mul_ps(high, scale))
}
