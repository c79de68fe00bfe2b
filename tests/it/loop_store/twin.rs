//! The ledger and its twin under any sequence of entries: the same receipts, the same refusals, and lessons that agree
//! with what serves.

use chela::lesson::{LessonId, State};
use chela::store::{
    Decision, Entry, Excluded, LessonChange, NewLesson, NewVerdict, Reader, ReviewEdit, RunEnd, RunEnding,
    RunId, RunState, SampleRole, ScriptedStore, Store,
};
use chela::turn::TurnId;
use proptest::prelude::*;

use super::fixture::*;

const OTHER_BASE: &str = "b1";

fn any_turn() -> impl Strategy<Value = TurnId> {
    (1_i64..4).prop_map(TurnId)
}

fn any_lesson() -> impl Strategy<Value = LessonId> {
    (1_i64..5).prop_map(LessonId)
}

fn any_change() -> impl Strategy<Value = LessonChange> {
    prop_oneof![
        Just(LessonChange::Activate),
        prop::option::of(any_lesson()).prop_map(|replaced_by| LessonChange::Retire { replaced_by }),
        Just(LessonChange::Prune),
        Just(LessonChange::Reword("other words".into())),
        any::<bool>().prop_map(LessonChange::Pin),
    ]
}

fn any_role() -> impl Strategy<Value = SampleRole> {
    prop_oneof![
        4 => Just(SampleRole::Teach),
        1 => Just(SampleRole::Replay),
        1 => Just(SampleRole::HeldOut),
        1 => Just(SampleRole::Canary),
    ]
}

fn any_base() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(BASE), 1 => Just(OTHER_BASE)]
}

fn any_review() -> impl Strategy<Value = ReviewEdit> {
    let what = prop_oneof![
        any_turn().prop_map(Excluded::Turn),
        Just(Excluded::Session(id("s"))),
        Just(Excluded::Session(id("nobody"))),
        Just(Excluded::Project("/tmp".into())),
    ];
    let undo =
        (any_lesson(), 1_i64..12).prop_map(|(lesson, event)| ReviewEdit::UndoLesson { lesson, event, at: 9 });
    prop_oneof![
        4 => undo,
        1 => what.clone().prop_map(|what| ReviewEdit::Exclude { what, at: 9 }),
        1 => what.prop_map(|what| ReviewEdit::Include { what }),
    ]
}

fn any_lesson_entry() -> impl Strategy<Value = Entry> {
    let add =
        (any::<bool>(), prop::collection::vec(any_turn(), 0..2), prop::collection::vec(any_lesson(), 0..2))
            .prop_map(|(waits_for_yes, sources, replaces)| {
                Entry::AddLesson(NewLesson { waits_for_yes, sources, replaces, ..new_lesson("Use ss.") })
            });
    prop_oneof![
        2 => add,
        2 => (any_lesson(), any_change()).prop_map(|(lesson, change)| edit(lesson, change)),
        1 => any_lesson().prop_map(|lesson| Entry::ForgetLesson { lesson }),
        1 => prop::collection::vec(any_turn(), 1..3).prop_map(|turns| Entry::ForgetTurns { turns }),
        1 => Just(Entry::EmptyLog),
        1 => (any_turn(), prop::collection::vec(any_lesson(), 0..3))
            .prop_map(|(turn, lessons)| Entry::UseLessons { turn, lessons }),
        2 => any_review().prop_map(Entry::Review),
        1 => (any_turn(), any_lesson(), any::<bool>())
            .prop_map(|(turn, lesson, helped)| Entry::CountLessonEffect { turn, lesson, helped }),
    ]
}

fn any_run_entry() -> impl Strategy<Value = Entry> {
    let run = || (1_i64..6).prop_map(RunId);
    let begin = (0_u32..5, any_base()).prop_map(|(parent, base)| {
        let base_sha256 = base.to_owned();
        Entry::BeginRun(chela::store::NewRun { base_sha256, ..new_run(parent) })
    });
    let teach = (run(), prop::option::of(any_turn()), any_lesson(), any_role()).prop_map(
        |(run, turn, lesson, role)| Entry::RecordSamples {
            run,
            samples: vec![sample(turn, Some(lesson), role)],
        },
    );
    let gated = (run(), 0_u32..7, prop::option::of(prop::collection::vec(any_lesson(), 0..3))).prop_map(
        |(run, candidate, learned)| match learned {
            Some(learned) => gate(run, candidate, Decision::Promote { learned }),
            None => gate(run, candidate, Decision::Reject),
        },
    );
    let ended = run().prop_map(|run| {
        let (ending, reason) = (RunEnding::Cancelled, "enough".to_owned());
        Entry::EndRun(RunEnd { run, ended_at: 9_000, ending, reason, error: None, counts: None })
    });
    let version = || (0_u32..7, any_base());
    prop_oneof![
        3 => begin,
        2 => teach,
        4 => gated,
        1 => ended,
        1 => version().prop_map(|(version, base)| Entry::Serve(serving(version, base))),
        1 => version().prop_map(|(version, base)| Entry::Rollback(serving(version, base))),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let judge = (any_turn(), 0_u32..3, prop_oneof![Just(0.5), Just(f32::NAN)]).prop_map(
        |(turn, seen, confidence)| {
            let mut new = NewVerdict { seen, ..judged(turn, seen, Some(1)) };
            new.verdict.confidence = confidence;
            Entry::Judge(new)
        },
    );
    prop_oneof![
        1 => any_turn().prop_map(|turn| next(turn, reply("no"))),
        1 => judge,
        4 => any_lesson_entry(),
        6 => any_run_entry(),
    ]
}

/// What always holds, whatever was appended.
fn check_sound(reader: &mut Reader) {
    let runs = reader.runs(100).unwrap();
    assert!(runs.iter().filter(|run| run.state == RunState::Running).count() <= 1);
    let rows = reader.serving().unwrap();
    for lesson in reader.lessons(&chela::store::LessonFilter::default(), 100).unwrap() {
        assert!(lesson.helped + lesson.failed <= lesson.used, "{lesson:?}");
        let State::Learned(version) = lesson.state else { continue };
        let run = runs.iter().find(|run| run.candidate == Some(version)).unwrap();
        assert_eq!(run.state, RunState::Promoted, "{version} was never promoted");
        let newest = rows.iter().rfind(|row| row.base_sha256 == run.base_sha256).unwrap();
        let line = reader.lineage(newest.version).unwrap();
        assert!(line.contains(&version), "{lesson:?} is left out of prompts, and {} serves", newest.version);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_twin_answers_as_the_ledger_does(entries in prop::collection::vec(any_entry(), 1..40)) {
        let ledger = Ledger::new();
        let (mut store, mut twin) = (ledger.store(), ScriptedStore::new());
        for store in [&mut store as &mut dyn Store, &mut twin] {
            let first = exchange(store, new_turn("s", None, "a"), "y");
            exchange(store, new_turn("s", Some(first), "b"), "y");
            add(store, new_lesson("Be brief."));
            add(store, new_lesson("Use fd."));
        }
        for entry in entries {
            let outcome = store.append(entry.clone());
            prop_assert_eq!(&twin.append(entry.clone()), &outcome, "{:?}", entry);
            check_sound(&mut ledger.reader());
        }
    }
}
