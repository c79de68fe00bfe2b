//! `chela forget`: takes what a person names back out of everything, and shows how the policy answers before and after.

mod report;
mod what;

use std::io::{IsTerminal, Read as _, Write as _};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::exit::Stop;
use super::place::Place;
use super::{Exit, learn, output};
use crate::client::Client;
use crate::daemon::wire::LearnNow;
use crate::daemon::wire::forgetting::{Answered, Forget, Forgotten, ForgottenCounts};
use crate::turn::Message;

/// Take what you name back out of everything: prompts, ledger, weights, files
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[command(after_help = "turn N          a turn and what followed it (also turn:N)\n\
                  lesson N        a lesson (also N alone)\n\
                  session ID      a session with all its turns\n\
                  project [DIR]   what was asked and run in a folder or below it (this one)\n\
                  since TIME      2h, 3d, today, yesterday, 2026-11-20, 2026-11-20T10:00\n\
                  matching TEXT   wherever the text stands; - reads it from the input, so that no history has it\n\
                  all             everything; models and settings stay\n\n\
                  Versions of the policy that were taught any of it are removed; what else they held is taught to a new \
                  one, from the base on.\n\nExamples:\n  chela forget 3 turn:17 --dry-run\n  chela forget since 2h\n  \
                  chela forget matching 'Project Zebra' --yes")]
pub(super) struct ForgetArgs {
    /// turn N, lesson N, session ID, project DIR, since TIME, matching TEXT, or all
    #[arg(required = true, value_name = "WHAT")]
    what: Vec<String>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Leave the other lessons of removed versions in prompts, and build no new version now
    #[arg(long)]
    no_rebuild: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, args: &ForgetArgs) -> anyhow::Result<Exit> {
    let wish = wish(args)?;
    let client = Client::connect(&place.paths)?;
    let would = client.forget(&Forget { dry_run: true, ..wish.clone() })?;
    if args.dry_run {
        if args.json {
            output::json(&would)?;
        } else {
            output::line(&report::goes(&would))?;
        }
        return Ok(Exit::Done);
    }
    if would.counts == ForgottenCounts::default() && !args.json {
        output::line(&report::goes(&would))?;
        return Ok(Exit::Done);
    }
    if !args.yes {
        output::note(&report::goes(&would));
        if !is_wanted(&wish)? {
            output::note("nothing was forgotten");
            return Ok(Exit::Failed);
        }
    }
    // Without a model nothing can be asked before and after, and the report says so; forgetting goes on.
    if let Err(err) = client.wait_for_model() {
        output::note(&err.to_string());
    }
    let started = Instant::now();
    let gone = client.forget(&wish)?;
    if !args.json {
        output::line(&report::went(&gone))?;
    }
    let rebuilt = match gone.rebuild {
        Some(after) => Some(learn::wait_for(place, &client, LearnNow { running: None, after })?),
        None => None,
    };
    let after = after(&client, &gone)?;
    let took = started.elapsed();
    if args.json {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        output::json(&json!({ "forgotten": gone, "rebuilt": rebuilt, "after": after, "took_ms": took_ms }))?;
    } else {
        output::line(&report::shown(&gone, rebuilt.as_ref(), &after, took))?;
    }
    Ok(if gone.still_in.is_empty() { Exit::Done } else { Exit::Failed })
}

fn wish(args: &ForgetArgs) -> anyhow::Result<Forget> {
    let cwd = std::env::current_dir().context("the folder of this shell is gone")?;
    let now = jiff::Zoned::now();
    let around = what::Around { cwd: &cwd, now: &now };
    let mut wish = what::wish(&args.what, &around).map_err(|reason| Stop::new(Exit::Usage, reason))?;
    if wish.matching.as_deref() == Some("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the text")?;
        wish.matching = Some(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    wish.rebuild = !args.no_rebuild;
    Ok(wish)
}

/// A word for everything, a letter for less.
fn is_wanted(wish: &Forget) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let message = "what is forgotten does not come back; say --yes, or look first with --dry-run";
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let (question, yes): (_, &[&str]) = if wish.all {
        ("It does not come back. Type \"all\" to forget everything: ", &["all"])
    } else {
        ("It does not come back. Forget it? [y/N] ", &["y", "yes"])
    };
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(yes.contains(&answer.trim().to_lowercase().as_str()))
}

/// The same prompts once more, for the version that serves now.
fn after(client: &Client, gone: &Forgotten) -> anyhow::Result<Vec<Answered>> {
    if gone.before.is_empty() {
        return Ok(Vec::new());
    }
    let prompts: Vec<Vec<Message>> = gone.before.iter().map(|one| one.messages.clone()).collect();
    let answers = client.answer_unrecorded(prompts.clone())?.answers;
    let pairs = prompts.into_iter().zip(answers);
    Ok(pairs.map(|(messages, answer)| Answered { messages, answer }).collect())
}
