//! `chela model rm`: only what chela itself put into its own directory.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::resolve::{self, ResolveError};
use super::roots::Roots;
use super::{Found, Owner, manifest, starter, walk};
use crate::config::disk;

/// What is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub name: String,
    pub files: Vec<PathBuf>,
    /// Bytes.
    pub freed: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("{} is part of chela and would be back at the next start; nothing was removed", starter::NAME)]
    Starter,
    #[error("{name} belongs to {owner}, chela does not remove it; {how}")]
    Foreign { name: String, owner: Owner, how: String },
    #[error("{path} is not in chela's models directory; remove it yourself if you no longer need it")]
    Elsewhere { path: PathBuf },
    #[error("{path} is being downloaded; stop that first")]
    Busy { path: PathBuf },
    #[error("cannot remove {path}: {reason}")]
    Remove { path: PathBuf, reason: io::Error },
}

/// Removes the files of the model that `wanted` names, all parts and what chela wrote down about them.
pub fn remove(roots: &Roots, wanted: &str) -> Result<Removed, RemoveError> {
    let found = resolve::locate(roots, wanted)?;
    refuse(roots, &found)?;
    let freed = found.size;
    let mut files = Vec::new();
    for model in walk::all_parts(&found.path) {
        for file in [manifest::beside(&model), model] {
            if remove_if_there(&file)? {
                files.push(file);
            }
        }
    }
    disk::sync_parent(&found.path).ok();
    Ok(Removed { name: found.name, files, freed })
}

fn refuse(roots: &Roots, found: &Found) -> Result<(), RemoveError> {
    let name = found.name.clone();
    let foreign =
        |how: String| Err(RemoveError::Foreign { name: found.name.clone(), owner: found.owner, how });
    match found.owner {
        Owner::Chela if found.path == starter::path_in(&roots.chela) => Err(RemoveError::Starter),
        Owner::Chela if !found.path.starts_with(&roots.chela) => elsewhere(found),
        Owner::Chela if is_locked(&found.path) => Err(RemoveError::Busy { path: found.path.clone() }),
        Owner::Chela => Ok(()),
        Owner::Ollama => foreign(format!("`ollama rm {name}` does")),
        Owner::LmStudio => foreign("LM Studio does, under My Models".into()),
        Owner::HuggingFace => foreign("`hf cache` shows and removes what is in that cache".into()),
        Owner::LlamaCpp => {
            foreign(format!("if no program needs it any more, remove {}", found.path.display()))
        }
        Owner::Elsewhere => elsewhere(found),
    }
}

fn elsewhere(found: &Found) -> Result<(), RemoveError> {
    Err(RemoveError::Elsewhere { path: found.path.clone() })
}

/// A download holds a lock on its part.
fn is_locked(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "part")
        && matches!(disk::lock(path, false), Err(err) if err.kind() == io::ErrorKind::WouldBlock)
}

fn remove_if_there(file: &Path) -> Result<bool, RemoveError> {
    match std::fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(reason) => Err(RemoveError::Remove { path: file.to_path_buf(), reason }),
    }
}
