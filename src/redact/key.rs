//! The lines of a private key between its headline and its end: they go as one. Pure.

use std::ops::Range;

/// Lines such as `Proc-Type: 4,ENCRYPTED` that may stand before the key itself.
const MOST_HEADERS: usize = 8;
const SHORTEST_FIRST: usize = 16;
/// Far below what `stream` begins to look at before its end has arrived.
const LONGEST: usize = 4096;

/// Where a text is in a private key.
#[derive(Debug, Default)]
pub(super) struct Key {
    n_headers: usize,
    is_in_body: bool,
}

/// What a line is to the key before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Text, and the key is still to come.
    Header,
    /// This part of the line is the key's.
    Body(Range<usize>),
    /// Text, and no key any more.
    Over,
}

impl Key {
    pub(super) fn role(&mut self, line: &[u8]) -> Role {
        if line.len() > LONGEST {
            return Role::Over;
        }
        let body = body(line);
        let least = if self.is_in_body { 1 } else { SHORTEST_FIRST };
        if body.len() >= least
            && line.get(body.clone()).is_some_and(|text| text.iter().all(|byte| is_base64(*byte)))
        {
            self.is_in_body = true;
            return Role::Body(body);
        }
        self.n_headers += 1;
        let may_be_header = body.is_empty() || line.get(body).is_some_and(is_header);
        if self.is_in_body || self.n_headers > MOST_HEADERS || !may_be_header {
            Role::Over
        } else {
            Role::Header
        }
    }
}

/// The line without its margin: indentation, marks of quotes and of program text.
pub(super) fn body(line: &[u8]) -> Range<usize> {
    let from = line.iter().take_while(|byte| b" \t>|\"'".contains(byte)).count();
    let mut until = line.len();
    while until > from {
        let text = line.get(from..until).unwrap_or_default();
        if text.ends_with(b"\\n") || text.ends_with(b"\\r") {
            until -= 2;
        } else if text.last().is_some_and(|byte| b" \t\r\n\"',;\\".contains(byte)) || text.ends_with(b" +") {
            until -= 1;
        } else {
            break;
        }
    }
    from..until
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

fn is_header(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    name > 0 && text.get(name..).is_some_and(|rest| rest.starts_with(b": "))
}
