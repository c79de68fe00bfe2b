//! What a plan leaves out, and the sentence that says why.

use std::fmt;

use crate::lesson::LessonId;
use crate::turn::TurnId;

/// Something that is not in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub what: Left,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Lesson(LessonId),
    Turn(TurnId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Proposed, retired, pruned.
    NotActive,
    Contradicted(LessonId),
    SessionOnly,
    /// In prompts it did more harm than good.
    NotHelping {
        helped: u32,
        failed: u32,
    },
    /// Its project is not visible in any prompt that it was drawn from, so the weights could not tell where it holds.
    ProjectNotVisible,
    /// The limits of one run.
    EnoughLessons {
        limit: usize,
    },
    EnoughOfSession {
        limit: usize,
    },
    EnoughOfProject {
        limit: usize,
    },
    NothingToPractise,
    NoRequest,
    TooLong {
        chars: usize,
        limit: usize,
    },
    /// The same answer to the same request was judged good and bad.
    JudgedBothWays,
    /// No confirmed-good turn stands beside it and nobody said what would have been right.
    OnlyBlame,
    /// The gate asks this.
    AskedByGate,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Left::Lesson(id) => write!(f, "lesson {} is not practised: {}", id.0, self.why),
            Left::Turn(id) => write!(f, "turn {} is not practised: {}", id.0, self.why),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActive => write!(f, "it is not active"),
            Self::Contradicted(by) => write!(f, "lesson {} is newer and says the opposite", by.0),
            Self::SessionOnly => write!(f, "it holds in one session only"),
            Self::NotHelping { helped, failed } => {
                write!(f, "answers that had it were bad {failed} times and good {helped} times")
            }
            Self::ProjectNotVisible => write!(f, "no prompt shows which project it is about"),
            Self::EnoughLessons { limit } => {
                write!(f, "{limit} lessons are enough for one run; it waits for the next")
            }
            Self::EnoughOfSession { limit } => write!(f, "its session has {limit} in this run already"),
            Self::EnoughOfProject { limit } => write!(f, "its project has {limit} in this run already"),
            Self::NothingToPractise => write!(f, "there is no prompt to practise it on"),
            Self::NoRequest => write!(f, "nobody asked anything in it"),
            Self::TooLong { chars, limit } => {
                write!(f, "its prompt has {chars} characters, {limit} are the limit")
            }
            Self::JudgedBothWays => write!(f, "the same answer was judged good and bad"),
            Self::OnlyBlame => {
                write!(f, "nobody said what would have been right, and no good turn stands beside it")
            }
            Self::AskedByGate => write!(f, "the gate asks the same"),
        }
    }
}
