//! Removes what a person wants forgotten, with every row about it. The connection overwrites what it deletes.

use rusqlite::{OptionalExtension, Transaction};

use super::check_exists;
use super::lessons::check_lesson;
use crate::lesson::LessonId;
use crate::store::StoreError;
use crate::store::failure::Failure;
use crate::turn::next_state::NextState;
use crate::turn::{Message, TurnId};

/// A turn and all that continue it.
const CONTINUED: &str = "
    WITH RECURSIVE line (id) AS (
        SELECT ?1 UNION SELECT turn.id FROM turn JOIN line ON turn.parent = line.id)";

/// Every row about a lesson, the prompts that it stood in, and the hints of the turns that it was drawn from: such a
/// hint says the same as the lesson, and would be learned in its place.
pub(super) fn forget_lesson(tx: &Transaction<'_>, lesson: LessonId) -> Result<(), Failure> {
    check_lesson(tx, lesson)?;
    if let Some(run) = open_run(tx, "sample.lesson = ?1", lesson.0)? {
        return Err(StoreError::LessonInRun { run, lesson: lesson.0 }.into());
    }
    for statement in [
        "INSERT INTO lesson_text (lesson_text, rowid, text) SELECT 'delete', id, text FROM lesson WHERE id = ?1",
        "UPDATE turn_prompt SET ids = x'' WHERE turn IN (SELECT turn FROM lesson_use WHERE lesson = ?1)",
        "UPDATE verdict SET hint = NULL
          WHERE hint IS NOT NULL AND turn IN (SELECT turn FROM lesson_source WHERE lesson = ?1)",
        // Nobody draws the same hint again.
        "DELETE FROM waiting WHERE turn IN (SELECT turn FROM lesson_source WHERE lesson = ?1)",
        "UPDATE lesson SET retired_by = NULL WHERE retired_by = ?1",
        "DELETE FROM lesson_source WHERE lesson = ?1",
        "DELETE FROM lesson_use WHERE lesson = ?1",
        "DELETE FROM lesson_event WHERE lesson = ?1",
        "DELETE FROM learned WHERE lesson = ?1",
        "DELETE FROM sample WHERE lesson = ?1",
        "DELETE FROM lesson WHERE id = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([lesson.0])?;
    }
    Ok(())
}

/// Newest first, so that a turn goes before the one that it continues.
pub(super) fn forget_turns(tx: &Transaction<'_>, turns: &[TurnId]) -> Result<(), Failure> {
    let mut turns = turns.to_vec();
    turns.sort_unstable_by(|one, other| other.cmp(one));
    turns.dedup();
    for turn in &turns {
        check_may_go(tx, *turn)?;
    }
    for turn in turns {
        unsay(tx, turn)?;
        empty(tx, turn)?;
        remove_unless_continued(tx, turn)?;
    }
    Ok(())
}

fn check_may_go(tx: &Transaction<'_>, turn: TurnId) -> Result<(), Failure> {
    check_exists(tx, turn)?;
    if is_forgotten(tx, turn)? {
        return Err(StoreError::NoTurn(turn.0).into());
    }
    if tx.prepare_cached("SELECT 1 FROM running WHERE turn = ?1")?.exists([turn.0])? {
        return Err(StoreError::TurnRunning(turn.0).into());
    }
    match open_run(tx, "sample.turn = ?1", turn.0)? {
        Some(run) => Err(StoreError::TurnInRun { run, turn: turn.0 }.into()),
        None => Ok(()),
    }
}

/// An empty row that keeps a forgotten turn's place.
fn is_forgotten(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM turn WHERE id = ?1 AND messages = '[]'")?.exists([turn.0])
}

/// A run without an end that has a sample with this.
fn open_run(tx: &Transaction<'_>, condition: &str, id: i64) -> rusqlite::Result<Option<i64>> {
    let sql = format!(
        "SELECT learn_run.id FROM sample JOIN learn_run ON learn_run.id = sample.run
          WHERE {condition} AND learn_run.ended_at IS NULL"
    );
    tx.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()
}

/// What was said in a turn is also what followed the turn before it. What was concluded from it goes as well.
fn unsay(tx: &Transaction<'_>, turn: TurnId) -> Result<(), Failure> {
    let (parent, messages): (Option<i64>, String) = tx
        .prepare_cached("SELECT parent, messages FROM turn WHERE id = ?1")?
        .query_row([turn.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(parent) = parent else { return Ok(()) };
    let messages: Vec<Message> = serde_json::from_str(&messages).map_err(unreadable)?;
    let states: Vec<(i64, String)> = tx
        .prepare_cached("SELECT seq, state FROM next_state WHERE turn = ?1")?
        .query_map([parent], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut n_unsaid = 0;
    for (seq, state) in states {
        let state: NextState = serde_json::from_str(&state).map_err(unreadable)?;
        if state.is_said_in(&messages) {
            let sql = "DELETE FROM next_state WHERE turn = ?1 AND seq = ?2";
            n_unsaid += tx.prepare_cached(sql)?.execute([parent, seq])?;
        }
    }
    if n_unsaid > 0 {
        forget_conclusions(tx, parent)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err calls")]
fn unreadable(err: serde_json::Error) -> StoreError {
    StoreError::Sqlite(format!("a row about what is to be forgotten cannot be read: {err}"))
}

fn forget_conclusions(tx: &Transaction<'_>, turn: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM signal WHERE verdict IN (SELECT id FROM verdict WHERE turn = ?1)",
        "DELETE FROM verdict WHERE turn = ?1",
        "DELETE FROM waiting WHERE turn = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([turn])?;
    }
    Ok(())
}

/// All that a turn says, but for its place in the thread.
fn empty(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    forget_conclusions(tx, turn.0)?;
    let prompts = format!("{CONTINUED} UPDATE turn_prompt SET ids = x'' WHERE turn IN line");
    for statement in [
        "INSERT INTO turn_text (turn_text, rowid, request, response)
         SELECT 'delete', turn, request, response FROM turn_words WHERE turn = ?1",
        // A session is called after its first request.
        "UPDATE session SET title = '' WHERE id = (SELECT session FROM turn WHERE id = ?1)
            AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.session = session.id AND turn.kind = 'main'
                               AND turn.id < ?1 AND turn.messages <> '[]')",
        "UPDATE session SET last_turn = (
             SELECT max(id) FROM turn WHERE turn.session = session.id AND turn.kind = 'main'
                AND turn.id <> ?1 AND turn.messages <> '[]')
          WHERE last_turn = ?1",
        "DELETE FROM next_state WHERE turn = ?1",
        "DELETE FROM lesson_source WHERE turn = ?1",
        "DELETE FROM lesson_use WHERE turn = ?1",
        "DELETE FROM sample WHERE turn = ?1",
        &prompts,
        "UPDATE turn SET cwd = NULL, n_prompt = 0, settings = '{}', messages = '[]' WHERE id = ?1",
        "UPDATE response SET n_tokens = 0, error = NULL, ids = x'', logprobs = x'', text = '' WHERE turn = ?1",
        "INSERT INTO turn_text (rowid, request, response)
         SELECT turn, request, response FROM turn_words WHERE turn = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([turn.0])?;
    }
    Ok(())
}

/// Takes an empty turn away where nothing continues it, and then the empty ones before it.
fn remove_unless_continued(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    let mut next = Some(turn.0);
    while let Some(turn) = next {
        let is_continued = tx.prepare_cached("SELECT 1 FROM turn WHERE parent = ?1")?.exists([turn])?;
        if is_continued || !is_forgotten(tx, TurnId(turn))? {
            return Ok(());
        }
        next = tx
            .prepare_cached("SELECT parent FROM turn WHERE id = ?1")?
            .query_row([turn], |row| row.get(0))?;
        for statement in [
            "INSERT INTO turn_text (turn_text, rowid, request, response)
             SELECT 'delete', turn, request, response FROM turn_words WHERE turn = ?1",
            "DELETE FROM response WHERE turn = ?1",
            "DELETE FROM turn_prompt WHERE turn = ?1",
            "DELETE FROM turn WHERE id = ?1",
        ] {
            tx.prepare_cached(statement)?.execute([turn])?;
        }
    }
    Ok(())
}
