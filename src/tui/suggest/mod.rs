//! The inline prompt of `chela suggest`: a question, the answer as it streams, and a command for the shell's line.
//!
//! What lives here: the prompt's state (`prompt`), what it looks like (`view`), the terminal it is drawn on (`tty`), and
//! the loop that joins them. What does not: what is asked, and of whom; that is the caller's `Work`.
//!
//! What always holds: standard output is never touched, it carries the command to the shell; nothing is executed; when
//! the prompt is gone the screen, the cursor's row and the terminal's modes are as they were found.

pub mod prompt;
mod tty;
mod view;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGTERM, SIGWINCH};

use super::history::HistoryFile;
use super::input::{Input, Parser};
use super::surface::Surface;
use super::theme::Ink;
use crate::redact::Redactor;
use prompt::{Event, Prompt, Step};
pub use prompt::{Outcome, Proposal, Purpose};

pub use tty::Tty;
use tty::Woken;

/// Answers a question. Called on a thread; what it says meanwhile is shown.
pub type Work = Arc<dyn Fn(&str, &Telling) -> Outcome + Send + Sync>;

/// What the prompt is opened with.
pub struct Inline {
    pub purpose: Purpose,
    /// Asked at once; without it the person types.
    pub question: Option<String>,
    /// What was asked before, for Up.
    pub history_file: PathBuf,
    /// What is asked is remembered nowhere.
    pub is_off_record: bool,
    /// Takes secrets out of what is remembered for the arrow keys.
    pub redactor: Arc<Redactor>,
    pub ink: Ink,
    /// Whether the terminal re-wraps rows when its width changes.
    pub reflows: bool,
    /// Stands below the cursor's row instead of in its place.
    pub is_below: bool,
    pub work: Work,
}

/// How the work reports while it goes on.
pub struct Telling {
    events: Sender<Event>,
    wake: UnixStream,
}

impl Telling {
    /// For work that nobody watches.
    pub fn nobody() -> std::io::Result<Self> {
        Ok(Self { events: channel().0, wake: UnixStream::pair()?.0 })
    }

    /// The next piece of the answer.
    pub fn piece(&self, text: &str) {
        self.tell(Event::Piece(text.to_owned()));
    }

    /// What is being waited for.
    pub fn note(&self, text: &str) {
        self.tell(Event::Note(text.to_owned()));
    }

    /// Nobody listens when the prompt was cancelled; then there is nobody to tell.
    fn tell(&self, event: Event) {
        if self.events.send(event).is_ok() {
            let _ = (&self.wake).write(b"x");
        }
    }
}

/// Shows the prompt until a command is chosen or the person leaves.
pub fn run(inline: Inline, tty: Tty) -> anyhow::Result<Option<Proposal>> {
    let mut driver = Driver::new(inline, tty)?;
    let proposal = driver.run_to_end();
    driver.leave();
    proposal
}

struct Driver {
    tty: Tty,
    prompt: Prompt,
    surface: Surface,
    parser: Parser,
    inbox: Receiver<Event>,
    events: Sender<Event>,
    /// Its other end is polled beside the terminal.
    wake: UnixStream,
    woken: UnixStream,
    is_ended: Arc<AtomicBool>,
    is_below: bool,
    history: HistoryFile,
    is_off_record: bool,
    work: Work,
}

impl Driver {
    fn new(inline: Inline, tty: Tty) -> anyhow::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        let (events, inbox) = channel();
        let is_ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&is_ended))?;
            signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        signal_hook::low_level::pipe::register(SIGWINCH, wake.try_clone()?)?;
        let history = HistoryFile { path: inline.history_file, redactor: inline.redactor };
        // Without a history Up does nothing, and asking works all the same.
        let asked = match inline.purpose {
            Purpose::Ask => history.load().unwrap_or_default(),
            Purpose::Fix | Purpose::Teach => Vec::new(),
        };
        let surface = Surface::new(inline.ink, inline.reflows, tty.size());
        let mut driver = Self {
            tty,
            prompt: Prompt::new(inline.purpose, asked),
            surface,
            parser: Parser::default(),
            inbox,
            events,
            wake,
            woken,
            is_ended,
            is_below: inline.is_below,
            history,
            is_off_record: inline.is_off_record,
            work: inline.work,
        };
        if driver.is_below {
            driver.tty.write(b"\r\n")?;
        }
        if let Some(question) = inline.question {
            let step = driver.prompt.ask(question);
            driver.take(step)?;
        }
        Ok(driver)
    }

    fn run_to_end(&mut self) -> anyhow::Result<Option<Proposal>> {
        loop {
            let size = self.tty.size();
            let frame = self.surface.frame(&[], self.prompt.view(size), size);
            self.tty.write(&frame)?;
            let events = self.next()?;
            if self.is_ended.load(Ordering::SeqCst) {
                return Ok(None);
            }
            for event in events {
                let step = self.prompt.handle(event);
                if self.prompt.has_begun_to_offer() {
                    // A key typed before the danger was on the screen is no yes.
                    self.tty.forget_typed();
                }
                if let Some(end) = self.take(step)? {
                    return Ok(end);
                }
            }
        }
    }

    /// Waits for keys, for the work, for a signal.
    fn next(&mut self) -> anyhow::Result<Vec<Event>> {
        let inputs = match self.tty.wait(&self.woken, self.parser.is_waiting())? {
            Woken::Keys(bytes) if bytes.is_empty() => return Ok(vec![Event::EndOfInput]),
            Woken::Keys(bytes) => self.parser.feed(&bytes),
            Woken::Patience => self.parser.flush(),
            Woken::Called => return Ok(self.inbox.try_iter().collect()),
        };
        let event = |input| match input {
            Input::Key(key) => Some(Event::Key(key)),
            Input::Paste(pasted) => Some(Event::Paste(pasted)),
            Input::Mouse(_) | Input::Pasting(_) | Input::Reply(_) => None,
        };
        Ok(inputs.into_iter().filter_map(event).collect())
    }

    /// Does what the prompt asks for; `Some`: it is over.
    #[expect(clippy::option_option, reason = "whether it is over, and with what")]
    fn take(&mut self, step: Step) -> anyhow::Result<Option<Option<Proposal>>> {
        match step {
            Step::Stay => Ok(None),
            Step::Leave(proposal) => Ok(Some(proposal)),
            Step::Ask(question) => {
                self.start(question)?;
                Ok(None)
            }
        }
    }

    fn start(&self, question: String) -> anyhow::Result<()> {
        if self.prompt.purpose == Purpose::Ask && !question.is_empty() && !self.is_off_record {
            let now = jiff::Timestamp::now().as_second();
            // A history that cannot be written costs a line of it, not the answer.
            let _ = self.history.append(&question, now);
        }
        let telling = Telling { events: self.events.clone(), wake: self.wake.try_clone()? };
        let work = Arc::clone(&self.work);
        thread::Builder::new().name("asking".into()).spawn(move || {
            let outcome = work(&question, &telling);
            telling.tell(Event::Done(outcome));
        })?;
        Ok(())
    }

    /// Nothing is left of the prompt. A terminal that is gone cannot be cleaned.
    fn leave(&mut self) {
        let size = self.tty.size();
        let mut bytes = self.surface.leave(size);
        if self.is_below {
            bytes.extend_from_slice(b"\x1b[A");
        }
        let _ = self.tty.write(&bytes);
        self.tty.give_back();
    }
}
