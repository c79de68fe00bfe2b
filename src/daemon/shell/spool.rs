//! The files in which hooks without a proxy write what ran: one for each shell, read about once a second and removed.
//!
//! A shell's builtins can open no socket, so they append to a file. A record is written by one `printf` that opens the
//! file, writes and closes it; the file is renamed before it is read, and read again a moment later for a writer that had
//! it open. A record that cannot be read is skipped and counted in the log; what follows it is not lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Daemon, hear};
use crate::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind, quoting};
use crate::turn::TurnId;

const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// As long as a shell may take between opening the file and having written its record.
const STILL_WRITING: Duration = Duration::from_millis(20);
/// A file that grew beyond this while nobody read it is dropped: it is months of commands, and says nothing of today.
const MAX_FILE: u64 = 8 << 20;
/// A shell that is older than this has written since.
const SCRATCH_KEPT: Duration = Duration::from_hours(24 * 7);
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';

/// Reads what hooks write until the daemon ends.
pub(in crate::daemon) async fn run(daemon: Arc<Daemon>) {
    let mut stop = daemon.stop.subscribe();
    remove_old_scratch(&daemon.shells.folder);
    loop {
        read_now(&daemon, None).await;
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

/// bash and fish keep a scratch file each, which a shell that was killed leaves behind.
fn remove_old_scratch(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().ok().and_then(|found| found.modified().ok()?.elapsed().ok());
        let is_scratch = entry.path().extension().is_some_and(|end| end == "line");
        if is_scratch && age.is_some_and(|age| age > SCRATCH_KEPT) {
            // It may be gone by now, and is tried again at the next start.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Reads the file of one shell, or of all.
pub(super) async fn read_now(daemon: &Arc<Daemon>, shell: Option<&str>) {
    let files = match shell {
        Some(shell) if is_name(shell) => vec![daemon.shells.folder.join(format!("{shell}.log"))],
        Some(_) => Vec::new(),
        None => logs_in(&daemon.shells.folder),
    };
    for file in files {
        let Some(text) = taken(&file).await else { continue };
        for told in parsed(&text) {
            if let Err(err) = hear(daemon, told).await {
                tracing::warn!(reason = err.detail.message, "a command of the shell was not taken in");
            }
        }
    }
}

fn is_name(shell: &str) -> bool {
    !shell.is_empty() && shell.len() <= 32 && shell.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn logs_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|end| end == "log" || end == "taken")).collect()
}

/// What the file holds, which is gone afterwards. A `taken` one was left by a daemon that ended meanwhile.
async fn taken(file: &Path) -> Option<String> {
    let aside = file.with_extension("taken");
    if file != aside {
        fs::rename(file, &aside).ok()?;
        tokio::time::sleep(STILL_WRITING).await;
    }
    let text = read_bounded(&aside)?;
    match fs::remove_file(&aside) {
        Ok(()) => Some(text),
        Err(error) => {
            tracing::warn!(%error, file = %aside.display(), "cannot be removed, so it is not read either");
            None
        }
    }
}

/// The text of a file; nothing of one that is too large.
fn read_bounded(file: &Path) -> Option<String> {
    let size = fs::metadata(file).ok()?.len();
    if size > MAX_FILE {
        tracing::warn!(bytes = size, file = %file.display(), "dropped: too much was written while nobody read it");
        return Some(String::new());
    }
    Some(String::from_utf8_lossy(&fs::read(file).ok()?).into_owned())
}

/// The records of a file, those of one shell together.
fn parsed(text: &str) -> Vec<ShellCommands> {
    let mut found: Vec<ShellCommands> = Vec::new();
    let (mut n_unread, records) = (0, text.split(RECORD).filter(|record| !record.trim().is_empty()));
    for record in records {
        match one(record) {
            Some((shell, kind, command)) => match found.last_mut().filter(|last| last.shell == shell) {
                Some(last) => last.commands.push(command),
                None => found.push(ShellCommands { shell, kind, commands: vec![command] }),
            },
            None => n_unread += 1,
        }
    }
    if n_unread > 0 {
        tracing::warn!(n_unread, "records of the shell hooks were not understood");
    }
    found
}

fn one(record: &str) -> Option<(String, ShellKind, ShellCommand)> {
    let fields: Vec<&str> = record.trim_start_matches('\n').split(FIELD).collect();
    let ["v1", kind, shell, text, status, pipeline, cwd, cwd_after, duration, suggestion, ended] =
        fields.as_slice()
    else {
        return None;
    };
    let kind = ShellKind::named(kind)?;
    let plain = |quoted: &str| quoting::plain(kind, quoted);
    let cwd = plain(cwd)?;
    let command = ShellCommand {
        text: plain(text)?,
        status: status.parse().ok()?,
        pipeline: pipeline.split_whitespace().map(|part| part.parse().unwrap_or(-1)).collect(),
        cwd_after: plain(cwd_after).filter(|after| !after.is_empty() && *after != cwd),
        cwd,
        output: None,
        duration_ms: duration.parse().ok(),
        suggestion: suggestion.parse().ok().map(TurnId),
        ended_ms: ended.parse().ok()?,
    };
    is_name(shell).then(|| ((*shell).to_owned(), kind, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[&str]) -> String {
        format!("{}{RECORD}", fields.join(&FIELD.to_string()))
    }

    fn bash(text: &str) -> String {
        record(&["v1", "bash", "0badcafe", text, "0", "0 0", "'/home/anna'", "'/tmp'", "12", "7", "1000"])
    }

    #[test]
    fn a_record_becomes_a_command() {
        let found = parsed(&bash(r"'ls | wc -l'"));
        let [told] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((told.shell.as_str(), told.kind), ("0badcafe", ShellKind::Bash));
        let expected = ShellCommand {
            text: "ls | wc -l".to_owned(),
            status: 0,
            pipeline: vec![0, 0],
            cwd: "/home/anna".to_owned(),
            cwd_after: Some("/tmp".to_owned()),
            output: None,
            duration_ms: Some(12),
            suggestion: Some(TurnId(7)),
            ended_ms: 1000,
        };
        assert_eq!(told.commands, [expected]);
    }

    #[test]
    fn what_cannot_be_read_is_skipped() {
        let text = format!("half a rec{RECORD}{}{}v1", bash("'a'"), bash("'b'"));
        let found = parsed(&text);
        let commands: Vec<&str> =
            found.iter().flat_map(|told| &told.commands).map(|command| command.text.as_str()).collect();
        assert_eq!(commands, ["a", "b"]);
    }

    #[test]
    fn a_name_is_no_path() {
        assert!(is_name("0badcafe"));
        assert!(!is_name("../x") && !is_name("") && !is_name(&"a".repeat(33)));
    }
}
