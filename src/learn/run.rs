//! A training run from its first look at the held-out examples to its last: steps in the plan's order, looks, and
//! checkpoints. Pure but for the trainer: the clock and all that leaves it are arguments.
//!
//! What always holds: only batches of the plan reach [`Trainer::step`]; a run that fails or is stopped hands its last
//! good state to be saved first; a loss that is not finite ends it.

use super::plan::Plan;
use super::{Pace, StepReport, TrainError, TrainState, Trainer};

/// How much of the past the shown speed is made of, in gradient steps.
const SPEED_STEPS: f64 = 20.0;

/// What happens in a run, in order: `Evaluated` (unless nothing is held out), then steps with looks and saves
/// between them, then `Evaluated` again.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainEvent {
    /// The held-out examples were looked at.
    Evaluated(Evaluation),
    Stepped(Progress),
    /// The state after `step` steps is on disk.
    Saved {
        step: u64,
    },
}

/// The held-out examples after `step` gradient steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    pub step: u64,
    /// Mean over all their answer tokens, in nats.
    pub loss: f64,
}

/// One gradient step and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub report: StepReport,
    pub total_steps: u64,
    /// From 0.
    pub epoch: u64,
    /// Rows of the network per second, over the last twenty or so steps.
    pub tokens_per_s: f64,
    /// Seconds until the last step, at that speed.
    pub eta_s: f64,
}

/// How often a run looks and saves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Look at the held-out examples every so many steps besides before and after; 0: only then.
    pub look_every: u64,
    /// Save every so many steps at the latest; 0: only when the run stops or fails.
    pub save_every: u64,
    /// Save when so many seconds have passed since the last time.
    pub save_every_s: f64,
    /// Held-out answers that are scored at once.
    pub answers_at_once: usize,
}

/// Puts the state, and the first look at the held-out examples, where a later run finds them.
pub type Save<'a> = dyn FnMut(&TrainState, Option<f64>) -> Result<(), TrainError> + 'a;

/// What a run reports to, and what it obeys.
pub struct Surroundings<'a> {
    pub pace: &'a Pace,
    /// Whether to stop after the step in flight.
    pub stop: &'a dyn Fn() -> bool,
    /// Seconds since any fixed moment.
    pub now: &'a dyn Fn() -> f64,
    pub events: &'a mut dyn FnMut(TrainEvent),
    pub save: &'a mut Save<'a>,
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Gradient steps in the trainer's adapter.
    pub steps: u64,
    /// False: it was stopped, and its state is saved.
    pub is_complete: bool,
    /// Mean loss of the held-out examples before the first step; `None` without any.
    pub held_out_before: Option<f64>,
    /// The same after the last step.
    pub held_out_after: Option<f64>,
}

/// Runs the plan from the step that the trainer stands at. `before`: the first look, when the run is resumed.
pub fn run(
    trainer: &mut dyn Trainer,
    plan: &Plan,
    rhythm: Rhythm,
    before: Option<f64>,
    around: &mut Surroundings,
) -> Result<Outcome, TrainError> {
    let mut run = Run { trainer, plan, rhythm, before, looked_at: None, saved: None, around };
    let ended = run.all();
    if !matches!(ended, Ok(Outcome { is_complete: true, .. })) {
        run.keep(&ended)?;
    }
    ended
}

struct Run<'r, 'a> {
    trainer: &'r mut dyn Trainer,
    plan: &'r Plan,
    rhythm: Rhythm,
    before: Option<f64>,
    /// The newest look.
    looked_at: Option<Evaluation>,
    /// Step and time of the last save.
    saved: Option<(u64, f64)>,
    around: &'r mut Surroundings<'a>,
}

/// What came of a look.
enum Looked {
    /// Mean loss; `None` when nothing is held out.
    At(Option<f64>),
    /// The run was told to stop meanwhile.
    Stopped,
}

impl Run<'_, '_> {
    fn all(&mut self) -> Result<Outcome, TrainError> {
        let mut steps = self.trainer.state().step;
        self.saved = Some((steps, (self.around.now)()));
        if self.before.is_none() {
            let Looked::At(before) = self.look(steps)? else { return Ok(self.outcome(steps, false)) };
            self.before = before;
        }
        let mut speed = Speed::new((self.around.now)());
        for batch in self.plan.training.batches_from(steps) {
            if (self.around.stop)() {
                return Ok(self.outcome(steps, false));
            }
            let report = self.trainer.step(batch.samples(), self.around.pace)?;
            check_finite(&report)?;
            steps = report.step;
            let left = self.plan.total_steps().saturating_sub(steps);
            speed.add((self.around.now)(), report.n_tokens);
            let progress = speed.progress(report, self.plan.total_steps(), left, batch.epoch);
            (self.around.events)(TrainEvent::Stepped(progress));
            if left > 0 {
                self.between(steps)?;
                // Looks and saves are no part of a step.
                speed.resume((self.around.now)());
            }
        }
        let Looked::At(_) = self.look(steps)? else { return Ok(self.outcome(steps, false)) };
        Ok(self.outcome(steps, true))
    }

    /// What is due between two steps.
    fn between(&mut self, steps: u64) -> Result<(), TrainError> {
        let every = self.rhythm.look_every;
        if every > 0 && steps.is_multiple_of(every) {
            self.look(steps)?;
        }
        let (step, at) = self.saved.unwrap_or((0, 0.0));
        let by_steps = self.rhythm.save_every > 0 && steps >= step + self.rhythm.save_every;
        if by_steps || (self.around.now)() - at >= self.rhythm.save_every_s {
            self.save(&self.trainer.state())?;
        }
        Ok(())
    }

    /// Scores the held-out examples.
    fn look(&mut self, step: u64) -> Result<Looked, TrainError> {
        if self.plan.held_out.n_examples() == 0 {
            return Ok(Looked::At(None));
        }
        let mut loss = 0.0;
        for chunk in self.plan.held_out.chunks(self.rhythm.answers_at_once) {
            if (self.around.stop)() {
                return Ok(Looked::Stopped);
            }
            let scores = self.trainer.score(&chunk, self.around.pace)?;
            loss += scores.iter().map(|scores| scores.loss).sum::<f64>();
        }
        if !loss.is_finite() {
            return Err(TrainError::NotFinite { what: "the loss of the held-out examples".to_owned(), step });
        }
        let evaluation = Evaluation { step, loss };
        self.looked_at = Some(evaluation);
        (self.around.events)(TrainEvent::Evaluated(evaluation));
        Ok(Looked::At(Some(loss)))
    }

    /// Saves what a run that did not come to its end has learned. Numbers that are not finite are never saved.
    fn keep(&mut self, ended: &Result<Outcome, TrainError>) -> Result<(), TrainError> {
        let state = self.trainer.state();
        let is_new = self.saved.is_none_or(|(step, _)| step != state.step);
        // Whatever came out of a step like that is not worth keeping; the checkpoint before it is.
        let is_spoilt = matches!(ended, Err(TrainError::NotFinite { step, .. }) if state.step >= *step);
        if !is_new || is_spoilt || !is_finite(&state) {
            return Ok(());
        }
        match (self.save(&state), ended) {
            // The reason why the run ended is the one to tell.
            (Err(_), Err(_)) => Ok(()),
            (saved, _) => saved,
        }
    }

    fn save(&mut self, state: &TrainState) -> Result<(), TrainError> {
        (self.around.save)(state, self.before)?;
        self.saved = Some((state.step, (self.around.now)()));
        (self.around.events)(TrainEvent::Saved { step: state.step });
        Ok(())
    }

    fn outcome(&self, steps: u64, is_complete: bool) -> Outcome {
        let after = self.looked_at.filter(|look| look.step == steps).map(|look| look.loss);
        Outcome { steps, is_complete, held_out_before: self.before, held_out_after: after }
    }
}

fn check_finite(report: &StepReport) -> Result<(), TrainError> {
    let what = if !report.loss.is_finite() {
        "the loss"
    } else if !report.grad_norm.is_finite() {
        "the gradient"
    } else {
        return Ok(());
    };
    Err(TrainError::NotFinite { what: what.to_owned(), step: report.step })
}

fn is_finite(state: &TrainState) -> bool {
    let pairs = state.adapter.pairs.values().flat_map(|pair| pair.a.iter().chain(&pair.b));
    pairs.chain(&state.first_moment).chain(&state.second_moment).all(|number| number.is_finite())
}

/// Tokens and steps per second, recent steps counting more.
struct Speed {
    since: f64,
    seconds: f64,
    tokens: f64,
    steps: f64,
}

impl Speed {
    fn new(now: f64) -> Self {
        Self { since: now, seconds: 0.0, tokens: 0.0, steps: 0.0 }
    }

    fn resume(&mut self, now: f64) {
        self.since = now;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
    fn add(&mut self, now: f64, n_tokens: usize) {
        let fade = 1.0 - 1.0 / SPEED_STEPS;
        self.seconds = self.seconds * fade + (now - self.since).max(0.0);
        self.tokens = self.tokens * fade + n_tokens as f64;
        self.steps = self.steps * fade + 1.0;
        self.since = now;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of steps are small")]
    fn progress(&self, report: StepReport, total_steps: u64, left: u64, epoch: u64) -> Progress {
        let seconds = self.seconds.max(1e-9);
        let (tokens_per_s, eta_s) = (self.tokens / seconds, left as f64 * self.seconds / self.steps.max(1.0));
        Progress { report, total_steps, epoch, tokens_per_s, eta_s }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::engine::Token;
    use crate::learn::chat_sample::Example;
    use crate::learn::plan::{Examples, PlanSettings};
    use crate::learn::scripted::{Failure, Scripted};

    fn plan(n: Token, hold_out: f64) -> Plan {
        let mut examples = Examples::default();
        for number in 0..n {
            examples.push(&Example { line: 1, prompt: vec![number, 1], answer: vec![number + 100, 2] });
        }
        Plan::new(examples, PlanSettings { epochs: 2, batch: 4, seed: 1, hold_out }).unwrap()
    }

    const RHYTHM: Rhythm = Rhythm { look_every: 0, save_every: 0, save_every_s: 1e9, answers_at_once: 4 };

    struct Told {
        events: Vec<TrainEvent>,
        saved: Vec<(TrainState, Option<f64>)>,
        outcome: Result<Outcome, TrainError>,
    }

    /// Runs with a clock that makes every look at it a second later, until `stop_after` steps.
    fn ran(
        trainer: &mut Scripted,
        plan: &Plan,
        rhythm: Rhythm,
        before: Option<f64>,
        stop_after: u64,
    ) -> Told {
        let (clock, steps) = (Cell::new(0.0), Cell::new(0));
        let (events, saved) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let outcome = run(
            trainer,
            plan,
            rhythm,
            before,
            &mut Surroundings {
                pace: &Pace::default(),
                stop: &|| steps.get() >= stop_after,
                now: &|| {
                    clock.set(clock.get() + 1.0);
                    clock.get()
                },
                events: &mut |event| {
                    steps.set(steps.get() + u64::from(matches!(event, TrainEvent::Stepped(_))));
                    events.borrow_mut().push(event);
                },
                save: &mut |state, before| {
                    saved.borrow_mut().push((state.clone(), before));
                    Ok(())
                },
            },
        );
        Told { events: events.into_inner(), saved: saved.into_inner(), outcome }
    }

    fn reports(told: &Told) -> Vec<StepReport> {
        let report = |event: &TrainEvent| match event {
            TrainEvent::Stepped(progress) => Some(progress.report),
            _ => None,
        };
        told.events.iter().filter_map(report).collect()
    }

    #[test]
    fn a_run_looks_before_and_after_and_takes_every_step() {
        let plan = plan(40, 0.2);
        let told = ran(&mut Scripted::new(), &plan, RHYTHM, None, u64::MAX);
        let outcome = told.outcome.as_ref().unwrap();
        assert_eq!((outcome.is_complete, outcome.steps), (true, plan.total_steps()));
        assert!(outcome.held_out_after.unwrap() < outcome.held_out_before.unwrap());
        assert!(matches!(told.events.first(), Some(TrainEvent::Evaluated(Evaluation { step: 0, .. }))));
        assert!(
            matches!(told.events.last(), Some(TrainEvent::Evaluated(look)) if look.step == outcome.steps)
        );
        let losses: Vec<f64> = reports(&told).iter().map(|report| report.loss).collect();
        assert_eq!(losses.len() as u64, plan.total_steps());
        assert!(losses.last() < losses.first(), "{losses:?}");
        assert!(told.saved.is_empty(), "what is complete needs no checkpoint");
    }

    #[test]
    fn looks_and_saves_come_in_their_rhythm() {
        let rhythm = Rhythm { look_every: 2, save_every: 3, ..RHYTHM };
        let plan = plan(32, 0.2);
        let told = ran(&mut Scripted::new(), &plan, rhythm, None, u64::MAX);
        let n_steps = plan.total_steps();
        let looks = told.events.iter().filter_map(|event| match event {
            TrainEvent::Evaluated(look) => Some(look.step),
            _ => None,
        });
        let due: Vec<u64> = (0..n_steps).step_by(2).chain([n_steps]).collect();
        assert_eq!(looks.collect::<Vec<_>>(), due);
        let saves: Vec<u64> = told.saved.iter().map(|(state, _)| state.step).collect();
        assert_eq!(saves, (3..n_steps).step_by(3).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_time_without_a_save_brings_one() {
        let told =
            ran(&mut Scripted::new(), &plan(40, 0.0), Rhythm { save_every_s: 5.0, ..RHYTHM }, None, u64::MAX);
        assert!(told.saved.len() > 2, "{}", told.saved.len());
    }

    #[test]
    fn speed_and_time_left_come_from_the_clock() {
        let told = ran(&mut Scripted::new(), &plan(40, 0.0), RHYTHM, None, u64::MAX);
        let TrainEvent::Stepped(progress) = &told.events[4] else { panic!("{:?}", told.events[4]) };
        // The clock goes a second ahead per look; a step is one look long, and sixteen tokens wide.
        assert!((progress.tokens_per_s - 16.0).abs() < 1e-9, "{progress:?}");
        assert!((progress.eta_s - 15.0).abs() < 1e-9, "{progress:?}");
    }

    #[test]
    fn a_run_that_is_stopped_and_resumed_gives_the_same_numbers() {
        let plan = plan(40, 0.2);
        let mut straight = Scripted::new();
        let whole = ran(&mut straight, &plan, RHYTHM, None, u64::MAX);

        let first = ran(&mut Scripted::new(), &plan, RHYTHM, None, 5);
        let outcome = first.outcome.as_ref().unwrap();
        assert_eq!((outcome.is_complete, outcome.steps), (false, 5));
        let [(state, before)] = &first.saved[..] else { panic!("{} saves", first.saved.len()) };
        let mut resumed = Scripted::from_state(state.clone());
        let rest = ran(&mut resumed, &plan, RHYTHM, *before, u64::MAX);

        assert_eq!([reports(&first), reports(&rest)].concat(), reports(&whole));
        assert_eq!(resumed.state(), straight.state());
        assert_eq!(rest.outcome.unwrap(), whole.outcome.unwrap());
    }

    #[test]
    fn a_step_that_is_not_finite_ends_the_run_and_keeps_what_was_learned_before() {
        let mut trainer = Scripted::new().failing(4, Failure::NotFinite);
        let told = ran(&mut trainer, &plan(40, 0.2), RHYTHM, None, u64::MAX);
        assert!(matches!(told.outcome, Err(TrainError::NotFinite { step: 4, .. })));
        assert_eq!(told.saved.iter().map(|(state, _)| state.step).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_reported_loss_that_is_no_number_ends_the_run() {
        let mut trainer = Scripted::new().failing(2, Failure::NanReported);
        let told = ran(&mut trainer, &plan(40, 0.2), RHYTHM, None, u64::MAX);
        assert!(matches!(told.outcome, Err(TrainError::NotFinite { step: 2, .. })));
        assert_eq!((reports(&told).len(), told.saved.len()), (1, 0));
    }

    #[test]
    fn other_errors_keep_what_was_learned_before_too() {
        let mut trainer = Scripted::new().failing(3, Failure::OutOfBudget);
        let told = ran(&mut trainer, &plan(40, 0.2), RHYTHM, None, u64::MAX);
        assert!(matches!(told.outcome, Err(TrainError::OutOfBudget { .. })));
        assert_eq!(told.saved.iter().map(|(state, _)| state.step).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn stopped_before_the_first_step_nothing_is_saved() {
        let told = ran(&mut Scripted::new(), &plan(40, 0.2), RHYTHM, None, 0);
        let outcome = told.outcome.unwrap();
        assert_eq!((outcome.steps, outcome.is_complete, outcome.held_out_before), (0, false, None));
        assert!(told.saved.is_empty());
    }
}
