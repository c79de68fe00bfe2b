//! `chela do`: the agent form. Proposes one command, asks, runs it in a terminal of its own, looks at how it ended, goes on.
//!
//! What always holds: nothing runs without the person's yes or a rule that they wrote; what was edited and how commands
//! ended goes to the daemon, which learns from it; what a program printed is never taken for a person's words.

mod answer;
mod ask;
mod edit;
mod held;
mod keys;
mod report;
mod step;
mod talk;

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::place::{Place, variable};
use super::{Exit, consent, exit, output};
use crate::shell::rules::Project;
use answer::Proposed;
use ask::Look;
use held::Held;
use report::{Report, Why};
use step::{Doing, Next};
use talk::Talk;

#[derive(Debug, Args)]
#[command(
    after_help = "Keys: y runs it, n does not (and asks what to do instead), a runs it now and always, e edits it first, Esc ends. \
    Enter alone is no.\nWithout a terminal only commands that your rules allow run: chela do --rules."
)]
pub(super) struct DoArgs {
    /// The task; several words need no quotes
    #[arg(value_name = "TASK", required_unless_present = "rules")]
    task: Vec<String>,
    /// Most commands to run; with 1, its end is the end
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    steps: u32,
    /// Show the first command and what would happen to it; run nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object at the end; what commands print goes to stderr
    #[arg(long)]
    json: bool,
    /// Show the rules that hold here
    #[arg(long, conflicts_with_all = ["dry_run", "steps"])]
    rules: bool,
}

pub(super) fn run(place: &Place, args: &DoArgs) -> anyhow::Result<Exit> {
    let cwd = std::env::current_dir().context("there is no directory here any more")?;
    let project = Project::at(&cwd, variable("HOME").map(PathBuf::from));
    let held = Held::read(&place.paths.rules_file(), project)?;
    if args.rules {
        return held.print(args.json);
    }
    let mut settings = place.prepare()?;
    consent::once(place, &mut settings)?;
    let task = args.task.join(" ");
    if task.trim().is_empty() {
        return Err(exit::Stop::new(Exit::Usage, "nothing to do; write `chela do \"…\"`").into());
    }
    let conversation = Talk::begin(place, &settings, &task)?;
    let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let look = Look { color: place.may_color_notes(), plain: settings.chat.plain };
    let shell = variable("SHELL").unwrap_or_else(|| "/bin/sh".to_owned());
    let mut doing = Doing {
        talk: conversation,
        held,
        cwd,
        shell,
        asks,
        dry_run: args.dry_run,
        json: args.json,
        look,
        steps: Vec::new(),
    };
    let why = work(&mut doing, args.steps)?;
    if let Some(line) = why.line() {
        output::note(&output::harmless(&line));
    }
    let report = Report { task: &task, why: &why, steps: &doing.steps };
    if args.json {
        output::json(&report)?;
    }
    Ok(why.exit())
}

/// One command after the other, until there is a reason to end.
fn work(doing: &mut Doing, most: u32) -> anyhow::Result<Why> {
    let mut n_run = 0;
    loop {
        let proposal = doing.talk.propose()?;
        let command = match proposal.what {
            Proposed::Command(command) => command,
            Proposed::Done(said) => return Ok(Why::Done { said }),
            // After something has worked, words are a last word.
            Proposed::Words(said) if doing.has_worked() => return Ok(Why::Done { said }),
            Proposed::Words(said) => return Ok(Why::NoCommand { said }),
        };
        match doing.just_ran(&command) {
            Some(0) => return Ok(Why::Done { said: "nothing new is proposed".into() }),
            Some(_) => {
                let said = format!("only the command that failed is proposed again: {command}");
                return Ok(Why::NoCommand { said });
            }
            None => {}
        }
        if n_run == most {
            return Ok(Why::Limit { most });
        }
        match doing.take(proposal.turn, &command)? {
            // One command is all that was wanted: how it ended is how the task ended.
            Next::GoOn { has_run: true } if most == 1 => {
                return Ok(match doing.last_status() {
                    Some(0) => Why::Done { said: String::new() },
                    status => Why::Failed { status: status.unwrap_or(-1) },
                });
            }
            Next::GoOn { has_run } => n_run += u32::from(has_run),
            Next::End(why) => return Ok(why),
        }
    }
}
