//! Taking in what an export holds: turns first, then the lessons that were drawn from them.
//!
//! What always holds: secrets are hidden in what comes as in what is said here; a lesson passes the same rules as one that
//! is taught; of two that contradict each other the newer one stands, whichever ledger it is from.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;

use super::answer::now_ms;
use super::error::ApiError;
use super::hiding::{hide, hide_in};
use super::state::Daemon;
use super::teaching::{acceptable, parsed, without_secrets};
use super::wire::owning::{Import, Imported, Outcome};
use crate::lesson::contradiction::effects;
use crate::lesson::{Lesson, LessonId, State as LessonState};
use crate::store::{Entry, ImportLesson, ImportTurn, LessonStory, Receipt, StoreError, TurnRecord};
use crate::turn::{Message, Role, TurnId};

type Shared = State<Arc<Daemon>>;

/// `POST /chela/v1/import`
pub(super) async fn import(State(daemon): Shared, body: Body) -> Result<Json<Imported>, ApiError> {
    let wish: Import = parsed(body).await?;
    // In a task of its own: a client that goes away leaves whole rows behind.
    let importing = tokio::spawn(async move { daemon.import(wish).await }).await;
    importing.map_err(|err| ApiError::internal("import_failed", format!("importing died: {err}")))?.map(Json)
}

impl Daemon {
    async fn import(&self, wish: Import) -> Result<Imported, ApiError> {
        let Import { turns, lessons, known, dry_run, is_last } = wish;
        let mut known: HashMap<TurnId, TurnId> = known.into_iter().collect();
        let mut imported = Imported::default();
        for record in turns {
            let theirs = record.turn.id;
            let outcome = self.import_turn(record, &known, dry_run).await?;
            // What would be new has no number that lasts.
            let lasts = matches!(outcome, Outcome::New { .. }) && !dry_run;
            if let Outcome::More { id } | Outcome::Known { id } = outcome {
                known.insert(theirs, TurnId(id));
            } else if let Outcome::New { id } = outcome
                && lasts
            {
                known.insert(theirs, TurnId(id));
            }
            imported.turns.push(outcome);
        }
        for story in lessons {
            imported.lessons.push(self.import_lesson(story, &known, dry_run).await?);
        }
        if is_last && !dry_run {
            self.settle_import().await?;
        }
        Ok(imported)
    }

    async fn import_turn(
        &self,
        mut record: TurnRecord,
        known: &HashMap<TurnId, TurnId>,
        dry_run: bool,
    ) -> Result<Outcome, ApiError> {
        record.turn.parent = record.turn.parent.and_then(|parent| known.get(&parent).copied());
        let (record, as_read) = self.hidden(record);
        let entry = Entry::ImportTurn(Box::new(ImportTurn { record, as_read, dry_run }));
        outcome(self.ledger.append(entry).await)
    }

    /// The record without secrets; and as it was, where that makes a difference.
    fn hidden(&self, record: TurnRecord) -> (TurnRecord, Option<Box<TurnRecord>>) {
        let plain = |text: &str| self.redactor.redact(text).text.into_owned();
        let mut clean = record.clone();
        let turn = &mut clean.turn;
        turn.messages.push(Message::new(Role::Assistant, std::mem::take(&mut turn.response)));
        hide(&self.redactor, &mut turn.messages);
        turn.response = turn.messages.pop().map(|answer| answer.content).unwrap_or_default();
        if let Some(session) = &mut clean.in_session {
            session.title = plain(&session.title);
        }
        for row in &mut clean.next_states {
            row.state = hide_in(&self.redactor, row.state.clone());
        }
        for row in &mut clean.verdicts {
            row.verdict.hint = row.verdict.hint.as_deref().map(plain);
        }
        if clean == record {
            return (clean, None);
        }
        // Tokens spell out what was hidden.
        clean.exact = None;
        (clean, Some(Box::new(record)))
    }

    async fn import_lesson(
        &self,
        mut story: LessonStory,
        known: &HashMap<TurnId, TurnId>,
        dry_run: bool,
    ) -> Result<Outcome, ApiError> {
        let lesson = &mut story.lesson;
        let worded = without_secrets(self, lesson.text.clone()).and_then(|text| acceptable(&text));
        match worded {
            Ok(text) => lesson.text = text,
            Err(refusal) => return Ok(Outcome::Refused { reason: refusal.detail.message }),
        }
        lesson.sources = lesson.sources.iter().filter_map(|turn| known.get(turn).copied()).collect();
        let found = self.place_of(&story.lesson);
        if let Some(LessonId(id)) = found.same_as {
            return Ok(Outcome::Known { id });
        }
        let is_in_force = found.replaced_by.is_none() && is_in_force(&story.lesson);
        let import = ImportLesson {
            story,
            replaces: found.replaces,
            replaced_by: found.replaced_by,
            at: now_ms(),
            dry_run,
        };
        let outcome = outcome(self.ledger.append(Entry::ImportLesson(Box::new(import))).await)?;
        if is_in_force && !dry_run && matches!(outcome, Outcome::New { .. }) {
            // The next one may contradict it.
            self.book.reload(&self.ledger).await?;
        }
        Ok(outcome)
    }

    /// Beside the lessons that stand. One that is out of force there takes no other's place here.
    fn place_of(&self, lesson: &Lesson) -> PlaceOf {
        if !is_in_force(lesson) {
            return PlaceOf::default();
        }
        let standing = self.book.lessons();
        let new = Lesson { id: LessonId(i64::MAX), state: LessonState::Active, ..lesson.clone() };
        let found = effects(&new, &standing);
        let is_newer =
            |id: &LessonId| standing.iter().any(|one| one.id == *id && one.created_at > lesson.created_at);
        let newer = found.retires.iter().chain(&found.pinned).copied().find(is_newer);
        let replaces = if newer.is_some() { Vec::new() } else { found.retires };
        PlaceOf { same_as: found.same_as, replaces, replaced_by: newer }
    }

    /// What was read is on the disk, and the judge and the learner hear that there is work.
    async fn settle_import(&self) -> Result<(), ApiError> {
        match self.ledger.append(Entry::EmptyLog).await {
            // It is synced all the same; only the log is still there.
            Ok(_) | Err(StoreError::LogInUse) => {}
            Err(err) => return Err(err.into()),
        }
        self.book.reload(&self.ledger).await?;
        self.ledger.followed.notify_one();
        Ok(())
    }
}

#[derive(Debug, Default)]
struct PlaceOf {
    same_as: Option<LessonId>,
    replaces: Vec<LessonId>,
    replaced_by: Option<LessonId>,
}

fn is_in_force(lesson: &Lesson) -> bool {
    matches!(lesson.state, LessonState::Active | LessonState::Learned(_))
}

/// What makes no sense in a ledger is that row's affair; a ledger that cannot be written is everybody's.
fn outcome(written: Result<Receipt, StoreError>) -> Result<Outcome, ApiError> {
    Ok(match written {
        Ok(Receipt::Turn(TurnId(id)) | Receipt::Lesson(LessonId(id))) => Outcome::New { id },
        Ok(Receipt::MoreOfTurn(TurnId(id))) => Outcome::More { id },
        Ok(Receipt::KnownTurn(TurnId(id)) | Receipt::KnownLesson(LessonId(id))) => Outcome::Known { id },
        Ok(Receipt::Done | Receipt::Run(_)) => {
            return Err(ApiError::internal("ledger_failed", "the ledger gave no number"));
        }
        Err(err @ (StoreError::StillRunning | StoreError::Empty | StoreError::NotFinite(_))) => {
            Outcome::Refused { reason: err.to_string() }
        }
        Err(err) => return Err(err.into()),
    })
}
