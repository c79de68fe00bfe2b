//! Taking things back: what is to be forgotten, what went, and how the policy answers before and after.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Lesson, LessonId, RunId};
use crate::turn::{Message, PolicyVersion, SessionId, TurnId};

/// `POST /chela/v1/forget`: takes everything that is named out of prompts, ledger, adapters and files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    #[serde(default)]
    pub lessons: Vec<LessonId>,
    #[serde(default)]
    pub turns: Vec<TurnId>,
    /// With all their turns. Names, or beginnings of names that only one session has.
    #[serde(default)]
    pub sessions: Vec<SessionId>,
    /// An absolute path: what was asked and run in this folder or below it, and the lessons of it.
    #[serde(default)]
    pub project: Option<String>,
    /// Unix milliseconds: what was asked, run, said and taught at that time or later.
    #[serde(default)]
    pub since: Option<i64>,
    /// Every turn, answer, command, output, lesson and line in which this text stands, in capital or small letters.
    #[serde(default)]
    pub matching: Option<String>,
    /// Everything that was ever said, run, taught and learned.
    #[serde(default)]
    pub all: bool,
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
    pub counts: ForgottenCounts,
    /// Those that were named, and those that were drawn from nothing but what goes. The newest of many.
    pub lessons: Vec<Lesson>,
    /// The newest of many.
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
    /// Files in which the text still stands, after looking through all of them.
    pub still_in: Vec<String>,
    /// What the person should know.
    pub notes: Vec<String>,
    /// Milliseconds, without the rebuild.
    pub took_ms: u64,
}

/// How much goes of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenCounts {
    pub turns: usize,
    pub lessons: usize,
    /// Sessions of which no turn stays.
    pub sessions: usize,
    /// What followed answers that stay: replies, outcomes, ratings.
    pub followed: usize,
    /// Commands of the shell with their outputs: those kept with turns, and those remembered for the next question.
    pub shell_commands: usize,
    pub samples: usize,
    /// Rounds of learning that saw any of it.
    pub runs: usize,
    pub versions: usize,
    /// Prompts of turns that stay; they held it and are emptied.
    pub prompts: usize,
    /// Words about something that stays: a title, a reason, an earlier wording.
    pub words: usize,
    /// Lines of the chats' input history.
    pub typed: usize,
    pub log_lines: usize,
    /// Copies of the ledger.
    pub copies: usize,
}

/// The kinds of which there are any.
impl fmt::Display for ForgottenCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.turns, "turn", "turns"),
            (self.lessons, "lesson", "lessons"),
            (self.sessions, "session", "sessions"),
            (self.shell_commands, "shell command", "shell commands"),
            (self.followed, "thing that followed an answer", "things that followed answers"),
            (self.samples, "training sample", "training samples"),
            (self.runs, "round of learning that saw it", "rounds of learning that saw it"),
            (self.versions, "version", "versions"),
            (self.prompts, "prompt that held it", "prompts that held it"),
            (self.words, "word about it", "words about it"),
            (self.typed, "line that was typed", "lines that were typed"),
            (self.log_lines, "line of the log", "lines of the log"),
            (self.copies, "copy of the ledger", "copies of the ledger"),
        ];
        let mut some = kinds.into_iter().filter(|(n, ..)| *n > 0).peekable();
        if some.peek().is_none() {
            return f.write_str("nothing");
        }
        for (at, (n, one, many)) in some.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{n} {}", if n == 1 { one } else { many })?;
        }
        Ok(())
    }
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
