//! The shelf: one folder for each version, `vN/` with `adapter.gguf`, `manifest.json` and, when it was trained here,
//! `train_state`.
//!
//! What always holds: a folder `vN` is whole, because it is made under another name, written through to the disk and
//! renamed; one process at a time adds or removes; a number that was given is written down before it is used and
//! never given again. A broken entry is listed with its reason and disturbs no other.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::{self, FileStamp, Made, Manifest, State};
use super::{Adapter, AdapterError, Base, check, gguf};
use crate::config::disk;
use crate::turn::PolicyVersion;

const ADAPTER: &str = "adapter.gguf";
const MANIFEST: &str = "manifest.json";
const TRAIN_STATE: &str = "train_state";
/// Highest number ever given.
const COUNTER: &str = "last_version";
const LOCK: &str = ".lock";
/// Folders of runs that have not made a version yet.
const RUNS: &str = "runs";
/// Begins the names of folders that are being made or removed; whoever adds next clears what a crash left.
const UNFINISHED: &str = ".unfinished-";

/// The adapters of one installation. A path and nothing else: cheap to clone, usable from many processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    dir: PathBuf,
}

/// What a version is made with, beside its matrices.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    pub parent: PolicyVersion,
    pub base: Base,
    pub made: Made,
    /// Unix seconds.
    pub created_at: i64,
}

/// Writes the trainer's state for resuming.
pub type WriteState<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// What stands on the shelf.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// By version, oldest first.
    pub versions: Vec<Manifest>,
    pub broken: Vec<Broken>,
}

/// A folder that should be a version and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub name: String,
    pub problem: String,
}

impl Shelf {
    /// Names the place; touches nothing.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Adds a candidate with a number of its own. Whatever goes wrong, nothing is left behind but a used number.
    pub fn create(
        &self,
        new: &NewVersion,
        adapter: &Adapter,
        train_state: Option<WriteState<'_>>,
    ) -> Result<Manifest, AdapterError> {
        check::problem(adapter).map_err(AdapterError::Unsound)?;
        let _lock = self.lock()?;
        self.clear_unfinished()?;
        let version = self.give_number()?;
        let unfinished = self.dir.join(format!("{UNFINISHED}{version}"));
        let made = fill(&unfinished, version, new, adapter)
            .and_then(|manifest| self.finish(&unfinished, train_state, manifest));
        if made.is_err() {
            // On a full disk it would be in the way.
            std::fs::remove_dir_all(&unfinished).ok();
        }
        made
    }

    /// All versions, and what is broken. A shelf that does not exist yet is empty.
    pub fn list(&self) -> Result<Listing, AdapterError> {
        let mut listing = Listing::default();
        for name in self.names()? {
            match version_of(&name).map(|version| self.manifest(version)) {
                Some(Ok(manifest)) => listing.versions.push(manifest),
                Some(Err(error)) => listing.broken.push(Broken { name, problem: error.to_string() }),
                None if name.starts_with('.') || name == RUNS || name == COUNTER => {}
                None => {
                    let problem =
                        "it is no version of the policy; remove it if you know what it is".to_owned();
                    listing.broken.push(Broken { name, problem });
                }
            }
        }
        listing.versions.sort_by_key(|manifest| manifest.version);
        listing.broken.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listing)
    }

    /// The manifest, if the file that it describes is there with the right size.
    pub fn manifest(&self, version: PolicyVersion) -> Result<Manifest, AdapterError> {
        let path = self.folder(version).join(MANIFEST);
        if !self.folder(version).is_dir() {
            return Err(AdapterError::NoVersion(version));
        }
        let damaged = |reason: String| AdapterError::Damaged { version, reason };
        let manifest = match manifest::read(&path) {
            Err(AdapterError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(damaged(format!("{MANIFEST} is missing")));
            }
            read => read?,
        };
        if manifest.version != version {
            return Err(damaged(format!("its manifest is that of {}", manifest.version)));
        }
        match std::fs::metadata(self.gguf_path(version)) {
            Ok(about) if about.len() == manifest.file.size => Ok(manifest),
            Ok(about) => {
                let (found, expected) = (about.len(), manifest.file.size);
                Err(damaged(format!("{ADAPTER} has {found} bytes instead of {expected}")))
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                Err(damaged(format!("{ADAPTER} is missing")))
            }
            Err(source) => Err(AdapterError::io(&self.gguf_path(version), source)),
        }
    }

    /// Reads the whole file and compares its hash, and the base with the one that is meant. What passes can be
    /// served with `base`.
    pub fn verify(&self, version: PolicyVersion, base: &Base) -> Result<Manifest, AdapterError> {
        let manifest = self.manifest(version)?;
        if manifest.base.sha256 != base.sha256 {
            return Err(AdapterError::OtherBase {
                version,
                made_for: manifest.base.name,
                made_for_sha256: manifest.base.sha256,
                current: base.name.clone(),
                current_sha256: base.sha256.clone(),
            });
        }
        let path = self.gguf_path(version);
        let sha256 =
            disk::sha256_of(&path, &mut |_| true).map_err(|source| AdapterError::io(&path, source))?;
        if sha256 != manifest.file.sha256 {
            let reason = format!("the content of {ADAPTER} has changed since it was made");
            return Err(AdapterError::Damaged { version, reason });
        }
        Ok(manifest)
    }

    /// The matrices of a version, whatever its base, after its hash was compared.
    pub fn load(&self, version: PolicyVersion) -> Result<(Manifest, Adapter), AdapterError> {
        let manifest = self.manifest(version)?;
        let manifest = self.verify(version, &manifest.base)?;
        let (adapter, _) = gguf::read(&self.gguf_path(version))?;
        Ok((manifest, adapter))
    }

    /// Notes what became of a version.
    pub fn set_state(&self, version: PolicyVersion, state: State) -> Result<Manifest, AdapterError> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest(version)?;
        if manifest.state != state {
            manifest.state = state;
            let path = self.folder(version).join(MANIFEST);
            manifest::write(&path, &manifest).map_err(|source| AdapterError::io(&path, source))?;
        }
        Ok(manifest)
    }

    /// Removes a version, broken or not. Its number stays used.
    pub fn remove(&self, version: PolicyVersion) -> Result<(), AdapterError> {
        let folder = self.folder(version);
        if !folder.is_dir() {
            return Err(AdapterError::NoVersion(version));
        }
        let _lock = self.lock()?;
        self.clear_unfinished()?;
        // So that the number is written down when its folder is gone.
        self.remember(self.last_number()?)?;
        let unfinished = self.dir.join(format!("{UNFINISHED}{version}"));
        let removed = std::fs::rename(&folder, &unfinished)
            .and_then(|()| disk::sync_parent(&folder))
            .and_then(|()| std::fs::remove_dir_all(&unfinished));
        removed.map_err(|source| AdapterError::io(&folder, source))
    }

    /// Numbers that another shelf has given are not given here either.
    pub fn keep_numbers_of(&self, other: &Self) -> Result<(), AdapterError> {
        let highest = self.last_number()?.max(other.last_number()?);
        if highest > 0 { self.remember(highest) } else { Ok(()) }
    }

    /// The file that the engine loads.
    pub fn gguf_path(&self, version: PolicyVersion) -> PathBuf {
        self.folder(version).join(ADAPTER)
    }

    /// What the optimizer remembered when this version was made; absent for imported ones.
    pub fn state_path(&self, version: PolicyVersion) -> PathBuf {
        self.folder(version).join(TRAIN_STATE)
    }

    /// A folder for the files of a run that has not made a version yet; `run` names it (a hash of what it learns
    /// from is a good name). It survives a crash, and stays until [`Shelf::end_run`].
    pub fn run_dir(&self, run: &str) -> Result<PathBuf, AdapterError> {
        let dir = self.run_folder(run)?;
        private_dir(&dir).map_err(|source| AdapterError::io(&dir, source))?;
        Ok(dir)
    }

    /// Forgets the files of a run.
    pub fn end_run(&self, run: &str) -> Result<(), AdapterError> {
        let dir = self.run_folder(run)?;
        match std::fs::remove_dir_all(&dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(AdapterError::io(&dir, source)),
            _ => Ok(()),
        }
    }

    /// Forgets the files of all runs.
    pub fn end_runs(&self) -> Result<(), AdapterError> {
        let dir = self.dir.join(RUNS);
        match std::fs::remove_dir_all(&dir) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(AdapterError::io(&dir, source)),
            _ => Ok(()),
        }
    }

    fn run_folder(&self, run: &str) -> Result<PathBuf, AdapterError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let dir = self.dir.join(RUNS);
        if run.is_empty() || !run.bytes().all(plain) {
            let reason = io::Error::other(format!("\"{run}\" cannot be the name of a run"));
            return Err(AdapterError::io(&dir, reason));
        }
        Ok(dir.join(run))
    }

    fn folder(&self, version: PolicyVersion) -> PathBuf {
        self.dir.join(version.to_string())
    }

    /// Held while a version is added, changed or removed; waits for other processes.
    fn lock(&self) -> Result<File, AdapterError> {
        let path = self.dir.join(LOCK);
        private_dir(&self.dir)
            .and_then(|()| disk::lock(&path, true))
            .map_err(|source| AdapterError::io(&path, source))
    }

    fn clear_unfinished(&self) -> Result<(), AdapterError> {
        for name in self.names()?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
            let path = self.dir.join(name);
            std::fs::remove_dir_all(&path).map_err(|source| AdapterError::io(&path, source))?;
        }
        Ok(())
    }

    /// A number that was never given before; written down before anybody uses it.
    fn give_number(&self) -> Result<PolicyVersion, AdapterError> {
        let next = self.last_number()?.checked_add(1).ok_or_else(|| {
            AdapterError::io(&self.dir.join(COUNTER), io::Error::other("there is no higher version number"))
        })?;
        self.remember(next)?;
        Ok(PolicyVersion(next))
    }

    /// The highest number of the counter and of what stands here.
    fn last_number(&self) -> Result<u32, AdapterError> {
        let path = self.dir.join(COUNTER);
        let counted = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| {
                let advice = "it should hold the highest version number ever given; write it there";
                AdapterError::io(&path, io::Error::other(advice))
            })?,
            Err(err) if err.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(AdapterError::io(&path, source)),
        };
        let standing = self.names()?.iter().filter_map(|name| version_of(name)).max();
        Ok(standing.map_or(counted, |PolicyVersion(highest)| highest.max(counted)))
    }

    fn remember(&self, number: u32) -> Result<(), AdapterError> {
        let path = self.dir.join(COUNTER);
        disk::write_whole(&path, format!("{number}\n").as_bytes())
            .map_err(|source| AdapterError::io(&path, source))
    }

    /// Adds the rest and gives the folder its name.
    fn finish(
        &self,
        folder: &Path,
        train_state: Option<WriteState<'_>>,
        manifest: Manifest,
    ) -> Result<Manifest, AdapterError> {
        let target = self.folder(manifest.version);
        let finish = || {
            if let Some(write) = train_state {
                write_state(&folder.join(TRAIN_STATE), write)?;
            }
            manifest::write(&folder.join(MANIFEST), &manifest)?;
            File::open(folder)?.sync_all()?;
            std::fs::rename(folder, &target)?;
            disk::sync_parent(&target)
        };
        finish().map_err(|source| AdapterError::io(&target, source))?;
        Ok(manifest)
    }

    fn names(&self) -> Result<Vec<String>, AdapterError> {
        let failed = |source| AdapterError::io(&self.dir, source);
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let name = |entry: io::Result<std::fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        entries.map(name).collect::<io::Result<_>>().map_err(failed)
    }
}

/// Writes the adapter into a new folder and returns the manifest that belongs to it.
fn fill(
    folder: &Path,
    version: PolicyVersion,
    new: &NewVersion,
    adapter: &Adapter,
) -> Result<Manifest, AdapterError> {
    let failed = |source| AdapterError::io(folder, source);
    DirBuilder::new().mode(0o700).create(folder).map_err(failed)?;
    let path = folder.join(ADAPTER);
    let labels = gguf::Labels {
        name: Some(format!("chela {version} of {}", new.base.name)),
        base_sha256: Some(new.base.sha256.clone()),
        version: Some(version),
    };
    gguf::write(&path, adapter, &labels)?;
    let size = std::fs::metadata(&path).map_err(failed)?.len();
    let sha256 = disk::sha256_of(&path, &mut |_| true).map_err(failed)?;
    Ok(Manifest {
        format: manifest::FORMAT,
        version,
        state: State::Candidate,
        parent: new.parent,
        base: new.base.clone(),
        rank: adapter.rank,
        alpha: adapter.alpha,
        created_at: new.created_at,
        made: new.made.clone(),
        file: FileStamp { size, sha256 },
    })
}

/// `v7`; 0 is the base and has no folder.
fn version_of(name: &str) -> Option<PolicyVersion> {
    let version = PolicyVersion(name.strip_prefix('v')?.parse().ok()?);
    (version != PolicyVersion::BASE && version.to_string() == name).then_some(version)
}

fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn write_state(path: &Path, write: WriteState<'_>) -> io::Result<()> {
    let file = disk::private().write(true).create_new(true).open(path)?;
    let mut out = io::BufWriter::new(file);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests;
