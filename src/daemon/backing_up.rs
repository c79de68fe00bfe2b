//! The address that makes a backup, while everything goes on.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use jiff::Timestamp;

use super::error::ApiError;
use super::state::Daemon;
use super::teaching::parsed;
use super::wire::owning::{BackupMade, MakeBackup};
use crate::store::backup::{Places, make};

/// `POST /chela/v1/backup`
pub(super) async fn back_up(
    State(daemon): State<Arc<Daemon>>,
    body: Body,
) -> Result<Json<BackupMade>, ApiError> {
    let MakeBackup { to } = parsed(body).await?;
    if to.as_deref().is_some_and(|to| !Path::new(to).is_absolute()) {
        return Err(ApiError::bad_request("invalid_path", "name the backup by its absolute path"));
    }
    let (ledger, adapters) = (daemon.paths.ledger(), daemon.paths.adapters_dir());
    let making = tokio::task::spawn_blocking(move || {
        let places = Places { ledger: &ledger, adapters: &adapters };
        make(places, to.as_deref().map(Path::new), Timestamp::now())
    });
    let failed = |reason: String| ApiError::internal("backup_failed", format!("no backup was made: {reason}"));
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
