//! What goes by itself: after `privacy.keep_days`, what was asked and answered is removed as if a person had forgotten
//! it, but for what was learned from it. A lesson keeps its text, and a version its weights; whoever wants those gone
//! forgets them (`forgetting`).
//!
//! What always holds: what is removed leaves the same tables, the write-ahead log and the copies of the ledger that
//! forgetting removes; a turn that runs, or that a run learns from just now, goes the next time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::answer::now_ms;
use super::error::ApiError;
use super::forgetting::remove_copies;
use super::state::Daemon;
use super::wire::LoopEvent;
use crate::store::{Entry, StoreError};
use crate::turn::TurnId;

mod typed;

/// Turns that are removed between two looks at who else waits for the ledger.
const BATCH: usize = 64;
const LOOK_AGAIN: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Removes what is too old, at the start and then every hour, until the daemon ends.
pub(super) async fn run(daemon: Arc<Daemon>) {
    let days = daemon.settings.privacy.keep_days;
    if days == 0 {
        return;
    }
    let mut stop = daemon.stop.subscribe();
    loop {
        if let Err(err) = remove_old(&daemon, DAY * days).await {
            tracing::warn!(reason = err.detail.message, "what is too old stays for now");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

async fn remove_old(daemon: &Daemon, age: Duration) -> Result<(), ApiError> {
    let before = now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let turns = remove_turns(daemon, before).await?;
    if !turns.is_empty() {
        remove_traces(daemon).await?;
    }
    let n_typed = remove_files(daemon, before, age).map_err(|err| failed(&err))?;
    if !turns.is_empty() || n_typed > 0 {
        tracing::info!(n_turns = turns.len(), n_typed, "removed by age");
        daemon.news.tell(LoopEvent::Forgotten { lessons: Vec::new(), turns });
    }
    Ok(())
}

/// What else holds a turn that was removed.
async fn remove_traces(daemon: &Daemon) -> Result<(), ApiError> {
    match daemon.ledger.append(Entry::EmptyLog).await {
        // SQLite writes over the log by itself as it goes on, and the next hour tries again.
        Err(StoreError::LogInUse) => tracing::info!("removed turns are in the write-ahead log for now"),
        other => other.map(drop)?,
    }
    // They are copies of what has just been removed.
    remove_copies(&daemon.paths.ledger(), false).map(drop)
}

/// What is not in the ledger. Says how many lines that people typed went.
fn remove_files(daemon: &Daemon, before: i64, age: Duration) -> std::io::Result<usize> {
    let paths = &daemon.paths;
    remove_folders(&paths.adapters_dir().join("runs"), age)?;
    let mut n_typed = 0;
    for file in paths.typed_files() {
        n_typed += typed::remove(&file, before / 1000)?;
    }
    Ok(n_typed)
}

async fn remove_turns(daemon: &Daemon, before: i64) -> Result<Vec<TurnId>, ApiError> {
    let (mut removed, mut n_kept) = (Vec::new(), 0);
    loop {
        let old = daemon.ledger.ask(move |reader| reader.turns_before(before, BATCH + n_kept)).await?;
        let waiting: Vec<TurnId> = old.into_iter().skip(n_kept).collect();
        if waiting.is_empty() {
            return Ok(removed);
        }
        for turn in waiting {
            match daemon.ledger.append(Entry::ForgetTurns { turns: vec![turn] }).await {
                Ok(_) => removed.push(turn),
                Err(StoreError::NoTurn(_)) => {}
                Err(StoreError::TurnInRun { .. } | StoreError::TurnRunning(_)) => n_kept += 1,
                Err(err) => return Err(err.into()),
            }
        }
    }
}

/// Files of rounds that never came to their end.
fn remove_folders(dir: &Path, age: Duration) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let written = entry.metadata()?.modified()?;
        // A clock that was set back makes nothing old.
        if SystemTime::from(jiff::Timestamp::now()).duration_since(written).is_ok_and(|old| old > age) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn failed(err: &std::io::Error) -> ApiError {
    ApiError::internal("retention_failed", err.to_string())
}
