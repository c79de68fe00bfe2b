//! The dashboard: how the loop does, on a screen of its own beside the list. Pure.
//!
//! What lives here: its state, and how its parts stand beside or below each other. What does not: the parts (`parts`).

mod parts;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::daemon::wire::LoopEvent;
use crate::daemon::wire::looking::LoopStats;
use crate::tui::theme;
use crate::tui::wrap::{fit, line_width};

/// Days that the trend of rewards goes back.
pub(super) const DAYS: u16 = 28;
/// Columns between two parts that stand beside each other.
const GUTTER: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) is_open: bool,
    pub(super) stats: Option<Box<LoopStats>>,
    pub(super) scroll: usize,
}

impl Board {
    /// Progress comes more often than figures.
    pub(super) fn on_news(&mut self, news: &LoopEvent) {
        let Some(stats) = &mut self.stats else { return };
        match news {
            LoopEvent::Learning { run, .. } => {
                stats.learning.running = Some(crate::daemon::wire::RunId(*run));
                stats.learning.progress = Some(news.clone());
            }
            LoopEvent::Waiting { reason } => {
                stats.learning.waits_for = Some(reason.clone());
                (stats.learning.running, stats.learning.progress) = (None, None);
            }
            LoopEvent::Decided { .. } => {
                (stats.learning.running, stats.learning.progress) = (None, None);
            }
            _ => {}
        }
    }

    /// All of it, however high; the screen shows a part.
    pub(super) fn rows(&self, columns: usize, now_ms: i64) -> Vec<Line<'static>> {
        let Some(stats) = &self.stats else {
            return vec![Line::styled("counting …", theme::DIM)];
        };
        let is_wide = columns >= 100;
        let width = if is_wide { (columns - GUTTER) / 2 } else { columns };
        let first = [
            parts::answers(stats, width),
            parts::lessons(stats, width),
            parts::learning(stats, width),
            parts::spent(stats, width),
        ];
        let second = [parts::obedience(stats, width), parts::versions(stats, width, now_ms)];
        if is_wide {
            return beside(stacked(first), stacked(second), width);
        }
        stacked(first.into_iter().chain(second))
    }

    pub(super) fn scrolled(&mut self, by: isize, height: usize, n_rows: usize) {
        let last = n_rows.saturating_sub(height);
        self.scroll = self.scroll.min(last).saturating_add_signed(by).min(last);
    }
}

/// One below the other, with an empty row between two.
fn stacked(parts: impl IntoIterator<Item = Vec<Line<'static>>>) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for part in parts {
        if !rows.is_empty() {
            rows.push(Line::default());
        }
        rows.extend(part);
    }
    rows
}

fn beside(mut left: Vec<Line<'static>>, mut right: Vec<Line<'static>>, width: usize) -> Vec<Line<'static>> {
    let height = left.len().max(right.len());
    left.resize(height, Line::default());
    right.resize(height, Line::default());
    let row = |(left, right): (Line<'static>, Line<'static>)| {
        let mut row = fit(left, width);
        row.spans.push(Span::raw(" ".repeat((width + GUTTER).saturating_sub(line_width(&row)))));
        let of_line = right.style;
        row.spans.extend(
            right.spans.into_iter().map(|span| Span::styled(span.content, of_line.patch(span.style))),
        );
        row
    };
    left.into_iter().zip(right).map(row).collect()
}

/// What a widget draws, as rows.
fn drawn(widget: impl Widget, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let size = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let area = Rect::new(0, 0, size(columns.max(1)), size(rows));
    let mut buffer = Buffer::empty(area);
    widget.render(area, &mut buffer);
    (0..area.height).map(|y| row_of(&buffer, area.width, y)).collect()
}

/// Neighbours of the same style are one span; blanks at the end are none.
fn row_of(buffer: &Buffer, width: u16, y: u16) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for cell in (0..width).filter_map(|x| buffer.cell((x, y))) {
        let style = cell.style();
        match spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(cell.symbol()),
            _ => spans.push(Span::styled(cell.symbol().to_owned(), style)),
        }
    }
    while spans
        .last()
        .is_some_and(|last| last.content.trim().is_empty() && last.style.bg.is_none_or(is_reset))
    {
        spans.pop();
    }
    Line::from(spans)
}

fn is_reset(colour: ratatui::style::Color) -> bool {
    colour == ratatui::style::Color::Reset
}
