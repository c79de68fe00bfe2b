//! What the chat shows of the loop: lessons as they are understood, and the commands that teach.

use chela::daemon::wire::{Lesson, LessonId, LoopEvent};
use chela::lesson::Scope;
use chela::tui::app::{Effect, Event, Telling};
use chela::turn::TurnId;

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
