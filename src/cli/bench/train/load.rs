//! What is computed: a random model of true size, random tokens, and how much work a step of them is.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::TrainBench;
use crate::cli::output;
use crate::cli::place::Place;
use crate::engine::Token;
use crate::gguf::{Gguf, TensorType};
use crate::learn::loss::Term;
use crate::learn::shuffle::Draws;
use crate::learn::{Answer, Row, Sample};
use crate::model::random::{Geometry, TYPES, write_random};
use crate::model::starter;

/// Of the adapter, as in PEFT's usual settings.
pub(super) const RANK: usize = 16;
/// Goes up when random models come out otherwise, so that old ones are not used.
const EDITION: u32 = 1;

/// A random model on the disk.
pub(in crate::cli::bench) struct Load {
    pub(in crate::cli::bench) path: PathBuf,
    pub(in crate::cli::bench) name: String,
    pub(super) geometry: Geometry,
    pub(super) n_vocab: usize,
}

/// One gradient step's samples.
pub(super) struct Batch {
    pub(super) samples: Vec<Sample>,
    /// Prompt and answer tokens.
    pub(super) n_rows: usize,
}

/// A number of tokens.
pub(super) fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
    number.ok_or_else(|| "a number from 1 to 100000 is needed".to_owned())
}

impl Load {
    /// Finds the model that an earlier bench has made, or makes it.
    /// `geometry` and `matrices`: by name.
    pub(in crate::cli::bench) fn make(place: &Place, geometry: &str, matrices: &str) -> anyhow::Result<Self> {
        let preset = Geometry::preset(geometry);
        let preset = preset.with_context(|| format!("no geometry {geometry}"))?;
        let kind = TYPES.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(matrices));
        let geometry = Geometry { matrices: kind.unwrap_or(TensorType::Q4_0), ..preset };
        let name = format!("{}-{matrices}", geometry.name);
        let dir = place.paths.state_dir.join("bench");
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join(format!("random-{name}-{EDITION}.gguf"));
        // The file appears under this name only when it is whole.
        if !path.exists() {
            output::note(&format!("making {} (random weights, kept for the next time) …", path.display()));
            let vocabulary = Gguf::parse(Path::new("the starter model"), starter::BYTES)?;
            write_random(&path, &geometry, &vocabulary, 7)?;
        }
        let n_vocab = Gguf::open(&path)?.tokens().map_or(0, crate::gguf::Strings::len);
        Ok(Self { path, name, geometry, n_vocab })
    }

    /// One prompt and `answers` answers to it, of tokens that mean nothing.
    pub(super) fn batch(&self, bench: &TrainBench, answers: usize) -> Batch {
        let mut draws = Draws::new(1);
        let n_targets = answers * bench.answer_tokens;
        #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
        let weight = 1.0 / n_targets.max(1) as f32;
        let prompt = self.tokens(&mut draws, bench.prompt_tokens);
        let answers = (0..answers)
            .map(|_| {
                let tokens = self.tokens(&mut draws, bench.answer_tokens);
                let row = |token| Row { token, terms: vec![Term::CrossEntropy { weight }] };
                Answer { rows: tokens.into_iter().map(row).collect() }
            })
            .collect();
        Batch { samples: vec![Sample { prompt, answers }], n_rows: bench.prompt_tokens + n_targets }
    }

    pub(super) fn tokens(&self, draws: &mut Draws, n: usize) -> Vec<Token> {
        (0..n).map(|_| Token::try_from(draws.below(self.n_vocab as u64)).unwrap_or(0)).collect()
    }

    /// Floating point operations that a step cannot do without: 2 for each weight and row forward, 2 for the
    /// gradient that goes on; the output layer on answer rows only. Attention, norms and the adapter are left out.
    pub(super) fn useful_flop(&self, bench: &TrainBench, answers: usize) -> f64 {
        let geometry = &self.geometry;
        let [layers, width, ffn, q_heads, kv_heads, head] = [
            geometry.n_layers,
            geometry.width,
            geometry.ffn_width,
            geometry.n_heads,
            geometry.n_kv_heads,
            geometry.head_width,
        ]
        .map(f64::from);
        let (q, kv) = (q_heads * head, kv_heads * head);
        let linear = layers * (width * (2.0 * q + 2.0 * kv) + 3.0 * width * ffn);
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let [n_vocab, n_prompt, n_answers] =
            [self.n_vocab, bench.prompt_tokens, answers * bench.answer_tokens].map(|n| n as f64);
        4.0 * linear * (n_prompt + n_answers) + 4.0 * n_vocab * width * n_answers
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: TrainBench,
    }

    fn load(geometry: Geometry, n_vocab: usize) -> Load {
        Load { path: PathBuf::new(), name: String::new(), geometry, n_vocab }
    }

    #[test]
    fn the_useful_work_of_half_a_billion_weights_is_known() {
        let bench = Line::parse_from(["x"]).bench;
        let load = load(Geometry::qwen2_0_5b(), 151_936);
        // 4 · 357,826,560 · 512 + 4 · 151,936 · 896 · 128.
        assert!(
            (load.useful_flop(&bench, 1) - 802_529_738_752.0).abs() < 1.0,
            "{}",
            load.useful_flop(&bench, 1)
        );
    }

    #[test]
    fn a_batch_has_one_prompt_and_weights_that_add_up_to_one() {
        let bench = Line::parse_from(["x", "--prompt-tokens", "5", "--answer-tokens", "3"]).bench;
        let batch = load(Geometry::qwen2_0_5b(), 100).batch(&bench, 4);
        let [sample] = &batch.samples[..] else { panic!("{} samples", batch.samples.len()) };
        assert_eq!((batch.n_rows, sample.prompt.len(), sample.answers.len()), (17, 5, 4));
        assert!(sample.prompt.iter().all(|token| (0..100).contains(token)));
        assert_eq!(sample.answers[0].rows[0].terms, [Term::CrossEntropy { weight: 1.0 / 12.0 }]);
        assert_ne!(sample.answers[0], sample.answers[1]);
    }
}
