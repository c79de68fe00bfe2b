//! Which files there are, what each kind of them holds, and how it is removed. Every file in chela's directories is in
//! one of the rows, known or not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::config::Paths;

/// Files of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Held {
    pub(super) what: &'static str,
    /// Where they are: a file, or the folder of several.
    pub(super) path: PathBuf,
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// When the oldest and the newest of them were written, in Unix milliseconds.
    pub(super) oldest: i64,
    pub(super) newest: i64,
    pub(super) holds: &'static str,
    pub(super) remove: &'static str,
}

/// A kind of files: its name, what is in them, how they are removed.
struct Kind(&'static str, &'static str, &'static str);

const LEDGER: Kind = Kind(
    "ledger",
    "what you asked, the answers, what followed, verdicts, lessons; without secrets",
    "chela forget takes single things out; privacy.keep_days lets turns go by themselves",
);
const COPIES: Kind = Kind(
    "ledger copies",
    "the ledger as it was before an update, or one that was damaged",
    "chela forget and privacy.keep_days remove those of updates; else delete the files",
);
const VERSIONS: Kind = Kind(
    "learned versions",
    "weights that were learned from your lessons",
    "chela forget of what they learned from; chela adapter use base lets none of them answer",
);
const ROUNDS: Kind = Kind(
    "unfinished rounds",
    "answers that were drawn to learn from",
    "they go when the round ends, and with privacy.keep_days",
);
const TYPED: Kind = Kind(
    "input history",
    "what you typed in chats and at the shell's prompt; without secrets",
    "privacy.keep_days, or delete the files",
);
const SHELL: Kind = Kind(
    "shell records",
    "commands on their way to the daemon, which reads and removes them",
    "the daemon removes them; delete what is older",
);
const LOG: Kind = Kind("log", "what the daemon did, without any text of yours", "delete the files");
const SETTINGS: Kind = Kind(
    "settings",
    "your settings, the names to hide, commands that may run unasked",
    "chela config edit, or delete the files",
);
const MODELS: Kind =
    Kind("models", "models as they were downloaded, nothing of yours", "chela model rm NAME");
const OWN: Kind = Kind("state", "hashes, locks, and that you were told this", "delete the files");
const OTHER: Kind = Kind("other files", "chela does not know these", "look at them, then delete them");

const ORDER: [&Kind; 11] =
    [&LEDGER, &COPIES, &VERSIONS, &ROUNDS, &TYPED, &SHELL, &LOG, &SETTINGS, &MODELS, &OWN, &OTHER];

/// A row for each kind of which there are files.
pub(super) fn held(paths: &Paths) -> anyhow::Result<Vec<Held>> {
    let mut files = BTreeSet::new();
    for dir in [&paths.config_dir, &paths.data_dir, &paths.state_dir, &paths.runtime_dir] {
        collect(dir, &mut files)?;
    }
    Ok(ORDER.into_iter().filter_map(|kind| row(kind, paths, &files)).collect())
}

/// All regular files below, once each. A folder that is gone meanwhile holds none.
fn collect(dir: &Path, files: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot read {}", dir.display()))?,
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.insert(entry.path());
        }
    }
    Ok(())
}

fn row(kind: &Kind, paths: &Paths, files: &BTreeSet<PathBuf>) -> Option<Held> {
    let mut held = Held {
        what: kind.0,
        path: PathBuf::new(),
        files: 0,
        bytes: 0,
        oldest: i64::MAX,
        newest: i64::MIN,
        holds: kind.1,
        remove: kind.2,
    };
    let mut folder: Option<PathBuf> = None;
    for file in files.iter().filter(|file| kind_of(file, paths).0 == kind.0) {
        // One that is gone meanwhile is not kept.
        let Ok(found) = std::fs::metadata(file) else { continue };
        let written = found.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
        let written = written.map_or(0, jiff::Timestamp::as_millisecond);
        held.files += 1;
        held.bytes += found.len();
        held.oldest = held.oldest.min(written);
        held.newest = held.newest.max(written);
        folder = Some(shared(folder.as_deref(), file));
    }
    held.path = folder?;
    Some(held)
}

/// The file itself, or the folder that it shares with those before it.
fn shared(before: Option<&Path>, file: &Path) -> PathBuf {
    let Some(before) = before else { return file.to_path_buf() };
    let common = before.components().zip(file.components()).take_while(|(one, other)| one == other);
    common.map(|(part, _)| part).collect()
}

fn kind_of(file: &Path, paths: &Paths) -> &'static Kind {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_in = |dir: PathBuf| file.starts_with(dir);
    let ledger = paths.ledger();
    let ledger = ledger.file_name().unwrap_or_default().to_string_lossy();
    if file.parent() == Some(paths.data_dir.as_path()) && name.starts_with(&*ledger) {
        let rest = name.strip_prefix(&*ledger).unwrap_or_default();
        return if rest.is_empty() || rest.starts_with('-') { &LEDGER } else { &COPIES };
    }
    if is_in(paths.adapters_dir().join("runs")) {
        &ROUNDS
    } else if is_in(paths.adapters_dir()) {
        &VERSIONS
    } else if is_in(paths.models_dir()) {
        &MODELS
    } else if is_in(paths.shell_dir()) {
        &SHELL
    } else if paths.typed_files().iter().any(|typed| file == typed) {
        &TYPED
    } else if file.with_extension("").with_extension("log") == paths.log_file() || file == paths.log_file() {
        &LOG
    } else if file == paths.config_file() || file == paths.rules_file() {
        &SETTINGS
    } else if is_own(file, paths) {
        &OWN
    } else {
        &OTHER
    }
}

fn is_own(file: &Path, paths: &Paths) -> bool {
    let notes = [paths.state_dir.join("models-that-load"), paths.data_dir.join("forgetting.json")];
    let known = [paths.consent_file(), paths.fingerprints_file(), paths.lock_file()].into_iter().chain(notes);
    let is_lock = file.extension().is_some_and(|end| end == "lock");
    known.into_iter().any(|known| file == known) || is_lock || file.starts_with(&paths.runtime_dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PathEnv;

    fn paths() -> Paths {
        Paths::resolve(&PathEnv { chela_home: Some("/h".into()), xdg_runtime_dir: None }).unwrap()
    }

    #[track_caller]
    fn check(file: &str, expected: &str) {
        assert_eq!(kind_of(Path::new(file), &paths()).0, expected, "{file}");
    }

    #[test]
    fn every_file_is_of_a_kind() {
        check("/h/data/ledger.db", "ledger");
        check("/h/data/ledger.db-wal", "ledger");
        check("/h/data/ledger.db.v4.bak", "ledger copies");
        check("/h/data/adapters/v3/adapter.gguf", "learned versions");
        check("/h/data/adapters/runs/ab/rehearsed.json", "unfinished rounds");
        check("/h/state/history.jsonl", "input history");
        check("/h/state/asked.jsonl", "input history");
        check("/h/state/shell/0badcafe.log", "shell records");
        check("/h/state/chela.log", "log");
        check("/h/state/chela.log.1", "log");
        check("/h/config.toml", "settings");
        check("/h/rules.toml", "settings");
        check("/h/data/models/x.gguf", "models");
        check("/h/state/consent.json", "state");
        check("/h/state/history.lock", "state");
        check("/h/run/daemon.lock", "state");
        check("/h/state/models-that-load", "state");
        check("/h/notes.txt", "other files");
    }

    #[test]
    fn several_files_are_named_by_the_folder_that_they_share() {
        let one = shared(None, Path::new("/h/a/x"));
        assert_eq!(one, Path::new("/h/a/x"));
        let two = shared(Some(&one), Path::new("/h/a/y"));
        assert_eq!(two, Path::new("/h/a"));
        assert_eq!(shared(Some(&two), Path::new("/h/b")), Path::new("/h"));
    }
}
