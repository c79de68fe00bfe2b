//! Writes of what came after an answer and of what was concluded from it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{check_found, json};
use crate::store::failure::Failure;
use crate::store::words::word;
use crate::store::{NewVerdict, StoreError};
use crate::turn::next_state::{Closing, NextState};
use crate::turn::{SessionId, TurnId, TurnKind};

/// The turn waits for a verdict from now on, unless it is a side turn.
pub(super) fn record_next_state(
    tx: &Transaction<'_>,
    turn: TurnId,
    at: i64,
    state: &NextState,
) -> Result<(), Failure> {
    let kind = turn_word(tx, turn, "SELECT kind FROM turn WHERE id = ?1 AND settings <> 'null'")?;
    let state = serde_json::to_value(state).map_err(|err| StoreError::Sqlite(err.to_string()))?;
    let state_kind = state.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default();
    tx.prepare_cached(
        "INSERT INTO next_state (turn, seq, at, kind, state)
         VALUES (?1, (SELECT coalesce(max(seq) + 1, 0) FROM next_state WHERE turn = ?1), ?2, ?3, ?4)",
    )?
    .execute(params![turn.0, at, state_kind, json(&state)?])?;
    if kind == word(TurnKind::Main) {
        tx.prepare_cached("INSERT INTO waiting (turn) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([turn.0])?;
    }
    Ok(())
}

/// Closes a session. Its last turn hears of it when nothing else came after that. A session is not idle, and stays open,
/// when a turn began in it since somebody looked.
pub(super) fn close_session(
    tx: &Transaction<'_>,
    session: &SessionId,
    closed_at: i64,
    by: Closing,
) -> Result<(), Failure> {
    if by == Closing::Idle && is_answering(tx, session)? {
        return Ok(());
    }
    let sql = "UPDATE session SET closed_at = ?2 WHERE key = ?1";
    check_found(tx.prepare_cached(sql)?.execute(params![session.0, closed_at])?, session)?;
    let unanswered: Option<i64> = tx
        .prepare_cached(
            "SELECT last_turn FROM session WHERE key = ?1 AND last_turn IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM next_state WHERE turn = last_turn)",
        )?
        .query_row([&session.0], |row| row.get(0))
        .optional()?;
    match unanswered {
        Some(turn) => record_next_state(tx, TurnId(turn), closed_at, &NextState::Closed { by }),
        None => Ok(()),
    }
}

fn is_answering(tx: &Transaction<'_>, session: &SessionId) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM session JOIN running ON running.turn = session.last_turn WHERE session.key = ?1";
    tx.prepare_cached(sql)?.exists([&session.0])
}

/// The new verdict is the turn's newest; the turn stops waiting when the verdict rests on all its next states.
pub(super) fn judge(tx: &Transaction<'_>, new: &NewVerdict) -> Result<(), Failure> {
    new.check_finite()?;
    let turn = new.turn;
    // What a verdict rests on may have been taken back while it was made.
    let n_states: u32 = tx
        .prepare_cached("SELECT count(*) FROM next_state WHERE turn = ?1")?
        .query_row([turn.0], |row| row.get(0))?;
    let source = turn_word(tx, turn, "SELECT source FROM turn WHERE id = ?1 AND settings <> 'null'")?;
    if new.seen > n_states {
        return Err(StoreError::TurnMoved(turn.0).into());
    }
    tx.prepare_cached("UPDATE verdict SET is_newest = 0 WHERE turn = ?1 AND is_newest = 1")?
        .execute([turn.0])?;
    let verdict = &new.verdict;
    tx.prepare_cached(
        "INSERT INTO verdict (turn, is_newest, judged_at, source, seen, reward, confidence, rule, model, hint, votes)
         VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        turn.0,
        new.judged_at,
        source,
        new.seen,
        verdict.reward,
        verdict.confidence,
        verdict.rule,
        new.model,
        verdict.hint,
        json(&verdict.votes)?,
    ])?;
    insert_signals(tx, tx.last_insert_rowid(), new)?;
    tx.prepare_cached(
        "DELETE FROM waiting
          WHERE turn = ?1 AND (SELECT count(*) FROM next_state WHERE next_state.turn = ?1) <= ?2",
    )?
    .execute(params![turn.0, new.seen])?;
    Ok(())
}

fn insert_signals(tx: &Transaction<'_>, verdict: i64, new: &NewVerdict) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO signal
             (verdict, seq, rule, says, evidence, strength, span_start, span_end, is_directive)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (seq, signal) in (0_i64..).zip(&new.signals) {
        insert.execute(params![
            verdict,
            seq,
            signal.rule,
            word(signal.says),
            word(signal.evidence),
            signal.strength,
            i64::try_from(signal.span.start).unwrap_or(i64::MAX),
            i64::try_from(signal.span.end).unwrap_or(i64::MAX),
            signal.is_directive,
        ])?;
    }
    Ok(())
}

fn turn_word(tx: &Transaction<'_>, turn: TurnId, sql: &str) -> Result<String, Failure> {
    let found = tx.prepare_cached(sql)?.query_row([turn.0], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::NoTurn(turn.0).into())
}
