//! Secrets that people and programs mention: the answer has them where they belong, the model and every file do not.

use std::sync::Arc;

use chela::daemon::wire::Teach;
use chela::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind};
use chela::engine::scripted::{Asked, Scripted, Step};
use chela::turn::next_state::{CommandOutcome, NextState};
use chela::turn::{Message, Role, TurnId};

use crate::redaction::labelled::{Case, secret_cases};
use crate::redaction::{redactor, shows};
use crate::served::{Served, files_that, home, loader_of, opened, request, rest, serve_from, until};

/// Put together here, so that no scanner takes this file for a leak.
fn token() -> String {
    ["ghp", "_", "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF3hI6"].concat()
}

/// A model that clones with whatever token stands in the request.
fn serve() -> (Served, Arc<Scripted>) {
    let script = |asked: &Asked| {
        let said = asked.prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
        let request = said.split("<|im_end|>").next().unwrap_or_default();
        let word = request.split_whitespace().find(|word| word.contains("secret") || word.starts_with("ghp"));
        // In pieces, as tokens come.
        let pieces = ["git clone https://", word.unwrap_or("nobody"), "@example.com/a"];
        pieces
            .iter()
            .flat_map(|piece| piece.split_inclusive(':'))
            .map(|piece| Step::Say(piece.into()))
            .collect()
    };
    let engine = Arc::new(Scripted::new("scripted", 4096, Box::new(script)));
    (serve_from(home(), loader_of(Arc::clone(&engine) as _)), engine)
}

fn ask(served: &Served, text: &str) -> (TurnId, String) {
    let mut stream = served.client.chat(&request(text)).unwrap();
    let turn = opened(&mut stream).turn;
    let (said, _, error) = rest(stream);
    assert!(error.is_none(), "{error:?}");
    (turn, said)
}

#[test]
fn the_person_gets_the_secret_back_and_nobody_else() {
    let (served, engine) = serve();
    let (_, said) = ask(&served, &format!("clone with {}", token()));
    assert_eq!(said, format!("git clone https://{}@example.com/a", token()));
    let prompts: String = engine.asked().iter().map(|asked| asked.prompt.clone()).collect();
    assert!(prompts.contains("clone with <secret:github-token>"), "{prompts}");
    assert!(!prompts.contains(&token()));
}

#[test]
fn a_thread_goes_on_whatever_its_answer_held() {
    let (served, engine) = serve();
    let asked = format!("clone with {}", token());
    let (turn, said) = ask(&served, &asked);
    let mut next = request(&asked);
    next.chela.as_mut().unwrap().parent = Some(turn);
    next.messages.push(Message::new(Role::Assistant, said));
    next.messages.push(Message::new(Role::User, "and again, please"));
    let mut stream = served.client.chat(&next).unwrap();
    opened(&mut stream);
    assert!(rest(stream).2.is_none());
    assert!(!engine.asked().pop().unwrap().prompt.contains(&token()));
    // The daemon knows the answer again, so what was said next is about it.
    let replied = NextState::Reply { text: "and again, please".into() };
    until(|| served.client.why(turn).unwrap().next_states.iter().any(|row| row.state == replied));
}

#[test]
fn no_file_holds_a_secret_that_was_mentioned_anywhere() {
    let (served, _engine) = serve();
    let (turn, _) = ask(&served, &format!("clone with {}", token()));
    let ran = CommandOutcome {
        command: format!("curl -H 'Authorization: Bearer {}' https://example.com", token()),
        status: 0,
        pipeline: Vec::new(),
        output: format!("token {} accepted", token()),
        duration_ms: None,
    };
    served.client.tell_next_state(turn, &NextState::Command(ran)).unwrap();
    served.client.tell_next_state(turn, &NextState::Edit { text: format!("git clone {}", token()) }).unwrap();
    let text = format!("use {} for example.com", token());
    let refused = served.client.teach(&Teach { text, scope: None, turn: None }).unwrap_err().to_string();
    assert!(refused.contains("secret") && !refused.contains(&token()), "{refused}");
    let home = served.stop();
    let half = &token().into_bytes()[4..22];
    let holds = |bytes: &[u8]| bytes.windows(half.len()).any(|window| window == half);
    assert_eq!(files_that(home.path(), &holds), Vec::<std::path::PathBuf>::new());
}

/// A suggestion that was asked for with a secret in the question, run with another one, and its output.
fn a_step(served: &Served, at: i64, asked: &Case, ran: &Case) {
    let (turn, _) = ask(served, &format!("what is wrong here?\n{}", asked.text));
    let command = ShellCommand {
        text: ran.text.clone(),
        status: 1,
        pipeline: vec![1],
        cwd: "/home/anna/src".into(),
        cwd_after: None,
        output: Some(format!("{}\nrefused", asked.text)),
        duration_ms: Some(7),
        suggestion: Some(turn),
        ended_ms: at,
    };
    let commands = vec![command];
    served.client.tell_shell(&ShellCommands { shell: "s1".into(), kind: ShellKind::Bash, commands }).unwrap();
}

#[test]
fn a_day_full_of_secrets_leaves_none_in_any_file() {
    let (served, _engine) = serve();
    // What the rules do not know is counted elsewhere.
    let is_known = |case: &Case| {
        let text = redactor().redact(&case.text).text.into_owned();
        !case.secrets.iter().any(|secret| shows(&text, secret))
    };
    let day: Vec<Case> = secret_cases().into_iter().step_by(23).filter(is_known).collect();
    assert!(day.len() > 100, "{}", day.len());
    for (at, pair) in day.chunks_exact(2).enumerate() {
        a_step(&served, i64::try_from(at).unwrap() * 60_000, &pair[0], &pair[1]);
    }
    let home = served.stop();
    // Short ones may stand anywhere by chance.
    let secrets = day.iter().flat_map(|case| &case.secrets).filter(|secret| secret.len() >= 12);
    let finders: Vec<memchr::memmem::Finder<'_>> = secrets.map(memchr::memmem::Finder::new).collect();
    assert!(finders.len() > 100, "{}", finders.len());
    let holds = |bytes: &[u8]| finders.iter().any(|finder| finder.find(bytes).is_some());
    assert_eq!(files_that(home.path(), &holds), Vec::<std::path::PathBuf>::new());
}
