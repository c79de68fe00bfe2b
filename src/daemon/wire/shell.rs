//! What goes over the socket about a person's shell: the commands that ran there. Used by `daemon`, `client`, `shell`.

pub mod quoting;

use serde::{Deserialize, Serialize};

use crate::turn::TurnId;

/// Body of `POST /chela/v1/shell/commands`: what ran in a shell, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellCommands {
    /// Which shell: eight hexadecimal digits that it drew when it started.
    pub shell: String,
    pub kind: ShellKind,
    pub commands: Vec<ShellCommand>,
}

/// A program that reads commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellKind {
    Bash,
    Zsh,
    Fish,
}

impl ShellKind {
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// From a name or a path: `/usr/bin/zsh`, `-bash`.
    pub fn of(program: &str) -> Option<Self> {
        Self::named(program.rsplit('/').next()?.trim_start_matches('-'))
    }
}

/// A command that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellCommand {
    /// As it was typed. What is secret in it is taken out before anything is kept.
    pub text: String,
    /// As the shell reports it, 128 + n for signal n.
    pub status: i32,
    /// Of each part of a pipeline; empty where the shell does not tell.
    #[serde(default)]
    pub pipeline: Vec<i32>,
    /// The folder in which it began.
    pub cwd: String,
    /// The folder in which it ended, where that is another one.
    #[serde(default)]
    pub cwd_after: Option<String>,
    /// Captured output, head and tail. `None`: nothing was captured, or it drew a whole screen.
    #[serde(default)]
    pub output: Option<String>,
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// The turn whose suggestion stood in the line before it was run, edited or not.
    #[serde(default)]
    pub suggestion: Option<TurnId>,
    /// Unix milliseconds.
    pub ended_ms: i64,
}

/// Answer: the turns whose suggestions these commands say something about. What is concluded of them comes as events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellHeard {
    pub turns: Vec<TurnId>,
}

/// Answer to `GET /chela/v1/shell/{shell}`: what the daemon remembers of this shell, in memory only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellMemory {
    /// The newest last; at most twenty.
    pub recent: Vec<ShellCommand>,
}
