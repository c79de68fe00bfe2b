//! The list: rows, which one is selected, which are marked, and what each looks like. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::event::Key;
use crate::daemon::wire::review::{ReviewCursor, ReviewRow, ReviewState};
use crate::tui::ansi::harmless;
use crate::tui::theme;
use crate::tui::wrap::{fit, width};

#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) rows: Vec<ReviewRow>,
    pub(super) selected: usize,
    /// First row on the screen.
    pub(super) top: usize,
    /// Rows that the next step is for, as they were when they were marked.
    pub(super) marks: BTreeMap<Key, ReviewRow>,
    /// Where it goes on; `None`: it is whole.
    pub(super) next: Option<ReviewCursor>,
}

impl List {
    pub(super) fn current(&self) -> Option<&ReviewRow> {
        self.rows.get(self.selected)
    }

    pub(super) fn key(&self) -> Option<Key> {
        self.current().map(Key::of)
    }

    /// Marked rows, or else the selected one.
    pub(super) fn targets(&self) -> Vec<&ReviewRow> {
        if self.marks.is_empty() {
            self.current().into_iter().collect()
        } else {
            self.marks.values().collect()
        }
    }

    pub(super) fn toggle_mark(&mut self) {
        let Some(row) = self.current().cloned() else { return };
        let key = Key::of(&row);
        if self.marks.remove(&key).is_none() {
            self.marks.insert(key, row);
        }
    }

    pub(super) fn select(&mut self, at: usize) {
        self.selected = at.min(self.rows.len().saturating_sub(1));
    }

    /// A reloaded beginning: what was selected stays selected where it is still there.
    pub(super) fn replace(&mut self, rows: Vec<ReviewRow>, next: Option<ReviewCursor>) {
        let was = self.key();
        (self.rows, self.next) = (rows, next);
        let at = self.rows.iter().position(|row| Some(Key::of(row)) == was);
        self.select(at.unwrap_or(self.selected));
        for row in &self.rows {
            if let Some(mark) = self.marks.get_mut(&Key::of(row)) {
                mark.clone_from(row);
            }
        }
    }

    /// Moves the window so that the selected row is in it.
    pub(super) fn follow(&mut self, height: usize) {
        let height = height.max(1);
        if self.selected < self.top {
            self.top = self.selected;
        } else if self.selected >= self.top + height {
            self.top = self.selected + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(1));
    }
}

/// Widths of a row's columns; 0: the column is left out.
struct Columns {
    project: usize,
    rule: usize,
    source: usize,
    what: usize,
}

const WHEN: usize = 7;
const STATE: usize = 12;

fn columns(total: usize) -> Columns {
    let source = if total >= 48 { 7 } else { 0 };
    let rule = if total >= 90 { 18 } else { 0 };
    let project = if total >= 60 { 11 } else { 0 };
    // Two for the marks, two for the verdict's sign.
    let taken = 2 + WHEN + source + project + 2 + rule + STATE;
    Columns { project, rule, source, what: total.saturating_sub(taken).max(1) }
}

/// What the columns are called. Writing to a String cannot fail.
pub(super) fn heading(total: usize) -> Line<'static> {
    let columns = columns(total);
    let mut text = format!("  {:<WHEN$}", "ago");
    for (name, width) in [("from", columns.source), ("project", columns.project)] {
        if width > 0 {
            let _ = write!(text, "{name:<width$}");
        }
    }
    text += "  ";
    if columns.rule > 0 {
        let _ = write!(text, "{:<width$}", "rule", width = columns.rule);
    }
    let what = if columns.what > 26 { "lesson, > hint or request" } else { "lesson" };
    let _ = write!(text, "{what:<width$}", width = columns.what);
    text += "state";
    fit(Line::styled(text, theme::DIM), total)
}

/// One row of the list, exactly so wide or less.
pub(super) fn line(
    row: &ReviewRow,
    now_ms: i64,
    total: usize,
    is_selected: bool,
    is_marked: bool,
) -> Line<'static> {
    let columns = columns(total);
    let marks = format!("{}{}", if is_selected { '>' } else { ' ' }, if is_marked { '*' } else { ' ' });
    let mut spans = vec![Span::styled(marks, theme::SELECTED)];
    spans.push(cell(&age(row.at, now_ms), WHEN, theme::DIM));
    if columns.source > 0 {
        spans.push(cell(source(row), columns.source, theme::DIM));
    }
    if columns.project > 0 {
        spans.push(cell(&folder(row), columns.project, theme::PLAIN));
    }
    let (sign, style) = sign(row);
    spans.push(cell(sign, 2, style));
    if columns.rule > 0 {
        spans.push(cell(row.rule.as_deref().unwrap_or_default(), columns.rule, theme::DIM));
    }
    let (what, style) = what(row);
    let style = if is_selected { theme::SELECTED } else { style };
    spans.push(cell(&what, columns.what, style));
    let (state, style) = state(row);
    spans.push(Span::styled(state, style));
    fit(Line::from(spans), total)
}

/// The text cut and filled up so that the next column begins where it should.
fn cell(text: &str, columns: usize, style: Style) -> Span<'static> {
    let text = harmless(text).replace('\n', " ");
    let cut = fit(Line::from(text), columns.saturating_sub(1)).to_string();
    let filling = " ".repeat(columns.saturating_sub(width(&cut)));
    Span::styled(cut + &filling, style)
}

fn source(row: &ReviewRow) -> &'static str {
    use crate::turn::Source;
    match row.source {
        Some(Source::Chat) => "chat",
        Some(Source::Shell) => "shell",
        Some(Source::Api) => "api",
        Some(Source::Agent) => "agent",
        None => "taught",
    }
}

fn folder(row: &ReviewRow) -> String {
    let folder = row.folder.as_deref().unwrap_or_default().trim_end_matches('/');
    folder.rsplit('/').next().unwrap_or_default().to_owned()
}

fn sign(row: &ReviewRow) -> (&'static str, Style) {
    match (row.reward, &row.rule) {
        (Some(1), _) => ("+", theme::OK),
        (Some(-1), _) => ("-", theme::ERROR),
        (_, Some(_)) => ("?", theme::DIM),
        (_, None) => ("", theme::DIM),
    }
}

fn what(row: &ReviewRow) -> (String, Style) {
    let pin = if row.pinned { "[pin] " } else { "" };
    match (&row.text, &row.hint) {
        (Some(text), _) => (format!("{pin}{text}"), theme::PLAIN),
        (None, Some(hint)) => (format!("> {hint}"), theme::PLAIN),
        (None, None) => (row.request.clone(), theme::DIM),
    }
}

/// A lesson's state; an excluded turn with a lesson that still holds says both.
pub(super) fn state(row: &ReviewRow) -> (String, Style) {
    let (word, style) = match row.state {
        ReviewState::Proposed => ("proposed".to_owned(), theme::HINT),
        ReviewState::Active => ("active".to_owned(), theme::OK),
        ReviewState::Learned(version) => (format!("learned {version}"), theme::BRAND),
        ReviewState::Retired => ("retired".to_owned(), theme::DIM),
        ReviewState::Pruned => ("pruned".to_owned(), theme::DIM),
        ReviewState::Excluded => ("excluded".to_owned(), theme::DIM),
        ReviewState::Waiting => ("waits".to_owned(), theme::DIM),
        ReviewState::None => (String::new(), theme::DIM),
    };
    let is_told = matches!(row.state, ReviewState::Pruned | ReviewState::Excluded);
    if row.is_excluded && !is_told { (format!("{word} x"), style) } else { (word, style) }
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
