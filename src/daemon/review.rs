//! The addresses of the review pane: its list, exclusions, hints, steps taken back, and what would be answered now.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::answer::now_ms;
use super::book::{self, Wanted};
use super::error::ApiError;
use super::forgetting::{answer_to, conversation};
use super::learner;
use super::routes::{bad_query, turn_id};
use super::state::Daemon;
use super::teaching::{acceptable, lesson_id, parsed, without_secrets};
use super::wire::review::{
    AnswerNow, AnsweredNow, Exclude, ReviewPage, ReviewQuery, RewordHint, UndoLesson, UndoNoted,
};
use super::wire::{LessonChanged, TurnStory, UsedLesson};
use crate::store::{Entry, ReviewCursor, ReviewEdit, ReviewFilter, StoreError};
use crate::turn::{Message, Role, TurnId};

const DEFAULT_ROWS: usize = 100;
const MAX_ROWS: usize = 1000;
/// Longest answer of now.
const MOST_TOKENS: usize = 192;

type Shared = State<Arc<Daemon>>;

/// `GET /chela/v1/review`
pub(super) async fn list(
    State(daemon): Shared,
    query: Result<Query<ReviewQuery>, QueryRejection>,
) -> Result<Json<ReviewPage>, ApiError> {
    let Query(query) = query.map_err(|err| bad_query(&err))?;
    let limit = query.limit.unwrap_or(DEFAULT_ROWS).clamp(1, MAX_ROWS);
    let from = ReviewCursor { turn: query.before_turn, lesson: query.before_lesson };
    let filter = ReviewFilter {
        session: query.session,
        source: query.source,
        project: query.project,
        rule: query.rule,
        judged: query.reward,
        state: query.state,
        words: query.find,
    };
    daemon.ledger.ask(move |reader| reader.review(&filter, from, limit)).await.map(Json)
}

/// `POST /chela/v1/lessons/{id}/undo`
pub(super) async fn undo_lesson(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<LessonChanged>, ApiError> {
    let lesson = lesson_id(&id)?;
    let UndoLesson { event } = parsed(body).await?;
    let was = daemon.ledger.lesson(lesson).await?.lesson;
    let at = now_ms();
    daemon.ledger.append(Entry::Review(ReviewEdit::UndoLesson { lesson, event, at })).await?;
    daemon.changed(was, at).await.map(Json)
}

/// `POST /chela/v1/turns/{id}/hint`
pub(super) async fn reword_hint(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<TurnStory>, ApiError> {
    let turn = turn_id(&id)?;
    let RewordHint { hint } = parsed(body).await?;
    let hint = hint.map(|hint| acceptable(&without_secrets(&daemon, hint)?)).transpose()?;
    daemon.edit_turn(turn, ReviewEdit::RewordHint { turn, hint, at: now_ms() }).await.map(Json)
}

/// `POST /chela/v1/turns/{id}/hint/undo`
pub(super) async fn undo_hint(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<TurnStory>, ApiError> {
    daemon.undo(&id, body, |turn, at| ReviewEdit::UndoHint { turn, at }).await
}

/// `POST /chela/v1/turns/{id}/rating/undo`
pub(super) async fn undo_rating(
    State(daemon): Shared,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<TurnStory>, ApiError> {
    daemon.undo(&id, body, |turn, at| ReviewEdit::UndoRating { turn, at }).await
}

/// `POST /chela/v1/exclusions`
pub(super) async fn exclude(State(daemon): Shared, body: Body) -> Result<Json<Exclude>, ApiError> {
    let wish: Exclude = parsed(body).await?;
    let what = wish.what.clone();
    let edit =
        if wish.excluded { ReviewEdit::Exclude { what, at: now_ms() } } else { ReviewEdit::Include { what } };
    daemon.ledger.append(Entry::Review(edit)).await?;
    Ok(Json(wish))
}

/// `POST /chela/v1/review/answer`
pub(super) async fn answer(State(daemon): Shared, body: Body) -> Result<Json<AnsweredNow>, ApiError> {
    let wish: AnswerNow = parsed(body).await?;
    daemon.answer_now(wish).await.map(Json)
}

/// What was asked, and where.
struct Request {
    messages: Vec<Message>,
    cwd: Option<String>,
    session: String,
}

impl Daemon {
    async fn edit_turn(&self, turn: TurnId, edit: ReviewEdit) -> Result<TurnStory, ApiError> {
        self.ledger.append(Entry::Review(edit)).await?;
        self.ledger.turn_story(turn).await
    }

    /// Takes back what was noted of a turn at the moment that the body names.
    async fn undo(
        &self,
        id: &str,
        body: Body,
        edit: fn(TurnId, i64) -> ReviewEdit,
    ) -> Result<Json<TurnStory>, ApiError> {
        let turn = turn_id(id)?;
        let UndoNoted { at } = parsed(body).await?;
        self.edit_turn(turn, edit(turn, at)).await.map(Json)
    }

    async fn answer_now(self: &Arc<Self>, wish: AnswerNow) -> Result<AnsweredNow, ApiError> {
        let serving = self.models.serving().await?;
        let Request { messages, cwd, session } = self.request_of(wish).await?;
        let lease = self.policies.lease(&serving, wish.policy).await?;
        let version = lease.version();
        let lineage = self.ledger.lineage(version).await?;
        let lessons = if wish.with_lessons {
            self.book.choose(&Wanted {
                messages: &messages,
                cwd: cwd.as_deref(),
                session: &session,
                serving: version,
                lineage: &lineage,
            })
        } else {
            Vec::new()
        };
        let prompt = book::with_system(&messages, &lessons);
        let answer = answer_to(&serving, version, &prompt, MOST_TOKENS).await?;
        let said = messages.iter().rfind(|message| message.role == Role::User);
        Ok(AnsweredNow {
            policy: version,
            request: said.map_or_else(String::new, |message| message.content.clone()),
            lessons: lessons.into_iter().map(|one| UsedLesson { id: one.id, text: one.text }).collect(),
            answer,
        })
    }

    async fn request_of(self: &Arc<Self>, wish: AnswerNow) -> Result<Request, ApiError> {
        if let Some(turn) = wish.turn {
            let thread = self.ledger.thread_to(turn).await?;
            let asked = thread.last().filter(|row| !row.is_forgotten()).ok_or(StoreError::NoTurn(turn.0))?;
            let (cwd, session) = (asked.cwd.clone(), asked.session.0.clone());
            return Ok(Request { messages: conversation(&thread), cwd, session });
        }
        let Some(lesson) = wish.lesson else {
            return Err(ApiError::bad_request("nothing_to_ask", "name a turn or a lesson"));
        };
        let mut about = learner::requests_about(self, &[lesson], 1).await?;
        let messages = about.pop().ok_or_else(|| {
            let message = "no request is known that this lesson is about; ask something that it fits";
            ApiError::bad_request("nothing_to_ask", message)
        })?;
        Ok(Request { messages, cwd: None, session: String::new() })
    }
}
