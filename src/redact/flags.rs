//! Secrets that only their command gives away: `mysql -p…`, `curl -u user:…`, `redis-cli -a …`. Pure.

use std::ops::Range;

use super::assigned::is_password_argument;
use super::rules::Form;
use super::view::{View, is_blank, is_word};

/// Whether the view's letters are a command: a word of its own, where one can stand.
pub(super) fn is_command(view: &View<'_>) -> bool {
    let may_follow = |byte: u8| byte.is_ascii_whitespace() || b"/;|&(`$\"'=".contains(&byte);
    view.before(view.at).is_none_or(may_follow) && view.byte(view.end).is_some_and(is_blank)
}

/// The secret of a flag that stands at the view's letters, in a line with its command.
pub(super) fn argument(view: &View<'_>, flag: &str, form: Form) -> Option<Range<usize>> {
    if view.text.get(view.at..view.end) != Some(flag.as_bytes())
        || !view.before(view.at).is_none_or(|b| b.is_ascii_whitespace())
    {
        return None;
    }
    let next = view.byte(view.end)?;
    let is_separate = is_blank(next) || next == b'=' || next == b'\\';
    let from = match form {
        Form::Attached if is_separate => return None,
        Form::Next if !is_separate => return None,
        // A letter more makes it another flag: `-user`, `--user-agent`.
        Form::Pair | Form::Cookie | Form::Openssl if !is_separate && flag.starts_with("--") => return None,
        _ if !is_separate => view.end,
        _ => view.skip_blanks(view.end + usize::from(next == b'=')),
    };
    let word = word(view, from);
    let secret = match form {
        Form::Next | Form::Attached | Form::Any => word,
        Form::Pair => after(view, &word, b":,%")?,
        Form::Cookie => after(view, &word, b"=")?,
        Form::Openssl if view.rest(word.start).starts_with(b"pass:") => word.start + 5..word.end,
        Form::Openssl => return None,
    };
    let value = view.str(&secret);
    if form == Form::Attached && is_other_flag(&value)
        || form == Form::Cookie && !value.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    (is_password_argument(&value) && !value.starts_with('-')).then_some(secret)
}

/// `-print`, `-path`: the rest of a longer flag, of a command that takes such ones.
fn is_other_flag(rest: &str) -> bool {
    ["rint", "rint0", "rune", "erm", "ath", "ort", "rompt", "rotocol", "rogress", "refix"].contains(&rest)
}

/// A word as a shell reads it: quoted, or up to a blank or an operator.
fn word(view: &View<'_>, from: usize) -> Range<usize> {
    match view.byte(from) {
        Some(quote @ (b'"' | b'\'')) => {
            let until = view.skip(from + 1, |byte| byte != quote && byte != b'\n');
            from + 1..until
        }
        _ => from..view.skip(from, |byte| !byte.is_ascii_whitespace() && !b";|&<>()\"'`".contains(&byte)),
    }
}

/// The rest of the word behind its first separator; what follows a quoted half belongs to it.
fn after(view: &View<'_>, word: &Range<usize>, separators: &[u8]) -> Option<Range<usize>> {
    let at = view.text.get(word.clone())?.iter().position(|byte| separators.contains(byte))?;
    let from = word.start + at + 1;
    if from == word.end && view.byte(from).is_some_and(|byte| b"\"'".contains(&byte)) {
        return Some(self::word(view, from));
    }
    let starts_well = view.byte(word.start).is_some_and(|byte| is_word(byte) || b"$:.@\\<{%".contains(&byte));
    starts_well.then_some(from..word.end)
}
