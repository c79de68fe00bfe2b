//! Writes of what an export brings: turns and lessons that are not there yet.
//!
//! What always holds: what is there stays as it is, so that the same file twice changes nothing. A turn is known by its
//! session, its beginning, what was said and what was answered; a lesson by its words and where it holds.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

use super::lessons::{Event, change_lesson, index_words, record_event, scope_columns};
use super::{feedback, json as to_json, open_session};
use crate::lesson::{LessonId, State};
use crate::store::failure::Failure;
use crate::store::words::word;
use crate::store::{
    By, ImportLesson, ImportTurn, LessonChange, LessonEdit, LessonEvent, NewSession, NewVerdict, Receipt,
    SessionFacts, StoreError, TurnRecord, blob,
};
use crate::turn::{Ending, TurnId, TurnKind};

pub(super) fn import_turn(tx: &Transaction<'_>, import: &ImportTurn) -> Result<Receipt, Failure> {
    let record = &import.record;
    let ending = record.turn.ending.ok_or(StoreError::StillRunning)?;
    if record.turn.is_forgotten() {
        return Err(StoreError::Empty.into());
    }
    let session = session(tx, record)?;
    let forms = std::iter::once(record).chain(import.as_read.as_deref());
    for form in forms {
        if let Some(known) = same_turn(tx, session, form)? {
            let is_more = complete(tx, known, import)?;
            return Ok(if is_more { Receipt::MoreOfTurn(known) } else { Receipt::KnownTurn(known) });
        }
    }
    let turn = insert(tx, session, record, ending)?;
    follow(tx, turn, record)?;
    settle_session(tx, session, record, turn)?;
    Ok(Receipt::Turn(turn))
}

/// The session's row, which is made where there is none.
fn session(tx: &Transaction<'_>, record: &TurnRecord) -> Result<i64, Failure> {
    let turn = &record.turn;
    let find = "SELECT id FROM session WHERE key = ?1";
    let found: Option<i64> =
        tx.prepare_cached(find)?.query_row([&turn.session.0], |row| row.get(0)).optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    let facts = record.in_session.clone().unwrap_or_else(|| SessionFacts {
        title: String::new(),
        source: turn.source,
        cwd: turn.cwd.clone(),
        started_at: turn.started_at,
        closed_at: turn.ended_at,
    });
    let SessionFacts { title, source, cwd, started_at, closed_at } = facts;
    open_session(tx, &NewSession { id: turn.session.clone(), source, cwd, started_at })?;
    tx.prepare_cached("UPDATE session SET title = ?2, closed_at = ?3 WHERE key = ?1")?.execute(params![
        turn.session.0,
        title,
        closed_at
    ])?;
    Ok(tx.prepare_cached(find)?.query_row([&turn.session.0], |row| row.get(0))?)
}

fn same_turn(tx: &Transaction<'_>, session: i64, record: &TurnRecord) -> Result<Option<TurnId>, Failure> {
    let turn = &record.turn;
    let found = tx
        .prepare_cached(
            "SELECT turn.id FROM turn JOIN response ON response.turn = turn.id
              WHERE turn.session = ?1 AND turn.kind = ?2 AND turn.started_at = ?3 AND turn.messages = ?4
                AND response.text = ?5",
        )?
        .query_row(
            params![session, word(turn.kind), turn.started_at, to_json(&turn.messages)?, turn.response],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.map(TurnId))
}

/// Adds what followed a known turn and is not known. Returns whether there was any.
fn complete(tx: &Transaction<'_>, turn: TurnId, import: &ImportTurn) -> Result<bool, Failure> {
    let known: Vec<(i64, String)> = tx
        .prepare_cached("SELECT at, state FROM next_state WHERE turn = ?1")?
        .query_map([turn.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let is_known = |record: &TurnRecord, at: usize| -> Result<bool, Failure> {
        let Some(row) = record.next_states.get(at) else { return Ok(false) };
        Ok(known.contains(&(row.at, as_stored(&row.state)?)))
    };
    let mut is_more = false;
    for (at, row) in import.record.next_states.iter().enumerate() {
        let as_read = import.as_read.as_deref().map(|record| is_known(record, at)).transpose()?;
        if !is_known(&import.record, at)? && as_read != Some(true) {
            feedback::record_next_state(tx, turn, row.at, &row.state)?;
            is_more = true;
        }
    }
    let judged: Option<u32> = tx
        .prepare_cached("SELECT seen FROM verdict WHERE turn = ?1 AND is_newest = 1")?
        .query_row([turn.0], |row| row.get(0))
        .optional()?;
    let newest = import.record.verdicts.iter().find(|row| row.is_newest);
    if let Some(row) = newest.filter(|row| judged.is_none_or(|seen| seen < row.seen)) {
        judge(tx, turn, row)?;
        is_more = true;
    }
    Ok(is_more)
}

/// As `feedback::record_next_state` writes it.
fn as_stored(state: &crate::turn::next_state::NextState) -> Result<String, StoreError> {
    let value = serde_json::to_value(state).map_err(|err| StoreError::Sqlite(err.to_string()))?;
    to_json(&value)
}

fn insert(
    tx: &Transaction<'_>,
    session: i64,
    record: &TurnRecord,
    ending: Ending,
) -> Result<TurnId, Failure> {
    let turn = &record.turn;
    let parent = match turn.parent {
        Some(parent) => is_there(tx, parent)?.then_some(parent.0),
        None => None,
    };
    let settings = record.exact.as_ref().map(|exact| &exact.settings).filter(|settings| !settings.is_null());
    tx.prepare_cached(
        "INSERT INTO turn (session, parent, kind, source, started_at, policy, n_prompt, model, cwd, settings, messages)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        session,
        parent,
        word(turn.kind),
        word(turn.source),
        turn.started_at,
        turn.policy.0,
        i64::try_from(turn.n_prompt).unwrap_or(i64::MAX),
        turn.model,
        turn.cwd,
        settings.map_or_else(|| "{}".to_owned(), ToString::to_string),
        to_json(&turn.messages)?,
    ])?;
    let id = TurnId(tx.last_insert_rowid());
    insert_response(tx, id, record, ending)?;
    Ok(id)
}

fn insert_response(
    tx: &Transaction<'_>,
    id: TurnId,
    record: &TurnRecord,
    ending: Ending,
) -> Result<(), Failure> {
    let (turn, exact) = (&record.turn, record.exact.as_ref());
    let prompt = blob::from_ids(exact.iter().flat_map(|exact| exact.prompt_tokens.iter().copied()));
    tx.prepare_cached("INSERT INTO turn_prompt (turn, ids) VALUES (?1, ?2)")?
        .execute(params![id.0, prompt])?;
    tx.prepare_cached(
        "INSERT INTO response (turn, ended_at, ending, n_tokens, error, ids, logprobs, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        id.0,
        turn.ended_at.unwrap_or(turn.started_at),
        word(ending),
        i64::try_from(turn.n_response).unwrap_or(i64::MAX),
        turn.error,
        blob::from_ids(exact.iter().flat_map(|exact| exact.response_tokens.iter().copied())),
        blob::from_logprobs(exact.iter().flat_map(|exact| exact.logprobs.iter().copied())),
        turn.response,
    ])?;
    tx.prepare_cached(
        "INSERT INTO turn_text (rowid, request, response)
         SELECT turn, request, response FROM turn_words WHERE turn = ?1",
    )?
    .execute([id.0])?;
    Ok(())
}

fn is_there(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM turn WHERE id = ?1")?.exists([turn.0])
}

/// What followed the turn, and what was concluded; a turn of which nothing was concluded waits for a verdict here.
fn follow(tx: &Transaction<'_>, turn: TurnId, record: &TurnRecord) -> Result<(), Failure> {
    for row in &record.next_states {
        feedback::record_next_state(tx, turn, row.at, &row.state)?;
    }
    // The one that counts is the last to be written.
    let (newest, before): (Vec<_>, Vec<_>) = record.verdicts.iter().partition(|row| row.is_newest);
    for row in before.into_iter().chain(newest) {
        judge(tx, turn, row)?;
    }
    Ok(())
}

fn judge(tx: &Transaction<'_>, turn: TurnId, row: &crate::store::VerdictRow) -> Result<(), Failure> {
    let n_states: u32 = tx
        .prepare_cached("SELECT count(*) FROM next_state WHERE turn = ?1")?
        .query_row([turn.0], |row| row.get(0))?;
    let new = NewVerdict {
        turn,
        seen: row.seen.min(n_states),
        signals: row.signals.clone(),
        verdict: row.verdict.clone(),
        model: row.model.clone(),
        judged_at: row.judged_at,
    };
    feedback::judge(tx, &new)
}

/// The session's newest turn is the one that began last, wherever it came from.
fn settle_session(
    tx: &Transaction<'_>,
    session: i64,
    record: &TurnRecord,
    turn: TurnId,
) -> Result<(), Failure> {
    if record.turn.kind != TurnKind::Main {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE session SET last_turn = ?2
          WHERE id = ?1 AND (last_turn IS NULL
             OR (SELECT started_at FROM turn WHERE turn.id = session.last_turn) <= ?3)",
    )?
    .execute(params![session, turn.0, record.turn.started_at])?;
    Ok(())
}

pub(super) fn import_lesson(tx: &Transaction<'_>, import: &ImportLesson) -> Result<Receipt, Failure> {
    let lesson = &import.story.lesson;
    let (scope, scope_of) = scope_columns(&lesson.scope);
    let known: Option<i64> = tx
        .prepare_cached(
            "SELECT id FROM lesson WHERE scope = ?1 AND scope_of IS ?2 AND text = ?3 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![scope, scope_of, lesson.text], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(Receipt::KnownLesson(LessonId(known)));
    }
    let id = insert_lesson(tx, import)?;
    for turn in &lesson.sources {
        if is_there(tx, *turn)? {
            tx.prepare_cached(
                "INSERT INTO lesson_source (lesson, turn) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute([id.0, turn.0])?;
        }
    }
    for event in &import.story.history {
        record_event(tx, id, &taken_over(event), None)?;
    }
    let arrived = Event {
        at: import.at,
        what: "imported",
        by: By::User,
        reason: "came with an export",
        detail: import.replaced_by.map(|newer| json!({ "contradicted_by": newer })),
    };
    record_event(tx, id, &arrived, None)?;
    for old in &import.replaces {
        let edit = LessonEdit {
            lesson: *old,
            change: LessonChange::Retire { replaced_by: Some(id) },
            by: By::User,
            reason: format!("contradicted by lesson {}, which came with an export", id.0),
            at: import.at,
        };
        change_lesson(tx, &edit)?;
    }
    Ok(Receipt::Lesson(id))
}

/// What a version of another ledger has learned is in no weights here, so it is active.
fn insert_lesson(tx: &Transaction<'_>, import: &ImportLesson) -> Result<LessonId, Failure> {
    let lesson = &import.story.lesson;
    let (scope, scope_of) = scope_columns(&lesson.scope);
    let state = match lesson.state {
        _ if import.replaced_by.is_some() => "retired",
        State::Proposed => "proposed",
        State::Active | State::Learned(_) => "active",
        State::Retired => "retired",
        State::Pruned => "pruned",
    };
    tx.prepare_cached(
        "INSERT INTO lesson (created_at, origin, state, scope, scope_of, pinned, used, helped, failed, retired_by, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        lesson.created_at,
        word(lesson.origin),
        state,
        scope,
        scope_of,
        lesson.pinned,
        lesson.used,
        lesson.helped,
        lesson.failed,
        import.replaced_by.map(|newer| newer.0),
        lesson.text,
    ])?;
    let id = LessonId(tx.last_insert_rowid());
    index_words(tx, id, &lesson.text)?;
    Ok(id)
}

/// A line of history without numbers of the other ledger.
fn taken_over(event: &LessonEvent) -> Event<'_> {
    let was = event.detail.as_ref().and_then(|detail| detail.get("was"));
    Event {
        at: event.at,
        what: &event.what,
        by: event.by,
        reason: &event.reason,
        detail: was.map(|was| json!({ "was": was })),
    }
}
