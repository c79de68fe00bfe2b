//! `chela bench serve`: how fast answers come through chela (socket, ledger, batching and all) against a bare
//! llama.cpp loop in the same process, on the same weights, threads and prompts, in turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::place::Place;
use super::{Exit, loading, output};
use crate::client::Client;
use crate::config::{PathEnv, Paths, Settings};
use crate::daemon::wire::{ChatRequest, ModelState, StreamOptions};
use crate::daemon::{self, DaemonConfig, Role};
use crate::engine::{BareLoop, Engine, LlamaEngine, LoadOptions, Sampling, Token};
use crate::gguf::Gguf;
use crate::model::random::{Geometry, write_random};
use crate::model::{check, resolve, starter};
use crate::turn::template::ChatTemplate;
use crate::turn::{Message, Role as Speaker};

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Serving speed through chela against a bare llama.cpp loop
    Serve(ServeBench),
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

/// Medians over the rounds.
#[derive(Debug, Serialize)]
struct Report {
    machine: String,
    model: String,
    placement: String,
    prompt_tokens: usize,
    answer_tokens: usize,
    rounds: u32,
    bare: Speed,
    chela: Vec<ClientsSpeed>,
    /// chela with one client against the bare loop, round by round.
    decode_ratio: f64,
    prefill_ratio: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Speed {
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
    first_token_ms: f64,
}

#[derive(Debug, Serialize)]
struct ClientsSpeed {
    clients: usize,
    /// Of one client among them.
    each: Speed,
    /// Prompts and answers of all clients together, from the first request to the last token.
    total_tokens_per_s: f64,
    /// Only sampled tokens.
    answer_tokens_per_s: f64,
}

/// One answer: what it cost.
#[derive(Debug, Clone, Copy)]
struct Timing {
    first_s: f64,
    decode_s: f64,
    n_prompt: usize,
    n_sampled: usize,
}

impl Timing {
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
    fn speed(self) -> Speed {
        Speed {
            prefill_tokens_per_s: self.n_prompt as f64 / self.first_s,
            decode_tokens_per_s: (self.n_sampled.saturating_sub(1)) as f64 / self.decode_s,
            first_token_ms: self.first_s * 1e3,
        }
    }
}

pub(super) fn run(place: &Place, command: &BenchCommand) -> anyhow::Result<Exit> {
    let BenchCommand::Serve(bench) = command;
    let scratch = std::env::temp_dir().join(format!("chela-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let report = measure(place, bench, &scratch);
    // What is left behind after a failure here is in the system's temporary directory.
    let _ = std::fs::remove_dir_all(&scratch);
    let report = report?;
    if bench.json {
        output::line(&serde_json::to_string(&report)?)?;
    } else {
        print(&report)?;
    }
    Ok(Exit::Done)
}

fn measure(place: &Place, bench: &ServeBench, scratch: &Path) -> anyhow::Result<Report> {
    let settings = place.settings()?;
    let (name, path) = model_file(place, bench, scratch)?;
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
    let served = Served::start(&engine, settings, scratch, n_ctx)?;
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
    let (vocab, whose) = match &bench.vocab {
        Some(file) => {
            (Gguf::open(file)?, file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        }
        None => {
            let bytes = starter::BYTES;
            (Gguf::parse(Path::new("the starter model"), bytes)?, "starter vocabulary, filled up".to_owned())
        }
    };
    output::note("making a model with random weights …");
    let path = scratch.join("random.gguf");
    write_random(&path, &geometry, &vocab, 7)?;
    Ok((format!("random {} ({whose})", bench.geometry), path))
}

/// A daemon in this process with a ledger of its own, and a client of its socket.
struct Served {
    client: Client,
    thread: Option<thread::JoinHandle<()>>,
}

impl Served {
    fn start(
        engine: &Arc<LlamaEngine>,
        settings: Settings,
        scratch: &Path,
        n_ctx: usize,
    ) -> anyhow::Result<Self> {
        let home = PathEnv { chela_home: Some(scratch.join("home").into()), xdg_runtime_dir: None };
        let paths = Paths::resolve(&home)?;
        let (listening, announced) = mpsc::channel();
        let shared = Arc::clone(engine);
        let config = DaemonConfig {
            paths: paths.clone(),
            settings: Settings {
                model: crate::config::Model { name: "bench".to_owned(), context: n_ctx },
                ..settings
            },
            loader: Box::new(move |_| Ok(Arc::clone(&shared) as Arc<dyn Engine>)),
            tcp: None,
            role: Role::Guest,
            announce: Some(Box::new(move |_| listening.send(()).unwrap_or_default())),
        };
        let thread = thread::Builder::new().name("bench-daemon".to_owned()).spawn(move || {
            if let Err(error) = daemon::run(config) {
                output::note(&format!("the daemon ended: {error}"));
            }
        })?;
        announced.recv().context("the daemon does not start")?;
        let client = Client::connect_if_running(&paths)?.context("the daemon is gone")?;
        let status = client.wait_for_model()?;
        ensure!(matches!(status.model, ModelState::Ready { .. }), "the model is not loaded");
        Ok(Self { client, thread: Some(thread) })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A daemon that is gone already is stopped, too.
        let _ = self.client.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Prompts that no cache knows: each begins with its own number.
struct Prompts<'a> {
    engine: &'a LlamaEngine,
    n_tokens: usize,
}

impl Prompts<'_> {
    /// A message whose prompt has about `n_tokens` tokens, and that prompt.
    fn make(&self, number: u32) -> anyhow::Result<(Message, Vec<Token>)> {
        const WORDS: [&str; 8] = ["list", "the", "files", "of", "every", "folder", "by", "size"];
        let mut text = format!("{number}:");
        let mut tokens = self.tokens(&text)?;
        let mut words = WORDS.iter().cycle().skip(number as usize % WORDS.len());
        while tokens.len() < self.n_tokens {
            let missing = self.n_tokens - tokens.len();
            for word in words.by_ref().take(missing.div_ceil(2)) {
                text.push(' ');
                text.push_str(word);
            }
            tokens = self.tokens(&text)?;
        }
        Ok((Message::new(Speaker::User, text), tokens))
    }

    fn tokens(&self, text: &str) -> anyhow::Result<Vec<Token>> {
        let card = self.engine.card();
        let template = ChatTemplate::for_model(
            &card.chat_template,
            &card.bos_token,
            &card.eos_token,
            &card.control_tokens,
        )?;
        let prompt = template.render(&[Message::new(Speaker::User, text)], &[], true)?;
        Ok(self.engine.tokenize(&prompt, true)?)
    }
}

struct Round {
    bare: Timing,
    chela: Vec<(usize, Vec<Timing>, f64)>,
}

fn one_round(
    bench: &ServeBench,
    round: u32,
    prompts: &Prompts,
    client: &Client,
    bare: &mut BareLoop,
) -> anyhow::Result<Round> {
    output::note(&format!("round {round} of {} …", bench.rounds));
    let sampling = Sampling { temperature: 0.0, max_tokens: bench.tokens, ..Sampling::default() };
    let (_, prompt) = prompts.make(round * 1000)?;
    let run = bare.run(&prompt, &sampling)?;
    let bare = Timing {
        first_s: run.prefill_s,
        decode_s: run.decode_s,
        n_prompt: prompt.len(),
        n_sampled: run.n_sampled,
    };
    let mut chela = Vec::new();
    for &clients in &bench.clients {
        let first = round * 1000 + u32::try_from(clients)? * 100;
        let messages = (0..u32::try_from(clients)?)
            .map(|n| prompts.make(first + n).map(|(message, _)| message))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let began = Instant::now();
        let threads = messages
            .into_iter()
            .map(|message| {
                let (client, max_tokens) = (client.clone(), bench.tokens);
                thread::Builder::new()
                    .name("bench-client".to_owned())
                    .spawn(move || ask(&client, message, max_tokens))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        let answers = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        chela.push((clients, answers, began.elapsed().as_secs_f64()));
    }
    Ok(Round { bare, chela })
}

/// One answer through the socket, as any client of the daemon gets it.
fn ask(client: &Client, message: Message, max_tokens: usize) -> anyhow::Result<Timing> {
    let request = ChatRequest {
        messages: vec![message],
        stream: true,
        stream_options: Some(StreamOptions { include_usage: true }),
        temperature: Some(0.0),
        max_tokens: Some(max_tokens),
        ..ChatRequest::default()
    };
    let began = Instant::now();
    let (mut first, mut last, mut usage) = (None, began, None);
    for chunk in client.chat(&request)? {
        let chunk = chunk?;
        let has_text =
            chunk.choices.iter().any(|choice| choice.delta.content.as_ref().is_some_and(|t| !t.is_empty()));
        if has_text {
            last = Instant::now();
            first.get_or_insert(last);
        }
        usage = chunk.usage.or(usage);
    }
    let usage = usage.context("the answer has no usage")?;
    let first = first.context("the answer is empty")?;
    Ok(Timing {
        first_s: (first - began).as_secs_f64(),
        decode_s: (last - first).as_secs_f64(),
        n_prompt: usage.prompt_tokens,
        n_sampled: usage.completion_tokens,
    })
}

fn report(bench: &ServeBench, engine: &dyn Engine, rounds: &[Round]) -> anyhow::Result<Report> {
    let card = engine.card();
    let bare: Vec<Speed> = rounds.iter().map(|round| round.bare.speed()).collect();
    let chela = bench.clients.iter().map(|&clients| clients_speed(clients, rounds)).collect();
    let ratio = |of: fn(&Speed) -> f64| {
        let ratios = rounds.iter().filter_map(|round| {
            let (_, answers, _) = round.chela.iter().find(|(clients, ..)| *clients == 1)?;
            Some(of(&answers.first()?.speed()) / of(&round.bare.speed()))
        });
        median(ratios.collect())
    };
    let n_sampled = rounds.first().map_or(0, |round| round.bare.n_sampled);
    ensure!(n_sampled > 1, "the model ends its answers at once; nothing can be measured with it");
    Ok(Report {
        machine: machine(),
        model: format!("{} ({})", card.name, card.description),
        placement: card.placement.clone(),
        prompt_tokens: rounds.first().map_or(0, |round| round.bare.n_prompt),
        answer_tokens: n_sampled,
        rounds: bench.rounds,
        bare: medians(&bare),
        chela,
        decode_ratio: ratio(|speed| speed.decode_tokens_per_s),
        prefill_ratio: ratio(|speed| speed.prefill_tokens_per_s),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
fn clients_speed(clients: usize, rounds: &[Round]) -> ClientsSpeed {
    let of_clients = || rounds.iter().flat_map(|round| &round.chela).filter(|(n, ..)| *n == clients);
    let each: Vec<Speed> =
        of_clients().flat_map(|(_, answers, _)| answers).map(|answer| answer.speed()).collect();
    let rate = |count: fn(&Timing) -> usize| {
        let rates =
            of_clients().map(|(_, answers, wall)| answers.iter().map(count).sum::<usize>() as f64 / wall);
        median(rates.collect())
    };
    ClientsSpeed {
        clients,
        each: medians(&each),
        total_tokens_per_s: rate(|timing| timing.n_prompt + timing.n_sampled),
        answer_tokens_per_s: rate(|timing| timing.n_sampled),
    }
}

fn medians(speeds: &[Speed]) -> Speed {
    let of = |field: fn(&Speed) -> f64| median(speeds.iter().map(field).collect());
    Speed {
        prefill_tokens_per_s: of(|speed| speed.prefill_tokens_per_s),
        decode_tokens_per_s: of(|speed| speed.decode_tokens_per_s),
        first_token_ms: of(|speed| speed.first_token_ms),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let name = name.unwrap_or(std::env::consts::ARCH);
    format!("{name}, {} cores, {}", num_cpus::get_physical(), std::env::consts::OS)
}

fn print(report: &Report) -> anyhow::Result<()> {
    output::line(&format!("machine   {}", report.machine))?;
    output::line(&format!("model     {}", report.model))?;
    output::line(&format!("          {}", report.placement))?;
    output::line(&format!(
        "load      {} prompt tokens, {} answer tokens, greedy; medians of {} rounds",
        report.prompt_tokens, report.answer_tokens, report.rounds
    ))?;
    output::line("")?;
    output::line("                prefill tok/s  decode tok/s  first token ms  all clients: answer tok/s")?;
    let row = |name: &str, speed: &Speed, total: &str| {
        let Speed { prefill_tokens_per_s: prefill, decode_tokens_per_s: decode, first_token_ms: first } =
            speed;
        output::line(&format!("{name:<16}{prefill:>13.1}{decode:>14.1}{first:>16.1}{total:>27}"))
    };
    row("bare llama.cpp", &report.bare, "")?;
    for line in &report.chela {
        let name = format!("chela, {} client{}", line.clients, if line.clients == 1 { "" } else { "s" });
        row(&name, &line.each, &format!("{:.1}", line.answer_tokens_per_s))?;
    }
    output::line("")?;
    output::line(&format!(
        "chela / bare    decode {:.1} %, prefill {:.1} % (median of the rounds' ratios)",
        report.decode_ratio * 100.0,
        report.prefill_ratio * 100.0
    ))?;
    Ok(())
}
