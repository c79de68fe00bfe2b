//! The person's terminal: opened anew for the proxy, raw while the shell runs, given back on every way out.
//!
//! The descriptors 0 and 1 are shared with the shell that started us, and not blocking is a property of what is shared:
//! so the proxy reads and writes through descriptions of its own, and leaves nothing behind when it is killed.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal that is raw now, with the modes it had. One process has one.
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

    /// Does something while every byte passes, and gives the modes back whatever becomes of it. `Err`: what failed, in
    /// words; a panic is a failure like others.
    pub(super) fn while_raw<T>(&self, run: impl FnOnce() -> std::io::Result<T>) -> Result<T, String> {
        // A panic says nothing while the screen is not ours to write on.
        let speak = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.take()?;
            run()
        }));
        std::panic::set_hook(speak);
        if !matches!(done, Ok(Ok(_))) {
            self.calm();
        }
        give_back();
        match done {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(panic) => Err(words_of(panic.as_ref())),
        }
    }

    fn take(&self) -> std::io::Result<()> {
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

/// The modes as they were; the terminal stays taken.
pub(super) fn lend() {
    if let Some((terminal, modes)) = taken().as_ref() {
        // The way out goes on whatever the terminal says.
        let _ = tcsetattr(terminal, OptionalActions::Now, modes);
    }
}

fn give_back() {
    lend();
    *taken() = None;
}

/// A panic elsewhere does not make the modes wrong.
fn taken() -> std::sync::MutexGuard<'static, Option<(File, Termios)>> {
    TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a panic said.
fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;

    const CHILD: &str = "CHELA_TEST_RAW_PANIC";

    /// The child is this very test in a terminal of its own, where it makes the terminal raw and panics.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "tells the child from the test")]
    fn a_panic_gives_the_terminal_back() {
        if std::env::var_os(CHILD).is_some() {
            let terminal = Terminal::open().unwrap();
            let before = terminal.modes().unwrap().local_modes;
            let done: Result<(), String> = terminal.while_raw(|| {
                assert_ne!(terminal.modes().unwrap().local_modes, before);
                panic!("on purpose")
            });
            assert_eq!(done, Err("on purpose".to_owned()));
            return;
        }
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let before = pty.master.get_termios().unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let module = module_path!().split_once("::").unwrap().1;
        let this = format!("{module}::a_panic_gives_the_terminal_back");
        command.args([this.as_str(), "--exact", "--nocapture"]);
        command.env(CHILD, "1");
        let mut said = pty.master.try_clone_reader().unwrap();
        let mut child = pty.slave.spawn_command(command).unwrap();
        assert!(child.wait().unwrap().success());
        // A name that no test has would succeed as well.
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("test result: ok. 1 passed") {
            let mut piece = [0; 1024];
            let n_read = said.read(&mut piece).unwrap();
            assert!(n_read > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..n_read]);
        }
        assert_eq!(pty.master.get_termios().unwrap(), before);
    }
}
