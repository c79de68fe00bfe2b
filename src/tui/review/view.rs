//! The whole screen as rows: header, list, detail, note, the keys of the present state. Pure.

use ratatui::text::{Line, Span};

use super::filter;
use super::keys::KEYS;
use super::list::{self, age};
use super::menu::Menu;
use super::pane::{Mode, Pane, Typing};
use super::{Key, detail};
use crate::daemon::wire::RunState;
use crate::tui::ansi::harmless;
use crate::tui::theme;
use crate::tui::wrap::{fit, line_width, width, wrap_text};

const SEPARATOR: &str = " │ ";
/// Rows that a sentence about trouble takes at most.
const MOST_NOTE: usize = 4;

impl Pane {
    /// Exactly as many rows as the screen has, none wider than it.
    pub fn rows(&self) -> Vec<Line<'static>> {
        let height = self.size.rows.max(1);
        let mut rows = vec![self.header()];
        let mut foot = self.note_rows();
        foot.push(self.help_line());
        let body = height.saturating_sub(1 + foot.len());
        rows.extend(self.body(body));
        rows.extend(foot);
        rows.truncate(height);
        rows.resize(height, Line::default());
        rows.into_iter().map(|row| fit(row, self.size.columns)).collect()
    }

    fn body(&self, height: usize) -> Vec<Line<'static>> {
        let mut rows = match &self.mode {
            Mode::Help(top) => help(*top, height, self.size.columns),
            _ if self.board.is_open => self.board_part(height),
            _ if self.is_wide() => self.side_by_side(height),
            _ if self.is_in_detail => self.detail_part(height, self.size.columns),
            _ => self.list_part(height, self.size.columns),
        };
        rows.resize(height, Line::default());
        if let Mode::Choosing(menu) = &self.mode {
            let menu = menu_rows(menu);
            let from = height.saturating_sub(menu.len());
            rows.splice(from.., menu.into_iter().take(height));
        }
        rows
    }

    fn side_by_side(&self, height: usize) -> Vec<Line<'static>> {
        let left = self.list_width();
        let right = self.size.columns.saturating_sub(left + SEPARATOR.chars().count());
        let mut of_list = self.list_part(height, left);
        let mut of_detail = self.detail_part(height, right);
        of_list.resize(height, Line::default());
        of_detail.resize(height, Line::default());
        let row = |(mut list, detail): (Line<'static>, Line<'static>)| {
            list.spans.push(Span::raw(" ".repeat(left.saturating_sub(line_width(&list)))));
            let style = if self.is_in_detail { theme::BRAND } else { theme::DIM };
            list.spans.push(Span::styled(SEPARATOR, style));
            let of_line = detail.style;
            list.spans.extend(
                detail.spans.into_iter().map(|span| Span::styled(span.content, of_line.patch(span.style))),
            );
            list
        };
        of_list.into_iter().zip(of_detail).map(row).collect()
    }

    pub(super) fn list_width(&self) -> usize {
        if self.is_wide() { (self.size.columns / 2).min(96) } else { self.size.columns }
    }

    pub(super) fn detail_width(&self) -> usize {
        if self.is_wide() {
            self.size.columns.saturating_sub(self.list_width() + SEPARATOR.chars().count())
        } else {
            self.size.columns
        }
    }

    /// Header, note and help stand around it.
    pub(super) fn detail_height(&self) -> usize {
        self.size.rows.saturating_sub(3).max(1)
    }

    pub(super) fn detail_rows(&self) -> usize {
        detail::rows(&self.detail, &self.zone, self.detail_width()).len()
    }

    /// Where the answer stands in the detail.
    pub(super) fn row_of_answer(&self) -> usize {
        let rows = detail::rows(&self.detail, &self.zone, self.detail_width());
        rows.iter().position(|row| row.to_string() == detail::ANSWERED).unwrap_or(0)
    }

    fn header(&self) -> Line<'static> {
        let name = if self.board.is_open { "chela dashboard" } else { "chela review" };
        let mut spans = vec![Span::styled(name, theme::BRAND)];
        let mut parts = Vec::new();
        if let Some(head) = &self.head {
            parts.push(format!("{} answers", head.serving));
            if self.progress.is_none() && head.learning.paused {
                parts.push("learning is paused".to_owned());
            }
            if let Some(run) = head.learning.last.as_ref().filter(|_| self.is_wide()) {
                parts.push(format!("run {} {}", run.id.0, ended(run.state)));
            }
        }
        parts.extend(self.progress.clone());
        if !self.list.marks.is_empty() {
            parts.push(format!("{} marked", self.list.marks.len()));
        }
        for part in parts {
            spans.push(Span::styled(format!(" · {part}"), theme::DIM));
        }
        if !self.filter.is_empty() {
            spans.push(Span::styled(format!(" · /{}", harmless(&self.filter)), theme::HINT));
        }
        Line::from(spans)
    }

    fn list_part(&self, height: usize, columns: usize) -> Vec<Line<'static>> {
        if self.list.rows.is_empty() {
            return self.emptiness(columns);
        }
        let shown = self.list.rows.iter().enumerate().skip(self.list.top).take(height.saturating_sub(1));
        let rows = shown.map(|(at, row)| {
            let is_marked = self.list.marks.contains_key(&Key::of(row));
            list::line(row, self.now_ms, columns, at == self.list.selected, is_marked)
        });
        let mut all = vec![list::heading(columns)];
        all.extend(rows);
        if all.len() < height
            && let Some(searching) = self.searching()
        {
            all.push(fit(Line::styled(searching, theme::DIM), columns));
        }
        all
    }

    /// Why the list is empty.
    fn emptiness(&self, columns: usize) -> Vec<Line<'static>> {
        let text = if let Some(searching) = self.searching() {
            searching
        } else if self.loading.is_some() {
            "reading the ledger …".to_owned()
        } else if self.note.as_ref().is_some_and(|note| note.is_trouble) {
            "nothing could be read; R tries again".to_owned()
        } else if self.filter.is_empty() {
            "nothing here yet: ask something, correct an answer, or: chela teach \"use rg instead of grep\""
                .to_owned()
        } else {
            "nothing fits; Esc shows everything".to_owned()
        };
        wrap_text(&text, theme::DIM, columns)
    }

    /// A search that goes on.
    fn searching(&self) -> Option<String> {
        self.list.next.filter(|_| self.loading.is_some())?;
        let to = self.looked_to?;
        Some(format!("searching, back to {} ago …", age(to, self.now_ms)))
    }

    fn board_part(&self, height: usize) -> Vec<Line<'static>> {
        let rows = self.board.rows(self.size.columns, self.now_ms);
        let top = self.board.scroll.min(rows.len().saturating_sub(height));
        rows.into_iter().skip(top).take(height).collect()
    }

    /// Rows of the dashboard, whether they are on the screen or not.
    pub(super) fn board_rows(&self) -> usize {
        self.board.rows(self.size.columns, self.now_ms).len()
    }

    fn detail_part(&self, height: usize, columns: usize) -> Vec<Line<'static>> {
        if self.detail.key.is_none() {
            return Vec::new();
        }
        let rows = detail::rows(&self.detail, &self.zone, columns);
        let top = self.detail.scroll.min(rows.len().saturating_sub(height));
        rows.into_iter().skip(top).take(height).collect()
    }

    /// One row, or as many as a sentence about trouble needs.
    fn note_rows(&self) -> Vec<Line<'static>> {
        match (&self.mode, &self.note) {
            (Mode::Browse, Some(note)) if note.is_trouble => {
                let mut rows = wrap_text(&one_line(&note.text), theme::ERROR, self.size.columns);
                rows.truncate(MOST_NOTE);
                rows
            }
            _ => vec![self.note_line()],
        }
    }

    /// What is being typed, what happened last, or what goes on.
    fn note_line(&self) -> Line<'static> {
        match &self.mode {
            Mode::Typing { what, field } => {
                if let Some(note) =
                    self.note.as_ref().filter(|note| note.is_trouble && matches!(what, Typing::Search(_)))
                {
                    let mut line = field.line("/", self.size.columns / 2);
                    line.spans.push(Span::styled(format!("  {}", one_line(&note.text)), theme::ERROR));
                    return line;
                }
                field.line(&label(what), self.size.columns)
            }
            _ => match &self.note {
                Some(note) if note.is_trouble => Line::styled(one_line(&note.text), theme::ERROR),
                Some(note) => Line::styled(one_line(&note.text), theme::OK),
                None if self.is_busy => Line::styled("writing …", theme::DIM),
                None => self.place(),
            },
        }
    }

    /// Which row of how many.
    fn place(&self) -> Line<'static> {
        if self.list.rows.is_empty() || self.board.is_open {
            return Line::default();
        }
        let (at, n_rows) = (self.list.selected + 1, self.list.rows.len());
        let more = if self.list.next.is_some() { " and more" } else { "" };
        Line::styled(format!("{at} of {n_rows}{more}"), theme::DIM)
    }

    /// The keys of the present state, as many as there is room for.
    fn help_line(&self) -> Line<'static> {
        let (keys, last): (&[&str], &str) = match &self.mode {
            Mode::Help(_) => (&["j k scroll"], "any other key closes"),
            Mode::Choosing(_) => (&["a letter chooses"], "Esc leaves"),
            Mode::Typing { what: Typing::Search(_), .. } => {
                return Line::styled(self.search_help(), theme::DIM);
            }
            Mode::Typing { .. } => (&["Enter saves", "Esc leaves"], "Ctrl+G in $EDITOR"),
            Mode::Browse if self.board.is_open => {
                (&["1 list", "j k scroll", "r retrain", "R count again"], "? all keys")
            }
            Mode::Browse if self.is_in_detail && !self.is_wide() => (
                &[
                    "Esc back", "d prune", "u undo", "w now", "c credit", "e edit", "f flip", "p pin",
                    "s scope",
                ],
                "? all keys",
            ),
            Mode::Browse => (
                &[
                    "Enter open",
                    "/ search",
                    "d prune",
                    "u undo",
                    "Space mark",
                    "e edit",
                    "w now",
                    "r retrain",
                ],
                "? all keys",
            ),
        };
        let mut text = String::new();
        for key in keys {
            if width(&text) + width(key) + width(last) + 6 <= self.size.columns {
                text += key;
                text += " · ";
            }
        }
        Line::styled(text + last, theme::DIM)
    }

    /// What may stand behind the key that is being typed.
    fn search_help(&self) -> String {
        let Mode::Typing { field, .. } = &self.mode else { return String::new() };
        let last = field.text().rsplit(' ').next().unwrap_or_default();
        match filter::KEYS.iter().find(|(key, _)| last.starts_with(key)) {
            Some((key, values)) => format!("{key} {values}"),
            None => "words, or source: project: rule: reward: state: session: · Esc as before".to_owned(),
        }
    }
}

fn ended(state: RunState) -> &'static str {
    match state {
        RunState::Running => "runs",
        RunState::Promoted => "was promoted",
        RunState::Rejected => "was rejected by the gate",
        RunState::Idle => "had nothing to learn",
        RunState::Cancelled => "was cancelled",
        RunState::Failed => "failed",
        RunState::Interrupted => "was interrupted",
    }
}

fn label(what: &Typing) -> String {
    match what {
        Typing::Search(_) => "/".to_owned(),
        Typing::Lesson(lesson) => format!("lesson #{}: ", lesson.0),
        Typing::Hint(turn) => format!("hint of turn {}: ", turn.0),
        Typing::Program(_) => "program: ".to_owned(),
        Typing::File => "write to: ".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

fn menu_rows(menu: &Menu) -> Vec<Line<'static>> {
    let mut rows = vec![Line::styled(menu.title, theme::BOLD)];
    rows.extend(menu.items.iter().map(|(key, label, _)| {
        Line::from(vec![Span::styled(format!("  {key}  "), theme::HINT), Span::raw(one_line(label))])
    }));
    rows
}

fn help(top: usize, height: usize, columns: usize) -> Vec<Line<'static>> {
    let mut rows = vec![Line::styled("keys", theme::BOLD)];
    let indent = if columns < 60 { 16 } else { 18 };
    for (keys, about) in KEYS {
        let texts = wrap_text(about, theme::PLAIN, columns.saturating_sub(indent));
        for (at, text) in texts.into_iter().enumerate() {
            let keys = if at == 0 { *keys } else { "" };
            let mut line = vec![Span::styled(format!("{keys:<indent$}"), theme::HINT)];
            line.extend(text.spans);
            rows.push(Line::from(line));
        }
    }
    let top = top.min(rows.len().saturating_sub(height));
    rows.into_iter().skip(top).take(height).collect()
}
