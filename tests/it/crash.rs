//! `kill -9` of the real daemon in mid-stream, again and again: the ledger stays sound, what was on the screen is in it,
//! and the next answer comes.

use chela::client::{Client, ClientError, Launcher};
use chela::config::{PathEnv, Paths};
use chela::daemon::wire::{ChatRequest, ChelaAnswer};
use chela::store::Reader;
use chela::turn::{Ending, Message, Role, TurnId};

/// How often the daemon dies. Each death is at another point of an answer.
const DEATHS: usize = 50;

/// Letters until the limit: an answer that is long enough to be killed in.
fn endless(seed: i64) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::new(Role::User, "tell me everything about files")],
        grammar: Some("root ::= [a-z ]+ \"☃\"".to_owned()),
        temperature: Some(1.0),
        seed: Some(seed),
        max_tokens: Some(900),
        ..ChatRequest::default()
    }
}

/// The turn's id and everything that reached the screen before the daemon was killed after `n` chunks.
fn watch_and_kill(client: &Client, n: usize) -> (TurnId, String) {
    let pid = rustix::process::Pid::from_raw(client.health().unwrap().pid.try_into().unwrap()).unwrap();
    let (mut opened, mut seen) = (None::<ChelaAnswer>, String::new());
    for (index, chunk) in client.chat(&endless(i64::try_from(n).unwrap())).unwrap().enumerate() {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(ClientError::Lost) => break,
            Err(error) => panic!("{error}"),
        };
        opened = opened.or(chunk.chela);
        seen.extend(chunk.choices.iter().filter_map(|choice| choice.delta.content.as_deref()));
        if index == n {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }
    (opened.expect("the answer began").turn, seen)
}

#[test]
fn no_death_of_the_daemon_loses_what_was_on_the_screen() {
    let home = tempfile::tempdir().unwrap();
    let chela_home = Some(home.path().into());
    let paths = Paths::resolve(&PathEnv { chela_home, ..PathEnv::default() }).unwrap();
    let launcher = Launcher {
        program: env!("CARGO_BIN_EXE_chela").into(),
        args: vec!["daemon".into(), "run".into()],
        env: vec![("CHELA_HOME".into(), home.path().into())],
    };
    let client = Client::connect_with(&paths, launcher).unwrap();
    for death in 0..DEATHS {
        client.wait_for_model().unwrap();
        let (turn, seen) = watch_and_kill(&client, death);
        // This call finds the daemon dead and starts the next one, which recovers the turn.
        let row = client.turn(turn).unwrap();
        assert_eq!(row.ending, Some(Ending::Crashed), "death {death}");
        assert!(
            row.response.starts_with(&seen),
            "death {death}: {seen:?} was seen, {:?} is kept",
            row.response
        );
    }
    client.stop().unwrap();
    let mut reader = Reader::open(&paths.ledger()).unwrap();
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    assert_eq!(reader.counts().unwrap().turns, DEATHS);
}
