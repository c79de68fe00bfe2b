//! `/off` in the chat: what is sent, what is remembered, and what the person sees.

use chela::daemon::wire::ChatRequest;
use chela::tui::app::{Effect, Event};
use chela::turn::{Ending, TurnId};

use super::stage::Stage;

fn request_of(effect: &Effect) -> Option<&ChatRequest> {
    if let Effect::StartAnswer { request, .. } = effect { Some(request.as_ref()) } else { None }
}

fn requests(stage: &Stage) -> Vec<&ChatRequest> {
    stage.effects.iter().filter_map(request_of).collect()
}

fn said(request: &ChatRequest) -> Vec<&str> {
    request.messages.iter().skip(1).map(|message| message.content.as_str()).collect()
}

fn record_of(effect: &Effect) -> Option<&str> {
    if let Effect::Record(text) = effect { Some(text.as_str()) } else { None }
}

fn remembered(stage: &Stage) -> Vec<&str> {
    stage.effects.iter().filter_map(record_of).collect()
}

#[test]
fn what_is_said_off_the_record_is_not_stored_and_does_not_go_along_afterwards() {
    let mut stage = Stage::ready(80, 24);
    stage.exchange("list files", "ls");
    stage.send("/off").exchange("and my taxes?", "ls taxes").send("/on").exchange("thanks", "fine");
    let requests = requests(&stage);
    assert_eq!(requests.iter().map(|request| request.store).collect::<Vec<_>>(), [None, Some(false), None]);
    assert_eq!(said(requests[1]), ["list files", "ls", "and my taxes?"]);
    assert_eq!(said(requests[2]), ["list files", "ls", "thanks"]);
    assert_eq!(requests[2].chela.as_ref().unwrap().parent, Some(TurnId(1)));
    assert_eq!(remembered(&stage), ["list files", "/off", "thanks"]);
}

fn status(stage: &Stage) -> String {
    stage.screen().lines().rev().find(|row| !row.is_empty()).unwrap().to_owned()
}

#[test]
fn the_status_line_says_so_first() {
    let mut stage = Stage::ready(80, 24);
    stage.send("/off");
    let screen = stage.screen();
    let said = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("off the record: what you say and what is answered until /on is kept nowhere"),
        "{screen}"
    );
    let shown = status(&stage);
    assert!(shown.starts_with("  off the record · chela-starter"), "{shown}");
    stage.send("/off");
    let shown = status(&stage);
    assert!(shown.starts_with("  chela-starter"), "{shown}");
}

#[test]
fn a_narrow_screen_says_it_too() {
    let mut stage = Stage::ready(40, 10);
    stage.send("/off");
    let shown = status(&stage);
    assert!(shown.starts_with("  off the record"), "{shown}");
}

#[test]
fn what_waits_behind_the_switch_is_not_remembered() {
    let mut stage = Stage::ready(80, 24);
    stage.send("count").send("/off").send("my taxes").send("/on").send("go on");
    assert_eq!(remembered(&stage), ["count", "/off", "go on"]);
    stage.placed().piece("1").ended(Ending::Stop, 10);
    assert_eq!(requests(&stage).last().unwrap().store, Some(false));
}

#[test]
fn a_chat_that_begins_off_the_record_stores_nothing_until_it_is_on() {
    let mut stage = Stage::ready(80, 24);
    stage.event(Event::OffRecord).exchange("hello", "hi").send("/new").exchange("again", "hi");
    assert!(requests(&stage).iter().all(|request| request.store == Some(false)));
    stage.send("/on").send("now");
    let requests = requests(&stage);
    assert_eq!((said(requests[2]), requests[2].store), (vec!["now"], None));
}

#[test]
fn nothing_is_taught_or_resumed_there() {
    let mut stage = Stage::ready(80, 24);
    stage.send("/off").send("/teach use rg").send("/resume");
    let calls =
        stage.effects.iter().filter(|effect| matches!(effect, Effect::Tell(_) | Effect::LoadSessions));
    assert_eq!(calls.count(), 0);
    assert!(stage.screen().contains("/on first"));
}
