//! `chela model pull`: choose a file on the hub, make sure there is room, download, verify, put in place.
//!
//! A file is under its final name only when size and hash are right. Until then it is `FILE.gguf.part`, with
//! `FILE.gguf.part.json` saying what it is a part of; the next pull of the same content continues it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::DecimalBytes;

use super::choose::{ChooseError, Spec, choose};
use super::fetch::Fetch;
use super::hub::{Hub, HubError, Listing, RemoteFile};
use super::manifest::{self, Manifest};
use super::{Owner, own, walk};
use crate::config::disk;

/// What stays free on the disk after a download: a full disk harms more than chela.
const KEEP_FREE: u64 = 128 << 20;

/// Everything a pull needs besides the name of what is pulled.
pub struct Setup<'a> {
    pub hub: &'a Hub,
    pub models_dir: &'a Path,
    /// Says why a whole and genuine file cannot be used on this machine.
    pub check: &'a dyn Fn(&Path) -> Result<(), String>,
    /// Set it (from a signal) and the pull ends with [`PullError::Interrupted`]; the part stays.
    pub cancel: &'a AtomicBool,
    pub retry: Retry,
    /// Bytes free below a directory.
    pub free_bytes: fn(&Path) -> io::Result<u64>,
}

/// How dropped connections are met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Failures in a row, with less than a MiB received each, after which the pull gives up.
    pub attempts: u32,
    /// Doubles with each failure, up to 30 seconds.
    pub first_wait: Duration,
}

/// What happens during a pull, for a progress line. Byte counts are of all files of the model together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// `here` bytes of `total` had arrived before.
    Started {
        name: String,
        path: PathBuf,
        total: u64,
        here: u64,
    },
    Advanced {
        done: u64,
    },
    /// What had arrived cannot be used.
    StartedOver {
        reason: String,
    },
    Retrying {
        reason: String,
        attempt: u32,
        of: u32,
        wait: Duration,
    },
    /// The hash of what lies on the disk is being computed.
    Verifying {
        done: u64,
    },
    /// The server named no hash; only the size could be checked.
    Unverified {
        file: String,
    },
}

/// A model that is in place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pulled {
    /// As in `chela model list`; what `model.name` stores.
    pub name: String,
    pub path: PathBuf,
    pub size: u64,
    pub repo: String,
    pub revision: String,
    /// Of the first file; absent when the server did not say.
    pub sha256: Option<String>,
    /// Nothing had to be downloaded.
    pub already_here: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Choose(#[from] ChooseError),
    #[error(
        "{repo} lists {file}, but its part {missing} is not there; tell its publisher, or pull another file"
    )]
    PartMissing { repo: String, file: String, missing: String },
    #[error("the server does not say how large {file} is; check HF_ENDPOINT")]
    NoSize { file: String },
    #[error(
        "not enough room in {dir}: {need} are needed (and {} kept free), {free} are free; free some, or choose a smaller quantization",
        DecimalBytes(KEEP_FREE)
    )]
    NoRoom { dir: PathBuf, need: DecimalBytes, free: DecimalBytes },
    #[error(
        "the disk is full: cannot write {path}; free some space, the same command continues where it stopped"
    )]
    DiskFull { path: PathBuf },
    #[error("cannot write {path}: {reason}")]
    Write { path: PathBuf, reason: io::Error },
    #[error("another chela is downloading {path}; wait for it, or stop it")]
    Busy { path: PathBuf },
    #[error("{file}: {reason}; {} of {} are kept, the same command continues", DecimalBytes(*here), DecimalBytes(*size))]
    Dropped { file: String, reason: String, here: u64, size: u64 },
    #[error(
        "{file} should have {expected} bytes, the server has {got}; try again later, its listing and its file disagree"
    )]
    WrongSize { file: String, expected: u64, got: u64 },
    #[error("{file} arrived damaged (sha256 {got}, should be {expected}) and was removed; pull it again")]
    WrongHash { file: String, expected: String, got: String },
    #[error("interrupted; {} of {} are kept in {part}, the same command continues", DecimalBytes(*here), DecimalBytes(*size))]
    Interrupted { part: PathBuf, here: u64, size: u64 },
    #[error("{name} is whole, but cannot be used: {reason}; `chela model rm {name}` removes it")]
    Unusable { name: String, path: PathBuf, reason: String },
}

/// One file of the model, its place, and what is known about it.
struct Piece {
    manifest: Manifest,
    target: PathBuf,
}

impl<'a> Setup<'a> {
    /// With the usual patience and the real disk.
    pub fn new(
        hub: &'a Hub,
        models_dir: &'a Path,
        check: &'a dyn Fn(&Path) -> Result<(), String>,
        cancel: &'a AtomicBool,
    ) -> Self {
        Self { hub, models_dir, check, cancel, retry: Retry::default(), free_bytes: disk::free_bytes }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, first_wait: Duration::from_secs(1) }
    }
}

impl PullError {
    pub(super) fn write(path: &Path, reason: io::Error) -> Self {
        let path = path.to_path_buf();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, reason },
        }
    }
}

/// Downloads what `spec` names into `setup.models_dir` and returns it in place, hash verified and checked.
pub fn pull(spec: &Spec, setup: &Setup, report: &mut dyn FnMut(PullEvent)) -> Result<Pulled, PullError> {
    let listing = setup.hub.list(&spec.repo)?;
    let pieces = pieces(spec, setup, &listing)?;
    let wanted: Vec<&Piece> = pieces.iter().filter(|piece| !is_here(piece)).collect();
    if !wanted.is_empty() {
        std::fs::create_dir_all(setup.models_dir).map_err(|err| PullError::write(setup.models_dir, err))?;
        check_room(setup, &wanted)?;
        download_all(setup, &listing, &pieces, report)?;
    }
    let pulled = pulled(&pieces, wanted.is_empty())?;
    match (setup.check)(&pulled.path) {
        Ok(()) => Ok(pulled),
        Err(reason) => Err(PullError::Unusable { name: pulled.name, path: pulled.path, reason }),
    }
}

/// The chosen file, or all parts of it, with sizes and hashes.
fn pieces(spec: &Spec, setup: &Setup, listing: &Listing) -> Result<Vec<Piece>, PullError> {
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let chosen = choose(spec, &paths)?;
    let parts = walk::all_parts(Path::new(chosen));
    parts.iter().map(|path| piece(setup, listing, chosen, &path.to_string_lossy())).collect()
}

fn piece(setup: &Setup, listing: &Listing, chosen: &str, path: &str) -> Result<Piece, PullError> {
    let listed = listing.files.iter().find(|file| file.path == path);
    let listed = listed.ok_or_else(|| PullError::PartMissing {
        repo: listing.repo.clone(),
        file: chosen.into(),
        missing: path.into(),
    })?;
    let RemoteFile { path, size, sha256 } = setup.hub.complete(listing, listed)?;
    let size = size.ok_or_else(|| PullError::NoSize { file: path.clone() })?;
    let target = setup.models_dir.join(local_name(&listing.repo, &path));
    let (repo, revision) = (listing.repo.clone(), listing.revision.clone());
    Ok(Piece { manifest: Manifest { repo, revision, file: path, size, sha256 }, target })
}

/// `ORG--REPO--FILE.gguf`: flat, so that no path of a server can lead out of the directory.
fn local_name(repo: &str, path: &str) -> String {
    format!("{repo}/{path}").replace(['/', '\\', '\0'], "--")
}

fn is_here(piece: &Piece) -> bool {
    let whole = std::fs::metadata(&piece.target).is_ok_and(|meta| meta.len() == piece.manifest.size);
    whole && manifest::read(&piece.target).is_some_and(|known| known.same_content(&piece.manifest))
}

fn part_of(piece: &Piece) -> PathBuf {
    disk::with_suffix(&piece.target, ".part")
}

/// Bytes of the piece that an earlier pull left.
fn arrived(piece: &Piece) -> u64 {
    if is_here(piece) {
        return piece.manifest.size;
    }
    let part = part_of(piece);
    match manifest::read(&part) {
        Some(known) if known.same_content(&piece.manifest) => {
            std::fs::metadata(&part).map_or(0, |meta| meta.len().min(piece.manifest.size))
        }
        _ => 0,
    }
}

fn check_room(setup: &Setup, wanted: &[&Piece]) -> Result<(), PullError> {
    let need: u64 = wanted.iter().map(|piece| piece.manifest.size - arrived(piece)).sum();
    let free = (setup.free_bytes)(setup.models_dir).map_err(|err| PullError::write(setup.models_dir, err))?;
    if free >= need.saturating_add(KEEP_FREE) {
        return Ok(());
    }
    let dir = setup.models_dir.to_path_buf();
    Err(PullError::NoRoom { dir, need: DecimalBytes(need), free: DecimalBytes(free) })
}

fn download_all(
    setup: &Setup,
    listing: &Listing,
    pieces: &[Piece],
    report: &mut dyn FnMut(PullEvent),
) -> Result<(), PullError> {
    let summary = pulled(pieces, false)?;
    report(PullEvent::Started {
        name: summary.name,
        path: summary.path,
        total: summary.size,
        here: pieces.iter().map(arrived).sum(),
    });
    let mut before = 0;
    for piece in pieces {
        if !is_here(piece) {
            let mut of_all = |event| {
                report(match event {
                    PullEvent::Advanced { done } => PullEvent::Advanced { done: before + done },
                    PullEvent::Verifying { done } => PullEvent::Verifying { done: before + done },
                    other => other,
                });
            };
            download(setup, listing, piece, &mut of_all)?;
        }
        before += piece.manifest.size;
    }
    Ok(())
}

fn download(
    setup: &Setup,
    listing: &Listing,
    piece: &Piece,
    report: &mut dyn FnMut(PullEvent),
) -> Result<(), PullError> {
    let part_path = part_of(piece);
    let mut part = open_part(&part_path, piece)?;
    let fetch = Fetch {
        hub: setup.hub,
        listing,
        file: &piece.manifest.file,
        size: piece.manifest.size,
        part_path: &part_path,
        retry: &setup.retry,
        cancel: setup.cancel,
    };
    fetch.run(&mut part, report)?;
    verify(setup, &part_path, piece, report)?;
    put_in_place(&part_path, piece).map_err(|err| PullError::write(&piece.target, err))
}

/// Locks the part and empties it when it belongs to other content than what is pulled now.
fn open_part(part_path: &Path, piece: &Piece) -> Result<File, PullError> {
    let write_error = |reason| PullError::write(part_path, reason);
    let part = match disk::lock(part_path, false) {
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
            return Err(PullError::Busy { path: piece.target.clone() });
        }
        opened => opened.map_err(write_error)?,
    };
    let is_empty = part.metadata().is_ok_and(|meta| meta.len() == 0);
    if arrived(piece) == 0 && !is_empty {
        part.set_len(0).map_err(write_error)?;
    }
    manifest::write(part_path, &piece.manifest).map_err(write_error)?;
    Ok(part)
}

fn verify(
    setup: &Setup,
    part_path: &Path,
    piece: &Piece,
    report: &mut dyn FnMut(PullEvent),
) -> Result<(), PullError> {
    let Manifest { file, size, sha256, .. } = &piece.manifest;
    let Some(expected) = sha256 else {
        report(PullEvent::Unverified { file: file.clone() });
        return Ok(());
    };
    let hashed = disk::sha256_of(part_path, &mut |done| {
        report(PullEvent::Verifying { done });
        !setup.cancel.load(Ordering::Relaxed)
    });
    let got = hashed.map_err(|err| match err.kind() {
        io::ErrorKind::Interrupted => {
            PullError::Interrupted { part: part_path.into(), here: *size, size: *size }
        }
        _ => PullError::write(part_path, err),
    })?;
    if got == *expected {
        return Ok(());
    }
    // No byte of it can be trusted, so a later pull must not continue it.
    remove_part(part_path).map_err(|err| PullError::write(part_path, err))?;
    Err(PullError::WrongHash { file: file.clone(), expected: expected.clone(), got })
}

fn remove_part(part_path: &Path) -> io::Result<()> {
    std::fs::remove_file(part_path)?;
    std::fs::remove_file(manifest::beside(part_path))
}

fn put_in_place(part_path: &Path, piece: &Piece) -> io::Result<()> {
    std::fs::rename(part_path, &piece.target)?;
    std::fs::rename(manifest::beside(part_path), manifest::beside(&piece.target))?;
    disk::sync_parent(&piece.target)
}

fn pulled(pieces: &[Piece], already_here: bool) -> Result<Pulled, PullError> {
    let first = pieces.first().ok_or_else(|| PullError::NoSize { file: "the model".into() })?;
    let Manifest { repo, revision, file, sha256, .. } = first.manifest.clone();
    let named = own::from_repo(&repo, Path::new(&file), Owner::Chela, first.target.clone());
    let size = pieces.iter().map(|piece| piece.manifest.size).sum();
    Ok(Pulled { name: named.name, path: named.path, size, repo, revision, sha256, already_here })
}
