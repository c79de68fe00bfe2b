//! The composer's text as rows on the screen, and positions between the two. Pure.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::Draft;

/// The drawn text: one entry per row, and the cursor's (row, column).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub rows: Vec<Row>,
    pub cursor: (usize, usize),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub text: String,
    /// Where each shown piece begins: (byte in the draft, column).
    edges: Vec<(usize, usize)>,
    columns: usize,
}

impl Layout {
    /// The byte position nearest to a column of a row; `None` when there is no such row.
    pub(super) fn position(&self, row: usize, column: usize) -> Option<usize> {
        let row = self.rows.get(row)?;
        row.edges
            .iter()
            .take_while(|(_, at)| *at <= column)
            .last()
            .or(row.edges.first())
            .map(|(byte, _)| *byte)
    }
}

/// Rows of at most `columns`, cut at words where that is possible. The cursor's column may equal `columns`.
pub(crate) fn layout(draft: &Draft, cursor: usize, columns: usize) -> Layout {
    let mut builder = Builder { columns: columns.max(4), cursor, at: (0, 0), rows: vec![Row::default()] };
    for (byte, grapheme) in draft.text.grapheme_indices(true) {
        let chip = grapheme.chars().next().and_then(|c| draft.label(c));
        match chip {
            Some(label) => builder.chip(byte, label),
            None if grapheme == "\n" => builder.newline(byte),
            None => builder.piece(byte, printable(grapheme)),
        }
    }
    builder.finish(draft.text.len())
}

/// Tabs and control characters as something with a width.
fn printable(grapheme: &str) -> &str {
    match grapheme {
        "\t" => "    ",
        g if g.chars().any(char::is_control) => "\u{fffd}",
        g => g,
    }
}

struct Builder {
    columns: usize,
    cursor: usize,
    at: (usize, usize),
    rows: Vec<Row>,
}

impl Builder {
    fn piece(&mut self, byte: usize, shown: &str) {
        let width = UnicodeWidthStr::width(shown);
        if self.last().columns + width > self.columns && !self.last().text.is_empty() {
            self.break_row(shown == " ");
            if self.last().columns + width > self.columns {
                self.rows.push(Row::default());
            }
        }
        self.edge(byte);
        let row = self.last();
        row.text.push_str(shown);
        row.columns += width;
    }

    /// A label may be longer than a row: only its start is a place for the cursor.
    fn chip(&mut self, byte: usize, label: &str) {
        let width = UnicodeWidthStr::width(label);
        if self.last().columns + width > self.columns && !self.last().text.is_empty() {
            self.rows.push(Row::default());
        }
        self.edge(byte);
        for grapheme in label.graphemes(true) {
            if self.last().columns >= self.columns {
                self.rows.push(Row::default());
            }
            let row = self.last();
            row.text.push_str(grapheme);
            row.columns += UnicodeWidthStr::width(grapheme);
        }
    }

    fn newline(&mut self, byte: usize) {
        self.edge(byte);
        self.rows.push(Row::default());
    }

    fn finish(mut self, end: usize) -> Layout {
        if self.last().columns >= self.columns {
            self.rows.push(Row::default());
        }
        self.edge(end);
        Layout { rows: self.rows, cursor: self.at }
    }

    /// Starts a row and takes an unfinished word along.
    fn break_row(&mut self, before_space: bool) {
        let columns = self.columns;
        let last_idx = self.rows.len() - 1;
        let row = self.last();
        let word = row.text.rfind(' ').map(|at| at + 1).filter(|at| !before_space && *at < row.text.len());
        let mut next = Row::default();
        if let Some(at) = word {
            let kept_columns = UnicodeWidthStr::width(row.text.get(..at).unwrap_or_default());
            next.text = row.text.split_off(at);
            next.columns = row.columns - kept_columns;
            next.edges = row
                .edges
                .iter()
                .filter(|(_, c)| *c >= kept_columns)
                .map(|(b, c)| (*b, c - kept_columns))
                .collect();
            row.edges.retain(|(_, column)| *column < kept_columns);
            row.columns = kept_columns;
            if self.at.0 == last_idx && self.at.1 >= kept_columns && self.cursor_is_drawn(&next) {
                self.at = (last_idx + 1, self.at.1 - kept_columns);
            }
        }
        debug_assert!(next.columns <= columns);
        self.rows.push(next);
    }

    fn cursor_is_drawn(&self, row: &Row) -> bool {
        row.edges.iter().any(|(byte, _)| *byte == self.cursor)
    }

    fn edge(&mut self, byte: usize) {
        let row_idx = self.rows.len() - 1;
        let cursor = self.cursor;
        let row = self.last();
        row.edges.push((byte, row.columns));
        let column = row.columns;
        if byte == cursor {
            self.at = (row_idx, column);
        }
    }

    fn last(&mut self) -> &mut Row {
        if self.rows.is_empty() {
            self.rows.push(Row::default());
        }
        let last = self.rows.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "there is always a row")]
        &mut self.rows[last]
    }
}
