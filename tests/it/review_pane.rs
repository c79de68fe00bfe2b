//! The review pane without a terminal: whole screens at three sizes, and what keys ask for.

use chela::daemon::wire::review::{
    AnsweredNow, Excluded, ReviewCursor, ReviewPage, ReviewRow, ReviewState, ReviewWord,
};
use chela::daemon::wire::{LearnPhase, LessonStory, LessonWish, LoopEvent, TurnStory, UsedLesson};
use chela::lesson::{LessonId, Scope};
use chela::tui::mouse::{Mouse, MouseKind};
use chela::tui::review::{Done, Effect, Event, Head, Key, Pane, Start, Step, Story, Way};
use chela::tui::surface::Size;
use chela::tui::theme::Ink;
use chela::turn::{PolicyVersion, SessionId, Source, TurnId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// 2026-11-23T08:00:00Z.
const NOW: i64 = 1_795_420_800_000;
const SIZES: [(usize, usize); 3] = [(80, 24), (120, 40), (40, 12)];

struct Stage {
    pane: Pane,
    effects: Vec<Effect>,
}

impl Stage {
    fn new(columns: usize, rows: usize) -> Self {
        let mut pane = Pane::new(Start {
            size: Size { columns, rows },
            ink: Ink::Full,
            now_ms: NOW,
            zone: jiff::tz::TimeZone::UTC,
            cwd: "/src/atlas".into(),
        });
        let effects = pane.open();
        Self { pane, effects }
    }

    /// With a list on it.
    fn with(columns: usize, rows: usize, list: Vec<ReviewRow>) -> Self {
        let mut stage = Self::new(columns, rows);
        stage.event(Event::Head(Ok(Box::new(head()))));
        stage.page(list, None);
        stage
    }

    fn event(&mut self, event: Event) -> &mut Self {
        let effects = self.pane.handle(event, NOW);
        self.effects.extend(effects);
        self
    }

    /// The answer to the newest question for a part of the list.
    fn page(&mut self, rows: Vec<ReviewRow>, next: Option<ReviewCursor>) -> &mut Self {
        let outcome = Ok(ReviewPage { rows, next, looked_to: next.map(|_| NOW - 86_400_000) });
        let ticket = self.ticket();
        self.event(Event::Page { ticket, outcome })
    }

    fn ticket(&self) -> u64 {
        let newest = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Load { ticket, .. } => Some(*ticket),
            _ => None,
        });
        newest.unwrap()
    }

    fn key(&mut self, code: KeyCode) -> &mut Self {
        self.event(Event::Key(KeyEvent::from(code)))
    }

    fn ctrl(&mut self, letter: char) -> &mut Self {
        self.event(Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)))
    }

    fn typed(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            self.key(KeyCode::Char(letter));
        }
        self
    }

    /// What was asked for since the last look.
    fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn steps(&mut self) -> Vec<Step> {
        let mut steps = self.take().into_iter().filter_map(|effect| match effect {
            Effect::Do { steps, .. } | Effect::Undo { steps, .. } => Some(steps),
            _ => None,
        });
        steps.next().unwrap_or_default()
    }

    fn done(&mut self, what: &str, back: Vec<Step>) -> &mut Self {
        self.event(Event::Done(Done { back, ..none_done(what) }))
    }

    fn screen(&self) -> String {
        let rows = self.pane.rows();
        assert_eq!(rows.len(), self.pane.size().rows);
        let lines: Vec<String> = rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
        for line in &lines {
            assert!(line.chars().count() <= self.pane.size().columns, "{line}");
        }
        lines.join("\n")
    }
}

fn none_done(what: &str) -> Done {
    Done {
        what: what.into(),
        is_undo: false,
        back: Vec::new(),
        left: Vec::new(),
        trouble: None,
        is_refused: false,
    }
}

fn head() -> Head {
    let learning = json!({
        "dial": "careful", "when": "idle", "paused": false, "running": null, "progress": null,
        "waits_for": null, "n_waiting": 0, "learned_today_s": 0, "last": null
    });
    Head { serving: PolicyVersion(2), learning: serde_json::from_value(learning).unwrap() }
}

fn row(turn: i64, age_s: i64, request: &str) -> ReviewRow {
    ReviewRow {
        at: NOW - age_s * 1000,
        turn: Some(TurnId(turn)),
        lesson: None,
        session: Some(SessionId("chat-7".into())),
        source: Some(Source::Chat),
        folder: Some("/src/atlas".into()),
        request: request.into(),
        reward: None,
        rule: None,
        hint: None,
        text: None,
        scope: None,
        pinned: false,
        state: ReviewState::None,
        is_excluded: false,
    }
}

fn judged(row: ReviewRow, reward: Option<i8>, rule: &str) -> ReviewRow {
    ReviewRow { reward, rule: Some(rule.into()), ..row }
}

fn taught(row: ReviewRow, lesson: i64, text: &str, state: ReviewState) -> ReviewRow {
    let lesson = Some(LessonId(lesson));
    ReviewRow { lesson, text: Some(text.into()), scope: Some(Scope::Global), state, ..row }
}

/// A row of each kind.
fn varied() -> Vec<ReviewRow> {
    let lone = ReviewRow { turn: None, session: None, source: None, folder: None, ..row(0, 700, "") };
    let shell = |row: ReviewRow| ReviewRow { source: Some(Source::Shell), ..row };
    let v2 = ReviewState::Learned(PolicyVersion(2));
    let mut excluded = judged(row(31, 90_000, "what does this key open"), Some(-1), "votes");
    (excluded.state, excluded.is_excluded) = (ReviewState::Excluded, true);
    let mut pinned = taught(
        judged(row(30, 180_000, "search src"), Some(-1), "words.correction"),
        5,
        "use rg instead of grep",
        v2,
    );
    pinned.pinned = true;
    let mut hinted = judged(shell(row(38, 400, "list open ports")), Some(-1), "exit.failed");
    hinted.hint = Some("use ss instead of netstat".into());
    vec![
        ReviewRow {
            state: ReviewState::Waiting,
            ..row(40, 3, "and the same for every folder below it,\nplease")
        },
        taught(
            judged(row(39, 61, "show disk usage"), Some(-1), "rating.bad"),
            9,
            "use duf instead of df",
            ReviewState::Active,
        ),
        hinted,
        taught(lone, 8, "answer in one line \x1b[31m日本語", ReviewState::Proposed),
        judged(shell(row(36, 4_000, "compress this folder")), Some(1), "exit.ok"),
        judged(row(33, 8_000, "who are you"), None, "votes"),
        excluded,
        pinned,
        taught(row(29, 300_000, "undo the commit"), 4, "use git reset --soft", ReviewState::Retired),
        taught(row(28, 400_000, "rename photos"), 3, "use exiftool", ReviewState::Pruned),
    ]
}

/// The same story at three sizes.
fn check(name: &str, play: impl Fn(&mut Stage)) {
    for (columns, rows) in SIZES {
        let mut stage = Stage::with(columns, rows, varied());
        play(&mut stage);
        assert_snapshot!(format!("{name}_{columns}x{rows}"), stage.screen());
    }
}

fn lesson(id: i64, text: &str, state: &Value) -> Value {
    json!({
        "id": id, "text": text, "scope": { "kind": "program", "of": "df" }, "state": state, "origin": "corrected",
        "sources": [39], "created_at": NOW - 60_000, "used": 3, "helped": 2, "failed": 1, "pinned": true
    })
}

/// Of turn 39 and lesson 9.
fn story() -> Story {
    let verdict = json!({
        "turn": 39, "judged_at": NOW - 40_000, "seen": 2, "model": "chela-starter", "is_newest": true,
        "verdict": {
            "reward": -1, "hint": "use duf instead of df", "rule": "words.correction", "confidence": 0.95,
            "votes": [{ "order": "good, bad or unclear", "good": 0.05, "bad": 0.9, "unclear": 0.05 }]
        },
        "signals": [
            { "rule": "words.correction", "says": "bad", "evidence": "explicit", "strength": 0.95,
              "span": { "start": 4, "end": 25 }, "is_directive": true },
            { "rule": "exit.failed", "says": "bad", "evidence": "outcome", "strength": 0.85,
              "span": { "start": 0, "end": 0 }, "is_directive": false }
        ]
    });
    let turn = json!({
        "turn": {
            "id": 39, "session": "chat-7", "parent": 38, "kind": "main", "source": "chat", "cwd": "/src/atlas",
            "messages": [{ "role": "user", "content": "show disk usage" }],
            "response": "df -h", "ending": "stop", "error": null, "policy": 1, "model": "chela-starter",
            "n_prompt": 20, "n_response": 3, "started_at": NOW - 61_000, "ended_at": NOW - 60_000
        },
        "settings": "{}",
        "used": [{ "lesson": lesson(2, "be brief", &json!({ "is": "active" })), "rank": 0, "helped": true }],
        "next_states": [
            { "at": NOW - 59_000, "state": { "kind": "command", "command": "df -h", "status": 1, "output": "df: no" } },
            { "at": NOW - 50_000, "state": { "kind": "reply", "text": "no, use duf instead of df\u{1b}[2J" } }
        ],
        "verdicts": [verdict],
        "is_waiting": false,
        "drawn": [lesson(9, "use duf instead of df", &json!({ "is": "learned", "in_version": 2 }))],
        "samples": [{
            "run": 4, "run_state": "promoted", "candidate": 2,
            "sample": { "turn": 39, "lesson": 9, "role": "teach", "fingerprint": "f00d" }
        }]
    });
    let of_lesson = json!({
        "lesson": lesson(9, "use duf instead of df", &json!({ "is": "learned", "in_version": 2 })),
        "retired_by": null,
        "history": [
            { "id": 1, "at": NOW - 50_000, "what": "activated", "by": "loop", "reason": "hint.swap", "detail": null },
            { "id": 2, "at": NOW - 10_000, "what": "learned", "by": "gate", "reason": "it is obeyed 8 of 8 times", "detail": null }
        ],
        "learned_in": [2], "uses": []
    });
    let turn: TurnStory = serde_json::from_value(turn).unwrap();
    let lesson: LessonStory = serde_json::from_value(of_lesson).unwrap();
    Story { turn: Some(turn), lesson: Some(lesson) }
}

const OF_39: Key = Key { turn: Some(TurnId(39)), lesson: Some(LessonId(9)) };

fn told(stage: &mut Stage) {
    stage.key(KeyCode::Down);
    stage.event(Event::Story { key: OF_39, outcome: Ok(Box::new(story())) });
}

fn answered(way: Way, answer: &str, lessons: &[i64]) -> Event {
    let used = |id: &i64| UsedLesson { id: LessonId(*id), text: "use duf".into() };
    let outcome = Ok(AnsweredNow {
        policy: PolicyVersion(2),
        request: "show disk usage".into(),
        lessons: lessons.iter().map(used).collect(),
        answer: answer.into(),
    });
    Event::Answered { key: OF_39, way, outcome }
}

#[test]
fn an_empty_ledger_says_what_to_do() {
    for (columns, rows) in SIZES {
        let stage = Stage::with(columns, rows, Vec::new());
        assert_snapshot!(format!("review_empty_{columns}x{rows}"), stage.screen());
    }
}

#[test]
fn a_row_of_each_kind() {
    check("review_list", told);
}

#[test]
fn the_proof_of_a_lesson() {
    check("review_detail", |stage| {
        told(stage);
        stage.key(KeyCode::Enter);
    });
}

#[test]
fn what_would_be_answered_now() {
    check("review_now", |stage| {
        told(stage);
        stage.typed("w");
        stage.event(answered(Way::Base, "df -h", &[])).event(answered(Way::Lessons, "duf", &[9]));
    });
}

#[test]
fn a_menu_of_scopes() {
    check("review_scope", |stage| {
        told(stage);
        stage.typed("s");
    });
}

#[test]
fn a_search_says_what_it_does_not_know() {
    check("review_search", |stage| {
        stage.typed("/state:happy");
    });
}

#[test]
fn a_deep_search_says_how_far_it_is() {
    check("review_deep", |stage| {
        stage.typed("/zebra").key(KeyCode::Enter);
        let next = ReviewCursor { turn: Some(TurnId(9)), lesson: Some(LessonId(1)) };
        stage.page(varied().drain(1..2).collect(), Some(next));
    });
}

#[test]
fn a_refusal_leaves_everything_where_it_is() {
    check("review_refused", |stage| {
        told(stage);
        stage.typed("  d");
        let trouble = Some("run 4 is at work on lesson 9; cancel the run first".to_owned());
        stage.event(Event::Done(Done { trouble, is_refused: true, ..none_done("pruned 2 rows") }));
    });
}

#[test]
fn a_daemon_that_went_away_leaves_the_list() {
    check("review_gone", |stage| {
        let learning = LoopEvent::Learning {
            run: 5,
            phase: LearnPhase::Training,
            done: 3,
            total: 40,
            loss: None,
            eta_s: None,
        };
        stage.event(Event::News(Box::new(learning))).event(Event::Silence);
    });
}

#[test]
fn all_keys() {
    check("review_keys", |stage| {
        stage.typed("?");
    });
}

#[test]
fn a_lesson_being_edited() {
    check("review_edit", |stage| {
        told(stage);
        stage.typed("e").ctrl('w').typed("du");
    });
}

// What keys ask for.

#[test]
fn opening_reads_the_first_page_and_the_story_of_its_first_row() {
    let mut stage = Stage::new(80, 24);
    assert!(matches!(stage.effects[..], [Effect::Load { .. }, Effect::LoadHead]));
    stage.page(varied(), None);
    let first = Key { turn: Some(TurnId(40)), lesson: None };
    assert_eq!(stage.effects.last(), Some(&Effect::LoadStory(first)));
    stage.take();
    stage.key(KeyCode::Down);
    assert_eq!(stage.take(), [Effect::LoadStory(OF_39)]);
}

#[test]
fn the_next_page_is_asked_for_before_the_end_is_reached() {
    let mut stage = Stage::new(80, 24);
    let next = ReviewCursor { turn: Some(TurnId(900)), lesson: Some(LessonId(1)) };
    let many = |from: i64| (0..100).map(|at| row(from - at, at, "x")).collect::<Vec<_>>();
    stage.page(many(1_000), Some(next));
    stage.take();
    for _ in 0..40 {
        stage.key(KeyCode::Down);
    }
    assert!(!stage.take().iter().any(|effect| matches!(effect, Effect::Load { .. })));
    stage.key(KeyCode::PageDown);
    let asked = stage.take().into_iter().find_map(|effect| match effect {
        Effect::Load { query, ticket } => Some((*query, ticket)),
        _ => None,
    });
    let (query, ticket) = asked.unwrap();
    assert_eq!((query.before_turn, query.before_lesson), (next.turn, next.lesson));
    let page = ReviewPage { rows: many(900), next: None, looked_to: None };
    stage.event(Event::Page { ticket, outcome: Ok(page) });
    stage.key(KeyCode::End);
    assert!(stage.screen().contains("200 of 200"), "{}", stage.screen());
}

#[test]
fn an_answer_to_an_older_question_is_dropped() {
    let mut stage = Stage::with(80, 24, varied());
    stage.typed("/ne");
    let old = stage.ticket();
    stage.typed("w");
    let page = ReviewPage { rows: varied(), next: None, looked_to: None };
    stage.event(Event::Page { ticket: old, outcome: Ok(page) });
    assert!(stage.screen().contains("reading the ledger"), "{}", stage.screen());
    stage.page(Vec::new(), None);
    assert!(stage.screen().contains("nothing fits"), "{}", stage.screen());
    // Esc is the filter of before.
    stage.key(KeyCode::Esc).page(varied(), None);
    assert!(stage.screen().contains("1 of 10"), "{}", stage.screen());
}

#[test]
fn a_filter_is_asked_for_as_it_is_typed() {
    let mut stage = Stage::with(80, 24, varied());
    stage.typed("/state:activ");
    stage.take();
    stage.typed("e rg");
    let queries: Vec<_> = stage
        .take()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Load { query, .. } => Some((query.state, query.find.clone())),
            _ => None,
        })
        .collect();
    let active = Some(ReviewWord::Active);
    let expected = [(active, None), (active, Some("r".into())), (active, Some("rg".into()))];
    assert_eq!(queries, expected);
}

#[test]
fn pruning_takes_the_lesson_out_and_its_turn_too() {
    let mut stage = Stage::with(80, 24, varied());
    stage.key(KeyCode::Down).typed("d");
    let prune = Step::Lesson { lesson: LessonId(9), wish: LessonWish::Prune };
    let exclude = Step::Exclude { what: Excluded::Turn(TurnId(39)), excluded: true };
    assert_eq!(stage.steps(), [prune, exclude.clone()]);
    // One thing after the other.
    stage.typed("du");
    assert_eq!(stage.steps(), []);
    let back = vec![
        Step::Exclude { what: Excluded::Turn(TurnId(39)), excluded: false },
        Step::UndoLesson { lesson: LessonId(9), event: 12 },
    ];
    stage.done("pruned lesson #9", back.clone());
    assert!(stage.screen().contains("pruned lesson #9 · u takes it back"), "{}", stage.screen());
    stage.typed("u");
    assert_eq!(stage.steps(), back);
    stage.event(Event::Done(Done { is_undo: true, ..none_done("pruned lesson #9") }));
    stage.typed("u");
    assert_eq!(stage.steps(), []);
    assert!(stage.screen().contains("nothing was done in this pane"), "{}", stage.screen());
}

#[test]
fn marked_rows_are_meant_together_and_are_free_afterwards() {
    let mut stage = Stage::with(80, 24, varied());
    stage.key(KeyCode::Down).typed("   ").typed("f");
    let rate = |turn, good| Step::Rate { turn: TurnId(turn), good };
    let mut steps = stage.steps();
    steps.sort_by_key(|step| format!("{step:?}"));
    assert_eq!(steps, [rate(38, true), rate(39, true)]);
    assert!(stage.screen().contains("3 marked"), "{}", stage.screen());
    stage.done("flipped 3 rows", vec![Step::UndoRating { turn: TurnId(39), at: 1 }]);
    assert!(!stage.screen().contains("marked"), "{}", stage.screen());
}

#[test]
fn an_undo_that_nobody_heard_can_be_tried_again() {
    let mut stage = Stage::with(80, 24, varied());
    let back = vec![Step::UndoLesson { lesson: LessonId(9), event: 12 }];
    stage.done("pinned lesson #9", back.clone()).typed("u");
    assert_eq!(stage.steps(), back);
    let lost = Done {
        is_undo: true,
        left: back.clone(),
        trouble: Some("the daemon went away".into()),
        ..none_done("pinned lesson #9")
    };
    stage.event(Event::Done(lost.clone())).typed("u");
    assert_eq!(stage.steps(), back);
    // A daemon that says no would say it again.
    stage.event(Event::Done(Done { is_refused: true, ..lost })).typed("u");
    assert_eq!(stage.steps(), []);
}

#[test]
fn what_was_half_done_can_be_taken_back() {
    let mut stage = Stage::with(80, 24, varied());
    stage.key(KeyCode::Down).typed("d").take();
    let back = vec![Step::UndoLesson { lesson: LessonId(9), event: 12 }];
    let trouble = Some("turn 39 does not exist".to_owned());
    let half = Done { back: back.clone(), trouble, is_refused: true, ..none_done("pruned lesson #9") };
    stage.event(Event::Done(half)).typed("u");
    assert_eq!(stage.steps(), back);
}

#[test]
fn each_letter_asks_for_its_step() {
    let of = |keys: &str| {
        let mut stage = Stage::with(80, 24, varied());
        stage.key(KeyCode::Down).typed(keys);
        stage.steps()
    };
    let lesson = |wish| vec![Step::Lesson { lesson: LessonId(9), wish }];
    let turn = TurnId(39);
    assert_eq!(of("p"), lesson(LessonWish::Pin { pinned: true }));
    assert_eq!(of("sg"), lesson(LessonWish::Rescope { scope: Scope::Global }));
    assert_eq!(of("sp"), lesson(LessonWish::Rescope { scope: Scope::Project("/src/atlas".into()) }));
    assert_eq!(of("ss"), lesson(LessonWish::Rescope { scope: Scope::Session("chat-7".into()) }));
    assert_eq!(of("sq"), []);
    assert_eq!(of("+"), [Step::Rate { turn, good: true }]);
    assert_eq!(of("f"), [Step::Rate { turn, good: true }]);
    assert_eq!(of("Xp"), [Step::Exclude { what: Excluded::Project("/src/atlas".into()), excluded: true }]);
    assert_eq!(of("y"), []);
    assert_eq!(of("z"), []);
}

#[test]
fn what_is_typed_is_what_is_saved() {
    let mut stage = Stage::with(80, 24, varied());
    stage.key(KeyCode::Down).typed("e").ctrl('u').typed("use dust");
    stage.event(Event::Paste(" instead\nof du".into())).key(KeyCode::Enter);
    let wish = LessonWish::Reword { text: "use dust instead of du".into() };
    assert_eq!(stage.steps(), [Step::Lesson { lesson: LessonId(9), wish }]);
    stage.done("reworded", Vec::new());
    stage.typed("E").ctrl('u').key(KeyCode::Enter);
    assert_eq!(stage.steps(), [Step::Hint { turn: TurnId(39), hint: None }]);
    stage.done("reworded", Vec::new());
    stage.typed("sm").typed("duf").key(KeyCode::Enter);
    let scope = Scope::Program("duf".into());
    assert_eq!(stage.steps(), [Step::Lesson { lesson: LessonId(9), wish: LessonWish::Rescope { scope } }]);
    stage.done("rescoped", Vec::new());
    stage.typed("e").ctrl('g');
    assert_eq!(stage.take().last(), Some(&Effect::OpenEditor("use duf instead of df".into())));
    stage.event(Event::Edited(Ok("use ncdu\n".into()))).key(KeyCode::Enter);
    let wish = LessonWish::Reword { text: "use ncdu".into() };
    assert_eq!(stage.steps(), [Step::Lesson { lesson: LessonId(9), wish }]);
}

#[test]
fn what_it_would_answer_now_is_asked_three_ways() {
    let mut stage = Stage::with(80, 24, varied());
    stage.key(KeyCode::Down).take();
    stage.typed("w");
    let asked: Vec<_> = stage
        .take()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Ask { key, way, wish } => Some((key, way, wish.with_lessons, wish.policy)),
            _ => None,
        })
        .collect();
    let (base, v2) = (PolicyVersion::BASE, PolicyVersion(2));
    assert_eq!(
        asked,
        [
            (OF_39, Way::Base, false, Some(base)),
            (OF_39, Way::Lessons, true, Some(base)),
            (OF_39, Way::Adapter(v2), false, Some(v2)),
        ]
    );
}

#[test]
fn an_export_goes_to_the_file_that_is_named() {
    let mut stage = Stage::with(80, 24, varied());
    stage.key(KeyCode::Down).typed("x").ctrl('u').typed("out.jsonl").key(KeyCode::Enter);
    let keys = vec![OF_39];
    assert_eq!(stage.take().last(), Some(&Effect::Export { path: "/src/atlas/out.jsonl".into(), keys }));
    let exists = "out.jsonl exists already; name another file".to_owned();
    stage.event(Event::Exported(Err(exists.clone())));
    assert!(stage.screen().contains(&exists), "{}", stage.screen());
}

#[test]
fn retraining_asks_which_way() {
    let mut stage = Stage::with(80, 24, varied());
    stage.typed("ra");
    assert_eq!(stage.take().last(), Some(&Effect::Learn { anew: true }));
    stage.typed("r").key(KeyCode::Esc).typed("q");
    assert_eq!(stage.take(), [Effect::Quit]);
}

#[test]
fn the_mouse_selects_and_scrolls_until_it_is_given_back() {
    let mut stage = Stage::with(120, 40, varied());
    let mouse = |kind, column, row| Event::Mouse(Mouse { kind, column, row });
    stage.event(mouse(MouseKind::Press, 5, 3));
    assert!(stage.take().contains(&Effect::LoadStory(OF_39)));
    stage.event(mouse(MouseKind::WheelDown, 5, 3)).event(mouse(MouseKind::WheelUp, 5, 3));
    assert!(stage.take().contains(&Effect::LoadStory(OF_39)));
    stage.event(mouse(MouseKind::Press, 5, 39)).event(mouse(MouseKind::Press, 100, 3));
    assert_eq!(stage.take(), []);
    stage.typed("m");
    assert_eq!(stage.take(), [Effect::Mouse(false)]);
}

#[test]
fn what_the_loop_does_meanwhile_is_shown() {
    let mut stage = Stage::with(80, 24, varied());
    stage.take();
    stage.event(Event::News(Box::new(LoopEvent::Serving { version: PolicyVersion(3) })));
    assert!(matches!(stage.take()[..], [Effect::LoadHead, Effect::Load { .. }]));
    // One question at a time: the rest waits for its answer.
    stage.event(Event::News(Box::new(LoopEvent::Missed { n_events: 2 })));
    assert_eq!(stage.take(), []);
}

#[test]
fn a_page_that_cannot_be_read_is_not_asked_for_again_by_itself() {
    let mut stage = Stage::with(80, 24, varied());
    stage.typed("R");
    let ticket = stage.ticket();
    stage.take();
    let outcome = Err("cannot reach the daemon: refused".to_owned());
    stage.event(Event::Page { ticket, outcome });
    assert_eq!(stage.take(), []);
    let screen = stage.screen();
    assert!(screen.contains("cannot reach the daemon") && screen.contains("use duf"), "{screen}");
}
