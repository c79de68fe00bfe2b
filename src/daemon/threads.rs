//! Where a request continues: which turn is its parent, and which of its messages the ledger has already.

use super::error::ApiError;
use super::ledger::Ledger;
use super::request::{Parent, Place};
use crate::store::TurnRow;
use crate::turn::{Message, Role, TurnId, TurnKind};

/// A request's place in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Continuation {
    pub(super) parent: Option<TurnId>,
    /// How many messages at the start are in the ledger, as the parent's thread.
    pub(super) n_known: usize,
    /// The session has no turn yet that a person would read.
    pub(super) begins_session: bool,
}

/// Nothing of it is in the ledger, so nothing there is continued.
pub(super) const UNRECORDED: Continuation = NEW_THREAD;

const NEW_THREAD: Continuation = Continuation { parent: None, n_known: 0, begins_session: false };

/// Looks the place up. A named parent whose thread is not what the messages say begins a new thread: what the
/// ledger holds must be what the model saw.
pub(super) async fn find(
    ledger: &Ledger,
    place: &Place,
    messages: &[Message],
) -> Result<Continuation, ApiError> {
    match place.parent {
        Parent::Nothing => Ok(Continuation { begins_session: true, ..NEW_THREAD }),
        Parent::Given(None) => {
            let begins_session = newest(ledger, place).await?.is_empty();
            Ok(Continuation { begins_session, ..NEW_THREAD })
        }
        Parent::Given(Some(parent)) => {
            let Some(thread) = known(ledger, parent).await? else { return Ok(NEW_THREAD) };
            if thread.iter().any(|turn| turn.session != place.session) {
                let message = format!("turn {} belongs to another session; send its id", parent.0);
                return Err(ApiError::invalid("chela.parent", message));
            }
            let continued = continuation(&thread, messages);
            if continued.is_none() {
                tracing::warn!(parent = parent.0, "the messages do not continue their parent; new thread");
            }
            Ok(continued.unwrap_or(NEW_THREAD))
        }
        Parent::Inferred => {
            let thread = newest(ledger, place).await?;
            if thread.is_empty() {
                return Ok(Continuation { begins_session: true, ..NEW_THREAD });
            }
            let side = place.kind == TurnKind::Side;
            Ok(continuation(&thread, messages).filter(|_| !side).unwrap_or(NEW_THREAD))
        }
    }
}

/// The thread that ends with a turn; `None`: the turn was forgotten, and the conversation goes on all the same.
async fn known(ledger: &Ledger, last: TurnId) -> Result<Option<Vec<TurnRow>>, ApiError> {
    match ledger.thread_to(last).await {
        Err(error) if error.status != axum::http::StatusCode::NOT_FOUND => Err(error),
        Ok(thread) if !thread.last().is_some_and(TurnRow::is_forgotten) => Ok(Some(thread)),
        Ok(_) | Err(_) => {
            tracing::warn!(parent = last.0, "the parent is not in the ledger; new thread");
            Ok(None)
        }
    }
}

/// The session's newest thread; empty when there is none.
async fn newest(ledger: &Ledger, place: &Place) -> Result<Vec<TurnRow>, ApiError> {
    match ledger.session_thread(place.session.clone()).await {
        Ok(thread) => Ok(thread.turns),
        Err(error) if error.status == axum::http::StatusCode::NOT_FOUND => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Where `messages` go on after `thread`, when they begin with all that is left of it and say something new.
fn continuation(thread: &[TurnRow], messages: &[Message]) -> Option<Continuation> {
    let mut rest = messages;
    for turn in thread.iter().filter(|turn| !turn.is_forgotten()) {
        rest = rest.strip_prefix(turn.messages.as_slice())?;
        let (answer, after) = rest.split_first()?;
        if answer.role != Role::Assistant || answer.content != turn.response {
            return None;
        }
        rest = after;
    }
    let parent = thread.last()?.id;
    let n_known = messages.len() - rest.len();
    (!rest.is_empty()).then_some(Continuation { parent: Some(parent), n_known, begins_session: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::{Ending, PolicyVersion, SessionId, Source};

    fn turn(id: i64, messages: &[Message], response: &str) -> TurnRow {
        TurnRow {
            id: TurnId(id),
            session: SessionId("s".into()),
            parent: None,
            kind: TurnKind::Main,
            source: Source::Api,
            cwd: None,
            messages: messages.to_vec(),
            response: response.into(),
            ending: Some(Ending::Stop),
            error: None,
            policy: PolicyVersion::BASE,
            model: String::new(),
            n_prompt: 0,
            n_response: 0,
            started_at: 0,
            ended_at: None,
        }
    }

    fn said(role: Role, text: &str) -> Message {
        Message::new(role, text)
    }

    /// What follows a thread of two turns (`a` → `b`, `c` → `d`).
    #[track_caller]
    fn check(messages: &[(Role, &str)], expected: Option<usize>) {
        let thread = [turn(1, &[said(Role::User, "a")], "b"), turn(2, &[said(Role::User, "c")], "d")];
        let messages: Vec<Message> = messages.iter().map(|(role, text)| said(*role, text)).collect();
        let found = continuation(&thread, &messages);
        assert_eq!(found.map(|found| found.n_known), expected);
        assert!(found.is_none_or(|found| found.parent == Some(TurnId(2))));
    }

    #[test]
    fn a_history_and_something_new_continues() {
        use Role::{Assistant, User};
        check(&[(User, "a"), (Assistant, "b"), (User, "c"), (Assistant, "d"), (User, "e")], Some(4));
    }

    #[test]
    fn a_history_goes_on_without_a_turn_that_was_forgotten() {
        use Role::{Assistant, User};
        let thread = [turn(1, &[], ""), turn(2, &[said(User, "c")], "d")];
        let messages = [said(User, "c"), said(Assistant, "d"), said(User, "e")];
        assert_eq!(continuation(&thread, &messages).map(|found| found.n_known), Some(2));
    }

    #[test]
    fn another_history_begins_a_thread() {
        use Role::{Assistant, User};
        check(&[(User, "a"), (Assistant, "x"), (User, "c"), (Assistant, "d"), (User, "e")], None);
        check(&[(User, "a"), (Assistant, "b"), (User, "e")], None);
        check(&[(User, "e")], None);
    }

    #[test]
    fn a_history_without_anything_new_begins_a_thread() {
        use Role::{Assistant, User};
        check(&[(User, "a"), (Assistant, "b"), (User, "c"), (Assistant, "d")], None);
    }
}
