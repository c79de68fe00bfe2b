//! A daemon in this process with a ledger of its own in a folder that is removed afterwards, and a client of its socket.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, ensure};

use super::output;
use crate::client::{Client, Launcher};
use crate::config::{PathEnv, Paths, Settings};
use crate::daemon::wire::ModelState;
use crate::daemon::{self, ChooseCourse, DaemonConfig, Loader, OpenTrainer, ProcessRole};

/// A folder that is gone when this is dropped.
pub(in crate::cli) struct Scratch(PathBuf);

impl Scratch {
    pub(in crate::cli) fn new() -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("chela-scratch-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind after a failure here is in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the daemon is made of.
pub(in crate::cli) struct Parts {
    pub(in crate::cli) settings: Settings,
    pub(in crate::cli) loader: Loader,
    pub(in crate::cli) trainer: OpenTrainer,
    pub(in crate::cli) course: ChooseCourse,
}

/// Serves until it is dropped.
pub(in crate::cli) struct Served {
    pub(in crate::cli) client: Client,
    thread: Option<thread::JoinHandle<()>>,
}

impl Served {
    /// Returns when the model is loaded.
    pub(in crate::cli) fn start(scratch: &Scratch, parts: Parts) -> anyhow::Result<Self> {
        let home = PathEnv { chela_home: Some(scratch.path().join("home").into()), xdg_runtime_dir: None };
        let paths = Paths::resolve(&home)?;
        let (listening, announced) = mpsc::channel();
        let Parts { settings, loader, trainer, course } = parts;
        let hide = settings.privacy.hide.clone();
        let config = DaemonConfig {
            paths: paths.clone(),
            settings,
            loader,
            trainer,
            course,
            redactor: super::place::redactor(&hide),
            tcp: None,
            role: ProcessRole::Guest,
            announce: Some(Box::new(move |_| listening.send(()).unwrap_or_default())),
        };
        let thread = thread::Builder::new().name("scratch-daemon".to_owned()).spawn(move || {
            if let Err(error) = daemon::run(config) {
                output::note(&format!("the daemon ended: {error}"));
            }
        })?;
        announced.recv().context("the daemon does not start")?;
        // One that has ended is not to be replaced by a process that nobody would end.
        let nobody = Launcher { program: "/nonexistent/chela".into(), args: Vec::new(), env: Vec::new() };
        let served = Self { client: Client::connect_with(&paths, nobody)?, thread: Some(thread) };
        let status = served.client.wait_for_model()?;
        ensure!(matches!(status.model, ModelState::Ready { .. }), "the model is not loaded");
        Ok(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A daemon that is gone already is stopped, too.
        let _ = self.client.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
