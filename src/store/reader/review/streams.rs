//! Ways to the turns of a list: each is a stream of numbers, newest first, out of an index; several are merged.
//!
//! Of what a filter asks for, the part that the fewest turns have leads the way; the rest is looked at turn by turn
//! (`facts`).

use std::collections::{BinaryHeap, VecDeque};

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::Asked;
use crate::store::failure::Failure;
use crate::store::words::word;
use crate::store::{Judged, ReviewWord};

/// Numbers that are read at first, and then at a time.
const FIRST: i64 = 128;
const MORE: i64 = 1024;

/// Several ways as one: each number once, newest first.
pub(super) struct Streams {
    ways: Vec<Way>,
    /// The next number of each way that has one.
    heads: BinaryHeap<(i64, usize)>,
    last: i64,
}

/// One statement with its key: numbers below ?2, at most ?3 of them.
struct Way {
    sql: &'static str,
    key: Value,
    read: VecDeque<i64>,
    below: i64,
    batch: i64,
}

impl Streams {
    pub(super) fn open(conn: &Connection, asked: &Asked<'_>, before: i64) -> Result<Self, Failure> {
        let ways = ways(conn, asked)?;
        let way = |(sql, key)| Way { sql, key, read: VecDeque::new(), below: before, batch: FIRST };
        let mut ways: Vec<Way> = ways.into_iter().map(way).collect();
        let mut heads = BinaryHeap::new();
        for (at, way) in ways.iter_mut().enumerate() {
            heads.extend(way.next(conn)?.map(|id| (id, at)));
        }
        Ok(Self { ways, heads, last: i64::MAX })
    }

    pub(super) fn next(&mut self, conn: &Connection) -> Result<Option<i64>, Failure> {
        while let Some((id, at)) = self.heads.pop() {
            if let Some(way) = self.ways.get_mut(at) {
                self.heads.extend(way.next(conn)?.map(|id| (id, at)));
            }
            if id < self.last {
                self.last = id;
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

impl Way {
    fn next(&mut self, conn: &Connection) -> rusqlite::Result<Option<i64>> {
        if self.read.is_empty() && self.below > 0 {
            self.read = conn
                .prepare_cached(self.sql)?
                .query_map(params![self.key, self.below, self.batch], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            // A short batch is the last one.
            let is_last = i64::try_from(self.read.len()).unwrap_or(i64::MAX) < self.batch;
            self.batch = MORE;
            self.below = if is_last { 0 } else { self.read.back().copied().unwrap_or(0) };
        }
        Ok(self.read.pop_front())
    }
}

const ALL: &str =
    "SELECT id FROM turn WHERE id < ?2 AND kind = 'main' AND ?1 IS NULL ORDER BY id DESC LIMIT ?3";

const OF_SOURCE: &str =
    "SELECT id FROM turn WHERE source = ?1 AND kind = 'main' AND id < ?2 ORDER BY id DESC LIMIT ?3";

const OF_FOLDER: &str =
    "SELECT id FROM turn WHERE cwd = ?1 AND kind = 'main' AND id < ?2 ORDER BY id DESC LIMIT ?3";

const OF_SESSION: &str = "
    SELECT turn.id FROM turn
     WHERE turn.session = (SELECT id FROM session WHERE key = ?1) AND turn.kind = 'main' AND turn.id < ?2
     ORDER BY turn.id DESC LIMIT ?3";

const OF_EXCLUDED_SESSION: &str =
    "SELECT id FROM turn WHERE session = ?1 AND kind = 'main' AND id < ?2 ORDER BY id DESC LIMIT ?3";

const OF_RULE: &str = "
    SELECT turn FROM verdict WHERE is_newest = 1 AND rule = ?1 AND turn < ?2 ORDER BY turn DESC LIMIT ?3";

const OF_REWARD: &str = "
    SELECT turn FROM verdict WHERE is_newest = 1 AND reward = ?1 AND turn < ?2 ORDER BY turn DESC LIMIT ?3";

const ABSTAINED: &str = "
    SELECT turn FROM verdict WHERE is_newest = 1 AND reward IS NULL AND ?1 IS NULL AND turn < ?2
     ORDER BY turn DESC LIMIT ?3";

const OF_LESSON_STATE: &str = "
    SELECT DISTINCT lesson_source.turn FROM lesson JOIN lesson_source ON lesson_source.lesson = lesson.id
     WHERE lesson.state = ?1 AND lesson_source.turn < ?2 ORDER BY lesson_source.turn DESC LIMIT ?3";

/// Turns that a promoted version was taught by themselves.
const TAUGHT: &str = "
    SELECT DISTINCT sample.turn FROM learn_run JOIN sample ON sample.run = learn_run.id
     WHERE learn_run.state = 'promoted' AND sample.role = 'teach' AND sample.turn < ?2 AND ?1 IS NULL
     ORDER BY sample.turn DESC LIMIT ?3";

const WAITING: &str = "SELECT turn FROM waiting WHERE turn < ?2 AND ?1 IS NULL ORDER BY turn DESC LIMIT ?3";

const EXCLUDED: &str =
    "SELECT turn FROM excluded_turn WHERE turn < ?2 AND ?1 IS NULL ORDER BY turn DESC LIMIT ?3";

const WITH_WORDS: &str = "
    SELECT rowid FROM turn_text WHERE turn_text MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3";

const WITH_LESSON_WORDS: &str = "
    SELECT DISTINCT lesson_source.turn
      FROM lesson_text JOIN lesson_source ON lesson_source.lesson = lesson_text.rowid
     WHERE lesson_text MATCH ?1 AND lesson_source.turn < ?2 ORDER BY lesson_source.turn DESC LIMIT ?3";

type Ways = Vec<(&'static str, Value)>;

fn ways(conn: &Connection, asked: &Asked<'_>) -> Result<Ways, Failure> {
    let filter = asked.filter;
    if let Some(words) = &asked.words {
        return Ok(vec![
            (WITH_WORDS, Value::from(words.of_turns.clone())),
            (WITH_LESSON_WORDS, Value::from(words.of_lessons.clone())),
        ]);
    }
    if let Some(session) = &filter.session {
        return Ok(vec![(OF_SESSION, Value::from(session.0.clone()))]);
    }
    if let Some(state) = filter.state.filter(|state| *state != ReviewWord::None) {
        return of_state(conn, state);
    }
    if let Some(rule) = &filter.rule {
        return Ok(rules(conn, rule)?.into_iter().map(|rule| (OF_RULE, Value::from(rule))).collect());
    }
    if let Some(project) = &filter.project {
        return Ok(folders(conn, project)?.into_iter().map(|one| (OF_FOLDER, Value::from(one))).collect());
    }
    match filter.judged {
        Some(Judged::Good) => return Ok(vec![(OF_REWARD, Value::from(1))]),
        Some(Judged::Bad) => return Ok(vec![(OF_REWARD, Value::from(-1))]),
        Some(Judged::Unclear) => return Ok(vec![(OF_REWARD, Value::from(0)), (ABSTAINED, Value::Null)]),
        Some(Judged::None) | None => {}
    }
    Ok(match filter.source {
        Some(source) => vec![(OF_SOURCE, Value::from(word(source)))],
        None => vec![(ALL, Value::Null)],
    })
}

fn of_state(conn: &Connection, state: ReviewWord) -> Result<Ways, Failure> {
    Ok(match state {
        ReviewWord::Waiting => vec![(WAITING, Value::Null)],
        ReviewWord::Excluded => excluded(conn)?,
        ReviewWord::Learned => {
            vec![(OF_LESSON_STATE, Value::from(word(state))), (TAUGHT, Value::Null)]
        }
        _ => vec![(OF_LESSON_STATE, Value::from(word(state)))],
    })
}

fn excluded(conn: &Connection) -> Result<Ways, Failure> {
    let mut ways: Ways = vec![(EXCLUDED, Value::Null)];
    let sessions: Vec<i64> = conn
        .prepare_cached("SELECT session FROM excluded_session WHERE session > 0")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    ways.extend(sessions.into_iter().map(|session| (OF_EXCLUDED_SESSION, Value::from(session))));
    let projects: Vec<String> = conn
        .prepare_cached("SELECT folder FROM excluded_project WHERE folder >= ''")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for project in projects {
        let below = folders(conn, &format!("{project}/"))?;
        ways.extend(below.into_iter().map(|folder| (OF_FOLDER, Value::from(folder))));
    }
    Ok(ways)
}

/// The rule, and those whose names begin with it and a dot.
fn rules(conn: &Connection, wanted: &str) -> Result<Vec<String>, Failure> {
    let all =
        distinct(conn, "SELECT rule FROM verdict WHERE is_newest = 1 AND rule > ?1 ORDER BY rule LIMIT 1")?;
    Ok(all.into_iter().filter(|rule| is_rule(wanted, rule)).collect())
}

/// Folders in which something was asked, as far as they are meant.
fn folders(conn: &Connection, wanted: &str) -> Result<Vec<String>, Failure> {
    let all = distinct(conn, "SELECT cwd FROM turn WHERE cwd IS NOT NULL AND cwd > ?1 ORDER BY cwd LIMIT 1")?;
    Ok(all.into_iter().filter(|folder| is_in(wanted, folder)).collect())
}

/// Each text of an index once: from one to the next that is greater.
fn distinct(conn: &Connection, greater: &str) -> Result<Vec<String>, Failure> {
    let mut statement = conn.prepare_cached(greater)?;
    let mut found: Vec<String> = Vec::new();
    loop {
        let last = found.last().map_or("", String::as_str);
        let mut rows = statement.query([last])?;
        let Some(row) = rows.next()? else { return Ok(found) };
        let next = row.get(0)?;
        drop(rows);
        found.push(next);
    }
}

pub(super) fn is_rule(wanted: &str, rule: &str) -> bool {
    rule.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A wish with a slash is a folder and all below it; another is the name of a folder on the way.
pub(super) fn is_in(wanted: &str, folder: &str) -> bool {
    if wanted.starts_with('/') {
        let top = wanted.trim_end_matches('/');
        return folder.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    folder.split('/').any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_a_folder_or_a_name_on_the_way() {
        for (wanted, folder, expected) in [
            ("/src/atlas", "/src/atlas", true),
            ("/src/atlas/", "/src/atlas/api", true),
            ("/src/atlas", "/src/atlas2", false),
            ("/", "/src", true),
            ("atlas", "/src/atlas/api", true),
            ("atlas", "/src/atlas2", false),
        ] {
            assert_eq!(is_in(wanted, folder), expected, "{wanted} {folder}");
        }
    }

    #[test]
    fn a_rule_is_found_by_its_kind() {
        assert!(is_rule("exit", "exit.failed") && is_rule("exit.failed", "exit.failed"));
        assert!(!is_rule("exit", "exited") && !is_rule("exit.f", "exit.failed"));
    }
}
