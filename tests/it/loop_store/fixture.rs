//! Entries of the loop, as short as a test can say them.

use chela::judge::{Verdict, Vote};
use chela::lesson::{LessonId, Origin, Scope};
use chela::signal::{Evidence, Says, Signal};
use chela::store::{
    By, Decision, Entry, LessonChange, LessonEdit, Measures, NewGate, NewLesson, NewRun, NewServing,
    NewVerdict, Receipt, RunId, Sample, SampleRole, Store,
};
use chela::turn::next_state::NextState;
use chela::turn::{PolicyVersion, TurnId};
use serde_json::json;

pub(super) use crate::store::{Ledger, begin, end, exchange, id, new_session, new_turn, now};

pub(super) const BASE: &str = "b0";

pub(super) fn reply(text: &str) -> NextState {
    NextState::Reply { text: text.into() }
}

pub(super) fn next(turn: TurnId, state: NextState) -> Entry {
    Entry::RecordNextState { turn, at: 4_000, state }
}

pub(super) fn verdict(reward: Option<i8>) -> Verdict {
    Verdict { reward, hint: None, rule: "votes".into(), votes: Vec::new(), confidence: 0.75 }
}

pub(super) fn vote(good: f32) -> Vote {
    Vote { order: "good, bad or unclear".into(), good, bad: 1.0 - good, unclear: 0.0 }
}

pub(super) fn signal(rule: &str) -> Signal {
    Signal {
        rule: rule.into(),
        says: Says::Bad,
        evidence: Evidence::Explicit,
        strength: 0.5,
        span: 3..9,
        is_directive: true,
    }
}

pub(super) fn judged(turn: TurnId, seen: u32, reward: Option<i8>) -> NewVerdict {
    NewVerdict {
        turn,
        seen,
        signals: Vec::new(),
        verdict: verdict(reward),
        model: "judge".into(),
        judged_at: 5_000,
    }
}

/// A turn in session `s`, answered, with a reply after it, judged.
pub(super) fn judged_turn(store: &mut dyn Store, request: &str, reward: Option<i8>) -> TurnId {
    let turn = exchange(store, new_turn("s", None, request), "answer");
    store.append(next(turn, reply("well"))).unwrap();
    store.append(Entry::Judge(judged(turn, 1, reward))).unwrap();
    turn
}

pub(super) fn new_lesson(text: &str) -> NewLesson {
    NewLesson {
        text: text.into(),
        scope: Scope::Global,
        origin: Origin::Corrected,
        waits_for_yes: false,
        pinned: false,
        sources: Vec::new(),
        replaces: Vec::new(),
        by: By::Loop,
        reason: "no, use ss".into(),
        created_at: 6_000,
    }
}

pub(super) fn add(store: &mut dyn Store, lesson: NewLesson) -> LessonId {
    match store.append(Entry::AddLesson(lesson)).unwrap() {
        Receipt::Lesson(lesson) => lesson,
        other => panic!("{other:?} instead of a lesson"),
    }
}

pub(super) fn edit(lesson: LessonId, change: LessonChange) -> Entry {
    Entry::ChangeLesson(LessonEdit { lesson, change, by: By::User, reason: "as I say".into(), at: 7_000 })
}

pub(super) fn new_run(parent: u32) -> NewRun {
    NewRun {
        started_at: 8_000,
        base_sha256: BASE.into(),
        parent: PolicyVersion(parent),
        seed: u64::MAX,
        dial: "careful".into(),
        counts: json!({ "lessons": 1 }),
    }
}

pub(super) fn run(store: &mut dyn Store, run: NewRun) -> RunId {
    match store.append(Entry::BeginRun(run)).unwrap() {
        Receipt::Run(run) => run,
        other => panic!("{other:?} instead of a run"),
    }
}

pub(super) fn sample(turn: Option<TurnId>, lesson: Option<LessonId>, role: SampleRole) -> Sample {
    Sample { turn, lesson, role, fingerprint: "f00d".into() }
}

pub(super) fn gate(run: RunId, candidate: u32, decision: Decision) -> Entry {
    Entry::RecordGate(NewGate {
        run,
        at: 9_000,
        candidate: PolicyVersion(candidate),
        measures: Measures {
            candidate: json!({ "obedience": 0.95 }),
            serving: json!({ "obedience": 0.5 }),
            base: json!(null),
        },
        decision,
        reasons: vec!["obeys".into(), "canaries hold".into()],
        counts: Some(json!({ "steps": 12 })),
    })
}

pub(super) fn promote(run: RunId, candidate: u32, learned: &[LessonId]) -> Entry {
    gate(run, candidate, Decision::Promote { learned: learned.to_vec() })
}

/// A run that goes on from `parent` and ends with a promotion.
pub(super) fn learn(store: &mut dyn Store, parent: u32, version: u32, learned: &[LessonId]) -> RunId {
    let run = run(store, new_run(parent));
    let samples = learned.iter().map(|lesson| sample(None, Some(*lesson), SampleRole::Teach)).collect();
    store.append(Entry::RecordSamples { run, samples }).unwrap();
    store.append(promote(run, version, learned)).unwrap();
    run
}

pub(super) fn serving(version: u32, base: &str) -> NewServing {
    NewServing {
        at: 10_000,
        version: PolicyVersion(version),
        base_sha256: base.into(),
        reason: "rolled back".into(),
    }
}
