//! Getting to a daemon that this program can talk to: find it, start it, replace an older one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::call::{self, Call};
use super::{ClientError, log_tail};
use crate::config::Paths;
use crate::daemon::wire::{Health, PROTOCOL, Shutdown};

/// A daemon that does not answer for this long after its start does not start. One that ends is seen at once; one whose
/// `privacy.key_command` asks a person has a minute for that.
const START_LIMIT: Duration = Duration::from_secs(70);
/// `/health` is cheap; a daemon that needs longer is stuck.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);
/// An older daemon may finish its answers for this long.
const REPLACE_PATIENCE: u64 = 30;
/// What a daemon may need after its patience to write everything and go.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The small program that `chela shell` becomes; it lies beside the main one.
pub const SHELL_PROGRAM: &str = "chela-shell";

/// The program that is all of chela: this one, or the one beside [`SHELL_PROGRAM`].
pub fn main_program() -> std::io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let is_proxy = own.file_name().is_some_and(|name| name == SHELL_PROGRAM);
    Ok(if is_proxy { own.with_file_name("chela") } else { own })
}

/// How a daemon is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Added to the inherited environment.
    pub env: Vec<(OsString, OsString)>,
}

impl Launcher {
    /// This executable, as a daemon.
    pub fn this_program() -> Result<Self, ClientError> {
        Ok(Self { program: main_program()?, args: vec!["daemon".into(), "run".into()], env: Vec::new() })
    }

    /// Starts the program without a terminal, in a process group of its own; its words go to the log.
    fn start(&self, paths: &Paths) -> std::io::Result<Child> {
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(paths.log_file())?;
        Command::new(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .process_group(0)
            .spawn()
    }
}

/// Returns when a daemon of this version answers.
pub(super) fn ensure(paths: &Paths, launcher: &Launcher) -> Result<(), ClientError> {
    match health(&paths.socket()) {
        Ok(health) => match compare(&health) {
            Fit::Same => return Ok(()),
            Fit::Newer => return Err(newer(health)),
            Fit::Older => stop(paths, Shutdown { wait_s: REPLACE_PATIENCE })?,
        },
        Err(err) if err.is_nobody_there() || matches!(err, ClientError::Lost) => {}
        Err(err) => return Err(err),
    }
    start_and_wait(paths, launcher)
}

/// What answers at the socket.
pub(super) fn health(socket: &Path) -> Result<Health, ClientError> {
    call::send_within(socket, &Call::get("/health"), HEALTH_LIMIT)?.read()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Same,
    Older,
    Newer,
}

/// The daemon as seen from this program. The protocol decides; versions decide between equal protocols.
fn compare(daemon: &Health) -> Fit {
    let theirs = (daemon.protocol, numbers(&daemon.version));
    match theirs.cmp(&(PROTOCOL, numbers(env!("CARGO_PKG_VERSION")))) {
        std::cmp::Ordering::Less => Fit::Older,
        std::cmp::Ordering::Equal => Fit::Same,
        std::cmp::Ordering::Greater => Fit::Newer,
    }
}

/// `0.12.3-rc1` → 0, 12, 3.
fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn newer(health: Health) -> ClientError {
    ClientError::NewerDaemon { daemon: health.version, own: env!("CARGO_PKG_VERSION").into() }
}

/// Starts the daemon and waits for its socket. Somebody else may be faster, or a daemon may still be on its way
/// out: ours then ends at once and without complaint, and is started again.
fn start_and_wait(paths: &Paths, launcher: &Launcher) -> Result<(), ClientError> {
    let failed =
        |reason: String| ClientError::NoDaemon { reason, log: paths.log_file().display().to_string() };
    paths.create().map_err(|err| failed(err.to_string()))?;
    let program = launcher.program.display();
    let start = || launcher.start(paths).map_err(|err| failed(format!("cannot run {program}: {err}")));
    let mut child = start()?;
    let deadline = Instant::now() + START_LIMIT;
    let mut pause = FIRST_PAUSE;
    loop {
        match health(&paths.socket()) {
            Ok(health) if compare(&health) == Fit::Newer => return Err(newer(health)),
            Ok(_) => {
                reap_later(child);
                return Ok(());
            }
            Err(err) if Instant::now() >= deadline => {
                return Err(failed(format!("no answer within {} s ({err})", START_LIMIT.as_secs())));
            }
            Err(_) => {}
        }
        match child.try_wait()? {
            Some(status) if !status.success() => {
                return Err(failed(format!("it ended with {status}: {}", log_tail(&paths.log_file()))));
            }
            Some(_) => child = start()?,
            None => {}
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A daemon that ends while this program lives would stay a zombie.
fn reap_later(mut child: Child) {
    // Without the thread it stays one until this program ends, which harms nobody.
    let _ = thread::Builder::new().name("daemon-reaper".into()).spawn(move || child.wait());
}

/// Asks the daemon to end and returns when its lock is free.
pub(super) fn stop(paths: &Paths, wish: Shutdown) -> Result<(), ClientError> {
    match call::send(&paths.socket(), &Call::post("/chela/v1/shutdown", &wish)?) {
        Ok(answer) => answer.good_body().map(drop)?,
        Err(err) if err.is_nobody_there() => {}
        // It was on its way out already.
        Err(ClientError::Lost) => {}
        Err(err) => return Err(err),
    }
    let deadline = Instant::now() + Duration::from_secs(wish.wait_s) + LEAVE_LIMIT;
    let mut pause = FIRST_PAUSE;
    while !is_free(&paths.lock_file())? {
        if Instant::now() >= deadline {
            return Err(ClientError::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "it was asked to end and is still there",
            )));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// Whether no daemon holds the lock. Looking takes it for a moment only.
fn is_free(lock: &Path) -> Result<bool, ClientError> {
    match File::open(lock) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(err) => Err(err.into()),
        // Shared, so that two who look do not see each other.
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(err)) => Err(err.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, protocol: u32, expected: Fit) {
        let health = Health { status: "ok".into(), version: version.into(), protocol, pid: 1 };
        assert_eq!(compare(&health), expected);
    }

    #[test]
    fn the_protocol_decides_then_the_version() {
        check(env!("CARGO_PKG_VERSION"), PROTOCOL, Fit::Same);
        check("0.0.9", PROTOCOL, Fit::Older);
        check("99.0.0", PROTOCOL - 1, Fit::Older);
        check("99.0.0", PROTOCOL, Fit::Newer);
        check("0.0.1", PROTOCOL + 1, Fit::Newer);
    }
}
