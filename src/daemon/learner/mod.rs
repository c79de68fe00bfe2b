//! The learner: when a round of learning runs, and what becomes of its candidate. The only place that promotes.
//!
//! What lives here: the task that waits for the right moment, a round's beginning and end in the ledger, promotion,
//! what people wish (`now`, `pause`, `resume`, `cancel`). What does not: the round itself (`round`, `learn::cycle`),
//! the rules of the right moment (`learn::when`).
//!
//! What always holds: one round at a time; somebody who waits for an answer stops it between two kernels; whatever
//! happens to it, what served goes on serving; a round that the daemon's end interrupted goes on after the next start.

mod cost;
mod inputs;
mod promotion;
mod round;
pub(super) mod wishes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, oneshot, watch};

use super::answer::now_ms;
use super::error::ApiError;
use super::models::Serving;
use super::state::Daemon;
use super::wire::{LearnPhase, LoopEvent};
use crate::config::Rules;
use crate::daemon::machine::Machine;
use crate::learn::cycle::{Phase, Progress};
use crate::learn::dial::Course;
use crate::learn::rehearsal;
use crate::learn::when::{Facts, Wait, may_begin, may_go_on};
use crate::learn::worker::{End, Request};
use crate::lesson::{LessonId, State};
use crate::store::{Entry, NewRun, Receipt, RunEnd, RunEnding, RunId, RunRow, RunState};
use crate::turn::{Message, PolicyVersion};
use cost::Meter;
use inputs::{Collected, Tables, View};
use round::{Judged, Round, RoundError};
pub(super) use wishes::Learner;

/// Earlier runs that are looked at for one like the next.
const RUNS: usize = 20;
/// How often the machine is looked at while a round runs.
const LOOK: Duration = Duration::from_secs(5);
/// How often progress is told, at most.
const TELL: Duration = Duration::from_millis(100);

/// Learns whenever it may, until the daemon ends.
pub(super) async fn run(daemon: Arc<Daemon>) {
    let mut stop = daemon.stop.subscribe();
    let mut machine = Machine::new();
    let mut news = daemon.news.listen();
    loop {
        // Before the look, so that what happens during it is seen afterwards.
        let rung = daemon.learner.bell.notified();
        let floor = daemon.learner.floor.lock().await;
        let wait = match look(&daemon, &mut machine).await {
            Ok(Ok(ready)) => {
                if learn(&daemon, &mut machine, ready).await.is_none() {
                    return;
                }
                continue;
            }
            Ok(Err(wait)) => wait,
            Err(err) => {
                tracing::warn!(
                    reason = err.detail.message,
                    "whether there is something to learn is not known"
                );
                Wait::NothingNew
            }
        };
        drop(floor);
        daemon.learner.waits(wait, &daemon.news);
        tokio::select! {
            () = rung => {}
            () = something_new(&mut news) => {}
            () = tokio::time::sleep(wait.look_again()) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

/// Returns when something was heard that may give work.
async fn something_new(news: &mut broadcast::Receiver<LoopEvent>) {
    loop {
        match news.recv().await {
            Ok(LoopEvent::Lesson { .. } | LoopEvent::Judged { .. } | LoopEvent::Serving { .. })
            | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            // The daemon is ending; another branch notices.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A round that may begin.
struct Ready {
    serving: Arc<Serving>,
    view: View,
    collected: Collected,
    course: Course,
    /// Of the inputs, and of this attempt at them.
    inputs: String,
    attempt: usize,
}

/// Whether a round may begin, and with what.
async fn look(daemon: &Arc<Daemon>, machine: &mut Machine) -> Result<Result<Ready, Wait>, ApiError> {
    let settings = &daemon.settings.learn;
    let wishes = daemon.learner.wishes();
    let n_params = |serving: &Serving| serving.engine.card().n_params;
    let mut facts = Facts { has_work: true, ..daemon.facts(machine, wishes).await? };
    // What costs nothing comes first.
    if let Err(wait) = may_begin(&facts, settings) {
        return Ok(Err(wait));
    }
    let serving = daemon.models.serving().await?;
    let Some(course) = (daemon.course)(settings.dial, n_params(&serving)) else { return Ok(Err(Wait::Off)) };
    let view = daemon.view(&serving, wishes.from_nothing).await?;
    let (seen, tables) = (view.clone(), Tables::built_in()?);
    let (collected, runs) = daemon
        .ledger
        .ask(move |reader| Ok((Collected::read(reader, &seen, tables)?, reader.runs(RUNS)?)))
        .await?;
    daemon.learner.note_waiting(collected.n_waiting());
    let inputs = collected.fingerprint(view.serving, settings.dial.name());
    let attempt = earlier(&runs, &inputs);
    facts.has_work = wishes.asked || wishes.from_nothing || (collected.n_waiting() > 0 && attempt == 0);
    if let Err(wait) = may_begin(&facts, settings) {
        return Ok(Err(wait));
    }
    Ok(Ok(Ready { serving, view, collected, course, inputs, attempt }))
}

/// How often a round with these inputs came to its end before. One that was interrupted goes on.
fn earlier(runs: &[RunRow], inputs: &str) -> usize {
    let same =
        runs.iter().filter(|run| run.counts.get("inputs").and_then(|one| one.as_str()) == Some(inputs));
    same.filter(|run| !matches!(run.state, RunState::Interrupted | RunState::Running)).count()
}

/// Requests that a round would ask to see whether the weights hold these lessons; at most `most` for each.
pub(super) async fn requests_about(
    daemon: &Arc<Daemon>,
    lessons: &[LessonId],
    most: usize,
) -> Result<Vec<Vec<Message>>, ApiError> {
    let (system, lessons) = (daemon.settings.chat.system.clone(), lessons.to_vec());
    // What was taught is asked about, whatever a rule says of it since.
    let (lineage, rules) = (Vec::new(), Rules::default());
    let view = View { serving: PolicyVersion::BASE, lineage, system, from_nothing: true, rules };
    let tables = Tables::built_in()?;
    let mut collected = daemon.ledger.ask(move |reader| Collected::read(reader, &view, tables)).await?;
    // Only these, so that no other lesson takes their place in the plan.
    collected.lessons.retain(|one| lessons.contains(&one.lesson.id));
    // As if they were to be learned, whatever holds them now.
    collected.lessons.iter_mut().for_each(|one| one.lesson.state = State::Active);
    let plan = rehearsal::plan(&collected.inputs(), 0, &rehearsal::PlanLimits::careful());
    let of = |lesson: &LessonId| {
        let probes = plan.probes.iter().filter(|probe| probe.lesson == *lesson);
        probes.take(most).map(|probe| probe.messages.clone()).collect::<Vec<_>>()
    };
    Ok(lessons.iter().flat_map(of).collect())
}

/// One round from its first row in the ledger to its last. `None`: the daemon ends.
async fn learn(daemon: &Arc<Daemon>, machine: &mut Machine, ready: Ready) -> Option<()> {
    let asked = daemon.learner.wishes().asked;
    match begin(daemon, ready).await {
        Ok(Begun::Idle) => daemon.learner.ended(),
        Ok(Begun::Round(round)) => {
            let (serving, run, inputs) = (Arc::clone(&round.serving), round.run, round.name.clone());
            daemon.learner.begun(run);
            let meter = Meter::start();
            let outcome = carried_out(daemon, machine, *round, asked).await?;
            let known = json!({ "inputs": inputs, "cost": meter.spent() });
            let ended = daemon.finish(&serving, run, known, outcome).await;
            daemon.learner.ended();
            say(ended);
        }
        Err(err) => {
            daemon.learner.ended();
            say(Err(err));
            // A ledger that cannot be written is not tried again at once.
            tokio::time::sleep(LOOK).await;
        }
    }
    Some(())
}

fn say(ended: Result<(), ApiError>) {
    if let Err(err) = ended {
        tracing::error!(reason = err.detail.message, "a round of learning did not come to its end");
    }
}

enum Begun {
    Idle,
    Round(Box<Round>),
}

/// Plans and writes the first row.
async fn begin(daemon: &Arc<Daemon>, ready: Ready) -> Result<Begun, ApiError> {
    let Ready { serving, view, collected, course, inputs, attempt } = ready;
    let name = if attempt == 0 { inputs.clone() } else { format!("{inputs}-{attempt}") };
    let seed = seed_of(&name);
    let plan = rehearsal::plan(&collected.inputs(), seed, &course.plan);
    let base = daemon.policies.base_of(&serving).await?;
    let student = daemon.policies.lease(&serving, Some(view.serving)).await?;
    let parent = if view.from_nothing { PolicyVersion::BASE } else { view.serving };
    let run = NewRun {
        started_at: now_ms(),
        base_sha256: base.sha256.clone(),
        parent,
        seed,
        dial: daemon.settings.learn.dial.name().to_owned(),
        counts: json!({ "inputs": inputs }),
    };
    let Receipt::Run(run) = daemon.ledger.append(Entry::BeginRun(run)).await? else {
        return Err(ApiError::internal("ledger_failed", "the ledger gave the run no number"));
    };
    if plan.drills.is_empty() && plan.bare.is_empty() {
        let skipped: Vec<String> = plan.skipped.iter().map(ToString::to_string).collect();
        let reason = if skipped.is_empty() { "nothing new to learn".to_owned() } else { skipped.join("; ") };
        let end =
            RunEnd { run, ended_at: now_ms(), ending: RunEnding::Idle, reason, error: None, counts: None };
        daemon.ledger.append(Entry::EndRun(end)).await?;
        return Ok(Begun::Idle);
    }
    let tell = daemon.teller(run);
    Ok(Begun::Round(Box::new(Round {
        daemon: Arc::clone(daemon),
        serving,
        student,
        base,
        run,
        collected,
        plan,
        course,
        seed,
        name,
        from_nothing: view.from_nothing,
        handle: Handle::current(),
        tell,
    })))
}

/// The first eight bytes of the name's hash.
fn seed_of(name: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

type Outcome = Result<Judged, RoundError>;

/// Gives the round to the learner's thread, and holds its leash. `None`: the daemon ends.
async fn carried_out(
    daemon: &Arc<Daemon>,
    machine: &mut Machine,
    round: Round,
    asked: bool,
) -> Option<Outcome> {
    let (done, outcome) = oneshot::channel();
    let (died, death) = oneshot::channel();
    daemon.learner.worker.request(Request {
        // Whoever waits is gone when the daemon ends.
        work: Box::new(move |pace| {
            done.send(round.run(pace)).ok();
            Ok(())
        }),
        ended: Box::new(move |end| {
            if let End::Panicked(message) = end {
                died.send(message).ok();
            }
        }),
    });
    let mut stop = daemon.stop.subscribe();
    let outcome = tokio::select! {
        outcome = outcome => outcome,
        () = daemon.hold_leash(machine, asked) => return None,
        _ = stop.wait_for(Option::is_some) => {
            daemon.learner.worker.resume();
            daemon.learner.worker.cancel();
            return None;
        }
    };
    daemon.learner.worker.resume();
    Some(match outcome {
        Ok(outcome) => outcome,
        Err(_) => Err(RoundError::Load(match death.await {
            Ok(message) => format!("the learner panicked: {message}"),
            Err(_) => "the learner's thread ended".to_owned(),
        })),
    })
}

impl Daemon {
    /// Stops and releases the round with what happens around it; never returns.
    async fn hold_leash(&self, machine: &mut Machine, asked: bool) {
        let mut answers: watch::Receiver<usize> = self.register.running();
        let mut wait: Option<Wait> = None;
        let mut looked = Instant::now();
        loop {
            let paused = self.learner.wishes().paused;
            if looked.elapsed() >= LOOK || paused != matches!(wait, Some(Wait::Paused)) {
                looked = Instant::now();
                wait = self.wait_of(machine, asked, wait).await;
                self.learner.stopped_for(wait, &self.news);
            }
            if *answers.borrow_and_update() > 0 || wait.is_some() {
                self.learner.worker.pause();
            } else {
                self.learner.worker.resume();
            }
            tokio::select! {
                _ = answers.changed() => {}
                () = self.learner.bell.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn wait_of(&self, machine: &mut Machine, asked: bool, wait: Option<Wait>) -> Option<Wait> {
        let wishes = self.learner.wishes();
        let facts = self.facts(machine, wishes).await.ok()?;
        let facts = Facts { asked: asked || wishes.asked, ..facts };
        may_go_on(&facts, &self.settings.learn, wait).err()
    }

    /// What the rules look at.
    async fn facts(&self, machine: &mut Machine, wishes: wishes::Wishes) -> Result<Facts, ApiError> {
        let found = machine.look();
        Ok(Facts {
            has_work: true,
            asked: wishes.asked || wishes.from_nothing,
            paused: wishes.paused,
            since_request: self.register.idle_for(),
            power: found.power,
            load_percent: found.load_percent,
            hot: found.hot,
            learned_today: self.learned_today().await?,
        })
    }

    /// How long runs have taken since midnight.
    pub(super) async fn learned_today(&self) -> Result<Duration, ApiError> {
        let now = jiff::Zoned::now();
        let midnight = now.start_of_day().map_or(0, |day| day.timestamp().as_millisecond());
        let runs = self.ledger.ask(|reader| reader.runs(1000)).await?;
        let today = runs.iter().filter_map(|run| {
            let ended = run.ended_at.unwrap_or_else(now_ms);
            u64::try_from(ended - run.started_at.max(midnight)).ok()
        });
        Ok(Duration::from_millis(today.sum()))
    }

    async fn view(&self, serving: &Serving, from_nothing: bool) -> Result<View, ApiError> {
        let version = serving.versions.serving();
        let lineage = self.ledger.lineage(version).await?;
        let system = self.settings.chat.system.clone();
        Ok(View { serving: version, lineage, system, from_nothing, rules: self.rules.clone() })
    }

    /// Tells how far a run is, to the status and to whoever listens.
    fn teller(&self, run: RunId) -> Box<dyn FnMut(Progress) + Send> {
        let (news, learner) = (self.news.clone(), Arc::clone(&self.learner));
        let mut last: Option<(Phase, Instant, Instant)> = None;
        Box::new(move |progress| {
            let now = Instant::now();
            let (phase, begun, told) =
                last.filter(|(phase, ..)| *phase == progress.phase).unwrap_or((progress.phase, now, now));
            let is_edge = last.is_none_or(|(last, ..)| last != phase) || progress.done == progress.total;
            if !is_edge && now - told < TELL {
                return;
            }
            last = Some((phase, begun, now));
            let event = event_of(run, progress, now - begun);
            learner.is_at(event.clone());
            news.tell(event);
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of answers and steps are small")]
fn event_of(run: RunId, progress: Progress, elapsed: Duration) -> LoopEvent {
    let Progress { phase, done, total, loss } = progress;
    let phase = match phase {
        Phase::Rehearsing => LearnPhase::Rehearsing,
        Phase::Training => LearnPhase::Training,
        Phase::Measuring => LearnPhase::Measuring,
    };
    let eta_s = (done > 0).then(|| elapsed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64);
    LoopEvent::Learning { run: run.0, phase, done, total, loss, eta_s }
}
