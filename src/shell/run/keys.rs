//! The person's terminal while a command runs: raw, its keys going to the command.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

/// Raw mode until it is dropped.
pub struct RawTerminal(Termios);

impl RawTerminal {
    pub fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// Rows, columns and pixels of the terminal that one of our streams is.
pub fn size() -> Option<Winsize> {
    let sizes = [tcgetwinsize(io::stdin()), tcgetwinsize(io::stdout()), tcgetwinsize(io::stderr())];
    sizes.into_iter().flatten().find(|size| size.ws_row > 0 && size.ws_col > 0)
}

/// Keys go to the command until this is dropped.
pub(super) struct Forward {
    wake: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn forward(mut writer: Box<dyn Write + Send>) -> io::Result<Forward> {
    let (woken, wake) = rustix::pipe::pipe()?;
    let thread = std::thread::Builder::new().name("keys".into()).spawn(move || {
        let stdin = io::stdin();
        let mut buffer = [0_u8; 4096];
        loop {
            let mut watched = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&woken, PollFlags::IN)];
            match poll(&mut watched, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            let [keys, woken] = &watched;
            if !woken.revents().is_empty() {
                return;
            }
            if keys.revents().is_empty() {
                continue;
            }
            let Ok(n) = rustix::io::read(&stdin, &mut buffer) else { return };
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else { return };
            if writer.write_all(bytes).is_err() {
                return;
            }
        }
    })?;
    Ok(Forward { wake: Some(wake), thread: Some(thread) })
}

impl Drop for Forward {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}
