//! Lessons in the ledger: what they are, what happened to them, which ones a prompt or a list gets.

use chela::lesson::{Lesson, LessonId, Origin, Scope, State};
use chela::store::{
    By, Entry, LessonChange, LessonFilter, NewLesson, ScriptedStore, StateKind, Store, StoreError, UsedIn,
};
use chela::turn::TurnId;
use proptest::prelude::*;
use serde_json::json;

use super::fixture::*;

fn stands(ledger: &Ledger, lesson: LessonId) -> Lesson {
    ledger.reader().lesson(lesson).unwrap().lesson
}

#[track_caller]
fn check_comes_back(scope: Scope, origin: Origin) {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turns: Vec<TurnId> =
        ["a", "b"].map(|request| exchange(&mut store, new_turn("s", None, request), "y")).to_vec();
    let sources = vec![turns[1], turns[0], turns[1]];
    let sent = NewLesson { scope: scope.clone(), origin, pinned: true, sources, ..new_lesson("Use ss.") };
    let lesson = add(&mut store, sent);
    let expected = Lesson {
        id: lesson,
        text: "Use ss.".into(),
        scope,
        state: State::Active,
        origin,
        sources: turns.clone(),
        created_at: 6_000,
        used: 0,
        helped: 0,
        failed: 0,
        pinned: true,
        triggers: Vec::new(),
        recent: Vec::new(),
        replaced_by: None,
    };
    assert_eq!(
        ledger.reader().lessons(&LessonFilter::default(), 10).unwrap(),
        std::slice::from_ref(&expected)
    );
    assert_eq!(ledger.reader().lessons_in_force().unwrap(), std::slice::from_ref(&expected));
    assert_eq!(ledger.reader().turn_story(turns[0]).unwrap().drawn, [expected]);
}

#[test]
fn a_lesson_comes_back_whole() {
    check_comes_back(Scope::Global, Origin::Taught);
    check_comes_back(Scope::Project("/home/a/ü b".into()), Origin::Corrected);
    check_comes_back(Scope::Program("git".into()), Origin::Confirmed);
    check_comes_back(Scope::Session("s".into()), Origin::Corrected);
}

#[test]
fn a_proposed_lesson_is_not_in_force() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, NewLesson { waits_for_yes: true, ..new_lesson("Use ss.") });
    assert_eq!(stands(&ledger, lesson).state, State::Proposed);
    assert_eq!(ledger.reader().lessons_in_force().unwrap(), []);
    store.append(edit(lesson, LessonChange::Activate)).unwrap();
    assert_eq!(ledger.reader().lessons_in_force().unwrap().len(), 1);
}

#[test]
fn every_change_is_in_the_history() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, new_lesson("Use ss."));
    let changes = [
        LessonChange::Pin(true),
        LessonChange::Reword("Use ss -tlnp.".into()),
        LessonChange::Rescope(Scope::Program("ss".into())),
        LessonChange::Rescope(Scope::Global),
        LessonChange::Pin(false),
        LessonChange::Prune,
        LessonChange::Activate,
        LessonChange::Retire { replaced_by: None },
    ];
    for change in changes {
        store.append(edit(lesson, change)).unwrap();
    }
    let whole = ledger.reader().lesson(lesson).unwrap();
    let history: Vec<(&str, Option<serde_json::Value>)> =
        whole.history.iter().map(|event| (event.what.as_str(), event.detail.clone())).collect();
    assert_eq!(
        history,
        [
            ("activated", None),
            ("pinned", None),
            ("reworded", Some(json!({ "was": "Use ss." }))),
            ("rescoped", Some(json!({ "was": { "kind": "global" } }))),
            ("rescoped", Some(json!({ "was": { "kind": "program", "of": "ss" } }))),
            ("unpinned", None),
            ("pruned", None),
            ("activated", None),
            ("retired", None),
        ]
    );
    let (first, last) = (&whole.history[0], &whole.history[8]);
    assert_eq!((first.by, first.at, first.reason.as_str()), (By::Loop, 6_000, "no, use ss"));
    assert_eq!((last.by, last.at, last.reason.as_str()), (By::User, 7_000, "as I say"));
    assert_eq!((whole.lesson.state, whole.lesson.text.as_str()), (State::Retired, "Use ss -tlnp."));
}

#[test]
fn a_newer_lesson_retires_what_it_contradicts() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let old = add(&mut store, new_lesson("Use netstat."));
    let new = add(&mut store, NewLesson { replaces: vec![old], ..new_lesson("Use ss.") });
    let whole = ledger.reader().lesson(old).unwrap();
    assert_eq!((whole.lesson.state, whole.retired_by), (State::Retired, Some(new)));
    assert_eq!(whole.history[1].detail, Some(json!({ "by": new })));
    store.append(edit(old, LessonChange::Activate)).unwrap();
    assert_eq!(ledger.reader().lesson(old).unwrap().retired_by, None);
}

#[track_caller]
fn check_refused(entry: &Entry, expected: &StoreError) {
    let ledger = Ledger::new();
    let mut twin = ScriptedStore::new();
    let stores: [&mut dyn Store; 2] = [&mut ledger.store(), &mut twin];
    for store in stores {
        exchange(store, new_turn("s", None, "x"), "y");
        add(store, new_lesson("Use ss."));
        assert_eq!(store.append(entry.clone()).unwrap_err(), *expected);
    }
    let whole = ledger.reader().lesson(LessonId(1)).unwrap();
    assert_eq!((whole.lesson.state, whole.lesson.used, whole.history.len()), (State::Active, 0, 1));
    assert_eq!(ledger.reader().lessons(&LessonFilter::default(), 10).unwrap().len(), 1);
}

#[test]
fn a_lesson_needs_its_turns() {
    let lesson = NewLesson { sources: vec![TurnId(1), TurnId(9)], ..new_lesson("x") };
    check_refused(&Entry::AddLesson(lesson), &StoreError::NoTurn(9));
}

#[test]
fn a_lesson_that_replaces_nothing_known_leaves_everything_as_it_was() {
    let lesson = NewLesson { replaces: vec![LessonId(1), LessonId(9)], ..new_lesson("x") };
    check_refused(&Entry::AddLesson(lesson), &StoreError::NoLesson(9));
    let retire = LessonChange::Retire { replaced_by: Some(LessonId(9)) };
    check_refused(&edit(LessonId(1), retire), &StoreError::NoLesson(9));
}

#[test]
fn an_unknown_lesson_cannot_be_changed_or_used() {
    check_refused(&edit(LessonId(9), LessonChange::Prune), &StoreError::NoLesson(9));
    let lessons = vec![LessonId(1), LessonId(9)];
    check_refused(&Entry::UseLessons { turn: TurnId(1), lessons }, &StoreError::NoLesson(9));
    let lessons = vec![LessonId(1)];
    check_refused(&Entry::UseLessons { turn: TurnId(9), lessons }, &StoreError::NoTurn(9));
}

#[test]
fn a_lesson_that_was_not_used_has_no_effect() {
    let effect = Entry::CountLessonEffect { turn: TurnId(1), lesson: LessonId(1), helped: true };
    check_refused(&effect, &StoreError::LessonNotUsed { turn: 1, lesson: 1 });
}

// Uses and effects.

#[test]
fn uses_and_effects_count_once_for_each_turn() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lessons: Vec<LessonId> = ["one", "two"].map(|text| add(&mut store, new_lesson(text))).to_vec();
    let turns: Vec<TurnId> =
        ["a", "b"].map(|request| exchange(&mut store, new_turn("s", None, request), "y")).to_vec();
    let mut append = |entry| store.append(entry).unwrap();
    for turn in &turns {
        append(Entry::UseLessons { turn: *turn, lessons: vec![lessons[1], lessons[0]] });
    }
    append(Entry::UseLessons { turn: turns[0], lessons: vec![lessons[0]] });
    let counts = || {
        let lesson = stands(&ledger, lessons[0]);
        (lesson.used, lesson.helped, lesson.failed)
    };
    assert_eq!(counts(), (2, 0, 0));
    for (helped, expected) in [(true, (2, 1, 0)), (true, (2, 1, 0)), (false, (2, 0, 1)), (true, (2, 1, 0))] {
        append(Entry::CountLessonEffect { turn: turns[0], lesson: lessons[0], helped });
        assert_eq!(counts(), expected);
    }
    let used = ledger.reader().turn_story(turns[0]).unwrap().used;
    let used: Vec<_> = used.into_iter().map(|used| (used.rank, used.lesson.id, used.helped)).collect();
    assert_eq!(used, [(0, lessons[1], None), (1, lessons[0], Some(true))]);
    let prompts = ledger.reader().lesson(lessons[0]).unwrap().uses;
    let helped = [None, Some(true)];
    let expected = [1, 0].map(|at| UsedIn { turn: turns[at], helped: helped[1 - at] });
    assert_eq!(prompts, expected);
    assert_eq!(ledger.reader().turns(&chela::store::TurnFilter::default(), None, 1).unwrap()[0].n_lessons, 2);
}

// Lists and search.

#[track_caller]
fn check_list(filter: &LessonFilter, expected: &[&str]) {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let scoped = |text: &str, scope: Scope| NewLesson { scope, ..new_lesson(text) };
    add(&mut store, new_lesson("Answer briefly."));
    add(&mut store, scoped("Use rebase, not merge.", Scope::Program("git".into())));
    add(&mut store, scoped("Use tabs.", Scope::Project("/src".into())));
    let gone = add(&mut store, scoped("Use merge.", Scope::Program("git".into())));
    store.append(edit(gone, LessonChange::Retire { replaced_by: None })).unwrap();
    let listed = ledger.reader().lessons(filter, 10).unwrap();
    assert_eq!(listed.iter().map(|lesson| lesson.text.as_str()).collect::<Vec<_>>(), expected);
    let first = ledger.reader().lessons(filter, 1).unwrap();
    assert_eq!(first, listed[..listed.len().min(1)]);
}

#[test]
fn lessons_are_listed_newest_first() {
    let all = ["Use merge.", "Use tabs.", "Use rebase, not merge.", "Answer briefly."];
    check_list(&LessonFilter::default(), &all);
    check_list(&LessonFilter { words: Some("  ".into()), ..LessonFilter::default() }, &all);
}

#[test]
fn lessons_are_listed_by_what_is_asked_for() {
    let (state, scope) = (Some(StateKind::Active), Some(Scope::Program("git".into())));
    let words = Some("MERG".to_owned());
    let none = LessonFilter::default();
    let rebase = "Use rebase, not merge.";
    check_list(&LessonFilter { state, ..none.clone() }, &["Use tabs.", rebase, "Answer briefly."]);
    check_list(&LessonFilter { scope: scope.clone(), ..none.clone() }, &["Use merge.", rebase]);
    check_list(&LessonFilter { scope: Some(Scope::Global), ..none.clone() }, &["Answer briefly."]);
    check_list(&LessonFilter { words: words.clone(), ..none.clone() }, &["Use merge.", rebase]);
    check_list(&LessonFilter { state, scope: scope.clone(), words: None }, &[rebase]);
    check_list(&LessonFilter { state, scope, words: words.clone() }, &[rebase]);
    let other = Some(Scope::Project("/src".into()));
    check_list(&LessonFilter { state: None, scope: other, words }, &[]);
    check_list(&LessonFilter { words: Some("?!".into()), ..none }, &[]);
}

#[test]
fn lessons_near_a_text_come_nearest_first() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let far = add(&mut store, new_lesson("Show ports as a table when there are many of them."));
    let near = add(&mut store, new_lesson("List open ports with ss."));
    add(&mut store, new_lesson("Answer in French."));
    let gone = add(&mut store, new_lesson("List open ports with netstat."));
    store.append(edit(gone, LessonChange::Prune)).unwrap();
    let found = ledger.reader().lessons_like("How do I LIST the open ports?", 10).unwrap();
    assert_eq!(found.iter().map(|(lesson, _)| *lesson).collect::<Vec<_>>(), [near, far]);
    assert!(found[0].1 > found[1].1, "{found:?}");
    assert_eq!(ledger.reader().lessons_like("🦀", 10).unwrap(), []);
}

#[test]
fn a_reworded_lesson_is_found_by_its_new_words_only() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let lesson = add(&mut store, new_lesson("Use netstat."));
    store.append(edit(lesson, LessonChange::Reword("Use ss.".into()))).unwrap();
    let found = |words: &str| {
        let filter = LessonFilter { words: Some(words.into()), ..LessonFilter::default() };
        ledger.reader().lessons(&filter, 10).unwrap().len()
    };
    assert_eq!((found("netstat"), found("ss")), (0, 1));
}

#[test]
fn any_text_can_be_searched_for() {
    let ledger = Ledger::new();
    add(&mut ledger.store(), new_lesson("Use ss."));
    let reader = std::cell::RefCell::new(ledger.reader());
    proptest!(|(typed: String, marks in "[\"'*()^:{}+a ~\\-]{0,12}")| {
        for text in [typed, marks] {
            prop_assert!(reader.borrow_mut().lessons_like(&text, 10).is_ok(), "{:?}", text);
            let filter = LessonFilter { words: Some(text.clone()), ..LessonFilter::default() };
            prop_assert!(reader.borrow_mut().lessons(&filter, 10).is_ok(), "{:?}", text);
        }
    });
}

#[test]
fn a_forgotten_lesson_is_in_no_row_and_in_no_byte() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let secret = "Say xylophone first.";
    let lesson = add(&mut store, new_lesson(secret));
    let turn = exchange(&mut store, new_turn("s", None, "x"), "y");
    store.append(Entry::UseLessons { turn, lessons: vec![lesson] }).unwrap();
    store.append(edit(lesson, LessonChange::Reword("Say marimba first.".into()))).unwrap();
    let newer = add(&mut store, NewLesson { replaces: vec![], ..new_lesson("Say nothing.") });
    store.append(edit(newer, LessonChange::Retire { replaced_by: Some(lesson) })).unwrap();
    learn(&mut store, 0, 1, &[lesson]);

    let run = run(&mut store, new_run(1));
    let samples = vec![sample(None, Some(lesson), chela::store::SampleRole::Teach)];
    store.append(Entry::RecordSamples { run, samples }).unwrap();
    let forget = Entry::ForgetLesson { lesson };
    let refused = StoreError::LessonInRun { run: run.0, lesson: lesson.0 };
    assert_eq!(store.append(forget.clone()), Err(refused));
    store.append(gate(run, 2, chela::store::Decision::Reject)).unwrap();

    store.append(forget).unwrap();
    let mut reader = ledger.reader();
    assert_eq!(reader.lesson(lesson).err(), Some(StoreError::NoLesson(lesson.0)));
    assert_eq!(reader.samples(run).unwrap(), []);
    assert_eq!(reader.turn_story(turn).unwrap().used, []);
    assert_eq!(reader.lesson(newer).unwrap().retired_by, None);
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    drop((reader, store));
    let bytes = std::fs::read(&ledger.path).unwrap();
    for word in ["xylophone", "marimba"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    assert_eq!(add(&mut ledger.store(), new_lesson("Say hello.")), LessonId(newer.0 + 1));
}

#[test]
fn an_acknowledged_lesson_survives_a_kill() {
    let ledger = Ledger::new();
    let lesson = add(&mut ledger.store(), new_lesson("Use ss."));
    let mut store = ledger.store();
    let second = add(&mut store, new_lesson("Use fd."));
    let after = ledger.as_a_kill_leaves_it();
    after.open();
    assert_eq!(stands(&after, second).state, State::Active);
    assert_eq!(stands(&after, lesson).text, "Use ss.");
}
