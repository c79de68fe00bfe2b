//! The way back: a backup in the place of what is there. Only while no daemon runs.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::archive::{self, ADAPTERS, LEDGER};
use super::{BackupError, BackupManifest, Places, UNREADABLE, check, make, make_of_unreadable, remove_log};
use crate::adapter::Shelf;
use crate::config::disk;
use crate::store::{StoreError, schema, sealed};

/// What was put back.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    pub manifest: BackupManifest,
    /// What was there before; `None`: there was nothing.
    pub kept: Option<PathBuf>,
    /// There was a note about the ledger that is gone.
    pub dropped_note: bool,
}

/// Puts a backup in the place of what is there, which is kept as a backup too. The caller holds the daemon's lock. `note`
/// names a file that speaks of the ledger that goes; it goes with it.
/// After a crash there is what was before, or the adapters or all of the backup: restoring again ends it.
pub fn restore(
    places: Places<'_>,
    backup: &Path,
    note: &Path,
    now: Timestamp,
) -> Result<Restored, BackupError> {
    let folder = disk::with_suffix(places.ledger, ".restoring");
    clear(&folder)?;
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(BackupError::io(&folder))?;
    let restored = prepare(&folder, backup).and_then(|manifest| {
        let kept = keep_present(places, now)?;
        let dropped_note = remove_if_there(note)?;
        put(places, &folder)?;
        Ok(Restored { manifest, kept, dropped_note })
    });
    clear(&folder)?;
    restored
}

fn remove_if_there(file: &Path) -> Result<bool, BackupError> {
    match std::fs::remove_file(file) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true).map_err(BackupError::io(file)),
    }
}

fn clear(folder: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(folder) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(BackupError::io(folder)(err)),
        _ => Ok(()),
    }
}

/// All that may be wrong with a backup is found here, before anything moves.
fn prepare(folder: &Path, backup: &Path) -> Result<BackupManifest, BackupError> {
    let manifest = archive::manifest(backup)?;
    let known = schema::STEPS.len();
    if usize::try_from(manifest.schema).is_ok_and(|schema| schema > known) {
        let found = format!("chela {}, schema {}", manifest.chela, manifest.schema);
        return Err(BackupError::FromTheFuture {
            path: backup.to_path_buf(),
            found,
            known: format!("schema {known}"),
        });
    }
    if manifest.schema == UNREADABLE {
        let reason = "it keeps a ledger that could not be read; unpack it with tar to look at it".to_owned();
        return Err(BackupError::Damaged { path: backup.to_path_buf(), reason });
    }
    let manifest = archive::unpack(backup, folder)?;
    let ledger = folder.join(LEDGER);
    // A backup from before there was a key.
    sealed::seal_if_wanted(&ledger)?;
    check(&ledger, known)?;
    Ok(manifest)
}

/// `None`: there is no ledger.
fn keep_present(places: Places<'_>, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    if !places.ledger.exists() {
        return Ok(None);
    }
    let made = match make(places, now) {
        // Without its key nothing can be said of it. It may be in order.
        Err(BackupError::Store(err @ StoreError::Sealed(_))) => return Err(err.into()),
        Err(BackupError::Store(_)) => make_of_unreadable(places, now)?,
        made => made?,
    };
    Ok(Some(made.path))
}

/// The log goes before the new ledger comes: SQLite would apply it to that.
fn put(places: Places<'_>, folder: &Path) -> Result<(), BackupError> {
    let new = folder.join(ADAPTERS);
    DirBuilder::new().recursive(true).mode(0o700).create(&new).map_err(BackupError::io(&new))?;
    // A number that was given here since is not given to another version.
    Shelf::new(&new)
        .keep_numbers_of(&Shelf::new(places.adapters))
        .map_err(|err| BackupError::Io { path: new.clone(), reason: io::Error::other(err.to_string()) })?;
    let old = folder.join("replaced");
    if places.adapters.exists() {
        std::fs::rename(places.adapters, &old).map_err(BackupError::io(places.adapters))?;
    }
    std::fs::rename(&new, places.adapters).map_err(BackupError::io(places.adapters))?;
    remove_log(places.ledger)?;
    std::fs::rename(folder.join(LEDGER), places.ledger).map_err(BackupError::io(places.ledger))?;
    disk::sync_parent(places.ledger).map_err(BackupError::io(places.ledger))
}
