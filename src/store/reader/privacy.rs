//! Questions about what is kept: what is older than a moment, and all of it in figures.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::feedback::as_limit;
use super::lessons::by_state;
use super::{Reader, count};
use crate::lesson::LessonId;
use crate::store::words::get_word;
use crate::store::{Holdings, Learned, SourceCount, StoreError};
use crate::turn::{PolicyVersion, TurnId};

/// How placeholders of hidden text begin; they end with `>`.
const HIDDEN: [&str; 2] = ["<secret:", "<private:"];

/// What a reply says stands in the turn that says it, too.
const SAID_BESIDE: &str = "SELECT state FROM next_state WHERE kind <> 'reply' AND (instr(state, '<secret:') OR instr(state, '<private:'))";
const SAID: &str =
    "SELECT messages FROM turn WHERE instr(messages, '<secret:') OR instr(messages, '<private:')";

impl Reader {
    /// Turns that began before a moment (Unix milliseconds) and do not run, oldest first.
    pub fn turns_before(&mut self, moment: i64, limit: usize) -> Result<Vec<TurnId>, StoreError> {
        self.ask(|conn| {
            let sql = "SELECT id FROM turn WHERE settings <> 'null' AND started_at < ?1
                          AND NOT EXISTS (SELECT 1 FROM running WHERE running.turn = turn.id)
                        ORDER BY started_at LIMIT ?2";
            let mut statement = conn.prepare_cached(sql)?;
            let rows = statement.query_map([moment, as_limit(limit)], |row| row.get(0).map(TurnId))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All that is kept, in figures. Reads every text once.
    pub fn holdings(&mut self) -> Result<Holdings, StoreError> {
        self.ask(|conn| {
            let mut hidden = BTreeMap::new();
            count_hidden(conn, SAID, &mut hidden)?;
            count_hidden(conn, SAID_BESIDE, &mut hidden)?;
            let mut holdings = Holdings {
                turns: by_source(conn)?,
                lessons: by_state(conn)?,
                learned: learned(conn)?,
                excluded_projects: projects(conn)?,
                hidden,
                ..Holdings::default()
            };
            (holdings.oldest, holdings.newest) = conn.query_row(
                "SELECT (SELECT min(started_at) FROM turn WHERE settings <> 'null'),
                        (SELECT max(started_at) FROM turn WHERE settings <> 'null')",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            conn.query_row(
                "SELECT (SELECT count(*) FROM session WHERE last_turn IS NOT NULL), (SELECT count(*) FROM next_state),
                        (SELECT count(*) FROM verdict), (SELECT count(*) FROM excluded_turn),
                        (SELECT count(*) FROM excluded_session)",
                [],
                |row| {
                    holdings.sessions = count(row, 0)?;
                    holdings.next_states = count(row, 1)?;
                    holdings.verdicts = count(row, 2)?;
                    holdings.excluded_turns = count(row, 3)?;
                    holdings.excluded_sessions = count(row, 4)?;
                    Ok(())
                },
            )?;
            Ok(holdings)
        })
    }
}

fn by_source(conn: &Connection) -> rusqlite::Result<Vec<SourceCount>> {
    let sql = "SELECT source, count(*) FROM turn WHERE settings <> 'null' GROUP BY source ORDER BY source";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement
        .query_map([], |row| Ok(SourceCount { source: get_word(row, "source")?, n: count(row, 1)? }))?;
    rows.collect()
}

fn learned(conn: &Connection) -> rusqlite::Result<Vec<Learned>> {
    let sql = "SELECT learned.version, learned.lesson, lesson.text FROM learned JOIN lesson ON lesson.id = learned.lesson
                ORDER BY learned.version, learned.lesson";
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Learned { version: PolicyVersion(row.get(0)?), lesson: LessonId(row.get(1)?), text: row.get(2)? })
    })?;
    rows.collect()
}

fn projects(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT folder FROM excluded_project ORDER BY folder")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

fn count_hidden(conn: &Connection, sql: &str, counts: &mut BTreeMap<String, usize>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for rule in placeholders(row.get_ref(0)?.as_str()?) {
            *counts.entry(rule.to_owned()).or_default() += 1;
        }
    }
    Ok(())
}

/// Names of the rules whose placeholders stand in a text; names that the person lists are all `private`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    HIDDEN.into_iter().flat_map(move |mark| {
        text.match_indices(mark).filter_map(move |(at, _)| {
            let (name, _) = text.get(at + mark.len()..)?.split_once('>')?;
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            is_name.then_some(if mark == "<private:" { "private" } else { name })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(placeholders(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn placeholders_are_counted_by_rule() {
        check(
            "use <secret:github-token> and <secret:jwt> for <private:2>",
            &["github-token", "jwt", "private"],
        );
        check("search for <secret> or <secret:", &[]);
        check("<secret:not a name>", &[]);
    }
}
