//! `chela import`: what an export holds, merged into this ledger.
//!
//! What lives here: what is asked for, and what is said of it. What does not: reading files (`lines`), sending what they
//! hold to the daemon, the only writer (`parts`), adapters (`adapters`).
//!
//! What always holds: a line that cannot be used is named with its file and number, and the next one is read; memory does
//! not grow with the file, but for the numbers of turns.

mod adapters;
mod lines;
mod parts;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::export::manifest::{FILE, FORMAT, Kind, Manifest};
use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::config::disk;
use parts::Parts;

/// Broken lines that are named; the rest is counted.
const MOST_NAMED: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A folder of `chela export`, one of its files, or - for stdin
    path: PathBuf,
    /// Only say what would come
    #[arg(long)]
    dry_run: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// What came of the rows of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Tally {
    new: u64,
    /// Known, with something new behind them.
    more: u64,
    known: u64,
    broken: u64,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    turns: Tally,
    lessons: Tally,
    adapters: Tally,
    /// Lines that are neither a turn nor a lesson, or no line of an export at all.
    broken_lines: u64,
}

impl Report {
    fn n_broken(&self) -> u64 {
        self.broken_lines + self.turns.broken + self.lessons.broken + self.adapters.broken
    }

    /// Names what cannot be used; after many it only counts.
    fn name(&self, place: &str, reason: &str) {
        let n_named = self.n_broken();
        if n_named < MOST_NAMED {
            output::note(&format!("{place}: {}", output::harmless(reason)));
        } else if n_named == MOST_NAMED {
            output::note("… further ones are only counted");
        }
    }
}

pub(super) fn run(place: &Place, args: &ImportArgs) -> anyhow::Result<Exit> {
    place.prepare()?;
    let mut report = Report { dry_run: args.dry_run, ..Report::default() };
    // Before a daemon is started for nothing.
    let folder = args.path.is_dir().then(|| Folder::open(&args.path)).transpose()?;
    let client = Client::connect(&place.paths)?;
    let mut parts = Parts::new(&client, args.dry_run);
    if let Some(folder) = &folder {
        folder.read(&mut parts, &mut report)?;
    } else {
        let name = args.path.display().to_string();
        lines::read(&mut *open(&args.path)?, &name, &mut parts, &mut report)?;
    }
    parts.finish(&mut report)?;
    if let Some(folder) = &folder {
        adapters::import(place, &folder.path, &mut report)?;
    }
    say(&report, args.json)?;
    Ok(if report.n_broken() > 0 { Exit::Failed } else { Exit::Done })
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, file)))
}

/// A folder of `chela export`.
struct Folder {
    path: PathBuf,
    manifest: Manifest,
}

impl Folder {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = path.join(FILE);
        let text = std::fs::read(&file)
            .with_context(|| format!("{} is no folder of chela export", path.display()))?;
        let head: serde_json::Value =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))?;
        let found = head.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if found > u64::from(FORMAT) {
            bail!(
                "{} has format {found}, this chela knows up to {FORMAT}; use the newer chela",
                file.display()
            );
        }
        let manifest =
            serde_json::from_value(head).with_context(|| format!("{} is damaged", file.display()))?;
        Ok(Self { path: path.to_path_buf(), manifest })
    }

    /// Turns before the lessons that name them. A file that was changed is read all the same: its lines are looked at one
    /// by one.
    fn read(&self, parts: &mut Parts<'_>, report: &mut Report) -> anyhow::Result<()> {
        for kind in [Kind::Turns, Kind::Lessons] {
            for entry in self.manifest.files.iter().filter(|entry| entry.kind == kind) {
                let path = self.path.join(&entry.name);
                if disk::sha256_of(&path, &mut |_| true).is_ok_and(|sha256| sha256 != entry.sha256) {
                    output::note(&format!("{} was changed since it was exported", entry.name));
                }
                lines::read(&mut *open(&path)?, &entry.name, parts, report)?;
            }
        }
        Ok(())
    }
}

fn say(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(report);
    }
    let mut rows = vec![["", "new", "with more", "known", "not usable"].map(str::to_owned).to_vec()];
    for (name, tally) in [("turns", report.turns), ("lessons", report.lessons), ("adapters", report.adapters)]
    {
        let numbers = [tally.new, tally.more, tally.known, tally.broken].map(|n| n.to_string());
        rows.push(std::iter::once(name.to_owned()).chain(numbers).collect());
    }
    output::line(&output::table(&rows))?;
    if report.broken_lines > 0 {
        output::note(&format!("{} lines hold nothing that can be imported", report.broken_lines));
    }
    if report.dry_run {
        output::note("nothing was written");
    }
    Ok(())
}
