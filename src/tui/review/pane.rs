//! The pane's state, and what happens to it. Pure: keys and answers in, effects out.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::board::Board;
use super::event::{Done, Effect, Event, Head, Key, Step};
use super::field::Field;
use super::filter;
use super::list::List;
use super::menu::Menu;
use super::story::Detail;
use crate::daemon::wire::LoopEvent;
use crate::daemon::wire::review::{ReviewPage, ReviewQuery};
use crate::tui::surface::Size;
use crate::tui::theme::Ink;

/// Rows that are asked for at a time.
pub(super) const PAGE: usize = 100;
/// Rows that are read again after a change, at most.
const MOST_AGAIN: usize = 1000;
/// From this width on, list and detail stand side by side.
const WIDE: usize = 100;

/// What a pane begins with.
pub struct Start {
    pub size: Size,
    pub ink: Ink,
    /// Unix milliseconds.
    pub now_ms: i64,
    pub zone: TimeZone,
    /// What `project:.` stands for, and where files are written.
    pub cwd: String,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own owner")]
pub struct Pane {
    pub(super) size: Size,
    pub(super) ink: Ink,
    pub(super) now_ms: i64,
    pub(super) zone: TimeZone,
    pub(super) cwd: String,
    pub(super) list: List,
    pub(super) detail: Detail,
    /// On a narrow screen it is what is shown, on a wide one where keys that move go.
    pub(super) is_in_detail: bool,
    pub(super) mode: Mode,
    /// As it was typed, and as it is asked.
    pub(super) filter: String,
    pub(super) query: ReviewQuery,
    pub(super) head: Option<Head>,
    /// What is being learned, in words.
    pub(super) progress: Option<String>,
    pub(super) note: Option<Note>,
    /// The question whose answer is waited for.
    pub(super) loading: Option<Loading>,
    /// How far back was searched, in Unix milliseconds.
    pub(super) looked_to: Option<i64>,
    /// Something changed since the list was read.
    is_stale: bool,
    has_loaded: bool,
    n_tickets: u64,
    /// What can be taken back, last one last.
    pub(super) done: Vec<(String, Vec<Step>)>,
    /// A step is under way: the next waits.
    pub(super) is_busy: bool,
    pub(super) has_mouse: bool,
    pub(super) board: Board,
}

/// What keys are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Browse,
    Typing {
        what: Typing,
        field: Field,
    },
    Choosing(Menu),
    /// All keys; how far they are scrolled.
    Help(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typing {
    /// With the filter as it was before.
    Search(String),
    Lesson(crate::daemon::wire::LessonId),
    Hint(crate::turn::TurnId),
    /// The program that these lessons hold for.
    Program(Vec<crate::daemon::wire::LessonId>),
    File,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    pub(super) is_trouble: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loading {
    pub(super) ticket: u64,
    /// The list's next part; otherwise its beginning.
    is_more: bool,
}

impl Pane {
    pub fn new(start: Start) -> Self {
        let Start { size, ink, now_ms, zone, cwd } = start;
        Self {
            size,
            ink,
            now_ms,
            zone,
            cwd,
            list: List::default(),
            detail: Detail::default(),
            is_in_detail: false,
            mode: Mode::Browse,
            filter: String::new(),
            query: ReviewQuery::default(),
            head: None,
            progress: None,
            note: None,
            loading: None,
            looked_to: None,
            is_stale: false,
            has_loaded: false,
            n_tickets: 0,
            done: Vec::new(),
            is_busy: false,
            has_mouse: true,
            board: Board::default(),
        }
    }

    /// What the pane asks for when it opens.
    pub fn open(&mut self) -> Vec<Effect> {
        vec![self.load(), Effect::LoadHead]
    }

    pub fn size(&self) -> Size {
        self.size
    }

    pub fn ink(&self) -> Ink {
        self.ink
    }

    pub(super) fn has_mouse(&self) -> bool {
        self.has_mouse
    }

    pub(super) fn is_wide(&self) -> bool {
        self.size.columns >= WIDE
    }

    /// Rows that the list has on the screen: all but header, heading, note and help.
    pub(super) fn list_height(&self) -> usize {
        self.size.rows.saturating_sub(4).max(1)
    }

    pub fn handle(&mut self, event: Event, now_ms: i64) -> Vec<Effect> {
        self.now_ms = now_ms;
        let mut effects = match event {
            Event::Key(key) => self.on_key(key),
            Event::Mouse(mouse) => self.on_mouse(mouse),
            Event::Paste(text) => self.on_paste(&text),
            Event::Resize(size) => {
                self.size = size;
                Vec::new()
            }
            Event::Page { ticket, outcome } => self.on_page(ticket, outcome),
            Event::Story { key, outcome } => {
                self.detail.tell(key, outcome);
                Vec::new()
            }
            Event::Done(done) => self.on_done(done),
            Event::Answered { key, way, outcome } => {
                self.detail.answered(key, way, outcome);
                Vec::new()
            }
            Event::Weighed { key, outcome } => {
                self.detail.weighed(key, outcome);
                if self.detail.credit.is_some() && self.detail.scroll == 0 {
                    self.detail.scroll = self.row_of_answer();
                }
                Vec::new()
            }
            Event::Head(Ok(head)) => {
                self.head = Some(*head);
                Vec::new()
            }
            Event::Stats(Ok(stats)) => {
                self.board.stats = Some(stats);
                Vec::new()
            }
            Event::Stats(Err(reason)) | Event::Head(Err(reason)) | Event::Trouble(reason) => {
                self.trouble(reason)
            }
            Event::Learning(outcome) => self.say(outcome),
            Event::Exported(outcome) => self.on_exported(outcome),
            Event::Edited(outcome) => self.on_edited(outcome),
            Event::News(news) => self.on_news(&news),
            Event::Silence => {
                self.progress = None;
                self.trouble("the daemon went away; what asks it next starts it again".to_owned())
            }
        };
        effects.extend(self.settle());
        effects
    }

    /// What follows from where things stand now: the window, the detail of the selected row, rows that are missing.
    fn settle(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let height = self.list_height();
        self.list.follow(height);
        if self.detail.turn_to(self.list.key()) {
            effects.extend(self.list.key().map(Effect::LoadStory));
        }
        let is_short = self.list.selected + 2 * height >= self.list.rows.len();
        if self.loading.is_none() && self.is_stale {
            effects.push(self.load());
        } else if self.loading.is_none() && self.has_loaded && is_short && self.list.next.is_some() {
            effects.push(self.load_more());
        }
        effects
    }

    /// The beginning of the list, as long as it is now.
    pub(super) fn load(&mut self) -> Effect {
        self.is_stale = false;
        let limit = self.list.rows.len().clamp(PAGE, MOST_AGAIN);
        self.ask(false, ReviewQuery { limit: Some(limit), ..self.query.clone() })
    }

    fn load_more(&mut self) -> Effect {
        let from = self.list.next.unwrap_or_default();
        let (before_turn, before_lesson) = (from.turn, from.lesson);
        let query = ReviewQuery { before_turn, before_lesson, limit: Some(PAGE), ..self.query.clone() };
        self.ask(true, query)
    }

    fn ask(&mut self, is_more: bool, query: ReviewQuery) -> Effect {
        self.n_tickets += 1;
        let ticket = self.n_tickets;
        self.loading = Some(Loading { ticket, is_more });
        Effect::Load { ticket, query: Box::new(query) }
    }

    fn on_page(&mut self, ticket: u64, outcome: Result<ReviewPage, String>) -> Vec<Effect> {
        let Some(loading) = self.loading.filter(|loading| loading.ticket == ticket) else {
            return Vec::new();
        };
        self.loading = None;
        let page = match outcome {
            Ok(page) => page,
            Err(reason) => {
                // What is shown stays; it is not asked for again by itself.
                self.has_loaded = false;
                return self.trouble(reason);
            }
        };
        self.has_loaded = true;
        self.looked_to = page.looked_to;
        if loading.is_more {
            self.list.rows.extend(page.rows);
            self.list.next = page.next;
        } else {
            self.list.replace(page.rows, page.next);
        }
        Vec::new()
    }

    /// Another question from now on: from the top, without what was marked.
    pub(super) fn search(&mut self, text: &str) -> Vec<Effect> {
        match filter::parse(text, &self.cwd) {
            Err(reason) => self.trouble(reason),
            Ok(query) => {
                text.clone_into(&mut self.filter);
                self.note = None;
                if query == self.query && self.has_loaded {
                    return Vec::new();
                }
                self.query = query;
                self.list = List::default();
                self.looked_to = None;
                vec![self.load()]
            }
        }
    }

    fn on_done(&mut self, done: Done) -> Vec<Effect> {
        self.is_busy = false;
        let Done { what, is_undo, back, left, trouble, is_refused } = done;
        let text = match (&trouble, is_undo) {
            (Some(reason), _) => format!("{what}: {reason}"),
            (None, true) => format!("taken back: {what}"),
            (None, false) if back.is_empty() => format!("{what}: it was so already"),
            (None, false) => format!("{what} · u takes it back"),
        };
        self.note = Some(Note { text, is_trouble: trouble.is_some() });
        if !is_undo && !back.is_empty() {
            self.done.push((what, back));
        } else if is_undo && !left.is_empty() && !is_refused {
            // Nobody said no: it can be tried again.
            self.done.push((what, left));
        }
        if trouble.is_none() {
            self.list.marks.clear();
        }
        self.refresh()
    }

    /// List and story are read again.
    pub(super) fn refresh(&mut self) -> Vec<Effect> {
        let mut effects = vec![self.load()];
        effects.extend(self.detail.key.map(Effect::LoadStory));
        effects
    }

    fn on_exported(&mut self, outcome: Result<(PathBuf, usize), String>) -> Vec<Effect> {
        self.is_busy = false;
        self.say(outcome.map(|(path, n_rows)| {
            let rows = if n_rows == 1 { "1 row".to_owned() } else { format!("{n_rows} rows") };
            format!("{rows} written to {}", path.display())
        }))
    }

    fn on_news(&mut self, news: &LoopEvent) -> Vec<Effect> {
        self.board.on_news(news);
        let mut effects = self.heard(news);
        let is_counted = matches!(
            news,
            LoopEvent::Decided { .. }
                | LoopEvent::Serving { .. }
                | LoopEvent::Judged { .. }
                | LoopEvent::Lesson { .. }
        );
        if self.board.is_open && is_counted {
            effects.push(Effect::LoadStats);
        }
        effects
    }

    fn heard(&mut self, news: &LoopEvent) -> Vec<Effect> {
        match news {
            LoopEvent::Learning { run, phase, done, total, .. } => {
                self.progress = Some(format!("run {run}: {} {done}/{total}", phase.name()));
                Vec::new()
            }
            LoopEvent::Decided { version, is_promoted, reasons, .. } => {
                self.progress = None;
                let word = if *is_promoted { "serves now" } else { "was rejected" };
                let reason = reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
                self.is_stale = true;
                let mut effects = self.say(Ok(format!("{version} {word}{reason}")));
                effects.push(Effect::LoadHead);
                effects
            }
            LoopEvent::Serving { .. } => {
                self.is_stale = true;
                vec![Effect::LoadHead]
            }
            LoopEvent::Judged { turn, .. } => {
                self.is_stale = true;
                let shown = self.detail.key.filter(|key| key.turn == Some(*turn));
                shown.map(Effect::LoadStory).into_iter().collect()
            }
            LoopEvent::Lesson { .. } | LoopEvent::Forgotten { .. } | LoopEvent::Missed { .. } => {
                self.is_stale = true;
                Vec::new()
            }
            LoopEvent::Waiting { .. } => {
                self.progress = None;
                Vec::new()
            }
        }
    }

    pub(super) fn say(&mut self, outcome: Result<String, String>) -> Vec<Effect> {
        let is_trouble = outcome.is_err();
        let (Ok(text) | Err(text)) = outcome;
        self.note = Some(Note { text, is_trouble });
        Vec::new()
    }

    pub(super) fn trouble(&mut self, reason: String) -> Vec<Effect> {
        self.say(Err(reason))
    }

    /// The selected row's key, for steps that concern one row only.
    pub(super) fn key(&self) -> Option<Key> {
        self.list.key()
    }
}
