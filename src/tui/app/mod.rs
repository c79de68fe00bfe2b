//! The chat as a state machine: events in, effects out. Owns no terminal, no thread, no clock.
//!
//! Time comes along with each event, as the time since the chat began. What stays on the screen is an effect
//! ([`Effect::Print`]); what is redrawn is `view`, a function of the state.

mod answer;
mod event;
mod keys;
mod learned;
mod lists;
mod off;
mod shell;
mod slash;
mod submit;
mod thread;

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::text::{Line, Span};

pub(crate) use answer::Answer;
pub use event::{Effect, Event, Failure, Link, Purpose, Telling};
pub(crate) use keys::Armed;
pub(crate) use shell::ShellCommand;
pub(crate) use slash::KEYS;
pub(crate) use thread::Thread;

use super::TokenCounter;
use super::ansi::harmless;
use super::composer::{Composer, Draft};
use super::history::History;
use super::markdown::Look;
use super::pager::Pager;
use super::picker::Picker;
use super::surface::Size;
use super::theme::{self, Background, Ink};
use super::wrap::wrap_text;
use crate::config;
use crate::daemon::wire::{LessonId, LoadedModel, ModelState, Status, Usage};
use crate::turn::{PolicyVersion, SessionId};

/// Makes names for new sessions.
pub type SessionNamer = Box<dyn FnMut() -> SessionId + Send>;

pub struct App {
    pub(crate) size: Size,
    pub(crate) ink: Ink,
    pub(crate) background: Background,
    pub(crate) is_plain: bool,
    pub(crate) settings: config::Chat,
    pub(crate) cwd: String,
    pub(crate) name_session: SessionNamer,
    pub(crate) composer: Composer,
    pub(crate) history: History,
    pub(crate) search: Option<Search>,
    pub(crate) queue: VecDeque<Draft>,
    pub(crate) overlay: Overlay,
    pub(crate) palette: Palette,
    pub(crate) pager: Option<Pager>,
    pub(crate) thread: Thread,
    /// The thread that is on the record, while what is said is off it.
    pub(crate) on_the_record: Option<Box<Thread>>,
    pub(crate) running: Running,
    pub(crate) link: Link,
    /// Tokens of the prompt and the answer of the last turn.
    pub(crate) usage: Option<Usage>,
    /// Bytes of text in the thread, for an estimate until the first usage is known.
    pub(crate) n_ctx: Option<usize>,
    pub(crate) policy: PolicyVersion,
    pub(crate) counter: Option<TokenCounter>,
    pub(crate) composer_tokens: usize,
    pub(crate) armed: Option<(Armed, Duration)>,
    pub(crate) pasting: Option<usize>,
    pub(crate) is_input_over: bool,
    /// In the newest prompt.
    pub(crate) n_lessons: usize,
    /// How far learning is, while a round runs.
    pub(crate) learning: Option<String>,
    /// The newest lesson that was drawn here and can be taken back.
    pub(crate) last_lesson: Option<LessonId>,
    pub(crate) now: Duration,
    n_tickets: u64,
    effects: Vec<Effect>,
}

/// What keeps the chat from taking the next message.
#[derive(Debug)]
pub(crate) enum Running {
    Nothing,
    Answer(Box<Answer>),
    Command(ShellCommand),
    /// Waiting for something short, named for the status line.
    Call(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Overlay {
    None,
    Keys,
    Picker(Picker),
}

#[derive(Debug, Default)]
pub(crate) struct Palette {
    pub selected: usize,
    /// The user closed it for the text that stands in the composer now.
    pub is_closed: bool,
}

/// Searching the history backwards.
#[derive(Debug)]
pub(crate) struct Search {
    pub query: String,
    pub skip: usize,
    /// What stood in the composer before.
    pub before: Draft,
}

/// What a chat begins with.
pub struct Start {
    pub size: Size,
    pub ink: Ink,
    pub is_plain: bool,
    pub settings: config::Chat,
    pub cwd: String,
    pub name_session: SessionNamer,
}

impl App {
    pub fn new(mut start: Start) -> Self {
        let background = match start.settings.theme {
            config::Theme::Light => Background::Light,
            config::Theme::Dark => Background::Dark,
            config::Theme::Auto | config::Theme::None => Background::Unknown,
        };
        let session = (start.name_session)();
        Self {
            size: start.size,
            ink: start.ink,
            background,
            is_plain: start.is_plain,
            settings: start.settings,
            cwd: start.cwd,
            name_session: start.name_session,
            composer: Composer::default(),
            history: History::default(),
            search: None,
            queue: VecDeque::new(),
            overlay: Overlay::None,
            palette: Palette::default(),
            pager: None,
            thread: Thread::new(session),
            on_the_record: None,
            running: Running::Nothing,
            link: Link::Starting,
            usage: None,
            n_ctx: None,
            policy: PolicyVersion::BASE,
            counter: None,
            composer_tokens: 0,
            armed: None,
            pasting: None,
            is_input_over: false,
            n_lessons: 0,
            learning: None,
            last_lesson: None,
            now: Duration::ZERO,
            n_tickets: 0,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened at `now` (time since the chat began) and returns what is to be done, in order.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        self.now = now;
        if self.armed.is_some_and(|(_, until)| now >= until) {
            self.armed = None;
        }
        let edits = matches!(event, Event::Key(_) | Event::Paste(_) | Event::Edited(_) | Event::Counter(_));
        self.take_in(event);
        self.pump();
        if edits {
            self.composer_tokens = self.estimate(self.composer.draft());
        }
        if self.is_plain
            && let Overlay::Picker(_) = self.overlay
        {
            self.print_choices();
        }
        std::mem::take(&mut self.effects)
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Key(key) => self.on_key(key),
            Event::Paste(pasted) => self.on_paste(pasted),
            Event::Pasting(n_bytes) => self.pasting = Some(n_bytes),
            Event::Line(line) => self.on_line(&line),
            Event::Cancel => self.cancel_or_quit(),
            Event::OffRecord => self.begin_off_record(),
            Event::Resuming => self.running = Running::Call("reading the session"),
            Event::EndOfInput => self.is_input_over = true,
            Event::Resize(size) => self.on_resize(size),
            Event::Tick => {}
            Event::Background(background) => self.on_background(background),
            Event::History(entries) => self.history.preload(entries),
            Event::Counter(counter) => self.counter = Some(counter),
            Event::Link(link) => self.on_link(link),
            Event::Chunk { ticket, chunk } => self.on_chunk(ticket, &chunk),
            Event::AnswerEnded { ticket, outcome } => self.on_answer_ended(ticket, outcome),
            Event::Thread { purpose, outcome } => self.on_thread(purpose, outcome),
            Event::Sessions(outcome) => self.on_sessions(outcome),
            Event::Models(outcome) => self.on_models(outcome),
            Event::Status(outcome) => self.on_status(outcome),
            Event::ModelUsed(outcome) => self.on_model_used(outcome),
            Event::CommandOutput(bytes) => self.on_command_output(&bytes),
            Event::CommandSkipped(n_bytes) => self.on_command_skipped(n_bytes),
            Event::CommandProgress(n_bytes) => self.on_command_progress(n_bytes),
            Event::CommandEnded(outcome) => self.on_command_ended(&outcome),
            Event::Edited(outcome) => self.on_edited(outcome),
            Event::Written(outcome) => self.on_written(outcome),
            Event::News(event) => self.on_news(&event),
            Event::Told(outcome) => self.on_told(outcome),
            Event::Trouble(trouble) => self.print_error(&trouble),
        }
    }

    /// When something changes by time alone; `None`: not before the next event.
    pub fn next_change(&self) -> Option<Duration> {
        let second = matches!(self.running, Running::Answer(_) | Running::Command(_))
            .then(|| Duration::from_secs(self.now.as_secs() + 1));
        let armed = self.armed.as_ref().map(|(_, until)| *until);
        if self.is_plain { None } else { second.into_iter().chain(armed).min() }
    }

    /// Nobody can say more, and everything was answered or cannot be.
    pub fn is_over(&self) -> bool {
        let is_done = self.queue.is_empty() || self.is_stuck();
        self.is_input_over && is_done && matches!(self.running, Running::Nothing)
    }

    /// Messages wait for a model that does not come.
    pub fn is_stuck(&self) -> bool {
        !self.queue.is_empty() && matches!(self.link, Link::Down(_))
    }

    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub fn set_plain(&mut self, is_plain: bool, ink: Ink) {
        self.is_plain = is_plain;
        self.ink = ink;
    }

    pub fn theme(&self) -> config::Theme {
        self.settings.theme
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// Rows of what covers the whole screen now.
    pub fn full_screen_rows(&mut self) -> Option<Vec<Line<'static>>> {
        let (look, size) = (self.look(), self.size);
        self.pager.as_mut().map(|pager| pager.rows(look, size))
    }

    pub fn ink(&self) -> Ink {
        self.ink
    }

    /// Whether a line of input is wanted now (plain mode).
    pub fn is_idle(&self) -> bool {
        matches!(self.running, Running::Nothing) && self.queue.is_empty()
    }

    pub(crate) fn look(&self) -> Look {
        Look { columns: self.size.columns, background: self.background }
    }

    /// Ctrl+C as a signal: it ends what runs, or the chat.
    fn cancel_or_quit(&mut self) {
        match self.running {
            Running::Answer(_) | Running::Command(_) => self.interrupt(),
            Running::Nothing | Running::Call(_) => self.effect(Effect::Quit),
        }
    }

    fn on_resize(&mut self, size: Size) {
        self.size = size;
        let look = self.look();
        if let Running::Answer(answer) = &mut self.running {
            answer.stream.set_look(look);
        }
    }

    /// The terminal's own answer; the settings have the last word.
    fn on_background(&mut self, background: Background) {
        if self.settings.theme == config::Theme::Auto {
            self.background = background;
            let look = self.look();
            if let Running::Answer(answer) = &mut self.running {
                answer.stream.set_look(look);
            }
        }
    }

    fn on_link(&mut self, link: Link) {
        match &link {
            Link::Ready(status) => self.on_ready(&status.clone()),
            Link::Down(reason) => {
                self.print_error(reason);
                if !self.queue.is_empty() {
                    self.print_dim("your messages wait; press Enter to try again");
                }
            }
            Link::Starting | Link::Loading(_) => {}
        }
        self.link = link;
    }

    fn on_ready(&mut self, status: &Status) {
        self.policy = status.policy;
        for notice in &status.notices {
            self.print_dim(notice);
        }
        if let ModelState::Ready { model } = &status.model {
            self.n_ctx = Some(model.n_ctx);
        }
    }

    pub(crate) fn model(&self) -> Option<&LoadedModel> {
        match &self.link {
            Link::Ready(status) => match &status.model {
                ModelState::Ready { model } => Some(model),
                _ => None,
            },
            _ => None,
        }
    }

    /// Starts the next thing that waits, when nothing runs.
    fn pump(&mut self) {
        while matches!(self.running, Running::Nothing) {
            let is_choosing = matches!(self.overlay, Overlay::Picker(_));
            if is_choosing && !self.is_plain {
                return;
            }
            let Some(front) = self.queue.front() else { return };
            let needs_model = !is_choosing && !front.text.starts_with(['/', '!']) && !front.is_blank();
            if needs_model && !matches!(self.link, Link::Ready(_)) {
                return;
            }
            let Some(draft) = self.queue.pop_front() else { return };
            if is_choosing {
                self.choose_by_number(draft.text.trim());
            } else if !draft.is_blank() {
                self.perform(draft);
            }
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn print(&mut self, lines: Vec<Line<'static>>) {
        if !lines.is_empty() {
            self.effects.push(Effect::Print(lines));
        }
    }

    pub(crate) fn print_dim(&mut self, text: &str) {
        let lines = wrap_text(&harmless(text), theme::DIM, self.size.columns);
        self.print(lines);
    }

    pub(crate) fn print_error(&mut self, text: &str) {
        let text = format!("error: {}", harmless(text));
        let lines = wrap_text(&text, theme::ERROR, self.size.columns);
        self.print(lines);
    }

    pub(crate) fn print_done(&mut self, text: &str) {
        let mut lines = wrap_text(&harmless(text), theme::PLAIN, self.size.columns.saturating_sub(2));
        if let Some(first) = lines.first_mut() {
            first.spans.insert(0, Span::styled("✓ ", theme::OK));
        }
        self.print(lines);
    }
}
