//! What is known of a turn in the list, cheapest first: whether it fits, and only then the row that is shown.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::ReviewFilter;
use super::streams::{is_in, is_rule};
use crate::lesson::{LessonId, Scope};
use crate::store::failure::Failure;
use crate::store::reader::feedback::{as_limit, is_excluded, is_waiting};
use crate::store::reader::lessons::{get_scope, get_state};
use crate::store::words::{get_word, word};
use crate::store::{Judged, ReviewRow, ReviewState, ReviewWord};
use crate::turn::{PolicyVersion, SessionId, Source, TurnId};

/// Looks at turns for one filter.
pub(super) struct Facts<'a> {
    filter: &'a ReviewFilter,
    /// The session's row, when one is asked for.
    session: Option<i64>,
}

/// A turn that fits what costs little to see.
pub(super) struct Fact {
    id: i64,
    pub(super) at: i64,
    source: Source,
    cwd: Option<String>,
    session: i64,
    reward: Option<i8>,
    rule: Option<String>,
    hint: Option<String>,
}

const FACT: &str = "
    SELECT turn.started_at, turn.source, turn.cwd, turn.session, verdict.reward, verdict.rule, verdict.hint
      FROM turn LEFT JOIN verdict ON verdict.turn = turn.id AND verdict.is_newest = 1
     WHERE turn.id = ?1 AND turn.kind = 'main' AND turn.settings <> 'null'";

/// The beginning of the last thing that a person said in the turn's messages.
const REQUEST: &str = "
    SELECT session.key,
           (SELECT substr(value ->> 'content', 1, 240) FROM json_each(turn.messages)
             WHERE value ->> 'role' = 'user' ORDER BY key DESC LIMIT 1)
      FROM turn JOIN session ON session.id = turn.session WHERE turn.id = ?1";

const DRAWN: &str = "
    SELECT lesson.id, lesson.created_at, lesson.text, lesson.scope, lesson.scope_of, lesson.state, lesson.in_version,
           lesson.pinned
      FROM lesson";

const TAUGHT: &str = "
    SELECT max(learn_run.candidate) FROM sample JOIN learn_run ON learn_run.id = sample.run
     WHERE sample.turn = ?1 AND sample.role = 'teach' AND learn_run.state = 'promoted'";

impl<'a> Facts<'a> {
    pub(super) fn new(conn: &Connection, filter: &'a ReviewFilter) -> Result<Self, Failure> {
        let session = match &filter.session {
            // No row has the number 0.
            Some(key) => Some(session_row(conn, key)?.unwrap_or(0)),
            None => None,
        };
        Ok(Self { filter, session })
    }

    /// `None`: there is no such turn any more, or it does not fit.
    pub(super) fn of(&self, conn: &Connection, id: i64) -> Result<Option<Fact>, Failure> {
        let fact = conn.prepare_cached(FACT)?.query_row([id], |row| fact(id, row)).optional()?;
        Ok(fact.filter(|fact| self.fits(fact)))
    }

    fn fits(&self, fact: &Fact) -> bool {
        let filter = self.filter;
        let is_judged = |wanted| match wanted {
            Judged::Good => fact.reward == Some(1),
            Judged::Bad => fact.reward == Some(-1),
            Judged::Unclear => fact.rule.is_some() && !matches!(fact.reward, Some(1 | -1)),
            Judged::None => fact.rule.is_none(),
        };
        let of = |text: &Option<String>, holds: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(holds);
        filter.source.is_none_or(|source| source == fact.source)
            && self.session.is_none_or(|session| session == fact.session)
            && filter.judged.is_none_or(is_judged)
            && filter.rule.as_ref().is_none_or(|wanted| of(&fact.rule, &|rule| is_rule(wanted, rule)))
            && filter.project.as_ref().is_none_or(|wanted| of(&fact.cwd, &|folder| is_in(wanted, folder)))
    }

    /// A row for each lesson that was drawn from the turn, or one; those whose state fits.
    pub(super) fn rows(&self, conn: &Connection, fact: Fact) -> Result<Vec<ReviewRow>, Failure> {
        let wanted = self.filter.state;
        let is_out = is_excluded(conn, TurnId(fact.id))?;
        let drawn = drawn(conn, fact.id)?;
        let own = if drawn.is_empty() { own_state(conn, fact.id, is_out)? } else { ReviewState::None };
        let states = drawn.iter().map(|lesson| lesson.state).chain(drawn.is_empty().then_some(own));
        let is_wanted = |state: ReviewState| wanted.is_none_or(|word| state.is_called(word, is_out));
        if !states.into_iter().any(is_wanted) {
            return Ok(Vec::new());
        }
        let row = ReviewRow { is_excluded: is_out, ..row(conn, fact, own)? };
        if drawn.is_empty() {
            return Ok(vec![row]);
        }
        let drawn = drawn.into_iter().filter(|lesson| is_wanted(lesson.state));
        Ok(drawn.map(|lesson| lesson.on(row.clone())).collect())
    }
}

/// When a turn began, whether it fits or not.
pub(super) fn began(conn: &Connection, id: i64) -> rusqlite::Result<i64> {
    let at = conn
        .prepare_cached("SELECT started_at FROM turn WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(at.unwrap_or(0))
}

fn session_row(conn: &Connection, key: &SessionId) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT id FROM session WHERE key = ?1")?
        .query_row([&key.0], |row| row.get(0))
        .optional()
}

fn fact(id: i64, row: &Row<'_>) -> rusqlite::Result<Fact> {
    Ok(Fact {
        id,
        at: row.get("started_at")?,
        source: get_word(row, "source")?,
        cwd: row.get("cwd")?,
        session: row.get("session")?,
        reward: row.get("reward")?,
        rule: row.get("rule")?,
        hint: row.get("hint")?,
    })
}

/// Of a turn from which no lesson was drawn.
fn own_state(conn: &Connection, turn: i64, is_excluded: bool) -> rusqlite::Result<ReviewState> {
    if is_excluded {
        return Ok(ReviewState::Excluded);
    }
    let taught: Option<u32> = conn.prepare_cached(TAUGHT)?.query_row([turn], |row| row.get(0))?;
    Ok(match taught {
        Some(version) => ReviewState::Learned(PolicyVersion(version)),
        None if is_waiting(conn, TurnId(turn))? => ReviewState::Waiting,
        None => ReviewState::None,
    })
}

fn row(conn: &Connection, fact: Fact, state: ReviewState) -> Result<ReviewRow, Failure> {
    let (session, request): (String, Option<String>) =
        conn.prepare_cached(REQUEST)?.query_row([fact.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(ReviewRow {
        turn: Some(TurnId(fact.id)),
        session: Some(SessionId(session)),
        source: Some(fact.source),
        folder: fact.cwd,
        request: request.unwrap_or_default(),
        reward: fact.reward,
        rule: fact.rule,
        hint: fact.hint,
        state,
        ..ReviewRow::empty(fact.at)
    })
}

/// A lesson as a row shows it.
struct Drawn {
    id: i64,
    at: i64,
    text: String,
    scope: Scope,
    state: ReviewState,
    pinned: bool,
}

impl Drawn {
    fn on(self, row: ReviewRow) -> ReviewRow {
        ReviewRow {
            lesson: Some(LessonId(self.id)),
            text: Some(self.text),
            scope: Some(self.scope),
            pinned: self.pinned,
            state: self.state,
            ..row
        }
    }
}

fn drawn(conn: &Connection, turn: i64) -> rusqlite::Result<Vec<Drawn>> {
    let sql = format!(
        "{DRAWN} WHERE lesson.id IN (SELECT lesson FROM lesson_source WHERE turn = ?1) ORDER BY lesson.id DESC"
    );
    conn.prepare_cached(&sql)?.query_map([turn], drawn_row)?.collect()
}

fn drawn_row(row: &Row<'_>) -> rusqlite::Result<Drawn> {
    Ok(Drawn {
        id: row.get("id")?,
        at: row.get("created_at")?,
        text: row.get("text")?,
        scope: get_scope(row)?,
        state: get_state(row)?.into(),
        pinned: row.get("pinned")?,
    })
}

/// Lessons that were drawn from no turn, with their numbers, newest first.
pub(super) fn lone(
    conn: &Connection,
    words: Option<&str>,
    state: Option<ReviewWord>,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, ReviewRow)>> {
    let state = state.map(word);
    let sql = match words {
        None => format!(
            "{DRAWN} WHERE lesson.id < ?1 AND (?2 IS NULL OR lesson.state = ?2) AND ?4 IS NULL
                AND NOT EXISTS (SELECT 1 FROM lesson_source WHERE lesson_source.lesson = lesson.id)
              ORDER BY lesson.id DESC LIMIT ?3"
        ),
        Some(_) => format!(
            "{DRAWN} JOIN lesson_text ON lesson_text.rowid = lesson.id
              WHERE lesson_text MATCH ?4 AND lesson.id < ?1 AND (?2 IS NULL OR lesson.state = ?2)
                AND NOT EXISTS (SELECT 1 FROM lesson_source WHERE lesson_source.lesson = lesson.id)
              ORDER BY lesson_text.rowid DESC LIMIT ?3"
        ),
    };
    conn.prepare_cached(&sql)?
        .query_map(params![before, state, as_limit(limit), words], |row| {
            let lesson = drawn_row(row)?;
            Ok((lesson.id, lone_row(lesson)))
        })?
        .collect()
}

fn lone_row(lesson: Drawn) -> ReviewRow {
    let folder = match &lesson.scope {
        Scope::Project(folder) => Some(folder.clone()),
        Scope::Global | Scope::Program(_) | Scope::Session(_) => None,
    };
    let row = ReviewRow { folder, ..ReviewRow::empty(lesson.at) };
    lesson.on(row)
}
