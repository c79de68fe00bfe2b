//! Removes many rows at a time, for what a person wants forgotten by the session, the project, the day, or as a whole.
//! Each piece is one short transaction, and a piece that was done before changes nothing.

use rusqlite::{Row, Transaction, params};

use super::SqliteStore;
use super::forgetting::forget_conclusions;
use crate::store::failure::{Failure, store_error};
use crate::store::{Removal, StoreError, Words};
use crate::turn::TurnId;

/// A ledger that keeps more than this is not written anew: the writer would stand still for seconds.
const REWRITTEN_UP_TO: i64 = 64 << 20;

/// A session in which nothing is left.
const EMPTY: &str = "
    id = ?1 AND started_at <= ?2 AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.session = session.id)";

pub(super) fn remove(tx: &Transaction<'_>, removal: &Removal) -> Result<(), Failure> {
    match removal {
        Removal::States { states, until } => forget_states(tx, states, *until)?,
        Removal::Words(words) => empty_words(tx, words)?,
        Removal::Sessions { sessions, until } => remove_sessions(tx, sessions, *until)?,
        Removal::Folders(folders) => {
            for folder in folders {
                tx.prepare_cached("DELETE FROM excluded_project WHERE folder = ?1")?.execute([folder])?;
            }
        }
        Removal::Index { newest } => index_without(tx, *newest)?,
        Removal::Turns { first, last, newest } => remove_turns(tx, *first, *last, *newest)?,
        Removal::Rest { until } => remove_rest(tx, *until)?,
        Removal::Compact => {}
    }
    Ok(())
}

/// What came later has another place or another time.
fn forget_states(tx: &Transaction<'_>, states: &[(TurnId, u32)], until: i64) -> rusqlite::Result<()> {
    for (turn, place) in states {
        let sql = "DELETE FROM next_state WHERE turn = ?1 AND seq = ?2 AND at <= ?3";
        if tx.prepare_cached(sql)?.execute(params![turn.0, place, until])? == 0 {
            continue;
        }
        forget_conclusions(tx, turn.0)?;
        // It was taught with what followed it.
        tx.prepare_cached("DELETE FROM sample WHERE turn = ?1 AND role IN ('teach', 'replay')")?
            .execute([turn.0])?;
    }
    Ok(())
}

fn empty_words(tx: &Transaction<'_>, words: &Words) -> rusqlite::Result<()> {
    let each = |sql: &str, rows: &mut dyn Iterator<Item = i64>| -> rusqlite::Result<()> {
        let mut statement = tx.prepare_cached(sql)?;
        for row in rows {
            statement.execute([row])?;
        }
        Ok(())
    };
    each(
        // The wording of that time also stood in prompts.
        "UPDATE turn_prompt SET ids = x'' WHERE turn IN
             (SELECT lesson_use.turn FROM lesson_use JOIN lesson_event ON lesson_event.lesson = lesson_use.lesson
               WHERE lesson_event.id = ?1)",
        &mut words.lesson_events.iter().copied(),
    )?;
    each(
        "UPDATE lesson_event SET reason = '', detail = NULL, before = NULL WHERE id = ?1",
        &mut words.lesson_events.iter().copied(),
    )?;
    each("DELETE FROM signal WHERE verdict = ?1", &mut words.verdicts.iter().copied())?;
    each("DELETE FROM verdict WHERE id = ?1", &mut words.verdicts.iter().copied())?;
    each(
        "UPDATE learn_run SET reason = NULL, error = NULL, counts = '{}' WHERE id = ?1",
        &mut words.runs.iter().map(|run| run.0),
    )?;
    each("UPDATE gate_result SET reasons = '[]' WHERE run = ?1", &mut words.runs.iter().map(|run| run.0))?;
    each("UPDATE serving SET reason = '' WHERE id = ?1", &mut words.servings.iter().copied())?;
    each("UPDATE session SET title = '' WHERE id = ?1", &mut words.sessions.iter().copied())
}

fn remove_sessions(tx: &Transaction<'_>, sessions: &[i64], until: i64) -> rusqlite::Result<()> {
    let excluded =
        format!("DELETE FROM excluded_session WHERE session IN (SELECT id FROM session WHERE {EMPTY})");
    let row = format!("DELETE FROM session WHERE {EMPTY}");
    for session in sessions {
        tx.prepare_cached(&excluded)?.execute(params![session, until])?;
        tx.prepare_cached(&row)?.execute(params![session, until])?;
    }
    Ok(())
}

/// Taking a hundred thousand turns out of the index one by one takes longer than making it anew.
fn index_without(tx: &Transaction<'_>, newest: TurnId) -> rusqlite::Result<()> {
    tx.execute("INSERT INTO turn_text (turn_text) VALUES ('delete-all')", [])?;
    tx.execute(
        "INSERT INTO turn_text (rowid, request, response)
         SELECT turn, request, response FROM turn_words WHERE turn > ?1",
        [newest.0],
    )?;
    Ok(())
}

/// Newest pieces first, so that nothing continues what goes but turns that began since.
fn remove_turns(tx: &Transaction<'_>, first: TurnId, last: TurnId, newest: TurnId) -> rusqlite::Result<()> {
    // A conversation that went on meanwhile goes on, without what it began with.
    tx.prepare_cached(
        "WITH RECURSIVE line (id) AS (
             SELECT id FROM turn WHERE parent >= ?1 AND parent <= ?2 AND id > ?3
             UNION SELECT turn.id FROM turn JOIN line ON turn.parent = line.id)
         UPDATE turn_prompt SET ids = x'' WHERE turn IN line",
    )?
    .execute(params![first.0, last.0, newest.0])?;
    for statement in [
        "UPDATE turn SET parent = NULL WHERE parent >= ?1 AND parent <= ?2 AND id > ?2",
        "DELETE FROM signal WHERE verdict IN (SELECT id FROM verdict WHERE turn BETWEEN ?1 AND ?2)",
        "DELETE FROM verdict WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM waiting WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM next_state WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM lesson_source WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM lesson_use WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM sample WHERE turn >= ?1 AND turn <= ?2",
        "DELETE FROM excluded_turn WHERE turn BETWEEN ?1 AND ?2",
        "UPDATE session SET title = '', last_turn =
             (SELECT max(id) FROM turn WHERE turn.session = session.id AND turn.kind = 'main' AND turn.id > ?2)
          WHERE last_turn BETWEEN ?1 AND ?2",
        "DELETE FROM chunk WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM response WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM turn_prompt WHERE turn BETWEEN ?1 AND ?2",
        "DELETE FROM turn WHERE id BETWEEN ?1 AND ?2",
    ] {
        tx.prepare_cached(statement)?.execute([first.0, last.0])?;
    }
    Ok(())
}

fn remove_rest(tx: &Transaction<'_>, until: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM gate_result WHERE run IN (SELECT id FROM learn_run WHERE started_at <= ?1)",
        "DELETE FROM sample WHERE run IN (SELECT id FROM learn_run WHERE started_at <= ?1)",
        "DELETE FROM learn_run WHERE started_at <= ?1 AND ended_at IS NOT NULL",
        "DELETE FROM serving WHERE at <= ?1",
        "DELETE FROM excluded_project WHERE at <= ?1",
        "DELETE FROM excluded_session WHERE at <= ?1",
        "UPDATE session SET title = '' WHERE started_at <= ?1
            AND EXISTS (SELECT 1 FROM turn WHERE turn.session = session.id)",
        "DELETE FROM session WHERE started_at <= ?1
            AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.session = session.id)
            AND NOT EXISTS (SELECT 1 FROM excluded_session WHERE session = session.id)",
    ] {
        tx.execute(statement, [until])?;
    }
    Ok(())
}

impl SqliteStore {
    /// Writes the file anew without its empty pages, where what it keeps is small enough. Pages that stay are zeros.
    pub(super) fn compact(&mut self) -> Result<(), StoreError> {
        self.compact_if_small().map_err(|err| store_error(&self.path, &err))
    }

    fn compact_if_small(&mut self) -> rusqlite::Result<()> {
        let number = |pragma: &str| self.conn.query_row(pragma, [], whole_number);
        let n_empty = number("PRAGMA freelist_count")?;
        let kept = (number("PRAGMA page_count")? - n_empty) * number("PRAGMA page_size")?;
        if n_empty == 0 {
            return Ok(());
        }
        if kept > REWRITTEN_UP_TO {
            tracing::info!(
                n_empty,
                "the ledger's file keeps its size; its empty pages are zeros and are used again"
            );
            return Ok(());
        }
        self.conn.execute_batch("VACUUM")
    }
}

/// `SQLCipher` answers some pragmas with digits.
fn whole_number(row: &Row<'_>) -> rusqlite::Result<i64> {
    match row.get_ref(0)?.as_str() {
        Ok(digits) => digits.parse().map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, 0)),
        Err(_) => row.get(0),
    }
}
