//! The answers that run right now: who can be interrupted, and what a stopping daemon waits for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::turn::{Ending, TurnId};

/// One running answer, shared between the task that pumps it, the connection that reads it and who may stop it.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) cancel: Cancel,
    turn: OnceLock<TurnId>,
    cause: OnceLock<Ending>,
}

impl Running {
    /// The ledger knows it by this id from now on.
    pub(super) fn begun(&self, turn: TurnId) {
        // A turn begins once.
        let _ = self.turn.set(turn);
    }

    pub(super) fn turn(&self) -> Option<TurnId> {
        self.turn.get().copied()
    }

    /// Stops it; the first cause is the one that is recorded. Nothing happens when it has already ended.
    pub(super) fn stop(&self, cause: Ending) {
        let _ = self.cause.set(cause);
        self.cancel.cancel();
    }

    /// Why it was stopped, if it was.
    pub(super) fn cause(&self) -> Option<Ending> {
        self.cause.get().copied()
    }
}

/// All running answers.
#[derive(Debug)]
pub(super) struct Register {
    running: Mutex<Vec<Arc<Running>>>,
    count: watch::Sender<usize>,
    closed: AtomicBool,
    last_change: Mutex<Instant>,
}

impl Register {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            running: Mutex::new(Vec::new()),
            count: watch::channel(0).0,
            closed: AtomicBool::new(false),
            last_change: Mutex::new(Instant::now()),
        })
    }

    /// Enters a new answer; it leaves when the guard is dropped. `None` when the daemon is stopping.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Entered> {
        let running = Arc::new(Running::default());
        let mut open = false;
        self.change(|all| {
            open = !self.closed.load(Ordering::Relaxed);
            if open {
                all.push(Arc::clone(&running));
            }
        });
        open.then(|| Entered { running, register: Arc::clone(self) })
    }

    /// Lets nobody enter from now on.
    pub(super) fn close(&self) {
        self.change(|_| self.closed.store(true, Ordering::Relaxed));
    }

    /// How many answers run, and a bell for when that changes.
    pub(super) fn running(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Since the last answer ended, or since the start; zero while one runs.
    pub(super) fn idle_for(&self) -> Duration {
        if self.count() > 0 {
            return Duration::ZERO;
        }
        self.last_change.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Stops the answer of `turn`; false when it does not run.
    pub(super) fn stop(&self, turn: TurnId, cause: Ending) -> bool {
        let all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|running| running.turn() == Some(turn));
        found.inspect(|running| running.stop(cause)).is_some()
    }

    pub(super) fn stop_all(&self, cause: Ending) {
        let all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().for_each(|running| running.stop(cause));
    }

    /// Returns when no answer runs.
    pub(super) async fn empty(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|&count| count == 0).await;
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Running>>)) {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut all);
        *self.last_change.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.count.send_replace(all.len());
    }
}

/// An answer's place in the register.
pub(super) struct Entered {
    pub(super) running: Arc<Running>,
    register: Arc<Register>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.register.change(|all| all.retain(|other| !Arc::ptr_eq(other, &self.running)));
    }
}
