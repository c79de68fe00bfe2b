//! Adapters of an export: onto the shelf as candidates, where their base model is here and they are not.

use std::io;
use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;

use super::Report;
use crate::adapter::manifest::{self, Made};
use crate::adapter::shelf::NewVersion;
use crate::adapter::{Adapter, Manifest, Shape, Shelf, gguf};
use crate::cli::export::manifest::{ADAPTERS, FILE};
use crate::cli::place::Place;
use crate::cli::{adapter, exit, output};
use crate::config::disk;
use crate::turn::PolicyVersion;

pub(super) fn import(place: &Place, folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let shelf = Shelf::new(&place.paths.adapters_dir());
    let mut folders: Vec<_> = match std::fs::read_dir(folder.join(ADAPTERS)) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?.collect::<io::Result<Vec<_>>>()?.into_iter().map(|entry| entry.path()).collect(),
    };
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match one(place, &shelf, &folder, report.dry_run) {
            Ok(Some(Placed::New(version))) => {
                report.adapters.new += 1;
                output::note(&format!(
                    "{name} is {version} here; to answer with it: chela adapter use {version}"
                ));
            }
            Ok(Some(Placed::Known(version))) => {
                report.adapters.known += 1;
                output::note(&format!("{name} is {version} here"));
            }
            Ok(None) => report.adapters.new += 1,
            Err(err) => {
                report.name(&format!("{ADAPTERS}/{name}"), &exit::sentence(&err));
                report.adapters.broken += 1;
            }
        }
    }
    Ok(())
}

enum Placed {
    New(PolicyVersion),
    Known(PolicyVersion),
}

/// `None`: it would be put on the shelf.
fn one(place: &Place, shelf: &Shelf, folder: &Path, dry_run: bool) -> anyhow::Result<Option<Placed>> {
    let manifest = manifest::read(&folder.join(FILE))?;
    let path = folder.join("adapter.gguf");
    let sha256 =
        disk::sha256_of(&path, &mut |_| true).with_context(|| format!("cannot read {}", path.display()))?;
    if sha256 != manifest.file.sha256 {
        bail!("its file was changed since it was made");
    }
    let base = adapter::base_of(place, &manifest)?;
    let (matrices, _) = gguf::read(&path)?;
    if let Some(version) = same_on(shelf, &manifest, &matrices)? {
        return Ok(Some(Placed::Known(version)));
    }
    Shape::open(&base.path)?.check(&manifest.base.name, &matrices)?;
    if dry_run {
        return Ok(None);
    }
    let from = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let new = NewVersion {
        parent: PolicyVersion::BASE,
        base: manifest.base,
        made: Made::Import { from: from.display().to_string() },
        created_at: Timestamp::now().as_second(),
    };
    Ok(Some(Placed::New(shelf.create(&new, &matrices, None)?.version)))
}

/// The version that holds the same numbers for the same base. Files differ in their labels.
fn same_on(shelf: &Shelf, wanted: &Manifest, matrices: &Adapter) -> anyhow::Result<Option<PolicyVersion>> {
    for manifest in shelf.list()?.versions {
        if manifest.base.sha256 == wanted.base.sha256
            && manifest.rank == wanted.rank
            && shelf.load(manifest.version).is_ok_and(|(_, known)| known == *matrices)
        {
            return Ok(Some(manifest.version));
        }
    }
    Ok(None)
}
