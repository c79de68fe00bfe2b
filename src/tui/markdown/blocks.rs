//! What a line of Markdown begins. Pure; looks at one line only.

/// The kind of one source line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind<'a> {
    Blank,
    Fence { indent: usize, mark: Mark, language: &'a str },
    Heading { level: usize, text: &'a str },
    Rule,
    Item { indent: usize, marker: &'a str, text: &'a str },
    Quote { text: &'a str },
    Text { indent: usize, text: &'a str },
}

/// What opened a fence: it is closed by at least as many of the same character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    character: u8,
    length: usize,
}

pub(super) fn classify(line: &str) -> LineKind<'_> {
    let text = line.trim_start_matches([' ', '\t']);
    let indent = columns(line.get(..line.len() - text.len()).unwrap_or_default());
    if text.trim_end().is_empty() {
        return LineKind::Blank;
    }
    if let Some((mark, language)) = fence(text) {
        return LineKind::Fence { indent, mark, language };
    }
    if is_rule(text) {
        return LineKind::Rule;
    }
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    match text.get(hashes..) {
        Some(rest) if (1..=6).contains(&hashes) && (rest.is_empty() || rest.starts_with(' ')) => {
            return LineKind::Heading { level: hashes, text: rest.trim().trim_end_matches(" #").trim_end() };
        }
        _ => {}
    }
    if let Some(rest) = text.strip_prefix('>') {
        return LineKind::Quote { text: rest.strip_prefix(' ').unwrap_or(rest) };
    }
    match item(text) {
        Some((marker, text)) => LineKind::Item { indent, marker, text },
        None => LineKind::Text { indent, text },
    }
}

/// Whether this line ends a fence that `mark` opened.
pub(super) fn closes(line: &str, mark: Mark) -> bool {
    let text = line.trim();
    text.len() >= mark.length && text.bytes().all(|byte| byte == mark.character)
}

/// The line without as many leading spaces as its fence has.
pub(super) fn unindent(line: &str, indent: usize) -> &str {
    let spaces = line.bytes().take(indent).take_while(|byte| *byte == b' ').count();
    line.get(spaces..).unwrap_or_default()
}

/// `|---|:--:|`: what makes the line above it a table's head.
pub(super) fn is_delimiter_row(line: &str) -> bool {
    let line = line.trim();
    line.contains('-')
        && line.contains('|')
        && line.bytes().all(|byte| matches!(byte, b'|' | b'-' | b':' | b' '))
}

fn columns(indent: &str) -> usize {
    indent.bytes().map(|byte| if byte == b'\t' { 4 } else { 1 }).sum()
}

fn fence(text: &str) -> Option<(Mark, &str)> {
    let character = *text.as_bytes().first()?;
    if !matches!(character, b'`' | b'~') {
        return None;
    }
    let length = text.bytes().take_while(|byte| *byte == character).count();
    let language = text.get(length..)?.trim();
    let is_fence = length >= 3 && !(character == b'`' && language.contains('`'));
    is_fence.then_some((Mark { character, length }, language))
}

fn is_rule(text: &str) -> bool {
    let mut marks = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).peekable();
    let Some(&first) = marks.peek() else { return false };
    matches!(first, b'-' | b'*' | b'_')
        && text.bytes().filter(|byte| *byte == first).count() >= 3
        && marks.all(|byte| byte == first)
}

fn item(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = match text.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let (marker, rest) = text.split_at_checked(length)?;
    (rest.is_empty() || rest.starts_with(' ')).then_some((marker, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: LineKind<'_>) {
        assert_eq!(classify(line), expected);
    }

    #[test]
    fn kinds() {
        check("  \t", LineKind::Blank);
        check("## A #b #", LineKind::Heading { level: 2, text: "A #b" });
        check("#hash", LineKind::Text { indent: 0, text: "#hash" });
        check("* * *", LineKind::Rule);
        check("**bold**", LineKind::Text { indent: 0, text: "**bold**" });
        check("  - a", LineKind::Item { indent: 2, marker: "-", text: "a" });
        check("12) a", LineKind::Item { indent: 0, marker: "12)", text: "a" });
        check("3.14 is", LineKind::Text { indent: 0, text: "3.14 is" });
        check("-5 degrees", LineKind::Text { indent: 0, text: "-5 degrees" });
        check("> q", LineKind::Quote { text: "q" });
        check(
            "``` rust,ignore",
            LineKind::Fence { indent: 0, mark: Mark { character: b'`', length: 3 }, language: "rust,ignore" },
        );
        check("```inline```", LineKind::Text { indent: 0, text: "```inline```" });
    }

    #[test]
    fn a_fence_is_closed_by_its_own_kind() {
        let mark = Mark { character: b'`', length: 4 };
        assert!(closes("  ````` ", mark));
        assert!(!closes("```", mark));
        assert!(!closes("~~~~", mark));
        assert!(!closes("```` x", mark));
    }

    #[test]
    fn delimiter_rows() {
        assert!(is_delimiter_row("|---|:-:|"));
        assert!(is_delimiter_row("--- | ---"));
        assert!(!is_delimiter_row("---"));
        assert!(!is_delimiter_row("| a |"));
    }
}
