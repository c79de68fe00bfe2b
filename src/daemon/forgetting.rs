//! Taking things back out of everything: what serves, prompts, ledger, adapters, files.
//!
//! What lives here: the order of the steps. What does not: finding out what goes (`going`), doing what was written down
//! (`carrying`), answers before and after (`answers`), what people typed (`typed`), other files (`files`).
//!
//! What always holds: before anything goes it is written down what is to go (`note`), and a daemon that finds this note
//! at its start does the rest; so a crash leaves a thing whole or more forgotten than before, and in the end forgotten.
//! The note holds numbers, no text: what has to be looked for by its text goes before the note is written.

mod answers;
mod carrying;
mod files;
mod going;
mod note;
mod typed;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::State;

use super::answer::now_ms;
use super::error::ApiError;
use super::models::{Serving, Slot};
use super::shell;
use super::state::Daemon;
use super::teaching::parsed;
use super::wire::LoopEvent;
use super::wire::forgetting::{AnswerUnrecorded, Answered, Forget, Forgotten, UnrecordedAnswers};
use crate::config::Dial;
use crate::lesson::State as LessonState;
use crate::store::{Removal, RunId};
use crate::turn::PolicyVersion;
pub(super) use answers::answer as answer_to;
pub(super) use carrying::remove_copies;
use going::Going;
pub(super) use going::conversation;
use note::Note;

/// What the ledger says of the change of what serves.
const REASON: &str = "something that it was taught was forgotten";

type Shared = State<Arc<Daemon>>;

/// Held while something is forgotten: one thing at a time.
pub(super) type Busy = tokio::sync::Mutex<()>;

/// `POST /chela/v1/forget`
pub(super) async fn forget(State(daemon): Shared, body: Body) -> Result<Json<Forgotten>, ApiError> {
    let wish: Forget = parsed(body).await?;
    // In a task of its own: a client that goes away does not undo half of it.
    let forgetting = tokio::spawn(async move { daemon.forget(&wish).await }).await;
    forgetting
        .map_err(|err| ApiError::internal("forgetting_failed", format!("forgetting died: {err}")))?
        .map(Json)
}

/// `POST /chela/v1/forget/answers`
pub(super) async fn answers(State(daemon): Shared, body: Body) -> Result<Json<UnrecordedAnswers>, ApiError> {
    let AnswerUnrecorded { prompts } = parsed(body).await?;
    let serving = daemon.models.serving().await?;
    answers::to(&daemon, &serving, &prompts).await.map(Json)
}

/// Does the rest of what the last daemon could not finish. The model is not loaded yet.
pub(super) async fn finish(daemon: &Arc<Daemon>) {
    // Nearly always there is nothing to finish, and then nobody is kept from forgetting something else.
    if !Note::file(daemon).exists() {
        return;
    }
    let _alone = daemon.forgetting.lock().await;
    let Ok(_no_round) = daemon.learner.hold_still().await else { return };
    if let Err(err) = daemon.finish_forgetting(None).await {
        tracing::error!(reason = err.detail.message, "not forgotten; the next start tries again");
    }
}

fn failed(path: &Path, err: &std::io::Error) -> ApiError {
    ApiError::internal("forgetting_failed", format!("{}: {err}", path.display()))
}

/// What a wish must say to be one.
fn check(wish: &Forget) -> Result<(), ApiError> {
    let names_one = !wish.lessons.is_empty() || !wish.turns.is_empty() || !wish.sessions.is_empty();
    let names_many = wish.project.is_some() || wish.since.is_some() || wish.matching.is_some() || wish.all;
    if !names_one && !names_many {
        let message = "name a lesson, a turn, a session, a project, a time, a text, or all";
        return Err(ApiError::bad_request("nothing_to_forget", message));
    }
    if wish.matching.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(ApiError::invalid("matching", "an empty text stands everywhere; name one"));
    }
    if wish.project.as_ref().is_some_and(|folder| !folder.starts_with('/')) {
        return Err(ApiError::invalid("project", "name the folder from the root on"));
    }
    Ok(())
}

impl Daemon {
    async fn forget(self: &Arc<Self>, wish: &Forget) -> Result<Forgotten, ApiError> {
        check(wish)?;
        // What shells wrote down meanwhile is in the ledger then, and not in a file that nobody looks at.
        shell::take_in(self).await;
        if wish.dry_run {
            let going = Going::find(self, wish).await?;
            return Ok(self.report(&going));
        }
        let Ok(_alone) = self.forgetting.try_lock() else {
            let message = "something is being forgotten already; try again when that is done";
            return Err(ApiError::unavailable("forgetting", message));
        };
        let _no_round = self.learner.hold_still().await.map_err(still_running)?;
        let started = Instant::now();
        let mut report = self.forget_now(wish).await?;
        report.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Numbers only: the log is no place for what was forgotten.
        tracing::info!(counts = ?report.counts, serves = %report.serves, took_ms = report.took_ms, "forgotten");
        Ok(report)
    }

    /// Nothing is learned meanwhile, and nothing else is forgotten.
    async fn forget_now(self: &Arc<Self>, wish: &Forget) -> Result<Forgotten, ApiError> {
        let serving = match self.models.slot() {
            Slot::Ready(serving) => Some(serving),
            Slot::Loading { .. } | Slot::None { .. } => None,
        };
        self.finish_forgetting(serving.as_ref()).await?;
        // Only now: the round may have been promoted before it heard.
        let going = Going::find(self, wish).await?;
        let mut report = self.report(&going);
        report.dry_run = false;
        report.before = self.before(&going, serving.as_ref(), &mut report.notes).await;
        // Before the note, which does not hold the texts that are looked for.
        report.counts.typed = going.remove_typed(self).await?;
        self.remove_what_is_found_by_text(wish, &going)?;
        self.remove(Removal::Folders(going.meant.folders.clone())).await?;
        let note = going.note(wish.all);
        note.write(&Note::file(self))?;
        report.removed_files = self.carry_out(&note, serving.as_ref()).await?;
        self.news.tell(LoopEvent::Forgotten { lessons: note.lessons, turns: going.meant.turns.clone() });
        report.serves = self.policy();
        report.rebuild = self.ask_for_rebuild(wish, &going, &mut report).await?;
        report.still_in = self.still_in(wish).await?;
        Ok(report)
    }

    /// Does the rest of what was begun and not ended.
    async fn finish_forgetting(&self, serving: Option<&Arc<Serving>>) -> Result<(), ApiError> {
        let Some(note) = Note::read(&Note::file(self)) else { return Ok(()) };
        let (n_turns, n_lessons) = (note.turns.len(), note.lessons.len());
        tracing::warn!(n_turns, n_lessons, "forgetting did not come to its end; going on");
        self.carry_out(&note, serving).await?;
        self.news.tell(LoopEvent::Forgotten { lessons: note.lessons, turns: note.turns });
        tracing::info!("forgotten");
        Ok(())
    }

    /// Lines of logs, what shells and editors left, and what is remembered of shells.
    fn remove_what_is_found_by_text(&self, wish: &Forget, going: &Going) -> Result<(), ApiError> {
        let state_dir = &self.paths.state_dir;
        if let Some(text) = &wish.matching {
            files::take_from_logs(&self.paths, text).map_err(|err| failed(state_dir, &err))?;
        }
        let is_meant = |file: &Path| {
            wish.all
                || wish.since.is_some_and(|since| changed_ms(file).is_none_or(|at| at >= since))
                || wish.matching.as_ref().is_some_and(|text| files::holds(file, text))
        };
        files::empty_scratch(&self.paths, &is_meant).map_err(|err| failed(state_dir, &err))?;
        files::remove_drafts(&self.paths, &is_meant).map_err(|err| failed(state_dir, &err))?;
        self.shells.forget(&|command| going.is_command_meant(wish, command));
        Ok(())
    }

    /// What goes, as far as it is known before.
    fn report(&self, going: &Going) -> Forgotten {
        let served = self.policy();
        Forgotten {
            dry_run: true,
            counts: going.counts,
            lessons: going.listed_lessons(),
            turns: going.listed_turns(),
            versions: going.versions.clone(),
            served,
            serves: going.serves_instead(served),
            in_prompts_again: going.held.clone(),
            said_in: going.meant.said_in.clone(),
            before: Vec::new(),
            rebuild: None,
            removed_files: Vec::new(),
            still_in: Vec::new(),
            notes: going.notes.clone(),
            took_ms: 0,
        }
    }

    async fn before(
        self: &Arc<Self>,
        going: &Going,
        serving: Option<&Arc<Serving>>,
        notes: &mut Vec<String>,
    ) -> Vec<Answered> {
        let Some(serving) = serving else {
            notes.push("no model is loaded, so nothing was asked before".to_owned());
            return Vec::new();
        };
        let asked = async {
            let prompts = going.prompts(self).await?;
            let answers = answers::to(self, serving, &prompts).await?.answers;
            Ok::<_, ApiError>(prompts.into_iter().zip(answers))
        };
        match asked.await {
            Ok(pairs) => pairs.map(|(messages, answer)| Answered { messages, answer }).collect(),
            // Forgetting does not depend on it.
            Err(err) => {
                notes.push(format!("nothing could be asked before: {}", err.detail.message));
                Vec::new()
            }
        }
    }

    /// What else the removed versions held is learned again: from the base on, or from the version that serves instead.
    async fn ask_for_rebuild(
        &self,
        wish: &Forget,
        going: &Going,
        report: &mut Forgotten,
    ) -> Result<Option<RunId>, ApiError> {
        let active = self.ledger.lessons_in_force().await?;
        let active =
            active.iter().filter(|lesson| lesson.state == LessonState::Active).map(|lesson| lesson.id);
        report.in_prompts_again = active.filter(|lesson| going.held.contains(lesson)).collect();
        if report.in_prompts_again.is_empty() || !wish.rebuild {
            return Ok(None);
        }
        if self.settings.learn.dial == Dial::Off {
            let note = "learning is off, so nothing is rebuilt; the other lessons stand in prompts";
            report.notes.push(note.to_owned());
            return Ok(None);
        }
        let newest = self.ledger.ask(|reader| reader.runs(1)).await?;
        self.learner.ask(self.policy() == PolicyVersion::BASE);
        Ok(Some(newest.first().map_or(RunId(0), |run| run.id)))
    }

    /// Looks through all files for the text that nothing should hold any more.
    async fn still_in(&self, wish: &Forget) -> Result<Vec<String>, ApiError> {
        let Some(text) = wish.matching.clone() else { return Ok(Vec::new()) };
        let paths = self.paths.clone();
        let looked = tokio::task::spawn_blocking(move || files::still_holding(&paths, &text)).await;
        looked.map_err(|err| {
            ApiError::internal("forgetting_failed", format!("looking through files died: {err}"))
        })
    }
}

/// Unix milliseconds.
fn changed_ms(file: &Path) -> Option<i64> {
    let changed = std::fs::metadata(file).ok()?.modified().ok()?;
    jiff::Timestamp::try_from(changed).ok().map(jiff::Timestamp::as_millisecond)
}

fn still_running(run: Option<RunId>) -> ApiError {
    let which = run.map_or_else(|| "a round of learning".to_owned(), |run| format!("run {}", run.0));
    let message = format!("{which} does not end; `chela learn status` says what it does, then forget again");
    ApiError::unavailable("run_does_not_end", message)
}
