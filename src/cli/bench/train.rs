//! `chela bench train`: what a gradient step costs on this machine, beside PEFT's when it is there, and what training
//! costs those who wait for an answer meanwhile.

mod kernels;
pub(super) mod load;
pub(super) mod meter;
mod peer;
mod report;
mod serving;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::place::Place;
use crate::cli::train::trainer::{Opening, open_trainer};
use crate::cli::{Exit, output};
use crate::learn::Start;
use crate::learn::{Pace, Trainer};
use load::Load;
use meter::{Cost, forget_peak, metered, peak_rss_mib};
use peer::Peer;
use report::{Case, Report, print};

#[derive(Debug, Args)]
#[command(
    after_help = "Figures are medians over the steps, after a step that is not counted. The model has true size and \
    random weights; it is kept for the next time. --peer wants a Python with torch and peft: both take turns, step by \
    step. Useful work is 4 FLOP for each linear weight and token (forward, and the gradient that goes on), and the \
    same for the output layer on answer tokens; what is computed twice to save memory does not count."
)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(in crate::cli) struct TrainBench {
    /// Size of the random model
    #[arg(long, default_value = "qwen2-0.5b", value_parser = ["qwen2-0.5b", "qwen3-0.6b", "tiny"])]
    geometry: String,
    /// Number type of its matrices
    #[arg(long = "type", value_name = "TYPE", default_value = "q4_0", value_parser = ["q4_0", "q8_0", "f16", "f32"])]
    matrices: String,
    /// Answers to one prompt; each number is a case of its own
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4])]
    answers: Vec<usize>,
    /// Length of the prompt
    #[arg(long, value_name = "N", default_value_t = 384, value_parser = load::count)]
    prompt_tokens: usize,
    /// Length of each answer
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = load::count)]
    answer_tokens: usize,
    /// Steps that are counted
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// [default: one per physical core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Memory that training may use beside the model file, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    memory: u64,
    /// Use these kernels instead of the fastest
    #[arg(long, value_name = "NAME")]
    kernels: Option<String>,
    /// Measure only the matrix products: of all kernels that this CPU has, or of those of --kernels
    #[arg(long, conflicts_with_all = ["peer", "serve"])]
    kernels_only: bool,
    /// Measure PEFT in the same sitting
    #[arg(long)]
    peer: bool,
    /// The Python to measure it with
    #[arg(long, value_name = "PATH", default_value = "python3", requires = "peer")]
    python: PathBuf,
    /// The program that takes PEFT's steps
    #[arg(long, value_name = "FILE", default_value = "scripts/reference/peft.py", requires = "peer")]
    script: PathBuf,
    /// Number type of PEFT's adapter; its own default is f32, bf16 costs it less
    #[arg(long, value_name = "TYPE", default_value = "bf16", value_parser = ["bf16", "f32"], requires = "peer")]
    adapter_dtype: String,
    /// Measure also what training costs somebody who waits for an answer
    #[arg(long)]
    serve: bool,
    #[arg(long)]
    json: bool,
}

impl TrainBench {
    fn n_threads(&self) -> usize {
        self.threads.map_or_else(num_cpus::get_physical, usize::from)
    }

    fn opening(&self, load: &Load) -> Opening {
        Opening {
            model: load.path.clone(),
            threads: self.n_threads(),
            memory_mib: self.memory,
            kernels: self.kernels.clone(),
            learning_rate: 1e-4,
            warmup_steps: 0,
            total_steps: u64::from(self.steps) + 1,
            start: Start::Fresh { rank: load::RANK, alpha: 32.0, seed: 0 },
            lowest_priority: false,
        }
    }
}

pub(super) fn run(place: &Place, bench: &TrainBench) -> anyhow::Result<Exit> {
    place.prepare()?;
    if bench.kernels_only {
        return only_kernels(bench);
    }
    let load = Load::make(place, &bench.geometry, &bench.matrices)?;
    let mut peer_is = None;
    let cases = bench
        .answers
        .iter()
        .map(|&answers| case(bench, &load, answers, &mut peer_is))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let serving = bench.serve.then(|| serving::measure(bench, &load)).transpose()?;
    let report = Report::new(bench, &load, (peer_is, cases), kernels::speeds(bench)?, serving);
    if bench.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(Exit::Done)
}

fn only_kernels(bench: &TrainBench) -> anyhow::Result<Exit> {
    let speeds = kernels::speeds(bench)?;
    if bench.json {
        output::json(&speeds)?;
    } else {
        output::line(&kernels::lines(&speeds).join("\n"))?;
    }
    Ok(Exit::Done)
}

/// All steps with `answers` answers to the prompt; the peer's between them. `peer_is` gets what the peer says that it runs.
fn case(
    bench: &TrainBench,
    load: &Load,
    answers: usize,
    peer_is: &mut Option<String>,
) -> anyhow::Result<Case> {
    let batch = load.batch(bench, answers);
    let mut peer = if bench.peer { peer(bench, load, answers) } else { None };
    if let Some(peer) = &peer {
        *peer_is = Some(peer.runs.clone());
    }
    forget_peak();
    let mut trainer = open_trainer(bench.opening(load))?;
    let mut own = Vec::new();
    let mut peers: Vec<Cost> = Vec::new();
    for step in 0..=bench.steps {
        output::note(&format!("{answers} answers: step {step} of {} …", bench.steps));
        let cost = own_step(trainer.as_mut(), &batch)?;
        let peer_cost = match &mut peer {
            Some(peer) => Some(peer.step().context("the peer stopped in the middle")?),
            None => None,
        };
        // The first step warms caches and clocks up and is not counted.
        if step > 0 {
            own.push(cost);
            peers.extend(peer_cost);
        }
    }
    let peak = peer.and_then(Peer::finish);
    for cost in &mut peers {
        cost.peak_rss_mib = peak;
    }
    let work = load.useful_flop(bench, answers);
    Ok(Case::new(answers, batch.n_rows, work, &own, &peers))
}

fn own_step(trainer: &mut dyn Trainer, batch: &load::Batch) -> anyhow::Result<Cost> {
    let (report, wall_s, cpu_s) = metered(|| trainer.step(&batch.samples, &Pace::default()));
    report?;
    Ok(Cost { wall_s, cpu_s, peak_rss_mib: peak_rss_mib() })
}

/// The peer, ready for its first step; without one the bench goes on and says why.
fn peer(bench: &TrainBench, load: &Load, answers: usize) -> Option<Peer> {
    match Peer::start(bench, load, answers) {
        Ok(peer) => Some(peer),
        Err(error) => {
            output::note(&format!("no peer: {error:#}"));
            None
        }
    }
}
