//! Files beside the ledger that may hold a text: logs, what shells left, copies of the ledger. And looking through all
//! files for it in the end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::config::Paths;

/// Read at a time while looking through a file.
const PIECE: usize = 1 << 20;
/// A shorter text stands in some file of numbers by chance.
const LOOKED_FOR: usize = 6;

/// The log of this daemon, and the longer one that it took the place of.
pub(super) fn logs(paths: &Paths) -> [PathBuf; 2] {
    let log = paths.log_file();
    let older = log.with_extension("log.1");
    [log, older]
}

/// Lines of the logs that hold the text.
pub(super) fn count_in_logs(paths: &Paths, text: &str) -> usize {
    let logs = logs(paths);
    let lines = logs.iter().filter_map(|log| std::fs::read(log).ok());
    lines.map(|bytes| without(&bytes, text).1).sum()
}

/// Takes the lines out that hold the text. The file stays the same one: the daemon goes on writing at its end.
pub(super) fn take_from_logs(paths: &Paths, text: &str) -> io::Result<usize> {
    let mut n_gone = 0;
    for log in logs(paths) {
        let Some(bytes) = there(std::fs::read(&log))? else { continue };
        let (kept, n) = without(&bytes, text);
        if n > 0 {
            let mut file = OpenOptions::new().append(true).open(&log)?;
            file.set_len(0)?;
            file.write_all(&kept)?;
            file.sync_all()?;
        }
        n_gone += n;
    }
    Ok(n_gone)
}

/// What is left, and how many lines are not.
fn without(bytes: &[u8], text: &str) -> (Vec<u8>, usize) {
    let text = text.to_lowercase();
    let holds = |line: &&[u8]| String::from_utf8_lossy(line).to_lowercase().contains(&text);
    let (gone, kept): (Vec<&[u8]>, Vec<&[u8]>) =
        bytes.split_inclusive(|byte| *byte == b'\n').partition(holds);
    (kept.concat(), gone.len())
}

/// Empties the logs, and the input histories with what was half written of them.
pub(super) fn empty(paths: &Paths) -> io::Result<()> {
    let [log, older] = logs(paths);
    if let Some(file) = there(OpenOptions::new().append(true).open(&log))? {
        file.set_len(0)?;
    }
    there(std::fs::remove_file(&older))?;
    for typed in paths.typed_files() {
        for file in [typed.with_extension("part"), crate::config::disk::with_suffix(&typed, ".part"), typed] {
            there(std::fs::remove_file(&file))?;
        }
    }
    Ok(())
}

/// Shells keep their newest line in a file of their own, and read it back at once: what is left in it is nobody's.
pub(super) fn empty_scratch(paths: &Paths, goes: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let Some(entries) = there(std::fs::read_dir(paths.shell_dir()))? else { return Ok(()) };
    for entry in entries {
        let file = entry?.path();
        let is_scratch = file.extension().is_some_and(|end| end == "line");
        if is_scratch && goes(&file) {
            there(OpenOptions::new().write(true).open(&file).and_then(|file| file.set_len(0)))?;
        }
    }
    Ok(())
}

/// What somebody wrote in an editor for a chat that was killed meanwhile.
pub(super) fn remove_drafts(paths: &Paths, goes: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let Some(entries) = there(std::fs::read_dir(&paths.state_dir))? else { return Ok(()) };
    for entry in entries {
        let file = entry?.path();
        if writer_of(&file).is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) && goes(&file)
        {
            there(std::fs::remove_file(&file))?;
        }
    }
    Ok(())
}

/// The chat whose draft this is, if it is one.
fn writer_of(file: &Path) -> Option<rustix::process::Pid> {
    let pid = file.file_name()?.to_str()?.strip_prefix("message-")?.strip_suffix(".md")?;
    rustix::process::Pid::from_raw(pid.parse().ok().filter(|pid| *pid > 0)?)
}

pub(super) fn holds(file: &Path, text: &str) -> bool {
    File::open(file).is_ok_and(|file| is_in(file, &[text.to_lowercase().into_bytes()]).unwrap_or(true))
}

/// Nothing where there is no such file.
fn there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// All files of chela's in whose bytes the text still stands; but for models, which nobody here wrote.
pub(super) fn still_holding(paths: &Paths, text: &str) -> Vec<String> {
    if text.trim().len() < LOOKED_FOR {
        return Vec::new();
    }
    let lower = text.to_lowercase();
    let wide: Vec<u8> = lower.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let needles = [lower.into_bytes(), wide];
    let mut found: Vec<String> = files_below(&[&paths.data_dir, &paths.state_dir, &paths.config_dir])
        .into_iter()
        .filter(|file| !file.starts_with(paths.models_dir()))
        .filter(|file| File::open(file).is_ok_and(|file| is_in(file, &needles).unwrap_or(true)))
        .map(|file| file.display().to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn files_below(folders: &[&PathBuf]) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| (*folder).clone()).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                // A socket holds nothing, and a link leads to something of somebody else's.
                _ => {}
            }
        }
    }
    files
}

/// Piece by piece, each with the end of the one before.
fn is_in(mut from: impl Read, needles: &[Vec<u8>]) -> io::Result<bool> {
    let longest = needles.iter().map(Vec::len).max().unwrap_or(0);
    let mut piece: Vec<u8> = Vec::new();
    loop {
        let from_before = piece.len().min(longest);
        piece.drain(..piece.len() - from_before);
        let n = (&mut from).take(PIECE as u64).read_to_end(&mut piece)?;
        if n == 0 {
            return Ok(false);
        }
        piece.make_ascii_lowercase();
        if needles.iter().any(|needle| memchr::memmem::find(&piece, needle).is_some()) {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_log_with_the_text_go() {
        let (kept, n_gone) = without(b"a\nthe ZEBRA\nb\n", "zebra");
        assert_eq!((kept.as_slice(), n_gone), (b"a\nb\n".as_slice(), 1));
    }

    #[test]
    fn a_text_is_found_across_pieces() {
        let mut bytes = vec![b'x'; PIECE - 3];
        bytes.extend(b"ZebraFish");
        bytes.extend(vec![b'y'; PIECE]);
        assert!(is_in(bytes.as_slice(), &[b"zebrafish".to_vec()]).unwrap());
        assert!(!is_in(bytes.as_slice(), &[b"zebrafinch".to_vec()]).unwrap());
    }
}
