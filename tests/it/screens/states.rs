//! The main states as whole screens at three sizes.

use chela::daemon::wire::SessionList;
use chela::store::SessionRow;
use chela::tui::app::{Event, Failure, Link};
use chela::tui::input::Pasted;
use chela::turn::{Ending, SessionId, Source};
use crossterm::event::KeyCode;
use insta::assert_snapshot;

use super::stage::Stage;

const ANSWER: &str = "To list files larger than **100 MB**:\n\n```sh\nfind . -type f -size +100M\n```\n\n\
    1. `find .` starts *here*\n2. `-size +100M` means more than 100 MiB\n\n\
    | flag | meaning |\n|---|---|\n| -type f | files only |\n| -size | how large |\n";

const SIZES: [(usize, usize); 3] = [(80, 24), (120, 40), (40, 10)];

/// One state on all three screens.
fn check(name: &str, play: impl Fn(&mut Stage)) {
    for (columns, rows) in SIZES {
        let mut stage = Stage::new(columns, rows);
        play(&mut stage);
        assert_snapshot!(format!("{name}_{columns}x{rows}"), stage.screen());
    }
}

fn ready(stage: &mut Stage) {
    stage.event(Event::Link(super::stage::ready()));
}

#[test]
fn first_frame() {
    check("first_frame", |_| {});
}

#[test]
fn loading_with_a_message_that_waits() {
    check("loading", |stage| {
        stage.event(Event::Link(Link::Loading("chela-starter".into())));
        stage.send("list files larger than 100 MB").typed("and the old");
    });
}

#[test]
fn answered() {
    check("answered", |stage| {
        ready(stage);
        stage.exchange("list files larger than 100 MB", ANSWER);
    });
}

#[test]
fn streaming_with_a_queue() {
    check("streaming", |stage| {
        ready(stage);
        stage.send("tell me more").placed();
        stage.now = std::time::Duration::from_millis(500);
        stage.piece("A first paragraph.\n\nThe second one is **not** fini");
        stage.now = std::time::Duration::from_secs(3);
        stage.piece("shed").send("then this").send("and that");
    });
}

#[test]
fn interrupted() {
    check("interrupted", |stage| {
        ready(stage);
        stage.send("count").placed().piece("one, two, thr").key(KeyCode::Esc).ended(Ending::Interrupted, 40);
    });
}

#[test]
fn palette() {
    check("palette", |stage| {
        ready(stage);
        stage.typed("/re");
    });
}

#[test]
fn keys() {
    check("keys", |stage| {
        ready(stage);
        stage.typed("?");
    });
}

#[test]
fn a_chip_between_wide_text() {
    check("chip", |stage| {
        ready(stage);
        stage
            .typed("漢字 e\u{301} 👩‍👩‍👧 see ")
            .event(Event::Paste(Pasted::new("x\n".repeat(312).as_bytes())))
            .typed(" ok");
    });
}

#[test]
fn history_search() {
    check("search", |stage| {
        ready(stage);
        stage.event(Event::History(vec!["git rebase -i".into(), "cargo test".into()]));
        stage.ctrl('r').typed("reb");
    });
}

#[test]
fn resume_picker() {
    check("picker", |stage| {
        ready(stage);
        stage.send("/resume");
        let row = |n: i64, title: &str| SessionRow {
            id: SessionId(format!("s{n}")),
            title: title.into(),
            source: Source::Chat,
            cwd: Some("/home/ada".into()),
            started_at: 0,
            last_turn_at: 0,
            n_turns: 3,
        };
        let sessions = vec![
            row(1, "find large files"),
            row(2, "a title that is so long that it does not fit into any list at all"),
        ];
        stage.event(Event::Sessions(Ok(SessionList { sessions }))).key(KeyCode::Down);
    });
}

#[test]
fn the_daemon_is_lost_in_mid_answer() {
    check("lost", |stage| {
        ready(stage);
        stage.send("count").placed().piece("one, two").failed(Failure::Lost);
    });
}

#[test]
fn the_oldest_messages_were_left_out() {
    check("dropped", |stage| {
        ready(stage);
        stage.send("go on").placed_without(2).piece("Yes.").ended(Ending::Stop, 8000);
    });
}

#[test]
fn no_model() {
    check("no_model", |stage| {
        let reason = "no model is loaded: qwen.gguf is cut off; `chela model pull ORG/REPO` downloads one";
        stage.event(Event::Link(Link::Down(reason.into())));
    });
}

#[test]
fn a_command_with_output() {
    check("command", |stage| {
        ready(stage);
        stage
            .send("!ls -la")
            .event(Event::CommandOutput(b"total 2\n\x1b[31mred.txt\x1b[0m\nunfinished".to_vec()));
        stage.event(Event::CommandEnded("exit status 2".into()));
    });
}
