//! What an exported folder says of itself: which files, how many lines, which hash.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::store::LeftOut;

/// The format that is written. Older ones are read, newer ones are refused.
pub(in crate::cli) const FORMAT: u32 = 1;
/// Its name in the folder.
pub(in crate::cli) const FILE: &str = "manifest.json";
/// The folder of the adapters.
pub(in crate::cli) const ADAPTERS: &str = "adapters";

/// What can be taken along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Kind {
    /// Everything that was asked and answered, with what followed and what was concluded
    Turns,
    /// Lessons with their history
    Lessons,
    /// Rounds of learning with what the gate measured
    Runs,
    /// Conversations that end with an answer you confirmed or wrote: what `chela train` reads
    Training,
    /// Pairs of a better and a worse answer to the same conversation
    Preferences,
    /// What was learned, as GGUF and PEFT files
    Adapters,
}

impl Kind {
    /// In the order in which they are written.
    pub(in crate::cli) const ALL: [Self; 6] =
        [Self::Turns, Self::Lessons, Self::Runs, Self::Training, Self::Preferences, Self::Adapters];

    /// The file of a kind that is one.
    pub(in crate::cli) fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Turns => Some("turns.jsonl"),
            Self::Lessons => Some("lessons.jsonl"),
            Self::Runs => Some("runs.jsonl"),
            Self::Training => Some("training.jsonl"),
            Self::Preferences => Some("preferences.jsonl"),
            Self::Adapters => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli) struct Manifest {
    pub(in crate::cli) format: u32,
    /// Version of the program that wrote it.
    pub(in crate::cli) chela: String,
    /// RFC 3339.
    pub(in crate::cli) made_at: String,
    pub(in crate::cli) files: Vec<FileEntry>,
    /// Turns that are in no file.
    pub(in crate::cli) left_out: LeftOut,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct FileEntry {
    /// Below the folder, with slashes.
    pub(in crate::cli) name: String,
    pub(in crate::cli) kind: Kind,
    /// Lines; of an adapter's file, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) rows: Option<u64>,
    pub(in crate::cli) bytes: u64,
    /// Lower-case hexadecimal.
    pub(in crate::cli) sha256: String,
}
