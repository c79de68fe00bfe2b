//! One command in a terminal of its own: shown live, kept capped, with the person's keys going to it.
//!
//! What always holds: the person's terminal is as before when this returns, on every path; the status is the shell's
//! (128 + n for signal n); Ctrl+C goes to the command and not to us.

mod capture;
mod keys;
mod plain;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use capture::Capture;
pub use keys::{RawTerminal, size};
pub use plain::plain_text;

/// Ctrl+D, as terminals have it.
const END_OF_INPUT: u8 = 4;
/// How long output may still come after the command has ended: something that it started holds the terminal.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// What to run and where.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    pub cwd: PathBuf,
    /// Whether the keys of our own terminal go to it. Without: its input ends at once.
    pub takes_keys: bool,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// As shells have it: 128 + n for signal n.
    pub status: i32,
    /// Head and tail of what it printed, without what only moves the cursor.
    pub output: String,
    pub duration: Duration,
    /// We were told to end (SIGTERM, SIGHUP) and ended it.
    pub was_ended: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("no terminal for the command: {0}")]
    NoTerminal(String),
    #[error("{program} does not start: {reason}")]
    NoStart { program: String, reason: String },
    #[error("the command's terminal: {0}")]
    Io(#[from] io::Error),
}

/// Runs it to its end. `shown` gets what it prints, at once.
pub fn run(command: &Command, shown: Box<dyn Write + Send>) -> Result<Ran, RunError> {
    let no_terminal = |error: anyhow::Error| RunError::NoTerminal(error.to_string());
    let pair = native_pty_system().openpty(size_now()).map_err(no_terminal)?;
    let reader = pair.master.try_clone_reader().map_err(no_terminal)?;
    let mut writer = pair.master.take_writer().map_err(no_terminal)?;
    let begun = Instant::now();
    let mut child = pair.slave.spawn_command(builder(command)).map_err(|error| RunError::NoStart {
        program: command.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default(),
        reason: error.to_string(),
    })?;
    drop(pair.slave);

    let raw = command.takes_keys.then(RawTerminal::enter).transpose()?;
    let (told, output) = show(reader, shown, raw.is_some())?;
    let input = if raw.is_some() {
        Input::Keys(keys::forward(writer)?)
    } else {
        writer.write_all(&[END_OF_INPUT])?;
        Input::Ended(writer)
    };
    let pid = child.process_id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    let watch = Watch::begin(pair.master, pid)?;

    let status = ended(pid)?;
    // Already dead: this only takes it off the system's list.
    child.wait()?;
    let was_ended = watch.end();
    // The reader ends by itself unless a program in the background keeps the terminal.
    let _ = told.recv_timeout(LAST_OUTPUT);
    drop(input);
    drop(raw);
    let output = output.lock().unwrap_or_else(PoisonError::into_inner).text();
    Ok(Ran { status, output, duration: begun.elapsed(), was_ended })
}

/// What goes into the command. Kept until it has ended: a writer that is dropped types a line end.
enum Input {
    #[expect(dead_code, reason = "held for its drop")]
    Keys(keys::Forward),
    #[expect(dead_code, reason = "held for its drop")]
    Ended(Box<dyn Write + Send>),
}

fn builder(command: &Command) -> CommandBuilder {
    let mut builder = CommandBuilder::from_argv(command.words.clone());
    builder.cwd(&command.cwd);
    builder
}

fn size_now() -> PtySize {
    let usual = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    size().map_or(usual, |size| PtySize {
        rows: size.ws_row,
        cols: size.ws_col,
        pixel_width: size.ws_xpixel,
        pixel_height: size.ws_ypixel,
    })
}

/// Shows and keeps what the command prints, in a thread of its own. The channel closes when there is no more.
fn show(
    mut reader: Box<dyn Read + Send>,
    mut shown: Box<dyn Write + Send>,
    is_raw: bool,
) -> io::Result<(mpsc::Receiver<()>, Arc<Mutex<Capture>>)> {
    let (ending, told) = mpsc::channel::<()>();
    let capture = Arc::new(Mutex::new(Capture::default()));
    let kept = Arc::clone(&capture);
    std::thread::Builder::new().name("output".into()).spawn(move || {
        let _ending = ending;
        let mut buffer = [0_u8; 16 * 1024];
        while let Ok(n) = reader.read(&mut buffer) {
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else { return };
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
            // Without raw mode our own terminal, or a file, wants plain line ends. A reader that went away changes nothing
            // for the command.
            let _ = if is_raw { shown.write_all(bytes) } else { shown.write_all(&without_returns(bytes)) };
            let _ = shown.flush();
        }
    })?;
    Ok((told, capture))
}

fn without_returns(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte != b'\r').collect()
}

/// Waits for the end and leaves the process where `Child::wait` finds it: that one would not tell the signal's number.
fn ended(pid: Option<Pid>) -> io::Result<i32> {
    let Some(pid) = pid else { return Ok(-1) };
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(Some(status)) => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return Ok(status.exit_status().or(signal).unwrap_or(-1));
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Signals while the command runs: its terminal gets the size of ours; when we are to end, it is.
struct Watch {
    handle: signal_hook::iterator::Handle,
    thread: std::thread::JoinHandle<bool>,
}

impl Watch {
    fn begin(master: Box<dyn MasterPty + Send>, pid: Option<Pid>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGWINCH, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            let mut was_ended = false;
            for signal in &mut signals {
                if signal == SIGWINCH {
                    // A terminal that cannot be resized shows the old width.
                    let _ = master.resize(size_now());
                } else {
                    was_ended = true;
                    let _ = pid.map(|pid| kill_process(pid, Signal::HUP));
                }
            }
            was_ended
        })?;
        Ok(Self { handle, thread })
    }

    fn end(self) -> bool {
        self.handle.close();
        self.thread.join().unwrap_or(false)
    }
}
