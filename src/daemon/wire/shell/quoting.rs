//! Values as shells write them into marks: bash `@Q`, zsh `%q`, fish `string escape --style=url`. Pure.
//!
//! The first two are shell quoting and have one reader. What cannot be read is an error, never a guess. Used by who reads
//! the hooks' marks (`shell`) and files (`daemon`).

use super::ShellKind;

/// A value of this shell as text; bytes that are no UTF-8 become U+FFFD. `None`: the shell would not write it so.
pub fn plain(kind: ShellKind, quoted: &str) -> Option<String> {
    let bytes = match kind {
        ShellKind::Bash | ShellKind::Zsh => from_shell(quoted.as_bytes()),
        ShellKind::Fish => from_url(quoted.as_bytes()),
    };
    bytes.ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotingError {
    #[error("the quote that begins at byte {0} does not end")]
    Unfinished(usize),
    #[error("nothing is known of the escape at byte {0}")]
    UnknownEscape(usize),
}

/// Splits at the semicolons that are not quoted.
pub fn split_fields(text: &[u8]) -> Vec<&[u8]> {
    let (mut fields, mut start) = (Vec::new(), 0);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b';' => {
                fields.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
                at += 1;
            }
            b'\\' => at += 2,
            b'\'' => at = end_of_quote(text, at),
            _ => at += 1,
        }
    }
    fields.push(text.get(start..).unwrap_or_default());
    fields
}

/// The place after the quote that begins at `at`; the end of the text where it does not end.
fn end_of_quote(text: &[u8], at: usize) -> usize {
    let is_ansi = at > 0 && text.get(at - 1) == Some(&b'$');
    let mut end = at + 1;
    while let Some(&byte) = text.get(end) {
        match byte {
            b'\'' => return end + 1,
            b'\\' if is_ansi => end += 2,
            _ => end += 1,
        }
    }
    text.len()
}

/// Reads one word of shell quoting: plain text, `\x`, `'…'` and `$'…'`, in any order.
pub fn from_shell(text: &[u8]) -> Result<Vec<u8>, QuotingError> {
    let mut value = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, text.get(at + 1)) {
            (b'\'', _) => at = read_single(text, at, &mut value)?,
            (b'$', Some(b'\'')) => at = read_ansi(text, at, &mut value)?,
            (b'\\', Some(&escaped)) => {
                value.push(escaped);
                at += 2;
            }
            (b'\\', None) => return Err(QuotingError::Unfinished(at)),
            _ => {
                value.push(byte);
                at += 1;
            }
        }
    }
    Ok(value)
}

fn read_single(text: &[u8], at: usize, value: &mut Vec<u8>) -> Result<usize, QuotingError> {
    let inside = text.get(at + 1..).unwrap_or_default();
    let len = memchr::memchr(b'\'', inside).ok_or(QuotingError::Unfinished(at))?;
    value.extend_from_slice(inside.get(..len).unwrap_or_default());
    Ok(at + len + 2)
}

/// Reads `$'…'`; `start` is where its dollar stands.
fn read_ansi(text: &[u8], start: usize, value: &mut Vec<u8>) -> Result<usize, QuotingError> {
    let mut at = start + 2;
    loop {
        match text.get(at) {
            None => return Err(QuotingError::Unfinished(start)),
            Some(b'\'') => return Ok(at + 1),
            Some(b'\\') => at = read_escape(text, at, value)?,
            Some(&byte) => {
                value.push(byte);
                at += 1;
            }
        }
    }
}

/// Reads one escape of `$'…'`; returns the place after it.
fn read_escape(text: &[u8], at: usize, value: &mut Vec<u8>) -> Result<usize, QuotingError> {
    let unknown = QuotingError::UnknownEscape(at);
    let letter = *text.get(at + 1).ok_or(unknown)?;
    let simple = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'e' | b'E' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' | b'\'' | b'"' | b'?' => letter,
        b'c' => {
            let key = text.get(at + 2).ok_or(unknown)?;
            value.push(key & 0x1f);
            return Ok(at + 3);
        }
        b'C' | b'M' => return read_key(text, at, value),
        _ => return read_number(text, at, letter, value),
    };
    value.push(simple);
    Ok(at + 2)
}

/// `\C-x`, `\M-x` and `\M-\C-x`, as zsh writes keys.
fn read_key(text: &[u8], at: usize, value: &mut Vec<u8>) -> Result<usize, QuotingError> {
    let unknown = QuotingError::UnknownEscape(at);
    let is_meta = text.get(at..at + 3) == Some(b"\\M-".as_slice());
    let rest = if is_meta { at + 3 } else { at };
    let is_control = text.get(rest..rest + 3) == Some(b"\\C-".as_slice());
    if !is_meta && !is_control {
        return Err(unknown);
    }
    let key_at = if is_control { rest + 3 } else { rest };
    let key = *text.get(key_at).ok_or(unknown)?;
    let key = match (is_control, key) {
        (true, b'?') => 0x7f,
        (true, key) => key & 0x1f,
        (false, key) => key,
    };
    value.push(if is_meta { key | 0x80 } else { key });
    Ok(key_at + 1)
}

/// `\nnn`, `\xhh`, `\uhhhh`, `\Uhhhhhhhh`.
fn read_number(text: &[u8], at: usize, letter: u8, value: &mut Vec<u8>) -> Result<usize, QuotingError> {
    let unknown = QuotingError::UnknownEscape(at);
    let (first, most, radix) = match letter {
        b'0'..=b'7' => (at + 1, 3, 8),
        b'x' => (at + 2, 2, 16),
        b'u' => (at + 2, 4, 16),
        b'U' => (at + 2, 8, 16),
        _ => return Err(unknown),
    };
    let digits = text.get(first..).unwrap_or_default().iter().take(most);
    let digits: Vec<u32> = digits.map_while(|&byte| char::from(byte).to_digit(radix)).collect();
    if digits.is_empty() {
        return Err(unknown);
    }
    let number = digits.iter().fold(0_u64, |number, &digit| number * u64::from(radix) + u64::from(digit));
    if matches!(letter, b'u' | b'U') {
        let character = u32::try_from(number).ok().and_then(char::from_u32).ok_or(unknown)?;
        value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        // Three octal digits may say more than a byte holds; shells keep its low bits.
        value.push(u8::try_from(number & 0xff).map_err(|_| unknown)?);
    }
    Ok(first + digits.len())
}

/// Reads `%hh`; everything else stands for itself.
pub fn from_url(text: &[u8]) -> Result<Vec<u8>, QuotingError> {
    let mut value = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == b'%' {
            let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                return Err(QuotingError::UnknownEscape(at));
            };
            value.push(u8::try_from(high * 16 + low).map_err(|_| QuotingError::UnknownEscape(at))?);
            at += 3;
        } else {
            value.push(byte);
            at += 1;
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
