//! Kernels for CPUs with AVX-512: bf16 dot products where there are any (Zen 4, Sapphire Rapids), f32 otherwise.
//!
//! Both share one register tile, 12 rows by 32 columns: 24 accumulators, two right vectors, and the left operand
//! broadcast from memory.
#![expect(unsafe_code, reason = "SIMD intrinsics and calls into functions with CPU features")]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, __mmask16, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_mask_storeu_epi32,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{Kernels, Rows, Run, Shape, Tile, elementwise};
use crate::learn::loss::reference::Reference;
use crate::learn::weights::Decoder;

const LEFT: usize = 12;
const RIGHT: usize = 32;
const LANES: usize = 16;

/// AVX-512 with bf16 operands and f32 sums (`vdpbf16ps`).
pub(super) struct Avx512Bf16(());

/// AVX-512 with f32 operands.
pub(super) struct Avx512(());

impl Avx512Bf16 {
    pub(super) fn detect() -> Option<Self> {
        (Avx512::detect().is_some() && is_x86_feature_detected!("avx512bf16")).then_some(Self(()))
    }
}

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }
}

/// Implements [`Kernels`] with the functions of one module; `$cpu` is a private zero-sized witness of its features.
macro_rules! kernels_of {
    ($cpu:ty, $name:literal, $per_word:literal, $features:literal) => {
        impl Kernels for $cpu {
            fn name(&self) -> &'static str {
                $name
            }

            fn shape(&self) -> Shape {
                Shape { left: LEFT, right: RIGHT, per_word: $per_word }
            }

            fn pack_rows(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe { pack_rows::<$per_word>(from, size, width, panel) }
            }

            fn pack_columns(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe { pack_columns::<$per_word>(from, size, width, panel) }
            }

            fn multiply(&self, runs: &[Run<'_>], tile: Tile<'_>) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe {
                    if tile.cols <= LANES {
                        multiply::<$per_word, 1>(runs, tile);
                    } else {
                        multiply::<$per_word, 2>(runs, tile);
                    }
                }
            }

            fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe { outer(left, right, k, tile) }
            }

            elementwise::row_methods!($features);
        }
    };
}

kernels_of!(Avx512Bf16, "avx512-bf16", 2, "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c,avx2");
kernels_of!(Avx512, "avx512", 1, "avx512f,avx512bw,avx512vl,avx512dq,fma,f16c,avx2");

/// The lowest `n` of 16 lanes.
fn lanes(n: usize) -> __mmask16 {
    if n >= LANES { 0xffff } else { (1_u16 << n) - 1 }
}

/// Up to 16 values from `from` on; the rest are zero.
#[target_feature(enable = "avx512f")]
fn load(from: &[f32]) -> __m512 {
    // SAFETY: the mask covers no more than the slice has.
    unsafe { _mm512_maskz_loadu_ps(lanes(from.len()), from.as_ptr()) }
}

/// Stores the lowest `to.len().min(16)` words.
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u32], words: __m512i) {
    // SAFETY: the mask covers no more than the slice has.
    unsafe { _mm512_mask_storeu_epi32(to.as_mut_ptr().cast(), lanes(to.len()), words) }
}

/// 32 floats as 16 words of two bf16, rounded to nearest even.
#[target_feature(enable = "avx512f,avx512bf16")]
fn to_words(low: __m512, high: __m512) -> __m512i {
    let pairs = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both are 512 bits of plain numbers.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(pairs) }
}

/// See [`Kernels::pack_rows`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn pack_rows<const PER_WORD: usize>(from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
    let (n_rows, k) = size;
    let words = k.div_ceil(PER_WORD);
    for group in (0..width).step_by(LANES) {
        for first in (0..words).step_by(LANES) {
            let mut block = [_mm512_setzero_si512(); LANES];
            for (at, words) in block.iter_mut().enumerate() {
                if group + at < n_rows {
                    let row = from.row(group + at, k);
                    *words = words_of_row::<PER_WORD>(row, first * PER_WORD);
                }
            }
            transpose(&mut block);
            for (at, word) in block.into_iter().enumerate().take(words - first) {
                let start = (first + at) * width + group;
                store(&mut panel[start..start + LANES.min(width - group)], word);
            }
        }
    }
}

/// Sixteen words of a row from value `at` on, zero beyond its end.
#[target_feature(enable = "avx512f,avx512bf16")]
fn words_of_row<const PER_WORD: usize>(row: &[f32], at: usize) -> __m512i {
    let rest = &row[at..];
    let low = load(&rest[..rest.len().min(LANES)]);
    if PER_WORD == 1 {
        return _mm512_castps_si512(low);
    }
    let beyond = rest.len().min(LANES);
    let high = load(&rest[beyond..rest.len().min(2 * LANES)]);
    to_words(low, high)
}

/// Transposes 16 rows of 16 words in registers.
#[target_feature(enable = "avx512f")]
fn transpose(rows: &mut [__m512i; LANES]) {
    let mut half = *rows;
    for i in 0..8 {
        half[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        half[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..4 {
        rows[4 * i] = _mm512_unpacklo_epi64(half[4 * i], half[4 * i + 2]);
        rows[4 * i + 1] = _mm512_unpackhi_epi64(half[4 * i], half[4 * i + 2]);
        rows[4 * i + 2] = _mm512_unpacklo_epi64(half[4 * i + 1], half[4 * i + 3]);
        rows[4 * i + 3] = _mm512_unpackhi_epi64(half[4 * i + 1], half[4 * i + 3]);
    }
    for i in 0..4 {
        half[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
        half[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
        half[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
        half[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    }
    for i in 0..8 {
        rows[i] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0x88);
        rows[i + 8] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0xdd);
    }
}

/// See [`Kernels::pack_columns`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn pack_columns<const PER_WORD: usize>(
    from: Rows<'_>,
    size: (usize, usize),
    width: usize,
    panel: &mut [u32],
) {
    let (k, n_cols) = size;
    let interleave = interleaved();
    for (word, out) in panel.chunks_exact_mut(width).take(k.div_ceil(PER_WORD)).enumerate() {
        let even = from.row(word * PER_WORD, n_cols);
        let odd = if PER_WORD == 2 && word * 2 + 1 < k { from.row(word * 2 + 1, n_cols) } else { &[] };
        for first in (0..width).step_by(LANES) {
            let part = |row: &[f32]| {
                let (start, end) = (first.min(row.len()), (first + LANES).min(row.len()));
                load(&row[start..end])
            };
            let words = if PER_WORD == 1 {
                _mm512_castps_si512(part(even))
            } else {
                _mm512_permutexvar_epi16(interleave, to_words(part(even), part(odd)))
            };
            store(&mut out[first..(first + LANES).min(width)], words);
        }
    }
}

/// The order that turns `e0 … e15 o0 … o15` into `e0 o0 e1 o1 …`.
#[target_feature(enable = "avx512f")]
fn interleaved() -> __m512i {
    let mut order = [0_u16; 32];
    for (pair, at) in order.as_chunks_mut::<2>().0.iter_mut().zip(0_u16..) {
        *pair = [at, at + 16];
    }
    // SAFETY: 64 bytes of plain numbers.
    unsafe { _mm512_loadu_si512(order.as_ptr().cast()) }
}

/// One step of the sum: `sum += left · right`, for the words of one or two k.
#[target_feature(enable = "avx512f,avx512bf16")]
fn step<const PER_WORD: usize>(sum: __m512, left: __m512i, right: __m512i) -> __m512 {
    if PER_WORD == 1 {
        return _mm512_fmadd_ps(_mm512_castsi512_ps(left), _mm512_castsi512_ps(right), sum);
    }
    // SAFETY: all are 512 bits of plain numbers.
    unsafe {
        _mm512_dpbf16_ps(
            sum,
            std::mem::transmute::<__m512i, __m512bh>(left),
            std::mem::transmute::<__m512i, __m512bh>(right),
        )
    }
}

/// See [`Kernels::multiply`]; `VECTORS` is how many of the right panel's two vectors are wanted.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn multiply<const PER_WORD: usize, const VECTORS: usize>(runs: &[Run<'_>], mut tile: Tile<'_>) {
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; LEFT];
    for run in runs {
        let (left, right) = (run.left.as_chunks::<LEFT>().0, run.right.as_chunks::<RIGHT>().0);
        assert!(left.len() >= run.words && right.len() >= run.words, "panels shorter than the sum");
        for (left, right) in left[..run.words].iter().zip(&right[..run.words]) {
            let mut vectors = [_mm512_setzero_si512(); VECTORS];
            for (v, vector) in vectors.iter_mut().enumerate() {
                // SAFETY: the chunk has 32 words, VECTORS is 1 or 2.
                *vector = unsafe { _mm512_loadu_si512(right.as_ptr().add(v * LANES).cast()) };
            }
            for (row, left) in sums.iter_mut().zip(left) {
                let broadcast = _mm512_set1_epi32(left.cast_signed());
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = step::<PER_WORD>(*sum, broadcast, vector);
                }
            }
        }
    }
    let (cols, accumulate) = (tile.cols, tile.accumulate);
    for (i, row) in sums.into_iter().enumerate().take(tile.rows) {
        let start = tile.row(i);
        for (v, sum) in row.into_iter().enumerate() {
            let mask = lanes(cols.saturating_sub(v * LANES));
            // SAFETY: the mask covers the tile's columns only.
            unsafe {
                let at = start.wrapping_add(v * LANES);
                let before = if accumulate { _mm512_maskz_loadu_ps(mask, at) } else { _mm512_setzero_ps() };
                _mm512_mask_storeu_ps(at, mask, _mm512_add_ps(before, sum));
            }
        }
    }
}

/// See [`Kernels::outer`]: up to 16 rows by 16 columns at a time.
#[target_feature(enable = "avx512f")]
fn outer(left: Rows<'_>, right: Rows<'_>, k: usize, mut tile: Tile<'_>) {
    let (rows, cols, accumulate) = (tile.rows, tile.cols, tile.accumulate);
    assert!(rows <= LANES && cols <= LANES, "an outer tile is at most 16 by 16");
    let mut sums = [_mm512_setzero_ps(); LANES];
    for at in 0..k {
        let vector = load(right.row(at, cols));
        let factors = left.row(at, rows);
        if let Ok(factors) = <&[f32; LANES]>::try_from(factors) {
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum = _mm512_fmadd_ps(_mm512_set1_ps(*factor), vector, *sum);
            }
        } else {
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum = _mm512_fmadd_ps(_mm512_set1_ps(*factor), vector, *sum);
            }
        }
    }
    for (i, sum) in sums.into_iter().enumerate().take(rows) {
        let (start, mask) = (tile.row(i), lanes(cols));
        // SAFETY: the mask covers the tile's columns only.
        unsafe {
            let before = if accumulate { _mm512_maskz_loadu_ps(mask, start) } else { _mm512_setzero_ps() };
            _mm512_mask_storeu_ps(start, mask, _mm512_add_ps(before, sum));
        }
    }
}
