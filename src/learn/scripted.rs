//! The trainer's scripted twin: computes nothing, but its numbers fall by a formula, depend on every token it was
//! given and on all it was given before, and it obeys its pace between "kernels". For tests of the loop around it.

use std::collections::BTreeMap;

use super::{Ask, Distributions, Pace, Sample, Scores, StepReport, TrainError, TrainState, Trainer};
use crate::adapter::{Adapter, Linear, Pair, Site};
use crate::engine::Token;
use crate::learn::loss::Term;

/// What a scripted step does between two looks at the pace.
const KERNELS_PER_STEP: u64 = 4;

/// What happens instead of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    NotFinite,
    OutOfBudget,
    /// A report whose loss is not a number, from a trainer that did not notice.
    NanReported,
}

/// Called before every kernel with its number, from 1; may take its time, or panic.
pub type OnKernel = Box<dyn FnMut(u64) + Send>;

/// See the module's page.
pub struct Scripted {
    state: TrainState,
    fail_at: Option<(u64, Failure)>,
    on_kernel: OnKernel,
    n_kernels: u64,
}

impl Scripted {
    /// An adapter of one site, no step taken.
    pub fn new() -> Self {
        let pair = Pair { n_in: 3, n_out: 2, a: vec![0.5, -0.25, 0.125], b: vec![0.0; 2] };
        let adapter = Adapter {
            architecture: "scripted".to_owned(),
            rank: 1,
            alpha: 2.0,
            pairs: BTreeMap::from([(Site { layer: 0, linear: Linear::Q }, pair)]),
        };
        Self::from_state(TrainState {
            adapter,
            step: 0,
            first_moment: vec![0.0; 5],
            second_moment: vec![0.0; 5],
        })
    }

    /// Goes on where another one stopped.
    pub fn from_state(state: TrainState) -> Self {
        Self { state, fail_at: None, on_kernel: Box::new(|_| ()), n_kernels: 0 }
    }

    /// Fails at gradient step `step` (from 1), every time it is tried.
    #[must_use]
    pub fn failing(mut self, step: u64, failure: Failure) -> Self {
        self.fail_at = Some((step, failure));
        self
    }

    #[must_use]
    pub fn on_kernel(mut self, on_kernel: OnKernel) -> Self {
        self.on_kernel = on_kernel;
        self
    }

    fn compute(&mut self, pace: &Pace) -> Result<(), TrainError> {
        for _ in 0..KERNELS_PER_STEP {
            pace.check()?;
            self.n_kernels += 1;
            (self.on_kernel)(self.n_kernels);
        }
        pace.check()
    }

    /// Falls with what was learned: `1 / (1 + |b|)`, and a little with the tokens.
    fn loss(&self, samples: &[Sample]) -> f64 {
        let learned: f64 = self.pair_b().map(|b| f64::from(b.abs())).sum();
        1.0 / (1.0 + learned) + 1e-3 * f64::from(spread(samples))
    }

    fn pair_b(&self) -> impl Iterator<Item = f32> + '_ {
        self.state.adapter.pairs.values().flat_map(|pair| pair.b.iter().copied())
    }
}

impl Default for Scripted {
    fn default() -> Self {
        Self::new()
    }
}

impl Trainer for Scripted {
    fn step(&mut self, batch: &[Sample], pace: &Pace) -> Result<StepReport, TrainError> {
        let step = self.state.step + 1;
        let failure = self.fail_at.filter(|(at, _)| *at == step).map(|(_, failure)| failure);
        match failure {
            Some(Failure::NotFinite) => {
                return Err(TrainError::NotFinite { what: "the loss".to_owned(), step });
            }
            Some(Failure::OutOfBudget) => {
                return Err(TrainError::OutOfBudget { n_tokens: 9, needed_mib: 2, budget_mib: 1 });
            }
            Some(Failure::NanReported) | None => {}
        }
        self.compute(pace)?;
        let loss = self.loss(batch);
        let gradient = 0.1 + spread(batch);
        for moment in &mut self.state.first_moment {
            *moment = 0.9 * *moment + 0.1 * gradient;
        }
        for moment in &mut self.state.second_moment {
            *moment = 0.99 * *moment + 0.01 * gradient * gradient;
        }
        let size = self.state.first_moment.first().copied().unwrap_or(0.0);
        for pair in self.state.adapter.pairs.values_mut() {
            pair.a.iter_mut().chain(&mut pair.b).for_each(|weight| *weight += 0.1 * size);
        }
        self.state.step = step;
        Ok(StepReport {
            step,
            loss: if failure.is_some() { f64::NAN } else { loss },
            kl: 0.0,
            grad_norm: f64::from(gradient),
            learning_rate: 0.1,
            n_tokens: n_tokens(batch),
            n_targets: weights(batch).count(),
        })
    }

    fn score(&mut self, samples: &[Sample], pace: &Pace) -> Result<Vec<Scores>, TrainError> {
        self.compute(pace)?;
        Ok(samples
            .iter()
            .map(|sample| {
                let one = std::slice::from_ref(sample);
                let loss = self.loss(one);
                #[expect(clippy::cast_possible_truncation, reason = "a made-up number")]
                let logprobs = sample.answers.iter().map(|answer| vec![-loss as f32; answer.rows.len()]);
                Scores { loss: loss * weights(one).map(f64::from).sum::<f64>(), logprobs: logprobs.collect() }
            })
            .collect())
    }

    /// The answer's own token is certain but for a little, the next id gets the rest.
    fn distributions(
        &mut self,
        samples: &[Sample],
        ask: Ask,
        pace: &Pace,
    ) -> Result<Vec<Distributions>, TrainError> {
        self.compute(pace)?;
        let row = |token: Token| {
            let both = [(token, 0.9_f32.ln()), (token.wrapping_add(1), 0.1_f32.ln())];
            both.into_iter().take(ask.top).collect()
        };
        let answers = |sample: &Sample| {
            let rows = sample.answers.iter().map(|answer| answer.rows.iter());
            rows.map(|rows| rows.map(|one| row(one.token)).collect()).collect()
        };
        Ok(samples.iter().map(|sample| Distributions { answers: answers(sample) }).collect())
    }

    fn state(&self) -> TrainState {
        self.state.clone()
    }
}

/// A number between 0 and 1 that every token and its place change.
fn spread(samples: &[Sample]) -> f32 {
    let tokens = samples.iter().flat_map(|sample| {
        let rows = sample.answers.iter().flat_map(|answer| answer.rows.iter().map(|row| row.token));
        sample.prompt.iter().copied().chain(rows)
    });
    let hash = tokens.fold(7_u32, |hash, token| hash.wrapping_mul(31).wrapping_add(token.cast_unsigned()));
    f32::from(u16::try_from(hash >> 16).unwrap_or(0)) / 65_536.0
}

fn n_tokens(samples: &[Sample]) -> usize {
    let rows = |sample: &Sample| sample.answers.iter().map(|answer| answer.rows.len()).sum::<usize>();
    samples.iter().map(|sample| sample.prompt.len() + rows(sample)).sum()
}

fn weights(samples: &[Sample]) -> impl Iterator<Item = f32> + '_ {
    let rows = samples.iter().flat_map(|sample| &sample.answers).flat_map(|answer| &answer.rows);
    rows.flat_map(|row| &row.terms).filter_map(|term| match term {
        Term::CrossEntropy { weight } => Some(*weight),
        _ => None,
    })
}
