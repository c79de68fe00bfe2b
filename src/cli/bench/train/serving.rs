//! What training costs somebody who waits for an answer: the same question while nothing is trained, while the
//! learner pauses for it (as in the daemon), and while only its priority holds it back.

use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::Serialize;

use super::super::report::median;
use super::TrainBench;
use super::load::Load;
use crate::cli::output;
use crate::cli::train::trainer::open_trainer;
use crate::engine::{
    Cancel, Engine, Generate, GenerateEvent, Job, LlamaEngine, LoadOptions, Priority, Sampling, Token,
};
use crate::learn::shuffle::Draws;
use crate::learn::worker::{End, Request, Worker};
use crate::turn::PolicyVersion;

const PROMPT_TOKENS: usize = 64;
const ANSWER_TOKENS: usize = 64;

/// Medians over the rounds.
#[derive(Debug, Serialize)]
pub(super) struct Serving {
    pub(super) prompt_tokens: usize,
    pub(super) answer_tokens: usize,
    /// Gradient steps that were taken meanwhile.
    pub(super) steps: usize,
    pub(super) idle: Speed,
    pub(super) pausing: Speed,
    pub(super) priority_only: Speed,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Speed {
    pub(super) first_token_ms: f64,
    pub(super) tokens_per_s: f64,
}

pub(super) fn measure(bench: &TrainBench, load: &Load) -> anyhow::Result<Serving> {
    let n_ctx = (PROMPT_TOKENS + ANSWER_TOKENS + 64).next_multiple_of(256);
    let options = LoadOptions { n_ctx, parallel: 1, ..LoadOptions::new(&load.name, &load.path) };
    let engine = LlamaEngine::load(&options)?;
    let worker = Worker::start()?;
    let steps = start_training(&worker, bench, load)?;
    let mut asker = Asker { engine: &engine, load, draws: Draws::new(2) };
    let (mut idle, mut pausing, mut priority_only) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_steps = 0;
    for round in 0..=bench.steps {
        output::note(&format!("answers while training: round {round} of {} …", bench.steps));
        worker.pause();
        asker.ask(4)?;
        let alone = asker.ask(ANSWER_TOKENS)?;

        worker.resume();
        n_steps += wait_for_step(&steps)?;
        let began = Instant::now();
        worker.pause();
        let paused = asker.ask_since(began, ANSWER_TOKENS)?;
        worker.resume();

        n_steps += wait_for_step(&steps)?;
        let beside = asker.ask(ANSWER_TOKENS)?;
        // The first round warms caches up and is not counted.
        if round > 0 {
            idle.push(alone);
            pausing.push(paused);
            priority_only.push(beside);
        }
    }
    worker.cancel();
    Ok(Serving {
        prompt_tokens: PROMPT_TOKENS,
        answer_tokens: ANSWER_TOKENS,
        steps: n_steps,
        idle: medians(&idle),
        pausing: medians(&pausing),
        priority_only: medians(&priority_only),
    })
}

/// Steps without end on the learner's thread; each is told, and so is why there are no more.
fn start_training(
    worker: &Worker,
    bench: &TrainBench,
    load: &Load,
) -> anyhow::Result<Receiver<Result<(), String>>> {
    let (step, steps) = mpsc::channel();
    let ended = step.clone();
    let opening = bench.opening(load);
    let batch = load.batch(bench, bench.answers.first().copied().unwrap_or(1));
    worker.request(Request {
        work: Box::new(move |pace| {
            let mut trainer = open_trainer(opening)?;
            loop {
                trainer.step(&batch.samples, pace)?;
                if step.send(Ok(())).is_err() {
                    return Ok(());
                }
            }
        }),
        ended: Box::new(move |end| {
            let reason = match end {
                End::Failed(error) => error.to_string(),
                other => format!("{other:?}"),
            };
            // After the bench nobody wants to know.
            let _ = ended.send(Err(reason));
        }),
    });
    wait_for_step(&steps)?;
    Ok(steps)
}

/// Returns in the middle of training, right after a step that ended after this was called; says how many ended.
fn wait_for_step(steps: &Receiver<Result<(), String>>) -> anyhow::Result<usize> {
    let mut n_steps = 0;
    // Those that ended before are counted, and the next one is waited for.
    while let Ok(step) = steps.try_recv() {
        step.map_err(anyhow::Error::msg)?;
        n_steps += 1;
    }
    steps.recv().context("the learner is gone")?.map_err(anyhow::Error::msg)?;
    Ok(n_steps + 1)
}

struct Asker<'a> {
    engine: &'a LlamaEngine,
    load: &'a Load,
    draws: Draws,
}

impl Asker<'_> {
    fn ask(&mut self, n_tokens: usize) -> anyhow::Result<Speed> {
        self.ask_since(Instant::now(), n_tokens)
    }

    /// Asks something that no cache knows, in the foreground. The wait for the first token is counted from `began`.
    fn ask_since(&mut self, began: Instant, n_tokens: usize) -> anyhow::Result<Speed> {
        let (events, received) = mpsc::channel();
        self.engine.submit(Job::Generate(Generate {
            prompt: self.prompt(),
            sampling: Sampling { temperature: 0.0, max_tokens: n_tokens, ..Sampling::default() },
            policy: PolicyVersion::BASE,
            priority: Priority::Foreground,
            cancel: Cancel::default(),
            forget: false,
            events: Box::new(move |event| {
                events
                    .send((Instant::now(), event))
                    .map_or(ControlFlow::Break(()), |()| ControlFlow::Continue(()))
            }),
        }))?;
        let mut times = Vec::new();
        for (at, event) in received {
            match event {
                GenerateEvent::Token(_) => times.push(at),
                GenerateEvent::Failed(error) => bail!(error),
                GenerateEvent::Started { .. } | GenerateEvent::Finished(_) => {}
            }
        }
        let (Some(first), Some(last)) = (times.first(), times.last()) else { bail!("the answer is empty") };
        ensure!(times.len() > 1, "the model ends its answers at once; nothing can be measured with it");
        #[expect(clippy::cast_precision_loss, reason = "a few tokens")]
        let n_after = (times.len() - 1) as f64;
        Ok(Speed {
            first_token_ms: (*first - began).as_secs_f64() * 1e3,
            tokens_per_s: n_after / (*last - *first).as_secs_f64().max(1e-9),
        })
    }

    fn prompt(&mut self) -> Vec<Token> {
        self.load.tokens(&mut self.draws, PROMPT_TOKENS)
    }
}

fn medians(speeds: &[Speed]) -> Speed {
    Speed {
        first_token_ms: median(speeds.iter().map(|speed| speed.first_token_ms).collect()),
        tokens_per_s: median(speeds.iter().map(|speed| speed.tokens_per_s).collect()),
    }
}
