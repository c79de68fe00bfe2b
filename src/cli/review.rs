//! `chela review`: hands the review pane what it must not find out itself. The pane is in `crate::tui`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::place::{Place, variable};
use crate::client::Client;
use crate::tui::TerminalEnv;
use crate::tui::review::{self, ReviewOptions};

/// See each thing that was learned, its proof, and take it back (full screen)
#[derive(Debug, Args)]
#[command(after_help = "The same as lists: chela turns, chela lessons, chela why. Keys: ? in the pane.")]
pub(super) struct ReviewArgs {}

pub(super) fn run(place: &Place, _args: &ReviewArgs) -> anyhow::Result<ExitCode> {
    let settings = place.prepare()?;
    anyhow::ensure!(
        !settings.chat.plain,
        "the review pane fills the screen; chela turns, chela lessons and chela why print the same"
    );
    let paths = place.paths.clone();
    review::run(&ReviewOptions {
        connect: Arc::new(move || Client::connect(&paths)),
        env: TerminalEnv::resolve(variable),
        theme: settings.chat.theme,
        cwd: std::env::current_dir().unwrap_or_default(),
        state_dir: place.paths.state_dir.clone(),
    })
}
