//! What may run without asking: allow, ask and deny rules of `rules.toml`, and how they rule on a command line.
//!
//! Pure, but for [`Project::at`], which looks where the project begins. Deny wins over ask, ask over allow; every part of a
//! compound command has to be allowed; what is not known asks; a recursive delete outside the project asks always.

mod file;
mod pattern;
mod project;
mod proposed;
mod ruling;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use file::{RulesError, default_file, with_rules};
pub use project::Project;
pub use proposed::rules_for;
pub use ruling::{Decision, Ruling, rule_on};

use pattern::Pattern;

/// Parts of commands that need no rule of their own beside one that has a rule.
pub const NEUTRAL: &[&str] = &[
    "cd", "pushd", "popd", "pwd", "true", "false", ":", "echo", "printf", "test", "[", "[[", "sleep", "wait",
    "time", "nice", "nohup", "command", "builtin", "timeout", "env", "stdbuf", "ionice", "setsid", "noglob",
];

/// All rules of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// In the order of the file within each effect.
    pub rules: Vec<Rule>,
    pub sandbox: Sandbox,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub effect: Effect,
    /// As written.
    pub command: String,
    /// Holds there and below; `None`: everywhere.
    pub within: Option<PathBuf>,
    pub why: Option<String>,
    /// In the file; 0: not from a file.
    pub line: usize,
    pattern: Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    Allow,
    Ask,
    Deny,
}

/// Where commands that run by a rule may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    pub is_enabled: bool,
    /// Besides the project and temporary directories.
    pub write: Vec<PathBuf>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { is_enabled: true, write: Vec::new() }
    }
}

impl Effect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}
