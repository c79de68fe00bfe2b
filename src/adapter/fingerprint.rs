//! Which model a file is: the SHA-256 of its content, computed once for each file.
//!
//! Hashing gigabytes takes seconds, so hashes are kept under the file's path, size and times. A file that was
//! changed in place has other times and is hashed again.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::AdapterError;
use crate::config::disk;

/// Hashes that are kept; the cache never grows beyond the models that a person really uses.
const MAX_KNOWN: usize = 64;

/// What makes a file the same one as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    size: u64,
    inode: u64,
    /// Nanoseconds since 1970, as text: they do not fit JSON numbers everywhere.
    modified: String,
    changed: String,
    sha256: String,
}

/// The SHA-256 of the file's content, lower-case hexadecimal. `cache` is read and written; without it, or when it
/// is damaged, everything works and takes longer.
pub fn of_file(model: &Path, cache: &Path) -> Result<String, AdapterError> {
    let failed = |source| AdapterError::io(model, source);
    let path = model.canonicalize().map_err(failed)?;
    let before = stamp(&path, String::new()).map_err(failed)?;
    let mut known = read(cache);
    let key = path.to_string_lossy().into_owned();
    if let Some(known) = known.get(&key).filter(|known| known.is_of(&before)) {
        return Ok(known.sha256.clone());
    }
    let sha256 = disk::sha256_of(&path, &mut |_| true).map_err(failed)?;
    let after = stamp(&path, sha256.clone()).map_err(failed)?;
    if !after.is_of(&before) {
        let changed = io::Error::other("it changed while it was being read; wait until it is whole");
        return Err(failed(changed));
    }
    known.retain(|path, _| Path::new(path).exists());
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    known.insert(key, after);
    // Only an optimization: the next command hashes again.
    if let Ok(text) = serde_json::to_vec(&known) {
        disk::write_whole(cache, &text).ok();
    }
    Ok(sha256)
}

impl Known {
    fn is_of(&self, stamp: &Self) -> bool {
        (self.size, self.inode, &self.modified, &self.changed)
            == (stamp.size, stamp.inode, &stamp.modified, &stamp.changed)
    }
}

fn read(cache: &Path) -> BTreeMap<String, Known> {
    std::fs::read(cache).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn stamp(path: &Path, sha256: String) -> io::Result<Known> {
    let about = std::fs::metadata(path)?;
    let nanoseconds = |s: i64, ns: i64| (i128::from(s) * 1_000_000_000 + i128::from(ns)).to_string();
    Ok(Known {
        size: about.len(),
        inode: about.ino(),
        modified: nanoseconds(about.mtime(), about.mtime_nsec()),
        changed: nanoseconds(about.ctime(), about.ctime_nsec()),
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_known_file_is_not_read_again_and_a_changed_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let (model, cache) = (folder.path().join("m.gguf"), folder.path().join("cache.json"));
        std::fs::write(&model, "abc").unwrap();
        assert_eq!(of_file(&model, &cache).unwrap(), OF_ABC);
        let kept = std::fs::read_to_string(&cache).unwrap();
        std::fs::write(&cache, kept.replace(OF_ABC, "kept")).unwrap();
        assert_eq!(of_file(&model, &cache).unwrap(), "kept");
        std::fs::write(&model, "other").unwrap();
        assert_ne!(of_file(&model, &cache).unwrap(), "kept");
    }

    #[test]
    fn a_damaged_or_impossible_cache_only_costs_time() {
        let folder = tempfile::tempdir().unwrap();
        let (model, cache) = (folder.path().join("m.gguf"), folder.path().join("cache.json"));
        std::fs::write(&model, "abc").unwrap();
        std::fs::write(&cache, "{").unwrap();
        assert_eq!(of_file(&model, &cache).unwrap(), OF_ABC);
        assert_eq!(of_file(&model, Path::new("/nonexistent/cache.json")).unwrap(), OF_ABC);
    }

    #[test]
    fn an_absent_model_is_named() {
        let error = of_file(Path::new("/nonexistent/m.gguf"), Path::new("/nonexistent/c")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/m.gguf"), "{error}");
    }
}
