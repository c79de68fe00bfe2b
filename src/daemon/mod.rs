//! The daemon: holds the model once for all terminals, answers over HTTP, is the only writer of the ledger.
//! The only home of axum.
//!
//! What lives here: the API in OpenAI's shape and our own, the life of an answer from request to ledger, sessions,
//! start and stop. What does not: computing (`engine`), SQL (`store`), who starts it (`client`, `cli`).
//!
//! What always holds: one daemon per user (a lock, not a pid file); a turn is in the ledger before it is on a
//! screen; every turn comes to an end that the ledger knows; every refusal has OpenAI's shape and a next step.

mod answer;
mod auth;
mod backing_up;
mod book;
mod chat;
mod credit;
mod dashboard;
mod drawing;
mod error;
mod events;
mod forgetting;
mod hiding;
mod idle_sessions;
mod importing;
mod judging;
mod learner;
mod ledger;
mod lifecycle;
mod listen;
pub mod logging;
mod looking;
mod machine;
mod models;
mod next_states;
mod policy;
mod prompt;
mod record;
mod reply;
mod request;
mod retention;
mod review;
mod routes;
mod running;
mod shell;
mod state;
mod teaching;
mod threads;
pub mod wire;

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

pub use auth::{TokenHash, generate_token};

use crate::config::{Dial, Paths, PathsError, Rules, Settings};
use crate::engine::{Engine, EngineError};
use crate::learn::dial::{self, Course};
use crate::learn::{LocalTrainer, Start, TrainError, TrainSettings, Trainer};
use crate::redact::Redactor;
use crate::store::{self, Opened, SqliteStore, StoreError};
use book::Book;
use events::News;
use learner::Learner;
use ledger::Ledger;
use models::Models;
use policy::Policies;
use running::Register;
use shell::Shells;
use state::{Daemon, Presence};

/// How long the runtime waits for work on blocking threads when the daemon ends.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Which model is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// A name from `chela model list`, or the path of a GGUF file.
    pub name: String,
    /// Tokens of context that one request may use, at most.
    pub n_ctx: usize,
}

/// Makes an engine for a choice. Called on a thread of its own; may take as long as it takes.
pub type Loader = Box<dyn Fn(&ModelChoice) -> Result<Arc<dyn Engine>, EngineError> + Send + Sync>;

/// Opens a trainer for the model that serves. Called on the learner's thread.
pub type OpenTrainer =
    Box<dyn Fn(&TrainSettings, Start) -> Result<Box<dyn Trainer>, TrainError> + Send + Sync>;

/// What a position of the dial means for a model with so many parameters; `None`: nothing is learned.
pub type ChooseCourse = Box<dyn Fn(Dial, u64) -> Option<Course> + Send + Sync>;

/// The trainer that this machine's processor runs.
pub fn local_trainer() -> OpenTrainer {
    Box::new(|settings, start| Ok(Box::new(LocalTrainer::open(settings, start)?)))
}

/// The courses that chela learns with.
pub fn usual_course() -> ChooseCourse {
    Box::new(dial::course)
}

/// Called once when everything listens.
pub type Announce = Box<dyn FnOnce(&Listening) + Send>;

/// Where the daemon can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    pub socket: PathBuf,
    pub tcp: Option<SocketAddr>,
}

/// The TCP endpoint, on 127.0.0.1 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpEndpoint {
    /// 0: any free port; [`Listening`] says which.
    pub port: u16,
    pub token: TokenHash,
}

/// What the process around the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessRole {
    /// Started by a client: leaves the terminal's session, logs to the file, ends on signals.
    Background,
    /// `chela serve`: stays with its terminal, logs to the file, ends on signals.
    Foreground,
    /// A thread of another program, such as a test: leaves the process alone.
    Guest,
}

pub struct DaemonConfig {
    pub paths: Paths,
    pub settings: Settings,
    pub loader: Loader,
    pub trainer: OpenTrainer,
    /// [`dial::course`], unless courses are compared.
    pub course: ChooseCourse,
    /// Takes secrets out of everything that people and programs say, before anything is kept of it.
    pub redactor: Redactor,
    pub tcp: Option<TcpEndpoint>,
    pub role: ProcessRole,
    pub announce: Option<Announce>,
}

/// Why [`run`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It served, and was asked to end or was idle for long.
    Stopped,
    /// Another daemon of this user holds the lock; nothing was done.
    AlreadyRunning,
}

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Paths(#[from] PathsError),
    #[error("cannot lock {path}: {reason}")]
    Lock { path: PathBuf, reason: std::io::Error },
    #[error("cannot write the log {path}: {reason}")]
    Log { path: PathBuf, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: String, reason: std::io::Error },
    #[error("cannot start threads: {0}")]
    Threads(std::io::Error),
}

/// Serves until somebody wants it to end. Returns after everything that was acknowledged is in the ledger.
pub fn run(config: DaemonConfig) -> Result<Outcome, DaemonError> {
    if config.role == ProcessRole::Background {
        // Fails when the process leads its group already, which is as good.
        let _ = rustix::process::setsid();
    }
    if config.role != ProcessRole::Guest {
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    }
    config.paths.create()?;
    let Some(lock) = lock(&config.paths.lock_file())? else { return Ok(Outcome::AlreadyRunning) };
    if config.role != ProcessRole::Guest {
        logging::start(&config.paths.log_file(), &config.settings.daemon.log)?;
    }
    let served = serve(config);
    if let Err(err) = &served {
        tracing::error!(%err, "the daemon cannot serve");
    }
    drop(lock);
    served.map(|()| Outcome::Stopped)
}

/// The lock that makes a daemon the only one; `None` when there is one.
fn lock(path: &Path) -> Result<Option<File>, DaemonError> {
    let failed = |reason| DaemonError::Lock { path: path.to_path_buf(), reason };
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(err)) => Err(failed(err)),
    }
}

fn serve(config: DaemonConfig) -> Result<(), DaemonError> {
    store::sealed::use_key(&config.paths.ledger(), config.settings.privacy.key_source());
    let Opened { store, notice, n_recovered, n_interrupted } =
        SqliteStore::open(&config.paths.ledger(), Timestamp::now())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), n_recovered, n_interrupted, notice, "starting");
    let socket = config.paths.socket();
    let (handle, store_thread) = store::spawn(Box::new(store)).map_err(DaemonError::Threads)?;
    let ledger = Ledger::new(handle, config.paths.ledger());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(DaemonError::Threads)?;
    let learner = Learner::start().map_err(DaemonError::Threads)?;
    let served = runtime.block_on(listen_and_serve(config, ledger, (notice, learner)));
    // Every task is gone after this, and with them every handle of the store.
    runtime.shutdown_timeout(SHUTDOWN);
    drain(store_thread);
    if served.is_ok() {
        remove_socket(&socket);
    }
    served
}

/// Waits until the store has written what it was given. Every handle must be gone by now.
fn drain(store_thread: JoinHandle<()>) {
    if store_thread.join().is_err() {
        tracing::error!("the store's thread died");
    }
}

async fn listen_and_serve(
    config: DaemonConfig,
    ledger: Ledger,
    (notice, learner): (Option<String>, Arc<Learner>),
) -> Result<(), DaemonError> {
    let socket = config.paths.socket();
    let unix = bind_unix(&socket)?;
    let tcp = match &config.tcp {
        Some(endpoint) => Some((bind_tcp(endpoint.port).await?, endpoint.token)),
        None => None,
    };
    let tcp_at = tcp.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
    let choice =
        ModelChoice { name: config.settings.model.name.clone(), n_ctx: config.settings.model.context };
    let (ledger, redactor) = (Arc::new(ledger), Arc::new(config.redactor));
    let policies = Arc::new(Policies::new(&config.paths, Arc::clone(&ledger)));
    let daemon = Arc::new(Daemon {
        models: Models::new(config.loader, Arc::clone(&policies), &choice),
        policies,
        ledger,
        register: Register::new(),
        presence: Presence::new(),
        news: News::new(),
        book: Book::new(),
        shells: Shells::new(&config.paths, Arc::clone(&redactor)),
        redactor,
        learner,
        forgetting: forgetting::Busy::default(),
        trainer: config.trainer,
        course: config.course,
        stop: watch::channel(None).0,
        started: Instant::now(),
        started_at: Timestamp::now().as_second(),
        tcp: tcp_at.map(|address| address.to_string()),
        notices: notice.into_iter().collect(),
        rules: Rules::here(&config.settings.privacy),
        paths: config.paths,
        settings: config.settings,
    });
    if let Some(announce) = config.announce {
        announce(&Listening { socket: socket.clone(), tcp: tcp_at });
    }
    lifecycle::serve_until_stopped(&daemon, unix, tcp, lifecycle::Wishes { choice, role: config.role }).await;
    Ok(())
}

/// Only called by who holds the lock: a socket that is there is a dead daemon's.
fn bind_unix(socket: &Path) -> Result<tokio::net::UnixListener, DaemonError> {
    remove_socket(socket);
    let bind = || {
        let listener = tokio::net::UnixListener::bind(socket)?;
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    bind().map_err(|reason| DaemonError::Listen { address: socket.display().to_string(), reason })
}

async fn bind_tcp(port: u16) -> Result<tokio::net::TcpListener, DaemonError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    tokio::net::TcpListener::bind(address)
        .await
        .map_err(|reason| DaemonError::Listen { address: address.to_string(), reason })
}

fn remove_socket(socket: &Path) {
    match std::fs::remove_file(socket) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%err, socket = %socket.display(), "cannot remove the socket");
        }
        _ => {}
    }
}
