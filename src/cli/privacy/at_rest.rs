//! Encryption of the ledger on the disk: how things stand, what it does not cover, and `chela privacy encrypt` and
//! `decrypt`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;

use crate::cli::place::Place;
use crate::cli::{Exit, output};
use crate::client::Client;
use crate::config::{Paths, Privacy, disk};
use crate::store::backup::{is_plain, list};
use crate::store::sealed::{self, BUILT, Converted, Look, SealedError};

/// What a key never covers, whatever is set.
const NOT_COVERED: [&str; 7] = [
    "learned versions",
    "unfinished rounds",
    "input history",
    "shell records",
    "the log",
    "settings",
    "what chela export writes",
];

#[derive(Debug, Serialize)]
pub(super) struct AtRest {
    /// Whether this program can encrypt.
    built: bool,
    /// The setting that names the key.
    key: Option<&'static str>,
    /// `null`: there is no ledger, or it cannot be told.
    ledger_encrypted: Option<bool>,
    /// Copies beside the ledger that are plain although it is encrypted.
    plain_copies: Vec<PathBuf>,
    not_covered: [&'static str; 7],
}

pub(super) fn look(paths: &Paths, privacy: &Privacy) -> AtRest {
    let ledger = paths.ledger();
    let ledger_encrypted = match sealed::look(&ledger) {
        Ok(Look::Sealed) => Some(true),
        Ok(Look::Plain) => Some(false),
        Ok(Look::Empty | Look::Garbled) | Err(_) => None,
    };
    let plain_copies = if ledger_encrypted == Some(true) { copies(&ledger, true) } else { Vec::new() };
    let key = privacy.key_source().map(|source| source.setting());
    AtRest { built: BUILT, key, ledger_encrypted, plain_copies, not_covered: NOT_COVERED }
}

impl AtRest {
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![match (self.ledger_encrypted, self.key) {
            (Some(true), Some(key)) => {
                format!("the ledger, its log and what chela backup copies of it, with the key of {key}")
            }
            (Some(true), None) => {
                "the ledger; without privacy.key_command or privacy.key_file nobody reads it".to_owned()
            }
            (None, Some(key)) if BUILT => format!("the ledger will be, with the key of {key}"),
            (Some(false), Some(key)) if BUILT => {
                format!("nothing, although {key} is set: chela privacy encrypt")
            }
            (_, Some(key)) => SealedError::NotBuilt { setting: key }.to_string(),
            (_, None) if BUILT => {
                "nothing; set privacy.key_command or privacy.key_file, then chela privacy encrypt".to_owned()
            }
            (_, None) => {
                "nothing; a chela built with CHELA_FEATURES=encrypted scripts/run can encrypt the ledger"
                    .to_owned()
            }
        }];
        if self.ledger_encrypted == Some(true) || self.key.is_some() {
            lines.push(format!("never: {}", self.not_covered.join(", ")));
        }
        lines.extend(self.plain_copies.iter().map(|copy| format!("not: {}", copy.display())));
        lines
    }
}

/// Copies that chela keeps beside the ledger and that are plain, or that are not. One that cannot be read is neither.
fn copies(ledger: &Path, plain: bool) -> Vec<PathBuf> {
    let kept = list(ledger).unwrap_or_default();
    let paths = kept.into_iter().map(|kept| kept.path);
    paths.filter(|path| is_plain(path).is_ok_and(|is| is == plain)).collect()
}

pub(super) fn encrypt(place: &Place) -> anyhow::Result<Exit> {
    let key = key_setting(place)?;
    let ledger = place.paths.ledger();
    let _lock = daemons_lock(place)?;
    if !ledger.exists() {
        output::note(&format!(
            "there is no ledger yet; it is encrypted from its first turn on (key of {key})"
        ));
        return Ok(Exit::Done);
    }
    match sealed::encrypt(&ledger)? {
        None => output::note("the ledger is encrypted already, and its key opens it"),
        Some(converted) => say_converted("encrypted", &ledger, &converted),
    }
    for copy in copies(&ledger, true) {
        output::note(&format!(
            "still plain, because it is a copy from before: {} (make a new one with `chela backup`, then delete it)",
            copy.display()
        ));
    }
    output::note(&format!("never encrypted: {}", NOT_COVERED.join(", ")));
    output::note(&format!(
        "without the key of {key} nobody reads the ledger again, and nobody can help; keep a copy of it"
    ));
    Ok(Exit::Done)
}

pub(super) fn decrypt(place: &Place) -> anyhow::Result<Exit> {
    let key = key_setting(place)?;
    let ledger = place.paths.ledger();
    let _lock = daemons_lock(place)?;
    if !ledger.exists() {
        bail!("there is no ledger at {}; nothing to decrypt", ledger.display());
    }
    match sealed::decrypt(&ledger)? {
        None => output::note("the ledger is a plain file already"),
        Some(converted) => say_converted("plain again", &ledger, &converted),
    }
    for copy in copies(&ledger, false) {
        output::note(&format!("still encrypted, with the key that it had: {}", copy.display()));
    }
    output::note(&format!("now take the key out of the settings: chela config set {key} \"\""));
    Ok(Exit::Done)
}

/// The setting that names the key; who cannot encrypt or has none hears the next step.
fn key_setting(place: &Place) -> anyhow::Result<&'static str> {
    if !BUILT {
        return Err(crate::store::StoreError::from(SealedError::CannotSeal).into());
    }
    let source = place.prepare()?.privacy.key_source();
    let source = source.ok_or_else(|| crate::store::StoreError::from(SealedError::NoKeySet))?;
    Ok(source.setting())
}

/// Ends the daemon. While the lock is held no other one starts.
fn daemons_lock(place: &Place) -> anyhow::Result<std::fs::File> {
    if let Some(client) = Client::connect_if_running(&place.paths)? {
        client.stop()?;
    }
    let Ok(lock) = disk::lock(&place.paths.lock_file(), false) else {
        bail!("a daemon was started meanwhile; `chela daemon stop`, then try again");
    };
    Ok(lock)
}

fn say_converted(what: &str, ledger: &Path, converted: &Converted) {
    output::note(&format!(
        "{} is {what}: {} rows in {} tables were copied and counted, {}",
        ledger.display(),
        converted.rows,
        converted.tables,
        output::size(converted.bytes)
    ));
    match &converted.not_overwritten {
        None => output::note(
            "the old file was overwritten with zeros and removed; logs that SQLite removed before, SSDs, snapshots and \
             copy-on-write file systems may keep old blocks all the same, which only an encrypted disk prevents",
        ),
        Some(reason) => output::note(&format!(
            "the old file was removed and could not be overwritten ({reason}): its blocks may still hold the text"
        )),
    }
}
