//! `chela train FILE`: learns from a file of conversations, and leaves a candidate adapter on the shelf. What a line
//! means, the plan and the run itself are in `learn`; here they are put in order and shown.

mod candidate;
pub(super) mod curve;
pub(super) mod language;
mod show;
pub(super) mod trainer;

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use sha2::{Digest, Sha256};
use signal_hook::consts::SIGINT;

use super::exit::Stop;
use super::place::Place;
use super::{Exit, loading};
use crate::adapter::fingerprint;
use crate::config::disk;
use crate::learn::chat_sample::Reading;
use crate::learn::checkpoint::{self, Checkpoint, Identity};
use crate::learn::plan::{Plan, PlanSettings};
use crate::learn::run::{Outcome, Rhythm, Surroundings, run as run_plan};
use crate::learn::weights::WeightFile;
use crate::learn::worker::lower_priority;
use crate::learn::{Pace, Start, TrainError, TrainState, Trainer, resources};
use crate::model::check::{Checked, check_file};
use crate::model::{Found, resolve};
use candidate::{Learned, put_on_shelf};
use language::Language;
use show::{Planned, Show};
use trainer::{Opening, open_trainer};

#[derive(Debug, Args)]
#[command(
    after_help = "Each line of FILE is a JSON object: {\"messages\": [{\"role\": \"user\", \"content\": …}, {\"role\": \
    \"assistant\", \"content\": …}]} or {\"prompt\": …, \"completion\": …}. The last answer is learned; with a \"weight\" \
    of 0 or 1 on assistant messages, all those that are not 0. Lines that cannot be used are named and passed over. \
    Ctrl+C stops after the step in flight and keeps what was learned for --resume; a second one ends at once."
)]
pub(super) struct TrainArgs {
    /// Conversations, one JSON object per line
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
    /// The model to learn for, a name or path [default: the one in use]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// How often each example is learned from
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    epochs: u64,
    /// Answers per gradient step
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Step size, after a warm-up; falls towards the end
    #[arg(long, value_name = "RATE", default_value_t = 2e-4, value_parser = positive)]
    learning_rate: f64,
    /// Size of the adapter
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=512))]
    rank: u32,
    /// Weight of the adapter: it counts alpha / rank
    #[arg(long, value_name = "X", default_value_t = 32.0, value_parser = positive)]
    alpha: f64,
    /// Decides the first matrices and the order of the examples
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Share of the examples that is only looked at, to tell what was learned from what was memorized
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    hold_out: f64,
    /// Longer examples are passed over [default: the model's context]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// [default: one per physical core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Memory that training may use beside the model file, in MiB [default: half of what is free]
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Seconds between two saves of the run; 0: after each step
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(..=86_400))]
    save_every: u32,
    /// Go on with the unfinished run of this file and model
    #[arg(long)]
    resume: bool,
    /// Say what would be done, and stop
    #[arg(long)]
    dry_run: bool,
    /// One JSON object per event on stdout
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0 is needed".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=0.9).contains(number));
    number.ok_or_else(|| "a share from 0 to 0.9 is needed".to_owned())
}

pub(super) fn run(place: &Place, args: &TrainArgs) -> anyhow::Result<Exit> {
    let settings = place.prepare()?;
    let name = args.model.clone().unwrap_or(settings.model.name);
    let model = resolve::resolve(&loading::roots(place), &name)?;
    let checked = trainable(&model)?;
    let mut show = Show::new(args.json, place.may_redraw());

    let reading = read(args, &model, &checked)?;
    show.skipped(&reading)?;
    if reading.examples.len() == 0 {
        bail!("{} has no line that can be trained on", args.file.display());
    }
    let plan = Plan::new(reading.examples, plan_settings(args))?;
    let threads = args.threads.map_or_else(resources::physical_cores, usize::from);
    let memory_mib = args.memory.unwrap_or_else(resources::training_memory_mib);
    show.planned(&Planned::new(&model.name, &plan, reading.n_skipped, threads, memory_mib))?;
    if args.dry_run {
        return Ok(Exit::Done);
    }

    let run = Run::new(place, args, &model, &plan)?;
    let saved = if args.resume { Some(Checkpoint::load(&run.checkpoint, &run.identity)?) } else { None };
    let held_out_before = saved.as_ref().and_then(|saved| saved.held_out_before);
    if let Some(saved) = &saved {
        show.resumed(saved.state.step, plan.total_steps())?;
    }
    lower_priority();
    let mut trainer = open_trainer(Opening {
        model: model.path.clone(),
        threads,
        memory_mib,
        kernels: None,
        learning_rate: args.learning_rate,
        warmup_steps: plan.warmup_steps(),
        total_steps: plan.total_steps(),
        start: start(args, saved),
        lowest_priority: true,
    })?;
    let outcome = run.carry_out(trainer.as_mut(), &plan, held_out_before, &mut show)?;
    if !outcome.is_complete {
        show.stopped(&outcome, &command(args))?;
        return Ok(Exit::Interrupted);
    }
    let learned = Learned { model: &model, sha256: &run.sha256, plan: &plan, outcome };
    let version = put_on_shelf(place, &trainer.state(), &learned)?;
    run.forget();
    show.done(&outcome, version)?;
    Ok(Exit::Done)
}

/// The model's header, if the trainer can compute what the file holds.
fn trainable(model: &Found) -> anyhow::Result<Checked> {
    let checked = check_file(&model.path)?;
    if let Err(error) = WeightFile::open(&model.path) {
        bail!("{} cannot be trained: {}", model.name, error.reason());
    }
    Ok(checked)
}

fn read(args: &TrainArgs, model: &Found, checked: &Checked) -> anyhow::Result<Reading> {
    let file = File::open(&args.file).map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Stop::new(exit, format!("cannot read {}: {error}", args.file.display()))
    })?;
    let context = checked.summary.context_length.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let max_tokens = args.max_tokens.unwrap_or(usize::MAX).min(context);
    let language = Language::of(model, &checked.gguf)?;
    language
        .read(&mut BufReader::with_capacity(1 << 16, file), max_tokens)
        .with_context(|| format!("cannot read {}", args.file.display()))
}

fn plan_settings(args: &TrainArgs) -> PlanSettings {
    let batch = usize::try_from(args.batch).unwrap_or(usize::MAX);
    PlanSettings { epochs: args.epochs, batch, seed: args.seed, hold_out: args.hold_out }
}

fn start(args: &TrainArgs, saved: Option<Checkpoint>) -> Start {
    #[expect(clippy::cast_possible_truncation, reason = "a weight of about 32")]
    let alpha = args.alpha as f32;
    match saved {
        Some(saved) => Start::Resume(saved.state),
        None => {
            Start::Fresh { rank: usize::try_from(args.rank).unwrap_or(usize::MAX), alpha, seed: args.seed }
        }
    }
}

/// What to type to go on: the settings of this run, without those that are the defaults.
fn command(args: &TrainArgs) -> String {
    let mut command = format!("chela train {}", quoted(&args.file.to_string_lossy()));
    let mut add = |name: &str, value: String, default: &str| {
        if value != default {
            command.extend([" --", name, " ", &quoted(&value)]);
        }
    };
    add("model", args.model.clone().unwrap_or_default(), "");
    add("epochs", args.epochs.to_string(), "3");
    add("batch", args.batch.to_string(), "8");
    add("learning-rate", args.learning_rate.to_string(), "0.0002");
    add("rank", args.rank.to_string(), "16");
    add("alpha", args.alpha.to_string(), "32");
    add("seed", args.seed.to_string(), "0");
    add("hold-out", args.hold_out.to_string(), "0.1");
    add("max-tokens", args.max_tokens.map(|n| n.to_string()).unwrap_or_default(), "");
    add("threads", args.threads.map(|n| n.to_string()).unwrap_or_default(), "");
    add("memory", args.memory.map(|n| n.to_string()).unwrap_or_default(), "");
    add("save-every", args.save_every.to_string(), "60");
    command + " --resume"
}

/// As a shell reads one word.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// One run and where it is kept while it is unfinished.
struct Run {
    checkpoint: PathBuf,
    identity: Identity,
    /// Of the model file.
    sha256: String,
    save_every_s: f64,
}

impl Run {
    fn new(place: &Place, args: &TrainArgs, model: &Found, plan: &Plan) -> anyhow::Result<Self> {
        let sha256 = fingerprint::of_file(&model.path, &place.paths.fingerprints_file())?;
        let identity = [
            ("model", sha256.clone()),
            ("examples", plan.fingerprint().to_owned()),
            ("epochs", args.epochs.to_string()),
            ("batch", args.batch.to_string()),
            ("learning-rate", args.learning_rate.to_string()),
            ("rank", args.rank.to_string()),
            ("alpha", args.alpha.to_string()),
            ("seed", args.seed.to_string()),
            ("hold-out", args.hold_out.to_string()),
        ];
        let identity = identity.map(|(name, value)| (name.to_owned(), value)).into();
        let dir = run_dir(&place.paths.data_dir, &args.file, &model.name);
        let checkpoint = dir.join("checkpoint.safetensors");
        Ok(Self { checkpoint, identity, sha256, save_every_s: args.save_every.into() })
    }

    fn carry_out(
        &self,
        trainer: &mut dyn Trainer,
        plan: &Plan,
        held_out_before: Option<f64>,
        show: &mut Show,
    ) -> anyhow::Result<Outcome> {
        let stop = stop_on_interrupt()?;
        let began = Instant::now();
        let mut shown = Ok(());
        let outcome = run_plan(
            trainer,
            plan,
            rhythm(plan, self.save_every_s),
            held_out_before,
            &mut Surroundings {
                pace: &Pace::default(),
                stop: &|| stop.load(Ordering::Relaxed),
                now: &|| began.elapsed().as_secs_f64(),
                events: &mut |event| {
                    let told = show.event(&event);
                    if shown.is_ok() && told.is_err() {
                        // Nobody reads any more: like Ctrl+C.
                        stop.store(true, Ordering::Relaxed);
                        shown = told;
                    }
                },
                save: &mut |state, before| self.save(state, before),
            },
        );
        show.clear();
        shown?;
        Ok(outcome?)
    }

    fn save(&self, state: &TrainState, held_out_before: Option<f64>) -> Result<(), TrainError> {
        let failed = |source| TrainError::Io { path: self.checkpoint.clone(), source };
        if let Some(dir) = self.checkpoint.parent() {
            private_dir(dir).map_err(failed)?;
        }
        checkpoint::save(&self.checkpoint, &self.identity, held_out_before, state)
            .map_err(|error| failed(std::io::Error::other(error)))
    }

    /// What is on the shelf needs no checkpoint.
    fn forget(&self) {
        if let Some(dir) = self.checkpoint.parent() {
            // One that stays is replaced by the next run of the same file.
            std::fs::remove_dir_all(dir).ok();
        }
    }
}

/// Beside the adapters, one folder for each training file and model.
fn run_dir(data_dir: &Path, file: &Path, model: &str) -> PathBuf {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let digest =
        Sha256::new().chain_update(file.as_os_str().as_encoded_bytes()).chain_update([0]).chain_update(model);
    let name = disk::hex(digest.finalize().get(..8).unwrap_or_default());
    data_dir.join("adapters").join("runs").join(name)
}

fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Looks at the held-out examples after each epoch (a look costs about a thirtieth of it), and saves as often as was asked.
fn rhythm(plan: &Plan, save_every_s: f64) -> Rhythm {
    let look_every = plan.training.steps_per_epoch();
    Rhythm { look_every, save_every: 0, save_every_s, answers_at_once: 8 }
}

/// The first Ctrl+C stops the run in order, a second one ends the process.
fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let code = i32::from(Exit::Interrupted as u8);
    signal_hook::flag::register_conditional_shutdown(SIGINT, code, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_place_for_each_file_and_model() {
        let place = |file: &str, model: &str| run_dir(Path::new("/d"), Path::new(file), model);
        assert_eq!(place("/x.jsonl", "a"), place("/x.jsonl", "a"));
        assert_ne!(place("/x.jsonl", "a"), place("/x.jsonl", "b"));
        assert_ne!(place("/x.jsonl", "a"), place("/y.jsonl", "a"));
        assert!(place("/x.jsonl", "a").starts_with("/d/adapters/runs"));
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    #[track_caller]
    fn goes_on(typed: &[&str], expected: &str) {
        let line = <Line as clap::Parser>::parse_from([&["train"], typed].concat());
        assert_eq!(command(&line.train), expected);
    }

    #[test]
    fn the_command_to_go_on_repeats_the_settings() {
        goes_on(&["a.jsonl"], "chela train a.jsonl --resume");
        let typed = ["my file", "--epochs", "5", "--learning-rate", "1e-3", "--model", "it's"];
        goes_on(&typed, r"chela train 'my file' --model 'it'\''s' --epochs 5 --learning-rate 0.001 --resume");
    }

    #[test]
    fn shares_and_rates_are_checked() {
        assert_eq!((share("0"), share("0.25")), (Ok(0.0), Ok(0.25)));
        assert!(
            [share("1"), share("-0.1"), share("x"), positive("0"), positive("inf"), positive("NaN")]
                .iter()
                .all(Result::is_err)
        );
    }
}
