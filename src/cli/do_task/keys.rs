//! Keys of a terminal, one at a time, and what their bytes mean.

use std::collections::VecDeque;
use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::shell::run::RawTerminal;

/// How long the rest of an escape sequence may take; a lone Esc is known after this.
const REST_OF_SEQUENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 40_000_000 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Escape,
    CtrlC,
    Left,
    Right,
    Home,
    End,
    Backspace,
    Delete,
    /// Ctrl+K, Ctrl+U, Ctrl+W.
    CutAfter,
    CutBefore,
    CutWord,
    Other,
}

/// The terminal in raw mode, read key by key; as before when it is dropped.
pub(super) struct Keys {
    _raw: RawTerminal,
    bytes: VecDeque<u8>,
}

impl Keys {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { _raw: RawTerminal::enter()?, bytes: VecDeque::new() })
    }

    /// Waits for a key. A terminal that went away is an Esc.
    pub(super) fn next(&mut self) -> io::Result<Key> {
        if self.bytes.is_empty() && !self.read()? {
            return Ok(Key::Escape);
        }
        if self.is_cut_off() && is_more(REST_OF_SEQUENCE)? {
            self.read()?;
        }
        let (key, length) = decoded(self.bytes.make_contiguous());
        self.bytes.drain(..length.min(self.bytes.len()));
        Ok(key)
    }

    fn is_cut_off(&mut self) -> bool {
        let bytes = self.bytes.make_contiguous();
        matches!(bytes, [0x1b] | [0x1b, b'[' | b'O'])
            || std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
    }

    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0_u8; 1024];
        let n = rustix::io::retry_on_intr(|| rustix::io::read(io::stdin(), &mut buffer))?;
        self.bytes.extend(buffer.get(..n).unwrap_or_default());
        Ok(n > 0)
    }
}

fn is_more(wait: Timespec) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
    Ok(rustix::io::retry_on_intr(|| poll(&mut watched, Some(&wait)))? > 0)
}

/// The first key of some bytes, and how many it took.
fn decoded(bytes: &[u8]) -> (Key, usize) {
    let sequences: &[(&[u8], Key)] = &[
        (b"\x1b[D", Key::Left),
        (b"\x1bOD", Key::Left),
        (b"\x1b[C", Key::Right),
        (b"\x1bOC", Key::Right),
        (b"\x1b[H", Key::Home),
        (b"\x1bOH", Key::Home),
        (b"\x1b[1~", Key::Home),
        (b"\x1b[F", Key::End),
        (b"\x1bOF", Key::End),
        (b"\x1b[4~", Key::End),
        (b"\x1b[3~", Key::Delete),
    ];
    if let Some((sequence, key)) = sequences.iter().find(|(sequence, _)| bytes.starts_with(sequence)) {
        return (*key, sequence.len());
    }
    match bytes {
        [] => (Key::Other, 0),
        [0x1b, b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| (b'@'..=b'~').contains(byte));
            (Key::Other, 3 + end.unwrap_or(rest.len()))
        }
        [0x1b, _, ..] => (Key::Other, 2),
        [first, ..] if *first < 0x20 || *first == 0x7f => (control(*first), 1),
        _ => letter(bytes),
    }
}

fn control(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Enter,
        0x1b => Key::Escape,
        0x03 => Key::CtrlC,
        0x01 => Key::Home,
        0x05 => Key::End,
        0x02 => Key::Left,
        0x06 => Key::Right,
        0x04 => Key::Delete,
        0x08 | 0x7f => Key::Backspace,
        0x0b => Key::CutAfter,
        0x15 => Key::CutBefore,
        0x17 => Key::CutWord,
        _ => Key::Other,
    }
}

fn letter(bytes: &[u8]) -> (Key, usize) {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
    };
    match valid.chars().next() {
        Some(letter) => (Key::Char(letter), letter.len_utf8()),
        None => (Key::Other, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mut bytes: &[u8], expected: &[Key]) {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let (key, length) = decoded(bytes);
            assert!(length > 0);
            found.push(key);
            bytes = &bytes[length.min(bytes.len())..];
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn bytes_are_keys() {
        check(b"y\r", &[Key::Char('y'), Key::Enter]);
        check("é日".as_bytes(), &[Key::Char('é'), Key::Char('日')]);
        check(b"\x1b", &[Key::Escape]);
        check(b"\x1b[D\x1bOC\x1b[3~x", &[Key::Left, Key::Right, Key::Delete, Key::Char('x')]);
        check(b"\x1b[200~a\x1b[201~", &[Key::Other, Key::Char('a'), Key::Other]);
        check(b"\x1bya", &[Key::Other, Key::Char('a')]);
        check(b"\x03\x01\x05\x7f\x17", &[Key::CtrlC, Key::Home, Key::End, Key::Backspace, Key::CutWord]);
        check(&[0xff, b'a'], &[Key::Other, Key::Char('a')]);
    }
}
