//! The review pane's list by every way to it, what is excluded, and steps taken back.

use chela::lesson::{LessonId, State};
use chela::store::{
    Entry, Excluded, Judged, LessonChange, NewLesson, NewTurn, ReviewCursor, ReviewEdit, ReviewFilter,
    ReviewRow, ReviewState, ReviewWord, SampleRole, Store, StoreError,
};
use chela::turn::next_state::NextState;
use chela::turn::{Source, TurnId};

use super::fixture::*;

fn review(ledger: &Ledger, filter: &ReviewFilter, limit: usize) -> Vec<ReviewRow> {
    let mut reader = ledger.reader();
    let (mut rows, mut from) = (Vec::new(), ReviewCursor::default());
    loop {
        let page = reader.review(filter, from, limit).unwrap();
        rows.extend(page.rows);
        match page.next {
            Some(next) => {
                assert_ne!(next, from, "the next page is this one");
                from = next;
            }
            None => return rows,
        }
    }
}

/// Turn and lesson of each row.
fn keys(rows: &[ReviewRow]) -> Vec<(Option<i64>, Option<i64>)> {
    rows.iter().map(|row| (row.turn.map(|turn| turn.0), row.lesson.map(|lesson| lesson.0))).collect()
}

/// Turns 1 to 5 with lessons: 1 and 2 of turn 2, 3 of no turn, 4 (retired) of turn 4.
fn varied(ledger: &Ledger) {
    let mut store = ledger.store();
    for (at, (source, cwd, rule, reward)) in [
        (Source::Chat, Some("/src/atlas"), Some("exit.failed"), Some(-1)),
        (Source::Shell, Some("/src/atlas/api"), Some("exit.ok"), Some(1)),
        (Source::Shell, Some("/src/atlas2"), Some("exits"), None),
        (Source::Api, None, Some("votes"), Some(0)),
        (Source::Chat, Some("/src/atlas"), None, None),
    ]
    .into_iter()
    .enumerate()
    {
        let started_at = 1_000 * i64::try_from(at + 1).unwrap();
        let cwd = cwd.map(str::to_owned);
        let turn = NewTurn { source, cwd, started_at, ..new_turn("s", None, &format!("list files {at}")) };
        let turn = exchange(&mut store, turn, "ls");
        if let Some(rule) = rule {
            let mut verdict = judged(turn, 0, reward);
            verdict.verdict.rule = rule.into();
            store.append(Entry::Judge(verdict)).unwrap();
        }
    }
    let lesson = |text: &str, source: Option<i64>, created_at: i64| NewLesson {
        sources: source.map(TurnId).into_iter().collect(),
        created_at,
        ..new_lesson(text)
    };
    add(&mut store, lesson("Use fd.", Some(2), 2_500));
    add(&mut store, lesson("Be brief.", Some(2), 2_600));
    add(&mut store, lesson("Use ss.", None, 3_500));
    let old = add(&mut store, lesson("Use netstat.", Some(4), 4_500));
    store.append(edit(old, LessonChange::Retire { replaced_by: None })).unwrap();
}

const ALL: &[(Option<i64>, Option<i64>)] = &[
    (Some(5), None),
    (Some(4), Some(4)),
    (None, Some(3)),
    (Some(3), None),
    (Some(2), Some(2)),
    (Some(2), Some(1)),
    (Some(1), None),
];

#[test]
fn turns_and_lessons_are_one_list_page_by_page() {
    let ledger = Ledger::new();
    varied(&ledger);
    for limit in 1..9 {
        assert_eq!(keys(&review(&ledger, &ReviewFilter::default(), limit)), ALL, "{limit} at a time");
    }
}

/// What fits, by turn and lesson, in whatever way the list is reached.
#[track_caller]
fn check(filter: &ReviewFilter, fits: impl Fn(&ReviewRow) -> bool) {
    let ledger = Ledger::new();
    varied(&ledger);
    let all = review(&ledger, &ReviewFilter::default(), 100);
    let expected: Vec<ReviewRow> = all.into_iter().filter(fits).collect();
    for limit in [1, 2, 100] {
        assert_eq!(review(&ledger, filter, limit), expected, "{filter:?}, {limit} at a time");
    }
    let turns: Vec<ReviewRow> = expected.iter().filter(|row| row.turn.is_some()).cloned().collect();
    let by_session = ReviewFilter { session: Some(id("s")), ..filter.clone() };
    assert_eq!(review(&ledger, &by_session, 2), turns, "{by_session:?}");
    let by_words = ReviewFilter { words: Some("files".into()), ..filter.clone() };
    assert_eq!(review(&ledger, &by_words, 2), turns, "{by_words:?}");
    let elsewhere = ReviewFilter { session: Some(id("t")), ..filter.clone() };
    assert_eq!(review(&ledger, &elsewhere, 2), [], "{elsewhere:?}");
}

#[test]
fn rows_are_found_by_surface_rule_and_verdict() {
    let open = ReviewFilter::default();
    let shell = ReviewFilter { source: Some(Source::Shell), ..open.clone() };
    check(&shell, |row| row.source == Some(Source::Shell));
    let rule = ReviewFilter { rule: Some("exit".into()), ..open.clone() };
    check(&rule, |row| row.rule.as_deref().is_some_and(|rule| rule.starts_with("exit.")));
    for (judged, reward) in [(Judged::Good, Some(1)), (Judged::Bad, Some(-1))] {
        let by = ReviewFilter { judged: Some(judged), ..open.clone() };
        check(&by, |row| row.turn.is_some() && row.reward == reward);
    }
    let unclear = ReviewFilter { judged: Some(Judged::Unclear), ..open.clone() };
    check(&unclear, |row| row.rule.is_some() && !matches!(row.reward, Some(1 | -1)));
    let none = ReviewFilter { judged: Some(Judged::None), ..open };
    check(&none, |row| row.turn.is_some() && row.rule.is_none());
}

#[test]
fn rows_are_found_by_project() {
    let by = |project: &str| ReviewFilter { project: Some(project.into()), ..ReviewFilter::default() };
    let below = |row: &ReviewRow| matches!(row.folder.as_deref(), Some("/src/atlas" | "/src/atlas/api"));
    check(&by("/src/atlas/"), below);
    check(&by("atlas"), below);
    check(&by("api"), |row| row.folder.as_deref() == Some("/src/atlas/api"));
    check(&by("elsewhere"), |_| false);
}

#[test]
fn rows_are_found_by_state() {
    let by = |state| ReviewFilter { state: Some(state), ..ReviewFilter::default() };
    for state in [ReviewWord::Active, ReviewWord::Retired, ReviewWord::Pruned, ReviewWord::None] {
        check(&by(state), |row| row.state.word() == state);
    }
}

#[test]
fn words_find_turns_and_lessons() {
    let ledger = Ledger::new();
    varied(&ledger);
    let by = |words: &str| {
        let filter = ReviewFilter { words: Some(words.into()), ..ReviewFilter::default() };
        keys(&review(&ledger, &filter, 2))
    };
    assert_eq!(by("bri"), [(Some(2), Some(2)), (Some(2), Some(1))]);
    assert_eq!(by("use ss"), [(None, Some(3))]);
    assert_eq!(by("?!"), []);
    assert_eq!(by("  "), ALL);
}

#[test]
fn what_is_excluded_teaches_nothing_until_it_is_taken_back() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let one = judged_turn(&mut store, "list ports", Some(1));
    let other = judged_turn(&mut store, "list disks", Some(1));
    let good = |ledger: &Ledger| -> Vec<i64> {
        let lines = ledger.reader().good_turns(None, 9).unwrap();
        lines.into_iter().map(|line| line.turn.id.0).collect()
    };
    let excluded = ReviewFilter { state: Some(ReviewWord::Excluded), ..ReviewFilter::default() };
    for (what, left) in [
        (Excluded::Turn(one), vec![other.0]),
        (Excluded::Session(id("s")), vec![]),
        (Excluded::Project("/tmp/".into()), vec![]),
        (Excluded::Project("/".into()), vec![]),
        (Excluded::Project("/tm".into()), vec![other.0, one.0]),
    ] {
        store.append(Entry::Review(ReviewEdit::Exclude { what: what.clone(), at: 1 })).unwrap();
        let again = store.append(Entry::Review(ReviewEdit::Exclude { what: what.clone(), at: 2 }));
        assert_eq!(again, Err(StoreError::Excluded(what.clone())));
        assert_eq!(good(&ledger), left, "{what}");
        let shown: Vec<i64> = review(&ledger, &excluded, 1).iter().map(|row| row.turn.unwrap().0).collect();
        let expected: Vec<i64> = [other.0, one.0].into_iter().filter(|turn| !left.contains(turn)).collect();
        assert_eq!(shown, expected, "{what}");
        store.append(Entry::Review(ReviewEdit::Include { what: what.clone() })).unwrap();
        let again = store.append(Entry::Review(ReviewEdit::Include { what: what.clone() }));
        assert_eq!(again, Err(StoreError::NotExcluded(what)));
        assert_eq!(good(&ledger), [other.0, one.0]);
    }
}

/// Takes back the newest change of a lesson.
fn undo(store: &mut dyn Store, ledger: &Ledger, lesson: LessonId) -> Result<(), StoreError> {
    let event = ledger.reader().lesson(lesson).unwrap().history.last().unwrap().id;
    store.append(Entry::Review(ReviewEdit::UndoLesson { lesson, event, at: 9 })).map(drop)
}

#[test]
fn every_change_of_a_lesson_is_taken_back_whole() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, new_lesson("Use ss."));
    learn(&mut store, 0, 1, &[lesson]);
    let before = ledger.reader().lesson(lesson).unwrap();
    for change in [
        LessonChange::Prune,
        LessonChange::Activate,
        LessonChange::Retire { replaced_by: None },
        LessonChange::Reword("Use lsof.".into()),
        LessonChange::Rescope(chela::lesson::Scope::Program("ss".into())),
        LessonChange::Pin(true),
    ] {
        store.append(edit(lesson, change.clone())).unwrap();
        assert_ne!(ledger.reader().lesson(lesson).unwrap().lesson, before.lesson, "{change:?}");
        undo(&mut store, &ledger, lesson).unwrap();
        let after = ledger.reader().lesson(lesson).unwrap();
        assert_eq!((&after.lesson, &after.learned_in), (&before.lesson, &before.learned_in), "{change:?}");
        // An undo is a change, too.
        undo(&mut store, &ledger, lesson).unwrap();
        undo(&mut store, &ledger, lesson).unwrap();
        assert_eq!(ledger.reader().lesson(lesson).unwrap().lesson, before.lesson, "{change:?}");
    }
    let found = ledger.reader().lessons_like("ss", 9).unwrap();
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [lesson]);
    assert_eq!(ledger.reader().lessons_like("lsof", 9).unwrap(), []);
}

#[test]
fn only_the_newest_change_is_taken_back() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, new_lesson("Use ss."));
    let made = ledger.reader().lesson(lesson).unwrap().history[0].id;
    assert_eq!(undo(&mut store, &ledger, lesson), Err(StoreError::NotKept(lesson.0)));
    store.append(edit(lesson, LessonChange::Prune)).unwrap();
    let old = Entry::Review(ReviewEdit::UndoLesson { lesson, event: made, at: 9 });
    assert_eq!(store.append(old), Err(StoreError::LessonMoved(lesson.0)));
    assert_eq!(ledger.reader().lesson(lesson).unwrap().lesson.state, State::Pruned);
}

#[test]
fn a_lesson_that_no_weights_hold_any_more_comes_back_as_active() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, new_lesson("Use ss."));
    learn(&mut store, 0, 1, &[lesson]);
    store.append(edit(lesson, LessonChange::Prune)).unwrap();
    store.append(Entry::Rollback(serving(0, BASE))).unwrap();
    undo(&mut store, &ledger, lesson).unwrap();
    assert_eq!(ledger.reader().lesson(lesson).unwrap().lesson.state, State::Active);
}

#[test]
fn a_rating_is_taken_back_with_what_was_concluded_from_it() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, new_lesson("Use ss."));
    let turn = exchange(&mut store, new_turn("s", None, "list ports"), "ss");
    store.append(Entry::UseLessons { turn, lessons: vec![lesson] }).unwrap();
    store.append(next(turn, reply("thanks"))).unwrap();
    store.append(Entry::Judge(judged(turn, 1, Some(1)))).unwrap();
    store.append(Entry::CountLessonEffect { turn, lesson, helped: true }).unwrap();
    let before = ledger.reader().turn_story(turn).unwrap();

    let state = NextState::Rating { good: false, note: None };
    store.append(Entry::RecordNextState { turn, at: 5_000, state }).unwrap();
    store.append(Entry::Judge(judged(turn, 2, Some(-1)))).unwrap();
    store.append(Entry::CountLessonEffect { turn, lesson, helped: false }).unwrap();
    let undo = |at| Entry::Review(ReviewEdit::UndoRating { turn, at });
    assert_eq!(store.append(undo(4_999)), Err(StoreError::TurnMoved(turn.0)));
    store.append(undo(5_000)).unwrap();
    assert_eq!(ledger.reader().turn_story(turn).unwrap(), before);
    assert_eq!(store.append(undo(5_000)), Err(StoreError::TurnMoved(turn.0)));
    // A verdict that was under way meanwhile comes too late.
    let late = Entry::Judge(judged(turn, 2, Some(-1)));
    assert_eq!(store.append(late), Err(StoreError::TurnMoved(turn.0)));
}

#[test]
fn a_rating_that_nobody_has_judged_yet_is_taken_back_too() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = exchange(&mut store, new_turn("s", None, "list ports"), "ss");
    let before = ledger.reader().turn_story(turn).unwrap();
    let state = NextState::Rating { good: true, note: None };
    store.append(Entry::RecordNextState { turn, at: 5_000, state }).unwrap();
    assert!(ledger.reader().turn_story(turn).unwrap().is_waiting);
    store.append(Entry::Review(ReviewEdit::UndoRating { turn, at: 5_000 })).unwrap();
    assert_eq!(ledger.reader().turn_story(turn).unwrap(), before);
}

#[test]
fn a_hint_is_reworded_beside_the_old_one_and_taken_back() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let open = exchange(&mut store, new_turn("s", None, "list disks"), "df");
    let hint = |turn| ReviewEdit::RewordHint { turn, hint: Some("use duf".into()), at: 6_000 };
    assert_eq!(store.append(Entry::Review(hint(open))), Err(StoreError::NoVerdict(open.0)));
    let turn = judged_turn(&mut store, "list ports", Some(-1));
    let mut signals = judged(turn, 1, Some(-1));
    signals.signals = vec![signal("words.wrong")];
    store.append(Entry::Judge(signals)).unwrap();
    let before = ledger.reader().turn_story(turn).unwrap();
    store.append(Entry::Review(hint(turn))).unwrap();
    let now = ledger.reader().turn_story(turn).unwrap();
    let newest = now.verdicts.last().unwrap();
    assert_eq!((newest.verdict.hint.as_deref(), newest.verdict.reward), (Some("use duf"), Some(-1)));
    assert_eq!((newest.is_newest, newest.signals.len(), now.verdicts.len()), (true, 1, 3));
    store.append(Entry::Review(ReviewEdit::UndoHint { turn, at: 6_000 })).unwrap();
    assert_eq!(ledger.reader().turn_story(turn).unwrap(), before);
    let again = store.append(Entry::Review(ReviewEdit::UndoHint { turn, at: 6_000 }));
    assert_eq!(again, Err(StoreError::TurnMoved(turn.0)));
}

#[test]
fn a_forgotten_turn_leaves_no_exclusion() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = judged_turn(&mut store, "list ports", Some(1));
    store.append(Entry::Review(ReviewEdit::Exclude { what: Excluded::Turn(turn), at: 1 })).unwrap();
    store.append(Entry::ForgetTurns { turns: vec![turn] }).unwrap();
    assert_eq!(review(&ledger, &ReviewFilter::default(), 9), []);
    let gone = store.append(Entry::Review(ReviewEdit::Include { what: Excluded::Turn(turn) }));
    assert_eq!(gone, Err(StoreError::NotExcluded(Excluded::Turn(turn))));
}

#[test]
fn a_turn_that_a_version_was_taught_is_learned() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = judged_turn(&mut store, "list ports", Some(-1));
    let run = run(&mut store, new_run(0));
    let samples = vec![sample(Some(turn), None, SampleRole::Teach)];
    store.append(Entry::RecordSamples { run, samples }).unwrap();
    let learned = ReviewFilter { state: Some(ReviewWord::Learned), ..ReviewFilter::default() };
    assert_eq!(review(&ledger, &learned, 9), []);
    store.append(promote(run, 1, &[])).unwrap();
    let rows = review(&ledger, &learned, 9);
    assert_eq!(rows[0].state, ReviewState::Learned(chela::turn::PolicyVersion(1)));
}
