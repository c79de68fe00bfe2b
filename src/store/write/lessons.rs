//! Writes of lessons: each change with a line of history, the index of words kept in step.

mod before;

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Value, json};

pub(super) use before::Before;

use super::check_exists;
use crate::lesson::{LessonId, Scope};
use crate::store::failure::Failure;
use crate::store::words::word;
use crate::store::{By, LessonChange, LessonEdit, NewLesson, StoreError};
use crate::turn::{PolicyVersion, TurnId};

/// One line of a lesson's history.
pub(super) struct Event<'a> {
    pub(super) at: i64,
    pub(super) what: &'a str,
    pub(super) by: By,
    pub(super) reason: &'a str,
    pub(super) detail: Option<Value>,
}

pub(super) fn add_lesson(tx: &Transaction<'_>, new: &NewLesson) -> Result<LessonId, Failure> {
    for turn in &new.sources {
        check_exists(tx, *turn)?;
    }
    let (scope, scope_of) = scope_columns(&new.scope);
    tx.prepare_cached(
        "INSERT INTO lesson (created_at, origin, state, scope, scope_of, pinned, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.created_at,
        word(new.origin),
        if new.waits_for_yes { "proposed" } else { "active" },
        scope,
        scope_of,
        new.pinned,
        new.text,
    ])?;
    let lesson = LessonId(tx.last_insert_rowid());
    index_words(tx, lesson, &new.text)?;
    let mut insert =
        tx.prepare_cached("INSERT INTO lesson_source (lesson, turn) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for turn in &new.sources {
        insert.execute([lesson.0, turn.0])?;
    }
    let what = if new.waits_for_yes { "proposed" } else { "activated" };
    let event = Event { at: new.created_at, what, by: new.by, reason: &new.reason, detail: None };
    record_event(tx, lesson, &event, None)?;
    for replaced in &new.replaces {
        let edit = LessonEdit {
            lesson: *replaced,
            change: LessonChange::Retire { replaced_by: Some(lesson) },
            by: new.by,
            reason: format!("contradicted by lesson {}", lesson.0),
            at: new.created_at,
        };
        change_lesson(tx, &edit)?;
    }
    Ok(lesson)
}

pub(super) fn change_lesson(tx: &Transaction<'_>, edit: &LessonEdit) -> Result<(), Failure> {
    let lesson = edit.lesson;
    check_lesson(tx, lesson)?;
    let before = Before::read(tx, lesson)?;
    let (what, detail) = match &edit.change {
        LessonChange::Activate => {
            set_state(tx, lesson, "active", None)?;
            ("activated", None)
        }
        LessonChange::Retire { replaced_by } => {
            if let Some(successor) = replaced_by {
                check_lesson(tx, *successor)?;
            }
            set_state(tx, lesson, "retired", *replaced_by)?;
            ("retired", replaced_by.map(|successor| json!({ "by": successor })))
        }
        LessonChange::Prune => {
            set_state(tx, lesson, "pruned", None)?;
            ("pruned", None)
        }
        LessonChange::Reword(text) => ("reworded", Some(json!({ "was": reword(tx, lesson, text)? }))),
        LessonChange::Rescope(scope) => ("rescoped", Some(json!({ "was": rescope(tx, lesson, scope)? }))),
        LessonChange::Pin(pinned) => {
            let sql = "UPDATE lesson SET pinned = ?2 WHERE id = ?1";
            tx.prepare_cached(sql)?.execute(params![lesson.0, pinned])?;
            (if *pinned { "pinned" } else { "unpinned" }, None)
        }
    };
    let event = Event { at: edit.at, what, by: edit.by, reason: &edit.reason, detail };
    Ok(record_event(tx, lesson, &event, Some(&before))?)
}

pub(super) fn use_lessons(tx: &Transaction<'_>, turn: TurnId, lessons: &[LessonId]) -> Result<(), Failure> {
    check_exists(tx, turn)?;
    let first = "SELECT coalesce(max(rank) + 1, 0) FROM lesson_use WHERE turn = ?1";
    let first: i64 = tx.prepare_cached(first)?.query_row([turn.0], |row| row.get(0))?;
    for (rank, lesson) in (first..).zip(lessons) {
        check_lesson(tx, *lesson)?;
        let n_rows = tx
            .prepare_cached(
                "INSERT INTO lesson_use (turn, lesson, rank) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute([turn.0, lesson.0, rank])?;
        if n_rows == 1 {
            tx.prepare_cached("UPDATE lesson SET used = used + 1 WHERE id = ?1")?.execute([lesson.0])?;
        }
    }
    Ok(())
}

/// The counters move only by what this word changes, so that a turn that is judged twice counts once.
pub(super) fn count_effect(
    tx: &Transaction<'_>,
    turn: TurnId,
    lesson: LessonId,
    helped: bool,
) -> Result<(), Failure> {
    let before: Option<Option<bool>> = tx
        .prepare_cached("SELECT helped FROM lesson_use WHERE turn = ?1 AND lesson = ?2")?
        .query_row([turn.0, lesson.0], |row| row.get(0))
        .optional()?;
    let before = before.ok_or(StoreError::LessonNotUsed { turn: turn.0, lesson: lesson.0 })?;
    tx.prepare_cached("UPDATE lesson_use SET helped = ?3 WHERE turn = ?1 AND lesson = ?2")?
        .execute(params![turn.0, lesson.0, helped])?;
    let change = |kind: bool| i64::from(helped == kind) - i64::from(before == Some(kind));
    tx.prepare_cached("UPDATE lesson SET helped = helped + ?2, failed = failed + ?3 WHERE id = ?1")?
        .execute([lesson.0, change(true), change(false)])?;
    Ok(())
}

/// The gate found the lesson in the weights of this version.
pub(super) fn mark_learned(
    tx: &Transaction<'_>,
    lesson: LessonId,
    version: PolicyVersion,
    event: &Event<'_>,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE lesson SET state = 'learned', in_version = ?2 WHERE id = ?1")?
        .execute(params![lesson.0, version.0])?;
    tx.prepare_cached("INSERT INTO learned (version, lesson) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![version.0, lesson.0])?;
    record_event(tx, lesson, event, None)
}

/// What serves does not hold the lesson (any more): back into the prompts.
pub(super) fn reactivate(tx: &Transaction<'_>, lesson: LessonId, event: &Event<'_>) -> rusqlite::Result<()> {
    set_state(tx, lesson, "active", None)?;
    record_event(tx, lesson, event, None)
}

pub(super) fn check_lesson(tx: &Transaction<'_>, lesson: LessonId) -> Result<(), Failure> {
    let found = tx.prepare_cached("SELECT 1 FROM lesson WHERE id = ?1")?.exists([lesson.0])?;
    if found { Ok(()) } else { Err(StoreError::NoLesson(lesson.0).into()) }
}

fn set_state(
    tx: &Transaction<'_>,
    lesson: LessonId,
    state: &str,
    replaced_by: Option<LessonId>,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE lesson SET state = ?2, in_version = NULL, retired_by = ?3 WHERE id = ?1")?
        .execute(params![lesson.0, state, replaced_by.map(|by| by.0)])?;
    Ok(())
}

/// Returns the old text. No version holds the new one, so what was learned is active again.
fn reword(tx: &Transaction<'_>, lesson: LessonId, text: &str) -> rusqlite::Result<String> {
    let was: String = tx
        .prepare_cached("SELECT text FROM lesson WHERE id = ?1")?
        .query_row([lesson.0], |row| row.get(0))?;
    unindex_words(tx, lesson, &was)?;
    tx.prepare_cached(
        "UPDATE lesson SET text = ?2, in_version = NULL,
                state = CASE state WHEN 'learned' THEN 'active' ELSE state END
          WHERE id = ?1",
    )?
    .execute(params![lesson.0, text])?;
    tx.prepare_cached("DELETE FROM learned WHERE lesson = ?1")?.execute([lesson.0])?;
    index_words(tx, lesson, text)?;
    Ok(was)
}

/// Returns the old scope, as JSON.
fn rescope(tx: &Transaction<'_>, lesson: LessonId, scope: &Scope) -> Result<Value, Failure> {
    let (was, was_of): (String, Option<String>) = tx
        .prepare_cached("SELECT scope, scope_of FROM lesson WHERE id = ?1")?
        .query_row([lesson.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (scope, scope_of) = scope_columns(scope);
    tx.prepare_cached("UPDATE lesson SET scope = ?2, scope_of = ?3 WHERE id = ?1")?
        .execute(params![lesson.0, scope, scope_of])?;
    Ok(was_of.map_or_else(|| json!({ "kind": was }), |of| json!({ "kind": was, "of": of })))
}

/// `before`: of a change that a person may want to take back.
pub(super) fn record_event(
    tx: &Transaction<'_>,
    lesson: LessonId,
    event: &Event<'_>,
    before: Option<&Before>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO lesson_event (lesson, at, what, by, reason, detail, before)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        lesson.0,
        event.at,
        event.what,
        word(event.by),
        event.reason,
        event.detail.as_ref().map(Value::to_string),
        before.and_then(|before| serde_json::to_string(before).ok()),
    ])?;
    Ok(())
}

fn unindex_words(tx: &Transaction<'_>, lesson: LessonId, text: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO lesson_text (lesson_text, rowid, text) VALUES ('delete', ?1, ?2)")?
        .execute(params![lesson.0, text])?;
    Ok(())
}

pub(super) fn index_words(tx: &Transaction<'_>, lesson: LessonId, text: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO lesson_text (rowid, text) VALUES (?1, ?2)")?
        .execute(params![lesson.0, text])?;
    Ok(())
}

/// Kind and value, as two columns that an index can find.
pub(in crate::store) fn scope_columns(scope: &Scope) -> (&'static str, Option<&str>) {
    match scope {
        Scope::Global => ("global", None),
        Scope::Project(directory) => ("project", Some(directory)),
        Scope::Program(program) => ("program", Some(program)),
        Scope::Session(session) => ("session", Some(session)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::lesson::Origin;
    use crate::store::{Entry, SqliteStore, Store};

    #[test]
    fn a_reworded_lesson_leaves_no_old_word_in_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let mut store =
            SqliteStore::open(&dir.path().join("ledger.db"), Timestamp::UNIX_EPOCH).unwrap().store;
        let new = NewLesson {
            text: "Use xylophone.".into(),
            scope: Scope::Global,
            origin: Origin::Taught,
            waits_for_yes: false,
            pinned: false,
            sources: Vec::new(),
            replaces: Vec::new(),
            by: By::User,
            reason: "taught".into(),
            created_at: 0,
        };
        store.append(Entry::AddLesson(new)).unwrap();
        let in_index = |store: &SqliteStore| -> i64 {
            let sql = "SELECT count(*) FROM lesson_text_data WHERE instr(block, 'xylophone')";
            store.conn.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(in_index(&store), 1);
        let change = LessonChange::Reword("Use a drum.".into());
        let edit = LessonEdit { lesson: LessonId(1), change, by: By::User, reason: String::new(), at: 1 };
        store.append(Entry::ChangeLesson(edit)).unwrap();
        assert_eq!(in_index(&store), 0);
        store.append(Entry::ForgetLesson { lesson: LessonId(1) }).unwrap();
        let check = "INSERT INTO lesson_text (lesson_text) VALUES ('integrity-check')";
        store.conn.execute(check, []).unwrap();
    }
}
