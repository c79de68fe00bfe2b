//! How a task ended, for people and as JSON.

use serde::Serialize;

use crate::cli::Exit;
use crate::turn::TurnId;

/// The object that `--json` prints. Its fields are a promise to scripts: add, never rename.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) task: &'a str,
    #[serde(flatten)]
    pub(super) why: &'a Why,
    pub(super) steps: &'a [StepReport],
}

/// One command that was proposed.
#[derive(Debug, Default, Serialize)]
pub(super) struct StepReport {
    pub(super) turn: Option<TurnId>,
    pub(super) proposed: String,
    /// What was to run: as proposed, or as edited.
    pub(super) command: String,
    /// `allow`, `ask` or `deny`, and why.
    pub(super) ruling: &'static str,
    pub(super) why: String,
    pub(super) dangers: Vec<String>,
    /// `rule`, `yes`, `always`, `edit`, `no`; nothing when nobody was asked and it did not run.
    pub(super) decided: Option<&'static str>,
    /// Where it ran; nothing else is there when it did not.
    pub(super) sandboxed: bool,
    pub(super) status: Option<i32>,
    pub(super) duration_ms: Option<u64>,
    pub(super) output: Option<String>,
}

/// Why it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "ended", rename_all = "snake_case")]
pub(super) enum Why {
    Done {
        said: String,
    },
    /// The model gave no command.
    NoCommand {
        said: String,
    },
    /// The person ended it. After a command that worked, that is a good end.
    Stopped {
        has_worked: bool,
    },
    /// The only command that was to run failed.
    Failed {
        status: i32,
    },
    /// The person pressed Ctrl+C, or the command was ended from outside.
    Interrupted,
    /// A rule denies it, or nobody could be asked.
    Refused {
        said: String,
    },
    Limit {
        most: u32,
    },
    DryRun,
}

impl Why {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Done { .. } | Self::DryRun | Self::Stopped { has_worked: true } => Exit::Done,
            Self::NoCommand { .. } | Self::Failed { .. } | Self::Limit { .. } => Exit::Failed,
            Self::Stopped { .. } | Self::Refused { .. } => Exit::Refused,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// The last line for the person; `None`: they know.
    pub(super) fn line(&self) -> Option<String> {
        match self {
            Self::Done { said } if said.is_empty() => None,
            Self::Done { said } if said.trim_matches('.').eq_ignore_ascii_case("done") => Some("done".into()),
            Self::Done { said } => Some(format!("done: {said}")),
            Self::NoCommand { said } if said.is_empty() => Some("the model proposes no command".into()),
            Self::NoCommand { said } => Some(format!("no command: {said}")),
            Self::Refused { said } => Some(said.clone()),
            Self::Limit { most } => Some(format!("stopped after {most} commands; --steps allows more")),
            Self::Stopped { .. } | Self::Failed { .. } | Self::Interrupted | Self::DryRun => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_flat() {
        let why = Why::Limit { most: 3 };
        let report = serde_json::to_value(Report { task: "t", why: &why, steps: &[] }).unwrap();
        assert_eq!(report, serde_json::json!({"task": "t", "ended": "limit", "most": 3, "steps": []}));
        let why = Why::Stopped { has_worked: false };
        let report = serde_json::to_value(Report { task: "t", why: &why, steps: &[] }).unwrap();
        assert_eq!(
            report,
            serde_json::json!({"task": "t", "ended": "stopped", "has_worked": false, "steps": []})
        );
    }

    #[test]
    fn the_last_line_says_done_once() {
        let line = |said: &str| Why::Done { said: said.into() }.line();
        assert_eq!(line("Done."), Some("done".into()));
        assert_eq!(line("all there"), Some("done: all there".into()));
    }
}
