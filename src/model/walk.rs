//! Which files in a folder are models: `.gguf` files, without projectors and without later parts of split files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Stores nest a few folders deep (`ORG/REPO/FILE`); a link into a whole disk must not be walked for minutes.
const MAX_DEPTH: usize = 6;

/// `NAME-00002-of-00003`: a part of a split file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) number: u32,
    pub(super) of: u32,
}

/// Model files below `root`, sorted by path. Folders that cannot be read are skipped: they are other programs'.
pub(super) fn models_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(root, MAX_DEPTH, &mut BTreeSet::new(), &mut found);
    found.sort();
    found
}

/// Reads a part's place from a file name without `.gguf`.
pub(super) fn part(stem: &str) -> Option<Part<'_>> {
    let (rest, of) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(of) || !digits(number) {
        return None;
    }
    Some(Part { name, number: number.parse().ok()?, of: of.parse().ok()? })
}

/// All files that make up the model whose first (or only) file is `path`, whether or not they exist.
pub(super) fn all_parts(path: &Path) -> Vec<PathBuf> {
    match part(&stem(path)) {
        Some(Part { name, of, .. }) => {
            (1..=of).map(|n| path.with_file_name(format!("{name}-{n:05}-of-{of:05}.gguf"))).collect()
        }
        None => vec![path.to_path_buf()],
    }
}

/// File name without `.gguf`, parts' numbers included.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let len = name.len().saturating_sub(".gguf".len());
    match name.split_at_checked(len) {
        Some((stem, extension)) if extension.eq_ignore_ascii_case(".gguf") => stem.to_owned(),
        _ => name,
    }
}

/// The name that a person would give the file: no `.gguf`, no part number.
pub(super) fn title(path: &Path) -> String {
    let stem = stem(path);
    part(&stem).map_or_else(|| stem.clone(), |part| part.name.to_owned())
}

/// Whether a file of this name is a model of its own. Projectors (`mmproj`) belong to another file.
pub(super) fn is_model(file_name: &str) -> bool {
    let lower = file_name.to_ascii_lowercase();
    let Some(stem) = lower.strip_suffix(".gguf") else { return false };
    !lower.starts_with('.') && !lower.contains("mmproj") && part(stem).is_none_or(|part| part.number == 1)
}

fn walk(dir: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) {
    // Links can make a circle; a folder is walked once under its real name.
    if !dir.canonicalize().is_ok_and(|real| seen.insert(real)) {
        return;
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                walk(&path, depth - 1, seen, found);
            }
        } else if entry.file_name().to_str().is_some_and(is_model) {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file_name: &str, expected: bool) {
        assert_eq!(is_model(file_name), expected, "{file_name}");
    }

    #[test]
    fn only_whole_models_and_first_parts_are_models() {
        check("a.gguf", true);
        check("A.GGUF", true);
        check("a-00001-of-00003.gguf", true);
        check("a-00002-of-00003.gguf", false);
        check("mmproj-a-f16.gguf", false);
        check("a.gguf.part", false);
        check("a.safetensors", false);
        check("._a.gguf", false);
    }

    #[test]
    fn parts_are_named_from_the_first() {
        let parts = all_parts(Path::new("/m/a-00001-of-00002.gguf"));
        assert_eq!(parts, [Path::new("/m/a-00001-of-00002.gguf"), Path::new("/m/a-00002-of-00002.gguf")]);
        assert_eq!(all_parts(Path::new("/m/a.gguf")), [Path::new("/m/a.gguf")]);
        assert_eq!(title(Path::new("/m/a-00001-of-00002.gguf")), "a");
    }
}
