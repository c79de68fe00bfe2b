//! What people typed in chats: the input history, which must not hold what was forgotten.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use crate::config::disk;

/// Removes the lines that hold one of the texts. Chats that append at the same time wait for the same lock.
pub(super) fn remove(file: &Path, texts: &[String]) -> io::Result<()> {
    let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(file.with_extension("lock"))?;
    lock.lock()?;
    let text = match std::fs::read_to_string(file) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let kept = without(&text, texts);
    if kept == text { Ok(()) } else { disk::write_whole(file, kept.as_bytes()) }
}

fn without(lines: &str, texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| text.trim().to_lowercase()).collect();
    let is_kept = |line: &&str| {
        let entry: Option<Value> = serde_json::from_str(line).ok();
        let typed = entry.as_ref().and_then(|entry| entry.get("text")).and_then(Value::as_str);
        // A line that makes no sense may hold it in part.
        let typed = typed.unwrap_or(line).to_lowercase();
        !texts.iter().any(|text| typed.contains(text.as_str()))
    };
    lines.split_inclusive('\n').filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], texts: &[&str], expected: &[&str]) {
        let joined = |lines: &[&str]| [lines, &[""]].concat().join("\n");
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(without(&joined(lines), &texts), joined(expected));
    }

    #[test]
    fn lines_with_a_forgotten_text_go() {
        let (other, taught) = (r#"{"at":1,"text":"hello"}"#, r#"{"at":2,"text":"/teach Use \"rg\" please"}"#);
        check(&[other, taught], &["use \"rg\" please"], &[other]);
        check(&[other, "half a line use rg"], &["use rg"], &[other]);
        check(&[other, taught], &["use fd"], &[other, taught]);
    }
}
