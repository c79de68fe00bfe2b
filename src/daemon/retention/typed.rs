//! What people typed in chats: the input history, from which lines go when they are old.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use crate::config::disk;

/// Removes the lines from before a moment (Unix seconds), and says how many. Chats that append at the same time wait for the same lock.
pub(super) fn remove(file: &Path, before: i64) -> io::Result<usize> {
    if !file.exists() {
        return Ok(0);
    }
    let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(file.with_extension("lock"))?;
    lock.lock()?;
    let text = std::fs::read_to_string(file)?;
    let kept = since(&text, before);
    let n_removed = text.lines().count() - kept.lines().count();
    if n_removed > 0 {
        disk::write_whole(file, kept.as_bytes())?;
    }
    Ok(n_removed)
}

/// The lines that are not older. One that does not say when it was typed may be of any age.
fn since(lines: &str, before: i64) -> String {
    let is_kept = |line: &&str| {
        let entry: Option<Value> = serde_json::from_str(line).ok();
        entry.and_then(|entry| entry.get("at")?.as_i64()).is_some_and(|at| at >= before)
    };
    lines.split_inclusive('\n').filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_go_and_so_do_lines_of_no_time() {
        let (old, new) = ("{\"at\":1,\"text\":\"a\"}\n", "{\"at\":9,\"text\":\"b\"}\n");
        assert_eq!(since(&format!("{old}half a line\n{new}"), 9), new);
    }

    #[test]
    fn a_history_that_is_not_there_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(remove(&dir.path().join("history.jsonl"), 9).unwrap(), 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
