//! What chela writes down about a file that it downloads: `FILE.gguf.part.json` while it is unfinished,
//! `FILE.gguf.json` once it is whole.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::disk;

/// Where one downloaded file came from, and how to know that it is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `ORG/REPO`.
    pub repo: String,
    /// The commit that the file was taken from.
    pub revision: String,
    /// Path inside the repository.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal; absent when the server did not say.
    pub sha256: Option<String>,
}

impl Manifest {
    /// The same bytes: a part of one continues the other.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        let same_source = match (&self.sha256, &other.sha256) {
            (Some(one), Some(two)) => one == two,
            // Without a hash only the very same commit is certain to hold the same bytes.
            _ => self.sha256 == other.sha256 && self.revision == other.revision,
        };
        same_source && self.size == other.size && self.repo == other.repo && self.file == other.file
    }

    /// What `chela model pull` takes to fetch this file again.
    pub fn spec(&self) -> String {
        format!("{}:{}", self.repo, self.file)
    }
}

/// Beside the whole file.
pub(super) fn beside(model: &Path) -> PathBuf {
    disk::with_suffix(model, ".json")
}

/// `None` when there is none, or when it cannot be read: then the file is like one that a person copied here.
pub fn read(model: &Path) -> Option<Manifest> {
    serde_json::from_slice(&std::fs::read(beside(model)).ok()?).ok()
}

pub(super) fn write(model: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    disk::write_whole(&beside(model), &text)
}
