//! Typed client of the daemon: blocking calls over the Unix socket. May be used by `tui`, `shell` and `cli`.
//!
//! Starts the daemon when none runs, replaces an older one, refuses a newer one, and restarts a dead one once per
//! call. Callers see values of `daemon::wire`, never HTTP.

mod call;
mod forgetting;
mod launch;
mod learning;
mod looking;
mod owning;
mod review;
mod shell;
mod sse;
mod stream;
mod teaching;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Paths;
use crate::daemon::wire::{
    AdapterList, ChatRequest, Health, Interrupted, ModelState, SessionList, SessionThread, Shutdown, Status,
    StreamOptions, TurnRow, UseAdapter, UseModel,
};
use crate::turn::{PolicyVersion, SessionId, TurnId};
use call::{Answer, Call};
pub use launch::{Launcher, SHELL_PROGRAM, main_program};
pub use stream::{ChatStream, LoopStream, Told};

/// How long `stop` lets running answers go on before they are interrupted.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// One daemon, reached through its socket. Cheap to clone and usable from any thread.
#[derive(Debug, Clone)]
pub struct Client {
    paths: Paths,
    launcher: Launcher,
}

/// What an answer is to be made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnswerAs {
    /// No lesson stands in the prompt.
    pub without_lessons: bool,
    /// This version answers, whatever serves.
    pub policy: Option<PolicyVersion>,
}

impl AnswerAs {
    fn headers(self, call: Call) -> Call {
        let call =
            if self.without_lessons { call.with_header("x-chela-lessons", "off".into()) } else { call };
        match self.policy {
            Some(version) => call.with_header("x-chela-policy", version.to_string()),
            None => call,
        }
    }
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

impl ClientError {
    /// Whether nobody listens: the socket is absent or nobody accepts. Nothing was asked, so asking again is safe.
    fn is_nobody_there(&self) -> bool {
        // `ConnectionReset`: the listener died between our connecting and its accepting.
        use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, NotFound};
        matches!(self, Self::Io(err) if matches!(err.kind(), NotFound | ConnectionRefused | ConnectionReset))
    }
}

impl Client {
    /// Finds the daemon or starts it (this executable, `daemon run`); waits until its socket answers.
    pub fn connect(paths: &Paths) -> Result<Self, ClientError> {
        Self::connect_with(paths, Launcher::this_program()?)
    }

    /// Like [`Client::connect`] with another program to start.
    pub fn connect_with(paths: &Paths, launcher: Launcher) -> Result<Self, ClientError> {
        launch::ensure(paths, &launcher)?;
        Ok(Self { paths: paths.clone(), launcher })
    }

    /// Like [`Client::connect`], but never starts one: `None` when no daemon runs.
    pub fn connect_if_running(paths: &Paths) -> Result<Option<Self>, ClientError> {
        let client = Self { paths: paths.clone(), launcher: Launcher::this_program()? };
        match launch::health(&paths.socket()) {
            Ok(_) => Ok(Some(client)),
            Err(err) if err.is_nobody_there() => Ok(None),
            Err(err) => Err(err),
        }
    }

    pub fn health(&self) -> Result<Health, ClientError> {
        self.ask(&Call::get("/health"))
    }

    pub fn status(&self) -> Result<Status, ClientError> {
        self.ask(&Call::get("/chela/v1/status"))
    }

    /// Blocks until the model is loaded (`Ready`) or cannot be (an error with the daemon's reason).
    pub fn wait_for_model(&self) -> Result<Status, ClientError> {
        loop {
            let status: Status = self.ask(&Call::get("/chela/v1/status?settled=true"))?;
            match &status.model {
                ModelState::Ready { .. } => return Ok(status),
                ModelState::None { reason } => {
                    return Err(ClientError::Refused {
                        status: 503,
                        code: Some("model_not_loaded".into()),
                        message: reason.clone(),
                    });
                }
                ModelState::Loading { .. } => {}
            }
        }
    }

    /// Begins an answer. The request is streamed whatever its `stream` says, and its usage is always reported.
    /// Blocks until the daemon has taken or refused it.
    pub fn chat(&self, request: &ChatRequest) -> Result<ChatStream, ClientError> {
        self.chat_as(request, AnswerAs::default())
    }

    /// Like [`Client::chat`], to compare: another version, or no lessons.
    pub fn chat_as(&self, request: &ChatRequest, wanted: AnswerAs) -> Result<ChatStream, ClientError> {
        let mut request = request.clone();
        request.stream = true;
        request.stream_options = Some(StreamOptions { include_usage: true });
        let call = wanted.headers(Call::post("/v1/chat/completions", &request)?);
        self.retried(|| stream::open(&self.paths.socket(), call.clone()))
    }

    /// What happens in the loop from now on.
    pub fn events(&self) -> Result<LoopStream, ClientError> {
        let call = Call::get("/chela/v1/events");
        self.retried(|| stream::open(&self.paths.socket(), call.clone()))
    }

    /// Ends a running answer on the user's wish; it is kept and marked interrupted. One that has ended is left.
    pub fn interrupt(&self, turn: TurnId) -> Result<(), ClientError> {
        let call = Call::post(&format!("/chela/v1/turns/{}/interrupt", turn.0), &())?;
        let _: Interrupted = call::send(&self.paths.socket(), &call)?.read()?;
        Ok(())
    }

    /// The newest sessions, or those that `query` finds; an empty query finds all.
    pub fn sessions(&self, limit: usize, query: &str) -> Result<SessionList, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/sessions?limit={limit}&query={}", escaped(query))))
    }

    /// The session's newest thread.
    pub fn session(&self, id: &SessionId) -> Result<SessionThread, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/sessions/{}", escaped(&id.0))))
    }

    pub fn turn(&self, id: TurnId) -> Result<TurnRow, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/turns/{}", id.0)))
    }

    /// Loads another model for all terminals; the old one serves until the new one does. Blocks meanwhile.
    pub fn use_model(&self, wanted: &UseModel) -> Result<Status, ClientError> {
        // Not asked twice: a file that killed the daemon would kill the next one.
        let call = Call::post("/chela/v1/model", wanted)?;
        launch::ensure(&self.paths, &self.launcher)?;
        call::send(&self.paths.socket(), &call)?.read()
    }

    /// What stands on the shelf, and which version answers.
    pub fn adapters(&self) -> Result<AdapterList, ClientError> {
        self.ask(&Call::get("/chela/v1/adapters"))
    }

    /// Lets another version of the policy answer from the next turn on. Waits until the model is loaded.
    pub fn use_adapter(&self, wanted: &UseAdapter) -> Result<AdapterList, ClientError> {
        // Not asked twice: a file that killed the daemon would kill the next one.
        let call = Call::post("/chela/v1/adapters/use", wanted)?;
        launch::ensure(&self.paths, &self.launcher)?;
        call::send(&self.paths.socket(), &call)?.read()
    }

    /// Asks the daemon to finish what it is doing and end; returns when it is gone. Answers that still run after
    /// ten seconds are interrupted.
    pub fn stop(&self) -> Result<(), ClientError> {
        self.stop_within(STOP_PATIENCE)
    }

    /// Like [`Client::stop`], with another patience (whole seconds). No daemon is as good as a stopped one.
    pub fn stop_within(&self, patience: Duration) -> Result<(), ClientError> {
        launch::stop(&self.paths, Shutdown { wait_s: patience.as_secs() })
    }

    fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        self.retried(|| call::send(&self.paths.socket(), call))?.read()
    }

    /// A daemon that is not there, or dies before it has answered at all, is started again and asked again, once.
    fn retried<T>(&self, call: impl Fn() -> Result<T, ClientError>) -> Result<T, ClientError> {
        match call() {
            Err(err) if err.is_nobody_there() || matches!(err, ClientError::Lost) => {
                launch::ensure(&self.paths, &self.launcher)?;
                call()
            }
            outcome => outcome,
        }
    }
}

impl Call {
    fn post(path: &str, body: &impl Serialize) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body).map_err(|err| ClientError::Garbled(err.to_string()))?;
        Ok(Self::with_body(path, body))
    }
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(self.good_body()?).map_err(|err| ClientError::Garbled(err.to_string()))
    }
}

/// Text as a part of an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The last lines of a log, for a message.
fn log_tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text =
        String::from_utf8_lossy(text.get(text.len().saturating_sub(2000)..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_a_part_of_an_address() {
        assert_eq!(escaped("a b/ü?&"), "a%20b%2F%C3%BC%3F%26");
    }
}
