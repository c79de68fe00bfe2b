//! Taking lessons and turns back out of everything: what serves, prompts, ledger, adapters, files.
//!
//! What lives here: the order of the steps. What does not: finding out what goes (`going`), answers before and after
//! (`answers`), what people typed (`typed`).
//!
//! What always holds: before anything goes it is written down what is to go, and a daemon that finds this note at its
//! start does the rest; so a crash leaves a thing whole or more forgotten than before, and in the end forgotten. The
//! note holds numbers, no text.

mod answers;
mod going;
mod typed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::answer::now_ms;
use super::error::ApiError;
use super::models::{Serving, Slot};
use super::policy::Policies;
use super::state::Daemon;
use super::teaching::parsed;
use super::wire::LoopEvent;
use super::wire::forgetting::{AnswerUnrecorded, Answered, Forget, Forgotten, UnrecordedAnswers};
use crate::config::{Dial, disk};
use crate::lesson::{LessonId, State as LessonState};
use crate::store::{Entry, NewServing, RunId, ServingRow, StoreError};
use crate::turn::{PolicyVersion, TurnId};
pub(super) use answers::answer as answer_to;
use going::Going;
pub(super) use going::conversation;

/// What the ledger says of the change of what serves.
const REASON: &str = "something that it was taught was forgotten";
/// How often the log is tried to be emptied while others read.
const ATTEMPTS: usize = 4;

type Shared = State<Arc<Daemon>>;

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
    let Ok(_no_round) = daemon.learner.hold_still().await else { return };
    if let Err(err) = daemon.finish_forgetting(None).await {
        tracing::error!(reason = err.detail.message, "not forgotten; the next start tries again");
    }
}

/// What is to go, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    lessons: Vec<LessonId>,
    turns: Vec<TurnId>,
    versions: Vec<PolicyVersion>,
}

impl Note {
    /// `None`: there is none. One that cannot be read stays for a person to look at.
    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(|err| tracing::error!(%err, path = %path.display(), "this note cannot be read"))
            .ok()
    }

    fn write(&self, path: &Path) -> Result<(), ApiError> {
        let written = serde_json::to_vec(self).map_err(std::io::Error::other);
        written.and_then(|text| disk::write_whole(path, &text)).map_err(|err| failed(path, &err))
    }
}

fn note_file(daemon: &Daemon) -> PathBuf {
    daemon.paths.data_dir.join("forgetting.json")
}

fn failed(path: &Path, err: &std::io::Error) -> ApiError {
    ApiError::internal("forgetting_failed", format!("{}: {err}", path.display()))
}

impl Daemon {
    async fn forget(self: &Arc<Self>, wish: &Forget) -> Result<Forgotten, ApiError> {
        if wish.lessons.is_empty() && wish.turns.is_empty() {
            return Err(ApiError::bad_request("nothing_to_forget", "name a lesson or a turn"));
        }
        if wish.dry_run {
            return Ok(self.report(&Going::find(self, wish).await?));
        }
        let _no_round = self.learner.hold_still().await.map_err(still_running)?;
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
        typed::remove(&self.paths.history_file(), &going.texts())
            .map_err(|err| failed(&self.paths.history_file(), &err))?;
        let note = going.note();
        note.write(&note_file(self))?;
        report.removed_files = self.carry_out(&note, serving.as_ref()).await?;
        report.serves = self.policy();
        report.rebuild = self.ask_for_rebuild(wish, &going, &mut report).await?;
        tracing::info!(?note, serves = %report.serves, "forgotten");
        Ok(report)
    }

    /// Does the rest of what was begun and not ended.
    async fn finish_forgetting(&self, serving: Option<&Arc<Serving>>) -> Result<(), ApiError> {
        let Some(note) = Note::read(&note_file(self)) else { return Ok(()) };
        tracing::warn!(?note, "forgetting did not come to its end; going on");
        self.carry_out(&note, serving).await?;
        tracing::info!("forgotten");
        Ok(())
    }

    /// What goes, as far as it is known before.
    fn report(&self, going: &Going) -> Forgotten {
        let served = self.policy();
        Forgotten {
            dry_run: true,
            lessons: going.lessons.clone(),
            turns: going.turns(),
            versions: going.versions.clone(),
            served,
            serves: going.serves_instead(served),
            in_prompts_again: going.held.clone(),
            said_in: going.said_in.clone(),
            before: Vec::new(),
            rebuild: None,
            removed_files: Vec::new(),
            notes: going.notes.clone(),
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

    /// Everything that the note says, whether or not some of it was done before. Returns copies of the ledger that were
    /// removed.
    async fn carry_out(&self, note: &Note, serving: Option<&Arc<Serving>>) -> Result<Vec<String>, ApiError> {
        let before = self.policy();
        let after = match serving {
            Some(serving) => self.policies.withdraw(serving, &note.versions, REASON).await?,
            None => PolicyVersion::BASE,
        };
        self.withdraw_elsewhere(&note.versions).await?;
        for lesson in &note.lessons {
            self.append_unless_gone(Entry::ForgetLesson { lesson: *lesson }).await?;
        }
        for turn in &note.turns {
            self.append_unless_gone(Entry::ForgetTurns { turns: vec![*turn] }).await?;
        }
        // From here on no prompt gets it.
        self.book.reload(&self.ledger).await?;
        self.policies.erase(note.versions.clone()).await?;
        if let Some(serving) = serving {
            unload(&self.policies, serving, &note.versions);
        }
        self.empty_log().await?;
        let removed = remove_copies(&self.paths.ledger())?;
        match std::fs::remove_file(note_file(self)) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&note_file(self), &err));
            }
            _ => {}
        }
        if serving.is_some() && after != before {
            self.news.tell(LoopEvent::Serving { version: after });
        }
        self.news.tell(LoopEvent::Forgotten { lessons: note.lessons.clone(), turns: note.turns.clone() });
        Ok(removed)
    }

    /// The same for models that are not loaded: what their newest row names serves with them next time.
    async fn withdraw_elsewhere(&self, tainted: &[PolicyVersion]) -> Result<(), ApiError> {
        for to in withdrawn(&self.ledger.serving().await?, tainted) {
            self.ledger.append(Entry::Rollback(to)).await?;
        }
        Ok(())
    }

    async fn append_unless_gone(&self, entry: Entry) -> Result<(), ApiError> {
        match self.ledger.append(entry).await {
            Ok(_) | Err(StoreError::NoLesson(_) | StoreError::NoTurn(_)) => Ok(()),
            Err(err) => Err(err.into()),
        }
    }

    async fn empty_log(&self) -> Result<(), ApiError> {
        for _ in 1..ATTEMPTS {
            match self.ledger.append(Entry::EmptyLog).await {
                Err(StoreError::LogInUse) => {}
                other => return Ok(other.map(drop)?),
            }
        }
        Ok(self.ledger.append(Entry::EmptyLog).await.map(drop)?)
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
}

fn still_running(run: Option<RunId>) -> ApiError {
    let which = run.map_or_else(|| "a round of learning".to_owned(), |run| format!("run {}", run.0));
    let message = format!("{which} does not end; `chela learn status` says what it does, then forget again");
    ApiError::unavailable("run_does_not_end", message)
}

/// An answer that runs keeps its version loaded; the version goes with it.
fn unload(policies: &Arc<Policies>, serving: &Arc<Serving>, versions: &[PolicyVersion]) {
    for version in versions.iter().copied() {
        let (policies, serving) = (Arc::clone(policies), Arc::clone(serving));
        tokio::spawn(async move { policies.unload(&serving, version).await });
    }
}

/// One row for each base whose newest row names a tainted version: back to the newest other one that served with it.
fn withdrawn(rows: &[ServingRow], tainted: &[PolicyVersion]) -> Vec<NewServing> {
    let mut bases: Vec<&str> = rows.iter().map(|row| row.base_sha256.as_str()).collect();
    bases.sort_unstable();
    bases.dedup();
    let of = |base: &&str| {
        let mut with_it = rows.iter().filter(|row| row.base_sha256 == *base).map(|row| row.version);
        let current = with_it.clone().next_back().filter(|version| tainted.contains(version))?;
        let version = with_it.rfind(|version| !tainted.contains(version) && *version < current);
        Some(NewServing {
            at: now_ms(),
            version: version.unwrap_or(PolicyVersion::BASE),
            base_sha256: (*base).to_owned(),
            reason: REASON.to_owned(),
        })
    };
    bases.iter().filter_map(of).collect()
}

/// Copies of the ledger that were made before it was brought up to date: they hold what was forgotten.
pub(super) fn remove_copies(ledger: &Path) -> Result<Vec<String>, ApiError> {
    let copies = going::beside(ledger, |rest| rest.starts_with(".v") && rest.contains(".bak"));
    for copy in &copies {
        std::fs::remove_file(copy).map_err(|err| failed(copy, &err))?;
    }
    Ok(copies.iter().map(|copy| copy.display().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(u32, &str)], tainted: &[u32], expected: &[(u32, &str)]) {
        let row = |(version, base): &(u32, &str)| ServingRow {
            at: 0,
            version: PolicyVersion(*version),
            base_sha256: (*base).into(),
            reason: String::new(),
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let tainted: Vec<_> = tainted.iter().copied().map(PolicyVersion).collect();
        let found = withdrawn(&rows, &tainted);
        let found: Vec<(u32, &str)> =
            found.iter().map(|new| (new.version.0, new.base_sha256.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_newest_other_version_of_each_model_serves_instead() {
        check(&[], &[1], &[]);
        check(&[(1, "a")], &[1], &[(0, "a")]);
        check(&[(1, "a"), (2, "a")], &[2], &[(1, "a")]);
        check(&[(1, "a"), (2, "a"), (3, "a")], &[2, 3], &[(1, "a")]);
        check(&[(1, "a"), (2, "b")], &[1, 2], &[(0, "a"), (0, "b")]);
    }

    #[test]
    fn a_version_that_serves_and_was_not_taught_it_goes_on() {
        check(&[(1, "a"), (2, "a"), (1, "a")], &[2], &[]);
        check(&[(2, "a"), (0, "a")], &[2], &[]);
    }
}
