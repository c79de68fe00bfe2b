//! Which commands are dangerous, and why, in one sentence each. Pure: a command line in, findings out.
//!
//! Every rule looks at one program with its words, as [`super::parse`] reads them, so that quoted text, comments and
//! searches for a word are no danger, and `sudo`, `xargs`, `find -exec`, `bash -c` and `ssh` hide nothing. The rules
//! stand in tables by subject: files, git, the system, services. What only a whole line shows (`curl … | sh`) is in
//! `line`.

mod files;
mod git;
mod line;
mod places;
mod services;
mod system;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::parse::{Line, Simple, Word, parse};

/// One dangerous thing about a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    pub kind: DangerKind,
    pub level: Level,
    /// One sentence for the person who is asked.
    pub why: String,
    /// The command that it is about, in bytes of the line.
    pub span: Range<usize>,
}

/// How bad it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth a second look: little is lost, or it asks first.
    Mild,
    /// Cannot be undone, or reaches far.
    Grave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DangerKind {
    /// Single files.
    Delete,
    /// Whole directories, or whatever a search finds.
    RecursiveDelete,
    /// A file's content is replaced or emptied.
    Overwrite,
    /// Partitions, file systems, raw devices.
    DeviceWrite,
    Permissions,
    /// A script from the network runs unread.
    RemoteCode,
    ForcePush,
    HistoryRewrite,
    /// Changes that no commit holds.
    DiscardWork,
    ForkBomb,
    Kill,
    Shutdown,
    /// Accounts, services, firewall, scheduled work.
    SystemChange,
    /// Tables and databases.
    DropTables,
    Containers,
    /// Clusters and clouds.
    Infrastructure,
    PackageRemoval,
    /// What others can fetch from then on.
    Publish,
}

/// What is dangerous about a command line: the worst first, then as it stands in the line.
pub fn dangers(command: &str) -> Vec<Danger> {
    dangers_in(&parse(command))
}

/// The same of a line that is already taken apart.
pub fn dangers_in(line: &Line) -> Vec<Danger> {
    let mut found: Vec<Danger> = line
        .commands
        .iter()
        .filter(|command| !only_asks_for_help(command))
        .flat_map(|command| {
            let rules = [files::RULES, git::RULES, system::RULES, services::RULES];
            let findings = rules.into_iter().flatten().filter_map(|rule| rule(command));
            findings.map(|finding| finding.at(command.span.clone())).collect::<Vec<_>>()
        })
        .collect();
    found.extend(line::dangers(line));
    found.sort_by(|a, b| b.level.cmp(&a.level).then(a.span.start.cmp(&b.span.start)));
    found.dedup_by(|a, b| a.kind == b.kind && a.span == b.span && a.why == b.why);
    found
}

/// Looks at one command; says nothing when it has nothing to say.
type Rule = fn(&Simple) -> Option<Finding>;

/// A danger without its place in the line.
struct Finding {
    kind: DangerKind,
    level: Level,
    why: String,
}

impl Finding {
    fn at(self, span: Range<usize>) -> Danger {
        Danger { kind: self.kind, level: self.level, why: self.why, span }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a rule answers")]
fn mild(kind: DangerKind, why: impl Into<String>) -> Option<Finding> {
    Some(Finding { kind, level: Level::Mild, why: why.into() })
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a rule answers")]
fn grave(kind: DangerKind, why: impl Into<String>) -> Option<Finding> {
    Some(Finding { kind, level: Level::Grave, why: why.into() })
}

/// `rm --help`, `kubectl delete --help`. Further back it may be the name of a file.
fn only_asks_for_help(command: &Simple) -> bool {
    let is_help = |word: &Word| word.text == "--help" || word.text == "--version";
    match command.arguments() {
        [first, ..] if is_help(first) => true,
        [_, last] => is_help(last),
        _ => false,
    }
}

/// The program, when it is one of these.
fn is_program(command: &Simple, names: &[&str]) -> bool {
    command.program().is_some_and(|program| names.contains(&program))
}

/// A dry run that GNU tools, package managers and cluster tools know.
fn is_dry(command: &Simple) -> bool {
    command.arguments().iter().any(|word| {
        let text = word.text.as_str();
        text.starts_with("--dry-run") && text != "--dry-run=none"
            || ["--simulate", "--just-print", "--no-act", "--what-if"].contains(&text)
    })
}

/// Words as a sentence names them: `a`, `b` and 3 more.
fn named<'a>(words: impl Iterator<Item = &'a Word>) -> String {
    let all: Vec<String> = words.map(|word| format!("`{}`", shortened(&word.text))).collect();
    match all.as_slice() {
        [] => "what it is given".to_owned(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

/// Short, and without letters that would move the cursor.
fn shortened(text: &str) -> String {
    const MOST: usize = 48;
    let mut shown: String =
        text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).take(MOST).collect();
    if text.chars().count() > MOST {
        shown.push('…');
    }
    shown
}
