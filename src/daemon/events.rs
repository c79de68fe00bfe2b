//! What happens in the loop, told to whoever listens: a broadcast, and `GET /chela/v1/events` as server-sent events.
//!
//! What always holds: telling never waits for a listener. One who is too slow is told how many events it missed; the
//! ledger has them all.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::state::Daemon;
use super::wire::LoopEvent;

/// Events that wait for a slow listener.
const WAITING: usize = 256;

/// The one place where the loop's news come from.
#[derive(Debug, Clone)]
pub(super) struct News {
    sender: broadcast::Sender<LoopEvent>,
}

impl News {
    pub(super) fn new() -> Self {
        Self { sender: broadcast::channel(WAITING).0 }
    }

    pub(super) fn tell(&self, event: LoopEvent) {
        // Nobody listens: nobody wants to know.
        let _ = self.sender.send(event);
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<LoopEvent> {
        self.sender.subscribe()
    }
}

/// `GET /chela/v1/events`: goes on until one side leaves.
pub(super) async fn events(
    State(daemon): State<Arc<Daemon>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listener = Listener { events: daemon.news.listen(), stop: daemon.stop.subscribe() };
    Sse::new(told(listener)).keep_alive(KeepAlive::default())
}

/// One who listens until the daemon ends.
struct Listener {
    events: broadcast::Receiver<LoopEvent>,
    stop: watch::Receiver<Option<u64>>,
}

fn told(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listener, |mut listener| async move {
        let event = tokio::select! {
            event = next(&mut listener.events) => event?,
            // Nobody is to wait for a listener when everything ends.
            _ = listener.stop.wait_for(Option::is_some) => return None,
        };
        // A value of our own always has a JSON form.
        let line = serde_json::to_string(&event).unwrap_or_default();
        Some((Ok(Event::default().data(line)), listener))
    })
}

async fn next(receiver: &mut broadcast::Receiver<LoopEvent>) -> Option<LoopEvent> {
    match receiver.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(n_events)) => Some(LoopEvent::Missed { n_events }),
        Err(RecvError::Closed) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::PolicyVersion;

    fn serving(version: u32) -> LoopEvent {
        LoopEvent::Serving { version: PolicyVersion(version) }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn listeners_hear_what_is_told_after_they_came() {
        let news = News::new();
        news.tell(serving(1));
        let mut listener = news.listen();
        news.tell(serving(2));
        assert_eq!(runtime().block_on(next(&mut listener)), Some(serving(2)));
        drop(news);
        assert_eq!(runtime().block_on(next(&mut listener)), None);
    }

    #[test]
    fn a_slow_listener_is_told_how_much_it_missed() {
        let news = News::new();
        let mut listener = news.listen();
        for version in 0..300 {
            news.tell(serving(version));
        }
        assert_eq!(runtime().block_on(next(&mut listener)), Some(LoopEvent::Missed { n_events: 44 }));
        assert_eq!(runtime().block_on(next(&mut listener)), Some(serving(44)));
    }
}
