//! `chela adapter`: look at the versions of the policy, choose one, take one along, bring one in. What they are is in
//! `crate::adapter`; what answers is the daemon's business.

mod rows;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use super::place::Place;
use super::{Exit, exit, loading, output};
use crate::adapter::manifest::Made;
use crate::adapter::shelf::NewVersion;
use crate::adapter::{AdapterError, Base, Manifest, Shape, Shelf, fingerprint, gguf, peft};
use crate::client::Client;
use crate::config::disk;
use crate::daemon::wire::{AdapterList, AdapterRow, BrokenAdapter, UseAdapter};
use crate::model::Found;
use crate::model::resolve::resolve;
use crate::store::{Reader, ServingRow, StoreError};
use crate::turn::PolicyVersion;

#[derive(Debug, Subcommand)]
pub(super) enum AdapterCommand {
    /// List the versions of the policy: the base and what was learned
    List {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print what is known of a version, and check its file
    Show {
        /// As in the list, e.g. v3
        version: PolicyVersion,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Answer with this version from the next turn on, in all terminals; `base` returns to the base model
    Use {
        /// As in the list, e.g. v3; or base
        version: PolicyVersion,
    },
    /// Answer with the version that answered before, or with the base; lessons that it lacks return to prompts
    Rollback,
    /// Write a version for other programs
    Export {
        /// As in the list, e.g. v3
        version: PolicyVersion,
        #[command(flatten)]
        target: Target,
    },
    /// Put an adapter of another program on the shelf, as a candidate for the model in use
    Import {
        /// A PEFT folder, or a GGUF LoRA file
        path: PathBuf,
        /// Print the manifest as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove a version; its number is not given again
    Rm {
        /// As in the list, e.g. v3
        version: PolicyVersion,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// A folder for PEFT: `adapter_model.safetensors` and `adapter_config.json`
    #[arg(long, value_name = "DIR")]
    peft: Option<PathBuf>,
    /// A file for llama.cpp
    #[arg(long, value_name = "FILE")]
    gguf: Option<PathBuf>,
}

pub(super) fn run(place: &Place, command: AdapterCommand) -> anyhow::Result<Exit> {
    match command {
        AdapterCommand::List { json } => list(place, json),
        AdapterCommand::Show { version, json } => show(place, version, json),
        AdapterCommand::Use { version } => use_version(place, version),
        AdapterCommand::Rollback => roll_back(place),
        AdapterCommand::Export { version, target } => export(place, version, &target),
        AdapterCommand::Import { path, json } => import(place, &path, json),
        AdapterCommand::Rm { version } => rm(place, version),
    }
}

fn shelf(place: &Place) -> Shelf {
    Shelf::new(&place.paths.adapters_dir())
}

fn list(place: &Place, json: bool) -> anyhow::Result<Exit> {
    let standing = standing(place)?;
    if json {
        output::json(&standing)?;
        return Ok(Exit::Done);
    }
    let model = place.settings()?.model.name;
    output::line(&output::table(&rows::list(&standing, &model)))?;
    if let Some(notice) = &standing.notice {
        output::note(&format!("note: {}", output::harmless(notice)));
    }
    Ok(Exit::Done)
}

/// What the daemon says, or without one what it would find.
fn standing(place: &Place) -> anyhow::Result<AdapterList> {
    if let Some(client) = Client::connect_if_running(&place.paths)? {
        let standing = client.adapters()?;
        // A daemon that is still loading does not know yet.
        if standing.model.is_some() {
            return Ok(standing);
        }
    }
    let listing = shelf(place).list()?;
    let (serving, notice) = match recorded(place) {
        Ok(serving) => (serving, None),
        Err(error) => (PolicyVersion::BASE, Some(format!("{error:#}"))),
    };
    let row = |manifest: Manifest| AdapterRow { serving: manifest.version == serving, manifest };
    let broken =
        |broken: crate::adapter::shelf::Broken| BrokenAdapter { name: broken.name, problem: broken.problem };
    Ok(AdapterList {
        serving,
        model: None,
        adapters: listing.versions.into_iter().map(row).collect(),
        broken: listing.broken.into_iter().map(broken).collect(),
        notice,
    })
}

/// The version that was last chosen for the model in use.
fn recorded(place: &Place) -> anyhow::Result<PolicyVersion> {
    let rows = serving_rows(place)?;
    if rows.iter().all(|row| row.version == PolicyVersion::BASE) {
        return Ok(PolicyVersion::BASE);
    }
    let base = identify(place, &model_in_use(place)?)?;
    let newest = rows.iter().rfind(|row| row.base_sha256 == base.sha256);
    Ok(newest.map_or(PolicyVersion::BASE, |row| row.version))
}

fn serving_rows(place: &Place) -> anyhow::Result<Vec<ServingRow>> {
    // They name the ledger's key.
    place.settings()?;
    match Reader::open(&place.paths.ledger()).and_then(|mut reader| reader.serving()) {
        // Before there was a ledger, or a table for it, nothing could be chosen.
        Err(StoreError::NoLedger(_) | StoreError::Outdated { .. }) => Ok(Vec::new()),
        rows => Ok(rows?),
    }
}

fn model_in_use(place: &Place) -> anyhow::Result<Found> {
    Ok(resolve(&loading::roots(place), &place.settings()?.model.name)?)
}

fn identify(place: &Place, found: &Found) -> anyhow::Result<Base> {
    let sha256 = fingerprint::of_file(&found.path, &place.paths.fingerprints_file())?;
    let architecture = found.header.as_ref().map(|header| header.architecture.clone());
    Ok(Base { name: found.name.clone(), sha256, architecture: architecture.unwrap_or_default() })
}

fn show(place: &Place, version: PolicyVersion, json: bool) -> anyhow::Result<Exit> {
    if version == PolicyVersion::BASE {
        let message = "v0 is the base model itself; `chela model info` describes it";
        return Err(exit::Stop::new(Exit::Usage, message).into());
    }
    let shelf = shelf(place);
    let manifest = shelf.manifest(version)?;
    let loaded = shelf.load(version);
    let problem = loaded.as_ref().err().map(ToString::to_string);
    let serving = standing(place)?.serving == version;
    let path = shelf.gguf_path(version);
    if json {
        #[derive(Serialize)]
        struct Printed<'a> {
            #[serde(flatten)]
            manifest: &'a Manifest,
            serving: bool,
            path: &'a Path,
            problem: &'a Option<String>,
        }
        output::json(&Printed { manifest: &manifest, serving, path: &path, problem: &problem })?;
    } else {
        let adapter = loaded.as_ref().ok().map(|(_, adapter)| adapter);
        output::line(&output::table(&rows::details(&manifest, adapter, serving, &path)))?;
        if let Some(problem) = &problem {
            output::line(&format!("problem  {}", output::harmless(problem)))?;
        }
    }
    Ok(if problem.is_some() { Exit::Failed } else { Exit::Done })
}

fn use_version(place: &Place, version: PolicyVersion) -> anyhow::Result<Exit> {
    place.prepare()?;
    if version != PolicyVersion::BASE {
        shelf(place).manifest(version)?;
    }
    // The daemon is the only writer of the ledger, where the choice is kept.
    let client = Client::connect(&place.paths)?;
    client.wait_for_model()?;
    let standing =
        client.use_adapter(&UseAdapter { version, reason: format!("chela adapter use {version}") })?;
    say_serving(standing);
    Ok(Exit::Done)
}

fn roll_back(place: &Place) -> anyhow::Result<Exit> {
    place.prepare()?;
    let client = Client::connect(&place.paths)?;
    client.wait_for_model()?;
    say_serving(client.roll_back("chela adapter rollback")?);
    Ok(Exit::Done)
}

fn say_serving(standing: AdapterList) {
    let model = standing.model.unwrap_or_default();
    output::note(&match standing.serving {
        PolicyVersion::BASE => format!("the base model {model} answers from now on"),
        version => format!("{version} of {model} answers from now on"),
    });
}

fn export(place: &Place, version: PolicyVersion, target: &Target) -> anyhow::Result<Exit> {
    if version == PolicyVersion::BASE {
        let message = "v0 is the base model itself: there is nothing to export";
        return Err(exit::Stop::new(Exit::Usage, message).into());
    }
    let shelf = shelf(place);
    let (manifest, adapter) = shelf.load(version)?;
    if let Some(folder) = &target.peft {
        let shape = Shape::open(&base_of(place, &manifest)?.path)?;
        peft::write(folder, &adapter, &shape, &manifest.base.name)?;
        output::line(&folder.display().to_string())?;
    }
    if let Some(file) = &target.gguf {
        let bytes = std::fs::read(shelf.gguf_path(version))?;
        disk::write_whole(file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
        output::line(&file.display().to_string())?;
    }
    Ok(Exit::Done)
}

/// The model file that a version belongs to, wherever it lies now.
pub(super) fn base_of(place: &Place, manifest: &Manifest) -> anyhow::Result<Found> {
    let wanted = &manifest.base;
    let found = resolve(&loading::roots(place), &wanted.name)
        .with_context(|| format!("the base of {} is needed", manifest.version))?;
    let base = identify(place, &found)?;
    if base.sha256 != wanted.sha256 {
        bail!(
            "{} was made for another file called {} (SHA-256 {}…, now {}…); bring that file back",
            manifest.version,
            wanted.name,
            wanted.sha256.get(..12).unwrap_or(&wanted.sha256),
            base.sha256.get(..12).unwrap_or(&base.sha256),
        );
    }
    Ok(found)
}

fn import(place: &Place, path: &Path, json: bool) -> anyhow::Result<Exit> {
    place.prepare()?;
    let found = model_in_use(place)?;
    let shape = Shape::open(&found.path)?;
    let base = identify(place, &found)?;
    let adapter = if path.is_dir() {
        peft::read(path, &shape)?
    } else {
        let (adapter, labels) = gguf::read(path)?;
        check_labels(&labels, &base)?;
        adapter
    };
    shape.check(&base.name, &adapter)?;
    let from = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let new = NewVersion {
        parent: PolicyVersion::BASE,
        base,
        made: Made::Import { from: from.display().to_string() },
        created_at: Timestamp::now().as_second(),
    };
    let manifest = shelf(place).create(&new, &adapter, None)?;
    if json {
        output::json(&manifest)?;
    } else {
        output::line(&manifest.version.to_string())?;
    }
    output::note(&format!("to answer with it: chela adapter use {}", manifest.version));
    Ok(Exit::Done)
}

/// A file that names its base is taken at its word.
fn check_labels(labels: &gguf::Labels, base: &Base) -> Result<(), AdapterError> {
    match &labels.base_sha256 {
        Some(sha256) if *sha256 != base.sha256 => Err(AdapterError::Misfit {
            base: base.name.clone(),
            reason: format!(
                "it names a base with the SHA-256 {}…, the model in use has {}…",
                sha256.chars().take(12).collect::<String>(),
                base.sha256.get(..12).unwrap_or(&base.sha256)
            ),
        }),
        _ => Ok(()),
    }
}

fn rm(place: &Place, version: PolicyVersion) -> anyhow::Result<Exit> {
    if version == PolicyVersion::BASE {
        let message = "v0 is the base model itself; `chela model rm` removes models";
        return Err(exit::Stop::new(Exit::Usage, message).into());
    }
    if standing(place)?.serving == version {
        bail!("{version} answers now; choose another first: chela adapter use base");
    }
    shelf(place).remove(version)?;
    output::note(&format!("removed {version}"));
    Ok(Exit::Done)
}
