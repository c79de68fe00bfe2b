//! Why an adapter cannot be read, written, kept or served, in sentences that name it and say what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::gguf::{GgufError, WriteError};
use crate::turn::PolicyVersion;

/// What is wrong with an adapter, its files, or the place where it is kept.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: WriteError,
    },
    /// A file that is no adapter, or one that chela cannot use.
    #[error("{} is not an adapter that chela can use: {reason}", path.display())]
    Unusable { path: PathBuf, reason: String },
    /// The matrices themselves are wrong.
    #[error("the adapter is not sound: {0}")]
    Unsound(String),
    /// The model cannot carry an adapter.
    #[error("{} cannot be the base of an adapter: {reason}", path.display())]
    BadBase { path: PathBuf, reason: String },
    #[error(
        "the adapter was made for another model than {base}: {reason}; choose its base first: chela model use NAME"
    )]
    Misfit { base: String, reason: String },
    #[error(
        "adapter {version} was made for {made_for} ({}), and the model is {current} ({}); \
         `chela model use {made_for}` brings its base back",
        short(made_for_sha256),
        short(current_sha256)
    )]
    OtherBase {
        version: PolicyVersion,
        made_for: String,
        made_for_sha256: String,
        current: String,
        current_sha256: String,
    },
    #[error("{} has format {found}, this chela knows up to {known}; use the newer chela", path.display())]
    FromTheFuture { path: PathBuf, found: u32, known: u32 },
    #[error("there is no adapter {0}; `chela adapter list` shows what there is")]
    NoVersion(PolicyVersion),
    #[error(
        "adapter {version} is damaged: {reason}; train or import it again, or `chela adapter rm {version}`"
    )]
    Damaged { version: PolicyVersion, reason: String },
}

impl AdapterError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    pub(super) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_path_buf(), reason: reason.into() }
    }
}

/// Enough of a hash to tell two models apart on a screen.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
