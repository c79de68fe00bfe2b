//! Encryption at rest: which ledgers have a key, and every connection gets it here. An option of the build.
//!
//! What lives here: what a file looks like from outside, which key belongs to a folder, opening with it. What does not:
//! fetching and stretching the key (`key`), the way from a plain file to a sealed one and back (`convert`).
//!
//! What always holds: a file that may be encrypted is never set aside and never written without its key; the key is
//! fetched once for each process, at the first connection, and is in no log and no error.

#[cfg(feature = "encrypted")]
mod convert;
#[cfg(feature = "encrypted")]
mod key;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;

use super::StoreError;
use super::failure::unwritable;
use crate::config::KeySource;

/// Whether this program can encrypt.
pub const BUILT: bool = cfg!(feature = "encrypted");

/// How SQLite's own files begin.
pub(in crate::store) const PLAIN: &[u8] = b"SQLite format 3\0";

/// A page, the smallest thing that is encrypted.
const PAGE: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    #[error(
        "{path} is encrypted (or its beginning is damaged), and no key is set: set privacy.key_command or privacy.key_file{build}"
    )]
    NoKey { path: String, build: &'static str },
    #[error(
        "{path} does not open with the key of {setting}: that is another key, or the file's beginning is damaged; nothing was changed"
    )]
    WrongKey { path: String, setting: &'static str },
    #[error(
        "{path} is not encrypted although {setting} is set: `chela privacy encrypt` encrypts it, `chela config set {setting} \"\"` leaves it plain"
    )]
    NotSealed { path: String, setting: &'static str },
    #[error("no key from {setting}: {reason}")]
    KeyNotThere { setting: &'static str, reason: String },
    #[error(
        "{setting} is set, but this chela was built without encryption: build it with CHELA_FEATURES=encrypted scripts/run (cargo build --release --features encrypted), or `chela config set {setting} \"\"`"
    )]
    NotBuilt { setting: &'static str },
    #[error(
        "this chela was built without encryption: build it with CHELA_FEATURES=encrypted scripts/run (cargo build --release --features encrypted)"
    )]
    CannotSeal,
    #[error("no key is set: set privacy.key_command or privacy.key_file first (`chela config set`)")]
    NoKeySet,
    #[error(
        "the copy of {path} is not what it should be ({reason}); it was removed, and nothing was changed"
    )]
    BadCopy { path: String, reason: String },
    #[error("{path} needs {needed} more bytes on its disk while it is copied, and {free} are free")]
    NoRoom { path: String, needed: u64, free: u64 },
}

const AND_BUILD: &str =
    ", with a chela that was built with encryption (CHELA_FEATURES=encrypted scripts/run)";

/// What a ledger's file looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Empty,
    Plain,
    /// As encryption leaves it. Compressed and random bytes look the same.
    Sealed,
    Garbled,
}

/// Looks at the beginning of a file.
pub fn look(path: &Path) -> Result<Look, StoreError> {
    let mut first = Vec::with_capacity(PAGE);
    let file = File::open(path).map_err(|err| unwritable(path, &err))?;
    file.take(PAGE as u64).read_to_end(&mut first).map_err(|err| unwritable(path, &err))?;
    Ok(looks_like(&first))
}

fn looks_like(first: &[u8]) -> Look {
    if first.is_empty() {
        Look::Empty
    } else if first.starts_with(PLAIN) {
        Look::Plain
    } else if first.len() == PAGE && is_random(first) {
        Look::Sealed
    } else {
        Look::Garbled
    }
}

/// Of 4096 random bytes each value is there 16 times, more or less: none of them 64 times, and hardly one never.
fn is_random(page: &[u8]) -> bool {
    let mut counts = [0_usize; 256];
    for &byte in page {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    counts.iter().all(|&n| n < 64) && counts.iter().filter(|&&n| n == 0).count() <= 3
}

/// The key of the ledger in a folder, and of every copy below it.
struct Lock {
    source: KeySource,
    #[cfg(feature = "encrypted")]
    keys: key::Keys,
}

static LOCKS: RwLock<BTreeMap<PathBuf, Arc<Lock>>> = RwLock::new(BTreeMap::new());

/// From now on this is where the key of the ledger comes from; `None`: it is a plain file. Fetches nothing yet.
pub fn use_key(ledger: &Path, source: Option<KeySource>) {
    let Some(folder) = ledger.parent().map(Path::to_path_buf) else { return };
    let mut locks = LOCKS.write().unwrap_or_else(PoisonError::into_inner);
    let Some(source) = source else {
        locks.remove(&folder);
        return;
    };
    if locks.get(&folder).is_none_or(|lock| lock.source != source) {
        let lock = Lock {
            source,
            #[cfg(feature = "encrypted")]
            keys: key::Keys::default(),
        };
        locks.insert(folder, Arc::new(lock));
    }
}

/// The nearest folder above counts.
fn lock_of(path: &Path) -> Option<Arc<Lock>> {
    let locks = LOCKS.read().unwrap_or_else(PoisonError::into_inner);
    path.ancestors().find_map(|folder| locks.get(folder).map(Arc::clone))
}

/// Gives a connection the key of its file. An empty file is left as it is.
pub(in crate::store) fn unlock(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    open_lock(conn, path, look(path)?)
}

/// The same for who may write: an empty file becomes an encrypted ledger where a key is set.
pub(in crate::store) fn unlock_or_begin(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    match (look(path)?, lock_of(path)) {
        (Look::Empty, Some(lock)) => begin(conn, &lock),
        (found, _) => open_lock(conn, path, found),
    }
}

fn open_lock(conn: &Connection, path: &Path, found: Look) -> Result<(), StoreError> {
    match (found, lock_of(path)) {
        (_, Some(lock)) if !BUILT => Err(SealedError::NotBuilt { setting: lock.source.setting() }.into()),
        (Look::Sealed, None) => {
            let build = if BUILT { "" } else { AND_BUILD };
            Err(SealedError::NoKey { path: path.display().to_string(), build }.into())
        }
        (Look::Sealed, Some(lock)) => apply(conn, path, &lock),
        (Look::Plain, Some(lock)) => {
            let setting = lock.source.setting();
            Err(SealedError::NotSealed { path: path.display().to_string(), setting }.into())
        }
        (Look::Empty | Look::Garbled, Some(_)) | (_, None) => Ok(()),
    }
}

#[cfg(not(feature = "encrypted"))]
fn begin(_: &Connection, lock: &Lock) -> Result<(), StoreError> {
    Err(SealedError::NotBuilt { setting: lock.source.setting() }.into())
}

#[cfg(not(feature = "encrypted"))]
fn apply(_: &Connection, _: &Path, lock: &Lock) -> Result<(), StoreError> {
    Err(SealedError::NotBuilt { setting: lock.source.setting() }.into())
}

/// The salt of a new file is drawn here, because the key is stretched with it; it is the file's first 16 bytes.
#[cfg(feature = "encrypted")]
fn begin(conn: &Connection, lock: &Lock) -> Result<(), StoreError> {
    let salt = key::new_salt(&lock.source)?;
    key::apply(conn, &lock.keys.key(&lock.source, salt)?)
}

/// Proves the key, so that what goes wrong later is not about it.
#[cfg(feature = "encrypted")]
fn apply(conn: &Connection, path: &Path, lock: &Lock) -> Result<(), StoreError> {
    use rusqlite::ErrorCode;

    let salt = key::salt_of(path).map_err(|err| unwritable(path, &err))?;
    key::apply(conn, &lock.keys.key(&lock.source, salt)?)?;
    match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Err(err)
            if matches!(
                err.sqlite_error_code(),
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
            ) =>
        {
            let setting = lock.source.setting();
            Err(SealedError::WrongKey { path: path.display().to_string(), setting }.into())
        }
        proof => proof.map_err(|err| super::failure::store_error(path, &err)),
    }
}

/// What became of a ledger that was converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    pub tables: usize,
    pub rows: u64,
    pub bytes: u64,
    /// What could not be overwritten of the file that was there before, and why.
    pub not_overwritten: Option<String>,
}

/// Encrypts a plain ledger. `None`: it is encrypted already, and its key opens it. The caller holds the daemon's lock.
pub fn encrypt(ledger: &Path) -> Result<Option<Converted>, StoreError> {
    convert_to(ledger, Look::Sealed)
}

/// The way back. `None`: it is a plain file already.
pub fn decrypt(ledger: &Path) -> Result<Option<Converted>, StoreError> {
    convert_to(ledger, Look::Plain)
}

/// Encrypts a plain copy where a key is set.
pub(in crate::store) fn seal_if_wanted(copy: &Path) -> Result<(), StoreError> {
    if BUILT && lock_of(copy).is_some() && look(copy)? == Look::Plain {
        convert_to(copy, Look::Sealed)?;
    }
    Ok(())
}

#[cfg(not(feature = "encrypted"))]
fn convert_to(_: &Path, _: Look) -> Result<Option<Converted>, StoreError> {
    Err(SealedError::CannotSeal.into())
}

#[cfg(feature = "encrypted")]
fn convert_to(ledger: &Path, wanted: Look) -> Result<Option<Converted>, StoreError> {
    let lock = lock_of(ledger).ok_or(SealedError::NoKeySet)?;
    match look(ledger)? {
        Look::Plain | Look::Sealed if look(ledger)? != wanted => {
            convert::convert(ledger, &lock, wanted).map(Some)
        }
        Look::Garbled => Err(super::failure::corrupt(ledger, &"it is not an SQLite database")),
        _ => {
            if wanted == Look::Sealed {
                super::reader::open_read_only(ledger)?;
            }
            convert::clear_unfinished(ledger)?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern, from a generator that is as good as needed here.
    fn noise(n: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .take(n)
        .collect()
    }

    #[test]
    fn a_file_is_known_by_its_beginning() {
        assert_eq!(looks_like(b""), Look::Empty);
        assert_eq!(looks_like(b"SQLite format 3\0 and more"), Look::Plain);
        assert_eq!(looks_like(&noise(PAGE)), Look::Sealed);
        assert_eq!(looks_like(&noise(PAGE - 1)), Look::Garbled);
        assert_eq!(looks_like(&"garbage".repeat(1_000).as_bytes()[..PAGE]), Look::Garbled);
        assert_eq!(looks_like(&[0; PAGE]), Look::Garbled);
    }

    #[test]
    fn a_page_of_text_is_not_taken_for_an_encrypted_one() {
        let text: Vec<u8> = (0..PAGE).map(|at| b' ' + u8::try_from(at * at % 90).unwrap()).collect();
        assert_eq!(looks_like(&text), Look::Garbled);
    }

    #[test]
    fn a_key_counts_for_the_folder_and_all_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.db");
        use_key(&ledger, Some(KeySource::File("/k".into())));
        assert!(lock_of(&ledger).is_some() && lock_of(&dir.path().join("a/b.db")).is_some());
        assert!(lock_of(dir.path().parent().unwrap()).is_none());
        use_key(&ledger, None);
        assert!(lock_of(&ledger).is_none());
    }
}
