//! Opening the ledger for writing: new, older, newer, corrupt, or left behind by a crash.
//!
//! A ledger that cannot be read is set aside under a name of its own, never deleted; one from a newer program is
//! not touched at all; an older one is copied before it is brought up to date.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::{corrupt, store_error, unwritable};
use super::reader::{open_read_only, wal_of, with_suffix};
use super::sealed::{self, Look};
use super::write::{Durability, End, SqliteStore, end_turn, interrupt_runs};
use super::{StoreError, schema};
use crate::turn::{Ending, TurnId};

/// Bytes of a ledger that are checked in about a third of a second.
const CHECK_ALL_UP_TO: u64 = 256 << 20;

/// Three quarters of a ledger, in rows that are written once and never looked for.
const BULKY: &[&str] = &["response", "turn_prompt"];

/// A ledger that is ready for writing, and what it took to get there.
pub struct Opened {
    pub store: SqliteStore,
    /// One sentence for the user when the ledger is not the one that was there before.
    pub notice: Option<String>,
    /// How many turns the last daemon left without an end; they have one now ([`Ending::Crashed`]).
    pub n_recovered: usize,
    /// How many training runs it left without an end; they are interrupted, and nothing of them was promoted.
    pub n_interrupted: usize,
}

impl SqliteStore {
    /// Opens the ledger at `path`, whose directory exists, and creates it when there is none. `now` names what is
    /// set aside and ends what a crash left open.
    pub fn open(path: &Path, now: Timestamp) -> Result<Opened, StoreError> {
        Self::open_with(path, now, schema::STEPS)
    }

    fn open_with(path: &Path, now: Timestamp, steps: &[&str]) -> Result<Opened, StoreError> {
        let reason = match open_sound(path, now, steps) {
            Err(StoreError::Corrupt { reason, .. }) => reason,
            opened_or_refused => return opened_or_refused,
        };
        let aside = set_aside(path, now)?;
        let mut opened = open_sound(path, now, steps)?;
        opened.notice = Some(format!(
            "the ledger was not readable ({reason}); it is kept as {} and a new one was begun",
            aside.display()
        ));
        Ok(opened)
    }
}

fn open_sound(path: &Path, now: Timestamp, steps: &[&str]) -> Result<Opened, StoreError> {
    make_private(path)?;
    let found = examine(path, steps.len())?;
    let mut conn = connect(path)?;
    let notice = bring_up_to_date(&mut conn, path, found, steps)?;
    let mut store = SqliteStore { conn, path: path.to_path_buf(), durability: None };
    let (n_recovered, n_interrupted) =
        end_what_crashed(&mut store, now).map_err(|err| store_error(path, &err))?;
    // What a crash left in the log may have been forgotten since. A reader only puts it off.
    if let Err(err) = store.empty_log() {
        tracing::info!(%err, "the write-ahead log stays for now");
    }
    Ok(Opened { store, notice, n_recovered, n_interrupted })
}

/// Creates what is absent and takes other users' access to what is there. SQLite gives the files beside it the
/// same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let refuse = |err: std::io::Error| unwritable(path, &err);
    let fresh = !path.exists();
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(refuse)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(refuse)?;
    for beside in [wal_of(path), with_suffix(path, "-shm")] {
        if beside.exists() {
            std::fs::set_permissions(&beside, Permissions::from_mode(0o600)).map_err(refuse)?;
        }
    }
    if fresh { sync_directory(path) } else { Ok(()) }
}

/// The schema version of what is there, without changing it; 0 for a new file.
fn examine(path: &Path, known: usize) -> Result<i64, StoreError> {
    if is_new(path)? {
        return Ok(0);
    }
    let fail = |err: rusqlite::Error| store_error(path, &err);
    let (conn, _) = open_read_only(path)?;
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(fail)?;
    let found = schema::version(&conn).map_err(fail)?;
    let n_tables: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if n_tables == 0 && found == 0 {
        return Ok(0);
    }
    if application != schema::APPLICATION_ID {
        return Err(corrupt(path, &"it is the database of another program"));
    }
    if usize::try_from(found).is_ok_and(|found| found > known) {
        return Err(StoreError::FromTheFuture { path: path.display().to_string(), found, known });
    }
    for table in tables_to_check(&conn, n_bytes(path)).map_err(fail)? {
        let verdict: String = conn
            .query_row("SELECT quick_check FROM pragma_quick_check(?1)", [&table], |row| row.get(0))
            .map_err(fail)?;
        if verdict != "ok" {
            return Err(corrupt(path, &verdict));
        }
    }
    Ok(found)
}

/// All tables; of a large ledger, those without the bulk of the bytes, because a daemon that starts is waited for.
/// The index of words is checked as the plain tables that it consists of.
fn tables_to_check(conn: &Connection, n_bytes: u64) -> rusqlite::Result<Vec<String>> {
    let mut tables: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if n_bytes > CHECK_ALL_UP_TO {
        tables.retain(|table| !BULKY.contains(&table.as_str()));
        tracing::info!(n_bytes, unchecked = ?BULKY, "the ledger is large: some tables are checked on request only");
    }
    Ok(tables)
}

fn n_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Whether there is nothing yet. Anything that SQLite would not recognise, and an empty file beside a log that is
/// not empty (SQLite would delete that log), is corrupt; one that is encrypted is neither.
fn is_new(path: &Path) -> Result<bool, StoreError> {
    match sealed::look(path)? {
        Look::Empty => {
            let has_log = std::fs::metadata(wal_of(path)).is_ok_and(|log| log.len() > 0);
            if has_log { Err(corrupt(path, &"it is empty")) } else { Ok(true) }
        }
        Look::Plain | Look::Sealed => Ok(false),
        Look::Garbled => Err(corrupt(path, &"it is not an SQLite database")),
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let fail = |err: rusqlite::Error| store_error(path, &err);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(fail)?;
    conn.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
    conn.set_prepared_statement_cache_capacity(128);
    sealed::unlock_or_begin(&conn, path)?;
    // Both fullfsync pragmas matter on macOS only, where fsync alone does not survive a power cut.
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA cell_size_check = ON;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA synchronous = FULL;",
    )
    .map_err(fail)?;
    Ok(conn)
}

/// Returns a sentence for the user when there was something to do to an existing ledger.
fn bring_up_to_date(
    conn: &mut Connection,
    path: &Path,
    found: i64,
    steps: &[&str],
) -> Result<Option<String>, StoreError> {
    let is_current = usize::try_from(found) == Ok(steps.len());
    let notice = if found == 0 || is_current {
        None
    } else {
        let copy = back_up(conn, path, found)?;
        Some(format!("the ledger was brought up to date; the old one is kept as {}", copy.display()))
    };
    schema::migrate(conn, steps).map_err(|err| store_error(path, &err))?;
    Ok(notice)
}

/// A copy of the ledger as it was at version `found`, synced before anything changes.
fn back_up(conn: &Connection, path: &Path, found: i64) -> Result<PathBuf, StoreError> {
    let copy = free_name(&with_suffix(path, &format!(".v{found}.bak")));
    let refuse = |err: std::io::Error| unwritable(&copy, &err);
    let name = copy.to_str().ok_or_else(|| unwritable(&copy, &"its name is not UTF-8"))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy).map_err(refuse)?;
    if let Err(err) = conn.execute("VACUUM INTO ?1", [name]) {
        // Half a copy is none.
        std::fs::remove_file(&copy).map_err(refuse)?;
        return Err(store_error(path, &err));
    }
    file.sync_all().map_err(refuse)?;
    sync_directory(&copy)?;
    Ok(copy)
}

/// Gives an end to every turn and training run that has none: nobody is at work on them any more.
fn end_what_crashed(store: &mut SqliteStore, now: Timestamp) -> rusqlite::Result<(usize, usize)> {
    store.set_durability(Durability::Power)?;
    let tx = store.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let turns: Vec<i64> = tx
        .prepare("SELECT turn FROM running ORDER BY turn")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let end = End { ended_at: now.as_millisecond(), ending: Ending::Crashed, error: None };
    for turn in &turns {
        end_turn(&tx, TurnId(*turn), &end)?;
    }
    let n_runs = interrupt_runs(&tx, now.as_millisecond())?;
    tx.commit()?;
    Ok((turns.len(), n_runs))
}

/// Moves the ledger and the files beside it to a name that says when, such that SQLite tools can still open it.
fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let aside = free_name(&with_suffix(path, &now.strftime(".corrupt-%Y%m%dT%H%M%SZ").to_string()));
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(path, suffix);
        if from.exists() {
            let to = with_suffix(&aside, suffix);
            std::fs::rename(&from, &to).map_err(|err| unwritable(&to, &err))?;
        }
    }
    sync_directory(path)?;
    Ok(aside)
}

/// `path`, or the first of `path.2`, `path.3`, … that nobody has.
fn free_name(path: &Path) -> PathBuf {
    let numbered = (2..).map(|n: u64| with_suffix(path, &format!(".{n}")));
    std::iter::once(path.to_path_buf())
        .chain(numbered)
        .find(|name| !name.exists())
        .unwrap_or_else(|| path.to_path_buf())
}

/// A new or renamed file is there after a power cut only when its directory was synced.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))
        .and_then(|directory| directory.sync_all())
        .map_err(|err| unwritable(path, &err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Reader;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A ledger of an older schema, as the step after it finds it.
    fn older() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let opened = SqliteStore::open(&path, NOW).unwrap();
        opened
            .store
            .conn
            .execute("INSERT INTO session (key, source, started_at) VALUES ('s', 'chat', 1)", [])
            .unwrap();
        (dir, path)
    }

    fn newer_steps(step: &str) -> Vec<&str> {
        schema::STEPS.iter().copied().chain([step]).collect()
    }

    fn version_of(path: &Path) -> i64 {
        schema::version(&Connection::open(path).unwrap()).unwrap()
    }

    #[test]
    fn an_older_ledger_is_copied_and_brought_up_to_date() {
        let (_dir, path) = older();
        let opened = SqliteStore::open_with(&path, NOW, &newer_steps("CREATE TABLE later (x)")).unwrap();
        let copy = with_suffix(&path, ".v5.bak");
        assert_eq!(
            opened.notice.unwrap(),
            format!("the ledger was brought up to date; the old one is kept as {}", copy.display())
        );
        drop(opened.store);
        assert_eq!((version_of(&path), version_of(&copy)), (6, 5));
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Reader::open(&copy).unwrap().counts().unwrap().sessions, 1);
    }

    #[test]
    fn a_ledger_of_every_released_schema_is_brought_up_to_date() {
        for n_steps in 1..schema::STEPS.len() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.db");
            let mut old = Connection::open(&path).unwrap();
            schema::migrate(&mut old, &schema::STEPS[..n_steps]).unwrap();
            let insert = "INSERT INTO session (key, source, started_at) VALUES ('s', 'chat', 1)";
            old.execute(insert, []).unwrap();
            drop(old);
            drop(SqliteStore::open(&path, NOW).unwrap());
            let mut reader = Reader::open(&path).unwrap();
            assert_eq!((reader.counts().unwrap().sessions, reader.serving().unwrap()), (1, vec![]));
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_ledger_as_it_was() {
        let (_dir, path) = older();
        let failed = SqliteStore::open_with(&path, NOW, &newer_steps("CREATE TABLE session (x)"));
        assert!(matches!(failed.err(), Some(StoreError::Sqlite(_))));
        assert_eq!(version_of(&path), 5);
        assert_eq!(Reader::open(&path).unwrap().counts().unwrap().sessions, 1);
    }

    #[test]
    fn a_second_copy_does_not_replace_the_first() {
        let (_dir, path) = older();
        let first = with_suffix(&path, ".v5.bak");
        std::fs::write(&first, "precious").unwrap();
        drop(SqliteStore::open_with(&path, NOW, &newer_steps("CREATE TABLE later (x)")).unwrap());
        assert_eq!(std::fs::read(&first).unwrap(), b"precious");
        assert_eq!(version_of(&with_suffix(&first, ".2")), 5);
    }

    #[test]
    fn a_large_ledger_is_checked_where_it_matters() {
        let (_dir, path) = older();
        let conn = Connection::open(&path).unwrap();
        let small = tables_to_check(&conn, CHECK_ALL_UP_TO).unwrap();
        let large = tables_to_check(&conn, CHECK_ALL_UP_TO + 1).unwrap();
        for table in ["session", "turn", "running", "chunk", "turn_text_data"] {
            assert!(large.iter().any(|name| name == table), "{table}");
        }
        assert_eq!(small.len(), large.len() + BULKY.len());
        assert!(!small.iter().any(|name| name == "turn_text"));
    }
}
