//! The starter model: part of the program, unpacked into chela's models directory on first use.
//!
//! The file on disk is a copy that llama.cpp can map. It is compared with the embedded bytes each time it is asked
//! for (8 MB, about two milliseconds), so a damaged copy and one of an older chela are both replaced.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::disk;

/// The name under which the starter is listed and configured.
pub const NAME: &str = "chela-starter";

/// SHA-256 of the embedded file, as in its model card.
pub const SHA256: &str = "1568fea469a8dcb39888d98afd443cf327e3ecaa9537ecf80a83f5ed7359c968";

/// Where the training text came from and under which terms it may be passed on.
pub const ATTRIBUTION: &str = include_str!("../../assets/starter/ATTRIBUTION.md");

/// The file itself.
pub const BYTES: &[u8] = include_bytes!("../../assets/starter/chela-starter.gguf");

#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    #[error("no room for the starter model: {dir} has {free} free, {need} are needed; free some space there")]
    DiskFull { dir: PathBuf, free: String, need: String },
    #[error(
        "cannot unpack the starter model to {path}: {reason}; make the directory writable or set CHELA_HOME to another"
    )]
    Write { path: PathBuf, reason: io::Error },
}

/// Where the starter lies once it is unpacked.
pub fn path_in(models_dir: &Path) -> PathBuf {
    models_dir.join(format!("{NAME}.gguf"))
}

/// Makes sure that the starter lies in `models_dir`, whole and of this version; returns its path.
/// Any number of processes may call this at once.
pub fn unpack(models_dir: &Path) -> Result<PathBuf, StarterError> {
    let path = path_in(models_dir);
    if holds_exactly(&path, BYTES) {
        return Ok(path);
    }
    match unpack_locked(models_dir, &path) {
        Ok(()) => Ok(path),
        Err(reason) if reason.kind() == io::ErrorKind::StorageFull => Err(disk_full(models_dir)),
        Err(reason) => Err(StarterError::Write { path, reason }),
    }
}

fn unpack_locked(models_dir: &Path, path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(models_dir)?;
    let _lock = disk::lock(&models_dir.join(".starter.lock"), true)?;
    // Another process may have unpacked it while this one waited.
    if holds_exactly(path, BYTES) {
        return Ok(());
    }
    disk::write_whole(path, BYTES)
}

/// Compares without reading past the first difference; a file that cannot be read is not equal.
fn holds_exactly(path: &Path, expected: &[u8]) -> bool {
    let Ok(mut file) = std::fs::File::open(path) else { return false };
    if file.metadata().is_ok_and(|meta| meta.len() != expected.len() as u64) {
        return false;
    }
    let mut buffer = vec![0; 1 << 18];
    expected.chunks(buffer.len()).all(|chunk| {
        let Some(read) = buffer.get_mut(..chunk.len()) else { return false };
        file.read_exact(read).is_ok() && read == chunk
    })
}

fn disk_full(models_dir: &Path) -> StarterError {
    let free = disk::free_bytes(models_dir).unwrap_or(0);
    StarterError::DiskFull {
        dir: models_dir.to_path_buf(),
        free: indicatif::DecimalBytes(free).to_string(),
        need: indicatif::DecimalBytes(BYTES.len() as u64).to_string(),
    }
}
