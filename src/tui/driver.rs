//! Connects the chat to the world: executes its effects, feeds it events through one channel, draws when something
//! changed. The only place of the chat that knows the time.

mod effects;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::text::Line;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use super::app::{App, Event, Start};
use super::calls::Calls;
use super::history::HistoryFile;
use super::input::{Input, Reply};
use super::options::{ChatOptions, TerminalEnv};
use super::process;
use super::reader::{Mode, Reader};
use super::surface::Surface;
use super::theme::{Background, Ink};
use super::{highlight, review, terminal};
use crate::turn::SessionId;

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// How long the terminal has for its answers about itself.
const REPLY_PATIENCE: Duration = Duration::from_millis(100);
/// Events taken in before the next frame, at most.
const BATCH: usize = 512;

/// Everything that comes through the channel.
pub(crate) enum Happening {
    Input(Input),
    Line(String),
    EndOfInput,
    Signal(i32),
    Event(Box<Event>),
    /// For the review pane.
    Review(Box<review::Event>),
}

impl Happening {
    pub(crate) fn event(event: Event) -> Self {
        Self::Event(Box::new(event))
    }
}

/// Runs the chat until its end. The exit code is 128 + n after signal n.
pub fn run(options: &ChatOptions) -> anyhow::Result<ExitCode> {
    let (events, inbox) = channel();
    let mut driver = Driver::new(options, events, inbox);
    if !driver.app.is_plain() {
        let events = driver.events.clone();
        terminal::restore_on_panic(move |trouble| {
            let _ = events.send(Happening::event(Event::Trouble(trouble)));
        });
        terminal::take()?;
        driver.draw()?;
        terminal::ask()?;
    }
    driver.start_threads(options)?;
    let outcome = driver.run_to_end();
    driver.end();
    match outcome {
        Err(err) if is_broken_pipe(&err) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

fn is_broken_pipe(err: &anyhow::Error) -> bool {
    err.downcast_ref::<std::io::Error>().is_some_and(|err| err.kind() == std::io::ErrorKind::BrokenPipe)
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own owner")]
struct Driver {
    app: App,
    surface: Surface,
    calls: Calls,
    events: Sender<Happening>,
    inbox: Receiver<Happening>,
    reader: Option<Reader>,
    command: Option<process::Running>,
    /// Lines that the next frame prints.
    committed: VecDeque<Line<'static>>,
    full_screen: Option<Vec<u8>>,
    env: TerminalEnv,
    cwd: PathBuf,
    history: HistoryFile,
    remembers: bool,
    state_dir: PathBuf,
    started: Instant,
    /// When the terminal was asked about itself.
    asked: Instant,
    last_frame: Option<Instant>,
    is_dirty: bool,
    is_suspended: bool,
    has_replied: bool,
    /// A prompt stands on the last line (plain mode).
    has_prompt: bool,
    exit: Option<u8>,
}

impl Driver {
    fn new(options: &ChatOptions, events: Sender<Happening>, inbox: Receiver<Happening>) -> Self {
        let env = options.env.clone();
        let is_plain = options.plain || options.settings.plain || env.is_accessible || !env.is_capable();
        let ink = if is_plain { Ink::None } else { env.ink(options.settings.theme) };
        let size = terminal::size();
        let app = App::new(Start {
            size,
            ink,
            is_plain,
            settings: options.settings.clone(),
            cwd: options.cwd.display().to_string(),
            name_session: Box::new(new_session),
        });
        let (connect, list_models) = (options.connect.clone(), options.list_models.clone());
        Self {
            app,
            surface: Surface::new(ink, env.reflows(), size),
            calls: Calls::new(connect, list_models, options.load_counter.clone(), events.clone()),
            events,
            inbox,
            reader: None,
            command: None,
            committed: VecDeque::new(),
            full_screen: None,
            env,
            cwd: options.cwd.clone(),
            history: HistoryFile {
                path: options.paths.history_file(),
                redactor: Arc::clone(&options.redactor),
            },
            remembers: options.remembers,
            state_dir: options.paths.state_dir.clone(),
            started: Instant::now(),
            asked: Instant::now(),
            last_frame: None,
            is_dirty: true,
            is_suspended: false,
            has_replied: is_plain,
            has_prompt: false,
            exit: None,
        }
    }

    fn start_threads(&mut self, options: &ChatOptions) -> anyhow::Result<()> {
        let mode = if self.app.is_plain() { Mode::Lines } else { Mode::Keys };
        self.reader = Some(Reader::spawn(mode, self.events.clone())?);
        watch_signals(self.events.clone())?;
        self.calls.connect();
        let (events, history) = (self.events.clone(), self.history.clone());
        self.calls.spawn("history", move |_| {
            let event = match history.load() {
                Ok(entries) => Event::History(entries),
                Err(err) => Event::Trouble(format!("cannot read {}: {err}", history.path.display())),
            };
            let _ = events.send(Happening::event(event));
            highlight::warm_up();
        });
        if options.is_off_record {
            self.handle(Event::OffRecord)?;
        }
        if let Some(resume) = options.resume.clone() {
            self.handle(Event::Resuming)?;
            self.calls.resume(resume);
        }
        Ok(())
    }

    fn run_to_end(&mut self) -> anyhow::Result<ExitCode> {
        loop {
            if self.is_frame_due() {
                self.draw()?;
            }
            self.show_prompt()?;
            if let Some(code) = self.exit {
                return Ok(ExitCode::from(code));
            }
            if self.app.is_over() {
                return Ok(if self.app.is_stuck() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            if let Some(happening) = self.next()? {
                self.take_in(happening)?;
                for _ in 0..BATCH {
                    let Ok(happening) = self.inbox.try_recv() else { break };
                    self.take_in(happening)?;
                }
            } else if !self.is_dirty {
                self.handle(Event::Tick)?;
            }
        }
    }

    /// Waits for what happens next, but not past the next frame or change.
    fn next(&mut self) -> anyhow::Result<Option<Happening>> {
        let until = if self.is_dirty && !self.app.is_plain() && !self.is_suspended {
            self.last_frame.map(|last| last + FRAME)
        } else {
            self.app.next_change().map(|at| self.started + at)
        };
        received(&self.inbox, until)
    }

    fn take_in(&mut self, happening: Happening) -> anyhow::Result<()> {
        match happening {
            Happening::Input(Input::Key(key)) => self.handle(Event::Key(key)),
            Happening::Input(Input::Paste(pasted)) => self.handle(Event::Paste(pasted)),
            Happening::Input(Input::Pasting(n_bytes)) => self.handle(Event::Pasting(n_bytes)),
            Happening::Input(Input::Reply(reply)) => self.on_reply(reply),
            // The mouse is the terminal's here; what was meant for the review pane is over with it.
            Happening::Input(Input::Mouse(_)) | Happening::Review(_) => Ok(()),
            Happening::Line(line) => {
                self.has_prompt = false;
                self.handle(Event::Line(line))
            }
            Happening::EndOfInput if self.app.is_plain() => self.handle(Event::EndOfInput),
            // The terminal is gone.
            Happening::EndOfInput => {
                self.exit = Some(128 + 1);
                Ok(())
            }
            Happening::Signal(signal) => self.on_signal(signal),
            Happening::Event(event) => self.handle(*event),
        }
    }

    fn on_reply(&mut self, reply: Reply) -> anyhow::Result<()> {
        match reply {
            Reply::Background(brightness) => {
                let background = if brightness > 127 { Background::Light } else { Background::Dark };
                self.handle(Event::Background(background))
            }
            Reply::Keyboard => Ok(terminal::take_keyboard()?),
            Reply::Attributes => {
                self.has_replied = true;
                Ok(())
            }
        }
    }

    fn on_signal(&mut self, signal: i32) -> anyhow::Result<()> {
        match signal {
            SIGWINCH => {
                self.is_dirty = true;
                Ok(())
            }
            SIGCONT => self.come_back(),
            SIGINT => self.handle(Event::Cancel),
            // The numbers of signals are below 128.
            signal => {
                self.exit = Some(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)));
                Ok(())
            }
        }
    }

    fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        self.is_dirty = true;
        for effect in self.app.handle(event, self.started.elapsed()) {
            self.execute(effect)?;
        }
        Ok(())
    }

    fn is_frame_due(&self) -> bool {
        let has_waited = self.last_frame.is_none_or(|last| last.elapsed() >= FRAME);
        self.is_dirty && has_waited && !self.is_suspended && !self.app.is_plain()
    }

    /// One frame: what is finished goes above, the live area is brought up to date.
    fn draw(&mut self) -> anyhow::Result<()> {
        self.is_dirty = false;
        let size = terminal::size();
        if size != self.app.size() {
            self.handle(Event::Resize(size))?;
            self.is_dirty = false;
        }
        if let Some(rows) = self.app.full_screen_rows() {
            self.draw_full_screen(&rows)?;
        } else {
            if self.full_screen.take().is_some() {
                terminal::leave_full_screen()?;
            }
            self.surface.set_ink(self.app.ink());
            let committed: Vec<Line<'static>> = self.committed.drain(..).collect();
            let bytes = self.surface.frame(&committed, self.app.view(), size);
            write_all(&bytes)?;
        }
        self.last_frame = Some(Instant::now());
        Ok(())
    }

    fn draw_full_screen(&mut self, rows: &[Line<'static>]) -> anyhow::Result<()> {
        terminal::enter_full_screen()?;
        let bytes = super::surface::full_screen(rows, self.app.ink());
        if self.full_screen.as_ref() != Some(&bytes) {
            write_all(&bytes)?;
            self.full_screen = Some(bytes);
        }
        Ok(())
    }

    /// The prompt of plain mode, when a person is there to answer it.
    fn show_prompt(&mut self) -> anyhow::Result<()> {
        let wanted = self.app.is_plain() && self.app.is_idle() && self.env.is_stdin_tty && !self.has_prompt;
        if wanted && self.exit.is_none() {
            self.has_prompt = true;
            terminal::write(if self.app.is_off_record() { "off> " } else { "> " })?;
        }
        Ok(())
    }

    /// What is on the screen stays, the live area goes, the terminal is given back.
    fn end(&mut self) {
        if self.app.is_plain() {
            if self.has_prompt {
                let _ = terminal::write("\n");
            }
            return;
        }
        self.await_replies();
        if self.full_screen.take().is_some() {
            let _ = terminal::leave_full_screen();
        }
        let _ = self.flush_committed();
        terminal::give_back();
    }

    /// Answers of the terminal that are still on their way would be typed into the shell.
    fn await_replies(&mut self) {
        let deadline = self.asked + REPLY_PATIENCE;
        while !self.has_replied {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Happening::Input(Input::Reply(Reply::Attributes))) => self.has_replied = true,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// 80 random bits are enough to never meet again.
fn new_session() -> SessionId {
    let mut random = [0; 10];
    // Without a random source the name is made of the time, which is unique enough for one person.
    if getrandom::fill(&mut random).is_err() {
        let now = jiff::Timestamp::now().as_nanosecond().to_le_bytes();
        for (byte, from) in random.iter_mut().zip(now) {
            *byte = from;
        }
    }
    let name = random.iter().fold(String::from("chat-"), |name, byte| format!("{name}{byte:02x}"));
    SessionId(name)
}

/// Signals that concern a view come as happenings from now on.
pub(super) fn watch_signals(events: Sender<Happening>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGCONT])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if events.send(Happening::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// What happens next; `None`: nothing did until this moment.
pub(super) fn received(
    inbox: &Receiver<Happening>,
    until: Option<Instant>,
) -> anyhow::Result<Option<Happening>> {
    let received = match until {
        Some(until) => inbox.recv_timeout(until.saturating_duration_since(Instant::now())),
        None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    match received {
        Ok(happening) => Ok(Some(happening)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the input has stopped"),
    }
}

pub(super) fn write_all(bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    if bytes.is_empty() {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
