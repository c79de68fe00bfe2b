//! Kernels for any CPU: f32, no intrinsics, no `unsafe` but for writing the tile.
//!
//! The register tile is small enough for 16 registers of 128 bits; the compiler vectorizes the inner loops for the
//! baseline of the platform. It is also the reference that the others are tested against.
#![expect(unsafe_code, reason = "tiles are windows behind a pointer")]

use super::{Kernels, Rows, Run, Shape, Tile};

const LEFT: usize = 4;
const RIGHT: usize = 16;

/// f32 on the platform's baseline.
pub(super) struct Plain;

impl Kernels for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn shape(&self) -> Shape {
        Shape { left: LEFT, right: RIGHT, per_word: 1 }
    }

    fn pack_rows(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
        let (n_rows, k) = size;
        panel[..k * width].fill(0);
        for lane in 0..n_rows.min(width) {
            for (at, value) in from.row(lane, k).iter().enumerate() {
                panel[at * width + lane] = value.to_bits();
            }
        }
    }

    fn pack_columns(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
        let (k, n_cols) = size;
        for (at, out) in panel.chunks_exact_mut(width).take(k).enumerate() {
            out.fill(0);
            for (out, value) in out.iter_mut().zip(from.row(at, n_cols)) {
                *out = value.to_bits();
            }
        }
    }

    fn multiply(&self, runs: &[Run<'_>], tile: Tile<'_>) {
        let mut sums = [[0.0_f32; RIGHT]; LEFT];
        for run in runs {
            let (lefts, rights) = (run.left.as_chunks::<LEFT>().0, run.right.as_chunks::<RIGHT>().0);
            assert!(lefts.len() >= run.words && rights.len() >= run.words, "panels shorter than the sum");
            for (left, right) in lefts.iter().zip(rights).take(run.words) {
                add_outer(&mut sums, left, right);
            }
        }
        store(&sums, tile);
    }

    fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>) {
        let mut sums = [[0.0_f32; RIGHT]; 16];
        for at in 0..k {
            let right = right.row(at, tile.cols);
            for (sums, left) in sums.iter_mut().zip(left.row(at, tile.rows)) {
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum += left * right;
                }
            }
        }
        store(&sums, tile);
    }
}

fn add_outer(sums: &mut [[f32; RIGHT]; LEFT], left: &[u32; LEFT], right: &[u32; RIGHT]) {
    for (sums, left) in sums.iter_mut().zip(left) {
        let left = f32::from_bits(*left);
        for (sum, right) in sums.iter_mut().zip(right) {
            *sum += left * f32::from_bits(*right);
        }
    }
}

fn store(sums: &[[f32; RIGHT]], mut tile: Tile<'_>) {
    let (rows, cols, accumulate) = (tile.rows, tile.cols, tile.accumulate);
    for (at, sums) in sums.iter().enumerate().take(rows) {
        // SAFETY: a tile's rows hold `cols` values, and windows do not overlap.
        let out = unsafe { std::slice::from_raw_parts_mut(tile.row(at), cols) };
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if accumulate { *out + sum } else { *sum };
        }
    }
}
