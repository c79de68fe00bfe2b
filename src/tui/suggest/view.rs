//! What the inline prompt looks like. A function of its state. Pure.
//!
//! The question on one row (more when it is longer), and below it what is waited for, offered or said. No boxes and no
//! full-width rows, so that a narrower window finds little to wrap.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::prompt::{Outcome, Prompt, Purpose, Stage};
use crate::tui::ansi::harmless;
use crate::tui::composer::layout;
use crate::tui::surface::{LiveArea, Size};
use crate::tui::theme;
use crate::tui::wrap::{fit, width, wrap_text};

/// Rows of the question that are shown, at most.
const MAX_QUESTION: usize = 3;

impl Prompt {
    pub fn view(&self, size: Size) -> LiveArea {
        let (mut rows, cursor) = self.question_rows(size);
        let indent = width(self.mark());
        let columns = size.columns.saturating_sub(indent + 1).max(4);
        let room = size.rows.saturating_sub(rows.len() + 1).clamp(1, 8);
        let mut below = self.below(columns);
        below.truncate(room);
        let indented = |line: Line<'static>| {
            let mut spans = vec![Span::raw(" ".repeat(indent))];
            spans.extend(line.spans.into_iter().map(|span| span.patch_style(line.style)));
            fit(Line::from(spans), size.columns)
        };
        rows.extend(below.into_iter().map(indented));
        LiveArea { rows, cursor }
    }

    fn mark(&self) -> &'static str {
        match self.purpose {
            Purpose::Ask => "ask › ",
            Purpose::Fix => "fix › ",
            Purpose::Teach => "teach › ",
        }
    }

    /// The question and where the cursor stands in it.
    fn question_rows(&self, size: Size) -> (Vec<Line<'static>>, (usize, usize)) {
        let indent = width(self.mark());
        let columns = size.columns.saturating_sub(indent + 1).max(4);
        let drawn = layout(self.composer.draft(), self.composer.cursor(), columns);
        let most = MAX_QUESTION.min(size.rows.saturating_sub(1)).max(1);
        let first = (drawn.cursor.0 + 1).saturating_sub(most).min(drawn.rows.len().saturating_sub(most));
        let mut rows = Vec::new();
        for (idx, row) in drawn.rows.iter().skip(first).take(most).enumerate() {
            let mark = if idx == 0 { self.mark().to_owned() } else { " ".repeat(indent) };
            rows.push(Line::from(vec![Span::styled(mark, theme::BRAND), Span::raw(row.text.clone())]));
        }
        if self.composer.is_empty() {
            let hint = Span::styled(self.hint(), theme::DIM);
            rows = vec![fit(Line::from(vec![Span::styled(self.mark(), theme::BRAND), hint]), size.columns)];
        }
        (rows, (drawn.cursor.0 - first, drawn.cursor.1.min(columns) + indent))
    }

    fn hint(&self) -> &'static str {
        match self.purpose {
            Purpose::Ask => "what should it do? (Esc leaves)",
            Purpose::Fix => "the command that failed",
            Purpose::Teach => "what to do instead? (Esc leaves)",
        }
    }

    fn below(&self, columns: usize) -> Vec<Line<'static>> {
        match &self.stage {
            Stage::Writing => Vec::new(),
            Stage::Waiting { note, answer } => waiting(note, answer, columns),
            Stage::Offering(proposal) => {
                let mut rows = wrap_text(&harmless(&proposal.command), theme::BOLD, columns);
                for why in &proposal.dangers {
                    rows.extend(wrap_text(&format!("! {why}"), theme::ERROR, columns));
                }
                rows.push(Line::styled("Enter takes it, Esc leaves it", theme::DIM));
                rows
            }
            Stage::Telling(outcome) => told(outcome, columns),
        }
    }
}

/// The newest rows of the answer, or what it waits for.
fn waiting(note: &str, answer: &str, columns: usize) -> Vec<Line<'static>> {
    let shown = harmless(answer.trim());
    if shown.is_empty() {
        let note = if note.is_empty() { "…" } else { note };
        return wrap_text(&harmless(&format!("{note} (Esc leaves)")), theme::DIM, columns);
    }
    let mut rows = wrap_text(&shown, theme::DIM, columns);
    rows.drain(..rows.len().saturating_sub(MAX_QUESTION));
    rows
}

fn told(outcome: &Outcome, columns: usize) -> Vec<Line<'static>> {
    let (text, style) = match outcome {
        Outcome::Command(proposal) => (proposal.command.clone(), Style::default()),
        Outcome::NoCommand(text) => (text.clone(), Style::default()),
        Outcome::Done(text) => (text.clone(), theme::OK),
        Outcome::Failed(text) => (text.clone(), theme::ERROR),
    };
    let mut rows = wrap_text(&harmless(text.trim()), style, columns);
    rows.truncate(5);
    rows.push(Line::styled("any key goes back to the line", theme::DIM));
    rows
}
