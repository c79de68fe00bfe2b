//! The input thread: bytes from the terminal into events. Parsing and long pastes cost the drawing thread nothing.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::driver::Happening;
use super::input::{Input, Parser};

/// How long an escape character may wait for the rest of its sequence.
const ESCAPE_PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 25_000_000 };

/// What the input is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Keys,
    Lines,
    /// Somebody else reads it: an editor.
    Paused,
}

/// The other end of the input thread.
pub(crate) struct Reader {
    wanted: Arc<(Mutex<(Mode, Mode)>, Condvar)>,
    wake: OwnedFd,
}

impl Reader {
    pub(crate) fn spawn(mode: Mode, events: Sender<Happening>) -> std::io::Result<Self> {
        let (wake_read, wake_write) = rustix::pipe::pipe()?;
        let wanted = Arc::new((Mutex::new((mode, mode)), Condvar::new()));
        let shared = Arc::clone(&wanted);
        thread::Builder::new().name("input".into()).spawn(move || read_all(&shared, &wake_read, &events))?;
        Ok(Self { wanted, wake: wake_write })
    }

    /// Returns when the thread has changed its ways.
    pub(crate) fn set_mode(&self, mode: Mode) {
        let (state, changed) = &*self.wanted;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = mode;
        let _ = rustix::io::write(&self.wake, b"x");
        changed.notify_all();
        while state.1 != mode {
            let (again, waited) = changed
                .wait_timeout(state, std::time::Duration::from_millis(500))
                .unwrap_or_else(PoisonError::into_inner);
            state = again;
            if waited.timed_out() {
                return;
            }
        }
    }
}

fn read_all(wanted: &(Mutex<(Mode, Mode)>, Condvar), wake: &OwnedFd, events: &Sender<Happening>) {
    let mut parser = Parser::default();
    let mut line = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mode = settle(wanted);
        let patience = (mode == Mode::Keys && parser.is_waiting()).then_some(&ESCAPE_PATIENCE);
        let Ok((is_ready, is_woken)) = wait(wake, patience) else { return };
        if is_woken {
            let _ = rustix::io::read(wake, &mut [0; 64]);
            continue;
        }
        let inputs = if is_ready {
            match std::io::stdin().lock().read(&mut buffer) {
                Err(err) if err.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => {
                    if !line.is_empty() {
                        let _ = events.send(Happening::Line(String::from_utf8_lossy(&line).into_owned()));
                    }
                    let _ = events.send(Happening::EndOfInput);
                    return;
                }
                Ok(n) => {
                    let bytes = buffer.get(..n).unwrap_or_default();
                    if mode == Mode::Lines {
                        if send_lines(&mut line, bytes, events).is_err() {
                            return;
                        }
                        continue;
                    }
                    parser.feed(bytes)
                }
            }
        } else {
            parser.flush()
        };
        if inputs.into_iter().any(|input: Input| events.send(Happening::Input(input)).is_err()) {
            return;
        }
    }
}

/// Takes over the wanted mode; waits while it is a pause.
fn settle(wanted: &(Mutex<(Mode, Mode)>, Condvar)) -> Mode {
    let (state, changed) = wanted;
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        state.1 = state.0;
        changed.notify_all();
        if state.0 != Mode::Paused {
            return state.0;
        }
        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn wait(wake: &OwnedFd, patience: Option<&Timespec>) -> std::io::Result<(bool, bool)> {
    let stdin = std::io::stdin();
    let mut polled = [
        PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN),
    ];
    match poll(&mut polled, patience) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok((false, true)),
        Err(err) => return Err(err.into()),
    }
    let [stdin, wake] = polled;
    Ok((!stdin.revents().is_empty(), !wake.revents().is_empty()))
}

fn send_lines(line: &mut Vec<u8>, bytes: &[u8], events: &Sender<Happening>) -> Result<(), ()> {
    line.extend_from_slice(bytes);
    while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        let whole: Vec<u8> = line.drain(..=end).collect();
        let text = String::from_utf8_lossy(&whole).trim_end_matches(['\n', '\r']).to_owned();
        events.send(Happening::Line(text)).map_err(|_| ())?;
    }
    Ok(())
}
