//! Rules of the settings: what is not recorded, and what is recorded and never learned from.

use chela::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind};
use chela::daemon::wire::{ChatRequest, LoopEvent, Rate};
use chela::turn::{Message, Role, SessionId, Source, TurnId};

use super::twin;
use crate::served::{Served, home, request, serve_with, until};
use crate::teaching::ask;

fn serve(ignore: &[&str], never_learn: &[&str]) -> Served {
    let home = home();
    let mut config = twin::parts(&home, |_| None);
    let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
    config.settings.privacy.ignore = list(ignore);
    config.settings.privacy.never_learn = list(never_learn);
    serve_with(home, config)
}

/// Asked in a folder, in a session of this name.
fn asked_in(folder: &str, session: &str, source: Source) -> ChatRequest {
    let mut request = request("search src for todo");
    let chela = request.chela.as_mut().unwrap();
    (chela.cwd, chela.session, chela.source) = (Some(folder.into()), SessionId(session.into()), source);
    request
}

#[track_caller]
fn check(served: &Served, request: &ChatRequest, is_recorded: bool) {
    assert_eq!(ask(served, request).0.is_recorded(), is_recorded, "{:?}", request.chela);
}

#[test]
fn a_folder_or_a_surface_that_is_ignored_is_not_recorded() {
    let served = serve(&["/srv/secret", "ask", "shell"], &[]);
    check(&served, &asked_in("/srv/secret/src", "chat-1", Source::Chat), false);
    check(&served, &asked_in("/srv", "chat-2", Source::Chat), true);
    check(&served, &asked_in("/srv", "ask-3", Source::Chat), false);
    check(&served, &asked_in("/srv", "shell-4", Source::Shell), false);
    check(&served, &asked_in("/srv", "do-5", Source::Agent), true);
    let body = r#"{"messages":[{"role":"user","content":"x"}]}"#;
    let answer = served.post("/v1/chat/completions", &[("x-chela-record", "on")], body);
    assert!(answer.json()["chela"]["turn"].as_i64().unwrap() > 0);
    served.stop();
}

fn ran(cwd: &str, text: &str) -> ShellCommands {
    let command = ShellCommand {
        text: text.into(),
        status: 0,
        pipeline: vec![0],
        cwd: cwd.into(),
        cwd_after: None,
        output: None,
        duration_ms: Some(7),
        suggestion: None,
        ended_ms: 1,
    };
    ShellCommands { shell: "s1".into(), kind: ShellKind::Bash, commands: vec![command] }
}

#[test]
fn commands_of_an_ignored_folder_are_not_remembered_and_chela_s_own_never_are() {
    let served = serve(&["/srv/secret"], &[]);
    for (cwd, text) in [("/srv/secret/x", "make"), ("/srv", "chela ask --off why"), ("/srv", "make test")] {
        served.client.tell_shell(&ran(cwd, text)).unwrap();
    }
    let recent = served.client.shell_memory("s1").unwrap().recent;
    assert_eq!(recent.iter().map(|command| command.text.as_str()).collect::<Vec<_>>(), ["make test"]);
    served.stop();
}

/// Says that the answer was wrong, and how it should have been. Returns the turn and when it was judged.
fn correct(served: &Served, folder: &str, session: &str) -> TurnId {
    let mut events = served.client.events().unwrap();
    let first = asked_in(folder, session, Source::Chat);
    let (turn, _) = ask(served, &first);
    let mut reply = first;
    reply.messages.push(Message::new(Role::Assistant, "grep search src for todo"));
    reply.messages.push(Message::new(Role::User, "no, use rg instead of grep"));
    reply.chela.as_mut().unwrap().parent = Some(turn);
    ask(served, &reply);
    let is_judged = |event| matches!(event, LoopEvent::Judged { turn: judged, .. } if judged == turn);
    // A turn of an unlearned folder is told nothing, so a person's own word has it judged.
    if served.client.why(turn).unwrap().is_excluded {
        served.client.rate(turn, &Rate { good: false, note: Some("use rg instead of grep".into()) }).unwrap();
    }
    assert!(events.any(|event| is_judged(event.unwrap())));
    turn
}

#[test]
fn what_is_never_learned_from_is_recorded_and_draws_no_lesson() {
    let served = serve(&[], &["/srv/secret"]);
    let turn = correct(&served, "/srv/secret", "chat-1");
    assert!(served.client.why(turn).unwrap().is_excluded);
    assert_eq!(served.client.lessons(None, "", 10).unwrap().lessons, []);
    let run = served.client.learn_now().unwrap();
    let run = served.client.wait_for_round(run, &mut |_| ()).unwrap();
    assert_eq!(run.reason.as_deref(), Some("nothing new to learn"));

    let turn = correct(&served, "/srv", "chat-2");
    assert!(!served.client.why(turn).unwrap().is_excluded);
    until(|| served.client.lessons(None, "", 10).unwrap().lessons.len() == 1);
    served.stop();
}
