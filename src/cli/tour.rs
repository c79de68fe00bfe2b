//! `chela tour`: the loop in a minute and a half, with the real model, trainer and gate, in a profile that is thrown away
//! afterwards. What is shown is what happened; nothing of it touches the user's own ledger.

mod guide;
mod script;

use clap::Args;

use super::place::Place;
use super::served::{Parts, Scratch, Served};
use super::{Exit, loading, output};
use crate::config::When;
use crate::daemon;
use crate::model::starter;
use guide::Guide;

#[derive(Debug, Args)]
pub(super) struct TourArgs {
    /// Go from step to step without waiting for Enter
    #[arg(long)]
    fast: bool,
    /// The model to show it with, a name or path [default: the starter]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

pub(super) fn run(place: &Place, args: &TourArgs) -> anyhow::Result<Exit> {
    let mut settings = place.settings()?;
    settings.learn.when = When::Asked;
    settings.learn.dial = crate::config::Dial::Eager;
    settings.model.name = args.model.clone().unwrap_or_else(|| starter::NAME.to_owned());
    let scratch = Scratch::new()?;
    // Models and their fingerprints are the user's own: only the ledger and the adapters are of the tour.
    let loader = loading::loader(place, &settings);
    let parts = Parts { settings, loader, trainer: daemon::local_trainer(), course: daemon::usual_course() };
    let served = Served::start(&scratch, parts)?;
    let mut guide = Guide::new(place, args.fast);
    let toured = script::play(&served.client, &mut guide);
    drop(served);
    toured?;
    output::note("the tour's profile is gone; yours begins with: chela");
    Ok(Exit::Done)
}
