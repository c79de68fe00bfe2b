//! Input history: a JSONL file that all chats share, and walking through it. One line per entry; a line that is
//! not valid is skipped; a newer equal entry replaces an older one.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::redact::Redactor;

const MAX_ENTRIES: usize = 1000;
/// A longer text is in the ledger, and not worth carrying along here.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Unix seconds.
    at: i64,
    text: String,
}

/// Where entries are kept, and who takes secrets out of them first.
#[derive(Clone)]
pub(crate) struct HistoryFile {
    pub(crate) path: PathBuf,
    pub(crate) redactor: Arc<Redactor>,
}

impl HistoryFile {
    /// Entries of the file, oldest first; an absent file has none.
    pub(crate) fn load(&self) -> std::io::Result<Vec<String>> {
        load(&self.path)
    }

    /// Appends one entry without its secrets.
    pub(crate) fn append(&self, text: &str, at: i64) -> std::io::Result<()> {
        append(&self.path, &self.redactor.redact(text).text, at)
    }
}

fn load(file: &Path) -> std::io::Result<Vec<String>> {
    Ok(deduplicated(read_entries(file)?).into_iter().map(|entry| entry.text).collect())
}

/// Appends one entry with a single write (0600), and shortens the file when it has grown to twice its cap.
fn append(file: &Path, text: &str, at: i64) -> std::io::Result<()> {
    if text.len() > MAX_BYTES {
        return Ok(());
    }
    let lock = private(&file.with_extension("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let mut line = serde_json::to_string(&Entry { at, text: text.to_owned() })?;
    line.push('\n');
    private(file)?.write_all(line.as_bytes())?;
    let entries = read_entries(file)?;
    if entries.len() > 2 * MAX_ENTRIES {
        rewrite(file, &deduplicated(entries))?;
    }
    Ok(())
}

fn private(file: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(file)
}

fn read_entries(file: &Path) -> std::io::Result<Vec<Entry>> {
    let mut bytes = Vec::new();
    match File::open(file) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(err),
    };
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

fn rewrite(file: &Path, entries: &[Entry]) -> std::io::Result<()> {
    let part = file.with_extension("part");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    for entry in entries {
        writeln!(out, "{}", serde_json::to_string(entry)?)?;
    }
    out.sync_all()?;
    std::fs::rename(part, file)
}

fn deduplicated(entries: Vec<Entry>) -> Vec<Entry> {
    let mut seen = std::collections::HashSet::new();
    let newest_first = entries.into_iter().rev().filter(|entry| seen.insert(entry.text.clone()));
    let mut kept: Vec<Entry> = newest_first.take(MAX_ENTRIES).collect();
    kept.reverse();
    kept
}

/// A walk through the entries; what was being written waits at its end.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<String>,
    /// Index of the entry shown; `None`: not walking.
    at: Option<usize>,
    /// What was being written when the walk began; its last stop.
    parked: Option<String>,
}

impl History {
    /// Entries from the file, oldest first; entries made since the start stay behind them.
    pub(crate) fn preload(&mut self, mut older: Vec<String>) {
        older.append(&mut self.entries);
        self.entries = older;
        self.at = None;
    }

    pub(crate) fn record(&mut self, text: &str) {
        self.entries.retain(|entry| entry != text);
        self.entries.push(text.to_owned());
        self.stop();
    }

    pub(crate) fn forget(&mut self, texts: &std::collections::HashSet<String>) {
        self.entries.retain(|entry| !texts.contains(entry));
        self.stop();
    }

    /// Keeps what is being written for the end of the walk that begins now.
    pub(crate) fn park(&mut self, written: &str) {
        self.parked = Some(written.to_owned());
    }

    pub(crate) fn is_walking(&self) -> bool {
        self.at.is_some()
    }

    pub(crate) fn stop(&mut self) {
        self.at = None;
        self.parked = None;
    }

    pub(crate) fn older(&mut self) -> Option<&str> {
        let at = self.at.unwrap_or(self.entries.len()).checked_sub(1)?;
        self.at = Some(at);
        self.entries.get(at).map(String::as_str)
    }

    /// The next newer entry; at the end of the walk what was being written. `None`: there is no walk.
    pub(crate) fn newer(&mut self) -> Option<&str> {
        let at = self.at? + 1;
        self.at = (at < self.entries.len()).then_some(at);
        let parked = if self.at.is_none() { self.parked.as_deref() } else { None };
        Some(self.entries.get(at).map(String::as_str).or(parked).unwrap_or_default())
    }

    /// The newest entry with `query` in it, after skipping `skip` matches.
    pub(crate) fn find(&self, query: &str, skip: usize) -> Option<&str> {
        let wanted = query.to_lowercase();
        let matches = self.entries.iter().rev().filter(|entry| entry.to_lowercase().contains(&wanted));
        matches.map(String::as_str).nth(skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn entries_come_back_in_order_without_duplicates_and_bad_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.jsonl");
        for text in ["one", "two\nlines", "one"] {
            append(&file, text, 1).unwrap();
        }
        private(&file).unwrap().write_all(b"{broken\n\xff\xfe\n{\"text\": 3}\n").unwrap();
        append(&file, "last", 2).unwrap();
        assert_eq!(load(&file).unwrap(), ["two\nlines", "one", "last"]);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_file_is_kept_short() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.jsonl");
        let lines: Vec<String> =
            (0..2 * MAX_ENTRIES).map(|n| format!("{{\"at\":0,\"text\":\"{n}\"}}\n")).collect();
        std::fs::write(&file, lines.concat()).unwrap();
        append(&file, "newest", 3).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), MAX_ENTRIES);
        assert_eq!(load(&file).unwrap().last().unwrap(), "newest");
    }

    #[test]
    fn an_absent_file_is_an_empty_history() {
        assert_eq!(load(Path::new("/nonexistent/history")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_walk_goes_back_and_forth() {
        let mut history = History::default();
        history.preload(vec!["a".into(), "b".into()]);
        assert_eq!(history.newer(), None);
        assert_eq!(history.older(), Some("b"));
        assert_eq!(history.older(), Some("a"));
        assert_eq!(history.older(), None);
        assert_eq!(history.newer(), Some("b"));
        history.park("draft");
        assert_eq!(history.newer(), Some("draft"));
        assert!(!history.is_walking());
        assert_eq!(history.find("A", 0), Some("a"));
        assert_eq!(history.find("A", 1), None);
    }
}
