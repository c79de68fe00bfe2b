//! Bytes from the terminal into keys, pastes and replies. Pure; how reads split the bytes makes no difference.
//!
//! An own parser, because replies of the terminal (background colour, keyboard protocol) arrive between keys, and
//! because a paste of hundreds of megabytes must cost no more than its bytes.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::keymap;
use super::mouse::{self, Mouse};

#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Key(KeyEvent),
    Mouse(Mouse),
    Paste(Pasted),
    /// A long paste is still arriving: bytes so far.
    Pasting(usize),
    Reply(Reply),
}

/// What the terminal says about itself when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Perceived brightness of the background, 0 to 255.
    Background(u8),
    /// It speaks the kitty keyboard protocol.
    Keyboard,
    /// Primary device attributes: every terminal answers this, so it ends a round of questions.
    Attributes,
}

/// A bracketed paste, line ends made `\n`, bytes that are not UTF-8 replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    pub text: String,
    pub n_lines: usize,
}

impl Pasted {
    pub fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text.into_owned()
        };
        let n_lines = text.bytes().filter(|byte| *byte == b'\n').count() + usize::from(!text.ends_with('\n'));
        Self { text, n_lines }
    }
}

#[derive(Debug, Default)]
pub struct Parser {
    pending: Vec<u8>,
    paste: Option<Vec<u8>>,
    reported: usize,
}

const PASTE_END: &[u8] = b"\x1b[201~";
/// Longest sequence that is waited for; a longer one is no terminal's.
const MAX_SEQUENCE: usize = 4096;
/// How often a long paste reports its size.
const PASTE_STEP: usize = 4 << 20;

impl Parser {
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.paste.is_some() {
            self.continue_paste(bytes, &mut inputs);
        } else {
            self.pending.extend_from_slice(bytes);
        }
        self.drain(false, &mut inputs);
        inputs
    }

    /// Whether an escape character stands alone: it may be the Esc key, or the start of a sequence.
    pub fn is_waiting(&self) -> bool {
        self.paste.is_none() && !self.pending.is_empty()
    }

    /// Nothing more came: what is pending is what it looks like.
    pub fn flush(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        self.drain(true, &mut inputs);
        inputs
    }

    fn drain(&mut self, is_all: bool, inputs: &mut Vec<Input>) {
        while self.paste.is_none() && !self.pending.is_empty() {
            match next(&self.pending, is_all) {
                Step::Wait => return,
                Step::Took(n, input) => {
                    self.pending.drain(..n);
                    inputs.extend(input);
                }
                Step::PasteBegins(n) => {
                    let rest = self.pending.split_off(n);
                    self.pending.clear();
                    self.paste = Some(Vec::new());
                    self.reported = 0;
                    self.continue_paste(&rest, inputs);
                }
            }
        }
    }

    fn continue_paste(&mut self, bytes: &[u8], inputs: &mut Vec<Input>) {
        let Some(paste) = &mut self.paste else { return };
        let from = paste.len().saturating_sub(PASTE_END.len() - 1);
        paste.extend_from_slice(bytes);
        let fresh = paste.get(from..).unwrap_or_default();
        match fresh.windows(PASTE_END.len()).position(|window| window == PASTE_END) {
            Some(at) => {
                let rest = paste.split_off(from + at);
                inputs.push(Input::Paste(Pasted::new(paste)));
                self.paste = None;
                self.pending = rest.get(PASTE_END.len()..).unwrap_or_default().to_vec();
            }
            None if paste.len() >= self.reported + PASTE_STEP => {
                self.reported = paste.len();
                inputs.push(Input::Pasting(paste.len()));
            }
            None => {}
        }
    }
}

enum Step {
    Wait,
    Took(usize, Option<Input>),
    PasteBegins(usize),
}

/// The first thing in `bytes` (not empty). `is_all`: nothing follows soon.
fn next(bytes: &[u8], is_all: bool) -> Step {
    match bytes {
        [0x1b, rest @ ..] => escape(rest, is_all),
        _ => match keymap::plain(bytes) {
            Some((n, key)) => Step::Took(n, Some(Input::Key(key))),
            None if is_all => {
                Step::Took(bytes.len(), Some(Input::Key(KeyEvent::from(KeyCode::Char('\u{fffd}')))))
            }
            None => Step::Wait,
        },
    }
}

fn escape(rest: &[u8], is_all: bool) -> Step {
    let unfinished =
        if is_all { Step::Took(1, Some(Input::Key(KeyEvent::from(KeyCode::Esc)))) } else { Step::Wait };
    match rest {
        [] => unfinished,
        [b'[', body @ ..] => match csi(body) {
            Some((n, outcome)) => outcome.took(n + 2),
            None if body.len() > MAX_SEQUENCE => Step::Took(2, None),
            None => unfinished,
        },
        [b'O', last, ..] => Step::Took(3, keymap::letter(*last, KeyModifiers::NONE).map(Input::Key)),
        [b'O'] => {
            if is_all {
                Step::Took(2, Some(alt('O')))
            } else {
                Step::Wait
            }
        }
        [kind @ (b']' | b'P' | b'_'), body @ ..] => match string_end(body) {
            Some((text, n)) => Step::Took(n + 2, if *kind == b']' { osc(text) } else { None }),
            None if body.is_empty() && is_all => Step::Took(2, Some(alt(char::from(*kind)))),
            None if body.len() > MAX_SEQUENCE => Step::Took(2, None),
            None if is_all => Step::Took(rest.len() + 1, None),
            None => Step::Wait,
        },
        [0x1b, ..] => Step::Took(1, Some(Input::Key(KeyEvent::from(KeyCode::Esc)))),
        _ => match keymap::plain(rest) {
            Some((n, mut key)) => {
                key.modifiers |= KeyModifiers::ALT;
                Step::Took(n + 1, Some(Input::Key(key)))
            }
            None => unfinished,
        },
    }
}

fn alt(c: char) -> Input {
    Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT))
}

enum Outcome {
    Input(Input),
    PasteBegins,
    Nothing,
}

impl Outcome {
    fn took(self, n: usize) -> Step {
        match self {
            Self::Input(input) => Step::Took(n, Some(input)),
            Self::PasteBegins => Step::PasteBegins(n),
            Self::Nothing => Step::Took(n, None),
        }
    }
}

/// What stands behind `ESC [`: its length and its meaning; `None` while it is not complete.
fn csi(body: &[u8]) -> Option<(usize, Outcome)> {
    let end = body.iter().position(|byte| !matches!(byte, 0x20..=0x3f))?;
    let last = *body.get(end)?;
    if !matches!(last, 0x40..=0x7e) {
        // Not a sequence after all: the offending byte is read again as a key.
        return Some((end, Outcome::Nothing));
    }
    let params = std::str::from_utf8(body.get(..end)?).unwrap_or_default();
    let outcome = match (last, params) {
        (b'~', "200") => Outcome::PasteBegins,
        (b'u', flags) if flags.starts_with('?') => Outcome::Input(Input::Reply(Reply::Keyboard)),
        (b'c', attributes) if attributes.starts_with('?') => Outcome::Input(Input::Reply(Reply::Attributes)),
        (b'M' | b'm', report) if report.starts_with('<') => {
            let report = report.strip_prefix('<').unwrap_or_default();
            mouse::report(last, report).map_or(Outcome::Nothing, |mouse| Outcome::Input(Input::Mouse(mouse)))
        }
        _ => keymap::csi(last, params).map_or(Outcome::Nothing, |key| Outcome::Input(Input::Key(key))),
    };
    Some((end + 1, outcome))
}

/// The text of a string sequence and its length with its end (BEL or `ESC \`).
fn string_end(body: &[u8]) -> Option<(&[u8], usize)> {
    let at = body.iter().position(|byte| matches!(byte, 0x07 | 0x1b))?;
    let text = body.get(..at)?;
    match body.get(at..)? {
        [0x07, ..] => Some((text, at + 1)),
        [0x1b, b'\\', ..] => Some((text, at + 2)),
        [0x1b] => None,
        // Cut off by another sequence.
        _ => Some((text, at)),
    }
}

/// `11;rgb:ffff/ffff/ffff` is the background colour.
fn osc(text: &[u8]) -> Option<Input> {
    let colour = std::str::from_utf8(text).ok()?.strip_prefix("11;rgb:")?;
    let channel = |hex: &str| {
        let value = u32::from_str_radix(hex, 16).ok()?;
        let max = 16_u32.checked_pow(u32::try_from(hex.len()).ok()?)? - 1;
        Some(value * 255 / max.max(1))
    };
    let mut channels = colour.split('/').map(channel);
    let (red, green, blue) = (channels.next()??, channels.next()??, channels.next()??);
    let brightness = (red * 299 + green * 587 + blue * 114) / 1000;
    Some(Input::Reply(Reply::Background(u8::try_from(brightness).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<Input> {
        let mut parser = Parser::default();
        let mut inputs = parser.feed(bytes);
        inputs.extend(parser.flush());
        inputs
    }

    #[track_caller]
    fn check(bytes: &[u8], code: KeyCode, modifiers: KeyModifiers) {
        assert_eq!(all(bytes), [Input::Key(KeyEvent::new(code, modifiers))]);
    }

    #[test]
    fn keys() {
        use KeyModifiers as M;
        check(b"\r", KeyCode::Enter, M::NONE);
        check(b"\x1b\r", KeyCode::Enter, M::ALT);
        check(b"\x1b[13;2u", KeyCode::Enter, M::SHIFT);
        check(b"\x1b[27;2;13~", KeyCode::Enter, M::SHIFT);
        check(b"\n", KeyCode::Char('j'), M::CONTROL);
        check(b"\x1b[106;5u", KeyCode::Char('j'), M::CONTROL);
        check(b"\x03", KeyCode::Char('c'), M::CONTROL);
        check(b"\x1f", KeyCode::Char('_'), M::CONTROL);
        check(b"\x7f", KeyCode::Backspace, M::NONE);
        check(b"\x1b\x7f", KeyCode::Backspace, M::ALT);
        check(b"\x1b", KeyCode::Esc, M::NONE);
        check(b"\x1b[A", KeyCode::Up, M::NONE);
        check(b"\x1bOA", KeyCode::Up, M::NONE);
        check(b"\x1b[1;5D", KeyCode::Left, M::CONTROL);
        check(b"\x1b[3~", KeyCode::Delete, M::NONE);
        check(b"\x1b[Z", KeyCode::BackTab, M::SHIFT);
        check(b"\x1bb", KeyCode::Char('b'), M::ALT);
        check("é".as_bytes(), KeyCode::Char('é'), M::NONE);
        check("🦀".as_bytes(), KeyCode::Char('🦀'), M::NONE);
        check(b"\xff", KeyCode::Char('\u{fffd}'), M::NONE);
    }

    #[test]
    fn two_escapes_are_two_keys() {
        let esc = Input::Key(KeyEvent::from(KeyCode::Esc));
        assert_eq!(all(b"\x1b\x1b"), [esc.clone(), esc]);
    }

    #[test]
    fn the_mouse_is_heard() {
        use crate::tui::mouse::MouseKind;
        let mouse = |kind, column, row| Input::Mouse(Mouse { kind, column, row });
        let bytes = b"\x1b[<0;1;1M\x1b[<0;1;1m\x1b[<64;80;24M\x1b[<65;300;2M\x1b[<;M";
        let expected = [
            mouse(MouseKind::Press, 0, 0),
            mouse(MouseKind::Other, 0, 0),
            mouse(MouseKind::WheelUp, 79, 23),
            mouse(MouseKind::WheelDown, 299, 1),
        ];
        assert_eq!(all(bytes), expected);
    }

    #[test]
    fn replies_are_not_typed_text() {
        let bytes = b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?1u\x1b[?62;4c";
        let expected = [Reply::Background(255), Reply::Keyboard, Reply::Attributes].map(Input::Reply);
        assert_eq!(all(bytes), expected);
        assert_eq!(all(b"\x1b]11;rgb:00/00/00\x07"), [Input::Reply(Reply::Background(0))]);
    }

    #[test]
    fn a_paste_is_one_thing_with_its_line_ends_unified() {
        let expected = Pasted { text: "a\nb\nc\u{fffd}".into(), n_lines: 3 };
        assert_eq!(all(b"\x1b[200~a\r\nb\rc\xff\x1b[201~"), [Input::Paste(expected)]);
    }

    #[test]
    fn a_paste_may_contain_escapes_and_is_followed_by_keys() {
        let inputs = all(b"\x1b[200~\x1b[A\x1b[20\x1b[201~x");
        assert_eq!(inputs.len(), 2);
        assert_eq!(inputs[1], Input::Key(KeyEvent::from(KeyCode::Char('x'))));
    }

    #[test]
    fn unknown_sequences_are_dropped_whole() {
        assert_eq!(all(b"\x1b[?2026;2$y\x1bP>|term\x1b\\\x1b[I"), []);
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(pieces in proptest::collection::vec(prop_oneof![
            Just(b"\x1b[200~p\r\n\x1b[2\x1b[201~".to_vec()), Just(b"\x1b[1;5C".to_vec()), Just("é漢🦀".as_bytes().to_vec()),
            Just(b"\x1b]11;rgb:1/2/3\x07".to_vec()), Just(b"\x1bx\r\x01".to_vec()), Just(b"\x1bOP\x1b[13;2u".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ], 0..8), cuts in proptest::collection::vec(1_usize..5, 1..40)) {
            let bytes: Vec<u8> = pieces.concat();
            let mut parser = Parser::default();
            let (mut inputs, mut rest) = (Vec::new(), bytes.as_slice());
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                inputs.extend(parser.feed(now));
                rest = later;
            }
            inputs.extend(parser.feed(rest));
            inputs.extend(parser.flush());
            prop_assert_eq!(inputs, all(&bytes));
        }
    }
}
