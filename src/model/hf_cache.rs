//! Hugging Face's cache: `models--ORG--REPO/snapshots/COMMIT/FILE`, links into `blobs`.

use std::path::{Path, PathBuf};

use super::find::Candidate;
use super::{Owner, own, walk};

pub(super) fn candidates(hub: &Path) -> Vec<Candidate> {
    let mut repos = subfolders(hub);
    repos.sort();
    repos.iter().flat_map(|folder| repo_candidates(folder)).collect()
}

fn repo_candidates(folder: &Path) -> Vec<Candidate> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let Some(repo) = name.strip_prefix("models--").map(|repo| repo.replace("--", "/")) else {
        return Vec::new();
    };
    let mut snapshots = subfolders(&folder.join("snapshots"));
    // The commit that `main` points to comes first, so that it keeps the plain name.
    let main = std::fs::read_to_string(folder.join("refs/main")).unwrap_or_default();
    snapshots.sort_by_key(|dir| (!dir.ends_with(main.trim()), dir.clone()));
    let files = |snapshot: &PathBuf| {
        let repo = repo.clone();
        walk::models_below(snapshot).into_iter().map(move |path| {
            own::from_repo(
                &repo,
                Path::new(path.file_name().unwrap_or_default()),
                Owner::HuggingFace,
                path.clone(),
            )
        })
    };
    snapshots.iter().flat_map(files).collect()
}

fn subfolders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
