//! `chela backup` and `chela restore`: all of it in one file, and back.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::config::disk;
use crate::store::backup::{BackupManifest, Places, list, restore};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// A file that does not exist yet (.tar.zst); without one it is kept beside the ledger, where `chela forget` removes it
    file: Option<PathBuf>,
    /// The backups that chela keeps, newest first
    #[arg(long, conflicts_with = "file")]
    list: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// A file of `chela backup`, or a name from its list
    file: PathBuf,
}

pub(super) fn back_up(place: &Place, args: &BackupArgs) -> anyhow::Result<Exit> {
    if args.list {
        return listing(place, args.json);
    }
    place.prepare()?;
    if let Some(file) = args.file.as_deref().filter(|file| file.exists()) {
        bail!("{} exists; name a file that does not", file.display());
    }
    let mut made = Client::connect(&place.paths)?.back_up()?;
    if let Some(file) = &args.file {
        move_to(Path::new(&made.path), file)?;
        made.path = file.display().to_string();
    }
    if args.json {
        output::json(&made)?;
        return Ok(Exit::Done);
    }
    output::line(&made.path)?;
    output::note(&format!(
        "{} turns, {} lessons, {} adapters, {}; settings, models and logs are not in it",
        made.turns,
        made.lessons,
        made.adapters,
        output::size(made.bytes)
    ));
    if args.file.is_some() {
        output::note("this copy is yours: `chela forget` does not reach it");
    }
    Ok(Exit::Done)
}

/// Another disk may be meant, so it is copied.
fn move_to(kept: &Path, file: &Path) -> anyhow::Result<()> {
    let copied = disk::write_whole_with(file, |part| std::fs::copy(kept, part).map(drop));
    // Whatever came of it: a copy that was asked for elsewhere is not one that chela keeps.
    let removed = std::fs::remove_file(kept);
    copied.with_context(|| format!("cannot write {}", file.display()))?;
    removed.with_context(|| format!("cannot remove {}", kept.display()))
}

#[derive(Debug, Serialize)]
struct Listed {
    path: PathBuf,
    bytes: u64,
    /// `None`: a copy of the ledger from before an update, or one that cannot be read.
    #[serde(flatten)]
    manifest: Option<BackupManifest>,
    problem: Option<String>,
}

fn listing(place: &Place, json: bool) -> anyhow::Result<Exit> {
    let mut listed = Vec::new();
    for kept in list(&place.paths.ledger())? {
        let bytes = std::fs::metadata(&kept.path)?.len();
        let (manifest, problem) = match kept.manifest {
            Ok(manifest) => (manifest, None),
            Err(problem) => (None, Some(problem)),
        };
        listed.push(Listed { path: kept.path, bytes, manifest, problem });
    }
    if json {
        output::json(&listed)?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        output::note("chela keeps no backup; `chela backup` makes one");
        return Ok(Exit::Done);
    }
    let now_ms = Timestamp::now().as_millisecond();
    let rows: Vec<Vec<String>> = listed.iter().map(|one| row(one, now_ms)).collect();
    output::line(&output::table(&rows))?;
    Ok(Exit::Done)
}

fn row(one: &Listed, now_ms: i64) -> Vec<String> {
    let name = one.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (age, what) = match (&one.manifest, &one.problem) {
        (Some(made), _) if made.schema == 0 => {
            (output::age(made.made_at, now_ms), "a ledger that could not be read".to_owned())
        }
        (Some(made), _) => (
            output::age(made.made_at, now_ms),
            format!("{} turns, {} lessons, {} adapters", made.turns, made.lessons, made.adapters),
        ),
        (None, Some(problem)) => (String::new(), output::harmless(problem)),
        (None, None) => (String::new(), "the ledger from before an update".to_owned()),
    };
    vec![name, age, output::size(one.bytes), what]
}

pub(super) fn restore_from(place: &Place, args: &RestoreArgs) -> anyhow::Result<Exit> {
    place.prepare()?;
    let file = found(place, &args.file)?;
    let ledger = place.paths.ledger();
    if let Some(client) = Client::connect_if_running(&place.paths)? {
        client.stop()?;
    }
    // Held to the end: no daemon starts in the middle of it.
    let Ok(_lock) = disk::lock(&place.paths.lock_file(), false) else {
        bail!("a daemon was started meanwhile; `chela daemon stop`, then restore again");
    };
    let adapters = place.paths.adapters_dir();
    let places = Places { ledger: &ledger, adapters: &adapters };
    // Its numbers are those of the ledger that goes.
    let unfinished_forgetting = place.paths.data_dir.join("forgetting.json");
    let restored = restore(places, &file, &unfinished_forgetting, Timestamp::now())?;
    if restored.dropped_note {
        output::note("a `chela forget` had not come to its end; say it again for what was restored");
    }
    let manifest = &restored.manifest;
    output::note(&format!(
        "restored {} turns, {} lessons and {} adapters of {}",
        manifest.turns,
        manifest.lessons,
        manifest.adapters,
        Timestamp::from_millisecond(manifest.made_at)?.strftime("%Y-%m-%d %H:%M UTC"),
    ));
    if let Some(kept) = &restored.kept {
        output::note(&format!("what was here is kept as {}", kept.display()));
    }
    Ok(Exit::Done)
}

/// A path as it is, or the name of a backup beside the ledger.
fn found(place: &Place, file: &Path) -> anyhow::Result<PathBuf> {
    if file.exists() {
        return Ok(file.to_path_buf());
    }
    let kept = place.paths.data_dir.join(file);
    if file.components().count() == 1 && kept.exists() {
        return Ok(kept);
    }
    bail!("{} does not exist; `chela backup --list` names those that chela keeps", file.display())
}
