//! What a chat is started with: settings, the environment as values, and ways to reach what it must not know.

use std::path::PathBuf;
use std::sync::Arc;

use super::TokenCounter;
use super::theme::Ink;
use crate::client::{Client, ClientError};
use crate::config;
use crate::daemon::wire::LoadedModel;
use crate::redact::Redactor;
use crate::turn::SessionId;

/// Reaches the daemon, starting it when none runs. Called on a thread, again after the daemon was lost.
pub type Connect = Arc<dyn Fn() -> Result<Client, ClientError> + Send + Sync>;
/// Models that `/model` can switch to: name and one line about each. Called on a thread.
pub type ListModels = Arc<dyn Fn() -> anyhow::Result<Vec<(String, String)>> + Send + Sync>;
/// The tokenizer of a model that has just become ready; `None` when it has none. Called on a thread.
pub type LoadCounter = Arc<dyn Fn(&LoadedModel) -> Option<TokenCounter> + Send + Sync>;

pub struct ChatOptions {
    pub paths: config::Paths,
    pub settings: config::Chat,
    pub cwd: PathBuf,
    pub env: TerminalEnv,
    pub resume: Option<Resume>,
    /// What is typed may be kept for the arrow keys of a later chat.
    pub remembers: bool,
    /// It begins off the record.
    pub is_off_record: bool,
    /// Linear text; also switched on by the settings, by `ACCESSIBLE`, and where there is no terminal.
    pub plain: bool,
    pub connect: Connect,
    pub list_models: ListModels,
    pub load_counter: LoadCounter,
    /// Takes secrets out of what is remembered for the arrow keys.
    pub redactor: Arc<Redactor>,
}

/// Which earlier session to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// The newest chat.
    Last,
    Session(SessionId),
}

/// The part of the environment that decides how the chat looks and which programs it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each variable")]
pub struct TerminalEnv {
    pub term: String,
    /// `NO_COLOR`
    pub no_color: bool,
    /// `CLICOLOR_FORCE`
    pub force_color: bool,
    /// `ACCESSIBLE`
    pub is_accessible: bool,
    /// `VISUAL`, else `EDITOR`.
    pub editor: Option<String>,
    /// `SHELL`
    pub shell: Option<String>,
    /// The terminal is xterm itself, which cuts rows where others re-wrap them.
    pub is_real_xterm: bool,
    pub is_stdin_tty: bool,
    pub is_stdout_tty: bool,
}

impl TerminalEnv {
    /// Reads variables through `var`; whether standard input and output are terminals is asked of the system.
    pub fn resolve(var: impl Fn(&str) -> Option<String>) -> Self {
        use std::io::IsTerminal;
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let on = |name: &str| set(name).is_some_and(|value| value != "0");
        Self {
            term: set("TERM").unwrap_or_default(),
            no_color: set("NO_COLOR").is_some(),
            force_color: on("CLICOLOR_FORCE"),
            is_accessible: on("ACCESSIBLE"),
            editor: set("VISUAL").or_else(|| set("EDITOR")),
            shell: set("SHELL"),
            is_real_xterm: set("XTERM_VERSION").is_some(),
            is_stdin_tty: std::io::stdin().is_terminal(),
            is_stdout_tty: std::io::stdout().is_terminal(),
        }
    }

    /// Whether rows can be redrawn at all.
    pub(crate) fn is_capable(&self) -> bool {
        self.is_stdin_tty && self.is_stdout_tty && !self.term.is_empty() && self.term != "dumb"
    }

    pub(crate) fn ink(&self, theme: config::Theme) -> Ink {
        let is_terminal = self.is_stdout_tty && self.term != "dumb";
        if self.no_color || theme == config::Theme::None {
            return if is_terminal { Ink::NoColour } else { Ink::None };
        }
        if is_terminal || self.force_color { Ink::Full } else { Ink::None }
    }

    /// Whether the terminal re-wraps rows when its width changes.
    pub fn reflows(&self) -> bool {
        let cuts = self.term == "linux" || self.term == "screen" || self.term.starts_with("screen.");
        !(cuts || self.is_real_xterm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(no_color: bool, force_color: bool, is_stdout_tty: bool, term: &str, expected: Ink) {
        let env =
            TerminalEnv { no_color, force_color, is_stdout_tty, term: term.into(), ..TerminalEnv::default() };
        assert_eq!(env.ink(config::Theme::Auto), expected);
    }

    #[test]
    fn colours_follow_the_conventions() {
        check(false, false, true, "xterm-256color", Ink::Full);
        check(true, false, true, "xterm-256color", Ink::NoColour);
        check(true, true, false, "xterm-256color", Ink::None);
        check(false, true, false, "", Ink::Full);
        check(false, false, false, "xterm", Ink::None);
        check(false, false, true, "dumb", Ink::None);
    }

    #[test]
    fn the_editor_is_visual_before_editor() {
        let env = TerminalEnv::resolve(|name| match name {
            "VISUAL" => Some("vim".into()),
            "EDITOR" => Some("ed".into()),
            "ACCESSIBLE" => Some("1".into()),
            _ => None,
        });
        assert_eq!(env.editor.as_deref(), Some("vim"));
        assert!(env.is_accessible && !env.no_color);
    }
}
