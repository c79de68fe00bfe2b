//! What takes data in from an export, and what keeps a copy of it.

use serde::{Deserialize, Serialize};

// The ledger's rows go over the socket as they are.
pub use crate::store::{LessonStory, SessionFacts, TurnRecord};
use crate::turn::TurnId;

/// `POST /chela/v1/import`: a part of an export. Numbers in it are those of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Import {
    #[serde(default)]
    pub turns: Vec<TurnRecord>,
    #[serde(default)]
    pub lessons: Vec<LessonStory>,
    /// Turns of the file that came before, and their numbers here.
    #[serde(default)]
    pub known: Vec<(TurnId, TurnId)>,
    /// Say what would come of it, and write nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Nothing follows: what was written is synced to the disk.
    #[serde(default)]
    pub is_last: bool,
}

/// What came of each, in the order of the question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    pub turns: Vec<Outcome>,
    pub lessons: Vec<Outcome>,
}

/// What came of one turn or lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// Its number here.
    New {
        id: i64,
    },
    /// It was there; something that followed it is new.
    More {
        id: i64,
    },
    /// It was there, and stays as it is.
    Known {
        id: i64,
    },
    Refused {
        reason: String,
    },
}

/// `POST /chela/v1/backup`: a copy of ledger and adapters in one file, beside the ledger, where forgetting removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupMade {
    pub path: String,
    pub bytes: u64,
    pub turns: usize,
    pub lessons: usize,
    pub adapters: usize,
}
