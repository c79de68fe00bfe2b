//! What a page says of a step on it: a field that it will not take, nothing moved, or the goal reached.
//!
//! Only what is new on the page counts. Its texts may lie or give orders: they are read for success and failure alone.

use std::ops::Range;

use super::{Evidence, Says, Signal};

const TABLE: &str = include_str!("../../assets/signals/pages.txt");

/// The signal of a page after a step.
pub(super) fn shown(answer: &str, before: Option<&str>, after: &str) -> Vec<Signal> {
    let known: Vec<String> = before.map(|page| page.lines().map(plain).collect()).unwrap_or_default();
    let unchanged = before.is_some_and(|page| plain(page) == plain(after));
    if unchanged {
        let waits = ["done", "wait", "scroll", "hover"]
            .iter()
            .any(|step| answer.trim().to_lowercase().starts_with(step));
        let (says, strength) = if waits { (Says::Nothing, 0.7) } else { (Says::Bad, 0.65) };
        return vec![signal("page.unchanged", says, strength, 0..0)];
    }
    let new = lines(after).filter(|(line, _)| !known.contains(&plain(line)));
    let found: Vec<(&str, Range<usize>)> =
        new.filter_map(|(line, span)| Some((section(&plain(line))?, span))).collect();
    let first = |name: &str| found.iter().find(|(section, _)| *section == name).map(|(_, span)| span.clone());
    let (rule, says, strength, span) = if let Some(span) = first("refused") {
        ("page.validation", Says::Bad, 0.85, span)
    } else if let Some(span) = first("failed") {
        ("page.failed", Says::Bad, 0.75, span)
    } else if let Some(span) = first("loading") {
        ("page.loading", Says::Nothing, 0.8, span)
    } else if let Some(span) = first("reached") {
        ("page.reached", Says::Good, 0.75, span)
    } else if before.is_some() {
        ("page.changed", Says::Good, 0.4, 0..0)
    } else {
        return Vec::new();
    };
    vec![signal(rule, says, strength, span)]
}

/// The section of the table whose phrase stands in the line; the first that fits.
fn section(line: &str) -> Option<&'static str> {
    let mut name = "";
    for row in TABLE.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        if let Some(heading) = row.strip_prefix("= ") {
            name = heading;
        } else if line.contains(row) {
            return Some(name);
        }
    }
    None
}

/// Small letters and single spaces, so that numbering and layout do not look like change.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn lines(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |whole| {
        let start = (at + whole.len() - whole.trim_start().len()).min(at + whole.len());
        at += whole.len();
        let line = whole.trim();
        (line, start..start + line.len())
    })
}

fn signal(rule: &str, says: Says, strength: f32, span: Range<usize>) -> Signal {
    Signal { rule: rule.into(), says, evidence: Evidence::Outcome, strength, span, is_directive: false }
}
