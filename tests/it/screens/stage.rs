//! A chat, its surface and a terminal, without threads and clocks.

use std::num::NonZeroU16;
use std::time::Duration;

use chela::config;
use chela::daemon::wire::{
    ChatChunk, ChelaAnswer, ChunkChoice, Delta, LoadedModel, ModelState, Status, Usage,
};
use chela::tui::app::{App, Effect, Event, Failure, Link, Start};
use chela::tui::surface::{Size, Surface};
use chela::tui::theme::Ink;
use chela::turn::{Ending, PolicyVersion, SessionId, TurnId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::Line;

pub(crate) struct Stage {
    pub app: App,
    surface: Surface,
    pub terminal: vt100::Parser,
    pub size: Size,
    pub now: Duration,
    /// Everything the chat asked for besides printing.
    pub effects: Vec<Effect>,
    committed: Vec<Line<'static>>,
    reflows: bool,
    /// Bytes of the last frame.
    pub last_frame: Vec<u8>,
    n_turns: i64,
    ticket: u64,
}

impl Stage {
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        Self::on(columns, rows, true, false)
    }

    pub(crate) fn plain() -> Self {
        Self::on(80, 24, true, true)
    }

    pub(crate) fn on(columns: usize, rows: usize, reflows: bool, is_plain: bool) -> Self {
        let size = Size { columns, rows };
        let ink = if is_plain { Ink::None } else { Ink::Full };
        let mut n_sessions = 0;
        let app = App::new(Start {
            size,
            ink,
            is_plain,
            settings: config::Chat::default(),
            cwd: "/home/ada/project".into(),
            name_session: Box::new(move || {
                n_sessions += 1;
                SessionId(format!("chat-{n_sessions}"))
            }),
        });
        let terminal = vt100::Parser::new(cells(rows), cells(columns), 10_000);
        let mut stage = Self {
            app,
            surface: Surface::new(ink, reflows, size),
            terminal,
            size,
            now: Duration::ZERO,
            effects: Vec::new(),
            committed: Vec::new(),
            reflows,
            last_frame: Vec::new(),
            n_turns: 0,
            ticket: 0,
        };
        stage.draw();
        stage
    }

    /// A chat whose model is loaded.
    pub(crate) fn ready(columns: usize, rows: usize) -> Self {
        let mut stage = Self::new(columns, rows);
        stage.event(Event::Link(ready()));
        stage
    }

    pub(crate) fn event(&mut self, event: Event) -> &mut Self {
        for effect in self.app.handle(event, self.now) {
            match effect {
                Effect::Print(lines) => self.committed.extend(lines),
                Effect::StartAnswer { ticket, .. } => {
                    self.ticket = ticket;
                    self.effects.push(effect);
                }
                other => self.effects.push(other),
            }
        }
        self.draw();
        self
    }

    pub(crate) fn draw(&mut self) {
        let committed = std::mem::take(&mut self.committed);
        self.last_frame = self.surface.frame(&committed, self.app.view(), self.size);
        self.terminal.process(&self.last_frame);
    }

    pub(crate) fn key(&mut self, code: KeyCode) -> &mut Self {
        self.event(Event::Key(KeyEvent::from(code)))
    }

    pub(crate) fn ctrl(&mut self, letter: char) -> &mut Self {
        self.event(Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)))
    }

    pub(crate) fn alt(&mut self, code: KeyCode) -> &mut Self {
        self.event(Event::Key(KeyEvent::new(code, KeyModifiers::ALT)))
    }

    pub(crate) fn typed(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            self.key(KeyCode::Char(letter));
        }
        self
    }

    pub(crate) fn send(&mut self, text: &str) -> &mut Self {
        self.typed(text).key(KeyCode::Enter)
    }

    /// The first chunk: the turn is in the ledger.
    pub(crate) fn placed(&mut self) -> &mut Self {
        self.placed_without(0)
    }

    pub(crate) fn placed_without(&mut self, dropped_messages: usize) -> &mut Self {
        self.n_turns += 1;
        let chela = self.chela(dropped_messages, None);
        self.chunk(ChatChunk { chela: Some(chela), ..empty_chunk() })
    }

    pub(crate) fn piece(&mut self, text: &str) -> &mut Self {
        let delta = Delta { role: None, content: Some(text.into()) };
        let choice = ChunkChoice { index: 0, delta, logprobs: None, finish_reason: None };
        self.chunk(ChatChunk { choices: vec![choice], ..empty_chunk() })
    }

    pub(crate) fn ended(&mut self, ending: Ending, total_tokens: usize) -> &mut Self {
        let choice = ChunkChoice {
            index: 0,
            delta: Delta::default(),
            logprobs: None,
            finish_reason: Some("stop".into()),
        };
        let chela = self.chela(0, Some(ending));
        let usage = Usage { total_tokens, ..Usage::default() };
        self.chunk(ChatChunk {
            choices: vec![choice],
            chela: Some(chela),
            usage: Some(usage),
            ..empty_chunk()
        });
        self.event(Event::AnswerEnded { ticket: self.ticket, outcome: Ok(()) })
    }

    pub(crate) fn failed(&mut self, failure: Failure) -> &mut Self {
        self.event(Event::AnswerEnded { ticket: self.ticket, outcome: Err(failure) })
    }

    /// One whole exchange, the answer in small pieces.
    pub(crate) fn exchange(&mut self, question: &str, answer: &str) -> &mut Self {
        self.send(question).placed();
        for piece in answer.split_inclusive(' ') {
            self.piece(piece);
        }
        self.ended(Ending::Stop, 300)
    }

    fn chunk(&mut self, chunk: ChatChunk) -> &mut Self {
        self.event(Event::Chunk { ticket: self.ticket, chunk: Box::new(chunk) })
    }

    fn chela(&self, dropped_messages: usize, ending: Option<Ending>) -> ChelaAnswer {
        let (turn, session) = (TurnId(self.n_turns), SessionId("chat-1".into()));
        let (policy, lessons) = (PolicyVersion::BASE, Vec::new());
        ChelaAnswer { turn, session, policy, dropped_messages, lessons, n_ctx: 8192, ending }
    }

    /// The window changes; a terminal that re-wraps does so at once.
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) -> &mut Self {
        if self.reflows {
            self.terminal = reflowed(&mut self.terminal, columns, rows);
        } else {
            self.terminal.set_size(cells(rows), cells(columns));
        }
        self.size = Size { columns, rows };
        self.event(Event::Resize(self.size))
    }

    /// What is visible, rows cut at their last character.
    pub(crate) fn screen(&self) -> String {
        let (_, columns) = self.terminal.screen().size();
        let rows: Vec<String> =
            self.terminal.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n")
    }

    /// Everything from the first line on, soft-wrapped rows joined.
    pub(crate) fn scrollback(&mut self) -> Vec<String> {
        logical_lines(&mut self.terminal).0
    }
}

pub(crate) fn ready() -> Link {
    let model = LoadedModel {
        name: "chela-starter".into(),
        path: "/models/starter.gguf".into(),
        description: "qwen3 0.6B Q8_0".into(),
        architecture: "qwen3".into(),
        n_params: 600_000_000,
        size_bytes: 640_000_000,
        n_ctx: 8192,
        n_ctx_train: 32_768,
        placement: "all 28 layers on the CPU".into(),
    };
    Link::Ready(Box::new(status(ModelState::Ready { model })))
}

pub(crate) fn status(model: ModelState) -> Status {
    Status {
        version: "0.1.0".into(),
        protocol: 1,
        pid: 4711,
        uptime_s: 60,
        memory_bytes: Some(812_000_000),
        policy: PolicyVersion::BASE,
        model,
        running_requests: 0,
        ledger: "/home/ada/ledger.db".into(),
        log: "/home/ada/chela.log".into(),
        tcp: None,
        notices: Vec::new(),
    }
}

fn empty_chunk() -> ChatChunk {
    ChatChunk {
        id: "c".into(),
        object: "chat.completion.chunk".into(),
        created: 0,
        model: "chela-starter".into(),
        choices: Vec::new(),
        usage: None,
        chela: None,
    }
}

fn cells(n: usize) -> NonZeroU16 {
    NonZeroU16::new(u16::try_from(n).unwrap()).unwrap()
}

/// A terminal of the new size with the same text, soft-wrapped rows wrapped anew, the cursor on the same character:
/// what kitty, VTE, tmux, `WezTerm`, iTerm2 and Windows Terminal do and the vt100 crate does not.
fn reflowed(old: &mut vt100::Parser, columns: usize, rows: usize) -> vt100::Parser {
    let (lines, cursor) = logical_lines(old);
    let mut new = vt100::Parser::new(cells(rows), cells(columns), 10_000);
    let last = lines.iter().rposition(|line| !line.is_empty()).unwrap_or(0).max(cursor.0);
    for (idx, line) in lines.iter().enumerate().take(last + 1) {
        if idx > 0 {
            new.process(b"\r\n");
        }
        new.process(line.as_bytes());
    }
    let below: usize =
        lines[cursor.0..=last].iter().map(|line| line.chars().count().div_ceil(columns).max(1)).sum();
    let (down, right) = (cursor.1 / columns, cursor.1 % columns);
    new.process(b"\r");
    if below - 1 > down {
        new.process(format!("\x1b[{}A", below - 1 - down).as_bytes());
    }
    if right > 0 {
        new.process(format!("\x1b[{right}C").as_bytes());
    }
    new
}

/// Scrollback and screen as lines before soft wrapping, and the cursor as (line, character).
fn logical_lines(terminal: &mut vt100::Parser) -> (Vec<String>, (usize, usize)) {
    let columns = usize::from(terminal.screen().size().1.get());
    let rows = usize::from(terminal.screen().size().0.get());
    let (cursor_row, cursor_column) = terminal.screen().cursor_position();
    let n_back = terminal.screen().scrollback_len();
    let mut all: Vec<(String, bool)> = Vec::new();
    for at in 0..n_back + rows {
        let offset = n_back.saturating_sub(at);
        terminal.screen_mut().set_scrollback(offset);
        let row = u16::try_from(at - (n_back - offset)).unwrap();
        let text = terminal.screen().rows(0, u16::try_from(columns).unwrap()).nth(usize::from(row)).unwrap();
        all.push((text, terminal.screen().row_wrapped(row)));
    }
    terminal.screen_mut().set_scrollback(0);
    let mut lines = vec![String::new()];
    let mut cursor = (0, 0);
    for (at, (text, wraps)) in all.iter().enumerate() {
        if at == n_back + usize::from(cursor_row) {
            let before = lines.last().unwrap().chars().count();
            cursor = (lines.len() - 1, before + usize::from(cursor_column));
        }
        lines.last_mut().unwrap().push_str(text);
        if !wraps && at + 1 < all.len() {
            lines.push(String::new());
        }
    }
    (lines.into_iter().map(|line| line.trim_end_matches(' ').to_owned()).collect(), cursor)
}
