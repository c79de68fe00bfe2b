//! Paths that matter: the root, the home, what belongs to the system, devices, files that one does not replace lightly.

use crate::shell::parse::Word;

/// What a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `/`, or everything in it.
    Root,
    /// `~`, or everything in it.
    Home,
    /// A directory of the system, or everything in it.
    System,
    /// Everything where the shell stands, or the directory above.
    Here,
    Other,
}

/// Directories whose loss breaks the machine.
const SYSTEM: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "usr",
    "var",
    "Applications",
    "Library",
    "System",
    "Users",
    "Volumes",
    "private",
    "mnt",
    "media",
    "nix",
];

/// Files below the home that set the user's world up.
const SET_UP: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".gitconfig",
    ".vimrc",
    ".tmux.conf",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".bash_history",
    ".zsh_history",
    ".env",
];

/// Directories of secrets and settings.
const SET_UP_FOLDERS: &[&str] = &[".ssh", ".gnupg", ".aws", ".kube", ".config", ".docker", ".git"];

pub(super) fn place(word: &Word) -> Place {
    let text = plain(&word.text);
    if word.is_home && (text == "~" || text == "~/*" || text == "~/.*") {
        return Place::Home;
    }
    match text.as_str() {
        "/" | "/*" | "/.*" => return Place::Root,
        "." | ".." | "*" | ".*" | "./*" | "../*" | "*.*" | "../.." => return Place::Here,
        _ => {}
    }
    let Some(path) = text.strip_prefix('/') else { return Place::Other };
    let path = path.strip_suffix("/*").unwrap_or(path);
    let is_user = ["home/", "Users/"]
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|name| !name.contains('/') && !name.is_empty()));
    if is_user {
        return Place::Home;
    }
    if SYSTEM.contains(&path) || SYSTEM.contains(&path.strip_prefix("usr/").unwrap_or("?")) {
        Place::System
    } else {
        Place::Other
    }
}

/// A device whose content is somebody's data.
pub(super) fn is_device(path: &str) -> bool {
    let path = plain(path);
    let Some(name) = path.strip_prefix("/dev/") else { return false };
    [
        "sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "rdisk", "mapper/", "dm-", "md", "mem", "kmem",
        "loop",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}

/// A file that is there already and whose loss hurts.
pub(super) fn is_important(word: &Word) -> bool {
    let text = plain(&word.text);
    let parts: Vec<&str> = text.split('/').collect();
    let name = parts.last().copied().unwrap_or_default();
    let below = |folders: &[&str]| parts.iter().rev().skip(1).any(|part| folders.contains(part));
    let first = parts.get(1).copied().unwrap_or_default();
    let is_system = text.starts_with('/')
        && ["etc", "boot", "bin", "sbin", "usr", "lib", "proc", "sys", "System", "Library"].contains(&first);
    is_system || SET_UP.contains(&name) || below(SET_UP_FOLDERS)
}

/// Without doubled slashes, `/./` and a slash at the end.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .enumerate()
        .filter(|(at, part)| *at == 0 || !part.is_empty() && *part != ".")
        .map(|(_, part)| part)
        .collect();
    let joined = parts.join("/");
    if joined.is_empty() && path.starts_with('/') { "/".to_owned() } else { joined }
}
