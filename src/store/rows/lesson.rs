//! Rows of lessons: for `chela lessons`, the review pane and `chela why`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lesson::{Lesson, LessonId};
use crate::store::By;
use crate::turn::{PolicyVersion, TurnId};

/// [`crate::lesson::State`] without the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    Proposed,
    Active,
    Learned,
    Retired,
    Pruned,
}

/// A lesson with how it got to where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonStory {
    pub lesson: Lesson,
    /// The lesson that contradicted it.
    pub retired_by: Option<LessonId>,
    /// Oldest first.
    pub history: Vec<LessonEvent>,
    /// Versions in which the gate found it, oldest first.
    pub learned_in: Vec<PolicyVersion>,
    /// The newest turns with it in their prompt, newest first.
    pub uses: Vec<UsedIn>,
}

/// One line of a lesson's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonEvent {
    /// Never given twice.
    #[serde(default)]
    pub id: i64,
    /// Unix milliseconds.
    pub at: i64,
    /// `proposed`, `activated`, `retired`, `pruned`, `reworded`, `rescoped`, `pinned`, `unpinned`, `learned`,
    /// `reactivated`, `restored`, `imported`.
    pub what: String,
    pub by: By,
    pub reason: String,
    /// What it was before (`was`), or what it was about.
    pub detail: Option<Value>,
}

/// A lesson in the prompt of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonUse {
    pub lesson: Lesson,
    /// From 0, as it stood in the prompt.
    pub rank: u32,
    /// `None`: not known.
    pub helped: Option<bool>,
}

/// A turn with a lesson in its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedIn {
    pub turn: TurnId,
    pub helped: Option<bool>,
}
