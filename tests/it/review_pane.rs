//! The review pane without a terminal: whole screens at three sizes, and what keys ask for.

mod board;
mod credit;
mod stage;

use chela::daemon::wire::review::{Excluded, ReviewCursor, ReviewPage, ReviewWord};
use chela::daemon::wire::{LearnPhase, LessonWish, LoopEvent};
use chela::lesson::{LessonId, Scope};
use chela::tui::mouse::{Mouse, MouseKind};
use chela::tui::review::{Done, Effect, Event, Key, Step, Way};
use chela::turn::{PolicyVersion, TurnId};
use crossterm::event::KeyCode;
use insta::assert_snapshot;

use stage::{OF_39, Stage, answered, none_done, row, told, varied};

const SIZES: [(usize, usize); 3] = [(80, 24), (120, 40), (40, 12)];

/// The same story at three sizes.
fn check(name: &str, play: impl Fn(&mut Stage)) {
    for (columns, rows) in SIZES {
        let mut stage = Stage::with(columns, rows, varied());
        play(&mut stage);
        assert_snapshot!(format!("{name}_{columns}x{rows}"), stage.screen());
    }
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
