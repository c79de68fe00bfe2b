//! Questions about what is to be forgotten: which rows are meant, and what the people said in them.
//!
//! Every question walks through tables with a statement; what is kept in memory of a row is its number.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::Reader;
use crate::lesson::{LessonId, Origin};
use crate::store::failure::Failure;
use crate::store::words::{get_json, get_word};
use crate::store::{Meant, Named, StoreError};
use crate::turn::next_state::NextState;
use crate::turn::{Message, PolicyVersion, Role, TurnId};
use text::Standing;

/// Turns that were there and have not been forgotten before.
const THERE: &str = "turn.settings <> 'null'";

type Turns = BTreeSet<TurnId>;

impl Reader {
    /// The rows that a person means. Refuses what is not there, and turns that are still being answered.
    pub fn meant(&mut self, named: &Named) -> Result<Meant, StoreError> {
        self.ask(|conn| {
            let standing = named.matching.as_deref().map(|text| text::standing(conn, text)).transpose()?;
            let standing = standing.unwrap_or_default();
            let turns = turns(conn, named, &standing)?;
            check_none_runs(conn, &turns)?;
            let (states, n_shell_commands) = states(conn, named, &standing, &turns)?;
            let lessons = lessons(conn, named, &standing, &turns, &states)?;
            let held = carried(conn, &turns, &lessons)?;
            let seen = seen(conn, &turns, &lessons, &states, &held)?;
            Ok(Meant {
                sessions: emptied_sessions(conn, named, &turns)?,
                said_in: sources_that_stay(conn, &lessons, &turns)?,
                newest_turn: newest_turn(conn)?,
                n_prompts: held.len(),
                taught: seen.taught,
                n_samples: seen.n_samples,
                n_runs: seen.runs.len(),
                words: standing.words,
                folders: standing.folders,
                turns: turns.into_iter().collect(),
                lessons: lessons.into_iter().collect(),
                states,
                n_shell_commands,
            })
        })
    }

    /// What people said in these turns, each with when it was (Unix milliseconds).
    pub fn said_in(
        &mut self,
        turns: &[TurnId],
        on_text: &mut dyn FnMut(i64, &str),
    ) -> Result<(), StoreError> {
        self.ask(|conn| {
            let mut statement = conn.prepare_cached("SELECT started_at, messages FROM turn WHERE id = ?1")?;
            for turn in turns {
                let mut rows = statement.query([turn.0])?;
                let Some(row) = rows.next()? else { continue };
                let messages: Vec<Message> = get_json(row, "messages")?;
                let said = messages.iter().filter(|message| message.role == Role::User);
                said.for_each(|message| on_text(row.get(0).unwrap_or_default(), &message.content));
            }
            Ok(())
        })
    }
}

fn newest_turn(conn: &Connection) -> rusqlite::Result<TurnId> {
    conn.query_row("SELECT coalesce(max(id), 0) FROM turn", [], |row| row.get(0)).map(TurnId)
}

fn turns(conn: &Connection, named: &Named, standing: &Standing) -> Result<Turns, Failure> {
    let mut found: Turns = standing.turns.clone();
    for turn in &named.turns {
        let sql = format!("SELECT 1 FROM turn WHERE id = ?1 AND {THERE}");
        if !conn.prepare_cached(&sql)?.exists([turn.0])? {
            return Err(StoreError::NoTurn(turn.0).into());
        }
        found.insert(*turn);
    }
    let mut add = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            found.insert(TurnId(row.get(0)?));
        }
        Ok(())
    };
    for session in &named.sessions {
        let sql = format!("SELECT id FROM turn WHERE session = ?1 AND {THERE}");
        add(&sql, &[&session_row(conn, &session.0)?])?;
    }
    if let Some(folder) = &named.project {
        let (from, to) = below(folder);
        let sql = format!("SELECT id FROM turn WHERE (cwd = ?1 OR (cwd >= ?2 AND cwd < ?3)) AND {THERE}");
        add(&sql, &[folder, &from, &to])?;
    }
    if let Some(since) = named.since {
        let sql = format!("SELECT id FROM turn WHERE started_at >= ?1 AND {THERE}");
        add(&sql, &[&since])?;
    }
    if named.all {
        let sql = format!("SELECT id FROM turn WHERE id > 0 AND {THERE}");
        add(&sql, &[])?;
    }
    Ok(found)
}

/// All paths below a folder stand between these two.
fn below(folder: &str) -> (String, String) {
    let folder = folder.trim_end_matches('/');
    // '0' is the letter behind '/'.
    (format!("{folder}/"), format!("{folder}0"))
}

fn session_row(conn: &Connection, name: &str) -> Result<i64, Failure> {
    let whole = conn
        .prepare_cached("SELECT id FROM session WHERE key = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(row) = whole {
        return Ok(row);
    }
    let length = i64::try_from(name.chars().count()).unwrap_or(i64::MAX);
    let rows: Vec<i64> = conn
        .prepare_cached("SELECT id FROM session WHERE substr(key, 1, ?2) = ?1 LIMIT 2")?
        .query_map(params![name, length], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    match rows.as_slice() {
        [row] if !name.is_empty() => Ok(*row),
        _ => Err(StoreError::NoSession(name.to_owned()).into()),
    }
}

fn check_none_runs(conn: &Connection, turns: &Turns) -> Result<(), Failure> {
    let mut statement = conn.prepare_cached("SELECT turn FROM running ORDER BY turn")?;
    let mut running = statement.query([])?;
    while let Some(row) = running.next()? {
        let turn = TurnId(row.get(0)?);
        if turns.contains(&turn) {
            return Err(StoreError::TurnRunning(turn.0).into());
        }
    }
    Ok(())
}

/// What goes of what followed turns that stay; and how many commands go, with those of the turns.
fn states(
    conn: &Connection,
    named: &Named,
    standing: &Standing,
    turns: &Turns,
) -> rusqlite::Result<(Vec<(TurnId, u32)>, usize)> {
    let (mut states, mut n_commands) = (Vec::new(), 0);
    let mut statement = conn.prepare("SELECT turn, seq, at, kind FROM next_state ORDER BY turn, seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let place = (TurnId(row.get(0)?), row.get(1)?);
        let is_late = named.since.is_some_and(|since| row.get(2).is_ok_and(|at: i64| at >= since));
        let is_named = is_late || standing.states.contains(&place);
        let is_of_turn = turns.contains(&place.0);
        if is_named && !is_of_turn {
            states.push(place);
        }
        let kind: String = row.get(3)?;
        n_commands += usize::from((is_named || is_of_turn) && matches!(kind.as_str(), "command" | "edit"));
    }
    Ok((states, n_commands))
}

/// The lessons that were named, and those that rest on nothing but what goes: drawn from the turns, or from what their
/// messages said about the turn before.
fn lessons(
    conn: &Connection,
    named: &Named,
    standing: &Standing,
    turns: &Turns,
    states: &[(TurnId, u32)],
) -> Result<BTreeSet<LessonId>, Failure> {
    let mut found: BTreeSet<LessonId> = standing.lessons.clone();
    for lesson in &named.lessons {
        if !conn.prepare_cached("SELECT 1 FROM lesson WHERE id = ?1")?.exists([lesson.0])? {
            return Err(StoreError::NoLesson(lesson.0).into());
        }
        found.insert(*lesson);
    }
    let states: Turns = states.iter().map(|(turn, _)| *turn).collect();
    let sql = "SELECT id, created_at, origin, scope, scope_of FROM lesson";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let lesson = LessonId(row.get(0)?);
        let (scope, of): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        let goes = named.all
            || named.since.is_some_and(|since| row.get(1).is_ok_and(|at: i64| at >= since))
            || of.is_some_and(|of| is_scope_meant(conn, named, &scope, &of).unwrap_or(false));
        let origin: Origin = get_word(row, "origin")?;
        if goes || rests_on(conn, (lesson, origin), turns, &states)? {
            found.insert(lesson);
        }
    }
    Ok(found)
}

fn is_scope_meant(conn: &Connection, named: &Named, scope: &str, of: &str) -> Result<bool, Failure> {
    if scope == "session" {
        for session in &named.sessions {
            let row = session_row(conn, &session.0)?;
            let sql = "SELECT 1 FROM session WHERE id = ?1 AND key = ?2";
            if conn.prepare_cached(sql)?.exists(params![row, of])? {
                return Ok(true);
            }
        }
    }
    let is_below = |folder: &String| {
        let (from, to) = below(folder);
        of == folder || (of >= from.as_str() && of < to.as_str())
    };
    Ok(scope == "project" && named.project.as_ref().is_some_and(is_below))
}

fn rests_on(
    conn: &Connection,
    (lesson, origin): (LessonId, Origin),
    turns: &Turns,
    states: &Turns,
) -> Result<bool, Failure> {
    let sources = sources(conn, lesson)?;
    if sources.is_empty() {
        return Ok(false);
    }
    for source in sources {
        let is_gone = turns.contains(&source)
            || (origin != Origin::Taught
                && (states.contains(&source) || is_followed_in(conn, source, turns)?));
        if !is_gone {
            return Ok(false);
        }
    }
    Ok(true)
}

fn sources(conn: &Connection, lesson: LessonId) -> rusqlite::Result<Vec<TurnId>> {
    conn.prepare_cached("SELECT turn FROM lesson_source WHERE lesson = ?1")?
        .query_map([lesson.0], |row| row.get(0).map(TurnId))?
        .collect()
}

/// Whether what followed a turn was said in one of these turns.
fn is_followed_in(conn: &Connection, turn: TurnId, turns: &Turns) -> Result<bool, Failure> {
    let mut states = conn.prepare_cached("SELECT state FROM next_state WHERE turn = ?1")?;
    let states: Vec<NextState> =
        states.query_map([turn.0], |row| get_json(row, "state"))?.collect::<rusqlite::Result<_>>()?;
    let mut children = conn.prepare_cached("SELECT id, messages FROM turn WHERE parent = ?1")?;
    let mut rows = children.query([turn.0])?;
    while let Some(row) = rows.next()? {
        if !turns.contains(&TurnId(row.get(0)?)) {
            continue;
        }
        let messages: Vec<Message> = get_json(row, "messages")?;
        if states.iter().any(|state| state.is_said_in(&messages)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Turns that stay and whose prompts held any of it: they continue a turn, or a lesson stood in them.
fn carried(conn: &Connection, turns: &Turns, lessons: &BTreeSet<LessonId>) -> rusqlite::Result<Turns> {
    let mut held = Turns::new();
    if !turns.is_empty() {
        let sql = "SELECT id, parent FROM turn WHERE parent IS NOT NULL ORDER BY id";
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (turn, parent) = (TurnId(row.get(0)?), TurnId(row.get(1)?));
            if !turns.contains(&turn) && (turns.contains(&parent) || held.contains(&parent)) {
                held.insert(turn);
            }
        }
    }
    let mut statement = conn.prepare_cached("SELECT turn FROM lesson_use WHERE lesson = ?1")?;
    for lesson in lessons {
        let mut rows = statement.query([lesson.0])?;
        while let Some(row) = rows.next()? {
            let turn = TurnId(row.get(0)?);
            if !turns.contains(&turn) {
                held.insert(turn);
            }
        }
    }
    Ok(held)
}

/// What runs saw of it.
#[derive(Default)]
struct Seen {
    taught: BTreeSet<PolicyVersion>,
    runs: BTreeSet<i64>,
    n_samples: usize,
}

/// By the samples of runs, and by what the gate found in versions. What was practised on a prompt that held it counts,
/// though its own sample stays.
fn seen(
    conn: &Connection,
    turns: &Turns,
    lessons: &BTreeSet<LessonId>,
    states: &[(TurnId, u32)],
    held: &Turns,
) -> rusqlite::Result<Seen> {
    let mut seen = Seen::default();
    for lesson in lessons {
        let mut statement = conn.prepare_cached("SELECT version FROM learned WHERE lesson = ?1")?;
        let versions = statement.query_map([lesson.0], |row| row.get(0).map(PolicyVersion))?;
        seen.taught.extend(versions.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    let followed: Turns = states.iter().map(|(turn, _)| *turn).collect();
    let mut statement = conn.prepare(
        "SELECT sample.run, sample.turn, sample.lesson, sample.role IN ('teach', 'replay'), learn_run.candidate
           FROM sample JOIN learn_run ON learn_run.id = sample.run",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let turn = row.get::<_, Option<i64>>(1)?.map(TurnId);
        let lesson = row.get::<_, Option<i64>>(2)?.map(LessonId);
        let is_own = turn.is_some_and(|turn| turns.contains(&turn) || followed.contains(&turn))
            || lesson.is_some_and(|lesson| lessons.contains(&lesson));
        let is_trained_on: bool = row.get(3)?;
        let holds_it = is_trained_on && turn.is_some_and(|turn| held.contains(&turn));
        if is_own || holds_it {
            seen.taught.extend(row.get::<_, Option<u32>>(4)?.map(PolicyVersion));
            seen.runs.insert(row.get(0)?);
            seen.n_samples += usize::from(is_own);
        }
    }
    Ok(seen)
}

fn sources_that_stay(
    conn: &Connection,
    lessons: &BTreeSet<LessonId>,
    turns: &Turns,
) -> rusqlite::Result<Vec<TurnId>> {
    let mut stay = Turns::new();
    for lesson in lessons {
        stay.extend(sources(conn, *lesson)?.into_iter().filter(|turn| !turns.contains(turn)));
    }
    Ok(stay.into_iter().collect())
}

/// Sessions with turns, all of which go. Of those without any turn only what was named, or all.
fn emptied_sessions(conn: &Connection, named: &Named, turns: &Turns) -> Result<Vec<i64>, Failure> {
    // How many turns each has, and how many stay.
    let mut sessions: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    let mut statement = conn.prepare(&format!("SELECT id, session, {THERE} FROM turn"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let goes = turns.contains(&TurnId(row.get(0)?));
        let (n_go, n_stay) = sessions.entry(row.get(1)?).or_default();
        *n_go += usize::from(goes);
        // The empty place of one that was forgotten before stays where something continues it, and that is counted.
        *n_stay += usize::from(!goes && row.get::<_, bool>(2)?);
    }
    let mut emptied: BTreeSet<i64> =
        sessions.iter().filter(|(_, (n_go, n_stay))| *n_go > 0 && *n_stay == 0).map(|(id, _)| *id).collect();
    if named.all {
        let mut statement = conn.prepare("SELECT session.id FROM session")?;
        emptied.extend(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?);
    }
    for session in &named.sessions {
        let row = session_row(conn, &session.0)?;
        if !sessions.contains_key(&row) {
            emptied.insert(row);
        }
    }
    Ok(emptied.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(folder: &str, path: &str, expected: bool) {
        let (from, to) = below(folder);
        assert_eq!(path >= from.as_str() && path < to.as_str(), expected, "{path} below {folder}");
    }

    #[test]
    fn a_folder_ends_at_its_slash() {
        check("/home/anna", "/home/anna/src", true);
        check("/home/anna/", "/home/anna/src/ü", true);
        check("/home/anna", "/home/annabel", false);
        check("/home/anna", "/home/anna-2", false);
        check("/", "/etc", true);
    }
}
