//! Sessions that nobody came back to: closed by the daemon, and their last answers judged.

use std::sync::Arc;

use chela::engine::scripted::{Scripted, Step};
use chela::store::{Entry, Reader, SqliteStore, Store, TurnStory};
use chela::turn::next_state::{Closing, NextState};
use chela::turn::{Ending, TurnId};

use crate::served::{home, loader_of, paths_in, serve_from, until};
use crate::store::{begin, exchange, id, new_session, new_turn, now};

/// Unix milliseconds of the year 9999: recent for as long as these tests are run.
const RECENTLY: i64 = 253_370_764_800_000;

#[test]
fn what_was_left_open_long_ago_is_closed_and_judged_at_the_start_and_what_is_recent_stays_open() {
    let home = home();
    let paths = paths_in(&home);
    paths.create().unwrap();
    let mut store = SqliteStore::open(&paths.ledger(), now()).unwrap().store;
    // More than are closed at once.
    let old: Vec<TurnId> = (0..70)
        .map(|n| exchange(&mut store, new_turn(&format!("old-{n}"), None, "list ports"), "ss -tlnp"))
        .collect();
    store.append(new_session("recent")).unwrap();
    let recent = begin(&mut store, new_turn("recent", None, "list ports"));
    let ending = Ending::Stop;
    store.append(Entry::EndTurn { turn: recent, ended_at: RECENTLY, ending, error: None }).unwrap();
    drop(store);

    let engine = Scripted::new("scripted", 4096, Box::new(|_| vec![Step::Say("unclear".into())]));
    let served = serve_from(home, loader_of(Arc::new(engine)));
    let why = |turn: TurnId| -> TurnStory { served.client.why(turn).unwrap() };
    until(|| old.iter().all(|turn| !why(*turn).verdicts.is_empty()));
    for turn in old {
        let told = why(turn);
        let states: Vec<NextState> = told.next_states.into_iter().map(|row| row.state).collect();
        assert_eq!(states, [NextState::Closed { by: Closing::Idle }]);
        assert!(!told.is_waiting);
    }
    assert_eq!(why(recent).next_states, []);
    let open = Reader::open(&paths.ledger()).unwrap().idle_sessions(i64::MAX, 100).unwrap();
    assert_eq!(open, [id("recent")]);
    served.stop();
}
