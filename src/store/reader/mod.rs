//! The ledger's read side: a connection of its own that never writes, with or without a daemon.

mod feedback;
mod forgetting;
mod lessons;
mod privacy;
mod records;
mod review;
mod runs;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use feedback::TurnFilter;
pub use lessons::LessonFilter;
pub use review::ReviewFilter;
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use crate::store::failure::{Failure, corrupt, store_error};
use crate::store::rows::{Counts, ServingRow, SessionRow, SessionThread, StoredTurn, TurnRow};
use crate::store::search::fts_query;
use crate::store::words::{get_word, get_word_opt};
use crate::store::write::{Chunk, response_so_far};
use crate::store::{StoreError, blob, schema, sealed};
use crate::turn::{PolicyVersion, SessionId, TurnId};

/// Turns that [`Reader::records`] reads at a time. No transaction is open while the caller writes them out.
const PAGE: i64 = 256;

/// Answers questions about the ledger. Sees what was committed before the question. Creates no files.
pub struct Reader {
    conn: Connection,
    path: PathBuf,
    /// Opened while nobody was writing, so it never looks for a log. A daemon that began afterwards would be
    /// missed; therefore such a connection is for one question only.
    single_use: bool,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::NoLedger(path.display().to_string()));
        }
        std::fs::File::open(path).map_err(|err| StoreError::Unreadable {
            path: path.display().to_string(),
            reason: err.to_string(),
        })?;
        let fail = |err: rusqlite::Error| store_error(path, &err);
        let (conn, single_use) = open_read_only(path)?;
        check_version(path, schema::version(&conn).map_err(fail)?, schema::STEPS.len())?;
        Ok(Self { conn, path: path.to_path_buf(), single_use })
    }

    /// Sessions with a main-line turn, newest first. With a query that holds words: those with a turn that has
    /// all of them (the last letters of a word may be missing), newest such turn first. Any text is a query.
    pub fn sessions(&mut self, limit: usize, query: Option<&str>) -> Result<Vec<SessionRow>, StoreError> {
        self.ask(|conn| {
            let keys = match query.filter(|query| !query.trim().is_empty()) {
                None => recent_sessions(conn, limit)?,
                Some(typed) => match fts_query(typed) {
                    Some(query) => matching_sessions(conn, limit, &query)?,
                    None => Vec::new(),
                },
            };
            Ok(keys.into_iter().map(|key| session_row(conn, key)).collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The newest main-line turn of the session and the turns that it continues; a running one as far as it is.
    pub fn session_thread(&mut self, session: &SessionId) -> Result<SessionThread, StoreError> {
        self.ask(|conn| {
            let found = conn
                .query_row("SELECT id, last_turn FROM session WHERE key = ?1", [&session.0], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let (key, last_turn): (i64, Option<i64>) =
                found.ok_or_else(|| StoreError::NoSession(session.0.clone()))?;
            Ok(SessionThread { session: session_row(conn, key)?, turns: thread(conn, last_turn)? })
        })
    }

    /// Everything that is known of one turn.
    pub fn turn(&mut self, turn: TurnId) -> Result<StoredTurn, StoreError> {
        let path = self.path.clone();
        self.ask(|conn| stored_turn(conn, turn, &path))
    }

    /// The newest main-line turn of a session; `None` when there is none, or no such session.
    pub fn last_turn(&mut self, session: &SessionId) -> Result<Option<TurnId>, StoreError> {
        self.ask(|conn| {
            let found = conn
                .prepare_cached("SELECT last_turn FROM session WHERE key = ?1")?
                .query_row([&session.0], |row| row.get::<_, Option<i64>>(0))
                .optional()?;
            Ok(found.flatten().map(TurnId))
        })
    }

    /// Every change of what serves, oldest first.
    pub fn serving(&mut self) -> Result<Vec<ServingRow>, StoreError> {
        self.ask(|conn| {
            let mut statement = conn.prepare("SELECT at, version, base, reason FROM serving ORDER BY id")?;
            let rows = statement.query_map([], |row| {
                Ok(ServingRow {
                    at: row.get(0)?,
                    version: PolicyVersion(row.get(1)?),
                    base_sha256: row.get(2)?,
                    reason: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    pub fn counts(&mut self) -> Result<Counts, StoreError> {
        self.ask(|conn| {
            let sql = "SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM turn),
                              (SELECT count(*) FROM running)";
            let counts = conn.query_row(sql, [], |row| {
                Ok(Counts { sessions: count(row, 0)?, turns: count(row, 1)?, running: count(row, 2)? })
            });
            Ok(counts?)
        })
    }

    /// Reads the whole file and returns what is wrong with it; empty when nothing is.
    pub fn integrity_check(&mut self) -> Result<Vec<String>, StoreError> {
        let problems: Vec<String> = self.ask(|conn| {
            let mut statement = conn.prepare("PRAGMA integrity_check")?;
            let lines = statement.query_map([], |row| row.get(0))?;
            Ok(lines.collect::<rusqlite::Result<_>>()?)
        })?;
        Ok(problems.into_iter().filter(|line| line != "ok").collect())
    }

    /// One question, answered from one state of the ledger.
    fn ask<T>(&mut self, question: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        if self.single_use {
            *self = Self::open(&self.path)?;
        }
        let answer = match self.conn.transaction() {
            Ok(snapshot) => question(&snapshot),
            Err(err) => Err(err.into()),
        };
        answer.map_err(|failure| failure.at(&self.path))
    }
}

fn check_version(path: &Path, found: i64, known: usize) -> Result<(), StoreError> {
    let path = path.display().to_string();
    match usize::try_from(found) {
        Ok(version) if version == known => Ok(()),
        Ok(0) => Err(StoreError::NoLedger(path)),
        Ok(version) if version < known => Err(StoreError::Outdated { path, found, known }),
        _ => Err(StoreError::FromTheFuture { path, found, known }),
    }
}

/// Opens without creating anything. Without a log beside it nobody has the ledger open, so SQLite is told that
/// the file does not change: otherwise it would want to create a log. The second value says whether it was told.
pub(in crate::store) fn open_read_only(path: &Path) -> Result<(Connection, bool), StoreError> {
    let fail = |err: rusqlite::Error| store_error(path, &err);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let immutable = !wal_of(path).exists();
    let conn = if immutable {
        Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)
    } else {
        Connection::open_with_flags(path, flags)
    };
    let conn = conn.map_err(fail)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(fail)?;
    sealed::unlock(&conn, path)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok((conn, immutable))
}

/// The write-ahead log beside a database.
pub(in crate::store) fn wal_of(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}

pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// `file:` and the path, with everything escaped that could mean something in a URI.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

fn recent_sessions(conn: &Connection, limit: usize) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT id FROM session WHERE last_turn IS NOT NULL ORDER BY last_turn DESC LIMIT ?1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    conn.prepare_cached(sql)?.query_map([limit], |row| row.get(0))?.collect()
}

/// Walks the matching turns from the newest on and stops as soon as there are enough sessions.
fn matching_sessions(conn: &Connection, limit: usize, query: &str) -> rusqlite::Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(
        "SELECT turn.session FROM turn_text JOIN turn ON turn.id = turn_text.rowid
          WHERE turn_text MATCH ?1 AND turn.kind = 'main' ORDER BY turn_text.rowid DESC",
    )?;
    let mut rows = statement.query([query])?;
    let (mut seen, mut keys) = (HashSet::new(), Vec::new());
    while keys.len() < limit
        && let Some(row) = rows.next()?
    {
        let key: i64 = row.get(0)?;
        if seen.insert(key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn session_row(conn: &Connection, key: i64) -> rusqlite::Result<SessionRow> {
    conn.prepare_cached(
        "SELECT session.key, session.title, session.source, session.cwd, session.started_at,
                coalesce(last.started_at, session.started_at) AS last_turn_at,
                (SELECT count(*) FROM turn WHERE turn.session = session.id AND turn.kind = 'main')
           FROM session LEFT JOIN turn AS last ON last.id = session.last_turn
          WHERE session.id = ?1",
    )?
    .query_row([key], |row| {
        Ok(SessionRow {
            id: SessionId(row.get("key")?),
            title: row.get("title")?,
            source: get_word(row, "source")?,
            cwd: row.get("cwd")?,
            started_at: row.get("started_at")?,
            last_turn_at: row.get("last_turn_at")?,
            n_turns: count(row, 6)?,
        })
    })
}

/// What a [`TurnRow`] is made of. The answer so far of a running turn comes from its chunks.
const TURN_ROW: &str = "
    SELECT turn.id, session.key AS session, turn.parent, turn.kind, turn.source, turn.cwd, turn.messages,
           coalesce(response.text,
                    (SELECT group_concat(text, '' ORDER BY seq) FROM chunk WHERE chunk.turn = turn.id),
                    '') AS response,
           response.ending, response.error, turn.policy, turn.model, turn.started_at, response.ended_at,
           turn.settings, turn.n_prompt,
           coalesce(response.n_tokens,
                    (SELECT sum(n_tokens) FROM chunk WHERE chunk.turn = turn.id),
                    0) AS n_response
      FROM turn JOIN session ON session.id = turn.session LEFT JOIN response ON response.turn = turn.id";

fn thread(conn: &Connection, newest: Option<i64>) -> rusqlite::Result<Vec<TurnRow>> {
    // UNION, not UNION ALL: it ends even if a damaged ledger had parents in a circle.
    let sql = format!(
        "WITH RECURSIVE line (id) AS (
             SELECT ?1 UNION
             SELECT turn.parent FROM turn JOIN line ON turn.id = line.id WHERE turn.parent IS NOT NULL)
         {TURN_ROW} WHERE turn.id IN line ORDER BY turn.id"
    );
    conn.prepare_cached(&sql)?.query_map([newest], turn_row)?.collect()
}

fn turns_after(conn: &Connection, after: i64, since: i64) -> Result<Vec<TurnRow>, Failure> {
    let sql =
        format!("{TURN_ROW} WHERE turn.id > ?1 AND turn.started_at >= ?2 ORDER BY turn.id LIMIT {PAGE}");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![after, since], turn_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn turn_row(row: &Row<'_>) -> rusqlite::Result<TurnRow> {
    let messages: String = row.get("messages")?;
    Ok(TurnRow {
        id: TurnId(row.get("id")?),
        session: SessionId(row.get("session")?),
        parent: row.get::<_, Option<i64>>("parent")?.map(TurnId),
        kind: get_word(row, "kind")?,
        source: get_word(row, "source")?,
        cwd: row.get("cwd")?,
        messages: serde_json::from_str(&messages)
            .map_err(|err| rusqlite::Error::FromSqlConversionFailure(6, Type::Text, err.into()))?,
        response: row.get("response")?,
        ending: get_word_opt(row, "ending")?,
        error: row.get("error")?,
        policy: PolicyVersion(row.get("policy")?),
        model: row.get("model")?,
        n_prompt: count(row, 15)?,
        n_response: count(row, 16)?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
    })
}

fn stored_turn(conn: &Connection, turn: TurnId, path: &Path) -> Result<StoredTurn, Failure> {
    let (row, settings) = conn
        .prepare_cached(&format!("{TURN_ROW} WHERE turn.id = ?1"))?
        .query_row([turn.0], |row| Ok((turn_row(row)?, row.get("settings")?)))
        .optional()?
        .ok_or(StoreError::NoTurn(turn.0))?;
    let prompt: Vec<u8> = conn
        .prepare_cached("SELECT ids FROM turn_prompt WHERE turn = ?1")?
        .query_row([turn.0], |row| row.get(0))?;
    let response = response_blobs(conn, turn)?;
    let damaged = |what: &str| corrupt(path, &format!("the {what} of turn {} are damaged", turn.0));
    Ok(StoredTurn {
        row,
        settings,
        prompt: blob::to_ids(&prompt).ok_or_else(|| damaged("prompt's tokens"))?,
        tokens: blob::to_ids(&response.ids).ok_or_else(|| damaged("response's tokens"))?,
        logprobs: blob::to_logprobs(&response.logprobs).ok_or_else(|| damaged("log-probabilities"))?,
    })
}

fn response_blobs(conn: &Connection, turn: TurnId) -> rusqlite::Result<Chunk> {
    let ended = conn
        .prepare_cached("SELECT ids, logprobs FROM response WHERE turn = ?1")?
        .query_row([turn.0], |row| Ok(Chunk { ids: row.get(0)?, logprobs: row.get(1)?, ..Chunk::default() }))
        .optional()?;
    ended.map_or_else(|| response_so_far(conn, turn), Ok)
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    let n: i64 = row.get(column)?;
    usize::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: i64, known: usize, expected: Option<&str>) {
        let refusal = check_version(Path::new("/l.db"), found, known).err();
        assert_eq!(refusal.map(|err| err.to_string()).as_deref(), expected);
    }

    #[test]
    fn versions_that_cannot_be_read_say_what_to_do() {
        check(2, 2, None);
        check(0, 2, Some("there is no ledger at /l.db yet; it is made with the first turn"));
        check(
            1,
            2,
            Some("/l.db has schema 1, this chela wants 2; start its daemon once to bring it up to date"),
        );
        let newer =
            "/l.db has schema 3, this chela knows up to 2; use the newer chela, or move the file away";
        check(3, 2, Some(newer));
    }

    #[test]
    fn a_path_is_escaped_in_a_uri() {
        assert_eq!(
            immutable_uri(Path::new("/a b/50%?#ü.db")),
            "file:/a%20b/50%25%3F%23%C3%BC.db?immutable=1"
        );
    }
}
