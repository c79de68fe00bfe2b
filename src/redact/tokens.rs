//! Secrets that say by themselves what they are: a format of `[[token]]`, a URL that names its user's password, the
//! body of a private key on one line, cookies. Pure.

use std::ops::Range;

use super::key::body;
use super::rules::TokenRule;
use super::values::{entropy, is_example, is_placeholder, is_random, is_reference};
use super::view::{View, is_blank, is_word};

/// The secret of a rule whose start stands at the view's letters.
pub(super) fn token(view: &View<'_>, rule: &TokenRule, start: &str) -> Option<Range<usize>> {
    if view.text.get(view.at..view.end) != Some(start.as_bytes()) {
        return None;
    }
    let is_word_like = start.as_bytes().first().is_some_and(|byte| is_word(*byte));
    if !rule.anywhere && !rule.leftwards && is_word_like && !view.begins_word(view.at) {
        return None;
    }
    let found = matched(view, rule)?;
    let value = view.str(&found);
    let is_made_up = is_example(&value) || is_reference(&value) || is_placeholder(&value);
    let is_word = rule.mixed && !value.bytes().any(|byte| byte.is_ascii_digit() || byte == b'=');
    (!is_made_up && !is_word && entropy(value.as_bytes()) >= rule.entropy).then_some(found)
}

fn matched(view: &View<'_>, rule: &TokenRule) -> Option<Range<usize>> {
    let regex = rule.then();
    if regex.capture_names().len() > 1 {
        let secret = regex.captures(view.rest(view.end))?.name("secret")?.range();
        return Some(view.end + secret.start..view.end + secret.end);
    }
    let then = regex.find(view.rest(view.end))?;
    let from = if rule.leftwards {
        let is_part = |byte: u8| is_word(byte) || b"~.-".contains(&byte);
        view.skip_back(view.at, 48, is_part)
    } else {
        view.at
    };
    Some(from..view.end + then.end())
}

/// The password in `scheme://user:password@host`, or a token that stands there alone.
pub(super) fn url_password(view: &View<'_>) -> Option<Range<usize>> {
    if view.before(view.at).is_none_or(|byte| !byte.is_ascii_alphanumeric()) {
        return None;
    }
    let ends = |byte: u8| byte.is_ascii_whitespace() || b"/?#\"'`<>\\|".contains(&byte);
    let authority = view.end..view.skip(view.end, |byte| !ends(byte));
    let userinfo = view.text.get(authority.clone())?.iter().rposition(|byte| *byte == b'@')?;
    let userinfo = authority.start..authority.start + userinfo;
    let colon = view.text.get(userinfo.clone())?.iter().position(|byte| *byte == b':');
    let Some(colon) = colon else {
        return is_random(&view.str(&userinfo), 16).then_some(userinfo);
    };
    let password = userinfo.start + colon + 1..userinfo.end;
    let value = view.str(&password);
    let is_secret =
        !value.is_empty() && !is_reference(&value) && !is_placeholder(&value) && !value.contains(['{', '(']);
    is_secret.then_some(password)
}

/// The body of a private key, where it stands on the line of its headline: after `-----BEGIN`.
pub(super) fn key_body(view: &View<'_>) -> Option<Range<usize>> {
    let from = headline(view)?;
    let until = view.skip(from, |byte| byte.is_ascii_alphanumeric() || b"+/=\\ \t".contains(&byte));
    let escapes = |text: &[u8]| text.starts_with(b"\\n") || text.starts_with(b"\\r");
    let (mut from, mut until) = (from, until);
    while escapes(view.rest(from)) || view.byte(from).is_some_and(is_blank) {
        from += if view.byte(from) == Some(b'\\') { 2 } else { 1 };
    }
    while until > from
        && view.text.get(from..until).is_some_and(|text| text.ends_with(b"\\n") || text.ends_with(b"\\r"))
    {
        until -= 2;
    }
    // A backslash alone says that the line goes on: it belongs to the text.
    while until > from && view.before(until).is_some_and(|byte| byte == b'\\' || is_blank(byte)) {
        until -= 1;
    }
    (until >= from + 32).then_some(from..until)
}

/// Whether the key's lines follow the line of its headline: nothing else stands behind it there.
pub(super) fn opens_key(view: &View<'_>) -> bool {
    let rest = headline(view).map(|end| view.rest(end)).unwrap_or_default();
    headline(view).is_some() && body(rest).is_empty()
}

/// Where the headline of a private key ends: `-----BEGIN RSA PRIVATE KEY-----`.
pub(super) fn headline(view: &View<'_>) -> Option<usize> {
    let rest = view.rest(view.end);
    let words = rest.iter().take(64).take_while(|byte| **byte != b'-').count();
    let name = String::from_utf8_lossy(rest.get(..words)?);
    let is_private = name.ends_with("PRIVATE KEY") || name.ends_with("PRIVATE KEY BLOCK");
    (is_private && rest.get(words..)?.starts_with(b"-----")).then_some(view.end + words + 5)
}

/// The cookies of a header line: all of `Cookie:`, the first value of `Set-Cookie:`.
pub(super) fn cookies(view: &View<'_>) -> Option<Range<usize>> {
    let is_set =
        view.text.get(..view.at).is_some_and(|before| before.to_ascii_lowercase().ends_with(b"set-"));
    if !is_set && view.before(view.at).is_some_and(|byte| is_word(byte) || byte == b'-') {
        return None;
    }
    let from = view.skip_blanks(view.end);
    let until = view.skip(from, |byte| !matches!(byte, b'"' | b'\'' | b'\r' | b'\n' | b'\\' | b'`' | b'<'));
    let equals = from + view.text.get(from..until)?.iter().position(|byte| *byte == b'=')?;
    let is_name = |byte: &u8| is_word(*byte) || b".-".contains(byte);
    if equals == from || !view.text.get(from..equals)?.iter().all(is_name) {
        return None;
    }
    let first =
        equals + 1..view.skip(equals + 1, |byte| byte != b';' && !byte.is_ascii_whitespace()).min(until);
    let all = if is_set { first } else { from..until };
    let value = view.str(&all);
    (all.len() >= 6 && !is_reference(&value) && !is_placeholder(&value)).then_some(all)
}
