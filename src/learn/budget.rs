//! How much memory a step needs, and what is given up when the budget is smaller: first activations are computed
//! again instead of kept, then micro-batches get smaller, then the sample is refused. Pure.

use super::layout::n_rows;
use super::network::Effort;
use super::parameters::n_parameters;
use super::weights::WeightFile;
use super::{Sample, TrainError};

/// Rows that a micro-batch grows to. Beyond it the kernels gain nothing and the activations only cost memory.
const ROWS: usize = 1024;
/// Logits of at most this many bytes exist at a time.
const LOGIT_BYTES: u64 = 320 << 20;
/// Fewest rows whose logits are computed at once.
const MIN_LOGIT_ROWS: u64 = 16;
const FLOAT: u64 = 4;

/// What memory a model's training takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// What there is.
    total: u64,
    /// Parameters, gradients, two moments; weights on their way through; stacks and buffers of threads.
    fixed: u64,
    n_layers: u64,
    /// Per row: a layer's input; all that a layer keeps; the buffers that layers share.
    input: u64,
    kept: u64,
    shared: u64,
    /// Per answer row whose logits exist.
    logits: u64,
}

impl Budget {
    pub(super) fn new(
        weights: &WeightFile,
        rank: usize,
        per_word: usize,
        threads: usize,
        bytes: u64,
    ) -> Self {
        let geometry = &weights.geometry;
        let count = |n: usize| n as u64;
        let (width, ffn) = (count(geometry.width), count(geometry.ffn_width));
        let (q, kv) = (count(geometry.q_width()), count(geometry.kv_width()));
        let layers = weights.layers.iter();
        let largest = layers.map(|layer| layer.gate.n_rows * layer.gate.row_bytes()).max().unwrap_or(0);
        let low = 7 * count(rank);
        Self {
            total: bytes,
            fixed: 4 * FLOAT * count(n_parameters(geometry, rank))
                + 3 * count(largest)
                + ((8 + 2 * count(threads)) << 20),
            n_layers: count(geometry.n_layers),
            input: FLOAT * width,
            kept: FLOAT
                * (2 * width + 2 * q + 2 * kv + count(geometry.n_heads) + 2 * ffn / count(per_word) + low),
            // Products and their gradients, what attention sums per head, the packed operand, x and dx.
            shared: FLOAT * (6 * ffn + 6 * width + 6 * q + 4 * kv),
            logits: FLOAT * count(geometry.n_vocab),
        }
    }

    /// Divides a batch into micro-batches, in its order, each with the effort that fits.
    pub(super) fn micro_batches<'a>(
        &self,
        samples: &'a [Sample],
    ) -> Result<Vec<(&'a [Sample], Effort)>, TrainError> {
        let mut batches = Vec::new();
        let mut rest = samples;
        while !rest.is_empty() {
            let n = self.largest_start(rest).ok_or_else(|| self.refusal(rest))?;
            let (batch, others) = rest.split_at(n);
            let rows: usize = batch.iter().map(n_rows).sum();
            batches.push((batch, self.effort(rows as u64).ok_or_else(|| self.refusal(batch))?));
            rest = others;
        }
        Ok(batches)
    }

    /// How many samples from the start on make a good micro-batch: as many as fit `ROWS` and the budget, at least one.
    fn largest_start(&self, samples: &[Sample]) -> Option<usize> {
        let mut rows = 0;
        let mut best = None;
        for (at, sample) in samples.iter().enumerate() {
            rows += n_rows(sample);
            if (at > 0 && rows > ROWS) || self.effort(rows as u64).is_none() {
                break;
            }
            best = Some(at + 1);
        }
        best
    }

    /// The most layers that can keep their activations. `None`: not even one layer's fit.
    fn effort(&self, rows: u64) -> Option<Effort> {
        let left = self.total.checked_sub(self.needed(rows, 0))?;
        let more = (rows * (self.kept - self.input)).max(1);
        let kept_layers = (left / more).min(self.n_layers);
        let logit_rows = self.logit_rows();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most the layers, and rows that fit in memory"
        )]
        Some(Effort { kept_layers: kept_layers as usize, logit_rows: logit_rows as usize })
    }

    /// Bytes with `kept` layers that keep their activations; one more is always there to compute in.
    fn needed(&self, rows: u64, kept: u64) -> u64 {
        let layers = rows * (self.n_layers * self.input + kept * (self.kept - self.input) + self.kept);
        self.fixed + rows * self.shared + layers + self.logit_rows() * self.logits
    }

    fn logit_rows(&self) -> u64 {
        // A tight budget gives up logits first: they only cost decoding the output matrix more often.
        let bytes = LOGIT_BYTES.min(self.total.saturating_sub(self.fixed) / 8);
        (bytes / self.logits.max(1)).max(MIN_LOGIT_ROWS)
    }

    fn refusal(&self, samples: &[Sample]) -> TrainError {
        let n_tokens = samples.first().map_or(0, n_rows);
        let needed_mib = self.needed(n_tokens as u64, 0).div_ceil(1 << 20);
        TrainError::OutOfBudget { n_tokens, needed_mib, budget_mib: self.total >> 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{Answer, Row};

    /// A model of 10 layers: 1000 bytes fixed, 10 per row and layer, 110 with all kept, 20 per logit row.
    fn budget(total: u64) -> Budget {
        Budget { total, fixed: 1000, n_layers: 10, input: 10, kept: 110, shared: 50, logits: 20 }
    }

    fn samples(rows: &[usize]) -> Vec<Sample> {
        let answer = |n: usize| Answer { rows: vec![Row { token: 0, terms: vec![] }; n] };
        rows.iter().map(|n| Sample { prompt: vec![0], answers: vec![answer(*n)] }).collect()
    }

    /// Samples in each micro-batch, and its layers that keep their activations.
    fn divided(total: u64, rows: &[usize]) -> Option<Vec<(usize, usize)>> {
        let samples = samples(rows);
        let batches = budget(total).micro_batches(&samples).ok()?;
        Some(batches.into_iter().map(|(batch, effort)| (batch.len(), effort.kept_layers)).collect())
    }

    #[test]
    fn with_enough_memory_everything_is_kept() {
        assert_eq!(divided(1 << 30, &[100, 100]), Some(vec![(2, 10)]));
    }

    #[test]
    fn micro_batches_stop_growing_where_they_gain_nothing() {
        assert_eq!(divided(1 << 30, &[600, 600, 400]), Some(vec![(1, 10), (2, 10)]));
        assert_eq!(
            divided(1 << 30, &[5000, 10]),
            Some(vec![(1, 10), (1, 10)]),
            "one sample is never divided"
        );
    }

    #[test]
    fn with_less_memory_layers_compute_again_then_batches_get_smaller_then_it_is_refused() {
        let total = 1 << 17;
        let least = |rows: u64| budget(total).needed(rows, 0);
        assert!(least(200) < total && least(450) > total);
        let divided_200 = divided(total, &[200]).unwrap();
        assert!(matches!(divided_200[..], [(1, kept)] if kept < 10), "{divided_200:?}");
        assert_eq!(divided(total, &[200, 250]).unwrap().len(), 2);
        assert_eq!(divided(total, &[450]), None);
    }

    #[test]
    fn a_refusal_names_the_tokens_and_both_sizes() {
        let error = budget(1 << 20).micro_batches(&samples(&[100_000])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a sample of 100000 tokens needs 25 MiB and the memory budget leaves 1 MiB; raise the budget, or train \
             on shorter samples"
        );
    }

    #[test]
    fn more_memory_never_means_less_kept() {
        let kept = |total| divided(total, &[300]).map(|batches| batches[0].1);
        let all: Vec<Option<usize>> = (0..600).map(|step| kept(step * 1000)).collect();
        assert!(all.is_sorted(), "{all:?}");
        assert_eq!((all[0], all[599]), (None, Some(10)));
    }
}
