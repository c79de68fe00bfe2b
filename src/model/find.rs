//! The list of all models on this machine, whoever put them there; nothing is copied, only headers are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::roots::Roots;
use super::{Found, Owner, header, hf_cache, ollama, own, starter, walk};

/// A file that may be a row; what other folders of `model` know before the file is opened.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) owner: Owner,
    pub(super) path: PathBuf,
    pub(super) problem: Option<String>,
}

impl Candidate {
    pub(super) fn new(name: String, owner: Owner, path: PathBuf) -> Self {
        Self { name, aliases: Vec::new(), owner, path, problem: None }
    }
}

/// All models below `roots`, chela's own first, each file once. The starter is unpacked if it is not there yet;
/// should that fail, its row says why.
pub fn list(roots: &Roots) -> Vec<Found> {
    candidates(roots).into_iter().filter_map(row).collect()
}

/// Everything that a list would show, named but not opened: finding one model must not read a hundred headers.
pub(super) fn candidates(roots: &Roots) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    if let Err(problem) = starter::unpack(&roots.chela) {
        let path = starter::path_in(&roots.chela);
        let mut row = Candidate::new(starter::NAME.into(), Owner::Chela, path);
        row.problem = Some(problem.to_string());
        candidates.push(row);
    }
    candidates.extend(own::candidates(&roots.chela));
    candidates.extend(roots.ollama.iter().flat_map(|root| ollama::candidates(root)));
    candidates.extend(roots.lmstudio.iter().flat_map(|root| lmstudio(root)));
    candidates.extend(roots.huggingface.iter().flat_map(|root| hf_cache::candidates(root)));
    candidates.extend(roots.llama_cpp.iter().flat_map(|root| llama_cpp(root)));
    with_unique_names(each_file_once(candidates))
}

/// `ORG/REPO/FILE.gguf`; files that lie elsewhere are named after themselves.
fn lmstudio(root: &Path) -> Vec<Candidate> {
    let named = |path: PathBuf| {
        let below = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        let folders: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        match folders.as_slice() {
            [org, repo, _file] => own::from_repo(&format!("{org}/{repo}"), &below, Owner::LmStudio, path),
            _ => Candidate::new(walk::title(&path), Owner::LmStudio, path),
        }
    };
    walk::models_below(root).into_iter().map(named).collect()
}

fn llama_cpp(root: &Path) -> Vec<Candidate> {
    let files = walk::models_below(root).into_iter();
    files.map(|path| Candidate::new(walk::title(&path), Owner::LlamaCpp, path)).collect()
}

/// Two names for one file (links, two tags of Ollama) are one row; the later names stay as aliases.
fn each_file_once(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    let mut by_file = BTreeMap::new();
    for candidate in candidates {
        let real = candidate.path.canonicalize().unwrap_or_else(|_| candidate.path.clone());
        let at = *by_file.entry(real).or_insert(kept.len());
        match kept.get_mut(at) {
            Some(first) if first.name == candidate.name => {}
            Some(first) => first.aliases.push(candidate.name),
            None => kept.push(candidate),
        }
    }
    kept
}

/// The first of a name keeps it; later ones say whose they are: `NAME@lmstudio`, then `NAME@lmstudio-2`.
fn with_unique_names(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut taken = BTreeSet::new();
    for candidate in &mut candidates {
        let owned = format!("{}@{}", candidate.name, candidate.owner);
        if taken.insert(candidate.name.clone()) {
            candidate.aliases.push(owned);
            continue;
        }
        let numbered = (2_u32..).map(|n| format!("{owned}-{n}"));
        let mut free = [owned.clone()].into_iter().chain(numbered).filter(|name| !taken.contains(name));
        let unique = free.next().unwrap_or(owned);
        taken.insert(unique.clone());
        candidate.aliases.push(std::mem::replace(&mut candidate.name, unique));
    }
    candidates
}

/// Opens the file's header. `None`: a projector, which is no model of its own.
pub(super) fn row(candidate: Candidate) -> Option<Found> {
    let Candidate { name, aliases, owner, path, problem } = candidate;
    let parts = walk::all_parts(&path);
    let len = |part: &PathBuf| std::fs::metadata(part).map_or(0, |meta| meta.len());
    let size = parts.iter().map(len).sum();
    let (header, problem) = match problem.or_else(|| missing_part(&parts)) {
        Some(problem) => (None, Some(problem)),
        None => match header::read(&parts) {
            Ok(header) if header.architecture == "clip" => return None,
            Ok(header) => (Some(header), None),
            Err(problem) => (None, Some(problem)),
        },
    };
    Some(Found { name, aliases, owner, path, size, header, problem })
}

fn missing_part(parts: &[PathBuf]) -> Option<String> {
    let missing = parts.iter().skip(1).find(|part| !part.exists())?;
    Some(format!("a part of it is missing: {}", missing.display()))
}
