//! `chela teach`: a lesson in the user's own words.

use clap::Args;

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::daemon::wire::Teach;
use crate::lesson::Scope;
use crate::turn::TurnId;

/// Teach a lesson; it holds from the next answer on
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela teach \"use rg instead of grep\"\n  chela teach --project . \"run tests with just test\""
)]
pub(super) struct TeachArgs {
    /// What to do from now on, as one sentence of at most 160 characters
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    lesson: Vec<String>,
    /// Everywhere (the default is what the sentence says)
    #[arg(long, group = "scope")]
    global: bool,
    /// Only in and below this folder
    #[arg(long, value_name = "DIR", group = "scope")]
    project: Option<std::path::PathBuf>,
    /// Only when this program is asked for
    #[arg(long, value_name = "NAME", group = "scope")]
    program: Option<String>,
    /// The turn that it is about: its number in `chela turns`
    #[arg(long, value_name = "N")]
    turn: Option<i64>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, args: &TeachArgs) -> anyhow::Result<Exit> {
    let scope = match (&args.project, &args.program) {
        (Some(folder), _) => Some(Scope::Project(std::fs::canonicalize(folder)?.display().to_string())),
        (None, Some(program)) => Some(Scope::Program(program.clone())),
        (None, None) => args.global.then_some(Scope::Global),
    };
    let teach = Teach { text: args.lesson.join(" "), scope, turn: args.turn.map(TurnId) };
    let lesson = Client::connect(&place.paths)?.teach(&teach)?;
    if args.json {
        output::json(&lesson)?;
    } else {
        output::line(&super::lessons::line(&lesson))?;
    }
    Ok(Exit::Done)
}
