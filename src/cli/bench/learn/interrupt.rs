//! Ctrl+C in the middle of a run: the daemon is stopped, what waits for it fails, and everything is removed on the way
//! out. The second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Exit;
use crate::client::Client;

#[derive(Debug, Clone, Default)]
pub(super) struct Interrupt {
    wanted: Arc<AtomicBool>,
    client: Arc<Mutex<Option<Client>>>,
}

impl Interrupt {
    /// Takes the signals of this process from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let code = i32::from(Exit::Interrupted as u8);
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupt.wanted))?;
            signal_hook::flag::register(signal, Arc::clone(&interrupt.wanted))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let told = interrupt.clone();
        thread::Builder::new().name("bench-signals".to_owned()).spawn(move || {
            for _ in signals.forever() {
                told.stop();
            }
        })?;
        Ok(interrupt)
    }

    /// The daemon to stop from now on. An error if it should be stopped already.
    pub(super) fn watch(&self, client: &Client) -> anyhow::Result<()> {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        self.check()
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.is_wanted() {
            bail!("interrupted");
        }
        Ok(())
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = client {
            // One that has gone already is as good.
            let _ = client.stop_within(Duration::ZERO);
        }
    }
}
