//! Who owns a terminal: the private directory of one proxied shell, named after the terminal that it made and locked
//! as long as the proxy lives.
//!
//! Environment variables are inherited into tmux, ssh and editors; a terminal is not. So "am I inside?" is asked of the
//! terminal's own number, and a lock that the system takes back cannot go stale.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// A claimed terminal. Dropping gives it up and removes the directory.
#[derive(Debug)]
pub(super) struct Claim {
    dir: PathBuf,
    _lock: File,
}

impl Claim {
    /// Claims the terminal `tty`, which nobody else can have: it was just made.
    pub(super) fn take(runtime_dir: &Path, tty: &Path) -> std::io::Result<Self> {
        let all = shells(runtime_dir);
        DirBuilder::new().recursive(true).mode(0o700).create(&all)?;
        remove_abandoned(&all);
        let dir = all.join(name_of(tty)?);
        // Somebody who tidies up may remove the directory before it is locked; then it is made again.
        for _ in 0..3 {
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            let lock = private(&dir.join(LOCK))?;
            lock.try_lock()?;
            if is_still_there(&lock, &dir.join(LOCK)) {
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(std::io::Error::other(format!("cannot keep {}", dir.display())))
    }

    /// Whether a living proxy made this terminal.
    pub(super) fn is_held(runtime_dir: &Path, tty: &Path) -> bool {
        name_of(tty).is_ok_and(|name| is_locked(&shells(runtime_dir).join(name)))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file that only this user can read.
    pub(super) fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.path(name);
        private(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What is left behind is removed by the next shell.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn shells(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("shell")
}

/// Device and terminal number: the same number in another container is another terminal.
fn name_of(tty: &Path) -> std::io::Result<OsString> {
    let found = std::fs::metadata(tty)?;
    Ok(format!("{:x}-{:x}", found.dev(), found.rdev()).into())
}

fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn is_still_there(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(found)) => held.ino() == found.ino() && held.dev() == found.dev(),
        _ => false,
    }
}

/// Looking takes the lock for a moment; shared, so that two who look do not see each other.
fn is_locked(dir: &Path) -> bool {
    File::open(dir.join(LOCK)).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

/// Removes what proxies left that were killed.
fn remove_abandoned(all: &Path) {
    let Ok(entries) = std::fs::read_dir(all) else { return };
    for entry in entries.flatten() {
        let dir = entry.path();
        if dir.join(LOCK).exists() && !is_locked(&dir) {
            // The next shell tries again.
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tty() -> &'static Path {
        Path::new("/dev/null")
    }

    #[test]
    fn a_terminal_is_held_as_long_as_its_claim_lives() {
        let home = tempfile::tempdir().unwrap();
        assert!(!Claim::is_held(home.path(), tty()));
        let claim = Claim::take(home.path(), tty()).unwrap();
        assert!(Claim::is_held(home.path(), tty()));
        assert!(!Claim::is_held(home.path(), Path::new("/dev/zero")));
        drop(claim);
        assert!(!Claim::is_held(home.path(), tty()));
        assert_eq!(std::fs::read_dir(home.path().join("shell")).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_proxy_left_is_no_claim_and_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join("shell/dead-1");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();
        let held = Claim::take(home.path(), Path::new("/dev/zero")).unwrap();
        let _claim = Claim::take(home.path(), tty()).unwrap();
        assert!(!left.exists());
        assert!(held.dir().exists());
    }

    #[test]
    fn nobody_else_reads_what_is_in_it() {
        let home = tempfile::tempdir().unwrap();
        let claim = Claim::take(home.path(), tty()).unwrap();
        let file = claim.write("control", "").unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(claim.dir()).unwrap().mode() & 0o777, 0o700);
    }
}
