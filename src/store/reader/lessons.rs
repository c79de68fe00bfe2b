//! Questions about lessons: lists, the words they share with a text, how one got to where it stands.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::feedback::as_limit;
use super::{Reader, count};
use crate::lesson::life::Effect;
use crate::lesson::{Lesson, LessonId, Scope, State};
use crate::store::search::{fts_any, fts_query};
use crate::store::words::{get_json, get_json_opt, get_word, word};
use crate::store::write::{LINEAGE, scope_columns};
use crate::store::{LessonEvent, LessonStory, LessonUse, StateKind, StoreError, UsedIn};
use crate::turn::{PolicyVersion, TurnId};

/// Uses that [`LessonStory`] shows at most.
const MAX_USES: i64 = 50;

/// Which lessons a list shows: those that fit everything that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LessonFilter {
    pub state: Option<StateKind>,
    pub scope: Option<Scope>,
    /// All of these words, the last letters of each may be missing.
    pub words: Option<String>,
}

impl Reader {
    /// Newest first.
    pub fn lessons(&mut self, filter: &LessonFilter, limit: usize) -> Result<Vec<Lesson>, StoreError> {
        let words = match filter.words.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
            None => None,
            Some(typed) => match fts_query(typed) {
                Some(query) => Some(query),
                None => return Ok(Vec::new()),
            },
        };
        let state = filter.state.map(word);
        let (scope, scope_of) = filter.scope.as_ref().map(scope_columns).unzip();
        let rest = params![as_limit(limit), state, scope, scope_of.flatten(), words];
        self.ask(|conn| {
            let by = match (&words, scope, &state) {
                (Some(_), _, _) => BY_WORDS,
                (None, Some(_), _) => BY_SCOPE,
                (None, None, Some(_)) => BY_STATE,
                (None, None, None) => BY_ID,
            };
            Ok(lesson_rows(conn, &format!("{LESSON} {by}"), rest)?)
        })
    }

    /// Active and learned lessons, oldest first: what a prompt may get.
    pub fn lessons_in_force(&mut self) -> Result<Vec<Lesson>, StoreError> {
        self.ask(|conn| {
            let sql = format!("{LESSON} WHERE lesson.state IN ('active', 'learned') ORDER BY lesson.id");
            Ok(lesson_rows(conn, &sql, [])?)
        })
    }

    /// Lessons in force that share words with `text`, with their BM25 score (higher is nearer), nearest first. Any
    /// text will do.
    pub fn lessons_like(&mut self, text: &str, limit: usize) -> Result<Vec<(LessonId, f64)>, StoreError> {
        let Some(query) = fts_any(text) else { return Ok(Vec::new()) };
        self.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT lesson.id, -bm25(lesson_text) AS score
                   FROM lesson_text JOIN lesson ON lesson.id = lesson_text.rowid
                  WHERE lesson_text MATCH ?1 AND lesson.state IN ('active', 'learned')
                  ORDER BY score DESC, lesson.id DESC LIMIT ?2",
            )?;
            let rows = statement
                .query_map(params![query, as_limit(limit)], |row| Ok((LessonId(row.get(0)?), row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One lesson with its history, its sources and its uses.
    pub fn lesson(&mut self, lesson: LessonId) -> Result<LessonStory, StoreError> {
        self.ask(|conn| {
            let sql = format!("{LESSON} WHERE lesson.id = ?1");
            let (row, retired_by) = conn
                .prepare_cached(&sql)?
                .query_row([lesson.0], |row| Ok((lesson_row(row)?, row.get::<_, Option<i64>>("retired_by")?)))
                .optional()?
                .ok_or(StoreError::NoLesson(lesson.0))?;
            Ok(LessonStory {
                lesson: row,
                retired_by: retired_by.map(LessonId),
                history: history(conn, lesson)?,
                learned_in: learned_in(conn, lesson)?,
                uses: uses(conn, lesson)?,
            })
        })
    }

    /// A version and those it was built on, newest first, without the base. A lesson that one of them learned need
    /// not stand in the prompt while the first one serves.
    pub fn lineage(&mut self, version: PolicyVersion) -> Result<Vec<PolicyVersion>, StoreError> {
        self.ask(|conn| {
            let mut statement = conn.prepare_cached(LINEAGE)?;
            let rows = statement.query_map([version.0], |row| row.get(0).map(PolicyVersion))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// What a [`Lesson`] is made of.
const LESSON: &str = "
    SELECT lesson.id, lesson.text, lesson.scope, lesson.scope_of, lesson.state, lesson.in_version, lesson.origin,
           lesson.created_at, lesson.used, lesson.helped, lesson.failed, lesson.pinned, lesson.retired_by,
           (SELECT json_group_array(helped) FROM (
              SELECT helped, turn FROM (SELECT helped, turn FROM lesson_use
                 WHERE lesson_use.lesson = lesson.id AND helped IS NOT NULL ORDER BY turn DESC LIMIT 4)
              ORDER BY turn)) AS recent,
           (SELECT json_group_array(turn ORDER BY turn) FROM lesson_source
             WHERE lesson_source.lesson = lesson.id) AS sources
      FROM lesson";

// One way into the table for each thing that may be set; what else is set is looked at row by row. All five
// parameters stand in each: limit, state, kind and value of the scope, words.

const BY_ID: &str = "
     WHERE lesson.id > 0 AND coalesce(?2, ?3, ?4, ?5) IS NULL
     ORDER BY lesson.id DESC LIMIT ?1";

const BY_STATE: &str = "
     WHERE lesson.state = ?2 AND coalesce(?3, ?4, ?5) IS NULL
     ORDER BY lesson.id DESC LIMIT ?1";

const BY_SCOPE: &str = "
     WHERE lesson.scope = ?3 AND lesson.scope_of IS ?4 AND (?2 IS NULL OR lesson.state = ?2) AND ?5 IS NULL
     ORDER BY lesson.id DESC LIMIT ?1";

const BY_WORDS: &str = "
      JOIN lesson_text ON lesson_text.rowid = lesson.id
     WHERE lesson_text MATCH ?5 AND (?2 IS NULL OR lesson.state = ?2)
       AND (?3 IS NULL OR (lesson.scope = ?3 AND lesson.scope_of IS ?4))
     ORDER BY lesson_text.rowid DESC LIMIT ?1";

fn lesson_rows(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<Lesson>> {
    conn.prepare_cached(sql)?.query_map(params, lesson_row)?.collect()
}

fn damaged(what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, what.into())
}

/// From the columns `state` and `in_version`.
pub(super) fn get_state(row: &Row<'_>) -> rusqlite::Result<State> {
    Ok(match get_word::<StateKind>(row, "state")? {
        StateKind::Proposed => State::Proposed,
        StateKind::Active => State::Active,
        StateKind::Learned => {
            let version: Option<u32> = row.get("in_version")?;
            State::Learned(PolicyVersion(
                version.ok_or_else(|| damaged("a learned lesson without a version"))?,
            ))
        }
        StateKind::Retired => State::Retired,
        StateKind::Pruned => State::Pruned,
    })
}

/// From the columns `scope` and `scope_of`.
pub(super) fn get_scope(row: &Row<'_>) -> rusqlite::Result<Scope> {
    let (kind, of): (String, Option<String>) = (row.get("scope")?, row.get("scope_of")?);
    Ok(match (kind.as_str(), of) {
        ("global", None) => Scope::Global,
        ("project", Some(directory)) => Scope::Project(directory),
        ("program", Some(program)) => Scope::Program(program),
        ("session", Some(session)) => Scope::Session(session),
        _ => return Err(damaged("a lesson's scope")),
    })
}

fn lesson_row(row: &Row<'_>) -> rusqlite::Result<Lesson> {
    Ok(Lesson {
        id: LessonId(row.get("id")?),
        text: row.get("text")?,
        scope: get_scope(row)?,
        state: get_state(row)?,
        origin: get_word(row, "origin")?,
        sources: get_json(row, "sources")?,
        created_at: row.get("created_at")?,
        used: row.get("used")?,
        helped: row.get("helped")?,
        failed: row.get("failed")?,
        pinned: row.get("pinned")?,
        triggers: Vec::new(),
        recent: get_json::<Vec<u8>>(row, "recent")?.into_iter().map(effect).collect(),
        replaced_by: row.get::<_, Option<i64>>("retired_by")?.map(LessonId),
    })
}

fn effect(helped: u8) -> Effect {
    if helped == 0 { Effect::Failed } else { Effect::Helped }
}

fn history(conn: &Connection, lesson: LessonId) -> rusqlite::Result<Vec<LessonEvent>> {
    let sql = "SELECT id, at, what, by, reason, detail FROM lesson_event WHERE lesson = ?1 ORDER BY id";
    conn.prepare_cached(sql)?
        .query_map([lesson.0], |row| {
            Ok(LessonEvent {
                id: row.get("id")?,
                at: row.get("at")?,
                what: row.get("what")?,
                by: get_word(row, "by")?,
                reason: row.get("reason")?,
                detail: get_json_opt(row, "detail")?,
            })
        })?
        .collect()
}

fn learned_in(conn: &Connection, lesson: LessonId) -> rusqlite::Result<Vec<PolicyVersion>> {
    conn.prepare_cached("SELECT version FROM learned WHERE lesson = ?1 ORDER BY version")?
        .query_map([lesson.0], |row| row.get(0).map(PolicyVersion))?
        .collect()
}

fn uses(conn: &Connection, lesson: LessonId) -> rusqlite::Result<Vec<UsedIn>> {
    conn.prepare_cached("SELECT turn, helped FROM lesson_use WHERE lesson = ?1 ORDER BY turn DESC LIMIT ?2")?
        .query_map([lesson.0, MAX_USES], |row| {
            Ok(UsedIn { turn: TurnId(row.get("turn")?), helped: row.get("helped")? })
        })?
        .collect()
}

/// The lessons in a turn's prompt, as they stand now.
pub(super) fn used_in(conn: &Connection, turn: TurnId) -> rusqlite::Result<Vec<LessonUse>> {
    let mut statement =
        conn.prepare_cached("SELECT lesson, rank, helped FROM lesson_use WHERE turn = ?1 ORDER BY rank")?;
    let rows = statement.query_map([turn.0], |row| {
        let lesson: i64 = row.get("lesson")?;
        let lesson = conn
            .prepare_cached(&format!("{LESSON} WHERE lesson.id = ?1"))?
            .query_row([lesson], lesson_row)?;
        Ok(LessonUse { lesson, rank: row.get("rank")?, helped: row.get("helped")? })
    })?;
    rows.collect()
}

pub(super) fn drawn_from(conn: &Connection, turn: TurnId) -> rusqlite::Result<Vec<Lesson>> {
    let sql = format!(
        "{LESSON} WHERE lesson.id IN (SELECT lesson FROM lesson_source WHERE turn = ?1) ORDER BY lesson.id"
    );
    lesson_rows(conn, &sql, [turn.0])
}

/// How many lessons there are in each state.
pub(super) fn by_state(conn: &Connection) -> rusqlite::Result<Vec<(StateKind, usize)>> {
    conn.prepare_cached("SELECT state, count(*) FROM lesson GROUP BY state ORDER BY state")?
        .query_map([], |row| Ok((get_word(row, "state")?, count(row, 1)?)))?
        .collect()
}
