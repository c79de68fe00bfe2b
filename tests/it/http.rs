//! The daemon's HTTP interface: answers as they stream, what the ledger holds at each moment, and every refusal.

use std::sync::Arc;

use chela::daemon::wire::{ChatAnswer, ChatRequest, LogprobList, UseModel};
use chela::engine::EngineError;
use chela::engine::scripted::{Gate, Scripted, Step};
use chela::turn::{Ending, Message, PolicyVersion, Role, SessionId, Source, TurnId, TurnKind};
use serde_json::{Value, json};

use crate::served::{
    Served, TOKEN, home, loader_of_many, next, opened, request, rest, serve, serve_from, text, until,
};

fn say(text: &str) -> Step {
    Step::Say(text.to_owned())
}

/// An engine that does these steps for every prompt.
fn playing(steps: Vec<Step>) -> Scripted {
    Scripted::new("scripted", 4096, Box::new(move |_| steps.clone()))
}

fn body(fields: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"hello"}}]{fields}}}"#)
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_token_is_in_the_ledger_before_it_is_on_the_screen() {
    let (first, second) = (Gate::default(), Gate::default());
    let steps = vec![
        say("Hel"),
        Step::Wait(first.clone()),
        say("lo"),
        Step::Wait(second.clone()),
        Step::SayAt("!".into(), -2.0),
    ];
    let served = serve(playing(steps));
    let mut stream = served.chat("greet me");
    let chela = opened(&mut stream);
    assert_eq!((chela.session.0.as_str(), chela.policy, chela.n_ctx), ("s", PolicyVersion::BASE, 4096));
    assert_eq!(text(&mut stream), "Hel");
    let turn = served.client.turn(chela.turn).unwrap();
    assert_eq!((turn.response.as_str(), turn.ending, turn.n_response), ("Hel", None, 1));
    first.open();
    assert_eq!(text(&mut stream), "lo");
    assert_eq!(served.client.turn(chela.turn).unwrap().response, "Hello");
    second.open();
    assert_eq!(text(&mut stream), "!");
    let last = next(&mut stream);
    assert_eq!(last.choices[0].finish_reason.as_deref(), Some("stop"));
    assert_eq!(served.client.turn(chela.turn).unwrap().ending, Some(Ending::Stop));
    assert_eq!(last.chela.unwrap().ending, Some(Ending::Stop));
    let usage = next(&mut stream).usage.unwrap();
    assert_eq!((usage.completion_tokens, usage.total_tokens), (3, usage.prompt_tokens + 3));
    assert!(stream.next().is_none());
    let stored = served.stop_and_read(chela.turn);
    assert_eq!((stored.tokens, stored.logprobs), (vec![0, 1, 2], vec![-0.5, -0.5, -2.0]));
    assert_eq!((stored.row.source, stored.row.cwd.as_deref()), (Source::Chat, Some("/here")));
    let settings: Value = serde_json::from_str(&stored.settings).unwrap();
    assert!(settings["seed"].is_u64(), "{settings}");
}

#[test]
fn a_client_that_goes_away_ends_its_answer() {
    let served = serve(playing(vec![say("so"), Step::Wait(Gate::default()), say("never")]));
    let mut stream = served.chat("talk");
    let turn = opened(&mut stream).turn;
    assert_eq!(text(&mut stream), "so");
    drop(stream);
    let stored = served.stop_and_read(turn);
    assert_eq!((stored.row.ending, stored.row.response.as_str()), (Some(Ending::Disconnected), "so"));
}

#[test]
fn a_client_that_waits_for_a_whole_answer_and_goes_away_ends_it_too() {
    let gate = Gate::default();
    let served = serve(playing(vec![say("so"), Step::Wait(gate), say("never")]));
    let mut stream = served.chat("first");
    let turn = opened(&mut stream).turn;
    {
        use std::io::Write;
        let mut foreign = std::os::unix::net::UnixStream::connect(served.paths.socket()).unwrap();
        let body = body("");
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        foreign.write_all(head.as_bytes()).unwrap();
        foreign.write_all(body.as_bytes()).unwrap();
        until(|| served.client.status().unwrap().running_requests == 2);
    }
    until(|| served.client.status().unwrap().running_requests == 1);
    let second = served.client.turn(TurnId(turn.0 + 1)).unwrap();
    assert_eq!(second.ending, Some(Ending::Disconnected));
    drop(stream);
    served.stop();
}

#[test]
fn an_interrupt_keeps_what_was_said() {
    let served = serve(playing(vec![say("well"), Step::Wait(Gate::default()), say("never")]));
    let mut stream = served.chat("talk");
    let turn = opened(&mut stream).turn;
    assert_eq!(text(&mut stream), "well");
    served.client.interrupt(turn).unwrap();
    let last = next(&mut stream);
    assert_eq!(last.choices[0].finish_reason.as_deref(), Some("stop"));
    assert_eq!(last.chela.unwrap().ending, Some(Ending::Interrupted));
    let again = served.post(&format!("/chela/v1/turns/{}/interrupt", turn.0), &[], "");
    assert_eq!(again.json(), json!({"was_running": false}));
    let stored = served.stop_and_read(turn);
    assert_eq!((stored.row.ending, stored.row.response.as_str()), (Some(Ending::Interrupted), "well"));
}

#[test]
fn text_that_was_held_back_is_part_of_the_answer_and_of_the_ledger() {
    let served = serve(playing(vec![say("a"), Step::Rest(" b".into())]));
    let stream = served.chat("talk");
    let (said, chunks, error) = rest(stream);
    assert_eq!((said.as_str(), error.map(|err| err.to_string())), ("a b", None));
    let turn = chunks[0].chela.clone().unwrap().turn;
    assert_eq!(served.stop_and_read(turn).row.response, "a b");
}

#[test]
fn an_answer_stops_at_max_tokens() {
    let served = serve(Scripted::saying(&["one ", "two ", "three"]));
    let answer = served.post(CHAT, &[], &body(r#","max_tokens":2"#)).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["choices"][0]["message"]["content"], "one two ");
    assert_eq!(served.client.turn(TurnId(1)).unwrap().ending, Some(Ending::Length));
    served.stop();
}

#[test]
fn a_whole_answer_equals_a_streamed_one() {
    let served = serve(Scripted::saying(&["Hel", "lo", " there"]));
    let fields = r#","logprobs":true,"top_logprobs":2,"seed":7"#;
    let raw = served.post(CHAT, &[], &body(fields));
    assert!(raw.head.contains("x-chela-policy: v0"), "{}", raw.head);
    let whole: ChatAnswer = serde_json::from_value(raw.json()).unwrap();
    let mut asked: ChatRequest = serde_json::from_str(&body(fields)).unwrap();
    asked.chela = request("").chela;
    let (said, chunks, error) = rest(served.client.chat(&asked).unwrap());
    assert!(error.is_none());
    let lists = chunks.iter().filter_map(|chunk| chunk.choices.first()?.logprobs.clone());
    let content = lists.flat_map(|list| list.content).collect();
    let choice = &whole.choices[0];
    assert_eq!(choice.message.content.as_deref(), Some(said.as_str()));
    assert_eq!(choice.logprobs, Some(LogprobList { content, refusal: None }));
    assert_eq!(Some(whole.usage), chunks.last().unwrap().usage);
    assert_eq!(said, "Hello there");
    served.stop();
}

#[test]
fn logprobs_have_openais_shape() {
    let served = serve(playing(vec![Step::SayAt("é".into(), -0.25)]));
    let answer = served.post(CHAT, &[], &body(r#","logprobs":true,"top_logprobs":2"#)).json();
    let expected = json!({"content": [{
        "token": "é",
        "logprob": -0.25,
        "bytes": [195, 169],
        "top_logprobs": [
            {"token": "é", "logprob": -0.25, "bytes": [195, 169]},
            {"token": "?", "logprob": -2.25, "bytes": [63]},
        ],
    }], "refusal": null});
    assert_eq!(answer["choices"][0]["logprobs"], expected);
    let without = served.post(CHAT, &[], &body("")).json();
    assert_eq!(without["choices"][0]["logprobs"], Value::Null);
    served.stop();
}

#[test]
fn a_stream_has_openais_form() {
    let served = serve(Scripted::saying(&["hi"]));
    let raw = served.post(CHAT, &[], &body(r#","stream":true,"stream_options":{"include_usage":true}"#));
    assert!(raw.head.contains("content-type: text/event-stream"), "{}", raw.head);
    assert!(raw.head.contains("x-chela-policy: v0"), "{}", raw.head);
    let events: Vec<&str> = raw.body.split("\n\n").filter(|event| !event.is_empty()).collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    let chunks: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let ids: Vec<&Value> = chunks.iter().map(|chunk| &chunk["id"]).collect();
    assert!(ids.iter().all(|&id| *id == json!("chatcmpl-1")), "{ids:?}");
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(chunks[1]["choices"][0]["delta"], json!({"content": "hi"}));
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        (chunks[3]["choices"].clone(), &chunks[3]["usage"]["completion_tokens"]),
        (json!([]), &json!(1))
    );
    served.stop();
}

#[test]
fn the_oldest_messages_are_left_out_when_the_client_wants_that() {
    let engine = Arc::new(Scripted::new("scripted", 512, Box::new(|_| vec![say("ok")])));
    let served = serve_from(home(), crate::served::loader_of(engine.clone()));
    let mut asked = request("and now?");
    let old = [Message::new(Role::User, "x".repeat(500)), Message::new(Role::Assistant, "old answer")];
    asked.messages.splice(0..0, old);
    asked.messages.insert(0, Message::new(Role::System, "be brief"));
    let refused = served.client.chat(&asked).unwrap_err().to_string();
    assert!(refused.contains("the context has 512"), "{refused}");
    asked.chela.as_mut().unwrap().drop_oldest = true;
    let mut stream = served.client.chat(&asked).unwrap();
    let chela = opened(&mut stream);
    assert_eq!(chela.dropped_messages, 2);
    assert_eq!(rest(stream).0, "ok");
    let prompt = engine.asked().pop().unwrap().prompt;
    assert!(
        prompt.contains("be brief") && prompt.contains("and now?") && !prompt.contains("old answer"),
        "{prompt}"
    );
    let stored = served.stop_and_read(chela.turn);
    assert_eq!(stored.row.messages, asked.messages);
    assert_eq!(stored.prompt.len(), stored.row.n_prompt);
}

#[test]
fn an_answer_gets_no_more_tokens_than_the_context_has_left() {
    let engine = Arc::new(Scripted::new("scripted", 128, Box::new(|_| vec![say("ok")])));
    let served = serve_from(home(), crate::served::loader_of(engine.clone()));
    assert_eq!(served.post(CHAT, &[], &body(r#","max_tokens":100000"#)).status, 200);
    let asked = engine.asked().pop().unwrap();
    assert_eq!(asked.sampling.max_tokens, 128 - asked.tokens.len());
    served.stop();
}

#[track_caller]
fn check_refused(served: &Served, body: &str, status: u16, code: &str, message: &str) {
    let raw = served.post(CHAT, &[], body);
    assert_eq!((raw.status, raw.code().as_str()), (status, code), "{}", raw.body);
    assert!(raw.message().contains(message), "{}", raw.message());
    assert!(raw.head.contains("x-chela-policy: v0"), "{}", raw.head);
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let served = serve(Scripted::new("scripted", 512, Box::new(|_| Vec::new())));
    check_refused(&served, "{\"messages\": [", 400, "invalid_json", "line 1 column 14");
    check_refused(&served, r#"{"messages":[{"role":"king","content":""}]}"#, 400, "invalid_json", "king");
    check_refused(&served, &body(r#","logit_bias":{}"#), 400, "unsupported_field", "logit_bias");
    check_refused(&served, &body(r#","model":"gpt-4o""#), 404, "model_not_found", "\"scripted\" is");
    let long = format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(600));
    check_refused(&served, &long, 400, "context_length_exceeded", "of 619 tokens, the context has 512");
    let image = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#;
    check_refused(&served, image, 400, "invalid_json", "text only");
    let huge = "x".repeat((32 << 20) + 1);
    check_refused(&served, &huge, 413, "body_too_large", "at most 33554432");
    served.stop();
}

#[test]
fn every_refusal_has_openais_shape() {
    let served = serve(Scripted::saying(&[]));
    let cases = [
        (served.get("/v1/nothing"), 404, "unknown_url"),
        (served.get(CHAT), 405, "method_not_allowed"),
        (served.get("/v1/models/other"), 404, "model_not_found"),
        (served.get("/chela/v1/sessions?limit=many"), 400, "invalid_query"),
        (served.get("/chela/v1/sessions/none"), 404, "session_not_found"),
        (served.get("/chela/v1/turns/77"), 404, "turn_not_found"),
        (served.get("/chela/v1/turns/x"), 404, "turn_not_found"),
        (served.post("/chela/v1/turns/77/interrupt", &[], ""), 404, "turn_not_found"),
        (served.post("/chela/v1/model", &[], "{"), 400, "invalid_json"),
        (served.post(CHAT, &[("x-session-id", &"s".repeat(129))], &body("")), 400, "invalid_session"),
        (served.post(CHAT, &[("x-turn-type", "odd")], &body("")), 400, "invalid_header"),
    ];
    for (raw, status, code) in cases {
        assert_eq!((raw.status, raw.code().as_str()), (status, code), "{}", raw.body);
        assert!(!raw.message().is_empty());
    }
    served.stop();
}

#[test]
fn tcp_wants_the_token() {
    let served = serve(Scripted::saying(&[]));
    served.client.wait_for_model().unwrap();
    let none = served.tcp_get("/v1/models", &[]);
    assert_eq!((none.status, none.code().as_str()), (401, "invalid_api_key"));
    assert!(none.head.contains("www-authenticate: bearer"), "{}", none.head);
    assert_eq!(served.tcp_get("/v1/models", &[("authorization", "Bearer wrong")]).status, 401);
    assert_eq!(served.tcp_get("/v1/models", &[("authorization", TOKEN)]).status, 401);
    let right = format!("Bearer {TOKEN}");
    let models = served.tcp_get("/v1/models", &[("authorization", &right)]);
    assert_eq!((models.status, &models.json()["data"][0]["id"]), (200, &json!("scripted")));
    assert_eq!(served.tcp_get("/health", &[]).status, 200);
    assert_eq!(served.client.status().unwrap().tcp, Some(served.tcp.to_string()));
    served.stop();
}

#[test]
fn a_refusal_by_the_engine_is_a_status_and_an_ended_turn() {
    let refusal = EngineError::Grammar("no rule root".into());
    let served = serve(playing(vec![Step::Fail(refusal)]));
    check_refused(&served, &body(r#","grammar":"x","stream":true"#), 400, "invalid_grammar", "no rule root");
    let turn = served.client.turn(TurnId(1)).unwrap();
    assert_eq!(turn.ending, Some(Ending::Failed));
    assert_eq!(turn.error.as_deref(), Some("grammar is not usable: no rule root"));
    served.stop();
}

#[track_caller]
fn check_failure(steps: Vec<Step>, message: &str) {
    let served = serve(playing(steps));
    let (said, chunks, error) = rest(served.chat("talk"));
    let error = error.expect("the stream ends with an error").to_string();
    assert_eq!(said, "half ");
    assert!(error.contains(message), "{error}");
    let turn = chunks[0].chela.clone().unwrap().turn;
    let stored = served.stop_and_read(turn);
    assert_eq!((stored.row.ending, stored.row.response.as_str()), (Some(Ending::Failed), "half "));
    assert!(stored.row.error.unwrap().contains(message));
}

#[test]
fn a_failing_engine_ends_the_stream_with_its_sentence() {
    check_failure(
        vec![say("half "), Step::Fail(EngineError::Compute("-3".into()))],
        "could not compute (-3)",
    );
}

#[test]
fn a_dying_engine_ends_the_stream_with_an_error() {
    check_failure(vec![say("half "), Step::Vanish], "the engine stopped in the middle of the answer");
}

#[test]
fn a_session_grows_by_what_is_new() {
    let served = serve(Scripted::saying(&["fine"]));
    let header = [("x-session-id", "my session")];
    let first = r#"{"role":"user","content":"how are you?"}"#;
    served.post(CHAT, &header, &format!(r#"{{"messages":[{first}]}}"#));
    let answer = r#"{"role":"assistant","content":"fine"}"#;
    let second = r#"{"role":"user","content":"good"}"#;
    let side = [("x-session-id", "my session"), ("x-turn-type", "side")];
    served.post(CHAT, &side, r#"{"messages":[{"role":"user","content":"title?"}]}"#);
    served.post(CHAT, &header, &format!(r#"{{"messages":[{first},{answer},{second}]}}"#));
    let id = SessionId("my session".into());
    let thread = served.client.session(&id).unwrap();
    assert_eq!(thread.session.title, "how are you?");
    assert_eq!((thread.session.source, thread.session.n_turns), (Source::Api, 2));
    let turns: Vec<(i64, Option<TurnId>, usize)> =
        thread.turns.iter().map(|turn| (turn.id.0, turn.parent, turn.messages.len())).collect();
    assert_eq!(turns, [(1, None, 1), (3, Some(TurnId(1)), 1)]);
    assert_eq!(served.client.turn(TurnId(2)).unwrap().kind, TurnKind::Side);
    assert_eq!(served.client.sessions(10, "good").unwrap().sessions.len(), 1);
    assert_eq!(served.client.sessions(10, "nowhere").unwrap().sessions.len(), 0);
    served.stop();
}

#[test]
fn a_request_without_a_session_gets_one_of_its_own() {
    let served = serve(Scripted::saying(&["fine"]));
    let ids: Vec<Value> =
        (0..2).map(|_| served.post(CHAT, &[], &body("")).json()["chela"]["session"].clone()).collect();
    assert_ne!(ids[0], ids[1]);
    let done = [("x-session-id", "s1"), ("x-session-done", "true")];
    assert_eq!(served.post(CHAT, &done, &body("")).status, 200);
    served.stop();
}

#[test]
fn a_chat_client_continues_the_turn_that_it_names() {
    let served = serve(Scripted::saying(&["fine"]));
    let mut stream = served.chat("one");
    let first = opened(&mut stream).turn;
    assert_eq!(rest(stream).0, "fine");
    let mut asked = request("two");
    asked.messages.splice(0..0, [Message::new(Role::User, "one"), Message::new(Role::Assistant, "fine")]);
    asked.chela.as_mut().unwrap().parent = Some(first);
    let mut stream = served.client.chat(&asked).unwrap();
    let second = served.client.turn(opened(&mut stream).turn).unwrap();
    assert_eq!((second.parent, second.messages), (Some(first), vec![Message::new(Role::User, "two")]));
    assert_eq!(rest(stream).0, "fine");
    // The user changed an earlier message: what the model saw is a thread of its own.
    asked.messages[0].content = "other".into();
    let mut stream = served.client.chat(&asked).unwrap();
    let third = served.client.turn(opened(&mut stream).turn).unwrap();
    assert_eq!((third.parent, third.messages.len()), (None, 3));
    assert_eq!(rest(stream).0, "fine");
    asked.chela.as_mut().unwrap().session = SessionId("another".into());
    let refused = served.client.chat(&asked).unwrap_err().to_string();
    assert!(refused.contains("belongs to another session"), "{refused}");
    served.stop();
}

#[test]
fn a_model_switch_leaves_running_answers_alone() {
    let gate = Gate::default();
    let steps = vec![say("old "), Step::Wait(gate.clone()), say("model")];
    let new = Scripted::new("new", 2048, Box::new(|_| vec![say("new model")]));
    let served = serve_from(home(), loader_of_many(vec![Arc::new(playing(steps)), Arc::new(new)]));
    let mut stream = served.chat("who are you?");
    opened(&mut stream);
    assert_eq!(text(&mut stream), "old ");
    let missing = served.client.use_model(&UseModel { name: "missing".into() }).unwrap_err().to_string();
    assert_eq!(missing, "cannot load missing: no such file");
    assert_eq!(served.get("/v1/models").json()["data"][0]["id"], "scripted");
    served.client.use_model(&UseModel { name: "new".into() }).unwrap();
    assert_eq!(served.get("/v1/models").json()["data"][0]["id"], "new");
    let answer = served.post(CHAT, &[], &body(r#","model":"new""#)).json();
    assert_eq!(answer["choices"][0]["message"]["content"], "new model");
    gate.open();
    assert_eq!(rest(stream).0, "model");
    served.stop();
}

#[test]
fn tools_and_grammars_reach_the_engine() {
    let engine = Arc::new(Scripted::new("scripted", 4096, Box::new(|_| vec![say("{}")])));
    let served = serve_from(home(), crate::served::loader_of(engine.clone()));
    let tool = r#"{"type":"function","function":{"name":"look_up"}}"#;
    let fields = format!(r#","tools":[{tool}],"response_format":{{"type":"json_object"}}"#);
    assert_eq!(served.post(CHAT, &[], &body(&fields)).status, 200);
    let none = format!(r#","tools":[{tool}],"tool_choice":"none""#);
    assert_eq!(served.post(CHAT, &[], &body(&none)).status, 200);
    let asked = engine.asked();
    assert!(asked[0].prompt.contains("look_up") && !asked[1].prompt.contains("look_up"));
    let schema = chela::engine::Grammar::JsonSchema(r#"{"type":"object"}"#.into());
    assert_eq!((asked[0].sampling.grammar.as_ref(), &asked[1].sampling.grammar), (Some(&schema), &None));
    served.stop();
}
