//! A sandbox for commands that run without a question: they may read everything and write only where they are told.
//!
//! On Linux by Landlock, which restricts a process and all that it starts and needs no rights. A process restricts itself
//! ([`confine`]) and then becomes the command, so the caller starts this program again for it. Elsewhere there is none, and
//! [`is_there`] says so.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SandboxError {
    #[error("this kernel has no Landlock")]
    NoLandlock,
    #[error("there is no sandbox on this system, only on Linux")]
    NotLinux,
    #[error("the sandbox cannot be set up: {0}")]
    Failed(String),
}

/// Devices that harmless programs write to.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
    "/proc/self",
];

/// Everything that a command in this project may write to: the project, temporary directories, and what was named.
pub fn writable(project: &Path, temporary: Option<PathBuf>, named: &[PathBuf]) -> Vec<PathBuf> {
    let fixed = ["/tmp", "/var/tmp"].into_iter().chain(DEVICES.iter().copied()).map(PathBuf::from);
    let all =
        std::iter::once(project.to_path_buf()).chain(temporary).chain(named.iter().cloned()).chain(fixed);
    all.collect()
}

/// Whether the kernel can do it; restricts nothing.
#[cfg(target_os = "linux")]
pub fn is_there() -> Result<(), SandboxError> {
    ruleset().map(|_| ())
}

/// From here on, this process and what it starts write only below these paths. Paths that do not exist are passed over.
#[cfg(target_os = "linux")]
pub fn confine(writable: &[PathBuf]) -> Result<(), SandboxError> {
    use landlock::{AccessFs, RulesetCreatedAttr, RulesetStatus, path_beneath_rules};

    let failed = |error: landlock::RulesetError| SandboxError::Failed(error.to_string());
    let rules = path_beneath_rules(writable, AccessFs::from_write(VERSION));
    let restricted =
        ruleset()?.add_rules(rules).and_then(landlock::RulesetCreated::restrict_self).map_err(failed)?;
    match restricted.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        _ => Err(SandboxError::NoLandlock),
    }
}

/// The oldest version that knows truncation; the next ones restrict what programs do with terminals.
#[cfg(target_os = "linux")]
const VERSION: landlock::ABI = landlock::ABI::V3;

#[cfg(target_os = "linux")]
fn ruleset() -> Result<landlock::RulesetCreated, SandboxError> {
    use landlock::{AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};

    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset
        .handle_access(AccessFs::from_write(VERSION))
        .and_then(Ruleset::create)
        .map_err(|_| SandboxError::NoLandlock)
}

#[cfg(not(target_os = "linux"))]
pub fn is_there() -> Result<(), SandboxError> {
    Err(SandboxError::NotLinux)
}

#[cfg(not(target_os = "linux"))]
pub fn confine(_writable: &[PathBuf]) -> Result<(), SandboxError> {
    Err(SandboxError::NotLinux)
}
