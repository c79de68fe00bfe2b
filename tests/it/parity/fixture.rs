//! What PyTorch computed: samples, adapter, and expected figures of the tiny models in `tests/fixtures/parity`.
//!
//! Made by `scripts/reference/gradients.py`. Matrices are in the order of the GGUF.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chela::adapter::{Adapter, Linear, Pair, Site};
use chela::engine::Token;
use chela::learn::loss::Term;
use chela::learn::{Answer, Row, Sample};
use safetensors::SafeTensors;
use serde::Deserialize;

/// The models that there is a fixture for. `llama-linear` and `llama3` have scaled rotations, a tied head, and
/// matrices in F16; `qwen3` has heads wider than its share of the model, and a head of its own as `llama` has.
pub(crate) const MODELS: [&str; 5] = ["llama", "llama-linear", "llama3", "qwen2", "qwen3"];

/// One tiny model, what is asked of it, and what PyTorch answered in f64.
pub(crate) struct Fixture {
    pub(crate) model: PathBuf,
    pub(crate) samples: Vec<Sample>,
    pub(crate) adapter: Adapter,
    /// Gradients of the summed loss with respect to A and B, in the shape of the adapter.
    pub(crate) gradients: BTreeMap<Site, Pair>,
    /// For each answer token, over samples, answers and rows in order: the row of logits that predicts it.
    pub(crate) logits: Vec<Vec<f32>>,
    pub(crate) expected: Expected,
    pub(crate) peft_bf16: PeftError,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    pub(crate) loss: f64,
    pub(crate) sample_losses: Vec<f64>,
    /// For each sample, for each answer, for each token.
    pub(crate) logprobs: Vec<Vec<Vec<f64>>>,
    /// Weighted sum of the terms of each kind, by the kind's name.
    pub(crate) by_term: BTreeMap<String, f64>,
    /// As in `StepReport`: the KL terms' unweighted sum divided by the rows that have one.
    pub(crate) kl: f64,
    pub(crate) grad_norm: f64,
    pub(crate) n_tokens: usize,
    pub(crate) n_targets: usize,
}

/// How far PEFT's bf16 run is from f64 on the same case (relative L2).
#[derive(Debug, Deserialize)]
pub(crate) struct PeftError {
    pub(crate) loss_relative_error: f64,
    pub(crate) gradient_relative_error: f64,
    pub(crate) worst_tensor: String,
    pub(crate) worst_tensor_relative_error: f64,
}

#[derive(Deserialize)]
struct Written {
    model: String,
    architecture: String,
    rank: usize,
    alpha: f32,
    expected: Expected,
    peft_bf16: PeftError,
    samples: Vec<WrittenSample>,
}

#[derive(Deserialize)]
struct WrittenSample {
    prompt: Vec<Token>,
    answers: Vec<WrittenAnswer>,
}

#[derive(Deserialize)]
struct WrittenAnswer {
    rows: Vec<WrittenRow>,
}

#[derive(Deserialize)]
struct WrittenRow {
    token: Token,
    terms: Vec<WrittenTerm>,
}

#[derive(Deserialize)]
enum WrittenTerm {
    CrossEntropy { weight: f32 },
    PolicyGradient { weight: f32, advantage: f32, old_logprob: f32, clip_low: f32, clip_high: f32 },
    ForwardKl { weight: f32, top: Vec<(Token, f32)> },
    ReverseKl { weight: f32, support: Vec<(Token, f32)>, gap: f32 },
    ReferenceKl { weight: f32 },
}

impl Fixture {
    /// `name`: one of [`MODELS`].
    pub(crate) fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).expect("the fixture's samples");
        let written: Written = serde_json::from_str(&text).expect("samples as gradients.py writes them");
        let bytes = fs::read(folder.join(format!("{name}.safetensors"))).expect("the fixture's tensors");
        let tensors = SafeTensors::deserialize(&bytes).expect("tensors as gradients.py writes them");
        let (n_vocab, logits) = matrix(&tensors, "logits");
        Self {
            model: folder.join(written.model),
            samples: written.samples.into_iter().map(sample).collect(),
            adapter: Adapter {
                architecture: written.architecture,
                rank: written.rank,
                alpha: written.alpha,
                pairs: pairs(&tensors, ""),
            },
            gradients: pairs(&tensors, ".gradient"),
            logits: logits.chunks(n_vocab).map(<[f32]>::to_vec).collect(),
            expected: written.expected,
            peft_bf16: written.peft_bf16,
        }
    }
}

fn sample(written: WrittenSample) -> Sample {
    let answers =
        written.answers.into_iter().map(|answer| Answer { rows: answer.rows.into_iter().map(row).collect() });
    Sample { prompt: written.prompt, answers: answers.collect() }
}

fn row(written: WrittenRow) -> Row {
    Row { token: written.token, terms: written.terms.into_iter().map(term).collect() }
}

fn term(written: WrittenTerm) -> Term {
    match written {
        WrittenTerm::CrossEntropy { weight } => Term::CrossEntropy { weight },
        WrittenTerm::PolicyGradient { weight, advantage, old_logprob, clip_low, clip_high } => {
            Term::PolicyGradient { weight, advantage, old_logprob, clip_low, clip_high }
        }
        WrittenTerm::ForwardKl { weight, top } => Term::ForwardKl { weight, top },
        WrittenTerm::ReverseKl { weight, support, gap } => Term::ReverseKl { weight, support, gap },
        WrittenTerm::ReferenceKl { weight } => Term::ReferenceKl { weight },
    }
}

/// All sites whose tensors end in `suffix`.
fn pairs(tensors: &SafeTensors, suffix: &str) -> BTreeMap<Site, Pair> {
    let sites = (0..).map_while(|layer| {
        let sites =
            Linear::ALL.map(|linear| (Site { layer, linear }, format!("blk.{layer}.{}", linear.gguf_name())));
        tensors.tensor(&format!("{}.lora_a{suffix}", sites[0].1)).is_ok().then_some(sites)
    });
    let pair = |(site, stem): (Site, String)| {
        let (n_in, a) = matrix(tensors, &format!("{stem}.lora_a{suffix}"));
        let (rank, b) = matrix(tensors, &format!("{stem}.lora_b{suffix}"));
        (site, Pair { n_in, n_out: b.len() / rank, a, b })
    };
    sites.flatten().map(pair).collect()
}

/// Row length and numbers.
fn matrix(tensors: &SafeTensors, name: &str) -> (usize, Vec<f32>) {
    let view = tensors.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let numbers = view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    (view.shape()[1], numbers.collect())
}
