//! Questions of `chela export`: every turn with all that belongs to it, page by page, and the thread behind one.

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::feedback::{NOT_EXCLUDED, is_excluded, next_states, verdicts_of};
use super::{Reader, response_blobs, thread, turns_after};
use crate::lesson::LessonId;
use crate::store::failure::{Failure, corrupt};
use crate::store::words::get_word;
use crate::store::{ExactTurn, LeftOut, RecordFilter, SessionFacts, StoreError, TurnRecord, TurnRow, blob};
use crate::turn::{SessionId, TurnId};

impl Reader {
    /// Turns in the order of their numbers, until `on_record` breaks. Places of forgotten turns are none.
    pub fn records(
        &mut self,
        filter: RecordFilter,
        on_record: &mut dyn FnMut(TurnRecord) -> ControlFlow<()>,
    ) -> Result<LeftOut, StoreError> {
        let (mut after, mut left_out) = (0, LeftOut::default());
        let path = self.path.clone();
        loop {
            let page = self.ask(|conn| {
                let turns = turns_after(conn, after, filter.since)?;
                let last = turns.last().map(|turn| turn.id.0);
                let mut records = Vec::with_capacity(turns.len());
                for turn in turns.into_iter().filter(|turn| !turn.is_forgotten()) {
                    if !filter.with_running && turn.ending.is_none() {
                        left_out.running += 1;
                    } else if !filter.with_excluded && is_excluded(conn, turn.id)? {
                        left_out.excluded += 1;
                    } else {
                        records.push(record(conn, turn, filter.exact, &path)?);
                    }
                }
                Ok(last.map(|last| (last, records)))
            })?;
            let Some((last, records)) = page else { return Ok(left_out) };
            after = last;
            for record in records {
                if on_record(record).is_break() {
                    return Ok(left_out);
                }
            }
        }
    }

    /// A turn and what it continues, oldest first, without places of forgotten turns.
    pub fn thread_to(&mut self, turn: TurnId) -> Result<Vec<TurnRow>, StoreError> {
        self.ask(|conn| {
            let mut turns = thread(conn, Some(turn.0))?;
            turns.retain(|turn| !turn.is_forgotten());
            Ok(turns)
        })
    }

    /// Whether the gate measures with this turn: it is never trained on.
    pub fn is_held_out(&mut self, turn: TurnId) -> Result<bool, StoreError> {
        self.ask(|conn| {
            let sql = "SELECT 1 FROM sample WHERE turn = ?1 AND role = 'held_out'";
            Ok(conn.prepare_cached(sql)?.exists([turn.0])?)
        })
    }

    /// Main-line turns that something of this kind followed (`edit`, `command`), oldest first, without what a person took
    /// out of learning.
    pub fn followed_by(&mut self, kind: &str) -> Result<Vec<TurnId>, StoreError> {
        self.ask(|conn| {
            let sql = format!(
                "SELECT DISTINCT turn.id FROM next_state JOIN turn ON turn.id = next_state.turn
                  WHERE next_state.kind = ?1 AND turn.kind = 'main' AND turn.settings <> 'null' AND {NOT_EXCLUDED}
                  ORDER BY turn.id"
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map([kind], |row| row.get(0).map(TurnId))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Turns that continue this one directly, oldest first.
    pub fn continued_by(&mut self, turn: TurnId) -> Result<Vec<TurnId>, StoreError> {
        self.ask(|conn| {
            let sql = "SELECT id FROM turn WHERE parent = ?1 ORDER BY id";
            let mut statement = conn.prepare_cached(sql)?;
            let rows = statement.query_map([turn.0], |row| row.get(0).map(TurnId))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn record(conn: &Connection, turn: TurnRow, exact: bool, path: &Path) -> Result<TurnRecord, Failure> {
    let id = turn.id;
    Ok(TurnRecord {
        in_session: session_facts(conn, &turn.session)?,
        lessons: conn
            .prepare_cached("SELECT lesson FROM lesson_use WHERE turn = ?1 ORDER BY rank")?
            .query_map([id.0], |row| row.get(0).map(LessonId))?
            .collect::<rusqlite::Result<_>>()?,
        next_states: next_states(conn, id)?,
        verdicts: verdicts_of(conn, id)?,
        exact: if exact { Some(exact_turn(conn, id, path)?) } else { None },
        turn,
    })
}

fn session_facts(conn: &Connection, session: &SessionId) -> rusqlite::Result<Option<SessionFacts>> {
    conn.prepare_cached("SELECT title, source, cwd, started_at, closed_at FROM session WHERE key = ?1")?
        .query_row([&session.0], |row| {
            Ok(SessionFacts {
                title: row.get("title")?,
                source: get_word(row, "source")?,
                cwd: row.get("cwd")?,
                started_at: row.get("started_at")?,
                closed_at: row.get("closed_at")?,
            })
        })
        .optional()
}

fn exact_turn(conn: &Connection, turn: TurnId, path: &Path) -> Result<ExactTurn, Failure> {
    let (settings, prompt): (String, Vec<u8>) = conn
        .prepare_cached(
            "SELECT turn.settings, coalesce(turn_prompt.ids, x'') FROM turn
               LEFT JOIN turn_prompt ON turn_prompt.turn = turn.id WHERE turn.id = ?1",
        )?
        .query_row(params![turn.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let response = response_blobs(conn, turn)?;
    let damaged = |what: &str| corrupt(path, &format!("the {what} of turn {} are damaged", turn.0));
    Ok(ExactTurn {
        settings: serde_json::from_str(&settings).unwrap_or(serde_json::Value::String(settings)),
        prompt_tokens: blob::to_ids(&prompt).ok_or_else(|| damaged("prompt's tokens"))?,
        response_tokens: blob::to_ids(&response.ids).ok_or_else(|| damaged("response's tokens"))?,
        logprobs: blob::to_logprobs(&response.logprobs).ok_or_else(|| damaged("log-probabilities"))?,
    })
}
