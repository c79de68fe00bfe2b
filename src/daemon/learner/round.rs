//! One round on the learner's thread: rehearse, teach, publish, examine, decide. Blocking; the engine, the trainer and
//! the ledger are asked in turn. Whatever goes wrong, nothing that serves was changed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::inputs::Collected;
use crate::adapter::manifest::{Made, Training};
use crate::adapter::shelf::NewVersion;
use crate::adapter::{Adapter, AdapterError, Base, Shelf};
use crate::daemon::answer::now_ms;
use crate::daemon::error::ApiError;
use crate::daemon::models::Serving;
use crate::daemon::policy::Lease;
use crate::daemon::state::Daemon;
use crate::learn::canaries::{PlantedSecret, planted_secrets};
use crate::learn::checkpoint::{self, Checkpoint, Identity};
use crate::learn::cycle::{
    CycleError, Drawing, Exam, Examined, Lectures, Matters, Progress, Rehearsed, Schedule, Speaker, Taken,
    Teaching, rehearse,
};
use crate::learn::dial::Course;
use crate::learn::extraction::{Recorded, recorded};
use crate::learn::gate::{self, Decision, GateLimits, Measures};
use crate::learn::optimizer::AdamWSettings;
use crate::learn::rehearsal::Plan;
use crate::learn::{Pace, Start, TrainError, TrainSettings, TrainState, Trainer, resources};
use crate::store::{Entry, RunId, Sample, SampleRole, StoreError};
use crate::turn::{PolicyVersion, TurnId};

/// Of a fresh adapter.
const RANK: usize = 16;
const ALPHA: f32 = 32.0;
/// Seconds between two saves of a run.
const SAVE_EVERY: Duration = Duration::from_secs(20);
/// Longest answer that is drawn.
const MOST_TOKENS: usize = 256;
const REHEARSED: &str = "rehearsed.json";
const CHECKPOINT: &str = "checkpoint.safetensors";

/// Everything that one round needs.
pub(super) struct Round {
    pub(super) daemon: Arc<Daemon>,
    pub(super) serving: Arc<Serving>,
    /// What serves, kept loaded for as long as the round goes on.
    pub(super) student: Lease,
    pub(super) base: Base,
    pub(super) run: RunId,
    pub(super) collected: Collected,
    pub(super) plan: Plan,
    pub(super) course: Course,
    pub(super) seed: u64,
    /// Names the round's files: the same round goes on with them.
    pub(super) name: String,
    pub(super) from_nothing: bool,
    pub(super) handle: Handle,
    pub(super) tell: Box<dyn FnMut(Progress) + Send>,
}

/// A candidate and the gate's word on it.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) candidate: PolicyVersion,
    pub(super) decision: Decision,
    pub(super) of_candidate: Measures,
    pub(super) of_serving: Measures,
    pub(super) of_base: Measures,
    pub(super) counts: Value,
    /// Keeps the candidate loaded until it serves or is removed.
    pub(super) lease: Lease,
}

/// Why there is no candidate.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Load(String),
    #[error("nothing could be practised: {0}")]
    Nothing(String),
}

impl RoundError {
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Train(TrainError::Cancelled))
            || matches!(self, Self::Cycle(error) if error.is_cancelled())
    }
}

impl From<ApiError> for RoundError {
    fn from(error: ApiError) -> Self {
        Self::Load(error.detail.message)
    }
}

/// What has to be undone when a round fails.
struct Candidate {
    version: PolicyVersion,
    lease: Lease,
}

impl Round {
    /// Runs to the gate's decision. A candidate that was made and not judged is removed again.
    pub(super) fn run(mut self, pace: &Pace) -> Result<Judged, RoundError> {
        let adapters = Shelf::new(&self.daemon.paths.adapters_dir());
        let files = adapters.run_dir(&self.name)?;
        let engine = Arc::clone(&self.serving.engine);
        let most = MOST_TOKENS.min(self.course.draws.lengths.most_tokens);
        let speaker = Speaker::new(engine, most, pace)?;
        let planted = planted_secrets(self.seed);

        let mut trainer = self.open(self.start(&adapters)?, 1)?;
        let rehearsed = self.rehearsed(&files, &speaker, &planted)?;
        self.handle.block_on(self.daemon.ledger.append(self.samples(&rehearsed)))?;
        let private = self.private_texts();
        let (plan, collected) = (self.plan.clone(), std::mem::take(&mut self.collected.confirmed));
        let suite = self.collected.suite.clone();
        let matters = Matters {
            plan: &plan,
            confirmed: &collected,
            suite: &suite,
            system: &self.collected.system.clone(),
            planted: &planted,
            recorded: &private,
        };
        let exam = Exam::new(matters, &speaker, self.course.draws.lengths, &mut self.tell)?;
        exam.dry_pass(&self.course.gate)?;
        let of_base = exam.of_base();
        let of_serving = self.of_serving(&exam, &adapters, &speaker, (pace, trainer.as_mut()))?;

        let (mut trainer, taken, schedule) = self.taught(&files, &rehearsed, trainer, pace)?;
        let candidate = self.publish(&adapters, &trainer.state(), &rehearsed, taken)?;
        let examined = exam.examine(candidate.version, trainer.as_mut(), &speaker, (pace, &mut self.tell));
        let examined = match examined {
            Ok(examined) => examined,
            Err(error) => {
                candidate.give_up(&adapters);
                return Err(error.into());
            }
        };
        if let Err(error) = adapters.end_run(&self.name) {
            tracing::warn!(%error, "the round's files stay");
        }
        Ok(self.judged(candidate, (examined, of_serving, of_base), (&rehearsed, &schedule)))
    }

    fn judged(
        self,
        candidate: Candidate,
        (examined, of_serving, of_base): (Examined, Examined, Examined),
        (rehearsed, schedule): (&Rehearsed, &Schedule),
    ) -> Judged {
        let limits: GateLimits =
            if self.from_nothing { self.course.gate.for_rebuild() } else { self.course.gate };
        let (of_candidate, of_serving, of_base) = (examined.measures, of_serving.measures, of_base.measures);
        let decision = gate::decide(&of_candidate, &of_serving, &of_base, &limits);
        let counts = json!({
            "inputs": self.name,
            "lessons": self.plan.lessons().len(),
            "drills": rehearsed.drills.len(),
            "replay": rehearsed.kept.len(),
            "left_out": rehearsed.sifted.dropped(),
            "samples": schedule.n_samples(),
            "steps": schedule.steps(),
            "probes": self.plan.probes.len(),
            "skipped": self.plan.skipped.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        let Candidate { version, lease } = candidate;
        Judged { candidate: version, decision, of_candidate, of_serving, of_base, counts, lease }
    }

    /// Where the student stands: the serving version's matrices, or none.
    fn start(&self, adapters: &Shelf) -> Result<Start, RoundError> {
        let version = self.student.version();
        if self.from_nothing || version == PolicyVersion::BASE {
            return Ok(Start::Fresh { rank: RANK, alpha: ALPHA, seed: self.seed });
        }
        Ok(Start::From(matrices(adapters, version)?))
    }

    /// What of the turns behind this round nobody must be able to draw out of the candidate.
    fn private_texts(&self) -> Vec<Recorded> {
        let Collected { lessons, held, negatives, .. } = &self.collected;
        let all = || lessons.iter().chain(held);
        let texts: Vec<&str> = all().map(|one| one.lesson.text.as_str()).collect();
        let turns = all().flat_map(|one| one.sources.iter().chain(&one.related));
        recorded(turns.chain(negatives.iter().map(|one| &one.past)), &texts)
    }

    fn open(&self, start: Start, total_steps: u64) -> Result<Box<dyn Trainer>, TrainError> {
        let optimizer = AdamWSettings {
            learning_rate: self.course.learning_rate,
            warmup_steps: 3.min(total_steps / 4),
            total_steps: Some(total_steps),
            ..AdamWSettings::default()
        };
        let settings = TrainSettings {
            model: self.serving.engine.card().path.clone(),
            threads: resources::physical_cores(),
            memory_bytes: resources::training_memory_mib().saturating_mul(1 << 20),
            kernels: None,
            optimizer,
            lowest_priority: true,
        };
        (self.daemon.trainer)(&settings, start)
    }

    /// What was drawn before an interruption, or what is drawn now.
    fn rehearsed(
        &mut self,
        files: &Path,
        speaker: &Speaker<'_>,
        planted: &[PlantedSecret],
    ) -> Result<Rehearsed, RoundError> {
        let path = files.join(REHEARSED);
        if let Some(known) = read_rehearsed(&path) {
            tracing::info!(run = self.run.0, "going on with what was rehearsed before");
            return Ok(known);
        }
        let by = Drawing {
            settings: &self.course.draws,
            student: self.student.version(),
            seed: self.seed,
            planted,
        };
        let rehearsed = rehearse(&self.plan, speaker, &by, &mut self.tell)?;
        if rehearsed.is_empty() {
            let why = format!("{} answers were of no use", rehearsed.sifted.dropped());
            return Err(RoundError::Nothing(why));
        }
        keep_rehearsed(&path, &rehearsed);
        Ok(rehearsed)
    }

    /// The rows of the ledger that say what this round is made of.
    fn samples(&self, rehearsed: &Rehearsed) -> Entry {
        let fingerprint = rehearsed.fingerprint();
        let of = |turn: Option<TurnId>, lesson, role| Sample {
            turn,
            lesson,
            role,
            fingerprint: fingerprint.clone(),
        };
        let held_out = &self.plan.held_out;
        // Another request made from a held-out turn is not that turn.
        let trained = |turn: Option<TurnId>| turn.filter(|turn| !held_out.contains(turn));
        let mut samples: Vec<Sample> = Vec::new();
        samples
            .extend(rehearsed.drills.iter().map(|one| of(trained(one.turn), one.lesson, SampleRole::Teach)));
        samples
            .extend(rehearsed.blamed.iter().map(|one| of(trained(Some(one.turn)), None, SampleRole::Teach)));
        samples.extend(rehearsed.kept.iter().map(|one| of(trained(one.turn), None, SampleRole::Replay)));
        samples.extend(held_out.iter().map(|turn| of(Some(*turn), None, SampleRole::HeldOut)));
        samples.sort_by_key(|one| (one.turn, one.lesson));
        samples.dedup();
        Entry::RecordSamples { run: self.run, samples }
    }

    /// The figures of what serves. `at_student`: a trainer that stands where the student stands.
    fn of_serving(
        &mut self,
        exam: &Exam<'_>,
        adapters: &Shelf,
        speaker: &Speaker<'_>,
        (pace, at_student): (&Pace, &mut dyn Trainer),
    ) -> Result<Examined, RoundError> {
        let version = self.student.version();
        if version == PolicyVersion::BASE {
            return Ok(exam.of_base());
        }
        if self.from_nothing {
            let mut trainer = self.open(Start::From(matrices(adapters, version)?), 1)?;
            return Ok(exam.examine(version, trainer.as_mut(), speaker, (pace, &mut self.tell))?);
        }
        Ok(exam.examine(version, at_student, speaker, (pace, &mut self.tell))?)
    }

    /// Takes the steps, from a checkpoint where there is one.
    fn taught(
        &mut self,
        files: &Path,
        rehearsed: &Rehearsed,
        mut at_start: Box<dyn Trainer>,
        pace: &Pace,
    ) -> Result<(Box<dyn Trainer>, Taken, Schedule), RoundError> {
        let lectures = Lectures::prepare(rehearsed, &self.course, at_start.as_mut(), pace)?;
        let schedule = lectures.schedule(&self.course, self.seed);
        let identity = self.identity(rehearsed);
        let path = files.join(CHECKPOINT);
        let begun = at_start.state();
        drop(at_start);
        let start = match Checkpoint::load(&path, &identity) {
            Ok(saved) => Start::Resume(saved.state),
            // Without one, or with another round's, it begins where the student stands.
            Err(_) => Start::Resume(TrainState { step: 0, ..begun }),
        };
        let mut trainer = self.open(start, schedule.steps())?;
        let mut saved = Instant::now();
        let mut save = |_step: u64, state: &dyn Fn() -> TrainState| {
            if saved.elapsed() < SAVE_EVERY {
                return Ok(());
            }
            saved = Instant::now();
            checkpoint::save(&path, &identity, None, &state())
                .map_err(|error| TrainError::Io { path: path.clone(), source: std::io::Error::other(error) })
        };
        let teaching = Teaching { pace, tell: &mut self.tell, save: &mut save };
        let taken = schedule.teach(trainer.as_mut(), teaching)?;
        Ok((trainer, taken, schedule))
    }

    fn identity(&self, rehearsed: &Rehearsed) -> Identity {
        let identity = [
            ("model", self.base.sha256.clone()),
            ("inputs", self.name.clone()),
            ("rehearsed", rehearsed.fingerprint()),
            ("student", self.student.version().to_string()),
            ("learning-rate", self.course.learning_rate.to_string()),
        ];
        identity.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Puts the candidate on the shelf and into the engine. It serves nobody.
    fn publish(
        &self,
        adapters: &Shelf,
        state: &TrainState,
        rehearsed: &Rehearsed,
        taken: Taken,
    ) -> Result<Candidate, RoundError> {
        let parent = if self.from_nothing { PolicyVersion::BASE } else { self.student.version() };
        let made = Made::Train(Training {
            samples_sha256: rehearsed.fingerprint(),
            n_samples: (rehearsed.drills.len() + rehearsed.blamed.len() + rehearsed.kept.len()) as u64,
            steps: state.step,
            loss_before: taken.loss_before,
            loss_after: taken.loss_after,
            ..Training::default()
        });
        let new = NewVersion { parent, base: self.base.clone(), made, created_at: now_ms() / 1000 };
        let version = adapters.create(&new, &state.adapter, None)?.version;
        match self.handle.block_on(self.daemon.policies.lease(&self.serving, Some(version))) {
            Ok(lease) => Ok(Candidate { version, lease }),
            Err(error) => {
                adapters.remove(version)?;
                Err(error.into())
            }
        }
    }
}

impl Candidate {
    /// Nobody judged it, so nobody needs it.
    fn give_up(self, adapters: &Shelf) {
        drop(self.lease);
        if let Err(error) = adapters.remove(self.version) {
            tracing::warn!(%error, "a candidate that nobody judged stays on the shelf");
        }
    }
}

fn matrices(adapters: &Shelf, version: PolicyVersion) -> Result<Adapter, AdapterError> {
    adapters.load(version).map(|(_, adapter)| adapter)
}

/// `None`: there is none, or it cannot be read, and then it is drawn again.
fn read_rehearsed(path: &Path) -> Option<Rehearsed> {
    let text = std::fs::read(path).ok()?;
    serde_json::from_slice(&text).inspect_err(|error| tracing::warn!(line = error.line(), "drawn again")).ok()
}

/// Without it an interruption costs the rehearsal, and nothing else.
fn keep_rehearsed(path: &Path, rehearsed: &Rehearsed) {
    let kept = serde_json::to_vec(rehearsed).map_err(std::io::Error::other);
    let kept = kept.and_then(|text| crate::config::disk::write_whole(path, &text));
    if let Err(error) = kept {
        tracing::warn!(%error, path = %path.display(), "what was rehearsed is not kept");
    }
}
