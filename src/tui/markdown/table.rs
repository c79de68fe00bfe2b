//! A whole table into lines: columns side by side when they fit, a stack of `head: value` lines when they do not. Pure.

use pulldown_cmark::{Alignment, Event, Options, Parser, Tag, TagEnd};
use ratatui::text::{Line, Span};

use super::inline::inline;
use crate::tui::theme;
use crate::tui::wrap::{Cell, line_of, line_width, wrap};

/// Narrowest column before the table is stacked instead.
const MIN_COLUMN: usize = 8;
const GAP: usize = 3;

struct Table {
    head: Vec<Vec<Cell>>,
    rows: Vec<Vec<Vec<Cell>>>,
    alignments: Vec<Alignment>,
}

pub(super) fn lines(source: &str, columns: usize) -> Vec<Line<'static>> {
    let table = parse(source);
    match column_widths(&table, columns) {
        Some(widths) => side_by_side(&table, &widths),
        None => stacked(&table, columns),
    }
}

fn parse(source: &str) -> Table {
    let mut table = Table { head: Vec::new(), rows: Vec::new(), alignments: Vec::new() };
    let mut row = Vec::new();
    let mut start = None;
    for (event, range) in Parser::new_ext(source, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Table(alignments)) => table.alignments = alignments,
            Event::Start(Tag::TableCell) => start = Some(range),
            Event::End(TagEnd::TableCell) => {
                let text = start.take().and_then(|range| source.get(range)).unwrap_or_default();
                let text = text.trim().trim_matches('|').trim().replace("\\|", "|");
                row.push(text);
            }
            Event::End(TagEnd::TableHead) => {
                table.head = row.drain(..).map(|text| inline(&text, theme::BOLD).cells).collect();
            }
            Event::End(TagEnd::TableRow) => {
                table.rows.push(row.drain(..).map(|text| inline(&text, theme::PLAIN).cells).collect());
            }
            _ => {}
        }
    }
    table
}

/// Natural widths, or the widest columns narrowed until the table fits.
fn column_widths(table: &Table, columns: usize) -> Option<Vec<usize>> {
    let width = |cells: &[Cell]| cells.iter().map(|cell| cell.width).sum::<usize>();
    let mut widths: Vec<usize> = table.head.iter().map(|cells| width(cells).max(1)).collect();
    for row in &table.rows {
        for (column, cells) in widths.iter_mut().zip(row) {
            *column = (*column).max(width(cells));
        }
    }
    let gaps = GAP * widths.len().saturating_sub(1);
    let available = columns.checked_sub(gaps)?;
    while widths.iter().sum::<usize>() > available {
        let widest = widths.iter_mut().max()?;
        if *widest <= MIN_COLUMN {
            return None;
        }
        *widest -= 1;
    }
    Some(widths)
}

fn side_by_side(table: &Table, widths: &[usize]) -> Vec<Line<'static>> {
    let mut lines = row_lines(&table.head, widths, &table.alignments);
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    lines.push(Line::styled(rule.join("─┼─"), theme::DIM));
    for row in &table.rows {
        lines.extend(row_lines(row, widths, &table.alignments));
    }
    lines
}

fn row_lines(row: &[Vec<Cell>], widths: &[usize], alignments: &[Alignment]) -> Vec<Line<'static>> {
    let empty = Vec::new();
    let wrapped: Vec<Vec<Line<'static>>> = widths
        .iter()
        .enumerate()
        .map(|(idx, width)| {
            wrap(row.get(idx).unwrap_or(&empty), *width).into_iter().map(|row| row.line).collect()
        })
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    (0..height).map(|at| joined(&wrapped, at, widths, alignments)).collect()
}

fn joined(
    wrapped: &[Vec<Line<'static>>],
    at: usize,
    widths: &[usize],
    alignments: &[Alignment],
) -> Line<'static> {
    let mut spans = Vec::new();
    for (idx, (rows, width)) in wrapped.iter().zip(widths).enumerate() {
        if idx > 0 {
            spans.push(Span::styled(" │ ", theme::DIM));
        }
        let line = rows.get(at).cloned().unwrap_or_default();
        let free = width.saturating_sub(line_width(&line));
        let left = match alignments.get(idx) {
            Some(Alignment::Right) => free,
            Some(Alignment::Center) => free / 2,
            _ => 0,
        };
        let is_last = idx + 1 == widths.len();
        spans.push(Span::raw(" ".repeat(left)));
        spans.extend(line.spans);
        spans.push(Span::raw(" ".repeat(if is_last { 0 } else { free - left })));
    }
    spans.retain(|span| !span.content.is_empty());
    Line::from(spans)
}

fn stacked(table: &Table, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (idx, row) in table.rows.iter().enumerate() {
        if idx > 0 {
            lines.push(Line::styled("─".repeat(columns.min(24)), theme::DIM));
        }
        for (at, cells) in row.iter().enumerate() {
            let mut text = table.head.get(at).map(|head| line_of(head).to_string()).unwrap_or_default();
            text.push_str(": ");
            let mut pair = crate::tui::wrap::cells(&text, theme::BOLD);
            pair.extend(cells.iter().cloned());
            lines.extend(wrap(&pair, columns).into_iter().map(|row| row.line));
        }
    }
    lines
}
