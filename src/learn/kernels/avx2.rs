//! Kernels for x86-64 CPUs with AVX2 and FMA but without AVX-512: f32 only.
//!
//! The register tile is 6 rows by 16 columns: 12 accumulators, two right vectors and a broadcast fill 15 of the 16
//! registers. AVX's masked stores are slow on AMD, so a partial tile is written value by value: it is rare.
#![expect(unsafe_code, reason = "SIMD intrinsics and calls into functions with CPU features")]

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps,
    _mm256_permute2f128_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
    _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::{Kernels, Rows, Run, Shape, Tile, elementwise};
use crate::learn::loss::reference::Reference;
use crate::learn::weights::Decoder;

const LEFT: usize = 6;
const RIGHT: usize = 16;
const LANES: usize = 8;
/// Rows of an outer product that are summed at once: 8 accumulators hide the latency of an FMA.
const OUTER_ROWS: usize = 4;

/// AVX2 with f32 operands.
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }
}

impl Kernels for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn shape(&self) -> Shape {
        Shape { left: LEFT, right: RIGHT, per_word: 1 }
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
            if tile.cols <= LANES {
                multiply::<1>(runs, tile);
            } else {
                multiply::<2>(runs, tile);
            }
        }
    }

    fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>) {
        // SAFETY: `self` exists only where its features were detected.
        unsafe { outer(left, right, k, tile) }
    }

    elementwise::row_methods!("avx2,fma,f16c");
}

/// Up to 8 values from `from` on; the rest are zero.
#[target_feature(enable = "avx2")]
fn load(from: &[f32]) -> __m256 {
    const MASKS: [i32; 2 * LANES] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    if from.len() >= LANES {
        // SAFETY: the slice has 8 values.
        return unsafe { _mm256_loadu_ps(from.as_ptr()) };
    }
    let mask = &MASKS[LANES - from.len()..][..LANES];
    // SAFETY: the mask is 8 words, and it covers no more than the slice has.
    unsafe { _mm256_maskload_ps(from.as_ptr(), _mm256_loadu_si256(mask.as_ptr().cast())) }
}

/// Stores the lowest `to.len().min(8)` words.
#[target_feature(enable = "avx2")]
fn store(to: &mut [u32], words: __m256) {
    if let Some(to) = to.first_chunk_mut::<LANES>() {
        // SAFETY: the chunk has 8 words.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr().cast(), words) };
        return;
    }
    let mut lowest = [0_u32; LANES];
    // SAFETY: the array has 8 words.
    unsafe { _mm256_storeu_ps(lowest.as_mut_ptr().cast(), words) };
    if let Some(to) = to.first_chunk_mut::<LEFT>() {
        // A left panel's width: a copy of known length is two moves.
        to.copy_from_slice(&lowest[..LEFT]);
    } else {
        let n = to.len();
        to.copy_from_slice(&lowest[..n]);
    }
}

/// See [`Kernels::pack_rows`].
#[target_feature(enable = "avx2")]
fn pack_rows(from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
    let (n_rows, k) = size;
    for group in (0..width).step_by(LANES) {
        let lanes = LANES.min(width - group);
        for first in (0..k).step_by(LANES) {
            let steps = LANES.min(k - first);
            let mut block = [_mm256_setzero_ps(); LANES];
            for (at, row) in block.iter_mut().enumerate().take(n_rows.saturating_sub(group).min(lanes)) {
                *row = load(&from.row(group + at, k)[first..first + steps]);
            }
            let block = transpose(block);
            for (at, words) in block.into_iter().enumerate().take(steps) {
                store(&mut panel[(first + at) * width + group..][..lanes], words);
            }
        }
    }
}

/// Transposes 8 rows of 8 words in registers.
#[target_feature(enable = "avx2")]
fn transpose(rows: [__m256; LANES]) -> [__m256; LANES] {
    let (upper, lower) = (transpose_halves(&rows[..4]), transpose_halves(&rows[4..]));
    let mut columns = [_mm256_setzero_ps(); LANES];
    for (i, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
        columns[i] = _mm256_permute2f128_ps::<0x20>(upper, lower);
        columns[i + LANES / 2] = _mm256_permute2f128_ps::<0x31>(upper, lower);
    }
    columns
}

/// Four rows as columns: 0 to 3 in the low halves, 4 to 7 in the high halves.
#[target_feature(enable = "avx2")]
fn transpose_halves(rows: &[__m256]) -> [__m256; LANES / 2] {
    let (low, high) = (_mm256_unpacklo_ps(rows[0], rows[1]), _mm256_unpackhi_ps(rows[0], rows[1]));
    let (next_low, next_high) = (_mm256_unpacklo_ps(rows[2], rows[3]), _mm256_unpackhi_ps(rows[2], rows[3]));
    [
        _mm256_shuffle_ps::<0x44>(low, next_low),
        _mm256_shuffle_ps::<0xee>(low, next_low),
        _mm256_shuffle_ps::<0x44>(high, next_high),
        _mm256_shuffle_ps::<0xee>(high, next_high),
    ]
}

/// See [`Kernels::pack_columns`].
#[target_feature(enable = "avx2")]
fn pack_columns(from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
    let (k, n_cols) = size;
    for (at, out) in panel.chunks_exact_mut(width).take(k).enumerate() {
        let row = from.row(at, n_cols.min(width));
        for (group, out) in out.chunks_mut(LANES).enumerate() {
            store(out, load(&row[(group * LANES).min(row.len())..((group + 1) * LANES).min(row.len())]));
        }
    }
}

/// See [`Kernels::multiply`]; `VECTORS` is how many of the right panel's two vectors are wanted.
#[target_feature(enable = "avx2,fma")]
fn multiply<const VECTORS: usize>(runs: &[Run<'_>], mut tile: Tile<'_>) {
    let mut sums = [[_mm256_setzero_ps(); VECTORS]; LEFT];
    for run in runs {
        let (left, right) = (run.left.as_chunks::<LEFT>().0, run.right.as_chunks::<RIGHT>().0);
        sums = add_run(sums, &left[..run.words], &right[..run.words]);
    }
    for (i, sums) in sums.iter().enumerate().take(tile.rows) {
        write(&mut tile, i, sums);
    }
}

/// The sums after one run. They come and go by value: the loop keeps them in registers only if nobody else sees them.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn add_run<const VECTORS: usize>(
    sums: [[__m256; VECTORS]; LEFT],
    left: &[[u32; LEFT]],
    right: &[[u32; RIGHT]],
) -> [[__m256; VECTORS]; LEFT] {
    let mut sums = sums;
    for (left, right) in left.iter().zip(right) {
        let mut vectors = [_mm256_setzero_ps(); VECTORS];
        for (vector, right) in vectors.iter_mut().zip(right.as_chunks::<LANES>().0) {
            // SAFETY: the chunk has 8 words.
            *vector = unsafe { _mm256_loadu_ps(right.as_ptr().cast()) };
        }
        for (row, left) in sums.iter_mut().zip(left) {
            let broadcast = _mm256_set1_ps(f32::from_bits(*left));
            for (sum, vector) in row.iter_mut().zip(vectors) {
                *sum = _mm256_fmadd_ps(broadcast, vector, *sum);
            }
        }
    }
    sums
}

/// See [`Kernels::outer`]: four rows at a time.
#[target_feature(enable = "avx2,fma")]
fn outer(left: Rows<'_>, right: Rows<'_>, k: usize, mut tile: Tile<'_>) {
    let (rows, cols) = (tile.rows, tile.cols);
    assert!(rows <= 16 && cols <= 2 * LANES, "an outer tile is at most 16 by 16");
    for first in (0..rows).step_by(OUTER_ROWS) {
        let n = OUTER_ROWS.min(rows - first);
        let mut sums = [[_mm256_setzero_ps(); 2]; OUTER_ROWS];
        for at in 0..k {
            let vectors = {
                let (low, high) = right.row(at, cols).split_at(cols.min(LANES));
                [load(low), load(high)]
            };
            let mut factors = [0.0; OUTER_ROWS];
            let present = &left.row(at, rows)[first..first + n];
            if let Ok(present) = <&[f32; OUTER_ROWS]>::try_from(present) {
                factors = *present;
            } else {
                factors[..n].copy_from_slice(present);
            }
            for (row, factor) in sums.iter_mut().zip(factors) {
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = _mm256_fmadd_ps(_mm256_set1_ps(factor), vector, *sum);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate().take(n) {
            write(&mut tile, first + i, sums);
        }
    }
}

/// Row `at` of the tile becomes the sums, or has them added.
#[target_feature(enable = "avx2")]
fn write(tile: &mut Tile<'_>, at: usize, sums: &[__m256]) {
    let (cols, accumulate, start) = (tile.cols, tile.accumulate, tile.row(at));
    for (v, sum) in sums.iter().enumerate() {
        let n = cols.saturating_sub(v * LANES).min(LANES);
        let start = start.wrapping_add(v * LANES);
        if n == LANES {
            // SAFETY: the tile has 8 values from here on.
            unsafe {
                let before = if accumulate { _mm256_loadu_ps(start) } else { _mm256_setzero_ps() };
                _mm256_storeu_ps(start, _mm256_add_ps(before, *sum));
            }
            continue;
        }
        let mut values = [0.0_f32; LANES];
        // SAFETY: the array has 8 values, the tile has `n` from here on.
        let out = unsafe {
            _mm256_storeu_ps(values.as_mut_ptr(), *sum);
            std::slice::from_raw_parts_mut(start, n)
        };
        for (out, value) in out.iter_mut().zip(values) {
            *out = if accumulate { *out + value } else { value };
        }
    }
}
