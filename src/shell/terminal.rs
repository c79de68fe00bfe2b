//! The person's terminal: opened anew for the proxy, raw while the shell runs, given back on every way out.
//!
//! The descriptors 0 and 1 are shared with the shell that started us, and not blocking is a property of what is shared:
//! so the proxy reads and writes through descriptions of its own, and leaves nothing behind when it is killed.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal that is raw now, with the modes it had. One process has one terminal.
static TAKEN: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// Leaves what programs in the shell may have switched on: full screen, mouse, bracketed paste, focus reports, a hidden
/// cursor, colours. For the ways out on which no program can do so itself.
const ALL_OFF: &[u8] =
    b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?25h\x1b[0m\r\n";

/// Both directions of a terminal, neither of which blocks.
#[derive(Debug)]
pub(super) struct Terminal {
    input: File,
    output: File,
}

impl Terminal {
    /// The terminal on descriptors 0 and 1.
    pub(super) fn open() -> std::io::Result<Self> {
        Ok(Self { input: reopened(std::io::stdin().as_fd())?, output: reopened(std::io::stdout().as_fd())? })
    }

    pub(super) fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    pub(super) fn output(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    pub(super) fn modes(&self) -> std::io::Result<Termios> {
        Ok(tcgetattr(&self.input)?)
    }

    /// Rows, columns and pixels.
    pub(super) fn size(&self) -> std::io::Result<Winsize> {
        Ok(tcgetwinsize(&self.output)?)
    }

    /// Lets every byte through; [`give_back`] undoes it.
    pub(super) fn take(&self) -> std::io::Result<()> {
        let before = tcgetattr(&self.input)?;
        *taken() = Some((self.input.try_clone()?, before));
        self.take_again()
    }

    /// Raw once more, after somebody else had the terminal.
    pub(super) fn take_again(&self) -> std::io::Result<()> {
        let mut raw = tcgetattr(&self.input)?;
        raw.make_raw();
        Ok(tcsetattr(&self.input, OptionalActions::Now, &raw)?)
    }

    /// Ends what programs switched on that can no longer do it.
    pub(super) fn calm(&self) {
        // A terminal that is gone needs nothing.
        let _ = rustix::io::write(&self.output, ALL_OFF);
    }
}

/// The path of the terminal behind a descriptor.
pub(super) fn path_of(fd: BorrowedFd<'_>) -> Option<PathBuf> {
    let name = rustix::termios::ttyname(fd, Vec::new()).ok()?;
    Some(PathBuf::from(name.into_string().ok()?))
}

fn reopened(fd: BorrowedFd<'_>) -> std::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let named = path_of(fd).and_then(|path| rustix::fs::open(path, flags, Mode::empty()).ok());
    match named {
        Some(file) => Ok(file.into()),
        None => Ok(rustix::fs::open("/dev/tty", flags, Mode::empty())?.into()),
    }
}

/// The modes as they were before [`Terminal::take`]; the terminal stays taken.
pub(super) fn lend() {
    if let Some((terminal, modes)) = taken().as_ref() {
        // The way out goes on whatever the terminal says.
        let _ = tcsetattr(terminal, OptionalActions::Now, modes);
    }
}

/// Gives the terminal back for good; doing it twice is harmless.
pub(super) fn give_back() {
    lend();
    *taken() = None;
}

/// A panic elsewhere does not make the modes wrong.
fn taken() -> std::sync::MutexGuard<'static, Option<(File, Termios)>> {
    TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
