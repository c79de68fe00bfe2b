//! The shell's terminal: a PTY and the shell in it, with the directory, mask, environment and modes that it would have
//! without chela. The only home of `portable_pty`.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use filedescriptor::FileDescriptor;
use portable_pty::{CommandBuilder, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use rustix::termios::{OptionalActions, Termios, Winsize, tcsetattr, tcsetwinsize};

use super::inject::StartPlan;
use crate::daemon::wire::shell::ShellKind;

/// Why there is no shell.
#[derive(Debug, thiserror::Error)]
pub(super) enum PtyError {
    #[error("no pseudo-terminal is to be had: {0}")]
    Open(String),
    #[error("{path} does not start: {reason}")]
    Spawn { path: PathBuf, reason: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The shell program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShellProgram {
    pub(super) path: PathBuf,
    /// `None`: a shell for which there are no hooks.
    pub(super) kind: Option<ShellKind>,
    pub(super) is_login: bool,
}

impl ShellProgram {
    pub(super) fn new(path: PathBuf, is_login: bool) -> Self {
        let kind = path.to_str().and_then(ShellKind::of);
        Self { path, kind, is_login }
    }

    /// The shell of the environment, or of the user's account.
    pub(super) fn of_user(is_login: bool) -> Self {
        Self::new(CommandBuilder::new_default_prog().get_shell().into(), is_login)
    }

    /// Becomes this shell, without chela. Returns only if that fails.
    pub(super) fn exec(&self, env: &[(&str, &str)]) -> std::io::Error {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        let mut command = std::process::Command::new(&self.path);
        if self.is_login {
            let mut dashed = OsString::from("-");
            dashed.push(name);
            command.arg0(dashed);
        }
        command.env("SHELL", &self.path).envs(env.iter().copied()).exec()
    }
}

/// A terminal without a shell yet.
pub(super) struct Opened {
    shell_side: Box<dyn SlavePty + Send>,
    own_side: FileDescriptor,
    tty: PathBuf,
}

/// The sentence in what the crate says: it quotes the system's error as Rust writes it for programmers.
fn plain(error: &str) -> &str {
    let quoted = error.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    quoted.map_or(error, |(sentence, _)| sentence)
}

impl Opened {
    /// Opens a terminal of this size with the modes of the person's own.
    pub(super) fn new(size: Winsize, modes: &Termios) -> Result<Self, PtyError> {
        let failed = |error: anyhow::Error| PtyError::Open(plain(&error.to_string()).to_owned());
        let size = PtySize {
            rows: size.ws_row,
            cols: size.ws_col,
            pixel_width: size.ws_xpixel,
            pixel_height: size.ws_ypixel,
        };
        let pair = native_pty_system().openpty(size).map_err(failed)?;
        let nameless = || PtyError::Open("it has no name".to_owned());
        let number = pair.master.as_raw_fd().ok_or_else(nameless)?;
        let tty = pair.master.tty_name().ok_or_else(nameless)?;
        // A description to poll: the crate's own reader blocks, and its writer types an end-of-file when dropped.
        let mut own_side = FileDescriptor::dup(&number).map_err(|error| failed(error.into()))?;
        own_side.set_non_blocking(true).map_err(|error| failed(error.into()))?;
        tcsetattr(&own_side, OptionalActions::Now, modes).map_err(std::io::Error::from)?;
        Ok(Self { shell_side: pair.slave, own_side, tty })
    }

    /// The path that programs in the shell will call their terminal.
    pub(super) fn tty(&self) -> &Path {
        &self.tty
    }

    /// Starts the shell in it.
    pub(super) fn spawn(self, program: &ShellProgram, plan: &StartPlan) -> Result<Pty, PtyError> {
        let failed = |reason: String| PtyError::Spawn { path: program.path.clone(), reason };
        let mut command = if plan.is_dashed {
            CommandBuilder::new_default_prog()
        } else {
            CommandBuilder::new(&program.path)
        };
        if !plan.is_dashed {
            command.args(&plan.args);
        }
        command.env("SHELL", &program.path);
        // It says of one process that it has been here.
        command.env_remove("CHELA_EXEC");
        for (name, value) in &plan.env {
            command.env(name, value);
        }
        // Not the path: a directory that was removed or cannot be read is a directory to be in all the same.
        command.cwd(".");
        let child = self.shell_side.spawn_command(command).map_err(|error| failed(error.to_string()))?;
        let id = child.process_id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let shell = id.ok_or_else(|| failed("it has no process number".to_owned()))?;
        Ok(Pty { own_side: self.own_side, shell })
    }
}

/// What has become of the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Runs,
    /// It stopped itself (`suspend`).
    Stopped,
    /// With this status; 128 + n for signal n.
    Ended(i32),
}

/// A shell in its terminal. Dropping hangs up.
#[derive(Debug)]
pub(super) struct Pty {
    own_side: FileDescriptor,
    shell: Pid,
}

impl Pty {
    /// Where the shell's output is read and its input written. Does not block.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.own_side.as_fd()
    }

    /// The programs in it hear of the change by a signal.
    pub(super) fn resize(&self, size: Winsize) {
        // It can fail only when the terminal is gone, which the relay will see.
        let _ = tcsetwinsize(&self.own_side, size);
    }

    /// Tells the shell that its terminal goes away.
    pub(super) fn hang_up(&self) {
        self.signal(Signal::HUP);
        self.signal(Signal::CONT);
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // A shell that has ended hears nothing.
        let _ = rustix::process::kill_process(self.shell, signal);
    }

    /// Looks without waiting. An end is told once.
    pub(super) fn life(&self) -> Life {
        match waitpid(Some(self.shell), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => Life::Stopped,
            Ok(Some((_, status))) => {
                let by_signal = status.terminating_signal().map(|signal| 128 + signal);
                Life::Ended(status.exit_status().or(by_signal).unwrap_or(1))
            }
            Ok(None) => Life::Runs,
            // Nobody to wait for: somebody else heard of the end.
            Err(_) => Life::Ended(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_sentence() {
        let said =
            r#"failed to openpty: Os { code: 24, kind: Uncategorized, message: "Too many open files" }"#;
        assert_eq!(plain(said), "Too many open files");
        assert_eq!(plain("no such terminal"), "no such terminal");
    }
}
