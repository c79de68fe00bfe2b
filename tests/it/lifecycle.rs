//! The daemon's life: starting, racing, loading, stopping, dying; and how the client gets along with it.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread::Builder;
use std::time::Duration;

use chela::client::{Client, ClientError, Launcher};
use chela::config::{PathEnv, Paths};
use chela::daemon::wire::{ModelState, PROTOCOL};
use chela::daemon::{self, Loader, Outcome};
use chela::engine::scripted::{Gate, Scripted, Step};
use chela::engine::{Engine, EngineError};
use chela::store::Reader;
use chela::turn::{Ending, TurnId};

use crate::served::{
    LIMIT, config, home, loader_of, next, opened, paths_in, request, rest, serve, serve_from, text,
};

fn say(text: &str) -> Step {
    Step::Say(text.to_owned())
}

/// Says one word and waits at the gate before the next.
fn halting(gate: &Gate) -> Scripted {
    let steps = vec![say("one "), Step::Wait(gate.clone()), say("two")];
    Scripted::new("scripted", 4096, Box::new(move |_| steps.clone()))
}

#[test]
fn of_daemons_that_race_one_serves() {
    const N_DAEMONS: usize = 6;
    let home = home();
    let paths = paths_in(&home);
    let barrier = Arc::new(Barrier::new(N_DAEMONS));
    let (announce, announced) = mpsc::channel();
    let (ended, endings) = mpsc::channel();
    for _ in 0..N_DAEMONS {
        let (barrier, announce, ended) = (Arc::clone(&barrier), announce.clone(), ended.clone());
        let mut config = config(paths.clone(), loader_of(Arc::new(Scripted::saying(&[]))));
        config.announce = Some(Box::new(move |_| announce.send(()).unwrap()));
        let race = move || {
            barrier.wait();
            ended.send(daemon::run(config).unwrap()).unwrap();
        };
        Builder::new().name("racer".into()).spawn(race).unwrap();
    }
    for _ in 1..N_DAEMONS {
        assert_eq!(endings.recv_timeout(LIMIT).unwrap(), Outcome::AlreadyRunning);
    }
    announced.recv_timeout(LIMIT).unwrap();
    let client = Client::connect_if_running(&paths).unwrap().expect("one runs");
    client.stop().unwrap();
    assert_eq!(endings.recv_timeout(LIMIT).unwrap(), Outcome::Stopped);
    assert!(announced.try_recv().is_err());
    assert!(Client::connect_if_running(&paths).unwrap().is_none());
}

#[test]
fn a_dead_daemons_socket_is_replaced() {
    let home = home();
    let paths = paths_in(&home);
    paths.create().unwrap();
    drop(UnixListener::bind(paths.socket()).unwrap());
    let served = serve_from(home, loader_of(Arc::new(Scripted::saying(&["hi"]))));
    assert_eq!(rest(served.chat("hello")).0, "hi");
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&served.paths.socket()), 0o600);
    assert_eq!(mode(&served.paths.runtime_dir), 0o700);
    served.stop();
}

#[test]
fn health_answers_while_the_model_loads_and_a_request_waits_for_it() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let loader: Loader = Box::new(move |_| {
        wait.lock().unwrap().recv().unwrap();
        Ok(Arc::new(Scripted::saying(&["hi"])) as Arc<dyn Engine>)
    });
    let served = serve_from(home(), loader);
    assert_eq!(served.client.health().unwrap().status, "loading");
    let loading = ModelState::Loading { name: "scripted".into() };
    assert_eq!(served.client.status().unwrap().model, loading);
    let client = served.client.clone();
    let asking = move || rest(client.chat(&request("hello")).unwrap()).0;
    let asking = Builder::new().name("asking".into()).spawn(asking).unwrap();
    go.send(()).unwrap();
    assert_eq!(asking.join().unwrap(), "hi");
    let status = served.client.wait_for_model().unwrap();
    assert!(matches!(status.model, ModelState::Ready { model } if model.name == "scripted"));
    assert_eq!(served.client.health().unwrap().status, "ok");
    served.stop();
}

#[track_caller]
fn check_not_loaded(loader: Loader, reason: &str) {
    let served = serve_from(home(), loader);
    let error = served.client.wait_for_model().unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
    assert_eq!(served.client.health().unwrap().status, "no model");
    let refused = served.client.chat(&request("hello")).unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { status: 503, .. }), "{refused:?}");
    assert!(refused.to_string().contains(reason), "{refused}");
    served.stop();
}

#[test]
fn a_model_that_cannot_be_loaded_is_a_state_with_a_sentence() {
    let missing = |_: &_| Err(EngineError::Load { path: "x.gguf".into(), reason: "not a GGUF file".into() });
    check_not_loaded(Box::new(missing), "cannot load x.gguf: not a GGUF file");
}

#[test]
fn a_panic_while_loading_is_a_state_too() {
    check_not_loaded(Box::new(|_| panic!("inside the loader")), "loading it panicked");
}

#[test]
fn a_corrupt_ledger_is_set_aside_and_the_status_says_so() {
    let home = home();
    let paths = paths_in(&home);
    paths.create().unwrap();
    std::fs::write(paths.ledger(), "this is no database").unwrap();
    let served = serve_from(home, loader_of(Arc::new(Scripted::saying(&["hi"]))));
    let notices = served.client.status().unwrap().notices;
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("ledger"), "{notices:?}");
    assert_eq!(rest(served.chat("hello")).0, "hi");
    served.stop();
}

#[test]
fn stopping_interrupts_what_runs_and_keeps_it() {
    let served = serve(halting(&Gate::default()));
    let mut stream = served.chat("count");
    let turn = opened(&mut stream).turn;
    assert_eq!(text(&mut stream), "one ");
    served.client.stop_within(Duration::ZERO).unwrap();
    let last = next(&mut stream);
    assert_eq!(last.chela.unwrap().ending, Some(Ending::Interrupted));
    let home = served.stop();
    let stored = Reader::open(&paths_in(&home).ledger()).unwrap().turn(turn).unwrap();
    assert_eq!((stored.row.ending, stored.row.response.as_str()), (Some(Ending::Interrupted), "one "));
}

#[test]
fn a_patient_stop_lets_answers_finish_and_takes_no_new_ones() {
    let gate = Gate::default();
    let served = serve(halting(&gate));
    let mut stream = served.chat("count");
    let turn = opened(&mut stream).turn;
    assert_eq!(text(&mut stream), "one ");
    let client = served.client.clone();
    let stopping = Builder::new().name("stopping".into()).spawn(move || client.stop_within(LIMIT)).unwrap();
    // Until the daemon has heard of it, requests are taken; dropping them ends them.
    let refused = loop {
        match served.client.chat(&request("more")) {
            Ok(_taken) => {}
            Err(refused) => break refused,
        }
    };
    assert!(refused.to_string().contains("the daemon is stopping"), "{refused}");
    gate.open();
    assert_eq!(rest(stream).0, "two");
    stopping.join().unwrap().unwrap();
    assert_eq!(served.stop_and_read(turn).row.ending, Some(Ending::Stop));
}

/// A program that plays the daemon.
fn shell(script: &str) -> Launcher {
    Launcher { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], env: Vec::new() }
}

#[test]
fn a_daemon_that_does_not_start_is_reported_with_its_last_words() {
    let home = home();
    let error = Client::connect_with(&paths_in(&home), shell("echo no room left >&2; exit 3")).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, ClientError::NoDaemon { .. }), "{message}");
    assert!(message.contains("exit status: 3") && message.contains("no room left"), "{message}");
}

#[test]
fn a_program_that_is_not_there_is_reported() {
    let launcher = Launcher { program: "/nonexistent/chela".into(), ..shell("") };
    let error = Client::connect_with(&paths_in(&home()), launcher).unwrap_err().to_string();
    assert!(error.contains("cannot run /nonexistent/chela"), "{error}");
}

/// Answers `/health` as a daemon of another version does, and leaves when it is asked to.
fn other_daemon(paths: &Paths, version: &'static str) -> std::thread::JoinHandle<()> {
    paths.create().unwrap();
    let lock = std::fs::File::create(paths.lock_file()).unwrap();
    lock.try_lock().unwrap();
    let listener = UnixListener::bind(paths.socket()).unwrap();
    let socket = paths.socket();
    let serve = move || {
        let mut is_wanted = true;
        while is_wanted {
            let mut stream = listener.accept().unwrap().0;
            let mut head = [0; 4096];
            let n_bytes = stream.read(&mut head).unwrap();
            is_wanted = !String::from_utf8_lossy(&head[..n_bytes]).contains("/shutdown");
            let body = format!(r#"{{"status":"ok","version":"{version}","protocol":{PROTOCOL},"pid":1}}"#);
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        }
        std::fs::remove_file(socket).unwrap();
        drop(lock);
    };
    Builder::new().name("other-daemon".into()).spawn(serve).unwrap()
}

#[test]
fn a_newer_daemon_is_left_alone() {
    let home = home();
    let paths = paths_in(&home);
    let _other = other_daemon(&paths, "99.1.0");
    let error = Client::connect_with(&paths, shell("exit 1")).unwrap_err();
    assert!(matches!(&error, ClientError::NewerDaemon { daemon, .. } if daemon == "99.1.0"), "{error}");
}

#[test]
fn an_older_daemon_is_asked_to_leave_and_replaced() {
    let home = home();
    let paths = paths_in(&home);
    let other = other_daemon(&paths, "0.0.1");
    let client = Client::connect_with(&paths, child(home.path())).unwrap();
    other.join().unwrap();
    assert_eq!(client.health().unwrap().version, env!("CARGO_PKG_VERSION"));
    client.stop().unwrap();
}

const CHILD_HOME: &str = "CHELA_TEST_CHILD_HOME";

/// This very test as a program that is a daemon: it runs in a process of its own and can be killed.
fn child(home: &Path) -> Launcher {
    let test = "lifecycle::a_killed_daemon_is_started_again_and_what_was_seen_is_kept";
    Launcher {
        program: std::env::current_exe().unwrap(),
        args: vec![test.into(), "--exact".into(), "--nocapture".into()],
        env: vec![(CHILD_HOME.into(), home.into())],
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tells the child from the test")]
fn a_killed_daemon_is_started_again_and_what_was_seen_is_kept() {
    if let Some(chela_home) = std::env::var_os(CHILD_HOME) {
        let paths = Paths::resolve(&PathEnv { chela_home: Some(chela_home), ..PathEnv::default() }).unwrap();
        daemon::run(config(paths, loader_of(Arc::new(halting(&Gate::default()))))).unwrap();
        return;
    }
    let home = home();
    let client = Client::connect_with(&paths_in(&home), child(home.path())).unwrap();
    let killed = client.health().unwrap().pid;
    let mut stream = client.chat(&request("count")).unwrap();
    let turn = opened(&mut stream).turn;
    assert_eq!(text(&mut stream), "one ");
    kill(killed);
    assert!(matches!(stream.next(), Some(Err(ClientError::Lost))));
    let row = client.turn(turn).unwrap();
    assert_eq!((row.ending, row.response.as_str()), (Some(Ending::Crashed), "one "));
    assert_ne!(client.health().unwrap().pid, killed);
    let mut stream = client.chat(&request("again")).unwrap();
    assert_eq!(opened(&mut stream).turn, TurnId(turn.0 + 1));
    drop(stream);
    client.stop().unwrap();
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
