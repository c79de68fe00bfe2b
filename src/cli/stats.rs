//! `chela stats`: how the loop does, in figures.

mod learning;
mod report;

use clap::Args;

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;

/// The loop in figures: rewards day by day, lessons, what is learned now, versions and their gates, cost, disk, the judge
#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// Rewards of so many days, today included
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, args: &StatsArgs) -> anyhow::Result<Exit> {
    let stats = Client::connect(&place.paths)?.stats(args.days)?;
    if args.json {
        output::json(&stats)?;
    } else {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        output::line(&report::report(&stats, now_ms, place.may_draw()))?;
    }
    Ok(Exit::Done)
}
