//! From rehearsed answers to gradient steps: the trainer reads teacher and student, samples get their terms, batches
//! are half practice and half replay, and steps are taken until the schedule's end.

use std::sync::Arc;

use super::rehearse::{Blamed, Kept, Rehearsed};
use super::{CycleError, Phase, Progress, Tell};
use crate::engine::Token;
use crate::learn::dial::{self, TermWeights};
use crate::learn::loss::Term;
use crate::learn::samples::{Drawn, Drill, Part, anchored, scale};
use crate::learn::shuffle::Draws;
use crate::learn::{Answer, Ask, Distributions, Pace, Row, Sample, TrainError, TrainState, Trainer};

/// Samples that are read or scored in one call: bounds how long a pause can take to be seen between two of them.
const READ_AT_ONCE: usize = 4;

/// Batches of one run and how often they come.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    practice: Vec<Arc<Sample>>,
    replay: Vec<Arc<Sample>>,
    batch: usize,
    steps: u64,
    seed: u64,
}

/// Called after every step with its number and a way to the trainer's state: saves when it is time to.
pub(super) type Save<'a> = dyn FnMut(u64, &dyn Fn() -> TrainState) -> Result<(), TrainError> + 'a;

/// What teaching needs beside the trainer.
pub struct Teaching<'a> {
    pub pace: &'a Pace,
    pub tell: &'a mut Tell<'a>,
    pub save: &'a mut Save<'a>,
}

/// What came of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Taken {
    pub steps: u64,
    /// Mean loss over the first and the last few steps that this process took.
    pub loss_before: Option<f64>,
    pub loss_after: Option<f64>,
}

/// Samples of one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lectures {
    practice: Vec<Sample>,
    replay: Vec<Sample>,
}

impl Lectures {
    /// Reads teacher and student of every rehearsed answer. The trainer must stand where the student stood.
    pub fn prepare(
        rehearsed: &Rehearsed,
        course: &dial::Course,
        trainer: &mut dyn Trainer,
        pace: &Pace,
    ) -> Result<Self, CycleError> {
        let mut lectures = Self::default();
        let mut reader = Reader { trainer, pace, course };
        for drills in rehearsed.drills.chunks(READ_AT_ONCE) {
            let drills: Vec<&Drill> = drills.iter().map(|one| &one.drill).collect();
            lectures.practice.extend(reader.samples(&drills)?);
        }
        for blamed in &rehearsed.blamed {
            lectures.practice.push(reader.blame(blamed)?);
        }
        for kept in &rehearsed.kept {
            lectures.replay.push(reader.keep(kept)?);
        }
        Ok(lectures)
    }

    /// The order of the steps: all of `course`'s epochs, and of everything as much as there is room for.
    pub fn schedule(self, course: &dial::Course, seed: u64) -> Schedule {
        let steps = course.steps_for(self.practice.len() + self.replay.len());
        let share = |samples: Vec<Sample>| samples.into_iter().map(Arc::new).collect();
        Schedule {
            practice: share(self.practice),
            replay: share(self.replay),
            batch: course.batch.max(2),
            steps: steps as u64,
            seed,
        }
    }
}

impl Schedule {
    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn n_samples(&self) -> u64 {
        (self.practice.len() + self.replay.len()) as u64
    }

    /// The batch of a step, from 0. The same seed gives the same batches, wherever a run goes on.
    fn batch_of(&self, step: u64) -> Vec<Sample> {
        let n_replay = if self.replay.is_empty() { 0 } else { self.batch / 2 };
        let mut batch: Vec<Sample> = Vec::with_capacity(self.batch);
        for (samples, n, stream) in [(&self.practice, self.batch - n_replay, 1), (&self.replay, n_replay, 2)]
        {
            let first = step * n as u64;
            let places = (first..first + n as u64).filter_map(|place| self.at(samples, place, stream));
            batch.extend(places.map(|sample| sample.as_ref().clone()));
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch has a dozen prompts")]
        let share = 1.0 / batch.len().max(1) as f32;
        scale(&mut batch, share);
        batch
    }

    /// The sample at a place of the endless order in which every pass is shuffled anew.
    fn at<'s>(&self, samples: &'s [Arc<Sample>], place: u64, stream: u64) -> Option<&'s Arc<Sample>> {
        let n = samples.len() as u64;
        let pass = place.checked_div(n)?;
        let mut order: Vec<usize> = (0..samples.len()).collect();
        Draws::of(self.seed, stream << 32 | pass).shuffle(&mut order);
        let at = order.get(usize::try_from(place % n).ok()?)?;
        samples.get(*at)
    }

    /// Takes all steps from where the trainer stands.
    pub fn teach(&self, trainer: &mut dyn Trainer, with: Teaching<'_>) -> Result<Taken, CycleError> {
        let begun = trainer.state().step;
        let Teaching { pace, tell, save } = with;
        let mut losses = Vec::new();
        for step in begun..self.steps {
            let report = trainer.step(&self.batch_of(step), pace)?;
            if !report.loss.is_finite() || !report.grad_norm.is_finite() {
                return Err(TrainError::NotFinite { what: "the loss".to_owned(), step: report.step }.into());
            }
            losses.push(report.loss);
            let loss = Some(report.loss);
            tell(Progress { phase: Phase::Training, done: step + 1, total: self.steps, loss });
            let trainer = &*trainer;
            save(step + 1, &|| trainer.state())?;
        }
        let few = losses.len().min(5);
        let before = mean(losses.get(..few).unwrap_or_default());
        let after = mean(losses.get(losses.len() - few..).unwrap_or_default());
        Ok(Taken { steps: self.steps, loss_before: before, loss_after: after })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
fn mean(losses: &[f64]) -> Option<f64> {
    (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
}

/// Asks the trainer what teacher and student think of the answers.
struct Reader<'a> {
    trainer: &'a mut dyn Trainer,
    pace: &'a Pace,
    course: &'a dial::Course,
}

impl Reader<'_> {
    fn samples(&mut self, drills: &[&Drill]) -> Result<Vec<Sample>, CycleError> {
        let teacher =
            self.read(&drills.iter().map(|drill| drill.for_teacher()).collect::<Vec<_>>(), false)?;
        let student = self.read(&drills.iter().map(|drill| drill.for_student()).collect::<Vec<_>>(), true)?;
        let readings = teacher.iter().zip(&student);
        let samples = drills.iter().zip(readings);
        Ok(samples.map(|(drill, (teacher, student))| drill.sample(teacher, student, self.course)).collect())
    }

    /// A prompt with lessons that hold everywhere is held to the base with these; any other to the plain base.
    fn keep(&mut self, kept: &Kept) -> Result<Sample, CycleError> {
        let Kept { prompt, taught, tokens, .. } = kept;
        let Some(taught) = taught else {
            return Ok(anchored(prompt.clone(), tokens, &self.course.weights));
        };
        let answers = vec![Drawn { part: Part::Teacher, tokens: tokens.clone() }];
        let drill = Drill { prompt: prompt.clone(), taught: taught.clone(), answers };
        let teacher = self.read(&[drill.for_teacher()], false)?;
        let weights = TermWeights { forward_kl: self.course.weights.anchor, ..self.course.weights };
        let held = dial::Course { weights, ..self.course.clone() };
        let reading = teacher.first().cloned().unwrap_or_default();
        Ok(drill.sample(&reading, &reading, &held))
    }

    /// Away from an answer, with no more than its mass: nobody said where to.
    fn blame(&mut self, blamed: &Blamed) -> Result<Sample, CycleError> {
        let rows = blamed.tokens.iter().map(|token| Row { token: *token, terms: Vec::new() });
        let bare = Sample { prompt: blamed.prompt.clone(), answers: vec![Answer { rows: rows.collect() }] };
        let student = self.read(std::slice::from_ref(&bare), true)?;
        let of_answer = student.first().and_then(|reading| reading.answers.first());
        let course = self.course;
        #[expect(clippy::cast_precision_loss, reason = "answers have a few hundred tokens")]
        let weight = course.weights.reward * blamed.mass / blamed.tokens.len().max(1) as f32;
        let term = |token: Token, top: &Vec<(Token, f32)>| {
            let old = top.iter().find(|(id, _)| *id == token)?.1;
            let (clip_low, clip_high) = (course.clip_low, course.clip_high);
            Some(Term::PolicyGradient { weight, advantage: -1.0, old_logprob: old, clip_low, clip_high })
        };
        let rows = blamed.tokens.iter().enumerate().map(|(at, token)| {
            let top = of_answer.and_then(|rows| rows.get(at));
            Row { token: *token, terms: top.and_then(|top| term(*token, top)).into_iter().collect() }
        });
        Ok(Sample { answers: vec![Answer { rows: rows.collect() }], ..bare })
    }

    fn read(&mut self, samples: &[Sample], adapted: bool) -> Result<Vec<Distributions>, CycleError> {
        let ask = Ask { adapted, top: self.course.draws.teacher_top };
        Ok(self.trainer.distributions(samples, ask, self.pace)?)
    }
}
