//! The ledger from outside: opening what may lie there, appending, surviving, reading back.

use std::fs::{self, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use chela::store::{
    Counts, Entry, LeftOut, NewSession, NewTurn, Opened, Reader, Receipt, RecordFilter, ScriptedStore,
    SqliteStore, Store, StoreError, StoredToken, TurnRow, spawn,
};
use chela::turn::{Ending, Message, PolicyVersion, Role, SessionId, Source, TurnId, TurnKind};
use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

/// 2026-11-22T15:04:00Z.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_795_359_840).unwrap()
}

pub(super) struct Ledger {
    pub(super) dir: TempDir,
    pub(super) path: PathBuf,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        Self { dir, path }
    }

    pub(super) fn open(&self) -> Opened {
        SqliteStore::open(&self.path, now()).unwrap()
    }

    pub(super) fn store(&self) -> SqliteStore {
        self.open().store
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(&self.path).unwrap()
    }

    /// Names of the files in the ledger's directory.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What `kill -9` at this moment would leave behind: everything that reached the operating system.
    pub(super) fn as_a_kill_leaves_it(&self) -> Ledger {
        let copy = Ledger::new();
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            fs::copy(self.dir.path().join(name), copy.dir.path().join(name)).unwrap();
        }
        copy
    }
}

pub(super) fn id(name: &str) -> SessionId {
    SessionId(name.into())
}

pub(super) fn new_session(name: &str) -> Entry {
    Entry::OpenSession(NewSession {
        id: id(name),
        source: Source::Chat,
        cwd: Some("/home/a/project".into()),
        started_at: 1_000,
    })
}

pub(super) fn new_turn(session: &str, parent: Option<TurnId>, request: &str) -> NewTurn {
    NewTurn {
        session: id(session),
        parent,
        kind: TurnKind::Main,
        source: Source::Shell,
        cwd: Some("/tmp".into()),
        messages: vec![Message::new(Role::System, "be brief"), Message::new(Role::User, request)],
        prompt: vec![1, 151_643, 300],
        policy: PolicyVersion(3),
        model: "chela-starter".into(),
        settings: r#"{"temperature":0.8,"seed":7}"#.into(),
        started_at: 2_000,
    }
}

pub(super) fn begin(store: &mut dyn Store, turn: NewTurn) -> TurnId {
    match store.append(Entry::BeginTurn(turn)).unwrap() {
        Receipt::Turn(turn) => turn,
        other => panic!("{other:?} instead of a turn"),
    }
}

fn token(id: i32, logprob: f32, text: &str) -> StoredToken {
    StoredToken { id, logprob, text: text.into() }
}

fn say(store: &mut dyn Store, turn: TurnId, text: &str) {
    store.append(Entry::AppendTokens { turn, tokens: vec![token(42, -0.25, text)] }).unwrap();
}

pub(super) fn end(store: &mut dyn Store, turn: TurnId) {
    let ending = Ending::Stop;
    store.append(Entry::EndTurn { turn, ended_at: 3_000, ending, error: None }).unwrap();
}

/// A whole turn; opens its session when needed.
pub(super) fn exchange(store: &mut dyn Store, turn: NewTurn, answer: &str) -> TurnId {
    store.append(new_session(&turn.session.0)).unwrap();
    let turn = begin(store, turn);
    say(store, turn, answer);
    end(store, turn);
    turn
}

fn requests(turns: &[TurnRow]) -> Vec<&str> {
    turns.iter().map(|turn| turn.messages.last().unwrap().content.as_str()).collect()
}

// What comes back is what went in.

#[test]
fn a_turn_comes_back_whole() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    let sent = new_turn("s", None, "list ports");
    let turn = begin(&mut store, sent.clone());
    let tokens =
        vec![token(0, -0.0, "ss"), token(-1, f32::NEG_INFINITY, ""), token(151_645, -1.5, " -tlnp ✓")];
    store.append(Entry::AppendTokens { turn, tokens }).unwrap();
    store.append(Entry::AppendText { turn, text: ".\0".into() }).unwrap();
    let error = Some("out of memory".to_owned());
    store
        .append(Entry::EndTurn { turn, ended_at: 3_000, ending: Ending::Failed, error: error.clone() })
        .unwrap();

    let stored = ledger.reader().turn(turn).unwrap();
    let expected = TurnRow {
        id: turn,
        session: id("s"),
        parent: None,
        kind: TurnKind::Main,
        source: Source::Shell,
        cwd: Some("/tmp".into()),
        messages: sent.messages,
        response: "ss -tlnp ✓.\0".into(),
        ending: Some(Ending::Failed),
        error,
        policy: PolicyVersion(3),
        model: "chela-starter".into(),
        n_prompt: 3,
        n_response: 3,
        started_at: 2_000,
        ended_at: Some(3_000),
    };
    assert_eq!(stored.row, expected);
    assert_eq!(stored.settings, sent.settings);
    assert_eq!(stored.prompt, sent.prompt);
    assert_eq!(stored.tokens, [0, -1, 151_645]);
    assert_eq!(stored.logprobs, [-0.0, f32::NEG_INFINITY, -1.5]);
}

#[test]
fn a_running_turn_shows_its_answer_so_far() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let first = exchange(&mut store, new_turn("s", None, "one"), "1");
    let turn = begin(&mut store, new_turn("s", Some(first), "two"));
    say(&mut store, turn, "so ");
    say(&mut store, turn, "far");

    let mut reader = ledger.reader();
    let thread = reader.session_thread(&id("s")).unwrap();
    let running = thread.turns.last().unwrap();
    assert_eq!((running.response.as_str(), running.n_response, running.ending), ("so far", 2, None));
    let stored = reader.turn(turn).unwrap();
    assert_eq!((stored.tokens, stored.logprobs), (vec![42, 42], vec![-0.25, -0.25]));
    assert_eq!(reader.counts().unwrap(), Counts { sessions: 1, turns: 2, running: 1 });
}

#[test]
fn a_thread_is_what_the_newest_turn_continues() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let root = exchange(&mut store, new_turn("s", None, "root"), "r");
    exchange(&mut store, new_turn("s", Some(root), "left behind"), "l");
    let newest = exchange(&mut store, new_turn("s", Some(root), "edited"), "e");
    let side = NewTurn { kind: TurnKind::Side, ..new_turn("s", Some(newest), "make a title") };
    exchange(&mut store, side, "Title");

    let mut reader = ledger.reader();
    let thread = reader.session_thread(&id("s")).unwrap();
    assert_eq!(requests(&thread.turns), ["root", "edited"]);
    assert_eq!(thread.session.n_turns, 3);
    assert_eq!(reader.last_turn(&id("s")).unwrap(), Some(newest));
}

#[test]
fn a_session_keeps_its_first_opening_and_its_last_title() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    exchange(&mut store, new_turn("s", None, "hello"), "hi");
    let again = NewSession { id: id("s"), source: Source::Api, cwd: None, started_at: 9_000 };
    store.append(Entry::OpenSession(again)).unwrap();
    for title in ["draft", "hello"] {
        store.append(Entry::TitleSession { session: id("s"), title: title.into() }).unwrap();
    }
    store.append(Entry::CloseSession { session: id("s"), closed_at: 4_000 }).unwrap();

    let row = ledger.reader().sessions(10, None).unwrap().remove(0);
    assert_eq!(
        (row.title.as_str(), row.source, row.started_at, row.last_turn_at),
        ("hello", Source::Chat, 1_000, 2_000)
    );
    assert_eq!((row.cwd.as_deref(), row.n_turns), (Some("/home/a/project"), 1));
}

#[test]
fn sessions_are_listed_by_their_newest_turn() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    for session in ["a", "b", "c", "a"] {
        exchange(&mut store, new_turn(session, None, "x"), "y");
    }
    store.append(new_session("empty")).unwrap();
    let names = |limit| -> Vec<String> {
        ledger.reader().sessions(limit, None).unwrap().into_iter().map(|row| row.id.0).collect()
    };
    assert_eq!(names(10), ["a", "c", "b"]);
    assert_eq!(names(2), ["a", "c"]);
    assert_eq!(names(0), Vec::<String>::new());
}

#[test]
fn export_goes_through_all_turns_oldest_first() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let n_turns: i64 = 300;
    for at in 0..n_turns {
        let turn = NewTurn { started_at: at, ..new_turn("s", None, &format!("request {at}")) };
        exchange(&mut store, turn, "y");
    }
    let exported = |since: i64, stop_after: usize| {
        let mut seen = Vec::new();
        let filter = RecordFilter { since, ..RecordFilter::default() };
        let left_out = ledger.reader().records(filter, &mut |record| {
            seen.push(record.turn.started_at);
            if seen.len() == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(left_out.unwrap(), LeftOut::default());
        seen
    };
    assert_eq!(exported(i64::MIN, usize::MAX), (0..n_turns).collect::<Vec<_>>());
    assert_eq!(exported(298, usize::MAX), [298, 299]);
    assert_eq!(exported(0, 3), [0, 1, 2]);
}

// Search.

#[track_caller]
fn check_search(typed: &str, expected: &[&str]) {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    exchange(&mut store, new_turn("ports", None, "list open ports"), "ss -tlnp");
    exchange(&mut store, new_turn("files", None, "find naïve files"), "find . -size +100M");
    let found: Vec<String> =
        ledger.reader().sessions(10, Some(typed)).unwrap().into_iter().map(|row| row.id.0).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_request_is_found() {
    check_search("open PORTS", &["ports"]);
}

#[test]
fn a_response_is_found() {
    check_search("tlnp", &["ports"]);
}

#[test]
fn the_start_of_a_word_and_no_accents_are_enough() {
    check_search("naiv fil", &["files"]);
}

#[test]
fn all_words_must_occur() {
    check_search("open files", &[]);
}

#[test]
fn instructions_to_the_model_are_not_searched() {
    check_search("brief", &[]);
}

#[test]
fn blanks_are_no_query() {
    check_search(" \n", &["files", "ports"]);
}

#[test]
fn punctuation_finds_nothing() {
    check_search("\"* 🦀", &[]);
}

#[test]
fn any_text_can_be_searched_for() {
    let ledger = Ledger::new();
    exchange(&mut ledger.store(), new_turn("s", None, "hello"), "world");
    let reader = std::cell::RefCell::new(ledger.reader());
    proptest!(|(typed: String, marks in "[\"'*()^:{}+a ~\\-]{0,12}")| {
        for text in [typed, marks] {
            prop_assert!(reader.borrow_mut().sessions(10, Some(&text)).is_ok(), "{:?}", text);
        }
    });
}

// What does not fit is refused by name.

#[track_caller]
fn check_refused(entry: &Entry, expected: &StoreError) {
    let ledger = Ledger::new();
    let mut twin = ScriptedStore::new();
    let stores: [&mut dyn Store; 2] = [&mut ledger.store(), &mut twin];
    for store in stores {
        let ended = exchange(store, new_turn("s", None, "x"), "y");
        assert_eq!(ended, TurnId(1));
        assert_eq!(store.append(entry.clone()).unwrap_err(), *expected);
    }
    assert_eq!(ledger.reader().counts().unwrap(), Counts { sessions: 1, turns: 1, running: 0 });
}

#[test]
fn an_unknown_turn_gets_no_tokens() {
    check_refused(&Entry::AppendTokens { turn: TurnId(9), tokens: vec![] }, &StoreError::NoTurn(9));
}

#[test]
fn an_ended_turn_gets_no_tokens() {
    check_refused(&Entry::AppendTokens { turn: TurnId(1), tokens: vec![] }, &StoreError::TurnEnded(1));
}

#[test]
fn an_ended_turn_does_not_end_again() {
    let again = Entry::EndTurn { turn: TurnId(1), ended_at: 9, ending: Ending::Failed, error: None };
    check_refused(&again, &StoreError::TurnEnded(1));
}

#[test]
fn a_turn_needs_its_session() {
    check_refused(&Entry::BeginTurn(new_turn("t", None, "x")), &StoreError::NoSession("t".into()));
}

#[test]
fn a_turn_needs_its_parent() {
    check_refused(&Entry::BeginTurn(new_turn("s", Some(TurnId(9)), "x")), &StoreError::NoTurn(9));
}

#[test]
fn an_unknown_session_gets_no_title() {
    let title = Entry::TitleSession { session: id("t"), title: "x".into() };
    check_refused(&title, &StoreError::NoSession("t".into()));
}

#[test]
fn an_unknown_session_cannot_be_closed() {
    let close = Entry::CloseSession { session: id("t"), closed_at: 1 };
    check_refused(&close, &StoreError::NoSession("t".into()));
}

#[test]
fn what_is_not_there_cannot_be_read() {
    let ledger = Ledger::new();
    drop(ledger.store());
    let mut reader = ledger.reader();
    assert_eq!(reader.turn(TurnId(1)).unwrap_err(), StoreError::NoTurn(1));
    assert_eq!(reader.session_thread(&id("s")).unwrap_err(), StoreError::NoSession("s".into()));
    assert_eq!(reader.last_turn(&id("s")).unwrap(), None);
}

// Death of the process.

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    let ended = exchange(&mut store, new_turn("s", None, "one"), "first");
    let running = begin(&mut store, new_turn("s", Some(ended), "two"));
    let tokens = vec![token(5, -0.125, "ha"), token(300, -7.5, "lf")];
    store.append(Entry::AppendTokens { turn: running, tokens }).unwrap();
    say(&mut store, running, " way");
    let silent = begin(&mut store, new_turn("s", Some(ended), "three"));

    let after = ledger.as_a_kill_leaves_it();
    let opened = after.open();
    assert_eq!((opened.n_recovered, opened.notice), (2, None));
    let mut reader = after.reader();
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    assert_eq!(reader.turn(ended).unwrap().row.ending, Some(Ending::Stop));
    let stored = reader.turn(running).unwrap();
    assert_eq!(stored.row.response, "half way");
    assert_eq!(stored.row.ending, Some(Ending::Crashed));
    assert_eq!(stored.row.ended_at, Some(now().as_millisecond()));
    assert_eq!(stored.tokens, [5, 300, 42]);
    assert_eq!(stored.logprobs, [-0.125, -7.5, -0.25]);
    let stored = reader.turn(silent).unwrap();
    assert_eq!((stored.row.response.as_str(), stored.row.ending), ("", Some(Ending::Crashed)));
    assert_eq!(reader.sessions(1, Some("half way")).unwrap().len(), 1);
}

#[test]
fn recovery_happens_once() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    begin(&mut store, new_turn("s", None, "x"));
    drop(store);
    assert_eq!(ledger.open().n_recovered, 1);
    assert_eq!(ledger.open().n_recovered, 0);
}

#[test]
fn a_crashed_ledger_can_be_read_before_the_next_daemon() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    let turn = begin(&mut store, new_turn("s", None, "x"));
    say(&mut store, turn, "half");
    let after = ledger.as_a_kill_leaves_it();
    assert_eq!(after.reader().turn(turn).unwrap().row.response, "half");

    // A reboot later the shared memory may be gone.
    let after = ledger.as_a_kill_leaves_it();
    fs::remove_file(after.dir.path().join("ledger.db-shm")).unwrap();
    assert_eq!(after.open().n_recovered, 1);
    assert_eq!(after.reader().turn(turn).unwrap().row.response, "half");
}

// What may lie there at the start.

#[test]
fn opening_twice_changes_nothing() {
    let ledger = Ledger::new();
    exchange(&mut ledger.store(), new_turn("s", None, "x"), "y");
    let before = fs::read(&ledger.path).unwrap();
    let opened = ledger.open();
    assert_eq!((opened.notice, opened.n_recovered), (None, 0));
    drop(opened.store);
    assert_eq!(fs::read(&ledger.path).unwrap(), before);
    assert_eq!(ledger.files(), ["ledger.db"]);
}

#[test]
fn the_files_are_private() {
    let ledger = Ledger::new();
    fs::write(&ledger.path, "").unwrap();
    fs::set_permissions(&ledger.path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    assert_eq!(ledger.files(), ["ledger.db", "ledger.db-shm", "ledger.db-wal"]);
    for name in ledger.files() {
        let mode = fs::metadata(ledger.dir.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// Writes big-endian `value` at `offset` of the file's header.
fn patch(path: &Path, offset: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

#[test]
fn a_newer_ledger_is_refused_and_not_touched() {
    let ledger = Ledger::new();
    exchange(&mut ledger.store(), new_turn("s", None, "x"), "y");
    patch(&ledger.path, 60, &99_u32.to_be_bytes());
    let before = fs::read(&ledger.path).unwrap();

    let expected = StoreError::FromTheFuture { path: ledger.path.display().to_string(), found: 99, known: 5 };
    assert_eq!(SqliteStore::open(&ledger.path, now()).err(), Some(expected.clone()));
    assert_eq!(Reader::open(&ledger.path).err(), Some(expected));
    assert_eq!(fs::read(&ledger.path).unwrap(), before);
    assert_eq!(ledger.files(), ["ledger.db"]);
}

/// Harms a ledger of 50 turns, opens it, and expects it aside, as it was, and a new one in its place.
#[track_caller]
fn check_set_aside(harm: impl FnOnce(&Path), reason: &str) {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    for n in 0..50 {
        exchange(&mut store, new_turn("s", None, &format!("request {n}")), &"long answer ".repeat(100));
    }
    drop(store);
    harm(&ledger.path);
    let harmed = fs::read(&ledger.path).unwrap();

    let mut opened = ledger.open();
    let aside = format!("{}.corrupt-20261122T150400Z", ledger.path.display());
    let notice = opened.notice.unwrap();
    assert!(notice.contains(reason) && notice.contains(&aside), "{notice}");
    assert_eq!(fs::read(&aside).unwrap(), harmed);
    exchange(&mut opened.store, new_turn("s", None, "x"), "y");
    assert_eq!(ledger.reader().counts().unwrap(), Counts { sessions: 1, turns: 1, running: 0 });
}

#[test]
fn garbage_is_set_aside() {
    check_set_aside(|path| fs::write(path, "garbage".repeat(1_000)).unwrap(), "not an SQLite database");
}

#[test]
fn a_truncated_ledger_is_set_aside() {
    let halve = |path: &Path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    check_set_aside(halve, "malformed");
}

#[test]
fn a_ledger_with_a_broken_middle_is_set_aside() {
    let scratch = |path: &Path| {
        let n_bytes = fs::metadata(path).unwrap().len();
        patch(path, n_bytes / 2, &[0xa5; 16 * 1024]);
    };
    check_set_aside(scratch, "not readable");
}

#[test]
fn a_broken_header_is_set_aside() {
    check_set_aside(|path| patch(path, 16, &[0xff; 80]), "not readable");
}

#[test]
fn the_database_of_another_program_is_set_aside() {
    check_set_aside(|path| patch(path, 68, &7_u32.to_be_bytes()), "another program");
}

#[test]
fn an_emptied_ledger_keeps_its_log() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    exchange(&mut store, new_turn("s", None, "x"), "y");
    let after = ledger.as_a_kill_leaves_it();
    fs::write(&after.path, "").unwrap();
    let log = fs::read(after.dir.path().join("ledger.db-wal")).unwrap();

    assert!(after.open().notice.unwrap().contains("it is empty"));
    let aside = after.dir.path().join("ledger.db.corrupt-20261122T150400Z-wal");
    assert_eq!(fs::read(aside).unwrap(), log);
}

#[test]
fn a_second_corrupt_ledger_does_not_replace_the_first() {
    let ledger = Ledger::new();
    for garbage in ["first", "second"] {
        fs::write(&ledger.path, garbage.repeat(10)).unwrap();
        assert!(ledger.open().notice.is_some());
    }
    let aside = ledger.dir.path().join("ledger.db.corrupt-20261122T150400Z");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "first".repeat(10));
    assert_eq!(
        fs::read_to_string(aside.with_extension("corrupt-20261122T150400Z.2")).unwrap(),
        "second".repeat(10)
    );
}

#[track_caller]
fn check_unwritable(path: &Path) {
    match SqliteStore::open(path, now()).err() {
        Some(StoreError::Unwritable { path: named, .. }) => assert_eq!(named, path.display().to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let ledger = Ledger::new();
    check_unwritable(&ledger.dir.path().join("absent/ledger.db"));
    check_unwritable(ledger.dir.path());
    fs::write(&ledger.path, "a file").unwrap();
    check_unwritable(&ledger.path.join("ledger.db"));
    if !rustix::process::getuid().is_root() {
        let locked = Ledger::new();
        drop(locked.store());
        fs::set_permissions(locked.dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
        check_unwritable(&locked.path);
        check_unwritable(&locked.dir.path().join("other.db"));
        fs::set_permissions(locked.dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(locked.files(), ["ledger.db"]);
    }
}

// The reader.

#[test]
fn a_reader_creates_no_files() {
    let ledger = Ledger::new();
    assert_eq!(
        Reader::open(&ledger.path).err(),
        Some(StoreError::NoLedger(ledger.path.display().to_string()))
    );
    assert_eq!(ledger.files(), Vec::<String>::new());
    exchange(&mut ledger.store(), new_turn("s", None, "x"), "y");
    let mut reader = ledger.reader();
    assert_eq!(reader.sessions(10, Some("x")).unwrap().len(), 1);
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    assert_eq!(ledger.files(), ["ledger.db"]);
}

#[test]
fn a_reader_from_before_the_daemon_sees_what_it_writes() {
    let ledger = Ledger::new();
    drop(ledger.store());
    let mut reader = ledger.reader();
    assert_eq!(reader.counts().unwrap().turns, 0);
    let mut store = ledger.store();
    exchange(&mut store, new_turn("s", None, "x"), "y");
    assert_eq!(reader.counts().unwrap().turns, 1);
    drop(store);
    assert_eq!(reader.counts().unwrap().turns, 1);
}

#[test]
fn a_path_with_odd_characters_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("50% of #1? ü.db");
    exchange(&mut SqliteStore::open(&path, now()).unwrap().store, new_turn("s", None, "x"), "y");
    assert_eq!(Reader::open(&path).unwrap().counts().unwrap().turns, 1);
}

#[test]
fn garbage_is_not_read() {
    let ledger = Ledger::new();
    fs::write(&ledger.path, "garbage".repeat(1_000)).unwrap();
    assert!(matches!(Reader::open(&ledger.path).err(), Some(StoreError::Corrupt { .. })));
}

// The writer thread.

#[test]
fn the_thread_writes_what_is_queued_before_it_ends() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    let turn = begin(&mut store, new_turn("s", None, "x"));
    let (handle, thread) = spawn(Box::new(store)).unwrap();
    let (sender, outcomes) = mpsc::channel();
    for n in 0..200 {
        let sender = sender.clone();
        let entry = Entry::AppendTokens { turn, tokens: vec![token(n, 0.0, "x")] };
        handle.append_with(entry, Box::new(move |outcome| sender.send(outcome).unwrap()));
    }
    drop((handle, sender));
    thread.join().unwrap();
    assert!(outcomes.iter().all(|outcome| outcome == Ok(Receipt::Done)));
    assert_eq!(ledger.files(), ["ledger.db"], "the ledger was closed");
    assert_eq!(ledger.reader().turn(turn).unwrap().tokens, (0..200).collect::<Vec<_>>());
}

#[test]
fn a_failed_entry_does_not_stop_the_thread() {
    let twin = ScriptedStore::new();
    let failure = StoreError::Unwritable { path: "/l".into(), reason: "the disk is full".into() };
    twin.fail_next(failure.clone());
    let (handle, thread) = spawn(Box::new(twin.clone())).unwrap();
    assert_eq!(handle.append(new_session("s")), Err(failure));
    assert_eq!(handle.append(new_session("s")), Ok(Receipt::Done));
    drop(handle);
    thread.join().unwrap();
    assert_eq!(twin.entries(), [new_session("s")]);
}

#[test]
fn streams_in_parallel_keep_their_own_order() {
    let ledger = Ledger::new();
    let mut store = ledger.store();
    store.append(new_session("s")).unwrap();
    let turns: Vec<TurnId> = (0..4).map(|_| begin(&mut store, new_turn("s", None, "x"))).collect();
    let (handle, thread) = spawn(Box::new(store)).unwrap();
    std::thread::scope(|scope| {
        for turn in turns.clone() {
            let handle = handle.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    let entry = Entry::AppendTokens { turn, tokens: vec![token(n, 0.0, "x")] };
                    handle.append(entry).unwrap();
                }
            });
        }
    });
    drop(handle);
    thread.join().unwrap();
    for turn in turns {
        assert_eq!(ledger.reader().turn(turn).unwrap().tokens, (0..50).collect::<Vec<_>>());
    }
}
