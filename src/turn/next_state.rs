//! The next state: what arrives after an answer in its session, and who wrote it.
//!
//! Pure values, as they stand in the ledger (JSON, tagged by `kind`). What they say about the answer is `signal`'s and
//! `judge`'s business.

use serde::{Deserialize, Serialize};

use super::{Message, Role};

/// What arrived after an answer. A turn may get several: a command's outcome, later a rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NextState {
    /// The person's next message in the session.
    Reply { text: String },
    /// What the person made of the answer before using it: an edited command or text.
    Edit { text: String },
    /// How the command ran that the answer proposed.
    Command(CommandOutcome),
    /// Results of all tool calls of the answer, in their order.
    Tools { results: Vec<ToolResult> },
    /// A page or window after the step: its text or accessibility tree, and what it was before.
    Page { before: Option<String>, after: String },
    /// Report of a test run or a build.
    Tests { report: String },
    /// An explicit rating, with the person's own reason.
    Rating { good: bool, note: Option<String> },
    /// The session ended without anything else.
    Closed { by: Closing },
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// What was run; it may differ from what was proposed.
    pub command: String,
    /// Exit status as the shell reports it, 128 + n for signal n.
    pub status: i32,
    /// Of each part of a pipeline, where the shell tells; else empty.
    #[serde(default)]
    pub pipeline: Vec<i32>,
    /// Captured output, head and tail, redacted.
    pub output: String,
    #[serde(default)]
    pub duration_ms: Option<u64>,
}

/// What one tool call gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    pub name: Option<String>,
    pub content: String,
    /// HTTP status or exit status, where the client says so.
    #[serde(default)]
    pub status: Option<i32>,
}

/// Why no next state will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// The person or client said so.
    Done,
    /// Nothing happened for the idle time-out.
    Idle,
}

/// Words that a person wrote. Only these may become a hint or a lesson by themselves; text from programs, tools, files
/// and pages has no way into this type, which is what keeps injected instructions out of lessons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanWords<'a>(&'a str);

impl<'a> HumanWords<'a> {
    pub fn text(self) -> &'a str {
        self.0
    }
}

impl NextState {
    /// The person's own words in this state, if there are any.
    pub fn human_words(&self) -> Option<HumanWords<'_>> {
        match self {
            Self::Reply { text } | Self::Edit { text } => Some(HumanWords(text)),
            Self::Rating { note, .. } => note.as_deref().map(HumanWords),
            Self::Command(_)
            | Self::Tools { .. }
            | Self::Page { .. }
            | Self::Tests { .. }
            | Self::Closed { .. } => None,
        }
    }

    /// What a person says in the messages after an answer; several in a row are one reply.
    pub fn reply_in(messages: &[Message]) -> Option<Self> {
        let of_user = messages.iter().filter(|message| message.role == Role::User);
        let said: Vec<&str> =
            of_user.map(|message| message.content.as_str()).filter(|text| !text.trim().is_empty()).collect();
        (!said.is_empty()).then(|| Self::Reply { text: said.join("\n") })
    }

    /// Whether this state is what the messages after the answer say, and not something that was told apart from them.
    pub fn is_said_in(&self, messages: &[Message]) -> bool {
        match self {
            Self::Reply { .. } => Self::reply_in(messages).as_ref() == Some(self),
            Self::Tools { results } => results.iter().any(|result| {
                let mut of_tools = messages.iter().filter(|message| message.role == Role::Tool);
                of_tools.any(|message| message.content == result.content)
            }),
            _ => false,
        }
    }

    /// Who speaks, as the judge's prompt names it: `user`, `edit`, `shell`, `tool`, `page`, `tests`.
    pub fn speaker(&self) -> &'static str {
        match self {
            Self::Reply { .. } | Self::Rating { .. } => "user",
            Self::Edit { .. } => "edit",
            Self::Command(_) => "shell",
            Self::Tools { .. } => "tool",
            Self::Page { .. } => "page",
            Self::Tests { .. } => "tests",
            Self::Closed { .. } => "session",
        }
    }
}
