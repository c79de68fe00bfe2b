//! Where an answer is written down: in the ledger, or nowhere. Who asks off the record, or where a rule of the settings
//! says so, is answered like anybody else; but no row, no sample, no verdict and no lesson comes of it.
//!
//! What always holds: an answer off the record has a number below zero, which no row of the ledger has; what is not
//! recorded is told to no other turn; what may not be learned from is in the ledger as excluded before its answer begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::HeaderMap;

use super::error::ApiError;
use super::ledger::Ledger;
use super::request::{self, Place};
use super::state::Daemon;
use super::wire::ChatRequest;
use crate::config::{Keep, Surface};
use crate::store::{Entry, Excluded, NewTurn, Receipt, ReviewEdit, StoreError};
use crate::turn::{SessionId, Source, TurnId};

/// Numbers of answers that no ledger has; they count downwards.
static UNRECORDED: AtomicI64 = AtomicI64::new(-1);

pub(super) enum Record {
    Ledger {
        ledger: Arc<Ledger>,
        /// `false`: it is excluded from learning.
        is_learned: bool,
    },
    Nowhere,
}

impl Record {
    pub(super) fn new(keep: Keep, ledger: &Arc<Ledger>) -> Self {
        match keep {
            Keep::Nothing => Self::Nowhere,
            keep => Self::Ledger { ledger: Arc::clone(ledger), is_learned: keep == Keep::All },
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Ledger { .. })
    }

    /// The turn's number.
    pub(super) async fn begin(&self, turn: NewTurn) -> Result<TurnId, ApiError> {
        let Self::Ledger { ledger, is_learned } = self else {
            return Ok(TurnId(UNRECORDED.fetch_sub(1, Ordering::Relaxed)));
        };
        let at = turn.started_at;
        let Receipt::Turn(turn) = ledger.append(Entry::BeginTurn(turn)).await? else {
            return Err(ApiError::internal("ledger_failed", "the ledger gave the turn no number"));
        };
        if !is_learned {
            let exclude = ReviewEdit::Exclude { what: Excluded::Turn(turn), at };
            ledger.append(Entry::Review(exclude)).await?;
        }
        Ok(turn)
    }

    pub(super) async fn append(&self, entry: Entry) -> Result<(), StoreError> {
        match self {
            Self::Ledger { ledger, .. } => ledger.append(entry).await.map(drop),
            Self::Nowhere => Ok(()),
        }
    }

    /// For what the answer does not depend on; a failure is in the log.
    pub(super) async fn append_or_log(&self, entry: Entry) {
        if let Self::Ledger { ledger, .. } = self {
            ledger.append_or_log(entry).await;
        }
    }

    /// Under what the answer is logged. Off the record not even the session's name is.
    pub(super) fn span(&self, session: &SessionId) -> tracing::Span {
        match self {
            Self::Ledger { .. } => {
                tracing::info_span!("turn", session = session.0, turn = tracing::field::Empty)
            }
            Self::Nowhere => tracing::info_span!("off the record"),
        }
    }

    /// An error's sentence may quote what was asked.
    pub(super) fn log_failure(&self, error: &ApiError) {
        match self {
            Self::Ledger { .. } => tracing::warn!(error = error.detail.message, "answer failed"),
            Self::Nowhere => tracing::warn!(status = error.status.as_u16(), "answer failed"),
        }
    }
}

impl Daemon {
    /// What may be kept of a request: what its sender allows, and what the rules allow.
    pub(super) fn keep_of(
        &self,
        request: &ChatRequest,
        headers: &HeaderMap,
        place: &Place,
    ) -> Result<Keep, ApiError> {
        if !request::is_recorded(headers)? || request.store == Some(false) {
            return Ok(Keep::Nothing);
        }
        let surface = surface(place.source, &place.session);
        Ok(self.rules.keep_in(surface, place.cwd.as_deref()))
    }
}

/// chela's own clients begin the names of their sessions with what they are.
pub(super) fn surface(source: Source, session: &SessionId) -> Surface {
    match source {
        Source::Chat if session.0.starts_with("ask-") => Surface::Ask,
        Source::Chat => Surface::Chat,
        Source::Shell => Surface::Shell,
        Source::Agent => Surface::Do,
        Source::Api => Surface::Endpoint,
    }
}
