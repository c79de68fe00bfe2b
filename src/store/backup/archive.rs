//! The file of a backup: tar, compressed with zstd, the manifest first. Other programs can open it too.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::config::disk;

/// The format that is written. Older ones are read, newer ones are refused.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
/// A manifest that is longer is none.
const MOST_MANIFEST: u64 = 16 << 20;
pub(super) const LEDGER: &str = "ledger.db";
pub(super) const ADAPTERS: &str = "adapters";
/// Fast, and halves a ledger; adapters hardly shrink at any level.
const LEVEL: i32 = 3;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    pub format: u32,
    /// Version of the program that made it.
    pub chela: String,
    /// Of the ledger; 0: it could not be read and is kept as it was.
    pub schema: i64,
    /// Unix milliseconds.
    pub made_at: i64,
    pub turns: u64,
    pub lessons: u64,
    pub adapters: u64,
    pub files: Vec<BackupFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// With slashes.
    pub name: String,
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// A file that goes into a backup.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Hashes what is to be packed. `counts`: turns and lessons.
pub(super) fn describe(
    schema: i64,
    now: Timestamp,
    sources: &[Source],
    counts: (u64, u64),
) -> Result<BackupManifest, BackupError> {
    let mut files = Vec::with_capacity(sources.len());
    for Source { name, path } in sources {
        let bytes = std::fs::metadata(path).map_err(BackupError::io(path))?.len();
        let sha256 = disk::sha256_of(path, &mut |_| true).map_err(BackupError::io(path))?;
        files.push(BackupFile { name: name.clone(), bytes, sha256 });
    }
    let adapters = files.iter().filter(|file| file.name.ends_with("/adapter.gguf")).count() as u64;
    let (turns, lessons) = counts;
    let chela = env!("CARGO_PKG_VERSION").to_owned();
    Ok(BackupManifest {
        format: FORMAT,
        chela,
        schema,
        made_at: now.as_millisecond(),
        turns,
        lessons,
        adapters,
        files,
    })
}

/// Writes the file and syncs it.
pub(super) fn pack(to: &Path, manifest: &BackupManifest, sources: &[Source]) -> Result<(), BackupError> {
    let pack = || {
        let file = disk::private().write(true).create(true).truncate(true).open(to)?;
        let mut packed = zstd::Encoder::new(file, LEVEL)?;
        packed.include_checksum(true)?;
        let mut tar = tar::Builder::new(packed);
        let mut text = serde_json::to_vec_pretty(manifest)?;
        text.push(b'\n');
        append(&mut tar, MANIFEST, text.len() as u64, &text[..])?;
        for (source, about) in sources.iter().zip(&manifest.files) {
            // Exactly what was described: a file that grew meanwhile does not break the next one's place.
            append(&mut tar, &source.name, about.bytes, File::open(&source.path)?.take(about.bytes))?;
        }
        tar.into_inner()?.finish()?.sync_all()
    };
    pack().map_err(BackupError::io(to))
}

fn append(tar: &mut tar::Builder<impl Write>, name: &str, bytes: u64, from: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_cksum();
    tar.append_data(&mut header, name, from)
}

/// What a backup says of itself; nothing behind that is read.
pub(super) fn manifest(path: &Path) -> Result<BackupManifest, BackupError> {
    let mut archive = open(path)?;
    let mut entries = archive.entries().map_err(|err| damaged(path, &err))?;
    let first = entries.next().ok_or_else(|| damaged(path, &"it is empty"))?;
    read_manifest(path, &mut first.map_err(|err| damaged(path, &err))?)
}

/// The first bytes of the ledger in it, which comes right after the manifest; nothing behind that is read.
pub(super) fn ledger_begins(path: &Path) -> Result<Vec<u8>, BackupError> {
    let mut archive = open(path)?;
    let mut entries = archive.entries().map_err(|err| damaged(path, &err))?;
    let second = entries.nth(1).ok_or_else(|| damaged(path, &"it holds no ledger"))?;
    let mut first = Vec::new();
    second.and_then(|ledger| ledger.take(16).read_to_end(&mut first)).map_err(|err| damaged(path, &err))?;
    Ok(first)
}

/// Reads all of it and compares every hash.
pub(super) fn verify(path: &Path) -> Result<BackupManifest, BackupError> {
    walk(path, &mut |_| Ok(Box::new(io::sink())))
}

/// Writes what is in it below `folder`, and compares every hash.
pub(super) fn unpack(path: &Path, folder: &Path) -> Result<BackupManifest, BackupError> {
    walk(path, &mut |name| {
        let to = folder.join(name);
        if let Some(parent) = to.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        Ok(Box::new(Synced(disk::private().write(true).create_new(true).open(to)?)))
    })
}

/// A file that reaches the disk before it is closed.
struct Synced(File);

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

type Archive = tar::Archive<zstd::Decoder<'static, BufReader<File>>>;

fn open(path: &Path) -> Result<Archive, BackupError> {
    let file = File::open(path).map_err(BackupError::io(path))?;
    Ok(tar::Archive::new(zstd::Decoder::new(file).map_err(|err| damaged(path, &err))?))
}

/// Every file that the manifest names, once, with its length and its hash, and nothing else.
fn walk(
    path: &Path,
    target: &mut dyn FnMut(&str) -> io::Result<Box<dyn Write>>,
) -> Result<BackupManifest, BackupError> {
    let mut archive = open(path)?;
    let mut entries = archive.entries().map_err(|err| damaged(path, &err))?;
    let first = entries.next().ok_or_else(|| damaged(path, &"it is empty"))?;
    let manifest = read_manifest(path, &mut first.map_err(|err| damaged(path, &err))?)?;
    let mut missing: BTreeMap<&str, &BackupFile> =
        manifest.files.iter().map(|file| (file.name.as_str(), file)).collect();
    for entry in entries {
        let mut entry = entry.map_err(|err| damaged(path, &err))?;
        let name = entry.path().map_err(|err| damaged(path, &err))?.to_string_lossy().into_owned();
        let about = missing.remove(name.as_str()).filter(|_| is_inside(&name));
        let about =
            about.ok_or_else(|| damaged(path, &format!("it holds {name}, which it does not name")))?;
        if entry.size() != about.bytes {
            return Err(damaged(path, &format!("{name} has another length than it should")));
        }
        let mut to = target(&name).map_err(BackupError::io(path))?;
        let sha256 = copy(path, &mut entry, &mut *to)?;
        if sha256 != about.sha256 {
            return Err(damaged(path, &format!("{name} is not what was packed: its checksum differs")));
        }
    }
    match missing.keys().next() {
        Some(name) => Err(damaged(path, &format!("{name} is missing"))),
        None => Ok(manifest),
    }
}

/// No name leads out of the folder.
fn is_inside(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

fn read_manifest(path: &Path, entry: &mut tar::Entry<'_, impl Read>) -> Result<BackupManifest, BackupError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        chela: String,
    }
    let is_first = entry.path().is_ok_and(|name| name == Path::new(MANIFEST));
    if !is_first || entry.size() > MOST_MANIFEST {
        return Err(damaged(path, &"it does not begin with a manifest"));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text).map_err(|err| damaged(path, &err))?;
    let head: Head = serde_json::from_slice(&text).map_err(|err| damaged(path, &err))?;
    if head.format > FORMAT {
        let (found, known) =
            (format!("chela {}, format {}", head.chela, head.format), format!("format {FORMAT}"));
        return Err(BackupError::FromTheFuture { path: path.to_path_buf(), found, known });
    }
    serde_json::from_slice(&text).map_err(|err| damaged(path, &err))
}

/// The hash of what was copied.
fn copy(path: &Path, from: &mut dyn Read, to: &mut dyn Write) -> Result<String, BackupError> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = from.read(&mut buffer).map_err(|err| damaged(path, &err))?;
        let read = buffer.get(..n).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        digest.update(read);
        to.write_all(read).map_err(BackupError::io(path))?;
    }
    to.flush().map_err(BackupError::io(path))?;
    Ok(disk::hex(&digest.finalize()))
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> BackupError {
    BackupError::Damaged { path: path.to_path_buf(), reason: reason.to_string() }
}
