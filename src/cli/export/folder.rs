//! An exported folder: it is filled under another name, synced, and renamed.

use std::fs::DirBuilder;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::manifest::{ADAPTERS, FILE, FORMAT, FileEntry, Kind, Manifest};
use super::{Wanted, say_left_out, write_kind};
use crate::adapter::{Shape, Shelf, peft};
use crate::cli::place::Place;
use crate::cli::{Exit, adapter, exit, output};
use crate::config::disk;
use crate::store::{LeftOut, Reader};

pub(super) fn write(
    place: &Place,
    reader: &mut Reader,
    folder: &Path,
    only: Option<Kind>,
    wanted: &Wanted,
) -> anyhow::Result<Exit> {
    check_free(folder)?;
    let part = disk::with_suffix(folder, ".part");
    if part.exists() {
        std::fs::remove_dir_all(&part).with_context(|| format!("cannot clear {}", part.display()))?;
    }
    let filled = fill(place, reader, &part, only, wanted).and_then(|manifest| {
        sync(&part)?;
        std::fs::rename(&part, folder)?;
        disk::sync_parent(folder)?;
        Ok(manifest)
    });
    if filled.is_err() {
        // Half an export is none, and on a full disk it is in the way.
        std::fs::remove_dir_all(&part).ok();
    }
    let manifest = filled.with_context(|| format!("cannot export to {}", folder.display()))?;
    for file in &manifest.files {
        let rows = file.rows.map_or_else(String::new, |rows| format!(", {rows} lines"));
        output::note(&format!("{}{rows}, {}", file.name, output::size(file.bytes)));
    }
    output::line(&folder.display().to_string())?;
    Ok(Exit::Done)
}

/// An empty folder may be filled; nothing is overwritten.
fn check_free(folder: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!("{} is not empty; name a folder that does not exist", folder.display()),
        },
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(err).with_context(|| format!("cannot export to {}", folder.display())),
    }
}

fn fill(
    place: &Place,
    reader: &mut Reader,
    part: &Path,
    only: Option<Kind>,
    wanted: &Wanted,
) -> anyhow::Result<Manifest> {
    private_dir(part)?;
    let (mut files, mut left_out) = (Vec::new(), LeftOut::default());
    for kind in Kind::ALL.into_iter().filter(|kind| only.is_none_or(|only| only == *kind)) {
        let Some(name) = kind.file_name() else {
            files.extend(adapters(place, part)?);
            continue;
        };
        let mut out = Hashed::create(&part.join(name))?;
        let written = write_kind(reader, kind, wanted, &mut out)?;
        if kind == Kind::Turns {
            left_out = written.left_out;
        }
        say_left_out(&written);
        let (bytes, sha256) = out.finish()?;
        files.push(FileEntry { name: name.to_owned(), kind, rows: Some(written.rows), bytes, sha256 });
    }
    let manifest = Manifest {
        format: FORMAT,
        chela: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: Timestamp::now().to_string(),
        files,
        left_out,
    };
    let mut text = serde_json::to_vec_pretty(&manifest)?;
    text.push(b'\n');
    disk::write_whole(&part.join(FILE), &text)?;
    Ok(manifest)
}

fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Every version on the shelf: the file of llama.cpp with its manifest, and PEFT's where the base model is at hand.
fn adapters(place: &Place, part: &Path) -> anyhow::Result<Vec<FileEntry>> {
    let shelf = Shelf::new(&place.paths.adapters_dir());
    let listing = shelf.list()?;
    for broken in &listing.broken {
        output::note(&format!("left out: {} ({})", broken.name, output::harmless(&broken.problem)));
    }
    for manifest in &listing.versions {
        let folder = part.join(ADAPTERS).join(manifest.version.to_string());
        private_dir(&folder)?;
        let (manifest, matrices) = shelf.load(manifest.version)?;
        copy(&shelf.gguf_path(manifest.version), &folder.join("adapter.gguf"))?;
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        disk::write_whole(&folder.join(FILE), &text)?;
        match adapter::base_of(place, &manifest) {
            Ok(base) => {
                let shape = Shape::open(&base.path)?;
                peft::write(&folder.join("peft"), &matrices, &shape, &manifest.base.name)?;
            }
            Err(err) => {
                let reason = output::harmless(&exit::sentence(&err));
                output::note(&format!("left out: {} for PEFT ({reason})", manifest.version));
            }
        }
    }
    entries(part, &part.join(ADAPTERS))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    disk::write_whole_with(to, |part| std::fs::copy(from, part).map(drop))
}

/// What lies below `folder`, in the order of its names.
fn entries(root: &Path, folder: &Path) -> anyhow::Result<Vec<FileEntry>> {
    let mut found = Vec::new();
    for path in files_below(folder)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let bytes = std::fs::metadata(&path)?.len();
        let sha256 = disk::sha256_of(&path, &mut |_| true)?;
        found.push(FileEntry { name, kind: Kind::Adapters, rows: None, bytes, sha256 });
    }
    Ok(found)
}

/// Empty when there is no such folder.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(files),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Every folder's entries reach the disk before the whole gets its name; files are synced as they are written.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            std::fs::File::open(&path)?.sync_all()?;
        }
    }
    std::fs::File::open(folder)?.sync_all()
}

/// A file that is hashed while it is written.
struct Hashed {
    out: BufWriter<std::fs::File>,
    digest: Sha256,
    bytes: u64,
}

impl Hashed {
    fn create(path: &Path) -> io::Result<Self> {
        let file = disk::private().write(true).create_new(true).open(path)?;
        Ok(Self { out: BufWriter::with_capacity(1 << 18, file), digest: Sha256::new(), bytes: 0 })
    }

    /// Its length, and its hash in lower-case hexadecimal.
    fn finish(self) -> io::Result<(u64, String)> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok((self.bytes, disk::hex(&self.digest.finalize())))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
