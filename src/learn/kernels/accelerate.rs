//! Kernels that leave matrix products to Apple's Accelerate, which alone may use the matrix units of the M series.
//!
//! The parallel drivers pack as for everybody, only in wide panels; a pair of panels is then one `cblas_sgemm` in f32:
//! a left panel `[k][left]` is a transposed matrix, a right panel `[k][right]` a plain one. What the panels cost is a
//! second packing inside Accelerate. Row-wise arithmetic, small products and the packing are NEON's.
//!
//! Written from the documented interface and type-checked; it was never run on the hardware. Its summation order
//! depends on the shapes alone only as far as Accelerate's does, of which nothing is documented.
#![expect(unsafe_code, reason = "a call into Accelerate")]

use std::ffi::c_int;

use super::neon::Neon;
use super::{Kernels, Rows, Run, Shape, Tile};

/// Large enough for a call of some ten million operations, small enough that threads get a few each.
const LEFT: usize = 96;
const RIGHT: usize = 64;

/// `CblasRowMajor`, `CblasNoTrans`, `CblasTrans`.
const ROW_MAJOR: c_int = 101;
const AS_IT_IS: c_int = 111;
const TRANSPOSED: c_int = 112;

/// Accelerate with f32 operands.
pub(super) struct Accelerate(Neon);

#[link(name = "Accelerate", kind = "framework")]
unsafe extern "C" {
    fn cblas_sgemm(
        order: c_int,
        transpose_a: c_int,
        transpose_b: c_int,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: f32,
        a: *const f32,
        row_stride_a: c_int,
        b: *const f32,
        row_stride_b: c_int,
        beta: f32,
        c: *mut f32,
        row_stride_c: c_int,
    );
}

impl Accelerate {
    pub(super) fn new(neon: Neon) -> Self {
        Self(neon)
    }
}

impl Kernels for Accelerate {
    fn name(&self) -> &'static str {
        "accelerate"
    }

    fn shape(&self) -> Shape {
        Shape { left: LEFT, right: RIGHT, per_word: 1 }
    }

    fn pack_rows(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
        self.0.pack_rows(from, size, width, panel);
    }

    fn pack_columns(&self, from: Rows<'_>, size: (usize, usize), width: usize, panel: &mut [u32]) {
        self.0.pack_columns(from, size, width, panel);
    }

    fn multiply(&self, runs: &[Run<'_>], mut tile: Tile<'_>) {
        let mut accumulate = tile.accumulate;
        for run in runs.iter().filter(|run| run.words > 0) {
            multiply(*run, &mut tile, accumulate);
            accumulate = true;
        }
    }

    fn outer(&self, left: Rows<'_>, right: Rows<'_>, k: usize, tile: Tile<'_>) {
        self.0.outer(left, right, k, tile);
    }
}

/// `tile (+)= left · right` over one run.
fn multiply(run: Run<'_>, tile: &mut Tile<'_>, accumulate: bool) {
    assert!(
        run.left.len() >= run.words * LEFT && run.right.len() >= run.words * RIGHT,
        "panels shorter than the sum"
    );
    assert!(tile.rows <= LEFT && tile.cols <= RIGHT, "a tile larger than its panels");
    let stride = stride(tile);
    // SAFETY: the panels are `words` rows of LEFT and RIGHT values (a word is the bits of an f32), the tile is `rows`
    // rows of `cols` values with that stride, and nobody else has it.
    unsafe {
        cblas_sgemm(
            ROW_MAJOR,
            TRANSPOSED,
            AS_IT_IS,
            int(tile.rows),
            int(tile.cols),
            int(run.words),
            1.0,
            run.left.as_ptr().cast(),
            int(LEFT),
            run.right.as_ptr().cast(),
            int(RIGHT),
            if accumulate { 1.0 } else { 0.0 },
            tile.row(0),
            int(stride),
        );
    }
}

/// Distance between the rows of a tile, in values; any that is wide enough if there is one row only.
fn stride(tile: &mut Tile<'_>) -> usize {
    if tile.rows < 2 {
        return tile.cols;
    }
    (tile.row(1).addr() - tile.row(0).addr()) / size_of::<f32>()
}

/// Sizes of panels and matrices as BLAS wants them.
fn int(size: usize) -> c_int {
    c_int::try_from(size).unwrap_or(c_int::MAX)
}
