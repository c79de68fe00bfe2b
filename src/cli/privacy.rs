//! `chela privacy`: all that is kept of a person, read from the files themselves, with or without a daemon.

mod at_rest;
mod places;
mod text;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::at_rest::AtRest;
use self::places::Held;
use super::consent::{self, Consent};
use super::place::{Place, is_off_record};
use super::{Exit, output};
use crate::config::{Dial, Settings};
use crate::store::{Holdings, Reader, StoreError};

/// All that is kept of you: files, what is in the ledger, what was learned, which rules hold, how to remove each
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct PrivacyArgs {
    /// As one JSON object
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Change {
    /// Encrypt the ledger on the disk, with the key that the settings name (`privacy.key_command`, `privacy.key_file`)
    Encrypt,
    /// Make it a plain file again
    Decrypt,
}

/// What `--json` prints. Its fields are a promise to scripts: add, never rename.
#[derive(Debug, Serialize)]
struct Report {
    places: Vec<Held>,
    /// `null` without a ledger, or with one that cannot be read.
    ledger: Option<Holdings>,
    ledger_problem: Option<String>,
    rules: RulesInForce,
    at_rest: AtRest,
    consent: Option<Consent>,
}

#[derive(Debug, Serialize)]
struct RulesInForce {
    /// `CHELA_OFF` is set here: what is asked from this shell is kept nowhere.
    off_record_here: bool,
    learning: Dial,
    ignore: Vec<String>,
    never_learn: Vec<String>,
    /// 0: everything is kept until it is forgotten.
    keep_days: u32,
    /// How many names are hidden besides secrets. Not which: this may be shown to others.
    hidden_names: usize,
}

pub(super) fn run(place: &Place, args: &PrivacyArgs) -> anyhow::Result<Exit> {
    match args.change {
        Some(Change::Encrypt) => return at_rest::encrypt(place),
        Some(Change::Decrypt) => return at_rest::decrypt(place),
        None => {}
    }
    let report = report(place, &place.settings()?)?;
    if args.json {
        output::json(&report)?;
    } else {
        output::line(&text::page(&report))?;
    }
    Ok(Exit::Done)
}

fn report(place: &Place, settings: &Settings) -> anyhow::Result<Report> {
    let (ledger, ledger_problem) =
        match Reader::open(&place.paths.ledger()).and_then(|mut reader| reader.holdings()) {
            Ok(holdings) => (Some(holdings), None),
            Err(StoreError::NoLedger(_)) => (None, None),
            Err(problem) => (None, Some(problem.to_string())),
        };
    let privacy = &settings.privacy;
    let rules = RulesInForce {
        off_record_here: is_off_record(),
        learning: settings.learn.dial,
        ignore: privacy.ignore.clone(),
        never_learn: privacy.never_learn.clone(),
        keep_days: privacy.keep_days,
        hidden_names: privacy.hide.len(),
    };
    let places = places::held(&place.paths)?;
    let at_rest = at_rest::look(&place.paths, privacy);
    Ok(Report { places, ledger, ledger_problem, rules, at_rest, consent: consent::read(&place.paths) })
}
