//! Where a text stands in the ledger, in every column that holds what somebody wrote or a program printed.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};

use crate::lesson::LessonId;
use crate::store::folded::Needle;
use crate::store::{RunId, Words};
use crate::turn::TurnId;

/// The rows in which it stands.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) turns: BTreeSet<TurnId>,
    pub(super) states: BTreeSet<(TurnId, u32)>,
    pub(super) lessons: BTreeSet<LessonId>,
    pub(super) words: Words,
    pub(super) folders: Vec<String>,
}

pub(super) fn standing(conn: &Connection, text: &str) -> rusqlite::Result<Standing> {
    let needle = Needle::new(text);
    let lessons = rows(conn, &LESSONS, &needle, number)?;
    let is_kept = |(lesson, event): (i64, i64)| (!lessons.contains(&lesson)).then_some(event);
    let events = rows(conn, &LESSON_EVENTS, &needle, pair)?;
    Ok(Standing {
        turns: rows(conn, &TURNS, &needle, number)?.into_iter().map(TurnId).collect(),
        states: rows(conn, &STATES, &needle, |row| Ok((TurnId(row.get(0)?), row.get(1)?)))?
            .into_iter()
            .collect(),
        words: Words {
            lesson_events: events.into_iter().filter_map(is_kept).collect(),
            verdicts: verdicts(conn, &needle)?,
            runs: rows(conn, &RUNS, &needle, number)?.into_iter().map(RunId).collect(),
            servings: rows(conn, &SERVINGS, &needle, number)?,
            sessions: rows(conn, &TITLES, &needle, number)?,
        },
        folders: rows(conn, &FOLDERS, &needle, |row| row.get(0))?,
        lessons: lessons.into_iter().map(LessonId).collect(),
    })
}

/// What is read of a table: first what names a row, then texts from `plain` on, then JSON from `json` on.
struct Columns {
    sql: &'static str,
    plain: usize,
    json: usize,
    end: usize,
}

const TURNS: Columns = Columns {
    sql: "SELECT turn.id, turn.cwd, response.text, response.error,
                 (SELECT group_concat(text, '' ORDER BY seq) FROM chunk WHERE chunk.turn = turn.id),
                 turn.messages, turn.settings
            FROM turn LEFT JOIN response ON response.turn = turn.id WHERE turn.settings <> 'null'",
    plain: 1,
    json: 5,
    end: 7,
};

const STATES: Columns = Columns { sql: "SELECT turn, seq, state FROM next_state", plain: 2, json: 2, end: 3 };

const LESSONS: Columns = Columns { sql: "SELECT id, text, scope_of FROM lesson", plain: 1, json: 3, end: 3 };

const LESSON_EVENTS: Columns =
    Columns { sql: "SELECT lesson, id, reason, detail, before FROM lesson_event", plain: 2, json: 3, end: 5 };

const HINTS: Columns = Columns { sql: "SELECT id, hint, votes FROM verdict", plain: 1, json: 2, end: 3 };

const SIGNALS: Columns = Columns { sql: "SELECT verdict, evidence FROM signal", plain: 1, json: 2, end: 2 };

const RUNS: Columns = Columns {
    sql: "SELECT learn_run.id, learn_run.reason, learn_run.error, learn_run.counts, gate_result.reasons
            FROM learn_run LEFT JOIN gate_result ON gate_result.run = learn_run.id",
    plain: 1,
    json: 3,
    end: 5,
};

const SERVINGS: Columns = Columns { sql: "SELECT id, reason FROM serving", plain: 1, json: 2, end: 2 };

const TITLES: Columns = Columns { sql: "SELECT id, title FROM session", plain: 1, json: 2, end: 2 };

const FOLDERS: Columns =
    Columns { sql: "SELECT folder, folder FROM excluded_project", plain: 1, json: 2, end: 2 };

fn number(row: &Row<'_>) -> rusqlite::Result<i64> {
    row.get(0)
}

fn pair(row: &Row<'_>) -> rusqlite::Result<(i64, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn verdicts(conn: &Connection, needle: &Needle) -> rusqlite::Result<Vec<i64>> {
    let mut found: BTreeSet<i64> = rows(conn, &HINTS, needle, number)?.into_iter().collect();
    found.extend(rows(conn, &SIGNALS, needle, number)?);
    Ok(found.into_iter().collect())
}

fn rows<T>(
    conn: &Connection,
    columns: &Columns,
    needle: &Needle,
    name: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = conn.prepare(columns.sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if holds(row, columns, needle)? {
            found.push(name(row)?);
        }
    }
    Ok(found)
}

fn holds(row: &Row<'_>, columns: &Columns, needle: &Needle) -> rusqlite::Result<bool> {
    for at in columns.plain..columns.end {
        let text: Option<&str> = row.get_ref(at)?.as_str_or_null()?;
        let is_there = |text| if at < columns.json { needle.is_in(text) } else { needle.is_in_json(text) };
        if text.is_some_and(is_there) {
            return Ok(true);
        }
    }
    Ok(false)
}
