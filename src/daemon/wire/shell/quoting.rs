//! How shells quote text that they write with their builtins, undone: bash's `${x@Q}`, zsh's `%q`, fish's
//! `string escape --style=url`. Pure. Used by who reads the hooks' marks and files.
//!
//! The shells quote so that no control character, no field's end and no bare `;` gets into a record.

use super::ShellKind;

/// The text behind its quotes; bytes that are no UTF-8 become U+FFFD. `None`: it is not what the shell writes.
pub fn plain(kind: ShellKind, quoted: &str) -> Option<String> {
    let bytes = match kind {
        ShellKind::Bash | ShellKind::Zsh => word(quoted.as_bytes()),
        ShellKind::Fish => url(quoted.as_bytes()),
    }?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A shell word: plain characters, `\c`, `'…'`, `"…"` and `$'…'` in any order.
fn word(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(rest.len());
    loop {
        rest = match rest {
            [] => return Some(text),
            [b'\'', after @ ..] => {
                let end = after.iter().position(|byte| *byte == b'\'')?;
                let (inside, after) = after.split_at(end);
                text.extend_from_slice(inside);
                after.get(1..)?
            }
            [b'$', b'\'', after @ ..] => escapes(after, &mut text)?,
            [b'"', after @ ..] => double(after, &mut text)?,
            [b'\\', escaped, after @ ..] => {
                text.push(*escaped);
                after
            }
            [b'\\'] => return None,
            [byte, after @ ..] => {
                text.push(*byte);
                after
            }
        };
    }
}

/// Up to the closing quote of `"…"`, in which `\` only takes the meaning of four characters away.
fn double<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', byte @ (b'"' | b'\\' | b'$' | b'`'), after @ ..] | [byte, after @ ..] => {
                text.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

/// Up to the closing quote of `$'…'`.
fn escapes<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\'', after @ ..] => return Some(after),
            [b'\\', after @ ..] => escape(after, text)?,
            [byte, after @ ..] => {
                text.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

/// One escape, behind its backslash.
fn escape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    let [kind, after @ ..] = rest else { return None };
    let byte = match kind {
        b'a' => 0x07,
        b'b' => 0x08,
        b'e' | b'E' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'x' => return Some(number(after, 16, 2, |code| text.push(low_byte(code)))),
        b'u' => return Some(number(after, 16, 4, |code| push_char(text, code))),
        b'U' => return Some(number(after, 16, 8, |code| push_char(text, code))),
        b'0'..=b'7' => return Some(number(rest, 8, 3, |code| text.push(low_byte(code)))),
        b'c' | b'C' if !after.is_empty() => {
            // zsh writes \C-x, bash \cx.
            let after = after.strip_prefix(b"-").unwrap_or(after);
            let [letter, after @ ..] = after else { return None };
            text.push(letter & 0x1f);
            return Some(after);
        }
        other => *other,
    };
    text.push(byte);
    Some(after)
}

/// At most `most` digits; gives what follows them.
fn number(digits: &[u8], radix: u32, most: usize, take: impl FnOnce(u32)) -> &[u8] {
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let n_digits = digits.iter().take(most).take_while(is_digit).count();
    let (number, after) = digits.split_at(n_digits);
    let value = number.iter().filter_map(|byte| char::from(*byte).to_digit(radix));
    take(value.fold(0, |sum, digit| sum.wrapping_mul(radix).wrapping_add(digit)));
    after
}

fn low_byte(code: u32) -> u8 {
    code.to_le_bytes()[0]
}

fn push_char(text: &mut Vec<u8>, code: u32) {
    let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

/// `%` and two hexadecimal digits stand for a byte.
fn url(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(rest.len());
    loop {
        rest = match rest {
            [] => return Some(text),
            [b'%', high, low, after @ ..] => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                text.push(low_byte(digit(high)? * 16 + digit(low)?));
                after
            }
            [b'%', ..] => return None,
            [byte, after @ ..] => {
                text.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(kind: ShellKind, quoted: &str, expected: Option<&str>) {
        assert_eq!(plain(kind, quoted).as_deref(), expected, "{quoted}");
    }

    #[test]
    fn bash_writes_single_quotes_or_escapes() {
        check(ShellKind::Bash, "'ls -l'", Some("ls -l"));
        check(ShellKind::Bash, r"'it'\''s'", Some("it's"));
        check(ShellKind::Bash, r"$'a\nb\tc\E[0m\001'", Some("a\nb\tc\u{1b}[0m\u{1}"));
        check(ShellKind::Bash, r"$'gr\303\274n \u00fc'", Some("grün ü"));
        check(ShellKind::Bash, "''", Some(""));
        check(ShellKind::Bash, "", Some(""));
    }

    #[test]
    fn zsh_writes_backslashes() {
        check(ShellKind::Zsh, r"ls\ -l\ \|\ wc", Some("ls -l | wc"));
        check(ShellKind::Zsh, r"echo\ $'\n'b", Some("echo \nb"));
        check(ShellKind::Zsh, r#"echo\ \"x\"\ \'y\'"#, Some("echo \"x\" 'y'"));
        check(ShellKind::Zsh, r"a$'\C-g'", Some("a\u{7}"));
    }

    #[test]
    fn fish_writes_percents() {
        check(ShellKind::Fish, "ls%20-l%0A/tmp", Some("ls -l\n/tmp"));
        check(ShellKind::Fish, "gr%C3%BCn", Some("grün"));
        check(ShellKind::Fish, "100%", None);
        check(ShellKind::Fish, "%zz", None);
    }

    #[test]
    fn what_ends_within_its_quotes_is_nothing() {
        for half in ["'ab", "$'ab", "\"ab", "ab\\", "$'ab\\"] {
            check(ShellKind::Bash, half, None);
        }
    }

    proptest! {
        #[test]
        fn any_text_in_single_quotes_comes_back(text in "\\PC{0,40}") {
            let quoted = format!("'{}'", text.replace('\'', r"'\''"));
            prop_assert_eq!(plain(ShellKind::Bash, &quoted), Some(text));
        }

        #[test]
        fn nothing_that_comes_panics(text in ".{0,60}") {
            for kind in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Fish] {
                let _ = plain(kind, &text);
            }
        }
    }
}
