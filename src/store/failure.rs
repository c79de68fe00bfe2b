//! From SQLite's errors to the ledger's: what the user can do about it decides the kind.

use std::path::Path;

use rusqlite::ErrorCode;

use super::StoreError;

/// Why a statement or an entry did not go through, before it is known which file it was about.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    /// The entry makes no sense in this ledger; nothing was written for it.
    Refused(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(err: rusqlite::Error) -> Self {
        Self::Sqlite(err)
    }
}

impl From<StoreError> for Failure {
    fn from(err: StoreError) -> Self {
        Self::Refused(err)
    }
}

impl Failure {
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(err) => store_error(path, &err),
            Self::Refused(err) => err,
        }
    }
}

pub(super) fn store_error(path: &Path, err: &rusqlite::Error) -> StoreError {
    let full = "the disk is full; free some space";
    match err.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => unwritable(path, &full),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            unwritable(path, &format!("the file or its directory is read-only ({err})"))
        }
        Some(ErrorCode::CannotOpen) => unwritable(
            path,
            &format!("cannot open it or a file beside it; is the directory writable? ({err})"),
        ),
        Some(ErrorCode::SystemIoFailure) => unwritable(path, err),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => corrupt(path, err),
        _ => StoreError::Sqlite(err.to_string()),
    }
}

pub(super) fn unwritable(path: &Path, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unwritable { path: path.display().to_string(), reason: reason.to_string() }
}

pub(super) fn corrupt(path: &Path, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { path: path.display().to_string(), reason: reason.to_string() }
}
