//! Key scripts: what the chat asks for, and what stands in the composer afterwards.

use std::time::Duration;

use chela::daemon::wire::ChatRequest;
use chela::tui::app::{Effect, Event, Failure, Link};
use chela::tui::input::Pasted;
use chela::turn::{Ending, TurnId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::stage::{Stage, ready};

fn last_request(stage: &Stage) -> &ChatRequest {
    let requests = stage.effects.iter().rev();
    requests
        .into_iter()
        .find_map(|effect| {
            if let Effect::StartAnswer { request, .. } = effect { Some(request.as_ref()) } else { None }
        })
        .unwrap()
}

fn said(stage: &Stage) -> Vec<&str> {
    last_request(stage).messages.iter().map(|message| message.content.as_str()).collect()
}

/// The composer's row.
fn composer(stage: &Stage) -> String {
    let screen = stage.screen();
    screen.lines().rev().find(|row| row.starts_with('›')).unwrap().to_owned()
}

#[test]
fn newlines_and_sending() {
    let mut stage = Stage::ready(80, 24);
    stage.typed("a").ctrl('j').typed("b").alt(KeyCode::Enter).typed("c");
    stage.event(Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::SHIFT)));
    stage.send("d\\").send("e");
    assert_eq!(said(&stage).last(), Some(&"a\nb\nc\nd\ne"));
}

#[test]
fn what_is_sent_before_the_model_is_ready_waits_and_goes_in_order() {
    let mut stage = Stage::new(80, 24);
    stage.send("one").send("two");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::StartAnswer { .. })));
    stage.event(Event::Link(ready()));
    assert_eq!(said(&stage).last(), Some(&"one"));
    stage.placed().piece("1").ended(Ending::Stop, 10);
    assert_eq!(said(&stage)[1..], ["one", "1", "two"]);
}

#[test]
fn escape_interrupts_once_the_turn_is_known() {
    let mut stage = Stage::ready(80, 24);
    stage.send("count").key(KeyCode::Esc);
    assert!(!stage.effects.contains(&Effect::Interrupt(TurnId(1))));
    stage.placed().key(KeyCode::Esc);
    assert_eq!(stage.effects.iter().filter(|effect| **effect == Effect::Interrupt(TurnId(1))).count(), 1);
}

#[test]
fn escape_twice_edits_the_previous_message_and_branches_off() {
    let mut stage = Stage::ready(80, 24);
    stage.exchange("first", "A").exchange("second", "B");
    stage.key(KeyCode::Esc).key(KeyCode::Esc);
    assert_eq!(composer(&stage), "› second");
    stage.send(" try");
    assert_eq!(said(&stage)[1..], ["first", "A", "second try"]);
    assert_eq!(last_request(&stage).chela.as_ref().unwrap().parent, Some(TurnId(1)));
}

#[test]
fn ctrl_c_stops_then_clears_then_quits() {
    let mut stage = Stage::ready(80, 24);
    stage.send("count").placed().typed("draft").ctrl('c');
    assert!(stage.effects.contains(&Effect::Interrupt(TurnId(1))));
    stage.ended(Ending::Stop, 3).ctrl('c');
    assert_eq!(composer(&stage), "›");
    stage.ctrl('c');
    assert!(!stage.effects.contains(&Effect::Quit));
    stage.ctrl('c');
    assert!(stage.effects.contains(&Effect::Quit));
}

#[test]
fn one_ctrl_c_is_forgotten_after_a_while() {
    let mut stage = Stage::ready(80, 24);
    stage.ctrl('c');
    stage.now = Duration::from_secs(5);
    stage.ctrl('c');
    assert!(!stage.effects.contains(&Effect::Quit));
}

#[test]
fn what_ctrl_c_cleared_comes_back_with_up() {
    let mut stage = Stage::ready(80, 24);
    stage.typed("precious").ctrl('c').key(KeyCode::Up);
    assert_eq!(composer(&stage), "› precious");
}

#[test]
fn ctrl_d_quits_only_an_empty_composer() {
    let mut stage = Stage::ready(80, 24);
    stage.typed("ab").ctrl('a').ctrl('d');
    assert_eq!(composer(&stage), "› b");
    stage.ctrl('d').ctrl('d');
    assert!(stage.effects.contains(&Effect::Quit));
}

#[test]
fn up_takes_back_what_waits_before_it_walks_the_history() {
    let mut stage = Stage::ready(80, 24);
    stage.send("one").placed().send("two").key(KeyCode::Up);
    assert_eq!(composer(&stage), "› two");
    stage.ctrl('u').key(KeyCode::Up).key(KeyCode::Up);
    assert_eq!(composer(&stage), "› one");
}

#[test]
fn history_returns_to_what_was_being_written() {
    let mut stage = Stage::ready(80, 24);
    stage.event(Event::History(vec!["old".into()]));
    stage.typed("draft").key(KeyCode::Up);
    assert_eq!(composer(&stage), "› old");
    stage.key(KeyCode::Down);
    assert_eq!(composer(&stage), "› draft");
}

#[test]
fn search_keeps_or_gives_back() {
    let mut stage = Stage::ready(80, 24);
    stage.event(Event::History(vec!["git push".into(), "git pull".into()]));
    stage.typed("x").ctrl('r').typed("git");
    assert_eq!(composer(&stage), "› git pull");
    stage.ctrl('r');
    assert_eq!(composer(&stage), "› git push");
    stage.key(KeyCode::Esc);
    assert_eq!(composer(&stage), "› x");
}

#[test]
fn the_palette_completes_and_runs() {
    let mut stage = Stage::ready(80, 24);
    stage.typed("/stat").key(KeyCode::Tab);
    assert_eq!(composer(&stage), "› /status");
    stage.key(KeyCode::Enter);
    assert!(stage.effects.contains(&Effect::LoadStatus));
}

#[test]
fn an_unknown_command_names_the_nearest() {
    let mut stage = Stage::ready(80, 24);
    stage.send("/modle");
    assert!(
        stage.screen().contains("there is no command /modle; did you mean /model?"),
        "{}",
        stage.screen()
    );
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::StartAnswer { .. })));
}

#[test]
fn a_message_that_cannot_fit_is_refused_and_kept() {
    let mut stage = Stage::ready(80, 24);
    stage.typed("see ").event(Event::Paste(Pasted::new(&vec![b'x'; 200_000_000])));
    assert!(composer(&stage).contains("[paste #1: 1 line, 200.0 MB]"), "{}", composer(&stage));
    stage.key(KeyCode::Enter);
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::StartAnswer { .. })));
    let screen = stage.screen();
    assert!(screen.contains("this message has 200.0 MB"), "{screen}");
    assert!(screen.contains("8192 tokens"), "{screen}");
    assert!(composer(&stage).contains("[paste #1"), "{screen}");
}

#[test]
fn the_counter_decides_what_fits() {
    let mut stage = Stage::ready(80, 24);
    stage.event(Event::Counter(Box::new(|text| text.split_whitespace().count())));
    stage.event(Event::Paste(Pasted::new("word ".repeat(8000).as_bytes()))).key(KeyCode::Enter);
    assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::StartAnswer { .. })));
}

#[test]
fn a_refused_message_comes_back() {
    let mut stage = Stage::ready(80, 24);
    stage.send("hello").failed(Failure::Refused("the engine is full".into()));
    assert_eq!(composer(&stage), "› hello");
    assert!(stage.screen().contains("error: the engine is full"));
}

#[test]
fn a_lost_daemon_is_connected_again_and_its_ledger_read() {
    let mut stage = Stage::ready(80, 24);
    stage.send("count").placed().piece("one").send("next").failed(Failure::Lost);
    assert!(stage.effects.contains(&Effect::Connect));
    assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::LoadThread { .. })));
    assert!(stage.screen().contains("one"));
    assert!(stage.screen().contains("waits: next"));
}

#[test]
fn no_model_is_asked_for_again_with_the_next_message() {
    let mut stage = Stage::new(80, 24);
    stage.event(Event::Link(Link::Down("no model".into())));
    stage.send("hello");
    assert!(stage.effects.contains(&Effect::Connect));
    assert!(stage.screen().contains("waits: hello"));
}

#[test]
fn command_output_goes_along_with_the_next_message() {
    let mut stage = Stage::ready(80, 24);
    stage
        .send("!ls")
        .event(Event::CommandOutput(b"a.txt\n".to_vec()))
        .event(Event::CommandEnded("exit status 0".into()));
    stage.send("what is it?");
    let expected =
        "I ran `ls` in /home/ada/project. Its output:\n```\na.txt\n```\nexit status 0\n\nwhat is it?";
    assert_eq!(said(&stage).last(), Some(&expected));
}

#[test]
fn command_output_goes_along_again_after_a_refusal() {
    let mut stage = Stage::ready(80, 24);
    stage.send("!ls").event(Event::CommandEnded("exit status 0".into()));
    stage.send("what").failed(Failure::Refused("busy".into())).key(KeyCode::Enter);
    assert!(said(&stage).last().unwrap().starts_with("I ran `ls`"), "{:?}", said(&stage));
}

#[test]
fn an_edit_that_is_given_up_comes_back_with_up() {
    let mut stage = Stage::ready(80, 24);
    stage.exchange("first", "A").key(KeyCode::Esc).key(KeyCode::Esc).typed(" changed").key(KeyCode::Esc);
    assert_eq!(composer(&stage), "›");
    stage.key(KeyCode::Up);
    assert_eq!(composer(&stage), "› first changed");
}

#[test]
fn copy_and_export() {
    let mut stage = Stage::ready(80, 24);
    stage.exchange("how", "Run:\n\n```sh\nls\n```\n").send("/copy code").send("/copy").send("/export x.md");
    assert!(stage.effects.contains(&Effect::Copy("ls".into())));
    assert!(stage.effects.contains(&Effect::Copy("Run:\n\n```sh\nls\n```\n".into())));
    let text = "## You\n\nhow\n\n## chela\n\nRun:\n\n```sh\nls\n```\n\n";
    assert!(
        stage
            .effects
            .contains(&Effect::WriteNew { path: "/home/ada/project/x.md".into(), text: text.into() })
    );
}

#[test]
fn idle_means_no_bytes_and_no_wake_up() {
    let mut stage = Stage::ready(80, 24);
    stage.exchange("a", "b").event(Event::Tick);
    assert_eq!(stage.last_frame, b"");
    assert_eq!(stage.app.next_change(), None);
}

#[test]
fn plain_text_streams_as_it_comes_and_choices_have_numbers() {
    let mut stage = Stage::plain();
    stage
        .event(Event::Link(ready()))
        .event(Event::Line("hi".into()))
        .placed()
        .piece("Hel")
        .piece("lo")
        .ended(Ending::Stop, 5);
    let written: String = stage
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Write(text) = effect { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(written, "Hello\n");
    stage
        .event(Event::Line("/model".into()))
        .event(Event::Models(Ok(vec![("a".into(), "x".into()), ("b".into(), "y".into())])));
    stage.event(Event::Line("2".into()));
    assert!(stage.effects.contains(&Effect::UseModel("b".into())));
}

#[test]
fn piped_lines_are_done_in_order_and_then_it_is_over() {
    let mut stage = Stage::plain();
    for line in ["hi", "/model", "1", "bye"] {
        stage.event(Event::Line(line.into()));
    }
    stage.event(Event::EndOfInput);
    assert!(stage.effects.iter().all(|effect| matches!(effect, Effect::Record(_))), "{:?}", stage.effects);
    stage.event(Event::Link(ready())).placed().ended(Ending::Stop, 5);
    assert_eq!(stage.effects.last(), Some(&Effect::LoadModels));
    stage.event(Event::Models(Ok(vec![("a".into(), "x".into())])));
    assert_eq!(stage.effects.last(), Some(&Effect::UseModel("a".into())));
    stage.event(Event::ModelUsed(Err("no".into()))).event(Event::Link(ready()));
    assert_eq!(said(&stage).last(), Some(&"bye"));
    assert!(!stage.app.is_over());
    stage.placed().ended(Ending::Stop, 5);
    assert!(stage.app.is_over());
}

#[test]
fn without_a_model_piped_lines_end_in_failure() {
    let mut stage = Stage::plain();
    stage
        .event(Event::Line("hi".into()))
        .event(Event::EndOfInput)
        .event(Event::Link(Link::Down("no model".into())));
    assert!(stage.app.is_over() && stage.app.is_stuck());
}

#[test]
fn a_frame_with_four_thousand_messages_takes_less_than_two_milliseconds() {
    let mut stage = Stage::ready(120, 40);
    for n in 0..2000 {
        stage.exchange(&format!("question {n}"), "An answer with `code` and **bold** words.");
    }
    stage.send("one more").placed().piece("A paragraph that is still ");
    let begin = std::time::Instant::now();
    let n_frames = 200;
    for _ in 0..n_frames {
        stage.piece("open ");
    }
    let frame = begin.elapsed() / n_frames;
    assert!(frame < Duration::from_millis(2), "{frame:?}");
}
