//! What the chat shows of the loop: lessons as they are understood, and the commands that teach.

use chela::daemon::wire::{LearnPhase, Lesson, LessonId, LoopEvent};
use chela::lesson::Scope;
use chela::tui::app::{Effect, Event, Telling};
use chela::turn::{PolicyVersion, TurnId};

use super::stage::Stage;

fn corrected() -> Stage {
    let mut stage = Stage::ready(80, 16);
    stage.exchange("search src for todo", "grep -r todo src");
    stage.exchange("no, use rg instead of grep", "rg todo src");
    stage
}

fn drawn(turn: i64) -> Event {
    let lesson = Lesson::new(LessonId(3), "use rg instead of grep", Scope::Program("grep".into()), 0);
    Event::News(Box::new(LoopEvent::Lesson { lesson, turn: Some(TurnId(turn)) }))
}

#[test]
fn an_understood_correction_is_one_line_with_its_scope_and_the_way_back() {
    let mut stage = corrected();
    stage.event(drawn(1));
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn undo_takes_back_the_newest_lesson_once() {
    let mut stage = corrected();
    stage.event(drawn(1)).send("/undo");
    assert!(stage.effects.contains(&Effect::Tell(Telling::Undo(LessonId(3)))));
    stage.event(Event::Told(Ok(vec!["taken back: use rg instead of grep".into()])));
    stage.effects.clear();
    stage.send("/undo");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Tell(_))));
}

#[test]
fn lessons_of_other_chats_are_not_told_here() {
    let mut stage = corrected();
    let before = stage.screen();
    stage.event(drawn(77));
    assert_eq!(stage.screen(), before);
}

#[test]
fn ratings_and_lessons_are_about_the_last_answer() {
    let mut stage = corrected();
    stage.send("/bad it should be rg");
    let bad = Telling::Rate { turn: TurnId(2), good: false, note: Some("it should be rg".into()) };
    assert!(stage.effects.contains(&Effect::Tell(bad)));
    stage.event(Event::Told(Err("the daemon went away".into()))).send("/teach use rg");
    let teach = Telling::Teach { text: "use rg".into(), turn: Some(TurnId(2)) };
    assert!(stage.effects.contains(&Effect::Tell(teach)));
}

#[test]
fn an_answer_without_a_question_cannot_be_rated() {
    let mut stage = Stage::ready(80, 16);
    stage.send("/good").send("/why").send("/undo").send("/teach");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Tell(_))));
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn the_status_line_shows_how_far_learning_is() {
    let mut stage = corrected();
    let at = LoopEvent::Learning {
        run: 1,
        phase: LearnPhase::Training,
        done: 12,
        total: 40,
        loss: Some(0.4),
        eta_s: Some(8.0),
    };
    stage.event(Event::News(Box::new(at)));
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn a_decision_is_told_with_its_strongest_reason() {
    let mut stage = corrected();
    let decided = |version: u32, is_promoted: bool, reasons: &[&str]| {
        Event::News(Box::new(LoopEvent::Decided {
            run: 1,
            version: PolicyVersion(version),
            is_promoted,
            reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        }))
    };
    stage.event(decided(1, false, &["safety probes: 26 of 27 kept", "it forgot lesson 2"]));
    stage.event(decided(2, true, &["lesson 1 is obeyed 8 of 8 times, 0 of 8 before"]));
    stage.event(Event::News(Box::new(LoopEvent::Serving { version: PolicyVersion(2) })));
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn learning_and_rolling_back_are_commands_of_the_chat() {
    let mut stage = corrected();
    stage.send("/learn");
    stage.event(Event::Told(Ok(vec!["learning begins".into()]))).send("/rollback");
    for telling in [Telling::Learn, Telling::RollBack] {
        assert!(stage.effects.contains(&Effect::Tell(telling)));
    }
}

#[test]
fn the_last_answer_is_forgotten_after_a_second_word() {
    let mut stage = corrected();
    stage.send("/forget");
    assert!(stage.effects.contains(&Effect::Tell(Telling::Forget { turn: TurnId(2), sure: false })));
    stage.event(Event::Told(Ok(vec!["1 turn".into()]))).send("/forget yes");
    assert!(stage.effects.contains(&Effect::Tell(Telling::Forget { turn: TurnId(2), sure: true })));
}

#[test]
fn what_was_forgotten_elsewhere_is_not_sent_again() {
    let mut stage = corrected();
    let forgotten = LoopEvent::Forgotten { lessons: vec![LessonId(3)], turns: vec![TurnId(1)] };
    stage.event(drawn(1)).event(Event::News(Box::new(forgotten)));
    assert!(stage.screen().contains("a message of this conversation is forgotten"), "{}", stage.screen());
    stage.effects.clear();
    stage.send("/undo").send("and now in lib");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Tell(_))), "the lesson is gone");
    let sent = stage.effects.iter().find_map(|effect| match effect {
        Effect::StartAnswer { request, .. } => Some(request),
        _ => None,
    });
    let said: Vec<&str> = sent.unwrap().messages.iter().map(|message| message.content.as_str()).collect();
    assert!(!said.contains(&"search src for todo"), "{said:?}");
    assert!(said.contains(&"no, use rg instead of grep"), "{said:?}");
}
