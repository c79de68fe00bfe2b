//! What all requests share, and what the daemon says about itself.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::book::Book;
use super::error::ApiError;
use super::events::News;
use super::forgetting;
use super::learner::Learner;
use super::ledger::Ledger;
use super::models::{Models, Slot};
use super::policy::Policies;
use super::running::Register;
use super::shell::Shells;
use super::wire::{Health, LoopEvent, ModelState, PROTOCOL, Status};
use super::{ChooseCourse, OpenTrainer};
use crate::config::{Paths, Rules, Settings};
use crate::redact::Redactor;
use crate::turn::PolicyVersion;

pub(super) struct Daemon {
    pub(super) paths: Paths,
    pub(super) settings: Settings,
    /// What may be kept of what, and learned from.
    pub(super) rules: Rules,
    pub(super) models: Models,
    pub(super) policies: Arc<Policies>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) register: Arc<Register>,
    pub(super) presence: Presence,
    pub(super) news: News,
    pub(super) book: Book,
    pub(super) shells: Shells,
    pub(super) redactor: Arc<Redactor>,
    pub(super) learner: Arc<Learner>,
    pub(super) forgetting: forgetting::Busy,
    pub(super) trainer: OpenTrainer,
    pub(super) course: ChooseCourse,
    /// How many seconds running answers may take, once somebody wants the daemon to end.
    pub(super) stop: watch::Sender<Option<u64>>,
    pub(super) started: Instant,
    /// Unix seconds.
    pub(super) started_at: i64,
    /// Where the TCP endpoint listens.
    pub(super) tcp: Option<String>,
    pub(super) notices: Vec<String>,
}

impl Daemon {
    pub(super) fn health(&self) -> Health {
        let status = match self.models.slot() {
            Slot::Ready(_) => "ok",
            Slot::Loading { .. } => "loading",
            Slot::None { .. } => "no model",
        };
        Health {
            status: status.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL,
            pid: std::process::id(),
        }
    }

    pub(super) fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL,
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            memory_bytes: resident_bytes(),
            policy: self.policy(),
            model: self.models.state(),
            running_requests: self.register.count(),
            ledger: self.paths.ledger().display().to_string(),
            log: self.paths.log_file().display().to_string(),
            tcp: self.tcp.clone(),
            notices: self.notices(),
        }
    }

    /// What answers new turns.
    pub(super) fn policy(&self) -> PolicyVersion {
        match self.models.slot() {
            Slot::Ready(serving) => serving.versions.serving(),
            Slot::Loading { .. } | Slot::None { .. } => PolicyVersion::BASE,
        }
    }

    /// Another version answers from now on: prompts get the lessons that it does not hold.
    pub(super) async fn serves(&self, version: PolicyVersion) -> Result<(), ApiError> {
        self.book.reload(&self.ledger).await?;
        self.news.tell(LoopEvent::Serving { version });
        Ok(())
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = self.notices.clone();
        if let Slot::Ready(serving) = self.models.slot() {
            notices.extend(serving.versions.notice());
        }
        notices
    }

    /// The status, once the model is loaded or cannot be.
    pub(super) async fn settled_status(&self) -> Status {
        self.models.settled().await;
        self.status()
    }

    pub(super) fn is_loading(&self) -> bool {
        matches!(self.models.state(), ModelState::Loading { .. })
    }

    /// Asks the daemon to end; the first wish counts.
    pub(super) fn stop(&self, wait_s: u64) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            *stop = stop.or(Some(wait_s));
            first
        });
    }
}

/// Resident memory, where the system tells it as text.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Who is connected, and since when nobody is.
pub(super) struct Presence {
    connections: watch::Sender<usize>,
    last_seen: watch::Sender<Instant>,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self { connections: watch::channel(0).0, last_seen: watch::channel(Instant::now()).0 }
    }

    pub(super) fn connected(&self) {
        self.connections.send_modify(|count| *count += 1);
    }

    pub(super) fn disconnected(&self) {
        self.last_seen.send_replace(Instant::now());
        self.connections.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// How long nobody has been connected; `None` when somebody is.
    pub(super) fn alone_for(&self) -> Option<std::time::Duration> {
        (*self.connections.borrow() == 0).then(|| self.last_seen.borrow().elapsed())
    }

    /// Returns when nobody is connected.
    pub(super) async fn gone(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.connections.subscribe().wait_for(|&count| count == 0).await;
    }
}
