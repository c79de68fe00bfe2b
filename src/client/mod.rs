//! Typed client of the daemon: blocking calls over the Unix socket. May be used by `tui`, `shell` and `cli`.
//!
//! Starts the daemon when none runs, replaces an older one, refuses a newer one, and restarts a dead one once per
//! call. Callers see values of `daemon::wire`, never HTTP.

use crate::config::Paths;
use crate::daemon::wire::{ChatChunk, ChatRequest, Health, SessionList, SessionThread, Status, UseModel};
use crate::turn::{SessionId, TurnId};

/// One daemon, reached through its socket. Cheap to clone and usable from any thread.
#[derive(Debug, Clone)]
pub struct Client {
    paths: Paths,
}

/// What a failed call means to the person who made it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon answers and none could be started.
    #[error("the daemon does not start: {reason} (its log: {log})")]
    NoDaemon { reason: String, log: String },
    /// The daemon is newer than this program.
    #[error(
        "the running daemon is chela {daemon}, this is {own}; restart this program, or `chela daemon stop`"
    )]
    NewerDaemon { daemon: String, own: String },
    /// The daemon went away in the middle of a call; what it had sent is in the ledger.
    #[error("the daemon went away in the middle of the answer")]
    Lost,
    /// The daemon's own sentence.
    #[error("{message}")]
    Refused { status: u16, code: Option<String>, message: String },
    #[error("the daemon's answer makes no sense: {0}")]
    Garbled(String),
    #[error("cannot reach the daemon: {0}")]
    Io(#[from] std::io::Error),
}

impl Client {
    /// Finds the daemon or starts it (this executable, `daemon run`); waits until its socket answers.
    pub fn connect(paths: &Paths) -> Result<Self, ClientError> {
        let _ = paths;
        unimplemented!()
    }

    /// Like [`Client::connect`], but never starts one: `None` when no daemon runs.
    pub fn connect_if_running(paths: &Paths) -> Result<Option<Self>, ClientError> {
        let _ = paths;
        unimplemented!()
    }

    pub fn health(&self) -> Result<Health, ClientError> {
        unimplemented!()
    }

    pub fn status(&self) -> Result<Status, ClientError> {
        unimplemented!()
    }

    /// Blocks until the model is loaded (`Ready`) or cannot be (an error with the daemon's reason).
    pub fn wait_for_model(&self) -> Result<Status, ClientError> {
        unimplemented!()
    }

    /// Begins an answer. The request is streamed whatever its `stream` says.
    pub fn chat(&self, request: &ChatRequest) -> Result<ChatStream, ClientError> {
        let _ = request;
        unimplemented!()
    }

    /// Ends a running answer on the user's wish; it is kept and marked interrupted.
    pub fn interrupt(&self, turn: TurnId) -> Result<(), ClientError> {
        let _ = turn;
        unimplemented!()
    }

    pub fn sessions(&self, limit: usize, query: &str) -> Result<SessionList, ClientError> {
        let _ = (limit, query);
        unimplemented!()
    }

    pub fn session(&self, id: &SessionId) -> Result<SessionThread, ClientError> {
        let _ = id;
        unimplemented!()
    }

    pub fn use_model(&self, wanted: &UseModel) -> Result<Status, ClientError> {
        let _ = wanted;
        unimplemented!()
    }

    /// Asks the daemon to finish what it is doing and end; returns when it is gone.
    pub fn stop(&self) -> Result<(), ClientError> {
        unimplemented!()
    }
}

/// The chunks of one answer, in order; ends after the last one. Dropping it disconnects.
pub struct ChatStream {
    _private: (),
}

impl Iterator for ChatStream {
    type Item = Result<ChatChunk, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
