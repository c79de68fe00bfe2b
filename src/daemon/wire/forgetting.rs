//! Taking things back: what is to be forgotten, what went, and how the policy answers before and after.

use serde::{Deserialize, Serialize};

use super::{Lesson, LessonId, RunId};
use crate::turn::{Message, PolicyVersion, TurnId};

/// `POST /chela/v1/forget`: takes lessons and turns out of prompts, ledger, adapters and files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    #[serde(default)]
    pub lessons: Vec<LessonId>,
    #[serde(default)]
    pub turns: Vec<TurnId>,
    /// Only says what would go.
    #[serde(default)]
    pub dry_run: bool,
    /// What else a removed version held is taught to a new one, from the base or a version that was not taught it on.
    #[serde(default = "yes")]
    pub rebuild: bool,
}

fn yes() -> bool {
    true
}

/// What went, or would go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forgotten {
    pub dry_run: bool,
    /// Those that were named, and those that were drawn from nothing but the turns.
    pub lessons: Vec<Lesson>,
    pub turns: Vec<ForgottenTurn>,
    /// Versions of the policy that were taught any of it, or built on one that was.
    pub versions: Vec<PolicyVersion>,
    /// What served, and what serves now.
    pub served: PolicyVersion,
    pub serves: PolicyVersion,
    /// Other lessons that the removed versions held; they stand in prompts again.
    pub in_prompts_again: Vec<LessonId>,
    /// Turns that the lessons were drawn from and that stay: they may say the same in the person's words.
    pub said_in: Vec<TurnId>,
    /// What the version that served answered without any lesson. Not asked for a dry run.
    pub before: Vec<Answered>,
    /// A rebuild comes; it is the first run after this.
    pub rebuild: Option<RunId>,
    /// Copies of the ledger that held it and were removed.
    pub removed_files: Vec<String>,
    /// What the person should know.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenTurn {
    pub turn: TurnId,
    /// What the person asked in it.
    pub request: String,
}

/// A prompt and an answer to it that no ledger holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    pub messages: Vec<Message>,
    pub answer: String,
}

/// `POST /chela/v1/forget/answers`: what the version that serves answers to these, greedily, without lessons. Nothing
/// of it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerUnrecorded {
    pub prompts: Vec<Vec<Message>>,
}

/// In the order of the prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnrecordedAnswers {
    pub policy: PolicyVersion,
    pub answers: Vec<String>,
}
