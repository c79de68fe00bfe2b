//! The live area: what of the chat is redrawn. A function of the state. Pure.
//!
//! From top to bottom: the tail of the running answer, messages that wait, the composer, what is open below it, the
//! status line. No boxes and no full-width rules, so that a narrower window finds little to wrap.

use ratatui::text::{Line, Span};

use super::app::{App, KEYS, Overlay, Running};
use super::composer::layout;
use super::picker::Picker;
use super::status;
use super::surface::LiveArea;
use super::theme;
use super::wrap::{chop, fit, width};

const PROMPT: &str = "› ";
const MAX_QUEUED: usize = 3;
const MAX_LIST: usize = 8;

impl App {
    /// Columns that the composer's text may take.
    pub(crate) fn composer_columns(&self) -> usize {
        self.size.columns.saturating_sub(width(PROMPT)).max(4)
    }

    pub fn view(&self) -> LiveArea {
        let below = self.below();
        let (composer, cursor) = self.composer_rows();
        let queued = self.queued_rows();
        let fixed = below.len() + composer.len() + queued.len() + 1;
        let room = (self.size.rows / 2).min(self.size.rows.saturating_sub(fixed + 1));
        let mut rows = self.tail_rows(room);
        rows.extend(queued);
        let cursor = (rows.len() + cursor.0, cursor.1);
        rows.extend(composer);
        rows.extend(below);
        rows.push(status::line(self));
        LiveArea { rows, cursor }
    }

    /// The last rows of what is running, and an empty row.
    fn tail_rows(&self, room: usize) -> Vec<Line<'static>> {
        let mut rows = match &self.running {
            Running::Answer(answer) => answer.stream.tail(),
            Running::Command(command) if !command.partial().is_empty() => {
                chop(&Line::styled(command.partial(), theme::DIM), self.size.columns)
            }
            _ => Vec::new(),
        };
        if rows.is_empty() || room < 2 {
            return Vec::new();
        }
        rows.push(Line::default());
        let hidden = rows.len().saturating_sub(room);
        rows.drain(..hidden);
        rows
    }

    fn queued_rows(&self) -> Vec<Line<'static>> {
        let hidden = self.queue.len().saturating_sub(MAX_QUEUED);
        let mut rows: Vec<Line<'static>> = Vec::new();
        if hidden > 0 {
            rows.push(Line::styled(format!("  … {hidden} earlier"), theme::DIM));
        }
        for draft in self.queue.iter().skip(hidden) {
            let shown = super::ansi::harmless(&draft.shown()).replace('\n', " ⏎ ");
            let line = Line::styled(format!("  waits: {shown}"), theme::DIM);
            rows.push(fit(line, self.size.columns));
        }
        rows
    }

    fn composer_rows(&self) -> (Vec<Line<'static>>, (usize, usize)) {
        let drawn = layout(self.composer.draft(), self.composer.cursor(), self.composer_columns());
        let most = (self.size.rows / 3).clamp(1, 12);
        let first = (drawn.cursor.0 + 1).saturating_sub(most).min(drawn.rows.len().saturating_sub(most));
        let mut rows = Vec::new();
        for (idx, row) in drawn.rows.iter().enumerate().skip(first).take(most) {
            let mark = if idx == 0 { PROMPT } else { "  " };
            rows.push(Line::from(vec![Span::styled(mark, theme::BRAND), Span::raw(row.text.clone())]));
        }
        if self.composer.is_empty() && self.search.is_none() {
            let hint = if self.thread.exchanges.is_empty() { "ask anything" } else { "" };
            rows = vec![Line::from(vec![Span::styled(PROMPT, theme::BRAND), Span::styled(hint, theme::DIM)])];
        }
        let column = drawn.cursor.1.min(self.composer_columns().saturating_sub(1));
        (rows, (drawn.cursor.0 - first, column + width(PROMPT)))
    }

    /// What is open below the composer.
    fn below(&self) -> Vec<Line<'static>> {
        let rows = match (&self.overlay, &self.search) {
            (Overlay::Picker(picker), _) => self.picker_rows(picker),
            (Overlay::Keys, _) => self.key_rows(),
            (Overlay::None, Some(search)) => {
                vec![Line::from(vec![
                    Span::styled("  search: ", theme::HINT),
                    Span::raw(search.query.clone()),
                    Span::styled("  Ctrl+R older · Enter takes it · Esc back", theme::DIM),
                ])]
            }
            (Overlay::None, None) => self.palette_rows(),
        };
        rows.into_iter().map(|row| fit(row, self.size.columns)).collect()
    }

    fn list_rows(&self) -> usize {
        MAX_LIST.min(self.size.rows.saturating_sub(5)).max(1)
    }

    fn palette_rows(&self) -> Vec<Line<'static>> {
        let entries = self.palette_entries();
        let selected = self.palette.selected.min(entries.len().saturating_sub(1));
        let first = (selected + 1).saturating_sub(self.list_rows());
        let shown = entries.iter().enumerate().skip(first).take(self.list_rows());
        shown
            .map(|(idx, entry)| {
                choice(idx == selected, &format!("/{} {}", entry.name, entry.argument), entry.about, 26)
            })
            .collect()
    }

    fn picker_rows(&self, picker: &Picker) -> Vec<Line<'static>> {
        let matching = picker.matching();
        let title = format!("  {} ({} of {}): ", picker.title, matching.len(), picker.items.len());
        let mut rows =
            vec![Line::from(vec![Span::styled(title, theme::HINT), Span::raw(picker.filter.clone())])];
        let first = (picker.selected + 1).saturating_sub(self.list_rows());
        let label_columns = (self.size.columns / 2).clamp(16, 48);
        for (idx, item) in matching.iter().enumerate().skip(first).take(self.list_rows()) {
            let label = fit(Line::from(format!("{}. {}", idx + 1, item.label)), label_columns).to_string();
            rows.push(choice(idx == picker.selected, &label, &item.detail, label_columns));
        }
        rows
    }

    fn key_rows(&self) -> Vec<Line<'static>> {
        let most = self.size.rows.saturating_sub(4);
        KEYS.iter().take(most).map(|(key, about)| choice(false, key, about, 30)).collect()
    }
}

/// A selected row has a mark, not only a colour.
fn choice(is_selected: bool, label: &str, detail: &str, label_columns: usize) -> Line<'static> {
    let (mark, style) = if is_selected { ("> ", theme::SELECTED) } else { ("  ", theme::PLAIN) };
    let gap = label_columns.saturating_sub(width(label)) + 1;
    Line::from(vec![
        Span::styled(format!("{mark}{label}{}", " ".repeat(gap)), style),
        Span::styled(detail.to_owned(), theme::DIM),
    ])
}
