//! A day in a shell and a chat with secrets in everything that is said and run, learned from in the evening: none of them
//! is in the ledger, the log, what was told to listeners, or what was learned.

use std::path::PathBuf;
use std::thread::Builder;

use chela::client::{Client, Launcher};
use chela::config::{PathEnv, Paths};
use chela::daemon;
use chela::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind};
use chela::daemon::wire::{RunState, Teach};
use chela::lesson::Scope;
use chela::turn::TurnId;

use super::twin::{self, LESSON};
use crate::redaction::labelled::{Case, secret_cases};
use crate::redaction::{redactor, shows};
use crate::served::{files_that, home, opened, paths_in, request, rest};

const CHILD_HOME: &str = "CHELA_TEST_DAY_HOME";
const THIS: &str = "privacy::day::no_secret_of_a_day_is_in_ledger_log_events_or_what_was_learned";

#[test]
#[expect(clippy::disallowed_methods, reason = "tells the child from the test")]
fn no_secret_of_a_day_is_in_ledger_log_events_or_what_was_learned() {
    if let Some(chela_home) = std::env::var_os(CHILD_HOME) {
        let paths = Paths::resolve(&PathEnv { chela_home: Some(chela_home), ..PathEnv::default() }).unwrap();
        paths.create().unwrap();
        // A process of its own, so that it has a log of its own: all that can be said in it.
        daemon::logging::start(&paths.log_file(), "trace").unwrap();
        let model = tempfile::tempdir().unwrap();
        let config = twin::parts(&model, |_| None);
        daemon::run(daemon::DaemonConfig { paths, ..config }).unwrap();
        return;
    }
    let home = home();
    let launcher = Launcher {
        program: std::env::current_exe().unwrap(),
        args: [THIS, "--exact", "--nocapture"].map(Into::into).to_vec(),
        env: vec![(CHILD_HOME.into(), home.path().into())],
    };
    let client = Client::connect_with(&paths_in(&home), launcher).unwrap();
    let mut events = client.events().unwrap();
    let listening = Builder::new().name("listener".into()).spawn(move || {
        let mut told = String::new();
        while let Some(Ok(event)) = events.next() {
            told.push_str(&serde_json::to_string(&event).unwrap());
        }
        told
    });
    let day = a_day();
    for (at, pair) in day.chunks_exact(2).enumerate() {
        a_step(&client, i64::try_from(at).unwrap() * 60_000, &pair[0], &pair[1]);
    }
    let turn = asked(&client, &format!("search src for\n{}", day[0].text));
    let scope = Some(Scope::Program("grep".into()));
    client.teach(&Teach { text: LESSON.into(), scope, turn: Some(turn) }).unwrap();
    let now = client.learn_now().unwrap();
    let run = client.wait_for_round(now, &mut |_| ()).unwrap();
    assert_eq!(run.state, RunState::Promoted, "{:?}", run.reason);
    client.stop().unwrap();
    let told = listening.unwrap().join().unwrap();
    assert!(told.contains(LESSON) && told.contains("learning"), "{told}");

    let paths = paths_in(&home);
    assert!(paths.adapters_dir().join("v1").is_dir() && paths.log_file().is_file());
    // Short ones may stand anywhere by chance.
    let secrets = day.iter().flat_map(|case| &case.secrets).filter(|secret| secret.len() >= 12);
    let finders: Vec<memchr::memmem::Finder<'_>> = secrets.map(memchr::memmem::Finder::new).collect();
    assert!(finders.len() > 30, "{}", finders.len());
    let holds = |bytes: &[u8]| finders.iter().any(|finder| finder.find(bytes).is_some());
    assert_eq!(files_that(home.path(), &holds), Vec::<PathBuf>::new());
    assert!(!holds(told.as_bytes()));
}

/// Secrets of all kinds that the rules know; what they do not is counted elsewhere.
fn a_day() -> Vec<Case> {
    let is_known = |case: &Case| {
        let text = redactor().redact(&case.text).text.into_owned();
        !case.secrets.iter().any(|secret| shows(&text, secret))
    };
    secret_cases().into_iter().step_by(61).filter(is_known).collect()
}

fn asked(client: &Client, text: &str) -> TurnId {
    let mut stream = client.chat(&request(text)).unwrap();
    let turn = opened(&mut stream).turn;
    assert!(rest(stream).2.is_none());
    turn
}

/// A suggestion that was asked for with a secret in the question, run with another one, and its output.
fn a_step(client: &Client, at: i64, question: &Case, ran: &Case) {
    let turn = asked(client, &format!("what is wrong here?\n{}", question.text));
    let command = ShellCommand {
        text: ran.text.clone(),
        status: 1,
        pipeline: vec![1],
        cwd: "/home/anna/src".into(),
        cwd_after: None,
        output: Some(format!("{}\nrefused", question.text)),
        duration_ms: Some(7),
        suggestion: Some(turn),
        ended_ms: at,
    };
    client
        .tell_shell(&ShellCommands { shell: "s1".into(), kind: ShellKind::Bash, commands: vec![command] })
        .unwrap();
}
