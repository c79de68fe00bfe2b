//! Signals to the proxy, as flags and a descriptor that wakes the relay.
//!
//! The terminal is raw, so keys make no signals: who sends INT, QUIT or TSTP to the proxy means the programs in the
//! shell, which get the bytes. They are caught, not ignored: what is ignored would stay so in the shell.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};

/// What has been signalled since the last look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) has_new_size: bool,
    pub(super) is_resumed: bool,
    pub(super) child_changed: bool,
    /// HUP or TERM, by number.
    pub(super) must_leave: Option<i32>,
}

#[derive(Debug)]
pub(super) struct Signals {
    wake: UnixStream,
    flags: Vec<(i32, Arc<AtomicBool>)>,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> std::io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let mut flags = Vec::new();
        for signal in [SIGWINCH, SIGCONT, SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTSTP] {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag first: whoever is woken finds it set.
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
            flags.push((signal, flag));
        }
        Ok(Self { wake, flags })
    }

    /// Readable when something has been signalled.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// What has been signalled; forgets it.
    pub(super) fn take(&self) -> Heard {
        // Emptied before the flags are looked at, so that what comes in between wakes again.
        while matches!((&self.wake).read(&mut [0; 64]), Ok(n) if n > 0) {}
        let mut heard = Heard::default();
        for (signal, flag) in &self.flags {
            if !flag.swap(false, Ordering::SeqCst) {
                continue;
            }
            match *signal {
                SIGWINCH => heard.has_new_size = true,
                SIGCONT => heard.is_resumed = true,
                SIGCHLD => heard.child_changed = true,
                SIGHUP | SIGTERM => heard.must_leave = Some(*signal),
                _ => {}
            }
        }
        heard
    }
}
