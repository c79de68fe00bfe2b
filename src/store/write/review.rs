//! Writes of the review pane: exclusions, hints in the person's words, and steps taken back.

use rusqlite::{OptionalExtension, Transaction, params};

use super::lessons::{self, Before};
use super::{check_exists, check_found};
use crate::lesson::LessonId;
use crate::store::failure::Failure;
use crate::store::{By, Excluded, ReviewEdit, StoreError};
use crate::turn::TurnId;

pub(super) fn apply(tx: &Transaction<'_>, edit: &ReviewEdit) -> Result<(), Failure> {
    match edit {
        ReviewEdit::Exclude { what, at } => exclude(tx, what, *at),
        ReviewEdit::Include { what } => include(tx, what),
        ReviewEdit::UndoLesson { lesson, event, at } => undo_lesson(tx, *lesson, *event, *at),
        ReviewEdit::RewordHint { turn, hint, at } => reword_hint(tx, *turn, hint.as_deref(), *at),
        ReviewEdit::UndoHint { turn, at } => undo_hint(tx, *turn, *at),
        ReviewEdit::UndoRating { turn, at } => undo_rating(tx, *turn, *at),
    }
}

/// Folders stand without a slash at their end; the root is empty.
fn folder_of(folder: &str) -> &str {
    folder.trim_end_matches('/')
}

fn exclude(tx: &Transaction<'_>, what: &Excluded, at: i64) -> Result<(), Failure> {
    let n_new = match what {
        Excluded::Turn(turn) => {
            check_exists(tx, *turn)?;
            tx.prepare_cached("INSERT INTO excluded_turn (turn, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![turn.0, at])?
        }
        Excluded::Session(session) => {
            let found = tx.prepare_cached("SELECT 1 FROM session WHERE key = ?1")?.exists([&session.0])?;
            check_found(usize::from(found), session)?;
            tx.prepare_cached(
                "INSERT INTO excluded_session (session, at) SELECT id, ?2 FROM session WHERE key = ?1
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![session.0, at])?
        }
        Excluded::Project(folder) => tx
            .prepare_cached(
                "INSERT INTO excluded_project (folder, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![folder_of(folder), at])?,
    };
    if n_new == 0 { Err(StoreError::Excluded(what.clone()).into()) } else { Ok(()) }
}

fn include(tx: &Transaction<'_>, what: &Excluded) -> Result<(), Failure> {
    let n_gone = match what {
        Excluded::Turn(turn) => {
            tx.prepare_cached("DELETE FROM excluded_turn WHERE turn = ?1")?.execute([turn.0])?
        }
        Excluded::Session(session) => tx
            .prepare_cached(
                "DELETE FROM excluded_session WHERE session = (SELECT id FROM session WHERE key = ?1)",
            )?
            .execute([&session.0])?,
        Excluded::Project(folder) => tx
            .prepare_cached("DELETE FROM excluded_project WHERE folder = ?1")?
            .execute([folder_of(folder)])?,
    };
    if n_gone == 0 { Err(StoreError::NotExcluded(what.clone()).into()) } else { Ok(()) }
}

fn undo_lesson(tx: &Transaction<'_>, lesson: LessonId, event: i64, at: i64) -> Result<(), Failure> {
    lessons::check_lesson(tx, lesson)?;
    let newest: Option<(i64, String, Option<String>)> = tx
        .prepare_cached(
            "SELECT id, what, before FROM lesson_event WHERE lesson = ?1 ORDER BY id DESC LIMIT 1",
        )?
        .query_row([lesson.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((_, what, before)) = newest.filter(|(newest, ..)| *newest == event) else {
        return Err(StoreError::LessonMoved(lesson.0).into());
    };
    let before = before.and_then(|json| serde_json::from_str::<Before>(&json).ok());
    let before = before.ok_or(StoreError::NotKept(lesson.0))?;
    let now = Before::read(tx, lesson)?;
    before.restore(tx, lesson)?;
    let reason = format!("{what} was taken back");
    let event = lessons::Event { at, what: "restored", by: By::User, reason: &reason, detail: None };
    Ok(lessons::record_event(tx, lesson, &event, Some(&now))?)
}

/// Copies the newest verdict with its signals, so that what was thought before stays beside it.
fn reword_hint(tx: &Transaction<'_>, turn: TurnId, hint: Option<&str>, at: i64) -> Result<(), Failure> {
    check_exists(tx, turn)?;
    let was: Option<i64> = newest_verdict(tx, turn)?;
    let was = was.ok_or(StoreError::NoVerdict(turn.0))?;
    tx.prepare_cached("UPDATE verdict SET is_newest = 0 WHERE id = ?1")?.execute([was])?;
    tx.prepare_cached(
        "INSERT INTO verdict
             (turn, is_newest, judged_at, source, seen, reward, confidence, rule, model, hint, votes)
         SELECT turn, 1, ?2, source, seen, reward, confidence, rule, model, ?3, votes FROM verdict WHERE id = ?1",
    )?
    .execute(params![was, at, hint])?;
    let new = tx.last_insert_rowid();
    tx.prepare_cached(
        "INSERT INTO signal (verdict, seq, rule, says, evidence, strength, span_start, span_end, is_directive)
         SELECT ?2, seq, rule, says, evidence, strength, span_start, span_end, is_directive
           FROM signal WHERE verdict = ?1",
    )?
    .execute([was, new])?;
    Ok(())
}

fn newest_verdict(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<Option<i64>> {
    tx.prepare_cached("SELECT id FROM verdict WHERE turn = ?1 AND is_newest = 1")?
        .query_row([turn.0], |row| row.get(0))
        .optional()
}

fn undo_hint(tx: &Transaction<'_>, turn: TurnId, at: i64) -> Result<(), Failure> {
    let found: Option<i64> = tx
        .prepare_cached("SELECT id FROM verdict WHERE turn = ?1 AND is_newest = 1 AND judged_at = ?2")?
        .query_row([turn.0, at], |row| row.get(0))
        .optional()?;
    let Some(verdict) = found else { return Err(StoreError::TurnMoved(turn.0).into()) };
    remove_verdict(tx, verdict)?;
    Ok(renew(tx, turn)?)
}

/// The rating must be the last thing that is known of the turn: what came later was judged together with it.
fn undo_rating(tx: &Transaction<'_>, turn: TurnId, at: i64) -> Result<(), Failure> {
    let last: Option<(i64, i64, String)> = tx
        .prepare_cached("SELECT seq, at, kind FROM next_state WHERE turn = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([turn.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((seq, ..)) = last.filter(|(_, when, kind)| *when == at && kind == "rating") else {
        return Err(StoreError::TurnMoved(turn.0).into());
    };
    tx.prepare_cached("DELETE FROM next_state WHERE turn = ?1 AND seq = ?2")?.execute([turn.0, seq])?;
    let left: i64 = tx
        .prepare_cached("SELECT count(*) FROM next_state WHERE turn = ?1")?
        .query_row([turn.0], |row| row.get(0))?;
    let rested: Vec<i64> = tx
        .prepare_cached("SELECT id FROM verdict WHERE turn = ?1 AND seen > ?2")?
        .query_map([turn.0, left], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for verdict in rested {
        remove_verdict(tx, verdict)?;
    }
    renew(tx, turn)?;
    settle_waiting(tx, turn, left)?;
    Ok(settle_effects(tx, turn)?)
}

fn remove_verdict(tx: &Transaction<'_>, verdict: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM signal WHERE verdict = ?1")?.execute([verdict])?;
    tx.prepare_cached("DELETE FROM verdict WHERE id = ?1")?.execute([verdict])?;
    Ok(())
}

/// The last of the verdicts that are left counts.
fn renew(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE verdict SET is_newest = 0 WHERE turn = ?1 AND is_newest = 1")?
        .execute([turn.0])?;
    tx.prepare_cached(
        "UPDATE verdict SET is_newest = 1
          WHERE id = (SELECT id FROM verdict WHERE turn = ?1 ORDER BY id DESC LIMIT 1)",
    )?
    .execute([turn.0])?;
    Ok(())
}

/// A turn waits exactly when something followed it that its verdict has not seen.
fn settle_waiting(tx: &Transaction<'_>, turn: TurnId, n_states: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM waiting WHERE turn = ?1
            AND ?2 <= coalesce((SELECT seen FROM verdict WHERE verdict.turn = ?1 AND is_newest = 1), 0)",
    )?
    .execute([turn.0, n_states])?;
    Ok(())
}

/// What came of the lessons in its prompt is what the verdict that counts says, and unknown without one.
fn settle_effects(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    let reward: Option<Option<i64>> = tx
        .prepare_cached("SELECT reward FROM verdict WHERE turn = ?1 AND is_newest = 1")?
        .query_row([turn.0], |row| row.get(0))
        .optional()?;
    let helped = reward.flatten().filter(|reward| *reward != 0).map(|reward| reward > 0);
    let uses: Vec<(i64, Option<bool>)> = tx
        .prepare_cached("SELECT lesson, helped FROM lesson_use WHERE turn = ?1")?
        .query_map([turn.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (lesson, was) in uses {
        tx.prepare_cached("UPDATE lesson_use SET helped = ?3 WHERE turn = ?1 AND lesson = ?2")?
            .execute(params![turn.0, lesson, helped])?;
        let change = |kind: bool| i64::from(helped == Some(kind)) - i64::from(was == Some(kind));
        tx.prepare_cached("UPDATE lesson SET helped = helped + ?2, failed = failed + ?3 WHERE id = ?1")?
            .execute([lesson, change(true), change(false)])?;
    }
    Ok(())
}
