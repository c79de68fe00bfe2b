//! Training runs, the gate's word, promotion in one step, rollback, and what a crash leaves.

use std::fs;

use chela::lesson::{LessonId, State};
use chela::store::{
    Decision, Entry, LessonChange, NewRun, Reader, RunEnd, RunEnding, RunId, RunRow, RunState, SampleRole,
    ScriptedStore, SqliteStore, Store, StoreError,
};
use chela::turn::{PolicyVersion, TurnId};
use rusqlite::Connection;
use serde_json::json;

use super::fixture::*;

fn states(ledger: &Ledger) -> Vec<State> {
    let mut lessons = ledger.reader().lessons(&chela::store::LessonFilter::default(), 100).unwrap();
    lessons.reverse();
    lessons.into_iter().map(|lesson| lesson.state).collect()
}

fn learned(version: u32) -> State {
    State::Learned(PolicyVersion(version))
}

/// Versions in the order in which they served with [`BASE`].
fn served(ledger: &Ledger) -> Vec<u32> {
    ledger.reader().serving().unwrap().into_iter().map(|row| row.version.0).collect()
}

fn lessons(store: &mut dyn Store, texts: &[&str]) -> Vec<LessonId> {
    texts.iter().map(|text| add(store, new_lesson(text))).collect()
}

#[test]
fn a_promotion_comes_back_whole() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let taught = lessons(&mut store, &["one", "two"]);
    let turn = exchange(&mut store, new_turn("s", None, "x"), "y");
    let run = run(&mut store, new_run(0));
    let samples = vec![
        sample(Some(turn), Some(taught[0]), SampleRole::Teach),
        sample(None, None, SampleRole::Canary),
        sample(Some(turn), None, SampleRole::Replay),
    ];
    for sample in &samples {
        store.append(Entry::RecordSamples { run, samples: vec![sample.clone()] }).unwrap();
    }
    assert_eq!(ledger.reader().run(run).unwrap().state, RunState::Running);
    store.append(promote(run, 4, &taught[..1])).unwrap();

    let mut reader = ledger.reader();
    let row = reader.run(run).unwrap();
    let gate = row.gate.clone().unwrap();
    assert_eq!(
        RunRow { gate: None, ..row.clone() },
        RunRow {
            id: run,
            started_at: 8_000,
            ended_at: Some(9_000),
            state: RunState::Promoted,
            base_sha256: BASE.into(),
            parent: PolicyVersion(0),
            serving: PolicyVersion(0),
            candidate: Some(PolicyVersion(4)),
            seed: u64::MAX,
            dial: "careful".into(),
            counts: json!({ "steps": 12 }),
            reason: Some("obeys; canaries hold".into()),
            error: None,
            gate: None,
        }
    );
    assert_eq!((gate.at, gate.promoted, gate.reasons.len()), (9_000, true, 2));
    assert_eq!(gate.measures.candidate, json!({ "obedience": 0.95 }));
    assert_eq!(reader.runs(10).unwrap(), [row]);
    assert_eq!(reader.samples(run).unwrap(), samples);
    let made = reader.samples_of_lesson(taught[0]).unwrap();
    assert_eq!((made.len(), made[0].run, made[0].candidate), (1, run, Some(PolicyVersion(4))));
    let whole = reader.turn_story(turn).unwrap();
    assert_eq!(whole.samples.iter().map(|row| row.run_state).collect::<Vec<_>>(), [RunState::Promoted; 2]);
    let serving = reader.serving().unwrap();
    assert_eq!(
        (serving.len(), serving[0].version, serving[0].base_sha256.as_str()),
        (1, PolicyVersion(4), BASE)
    );
    assert_eq!(states(&ledger), [learned(4), State::Active]);
    let whole = reader.lesson(taught[0]).unwrap();
    assert_eq!(whole.learned_in, [PolicyVersion(4)]);
    let event = whole.history.last().unwrap();
    assert_eq!(
        (event.what.as_str(), event.detail.clone()),
        ("learned", Some(json!({ "run": 1, "version": 4 })))
    );
    let stats = reader.stats(0, 0).unwrap();
    assert_eq!(stats.runs, [(RunState::Promoted, 1)]);
    assert_eq!(stats.lessons.iter().map(|(_, n)| n).sum::<usize>(), 2);
}

#[test]
fn a_rejected_candidate_changes_nothing_but_the_run() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    lessons(&mut store, &["one"]);
    let run = run(&mut store, new_run(0));
    store.append(gate(run, 1, Decision::Reject)).unwrap();
    let row = ledger.reader().run(run).unwrap();
    assert_eq!((row.state, row.gate.unwrap().promoted), (RunState::Rejected, false));
    assert_eq!((states(&ledger), served(&ledger)), (vec![State::Active], vec![]));
}

#[test]
fn a_run_without_a_candidate_says_why() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let endings = [
        (RunEnding::Idle, RunState::Idle),
        (RunEnding::Cancelled, RunState::Cancelled),
        (RunEnding::Failed, RunState::Failed),
    ];
    for (ending, state) in endings {
        let run = run(&mut store, new_run(0));
        let error = Some("loss is NaN at step 3".to_owned());
        let reason = "stopped".to_owned();
        store
            .append(Entry::EndRun(RunEnd {
                run,
                ended_at: 9_000,
                ending,
                reason,
                error: error.clone(),
                counts: None,
            }))
            .unwrap();
        let row = ledger.reader().run(run).unwrap();
        assert_eq!((row.state, row.error, row.counts), (state, error, json!({ "lessons": 1 })));
    }
}

// What is refused, by the ledger and by its twin.

/// One turn, two lessons, v1 promoted with the first of them; then `prepare` and the refused entry.
#[track_caller]
fn check_refused(prepare: &[Entry], entry: &Entry, expected: &StoreError) {
    let ledger = Ledger::new();
    let mut twin = ScriptedStore::new();
    let stores: [&mut dyn Store; 2] = [&mut ledger.store(), &mut twin];
    for (at, store) in stores.into_iter().enumerate() {
        exchange(store, new_turn("s", None, "x"), "y");
        let ids = lessons(store, &["one", "two"]);
        learn(store, 0, 1, &ids[..1]);
        for entry in prepare {
            store.append(entry.clone()).unwrap();
        }
        let seen = || (states(&ledger), served(&ledger), ledger.reader().runs(10).unwrap());
        let before = (at == 0).then(seen);
        assert_eq!(store.append(entry.clone()).unwrap_err(), *expected);
        assert_eq!((at == 0).then(seen), before, "a refused entry left something behind");
    }
}

const SECOND: RunId = RunId(2);

fn begin_second() -> Entry {
    Entry::BeginRun(new_run(1))
}

fn teach(lesson: i64) -> Entry {
    let samples = vec![sample(None, Some(LessonId(lesson)), SampleRole::Teach)];
    Entry::RecordSamples { run: SECOND, samples }
}

#[test]
fn there_is_one_run_at_a_time() {
    check_refused(&[begin_second()], &begin_second(), &StoreError::RunActive(2));
}

#[test]
fn an_ended_run_stays_as_it_is() {
    check_refused(&[], &promote(RunId(1), 9, &[]), &StoreError::RunEnded(1));
    check_refused(&[], &promote(RunId(9), 9, &[]), &StoreError::NoRun(9));
    let samples = Entry::RecordSamples { run: RunId(1), samples: vec![] };
    check_refused(&[], &samples, &StoreError::RunEnded(1));
}

#[test]
fn a_version_is_never_given_twice() {
    for version in [0, 1] {
        let taken = StoreError::VersionTaken(PolicyVersion(version));
        check_refused(&[begin_second()], &promote(SECOND, version, &[]), &taken);
        check_refused(&[begin_second()], &gate(SECOND, version, Decision::Reject), &taken);
    }
    let imported = Entry::Serve(serving(7, "another base"));
    let taken = StoreError::VersionTaken(PolicyVersion(7));
    check_refused(&[imported, begin_second()], &promote(SECOND, 7, &[]), &taken);
}

#[test]
fn a_candidate_does_not_undo_what_the_user_chose_meanwhile() {
    let (was, is) = (PolicyVersion(1), PolicyVersion(0));
    let changed = StoreError::ServingChanged { run: 2, was, is };
    let meanwhile = [begin_second(), Entry::Rollback(serving(0, BASE))];
    check_refused(&meanwhile, &promote(SECOND, 2, &[]), &changed);
}

#[test]
fn a_lesson_that_changed_while_it_was_taught_stops_the_promotion() {
    let lesson = LessonId(2);
    let touches = [
        LessonChange::Prune,
        LessonChange::Retire { replaced_by: None },
        LessonChange::Reword("other".into()),
    ];
    for change in touches {
        let changed = StoreError::LessonChanged { run: 2, lesson: 2 };
        let meanwhile = [begin_second(), teach(2), edit(lesson, change)];
        check_refused(&meanwhile, &promote(SECOND, 2, &[lesson]), &changed);
        // Also when nobody claims that it was learned: the weights may hold it all the same.
        check_refused(&meanwhile, &promote(SECOND, 2, &[]), &changed);
    }
}

#[test]
fn a_lesson_that_is_not_in_force_is_not_learned() {
    let meanwhile = [edit(LessonId(2), LessonChange::Prune), begin_second()];
    let changed = StoreError::LessonChanged { run: 2, lesson: 2 };
    check_refused(&meanwhile, &promote(SECOND, 2, &[LessonId(1), LessonId(2)]), &changed);
    check_refused(
        &[begin_second()],
        &promote(SECOND, 2, &[LessonId(1), LessonId(9)]),
        &StoreError::NoLesson(9),
    );
}

#[test]
fn a_pin_does_not_stop_a_promotion() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let ids = lessons(&mut store, &["one"]);
    let run = run(&mut store, new_run(0));
    store.append(edit(ids[0], LessonChange::Pin(true))).unwrap();
    store.append(promote(run, 1, &ids)).unwrap();
    assert_eq!(states(&ledger), [learned(1)]);
}

#[test]
fn what_is_held_out_is_never_trained_on() {
    let of = |role| Entry::RecordSamples { run: SECOND, samples: vec![sample(Some(TurnId(1)), None, role)] };
    for role in [SampleRole::Teach, SampleRole::Replay] {
        check_refused(&[begin_second(), of(SampleRole::HeldOut)], &of(role), &StoreError::HeldOut(1));
        check_refused(&[begin_second(), of(role)], &of(SampleRole::HeldOut), &StoreError::TrainedOn(1));
    }
    // Nor in a later run.
    let reject = gate(SECOND, 2, Decision::Reject);
    let third = vec![sample(Some(TurnId(1)), None, SampleRole::Teach)];
    check_refused(
        &[begin_second(), of(SampleRole::HeldOut), reject, begin_second()],
        &Entry::RecordSamples { run: RunId(3), samples: third },
        &StoreError::HeldOut(1),
    );
}

#[test]
fn a_rollback_leads_to_what_has_served() {
    let never = StoreError::NeverServed(PolicyVersion(5));
    check_refused(&[], &Entry::Rollback(serving(5, BASE)), &never);
    let never = StoreError::NeverServed(PolicyVersion(1));
    check_refused(&[], &Entry::Rollback(serving(1, "another base")), &never);
}

// Rollback.

/// v1 learns the first lesson, v2 goes on from it and learns the second; then `back` serves.
#[track_caller]
fn check_rollback(back: Entry, expected: &[State]) {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let ids = lessons(&mut store, &["one", "two", "three"]);
    learn(&mut store, 0, 1, &ids[..1]);
    learn(&mut store, 1, 2, &ids[1..2]);
    assert_eq!(states(&ledger), [learned(1), learned(2), State::Active]);
    assert_eq!(ledger.reader().lineage(PolicyVersion(2)).unwrap(), [PolicyVersion(2), PolicyVersion(1)]);
    store.append(back).unwrap();
    assert_eq!(states(&ledger), expected);
}

#[test]
fn a_step_back_keeps_what_the_older_version_holds() {
    check_rollback(Entry::Rollback(serving(1, BASE)), &[learned(1), State::Active, State::Active]);
}

#[test]
fn with_the_base_every_lesson_is_active_again() {
    check_rollback(Entry::Rollback(serving(0, BASE)), &[State::Active; 3]);
    check_rollback(Entry::Serve(serving(0, BASE)), &[State::Active; 3]);
}

#[test]
fn another_base_leaves_the_lessons_of_this_one() {
    check_rollback(Entry::Serve(serving(0, "another base")), &[learned(1), learned(2), State::Active]);
}

#[test]
fn a_version_of_unknown_making_holds_no_lesson() {
    check_rollback(Entry::Serve(serving(9, BASE)), &[State::Active; 3]);
}

#[test]
fn a_version_built_anew_holds_only_what_its_gate_found() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let ids = lessons(&mut store, &["one", "two"]);
    learn(&mut store, 0, 1, &ids);
    learn(&mut store, 0, 2, &ids[1..]);
    assert_eq!(states(&ledger), [State::Active, learned(2)]);
    let event = ledger.reader().lesson(ids[0]).unwrap().history.pop().unwrap();
    assert_eq!((event.what.as_str(), event.detail), ("reactivated", Some(json!({ "serving": 2 }))));
    // The older version held the second one too.
    store.append(Entry::Rollback(serving(1, BASE))).unwrap();
    assert_eq!(states(&ledger), [State::Active, learned(1)]);
    assert_eq!(served(&ledger), [1, 2, 1]);
}

// Crashes.

#[test]
fn a_crash_at_any_step_leaves_all_or_nothing_of_a_promotion() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let ids = lessons(&mut store, &["one", "two"]);
    learn(&mut store, 0, 1, &ids[..1]);
    let samples = vec![sample(None, Some(ids[1]), SampleRole::Teach)];
    let steps =
        [begin_second(), Entry::RecordSamples { run: SECOND, samples }, promote(SECOND, 2, &ids[1..])];
    for (at, step) in steps.into_iter().enumerate() {
        store.append(step).unwrap();
        let after = ledger.as_a_kill_leaves_it();
        let promoted = at == 2;
        assert_eq!(after.open().n_interrupted, usize::from(!promoted), "step {at}");
        let run = after.reader().run(SECOND).unwrap();
        if promoted {
            assert_eq!((run.state, served(&after)), (RunState::Promoted, vec![1, 2]));
            assert_eq!(states(&after), [learned(1), learned(2)]);
        } else {
            assert_eq!((run.state, run.ended_at), (RunState::Interrupted, Some(now().as_millisecond())));
            assert_eq!(run.reason.unwrap(), "the daemon stopped in mid-run; nothing was promoted");
            assert_eq!((states(&after), served(&after)), (vec![learned(1), State::Active], vec![1]));
        }
        assert_eq!(after.open().n_interrupted, 0);
        assert_eq!(after.reader().integrity_check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn after_a_crash_a_new_run_can_begin() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    run(&mut store, new_run(0));
    drop(store);
    let mut store = ledger.store();
    let again = run(&mut store, NewRun { seed: 7, ..new_run(0) });
    let rows = ledger.reader().runs(10).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.state).collect::<Vec<_>>(),
        [RunState::Running, RunState::Interrupted]
    );
    assert_eq!((rows[0].id, rows[0].seed), (again, 7));
}

// A ledger from before the loop.

/// As the last release left it: two turns, one of them in mid-answer, and a served version.
fn older_ledger() -> Ledger {
    let ledger = Ledger::new();
    let conn = Connection::open(&ledger.path).unwrap();
    for step in ["0001_turns.sql", "0002_serving.sql"] {
        let file = format!("{}/src/store/schema/{step}", env!("CARGO_MANIFEST_DIR"));
        conn.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
    }
    conn.execute_batch(
        r#"PRAGMA application_id = 0x6368656c; PRAGMA user_version = 2;
           INSERT INTO session VALUES (1, 's', 'chat', 1000, NULL, NULL, NULL, 'Ports');
           INSERT INTO turn VALUES (1, 1, NULL, 'main', 'chat', 2000, 0, 1, 'm', NULL, '{}',
                                    '[{"role":"user","content":"list ports"}]');
           INSERT INTO turn VALUES (2, 1, 1, 'main', 'chat', 2500, 3, 1, 'm', NULL, '{}',
                                    '[{"role":"user","content":"and udp?"}]');
           UPDATE session SET last_turn = 2;
           INSERT INTO turn_prompt VALUES (1, x'01'), (2, x'02');
           INSERT INTO running VALUES (2);
           INSERT INTO chunk VALUES (2, 0, 1, x'05', x'00000000', 'ss -u');
           INSERT INTO response VALUES (1, 3000, 'stop', 1, NULL, x'2a', x'00000000', 'ss -t');
           INSERT INTO turn_text (rowid, request, response) VALUES (1, 'list ports', 'ss -t');
           INSERT INTO serving (at, version, base, reason) VALUES (1, 3, 'b0', 'asked for');"#,
    )
    .unwrap();
    ledger
}

#[test]
fn a_ledger_from_before_the_loop_goes_on() {
    let ledger = older_ledger();
    let opened = ledger.open();
    assert!(opened.notice.unwrap().contains("brought up to date"));
    assert_eq!((opened.n_recovered, opened.n_interrupted), (1, 0));
    let mut store = opened.store;
    let mut reader = ledger.reader();
    assert_eq!(reader.turn(TurnId(2)).unwrap().row.response, "ss -u");
    assert_eq!(reader.sessions(5, Some("ports")).unwrap()[0].title, "Ports");
    assert_eq!(served(&ledger), [3]);

    store.append(next(TurnId(1), reply("use lsof"))).unwrap();
    store.append(Entry::Judge(judged(TurnId(1), 1, Some(-1)))).unwrap();
    let ids = lessons(&mut store, &["Use lsof."]);
    let run = run(&mut store, new_run(0));
    assert_eq!(reader.run(run).unwrap().serving, PolicyVersion(3));
    store.append(promote(run, 4, &ids)).unwrap();
    assert_eq!((served(&ledger), states(&ledger)), (vec![3, 4], vec![learned(4)]));
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    drop(store);
    let copy = ledger.dir.path().join("ledger.db.v2.bak");
    assert!(matches!(Reader::open(&copy).err(), Some(StoreError::Outdated { found: 2, known: 5, .. })));
    assert_eq!(SqliteStore::open(&ledger.path, now()).unwrap().notice, None);
}
