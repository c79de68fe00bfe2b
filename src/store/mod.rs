//! The ledger: everything that was asked and answered, in one SQLite file. The only home of rusqlite.
//!
//! What lives here: the schema as numbered steps, appends through one writer thread, queries through read-only
//! connections. What does not: what the rows mean (`turn`), who may write (`daemon`: the only writer).
//!
//! What always holds: rows are appended, never rewritten (a running answer's token chunks become one response row
//! when it ends); an acknowledged append survives `kill -9`, and an acknowledged start or end of a turn survives a
//! power cut; a database from a newer program is refused, a corrupt one is set aside and never deleted.

mod blob;
mod failure;
mod open;
mod reader;
mod rows;
mod schema;
mod scripted;
mod search;
mod sqlite;
mod words;
mod writer;

pub use open::Opened;
pub use reader::Reader;
pub use rows::{Counts, ServingRow, SessionRow, SessionThread, StoredTurn, TurnRow};
pub use scripted::ScriptedStore;
pub use sqlite::SqliteStore;
pub use writer::{OnDone, StoreHandle, spawn};

use crate::engine::Token;
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
    AppendTokens { turn: TurnId, tokens: Vec<StoredToken> },
    /// Text of a running turn that came without a token: what the engine had held back (`engine::Finish::rest`).
    AppendText { turn: TurnId, text: String },
    /// A running turn ends; its chunks become the response.
    EndTurn { turn: TurnId, ended_at: i64, ending: Ending, error: Option<String> },
    /// Gives a session a title (the first request, cut).
    TitleSession { session: SessionId, title: String },
    /// No more turns are expected in this session.
    CloseSession { session: SessionId, closed_at: i64 },
    /// Another version of the policy serves from now on.
    Serve(NewServing),
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
    #[error("the ledger has stopped")]
    Stopped,
    #[error("ledger: {0}")]
    Sqlite(String),
}
