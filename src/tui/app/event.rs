//! What can happen to the chat, and what it can ask for. Everything the chat does goes through these two.

use std::path::PathBuf;

use crossterm::event::KeyEvent;
use ratatui::text::Line;

use crate::daemon::wire::{ChatChunk, ChatRequest, LessonId, LoopEvent, SessionList, SessionThread, Status};
use crate::tui::TokenCounter;
use crate::tui::input::Pasted;
use crate::tui::surface::Size;
use crate::tui::theme::Background;
use crate::turn::{SessionId, TurnId};

pub enum Event {
    Key(KeyEvent),
    Paste(Pasted),
    /// A long paste is arriving: bytes so far.
    Pasting(usize),
    /// A line of input, where there are no keys (plain mode).
    Line(String),
    /// Ctrl+C where it is no key.
    Cancel,
    /// The chat begins off the record.
    OffRecord,
    /// A session is being read, to be continued.
    Resuming,
    /// There will be no more lines.
    EndOfInput,
    Resize(Size),
    /// Nothing happened but time.
    Tick,
    Background(Background),
    History(Vec<String>),
    Counter(TokenCounter),
    Link(Link),
    Chunk {
        ticket: u64,
        chunk: Box<ChatChunk>,
    },
    AnswerEnded {
        ticket: u64,
        outcome: Result<(), Failure>,
    },
    Thread {
        purpose: Purpose,
        outcome: Result<SessionThread, String>,
    },
    Sessions(Result<SessionList, String>),
    Models(Result<Vec<(String, String)>, String>),
    Status(Result<Status, String>),
    ModelUsed(Result<Status, String>),
    CommandOutput(Vec<u8>),
    /// So many bytes were left out between what was sent and what follows.
    CommandSkipped(usize),
    CommandProgress(usize),
    CommandEnded(String),
    Edited(Result<String, String>),
    Written(Result<PathBuf, String>),
    /// Something happened in the loop.
    News(Box<LoopEvent>),
    /// What came of an [`Effect::Tell`]: lines to show.
    Told(Result<Vec<String>, String>),
    /// One line of trouble from a thread that has nothing else to say.
    Trouble(String),
}

/// Where the connection to a loaded model stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    Starting,
    Loading(String),
    Ready(Box<Status>),
    /// No daemon, or no model: its sentence.
    Down(String),
}

/// Why a call failed, as far as it makes a difference here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The daemon went away in mid-answer.
    Lost,
    /// Everything else, in words.
    Refused(String),
}

/// What a thread from the ledger is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To continue it: it is shown.
    Resume,
    /// To know how the last answer is recorded.
    Recover,
}

/// What the person wants the loop to know, or to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Telling {
    Teach {
        text: String,
        turn: Option<TurnId>,
    },
    Rate {
        turn: TurnId,
        good: bool,
        note: Option<String>,
    },
    Undo(LessonId),
    Why(TurnId),
    Lessons,
    /// Begin a round of learning.
    Learn,
    /// Let the version before answer.
    RollBack,
    /// Take a turn out of everything; not `sure`: only say what would go.
    Forget {
        turn: TurnId,
        sure: bool,
    },
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Lines that stay.
    Print(Vec<Line<'static>>),
    /// Text that stays, as it is and without a line end of its own (plain mode).
    Write(String),
    Connect,
    StartAnswer {
        ticket: u64,
        request: Box<ChatRequest>,
    },
    Interrupt(TurnId),
    LoadThread {
        session: SessionId,
        purpose: Purpose,
    },
    LoadSessions,
    LoadModels,
    LoadStatus,
    UseModel(String),
    Tell(Telling),
    RunCommand(String),
    StopCommand,
    Record(String),
    OpenEditor(String),
    Copy(String),
    WriteNew {
        path: PathBuf,
        text: String,
    },
    /// The review pane, full screen.
    OpenReview,
    ClearScreen,
    Suspend,
    /// Between the live screen and linear text.
    SwitchPlain,
    Quit,
}
