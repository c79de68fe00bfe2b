//! What is merged into the ledger from an export. Values only; what they do to the tables is `write::import`'s business.

use crate::lesson::LessonId;
use crate::store::{LessonStory, TurnRecord};

/// A turn of an export. Numbers of other rows in it are this ledger's.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportTurn {
    pub record: TurnRecord,
    /// As it stood in the file, where something was hidden since: a turn that the ledger holds in this form is known too.
    pub as_read: Option<Box<TurnRecord>>,
    /// Only find out what would become of it.
    pub dry_run: bool,
}

/// A lesson of an export. Sources are this ledger's; its history is taken over.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportLesson {
    pub story: LessonStory,
    /// Lessons of this ledger that it contradicts and that are older; they retire.
    pub replaces: Vec<LessonId>,
    /// A lesson of this ledger that contradicts it and is newer: it arrives retired.
    pub replaced_by: Option<LessonId>,
    /// Unix milliseconds.
    pub at: i64,
    pub dry_run: bool,
}
