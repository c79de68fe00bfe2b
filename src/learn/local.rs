//! The trainer that runs on this machine's CPU: network, parameters, optimizer, and a pool of threads of its own.

use std::path::PathBuf;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::budget::Budget;
use super::head::HeadReport;
use super::kernels;
use super::loss::check_sample;
use super::network::{Batch, Network};
use super::optimizer::{AdamW, AdamWSettings, Update};
use super::parameters::Parameters;
use super::profile::{Profile, Work};
use super::weights::WeightFile;
use super::{Ask, Distributions, Pace, Sample, Scores, StepReport, TrainError, TrainState, Trainer};
use crate::adapter::Adapter;
use crate::engine::Token;

/// What a trainer is opened with.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// The GGUF file that the engine serves.
    pub model: PathBuf,
    /// Threads of the trainer's own pool, at least 1.
    pub threads: usize,
    /// What a step may use, in bytes, beside the page cache.
    pub memory_bytes: u64,
    /// By name, as `learn::kernels::available` lists them; `None`: the fastest.
    pub kernels: Option<String>,
    pub optimizer: AdamWSettings,
    /// Whether the pool's threads run at the lowest priority.
    pub lowest_priority: bool,
}

/// Where training begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// A new adapter that changes nothing yet.
    Fresh { rank: usize, alpha: f32, seed: u64 },
    /// An adapter, with a new optimizer.
    From(Adapter),
    /// A run that was interrupted: it goes on with identical numbers.
    Resume(TrainState),
}

/// See the module.
pub struct LocalTrainer {
    pool: ThreadPool,
    network: Network,
    parameters: Parameters,
    optimizer: AdamW,
    budget: Budget,
}

impl LocalTrainer {
    /// Opens the model and prepares `start`. Nothing large is read yet.
    pub fn open(settings: &TrainSettings, start: Start) -> Result<Self, TrainError> {
        let kernels = kernels::pick(settings.kernels.as_deref()).map_err(TrainError::Misfit)?;
        let weights = WeightFile::open(&settings.model)?;
        let geometry = &weights.geometry;
        let (parameters, optimizer) = match start {
            Start::Fresh { rank, alpha, seed } => (Parameters::fresh(geometry, rank, alpha, seed)?, None),
            Start::From(adapter) => (Parameters::from_adapter(geometry, &adapter)?, None),
            Start::Resume(state) => {
                let parameters = Parameters::from_adapter(geometry, &state.adapter)?;
                (parameters, Some((state.step, state.first_moment, state.second_moment)))
            }
        };
        let n = parameters.values.len();
        let optimizer = match optimizer {
            None => AdamW::new(settings.optimizer, n),
            Some((step, first, second)) if first.len() == n => {
                AdamW::restore(settings.optimizer, step, first, second)?
            }
            Some((_, first, _)) => {
                let found = first.len();
                return Err(TrainError::Misfit(format!(
                    "the saved run has {found} moments, the adapter {n} values"
                )));
            }
        };
        let budget = Budget::new(
            &weights,
            parameters.rank,
            kernels.shape().per_word,
            settings.threads,
            settings.memory_bytes,
        );
        let pool = pool(settings)?;
        Ok(Self { pool, network: Network::new(weights, kernels), parameters, optimizer, budget })
    }

    /// Name of the kernels in use.
    pub fn kernels(&self) -> &'static str {
        self.network.kernels.name()
    }

    pub fn weights(&self) -> &WeightFile {
        &self.network.weights
    }

    /// Where the time went since it was last asked.
    pub fn take_profile(&mut self) -> Profile {
        std::mem::take(&mut self.network.profile)
    }

    /// Loss and gradients (in the shape of the adapter) of a batch, without a step: for self-tests.
    pub fn gradients(&mut self, batch: &[Sample], pace: &Pace) -> Result<(StepReport, Adapter), TrainError> {
        let report = self.accumulate(batch, pace)?;
        Ok((report, self.parameters.shaped(&self.parameters.gradients)))
    }

    /// Gradients of the whole batch into `parameters.gradients`.
    fn accumulate(&mut self, batch: &[Sample], pace: &Pace) -> Result<StepReport, TrainError> {
        let step = self.optimizer.parts().0 + 1;
        self.check(batch)?;
        self.parameters.gradients.fill(0.0);
        let mut total = HeadReport::default();
        let mut n_tokens = 0;
        for (samples, effort) in self.budget.micro_batches(batch)? {
            let (network, parameters) = (&mut self.network, &mut self.parameters);
            let report = self.pool.install(|| network.learn(Batch { samples, pace, effort }, parameters))?;
            pace.check()?;
            if !report.loss.is_finite() {
                return Err(self.not_finite(step, pace));
            }
            total.loss += report.loss;
            total.kl += report.kl;
            total.n_kl += report.n_kl;
            n_tokens += samples.iter().map(n_tokens_of).sum::<usize>();
        }
        let rows = batch.iter().flat_map(|sample| &sample.answers).flat_map(|answer| &answer.rows);
        #[expect(clippy::cast_precision_loss, reason = "a mean over far fewer than 2^52 rows")]
        let kl = total.kl / total.n_kl.max(1) as f64;
        Ok(StepReport {
            step,
            loss: total.loss,
            kl,
            n_tokens,
            n_targets: rows.filter(|row| !row.terms.is_empty()).count(),
            ..StepReport::default()
        })
    }

    /// Forward only, sample by sample; `ask` is (with the adapter, most probable tokens of each row).
    fn look(
        &mut self,
        samples: &[Sample],
        ask: (bool, usize),
        pace: &Pace,
    ) -> Result<Vec<HeadReport>, TrainError> {
        self.check(samples)?;
        let mut reports = Vec::with_capacity(samples.len());
        for sample in samples {
            for (samples, effort) in self.budget.micro_batches(std::slice::from_ref(sample))? {
                let (network, parameters) = (&mut self.network, &mut self.parameters);
                let batch = Batch { samples, pace, effort };
                reports.push(self.pool.install(|| network.score(batch, parameters, ask))?);
            }
        }
        Ok(reports)
    }

    /// Whose fault a loss that is not finite is: that of a broken model file, which is named, or of the run.
    fn not_finite(&self, step: u64, pace: &Pace) -> TrainError {
        let weights = &self.network.weights;
        match self.pool.install(|| weights.inspect(&|| pace.check().is_ok())) {
            Err(fault) => fault.into(),
            Ok(_) => TrainError::NotFinite { what: "the loss".to_owned(), step },
        }
    }

    /// Nothing is changed when a gradient is not finite.
    fn update(&mut self) -> Result<Update, TrainError> {
        let (parameters, optimizer, pool) = (&mut self.parameters, &mut self.optimizer, &self.pool);
        let Parameters { values, gradients, .. } = parameters;
        self.network.profile.time(Work::Optimizer, || {
            pool.install(|| optimizer.update(&mut [values.as_mut_slice()], &[gradients.as_slice()]))
        })
    }

    /// Everything that can be wrong with a batch is said before the first product.
    fn check(&self, batch: &[Sample]) -> Result<(), TrainError> {
        let geometry = &self.network.weights.geometry;
        self.network.weights.check_unchanged()?;
        for (at, sample) in batch.iter().enumerate() {
            check_sample(sample, geometry.n_vocab)
                .map_err(|reason| TrainError::BadSample { sample: at, reason })?;
            let longest = sample.answers.iter().map(|answer| answer.rows.len()).max().unwrap_or(0);
            let (n_tokens, context) = (sample.prompt.len() + longest, geometry.context_length);
            if n_tokens > context {
                return Err(TrainError::TooLong { sample: at, n_tokens, context });
            }
        }
        Ok(())
    }
}

impl Trainer for LocalTrainer {
    fn step(&mut self, batch: &[Sample], pace: &Pace) -> Result<StepReport, TrainError> {
        let report = self.accumulate(batch, pace)?;
        let update = self.update()?;
        Ok(StepReport { grad_norm: update.grad_norm, learning_rate: update.learning_rate, ..report })
    }

    fn score(&mut self, samples: &[Sample], pace: &Pace) -> Result<Vec<Scores>, TrainError> {
        let reports = self.look(samples, (true, 0), pace)?;
        Ok(samples.iter().zip(&reports).map(|(sample, report)| by_answer(sample, report)).collect())
    }

    fn distributions(
        &mut self,
        samples: &[Sample],
        ask: Ask,
        pace: &Pace,
    ) -> Result<Vec<Distributions>, TrainError> {
        let reports = self.look(samples, (ask.adapted, ask.top.max(1)), pace)?;
        let both = samples.iter().zip(reports);
        Ok(both.map(|(sample, report)| tops_by_answer(sample, report.tops)).collect())
    }

    fn state(&self) -> TrainState {
        let (step, first, second) = self.optimizer.parts();
        TrainState {
            adapter: self.parameters.adapter(),
            step,
            first_moment: first.to_vec(),
            second_moment: second.to_vec(),
        }
    }
}

/// Tokens of the prompt, once, and of all answers.
fn n_tokens_of(sample: &Sample) -> usize {
    sample.prompt.len() + sample.answers.iter().map(|answer| answer.rows.len()).sum::<usize>()
}

/// One sample's log-probabilities, answer by answer.
fn by_answer(sample: &Sample, report: &HeadReport) -> Scores {
    let mut logprobs = report.logprobs.iter().copied();
    let answers = sample.answers.iter();
    let logprobs = answers.map(|answer| logprobs.by_ref().take(answer.rows.len()).collect()).collect();
    Scores { loss: report.loss, logprobs }
}

/// The same for the most probable tokens.
fn tops_by_answer(sample: &Sample, tops: Vec<Vec<(Token, f32)>>) -> Distributions {
    let mut tops = tops.into_iter();
    let answers = sample.answers.iter();
    Distributions { answers: answers.map(|answer| tops.by_ref().take(answer.rows.len()).collect()).collect() }
}

fn pool(settings: &TrainSettings) -> Result<ThreadPool, TrainError> {
    let lowest = settings.lowest_priority;
    ThreadPoolBuilder::new()
        .num_threads(settings.threads.max(1))
        .thread_name(|at| format!("learn-{at}"))
        .start_handler(move |_| {
            if lowest {
                // Refused by some sandboxes; the threads then run at normal priority.
                let _ = rustix::process::nice(19);
            }
        })
        .build()
        .map_err(|error| TrainError::Misfit(format!("the trainer's threads cannot be started: {error}")))
}
