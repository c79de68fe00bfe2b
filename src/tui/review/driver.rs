//! Connects the pane to the terminal and to the daemon's client. The only place of the pane that knows the time.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGCONT, SIGINT, SIGWINCH};

use super::calls::Calls;
use super::event::{Effect, Event};
use super::pane::{Pane, Start};
use crate::config::Theme;
use crate::tui::driver::{Happening, received, watch_signals, write_all};
use crate::tui::input::{Input, Reply};
use crate::tui::options::{Connect, TerminalEnv};
use crate::tui::reader::{Mode, Reader};
use crate::tui::surface::full_screen;
use crate::tui::{process, terminal};

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// Events taken in before the next frame, at most.
const BATCH: usize = 512;

/// What the pane is opened with.
pub struct ReviewOptions {
    pub connect: Connect,
    pub env: TerminalEnv,
    pub theme: Theme,
    pub cwd: PathBuf,
    /// Where a text that is edited lies meanwhile.
    pub state_dir: PathBuf,
}

/// Shows the pane until the person leaves it. The exit code is 128 + n after signal n.
pub fn run(options: &ReviewOptions) -> anyhow::Result<ExitCode> {
    if !options.env.is_capable() {
        anyhow::bail!(
            "the review pane needs a terminal; chela turns, chela lessons and chela why print the same"
        );
    }
    let (events, inbox) = channel();
    let troubles = events.clone();
    terminal::restore_on_panic(move |trouble| {
        let _ = troubles.send(Happening::Review(Box::new(Event::Trouble(trouble))));
    });
    terminal::take()?;
    let reader = Reader::spawn(Mode::Keys, events.clone())?;
    watch_signals(events.clone())?;
    let left = visit(&Guest { inbox: &inbox, events: &events, reader: Some(&reader) }, options);
    terminal::give_back();
    Ok(ExitCode::from(left?.exit.unwrap_or(0)))
}

/// A terminal that is taken already, and the channel through which its keys come.
pub(in crate::tui) struct Guest<'a> {
    pub(in crate::tui) inbox: &'a Receiver<Happening>,
    pub(in crate::tui) events: &'a Sender<Happening>,
    pub(in crate::tui) reader: Option<&'a Reader>,
}

/// How a visit ended.
pub(in crate::tui) struct Left {
    /// The whole program is to end with this code.
    pub(in crate::tui) exit: Option<u8>,
    /// What came meanwhile and was not for the pane.
    pub(in crate::tui) deferred: Vec<Happening>,
}

/// The pane on the second screen; afterwards the first one is as it was.
pub(in crate::tui) fn visit(guest: &Guest<'_>, options: &ReviewOptions) -> anyhow::Result<Left> {
    let mut driver = Driver::new(guest, options)?;
    terminal::enter_full_screen()?;
    terminal::take_mouse()?;
    let outcome = driver.run_to_end();
    terminal::leave_mouse()?;
    terminal::leave_full_screen()?;
    outcome?;
    Ok(Left { exit: driver.exit, deferred: driver.deferred })
}

struct Driver<'a> {
    guest: &'a Guest<'a>,
    options: &'a ReviewOptions,
    pane: Pane,
    calls: Calls,
    deferred: Vec<Happening>,
    drawn: Vec<u8>,
    last_frame: Option<Instant>,
    is_dirty: bool,
    is_over: bool,
    exit: Option<u8>,
}

impl<'a> Driver<'a> {
    fn new(guest: &'a Guest<'a>, options: &'a ReviewOptions) -> anyhow::Result<Self> {
        let pane = Pane::new(Start {
            size: terminal::size(),
            ink: options.env.ink(options.theme),
            now_ms: now_ms(),
            zone: TimeZone::system(),
            cwd: options.cwd.display().to_string(),
        });
        let calls = Calls::start(&options.connect, guest.events)?;
        Ok(Self {
            guest,
            options,
            pane,
            calls,
            deferred: Vec::new(),
            drawn: Vec::new(),
            last_frame: None,
            is_dirty: true,
            is_over: false,
            exit: None,
        })
    }

    fn run_to_end(&mut self) -> anyhow::Result<()> {
        let opening = self.pane.open();
        self.execute_all(opening)?;
        while !self.is_over {
            if self.is_dirty && self.last_frame.is_none_or(|last| last.elapsed() >= FRAME) {
                self.draw()?;
            }
            if let Some(happening) = self.next()? {
                self.take_in(happening)?;
                for _ in 0..BATCH {
                    let Ok(happening) = self.guest.inbox.try_recv() else { break };
                    self.take_in(happening)?;
                }
            }
        }
        Ok(())
    }

    fn next(&self) -> anyhow::Result<Option<Happening>> {
        let until = self.last_frame.filter(|_| self.is_dirty).map(|last| last + FRAME);
        received(self.guest.inbox, until)
    }

    fn take_in(&mut self, happening: Happening) -> anyhow::Result<()> {
        match happening {
            Happening::Input(Input::Key(key)) => self.handle(Event::Key(key)),
            Happening::Input(Input::Mouse(mouse)) => self.handle(Event::Mouse(mouse)),
            Happening::Input(Input::Paste(pasted)) => self.handle(Event::Paste(pasted.text)),
            Happening::Input(Input::Reply(Reply::Keyboard)) => Ok(terminal::take_keyboard()?),
            Happening::Input(Input::Pasting(_) | Input::Reply(_)) | Happening::Line(_) => Ok(()),
            // The terminal is gone.
            Happening::EndOfInput => {
                self.leave(128 + 1);
                Ok(())
            }
            Happening::Signal(SIGWINCH) => {
                self.is_dirty = true;
                Ok(())
            }
            Happening::Signal(SIGCONT) => self.reclaim(),
            Happening::Signal(SIGINT) => {
                self.is_over = true;
                Ok(())
            }
            // The numbers of signals are below 128.
            Happening::Signal(signal) => {
                self.leave(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)));
                Ok(())
            }
            Happening::Review(event) => self.handle(*event),
            other @ Happening::Event(_) => {
                self.deferred.push(other);
                Ok(())
            }
        }
    }

    fn leave(&mut self, exit: u8) {
        self.exit = Some(exit);
        self.is_over = true;
    }

    fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        self.is_dirty = true;
        let effects = self.pane.handle(event, now_ms());
        self.execute_all(effects)
    }

    fn execute_all(&mut self, effects: Vec<Effect>) -> anyhow::Result<()> {
        effects.into_iter().try_for_each(|effect| self.execute(effect))
    }

    fn execute(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Quit => self.is_over = true,
            Effect::Redraw => self.drawn.clear(),
            Effect::Mouse(true) => terminal::take_mouse()?,
            Effect::Mouse(false) => terminal::leave_mouse()?,
            Effect::OpenEditor(text) => {
                let editor = self.options.env.editor.clone().unwrap_or_else(|| "vi".into());
                self.release();
                let edited = process::edit(&editor, &text, &self.options.state_dir);
                self.reclaim()?;
                return self.handle(Event::Edited(edited));
            }
            Effect::Suspend => {
                self.release();
                kill_process(getpid(), Signal::STOP)?;
                self.reclaim()?;
            }
            other => self.calls.execute(other),
        }
        Ok(())
    }

    /// Gives the terminal to somebody else for a while.
    fn release(&self) {
        if let Some(reader) = self.guest.reader {
            reader.set_mode(Mode::Paused);
        }
        terminal::give_back();
    }

    fn reclaim(&mut self) -> anyhow::Result<()> {
        terminal::give_back();
        terminal::take()?;
        terminal::enter_full_screen()?;
        if self.pane.has_mouse() {
            terminal::take_mouse()?;
        }
        if let Some(reader) = self.guest.reader {
            reader.set_mode(Mode::Keys);
        }
        self.drawn.clear();
        self.is_dirty = true;
        Ok(())
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        self.is_dirty = false;
        let size = terminal::size();
        if size != self.pane.size() {
            self.handle(Event::Resize(size))?;
            self.is_dirty = false;
            self.drawn.clear();
        }
        let bytes = full_screen(&self.pane.rows(), self.pane.ink());
        if self.drawn != bytes {
            write_all(&bytes)?;
            self.drawn = bytes;
        }
        self.last_frame = Some(Instant::now());
        Ok(())
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
