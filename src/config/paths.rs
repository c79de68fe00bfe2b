//! Where chela's files live: XDG places on Linux, `~/Library` on macOS, or everything below `CHELA_HOME`.
//!
//! Directories are private (0700). The socket's path is kept below the system's limit of about 100 bytes by
//! falling back to a short private directory in `/tmp`.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// `sun_path` holds 104 bytes on macOS and 108 on Linux, the final NUL included.
const MAX_SOCKET_PATH: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml` lives here.
    pub config_dir: PathBuf,
    /// The ledger, models, adapters.
    pub data_dir: PathBuf,
    /// Logs and input history.
    pub state_dir: PathBuf,
    /// The socket and the daemon's lock.
    pub runtime_dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    #[error("no home directory: set HOME, or CHELA_HOME to a directory that chela may use")]
    NoHome,
    #[error("cannot create {path}: {reason}; make it writable or set CHELA_HOME to another directory")]
    Create { path: PathBuf, reason: std::io::Error },
    #[error("{path} belongs to another user; set CHELA_HOME to a directory of yours")]
    Foreign { path: PathBuf },
}

/// The few variables that decide where files live.
#[derive(Debug, Clone, Default)]
pub struct PathEnv {
    pub chela_home: Option<OsString>,
    pub xdg_runtime_dir: Option<OsString>,
}

impl PathEnv {
    #[expect(clippy::disallowed_methods, reason = "config resolves the environment")]
    pub fn read() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self { chela_home: var("CHELA_HOME"), xdg_runtime_dir: var("XDG_RUNTIME_DIR") }
    }
}

impl Paths {
    /// Names the places; touches nothing.
    pub fn resolve(env: &PathEnv) -> Result<Self, PathsError> {
        if let Some(home) = &env.chela_home {
            let home = std::path::absolute(home).map_err(|_| PathsError::NoHome)?;
            return Ok(Self {
                config_dir: home.clone(),
                data_dir: home.join("data"),
                state_dir: home.join("state"),
                runtime_dir: short_enough(home.join("run")),
            });
        }
        let dirs = directories::ProjectDirs::from("", "", "chela").ok_or(PathsError::NoHome)?;
        let state_dir = dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_path_buf();
        let runtime_dir = match &env.xdg_runtime_dir {
            Some(dir) => PathBuf::from(dir).join("chela"),
            None => state_dir.join("run"),
        };
        Ok(Self {
            config_dir: dirs.config_dir().to_path_buf(),
            data_dir: dirs.data_local_dir().to_path_buf(),
            state_dir,
            runtime_dir: short_enough(runtime_dir),
        })
    }

    /// Creates the directories (0700) and checks that they are ours.
    pub fn create(&self) -> Result<(), PathsError> {
        let (models, adapters, shell) = (self.models_dir(), self.adapters_dir(), self.shell_dir());
        let own = [&self.config_dir, &self.data_dir, &self.state_dir, &self.runtime_dir];
        for dir in own.into_iter().chain([&models, &adapters, &shell]) {
            create_private(dir)?;
        }
        Ok(())
    }

    pub fn config_file(&self) -> PathBuf {
        self.config_dir.join("config.toml")
    }

    /// What `chela do` may run without asking.
    pub fn rules_file(&self) -> PathBuf {
        self.config_dir.join("rules.toml")
    }

    pub fn ledger(&self) -> PathBuf {
        self.data_dir.join("ledger.db")
    }

    pub fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }

    /// The shelf: a folder for each version of the policy.
    pub fn adapters_dir(&self) -> PathBuf {
        self.data_dir.join("adapters")
    }

    /// Hashes of model files that were computed before.
    pub fn fingerprints_file(&self) -> PathBuf {
        self.state_dir.join("fingerprints.json")
    }

    pub fn log_file(&self) -> PathBuf {
        self.state_dir.join("chela.log")
    }

    pub fn history_file(&self) -> PathBuf {
        self.state_dir.join("history.jsonl")
    }

    /// What was asked at the prompt in a shell.
    pub fn asked_file(&self) -> PathBuf {
        self.state_dir.join("asked.jsonl")
    }

    /// All files that hold what people typed.
    pub fn typed_files(&self) -> [PathBuf; 2] {
        [self.history_file(), self.asked_file()]
    }

    /// Whether the person was told what is kept, and what they said.
    pub fn consent_file(&self) -> PathBuf {
        self.state_dir.join("consent.json")
    }

    /// Where shells without a proxy write what ran, a file for each.
    pub fn shell_dir(&self) -> PathBuf {
        self.state_dir.join("shell")
    }

    pub fn socket(&self) -> PathBuf {
        self.runtime_dir.join("daemon.sock")
    }

    pub fn lock_file(&self) -> PathBuf {
        self.runtime_dir.join("daemon.lock")
    }
}

/// The directory itself, or a short stand-in when `daemon.sock` in it would be too long to bind.
fn short_enough(dir: PathBuf) -> PathBuf {
    if dir.as_os_str().len() + "/daemon.sock".len() <= MAX_SOCKET_PATH {
        return dir;
    }
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let short = digest.iter().take(6).fold(0_u64, |short, &byte| short << 8 | u64::from(byte));
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/tmp/chela-{user}-{short:012x}"))
}

fn create_private(dir: &Path) -> Result<(), PathsError> {
    let refuse = |reason| PathsError::Create { path: dir.to_path_buf(), reason };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(refuse)?;
    let owner = std::fs::metadata(dir).map_err(refuse)?.uid();
    if owner != rustix::process::getuid().as_raw() {
        return Err(PathsError::Foreign { path: dir.to_path_buf() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(home: &str) -> Paths {
        let env = PathEnv { chela_home: Some(home.into()), xdg_runtime_dir: None };
        Paths::resolve(&env).unwrap()
    }

    #[test]
    fn chela_home_holds_everything() {
        let paths = at("/h");
        assert_eq!(paths.config_file(), Path::new("/h/config.toml"));
        assert_eq!(paths.ledger(), Path::new("/h/data/ledger.db"));
        assert_eq!(paths.socket(), Path::new("/h/run/daemon.sock"));
    }

    #[test]
    fn a_long_home_gets_a_short_socket_of_its_own() {
        let deep = |last: &str| format!("/{}/{last}", "d".repeat(120));
        let (one, other) = (at(&deep("one")).socket(), at(&deep("other")).socket());
        assert!(one.as_os_str().len() <= MAX_SOCKET_PATH);
        assert_ne!(one, other);
        assert_eq!(one, at(&deep("one")).socket());
    }
}
