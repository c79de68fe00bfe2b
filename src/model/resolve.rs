//! From what a person typed (a name, a part of one, a path) to one file.

use std::path::{Path, PathBuf};

use super::find::{self, Candidate};
use super::roots::Roots;
use super::{Found, Owner};

/// How similar a name must be to be suggested (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.7;

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("no model \"{wanted}\"{}; `chela model list` shows all", did_you_mean(.similar))]
    Unknown { wanted: String, similar: Vec<String> },
    #[error("\"{wanted}\" could be {}; write one of these names", .names.join(" or "))]
    Ambiguous { wanted: String, names: Vec<String> },
    #[error("there is no file {path}; `chela model list` shows what there is")]
    NoFile { path: PathBuf },
    #[error("{name} cannot be used: {problem}")]
    Broken { name: String, path: PathBuf, problem: String },
}

/// The model that `wanted` names, ready to load: a name or alias from the list, `NAME@OWNER`, or a path.
/// [`Found::name`] is what `model.name` stores. A model with a problem is an error that says so.
pub fn resolve(roots: &Roots, wanted: &str) -> Result<Found, ResolveError> {
    let found = locate(roots, wanted)?;
    match found.problem {
        Some(problem) => Err(ResolveError::Broken { name: found.name, path: found.path, problem }),
        None => Ok(found),
    }
}

/// Like [`resolve`], but a broken file is found too: it can be described and removed.
pub fn locate(roots: &Roots, wanted: &str) -> Result<Found, ResolveError> {
    let candidates = find::candidates(roots);
    let candidate =
        if looks_like_path(wanted) { at_path(&candidates, wanted)? } else { pick(&candidates, wanted)? };
    let (name, path) = (candidate.name.clone(), candidate.path.clone());
    let problem = "it is the vision part of a model, not a model".into();
    find::row(candidate).ok_or(ResolveError::Broken { name, path, problem })
}

/// A path to a file that the list knows has the list's name; a file from elsewhere is named by its path.
fn at_path(candidates: &[Candidate], wanted: &str) -> Result<Candidate, ResolveError> {
    let path = std::path::absolute(wanted).unwrap_or_else(|_| wanted.into());
    if !path.is_file() {
        return Err(ResolveError::NoFile { path });
    }
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let is_it = |candidate: &&Candidate| candidate.path.canonicalize().is_ok_and(|at| at == real);
    let elsewhere = || Candidate::new(path.to_string_lossy().into_owned(), Owner::Elsewhere, path.clone());
    Ok(candidates.iter().find(is_it).cloned().unwrap_or_else(elsewhere))
}

/// `./x`, `/x`, `~` was expanded by the shell; `ORG/REPO` is a name.
fn looks_like_path(wanted: &str) -> bool {
    let file = Path::new(wanted);
    file.is_absolute()
        || wanted.starts_with("./")
        || wanted.starts_with("../")
        || (file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
            && file.is_file())
}

fn pick(rows: &[Candidate], wanted: &str) -> Result<Candidate, ResolveError> {
    if let Some(row) = rows.iter().find(|row| row.name == wanted) {
        return Ok(row.clone());
    }
    let known_as = |row: &&Candidate| {
        let mut names = row.aliases.iter().chain([&row.name]);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    let named: Vec<_> = rows.iter().filter(known_as).collect();
    match named.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(ResolveError::Unknown { wanted: wanted.into(), similar: similar(rows, wanted) }),
        several => Err(ResolveError::Ambiguous {
            wanted: wanted.into(),
            names: several.iter().map(|row| row.name.clone()).collect(),
        }),
    }
}

/// Up to three names that contain what was typed, or look like it; best first.
fn similar(rows: &[Candidate], wanted: &str) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let likeness = |row: &Candidate| {
        let names = row.aliases.iter().chain([&row.name]).filter(|name| !name.contains('@'));
        let one = |name: &String| {
            let name = name.to_lowercase();
            let contained = f64::from(u8::from(name.contains(&wanted)));
            contained + strsim::jaro_winkler(&name, &wanted)
        };
        names.map(one).fold(0.0, f64::max)
    };
    let mut ranked: Vec<_> = rows.iter().map(|row| (likeness(row), row.name.clone())).collect();
    ranked.retain(|(likeness, _)| *likeness >= SIMILAR);
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    ranked.into_iter().take(3).map(|(_, name)| name).collect()
}

fn did_you_mean(similar: &[String]) -> String {
    match similar {
        [] => String::new(),
        names => format!("; did you mean {}", names.join(" or ")),
    }
}
