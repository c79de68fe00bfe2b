//! Markdown as it arrives: finished lines go out, the open block is kept and can be shown. Pure.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::blocks::{LineKind, Mark, classify, closes, is_delimiter_row, unindent};
use super::inline::inline;
use super::table;
use crate::tui::ansi::harmless;
use crate::tui::highlight::Highlighter;
use crate::tui::theme::{self, Background};
use crate::tui::wrap::{Row, chop, width, wrap};

/// What the lines depend on besides the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub columns: usize,
    pub background: Background,
}

#[derive(Debug)]
pub(crate) struct Stream {
    look: Look,
    /// Source that is not in a block yet: at most one unfinished line, and a line that may head a table.
    pending: String,
    block: Block,
    /// Columns at which the list items around the current line begin.
    list: Vec<Level>,
    /// A blank line goes out before the next block.
    owes_blank: bool,
    has_output: bool,
    out: Vec<Line<'static>>,
}

/// An open list item: where it begins in the source, and where its text begins on the screen.
#[derive(Debug, Clone, Copy)]
struct Level {
    indent: usize,
    text: usize,
}

#[derive(Debug)]
enum Block {
    Between,
    Paragraph(Paragraph),
    Code { indent: usize, prefix: usize, mark: Mark, highlighter: Box<Highlighter> },
    Table { source: String },
}

/// Text that is wrapped: a paragraph, a list item, a quote.
#[derive(Debug, Clone)]
struct Paragraph {
    kind: Kind,
    source: String,
    /// Its first line is not complete and still in `pending`, but some of it went out.
    awaits_line: bool,
    /// What stands before the first row and before the others, equally wide.
    first: Vec<Span<'static>>,
    next: Vec<Span<'static>>,
    base: Style,
    /// Cells that went out already.
    n_cells: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Item,
    Quote,
    Heading,
}

/// How many bytes of an unfinished line make sure what it begins (see [`Stream::settle`]).
const CERTAIN: usize = 100;
/// Rows that an open paragraph keeps back: a word or a run of marks at its end may still grow.
const KEPT_ROWS: usize = 2;

impl Stream {
    pub(crate) fn new(look: Look) -> Self {
        Self {
            look,
            pending: String::new(),
            block: Block::Between,
            list: Vec::new(),
            owes_blank: false,
            has_output: false,
            out: Vec::new(),
        }
    }

    /// Lines of a whole text.
    pub(crate) fn whole(text: &str, look: Look) -> Vec<Line<'static>> {
        let mut stream = Self::new(look);
        let mut lines = stream.push(text);
        lines.extend(stream.finish());
        lines
    }

    /// What follows is laid out for this look; what went out stays.
    pub(crate) fn set_look(&mut self, look: Look) {
        self.look = look;
    }

    /// Takes more text and returns the lines that are final now.
    pub(crate) fn push(&mut self, chunk: &str) -> Vec<Line<'static>> {
        self.pending.push_str(chunk);
        while let Some(end) = self.pending.find('\n') {
            let line: String = self.pending.drain(..=end).collect();
            self.line(&harmless(line.trim_end_matches(['\n', '\r'])));
        }
        self.settle();
        std::mem::take(&mut self.out)
    }

    /// The text is complete: everything goes out.
    pub(crate) fn finish(&mut self) -> Vec<Line<'static>> {
        if !self.pending.is_empty() {
            let line = std::mem::take(&mut self.pending);
            self.line(&harmless(&line));
        }
        self.close();
        std::mem::take(&mut self.out)
    }

    /// The open block as it would look if nothing followed.
    pub(crate) fn tail(&self) -> Vec<Line<'static>> {
        let partial = harmless(&self.pending);
        let columns = self.look.columns;
        match &self.block {
            Block::Code { indent, prefix, mark, highlighter } if !partial.is_empty() => {
                if closes(&partial, *mark) {
                    return Vec::new();
                }
                let line = (**highlighter).clone().line(unindent(&partial, *indent));
                chop(&indented(line, *prefix), columns)
            }
            Block::Code { .. } => Vec::new(),
            _ => {
                let mut preview = self.preview();
                if !partial.is_empty() {
                    preview.line(&partial);
                }
                preview.close();
                preview.out.iter().flat_map(|line| chop(line, columns)).collect()
            }
        }
    }

    /// A copy without what went out, to be finished for show.
    fn preview(&self) -> Self {
        let block = match &self.block {
            Block::Paragraph(paragraph) => Block::Paragraph(paragraph.clone()),
            Block::Table { source } => Block::Table { source: source.clone() },
            Block::Between | Block::Code { .. } => Block::Between,
        };
        let (list, out) = (self.list.clone(), Vec::new());
        Self {
            look: self.look,
            pending: String::new(),
            block,
            list,
            owes_blank: self.owes_blank,
            has_output: self.has_output,
            out,
        }
    }

    /// One whole source line.
    fn line(&mut self, line: &str) {
        match &mut self.block {
            Block::Code { indent, prefix, mark, highlighter } => {
                if closes(line, *mark) {
                    let fence = Line::styled(line.trim().to_owned(), theme::DIM);
                    let fence = indented(fence, *prefix);
                    self.block = Block::Between;
                    self.emit(fence);
                } else {
                    let code = indented(highlighter.line(unindent(line, *indent)), *prefix);
                    self.emit(code);
                }
            }
            Block::Table { source } if line.contains('|') => {
                source.push('\n');
                source.push_str(line);
            }
            Block::Table { .. } => {
                self.close();
                self.begin(line);
            }
            Block::Paragraph(paragraph) if paragraph.awaits_line => {
                text_of(line).clone_into(&mut paragraph.source);
                paragraph.awaits_line = false;
            }
            Block::Paragraph(paragraph) if paragraph.heads_table() && is_delimiter_row(line) => {
                let source = format!("{}\n{line}", paragraph.source);
                self.block = Block::Table { source };
            }
            Block::Paragraph(paragraph) => match classify(line) {
                LineKind::Text { text, .. } if paragraph.kind != Kind::Quote => {
                    paragraph.source.push('\n');
                    paragraph.source.push_str(text);
                }
                LineKind::Quote { text } if paragraph.kind == Kind::Quote && !text.trim().is_empty() => {
                    paragraph.source.push('\n');
                    paragraph.source.push_str(text);
                }
                _ => {
                    self.close();
                    self.begin(line);
                }
            },
            Block::Between => self.begin(line),
        }
    }

    /// A line that continues nothing.
    fn begin(&mut self, line: &str) {
        match classify(line) {
            LineKind::Blank => self.owes_blank = self.has_output,
            LineKind::Fence { indent, mark, language } => {
                let prefix = self.level_prefix(indent);
                let fence = line.trim();
                self.emit(indented(Line::styled(fence.to_owned(), theme::DIM), prefix));
                let highlighter = Box::new(Highlighter::new(language, self.look.background));
                self.block = Block::Code { indent, prefix, mark, highlighter };
            }
            LineKind::Rule => {
                self.list.clear();
                self.emit(Line::styled("─".repeat(self.look.columns.min(24)), theme::DIM));
            }
            LineKind::Quote { text } if text.trim().is_empty() => {
                self.emit(Line::styled("│", theme::DIM));
            }
            kind => {
                self.block = Block::Paragraph(self.paragraph(&kind));
                if matches!(classify(line), LineKind::Heading { .. }) {
                    self.close();
                }
            }
        }
    }

    fn paragraph(&mut self, kind: &LineKind<'_>) -> Paragraph {
        match *kind {
            LineKind::Heading { level, text } => {
                self.list.clear();
                let underline = if level == 1 { Modifier::UNDERLINED } else { Modifier::empty() };
                Paragraph { base: theme::BOLD.add_modifier(underline), ..Paragraph::new(Kind::Heading, text) }
            }
            LineKind::Item { indent, marker, text } => {
                self.close_levels(indent);
                let column = self.list.last().map_or(0, |level| level.text);
                let bullet = if marker.len() == 1 { "•" } else { marker };
                let text_column = column + bullet.chars().count() + 1;
                self.list.push(Level { indent, text: text_column });
                let first = vec![spaces(column), Span::styled(format!("{bullet} "), theme::HINT)];
                Paragraph { first, next: vec![spaces(text_column)], ..Paragraph::new(Kind::Item, text) }
            }
            LineKind::Quote { text } => {
                let bar = vec![Span::styled("│ ", theme::DIM)];
                let quote = Paragraph::new(Kind::Quote, text);
                Paragraph { base: theme::DIM, first: bar.clone(), next: bar, ..quote }
            }
            LineKind::Text { indent, text } => {
                let prefix = vec![spaces(self.level_prefix(indent))];
                Paragraph { first: prefix.clone(), next: prefix, ..Paragraph::new(Kind::Text, text) }
            }
            LineKind::Blank | LineKind::Fence { .. } | LineKind::Rule => Paragraph::new(Kind::Text, ""),
        }
    }

    /// Columns in front of something that is indented this far: below a list item, as far as the item's text.
    fn level_prefix(&mut self, indent: usize) -> usize {
        self.close_levels(indent);
        self.list.last().map_or(indent.min(8) / 4 * 4, |level| level.text)
    }

    fn close_levels(&mut self, indent: usize) {
        while self.list.last().is_some_and(|level| level.indent >= indent) {
            self.list.pop();
        }
    }

    /// The open block is complete.
    fn close(&mut self) {
        match std::mem::replace(&mut self.block, Block::Between) {
            Block::Paragraph(paragraph) => {
                for row in paragraph.rows(self.look.columns, &paragraph.source, false) {
                    self.emit(row.line);
                }
            }
            Block::Table { source } => {
                for line in table::lines(&source, self.look.columns) {
                    self.emit(line);
                }
            }
            Block::Code { .. } | Block::Between => {}
        }
    }

    /// Rows of an open paragraph that nothing can change any more go out.
    fn settle(&mut self) {
        let partial = harmless(self.pending.trim_end_matches('\r'));
        let kind = classify(&partial);
        let text = text_of(&partial);
        let is_certain = text.len() >= CERTAIN;
        let (mut paragraph, source) = match std::mem::replace(&mut self.block, Block::Between) {
            Block::Between => {
                let wraps =
                    matches!(kind, LineKind::Item { .. } | LineKind::Quote { .. } | LineKind::Text { .. });
                if !is_certain || !wraps || may_head_table(text) {
                    return;
                }
                (
                    Paragraph { awaits_line: true, source: String::new(), ..self.paragraph(&kind) },
                    text.to_owned(),
                )
            }
            Block::Paragraph(paragraph) if paragraph.awaits_line => (paragraph, text.to_owned()),
            Block::Paragraph(paragraph) if !paragraph.heads_table() => {
                let continues = is_certain
                    && match kind {
                        LineKind::Text { .. } => paragraph.kind != Kind::Quote,
                        LineKind::Quote { .. } => paragraph.kind == Kind::Quote,
                        _ => false,
                    };
                let partial = if continues { format!("\n{text}") } else { String::new() };
                let source = format!("{}{partial}", paragraph.source);
                (paragraph, source)
            }
            other => {
                self.block = other;
                return;
            }
        };
        self.emit_settled(&mut paragraph, &source);
        // An unfinished first line belongs to `pending` until some of it went out.
        if !paragraph.awaits_line || paragraph.n_cells > 0 {
            self.block = Block::Paragraph(paragraph);
        }
    }

    /// Rows of the settled cells alone: where those break, no later text can change.
    fn emit_settled(&mut self, paragraph: &mut Paragraph, source: &str) {
        let mut rows = paragraph.rows(self.look.columns, source, true);
        rows.truncate(rows.len().saturating_sub(KEPT_ROWS));
        for row in rows {
            paragraph.n_cells += row.n_cells;
            self.emit(row.line);
        }
    }

    fn emit(&mut self, line: Line<'static>) {
        if self.owes_blank {
            self.out.push(Line::default());
            self.owes_blank = false;
        }
        self.has_output = true;
        self.out.push(line);
    }
}

impl Paragraph {
    fn new(kind: Kind, source: &str) -> Self {
        let (first, next) = (Vec::new(), Vec::new());
        Self {
            kind,
            source: source.to_owned(),
            awaits_line: false,
            first,
            next,
            base: theme::PLAIN,
            n_cells: 0,
        }
    }

    /// Its rows that did not go out yet: of all its cells, or of the settled ones.
    fn rows(&self, columns: usize, source: &str, is_settled: bool) -> Vec<Row> {
        let text = inline(source, self.base);
        let end = if is_settled { text.n_settled } else { text.cells.len() };
        let left = text.cells.get(self.n_cells..end).unwrap_or_default();
        if left.is_empty() && self.n_cells > 0 {
            return Vec::new();
        }
        let indent: usize = self.next.iter().map(|span| width(&span.content)).sum();
        // On a very narrow screen the text counts, not its place.
        let indent = if indent + 8 > columns { 0 } else { indent };
        let mut rows = wrap(left, columns.saturating_sub(indent));
        for (idx, row) in rows.iter_mut().enumerate() {
            let prefix = if idx == 0 && self.n_cells == 0 { &self.first } else { &self.next };
            if indent > 0 {
                row.line.spans.splice(0..0, prefix.iter().filter(|span| !span.content.is_empty()).cloned());
            }
        }
        rows
    }

    /// Whether the next line may make a table of this.
    fn heads_table(&self) -> bool {
        self.kind == Kind::Text
            && self.n_cells == 0
            && !self.source.contains('\n')
            && may_head_table(&self.source)
    }
}

/// Said by a line's beginning alone, so that a long line need not be waited for.
fn may_head_table(text: &str) -> bool {
    text.bytes().take(CERTAIN).any(|byte| byte == b'|')
}

fn text_of(line: &str) -> &str {
    match classify(line) {
        LineKind::Heading { text, .. }
        | LineKind::Item { text, .. }
        | LineKind::Quote { text }
        | LineKind::Text { text, .. } => text,
        LineKind::Blank | LineKind::Fence { .. } | LineKind::Rule => "",
    }
}

fn spaces(n: usize) -> Span<'static> {
    Span::raw(" ".repeat(n))
}

fn indented(mut line: Line<'static>, columns: usize) -> Line<'static> {
    if columns > 0 {
        line.spans.insert(0, spaces(columns));
    }
    line
}
