//! The address that makes a backup, while everything goes on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;

use super::error::ApiError;
use super::state::Daemon;
use super::wire::owning::BackupMade;
use crate::store::backup::{Places, make};

/// `POST /chela/v1/backup`
pub(super) async fn back_up(State(daemon): State<Arc<Daemon>>) -> Result<Json<BackupMade>, ApiError> {
    let (ledger, adapters) = (daemon.paths.ledger(), daemon.paths.adapters_dir());
    let making = tokio::task::spawn_blocking(move || {
        make(Places { ledger: &ledger, adapters: &adapters }, Timestamp::now())
    });
    let failed =
        |reason: String| ApiError::internal("backup_failed", format!("no backup was made: {reason}"));
    let made = making.await.map_err(|err| failed(err.to_string()))?.map_err(|err| failed(err.to_string()))?;
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(Json(BackupMade {
        path: made.path.display().to_string(),
        bytes: made.bytes,
        turns: count(made.manifest.turns),
        lessons: count(made.manifest.lessons),
        adapters: count(made.manifest.adapters),
    }))
}
