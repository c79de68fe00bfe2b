//! `kill -9` of the real daemon while it forgets, each time a little later: the next start does the rest.

use std::time::{Duration, Instant};

use chela::client::{Client, Launcher};
use chela::store::Reader;

use super::*;

/// Turns of the home that is forgotten: enough steps to be killed between.
const TURNS: usize = 160;
/// How long after the note was written the daemon dies; in milliseconds.
const DEATHS: [u64; 12] = [0, 2, 4, 8, 12, 18, 26, 36, 50, 70, 100, 150];

/// A home in which the marker was asked about, taught, and learned.
fn taught() -> TempDir {
    let twin = serve();
    let asked: Vec<TurnId> =
        (0..3).map(|n| twin.say(None, &[Message::new(Role::User, format!("{MARKER} {n}"))]).0).collect();
    let lesson = twin.teach(LESSON, "grep", Some(asked[0]));
    let run = twin.learn();
    assert_eq!(run.state, RunState::Promoted, "{}", reason(&run));
    assert_eq!(twin.state_of(lesson), State::Learned(V1));
    for n in 0..TURNS {
        twin.say(None, &[Message::new(Role::User, format!("turn {n} about {MARKER}"))]);
    }
    let home = twin.served.stop();
    std::fs::write(paths_in(&home).config_file(), "[learn]\nwhen = \"asked\"\n").unwrap();
    home
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn daemon_in(home: &TempDir) -> Client {
    let launcher = Launcher {
        program: env!("CARGO_BIN_EXE_chela").into(),
        args: vec!["daemon".into(), "run".into()],
        env: vec![("CHELA_HOME".into(), home.path().into())],
    };
    Client::connect_with(&paths_in(home), launcher).unwrap()
}

/// Asks the daemon to forget, and kills it so long after it wrote down what goes. Whether it died in the middle.
fn forget_and_kill(home: &TempDir, wish: &Forget, after: Duration) -> bool {
    let client = daemon_in(home);
    let pid = rustix::process::Pid::from_raw(client.health().unwrap().pid.try_into().unwrap()).unwrap();
    let note = paths_in(home).data_dir.join("forgetting.json");
    let (asking, wish) = (client.clone(), wish.clone());
    let asked = std::thread::Builder::new().name("asks".into()).spawn(move || asking.forget(&wish)).unwrap();
    until(|| note.exists() || asked.is_finished());
    let began = Instant::now();
    while began.elapsed() < after && !asked.is_finished() {
        std::hint::spin_loop();
    }
    let is_in_the_middle = note.exists();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    if let Err(err @ ClientError::Refused { .. }) = asked.join().unwrap() {
        panic!("{err}");
    }
    is_in_the_middle
}

#[track_caller]
fn check_gone(home: &TempDir, death: u64) {
    let paths = paths_in(home);
    let client = daemon_in(home);
    until(|| !paths.data_dir.join("forgetting.json").exists());
    // It answers only when that is done, and says so.
    assert_eq!(client.adapters().unwrap().adapters, [], "death {death}");
    client.stop().unwrap();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0], "death {death}");
    let mut reader = Reader::open(&paths.ledger()).unwrap();
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new(), "death {death}");
    assert_eq!(reader.counts().unwrap().turns, 0, "death {death}");
    assert_eq!(reader.sessions(10, Some("about")).unwrap(), [], "the index of words is in step");
}

#[track_caller]
fn check(wish: &Forget) {
    let taught = taught();
    assert!(!holding_it(taught.path()).is_empty(), "the test can see it");
    let mut n_in_the_middle = 0;
    for death in DEATHS {
        let home = home();
        copy(taught.path(), home.path());
        n_in_the_middle += usize::from(forget_and_kill(&home, wish, Duration::from_millis(death)));
        check_gone(&home, death);
    }
    assert!(n_in_the_middle >= 3, "{n_in_the_middle} of {} deaths came in the middle", DEATHS.len());
}

#[test]
fn a_text_is_forgotten_whenever_the_daemon_dies() {
    check(&Forget { matching: Some(MARKER.into()), ..Forget::default() });
}

#[test]
fn everything_is_forgotten_whenever_the_daemon_dies() {
    check(&Forget { all: true, ..Forget::default() });
}
