//! What belongs to the project: paths of a command, followed from where it runs.

use std::path::{Component, Path, PathBuf};

use crate::shell::danger::{DangerKind, dangers_in};
use crate::shell::parse::{Line, Simple, Word};

/// Where a command runs and what it may reach without asking.
#[derive(Debug, Clone)]
pub struct Project {
    /// The repository around the directory, else the directory.
    pub root: PathBuf,
    pub cwd: PathBuf,
    pub home: Option<PathBuf>,
    /// Where a path leads when its links are followed.
    follow: fn(&Path) -> PathBuf,
}

impl Project {
    /// Looks on disk where the project around `cwd` begins.
    pub fn at(cwd: &Path, home: Option<PathBuf>) -> Self {
        let cwd = on_disk(cwd);
        let home = home.map(|home| on_disk(&home));
        let root = cwd.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&cwd).to_path_buf();
        Self { root, cwd, home, follow: on_disk }
    }

    /// Without a look at the disk.
    pub fn of(root: PathBuf, cwd: PathBuf, home: Option<PathBuf>) -> Self {
        Self { root, cwd, home, follow: Path::to_path_buf }
    }

    /// `~/x` as a path.
    pub fn expanded(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                home.join(rest.trim_start_matches('/'))
            }
            _ => PathBuf::from(path),
        }
    }

    /// The directories in which parts of the line may run; `None`: one of them is not known.
    pub(super) fn directories(&self, line: &Line) -> Option<Vec<PathBuf>> {
        let mut all = vec![self.cwd.clone()];
        for command in &line.commands {
            let changes = matches!(command.program(), Some("cd" | "pushd" | "popd" | "chdir"));
            if !changes || command.is_elsewhere {
                continue;
            }
            let target = match command.operands().next() {
                None if command.program() == Some("cd") => self.home.clone()?,
                None => return None,
                Some(word) if word.text == "-" || command.program() == Some("popd") => return None,
                Some(word) => self.path(word, all.last()?)?,
            };
            all.push(target);
        }
        Some(all)
    }

    /// Whether a word is a path strictly below the project's root, wherever the command runs. The repository's own files
    /// are not.
    pub(super) fn has(&self, word: &Word, directories: &[PathBuf]) -> bool {
        self.is_project()
            && directories.iter().all(|from| {
                self.path(word, from).is_some_and(|path| {
                    let below = path.strip_prefix(&self.root);
                    below.is_ok_and(|rest| {
                        rest.components().next().is_some_and(|first| first.as_os_str() != ".git")
                    })
                })
            })
    }

    /// A home or the root directory is no project.
    fn is_project(&self) -> bool {
        self.root.parent().is_some() && self.home.as_deref().is_none_or(|home| !home.starts_with(&self.root))
    }

    fn path(&self, word: &Word, from: &Path) -> Option<PathBuf> {
        let text = if word.is_home { self.expanded(&word.text) } else { PathBuf::from(&word.text) };
        let is_user = word.text.starts_with('~') && !word.is_home;
        if !word.is_known || is_user || word.text.is_empty() {
            return None;
        }
        let folder = text.parent().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
        if word.is_pattern && (folder.contains(['*', '?', '[']) || word.text.contains("..")) {
            return None;
        }
        let mut path = from.to_path_buf();
        for part in text.components() {
            match part {
                Component::RootDir | Component::Prefix(_) => path = PathBuf::from("/"),
                Component::CurDir => {}
                Component::ParentDir => {
                    path.pop();
                }
                Component::Normal(name) => path = (self.follow)(&path.join(name)),
            }
        }
        // `*` in the root itself means everything in it.
        Some(path)
    }
}

/// Why a recursive delete of the line is not one inside the project; `None`: all are, or there is none.
pub(super) fn delete_outside(line: &Line, project: &Project) -> Option<String> {
    let deletes = dangers_in(line).into_iter().filter(|danger| danger.kind == DangerKind::RecursiveDelete);
    let directories = project.directories(line);
    for danger in deletes {
        let commands = line.commands.iter().filter(|command| command.span == danger.span);
        for command in commands {
            let is_inside =
                directories.as_deref().is_some_and(|from| deletes_inside(command, line, project, from));
            if !is_inside {
                return Some(danger.why);
            }
        }
    }
    None
}

fn deletes_inside(command: &Simple, line: &Line, project: &Project, from: &[PathBuf]) -> bool {
    if command.is_elsewhere || command.has_more_words {
        return false;
    }
    let everywhere = |words: &[&Word]| !words.is_empty() && words.iter().all(|word| project.has(word, from));
    let stands_inside = || from.iter().all(|dir| dir.starts_with(&project.root) && project.is_project());
    match command.program() {
        Some("rm" | "rimraf" | "unlink" | "shred") => {
            if command.through.iter().any(|outer| outer == "find") {
                let find = line.commands.iter().find(|outer| outer.program() == Some("find"));
                return find.is_some_and(|find| searches_inside(find, project, from));
            }
            everywhere(&command.operands().collect::<Vec<_>>())
        }
        Some("find") => searches_inside(command, project, from),
        Some("git") => {
            stands_inside() && !command.has(&["-C", "--git-dir", "--work-tree"]) && !command.has(&[".."])
        }
        Some("cargo" | "bundle") => stands_inside() && command.arguments().len() == 1,
        Some("rsync") => {
            let target: Vec<&Word> = command.operands().last().into_iter().collect();
            target.iter().all(|word| !word.text.contains(':')) && everywhere(&target)
        }
        _ => false,
    }
}

/// Where `find` begins: each start is in the project, the root with at least one test of what is found.
fn searches_inside(find: &Simple, project: &Project, from: &[PathBuf]) -> bool {
    let is_start = |word: &&Word| !word.text.starts_with(['-', '(', '!']);
    let starts: Vec<&Word> = find.arguments().iter().take_while(is_start).collect();
    let narrows = ["-name", "-iname", "-path", "-ipath", "-regex", "-size", "-mtime", "-empty"];
    let is_narrow = find.has(&narrows);
    let follows = find.has(&["-L", "-follow"]);
    let here = from.iter().all(|dir| dir.starts_with(&project.root) && project.is_project());
    !follows
        && !starts.is_empty()
        && starts.iter().all(|word| project.has(word, from) || word.text == "." && here && is_narrow)
}

/// The real path, of what exists of it.
fn on_disk(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
