//! Styled text cut into rows that fit. Pure; widths are terminal columns, cuts are between graphemes.
//!
//! Greedy, so that the rows of a text's beginning do not change when more text follows: all rows but the last one
//! of an unfinished text are final.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// One grapheme with its look.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub text: String,
    pub width: usize,
    pub style: Style,
}

/// One row and how many of the cells it used up, dropped spaces and line breaks included.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub line: Line<'static>,
    pub n_cells: usize,
}

/// Columns that a text takes at most. Terminals disagree on joined emoji: some draw one, some all of its parts.
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true).map(grapheme_width).sum()
}

fn grapheme_width(grapheme: &str) -> usize {
    let apart: usize = grapheme.chars().filter_map(UnicodeWidthChar::width).sum();
    UnicodeWidthStr::width(grapheme).max(apart)
}

/// Columns that a line takes at least.
pub(crate) fn least_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| UnicodeWidthStr::width(span.content.as_ref())).sum()
}

pub(crate) fn line_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&span.content)).sum()
}

pub(crate) fn cells(text: &str, style: Style) -> Vec<Cell> {
    let cell = |text: &str| Cell { text: text.to_owned(), width: grapheme_width(text), style };
    text.graphemes(true)
        .map(|grapheme| if grapheme == "\n" { Cell { width: 0, ..cell("\n") } } else { cell(grapheme) })
        .collect()
}

/// Cells as one line, neighbours of one style joined.
pub(crate) fn line_of(cells: &[Cell]) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for cell in cells {
        match spans.last_mut() {
            Some(last) if last.style == cell.style => last.content.to_mut().push_str(&cell.text),
            _ => spans.push(Span::styled(cell.text.clone(), cell.style)),
        }
    }
    Line::from(spans)
}

/// Rows of at most `columns`; a newline cell ends a row. At least one row.
pub(crate) fn wrap(cells: &[Cell], columns: usize) -> Vec<Row> {
    let columns = columns.max(2);
    let mut rows = Vec::new();
    let mut rest = cells;
    loop {
        let (shown, used) = first_row(rest, columns);
        rows.push(Row { line: line_of(rest.get(..shown).unwrap_or(rest)), n_cells: used });
        let ended_by_newline = used > 0 && rest.get(used - 1).is_some_and(|cell| cell.text == "\n");
        rest = rest.get(used..).unwrap_or(&[]);
        if rest.is_empty() {
            if ended_by_newline {
                rows.push(Row { line: Line::default(), n_cells: 0 });
            }
            return rows;
        }
    }
}

/// How many cells the first row shows, and how many it uses up.
fn first_row(cells: &[Cell], columns: usize) -> (usize, usize) {
    let mut taken = 0; // columns up to here
    let mut cut = None; // the last place where a word ends: (shown, used)
    let mut previous_wide = false;
    for (idx, cell) in cells.iter().enumerate() {
        if cell.text == "\n" {
            return (idx, idx + 1);
        }
        let is_space = cell.text == " ";
        let is_wide = cell.width > 1;
        if idx > 0 && (is_wide || previous_wide) && !is_space {
            cut = Some((idx, idx));
        }
        if taken + cell.width > columns {
            if is_space {
                return (idx, after_spaces(cells, idx));
            }
            return match cut {
                Some((shown, used)) => (shown, used.max(1)),
                None => (idx.max(1), idx.max(1)),
            };
        }
        taken += cell.width;
        previous_wide = is_wide;
        if is_space {
            let shown = cells
                .get(..idx)
                .map_or(0, |row| row.iter().rposition(|cell| cell.text != " ").map_or(0, |last| last + 1));
            if shown > 0 {
                cut = Some((shown, idx + 1));
            }
        }
    }
    (cells.len(), cells.len())
}

/// Spaces at a cut vanish; a newline right behind them ends the same row.
fn after_spaces(cells: &[Cell], from: usize) -> usize {
    let rest = cells.get(from..).unwrap_or(&[]);
    let spaces = rest.iter().take_while(|cell| cell.text == " ").count();
    let newline = rest.get(spaces).is_some_and(|cell| cell.text == "\n");
    from + spaces + usize::from(newline)
}

/// Rows for text of one style.
pub(crate) fn wrap_text(text: &str, style: Style, columns: usize) -> Vec<Line<'static>> {
    wrap(&cells(text, style), columns).into_iter().map(|row| row.line).collect()
}

/// Rows of an already styled line, cut anywhere: for code, where spaces count.
pub(crate) fn chop(line: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let columns = columns.max(2);
    let mut rows = Vec::new();
    let (mut row, mut taken) = (Vec::new(), 0);
    for span in &line.spans {
        for cell in cells(&span.content, line.style.patch(span.style)) {
            if taken + cell.width > columns {
                rows.push(line_of(&row));
                row.clear();
                taken = 0;
            }
            taken += cell.width;
            row.push(cell);
        }
    }
    rows.push(line_of(&row));
    rows
}

/// The line itself, or its beginning and `…`.
pub(crate) fn fit(line: Line<'static>, columns: usize) -> Line<'static> {
    if line_width(&line) <= columns {
        return line;
    }
    let mut kept = Vec::new();
    let mut taken = 0;
    for span in &line.spans {
        for cell in cells(&span.content, line.style.patch(span.style)) {
            if taken + cell.width + 1 > columns {
                kept.push(Cell { text: "…".into(), width: 1, style: cell.style });
                return if columns == 0 { Line::default() } else { line_of(&kept) };
            }
            taken += cell.width;
            kept.push(cell);
        }
    }
    line_of(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::PLAIN;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, columns: usize, expected: &[&str]) {
        let rows: Vec<String> = wrap_text(text, PLAIN, columns).iter().map(ToString::to_string).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn words_stay_whole() {
        check("one two three", 8, &["one two", "three"]);
    }

    #[test]
    fn a_row_may_be_exactly_full() {
        check("abcd efgh", 4, &["abcd", "efgh"]);
    }

    #[test]
    fn a_long_word_is_cut() {
        check("abcdefghij", 4, &["abcd", "efgh", "ij"]);
    }

    #[test]
    fn leading_spaces_stay() {
        check("  a b", 10, &["  a b"]);
    }

    #[test]
    fn wide_text_breaks_between_characters() {
        check("漢字仮名", 5, &["漢字", "仮名"]);
    }

    #[test]
    fn emoji_sequences_are_never_cut() {
        check("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 9, &["👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"]);
    }

    #[test]
    fn newlines_end_rows() {
        check("a\n\nb\n", 9, &["a", "", "b", ""]);
    }

    #[test]
    fn fit_marks_what_it_cuts() {
        assert_eq!(fit(Line::from("hello"), 4).to_string(), "hel…");
        assert_eq!(fit(Line::from("漢字"), 3).to_string(), "漢…");
        assert_eq!(fit(Line::from("hi"), 2).to_string(), "hi");
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::string::string_regex("([a-z]{0,9}| |\n|漢|é|e\u{301}|👩‍👧|🦀|\u{200d}){0,60}").unwrap()
    }

    proptest! {
        #[test]
        fn no_row_is_too_wide_and_no_cell_is_lost(text in text(), columns in 4_usize..30) {
            let cells = cells(&text, PLAIN);
            let rows = wrap(&cells, columns);
            prop_assert_eq!(rows.iter().map(|row| row.n_cells).sum::<usize>(), cells.len());
            for row in &rows {
                let is_one = row.line.to_string().graphemes(true).count() == 1;
                prop_assert!(line_width(&row.line) <= columns || is_one, "{:?}", row.line);
            }
            let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let joined: String = rows.iter().map(|row| row.line.to_string()).collect();
            prop_assert_eq!(kept(&joined), kept(&text));
        }

        #[test]
        fn rows_before_the_last_do_not_change_when_text_follows(text in text(), more in text(), columns in 4_usize..30) {
            let start = cells(&text, PLAIN);
            let mut all = start.clone();
            all.extend(cells(&more, PLAIN));
            let (before, after) = (wrap(&start, columns), wrap(&all, columns));
            prop_assert_eq!(&before[..before.len() - 1], &after[..before.len() - 1]);
        }
    }
}
