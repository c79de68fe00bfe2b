//! A shell in a PTY with a stopwatch: how long until its prompt, until a key's echo, until the next prompt, and how fast
//! it passes bulk output on. Used by `chela bench shell`; knows nothing of what stands between terminal and shell.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// What the shell prints when it waits for a command; no command typed here holds it.
pub const PROMPT: &str = "chela-bench-prompt>";
/// A key that shells colour with no escape sequence that holds the letter itself.
const KEY: u8 = b'x';
/// Nothing takes this long but a program that hangs.
const PATIENCE: Duration = Duration::from_mins(1);
/// Erases the line in all shells.
const ERASE: u8 = 0x15;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error("cannot start {program} in a terminal: {reason}")]
    Start { program: String, reason: String },
    #[error("{program} ended or was silent for a minute; the last it said: {tail:?}")]
    Silent { program: String, tail: String },
    #[error("cannot write to {program}: {source}")]
    Write { program: String, source: std::io::Error },
}

/// What is started, with what around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: OsString,
    pub arguments: Vec<OsString>,
    /// All of its environment.
    pub environment: Vec<(OsString, OsString)>,
    pub folder: PathBuf,
}

/// A program that shows the prompt.
pub struct Session {
    name: String,
    // Held so that the terminal stays open.
    _terminal: Box<dyn MasterPty + Send>,
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Each sign of life; without one for [`PATIENCE`], the program is killed, which ends a read that waits.
    alive: Sender<()>,
    seen: Vec<u8>,
}

impl Session {
    /// Starts the program; gives the time until its first prompt.
    pub fn open(program: &Program) -> Result<(Self, Duration), MeasureError> {
        let name = program.path.to_string_lossy().into_owned();
        let failed =
            |err: anyhow::Error| MeasureError::Start { program: name.clone(), reason: err.to_string() };
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(failed)?;
        let mut command = CommandBuilder::new(&program.path);
        command.args(&program.arguments);
        command.env_clear();
        for (key, value) in &program.environment {
            command.env(key, value);
        }
        command.cwd(&program.folder);
        let (reader, writer) = (pair.master.try_clone_reader(), pair.master.take_writer());
        let (reader, writer) = (reader.map_err(failed)?, writer.map_err(failed)?);
        let began = Instant::now();
        let child = pair.slave.spawn_command(command).map_err(failed)?;
        drop(pair.slave);
        let alive = watched(child.clone_killer());
        let mut session =
            Self { name, _terminal: pair.master, reader, writer, child, alive, seen: Vec::new() };
        session.until(PROMPT.as_bytes())?;
        let started = began.elapsed();
        Ok((session, started))
    }

    /// Types a key and waits for its echo.
    pub fn key(&mut self) -> Result<Duration, MeasureError> {
        let began = Instant::now();
        self.write(&[KEY])?;
        self.until(&[KEY])?;
        Ok(began.elapsed())
    }

    /// Takes back what was typed.
    pub fn erase(&mut self) -> Result<(), MeasureError> {
        self.write(&[ERASE, b'\r'])?;
        self.until(PROMPT.as_bytes())
    }

    /// Types a command; gives the time from Enter to the next prompt.
    pub fn command(&mut self, line: &str) -> Result<Duration, MeasureError> {
        self.write(line.as_bytes())?;
        // The echo of the last letters may come in pieces, with colours between: the end of the line is enough.
        let last = line.trim_end().as_bytes().last().copied().unwrap_or(b' ');
        self.until(&[last])?;
        let began = Instant::now();
        self.write(b"\r")?;
        self.until(PROMPT.as_bytes())?;
        Ok(began.elapsed())
    }

    /// Resident memory of the program that was started, in MiB, where the system tells it as text.
    pub fn resident_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.process_id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024.0)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MeasureError> {
        let written = self.writer.write_all(bytes).and_then(|()| self.writer.flush());
        written.map_err(|source| MeasureError::Write { program: self.name.clone(), source })
    }

    /// Reads until this has come.
    fn until(&mut self, wanted: &[u8]) -> Result<(), MeasureError> {
        let mut buffer = vec![0_u8; 1 << 16];
        self.seen.clear();
        loop {
            // The watch has ended when the program was killed; the read below says so.
            let _ = self.alive.send(());
            let n_read = self.reader.read(&mut buffer).unwrap_or(0);
            let Some(new) = buffer.get(..n_read).filter(|new| !new.is_empty()) else {
                let tail = self.seen.get(self.seen.len().saturating_sub(200)..).unwrap_or_default();
                let tail = String::from_utf8_lossy(tail).into_owned();
                return Err(MeasureError::Silent { program: self.name.clone(), tail });
            };
            // Only as much of what was seen is looked at as could hold a part of what is wanted.
            let from = self.seen.len().saturating_sub(wanted.len());
            self.seen.extend_from_slice(new);
            let fresh = self.seen.get(from..).unwrap_or_default();
            if fresh.windows(wanted.len()).any(|window| window == wanted) {
                return Ok(());
            }
            if self.seen.len() > 1 << 20 {
                self.seen.drain(..self.seen.len() - wanted.len());
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the program when there is no sign of life for too long.
fn watched(mut killer: Box<dyn ChildKiller + Send + Sync>) -> Sender<()> {
    let (alive, signs) = mpsc::channel();
    let watch = move || {
        loop {
            match signs.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = killer.kill();
                    return;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    // Without the watch, a program that hangs is ended by the person.
    let _ = thread::Builder::new().name("bench-watch".to_owned()).spawn(watch);
    alive
}
