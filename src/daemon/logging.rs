//! The log file: one per user, private, kept below a size. Everything that the daemon, the engine and llama.cpp
//! say goes there; the terminal belongs to the clients.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::DaemonError;

/// A longer log is moved to `.1` when the daemon starts.
const MAX_BYTES: u64 = 10 << 20;

/// Sends all events of this process at `level` (`error` to `trace`, or a filter in `tracing`'s language) to `file`.
/// A second call in one process changes nothing.
pub fn start(file: &Path, level: &str) -> Result<(), DaemonError> {
    let failed = |reason: String| DaemonError::Log { path: file.to_path_buf(), reason };
    let filter = EnvFilter::try_new(level)
        .map_err(|_| failed(format!("daemon.log is \"{level}\"; use error, warn, info, debug or trace")))?;
    let log = open(file).map_err(|err| failed(err.to_string()))?;
    let subscriber = tracing_subscriber::fmt()
        .with_writer(Mutex::new(log))
        .with_ansi(false)
        .with_env_filter(filter)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        log_panics();
    }
    Ok(())
}

fn open(file: &Path) -> std::io::Result<File> {
    if std::fs::metadata(file).is_ok_and(|found| found.len() > MAX_BYTES) {
        std::fs::rename(file, file.with_extension("log.1"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(file)
}

/// A panic in any thread is a line in the log; stderr may be nowhere.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("unnamed"), "{panic}");
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_long_log_is_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("chela.log");
        open(&log).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(open(&log).unwrap().metadata().unwrap().len(), 0);
        assert_eq!(std::fs::metadata(dir.path().join("chela.log.1")).unwrap().len(), MAX_BYTES + 1);
        assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
