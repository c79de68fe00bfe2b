//! Skinny products that sum over rows: the gradients of LoRA's matrices.
#![expect(unsafe_code, reason = "threads write disjoint windows of the same matrix")]

use rayon::prelude::*;

use super::tile::Shared;
use super::{Kernels, Rows};

/// Rows and columns of a tile.
const TILE: usize = 16;
/// Tiles in a task.
const TILES: usize = 8;

/// `out += leftᵀ · right` for `left (k, n_left)` and `right (k, n_right)`; `out (n_left, n_right)` is row-major.
pub(crate) fn add_outer(
    kernels: &dyn Kernels,
    left: (Rows<'_>, usize),
    right: (Rows<'_>, usize),
    k: usize,
    out: &mut [f32],
) {
    let ((left, n_left), (right, n_right)) = (left, right);
    let shared = Shared::new(out, n_right);
    let across = n_right.div_ceil(TILE);
    let n_tiles = n_left.div_ceil(TILE) * across;
    (0..n_tiles.div_ceil(TILES)).into_par_iter().for_each(|task| {
        for at in task * TILES..((task + 1) * TILES).min(n_tiles) {
            let (row, col) = (at / across * TILE, at % across * TILE);
            let size = (TILE.min(n_left - row), TILE.min(n_right - col));
            // SAFETY: every tile is computed once, and tiles do not overlap.
            let tile = unsafe { shared.window((row, col), size, true) };
            kernels.outer(left.from(0, row), right.from(0, col), k, tile);
        }
    });
}
