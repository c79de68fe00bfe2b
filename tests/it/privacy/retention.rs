//! What goes by itself when it is old enough, and what stays.

use std::path::PathBuf;

use chela::daemon::wire::LoopEvent;
use chela::lesson::{Origin, Scope};
use chela::store::{By, Entry, NewLesson, Receipt, SqliteStore, Store};
use jiff::Timestamp;

use super::twin;
use crate::served::{files_that, home, paths_in, serve_with, until};
use crate::store::{exchange, new_turn, now};

const MARK: &str = "zzyx-quoll-47";
const DAY_MS: i64 = 86_400_000;

#[test]
fn turns_older_than_the_limit_go_and_what_was_learned_from_them_stays() {
    let home = home();
    let paths = paths_in(&home);
    paths.create().unwrap();
    let (today, text) = (Timestamp::now().as_millisecond(), format!("search for {MARK}"));
    let mut store = SqliteStore::open(&paths.ledger(), now()).unwrap().store;
    let mut at = |days: i64, text: &str| {
        let mut turn = new_turn(&format!("s{days}"), None, text);
        turn.started_at = today - days * DAY_MS;
        exchange(&mut store, turn, text)
    };
    let (old, recent) = (at(3, &text), at(1, "list ports"));
    let lesson = NewLesson {
        text: "use rg instead of grep".into(),
        scope: Scope::Global,
        origin: Origin::Corrected,
        waits_for_yes: false,
        pinned: false,
        sources: vec![old],
        replaces: Vec::new(),
        by: By::Loop,
        reason: "a correction".into(),
        created_at: today - 3 * DAY_MS,
    };
    let Receipt::Lesson(lesson) = store.append(Entry::AddLesson(lesson)).unwrap() else {
        panic!("no lesson")
    };
    drop(store);
    let typed = |days: i64, text: &str| {
        format!("{{\"at\":{},\"text\":\"{text}\"}}\n", (today - days * DAY_MS) / 1000)
    };
    for file in [paths.history_file(), paths.asked_file()] {
        std::fs::write(file, typed(3, &text) + &typed(1, "list ports")).unwrap();
    }
    std::fs::write(paths.data_dir.join("ledger.db.v4.bak"), &text).unwrap();

    let mut config = twin::parts(&home, |_| None);
    config.settings.privacy.keep_days = 2;
    let served = serve_with(home, config);
    until(|| served.client.turn(old).is_err());
    let is_done = || !std::fs::read_to_string(paths.asked_file()).unwrap().contains(MARK);
    until(is_done);
    assert_eq!(served.client.turn(recent).unwrap().messages.last().unwrap().content, "list ports");
    let kept = served.client.lesson(lesson).unwrap().lesson;
    assert_eq!((kept.text.as_str(), kept.sources.as_slice()), ("use rg instead of grep", [].as_slice()));
    for file in [paths.history_file(), paths.asked_file()] {
        assert_eq!(std::fs::read_to_string(file).unwrap(), typed(1, "list ports"));
    }
    let home = served.stop();
    let holds = |bytes: &[u8]| memchr::memmem::find(bytes, MARK.as_bytes()).is_some();
    assert_eq!(files_that(home.path(), &holds), Vec::<PathBuf>::new());
}

#[test]
fn without_a_limit_nothing_goes() {
    let home = home();
    let paths = paths_in(&home);
    paths.create().unwrap();
    let mut store = SqliteStore::open(&paths.ledger(), now()).unwrap().store;
    // In the year 1970.
    let old = exchange(&mut store, new_turn("s", None, "list ports"), "ss -tlnp");
    drop(store);
    let config = twin::parts(&home, |_| None);
    let served = serve_with(home, config);
    let mut events = served.client.events().unwrap();
    let rate = chela::daemon::wire::Rate { good: true, note: None };
    served.client.rate(old, &rate).unwrap();
    let first =
        events.find(|event| !matches!(event, Ok(LoopEvent::Learning { .. } | LoopEvent::Waiting { .. })));
    assert!(matches!(first, Some(Ok(LoopEvent::Judged { .. }))), "{first:?}");
    assert!(served.client.turn(old).is_ok());
    served.stop();
}
