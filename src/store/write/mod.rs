//! The ledger's write side over SQLite: one entry, or one group of entries, is one transaction.
//!
//! Starts and ends of turns are synced to the disk. Tokens stand between the model and the screen, so their
//! commits only reach the operating system: they survive the death of the process, and the end of their turn
//! syncs them too.

mod feedback;
mod forgetting;
mod import;
mod lessons;
mod removal;
mod review;
mod runs;

use std::path::PathBuf;

pub(super) use lessons::scope_columns;
pub(super) use runs::{LINEAGE, interrupt_runs};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::store::failure::{Failure, store_error};
use crate::store::words::word;
use crate::store::{Entry, NewSession, NewTurn, Receipt, Removal, Store, StoreError, StoredToken, blob};
use crate::turn::{Ending, SessionId, TurnId, TurnKind};

/// The ledger in a file. Made by [`SqliteStore::open`]; nothing else may write the file while it lives.
pub struct SqliteStore {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    /// What the connection is set to; `None` before the first transaction.
    pub(super) durability: Option<Durability>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The death of the process.
    Process,
    /// A power cut.
    Power,
}

impl Store for SqliteStore {
    fn append(&mut self, entry: Entry) -> Result<Receipt, StoreError> {
        self.append_group(vec![entry]).pop().unwrap_or(Err(StoreError::Stopped))
    }

    fn append_group(&mut self, entries: Vec<Entry>) -> Vec<Result<Receipt, StoreError>> {
        match self.commit(&entries) {
            Ok(receipts) => self.behind(&entries, receipts),
            Err(err) => {
                let err = store_error(&self.path, &err);
                vec![Err(err); entries.len()]
            }
        }
    }
}

impl SqliteStore {
    /// One transaction for all entries. A refused entry writes nothing and does not disturb the others; an error
    /// of SQLite undoes them all.
    fn commit(&mut self, entries: &[Entry]) -> rusqlite::Result<Vec<Result<Receipt, StoreError>>> {
        let wanted = entries.iter().map(durability).max().unwrap_or(Durability::Process);
        self.set_durability(wanted)?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut receipts = Vec::with_capacity(entries.len());
        for entry in entries {
            receipts.push(match apply_whole(&tx, entry) {
                Ok(receipt) => Ok(receipt),
                Err(Failure::Refused(err)) => Err(err),
                Err(Failure::Sqlite(err)) => return Err(err),
            });
        }
        tx.commit()?;
        Ok(receipts)
    }

    /// The log can be emptied, and the file written anew, between transactions only.
    fn behind(
        &mut self,
        entries: &[Entry],
        mut receipts: Vec<Result<Receipt, StoreError>>,
    ) -> Vec<Result<Receipt, StoreError>> {
        for (entry, receipt) in entries.iter().zip(&mut receipts) {
            let done = match entry {
                Entry::EmptyLog => self.empty_log(),
                Entry::Remove(Removal::Compact) => self.compact(),
                _ => Ok(()),
            };
            if let Err(err) = done {
                *receipt = Err(err);
            }
        }
        receipts
    }

    /// Waits for readers as long as the connection is patient.
    pub(super) fn empty_log(&mut self) -> Result<(), StoreError> {
        let is_busy: bool = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|err| store_error(&self.path, &err))?;
        if is_busy { Err(StoreError::LogInUse) } else { Ok(()) }
    }

    /// Also decides who pays for moving the write-ahead log into the file: the start or the end of a turn, not a
    /// token. They move it at 16 MiB; a token does when it finds 64 MiB.
    pub(super) fn set_durability(&mut self, wanted: Durability) -> rusqlite::Result<()> {
        if self.durability == Some(wanted) {
            return Ok(());
        }
        self.durability = None;
        self.conn.execute_batch(match wanted {
            Durability::Process => "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 16384",
            Durability::Power => "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096",
        })?;
        self.durability = Some(wanted);
        Ok(())
    }
}

impl Drop for SqliteStore {
    /// Leaves one plain file when nobody else reads. Nothing is lost when this fails: the log stays beside it.
    fn drop(&mut self) {
        let moved = self
            .set_durability(Durability::Power)
            .and_then(|()| self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
        if let Err(err) = moved {
            tracing::warn!(%err, "the ledger's write-ahead log stays for the next start");
        }
    }
}

fn durability(entry: &Entry) -> Durability {
    match entry {
        Entry::BeginTurn(_)
        | Entry::EndTurn { .. }
        | Entry::Serve(_)
        | Entry::Rollback(_)
        | Entry::RecordNextState { .. }
        | Entry::AddLesson(_)
        | Entry::ChangeLesson(_)
        | Entry::Review(_)
        | Entry::ForgetLesson { .. }
        | Entry::ForgetTurns { .. }
        | Entry::Remove(_)
        | Entry::EmptyLog
        | Entry::BeginRun(_)
        | Entry::EndRun(_)
        | Entry::RecordGate(_) => Durability::Power,
        // What is lost of these is done again, or is synced by the entry that follows.
        Entry::OpenSession(_)
        | Entry::AppendTokens { .. }
        | Entry::AppendText { .. }
        | Entry::TitleSession { .. }
        | Entry::CloseSession { .. }
        | Entry::CloseIdleSession { .. }
        | Entry::Judge(_)
        | Entry::UseLessons { .. }
        | Entry::CountLessonEffect { .. }
        | Entry::RecordSamples { .. }
        // A file is read again; `EmptyLog` behind the last of it syncs.
        | Entry::ImportTurn(_)
        | Entry::ImportLesson(_) => Durability::Process,
    }
}

fn apply(tx: &Transaction<'_>, entry: &Entry) -> Result<Receipt, Failure> {
    let applied = match entry {
        Entry::BeginTurn(turn) => return begin_turn(tx, turn).map(Receipt::Turn),
        Entry::AddLesson(lesson) => return lessons::add_lesson(tx, lesson).map(Receipt::Lesson),
        Entry::BeginRun(run) => return runs::begin_run(tx, run).map(Receipt::Run),
        Entry::ImportTurn(turn) => return import::import_turn(tx, turn),
        Entry::ImportLesson(lesson) => return import::import_lesson(tx, lesson),
        Entry::OpenSession(session) => open_session(tx, session),
        Entry::AppendTokens { turn, tokens } => append_tokens(tx, *turn, tokens),
        Entry::AppendText { turn, text } => append_chunk(tx, *turn, &Chunk::of_text(text)),
        Entry::EndTurn { turn, ended_at, ending, error } => {
            let end = End { ended_at: *ended_at, ending: *ending, error: error.as_deref() };
            end_running_turn(tx, *turn, &end)
        }
        Entry::TitleSession { session, title } => title_session(tx, session, title),
        Entry::CloseSession { session, closed_at } | Entry::CloseIdleSession { session, closed_at } => {
            feedback::close_session(tx, session, *closed_at, entry.closing())
        }
        Entry::Serve(serving) => runs::serve(tx, serving),
        Entry::Rollback(serving) => runs::roll_back(tx, serving),
        Entry::RecordNextState { turn, at, state } => feedback::record_next_state(tx, *turn, *at, state),
        Entry::Judge(verdict) => feedback::judge(tx, verdict),
        Entry::ChangeLesson(edit) => lessons::change_lesson(tx, edit),
        Entry::Review(edit) => review::apply(tx, edit),
        Entry::ForgetLesson { lesson } => forgetting::forget_lesson(tx, *lesson),
        Entry::ForgetTurns { turns } => forgetting::forget_turns(tx, turns),
        Entry::Remove(removal) => removal::remove(tx, removal),
        // What it asks for is done behind the transaction.
        Entry::EmptyLog => Ok(()),
        Entry::UseLessons { turn, lessons } => lessons::use_lessons(tx, *turn, lessons),
        Entry::CountLessonEffect { turn, lesson, helped } => {
            lessons::count_effect(tx, *turn, *lesson, *helped)
        }
        Entry::RecordSamples { run, samples } => runs::record_samples(tx, *run, samples),
        Entry::EndRun(end) => runs::end_run(tx, end),
        Entry::RecordGate(gate) => runs::record_gate(tx, gate),
    };
    applied.map(|()| Receipt::Done)
}

/// Entries of several statements, some of which may be written before a later one finds a reason to refuse.
fn has_several_steps(entry: &Entry) -> bool {
    !matches!(entry, Entry::AppendTokens { .. } | Entry::AppendText { .. })
}

/// Applies an entry such that a refused one leaves nothing behind in the transaction.
fn apply_whole(tx: &Transaction<'_>, entry: &Entry) -> Result<Receipt, Failure> {
    if !has_several_steps(entry) {
        return apply(tx, entry);
    }
    tx.execute_batch("SAVEPOINT entry")?;
    let outcome = apply(tx, entry);
    match &outcome {
        Ok(_) if entry.is_dry_run() => tx.execute_batch("ROLLBACK TO entry; RELEASE entry")?,
        Ok(_) => tx.execute_batch("RELEASE entry")?,
        Err(Failure::Refused(_)) => tx.execute_batch("ROLLBACK TO entry; RELEASE entry")?,
        // The whole transaction is lost.
        Err(Failure::Sqlite(_)) => {}
    }
    outcome
}

/// A value as the tables hold it where its shape may grow.
fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|err| StoreError::Sqlite(err.to_string()))
}

fn open_session(tx: &Transaction<'_>, session: &NewSession) -> Result<(), Failure> {
    let NewSession { id, source, cwd, started_at } = session;
    tx.prepare_cached(
        "INSERT INTO session (key, source, cwd, started_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute(params![id.0, word(source), cwd, started_at])?;
    Ok(())
}

fn title_session(tx: &Transaction<'_>, session: &SessionId, title: &str) -> Result<(), Failure> {
    let sql = "UPDATE session SET title = ?2 WHERE key = ?1";
    check_found(tx.prepare_cached(sql)?.execute(params![session.0, title])?, session)
}

fn begin_turn(tx: &Transaction<'_>, turn: &NewTurn) -> Result<TurnId, Failure> {
    let session: Option<i64> = tx
        .prepare_cached("SELECT id FROM session WHERE key = ?1")?
        .query_row([&turn.session.0], |row| row.get(0))
        .optional()?;
    let session = session.ok_or_else(|| StoreError::NoSession(turn.session.0.clone()))?;
    if let Some(parent) = turn.parent {
        check_exists(tx, parent)?;
    }
    let id = insert_turn(tx, session, turn)?;
    let prompt = blob::from_ids(turn.prompt.iter().copied());
    tx.prepare_cached("INSERT INTO turn_prompt (turn, ids) VALUES (?1, ?2)")?.execute(params![id, prompt])?;
    tx.prepare_cached("INSERT INTO running (turn) VALUES (?1)")?.execute([id])?;
    if turn.kind == TurnKind::Main {
        tx.prepare_cached("UPDATE session SET last_turn = ?2, closed_at = NULL WHERE id = ?1")?
            .execute([session, id])?;
    }
    Ok(TurnId(id))
}

fn insert_turn(tx: &Transaction<'_>, session: i64, turn: &NewTurn) -> Result<i64, Failure> {
    let messages = json(&turn.messages)?;
    let n_prompt = i64::try_from(turn.prompt.len()).unwrap_or(i64::MAX);
    tx.prepare_cached(
        "INSERT INTO turn (session, parent, kind, source, started_at, policy, n_prompt, model, cwd, settings, messages)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        session,
        turn.parent.map(|parent| parent.0),
        word(turn.kind),
        word(turn.source),
        turn.started_at,
        turn.policy.0,
        n_prompt,
        turn.model,
        turn.cwd,
        turn.settings,
        messages,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// A piece of a response: what one append brought, or all of it.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) n_tokens: i64,
    pub(super) ids: Vec<u8>,
    pub(super) logprobs: Vec<u8>,
    pub(super) text: String,
}

impl Chunk {
    fn of_text(text: &str) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn of_tokens(tokens: &[StoredToken]) -> Self {
        Self {
            n_tokens: i64::try_from(tokens.len()).unwrap_or(i64::MAX),
            ids: blob::from_ids(tokens.iter().map(|token| token.id)),
            logprobs: blob::from_logprobs(tokens.iter().map(|token| token.logprob)),
            text: tokens.iter().map(|token| token.text.as_str()).collect(),
        }
    }
}

fn append_tokens(tx: &Transaction<'_>, turn: TurnId, tokens: &[StoredToken]) -> Result<(), Failure> {
    append_chunk(tx, turn, &Chunk::of_tokens(tokens))
}

/// One statement that also finds out whether the turn is running: this is the way of every token.
fn append_chunk(tx: &Transaction<'_>, turn: TurnId, chunk: &Chunk) -> Result<(), Failure> {
    let n_rows = tx
        .prepare_cached(
            "INSERT INTO chunk (turn, seq, n_tokens, ids, logprobs, text)
             SELECT turn, (SELECT coalesce(max(seq) + 1, 0) FROM chunk WHERE turn = ?1), ?2, ?3, ?4, ?5
               FROM running WHERE turn = ?1",
        )?
        .execute(params![turn.0, chunk.n_tokens, chunk.ids, chunk.logprobs, chunk.text])?;
    if n_rows == 0 { check_running(tx, turn) } else { Ok(()) }
}

/// How a turn ends.
pub(super) struct End<'a> {
    pub(super) ended_at: i64,
    pub(super) ending: Ending,
    pub(super) error: Option<&'a str>,
}

fn end_running_turn(tx: &Transaction<'_>, turn: TurnId, end: &End<'_>) -> Result<(), Failure> {
    check_running(tx, turn)?;
    Ok(end_turn(tx, turn, end)?)
}

/// Turns the chunks of a running turn into its response.
pub(super) fn end_turn(tx: &Transaction<'_>, turn: TurnId, end: &End<'_>) -> rusqlite::Result<()> {
    let whole = response_so_far(tx, turn)?;
    tx.prepare_cached(
        "INSERT INTO response (turn, ended_at, ending, n_tokens, error, ids, logprobs, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        turn.0,
        end.ended_at,
        word(end.ending),
        whole.n_tokens,
        end.error,
        whole.ids,
        whole.logprobs,
        whole.text,
    ])?;
    tx.prepare_cached("DELETE FROM chunk WHERE turn = ?1")?.execute([turn.0])?;
    tx.prepare_cached("DELETE FROM running WHERE turn = ?1")?.execute([turn.0])?;
    tx.prepare_cached(
        "INSERT INTO turn_text (rowid, request, response)
         SELECT turn, request, response FROM turn_words WHERE turn = ?1",
    )?
    .execute([turn.0])?;
    Ok(())
}

/// The chunks of a running turn, joined in order.
pub(super) fn response_so_far(conn: &Connection, turn: TurnId) -> rusqlite::Result<Chunk> {
    let mut whole = Chunk::default();
    let mut statement =
        conn.prepare_cached("SELECT n_tokens, ids, logprobs, text FROM chunk WHERE turn = ?1 ORDER BY seq")?;
    let mut rows = statement.query([turn.0])?;
    while let Some(row) = rows.next()? {
        whole.n_tokens += row.get::<_, i64>("n_tokens")?;
        whole.ids.extend(row.get::<_, Vec<u8>>("ids")?);
        whole.logprobs.extend(row.get::<_, Vec<u8>>("logprobs")?);
        whole.text += &row.get::<_, String>("text")?;
    }
    Ok(whole)
}

/// The empty row of a forgotten turn is none.
fn check_exists(tx: &Transaction<'_>, turn: TurnId) -> Result<(), Failure> {
    let found =
        tx.prepare_cached("SELECT 1 FROM turn WHERE id = ?1 AND settings <> 'null'")?.exists([turn.0])?;
    if found { Ok(()) } else { Err(StoreError::NoTurn(turn.0).into()) }
}

fn check_running(tx: &Transaction<'_>, turn: TurnId) -> Result<(), Failure> {
    check_exists(tx, turn)?;
    let running = tx.prepare_cached("SELECT 1 FROM running WHERE turn = ?1")?.exists([turn.0])?;
    if running { Ok(()) } else { Err(StoreError::TurnEnded(turn.0).into()) }
}

fn check_found(n_rows: usize, session: &SessionId) -> Result<(), Failure> {
    if n_rows == 0 { Err(StoreError::NoSession(session.0.clone()).into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::Reader;
    use crate::turn::{PolicyVersion, Source};

    struct Fixture {
        _dir: tempfile::TempDir,
        store: SqliteStore,
        turn: TurnId,
    }

    fn running_turn() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let mut store =
            SqliteStore::open(&dir.path().join("ledger.db"), Timestamp::UNIX_EPOCH).unwrap().store;
        let id = SessionId("s".into());
        let session = NewSession { id: id.clone(), source: Source::Chat, cwd: None, started_at: 0 };
        store.append(Entry::OpenSession(session)).unwrap();
        let turn = NewTurn {
            session: id,
            parent: None,
            kind: TurnKind::Main,
            source: Source::Chat,
            cwd: None,
            messages: Vec::new(),
            prompt: vec![1],
            policy: PolicyVersion::BASE,
            model: "m".into(),
            settings: "{}".into(),
            started_at: 0,
        };
        let Ok(Receipt::Turn(turn)) = store.append(Entry::BeginTurn(turn)) else { panic!("no turn") };
        Fixture { _dir: dir, store, turn }
    }

    fn words(turn: TurnId, text: &str) -> Entry {
        let token = StoredToken { id: 7, logprob: -0.5, text: text.into() };
        Entry::AppendTokens { turn, tokens: vec![token] }
    }

    fn limit_pages(store: &SqliteStore, n_pages: i64) {
        let set: i64 = store
            .conn
            .query_row(&format!("PRAGMA max_page_count = {n_pages}"), [], |row| row.get(0))
            .unwrap();
        assert!(set >= 1);
    }

    #[test]
    fn a_full_disk_is_named_and_nothing_acknowledged_is_lost() {
        let Fixture { _dir, mut store, turn } = running_turn();
        limit_pages(&store, 1); // SQLite takes the present size when that is larger.
        let text = "x".repeat(3000);
        let mut n_written = 0;
        let err = loop {
            match store.append(words(turn, &text)) {
                Ok(_) => n_written += 1,
                Err(err) => break err,
            }
        };
        let StoreError::Unwritable { reason, .. } = &err else { panic!("{err}") };
        assert_eq!(reason, "the disk is full; free some space");

        limit_pages(&store, 1_000_000);
        store.append(words(turn, "end")).unwrap();
        let end = Entry::EndTurn { turn, ended_at: 1, ending: Ending::Stop, error: None };
        store.append(end).unwrap();
        let stored = Reader::open(&store.path).unwrap().turn(turn).unwrap();
        assert_eq!(stored.row.response, text.repeat(n_written) + "end");
        assert_eq!(stored.tokens.len(), n_written + 1);
    }

    #[test]
    fn an_end_that_does_not_fit_can_be_sent_again() {
        let Fixture { _dir, mut store, turn } = running_turn();
        store.append(words(turn, &"x".repeat(20_000))).unwrap();
        limit_pages(&store, 1);
        let end = Entry::EndTurn { turn, ended_at: 1, ending: Ending::Stop, error: None };
        assert!(matches!(store.append(end.clone()), Err(StoreError::Unwritable { .. })));
        limit_pages(&store, 1_000_000);
        store.append(end).unwrap();
        assert_eq!(Reader::open(&store.path).unwrap().turn(turn).unwrap().row.response.len(), 20_000);
    }

    #[test]
    fn a_refused_entry_does_not_disturb_its_group() {
        let Fixture { _dir, mut store, turn } = running_turn();
        let group = vec![words(turn, "a"), words(TurnId(99), "b"), words(turn, "c")];
        let outcomes = store.append_group(group);
        assert_eq!(outcomes, [Ok(Receipt::Done), Err(StoreError::NoTurn(99)), Ok(Receipt::Done)]);
        assert_eq!(Reader::open(&store.path).unwrap().turn(turn).unwrap().row.response, "ac");
    }

    #[test]
    fn only_starts_and_ends_of_turns_wait_for_the_disk() {
        let Fixture { _dir, mut store, turn } = running_turn();
        let level = |store: &SqliteStore| -> i64 {
            store.conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(level(&store), 2, "begin");
        store.append(words(turn, "a")).unwrap();
        assert_eq!(level(&store), 1, "tokens");
        store.append(Entry::EndTurn { turn, ended_at: 1, ending: Ending::Stop, error: None }).unwrap();
        assert_eq!(level(&store), 2, "end");
    }

    #[test]
    fn a_removed_turn_leaves_no_word_in_the_index() {
        let Fixture { _dir, mut store, turn } = running_turn();
        store.append(words(turn, "xylophone")).unwrap();
        store.append(Entry::EndTurn { turn, ended_at: 1, ending: Ending::Stop, error: None }).unwrap();
        let in_index = |store: &SqliteStore| -> i64 {
            store
                .conn
                .query_row("SELECT count(*) FROM turn_text_data WHERE instr(block, 'xylophone')", [], |row| {
                    row.get(0)
                })
                .unwrap()
        };
        assert_eq!(in_index(&store), 1);
        store
            .conn
            .execute_batch(
                "INSERT INTO turn_text (turn_text, rowid, request, response)
                 SELECT 'delete', turn, request, response FROM turn_words",
            )
            .unwrap();
        assert_eq!(in_index(&store), 0);
    }
}
