//! Removes what a person wants forgotten, with every row about it. The connection overwrites what it deletes.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Transaction};

use super::check_exists;
use super::lessons::check_lesson;
use crate::lesson::LessonId;
use crate::store::StoreError;
use crate::store::failure::Failure;
use crate::turn::next_state::NextState;
use crate::turn::{Message, TurnId};

/// A turn and all that continue it.
const CONTINUED: &str = "
    WITH RECURSIVE line (id) AS (
        SELECT ?1 UNION SELECT turn.id FROM turn JOIN line ON turn.parent = line.id)";

/// Every row about a lesson, the prompts that it stood in, and the hints of the turns that it was drawn from: such a
/// hint says the same as the lesson, and would be learned in its place.
pub(super) fn forget_lesson(tx: &Transaction<'_>, lesson: LessonId) -> Result<(), Failure> {
    check_lesson(tx, lesson)?;
    if let Some(run) = open_run(tx, OPEN_RUN_OF_LESSON, lesson.0)? {
        return Err(StoreError::LessonInRun { run, lesson: lesson.0 }.into());
    }
    for statement in [
        "INSERT INTO lesson_text (lesson_text, rowid, text) SELECT 'delete', id, text FROM lesson WHERE id = ?1",
        "UPDATE turn_prompt SET ids = x'' WHERE turn IN (SELECT turn FROM lesson_use WHERE lesson = ?1)",
        "UPDATE verdict SET hint = NULL
          WHERE hint IS NOT NULL AND turn IN (SELECT turn FROM lesson_source WHERE lesson = ?1)",
        // Nobody draws the same hint again.
        "DELETE FROM waiting WHERE turn IN (SELECT turn FROM lesson_source WHERE lesson = ?1)",
        "UPDATE lesson SET retired_by = NULL WHERE retired_by = ?1",
        "DELETE FROM lesson_source WHERE lesson = ?1",
        "DELETE FROM lesson_use WHERE lesson = ?1",
        "DELETE FROM lesson_event WHERE lesson = ?1",
        "DELETE FROM learned WHERE lesson = ?1",
        "DELETE FROM sample WHERE lesson = ?1",
        "DELETE FROM lesson WHERE id = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([lesson.0])?;
    }
    Ok(())
}

/// Newest first, so that a turn goes before the one that it continues.
pub(super) fn forget_turns(tx: &Transaction<'_>, turns: &[TurnId]) -> Result<(), Failure> {
    let mut unindexed: BTreeSet<TurnId> = turns.iter().copied().collect();
    let turns: Vec<TurnId> = unindexed.iter().copied().collect();
    for turn in turns.iter().rev() {
        check_may_go(tx, *turn)?;
    }
    // In this order the index is written once for all of them, and not once for each.
    for turn in &turns {
        unindex(tx, *turn)?;
    }
    for turn in turns.into_iter().rev() {
        unsay(tx, turn)?;
        forget_about(tx, turn)?;
        if is_continued(tx, turn)? {
            empty(tx, turn)?;
        } else {
            remove_with_empty_places_before(tx, turn, &mut unindexed)?;
        }
    }
    for place in unindexed {
        let sql = "INSERT INTO turn_text (rowid, request, response)
                   SELECT turn, request, response FROM turn_words WHERE turn = ?1";
        tx.prepare_cached(sql)?.execute([place.0])?;
    }
    Ok(())
}

fn unindex(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    let sql = "INSERT INTO turn_text (turn_text, rowid, request, response)
               SELECT 'delete', turn, request, response FROM turn_words WHERE turn = ?1";
    tx.prepare_cached(sql)?.execute([turn.0]).map(drop)
}

fn is_continued(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM turn WHERE parent = ?1")?.exists([turn.0])
}

fn check_may_go(tx: &Transaction<'_>, turn: TurnId) -> Result<(), Failure> {
    check_exists(tx, turn)?;
    if tx.prepare_cached("SELECT 1 FROM running WHERE turn = ?1")?.exists([turn.0])? {
        return Err(StoreError::TurnRunning(turn.0).into());
    }
    match open_run(tx, OPEN_RUN_OF_TURN, turn.0)? {
        Some(run) => Err(StoreError::TurnInRun { run, turn: turn.0 }.into()),
        None => Ok(()),
    }
}

/// An empty row that keeps a forgotten turn's place.
fn is_forgotten(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM turn WHERE id = ?1 AND settings = 'null'")?.exists([turn.0])
}

// A run without an end that has a sample with it.

const OPEN_RUN_OF_LESSON: &str = "
    SELECT learn_run.id FROM sample JOIN learn_run ON learn_run.id = sample.run
     WHERE sample.lesson = ?1 AND learn_run.ended_at IS NULL";

const OPEN_RUN_OF_TURN: &str = "
    SELECT learn_run.id FROM sample JOIN learn_run ON learn_run.id = sample.run
     WHERE sample.turn = ?1 AND learn_run.ended_at IS NULL";

fn open_run(tx: &Transaction<'_>, sql: &str, id: i64) -> rusqlite::Result<Option<i64>> {
    tx.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
}

/// What was said in a turn is also what followed the turn before it. What was concluded from it goes as well.
fn unsay(tx: &Transaction<'_>, turn: TurnId) -> Result<(), Failure> {
    let (parent, messages): (Option<i64>, String) = tx
        .prepare_cached("SELECT parent, messages FROM turn WHERE id = ?1")?
        .query_row([turn.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(parent) = parent else { return Ok(()) };
    let messages: Vec<Message> = serde_json::from_str(&messages).map_err(unreadable)?;
    let states: Vec<(i64, String)> = tx
        .prepare_cached("SELECT seq, state FROM next_state WHERE turn = ?1")?
        .query_map([parent], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut n_unsaid = 0;
    for (seq, state) in states {
        let state: NextState = serde_json::from_str(&state).map_err(unreadable)?;
        if state.is_said_in(&messages) {
            let sql = "DELETE FROM next_state WHERE turn = ?1 AND seq = ?2";
            n_unsaid += tx.prepare_cached(sql)?.execute([parent, seq])?;
        }
    }
    if n_unsaid > 0 {
        forget_conclusions(tx, parent)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err calls")]
fn unreadable(err: serde_json::Error) -> StoreError {
    StoreError::Sqlite(format!("a row about what is to be forgotten cannot be read: {err}"))
}

pub(super) fn forget_conclusions(tx: &Transaction<'_>, turn: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM signal WHERE verdict IN (SELECT id FROM verdict WHERE turn = ?1)",
        "DELETE FROM verdict WHERE turn = ?1",
        "DELETE FROM waiting WHERE turn = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([turn])?;
    }
    Ok(())
}

/// What other rows say about a turn.
fn forget_about(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    forget_conclusions(tx, turn.0)?;
    for statement in [
        // A session is called after its first request.
        "UPDATE session SET title = '' WHERE id = (SELECT session FROM turn WHERE id = ?1)
            AND NOT EXISTS (SELECT 1 FROM turn WHERE turn.session = session.id AND turn.kind = 'main'
                               AND turn.id < ?1 AND turn.settings <> 'null')",
        "UPDATE session SET last_turn = (
             SELECT max(id) FROM turn WHERE turn.session = session.id AND turn.kind = 'main'
                AND turn.id <> ?1 AND turn.settings <> 'null')
          WHERE last_turn = ?1",
        "DELETE FROM next_state WHERE turn = ?1",
        "DELETE FROM lesson_source WHERE turn = ?1",
        "DELETE FROM lesson_use WHERE turn = ?1",
        "DELETE FROM sample WHERE turn = ?1",
        "DELETE FROM excluded_turn WHERE turn = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([turn.0])?;
    }
    Ok(())
}

/// All that a turn says, but for its place in the thread.
fn empty(tx: &Transaction<'_>, turn: TurnId) -> rusqlite::Result<()> {
    let prompts = format!("{CONTINUED} UPDATE turn_prompt SET ids = x'' WHERE turn IN line");
    for statement in [
        &prompts,
        "UPDATE turn SET cwd = NULL, n_prompt = 0, settings = 'null', messages = '[]' WHERE id = ?1",
        "UPDATE response SET n_tokens = 0, error = NULL, ids = x'', logprobs = x'', text = '' WHERE turn = ?1",
    ] {
        tx.prepare_cached(statement)?.execute([turn.0])?;
    }
    Ok(())
}

/// Takes a turn away that nothing continues, and then the empty places before it. `unindexed`: those that the index of
/// words holds no longer.
fn remove_with_empty_places_before(
    tx: &Transaction<'_>,
    turn: TurnId,
    unindexed: &mut BTreeSet<TurnId>,
) -> rusqlite::Result<()> {
    let mut next = Some(turn);
    while let Some(turn) = next {
        if !unindexed.remove(&turn) {
            unindex(tx, turn)?;
        }
        let parent: Option<i64> = tx
            .prepare_cached("SELECT parent FROM turn WHERE id = ?1")?
            .query_row([turn.0], |row| row.get(0))?;
        for statement in [
            "DELETE FROM response WHERE turn = ?1",
            "DELETE FROM turn_prompt WHERE turn = ?1",
            "DELETE FROM turn WHERE id = ?1",
        ] {
            tx.prepare_cached(statement)?.execute([turn.0])?;
        }
        next = match parent.map(TurnId) {
            Some(parent) if is_forgotten(tx, parent)? && !is_continued(tx, parent)? => Some(parent),
            _ => None,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rusqlite::types::Value;

    use super::*;
    use crate::judge::Verdict;
    use crate::lesson::{Origin, Scope};
    use crate::store::{
        By, Entry, NewLesson, NewRun, NewSession, NewTurn, NewVerdict, Receipt, Removal, RunEnd, RunEnding,
        Sample, SampleRole, SqliteStore, Store, StoredToken,
    };
    use crate::turn::{Ending, PolicyVersion, Role, SessionId, Source, TurnKind};

    const SECRET: &str = "zebrafish";

    struct Fixture {
        dir: tempfile::TempDir,
        store: SqliteStore,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store =
                SqliteStore::open(&dir.path().join("ledger.db"), Timestamp::UNIX_EPOCH).unwrap().store;
            Self { dir, store }
        }

        fn turn(&mut self, session: &str, parent: Option<TurnId>, said: &str) -> TurnId {
            let session = SessionId(session.into());
            let open = NewSession { id: session.clone(), source: Source::Chat, cwd: None, started_at: 0 };
            self.store.append(Entry::OpenSession(open)).unwrap();
            let turn = NewTurn {
                session,
                parent,
                kind: TurnKind::Main,
                source: Source::Chat,
                cwd: None,
                messages: vec![Message::new(Role::User, said)],
                prompt: said.bytes().map(i32::from).collect(),
                policy: PolicyVersion::BASE,
                model: String::new(),
                settings: "{}".into(),
                started_at: 0,
            };
            let Ok(Receipt::Turn(turn)) = self.store.append(Entry::BeginTurn(turn)) else {
                panic!("no turn began")
            };
            let token = StoredToken { id: 7, logprob: -1.0, text: format!("about {said}") };
            self.store.append(Entry::AppendTokens { turn, tokens: vec![token] }).unwrap();
            let ending = Ending::Stop;
            self.store.append(Entry::EndTurn { turn, ended_at: 1, ending, error: None }).unwrap();
            turn
        }

        fn reply(&mut self, turn: TurnId, text: &str) {
            let state = NextState::Reply { text: text.into() };
            self.store.append(Entry::RecordNextState { turn, at: 2, state }).unwrap();
        }

        fn judge(&mut self, turn: TurnId, hint: Option<&str>) {
            let verdict = Verdict {
                reward: Some(-1),
                hint: hint.map(str::to_owned),
                rule: "correction".into(),
                votes: Vec::new(),
                confidence: 1.0,
            };
            let new = NewVerdict {
                turn,
                seen: 1,
                signals: Vec::new(),
                verdict,
                model: String::new(),
                judged_at: 3,
            };
            self.store.append(Entry::Judge(new)).unwrap();
        }

        fn lesson(&mut self, text: &str, sources: Vec<TurnId>) -> LessonId {
            let lesson = NewLesson {
                text: text.into(),
                scope: Scope::Global,
                origin: Origin::Corrected,
                waits_for_yes: false,
                pinned: false,
                sources,
                replaces: Vec::new(),
                by: By::Loop,
                reason: text.into(),
                created_at: 4,
            };
            match self.store.append(Entry::AddLesson(lesson)) {
                Ok(Receipt::Lesson(lesson)) => lesson,
                other => panic!("{other:?} instead of a lesson"),
            }
        }

        fn practise(&mut self, turn: TurnId, lesson: LessonId) {
            let run = NewRun {
                started_at: 5,
                base_sha256: "b".into(),
                parent: PolicyVersion::BASE,
                seed: 1,
                dial: "careful".into(),
                counts: serde_json::json!({}),
            };
            let Ok(Receipt::Run(run)) = self.store.append(Entry::BeginRun(run)) else {
                panic!("no run began")
            };
            let fingerprint = "f".to_owned();
            let sample =
                Sample { turn: Some(turn), lesson: Some(lesson), role: SampleRole::Teach, fingerprint };
            self.store.append(Entry::RecordSamples { run, samples: vec![sample] }).unwrap();
            assert!(matches!(
                self.store.append(Entry::ForgetTurns { turns: vec![turn] }),
                Err(StoreError::TurnInRun { .. })
            ));
            let (ending, reason) = (RunEnding::Cancelled, String::new());
            let end = RunEnd { run, ended_at: 6, ending, reason, error: None, counts: None };
            self.store.append(Entry::EndRun(end)).unwrap();
        }

        /// Every row of every table but those of runs, which are figures, and what counts ids.
        fn rows(&self) -> Vec<String> {
            let conn = &self.store.conn;
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
                          AND name NOT LIKE '%_text_%' AND name NOT IN ('sqlite_sequence', 'learn_run')";
            let mut tables = conn.prepare(sql).unwrap();
            let tables: Vec<String> =
                tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let mut rows = Vec::new();
            for table in tables {
                let mut all = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
                let n_columns = all.column_count();
                let line = |row: &rusqlite::Row<'_>| {
                    let cells: Vec<Value> = (0..n_columns).map(|at| row.get(at).unwrap()).collect();
                    Ok(format!("{table} {cells:?}"))
                };
                rows.extend(all.query_map([], line).unwrap().map(Result::unwrap));
            }
            rows.sort();
            rows
        }

        fn forget(&mut self, turns: &[TurnId], lessons: &[LessonId]) {
            for lesson in lessons {
                self.store.append(Entry::ForgetLesson { lesson: *lesson }).unwrap();
            }
            self.store.append(Entry::ForgetTurns { turns: turns.to_vec() }).unwrap();
            self.store.append(Entry::EmptyLog).unwrap();
            self.check_index();
        }

        #[track_caller]
        fn check_index(&self) {
            for index in ["turn_text", "lesson_text"] {
                let check = format!("INSERT INTO {index} ({index}) VALUES ('integrity-check')");
                self.store.conn.execute(&check, []).unwrap();
            }
            let number = |sql: &str| self.store.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            let indexed = number("SELECT count(*) FROM turn_text_docsize");
            assert_eq!(indexed, number("SELECT count(*) FROM turn_words"));
        }

        fn remove(&mut self, removals: &[Removal]) {
            for removal in removals {
                self.store.append(Entry::Remove(removal.clone())).unwrap();
            }
            self.store.append(Entry::EmptyLog).unwrap();
            self.check_index();
        }

        #[track_caller]
        fn check_nothing_left(&self) {
            for file in std::fs::read_dir(self.dir.path()).unwrap() {
                let path = file.unwrap().path();
                let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
                let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
                assert!(!found, "{} holds it", path.display());
            }
        }
    }

    #[test]
    fn the_ledger_is_as_if_it_had_never_been() {
        let mut fixture = Fixture::new();
        let other = fixture.turn("other", None, "something else");
        fixture.reply(other, "thanks");
        let lesson = fixture.lesson("Be brief.", vec![other]);
        let first = fixture.turn("s", None, "a request");
        let before = fixture.rows();

        let said = format!("no, use {SECRET}");
        let second = fixture.turn("s", Some(first), &said);
        fixture.reply(first, &said);
        fixture.judge(first, Some(&format!("use {SECRET}")));
        fixture.reply(second, SECRET);
        fixture.judge(second, None);
        let drawn = fixture.lesson(&format!("Use {SECRET}."), vec![first]);
        fixture.practise(second, drawn);
        let used = Entry::UseLessons { turn: second, lessons: vec![drawn] };
        fixture.store.append(used).unwrap();
        fixture.forget(&[second], &[drawn]);

        assert_eq!(fixture.rows(), before);
        fixture.check_nothing_left();
        assert_eq!(fixture.store.append(Entry::ForgetLesson { lesson }), Ok(Receipt::Done));
    }

    #[test]
    fn a_turn_that_others_continue_leaves_an_empty_place_and_nothing_in_their_prompts() {
        let mut fixture = Fixture::new();
        let first = fixture.turn("s", None, SECRET);
        let session = SessionId("s".into());
        fixture.store.append(Entry::TitleSession { session, title: SECRET.into() }).unwrap();
        let second = fixture.turn("s", Some(first), "go on");
        let prompt = format!("{SECRET} go on").into_bytes();
        let sql = "UPDATE turn_prompt SET ids = ?2 WHERE turn = ?1";
        fixture.store.conn.execute(sql, rusqlite::params![second.0, prompt]).unwrap();
        fixture.forget(&[first], &[]);
        fixture.check_nothing_left();
        let again = fixture.store.append(Entry::ForgetTurns { turns: vec![first] });
        assert_eq!(again, Err(StoreError::NoTurn(first.0)));

        fixture.forget(&[second], &[]);
        let n_turns = "SELECT count(*) FROM turn";
        let n_turns: i64 = fixture.store.conn.query_row(n_turns, [], |row| row.get(0)).unwrap();
        assert_eq!(n_turns, 0, "nothing continues the empty place any more");
    }

    #[test]
    fn a_lesson_goes_from_the_prompts_that_it_stood_in_and_from_the_hints() {
        let mut fixture = Fixture::new();
        let turn = fixture.turn("s", None, "a request");
        fixture.reply(turn, "no");
        fixture.judge(turn, Some(&format!("use {SECRET}")));
        let lesson = fixture.lesson(&format!("Use {SECRET}."), vec![turn]);
        let sql = "UPDATE turn_prompt SET ids = ?2 WHERE turn = ?1";
        fixture.store.conn.execute(sql, rusqlite::params![turn.0, SECRET.as_bytes()]).unwrap();
        fixture.store.append(Entry::UseLessons { turn, lessons: vec![lesson] }).unwrap();
        fixture.store.append(Entry::ForgetLesson { lesson }).unwrap();
        fixture.store.append(Entry::EmptyLog).unwrap();
        fixture.check_nothing_left();
        let verdict: (i64, Option<String>) = fixture
            .store
            .conn
            .query_row("SELECT reward, hint FROM verdict", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(verdict, (-1, None), "what was concluded stays");
    }

    #[test]
    fn a_conversation_that_goes_on_while_all_is_forgotten_loses_what_it_began_with() {
        let mut fixture = Fixture::new();
        let newest = fixture.turn("s", None, SECRET);
        let next = fixture.turn("s", Some(newest), "go on");
        let prompt = format!("{SECRET} go on").into_bytes();
        let sql = "UPDATE turn_prompt SET ids = ?2 WHERE turn = ?1";
        fixture.store.conn.execute(sql, rusqlite::params![next.0, prompt]).unwrap();
        let turns = Removal::Turns { first: TurnId(1), last: newest, newest };
        let all = [Removal::Index { newest }, turns, Removal::Rest { until: 9 }, Removal::Compact];
        fixture.remove(&all);
        fixture.remove(&all);
        fixture.check_nothing_left();
        let row: (i64, Option<i64>) = fixture
            .store
            .conn
            .query_row("SELECT id, parent FROM turn", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, (next.0, None));
        fixture.forget(&[next], &[]);
    }

    #[test]
    fn what_followed_goes_alone_and_what_came_later_stays() {
        let mut fixture = Fixture::new();
        let turn = fixture.turn("s", None, "a request");
        fixture.reply(turn, SECRET);
        fixture.judge(turn, Some(SECRET));
        let states = Removal::States { states: vec![(turn, 0)], until: 2 };
        fixture.remove(std::slice::from_ref(&states));
        fixture.check_nothing_left();
        // The same place a second time, and another thing in it.
        fixture
            .store
            .append(Entry::RecordNextState { turn, at: 3, state: NextState::Reply { text: "thanks".into() } })
            .unwrap();
        fixture.remove(&[states]);
        let n_states = "SELECT count(*) FROM next_state";
        let n_states: i64 = fixture.store.conn.query_row(n_states, [], |row| row.get(0)).unwrap();
        assert_eq!(n_states, 1);
    }

    #[test]
    fn a_session_goes_when_no_turn_is_left_in_it() {
        let mut fixture = Fixture::new();
        let turn = fixture.turn(SECRET, None, "a request");
        let sessions = Removal::Sessions { sessions: vec![1], until: 9 };
        fixture.remove(std::slice::from_ref(&sessions));
        assert!(fixture.rows().iter().any(|row| row.starts_with("session")));
        fixture.forget(&[turn], &[]);
        fixture.remove(&[sessions]);
        assert_eq!(fixture.rows(), [] as [String; 0]);
        fixture.check_nothing_left();
    }
}
