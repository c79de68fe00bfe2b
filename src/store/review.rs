//! What the review pane writes: what a person takes out of learning, what they put right, and taking that back.
//!
//! Values only; what they do to the tables is `write::review`'s business.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lesson::LessonId;
use crate::turn::{SessionId, TurnId};

/// What nothing is learned from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum Excluded {
    Turn(TurnId),
    Session(SessionId),
    /// What was asked in this folder and below it.
    Project(String),
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn(turn) => write!(f, "turn {}", turn.0),
            Self::Session(session) => write!(f, "session {}", session.0),
            Self::Project(folder) => write!(f, "project {folder}"),
        }
    }
}

/// One step of a person in the review pane. What takes another step back is refused when something happened since:
/// it puts things back as they were, or leaves them as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewEdit {
    /// Nothing is learned from it from now on; what it taught before stays.
    Exclude {
        what: Excluded,
        /// Unix milliseconds.
        at: i64,
    },
    /// Takes an exclusion back.
    Include { what: Excluded },
    /// Takes back the newest change of a lesson, whatever it was: text, scope, state, pin and the versions that hold
    /// it are as before.
    UndoLesson {
        lesson: LessonId,
        /// The change's line of history.
        event: i64,
        at: i64,
    },
    /// What should have been done, in the person's words: a verdict like the newest one, but for the hint.
    RewordHint { turn: TurnId, hint: Option<String>, at: i64 },
    /// Takes back a [`ReviewEdit::RewordHint`] of this moment: the verdict before counts again.
    UndoHint { turn: TurnId, at: i64 },
    /// Takes back the newest next state of a turn, a rating of this moment, with what was concluded from it.
    UndoRating { turn: TurnId, at: i64 },
}
