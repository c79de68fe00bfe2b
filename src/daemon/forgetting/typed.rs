//! What people typed in chats and at the prompt in a shell: the input histories, which must not hold what was forgotten.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

use crate::config::disk;
use crate::store::{Reader, StoreError};
use crate::turn::TurnId;

/// A shorter text stands in too many lines that have nothing to do with it: these must be the same as a whole.
const LONG: usize = 8;
/// With more turns than this a line goes only where it is the same as what was said in one.
const MANY: usize = 2000;

/// Which lines go, beside those that were said in a turn.
#[derive(Debug, Default)]
pub(super) struct Going {
    pub(super) all: bool,
    /// Unix milliseconds.
    pub(super) since: Option<i64>,
    /// In lines that hold it.
    pub(super) matching: Option<String>,
    /// Sentences that were taught.
    pub(super) taught: Vec<String>,
}

/// How many lines go. Chats that append at the same time wait for the same lock.
pub(super) fn remove(
    file: &Path,
    going: &Going,
    reader: &mut Reader,
    turns: &[TurnId],
) -> Result<io::Result<usize>, StoreError> {
    let found = lock(file).and_then(|lock| Ok((lock, read(file)?)));
    let (_lock, text) = match found {
        Ok(found) => found,
        Err(err) => return Ok(Err(err)),
    };
    let lines = marked(&text, going, reader, turns)?;
    // Half of a file that a chat wrote anew, and did not come to the end of.
    let _ = std::fs::remove_file(file.with_extension("part"));
    let n_gone = lines.iter().filter(|line| line.goes).count();
    let kept: String = lines.iter().filter(|line| !line.goes).map(|line| line.raw).collect();
    Ok(if n_gone == 0 { Ok(0) } else { disk::write_whole(file, kept.as_bytes()).map(|()| n_gone) })
}

/// How many would go.
pub(super) fn count(
    file: &Path,
    going: &Going,
    reader: &mut Reader,
    turns: &[TurnId],
) -> Result<usize, StoreError> {
    let text = read(file).unwrap_or_default();
    Ok(marked(&text, going, reader, turns)?.iter().filter(|line| line.goes).count())
}

fn lock(file: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(file.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn read(file: &Path) -> io::Result<String> {
    match std::fs::read(file) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => Ok(String::from_utf8_lossy(&read?).into_owned()),
    }
}

#[derive(Debug)]
struct Line<'a> {
    raw: &'a str,
    /// What was typed, in small letters. A line that makes no sense may hold it in part, and is taken as it is.
    typed: String,
    /// Unix seconds.
    at: Option<i64>,
    goes: bool,
}

#[derive(Deserialize)]
struct Typed {
    at: i64,
    text: String,
}

fn marked<'a>(
    text: &'a str,
    going: &Going,
    reader: &mut Reader,
    turns: &[TurnId],
) -> Result<Vec<Line<'a>>, StoreError> {
    let mut lines: Vec<Line<'a>> = text.split_inclusive('\n').map(|raw| line(raw, going)).collect();
    if lines.iter().any(|line| !line.goes) {
        let is_few = turns.len() <= MANY;
        reader.said_in(turns, &mut |_, said| mark(&mut lines, said, is_few))?;
    }
    Ok(lines)
}

fn line<'a>(raw: &'a str, going: &Going) -> Line<'a> {
    let entry: Option<Typed> = serde_json::from_str(raw).ok();
    let at = entry.as_ref().map(|entry| entry.at);
    let typed = entry.map_or_else(|| raw.to_owned(), |entry| entry.text).trim().to_lowercase();
    let holds = |text: &String| typed.contains(&text.to_lowercase());
    let is_late = at.zip(going.since).is_some_and(|(at, since)| at.saturating_mul(1000) >= since - 999);
    let goes = going.all || is_late || going.matching.iter().any(holds) || going.taught.iter().any(holds);
    Line { raw, typed, at, goes }
}

/// What was said in a turn was typed as it is, or with something around it, or is a part of it: a command whose output
/// went along.
fn mark(lines: &mut [Line<'_>], said: &str, is_few: bool) {
    let said = said.trim().to_lowercase();
    if said.is_empty() {
        return;
    }
    for line in lines.iter_mut().filter(|line| !line.goes) {
        let command = line.typed.strip_prefix('!').unwrap_or(&line.typed).trim();
        let is_part = |part: &str, whole: &str| part.len() >= LONG && whole.contains(part);
        line.goes = line.typed == said
            || (is_few && (is_part(&said, &line.typed) || is_part(command, &said)))
            // Half a line of JSON says nothing of its text.
            || (line.at.is_none() && is_part(&said, &line.typed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &[&str], said: &str, going: &Going, expected: &[&str]) {
        let raw: Vec<String> =
            typed.iter().map(|text| format!("{}\n", serde_json::json!({"at": 100, "text": text}))).collect();
        let mut lines: Vec<Line<'_>> = raw.iter().map(|raw| line(raw, going)).collect();
        mark(&mut lines, said, true);
        let kept: Vec<&str> =
            typed.iter().zip(&lines).filter(|(_, line)| !line.goes).map(|(text, _)| *text).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_was_said_in_a_turn_goes_as_it_was_typed() {
        let none = Going::default();
        check(&["ls", "ls -l", "false"], "ls", &none, &["ls -l", "false"]);
        check(&["hello", "find my zebras"], "Find my zebras ", &none, &["hello"]);
        check(&["!cat zebra.txt", "cat"], "I ran `cat zebra.txt`:\nblack\n\nwhy?", &none, &["cat"]);
    }

    #[test]
    fn sentences_that_were_taught_go_with_what_stands_around_them() {
        let taught = Going { taught: vec!["use \"rg\" please".into()], ..Going::default() };
        check(&["hello", "/teach Use \"rg\" please"], "", &taught, &["hello"]);
    }

    #[test]
    fn a_text_goes_wherever_it_stands() {
        let matching = Going { matching: Some("Zebra".into()), ..Going::default() };
        check(&["hello", "two zebras"], "", &matching, &["hello"]);
        let lines = [line("half a line with a zebra", &matching), line("half a line", &matching)];
        assert_eq!(lines.map(|line| line.goes), [true, false]);
    }

    #[test]
    fn what_was_typed_since_goes() {
        let at = |since| Going { since: Some(since), ..Going::default() };
        check(&["hello"], "", &at(99_000), &[]);
        check(&["hello"], "", &at(101_000), &["hello"]);
        check(&["hello"], "", &Going { all: true, ..Going::default() }, &[]);
    }
}
