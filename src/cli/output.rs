//! How text leaves a command: lines, tables and JSON to stdout, notes to stderr. Pure except for the two writes.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// One line to stdout.
pub(super) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// One line to stderr, for people. Nobody listening there is no reason to fail.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One value as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(line(&serde_json::to_string(value)?)?)
}

/// Left-aligned columns, two spaces apart, without trailing spaces.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.trim_end_matches('\n').to_owned()
}

/// At most `width` columns of one line; `…` stands for the rest.
pub(super) fn cut(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for character in line.chars() {
        used += character.width().unwrap_or(0);
        if used >= width {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// How long ago, in the largest unit that fits. A clock that was set back makes no negative times.
pub(super) fn age(at_ms: i64, now_ms: i64) -> String {
    let seconds = now_ms.saturating_sub(at_ms).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A value that is one word, as it is written in JSON; empty for any other.
pub(super) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// `7.9 MB`: decimal units, as disks and downloads are sold.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 99.95);
    format!("{value:.digits$} {}", units.get(unit).unwrap_or(&""))
}

/// Text from a model or a file, made safe for a terminal: control characters other than line breaks and tabs would
/// be obeyed there (colours, titles, clipboard, answers typed into the shell).
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_size(bytes: u64, expected: &str) {
        assert_eq!(size(bytes), expected);
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        check_size(0, "0 B");
        check_size(999, "999 B");
        check_size(1_000, "1.0 kB");
        check_size(7_949_344, "7.9 MB");
        check_size(999_900_000, "1.0 GB");
        check_size(234_000_000_000, "234 GB");
    }

    #[test]
    fn columns_line_up_by_width_and_not_by_bytes() {
        let rows = [vec!["é".into(), "1".into()], vec!["long".into(), "2".into()], vec!["日本".into()]];
        assert_eq!(table(&rows), "é     1\nlong  2\n日本");
    }

    #[track_caller]
    fn check_cut(line: &str, width: usize, expected: &str) {
        assert_eq!(cut(line, width), expected);
        assert!(cut(line, width).width() <= width.max(1));
    }

    #[test]
    fn a_line_is_cut_by_columns() {
        check_cut("abc", 3, "abc");
        check_cut("abcd", 3, "ab…");
        check_cut("日本語", 6, "日本語");
        check_cut("日本語", 5, "日本…");
        check_cut("日本語", 4, "日…");
        check_cut("", 0, "");
        check_cut("a", 0, "…");
    }

    #[track_caller]
    fn check_age(seconds: i64, expected: &str) {
        assert_eq!(age(5_000, 5_000 + seconds * 1000), expected);
    }

    #[test]
    fn ages_are_said_in_one_unit() {
        check_age(-9, "0 s");
        check_age(59, "59 s");
        check_age(60, "1 min");
        check_age(3599, "59 min");
        check_age(7200, "2 h");
        check_age(86_400 * 400, "400 d");
    }

    #[test]
    fn escape_sequences_of_a_model_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\x1b[31mb\r\n\tc\u{9b}1m"), "a[31mb\n\tc1m");
    }
}
