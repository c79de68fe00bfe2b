//! Rotary position embedding over all rows of a micro-batch (Su et al. 2021, arXiv 2104.09864).

use rayon::prelude::*;

use crate::learn::kernels::Kernels;
use crate::learn::layout::Layout;
use crate::learn::weights::{Pairing, RopeTable};

/// Cosines and sines of every position that a micro-batch has.
#[derive(Debug, Default)]
pub(in crate::learn) struct Rotations {
    cos: Vec<f32>, // (positions, pairs)
    sin: Vec<f32>,
    minus_sin: Vec<f32>,
    pairs: usize,
    halves: bool,
}

impl Rotations {
    pub(in crate::learn) fn new(table: &RopeTable, layout: &Layout<'_>) -> Self {
        let positions = layout.positions.iter().max().map_or(0, |last| last + 1);
        let mut rotations =
            Self { pairs: table.n_pairs(), halves: table.pairing == Pairing::Halves, ..Self::default() };
        for position in 0..u32::try_from(positions).unwrap_or(u32::MAX) {
            for (cos, sin) in table.cos_sin(position) {
                rotations.cos.push(cos);
                rotations.sin.push(sin);
                rotations.minus_sin.push(-sin);
            }
        }
        rotations
    }

    /// Rotates each head of each row, or turns it back. `x` is (`positions.len()`, heads · head width).
    #[expect(clippy::too_many_arguments, reason = "what is rotated, by what, and in which direction")]
    pub(super) fn apply(
        &self,
        kernels: &dyn Kernels,
        x: &mut [f32],
        head_width: usize,
        positions: &[usize],
        back: bool,
    ) {
        let stride = x.len() / positions.len().max(1);
        let sines = if back { &self.minus_sin } else { &self.sin };
        x.par_chunks_exact_mut(stride.max(1)).zip(positions).with_min_len(64).for_each(|(row, position)| {
            let at = position * self.pairs..(position + 1) * self.pairs;
            let (cos, sin) = (&self.cos[at.clone()], &sines[at]);
            for head in row.chunks_exact_mut(head_width) {
                kernels.rotate(&mut head[..2 * self.pairs], cos, sin, self.halves);
            }
        });
    }
}
