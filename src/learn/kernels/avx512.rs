//! Kernels for CPUs with AVX-512, in f32; what its bf16 sibling shares stands here as well.
//!
//! One register tile, 12 rows by 32 columns: 24 accumulators, two right vectors, and the left operand broadcast from
//! memory. Packing and multiplying are the same for both but for what a word holds, so they are written once, as
//! [`panels`], and compiled for each set of CPU features.
#![expect(unsafe_code, reason = "SIMD intrinsics and calls into functions with CPU features")]

use std::arch::x86_64::{
    __m512, __m512i, __mmask16, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_mask_storeu_epi32,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{Kernels, Rows, Run, Shape, Tile, avx512, elementwise};
use crate::learn::loss::reference::Reference;
use crate::learn::weights::Decoder;

pub(super) const LEFT: usize = 12;
pub(super) const RIGHT: usize = 32;
pub(super) const LANES: usize = 16;

/// AVX-512 with f32 operands.
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }
}

/// Implements [`Kernels`] for `$cpu`, a zero-sized witness of `$features`.
macro_rules! kernels_of {
    ($cpu:ty, $name:literal, $per_word:literal, $features:literal $(, $more:item)*) => {
        impl Kernels for $cpu {
            $($more)*

            fn name(&self) -> &'static str {
                $name
            }

            fn shape(&self) -> Shape {
                Shape { left: avx512::LEFT, right: avx512::RIGHT, per_word: $per_word }
            }

            fn pack_rows(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe { pack_rows(from, size, width, panel) }
            }

            fn pack_columns(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe { pack_columns(from, size, width, panel) }
            }

            fn multiply(&self, runs: &[Run<'_>], tile: Tile<'_>) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe {
                    if tile.cols <= avx512::LANES {
                        multiply::<1>(runs, tile);
                    } else {
                        multiply::<2>(runs, tile);
                    }
                }
            }

            fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>) {
                // SAFETY: `self` exists only where its features were detected.
                unsafe { avx512::outer(left, right, k, tile) }
            }

            fn prefetch(&self, bytes: &[u8]) {
                avx512::prefetch(bytes);
            }

            elementwise::row_methods!($features);
        }
    };
}
pub(super) use kernels_of;

/// The functions that depend on what a word holds. Where this stands there are
/// `words_of_row(row, at)`: sixteen words of a row from value `at` on, zero beyond its end,
/// `words_of_column(even, odd)`: sixteen words of up to two rows of up to sixteen values, and
/// `step(sum, left, right)`: `sum += left · right`.
macro_rules! panels {
    ($per_word:literal, $features:literal) => {
        /// See [`Kernels::pack_rows`].
        #[target_feature(enable = $features)]
        fn pack_rows(from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
            let (n_rows, k) = size;
            let words = k.div_ceil($per_word);
            for group in (0..width).step_by(LANES) {
                let (n_rows, lanes) = (n_rows.saturating_sub(group).min(LANES), LANES.min(width - group));
                for first in (0..words).step_by(LANES) {
                    // Loops of constant length, so that the block lives in registers.
                    let mut block = [_mm512_setzero_si512(); LANES];
                    for (at, words) in block.iter_mut().enumerate() {
                        if at < n_rows {
                            *words = words_of_row(from.row(group + at, k), first * $per_word);
                        }
                    }
                    let block = transpose(block);
                    let out = &mut panel[first * width + group..];
                    for (at, words_of_step) in block.iter().enumerate() {
                        if at < words - first {
                            store(&mut out[at * width..at * width + lanes], *words_of_step);
                        }
                    }
                }
            }
        }

        /// See [`Kernels::pack_columns`].
        #[target_feature(enable = $features)]
        fn pack_columns(from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
            let (k, n_cols) = size;
            for (word, out) in panel.chunks_exact_mut(width).take(k.div_ceil($per_word)).enumerate() {
                let even = from.row(word * $per_word, n_cols);
                let odd = if word * $per_word + 1 < k { from.row(word * $per_word + 1, n_cols) } else { &[] };
                for first in (0..width).step_by(LANES) {
                    let within = |row: &[f32]| first.min(row.len())..(first + LANES).min(row.len());
                    let words = words_of_column(&even[within(even)], &odd[within(odd)]);
                    store(&mut out[first..(first + LANES).min(width)], words);
                }
            }
        }

        /// See [`Kernels::multiply`]; `VECTORS` is how many of the right panel's two vectors are wanted.
        #[target_feature(enable = $features)]
        fn multiply<const VECTORS: usize>(runs: &[Run<'_>], mut tile: Tile<'_>) {
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
                            *sum = step(*sum, broadcast, vector);
                        }
                    }
                }
            }
            // By value: sums whose address is taken would live in memory, not in registers.
            for (i, row) in sums.into_iter().enumerate().take(tile.rows) {
                for (v, sum) in row.into_iter().enumerate() {
                    store_sum(&mut tile, (i, v), sum);
                }
            }
        }
    };
}
pub(super) use panels;

/// The lowest `n` of 16 lanes.
fn lanes(n: usize) -> __mmask16 {
    if n >= LANES { 0xffff } else { (1_u16 << n) - 1 }
}

/// Up to 16 values; the rest are zero.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(from: &[f32]) -> __m512 {
    // SAFETY: the mask covers no more than the slice has.
    unsafe { _mm512_maskz_loadu_ps(lanes(from.len()), from.as_ptr()) }
}

/// Stores the lowest `to.len().min(16)` words.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(to: &mut [u32], words: __m512i) {
    // SAFETY: the mask covers no more than the slice has.
    unsafe { _mm512_mask_storeu_epi32(to.as_mut_ptr().cast(), lanes(to.len()), words) }
}

/// Stores, or adds, the 16 sums `at` (row, vector) of the tile.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store_sum(tile: &mut Tile<'_>, at: (usize, usize), sum: __m512) {
    let (start, first, accumulate) = (tile.row(at.0), at.1 * LANES, tile.accumulate);
    let mask = lanes(tile.cols.saturating_sub(first));
    // SAFETY: the mask covers the tile's columns only.
    unsafe {
        let to = start.wrapping_add(first);
        let before = if accumulate { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
        _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(before, sum));
    }
}

/// Transposes 16 rows of 16 words in registers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(mut rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut half = rows;
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
    rows
}

/// See [`Kernels::prefetch`].
pub(super) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: a prefetch is a hint and never faults; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// See [`Kernels::outer`]: up to 16 rows by 16 columns at a time.
#[target_feature(enable = "avx512f")]
pub(super) fn outer(left: Rows<'_>, right: Rows<'_>, k: usize, mut tile: Tile<'_>) {
    let (rows, cols) = (tile.rows, tile.cols);
    assert!(rows <= LANES && cols <= LANES, "an outer tile is at most 16 by 16");
    let sums = if rows == LANES {
        whole_outer(left, right, k, cols)
    } else {
        part_outer(left, right, k, (rows, cols))
    };
    for (i, sum) in sums.into_iter().enumerate().take(rows) {
        store_sum(&mut tile, (i, 0), sum);
    }
}

/// All 16 rows: the sums stay in registers. Not inlined, for that reason.
#[inline(never)]
#[target_feature(enable = "avx512f")]
fn whole_outer(left: Rows<'_>, right: Rows<'_>, k: usize, cols: usize) -> [__m512; LANES] {
    /// Rows that are asked for ahead: each lies in a page of its own, where the hardware does not look ahead.
    const AHEAD: usize = 12;
    let mut sums = [_mm512_setzero_ps(); LANES];
    let mask = lanes(cols);
    let steps = left.values.chunks(left.stride).zip(right.values.chunks(right.stride)).take(k);
    for (factors, row) in steps {
        // SAFETY: a prefetch never faults; the mask covers `cols` values, which every row has.
        let vector = unsafe {
            _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_add(AHEAD * right.stride).cast());
            _mm512_maskz_loadu_ps(mask, row[..cols].as_ptr())
        };
        let (factors, _) = factors.as_chunks::<LANES>();
        for (sum, factor) in sums.iter_mut().zip(&factors[0]) {
            *sum = _mm512_fmadd_ps(_mm512_set1_ps(*factor), vector, *sum);
        }
    }
    sums
}

/// Fewer rows: ranks that are no multiple of 16.
#[target_feature(enable = "avx512f")]
fn part_outer(left: Rows<'_>, right: Rows<'_>, k: usize, size: (usize, usize)) -> [__m512; LANES] {
    let mut sums = [_mm512_setzero_ps(); LANES];
    for at in 0..k {
        let vector = load(right.row(at, size.1));
        for (sum, factor) in sums.iter_mut().zip(left.row(at, size.0)) {
            *sum = _mm512_fmadd_ps(_mm512_set1_ps(*factor), vector, *sum);
        }
    }
    sums
}

#[target_feature(enable = "avx512f")]
fn words_of_row(row: &[f32], at: usize) -> __m512i {
    let rest = &row[at..];
    _mm512_castps_si512(load(&rest[..rest.len().min(LANES)]))
}

#[target_feature(enable = "avx512f")]
fn words_of_column(row: &[f32], _: &[f32]) -> __m512i {
    _mm512_castps_si512(load(row))
}

#[target_feature(enable = "avx512f")]
fn step(sum: __m512, left: __m512i, right: __m512i) -> __m512 {
    _mm512_fmadd_ps(_mm512_castsi512_ps(left), _mm512_castsi512_ps(right), sum)
}

panels!(1, "avx512f,avx512bw,avx512vl,avx512dq,fma,f16c,avx2");

kernels_of!(Avx512, "avx512", 1, "avx512f,avx512bw,avx512vl,avx512dq,fma,f16c,avx2");
