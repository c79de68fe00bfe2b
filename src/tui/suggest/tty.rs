//! The terminal that the shell stands on, whatever the standard streams are. Used by the inline prompt alone.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr};

use crate::tui::surface::Size;

/// How long an escape character may wait for the rest of its sequence.
const ESCAPE_PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 25_000_000 };
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\x1b[?2004l";
/// Ends synchronized output, wraps lines, shows the cursor, resets the style.
const STYLE_OFF: &[u8] = b"\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[0m";

/// A terminal in raw mode; given back when it is dropped, also by a panic.
pub struct Tty {
    file: File,
    found: Termios,
    keeps_paste: bool,
    is_taken: bool,
}

/// Why waiting ended.
pub(super) enum Woken {
    /// Bytes from the terminal; none: it is gone.
    Keys(Vec<u8>),
    /// A thread or a signal.
    Called,
    /// Nothing follows an escape character.
    Patience,
}

impl Tty {
    /// Takes the terminal. `keeps_paste`: the shell has bracketed paste on and wants it so afterwards.
    pub fn take(keeps_paste: bool) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(place())?;
        let found = tcgetattr(&file)?;
        let mut raw = found.clone();
        raw.make_raw();
        tcsetattr(&file, OptionalActions::Drain, &raw)?;
        let mut tty = Self { file, found, keeps_paste, is_taken: true };
        tty.write(PASTE_ON)?;
        Ok(tty)
    }

    /// As the system says now; 80x24 where it does not know.
    pub(super) fn size(&self) -> Size {
        match tcgetwinsize(&self.file) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
            }
            _ => Size { columns: 80, rows: 24 },
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.flush()
    }

    /// Waits for the terminal or for somebody who writes to the other end of `called`.
    pub(super) fn wait(&mut self, called: &UnixStream, is_escaping: bool) -> std::io::Result<Woken> {
        let patience = is_escaping.then_some(&ESCAPE_PATIENCE);
        let mut polled = [
            PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(called.as_fd(), PollFlags::IN),
        ];
        match poll(&mut polled, patience) {
            Ok(0) => return Ok(Woken::Patience),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Woken::Called),
            Err(err) => return Err(err.into()),
        }
        let [_, call] = polled;
        let mut bytes = vec![0; 64 * 1024];
        if !call.revents().is_empty() {
            let mut called = called;
            let _ = called.read(&mut bytes)?;
            return Ok(Woken::Called);
        }
        match self.file.read(&mut bytes) {
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => return Ok(Woken::Called),
            // A terminal that hung up says so with an error.
            Err(_) => bytes.clear(),
            Ok(n) => bytes.truncate(n),
        }
        Ok(Woken::Keys(bytes))
    }

    /// What was typed and not yet read is lost.
    pub(super) fn forget_typed(&self) {
        let _ = tcflush(&self.file, QueueSelector::IFlush);
    }

    /// The modes that were found; doing it twice is harmless.
    pub(super) fn give_back(&mut self) {
        if !std::mem::take(&mut self.is_taken) {
            return;
        }
        let _ = self.write(STYLE_OFF);
        if !self.keeps_paste {
            let _ = self.write(PASTE_OFF);
        }
        let _ = tcsetattr(&self.file, OptionalActions::Drain, &self.found);
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The terminal's own name, because some systems cannot wait on `/dev/tty`.
fn place() -> PathBuf {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stderr()];
    let name = streams.into_iter().find_map(|stream| rustix::termios::ttyname(stream, Vec::new()).ok());
    match name {
        Some(name) => PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes())),
        None => Path::new("/dev/tty").to_path_buf(),
    }
}
