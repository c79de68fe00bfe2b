//! Files written whole or not at all, room on the disk, hashes, and one writer at a time. May be used by everything
//! that keeps files of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

/// Bytes that an ordinary user may still write below `dir` (or its nearest existing parent).
pub(crate) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let existing = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(existing)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Writes `bytes` beside `path`, syncs, renames: after a crash there is the old file or the new one.
/// Callers hold a lock when several processes may write the same path.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole_with(path, |part| std::fs::write(part, bytes))
}

/// The same for what a library writes: `fill` gets the path of an empty file that only its owner may read.
pub(crate) fn write_whole_with(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let part = with_suffix(path, ".part");
    let written = private()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&part)
        .and_then(|file| fill(&part).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // Nothing of a failed write is worth keeping, and on a full disk it is in the way.
        std::fs::remove_file(&part).ok();
    }
    written?;
    sync_parent(path)
}

/// `model.gguf` + `.part` → `model.gguf.part`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes a rename or removal in the file's directory survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// An exclusive lock that ends with the returned file, or with the process.
pub(crate) fn lock(path: &Path, wait: bool) -> io::Result<File> {
    let file = private().append(true).create(true).open(path)?;
    let how = if wait { FlockOperation::LockExclusive } else { FlockOperation::NonBlockingLockExclusive };
    flock(&file, how)?;
    Ok(file)
}

/// Options for files that only their owner may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Lower-case hexadecimal SHA-256 of a file; `on_read` hears how many bytes were read so far and says whether to go
/// on. If not, the error is [`io::ErrorKind::Interrupted`].
pub(crate) fn sha256_of(path: &Path, on_read: &mut dyn FnMut(u64) -> bool) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(n) => n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => return Err(err),
        };
        hasher.update(buffer.get(..n).unwrap_or_default());
        done += n as u64;
        if !on_read(done) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
