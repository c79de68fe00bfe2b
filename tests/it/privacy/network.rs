//! Nothing leaves the machine: the whole loop runs in a process that has no network, and asks for none.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use chela::client::{Client, Launcher};
use chela::config::{PathEnv, Paths};
use chela::daemon;
use chela::daemon::wire::{LoopEvent, RunState};
use chela::lesson::State;
use chela::turn::{Message, PolicyVersion, Role};

use super::twin;
use crate::served::{home, opened, paths_in, request, rest};
use crate::shell_terminal::say;

const CHILD_HOME: &str = "CHELA_TEST_OFFLINE_HOME";
const THIS: &str = "privacy::network::the_whole_loop_runs_without_a_network_and_asks_for_none";
/// A network of its own, in which there is nothing.
const ALONE: [&str; 2] = ["unshare", "-rn"];

/// Whether a command line works here.
fn works(words: &[&str]) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    let run = Command::new(program).args(args).stdin(Stdio::null()).output();
    run.is_ok_and(|output| output.status.success())
}

/// This very test as a daemon in a process of its own, with what stands in front of it.
fn child(home: &Path, trace: &Path) -> Option<(Launcher, bool)> {
    let trace = trace.to_str().unwrap();
    let watch = ["strace", "-f", "-q", "-e", "trace=network", "-o", trace];
    let is_watched = works(&[watch.as_slice(), &["true"]].concat());
    let is_alone = works(&[ALONE.as_slice(), &["true"]].concat());
    let mut words: Vec<OsString> = Vec::new();
    if is_alone {
        words.extend(ALONE.map(OsString::from));
    }
    if is_watched {
        words.extend(watch.map(OsString::from));
    }
    if words.is_empty() {
        return None;
    }
    words.push(std::env::current_exe().unwrap().into());
    words.extend([THIS, "--exact", "--nocapture"].map(OsString::from));
    let program = words.remove(0).into();
    Some((Launcher { program, args: words, env: vec![(CHILD_HOME.into(), home.into())] }, is_watched))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tells the child from the test")]
fn the_whole_loop_runs_without_a_network_and_asks_for_none() {
    if let Some(chela_home) = std::env::var_os(CHILD_HOME) {
        let paths = Paths::resolve(&PathEnv { chela_home: Some(chela_home), ..PathEnv::default() }).unwrap();
        let home = tempfile::tempdir().unwrap();
        let config = twin::parts(&home, |_| None);
        daemon::run(daemon::DaemonConfig { paths, ..config }).unwrap();
        return;
    }
    let (home, traces) = (home(), tempfile::tempdir().unwrap());
    let trace = traces.path().join("trace");
    let Some((launcher, is_watched)) = child(home.path(), &trace) else {
        say("skipped: neither strace nor unshare may be used here");
        return;
    };
    let client = Client::connect_with(&paths_in(&home), launcher).unwrap();
    the_loop(&client);
    client.stop().unwrap();
    if is_watched {
        let trace = whole(&trace);
        let network: Vec<&str> = trace.lines().filter(|line| line.contains("AF_INET")).collect();
        assert_eq!(network, Vec::<&str>::new());
        // It was watched while it served.
        assert!(trace.contains("AF_UNIX") && trace.contains("listen("), "{trace}");
    }
}

/// Ask, correct, a lesson, a round of learning, an answer by what was learned.
fn the_loop(client: &Client) {
    let mut events = client.events().unwrap();
    let asked = request("search src for todo");
    let mut stream = client.chat(&asked).unwrap();
    let turn = opened(&mut stream).turn;
    let (answer, _, _) = rest(stream);
    let mut reply = asked.clone();
    reply.messages.push(Message::new(Role::Assistant, answer));
    reply.messages.push(Message::new(Role::User, "no, use rg instead of grep"));
    reply.chela.as_mut().unwrap().parent = Some(turn);
    rest(client.chat(&reply).unwrap());
    let lesson = events.find_map(|event| match event.unwrap() {
        LoopEvent::Lesson { lesson, .. } => Some(lesson),
        _ => None,
    });
    let lesson = lesson.unwrap();
    let now = client.learn_now().unwrap();
    let run = client.wait_for_round(now, &mut |_| ()).unwrap();
    assert_eq!(run.state, RunState::Promoted, "{:?}", run.reason);
    assert_eq!(client.lesson(lesson.id).unwrap().lesson.state, State::Learned(PolicyVersion(1)));
    let mut stream = client.chat(&asked).unwrap();
    assert_eq!(opened(&mut stream).policy, PolicyVersion(1));
    assert_eq!(rest(stream).0, "rg search src for todo");
}

/// The trace, once the process has ended: its last line says so.
fn whole(trace: &Path) -> String {
    let started = std::time::Instant::now();
    loop {
        let text = std::fs::read_to_string(trace).unwrap_or_default();
        if text.lines().last().is_some_and(|line| line.contains("+++ exited")) {
            return text;
        }
        assert!(started.elapsed() < crate::served::LIMIT, "the daemon does not end");
    }
}
