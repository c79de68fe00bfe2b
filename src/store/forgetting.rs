//! What is to be forgotten: what a person names, and the rows that it means. Values only; finding them is `reader`'s
//! business, removing them `write`'s.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::RunId;
use crate::lesson::LessonId;
use crate::turn::{PolicyVersion, SessionId, TurnId};

/// What a person names. Everything that any of it names is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub turns: Vec<TurnId>,
    pub lessons: Vec<LessonId>,
    /// Whole names, or beginnings that only one session has.
    pub sessions: Vec<SessionId>,
    /// A folder with all below it; compared by whole components.
    pub project: Option<String>,
    /// Unix milliseconds.
    pub since: Option<i64>,
    /// Text that stands somewhere; capital and small letters are the same.
    pub matching: Option<String>,
    pub all: bool,
}

/// The rows that are meant, by their numbers. What went already, and what still runs, is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// Oldest first.
    pub turns: Vec<TurnId>,
    pub lessons: Vec<LessonId>,
    /// What followed turns that stay, by its place there.
    pub states: Vec<(TurnId, u32)>,
    /// Sessions of which no turn stays.
    pub sessions: Vec<i64>,
    pub words: Words,
    /// Excluded folders whose names hold the text.
    pub folders: Vec<String>,
    /// Versions of the policy that learned from any of it. Those that were built on them come on top.
    pub taught: BTreeSet<PolicyVersion>,
    /// Turns that lessons were drawn from and that stay.
    pub said_in: Vec<TurnId>,
    /// The newest turn and lesson that there were.
    pub newest_turn: TurnId,
    pub n_shell_commands: usize,
    pub n_samples: usize,
    /// Training runs that saw any of it.
    pub n_runs: usize,
    /// Turns that stay and whose prompts held any of it.
    pub n_prompts: usize,
}

/// Rows that stay and say it in one column: that column is emptied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Words {
    pub lesson_events: Vec<i64>,
    pub verdicts: Vec<i64>,
    pub runs: Vec<RunId>,
    pub servings: Vec<i64>,
    pub sessions: Vec<i64>,
}

impl Words {
    pub fn len(&self) -> usize {
        self.lesson_events.len()
            + self.verdicts.len()
            + self.runs.len()
            + self.servings.len()
            + self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One bounded piece of forgetting, beside lessons and turns one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// What followed turns, of what was there at `until` (Unix milliseconds), with what was concluded from it.
    States {
        states: Vec<(TurnId, u32)>,
        until: i64,
    },
    Words(Words),
    /// Rows of sessions without turns, of those that began before `until`.
    Sessions {
        sessions: Vec<i64>,
        until: i64,
    },
    Folders(Vec<String>),
    /// The index of words anew, without turns up to `newest`. Comes before their rows go as [`Removal::Turns`].
    Index {
        newest: TurnId,
    },
    /// All turns from `first` to `last`, of those up to `newest`, which all go. They stand in the index no longer.
    Turns {
        first: TurnId,
        last: TurnId,
        newest: TurnId,
    },
    /// Runs, what served, what was excluded, and sessions without turns: the last step of forgetting everything.
    Rest {
        until: i64,
    },
    /// Gives the room of what went back to the disk, where that is quick. Done behind the transaction.
    Compact,
}
