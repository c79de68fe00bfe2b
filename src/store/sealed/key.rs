//! The key itself: fetched from a command or a file, stretched when it is a passphrase, held in memory that is wiped.
//!
//! `SQLCipher` gets 256 bits, never a passphrase: its own stretching would cost every connection what is paid once here.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::SealedError;
use crate::config::KeySource;
use crate::store::StoreError;

/// Somebody may have to type something for it.
const COMMAND_LIMIT: Duration = Duration::from_mins(1);
/// Of what a command or a file says; a key is shorter.
const MOST_BYTES: u64 = 1 << 16;
/// Of a command's complaint, as much as fits a sentence.
const MOST_COMPLAINT: usize = 300;
/// Argon2id: 64 MiB, three passes. About a tenth of a second, once for each process.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

pub(super) type Salt = [u8; 16];
type Secret = Zeroizing<String>;

/// What was fetched and stretched so far.
#[derive(Default)]
pub(super) struct Keys {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    secret: Option<Secret>,
    /// A restored backup may have another salt.
    keys: Vec<(Salt, Secret)>,
}

impl Keys {
    /// `x'…'` of key and salt. Fetches the secret the first time.
    pub(super) fn key(&self, source: &KeySource, salt: Salt) -> Result<Secret, StoreError> {
        let not_there = |reason| SealedError::KeyNotThere { setting: source.setting(), reason };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.keys.iter().find(|(of, _)| *of == salt) {
            return Ok(key.clone());
        }
        let secret = match &known.secret {
            Some(secret) => secret.clone(),
            None => fetch(source).map_err(not_there)?,
        };
        let stretched = stretched(&secret, salt).map_err(not_there)?;
        let key = spell(&stretched, salt);
        known.secret = Some(secret);
        known.keys.push((salt, key.clone()));
        Ok(key)
    }
}

/// The first bytes of an encrypted file.
pub(super) fn salt_of(path: &Path) -> io::Result<Salt> {
    let mut salt = [0; 16];
    File::open(path)?.read_exact(&mut salt)?;
    Ok(salt)
}

pub(super) fn new_salt(source: &KeySource) -> Result<Salt, StoreError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|err| SealedError::KeyNotThere {
        setting: source.setting(),
        reason: format!("no random numbers for its salt ({err})"),
    })?;
    Ok(salt)
}

/// The first statements of a connection. What goes wrong is an error of ours, not a line on the terminal.
pub(super) fn apply(conn: &Connection, key: &str) -> Result<(), StoreError> {
    conn.execute_batch("PRAGMA cipher_log_level = NONE")
        .and_then(|()| conn.pragma_update(None, "key", key))
        .map_err(|_| StoreError::Sqlite("the key could not be set".into()))
}

fn fetch(source: &KeySource) -> Result<Secret, String> {
    let line = match source {
        KeySource::Command(command) => from_command(command, COMMAND_LIMIT)?,
        KeySource::File(file) => from_file(file)?,
    };
    if line.trim().is_empty() { Err("its first line is empty".into()) } else { Ok(line) }
}

fn from_file(path: &Path) -> Result<Secret, String> {
    let named = |err: io::Error| format!("{}: {err}", path.display());
    let file = File::open(path).map_err(named)?;
    let about = file.metadata().map_err(named)?;
    if about.mode() & 0o077 != 0 {
        let (path, mode) = (path.display(), about.mode() & 0o777);
        return Err(format!("others may read {path} (mode {mode:o}); chmod 600 {path}"));
    }
    first_line(file).map_err(named)
}

/// As a shell runs it, in a group of its own, so that all of it ends when it takes too long.
fn from_command(command: &str, limit: Duration) -> Result<Secret, String> {
    let child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|err| format!("cannot run sh: {err}"))?;
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let (said, hear) = mpsc::channel();
    thread::Builder::new()
        .name("key-command".into())
        .spawn(move || said.send(listen(child)))
        .map_err(|err| format!("cannot start a thread: {err}"))?;
    let Ok(heard) = hear.recv_timeout(limit) else {
        if let Some(group) = group {
            // It may have ended this moment.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        return Err(format!("the command did not end within {} s", limit.as_secs()));
    };
    let (line, complaint, status) = heard.map_err(|err| format!("cannot read what it says: {err}"))?;
    if status.success() {
        return Ok(line);
    }
    let complaint = if complaint.is_empty() { "it said nothing".to_owned() } else { complaint };
    Err(format!("the command ended with {status}: {complaint}"))
}

fn listen(mut child: Child) -> io::Result<(Secret, String, ExitStatus)> {
    let stderr = child.stderr.take();
    let complaint =
        thread::Builder::new().name("key-complaint".into()).spawn(move || stderr.map(complaint_of))?;
    let line = child.stdout.take().map_or_else(|| Ok(Secret::default()), first_line);
    let status = child.wait()?;
    let complaint = complaint.join().ok().flatten().unwrap_or_default();
    Ok((line?, complaint, status))
}

/// In one line, without what would move a cursor.
fn complaint_of(stderr: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read until an error is said all the same.
    let _ = stderr.take(MOST_BYTES).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    words
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MOST_COMPLAINT)
        .collect()
}

fn first_line(from: impl Read) -> io::Result<Secret> {
    let mut line = Secret::default();
    let mut rest = BufReader::new(from.take(MOST_BYTES));
    rest.read_line(&mut line)?;
    let n = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(n);
    // A command that still speaks would be told that nobody listens.
    io::copy(&mut rest, &mut io::sink())?;
    Ok(line)
}

/// 64 hexadecimal digits are the key; anything else is stretched into one.
fn stretched(secret: &str, salt: Salt) -> Result<Zeroizing<[u8; 32]>, String> {
    let mut key = Zeroizing::new([0; 32]);
    if secret.len() == 64 && secret.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
            let pair = secret.get(at..at + 2).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).map_err(|err| err.to_string())?;
        }
        return Ok(key);
    }
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|err| err.to_string())?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret.as_bytes(), &salt, &mut *key)
        .map_err(|err| err.to_string())?;
    Ok(key)
}

/// As `SQLCipher` reads it: the key, then the salt of the file.
fn spell(key: &[u8; 32], salt: Salt) -> Secret {
    let mut spelled = Secret::new(String::with_capacity(2 * (32 + 16) + 3));
    spelled.push_str("x'");
    for byte in key.iter().chain(&salt) {
        for nibble in [byte >> 4, byte & 15] {
            spelled.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
    spelled.push('\'');
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(command: &str) -> Result<String, String> {
        from_command(command, Duration::from_secs(20)).map(|line| line.to_string())
    }

    #[test]
    fn the_first_line_of_a_command_is_the_key() {
        assert_eq!(said("printf 'swordfish\\r\\nurl: x\\n'"), Ok("swordfish".into()));
        assert_eq!(said("printf ' a b '"), Ok(" a b ".into()));
    }

    #[test]
    fn a_command_that_fails_says_what_it_said() {
        let failed = said("echo 'gpg: no such entry' >&2; echo secret; exit 3").unwrap_err();
        assert!(failed.contains("exit status: 3") && failed.contains("gpg: no such entry"), "{failed}");
        assert!(!failed.contains("secret"));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let failed = from_command("sleep 600 & sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(failed.contains("did not end"), "{failed}");
    }

    #[test]
    fn digits_are_the_key_and_words_are_stretched() {
        let digits = "0123456789abcdefFEDCBA98765432100123456789abcdef0123456789abcdef";
        assert_eq!(
            *spell(&stretched(digits, [7; 16]).unwrap(), [7; 16]),
            format!("x'{}{}'", digits.to_lowercase(), "07".repeat(16))
        );
        let (one, other) =
            (stretched("swordfish", [1; 16]).unwrap(), stretched("swordfish", [2; 16]).unwrap());
        assert_ne!(*one, *other);
        assert_eq!(*one, *stretched("swordfish", [1; 16]).unwrap());
    }

    #[test]
    fn an_empty_line_is_no_key() {
        assert!(fetch(&KeySource::Command("true".into())).is_err());
    }
}
