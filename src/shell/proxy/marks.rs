//! Marks in a shell's output, read from the bytes as they pass. What the marks mean is `spans`' affair.
//!
//! A mark of ours is OSC 133 with the shell's nonce: its private parameters are taken out before the terminal sees it,
//! and all of it where the shell marks its commands itself. Every other byte passes unchanged. Bytes are held back only
//! within a sequence that may be a mark, which no terminal acts upon before its end. Pure: bytes in, bytes and events
//! out, however reads split them.

use std::ops::Range;

use memchr::memchr;

use crate::daemon::wire::shell::quoting::split_fields;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
/// String terminator as one byte; in UTF-8 text it is one only where no character goes on.
const ST: u8 = 0x9c;
/// A longer mark passes without being read; one of ours is told without the fields that did not fit.
const MAX_MARK: usize = 64 * 1024;
/// The longest list of modes that anybody sends.
const MAX_MODES: usize = 64;
/// What OSC sequences begin with that are read.
const READ: [&[u8]; 3] = [b"133;", b"633;", b"7;"];

/// What stood between the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A mark with the right nonce.
    Own(Mark),
    /// A mark of OSC 133 or 633 for which nobody vouches: `A` prompt, `B` input, `C` output, `D` end.
    Foreign(u8),
    /// A directory by OSC 7 or 633. Nobody vouches for it.
    Directory(Vec<u8>),
    /// A program took the whole screen, or gave it back.
    FullScreen(bool),
}

/// What a mark says has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Prompt,
    Input,
    Began,
    Ended,
}

/// A mark of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) step: Step,
    /// Exit status, on `Ended`.
    pub(super) status: Option<i32>,
    /// Which command this is about; the shell counts.
    pub(super) n: u64,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Mark {
    /// A field as the shell quoted it.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(key, _)| key == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }
}

/// What came of a piece of output.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// For the terminal.
    pub(super) bytes: Vec<u8>,
    /// Each with the place in `bytes` at which it happened: where a mark of ours stands, which is nobody's output.
    pub(super) events: Vec<(Range<usize>, Event)>,
}

impl Passed {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.events.clear();
    }

    fn event(&mut self, event: Event) {
        self.events.push((self.bytes.len()..self.bytes.len(), event));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// After ESC, which is held.
    Escape,
    /// In a control sequence, which passes; its parameters are noted.
    Csi,
    /// In a sequence that may be a mark; `held` has all of it.
    Osc,
    /// After ESC in such a sequence.
    OscEscape,
    /// In a mark of ours that is too long; the rest of it is dropped.
    TooLong,
    TooLongEscape,
}

/// The reader of one shell's output.
#[derive(Debug)]
pub(super) struct Marks {
    nonce: Vec<u8>,
    state: State,
    held: Vec<u8>,
    modes: Vec<u8>,
    /// Bytes that the character in a mark still has to come.
    continuation: u8,
    /// Somebody else's `C` or `D` passed since our last command ended: the shell marks its commands itself.
    others_since_end: bool,
    is_marked_by_others: bool,
    is_running: bool,
}

impl Marks {
    /// An empty nonce vouches for nothing.
    pub(super) fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.as_bytes().to_vec(),
            state: State::Ground,
            held: Vec::new(),
            modes: Vec::new(),
            continuation: 0,
            others_since_end: false,
            is_marked_by_others: false,
            is_running: false,
        }
    }

    /// Reads the next bytes; `out` gets what the terminal is to see and what happened.
    pub(super) fn feed(&mut self, chunk: &[u8], out: &mut Passed) {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Ground {
                let plain = memchr(ESC, rest).unwrap_or(rest.len());
                let (passing, escape) = rest.split_at(plain);
                out.bytes.extend_from_slice(passing);
                rest = escape.get(1..).unwrap_or_default();
                if !escape.is_empty() {
                    self.begin_escape();
                }
                continue;
            }
            rest = after;
            self.step(byte, out);
        }
    }

    /// Gives out what is held: no more will come.
    pub(super) fn finish(&mut self, out: &mut Passed) {
        if self.state == State::OscEscape {
            self.held.push(ESC);
        }
        self.release(out);
    }

    fn begin_escape(&mut self) {
        self.held.clear();
        self.held.push(ESC);
        self.state = State::Escape;
    }

    fn step(&mut self, byte: u8, out: &mut Passed) {
        match self.state {
            State::Ground => out.bytes.push(byte),
            State::Escape => self.after_escape(byte, out),
            State::Csi => self.in_csi(byte, out),
            State::Osc => self.in_osc(byte, out),
            State::OscEscape => self.after_osc_escape(byte, out),
            State::TooLong | State::TooLongEscape => self.in_too_long(byte, out),
        }
    }

    fn after_escape(&mut self, byte: u8, out: &mut Passed) {
        if byte == ESC {
            self.release(out);
            self.begin_escape();
            return;
        }
        self.held.push(byte);
        match byte {
            b']' => {
                self.state = State::Osc;
                self.continuation = 0;
            }
            b'[' => {
                self.release(out);
                self.state = State::Csi;
                self.modes.clear();
            }
            b'c' => {
                self.release(out);
                out.event(Event::FullScreen(false));
            }
            _ => self.release(out),
        }
    }

    fn in_csi(&mut self, byte: u8, out: &mut Passed) {
        if byte == ESC {
            self.begin_escape();
            return;
        }
        out.bytes.push(byte);
        match byte {
            CAN | SUB => self.state = State::Ground,
            0x40..=0x7e => {
                self.state = State::Ground;
                if matches!(byte, b'h' | b'l') && names_full_screen(&self.modes) {
                    out.event(Event::FullScreen(byte == b'h'));
                }
            }
            _ if self.modes.len() < MAX_MODES => self.modes.push(byte),
            _ => self.state = State::Ground,
        }
    }

    fn in_osc(&mut self, byte: u8, out: &mut Passed) {
        let continues = self.continues_character(byte);
        match byte {
            ESC => self.state = State::OscEscape,
            BEL => self.complete(&[BEL], out),
            ST if !continues => self.complete(&[ST], out),
            // No mark has a control character in it; terminals give up such a sequence, or wait for its end.
            0..0x20 => {
                self.held.push(byte);
                self.release(out);
            }
            _ => {
                self.held.push(byte);
                self.look_at_length(out);
            }
        }
    }

    /// Whether the byte is the rest of a character that began before it.
    fn continues_character(&mut self, byte: u8) -> bool {
        if self.continuation > 0 && (0x80..0xc0).contains(&byte) {
            self.continuation -= 1;
            return true;
        }
        self.continuation = match byte {
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => 0,
        };
        false
    }

    fn look_at_length(&mut self, out: &mut Passed) {
        let payload = payload(&self.held);
        if !READ.iter().any(|start| start.starts_with(payload) || payload.starts_with(start)) {
            self.release(out);
        } else if self.held.len() >= MAX_MARK {
            match self.read_own() {
                Some(mark) => {
                    self.tell_own(mark, &[BEL], out);
                    self.state = State::TooLong;
                }
                None => self.release(out),
            }
        }
    }

    fn after_osc_escape(&mut self, byte: u8, out: &mut Passed) {
        if byte == b'\\' {
            self.complete(&[ESC, b'\\'], out);
            return;
        }
        // A new sequence ends the old one, which was not complete.
        self.release(out);
        self.begin_escape();
        self.step(byte, out);
    }

    fn in_too_long(&mut self, byte: u8, out: &mut Passed) {
        let continues = self.continues_character(byte);
        match (self.state, byte) {
            (State::TooLongEscape, b'\\') | (_, BEL | CAN | SUB) => self.state = State::Ground,
            (State::TooLongEscape, _) => {
                self.begin_escape();
                self.step(byte, out);
            }
            (_, ESC) => self.state = State::TooLongEscape,
            (_, ST) if !continues => self.state = State::Ground,
            _ => {}
        }
    }

    /// Passes what is held on, as it came.
    fn release(&mut self, out: &mut Passed) {
        out.bytes.append(&mut self.held);
        self.state = State::Ground;
    }

    /// A sequence that is read has ended.
    fn complete(&mut self, terminator: &[u8], out: &mut Passed) {
        if let Some(mark) = self.read_own() {
            self.tell_own(mark, terminator, out);
            return;
        }
        let event = read_foreign(payload(&self.held));
        self.held.extend_from_slice(terminator);
        self.release(out);
        if let Some(event) = event {
            if matches!(event, Event::Foreign(b'C' | b'D')) && !self.is_running {
                self.others_since_end = true;
            }
            out.event(event);
        }
    }

    fn tell_own(&mut self, mark: Mark, terminator: &[u8], out: &mut Passed) {
        self.held.clear();
        self.state = State::Ground;
        match mark.step {
            Step::Began => {
                self.is_marked_by_others = self.others_since_end;
                self.others_since_end = false;
                self.is_running = true;
            }
            Step::Ended => self.is_running = false,
            Step::Prompt | Step::Input => {}
        }
        let at = out.bytes.len();
        // `f`: the shell says that it prints plain marks, too.
        if !self.is_marked_by_others && mark.field("f").is_none() {
            out.bytes.extend_from_slice(plain(&mark).as_bytes());
            out.bytes.extend_from_slice(terminator);
        }
        out.events.push((at..out.bytes.len(), Event::Own(mark)));
    }

    /// The held sequence as a mark of ours, if it is one.
    fn read_own(&self) -> Option<Mark> {
        let fields = payload(&self.held).strip_prefix(b"133;")?;
        let mut fields = split_fields(fields).into_iter();
        let step = match fields.next()? {
            b"A" => Step::Prompt,
            b"B" => Step::Input,
            b"C" => Step::Began,
            b"D" => Step::Ended,
            _ => return None,
        };
        let mut mark = Mark { step, status: None, n: 0, fields: Vec::new() };
        for (at, field) in fields.enumerate() {
            match memchr(b'=', field) {
                Some(equals) => {
                    let (key, value) = field.split_at(equals);
                    mark.fields.push((key.to_vec(), value.get(1..).unwrap_or_default().to_vec()));
                }
                None if at == 0 => mark.status = number(field),
                None => {}
            }
        }
        if self.nonce.is_empty() || mark.field("nonce") != Some(&self.nonce) {
            return None;
        }
        mark.n = number(mark.field("n")?)?;
        Some(mark)
    }
}

/// What stands between `ESC ]` and the terminator.
fn payload(held: &[u8]) -> &[u8] {
    held.get(2..).unwrap_or_default()
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `?1049`, `?1047` or `?47`, also among other modes.
fn names_full_screen(modes: &[u8]) -> bool {
    let Some(modes) = modes.strip_prefix(b"?") else { return false };
    modes.split(|&byte| byte == b';').any(|mode| matches!(mode, b"1049" | b"1047" | b"47"))
}

/// A mark as terminals know it.
fn plain(mark: &Mark) -> String {
    match (mark.step, mark.status) {
        (Step::Prompt, _) => "\x1b]133;A".to_owned(),
        (Step::Input, _) => "\x1b]133;B".to_owned(),
        (Step::Began, _) => "\x1b]133;C".to_owned(),
        (Step::Ended, None) => "\x1b]133;D".to_owned(),
        (Step::Ended, Some(status)) => format!("\x1b]133;D;{status}"),
    }
}

fn read_foreign(payload: &[u8]) -> Option<Event> {
    if let Some(url) = payload.strip_prefix(b"7;") {
        return directory_of_url(url).map(Event::Directory);
    }
    let is_vs_code = payload.starts_with(b"633;");
    let mut fields = payload.get(4..)?.split(|&byte| byte == b';');
    match fields.next()? {
        [letter @ b'A'..=b'D'] => Some(Event::Foreign(*letter)),
        b"P" if is_vs_code => Some(Event::Directory(fields.next()?.strip_prefix(b"Cwd=")?.to_vec())),
        _ => None,
    }
}

/// `file://host/a%20b` → `/a b`.
fn directory_of_url(url: &[u8]) -> Option<Vec<u8>> {
    let rest = url.strip_prefix(b"file://")?;
    let path = rest.get(memchr(b'/', rest)?..)?;
    crate::daemon::wire::shell::quoting::from_url(path).ok()
}

#[cfg(test)]
mod tests;
