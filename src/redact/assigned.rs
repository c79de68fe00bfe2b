//! Secrets that have a name: `password = "…"`, `export API_KEY=…`, `--token …`, `X-Api-Key: …`, `<password>…`,
//! "the password is …". What the name promises (`names`) and how it is written say how much the value must look like a
//! secret (`values`). Pure.

use std::ops::Range;

use super::names::{Kind, is_capital, kind};
use super::values::{is_dotted_name, is_place, is_placeholder, is_random, is_reference, is_uuid};
use super::view::{PLACEHOLDERS, View, is_blank, is_word};

const LONGEST_NAME: usize = 64;

/// How a value is written, from the surest to the vaguest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `NAME=value`, `--name value`.
    Tight,
    Quoted,
    /// `name: value`, `name = value`: may be code.
    Loose,
    /// "the name is value".
    Said,
}

#[derive(Debug)]
struct Value {
    range: Range<usize>,
    form: Form,
    /// A call's argument: `f(password=value)`.
    in_call: bool,
}

/// A value whose name holds the view's letters, and what kind of secret it is; and where that name ends.
pub(super) fn assigned(view: &View<'_>) -> (usize, Option<(Range<usize>, Kind)>) {
    let name = name_around(view);
    (name.end, value_of(view, &name))
}

fn value_of(view: &View<'_>, name: &Range<usize>) -> Option<(Range<usize>, Kind)> {
    // Of a name that a placeholder begins, only half is known; and a placeholder's own words are no name.
    let word = view.skip_back(name.start, LONGEST_NAME, is_part_of_name);
    if starts_placeholder(view, name.start.saturating_sub(1)) || view.follows_placeholder(word) {
        return None;
    }
    let (after, op) = operator(view, name)?;
    let shown = view.str(name);
    let is_parameter = view.before(name.start).is_some_and(|byte| b"?&".contains(&byte));
    let kind = kind(&shown).or_else(|| (is_parameter && shown == "key").then_some(Kind::Token))?;
    let value = value(view, after, op)?;
    let is_sure = is_capital(&shown) || op == Operator::Space;
    is_secret(&view.str(&value.range), kind, &value, is_sure).then_some((value.range, kind))
}

/// A password that a command line names by its flag: nothing of code stands there.
pub(super) fn is_password_argument(value: &str) -> bool {
    value.chars().count() >= 3 && !is_reference(value) && !is_placeholder(value) && !is_metavariable(value)
}

fn starts_placeholder(view: &View<'_>, at: usize) -> bool {
    PLACEHOLDERS.iter().any(|mark| view.rest(at).starts_with(mark))
}

fn is_part_of_name(byte: u8) -> bool {
    is_word(byte) || b".-".contains(&byte) || byte >= 0x80
}

fn name_around(view: &View<'_>) -> Range<usize> {
    let mut from = view.skip_back(view.at, LONGEST_NAME, is_part_of_name);
    let mut until = view.end + (view.skip(view.end, is_part_of_name) - view.end).min(LONGEST_NAME);
    // `\nPASSWORD=`: the `n` belongs to the backslash.
    if view.before(from) == Some(b'\\') && view.byte(from).is_some_and(|byte| b"nrt".contains(&byte)) {
        from += 1;
    }
    // A flag's name begins behind its dashes, whatever they stand behind; and ends before those of another one.
    let dashes = |pair: &[u8]| pair == b"--";
    if let Some(at) = view.text.get(from..view.at).and_then(|text| text.windows(2).rposition(dashes)) {
        from += at + 2;
    }
    if let Some(at) = view.text.get(view.end..until).and_then(|text| text.windows(2).position(dashes)) {
        until = view.end + at;
    }
    while from < view.at && view.byte(from).is_some_and(|byte| b".-".contains(&byte)) {
        from += 1;
    }
    while until > view.end && view.before(until).is_some_and(|byte| b".-".contains(&byte)) {
        until -= 1;
    }
    from..until
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// `=` without blanks around it.
    Equals,
    /// `=`, `:=`, `=>` with blanks.
    Is,
    Colon,
    /// A blank after a long flag.
    Space,
    /// `<name>`.
    Tag,
    Said,
}

/// What stands between name and value, and where the value begins.
fn operator(view: &View<'_>, name: &Range<usize>) -> Option<(usize, Operator)> {
    let mut at = name.end;
    if view.byte(at) == Some(b'>') && view.before(name.start) == Some(b'<') {
        return Some((at + 1, Operator::Tag));
    }
    if view.byte(at) == Some(b'\\') && view.byte(at + 1).is_some_and(is_quote) {
        at += 1;
    }
    let was_quoted = view.byte(at).is_some_and(is_quote);
    at = view.skip(at, |byte| is_quote(byte) || byte == b']');
    let op = view.skip_blanks(at);
    let (end, sign) = match view.rest(op) {
        [b'=', b'=', b'=', ..] => (op + 3, Operator::Is),
        [b':' | b'?' | b'=', b'=', ..] | [b'=', b'>', ..] => (op + 2, Operator::Is),
        [b'=', ..] => (op + 1, Operator::Is),
        [b':', b':', ..] => return None,
        [b':', ..] => (op + 1, Operator::Colon),
        rest if was_quoted && rest.starts_with(b"value=") && op > at => (op + 6, Operator::Equals),
        rest if rest.starts_with(b"is ") && op > at => (op + 3, Operator::Said),
        rest if op > at && !rest.starts_with(b"-") && is_long_flag(view, name) => {
            return Some((op, Operator::Space));
        }
        _ => return None,
    };
    let value = view.skip_blanks(end);
    let is_tight = sign == Operator::Is && op == name.end && end == op + 1 && value == end;
    Some((value, if is_tight { Operator::Equals } else { sign }))
}

fn is_long_flag(view: &View<'_>, name: &Range<usize>) -> bool {
    name.start >= 2
        && view.text.get(name.start - 2..name.start) == Some(b"--")
        && view.byte(name.end).is_some_and(is_blank)
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn value(view: &View<'_>, at: usize, op: Operator) -> Option<Value> {
    let prefixed = view.byte(at).is_some_and(|byte| b"bBrRuUfF@$".contains(&byte))
        && view.byte(at + 1).is_some_and(is_quote);
    let at = if prefixed { at + 1 } else { at };
    let quote = match view.rest(at) {
        [quote, ..] if is_quote(*quote) => Some((*quote, false, at + 1)),
        [b'\\', quote, ..] if is_quote(*quote) => Some((*quote, true, at + 2)),
        _ => None,
    };
    if op == Operator::Tag {
        let until = view.skip(at, |byte| byte != b'<' && !byte.is_ascii_whitespace());
        return (view.byte(until) == Some(b'<')).then_some(Value {
            range: at..until,
            form: Form::Quoted,
            in_call: false,
        });
    }
    if let Some((quote, is_escaped, from)) = quote {
        let until = closing(view, from, quote, is_escaped);
        if let Some(until) = until {
            return Some(Value { range: from..until, form: Form::Quoted, in_call: false });
        }
        return bare(view, from, op);
    }
    let plain = bare(view, at, op)?;
    Some(if op == Operator::Colon { typed(view, at).unwrap_or(plain) } else { plain })
}

/// Where the quoted text ends. A line that ends before does not: it may be half of something.
fn closing(view: &View<'_>, from: usize, quote: u8, is_escaped: bool) -> Option<usize> {
    let mut at = from;
    while let Some(byte) = view.byte(at) {
        match byte {
            b'\n' => return None,
            b'\\' if is_escaped && view.byte(at + 1) == Some(quote) => return Some(at),
            b'\\' => at += 2,
            _ if byte == quote && !is_escaped => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// `password: &str = "…"`: the value stands behind the type.
fn typed(view: &View<'_>, at: usize) -> Option<Value> {
    if starts_placeholder(view, at) {
        return None;
    }
    let is_type = |byte: u8| is_word(byte) || b"&'<>[]:., |?*".contains(&byte);
    let equals = at + (view.skip(at, is_type) - at).min(48);
    let is_assigned = view.byte(equals) == Some(b'=') && view.before(equals).is_some_and(is_blank);
    let from = view.skip_blanks(equals + 1);
    if !is_assigned || !view.byte(from).is_some_and(is_quote) {
        return None;
    }
    value(view, from, Operator::Is)
}

/// A value without quotes: up to a blank, or what cannot be part of it where it is written like this.
fn bare(view: &View<'_>, from: usize, op: Operator) -> Option<Value> {
    let is_glued = matches!(op, Operator::Equals | Operator::Colon)
        && view.before(from).is_some_and(|byte| !is_blank(byte));
    let stops = |byte: u8| {
        byte.is_ascii_whitespace()
            || is_quote(byte)
            || b";|\\".contains(&byte)
            || (byte == b'&' && op != Operator::Colon)
            || (is_glued && op == Operator::Colon && b",(){}[]".contains(&byte))
    };
    let mut until = view.skip(from, |byte| !stops(byte));
    let end = until;
    let is_reference = view.byte(from).is_some_and(|byte| b"<${[%".contains(&byte));
    while !is_reference && until > from && view.before(until).is_some_and(|byte| b",.)}]>".contains(&byte)) {
        until -= 1;
    }
    let in_call = view.rest(until).first().is_some_and(|byte| b"),".contains(byte))
        || view.rest(until).starts_with(b"(");
    let form = match op {
        Operator::Equals | Operator::Space => Form::Tight,
        Operator::Said => Form::Said,
        _ => Form::Loose,
    };
    (until > from).then_some(Value { range: from..until, form, in_call: in_call && end > until })
}

fn is_secret(text: &str, kind: Kind, value: &Value, is_sure: bool) -> bool {
    let may_be_member = matches!(value.form, Form::Loose) || value.in_call;
    let is_name = is_dotted_name(text, if may_be_member { 2 } else { 0 });
    if text.chars().count() < 4 || is_reference(text) || is_placeholder(text) || is_place(text) || is_name {
        return false;
    }
    match kind {
        Kind::Password => is_password(text, value, is_sure),
        Kind::Token => is_token(text, value.form, is_sure),
        Kind::Perhaps => {
            text.len() >= 20 && is_random(text, 20) && !is_plain_hex(text) && value.form != Form::Said
        }
    }
}

fn is_password(text: &str, value: &Value, is_sure: bool) -> bool {
    if is_metavariable(text) || names_itself(text) || text.chars().any(char::is_control) {
        return false;
    }
    let is_code = text.contains(['(', '[', '{'])
        || text.contains("::")
        || text.contains("->")
        || text.starts_with(['&', '*', '!', '=']);
    let fits = match value.form {
        Form::Quoted => !text.contains(' ') || is_sure,
        Form::Tight if value.in_call && !is_sure => is_mixed(text) && !is_code,
        Form::Tight => !is_code || is_sure,
        Form::Loose | Form::Said => text.len() >= 5 && is_mixed(text) && !is_code && !is_type_or_number(text),
    };
    fits && !is_label(text)
}

fn is_token(text: &str, form: Form, is_sure: bool) -> bool {
    match form {
        Form::Tight if is_sure => is_random(text, 8) || is_uuid(text),
        Form::Tight | Form::Quoted => is_random(text, 12) || is_uuid(text),
        Form::Loose | Form::Said => {
            let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
            has_digit && is_random(text, 12) && !text.contains("::") && !is_metavariable(text)
        }
    }
}

/// Letters and digits together, or a mark that no word has: what a person was made to choose.
fn is_mixed(text: &str) -> bool {
    let has = |is_counted: fn(&char) -> bool| text.chars().any(|c| is_counted(&c));
    let marks = text.trim_matches(|c: char| !c.is_alphanumeric()).chars().any(|c| "!@#$%^&*+?~".contains(c));
    let has_letter = has(|c| c.is_alphabetic());
    has_letter && (has(char::is_ascii_digit) || marks)
}

/// `PASSWORD`, `DB_PASS`, `FILE0`: what manuals write for a value.
fn is_metavariable(text: &str) -> bool {
    let has = |is_counted: fn(&u8) -> bool| text.bytes().any(|byte| is_counted(&byte));
    let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
    let may_be_constant =
        text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    may_be_constant && has(u8::is_ascii_uppercase) && (n_digits <= 1 || text.contains('_'))
}

/// `__u32`, `uint8_t`, `0x100`: what code writes behind a colon.
fn is_type_or_number(text: &str) -> bool {
    text.starts_with("__") || text.ends_with("_t") || text.starts_with("0x")
}

/// `user_password`, `passwordInput`: a name, not a value.
fn names_itself(text: &str) -> bool {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-.".contains(&byte));
    let small = text.to_ascii_lowercase();
    is_name && ["pass", "pwd", "secret", "token", "key", "cred"].iter().any(|word| small.contains(word))
}

/// A word as it stands above an input field.
fn is_label(text: &str) -> bool {
    let mut letters = text.trim_end_matches([':', '.', '?', '!']).chars();
    letters.next().is_some_and(|first| first.is_uppercase() || !first.is_ascii())
        && letters.all(|letter| letter.is_alphabetic() && (letter.is_lowercase() || !letter.is_ascii()))
}

fn is_plain_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
