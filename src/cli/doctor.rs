//! `chela doctor`: how things stand, one line each, with the next step where something is wrong. Changes nothing and
//! starts nothing, except that the starter model may be unpacked.

mod checks;

use clap::Args;
use serde::Serialize;

use super::place::Place;
use super::{Exit, output};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// As one JSON array
    #[arg(long)]
    json: bool,
}

/// What was looked at, and what came of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    outcome: Outcome,
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Warn,
    Fail,
}

/// Exit code 1 when something fails; warnings do not fail.
pub(super) fn run(place: &Place, args: &DoctorArgs) -> anyhow::Result<Exit> {
    let findings = checks::all(place);
    if args.json {
        output::json(&findings)?;
    } else {
        output::line(&page(&findings, place.may_color()))?;
    }
    let failed = findings.iter().any(|finding| finding.outcome == Outcome::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Ok, detail: detail.into(), next: None }
    }

    fn warn(check: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Warn, detail: detail.into(), next: Some(next.into()) }
    }

    fn fail(check: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, ..Self::warn(check, detail, next) }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warn => "33",
            Self::Fail => "31",
        }
    }
}

fn page(findings: &[Finding], color: bool) -> String {
    let lines = findings.iter().flat_map(|finding| {
        let word = format!("{:4}", finding.outcome.word());
        let word = if color { format!("\x1b[{}m{word}\x1b[0m", finding.outcome.color()) } else { word };
        let first = format!("{word}  {:11} {}", finding.check, output::harmless(&finding.detail));
        let next = finding.next.as_ref().map(|next| format!("                  → {next}"));
        std::iter::once(first).chain(next)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> [Finding; 2] {
        [Finding::ok("settings", "none set"), Finding::fail("model", "no file", "chela model list")]
    }

    #[test]
    fn a_line_each_and_the_next_step_below() {
        let expected =
            "ok    settings    none set\nfail  model       no file\n                  → chela model list";
        assert_eq!(page(&findings(), false), expected);
    }

    #[test]
    fn colours_only_when_they_are_wanted() {
        assert!(page(&findings(), true).starts_with("\x1b[32mok  \x1b[0m"));
    }

    #[test]
    fn json_names_the_outcome() {
        let json = serde_json::to_value(&findings()[1]).unwrap();
        assert_eq!(json["outcome"], "fail");
        assert_eq!(json["next"], "chela model list");
    }
}
