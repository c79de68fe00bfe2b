//! Tells the daemon what ran, from a thread of its own. The relay never waits: a full queue and an absent daemon cost
//! the report, which is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::config::Paths;
use crate::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind};

/// Commands that may wait. Each holds at most its captured output.
const QUEUE: usize = 64;
/// The thread makes one small call at a time.
const STACK: usize = 256 * 1024;
/// How long the end of the shell waits for commands that are still on their way.
const FAREWELL: Duration = Duration::from_millis(200);

/// Who tells, and of which shell.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) paths: Paths,
    pub(super) shell: String,
    pub(super) kind: ShellKind,
    /// Whether a daemon may be started once, in the background.
    pub(super) starts_daemon: bool,
}

/// The relay's side.
#[derive(Debug)]
pub(super) struct Reporter {
    queue: Option<SyncSender<ShellCommand>>,
    ended: Receiver<()>,
    dropped: Arc<AtomicU64>,
}

impl Reporter {
    /// Starts the thread.
    pub(super) fn start(teller: Teller) -> std::io::Result<Self> {
        let (queue, commands) = sync_channel(QUEUE);
        let (ending, ended) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        thread::Builder::new().name("shell-reporter".to_owned()).stack_size(STACK).spawn(move || {
            teller.work(&commands, &lost);
            // Nobody waits any more where this fails.
            let _ = ending.send(());
        })?;
        Ok(Self { queue: Some(queue), ended, dropped })
    }

    /// Hands a command over, or drops it.
    pub(super) fn tell(&mut self, command: ShellCommand) {
        let is_taken = self.queue.as_ref().is_some_and(|queue| queue.try_send(command).is_ok());
        if !is_taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets what is on its way arrive, for a moment.
    pub(super) fn finish(&mut self) {
        self.queue = None;
        match self.ended.recv_timeout(FAREWELL) {
            Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
        }
    }

    /// How many commands nobody was told of.
    pub(super) fn n_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Teller {
    fn work(&self, commands: &Receiver<ShellCommand>, dropped: &AtomicU64) {
        if self.starts_daemon {
            // A daemon that does not start is met again, as an absent one, with each command.
            let _ = Client::connect(&self.paths);
        }
        while let Ok(first) = commands.recv() {
            let batch: Vec<ShellCommand> = std::iter::once(first).chain(commands.try_iter()).collect();
            let n = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            if !self.tell(batch) {
                dropped.fetch_add(n, Ordering::Relaxed);
            }
        }
    }

    /// Whether the daemon took them. One that is not there is not started for this.
    fn tell(&self, commands: Vec<ShellCommand>) -> bool {
        let Ok(Some(client)) = Client::connect_if_running(&self.paths) else { return false };
        let ran = ShellCommands { shell: self.shell.clone(), kind: self.kind, commands };
        client.tell_shell(&ran).is_ok()
    }
}
