//! `chela bench agree`: whether what the trainer computes is what the engine serves. It trains a few steps, gives the
//! adapter to llama.cpp as a file, and compares the log-probability of every answer token, with it and without.

mod lessons;
mod report;
mod served;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::report::machine;
use super::train::load::Load;
use crate::adapter::gguf::{self, Labels};
use crate::cli::place::Place;
use crate::cli::train::trainer::{Opening, open_trainer};
use crate::cli::{Exit, loading, output};
use crate::learn::kernels::{available, pick};
use crate::learn::{Pace, Sample, Scores, Start};
use crate::model::{Found, check::check_file, resolve};
use crate::turn::PolicyVersion;
use report::{Case, LogProbs, Report, print};
use served::Served;

#[derive(Debug, Args)]
#[command(
    after_help = "Differences are of natural logarithms of probabilities, over all answer tokens. \"base\" is the \
    yardstick: llama.cpp rounds activations to 8 bits before it multiplies them with quantized weights, the trainer \
    does not, so they differ a little without any adapter. \"learned\" is what the adapter changes, compared between \
    the two; \"effect\" is how large that change is."
)]
pub(in crate::cli) struct AgreeBench {
    /// The model, a name or path [default: the one in use]
    #[arg(long, value_name = "MODEL", conflicts_with = "geometry")]
    model: Option<String>,
    /// A random model of this size instead
    #[arg(long, value_parser = ["qwen2-0.5b", "qwen3-0.6b", "tiny"])]
    geometry: Option<String>,
    /// Number type of the random model's matrices
    #[arg(long = "type", value_name = "TYPE", default_value = "q4_0", value_parser = ["q4_0", "q8_0", "f16", "f32"])]
    matrices: String,
    /// Gradient steps before the comparison
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Length of prompt and answer together where tokens are drawn: models without a chat template, random models
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(4..=4096))]
    tokens: u32,
    /// Step size
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    learning_rate: f64,
    /// [default: one per physical core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Memory that training may use beside the model file, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    memory: u64,
    /// Only these kernels instead of all that this CPU has
    #[arg(long, value_name = "NAME")]
    kernels: Option<String>,
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, bench: &AgreeBench) -> anyhow::Result<Exit> {
    let settings = place.prepare()?;
    let kernels = kernels(bench)?;
    let (model, samples) = subject(place, bench, &settings.model.name)?;
    let scratch = std::env::temp_dir().join(format!("chela-agree-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let report = measure(bench, &model, &samples, (&kernels, &scratch));
    // What is left behind after a failure here is in the system's temporary directory.
    let _ = std::fs::remove_dir_all(&scratch);
    let report = report?;
    if bench.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(Exit::Done)
}

fn kernels(bench: &AgreeBench) -> anyhow::Result<Vec<&'static str>> {
    if let Some(name) = &bench.kernels {
        let kernels = pick(Some(name)).map_err(anyhow::Error::msg)?;
        return Ok(vec![kernels.name()]);
    }
    Ok(available().iter().map(|kernels| kernels.name()).collect())
}

/// The model, and what is learned with it.
fn subject(place: &Place, bench: &AgreeBench, in_use: &str) -> anyhow::Result<(Found, Vec<Sample>)> {
    let model = if let Some(geometry) = &bench.geometry {
        let load = Load::make(place, geometry, &bench.matrices)?;
        resolve::resolve(&loading::roots(place), &load.path.to_string_lossy())?
    } else {
        resolve::resolve(&loading::roots(place), bench.model.as_deref().unwrap_or(in_use))?
    };
    let checked = check_file(&model.path)?;
    if let Err(reason) = &checked.summary.trainable {
        bail!("{} cannot be trained: {reason}", model.name);
    }
    let has_template = checked.gguf.metadata.text("tokenizer.chat_template").is_some();
    let samples = if has_template && bench.geometry.is_none() {
        lessons::conversations(&model, &checked.gguf)?
    } else {
        let n_vocab = checked.gguf.tokens().map_or(0, crate::gguf::Strings::len);
        lessons::drawn(n_vocab, usize::try_from(bench.tokens)?)
    };
    Ok((model, samples))
}

fn measure(
    bench: &AgreeBench,
    model: &Found,
    samples: &[Sample],
    (kernels, scratch): (&[&'static str], &Path),
) -> anyhow::Result<Report> {
    loading::probe_in_child(&model.path).map_err(|reason| anyhow::anyhow!("{}: {reason}", model.name))?;
    let served = Served::load(model, samples)?;
    let base = served.logprobs(PolicyVersion::BASE, samples)?;
    let mut cases = Vec::new();
    for (at, name) in kernels.iter().enumerate() {
        output::note(&format!("training with {name} …"));
        let version = PolicyVersion(u32::try_from(at + 1)?);
        let path = scratch.join(format!("{name}.gguf"));
        let learned = learn(bench, model, samples, (name, &path))?;
        served.learn(version, &path)?;
        let engine = LogProbs { base: base.clone(), adapter: served.logprobs(version, samples)? };
        cases.push(Case::new(name, learned.losses, &learned.trainer, &engine));
    }
    Ok(Report {
        machine: machine(),
        model: model.name.clone(),
        placement: served.placement(),
        samples: samples.len(),
        answer_tokens: base.len(),
        steps: bench.steps,
        cases,
    })
}

/// What came of a training.
struct Learned {
    /// Before the first step, and after the last.
    losses: (f64, f64),
    trainer: LogProbs,
}

/// Trains a new adapter and writes it to `path`.
fn learn(
    bench: &AgreeBench,
    model: &Found,
    samples: &[Sample],
    (kernels, path): (&str, &PathBuf),
) -> anyhow::Result<Learned> {
    let pace = Pace::default();
    let mut trainer = open_trainer(Opening {
        model: model.path.clone(),
        threads: bench.threads.map_or_else(num_cpus::get_physical, usize::from),
        memory_mib: bench.memory,
        kernels: Some(kernels.to_owned()),
        learning_rate: bench.learning_rate,
        warmup_steps: 0,
        total_steps: u64::from(bench.steps),
        start: Start::Fresh { rank: 8, alpha: 16.0, seed: 0 },
        lowest_priority: false,
    })?;
    // B is zero, so this is the base.
    let before = trainer.score(samples, &pace)?;
    for _ in 0..bench.steps {
        trainer.step(samples, &pace)?;
    }
    let after = trainer.score(samples, &pace)?;
    gguf::write(path, &trainer.state().adapter, &Labels::default())?;
    Ok(Learned {
        losses: (loss(&before), loss(&after)),
        trainer: LogProbs { base: flat(before), adapter: flat(after) },
    })
}

fn loss(scores: &[Scores]) -> f64 {
    scores.iter().map(|scores| scores.loss).sum()
}

fn flat(scores: Vec<Scores>) -> Vec<f32> {
    scores.into_iter().flat_map(|scores| scores.logprobs).flatten().collect()
}
