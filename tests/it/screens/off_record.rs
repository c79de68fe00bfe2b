//! `/off` in the chat: what is sent, what is remembered, and what the person sees.

use chela::daemon::wire::ChatRequest;
use chela::tui::app::{Effect, Event};
use chela::turn::{Ending, TurnId};

use super::stage::Stage;

fn requests(stage: &Stage) -> Vec<&ChatRequest> {
    let of =
        |effect| if let Effect::StartAnswer { request, .. } = effect { Some(request.as_ref()) } else { None };
    stage.effects.iter().filter_map(of).collect()
}

fn said(request: &ChatRequest) -> Vec<&str> {
    request.messages.iter().skip(1).map(|message| message.content.as_str()).collect()
}

fn remembered(stage: &Stage) -> Vec<&str> {
    let of = |effect| if let Effect::Record(text) = effect { Some(text.as_str()) } else { None };
    stage.effects.iter().filter_map(of).collect()
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

#[test]
fn the_status_line_says_so_first() {
    let mut stage = Stage::ready(80, 24);
    stage.send("/off");
    insta::assert_snapshot!(stage.screen(), @"");
    let status = stage.screen().lines().last().unwrap().to_owned();
    assert!(status.starts_with("  off the record · chela-starter"), "{status}");
    stage.send("/off");
    let status = stage.screen().lines().last().unwrap().to_owned();
    assert!(status.starts_with("  chela-starter"), "{status}");
}

#[test]
fn a_narrow_screen_says_it_too() {
    let mut stage = Stage::ready(40, 10);
    stage.send("/off");
    let status = stage.screen().lines().last().unwrap().to_owned();
    assert!(status.starts_with("  off the record"), "{status}");
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
