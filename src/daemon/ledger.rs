//! The store as the async side sees it: appends are awaited, questions run on blocking threads.

use std::path::PathBuf;

use tokio::sync::{Notify, oneshot};

use super::error::ApiError;
use crate::lesson::{Lesson, LessonId};
use crate::store::{
    Entry, LessonFilter, LessonStory, Reader, Receipt, ServingRow, SessionRow, SessionThread, StoreError,
    StoreHandle, TurnRow, TurnStory, WaitingTurn,
};
use crate::turn::next_state::NextState;
use crate::turn::{PolicyVersion, SessionId, TurnId};

pub(super) struct Ledger {
    handle: StoreHandle,
    path: PathBuf,
    /// Rung when something followed a turn: the judge has work.
    pub(super) followed: Notify,
}

impl Ledger {
    pub(super) fn new(handle: StoreHandle, path: PathBuf) -> Self {
        Self { handle, path, followed: Notify::new() }
    }

    /// Returns when the entry is durable.
    pub(super) async fn append(&self, entry: Entry) -> Result<Receipt, StoreError> {
        let (sender, outcome) = oneshot::channel();
        // Whoever stopped waiting does not need the outcome.
        self.handle.append_with(entry, Box::new(move |result| drop(sender.send(result))));
        outcome.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// For what the answer does not depend on; a failure is in the log.
    pub(super) async fn append_or_log(&self, entry: Entry) {
        if let Err(err) = self.append(entry).await {
            tracing::error!(%err, "not in the ledger");
        }
    }

    /// Notes what followed a turn. The same thing a second time is a retry of the client's, and says nothing new.
    pub(super) async fn record_next_state(
        &self,
        turn: TurnId,
        at: i64,
        state: NextState,
    ) -> Result<(), ApiError> {
        let known = self.ask(move |reader| reader.next_states(turn)).await?;
        // People may change their mind, and change it back.
        let is_retry = if matches!(state, NextState::Rating { .. }) {
            let newest = known.iter().rfind(|known| matches!(known.state, NextState::Rating { .. }));
            newest.is_some_and(|newest| newest.state == state)
        } else {
            known.iter().any(|known| known.state == state)
        };
        if is_retry {
            tracing::info!(turn = turn.0, "a retry: what follows this turn is known");
            return Ok(());
        }
        self.append(Entry::RecordNextState { turn, at, state }).await?;
        self.followed.notify_one();
        Ok(())
    }

    pub(super) async fn sessions(
        &self,
        limit: usize,
        query: Option<String>,
    ) -> Result<Vec<SessionRow>, ApiError> {
        self.ask(move |reader| reader.sessions(limit, query.as_deref())).await
    }

    /// The session's newest thread.
    pub(super) async fn session_thread(&self, session: SessionId) -> Result<SessionThread, ApiError> {
        self.ask(move |reader| reader.session_thread(&session)).await
    }

    pub(super) async fn turn(&self, turn: TurnId) -> Result<TurnRow, ApiError> {
        self.ask(move |reader| reader.turn(turn)).await.map(|turn| turn.row)
    }

    pub(super) async fn turn_story(&self, turn: TurnId) -> Result<TurnStory, ApiError> {
        self.ask(move |reader| reader.turn_story(turn)).await
    }

    pub(super) async fn lessons(&self, filter: LessonFilter, limit: usize) -> Result<Vec<Lesson>, ApiError> {
        self.ask(move |reader| reader.lessons(&filter, limit)).await
    }

    pub(super) async fn lesson(&self, lesson: LessonId) -> Result<LessonStory, ApiError> {
        self.ask(move |reader| reader.lesson(lesson)).await
    }

    /// What prompts may get, oldest first.
    pub(super) async fn lessons_in_force(&self) -> Result<Vec<Lesson>, ApiError> {
        self.ask(Reader::lessons_in_force).await
    }

    /// The versions that `version` was built on, and itself.
    pub(super) async fn lineage(&self, version: PolicyVersion) -> Result<Vec<PolicyVersion>, ApiError> {
        if version == PolicyVersion::BASE {
            return Ok(Vec::new());
        }
        self.ask(move |reader| reader.lineage(version)).await
    }

    /// Turns that something followed and nobody has judged.
    pub(super) async fn waiting_turns(&self, limit: usize) -> Result<Vec<WaitingTurn>, ApiError> {
        self.ask(move |reader| reader.waiting_turns(limit)).await
    }

    /// Open sessions in which nothing has happened since `before` (Unix milliseconds).
    pub(super) async fn idle_sessions(&self, before: i64, limit: usize) -> Result<Vec<SessionId>, ApiError> {
        self.ask(move |reader| reader.idle_sessions(before, limit)).await
    }

    /// Every change of what serves, oldest first.
    pub(super) async fn serving(&self) -> Result<Vec<ServingRow>, ApiError> {
        self.ask(Reader::serving).await
    }

    /// The turns from the start of a thread to `last`, oldest first.
    pub(super) async fn thread_to(&self, last: TurnId) -> Result<Vec<TurnRow>, ApiError> {
        self.ask(move |reader| {
            let mut turns = Vec::new();
            let mut next = Some(last);
            while let Some(turn) = next {
                let row = reader.turn(turn)?.row;
                next = row.parent;
                turns.push(row);
            }
            turns.reverse();
            Ok(turns)
        })
        .await
    }

    /// Any question, on a blocking thread.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let path = self.path.clone();
        let asked = tokio::task::spawn_blocking(move || question(&mut Reader::open(&path)?)).await;
        match asked {
            Ok(outcome) => outcome.map_err(ApiError::from),
            Err(err) => Err(ApiError::internal("ledger_failed", format!("reading the ledger died: {err}"))),
        }
    }
}
