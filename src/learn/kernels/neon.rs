//! Kernels for 64-bit ARM: NEON in f32, and bf16 dot products where the CPU has them (ARMv8.6: Apple M2, Neoverse V1
//! and N2).
//!
//! Both share one register tile, 12 rows by 8 columns: 24 accumulators, three left and two right vectors fill 29 of
//! the 32 registers. The narrow side is on the right because 8 divides the blocks of quantized weights.
//!
//! The bf16 step is `bfdot` and not `bfmmla`, which does twice the multiplications in one instruction: `bfmmla` wants
//! four k of a row side by side, another panel than everybody's `[k / 2][lanes]`, and its sums are 2 by 2 squares that
//! have to be put in order at the end. The price is at most half of the peak, on cores that run as many of one as of
//! the other. The intrinsics of both are unstable in Rust, so those instructions are written in assembly.
//!
//! Row-wise arithmetic needs nothing here: NEON is the platform's baseline, the compiler vectorizes for it anyway.
//! All of this was tested under an emulator only; its speed on hardware is not known.
#![expect(
    unsafe_code,
    reason = "SIMD intrinsics, two instructions without intrinsics, functions with CPU features"
)]

use std::arch::aarch64::{
    float32x4_t, uint32x4_t, vaddq_f32, vdupq_n_f32, vdupq_n_u32, vextq_u16, vfmaq_laneq_f32, vfmaq_n_f32,
    vld1q_f32, vld1q_u32, vreinterpretq_f32_u32, vreinterpretq_f64_u32, vreinterpretq_u16_u32,
    vreinterpretq_u32_f32, vreinterpretq_u32_f64, vreinterpretq_u32_u16, vst1q_f32, vst1q_u32, vtrn1q_f64,
    vtrn1q_u32, vtrn2q_f64, vtrn2q_u32, vzip1q_u16,
};
use std::arch::{asm, is_aarch64_feature_detected};

use super::{Kernels, Rows, Run, Shape, Tile};

const LEFT: usize = 12;
const RIGHT: usize = 8;
const LANES: usize = 4;
/// Rows of an outer product that are summed at once: 16 accumulators with its four right vectors.
const OUTER_ROWS: usize = 4;

/// NEON with f32 operands.
pub(super) type Neon = NeonOf<1>;

/// NEON with bf16 operands and f32 sums (`bfdot`).
pub(super) type NeonBf16 = NeonOf<2>;

/// `PER_WORD` values in a word of a panel; with two of them this exists only where the CPU has bf16.
pub(super) struct NeonOf<const PER_WORD: usize>(());

/// The accumulators of a tile, for one or both vectors of its columns.
type Sums<const VECTORS: usize> = [[float32x4_t; VECTORS]; LEFT];

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl NeonBf16 {
    pub(super) fn detect() -> Option<Self> {
        (Neon::detect().is_some() && is_aarch64_feature_detected!("bf16")).then_some(Self(()))
    }
}

impl<const PER_WORD: usize> Kernels for NeonOf<PER_WORD> {
    fn name(&self) -> &'static str {
        if PER_WORD == 2 { "neon-bf16" } else { "neon" }
    }

    fn shape(&self) -> Shape {
        Shape { left: LEFT, right: RIGHT, per_word: PER_WORD }
    }

    fn pack_rows(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
        // SAFETY: `self` exists only where its features were detected.
        unsafe { pack_rows::<PER_WORD>(from, size, width, panel) }
    }

    fn pack_columns(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
        // SAFETY: `self` exists only where its features were detected.
        unsafe { pack_columns::<PER_WORD>(from, size, width, panel) }
    }

    fn multiply(&self, runs: &[Run<'_>], tile: Tile<'_>) {
        // SAFETY: `self` exists only where its features were detected.
        unsafe {
            if tile.cols <= LANES {
                multiply::<PER_WORD, 1>(runs, tile);
            } else {
                multiply::<PER_WORD, 2>(runs, tile);
            }
        }
    }

    fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>) {
        // SAFETY: `self` exists only where its features were detected.
        unsafe { outer(left, right, k, tile) }
    }
}

/// Up to 4 values from `from` on; the rest are zero.
#[inline]
#[target_feature(enable = "neon")]
fn load(from: &[f32]) -> float32x4_t {
    let mut padded = [0.0; LANES];
    let four = from.first_chunk::<LANES>().unwrap_or_else(|| {
        padded[..from.len()].copy_from_slice(from);
        &padded
    });
    // SAFETY: the array has 4 values.
    unsafe { vld1q_f32(four.as_ptr()) }
}

/// Up to 4 values of a row from column `at` on, which may lie beyond its end.
#[inline]
#[target_feature(enable = "neon")]
fn load_at(row: &[f32], at: usize) -> float32x4_t {
    load(&row[at.min(row.len())..])
}

/// Stores the lowest `to.len().min(4)` words.
#[inline]
#[target_feature(enable = "neon")]
fn store(to: &mut [u32], words: uint32x4_t) {
    if let Some(to) = to.first_chunk_mut::<LANES>() {
        // SAFETY: the chunk has 4 words.
        unsafe { vst1q_u32(to.as_mut_ptr(), words) };
        return;
    }
    let mut lowest = [0_u32; LANES];
    // SAFETY: the array has 4 words.
    unsafe { vst1q_u32(lowest.as_mut_ptr(), words) };
    for (to, word) in to.iter_mut().zip(lowest) {
        *to = word;
    }
}

/// Eight floats as four words of two bf16, rounded to nearest even.
///
/// # Safety
/// The CPU has bf16.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn to_words(low: float32x4_t, high: float32x4_t) -> uint32x4_t {
    let words;
    // SAFETY: registers only; the caller has the instructions.
    unsafe {
        asm!(
            ".arch_extension bf16",
            "bfcvtn {words:v}.4h, {low:v}.4s",
            "bfcvtn2 {words:v}.8h, {high:v}.4s",
            words = out(vreg) words,
            low = in(vreg) low,
            high = in(vreg) high,
            options(pure, nomem, nostack),
        );
    }
    words
}

/// See [`Kernels::pack_rows`]. With two values a word, only where the CPU has bf16.
#[inline]
#[target_feature(enable = "neon")]
fn pack_rows<const PER_WORD: usize>(from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
    let (n_rows, k) = size;
    let n_words = k.div_ceil(PER_WORD);
    for group in (0..width).step_by(LANES) {
        let lanes = LANES.min(width - group);
        for first in (0..n_words).step_by(LANES) {
            let mut block = [vdupq_n_u32(0); LANES];
            for (at, words) in block.iter_mut().enumerate().take(n_rows.saturating_sub(group).min(lanes)) {
                *words = words_of_row::<PER_WORD>(from.row(group + at, k), first * PER_WORD);
            }
            for (at, words) in transpose(block).into_iter().enumerate().take(n_words - first) {
                store(&mut panel[(first + at) * width + group..][..lanes], words);
            }
        }
    }
}

/// Four words of a row from value `at` on, zero beyond its end.
#[inline]
#[target_feature(enable = "neon")]
fn words_of_row<const PER_WORD: usize>(row: &[f32], at: usize) -> uint32x4_t {
    let low = load_at(row, at);
    if PER_WORD == 1 {
        return vreinterpretq_u32_f32(low);
    }
    // SAFETY: two values a word only where the CPU has bf16.
    unsafe { to_words(low, load_at(row, at + LANES)) }
}

/// Transposes 4 rows of 4 words in registers.
#[inline]
#[target_feature(enable = "neon")]
fn transpose(rows: [uint32x4_t; LANES]) -> [uint32x4_t; LANES] {
    let [a, b, c, d] = rows;
    let (ab_even, ab_odd) =
        (vreinterpretq_f64_u32(vtrn1q_u32(a, b)), vreinterpretq_f64_u32(vtrn2q_u32(a, b)));
    let (cd_even, cd_odd) =
        (vreinterpretq_f64_u32(vtrn1q_u32(c, d)), vreinterpretq_f64_u32(vtrn2q_u32(c, d)));
    [
        vreinterpretq_u32_f64(vtrn1q_f64(ab_even, cd_even)),
        vreinterpretq_u32_f64(vtrn1q_f64(ab_odd, cd_odd)),
        vreinterpretq_u32_f64(vtrn2q_f64(ab_even, cd_even)),
        vreinterpretq_u32_f64(vtrn2q_f64(ab_odd, cd_odd)),
    ]
}

/// See [`Kernels::pack_columns`]. With two values a word, only where the CPU has bf16.
#[inline]
#[target_feature(enable = "neon")]
fn pack_columns<const PER_WORD: usize>(
    from: Rows<'_>,
    size: (usize, usize),
    width: usize,
    panel: &mut [u32],
) {
    let (k, n_cols) = (size.0, size.1.min(width));
    for (word, out) in panel.chunks_exact_mut(width).take(k.div_ceil(PER_WORD)).enumerate() {
        let even = from.row(word * PER_WORD, n_cols);
        let odd = if PER_WORD == 2 && word * 2 + 1 < k { from.row(word * 2 + 1, n_cols) } else { &[] };
        for (group, out) in out.chunks_mut(LANES).enumerate() {
            store(out, words_of_columns::<PER_WORD>(even, odd, group * LANES));
        }
    }
}

/// The words of four columns from `at` on: of one row, or of a pair of rows.
#[inline]
#[target_feature(enable = "neon")]
fn words_of_columns<const PER_WORD: usize>(even: &[f32], odd: &[f32], at: usize) -> uint32x4_t {
    let even = load_at(even, at);
    if PER_WORD == 1 {
        return vreinterpretq_u32_f32(even);
    }
    // SAFETY: two values a word only where the CPU has bf16.
    let both = vreinterpretq_u16_u32(unsafe { to_words(even, load_at(odd, at)) });
    vreinterpretq_u32_u16(vzip1q_u16(both, vextq_u16::<4>(both, both)))
}

/// See [`Kernels::multiply`]; `VECTORS` is how many of the right panel's two vectors are wanted.
#[inline]
#[target_feature(enable = "neon")]
fn multiply<const PER_WORD: usize, const VECTORS: usize>(runs: &[Run<'_>], mut tile: Tile<'_>) {
    let mut sums = [[vdupq_n_f32(0.0); VECTORS]; LEFT];
    for run in runs {
        let (left, right) = (run.left.as_chunks::<LEFT>().0, run.right.as_chunks::<RIGHT>().0);
        sums = add_run::<PER_WORD, VECTORS>(sums, &left[..run.words], &right[..run.words]);
    }
    for (at, sums) in sums.iter().enumerate().take(tile.rows) {
        write(&mut tile, at, sums);
    }
}

/// The sums after one run. They come and go by value: the loop keeps them in registers only if nobody else sees them.
#[inline(never)]
#[target_feature(enable = "neon")]
fn add_run<const PER_WORD: usize, const VECTORS: usize>(
    sums: Sums<VECTORS>,
    left: &[[u32; LEFT]],
    right: &[[u32; RIGHT]],
) -> Sums<VECTORS> {
    let mut sums = sums;
    for (left, right) in left.iter().zip(right) {
        let mut vectors = [vdupq_n_u32(0); VECTORS];
        for (vector, right) in vectors.iter_mut().zip(right.as_chunks::<LANES>().0) {
            // SAFETY: the chunk has 4 words.
            *vector = unsafe { vld1q_u32(right.as_ptr()) };
        }
        let rows = sums.as_chunks_mut::<LANES>().0;
        for (rows, left) in rows.iter_mut().zip(left.as_chunks::<LANES>().0) {
            // SAFETY: the chunk has 4 words.
            let left = unsafe { vld1q_u32(left.as_ptr()) };
            let [a, b, c, d] = rows;
            add_row::<PER_WORD, VECTORS, 0>(a, left, vectors);
            add_row::<PER_WORD, VECTORS, 1>(b, left, vectors);
            add_row::<PER_WORD, VECTORS, 2>(c, left, vectors);
            add_row::<PER_WORD, VECTORS, 3>(d, left, vectors);
        }
    }
    sums
}

/// One row's step: `sums += left[LANE] · right`, for the words of one or two k.
#[inline]
#[target_feature(enable = "neon")]
fn add_row<const PER_WORD: usize, const VECTORS: usize, const LANE: i32>(
    sums: &mut [float32x4_t; VECTORS],
    left: uint32x4_t,
    right: [uint32x4_t; VECTORS],
) {
    for (sum, right) in sums.iter_mut().zip(right) {
        if PER_WORD == 1 {
            let (left, right) = (vreinterpretq_f32_u32(left), vreinterpretq_f32_u32(right));
            *sum = vfmaq_laneq_f32::<LANE>(*sum, right, left);
        } else {
            // SAFETY: registers only; two values a word only where the CPU has bf16.
            unsafe {
                asm!(
                    ".arch_extension bf16",
                    "bfdot {sum:v}.4s, {right:v}.8h, {left:v}.2h[{lane}]",
                    sum = inout(vreg) *sum,
                    right = in(vreg) right,
                    left = in(vreg) left,
                    lane = const LANE,
                    options(pure, nomem, nostack),
                );
            }
        }
    }
}

/// See [`Kernels::outer`]: four rows at a time.
#[target_feature(enable = "neon")]
fn outer(left: Rows<'_>, right: Rows<'_>, k: usize, mut tile: Tile<'_>) {
    let (rows, cols) = (tile.rows, tile.cols);
    assert!(rows <= 16 && cols <= 4 * LANES, "an outer tile is at most 16 by 16");
    for first in (0..rows).step_by(OUTER_ROWS) {
        let mut sums = [[vdupq_n_f32(0.0); 4]; OUTER_ROWS];
        for at in 0..k {
            let right = right.row(at, cols);
            let vectors: [float32x4_t; 4] = std::array::from_fn(|v| load_at(right, v * LANES));
            for (row, factor) in sums.iter_mut().zip(&left.row(at, rows)[first..]) {
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = vfmaq_n_f32(*sum, vector, *factor);
                }
            }
        }
        for (at, sums) in sums.iter().enumerate().take(rows - first) {
            write(&mut tile, first + at, sums);
        }
    }
}

/// Row `at` of the tile becomes the sums, or has them added.
#[inline]
#[target_feature(enable = "neon")]
fn write(tile: &mut Tile<'_>, at: usize, sums: &[float32x4_t]) {
    let (cols, accumulate, start) = (tile.cols, tile.accumulate, tile.row(at));
    for (v, sum) in sums.iter().enumerate() {
        let n = cols.saturating_sub(v * LANES).min(LANES);
        let start = start.wrapping_add(v * LANES);
        if n == LANES {
            // SAFETY: the tile has 4 values from here on.
            unsafe {
                let before = if accumulate { vld1q_f32(start) } else { vdupq_n_f32(0.0) };
                vst1q_f32(start, vaddq_f32(before, *sum));
            }
            continue;
        }
        let mut values = [0.0_f32; LANES];
        // SAFETY: the array has 4 values, the tile has `n` from here on.
        let out = unsafe {
            vst1q_f32(values.as_mut_ptr(), *sum);
            std::slice::from_raw_parts_mut(start, n)
        };
        for (out, value) in out.iter_mut().zip(values) {
            *out = if accumulate { *out + value } else { value };
        }
    }
}
