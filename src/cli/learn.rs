//! `chela learn`: what the learner does and why, begin a round, pause, and what came of it.

use std::io::IsTerminal;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::daemon::wire::{LearnNow, LearnStatus, LoopEvent};
use crate::store::{RunRow, RunState};

#[derive(Debug, Subcommand)]
pub(super) enum LearnCommand {
    /// Say what is being learned, or what learning waits for
    Status {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Learn now, whatever the machine is doing
    Now {
        /// Wait for the gate's decision and print it
        #[arg(long)]
        wait: bool,
        /// The round as one JSON object; waits for it
        #[arg(long)]
        json: bool,
    },
    /// Stop between two steps and begin nothing until `resume`
    Pause,
    /// Go on after `pause`
    Resume,
    /// End the round that runs; nothing of it serves
    Cancel,
    /// List what was learned so far, newest first
    History {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(place: &Place, command: &LearnCommand) -> anyhow::Result<Exit> {
    let client = Client::connect(&place.paths)?;
    match command {
        LearnCommand::Status { json } => told(&client.learn_status()?, *json),
        LearnCommand::Now { wait, json } => now(place, &client, *wait, *json),
        LearnCommand::Pause => told(&client.pause_learning()?, false),
        LearnCommand::Resume => told(&client.resume_learning()?, false),
        LearnCommand::Cancel => told(&client.cancel_learning()?, false),
        LearnCommand::History { limit, json } => history(&client, *limit, *json),
    }
}

fn told(status: &LearnStatus, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(status)?;
    } else {
        output::line(&stands(status))?;
    }
    Ok(Exit::Done)
}

/// The status as lines.
fn stands(status: &LearnStatus) -> String {
    let mut lines = Vec::new();
    lines.push(match (&status.running, &status.waits_for) {
        (Some(run), Some(reason)) => format!("run {} stands still: {reason}", run.0),
        (Some(run), None) => format!(
            "run {}: {}",
            run.0,
            status.progress.as_ref().map_or_else(|| "begins".to_owned(), progress,)
        ),
        (None, Some(reason)) => format!("nothing is learned now: {reason}"),
        (None, None) => "nothing is learned now".to_owned(),
    });
    if status.paused && status.running.is_none() {
        lines.push("paused; `chela learn resume` goes on".to_owned());
    }
    if status.n_waiting > 0 {
        lines.push(format!("{} to learn", count(status.n_waiting, "lesson or turn", "lessons and turns")));
    }
    if status.learned_today_s > 0 {
        lines.push(format!("{} min today", status.learned_today_s.div_ceil(60)));
    }
    lines.extend(status.last.as_ref().map(|run| format!("last: {}", line(run))));
    lines.join("\n")
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn progress(event: &LoopEvent) -> String {
    let LoopEvent::Learning { phase, done, total, loss, eta_s, .. } = event else { return String::new() };
    let loss = loss.map(|loss| format!(", loss {loss:.3}")).unwrap_or_default();
    let left = eta_s.filter(|eta| *eta >= 1.0).map(|eta| format!(", {eta:.0} s left")).unwrap_or_default();
    format!("{} {done}/{total}{loss}{left}", phase.name())
}

/// A run on one line, with the strongest of its reasons.
fn line(run: &RunRow) -> String {
    let of_gate = run.gate.as_ref().and_then(|gate| Some((gate.reasons.first()?, gate.reasons.len() - 1)));
    let reason = match of_gate {
        Some((reason, 0)) => Some(reason.clone()),
        Some((reason, n_more)) => Some(format!("{reason} (and {n_more} more: `chela learn history`)")),
        None => run.reason.clone(),
    };
    let reason = reason.map(|reason| format!(": {}", output::harmless(&reason)));
    format!("{}{}", head(run), reason.unwrap_or_default())
}

/// What became of a run, without reasons.
fn head(run: &RunRow) -> String {
    let seconds = run.ended_at.map(|ended| (ended - run.started_at) / 1000);
    let took = seconds.map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
    let candidate = run.candidate.map(|version| format!(" {version}")).unwrap_or_default();
    format!("run {}{candidate} {}{took}", run.id.0, state_name(run.state))
}

fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Promoted => "promoted",
        RunState::Rejected => "rejected",
        RunState::Idle => "found nothing to do",
        RunState::Cancelled => "cancelled",
        RunState::Failed => "failed",
        RunState::Interrupted => "interrupted",
    }
}

fn now(place: &Place, client: &Client, wait: bool, json: bool) -> anyhow::Result<Exit> {
    let begun = client.learn_now()?;
    if !wait && !json {
        output::note("learning begins; `chela learn status` says how far it is");
        return Ok(Exit::Done);
    }
    let run = wait_for(place, client, begun)?;
    if json {
        output::json(&run)?;
    } else {
        output::line(&decision(&run))?;
    }
    let is_decided = matches!(run.state, RunState::Promoted | RunState::Rejected | RunState::Idle);
    Ok(if is_decided { Exit::Done } else { Exit::Failed })
}

/// Shows a round's progress until its end.
pub(super) fn wait_for(place: &Place, client: &Client, begun: LearnNow) -> anyhow::Result<RunRow> {
    let bar = bar(place);
    let run = client.wait_for_round(begun, &mut |status| show(&bar, status))?;
    bar.finish_and_clear();
    Ok(run)
}

fn bar(place: &Place) -> ProgressBar {
    let is_seen = place.may_redraw() && std::io::stderr().is_terminal();
    let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(1), target);
    if let Ok(style) = ProgressStyle::with_template("{prefix:>10} {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, status: &LearnStatus) {
    if let Some(event @ LoopEvent::Learning { phase, done, total, .. }) = &status.progress {
        bar.set_prefix(phase.name());
        bar.set_length((*total).max(1));
        bar.set_position(*done);
        bar.set_message(status.waits_for.clone().unwrap_or_else(|| progress(event)));
    }
}

/// What the gate said, a reason on each line.
pub(super) fn decision(run: &RunRow) -> String {
    let mut lines = vec![head(run)];
    match &run.gate {
        Some(gate) => {
            lines.extend(gate.reasons.iter().map(|reason| format!("  {}", output::harmless(reason))));
        }
        None => lines.extend(run.reason.iter().map(|reason| format!("  {}", output::harmless(reason)))),
    }
    lines.join("\n")
}

fn history(client: &Client, limit: usize, json: bool) -> anyhow::Result<Exit> {
    let found = client.learn_runs(limit)?;
    if json {
        output::json(&found)?;
        return Ok(Exit::Done);
    }
    if found.runs.is_empty() {
        output::note("nothing was learned yet; correct an answer, then: chela learn now");
    }
    for run in &found.runs {
        output::line(&decision(run))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Dial, When};
    use crate::daemon::wire::LearnPhase;
    use crate::store::RunId;
    use crate::turn::PolicyVersion;

    fn run(state: RunState) -> RunRow {
        RunRow {
            id: RunId(3),
            started_at: 1_000,
            ended_at: Some(22_000),
            state,
            base_sha256: "00".into(),
            parent: PolicyVersion::BASE,
            serving: PolicyVersion::BASE,
            candidate: Some(PolicyVersion(1)),
            seed: 7,
            dial: "careful".into(),
            counts: json!({}),
            reason: Some("lesson 1 learned".into()),
            error: None,
            gate: None,
        }
    }

    fn status() -> LearnStatus {
        LearnStatus {
            dial: Dial::Careful,
            when: When::Idle,
            paused: false,
            running: None,
            progress: None,
            waits_for: None,
            n_waiting: 0,
            learned_today_s: 0,
            last: None,
        }
    }

    #[test]
    fn the_status_says_what_is_waited_for() {
        let waiting = LearnStatus {
            waits_for: Some("on battery (learn.on_battery = true lets it)".into()),
            n_waiting: 2,
            learned_today_s: 61,
            last: Some(run(RunState::Promoted)),
            ..status()
        };
        let expected = "nothing is learned now: on battery (learn.on_battery = true lets it)\n\
            2 lessons and turns to learn\n2 min today\nlast: run 3 v1 promoted after 21 s: lesson 1 learned";
        assert_eq!(stands(&waiting), expected);
    }

    #[test]
    fn a_run_shows_how_far_it_is() {
        let at = LoopEvent::Learning {
            run: 3,
            phase: LearnPhase::Training,
            done: 12,
            total: 40,
            loss: Some(0.5),
            eta_s: Some(8.4),
        };
        let running = LearnStatus { running: Some(RunId(3)), progress: Some(at), ..status() };
        assert_eq!(stands(&running), "run 3: training 12/40, loss 0.500, 8 s left");
        let still = LearnStatus { waits_for: Some("paused".into()), ..running };
        assert_eq!(stands(&still), "run 3 stands still: paused");
    }

    #[test]
    fn a_decision_has_a_line_for_each_reason() {
        assert_eq!(decision(&run(RunState::Rejected)), "run 3 v1 rejected after 21 s\n  lesson 1 learned");
    }
}
