//! What the learner is doing, what people wish of it, and the addresses for both.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::daemon::error::ApiError;
use crate::daemon::events::News;
use crate::daemon::request::not_json;
use crate::daemon::routes::read;
use crate::daemon::state::Daemon;
use crate::daemon::wire::{LearnNow, LearnStatus, LearnWish, LoopEvent, RunList};
use crate::learn::when::Wait;
use crate::learn::worker::Worker;
use crate::store::{RunId, RunRow};

const DEFAULT_RUNS: usize = 20;
const MAX_RUNS: usize = 10_000;

/// The learner's thread and what is known of it.
pub(in crate::daemon) struct Learner {
    pub(super) worker: Worker,
    /// Rung when a wish changed.
    pub(super) bell: Notify,
    /// Held by a round from its plan to its end, and by whoever takes something out that a round may be reading.
    pub(super) floor: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

/// What people want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// A round now, whatever the machine is doing.
    pub(super) asked: bool,
    pub(super) paused: bool,
    /// The next round begins at the base.
    pub(super) from_nothing: bool,
}

#[derive(Debug, Default)]
struct Known {
    wishes: Wishes,
    n_waiting: usize,
    running: Option<RunId>,
    progress: Option<LoopEvent>,
    /// Why nothing is learned, or why the round stands still.
    wait: Option<Wait>,
}

impl Learner {
    pub(in crate::daemon) fn start() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            worker: Worker::start()?,
            bell: Notify::new(),
            floor: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        }))
    }

    pub(super) fn wishes(&self) -> Wishes {
        self.known().wishes
    }

    fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.known().wishes);
        // Both the waiting and the leash may listen.
        self.bell.notify_waiters();
        self.bell.notify_one();
    }

    pub(in crate::daemon) fn ask(&self, from_nothing: bool) {
        self.wish(|wishes| {
            *wishes =
                Wishes { asked: true, paused: false, from_nothing: wishes.from_nothing || from_nothing };
        });
    }

    /// Ends the round that runs and keeps another from beginning for as long as the guard lives. The error names the
    /// round that did not end.
    pub(in crate::daemon) async fn hold_still(
        &self,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, Option<RunId>> {
        let floor = self.floor.lock();
        tokio::pin!(floor);
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE {
            // Again and again: a round that was about to begin hears it only then.
            self.worker.cancel();
            tokio::select! {
                guard = &mut floor => return Ok(guard),
                () = tokio::time::sleep(CANCEL_AGAIN) => {}
            }
        }
        Err(self.known().running)
    }

    pub(super) fn note_waiting(&self, n_waiting: usize) {
        self.known().n_waiting = n_waiting;
    }

    pub(super) fn begun(&self, run: RunId) {
        let mut known = self.known();
        (known.running, known.progress, known.wait) = (Some(run), None, None);
    }

    /// Wishes for one round end with it.
    pub(super) fn ended(&self) {
        let mut known = self.known();
        (known.running, known.progress, known.wait) = (None, None, None);
        known.wishes = Wishes { asked: false, from_nothing: false, ..known.wishes };
    }

    pub(super) fn is_at(&self, progress: LoopEvent) {
        self.known().progress = Some(progress);
    }

    pub(super) fn waits(&self, wait: Wait, news: &News) {
        self.stopped_for(Some(wait), news);
    }

    /// Tells why, once for each reason.
    pub(super) fn stopped_for(&self, wait: Option<Wait>, news: &News) {
        let before = std::mem::replace(&mut self.known().wait, wait);
        let kind = |wait: Option<Wait>| wait.map(|wait| std::mem::discriminant(&wait));
        if let Some(wait) = wait.filter(|wait| kind(before) != kind(Some(*wait))) {
            news.tell(LoopEvent::Waiting { reason: wait.to_string() });
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a round may take to notice that it was cancelled, and how often it is told.
const PATIENCE: Duration = Duration::from_mins(1);
const CANCEL_AGAIN: Duration = Duration::from_millis(50);

type Shared = State<Arc<Daemon>>;

/// `GET /chela/v1/learn`
pub(in crate::daemon) async fn status(State(daemon): Shared) -> Result<Json<LearnStatus>, ApiError> {
    daemon.learn_status().await.map(Json)
}

/// `POST /chela/v1/learn/now`: begins a round as soon as none runs, whatever the machine is doing.
pub(in crate::daemon) async fn now(State(daemon): Shared, body: Body) -> Result<Json<LearnNow>, ApiError> {
    let body = read(body).await?;
    let wish: Option<LearnWish> =
        if body.is_empty() { None } else { serde_json::from_slice(&body).map_err(|err| not_json(&err))? };
    let LearnWish { anew } = wish.unwrap_or_default();
    if daemon.settings.learn.dial == crate::config::Dial::Off {
        let message = "learning is off; `chela config set learn.dial careful` turns it on";
        return Err(ApiError::bad_request("learning_off", message));
    }
    daemon.models.serving().await?;
    let newest = daemon.ledger.ask(|reader| reader.runs(1)).await?;
    let after = newest.first().map_or(RunId(0), |run| run.id);
    let is_running = daemon.learner.known().running;
    // A round that runs already does not begin anew; the next one does.
    if is_running.is_none() || anew {
        daemon.learner.ask(anew);
    }
    Ok(Json(LearnNow { running: is_running, after }))
}

pub(in crate::daemon) async fn pause(State(daemon): Shared) -> Result<Json<LearnStatus>, ApiError> {
    daemon.learner.wish(|wishes| wishes.paused = true);
    daemon.learn_status().await.map(Json)
}

pub(in crate::daemon) async fn resume(State(daemon): Shared) -> Result<Json<LearnStatus>, ApiError> {
    daemon.learner.wish(|wishes| wishes.paused = false);
    daemon.learn_status().await.map(Json)
}

/// `POST /chela/v1/learn/cancel`: ends the round that runs. What it would learn waits for something new, or for `now`.
pub(in crate::daemon) async fn cancel(State(daemon): Shared) -> Result<Json<LearnStatus>, ApiError> {
    daemon.learner.worker.cancel();
    daemon.learn_status().await.map(Json)
}

#[derive(Deserialize)]
pub(in crate::daemon) struct RunQuery {
    limit: Option<usize>,
}

/// `GET /chela/v1/learn/runs?limit=`: newest first.
pub(in crate::daemon) async fn runs(
    State(daemon): Shared,
    Query(RunQuery { limit }): Query<RunQuery>,
) -> Result<Json<RunList>, ApiError> {
    let limit = limit.unwrap_or(DEFAULT_RUNS).min(MAX_RUNS);
    Ok(Json(RunList { runs: daemon.ledger.ask(move |reader| reader.runs(limit)).await? }))
}

/// `GET /chela/v1/learn/runs/{id}`
pub(in crate::daemon) async fn run(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<Json<RunRow>, ApiError> {
    let run = id.parse().map(RunId);
    let run =
        run.map_err(|_| ApiError::not_found("run_not_found", format!("\"{id}\" is no run's number")))?;
    Ok(Json(daemon.ledger.ask(move |reader| reader.run(run)).await?))
}

impl Daemon {
    pub(in crate::daemon) async fn learn_status(&self) -> Result<LearnStatus, ApiError> {
        let last = self.ledger.ask(|reader| reader.runs(2)).await?;
        let learned_today_s = self.learned_today().await?.as_secs();
        let settings = &self.settings.learn;
        let known = self.learner.known();
        Ok(LearnStatus {
            dial: settings.dial,
            when: settings.when,
            paused: known.wishes.paused,
            running: known.running,
            progress: known.progress.clone(),
            waits_for: known.wait.map(|wait| wait.to_string()),
            n_waiting: known.n_waiting,
            learned_today_s,
            last: last.into_iter().find(|run| run.ended_at.is_some()),
        })
    }
}
