//! Products of operands that fit one core's cache, by the calling thread alone: what attention is made of.
#![expect(unsafe_code, reason = "register tiles are windows of the output")]

use super::tile::Shared;
use super::{Kernels, Rows, Run};

/// Packs `size = (n, k)` values; the `n` rows become lanes of panels of `width`. Returns the words of a panel lane.
pub(super) fn pack_rows(
    kernels: &dyn Kernels,
    from: Rows<'_>,
    size: (usize, usize),
    width: usize,
    panels: &mut Vec<u32>,
) -> usize {
    each_panel(kernels, size, width, panels, |first, n, panel| {
        kernels.pack_rows(from.from(first, 0), (n, size.1), width, panel);
    })
}

/// Packs `size = (k, n)` values; the `n` columns become lanes of panels of `width`.
pub(super) fn pack_columns(
    kernels: &dyn Kernels,
    from: Rows<'_>,
    size: (usize, usize),
    width: usize,
    panels: &mut Vec<u32>,
) -> usize {
    each_panel(kernels, (size.1, size.0), width, panels, |first, n, panel| {
        kernels.pack_columns(from.from(0, first), (size.0, n), width, panel);
    })
}

/// Makes room for `n` lanes of `k` steps, `size = (n, k)`, and packs every panel: its first lane, its lanes, its place.
fn each_panel(
    kernels: &dyn Kernels,
    size: (usize, usize),
    width: usize,
    panels: &mut Vec<u32>,
    pack: impl Fn(usize, usize, &mut [u32]),
) -> usize {
    let (n, k) = size;
    let words = k.div_ceil(kernels.shape().per_word);
    panels.resize(n.div_ceil(width) * width * words, 0);
    for (panel, first) in panels.chunks_exact_mut(width * words).zip((0..n).step_by(width)) {
        pack(first, width.min(n - first), panel);
    }
    words
}

/// Two packed operands with `words` steps of the summed dimension.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) left: &'a [u32],
    pub(super) right: &'a [u32],
    pub(super) words: usize,
}

/// `out (+)= left · right`, `size = (rows, columns)` of a matrix whose rows are `stride` apart.
pub(super) fn multiply(
    kernels: &dyn Kernels,
    pair: Pair<'_>,
    size: (usize, usize),
    out: (&mut [f32], usize),
    accumulate: bool,
) {
    let (shape, (rows, cols), (out, stride)) = (kernels.shape(), size, out);
    let shared = Shared::new(out, stride);
    for (right, col) in pair.right.chunks_exact(shape.right * pair.words).zip((0..cols).step_by(shape.right))
    {
        for (left, row) in pair.left.chunks_exact(shape.left * pair.words).zip((0..rows).step_by(shape.left))
        {
            let size = (shape.left.min(rows - row), shape.right.min(cols - col));
            // SAFETY: one tile is alive at a time.
            let tile = unsafe { shared.window((row, col), size, accumulate) };
            kernels.multiply(&[Run { words: pair.words, left, right }], tile);
        }
    }
}
