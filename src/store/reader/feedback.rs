//! Questions about what came after answers: what waits for a verdict, what was concluded, the whole row of a turn.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Row, ToSql, params};

use super::lessons::{drawn_from, used_in};
use super::runs::samples_of_turn;
use super::{Reader, TURN_ROW, count, turn_row};
use crate::judge::Verdict;
use crate::signal::Signal;
use crate::store::failure::Failure;
use crate::store::search::fts_query;
use crate::store::words::{get_json, get_word, word};
use crate::store::{
    Judged, NextStateRow, RatedVotes, StoreError, TurnLine, TurnStory, VerdictRow, WaitingTurn,
};
use crate::turn::next_state::NextState;
use crate::turn::{SessionId, Source, TurnId};

/// Which turns a list shows: those that fit everything that is asked for. Side turns are in none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnFilter {
    pub session: Option<SessionId>,
    pub source: Option<Source>,
    /// By the verdict that counts.
    pub judged: Option<Judged>,
    /// The rule of the verdict that counts, or what stands before its dot: `exit` finds `exit.failed`.
    pub rule: Option<String>,
    /// Asked in this directory or below it; compared by whole components.
    pub project: Option<String>,
    /// All of these words, the last letters of each may be missing.
    pub words: Option<String>,
}

impl Reader {
    /// Ended turns with a next state that no verdict has looked at, oldest first.
    pub fn waiting_turns(&mut self, limit: usize) -> Result<Vec<WaitingTurn>, StoreError> {
        self.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT waiting.turn, session.key
                   FROM waiting JOIN response ON response.turn = waiting.turn
                   JOIN turn ON turn.id = waiting.turn JOIN session ON session.id = turn.session
                  WHERE waiting.turn > 0 ORDER BY waiting.turn LIMIT ?1",
            )?;
            let mut rows = statement.query([as_limit(limit)])?;
            let mut waiting = Vec::new();
            while let Some(row) = rows.next()? {
                let turn = TurnId(row.get(0)?);
                let states = next_states(conn, turn)?;
                waiting.push(WaitingTurn { turn, session: SessionId(row.get(1)?), states });
            }
            Ok(waiting)
        })
    }

    /// Open sessions whose newest main-line turn ended before `before` (Unix milliseconds), oldest first: to be
    /// closed as idle.
    pub fn idle_sessions(&mut self, before: i64, limit: usize) -> Result<Vec<SessionId>, StoreError> {
        self.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT session.key FROM session JOIN response ON response.turn = session.last_turn
                  WHERE session.closed_at IS NULL AND session.last_turn IS NOT NULL AND response.ended_at < ?1
                    AND NOT EXISTS (SELECT 1 FROM next_state
                                     WHERE next_state.turn = session.last_turn AND next_state.at >= ?1)
                  ORDER BY session.last_turn LIMIT ?2",
            )?;
            let rows =
                statement.query_map(params![before, as_limit(limit)], |row| row.get(0).map(SessionId))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What came after a turn, oldest first.
    pub fn next_states(&mut self, turn: TurnId) -> Result<Vec<NextStateRow>, StoreError> {
        self.ask(|conn| Ok(next_states(conn, turn)?))
    }

    /// The verdicts that count of a session's main-line turns, oldest turn first.
    pub fn verdicts(&mut self, session: &SessionId) -> Result<Vec<VerdictRow>, StoreError> {
        self.ask(|conn| {
            let sql = format!(
                "{VERDICT} WHERE verdict.is_newest = 1 AND verdict.turn IN
                     (SELECT turn.id FROM turn JOIN session ON session.id = turn.session
                       WHERE session.key = ?1 AND turn.kind = 'main')
                  ORDER BY verdict.turn"
            );
            Ok(verdict_rows(conn, &sql, [&session.0])?)
        })
    }

    /// Main-line turns older than `before`, newest first.
    pub fn turns(
        &mut self,
        filter: &TurnFilter,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnLine>, StoreError> {
        let page = (before.map_or(i64::MAX, |turn| turn.0), as_limit(limit));
        self.ask(|conn| {
            let turns = filtered_turns(conn, filter, page)?;
            Ok(turns.into_iter().map(|turn| turn_line(conn, turn)).collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Confirmed-good turns: judged +1 and answered to the end.
    pub fn good_turns(&mut self, before: Option<TurnId>, limit: usize) -> Result<Vec<TurnLine>, StoreError> {
        self.judged_turns(1, before, limit)
    }

    /// Turns judged −1 and answered to the end.
    pub fn bad_turns(&mut self, before: Option<TurnId>, limit: usize) -> Result<Vec<TurnLine>, StoreError> {
        self.judged_turns(-1, before, limit)
    }

    /// Answers that were cut off teach nothing and are left out, and so is what a person took out of learning.
    fn judged_turns(
        &mut self,
        reward: i8,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnLine>, StoreError> {
        let page = (before.map_or(i64::MAX, |turn| turn.0), as_limit(limit));
        self.ask(|conn| {
            let sql = format!(
                "SELECT verdict.turn FROM verdict CROSS JOIN response ON response.turn = verdict.turn
                  CROSS JOIN turn ON turn.id = verdict.turn
                  WHERE verdict.is_newest = 1 AND verdict.reward = ?3 AND verdict.turn < ?1
                    AND response.ending = 'stop' AND turn.kind = 'main' AND {NOT_EXCLUDED}
                  ORDER BY verdict.turn DESC LIMIT ?2"
            );
            let turns = ids(conn, &sql, params![page.0, page.1, reward])?;
            Ok(turns.into_iter().map(|turn| turn_line(conn, turn)).collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Everything about one turn, from what was said to which version learned it.
    pub fn turn_story(&mut self, turn: TurnId) -> Result<TurnStory, StoreError> {
        self.ask(|conn| {
            let (row, settings) = conn
                .prepare_cached(&format!("{TURN_ROW} WHERE turn.id = ?1"))?
                .query_row([turn.0], |row| Ok((turn_row(row)?, row.get("settings")?)))
                .optional()?
                .ok_or(StoreError::NoTurn(turn.0))?;
            Ok(TurnStory {
                turn: row,
                settings,
                used: used_in(conn, turn)?,
                next_states: next_states(conn, turn)?,
                verdicts: verdicts_of(conn, turn)?,
                is_waiting: is_waiting(conn, turn)?,
                is_excluded: is_excluded(conn, turn)?,
                drawn: drawn_from(conn, turn)?,
                samples: samples_of_turn(conn, turn)?,
            })
        })
    }

    /// Whether a person took a turn out of learning, by itself or with its session or project.
    pub fn is_excluded(&mut self, turn: TurnId) -> Result<bool, StoreError> {
        self.ask(|conn| Ok(is_excluded(conn, turn)?))
    }

    /// Turns that a person rated and the model voted on, newest first: what the judge's calibration is made of.
    pub fn rated_votes(&mut self, limit: usize) -> Result<Vec<RatedVotes>, StoreError> {
        self.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT DISTINCT turn FROM next_state WHERE kind = 'rating' ORDER BY turn DESC",
            )?;
            let mut rows = statement.query([])?;
            let mut rated = Vec::new();
            while rated.len() < limit
                && let Some(row) = rows.next()?
            {
                rated.extend(rated_vote(conn, TurnId(row.get(0)?))?);
            }
            Ok(rated)
        })
    }
}

pub(super) fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn next_states(conn: &Connection, turn: TurnId) -> rusqlite::Result<Vec<NextStateRow>> {
    conn.prepare_cached("SELECT at, state FROM next_state WHERE turn = ?1 ORDER BY seq")?
        .query_map([turn.0], |row| Ok(NextStateRow { at: row.get("at")?, state: get_json(row, "state")? }))?
        .collect()
}

/// What a [`VerdictRow`] is made of, without its signals.
const VERDICT: &str = "
    SELECT verdict.id, verdict.turn, verdict.judged_at, verdict.seen, verdict.model, verdict.is_newest,
           verdict.reward, verdict.confidence, verdict.rule, verdict.hint, verdict.votes
      FROM verdict";

/// Oldest first.
pub(super) fn verdicts_of(conn: &Connection, turn: TurnId) -> rusqlite::Result<Vec<VerdictRow>> {
    verdict_rows(conn, &format!("{VERDICT} WHERE verdict.turn = ?1 ORDER BY verdict.id"), [turn.0])
}

fn verdict_rows(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<VerdictRow>> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| {
        Ok(VerdictRow {
            turn: TurnId(row.get("turn")?),
            judged_at: row.get("judged_at")?,
            seen: row.get("seen")?,
            model: row.get("model")?,
            is_newest: row.get("is_newest")?,
            verdict: verdict(row)?,
            signals: signals(conn, row.get("id")?)?,
        })
    })?;
    rows.collect()
}

fn verdict(row: &Row<'_>) -> rusqlite::Result<Verdict> {
    Ok(Verdict {
        reward: row.get("reward")?,
        hint: row.get("hint")?,
        rule: row.get("rule")?,
        votes: get_json(row, "votes")?,
        confidence: row.get("confidence")?,
    })
}

fn signals(conn: &Connection, verdict: i64) -> rusqlite::Result<Vec<Signal>> {
    conn.prepare_cached("SELECT * FROM signal WHERE verdict = ?1 ORDER BY seq")?
        .query_map([verdict], |row| {
            Ok(Signal {
                rule: row.get("rule")?,
                says: get_word(row, "says")?,
                evidence: get_word(row, "evidence")?,
                strength: row.get("strength")?,
                span: byte(row, "span_start")?..byte(row, "span_end")?,
                is_directive: row.get("is_directive")?,
            })
        })?
        .collect()
}

fn byte(row: &Row<'_>, column: &str) -> rusqlite::Result<usize> {
    let at: i64 = row.get(column)?;
    usize::try_from(at).map_err(|err| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, err.into()))
}

/// What [`TurnFilter`] asks of each turn, whatever way led to it.
const FITS: &str = "
    AND turn.kind = 'main' AND turn.settings <> 'null'
    AND (?3 IS NULL OR turn.source = ?3)
    AND (?4 IS NULL OR substr(turn.cwd || '/', 1, length(?4) + 1) = ?4 || '/')
    AND (?5 IS NULL OR verdict.rule = ?5 OR substr(verdict.rule, 1, length(?5) + 1) = ?5 || '.')
    AND (?6 IS NULL OR ?6 = CASE WHEN verdict.turn IS NULL THEN 'none'
                                 WHEN verdict.reward = 1 THEN 'good'
                                 WHEN verdict.reward = -1 THEN 'bad'
                                 ELSE 'unclear' END)
    AND (?7 IS NULL OR turn.session = (SELECT id FROM session WHERE key = ?7))";

/// Ids below the first of `page`, as many as the second. Of the ways to them the one is taken that passes the fewest
/// turns which do not fit: by words, session, reward, or through all turns.
fn filtered_turns(conn: &Connection, filter: &TurnFilter, page: (i64, i64)) -> Result<Vec<i64>, Failure> {
    let Ok(query) = filter.words.as_deref().map(|typed| fts_query(typed).ok_or(())).transpose() else {
        return Ok(Vec::new());
    };
    let (before, limit) = page;
    let source = filter.source.map(word);
    let project = filter.project.as_deref().map(|folder| folder.trim_end_matches('/'));
    let judged = filter.judged.map(word);
    let session = filter.session.as_ref().map(|session| &session.0);
    let mut values: Vec<&dyn ToSql> =
        vec![&before, &limit, &source, &project, &filter.rule, &judged, &session];
    if query.is_some() {
        values.push(&query);
    }
    let sql = match (&query, session, filter.judged) {
        (Some(_), _, _) => format!(
            "SELECT turn.id FROM turn_text JOIN turn ON turn.id = turn_text.rowid
               LEFT JOIN verdict ON verdict.turn = turn.id AND verdict.is_newest = 1
              WHERE turn_text MATCH ?8 AND turn_text.rowid < ?1 {FITS}
              ORDER BY turn_text.rowid DESC LIMIT ?2"
        ),
        (None, Some(_), _) => format!(
            "SELECT turn.id FROM session CROSS JOIN turn ON turn.session = session.id
               LEFT JOIN verdict ON verdict.turn = turn.id AND verdict.is_newest = 1
              WHERE session.key = ?7 AND turn.id < ?1 {FITS}
              ORDER BY turn.id DESC LIMIT ?2"
        ),
        (None, None, Some(Judged::Good | Judged::Bad)) => format!(
            "SELECT verdict.turn FROM verdict CROSS JOIN turn ON turn.id = verdict.turn
              WHERE verdict.is_newest = 1 AND verdict.reward = iif(?6 = 'good', 1, -1)
                AND verdict.turn < ?1 {FITS}
              ORDER BY verdict.turn DESC LIMIT ?2"
        ),
        (None, None, _) => format!(
            "SELECT turn.id FROM turn LEFT JOIN verdict ON verdict.turn = turn.id AND verdict.is_newest = 1
              WHERE turn.id < ?1 {FITS}
              ORDER BY turn.id DESC LIMIT ?2"
        ),
    };
    Ok(ids(conn, &sql, &*values)?)
}

fn ids(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<i64>> {
    conn.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect()
}

fn turn_line(conn: &Connection, turn: i64) -> rusqlite::Result<TurnLine> {
    let row = conn.prepare_cached(&format!("{TURN_ROW} WHERE turn.id = ?1"))?.query_row([turn], turn_row)?;
    let newest = format!("{VERDICT} WHERE verdict.turn = ?1 AND verdict.is_newest = 1");
    let counted = |sql: &str| conn.prepare_cached(sql)?.query_row([turn], |row| count(row, 0));
    Ok(TurnLine {
        turn: row,
        verdict: verdict_rows(conn, &newest, [turn])?.pop(),
        is_waiting: is_waiting(conn, TurnId(turn))?,
        n_lessons: counted("SELECT count(*) FROM lesson_use WHERE turn = ?1")?,
        n_drawn: counted("SELECT count(*) FROM lesson_source WHERE turn = ?1")?,
        is_excluded: is_excluded(conn, TurnId(turn))?,
    })
}

/// Of a turn: nobody took it, its session or its project out of learning.
pub(super) const NOT_EXCLUDED: &str = "
    NOT EXISTS (SELECT 1 FROM excluded_turn WHERE excluded_turn.turn = turn.id)
    AND NOT EXISTS (SELECT 1 FROM excluded_session WHERE excluded_session.session = turn.session)
    AND NOT EXISTS (SELECT 1 FROM excluded_project
                     WHERE folder <= turn.cwd AND substr(turn.cwd || '/', 1, length(folder) + 1) = folder || '/')";

pub(super) fn is_excluded(conn: &Connection, turn: TurnId) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM turn WHERE turn.id = ?1 AND {NOT_EXCLUDED}");
    Ok(!conn.prepare_cached(&sql)?.exists([turn.0])?)
}

pub(super) fn is_waiting(conn: &Connection, turn: TurnId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM waiting WHERE turn = ?1")?.exists([turn.0])
}

/// `None`: the model never voted on it.
fn rated_vote(conn: &Connection, turn: TurnId) -> rusqlite::Result<Option<RatedVotes>> {
    let state: NextState = conn
        .prepare_cached(
            "SELECT state FROM next_state WHERE turn = ?1 AND kind = 'rating' ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([turn.0], |row| get_json(row, "state"))?;
    let voted = conn
        .prepare_cached(&format!(
            "{VERDICT} WHERE verdict.turn = ?1 AND verdict.votes <> '[]' ORDER BY verdict.id DESC LIMIT 1"
        ))?
        .query_row([turn.0], verdict)
        .optional()?;
    Ok(match (state, voted) {
        (NextState::Rating { good, .. }, Some(verdict)) => Some(RatedVotes { turn, good, verdict }),
        _ => None,
    })
}
