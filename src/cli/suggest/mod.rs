//! `chela suggest`: a command for the line of a shell, asked for with words or after a failure. Called by the keys that
//! `chela init` sets up.
//!
//! Standard output carries one thing: the turn's number, a unit separator, the command. The prompt is drawn on the
//! terminal (`crate::tui::suggest`). Nothing is executed here: what is printed goes into a line that a person edits.

mod asking;
mod command;
mod complete;
mod context;

use std::io::Write;
use std::sync::Arc;

use clap::Args;

use self::asking::Asking;
use super::Exit;
use super::place::{Place, is_ignored, is_off_record, redactor, variable};
use super::{exit, output};
use crate::config::{Surface, Theme};
use crate::daemon::wire::shell::ShellKind;
use crate::tui::TerminalEnv;
use crate::tui::suggest::{Inline, Outcome, Proposal, Purpose, Telling, Tty, run as run_prompt};
use crate::tui::theme::Ink;
use crate::turn::TurnId;

/// Between the turn and the command: no shell lets a person type it by chance.
const SEPARATOR: char = '\x1f';

#[derive(Debug, Args)]
#[command(
    after_help = "Prints TURN, the character 0x1f and the command; nothing when there is none (exit code 1).\n\
    The keys of `chela init` call this; nothing that it prints is ever run by chela."
)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
pub(super) struct SuggestArgs {
    /// What is wanted, in words; without it a prompt asks. With --complete the line so far
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    line: Option<String>,
    /// The next command after the last one that failed
    #[arg(long, conflicts_with_all = ["complete", "teach"])]
    fix: bool,
    /// How --line may go on; asks nobody anything and is silent when nothing is known
    #[arg(long, conflicts_with = "teach", requires = "line")]
    complete: bool,
    /// The suggestion was wrong: asks what to do instead and teaches it
    #[arg(long)]
    teach: bool,
    /// The last command, when it failed
    #[arg(long, value_name = "COMMAND", requires = "status", allow_hyphen_values = true)]
    failed: Option<String>,
    /// Its exit status
    #[arg(long, value_name = "N", requires = "failed")]
    status: Option<i32>,
    /// The turn whose suggestion stands in the line
    #[arg(long, value_name = "TURN", requires = "teach", allow_negative_numbers = true)]
    suggestion: Option<i64>,
    /// The shell that the command is for: bash, zsh or fish
    #[arg(long, value_name = "SHELL", value_parser = kind)]
    shell: Option<ShellKind>,
    /// Print the keys for --shell and their settings, and ask nothing
    #[arg(long, requires = "shell", conflicts_with_all = ["fix", "complete", "teach", "line"])]
    keys: bool,
    /// Which shell this is: the eight digits that it drew
    #[arg(long, value_name = "ID")]
    shell_id: Option<String>,
    /// The prompt stands below the cursor's row instead of on it
    #[arg(long)]
    below: bool,
    /// The shell has bracketed paste on and wants it so afterwards
    #[arg(long)]
    keep_paste: bool,
}

impl SuggestArgs {
    fn purpose(&self) -> Purpose {
        match (self.fix, self.teach) {
            (true, _) => Purpose::Fix,
            (false, true) => Purpose::Teach,
            (false, false) => Purpose::Ask,
        }
    }

    /// What is asked at once. A lesson is always typed.
    fn question(&self) -> Option<String> {
        let line = self.line.as_deref().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
        match self.purpose() {
            Purpose::Ask => line,
            Purpose::Fix => Some(self.failed.clone().unwrap_or_else(|| "the last command".to_owned())),
            Purpose::Teach => None,
        }
    }
}

pub(super) fn run(place: &Place, args: &SuggestArgs) -> anyhow::Result<Exit> {
    if let (true, Some(shell)) = (args.keys, args.shell) {
        let script = crate::shell::keys::script(shell, &place.settings()?.shell);
        std::io::stdout().lock().write_all(script.as_bytes())?;
        return Ok(Exit::Done);
    }
    let settings = place.prepare();
    let hidden = settings.as_ref().map(|settings| settings.privacy.hide.clone()).unwrap_or_default();
    let is_ignored = settings.as_ref().is_ok_and(|settings| is_ignored(settings, Surface::Shell));
    let is_bare = settings.as_ref().is_ok_and(|settings| settings.chat.theme == Theme::None);
    let asking = settings.map(|settings| Asking::new(place, &settings, args));
    if args.complete {
        let line = args.line.as_deref().unwrap_or_default();
        return print(complete::completed(&asking?, line)?.as_ref());
    }
    let env = TerminalEnv::resolve(variable);
    let is_capable = !env.term.is_empty() && env.term != "dumb";
    let Some(Ok(tty)) = is_capable.then(|| Tty::take(args.keep_paste)) else {
        return without_prompt(&asking?, args);
    };
    let inline = Inline {
        purpose: args.purpose(),
        // What is wrong already is said at once.
        question: args.question().or_else(|| asking.is_err().then(String::new)),
        history_file: place.paths.asked_file(),
        is_off_record: is_off_record() || is_ignored,
        redactor: Arc::new(redactor(&hidden)),
        ink: if is_bare { Ink::NoColour } else { Ink::Full },
        reflows: env.reflows(),
        is_below: args.below,
        work: Arc::new(move |question, telling| match &asking {
            Ok(asking) => asking.answer(question, telling),
            Err(error) => Outcome::Failed(exit::sentence(error)),
        }),
    };
    print(run_prompt(inline, tty)?.as_ref())
}

/// Where nothing can be drawn: asks what is in the line. A dangerous command needs a yes that nobody can give here.
fn without_prompt(asking: &Asking, args: &SuggestArgs) -> anyhow::Result<Exit> {
    let Some(question) = args.question() else {
        let message = "there is no terminal to ask on; pass the question with --line";
        return Err(exit::Stop::new(Exit::Usage, message).into());
    };
    match asking.answer(&question, &Telling::nobody()?) {
        Outcome::Command(proposal) if proposal.dangers.is_empty() => print(Some(&proposal)),
        Outcome::Command(proposal) => {
            let why = proposal.dangers.join("; ");
            Err(exit::Stop::new(Exit::Failed, format!("{} is dangerous: {why}", proposal.command)).into())
        }
        Outcome::NoCommand(text) | Outcome::Done(text) | Outcome::Failed(text) => {
            output::note(&text);
            Ok(Exit::Failed)
        }
    }
}

fn print(proposal: Option<&Proposal>) -> anyhow::Result<Exit> {
    let Some(Proposal { turn: TurnId(turn), command, .. }) = proposal else { return Ok(Exit::Failed) };
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{turn}{SEPARATOR}{command}")?;
    stdout.flush()?;
    Ok(Exit::Done)
}

fn kind(name: &str) -> Result<ShellKind, String> {
    ShellKind::named(name).ok_or_else(|| "bash, zsh or fish".to_owned())
}
