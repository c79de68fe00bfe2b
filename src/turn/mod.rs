//! What is said, and what is recorded about it: messages, turns, sessions.
//!
//! Pure values without IO. Everything above the engine speaks in these words. A **turn** is one prompt and the
//! policy's response; a **session** is the turns that share a context window (glossary: DESIGN §2.1).

pub mod next_state;
pub mod prompt;
pub mod template;

use serde::{Deserialize, Serialize};

/// Who a message is from, as chat templates know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    #[serde(alias = "developer")]
    System,
    User,
    Assistant,
    Tool,
}

/// One message of a prompt. Serialized as in OpenAI's chat format, because templates, the wire and the ledger
/// all expect that form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    #[serde(default, deserialize_with = "text_or_parts")]
    pub content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), name: None, tool_calls: None, tool_call_id: None }
    }
}

/// One request without a history, below the system's message where that says something.
pub fn plain_request(system: &str, text: &str) -> Vec<Message> {
    let system = (!system.is_empty()).then(|| Message::new(Role::System, system));
    system.into_iter().chain([Message::new(Role::User, text)]).collect()
}

/// Accepts a string, `null`, or OpenAI's list of text parts; other parts are refused by name.
fn text_or_parts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    use serde::de::Error;
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Parts(Vec<Part>),
        Nothing(()),
    }
    #[derive(Deserialize)]
    struct Part {
        r#type: String,
        #[serde(default)]
        text: String,
    }
    match Content::deserialize(deserializer)? {
        Content::Text(text) => Ok(text),
        Content::Nothing(()) => Ok(String::new()),
        Content::Parts(parts) => match parts.iter().find(|part| part.r#type != "text") {
            Some(part) => Err(D::Error::custom(format!(
                "content part of type \"{}\" is not supported: this model reads text only",
                part.r#type
            ))),
            None => Ok(parts.into_iter().map(|part| part.text).collect()),
        },
    }
}

/// Row id of a turn in the ledger. An answer off the record has a number below zero, and no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(pub i64);

impl TurnId {
    pub fn is_recorded(self) -> bool {
        self.0 > 0
    }
}

/// A session's public name: what `X-Session-Id` carries. Any text without control characters, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

/// Number of a policy; 0 is the base model. A version is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyVersion(pub u32);

impl PolicyVersion {
    pub const BASE: Self = Self(0);
}

impl std::fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// What a person wrote instead of a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no version of the policy; write v and its number, or base")]
pub struct UnreadableVersion(String);

impl std::str::FromStr for PolicyVersion {
    type Err = UnreadableVersion;

    /// `v3`, or `base`, which is `v0`.
    fn from_str(text: &str) -> Result<Self, UnreadableVersion> {
        if text == "base" {
            return Ok(Self::BASE);
        }
        let number = text.strip_prefix('v').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let version = number.and_then(|number| number.parse().ok());
        version.map(Self).ok_or_else(|| UnreadableVersion(text.chars().take(40).collect()))
    }
}

/// Which surface a turn came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Chat,
    Shell,
    Api,
    Agent,
}

/// Main-line turns may teach; side turns (titles, summaries, health checks) never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnKind {
    Main,
    Side,
}

/// How a response came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The policy said so: end-of-turn token or a stop string.
    Stop,
    /// `max_tokens` or the end of the context.
    Length,
    /// The user pressed Esc or Ctrl+C.
    Interrupted,
    /// The client went away in mid-answer.
    Disconnected,
    /// The daemon died in mid-answer; found at the next start.
    Crashed,
    /// The engine reported an error.
    Failed,
}

impl Ending {
    /// Whether the policy finished what it wanted to say; only such answers can be judged.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_system_message_is_left_out() {
        assert_eq!(plain_request("", "hi"), [Message::new(Role::User, "hi")]);
        assert_eq!(plain_request("s", "hi").len(), 2);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<u32>) {
        assert_eq!(text.parse::<PolicyVersion>().ok().map(|version| version.0), expected);
    }

    #[test]
    fn a_version_is_written_in_one_way() {
        check("base", Some(0));
        check("v0", Some(0));
        check("v12", Some(12));
        for text in ["", "v", "3", "v-1", "v+1", "v1.5", "V1", "Base", "v99999999999"] {
            check(text, None);
        }
    }
}
