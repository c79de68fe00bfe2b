//! Names of the files in chela's own models directory: pulled ones after their repository, others after the file.

use std::path::{Path, PathBuf};

use super::find::Candidate;
use super::manifest;
use super::{Owner, choose, walk};

pub(super) fn candidates(models_dir: &Path) -> Vec<Candidate> {
    let mut found: Vec<_> =
        walk::models_below(models_dir).into_iter().map(|path| own(models_dir, path)).collect();
    found.extend(unfinished(models_dir));
    found
}

fn own(models_dir: &Path, path: PathBuf) -> Candidate {
    if let Some(manifest) = manifest::read(&path) {
        return from_repo(&manifest.repo, Path::new(&manifest.file), Owner::Chela, path);
    }
    let below = path.strip_prefix(models_dir).unwrap_or(&path);
    let name = below.with_file_name(walk::title(&path)).to_string_lossy().into_owned();
    Candidate::new(name, Owner::Chela, path)
}

/// `ORG/REPO:FILE-STEM`, which `chela model pull` takes too; also known by its quantization.
pub(super) fn from_repo(repo: &str, file: &Path, owner: Owner, path: PathBuf) -> Candidate {
    let title = walk::title(file);
    let mut candidate = Candidate::new(format!("{repo}:{title}"), owner, path);
    candidate.aliases.extend(choose::quant_in(&title).map(|quant| format!("{repo}:{quant}")));
    candidate.aliases.extend([repo.to_owned(), title]);
    candidate
}

/// Downloads that were interrupted: listed so that they are not forgotten on the disk.
fn unfinished(models_dir: &Path) -> Vec<Candidate> {
    let Ok(entries) = std::fs::read_dir(models_dir) else { return Vec::new() };
    let parts = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = parts
        .filter(|path| path.to_string_lossy().ends_with(".gguf.part"))
        .filter_map(unfinished_one)
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn unfinished_one(part: PathBuf) -> Option<Candidate> {
    let manifest = manifest::read(&part)?;
    let here = std::fs::metadata(&part).ok()?.len();
    let percent = here.saturating_mul(100) / manifest.size.max(1);
    let file = manifest.file.rsplit('/').next().unwrap_or_default();
    let name = format!("{}:{}.part", manifest.repo, file.trim_end_matches(".gguf"));
    let mut candidate = Candidate::new(name, Owner::Chela, part);
    candidate.problem = Some(format!(
        "unfinished download, {percent} % of {} is here; `chela model pull {}` continues it",
        indicatif::DecimalBytes(manifest.size),
        manifest.spec()
    ));
    Some(candidate)
}
