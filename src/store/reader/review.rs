//! The review pane's list: turns with what was concluded and learned from them, and lessons without a turn, newest
//! first, page by page.
//!
//! What always holds: a page costs what it shows and at most [`MOST_LOOKED_AT`] turns that do not fit, however many
//! there are; who asks for the next one goes on where it ended.

mod facts;
mod streams;

use rusqlite::Connection;

use super::Reader;
use crate::lesson::LessonId;
use crate::store::failure::Failure;
use crate::store::search::{fts_query, fts_words};
use crate::store::{Judged, ReviewCursor, ReviewPage, ReviewRow, ReviewWord, StoreError};
use crate::turn::{SessionId, Source, TurnId};
use facts::Facts;
use streams::Streams;

/// Turns that are looked at for one page.
const MOST_LOOKED_AT: usize = 2_000;

/// Which rows are shown: those that fit everything that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewFilter {
    pub session: Option<SessionId>,
    pub source: Option<Source>,
    /// A folder and what is below it, when it begins with a slash; otherwise the name of a folder on the way.
    pub project: Option<String>,
    /// The rule of the verdict that counts, or what stands before its dot.
    pub rule: Option<String>,
    /// By the verdict that counts.
    pub judged: Option<Judged>,
    pub state: Option<ReviewWord>,
    /// All of these words in request and answer, or in a lesson; the last letters of a word that is not often found may
    /// be missing.
    pub words: Option<String>,
}

impl Reader {
    /// At most about `limit` rows below `from` (a turn with several lessons is never divided).
    pub fn review(
        &mut self,
        filter: &ReviewFilter,
        from: ReviewCursor,
        limit: usize,
    ) -> Result<ReviewPage, StoreError> {
        let words = filter.words.as_deref().filter(|typed| !typed.trim().is_empty());
        let query = match words.map(|typed| fts_query(typed).map(|of_lessons| (typed, of_lessons))) {
            Some(None) => return Ok(ReviewPage { rows: Vec::new(), next: None, looked_to: None }),
            Some(query) => query,
            None => None,
        };
        self.ask(|conn| {
            let words = match query {
                Some((typed, of_lessons)) => {
                    Some(Words { of_turns: words_of_turns(conn, typed)?, of_lessons })
                }
                None => None,
            };
            page(conn, &Asked { filter, words }, from, limit.max(1))
        })
    }
}

/// A filter, its words as FTS5 wants them.
struct Asked<'a> {
    filter: &'a ReviewFilter,
    words: Option<Words>,
}

struct Words {
    of_turns: String,
    of_lessons: String,
}

/// Found so often, a word is taken as it stands: FTS5 gathers all that a word's beginning finds before it gives the
/// first, and the newest of a word at once.
const OFTEN: i64 = 200;
/// A word with fewer letters is never a beginning.
const BEGINNING: usize = 3;

fn words_of_turns(conn: &Connection, typed: &str) -> rusqlite::Result<String> {
    let mut query = Vec::new();
    for word in fts_words(typed) {
        let is_short = word.chars().filter(|letter| letter.is_alphanumeric()).count() < BEGINNING;
        let found: i64 = conn
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM turn_text WHERE turn_text MATCH ?1 LIMIT ?2)",
            )?
            .query_row(rusqlite::params![word, OFTEN], |row| row.get(0))?;
        query.push(if is_short || found >= OFTEN { word } else { format!("{word}*") });
    }
    Ok(query.join(" "))
}

/// Turns and lessons are two lists in the order of their numbers; the page is their beginning by time.
fn page(
    conn: &Connection,
    asked: &Asked<'_>,
    from: ReviewCursor,
    limit: usize,
) -> Result<ReviewPage, Failure> {
    let turns = turns(conn, asked, from.turn.map_or(i64::MAX, |turn| turn.0), limit)?;
    let lone = lone_lessons(conn, asked, from.lesson.map_or(i64::MAX, |lesson| lesson.0), limit)?;
    Ok(merged(turns, lone, limit))
}

/// The beginning of one of the two lists.
struct Part {
    rows: Vec<ReviewRow>,
    /// Where its next part begins, when there is one: the number, and its time.
    next: Option<(i64, i64)>,
}

fn turns(conn: &Connection, asked: &Asked<'_>, before: i64, limit: usize) -> Result<Part, Failure> {
    let facts = Facts::new(conn, asked.filter)?;
    let mut streams = Streams::open(conn, asked, before)?;
    let mut part = Part { rows: Vec::new(), next: None };
    for n_looked_at in 1.. {
        let Some(id) = streams.next(conn)? else { return Ok(part) };
        if let Some(turn) = facts.of(conn, id)? {
            part.rows.extend(facts.rows(conn, turn)?);
        }
        if part.rows.len() >= limit || n_looked_at >= MOST_LOOKED_AT {
            part.next = Some((id, facts::began(conn, id)?));
            return Ok(part);
        }
    }
    Ok(part)
}

/// Lessons have no surface, session or verdict of their own, so who asks for one of these is shown none.
fn lone_lessons(conn: &Connection, asked: &Asked<'_>, before: i64, limit: usize) -> Result<Part, Failure> {
    let filter = asked.filter;
    let none = Part { rows: Vec::new(), next: None };
    let asks_for_turns = filter.session.is_some() || filter.source.is_some() || filter.rule.is_some();
    if asks_for_turns || filter.judged.is_some() {
        return Ok(none);
    }
    let mut rows = facts::lone(
        conn,
        asked.words.as_ref().map(|words| words.of_lessons.as_str()),
        filter.state,
        before,
        limit,
    )?;
    let next = (rows.len() >= limit).then(|| rows.last().map(|row| (row.0, row.1.at))).flatten();
    if let Some(project) = &filter.project {
        rows.retain(|(_, row)| row.folder.as_deref().is_some_and(|folder| streams::is_in(project, folder)));
    }
    Ok(Part { rows: rows.into_iter().map(|(_, row)| row).collect(), next })
}

/// Rows of both by time, as many as are asked for and as far as both were looked through.
fn merged(turns: Part, lone: Part, limit: usize) -> ReviewPage {
    let mut of_turns = turns.rows.into_iter().peekable();
    let mut of_lone = lone.rows.into_iter().peekable();
    // What is older than the end of the other list's part may have to stand below what comes there next.
    let may_stand = |row: &ReviewRow, other: Option<(i64, i64)>| other.is_none_or(|(_, at)| row.at >= at);
    let mut rows: Vec<ReviewRow> = Vec::new();
    loop {
        let is_turn = match (of_turns.peek(), of_lone.peek()) {
            (Some(turn), Some(lesson)) => turn.at >= lesson.at,
            (turn, _) => turn.is_some(),
        };
        let (list, other) = if is_turn { (&mut of_turns, lone.next) } else { (&mut of_lone, turns.next) };
        let is_divided =
            |row: &ReviewRow| row.turn.is_some() && rows.last().is_some_and(|last| last.turn == row.turn);
        let has_room = rows.len() < limit;
        match list.next_if(|row| is_divided(row) || (has_room && may_stand(row, other))) {
            Some(row) => rows.push(row),
            None => break,
        }
    }
    let (left_turn, left_lesson) = (of_turns.peek(), of_lone.peek());
    let turn = left_turn.and_then(|row| row.turn).map(|turn| turn.0 + 1);
    let lesson = left_lesson.and_then(|row| row.lesson).map(|lesson| lesson.0 + 1);
    let turn = turn.or(turns.next.map(|(id, _)| id));
    let lesson = lesson.or(lone.next.map(|(id, _)| id));
    let looked_to = if left_turn.is_none() { turns.next } else { None }.map(|(_, at)| at);
    // Numbers begin at 1, so nothing is below 1.
    let next =
        ReviewCursor { turn: Some(TurnId(turn.unwrap_or(1))), lesson: Some(LessonId(lesson.unwrap_or(1))) };
    ReviewPage { rows, next: (turn.is_some() || lesson.is_some()).then_some(next), looked_to }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(turn: Option<i64>, lesson: Option<i64>, at: i64) -> ReviewRow {
        ReviewRow { turn: turn.map(TurnId), lesson: lesson.map(LessonId), ..ReviewRow::empty(at) }
    }

    fn turns(ats: &[(i64, i64)], next: Option<(i64, i64)>) -> Part {
        Part { rows: ats.iter().map(|(id, at)| row(Some(*id), None, *at)).collect(), next }
    }

    fn lone(ats: &[(i64, i64)], next: Option<(i64, i64)>) -> Part {
        Part { rows: ats.iter().map(|(id, at)| row(None, Some(*id), *at)).collect(), next }
    }

    /// Times of the page's rows, and where the next one begins (turn, lesson).
    #[track_caller]
    fn check(turns: Part, lone: Part, limit: usize, times: &[i64], next: Option<(i64, i64)>) {
        let page = merged(turns, lone, limit);
        assert_eq!(page.rows.iter().map(|row| row.at).collect::<Vec<_>>(), times);
        let found = page.next.map(|next| (next.turn.unwrap().0, next.lesson.unwrap().0));
        assert_eq!(found, next);
    }

    #[test]
    fn both_lists_are_one_by_time() {
        check(turns(&[(2, 40), (1, 20)], None), lone(&[(2, 30), (1, 10)], None), 9, &[40, 30, 20, 10], None);
    }

    #[test]
    fn a_full_page_says_where_the_next_begins() {
        let (of_turns, of_lone) =
            (turns(&[(5, 40), (4, 20)], Some((4, 20))), lone(&[(2, 30), (1, 10)], None));
        check(of_turns, of_lone, 2, &[40, 30], Some((5, 2)));
    }

    #[test]
    fn what_may_stand_below_the_other_list_s_next_waits() {
        check(turns(&[(9, 40)], Some((7, 35))), lone(&[(1, 10)], None), 9, &[40], Some((7, 2)));
        check(turns(&[], Some((7, 35))), lone(&[(3, 50), (1, 10)], None), 9, &[50], Some((7, 2)));
    }

    #[test]
    fn the_lessons_of_a_turn_stay_together() {
        let rows = vec![row(Some(3), Some(7), 40), row(Some(3), Some(6), 40), row(Some(2), None, 30)];
        check(Part { rows, next: None }, lone(&[], None), 1, &[40, 40], Some((3, 1)));
    }
}
