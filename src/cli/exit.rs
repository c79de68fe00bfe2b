//! Exit codes and the one line that an error becomes. Scripts rely on these numbers: they never change meaning.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::adapter::AdapterError;
use crate::client::ClientError;
use crate::config::ConfigError;
use crate::model::hub::HubError;
use crate::model::pull::PullError;
use crate::model::remove::RemoveError;
use crate::model::resolve::ResolveError;
use crate::store::StoreError;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// The command line cannot be understood (clap ends the process with the same number).
    Usage = 2,
    /// No model answers, or no daemon does.
    NoModel = 3,
    /// What was named does not exist: a model, a session, a setting.
    NotFound = 4,
    /// A rule or the person did not let a command run.
    Refused = 5,
    /// Ctrl+C: 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

/// Stands below `chela --help` and in the manual page.
pub(super) const HELP: &str = "Exit codes: 0 done, 1 failed, 2 command line not understood, 3 no model or no daemon, \
     4 not found, 5 not allowed, 130 interrupted";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error of the command line itself, with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Stop {
    exit: Exit,
    message: String,
}

impl Stop {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// Prints the error with its causes as one line and says which code it is. A reader that went away is no error.
pub fn report(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    // A stderr that is closed leaves only the exit code, and that is still right.
    let _ = writeln!(std::io::stderr().lock(), "chela: {}", sentence(error));
    exit_of(error)
}

/// The error and its causes, without repeating a cause that the outer text already quotes.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.exit;
    }
    if let Some(ConfigError::UnknownKey { .. }) = error.downcast_ref::<ConfigError>() {
        return Exit::NotFound;
    }
    if names_nothing(error) {
        return Exit::NotFound;
    }
    match error.downcast_ref::<ClientError>() {
        Some(
            ClientError::NoDaemon { .. }
            | ClientError::NewerDaemon { .. }
            | ClientError::Lost
            | ClientError::Refused { status: 503, .. },
        ) => Exit::NoModel,
        Some(ClientError::Refused { status: 404, .. }) => Exit::NotFound,
        _ => Exit::Failed,
    }
}

/// Whether a model, a repository, a version, a session or a ledger was named that does not exist.
fn names_nothing(error: &anyhow::Error) -> bool {
    let unresolved = match error.downcast_ref::<RemoveError>() {
        Some(RemoveError::Resolve(error)) => Some(error),
        _ => error.downcast_ref::<ResolveError>(),
    };
    let unknown_model =
        matches!(unresolved, Some(ResolveError::Unknown { .. } | ResolveError::NoFile { .. }));
    let unknown_repo = matches!(
        error.downcast_ref::<PullError>(),
        Some(PullError::Hub(HubError::NoRepo { .. } | HubError::NoneOrPrivate { .. }))
    );
    let absent = matches!(
        error.downcast_ref::<StoreError>(),
        Some(StoreError::NoSession(_) | StoreError::NoLedger(_))
    );
    let unknown_version = matches!(error.downcast_ref::<AdapterError>(), Some(AdapterError::NoVersion(_)));
    unknown_model || unknown_repo || unknown_version || absent
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[track_caller]
    fn check(error: impl Into<anyhow::Error>, expected: Exit) {
        assert_eq!(exit_of(&error.into()), expected);
    }

    fn refused(status: u16) -> ClientError {
        ClientError::Refused { status, code: None, message: "no".into() }
    }

    #[test]
    fn a_model_that_is_not_there_is_code_3() {
        check(refused(503), Exit::NoModel);
        check(ClientError::Lost, Exit::NoModel);
    }

    #[test]
    fn a_name_that_is_not_there_is_code_4() {
        check(refused(404), Exit::NotFound);
        check(Stop::new(Exit::NotFound, "no model"), Exit::NotFound);
        check(AdapterError::NoVersion(crate::turn::PolicyVersion(3)), Exit::NotFound);
    }

    #[test]
    fn anything_else_is_code_1() {
        check(refused(400), Exit::Failed);
        check(std::io::Error::other("disk"), Exit::Failed);
    }

    #[test]
    fn the_code_survives_context() {
        let error = Err::<(), _>(refused(404)).context("asking").unwrap_err();
        assert_eq!(exit_of(&error), Exit::NotFound);
        assert_eq!(sentence(&error), "asking: no");
    }

    #[test]
    fn a_cause_that_is_quoted_is_not_repeated() {
        let error = anyhow::Error::from(ClientError::Io(std::io::Error::other("gone")));
        assert_eq!(sentence(&error), "cannot reach the daemon: gone");
    }
}
