//! The relay: bytes from the terminal to the shell and back, at once and in order, until the shell ends. One thread,
//! one wait; neither direction ever blocks the other, and nothing else is waited for.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, getppid, getsid, kill_process};

use super::observer::Observer;
use super::pending::{Flow, Pending};
use super::pty::{Life, Pty};
use super::signals::Signals;
use super::terminal::{self, Terminal};

/// As much as one look at the shell's output takes: sixteen reads of what a PTY gives at a time.
const LOOK: usize = 64 * 1024;
/// The echo of a key is shorter, bulk output comes in longer pieces.
const SHORT: usize = 256;
/// A shell that is told to go gets this long.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);
/// What the shell wrote last may take a moment to arrive; programs in its background may write for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// What the terminal has not taken by then, it will not take.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Everything that one shell's bytes pass through.
pub(super) struct Relay<'a> {
    terminal: &'a Terminal,
    pty: &'a Pty,
    signals: &'a Signals,
    observer: Observer,
    to_shell: Pending,
    to_terminal: Pending,
    buffer: Vec<u8>,
    has_terminal: bool,
    /// Some program still has the shell's terminal open.
    has_output: bool,
    leaving: Option<Leaving>,
}

/// Where there is something to read.
#[derive(Debug, Clone, Copy)]
struct Ready {
    signals: bool,
    terminal: bool,
    shell: bool,
}

#[derive(Debug, Clone, Copy)]
struct Leaving {
    signal: i32,
    deadline: Instant,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        terminal: &'a Terminal,
        pty: &'a Pty,
        signals: &'a Signals,
        observer: Observer,
    ) -> Self {
        Self {
            terminal,
            pty,
            signals,
            observer,
            to_shell: Pending::default(),
            to_terminal: Pending::default(),
            buffer: vec![0; LOOK],
            has_terminal: true,
            has_output: true,
            leaving: None,
        }
    }

    /// How many commands nobody was told of.
    pub(super) fn n_untold(&self) -> u64 {
        self.observer.n_untold()
    }

    /// Runs until the shell ends, or the terminal does. Returns the exit status.
    pub(super) fn run(&mut self) -> std::io::Result<i32> {
        loop {
            let ready = self.wait()?;
            if ready.signals
                && let Some(status) = self.heed_signals()?
            {
                self.say_last_words();
                return Ok(self.leave_with(status));
            }
            // Each direction is finished before the next is looked at: an echo does not wait for a look at the keys.
            if ready.shell {
                self.read_shell();
                self.write_to_terminal();
            }
            if ready.terminal {
                self.read_terminal();
            }
            self.write_to_shell();
            self.write_to_terminal();
            if self.leaving.is_some_and(|leaving| Instant::now() >= leaving.deadline) {
                return Ok(self.leave_with(1));
            }
        }
    }

    /// Waits for anything that can be done, and says what there is to read.
    fn wait(&self) -> std::io::Result<Ready> {
        let reads_terminal = self.has_terminal && self.to_shell.has_room();
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN)];
        if reads_terminal {
            fds.push(PollFd::from_borrowed_fd(self.terminal.input(), PollFlags::IN));
        }
        if self.has_terminal && !self.to_terminal.is_empty() {
            fds.push(PollFd::from_borrowed_fd(self.terminal.output(), PollFlags::OUT));
        }
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.has_output && self.to_terminal.has_room());
        wanted.set(PollFlags::OUT, self.has_output && !self.to_shell.is_empty());
        let watches_shell = !wanted.is_empty();
        if watches_shell {
            fds.push(PollFd::from_borrowed_fd(self.pty.fd(), wanted));
        }
        let limit = self.leaving.map(|leaving| leaving.deadline.saturating_duration_since(Instant::now()));
        wait_for(&mut fds, limit)?;
        // Anything but "can be written" is for a reader to find out: an end and an error too.
        let spoke =
            |fd: Option<&PollFd<'_>>| fd.is_some_and(|fd| !(fd.revents() - PollFlags::OUT).is_empty());
        Ok(Ready {
            signals: spoke(fds.first()),
            terminal: reads_terminal && spoke(fds.get(1)),
            shell: watches_shell && spoke(fds.last()),
        })
    }

    /// The exit status when the shell has ended.
    fn heed_signals(&mut self) -> std::io::Result<Option<i32>> {
        let heard = self.signals.take();
        if heard.is_resumed {
            self.terminal.take_again()?;
        }
        if heard.has_new_size || heard.is_resumed {
            self.adopt_size();
        }
        if let Some(signal) = heard.must_leave {
            self.leave(signal);
        }
        if heard.child_changed {
            match self.pty.life() {
                Life::Runs => {}
                Life::Stopped => self.stop()?,
                Life::Ended(status) => return Ok(Some(status)),
            }
        }
        Ok(None)
    }

    fn adopt_size(&self) {
        if let Ok(size) = self.terminal.size() {
            self.pty.resize(size);
        }
    }

    /// A shell that ended because it was told to says less than the signal that told us, and its programs had no time
    /// to leave the terminal as they found it.
    fn leave_with(&self, status: i32) -> i32 {
        let Some(leaving) = self.leaving else { return status };
        if self.has_terminal {
            self.terminal.calm();
        }
        128 + leaving.signal
    }

    fn leave(&mut self, signal: i32) {
        if self.leaving.is_none() {
            self.leaving = Some(Leaving { signal, deadline: Instant::now() + LEAVE_LIMIT });
            self.pty.hang_up();
        }
    }

    /// The shell suspended itself: so do we, if somebody is there who can continue us; else it goes on.
    fn stop(&mut self) -> std::io::Result<()> {
        let alone = getppid().is_none_or(|parent| getsid(Some(parent)).ok() != getsid(None).ok());
        if !alone && getsid(None).ok() != Some(getpid()) {
            terminal::lend();
            kill_process(getpid(), Signal::STOP)?;
            self.terminal.take_again()?;
            self.adopt_size();
        }
        self.pty.resume();
        Ok(())
    }

    fn read_terminal(&mut self) {
        if !self.has_terminal || !self.to_shell.has_room() {
            return;
        }
        match read(self.terminal.input(), &mut self.buffer) {
            Read::Some(n) => self.to_shell.push(self.buffer.get(..n).unwrap_or_default()),
            Read::Nothing => {}
            Read::Ended => self.lose_terminal(),
        }
    }

    /// As when the line is dropped.
    fn lose_terminal(&mut self) {
        self.has_terminal = false;
        self.to_terminal.clear();
        self.leave(signal_hook::consts::SIGHUP);
    }

    fn read_shell(&mut self) {
        while self.has_output && self.to_terminal.has_room() {
            match read(self.pty.fd(), &mut self.buffer) {
                Read::Some(n) => {
                    let chunk = self.buffer.get(..n).unwrap_or_default();
                    let shown = self.observer.pass(chunk, now_ms);
                    self.to_terminal.push(shown);
                    // An echo is shown before a look for more; the next wait finds what there is.
                    if n < SHORT {
                        return;
                    }
                }
                Read::Nothing => return,
                Read::Ended => self.has_output = false,
            }
        }
    }

    fn write_to_shell(&mut self) {
        if self.has_output {
            // Input for programs that are gone is dropped; the end is seen by reading.
            let _ = self.to_shell.write_to(self.pty.fd());
        } else {
            self.to_shell.clear();
        }
    }

    fn write_to_terminal(&mut self) {
        if !self.has_terminal {
            self.to_terminal.clear();
        } else if self.to_terminal.write_to(self.terminal.output()) == Flow::Closed {
            self.lose_terminal();
        }
    }

    /// Shows what the shell wrote before it ended.
    fn say_last_words(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        while self.has_output && Instant::now() < deadline {
            self.read_shell();
            self.write_last();
            if self.has_output {
                let mut fds = [PollFd::from_borrowed_fd(self.pty.fd(), PollFlags::IN)];
                // The deadline ends the loop whatever this says.
                let _ = wait_for(&mut fds, Some(deadline.saturating_duration_since(Instant::now())));
            }
        }
        let held = self.observer.finish(now_ms);
        self.to_terminal.push(held);
        self.write_last();
    }

    /// Writes everything, as long as the terminal takes some of it.
    fn write_last(&mut self) {
        let deadline = Instant::now() + LAST_WRITE;
        while self.has_terminal && self.to_terminal.write_to(self.terminal.output()) == Flow::Open {
            if self.to_terminal.is_empty() || Instant::now() >= deadline {
                return;
            }
            let mut fds = [PollFd::from_borrowed_fd(self.terminal.output(), PollFlags::OUT)];
            let _ = wait_for(&mut fds, Some(deadline.saturating_duration_since(Instant::now())));
        }
    }
}

enum Read {
    Some(usize),
    Nothing,
    Ended,
}

fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Read {
    match rustix::io::read(fd, buffer) {
        Ok(0) => Read::Ended,
        Ok(n) => Read::Some(n),
        Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
        // EIO: nobody has the other end open.
        Err(_) => Read::Ended,
    }
}

fn wait_for(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> std::io::Result<()> {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(fds, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
