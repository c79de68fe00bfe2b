//! `chela bench`: measures this machine. `train`, `learn` and `agree` have files of their own; here is `serve`: how fast answers come through
//! chela (socket, ledger, batching and all) against a bare llama.cpp loop in the same process, on the same weights,
//! threads and prompts, in turn.

mod agree;
mod learn;
mod report;
mod review;
mod rounds;
mod shell;
mod train;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::place::Place;
use super::served::{Parts, Scratch, Served};
use super::{Exit, loading, output};
use crate::config::{Model, Settings};
use crate::daemon;
use crate::engine::{Engine, LlamaEngine, LoadOptions};
use crate::gguf::Gguf;
use crate::model::random::{Geometry, write_random};
use crate::model::{check, resolve, starter};
use report::{Report, print, report};
use rounds::{Prompts, one_round};

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Serving speed through chela against a bare llama.cpp loop
    Serve(ServeBench),
    /// Cost of a gradient step, against PEFT if it is there
    Train(train::TrainBench),
    /// Simulated users with wishes of their own: how soon and how well chela follows them, and what that costs
    Learn(learn::LearnBench),
    /// What chela costs in a shell: keys, commands, start, bulk output
    Shell(shell::ShellBench),
    /// The review pane on a ledger with many turns: opening, paging, filtering
    Review(review::ReviewBench),
    /// Whether trainer and engine compute the same probabilities, with and without an adapter
    Agree(agree::AgreeBench),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without --model it makes a model of true size with random weights (about 530 MB in the \
    temporary directory, removed afterwards): speeds are right, answers are not. Figures are medians."
)]
pub(super) struct ServeBench {
    /// A model's name or path [default: random weights]
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["geometry", "vocab"])]
    model: Option<String>,
    /// Size of the random model
    #[arg(long, default_value = "qwen2-0.5b", value_parser = ["qwen2-0.5b", "qwen3-0.6b", "tiny"])]
    geometry: String,
    /// A GGUF file whose tokenizer the random model gets [default: the starter's, filled up to the true size]
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// Length of the prompts
    #[arg(long, value_name = "N", default_value_t = 256)]
    prompt_tokens: usize,
    /// Length of the answers
    #[arg(long, value_name = "N", default_value_t = 64)]
    tokens: usize,
    /// Rounds; each runs everything once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Numbers of parallel clients to try
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 8])]
    clients: Vec<usize>,
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, command: &BenchCommand) -> anyhow::Result<Exit> {
    match command {
        BenchCommand::Serve(bench) => serve(place, bench),
        BenchCommand::Train(bench) => train::run(place, bench),
        BenchCommand::Learn(bench) => learn::run(place, bench),
        BenchCommand::Shell(bench) => shell::run(bench),
        BenchCommand::Review(bench) => review::run(place, bench),
        BenchCommand::Agree(bench) => agree::run(place, bench),
    }
}

fn serve(place: &Place, bench: &ServeBench) -> anyhow::Result<Exit> {
    let scratch = Scratch::new()?;
    let report = measure(place, bench, &scratch)?;
    if bench.json {
        output::line(&serde_json::to_string(&report)?)?;
    } else {
        print(&report)?;
    }
    Ok(Exit::Done)
}

fn measure(place: &Place, bench: &ServeBench, scratch: &Scratch) -> anyhow::Result<Report> {
    let settings = place.settings()?;
    let (name, path) = model_file(place, bench, scratch.path())?;
    check::check_file(&path)?;
    let parallel = bench.clients.iter().copied().max().unwrap_or(1).clamp(1, 64);
    let n_ctx = (bench.prompt_tokens + bench.tokens + 64).next_multiple_of(256);
    let options = LoadOptions {
        n_ctx,
        parallel,
        threads: settings.engine.threads,
        gpu_layers: settings.engine.gpu_layers,
        ..LoadOptions::new(&name, &path)
    };
    let engine = Arc::new(LlamaEngine::load(&options)?);
    let shared = Arc::clone(&engine);
    let parts = Parts {
        settings: Settings { model: Model { name: "bench".to_owned(), context: n_ctx }, ..settings },
        loader: Box::new(move |_| Ok(Arc::clone(&shared) as Arc<dyn Engine>)),
        trainer: daemon::local_trainer(),
        course: daemon::usual_course(),
    };
    let served = Served::start(scratch, parts)?;
    let mut bare = engine.bare_loop()?;
    let prompts = Prompts { engine: &engine, n_tokens: bench.prompt_tokens };
    let rounds = (0..=bench.rounds)
        .map(|round| one_round(bench, round, &prompts, &served.client, &mut bare))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // The first round warms caches and clocks up and is not counted.
    let rounds = rounds.get(1..).unwrap_or_default();
    report(bench, engine.as_ref(), rounds)
}

/// The file to measure, made when none was named.
fn model_file(place: &Place, bench: &ServeBench, scratch: &Path) -> anyhow::Result<(String, PathBuf)> {
    if let Some(model) = &bench.model {
        let found = resolve::resolve(&loading::roots(place), model)?;
        return Ok((found.name, found.path));
    }
    let geometry =
        Geometry::preset(&bench.geometry).with_context(|| format!("no geometry {}", bench.geometry))?;
    let (vocab, whose) = if let Some(file) = &bench.vocab {
        (Gguf::open(file)?, file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
    } else {
        let starter = Gguf::parse(Path::new("the starter model"), starter::BYTES)?;
        (starter, "starter vocabulary, filled up".to_owned())
    };
    output::note("making a model with random weights …");
    let path = scratch.join("random.gguf");
    write_random(&path, &geometry, &vocab, 7)?;
    Ok((format!("random {} ({whose})", bench.geometry), path))
}
