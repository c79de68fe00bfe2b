//! The review pane: its list, what can be put right and taken back, and what would be answered now.

use serde::{Deserialize, Serialize};

use super::UsedLesson;
use super::looking::Judged;
// The ledger's rows go over the socket as they are.
pub use crate::judge::Vote;
pub use crate::judge::provenance::{OutcomeOnly, outcome_only};
use crate::lesson::LessonId;
pub use crate::lesson::Origin;
pub use crate::signal::{Says, Signal, text_of};
pub use crate::store::{
    Excluded, LessonEvent, NextStateRow, ReviewCursor, ReviewPage, ReviewRow, ReviewState, ReviewWord,
    SampleRole, SampleRow, VerdictRow,
};
use crate::turn::{PolicyVersion, SessionId, Source, TurnId};

/// `GET /chela/v1/review?…`: turns with what was made of them and lessons without a turn, newest first. What is absent
/// is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewQuery {
    pub source: Option<Source>,
    /// The deciding rule, or what stands before its dot.
    pub rule: Option<String>,
    pub reward: Option<Judged>,
    /// A folder with what is below it, when it begins with a slash; otherwise the name of a folder on the way.
    pub project: Option<String>,
    pub session: Option<SessionId>,
    pub state: Option<ReviewWord>,
    /// Words of request, answer or lesson.
    pub find: Option<String>,
    /// Where the page before said that this one begins.
    pub before_turn: Option<TurnId>,
    pub before_lesson: Option<LessonId>,
    pub limit: Option<usize>,
}

/// `POST /chela/v1/lessons/{id}/undo`: takes a change back, if nothing changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoLesson {
    /// The change's line of history: `LessonChanged::event`.
    pub event: i64,
}

/// `POST /chela/v1/turns/{id}/hint`: what should have been done, in the person's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewordHint {
    /// `None`: nothing.
    pub hint: Option<String>,
}

/// `POST /chela/v1/turns/{id}/hint/undo` and `…/rating/undo`: takes back what was noted at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoNoted {
    /// Unix milliseconds: the verdict's, or the rating's.
    pub at: i64,
}

/// `POST /chela/v1/exclusions`: takes something out of learning, or back into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    pub what: Excluded,
    /// `false`: takes the exclusion back.
    pub excluded: bool,
}

/// `POST /chela/v1/review/answer`: what is answered now to what was asked then, greedily. Nothing of it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerNow {
    /// The turn's request, with the conversation before it.
    #[serde(default)]
    pub turn: Option<TurnId>,
    /// Without a turn: a request that a round of learning would ask about this lesson.
    #[serde(default)]
    pub lesson: Option<LessonId>,
    /// Lessons that fit stand in the prompt.
    pub with_lessons: bool,
    /// `None`: the version that serves.
    #[serde(default)]
    pub policy: Option<PolicyVersion>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnsweredNow {
    pub policy: PolicyVersion,
    /// The last thing that was asked.
    pub request: String,
    pub lessons: Vec<UsedLesson>,
    pub answer: String,
}
