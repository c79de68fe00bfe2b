//! Secrets that people and programs mention: the answer has them where they belong, the model and every file do not.

use std::sync::Arc;

use chela::daemon::wire::Teach;
use chela::engine::scripted::{Asked, Scripted, Step};
use chela::turn::next_state::{CommandOutcome, NextState};
use chela::turn::{Message, Role, TurnId};

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
