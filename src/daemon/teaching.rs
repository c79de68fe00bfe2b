//! The addresses through which people and programs teach: what followed a turn, ratings, lessons, and `why`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::now_ms;
use super::drawing::Draft;
use super::error::ApiError;
use super::hiding::hide_in;
use super::request;
use super::routes::{bad_query, read, turn_id};
use super::state::Daemon;
use super::wire::{ChangeLesson, LessonChanged, LessonList, LoopEvent, Rate, Teach};
use crate::lesson::{Lesson, LessonId, Origin, wording};
use crate::store::{By, Entry, LessonChange, LessonEdit, LessonFilter, LessonStory, StateKind, TurnStory};
use crate::turn::TurnId;
use crate::turn::next_state::NextState;

const DEFAULT_LESSONS: usize = 100;
const MAX_LESSONS: usize = 10_000;

type Shared = State<Arc<Daemon>>;

/// `GET /chela/v1/turns/{id}/why`: everything that is known of a turn.
pub(super) async fn why(State(daemon): Shared, Path(id): Path<String>) -> Result<Json<TurnStory>, ApiError> {
    Ok(Json(daemon.ledger.turn_story(turn_id(&id)?).await?))
}

/// `POST /chela/v1/turns/{id}/rating`: a person's own judgement.
pub(super) async fn rate(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<TurnStory>, ApiError> {
    let turn = turn_id(&id)?;
    let Rate { good, note } = parsed(body).await?;
    record(&daemon, turn, NextState::Rating { good, note }).await
}

/// `POST /chela/v1/turns/{id}/next-states`: what a program saw follow an answer of ours.
pub(super) async fn next_state(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<TurnStory>, ApiError> {
    let turn = turn_id(&id)?;
    let state = parsed(body).await?;
    record(&daemon, turn, state).await
}

async fn record(daemon: &Daemon, turn: TurnId, state: NextState) -> Result<Json<TurnStory>, ApiError> {
    let state = hide_in(&daemon.redactor, state);
    daemon.ledger.record_next_state(turn, now_ms(), state).await?;
    Ok(Json(daemon.ledger.turn_story(turn).await?))
}

#[derive(Deserialize)]
pub(super) struct LessonQuery {
    state: Option<StateKind>,
    query: Option<String>,
    limit: Option<usize>,
}

/// `GET /chela/v1/lessons?state=&query=&limit=`: newest first.
pub(super) async fn lessons(
    State(daemon): Shared,
    query: Result<Query<LessonQuery>, QueryRejection>,
) -> Result<Json<LessonList>, ApiError> {
    let Query(LessonQuery { state, query, limit }) = query.map_err(|err| bad_query(&err))?;
    let filter = LessonFilter { state, words: query, scope: None };
    let limit = limit.unwrap_or(DEFAULT_LESSONS).min(MAX_LESSONS);
    Ok(Json(LessonList { lessons: daemon.ledger.lessons(filter, limit).await? }))
}

/// `GET /chela/v1/lessons/{id}`: with its history and its uses.
pub(super) async fn lesson(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<Json<LessonStory>, ApiError> {
    Ok(Json(daemon.ledger.lesson(lesson_id(&id)?).await?))
}

/// `POST /chela/v1/lessons`: a lesson in the person's own words. It holds from the next prompt on.
pub(super) async fn teach(State(daemon): Shared, body: Body) -> Result<Json<Lesson>, ApiError> {
    let Teach { text, scope, turn } = parsed(body).await?;
    let text = without_secrets(&daemon, text)?;
    let about = match turn {
        Some(turn) => Some(daemon.ledger.turn(turn).await?),
        None => None,
    };
    let (origin, by, reason) = (Origin::Taught, By::User, "taught".to_owned());
    // The person's own words may repeat what they asked.
    daemon.add_lesson(Draft { text, scope, origin, by, reason }, about.as_ref(), "").await.map(Json)
}

/// `POST /chela/v1/lessons/{id}`: a person changes a lesson.
pub(super) async fn change(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<LessonChanged>, ApiError> {
    let lesson = lesson_id(&id)?;
    let ChangeLesson { change, reason } = parsed(body).await?;
    let change = match LessonChange::from(change) {
        LessonChange::Reword(text) => LessonChange::Reword(acceptable(&without_secrets(&daemon, text)?)?),
        other => other,
    };
    let was = daemon.ledger.lesson(lesson).await?.lesson;
    let at = now_ms();
    let edit = LessonEdit { lesson, change, by: By::User, reason, at };
    daemon.ledger.append(Entry::ChangeLesson(edit)).await?;
    daemon.changed(was, at).await.map(Json)
}

/// A lesson stands in prompts and in the weights for long: no secret may be in it.
pub(super) fn without_secrets(daemon: &Daemon, text: String) -> Result<String, ApiError> {
    let Some(found) = daemon.redactor.redact(&text).found.into_iter().next() else { return Ok(text) };
    let kind = found.rule.name();
    let message = format!("the lesson holds a secret ({kind}); name the place where it is kept instead");
    Err(ApiError::bad_request("lesson_refused", message))
}

impl Daemon {
    /// After a person changed a lesson in the ledger at this moment: prompts get it as it is now, and all are told.
    pub(super) async fn changed(&self, was: Lesson, at: i64) -> Result<LessonChanged, ApiError> {
        self.book.reload(&self.ledger).await?;
        let LessonStory { lesson: now, history, .. } = self.ledger.lesson(was.id).await?;
        self.news.tell(LoopEvent::Lesson { lesson: now.clone(), turn: None });
        let newest = history.last().filter(|event| event.at == at && event.by == By::User);
        Ok(LessonChanged { was, now, event: newest.map(|event| event.id) })
    }
}

pub(super) fn acceptable(text: &str) -> Result<String, ApiError> {
    let refuse = |refusal: wording::Refusal| ApiError::bad_request("lesson_refused", refusal.to_string());
    wording::acceptable(text, "").map_err(refuse)
}

pub(super) async fn parsed<T: DeserializeOwned>(body: Body) -> Result<T, ApiError> {
    serde_json::from_slice(&read(body).await?).map_err(|err| request::not_json(&err))
}

pub(super) fn lesson_id(id: &str) -> Result<LessonId, ApiError> {
    let number = id.strip_prefix('#').unwrap_or(id).parse();
    number
        .map(LessonId)
        .map_err(|_| ApiError::not_found("lesson_not_found", format!("\"{id}\" is no lesson's number")))
}

impl From<super::wire::LessonWish> for LessonChange {
    fn from(wish: super::wire::LessonWish) -> Self {
        use super::wire::LessonWish;
        match wish {
            LessonWish::Activate => Self::Activate,
            LessonWish::Retire => Self::Retire { replaced_by: None },
            LessonWish::Prune => Self::Prune,
            LessonWish::Reword { text } => Self::Reword(text),
            LessonWish::Rescope { scope } => Self::Rescope(scope),
            LessonWish::Pin { pinned } => Self::Pin(pinned),
        }
    }
}
