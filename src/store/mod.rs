//! The ledger: everything that was asked and answered, in one SQLite file. The only home of rusqlite.
//!
//! What lives here: the schema as numbered steps, appends through one writer thread, queries through read-only
//! connections. What does not: what the rows mean (`turn`), who may write (`daemon`: the only writer).
//!
//! What always holds: facts are appended, never rewritten (a running answer's token chunks become one response row
//! when it ends; where a lesson or a run stands now changes in place, with its history beside it; what a person wants
//! forgotten is removed); a promotion, what
//! serves and the lessons it holds change in one step; an acknowledged append survives `kill -9`, and acknowledged
//! feedback, starts and ends of turns survive a power cut; a database from a newer program is refused, a corrupt one
//! is set aside and never deleted, one whose key is not there is left as it is.

pub mod backup;
mod blob;
mod entry;
mod failure;
mod folded;
mod forgetting;
mod import;
mod open;
mod reader;
mod review;
mod rows;
mod schema;
mod scripted;
pub mod sealed;
mod search;
mod words;
mod write;
mod writer;

pub use entry::{
    By, Decision, LessonChange, LessonEdit, Measures, NewGate, NewLesson, NewRun, NewVerdict, RunEnd,
    RunEnding, RunId, Sample, SampleRole,
};
pub use forgetting::{Meant, Named, Removal, Words};
pub use import::{ImportLesson, ImportTurn};
pub use open::Opened;
pub use reader::{LessonFilter, Reader, ReviewFilter, TurnFilter};
pub use review::{Excluded, ReviewEdit};
pub use rows::{
    Counts, ExactTurn, GateRow, Holdings, Judged, Learned, LeftOut, LessonEvent, LessonStory, LessonUse,
    NextStateRow, RatedVotes, RecordFilter, ReviewCursor, ReviewPage, ReviewRow, ReviewState, ReviewWord,
    RewardCount, RunRow, RunState, SampleRow, ServingRow, SessionFacts, SessionRow, SessionThread,
    SourceCount, StateKind, Stats, StoredTurn, TurnLine, TurnRecord, TurnRow, TurnStory, UsedIn, VerdictRow,
    WaitingTurn,
};
pub use scripted::ScriptedStore;
pub use write::SqliteStore;
pub use writer::{OnDone, StoreHandle, spawn};

use crate::engine::Token;
use crate::lesson::LessonId;
use crate::turn::next_state::{Closing, NextState};
use crate::turn::{Ending, Message, PolicyVersion, SessionId, Source, TurnId, TurnKind};

/// The seam to the ledger's write side. One owner: the writer thread.
pub trait Store: Send {
    /// Applies one entry, all or nothing; returns once it is durable (see the module's promise).
    fn append(&mut self, entry: Entry) -> Result<Receipt, StoreError>;

    /// Applies entries in order, each all or nothing, in one commit where that is possible; one outcome for each.
    fn append_group(&mut self, entries: Vec<Entry>) -> Vec<Result<Receipt, StoreError>> {
        entries.into_iter().map(|entry| self.append(entry)).collect()
    }
}

/// One change of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A session begins; a second one with the same id changes nothing.
    OpenSession(NewSession),
    /// A turn begins: written before its first token is sampled.
    BeginTurn(NewTurn),
    /// Tokens of a running turn, in order; written before any client sees them.
    AppendTokens {
        turn: TurnId,
        tokens: Vec<StoredToken>,
    },
    /// Text of a running turn that came without a token: what the engine had held back (`engine::Finish::rest`).
    AppendText {
        turn: TurnId,
        text: String,
    },
    /// A running turn ends; its chunks become the response.
    EndTurn {
        turn: TurnId,
        ended_at: i64,
        ending: Ending,
        error: Option<String>,
    },
    /// Gives a session a title (the first request, cut).
    TitleSession {
        session: SessionId,
        title: String,
    },
    /// The person or client ended this session: its last turn is told so where nothing else came after it. A turn
    /// that begins later opens it again.
    CloseSession {
        session: SessionId,
        closed_at: i64,
    },
    /// The same for a session in which nothing happened for the idle time-out.
    CloseIdleSession {
        session: SessionId,
        closed_at: i64,
    },
    /// Another version of the policy serves from now on. Lessons that it does not hold become active again.
    Serve(NewServing),
    /// As [`Entry::Serve`], back to the base or to a version that served before; any other is refused.
    Rollback(NewServing),
    /// Something arrived after an answer. A main-line turn now waits for a verdict.
    RecordNextState {
        turn: TurnId,
        at: i64,
        state: NextState,
    },
    /// Signals and verdict of a turn; earlier ones of the same turn count no longer.
    Judge(NewVerdict),
    /// A new lesson; what it contradicts retires.
    AddLesson(NewLesson),
    ChangeLesson(LessonEdit),
    /// Removes a lesson and every row about it, words in the index included, the prompts that it stood in and the hints
    /// that it was drawn from. What versions hold of it stays in them: ask before which ones those are
    /// ([`Reader::lesson`]), and rebuild them. Refused while a run teaches it.
    ForgetLesson {
        lesson: LessonId,
    },
    /// Removes turns and every row about them: what was said in them, what followed, what was concluded, and the prompts
    /// of the turns that continue them. Where a turn continues a forgotten one, an empty row keeps its place. A lesson
    /// that was drawn from such a turn stays, without that source. Refused while a turn runs, or a run learns from it.
    ForgetTurns {
        turns: Vec<TurnId>,
    },
    /// A piece of forgetting by the session, the project, the day, or as a whole.
    Remove(Removal),
    /// Moves the write-ahead log into the file and empties it, so that nothing that was removed is left in it. Refused
    /// while somebody reads for long.
    EmptyLog,
    /// The lessons in a turn's prompt, as they stand there. A second time adds only what is new.
    UseLessons {
        turn: TurnId,
        lessons: Vec<LessonId>,
    },
    /// What a person takes out of learning or puts right in the review pane, and what they take back of that.
    Review(ReviewEdit),
    /// What came of a lesson in a turn; a second word on the same replaces the first.
    CountLessonEffect {
        turn: TurnId,
        lesson: LessonId,
        helped: bool,
    },
    /// A training run begins; there is never more than one.
    BeginRun(NewRun),
    /// More of what a running run is made of.
    RecordSamples {
        run: RunId,
        samples: Vec<Sample>,
    },
    /// A run ends without a candidate.
    EndRun(RunEnd),
    /// The gate has decided. A promotion is one step: the candidate serves, its lessons are learned, the run ends.
    /// It is refused when what serves, or a lesson that was taught, changed since the run began.
    RecordGate(NewGate),
    /// A turn of an export, with what followed it. One that is known gets only what it lacks.
    ImportTurn(Box<ImportTurn>),
    /// A lesson of an export. One that is known, in whatever state, stays as it is.
    ImportLesson(Box<ImportLesson>),
}

impl Entry {
    /// How the session closes, for the entries that close one.
    fn closing(&self) -> Closing {
        match self {
            Self::CloseIdleSession { .. } => Closing::Idle,
            _ => Closing::Done,
        }
    }

    /// Whether only the receipt is wanted, and nothing is to be written.
    fn is_dry_run(&self) -> bool {
        match self {
            Self::ImportTurn(import) => import.dry_run,
            Self::ImportLesson(import) => import.dry_run,
            _ => false,
        }
    }
}

/// What serves, for one base model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServing {
    /// Unix milliseconds.
    pub at: i64,
    pub version: PolicyVersion,
    /// Of the base model's file.
    pub base_sha256: String,
    /// Who wanted it, and why.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewSession {
    pub id: SessionId,
    pub source: Source,
    pub cwd: Option<String>,
    /// Unix milliseconds.
    pub started_at: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewTurn {
    pub session: SessionId,
    /// The turn whose conversation this one continues; `None` begins a new thread in the session.
    pub parent: Option<TurnId>,
    pub kind: TurnKind,
    pub source: Source,
    pub cwd: Option<String>,
    /// Messages since the parent's response (all messages when there is no parent).
    pub messages: Vec<Message>,
    /// The exact prompt as served.
    pub prompt: Vec<Token>,
    pub policy: PolicyVersion,
    pub model: String,
    /// Sampling settings, as JSON text, seed included.
    pub settings: String,
    /// Unix milliseconds.
    pub started_at: i64,
}

/// A sampled token as it is kept. `text` is what became certain with it (see `engine::SampledToken`).
#[derive(Debug, Clone, PartialEq)]
pub struct StoredToken {
    pub id: Token,
    pub logprob: f32,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    Done,
    /// The id of the turn that [`Entry::BeginTurn`] made.
    Turn(TurnId),
    /// An imported turn is there already, and nothing was new in it.
    KnownTurn(TurnId),
    /// An imported turn is there already, and something that followed it was new.
    MoreOfTurn(TurnId),
    /// The id of the lesson that [`Entry::AddLesson`] made.
    Lesson(LessonId),
    /// An imported lesson is there already.
    KnownLesson(LessonId),
    /// The id of the run that [`Entry::BeginRun`] began.
    Run(RunId),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("{path} is not a usable ledger: {reason}")]
    Corrupt { path: String, reason: String },
    #[error(
        "{path} has schema {found}, this chela knows up to {known}; use the newer chela, or move the file away"
    )]
    FromTheFuture { path: String, found: i64, known: usize },
    #[error(
        "{path} has schema {found}, this chela wants {known}; start its daemon once to bring it up to date"
    )]
    Outdated { path: String, found: i64, known: usize },
    #[error("there is no ledger at {0} yet; it is made with the first turn")]
    NoLedger(String),
    #[error("cannot read the ledger {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("cannot write the ledger {path}: {reason}")]
    Unwritable { path: String, reason: String },
    #[error("session {0} does not exist")]
    NoSession(String),
    #[error("turn {0} does not exist")]
    NoTurn(i64),
    #[error("turn {0} has already ended")]
    TurnEnded(i64),
    #[error("lesson {0} does not exist")]
    NoLesson(i64),
    #[error("lesson {0} changed after that; look again before you take it back")]
    LessonMoved(i64),
    #[error("what lesson {0} was before that was not kept; change it by hand")]
    NotKept(i64),
    #[error("turn {0} has no verdict, so it has no hint")]
    NoVerdict(i64),
    #[error("more is known of turn {0} since then; look again before you take that back")]
    TurnMoved(i64),
    #[error("{0} is excluded already")]
    Excluded(Excluded),
    #[error("{0} is not excluded")]
    NotExcluded(Excluded),
    #[error("lesson {lesson} did not stand in the prompt of turn {turn}")]
    LessonNotUsed { turn: i64, lesson: i64 },
    #[error("run {run} is at work on lesson {lesson}; cancel the run first")]
    LessonInRun { run: i64, lesson: i64 },
    #[error("turn {0} is still being answered; interrupt it first")]
    TurnRunning(i64),
    #[error("run {run} is at work on turn {turn}; cancel the run first")]
    TurnInRun { run: i64, turn: i64 },
    #[error("somebody reads the ledger: what was removed is still in its write-ahead log; try again")]
    LogInUse,
    #[error("run {0} does not exist")]
    NoRun(i64),
    #[error("run {0} has already ended")]
    RunEnded(i64),
    #[error("run {0} has not ended yet; one run at a time")]
    RunActive(i64),
    #[error("turn {0} is held out for the gate and cannot be trained on")]
    HeldOut(i64),
    #[error("turn {0} was trained on and cannot be held out")]
    TrainedOn(i64),
    #[error("lesson {lesson} changed while run {run} taught it; run again")]
    LessonChanged { run: i64, lesson: i64 },
    #[error("run {run} began while {was} served, and now {is} does; run again")]
    ServingChanged { run: i64, was: PolicyVersion, is: PolicyVersion },
    #[error("{0} is taken; a version is never given twice")]
    VersionTaken(PolicyVersion),
    #[error("{0} never served with this model; nothing to roll back to")]
    NeverServed(PolicyVersion),
    #[error("{0} is not a finite number")]
    NotFinite(&'static str),
    #[error("it has no end: it was still being answered")]
    StillRunning,
    #[error("it holds no message")]
    Empty,
    #[error("the ledger has stopped")]
    Stopped,
    #[error(transparent)]
    Sealed(#[from] sealed::SealedError),
    #[error("ledger: {0}")]
    Sqlite(String),
}

#[cfg(test)]
mod plans;
