//! What came after an answer and what was concluded of it.

use chela::judge::Verdict;
use chela::store::{
    Entry, Judged, NewTurn, NewVerdict, RewardCount, ScriptedStore, SqliteStore, Store, StoreError,
    TurnFilter,
};
use chela::turn::next_state::{Closing, CommandOutcome, NextState, ToolResult};
use chela::turn::{Ending, Source, TurnId, TurnKind};
use proptest::prelude::*;

use super::fixture::*;

fn states(ledger: &Ledger, turn: TurnId) -> Vec<NextState> {
    ledger.reader().next_states(turn).unwrap().into_iter().map(|row| row.state).collect()
}

fn waiting(ledger: &Ledger) -> Vec<TurnId> {
    ledger.reader().waiting_turns(10).unwrap().into_iter().map(|turn| turn.turn).collect()
}

fn any_state() -> impl Strategy<Value = NextState> {
    let text = || any::<String>();
    let outcome = (text(), any::<i32>(), any::<Vec<i32>>(), text(), any::<Option<u64>>()).prop_map(
        |(command, status, pipeline, output, duration_ms)| {
            NextState::Command(CommandOutcome { command, status, pipeline, output, duration_ms })
        },
    );
    let tool = (any::<Option<String>>(), text(), any::<Option<i32>>())
        .prop_map(|(name, content, status)| ToolResult { name, content, status });
    prop_oneof![
        text().prop_map(|text| NextState::Reply { text }),
        text().prop_map(|text| NextState::Edit { text }),
        outcome,
        prop::collection::vec(tool, 0..3).prop_map(|results| NextState::Tools { results }),
        (any::<Option<String>>(), text()).prop_map(|(before, after)| NextState::Page { before, after }),
        text().prop_map(|report| NextState::Tests { report }),
        (any::<bool>(), any::<Option<String>>()).prop_map(|(good, note)| NextState::Rating { good, note }),
        prop_oneof![Just(Closing::Done), Just(Closing::Idle)].prop_map(|by| NextState::Closed { by }),
    ]
}

#[test]
fn any_next_state_comes_back_as_it_was() {
    let ledger = Ledger::new();
    let store = std::cell::RefCell::new(ledger.store());
    let turn = exchange(&mut *store.borrow_mut(), new_turn("s", None, "x"), "y");
    let sent = std::cell::RefCell::new(Vec::new());
    proptest!(ProptestConfig::with_cases(64), |(state in any_state())| {
        store.borrow_mut().append(next(turn, state.clone())).unwrap();
        sent.borrow_mut().push(state);
    });
    assert_eq!(states(&ledger, turn), sent.into_inner());
}

#[test]
fn an_answer_waits_for_its_verdict_from_its_next_state_on() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let first = exchange(&mut store, new_turn("s", None, "one"), "1");
    let second = exchange(&mut store, new_turn("s", Some(first), "two"), "2");
    assert_eq!(waiting(&ledger), []);
    for turn in [second, first] {
        store.append(next(turn, reply("no"))).unwrap();
    }
    assert_eq!(waiting(&ledger), [first, second]);
    let waits = ledger.reader().waiting_turns(1).unwrap();
    assert_eq!((waits.len(), waits[0].session.clone()), (1, id("s")));
    assert_eq!((waits[0].states[0].at, waits[0].states[0].state.clone()), (4_000, reply("no")));

    store.append(Entry::Judge(judged(first, 1, None))).unwrap();
    assert_eq!(waiting(&ledger), [second]);
}

#[test]
fn a_running_answer_waits_only_once_it_has_ended() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    let turn = begin(&mut store, new_turn("s", None, "x"));
    store.append(next(turn, reply("stop"))).unwrap();
    assert_eq!(waiting(&ledger), []);
    end(&mut store, turn);
    assert_eq!(waiting(&ledger), [turn]);
}

#[test]
fn a_side_turn_never_waits() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let side = NewTurn { kind: TurnKind::Side, ..new_turn("s", None, "make a title") };
    let turn = exchange(&mut store, side, "Title");
    store.append(next(turn, reply("thanks"))).unwrap();
    assert_eq!(states(&ledger, turn), [reply("thanks")]);
    assert_eq!(waiting(&ledger), []);
}

#[test]
fn what_arrives_while_the_judge_reads_is_judged_too() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = exchange(&mut store, new_turn("s", None, "x"), "y");
    store.append(next(turn, reply("hm"))).unwrap();
    store.append(next(turn, NextState::Rating { good: true, note: None })).unwrap();
    store.append(Entry::Judge(judged(turn, 1, Some(-1)))).unwrap();
    assert_eq!(waiting(&ledger), [turn]);
    store.append(Entry::Judge(judged(turn, 2, Some(1)))).unwrap();
    assert_eq!(waiting(&ledger), []);
}

#[test]
fn a_verdict_comes_back_whole_and_the_newest_counts() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = judged_turn(&mut store, "list ports", None);
    let verdict = Verdict {
        reward: Some(-1),
        hint: Some("Use ss, not netstat.".into()),
        rule: "words.correction".into(),
        votes: vec![vote(0.125), vote(0.25)],
        confidence: 0.5,
    };
    let signals = vec![signal("words.correction"), signal("exit.failed")];
    let new = NewVerdict { verdict: verdict.clone(), signals: signals.clone(), ..judged(turn, 1, None) };
    store.append(Entry::Judge(new)).unwrap();

    let whole = ledger.reader().turn_story(turn).unwrap();
    let counts: Vec<bool> = whole.verdicts.iter().map(|verdict| verdict.is_newest).collect();
    assert_eq!(counts, [false, true]);
    let newest = ledger.reader().verdicts(&id("s")).unwrap();
    assert_eq!(newest, whole.verdicts[1..]);
    assert_eq!((&newest[0].verdict, &newest[0].signals), (&verdict, &signals));
    assert_eq!((newest[0].model.as_str(), newest[0].judged_at, newest[0].seen), ("judge", 5_000, 1));
}

#[track_caller]
fn check_refused(entry: &Entry, expected: &StoreError) {
    let ledger = Ledger::new();
    let mut twin = ScriptedStore::new();
    let stores: [&mut dyn Store; 2] = [&mut ledger.store(), &mut twin];
    for store in stores {
        exchange(store, new_turn("s", None, "x"), "y");
        assert_eq!(store.append(entry.clone()).unwrap_err(), *expected);
    }
    let whole = ledger.reader().turn_story(TurnId(1)).unwrap();
    assert_eq!((whole.next_states, whole.verdicts, whole.is_waiting), (vec![], vec![], false));
}

#[test]
fn nothing_comes_after_an_unknown_turn() {
    check_refused(&next(TurnId(9), reply("x")), &StoreError::NoTurn(9));
    check_refused(&Entry::Judge(judged(TurnId(9), 0, None)), &StoreError::NoTurn(9));
}

#[test]
fn a_verdict_that_is_no_number_is_refused() {
    let mut new = judged(TurnId(1), 0, Some(1));
    new.verdict.confidence = f32::NAN;
    check_refused(&Entry::Judge(new), &StoreError::NotFinite("the verdict's confidence"));
    let mut new = judged(TurnId(1), 0, Some(1));
    new.verdict.votes = vec![vote(f32::INFINITY)];
    check_refused(&Entry::Judge(new), &StoreError::NotFinite("a vote's probability"));
    let mut new = judged(TurnId(1), 0, Some(1));
    new.signals = vec![chela::signal::Signal { strength: f32::NAN, ..signal("x") }];
    check_refused(&Entry::Judge(new), &StoreError::NotFinite("a signal's strength"));
}

// Sessions that end.

#[test]
fn the_last_turn_hears_that_its_session_closed() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let first = exchange(&mut store, new_turn("s", None, "one"), "1");
    let last = exchange(&mut store, new_turn("s", Some(first), "two"), "2");
    store.append(Entry::CloseSession { session: id("s"), closed_at: 9_000 }).unwrap();
    assert_eq!(states(&ledger, last), [NextState::Closed { by: Closing::Done }]);
    assert_eq!(states(&ledger, first), []);
    assert_eq!(waiting(&ledger), [last]);
}

#[test]
fn closing_adds_nothing_to_what_came_before() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = exchange(&mut store, new_turn("s", None, "one"), "1");
    store.append(next(turn, reply("thanks"))).unwrap();
    for closed_at in [9_000, 9_001] {
        store.append(Entry::CloseSession { session: id("s"), closed_at }).unwrap();
    }
    assert_eq!(states(&ledger, turn), [reply("thanks")]);
}

#[test]
fn idle_sessions_are_found_until_they_are_closed_and_again_when_they_go_on() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let idle = |before| ledger.reader().idle_sessions(before, 10).unwrap();
    exchange(&mut store, new_turn("a", None, "x"), "y");
    exchange(&mut store, new_turn("b", None, "x"), "y");
    assert_eq!(idle(3_000), []);
    assert_eq!(idle(3_001), [id("a"), id("b")]);
    store.append(Entry::CloseIdleSession { session: id("a"), closed_at: 4_000 }).unwrap();
    assert_eq!(idle(9_000), [id("b")]);
    assert_eq!(states(&ledger, TurnId(1)), [NextState::Closed { by: Closing::Idle }]);
    exchange(&mut store, new_turn("a", Some(TurnId(1)), "more"), "y");
    assert_eq!(idle(9_000), [id("b"), id("a")]);
}

#[test]
fn a_session_in_which_an_answer_runs_is_not_closed_as_idle() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    exchange(&mut store, new_turn("a", None, "x"), "y");
    let turn = begin(&mut store, new_turn("a", Some(TurnId(1)), "more"));
    store.append(Entry::CloseIdleSession { session: id("a"), closed_at: 4_000 }).unwrap();
    assert_eq!(states(&ledger, turn), []);
    end(&mut store, turn);
    assert_eq!(ledger.reader().idle_sessions(9_000, 10).unwrap(), [id("a")]);
}

// Lists.

fn listed(ledger: &Ledger, filter: &TurnFilter) -> Vec<i64> {
    ledger.reader().turns(filter, None, 10).unwrap().into_iter().map(|line| line.turn.id.0).collect()
}

fn with(judged: Judged) -> TurnFilter {
    TurnFilter { judged: Some(judged), ..TurnFilter::default() }
}

fn words(typed: &str) -> TurnFilter {
    TurnFilter { words: Some(typed.into()), ..TurnFilter::default() }
}

#[test]
fn turns_are_listed_by_what_was_concluded_newest_first() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    for (request, reward) in [("alpha", Some(1)), ("beta", Some(-1)), ("gamma", None), ("alpha two", Some(1))]
    {
        judged_turn(&mut store, request, reward);
    }
    exchange(&mut store, new_turn("t", None, "not judged"), "y");
    assert_eq!(listed(&ledger, &TurnFilter::default()), [5, 4, 3, 2, 1]);
    assert_eq!(listed(&ledger, &with(Judged::Good)), [4, 1]);
    assert_eq!(listed(&ledger, &with(Judged::Bad)), [2]);
    assert_eq!(listed(&ledger, &with(Judged::Unclear)), [3]);
    assert_eq!(listed(&ledger, &with(Judged::None)), [5]);
    assert_eq!(listed(&ledger, &TurnFilter { session: Some(id("t")), ..TurnFilter::default() }), [5]);
    assert_eq!(listed(&ledger, &words("alph")), [4, 1]);
    assert_eq!(listed(&ledger, &words("?!")), [] as [i64; 0]);
    let page = ledger.reader().turns(&TurnFilter::default(), Some(TurnId(4)), 2).unwrap();
    let page: Vec<(i64, Option<i8>)> = page
        .into_iter()
        .map(|line| (line.turn.id.0, line.verdict.and_then(|verdict| verdict.verdict.reward)))
        .collect();
    assert_eq!(page, [(3, None), (2, Some(-1))]);
}

/// Turns 1 to 4: (surface, folder, rule, reward).
fn varied(ledger: &Ledger) {
    let mut store = ledger.store();
    for (source, cwd, rule, reward) in [
        (Source::Chat, Some("/src/atlas"), "exit.failed", Some(-1)),
        (Source::Shell, Some("/src/atlas/api"), "exit.ok", Some(1)),
        (Source::Shell, Some("/src/atlas2"), "exits", Some(0)),
        (Source::Api, None, "exit.failed", Some(-1)),
    ] {
        let new = NewTurn { source, cwd: cwd.map(str::to_owned), ..new_turn("s", None, "list files") };
        let turn = exchange(&mut store, new, "ls");
        let mut verdict = judged(turn, 0, reward);
        verdict.verdict.rule = rule.into();
        store.append(Entry::Judge(verdict)).unwrap();
    }
}

#[track_caller]
fn check_varied(filter: &TurnFilter, expected: &[i64]) {
    let ledger = Ledger::new();
    varied(&ledger);
    assert_eq!(listed(&ledger, filter), expected, "{filter:?}");
    // The same by every way to the turns.
    let by_words = TurnFilter { words: Some("files".into()), ..filter.clone() };
    let by_session = TurnFilter { session: Some(id("s")), ..filter.clone() };
    assert_eq!(listed(&ledger, &by_words), expected, "{by_words:?}");
    assert_eq!(listed(&ledger, &by_session), expected, "{by_session:?}");
    let elsewhere = TurnFilter { session: Some(id("t")), ..by_words };
    assert_eq!(listed(&ledger, &elsewhere), [] as [i64; 0], "{elsewhere:?}");
}

#[test]
fn turns_are_listed_by_surface() {
    check_varied(&TurnFilter { source: Some(Source::Shell), ..TurnFilter::default() }, &[3, 2]);
    check_varied(&TurnFilter { source: Some(Source::Agent), ..TurnFilter::default() }, &[]);
}

#[test]
fn turns_are_listed_by_rule_or_by_the_rules_of_one_kind() {
    let by = |rule: &str| TurnFilter { rule: Some(rule.into()), ..TurnFilter::default() };
    check_varied(&by("exit.failed"), &[4, 1]);
    check_varied(&by("exit"), &[4, 2, 1]);
    check_varied(&by("exit.fail"), &[]);
}

#[test]
fn turns_are_listed_by_folder_and_what_is_below_it() {
    let below = |folder: &str| TurnFilter { project: Some(folder.into()), ..TurnFilter::default() };
    check_varied(&below("/src/atlas"), &[2, 1]);
    check_varied(&below("/src/atlas/"), &[2, 1]);
    check_varied(&below("/src/atlas/api"), &[2]);
    check_varied(&below("/"), &[3, 2, 1]);
    check_varied(&below("/src/a%"), &[]);
}

#[test]
fn a_turn_is_listed_when_it_fits_everything_that_is_asked_for() {
    let failed = TurnFilter { rule: Some("exit.failed".into()), ..with(Judged::Bad) };
    check_varied(&failed, &[4, 1]);
    check_varied(&TurnFilter { source: Some(Source::Chat), ..failed.clone() }, &[1]);
    check_varied(&TurnFilter { judged: Some(Judged::Good), ..failed }, &[]);
    check_varied(&with(Judged::Unclear), &[3]);
    check_varied(&with(Judged::None), &[]);
}

#[test]
fn a_line_says_how_many_lessons_were_drawn() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = judged_turn(&mut store, "x", Some(-1));
    add(&mut store, chela::store::NewLesson { sources: vec![turn], ..new_lesson("use ss") });
    let line = ledger.reader().turns(&TurnFilter::default(), None, 1).unwrap().remove(0);
    assert_eq!((line.n_drawn, line.n_lessons, line.is_waiting), (1, 0, false));
}

#[test]
fn the_newest_gate_is_found_behind_runs_that_came_to_none() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    assert_eq!(ledger.reader().newest_gate().unwrap(), None);
    let promoted = learn(&mut store, 0, 1, &[]);
    run(&mut store, new_run(1));
    assert_eq!(ledger.reader().newest_gate().unwrap().map(|run| run.id), Some(promoted));
    assert!(ledger.reader().bytes_on_disk() > 4096);
}

fn cut_off(store: &mut SqliteStore) -> TurnId {
    store.append(new_session("s")).unwrap();
    let turn = begin(store, new_turn("s", None, "x"));
    let ending = Ending::Interrupted;
    store.append(Entry::EndTurn { turn, ended_at: 3_000, ending, error: None }).unwrap();
    store.append(Entry::Judge(judged(turn, 0, Some(1)))).unwrap();
    turn
}

#[test]
fn only_whole_answers_are_confirmed_good_or_bad() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let good = judged_turn(&mut store, "good", Some(1));
    let bad = judged_turn(&mut store, "bad", Some(-1));
    let interrupted = cut_off(&mut store);
    let changed_mind = judged_turn(&mut store, "first good", Some(1));
    store.append(Entry::Judge(judged(changed_mind, 1, Some(-1)))).unwrap();

    let mut reader = ledger.reader();
    let ids = |lines: Vec<chela::store::TurnLine>| -> Vec<TurnId> {
        lines.into_iter().map(|line| line.turn.id).collect()
    };
    assert_eq!(ids(reader.good_turns(None, 10).unwrap()), [good]);
    assert_eq!(ids(reader.bad_turns(None, 10).unwrap()), [changed_mind, bad]);
    assert_eq!(ids(reader.bad_turns(Some(changed_mind), 10).unwrap()), [bad]);
    assert_eq!(listed(&ledger, &with(Judged::Good)), [interrupted.0, good.0]);
}

#[test]
fn rewards_are_counted_by_day_surface_and_value() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let day = 86_400_000;
    let rewards = [Some(1), Some(1), None, Some(-1)];
    for (n, reward) in (0_i64..).zip(rewards) {
        let turn = exchange(&mut store, new_turn("s", None, "x"), "y");
        // Two at the end of day 1, two at the start of day 2.
        let judged_at = 2 * day - 2 + n;
        store.append(Entry::Judge(NewVerdict { judged_at, ..judged(turn, 0, Some(0)) })).unwrap();
        store.append(Entry::Judge(NewVerdict { judged_at, ..judged(turn, 0, reward) })).unwrap();
    }
    let count = |day, reward, n_turns| RewardCount { day, source: Source::Shell, reward, n_turns };
    let rewards = |since, offset| ledger.reader().stats(since, offset).unwrap().rewards;
    assert_eq!(rewards(0, 0), [count(1, Some(1), 2), count(2, None, 1), count(2, Some(-1), 1)]);
    assert_eq!(rewards(2 * day, 0), [count(2, None, 1), count(2, Some(-1), 1)]);
    assert_eq!(rewards(0, 2), [count(2, None, 1), count(2, Some(-1), 1), count(2, Some(1), 2)]);
}

#[test]
fn ratings_are_set_beside_the_votes_they_test() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let mut voted = |rating: Option<bool>, good: f32| {
        let turn = exchange(&mut store, new_turn("s", None, "x"), "y");
        let mut new = judged(turn, 0, Some(1));
        new.verdict.votes = vec![vote(good)];
        store.append(Entry::Judge(new)).unwrap();
        if let Some(good) = rating {
            store.append(next(turn, NextState::Rating { good, note: None })).unwrap();
            store.append(Entry::Judge(judged(turn, 1, Some(if good { 1 } else { -1 })))).unwrap();
        }
        turn
    };
    let disputed = voted(Some(false), 0.75);
    voted(None, 0.5);
    let agreed = voted(Some(true), 1.0);
    let rated = ledger.reader().rated_votes(10).unwrap();
    let rated: Vec<_> =
        rated.iter().map(|rated| (rated.turn, rated.good, rated.verdict.votes[0].good)).collect();
    assert_eq!(rated, [(agreed, true, 1.0), (disputed, false, 0.75)]);
    assert_eq!(ledger.reader().rated_votes(1).unwrap().len(), 1);
}

#[test]
fn acknowledged_feedback_survives_a_kill() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let turn = exchange(&mut store, new_turn("s", None, "x"), "y");
    store.append(next(turn, reply("no, use ss"))).unwrap();
    let after = ledger.as_a_kill_leaves_it();
    after.open();
    assert_eq!(states(&after, turn), [reply("no, use ss")]);
    assert_eq!(waiting(&after), [turn]);
}
