//! What people look at: `chela turns` and `chela stats` show what happened, through the client and as the binary
//! prints it.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use chela::client::LoopStream;
use chela::daemon::wire::looking::{Judged, TurnQuery};
use chela::daemon::wire::{ChatRequest, LoopEvent, Rate, StateKind, Teach};
use chela::engine::scripted::{Asked, Scripted, Step};
use chela::lesson::Scope;
use chela::turn::{Source, TurnId};
use serde_json::Value;

use crate::cli::{stderr, stdout};
use crate::served::{Served, home, loader_of, opened, request, rest, serve_from};

/// A daemon whose model always proposes grep and votes good.
fn serve() -> Served {
    let script = |asked: &Asked| {
        let text = if asked.prompt.contains("Judge the answer") { "good" } else { "grep -r todo src" };
        vec![Step::Say(text.to_owned())]
    };
    serve_from(home(), loader_of(Arc::new(Scripted::new("scripted", 4096, Box::new(script)))))
}

/// Asks, waits for the whole answer, and says which turn it was.
fn ask(served: &Served, request: &ChatRequest) -> TurnId {
    let mut stream = served.client.chat(request).unwrap();
    let opened = opened(&mut stream);
    assert!(rest(stream).2.is_none());
    opened.turn
}

fn asked_from(source: Source, cwd: &str, text: &str) -> ChatRequest {
    let mut request = request(text);
    if let Some(chela) = &mut request.chela {
        (chela.source, chela.cwd) = (source, Some(cwd.to_owned()));
    }
    request
}

fn until_judged(events: &mut LoopStream, wanted: TurnId) {
    let judged = events.find_map(|event| match event.unwrap() {
        LoopEvent::Judged { turn, .. } if turn == wanted => Some(()),
        _ => None,
    });
    judged.unwrap();
}

/// `chela` in the daemon's home, as a script runs it.
fn chela(served: &Served, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).stdin(Stdio::null()).env("CHELA_HOME", served.home.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

fn numbers(served: &Served, query: &TurnQuery) -> Vec<i64> {
    served.client.turns(query).unwrap().turns.into_iter().map(|line| line.turn.id.0).collect()
}

/// A good turn of the chat, a bad one of the shell, one that nobody judged; and a lesson in the last two prompts.
fn some_turns(served: &Served) -> [TurnId; 3] {
    let mut events = served.client.events().unwrap();
    let good = ask(served, &asked_from(Source::Chat, "/src/atlas", "search src for todo"));
    served.client.rate(good, &Rate { good: true, note: None }).unwrap();
    until_judged(&mut events, good);
    let lesson =
        Teach { text: "use rg instead of grep".into(), scope: Some(Scope::Global), turn: Some(good) };
    served.client.teach(&lesson).unwrap();
    let bad = ask(served, &asked_from(Source::Shell, "/src/atlas/api", "search lib for fixme"));
    served.client.rate(bad, &Rate { good: false, note: None }).unwrap();
    until_judged(&mut events, bad);
    let open = ask(served, &asked_from(Source::Shell, "/tmp", "search tmp for\nnothing"));
    [good, bad, open]
}

#[test]
fn turns_are_found_by_what_is_asked_for() {
    let served = serve();
    let [good, bad, open] = some_turns(&served).map(|turn| turn.0);
    let all = TurnQuery::default();
    assert_eq!(numbers(&served, &all), [open, bad, good]);
    for (query, expected) in [
        (TurnQuery { source: Some(Source::Shell), ..all.clone() }, vec![open, bad]),
        (TurnQuery { reward: Some(Judged::Good), ..all.clone() }, vec![good]),
        (TurnQuery { reward: Some(Judged::Bad), ..all.clone() }, vec![bad]),
        (TurnQuery { reward: Some(Judged::None), ..all.clone() }, vec![open]),
        (TurnQuery { project: Some("/src/atlas".into()), ..all.clone() }, vec![bad, good]),
        (TurnQuery { rule: Some("rating".into()), ..all.clone() }, vec![bad, good]),
        (TurnQuery { find: Some("fixme lib".into()), ..all.clone() }, vec![bad]),
        (TurnQuery { find: Some(String::new()), ..all.clone() }, vec![open, bad, good]),
        (TurnQuery { before: Some(TurnId(open)), limit: Some(1), ..all.clone() }, vec![bad]),
    ] {
        assert_eq!(numbers(&served, &query), expected, "{query:?}");
    }
    let lines = served.client.turns(&all).unwrap().turns;
    let lessons: Vec<(usize, usize)> = lines.iter().map(|line| (line.n_lessons, line.n_drawn)).collect();
    assert_eq!(lessons, [(1, 0), (1, 0), (0, 1)]);
    served.stop();
}

#[test]
fn the_list_of_turns_is_plain_lines_or_json() {
    let served = serve();
    let [good, _, open] = some_turns(&served);
    let text = stdout(&chela(&served, &["turns", "--limit", "2"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].starts_with(&format!("{} ", open.0)), "{text}");
    assert!(lines[1].ends_with("1 used  search tmp for nothing"), "{text}");
    assert!(lines[2].contains(" shell  -  rating.bad "), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let json = stdout(&chela(&served, &["turns", "--reward", "good", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["turns"][0]["turn"]["id"], good.0);
    assert_eq!(json["turns"][0]["verdict"]["verdict"]["reward"], 1);
    let none = chela(&served, &["turns", "--find", "nowhere"]);
    assert_eq!((stdout(&none).as_str(), stderr(&none).as_str()), ("", "no turn fits\n"));
    served.stop();
}

#[test]
fn figures_say_what_happened() {
    let served = serve();
    some_turns(&served);
    let stats = served.client.stats(7).unwrap();
    let days: Vec<(Source, usize, usize, usize)> =
        stats.rewards.iter().map(|row| (row.source, row.good, row.bad, row.unclear)).collect();
    assert_eq!(days, [(Source::Chat, 1, 0, 0), (Source::Shell, 0, 1, 0)]);
    assert!(stats.rewards.iter().all(|row| stats.from < row.day && row.day <= stats.to), "{stats:?}");
    assert_eq!(stats.lessons, [(StateKind::Active, 1)].into());
    assert_eq!((stats.gate, stats.runs.len(), stats.ledger.turns), (None, 0, 3));
    assert!(stats.ledger.bytes > 4096);

    let text = stdout(&chela(&served, &["stats"]));
    for said in [
        "100 % good  1 good, 0 bad, 0 unclear",
        "0 % good    0 good, 1 bad, 0 unclear",
        "waiting   no turn waits for a verdict",
        "lessons   1 active",
        "runs      none yet",
        "ledger    3 turns in 1 session, ",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let json: Value = serde_json::from_str(&stdout(&chela(&served, &["stats", "--json"]))).unwrap();
    assert_eq!(json["lessons"]["active"], 1);
    assert_eq!(json["rewards"][1]["source"], "shell");
    served.stop();
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let served = serve();
    for address in ["/chela/v1/turns?reward=fine", "/chela/v1/turns?limit=-1", "/chela/v1/stats?days=many"] {
        let refused = served.get(address);
        assert_eq!(refused.status, 400, "{address}: {}", refused.body);
    }
    assert_eq!(
        served.client.turns(&TurnQuery { find: Some("?!".into()), ..TurnQuery::default() }).unwrap().turns,
        []
    );
    served.stop();
}
