//! Backups: a copy of the ledger with the adapters in one file, and the way back.
//!
//! What lives here: making one while others write, what is kept of them, putting one in the place of what is there. What
//! does not: the archive itself (`archive`), who may ask (`daemon`, `cli`).
//!
//! What always holds: a file under its final name was read back and compared with its hashes; what chela keeps stands
//! beside the ledger under a name that forgetting removes; a backup is whole and of a schema that is known before
//! anything that is there moves; what was there is kept.

mod archive;
mod restore;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::failure::{corrupt, store_error};
use super::reader::{open_read_only, wal_of, with_suffix};
use super::{StoreError, schema, sealed};
use crate::config::disk;
pub use archive::{BackupFile, BackupManifest};
use archive::{Source, pack};
pub use restore::{Restored, restore};

/// Ends the name of a backup.
const ENDING: &str = ".tar.zst";
/// Of a ledger that cannot be read, and is kept as it is.
const UNREADABLE: i64 = 0;

/// Where the things are that belong into a backup.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    pub ledger: &'a Path,
    pub adapters: &'a Path,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {reason}")]
    Io { path: PathBuf, reason: io::Error },
    #[error("{path} is no usable backup: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("{path} was made by a newer chela ({found}, this one knows up to {known}); use that one")]
    FromTheFuture { path: PathBuf, found: String, known: String },
    #[error("something was forgotten while the backup was made, so it was removed; make it again")]
    Forgotten,
}

impl BackupError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |reason| Self::Io { path: path.to_path_buf(), reason }
    }
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub path: PathBuf,
    pub bytes: u64,
    pub manifest: BackupManifest,
}

/// Copies the ledger as it is at one moment, whoever writes meanwhile, and the adapters, into one file beside the ledger.
pub fn make(places: Places<'_>, now: Timestamp) -> Result<Made, BackupError> {
    clear_unfinished(places.ledger)?;
    let (conn, _) = open_read_only(places.ledger)?;
    let found = schema::version(&conn).map_err(|err| store_error(places.ledger, &err))?;
    let name = name_of(places.ledger, found, now, "");
    let copy = with_suffix(&name, ".copy");
    let made = copy_ledger(&conn, places.ledger, &copy).and_then(|()| {
        let sources = sources(&copy, places.adapters)?;
        let manifest = archive::describe(found, now, &sources, counts(&conn, places.ledger)?)?;
        keep(&name, &manifest, &sources, &copy)
    });
    std::fs::remove_file(&copy).ok();
    made
}

/// A ledger that cannot be read, as its bytes are, with the adapters. Nobody has it open.
fn make_of_unreadable(places: Places<'_>, now: Timestamp) -> Result<Made, BackupError> {
    let mut sources = sources(places.ledger, places.adapters)?;
    let log = wal_of(places.ledger);
    if log.exists() {
        sources.push(Source { name: format!("{}-wal", archive::LEDGER), path: log });
    }
    let manifest = archive::describe(UNREADABLE, now, &sources, (0, 0))?;
    let name = name_of(places.ledger, UNREADABLE, now, "-unreadable");
    keep(&name, &manifest, &sources, places.ledger)
}

/// A file that chela keeps beside the ledger.
#[derive(Debug)]
pub struct Kept {
    pub path: PathBuf,
    /// `None`: a copy of the ledger from before an update. The error says why it cannot be read.
    pub manifest: Result<Option<BackupManifest>, String>,
}

/// What chela keeps beside the ledger, newest first.
pub fn list(ledger: &Path) -> Result<Vec<Kept>, BackupError> {
    let mut found = Vec::new();
    for path in beside(ledger)? {
        let text = path.to_string_lossy();
        let manifest = if text.ends_with(ENDING) {
            archive::manifest(&path).map(Some).map_err(|err| err.to_string())
        } else if is_unfinished(&text) {
            continue;
        } else {
            Ok(None)
        };
        found.push(Kept { path, manifest });
    }
    let at = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    found.sort_by_key(|kept| std::cmp::Reverse(at(&kept.path)));
    Ok(found)
}

/// Bytes of all that [`list`] names.
pub fn bytes_kept(ledger: &Path) -> u64 {
    let copies = beside(ledger).unwrap_or_default();
    copies.iter().filter_map(|copy| std::fs::metadata(copy).ok()).map(|file| file.len()).sum()
}

/// Whether a file that chela keeps holds a ledger that is not encrypted.
pub fn is_plain(kept: &Path) -> Result<bool, BackupError> {
    if kept.to_string_lossy().ends_with(ENDING) {
        return archive::ledger_begins(kept).map(|first| first == sealed::PLAIN);
    }
    Ok(sealed::look(kept)? == sealed::Look::Plain)
}

/// `ledger.db.v4.bak-20261123T104830Z.tar.zst`: begins as the copies that an update makes, so that forgetting finds it.
fn name_of(ledger: &Path, schema: i64, now: Timestamp, what: &str) -> PathBuf {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let names = (1..).map(|n: u32| {
        let number = if n == 1 { String::new() } else { format!(".{n}") };
        with_suffix(ledger, &format!(".v{schema}.bak-{time}{what}{number}{ENDING}"))
    });
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| ledger.to_path_buf())
}

fn is_unfinished(name: &str) -> bool {
    [".copy", ".part"].iter().any(|ending| name.ends_with(ending))
}

/// Files beside the ledger that are named as copies of it are.
fn beside(ledger: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let folder = ledger.parent().unwrap_or(Path::new("."));
    let name = ledger.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = match std::fs::read_dir(folder) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(BackupError::io(folder))?,
    };
    let is_copy = |path: &PathBuf| {
        let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        own.strip_prefix(&name).is_some_and(|rest| rest.starts_with(".v") && rest.contains(".bak"))
    };
    Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(is_copy).collect())
}

/// What a crash left.
fn clear_unfinished(ledger: &Path) -> Result<(), BackupError> {
    for path in beside(ledger)?.into_iter().filter(|path| is_unfinished(&path.to_string_lossy())) {
        std::fs::remove_file(&path).map_err(BackupError::io(&path))?;
    }
    Ok(())
}

/// One state of the ledger. Writers go on meanwhile.
fn copy_ledger(conn: &Connection, ledger: &Path, copy: &Path) -> Result<(), BackupError> {
    let fail = |err: rusqlite::Error| BackupError::Store(store_error(ledger, &err));
    let name = copy.to_str().ok_or_else(|| BackupError::Damaged {
        path: copy.to_path_buf(),
        reason: "its name is not UTF-8".to_owned(),
    })?;
    // So that it is nobody else's from its first byte on.
    disk::private().write(true).create_new(true).open(copy).map_err(BackupError::io(copy))?;
    conn.execute("VACUUM INTO ?1", [name]).map_err(fail)?;
    check(copy, schema::STEPS.len()).map(drop)
}

/// Turns and lessons; of a ledger from before there were lessons, none.
fn counts(conn: &Connection, ledger: &Path) -> Result<(u64, u64), StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        let n: i64 = conn.query_row(sql, [], |row| row.get(0)).map_err(|err| store_error(ledger, &err))?;
        Ok(u64::try_from(n).unwrap_or_default())
    };
    let has_lessons = count("SELECT count(*) FROM sqlite_schema WHERE name = 'lesson'")? > 0;
    let lessons = if has_lessons { count("SELECT count(*) FROM lesson")? } else { 0 };
    Ok((count("SELECT count(*) FROM turn WHERE settings <> 'null'")?, lessons))
}

/// Whether a file is a sound ledger of a schema that is known; its schema.
fn check(path: &Path, known: usize) -> Result<i64, BackupError> {
    let fail = |err: rusqlite::Error| BackupError::Store(store_error(path, &err));
    let (conn, _) = open_read_only(path)?;
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(fail)?;
    let found = schema::version(&conn).map_err(fail)?;
    if application != schema::APPLICATION_ID {
        return Err(corrupt(path, &"it is the database of another program").into());
    }
    if usize::try_from(found).is_ok_and(|found| found > known) {
        return Err(StoreError::FromTheFuture { path: path.display().to_string(), found, known }.into());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fail)?;
    if verdict == "ok" { Ok(found) } else { Err(corrupt(path, &verdict).into()) }
}

/// The ledger's copy and the versions on the shelf; not what a run has not made a version of yet.
fn sources(ledger: &Path, adapters: &Path) -> Result<Vec<Source>, BackupError> {
    let mut sources = vec![Source { name: archive::LEDGER.to_owned(), path: ledger.to_path_buf() }];
    let entries = match std::fs::read_dir(adapters) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(sources),
        entries => entries.map_err(BackupError::io(adapters))?,
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || name == "runs" {
            continue;
        }
        let whole = format!("{}/{name}", archive::ADAPTERS);
        if path.is_file() {
            sources.push(Source { name: whole, path });
            continue;
        }
        let files = std::fs::read_dir(&path).map_err(BackupError::io(&path))?;
        for file in files.filter_map(Result::ok).map(|entry| entry.path()).filter(|file| file.is_file()) {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            sources.push(Source { name: format!("{whole}/{name}"), path: file });
        }
    }
    Ok(sources)
}

/// Packs, reads back, and gives the file its name. `witness` is gone when something was forgotten meanwhile.
fn keep(
    name: &Path,
    manifest: &BackupManifest,
    sources: &[Source],
    witness: &Path,
) -> Result<Made, BackupError> {
    let part = with_suffix(name, ".part");
    let packed = pack(&part, manifest, sources).and_then(|()| archive::verify(&part)).and_then(|_| {
        if !witness.exists() {
            return Err(BackupError::Forgotten);
        }
        let gone =
            |err: io::Error| if part.exists() { BackupError::io(name)(err) } else { BackupError::Forgotten };
        std::fs::rename(&part, name).and_then(|()| disk::sync_parent(name)).map_err(gone)?;
        let bytes = std::fs::metadata(name).map_err(BackupError::io(name))?.len();
        Ok(Made { path: name.to_path_buf(), bytes, manifest: manifest.clone() })
    });
    std::fs::remove_file(&part).ok();
    packed
}

/// The write-ahead log and its index, beside a ledger that nobody has open.
fn remove_log(ledger: &Path) -> Result<(), BackupError> {
    for path in [wal_of(ledger), with_suffix(ledger, "-shm")] {
        match std::fs::remove_file(&path) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(&path)(err)),
            _ => {}
        }
    }
    Ok(())
}
