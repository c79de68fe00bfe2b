//! Emphasis, code and links of one paragraph into styled cells, and how much of it later text cannot change. Pure.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use ratatui::style::{Modifier, Style};

use crate::tui::theme;
use crate::tui::wrap::{Cell, cells};

/// A paragraph's cells.
#[derive(Debug)]
pub(super) struct Inline {
    pub cells: Vec<Cell>,
    /// How many of the cells stay as they are whatever text is appended: everything before the first mark that
    /// may still find its partner.
    pub n_settled: usize,
}

/// Stands at each line's beginning, so that nothing there is read as the start of a block. A space as far as
/// emphasis is concerned.
const GUARD: char = '\u{205f}';

pub(super) fn inline(text: &str, base: Style) -> Inline {
    let guarded: String = text
        .split('\n')
        .map(|line| format!("{GUARD}{}", line.replace(GUARD, " ").trim_end_matches('\r')))
        .collect::<Vec<_>>()
        .join("\n");
    let mut reader = Reader {
        source: &guarded,
        base,
        styles: Vec::new(),
        urls: Vec::new(),
        cells: Vec::new(),
        settled: None,
        element: None,
    };
    for (event, range) in Parser::new_ext(&guarded, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        reader.read(event, range);
    }
    let n_cells = reader.cells.len();
    Inline { n_settled: reader.settled.unwrap_or(n_cells), cells: reader.cells }
}

struct Reader<'a> {
    source: &'a str,
    base: Style,
    styles: Vec<Style>,
    /// Targets of open links, with the cell at which their text begins.
    urls: Vec<(String, usize)>,
    cells: Vec<Cell>,
    settled: Option<usize>,
    /// The cell at which the outermost open element begins.
    element: Option<usize>,
}

impl Reader<'_> {
    fn read(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag, &range),
            Event::Text(text) => self.text(&text, &range),
            Event::Code(code) => {
                self.may_reopen(&range, self.cells.len());
                let style = self.style().patch(theme::CODE);
                self.push(&code, style);
            }
            Event::Html(text) | Event::InlineHtml(text) => {
                self.may_reopen(&range, self.cells.len());
                let style = self.style();
                self.push(&text, style);
            }
            Event::SoftBreak | Event::HardBreak => self.push("\n", theme::PLAIN),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let style = match tag {
            Tag::Emphasis => self.style().add_modifier(Modifier::ITALIC),
            Tag::Strong => self.style().add_modifier(Modifier::BOLD),
            Tag::Strikethrough => self.style().add_modifier(Modifier::CROSSED_OUT),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.urls.push((dest_url.to_string(), self.cells.len()));
                self.style().add_modifier(Modifier::UNDERLINED)
            }
            _ => return,
        };
        if self.styles.is_empty() {
            self.element = Some(self.cells.len());
        }
        self.styles.push(style);
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) {
        if let Some(element) = self.element {
            self.may_reopen(range, element);
        }
        match tag {
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.styles.pop();
                self.target();
            }
            _ => return,
        }
        if self.styles.is_empty() {
            self.element = None;
        }
    }

    /// The marks at the very end of the source may grow and then close something else, or nothing.
    fn may_reopen(&mut self, range: &Range<usize>, from: usize) {
        if range.end >= self.source.len() {
            let from = self.element.unwrap_or(from);
            self.settled = Some(self.settled.map_or(from, |settled| settled.min(from)));
        }
    }

    /// Behind a link's text stands where it leads, unless the text says so itself.
    fn target(&mut self) {
        let Some((url, from)) = self.urls.pop() else { return };
        let shown: String = self.cells.iter().skip(from).map(|cell| cell.text.as_str()).collect();
        if shown != url && !url.is_empty() {
            let style = self.style().patch(theme::DIM);
            self.push(&format!(" ({url})"), style);
        }
    }

    fn text(&mut self, text: &str, range: &Range<usize>) {
        if self.settled.is_none()
            && let Some(at) = first_open_mark(self.source, range)
        {
            let before = self.source.get(range.start..at).unwrap_or_default().replace(GUARD, "");
            let own = self.cells.len() + cells(&before, theme::PLAIN).len();
            self.settled = Some(self.element.unwrap_or(own));
        }
        let style = self.style();
        self.push(text, style);
    }

    fn push(&mut self, text: &str, style: Style) {
        let shown: String = text.chars().filter(|c| *c != GUARD).collect();
        self.cells.extend(cells(&shown, style));
    }

    fn style(&self) -> Style {
        self.styles.last().copied().unwrap_or(self.base)
    }
}

/// The first character of literal text that a later one could turn into markup. Says rather too early than late.
fn first_open_mark(source: &str, range: &Range<usize>) -> Option<usize> {
    let text = source.get(range.clone())?;
    let found = text.char_indices().find(|(at, c)| {
        let rest = source.get(range.start + at + c.len_utf8()..).unwrap_or_default();
        let before = source.get(..range.start + at).unwrap_or_default().chars().next_back();
        is_open_mark(*c, before, rest)
    });
    found.map(|(at, _)| range.start + at)
}

fn is_open_mark(c: char, before: Option<char>, rest: &str) -> bool {
    let after = rest.chars().next();
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '*' | '~' => !(before.is_none_or(char::is_whitespace) && after.is_some_and(char::is_whitespace)),
        '_' => {
            let spaced = before.is_none_or(char::is_whitespace) && after.is_some_and(char::is_whitespace);
            !(spaced || is_word(before) && is_word(after))
        }
        '`' | '\\' | '!' | '&' => !after.is_some_and(|after| c == '!' && after != '['),
        '[' => true,
        '<' => after.is_none_or(|after| after.is_alphabetic() || matches!(after, '/' | '!' | '?')),
        _ => false,
    }
}
