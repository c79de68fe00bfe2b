//! Rotary positions, as llama.cpp computes them: which angle each pair of a head's numbers is turned by.
//!
//! What lives here: frequencies with their scaling (linear, `YaRN`, the factors of Llama 3), cosines and sines. What
//! does not: turning (`kernels`), reading the metadata (`geometry`).
//!
//! Angles are computed in `f64`. ggml multiplies its way from pair to pair in `f32` (`ggml_rope_cache_init`), which
//! strays from this by about 1e-7 of the angle.

/// How a model turns queries and keys by their position.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Numbers of a head that are turned, from its start; even. The rest stays.
    pub n_rotated: usize,
    pub pairing: Pairing,
    /// The wavelength grows from 2π to 2π times this.
    pub base: f32,
    pub scaling: Scaling,
    /// What turned numbers are multiplied by (`rope.scaling.attn_factor`); 1 in nearly all models.
    pub magnitude: f32,
}

/// Which two numbers of a head are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// `2 i` and `2 i + 1` (llama; ggml's NORM).
    Neighbours,
    /// `i` and `i + n_rotated / 2` (qwen; ggml's NEOX).
    Halves,
}

/// How positions beyond the original context are reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    None,
    /// Every angle is divided by `factor`.
    Linear {
        factor: f32,
    },
    /// Slow frequencies are divided by `factor`, fast ones are not. Peng et al. 2023, arXiv 2309.00071, §3.2 and 3.4.
    Yarn {
        factor: f32,
        original_context: usize,
    },
}

/// Full turns in the original context above which `YaRN` leaves a frequency alone, and below which it divides it. For
/// these architectures llama.cpp reads neither from the file.
const BETA_FAST: f32 = 32.0;
const BETA_SLOW: f32 = 1.0;

/// The angle per position of each pair, ready for cosines and sines.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeTable {
    pub pairing: Pairing,
    /// Radians per position; one for each pair.
    frequencies: Vec<f64>,
    magnitude: f64,
}

impl RopeTable {
    /// `factors`: the tensor `rope_freqs.weight`, one divisor for each pair; llama alone has it.
    pub fn new(rope: &Rope, factors: Option<&[f32]>) -> Self {
        let frequencies = (0..rope.n_rotated / 2)
            .map(|pair| {
                let divisor = factors.and_then(|factors| factors.get(pair)).copied().unwrap_or(1.0);
                rope.frequency(pair) / f64::from(divisor) * rope.stretch(pair)
            })
            .collect();
        Self { pairing: rope.pairing, frequencies, magnitude: rope.total_magnitude() }
    }

    /// Pairs of numbers that are turned.
    pub fn n_pairs(&self) -> usize {
        self.frequencies.len()
    }

    /// Cosine and sine of each pair's angle at a position.
    pub fn cos_sin(&self, position: u32) -> Vec<(f32, f32)> {
        self.frequencies.iter().map(|frequency| self.turn(*frequency, position)).collect()
    }

    /// The same into slices of `n_pairs` numbers each.
    pub fn fill(&self, position: u32, cos: &mut [f32], sin: &mut [f32]) {
        for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(&self.frequencies) {
            (*cos, *sin) = self.turn(*frequency, position);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "cosines and sines are kept as f32")]
    fn turn(&self, frequency: f64, position: u32) -> (f32, f32) {
        let (sin, cos) = (f64::from(position) * frequency).sin_cos();
        ((cos * self.magnitude) as f32, (sin * self.magnitude) as f32)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of pairs and context lengths are small")]
impl Rope {
    /// `base^(-2 pair / n_rotated)`: radians per position without any scaling.
    fn frequency(&self, pair: usize) -> f64 {
        f64::from(self.base).powf(-2.0 * pair as f64 / self.n_rotated as f64)
    }

    /// What the scaling multiplies a pair's frequency by.
    fn stretch(&self, pair: usize) -> f64 {
        match self.scaling {
            Scaling::None => 1.0,
            Scaling::Linear { factor } => f64::from(1.0 / factor),
            Scaling::Yarn { factor, original_context } => {
                let interpolated = f64::from(1.0 / factor);
                let [low, high] = self.corrected(original_context).map(f64::from);
                let ramp = 1.0 - ((pair as f64 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
                interpolated * (1.0 - ramp) + ramp
            }
        }
    }

    /// Between which pairs `YaRN` goes from leaving to dividing (`ggml_rope_yarn_corr_dims`; in `f32`, because it rounds).
    fn corrected(&self, original_context: usize) -> [f32; 2] {
        let n_rotated = self.n_rotated as f32;
        let pair_of = |turns: f32| {
            let positions = original_context as f32 / (turns * 2.0 * std::f32::consts::PI);
            n_rotated * positions.ln() / (2.0 * self.base.ln())
        };
        [pair_of(BETA_FAST).floor().max(0.0), pair_of(BETA_SLOW).ceil().min(n_rotated - 1.0)]
    }

    /// `YaRN` also makes queries and keys longer: attention over a stretched context is flatter.
    fn total_magnitude(&self) -> f64 {
        match self.scaling {
            Scaling::Yarn { factor, .. } if factor > 1.0 => {
                f64::from(self.magnitude) * (1.0 + 0.1 * f64::from(factor).ln())
            }
            _ => f64::from(self.magnitude),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_precision_loss, reason = "positions and pairs are small")]

    use std::f32::consts::PI;

    use super::{Pairing, Rope, RopeTable, Scaling};

    fn rope(scaling: Scaling) -> Rope {
        Rope { n_rotated: 64, pairing: Pairing::Halves, base: 10_000.0, scaling, magnitude: 1.0 }
    }

    /// `ggml_rope_cache_init` and `rope_yarn` of ggml-cpu's ops.cpp, line by line, in f32.
    fn as_in_ggml(rope: &Rope, factors: Option<&[f32]>, position: u32) -> Vec<(f32, f32)> {
        let n_dims = rope.n_rotated as f32;
        let (freq_scale, is_yarn, n_ctx) = match rope.scaling {
            Scaling::None => (1.0, false, 0.0),
            Scaling::Linear { factor } => (1.0 / factor, false, 0.0),
            Scaling::Yarn { factor, original_context } => (1.0 / factor, true, original_context as f32),
        };
        let corr_dim = |n_rot: f32| n_dims * (n_ctx / (n_rot * 2.0 * PI)).ln() / (2.0 * rope.base.ln());
        let (low, high) = (corr_dim(32.0).floor().max(0.0), corr_dim(1.0).ceil().min(n_dims - 1.0));
        let factor: f32 = 1.0 / freq_scale;
        // llama-context.cpp: get_mscale, then the cancelling of rope_yarn's own factor, then rope_attn_factor.
        let mut attn_factor = 1.0;
        if is_yarn {
            attn_factor = if factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 };
            attn_factor *= 1.0 / (1.0 + 0.1 * factor.ln());
        }
        attn_factor *= rope.magnitude;
        let theta_scale = rope.base.powf(-2.0 / n_dims);
        let mut theta = position as f32;
        let mut turns = Vec::new();
        for pair in 0..rope.n_rotated / 2 {
            let extrapolated = theta / factors.map_or(1.0, |factors| factors[pair]);
            let interpolated = freq_scale * extrapolated;
            let (mut angle, mut mscale) = (interpolated, attn_factor);
            if is_yarn {
                let ramp = 1.0 - ((pair as f32 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
                angle = interpolated * (1.0 - ramp) + extrapolated * ramp;
                mscale *= 1.0 + 0.1 * (1.0 / freq_scale).ln();
            }
            turns.push((angle.cos() * mscale, angle.sin() * mscale));
            theta *= theta_scale;
        }
        turns
    }

    #[track_caller]
    fn check(rope: &Rope, factors: Option<&[f32]>) {
        let table = RopeTable::new(rope, factors);
        for position in [0, 1, 7, 100, 1000] {
            let turns = table.cos_sin(position);
            let bound = 1e-6 + 4e-6 * position as f32;
            for ((cos, sin), (cos_ggml, sin_ggml)) in turns.iter().zip(as_in_ggml(rope, factors, position)) {
                assert!((cos - cos_ggml).abs() < bound && (sin - sin_ggml).abs() < bound, "{position}");
            }
            let (mut cos, mut sin) = (vec![0.0; table.n_pairs()], vec![0.0; table.n_pairs()]);
            table.fill(position, &mut cos, &mut sin);
            assert_eq!(turns, cos.into_iter().zip(sin).collect::<Vec<_>>());
        }
    }

    #[test]
    fn plain_positions_are_those_of_ggml() {
        check(&rope(Scaling::None), None);
        check(&Rope { base: 1e6, n_rotated: 128, ..rope(Scaling::None) }, None);
    }

    #[test]
    fn linear_scaling_is_that_of_ggml() {
        check(&rope(Scaling::Linear { factor: 4.0 }), None);
    }

    #[test]
    fn yarn_is_that_of_ggml() {
        check(&rope(Scaling::Yarn { factor: 4.0, original_context: 32_768 }), None);
        check(&rope(Scaling::Yarn { factor: 1.0, original_context: 2048 }), None);
        check(&rope(Scaling::Yarn { factor: 0.5, original_context: 2048 }), None);
        let large = Rope { base: 1e6, n_rotated: 128, magnitude: 1.25, ..rope(Scaling::None) };
        check(&Rope { scaling: Scaling::Yarn { factor: 4.0, original_context: 32_768 }, ..large }, None);
    }

    #[test]
    fn factors_divide_each_frequency() {
        let factors: Vec<f32> = (0..32).map(|pair| if pair < 16 { 1.0 } else { 8.0 }).collect();
        check(&rope(Scaling::None), Some(&factors));
        check(&rope(Scaling::Linear { factor: 2.0 }), Some(&factors));
    }

    #[test]
    fn position_zero_turns_nothing() {
        assert_eq!(RopeTable::new(&rope(Scaling::None), None).cos_sin(0), vec![(1.0, 0.0); 32]);
    }

    #[test]
    fn linear_scaling_moves_positions_closer() {
        let plain = RopeTable::new(&rope(Scaling::None), None);
        let scaled = RopeTable::new(&rope(Scaling::Linear { factor: 8.0 }), None);
        assert_eq!(plain.cos_sin(5), scaled.cos_sin(40));
    }

    #[test]
    fn a_known_angle() {
        let turns = RopeTable::new(&rope(Scaling::None), None).cos_sin(3);
        // Pair 8 of 32: 10000^(-1/4) = 0.1 radians per position.
        assert!((turns[8].0 - 0.3_f32.cos()).abs() < 1e-7 && (turns[8].1 - 0.3_f32.sin()).abs() < 1e-7);
    }
}
