//! Off the record: answered like everything else, and kept nowhere.

use std::path::PathBuf;

use chela::client::ClientError;
use chela::daemon::wire::{ChatRequest, LoopEvent, Teach};
use chela::engine::scripted::{Gate, Scripted, Step};
use chela::store::Reader;
use chela::turn::next_state::NextState;
use chela::turn::{Ending, Message, Role, TurnId};

use crate::served::{Served, files_that, next, opened, paths_in, request, rest, serve, text, until};
use crate::teaching::ask;

/// In no word list, no model and no path.
const MARK: &str = "zzyx-quoll-47";

fn saying(words: &'static str) -> Served {
    serve(Scripted::new("scripted", 4096, Box::new(move |_| vec![Step::Say(words.to_owned())])))
}

fn off(text: &str) -> ChatRequest {
    ChatRequest { store: Some(false), ..request(text) }
}

/// How a foreign client asks in one request.
fn body(text: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn holds_mark(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, MARK.as_bytes()).is_some()
}

#[test]
fn nothing_of_it_is_in_any_file_or_event_however_it_is_asked_for() {
    let served = saying(MARK);
    let mut events = served.client.events().unwrap();
    let mut stream = served.client.chat(&off(MARK)).unwrap();
    let answer = opened(&mut stream);
    assert!(!answer.turn.is_recorded(), "{:?}", answer.turn);
    assert_eq!(rest(stream).0, MARK);
    for request in [
        ([("x-chela-record", "off"), ("x-session-id", MARK)], body(MARK)),
        (
            [("x-session-done", "true"), ("x-session-id", MARK)],
            body(MARK).replacen('{', r#"{"store":false,"#, 1),
        ),
    ] {
        let answer = served.post("/v1/chat/completions", &request.0, &request.1);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.json()["chela"]["turn"].as_i64().unwrap() < 0);
        assert_eq!(answer.json()["choices"][0]["message"]["content"], MARK);
    }
    // What comes after it is heard; so nothing of it was told before.
    let teach = Teach { text: "use rg instead of grep".into(), scope: None, turn: None };
    served.client.teach(&teach).unwrap();
    let lesson = events.find(|event| {
        let told = serde_json::to_string(event.as_ref().unwrap()).unwrap();
        assert!(!told.contains(MARK), "{told}");
        told.contains("use rg")
    });
    assert!(lesson.is_some());
    assert!(served.client.sessions(10, "").unwrap().sessions.is_empty());
    let refused = served.client.turn(answer.turn).unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 404, .. }), "{refused}");

    let ledger = served.paths.ledger();
    let home = served.stop();
    assert_eq!(Reader::open(&ledger).unwrap().counts().unwrap().turns, 0);
    assert_eq!(files_that(home.path(), &holds_mark), Vec::<PathBuf>::new());
}

#[test]
fn a_word_that_is_neither_on_nor_off_is_refused() {
    let served = saying("hi");
    let answer = served.post("/v1/chat/completions", &[("x-chela-record", "never")], &body("hello"));
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_header"));
    assert!(
        answer.message().contains("X-Chela-Record: \"never\" is neither on nor off"),
        "{}",
        answer.message()
    );
    served.stop();
}

/// The request that goes on after a turn with what the person says next.
fn continued(turn: TurnId, said: &str) -> ChatRequest {
    let mut next = request("search src for todo");
    next.messages.push(Message::new(Role::Assistant, "hi"));
    next.messages.push(Message::new(Role::User, said));
    next.chela.as_mut().unwrap().parent = Some(turn);
    next
}

#[test]
fn what_is_said_off_the_record_is_told_to_no_turn_and_the_conversation_goes_on_without_it() {
    let served = saying("hi");
    let (turn, _) = ask(&served, &request("search src for todo"));
    let aside = ChatRequest { store: Some(false), ..continued(turn, &format!("no, use {MARK}")) };
    let (unrecorded, _) = ask(&served, &aside);
    assert!(!unrecorded.is_recorded());
    let (next, _) = ask(&served, &continued(turn, "thanks"));
    let replied = NextState::Reply { text: "thanks".into() };
    until(|| !served.client.why(turn).unwrap().next_states.is_empty());
    let story = served.client.why(turn).unwrap();
    assert_eq!(story.next_states.iter().map(|row| &row.state).collect::<Vec<_>>(), [&replied]);
    assert_eq!(served.client.turn(next).unwrap().parent, Some(turn));
    let home = served.stop();
    assert_eq!(files_that(home.path(), &holds_mark), Vec::<PathBuf>::new());
}

#[test]
fn lessons_are_used_and_none_counts_it() {
    let served = saying("hi");
    let teach = Teach {
        text: "use rg instead of grep".into(),
        scope: Some(chela::lesson::Scope::Global),
        turn: None,
    };
    let lesson = served.client.teach(&teach).unwrap().id;
    let (_, lessons) = ask(&served, &off("search src for todo"));
    assert_eq!(lessons, ["use rg instead of grep"]);
    assert!(served.client.lesson(lesson).unwrap().uses.is_empty());
    served.stop();
}

#[test]
fn it_can_be_interrupted() {
    let gate = Gate::default();
    let steps = vec![Step::Say("one ".into()), Step::Wait(gate), Step::Say("two".into())];
    let served = serve(Scripted::new("scripted", 4096, Box::new(move |_| steps.clone())));
    let mut stream = served.client.chat(&off("count")).unwrap();
    let turn = opened(&mut stream).turn;
    assert_eq!(text(&mut stream), "one ");
    served.client.interrupt(turn).unwrap();
    assert_eq!(next(&mut stream).chela.unwrap().ending, Some(Ending::Interrupted));
    // A second time there is nothing to interrupt, and that is no error.
    served.client.interrupt(turn).unwrap();
    drop(stream);
    served.stop();
}

#[test]
fn an_answer_on_the_record_is_recorded_beside_it() {
    let served = saying("hi");
    ask(&served, &off("one"));
    let (turn, _) = ask(&served, &ChatRequest { store: Some(true), ..request("two") });
    assert_eq!(turn, TurnId(1));
    let mut events = served.client.events().unwrap();
    served.client.rate(turn, &chela::daemon::wire::Rate { good: true, note: None }).unwrap();
    let judged = events.find_map(|event| match event.unwrap() {
        LoopEvent::Judged { turn, .. } => Some(turn),
        _ => None,
    });
    assert_eq!(judged, Some(turn));
    let home = served.stop();
    assert_eq!(Reader::open(&paths_in(&home).ledger()).unwrap().counts().unwrap().turns, 1);
}
