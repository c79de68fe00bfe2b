//! Your own data: `chela export`, `chela import`, `chela backup` and `chela restore` as a script runs them, beside a
//! daemon with a scripted model.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use chela::daemon::wire::review::Excluded;
use chela::daemon::wire::{ChangeLesson, LessonWish, Rate, Teach};
use chela::engine::scripted::{Asked, Scripted, Step};
use chela::learn::chat_file::ChatLines;
use chela::lesson::Scope;
use chela::store::{LessonFilter, Reader};
use chela::turn::next_state::NextState;
use chela::turn::{Message, Role, TurnId};
use serde_json::{Value, json};

use crate::cli::{stderr, stdout};
use crate::served::{Served, home, loader_of, opened, request, rest, serve_from, until};

/// A daemon whose model proposes grep first and rg when it is asked again, and votes good.
fn serve() -> Served {
    let script = |asked: &Asked| {
        let says = if asked.prompt.contains("Judge the answer") {
            "good"
        } else if asked.prompt.contains("again") {
            "rg todo src"
        } else {
            "grep -r todo src"
        };
        vec![Step::Say(says.to_owned())]
    };
    serve_from(home(), loader_of(Arc::new(Scripted::new("scripted", 4096, Box::new(script)))))
}

fn run_in(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).stdin(Stdio::null()).env("CHELA_HOME", home).output().unwrap()
}

/// What must succeed; returns stdout.
#[track_caller]
fn chela(served: &Served, args: &[&str]) -> String {
    let output = run_in(served.home.path(), args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

#[track_caller]
fn refused(served: &Served, args: &[&str], says: &str) {
    let output = run_in(served.home.path(), args);
    let said = stderr(&output);
    assert!(!output.status.success() && said.contains(says), "{args:?}: {said}");
}

fn ask(served: &Served, text: &str) -> TurnId {
    let mut stream = served.client.chat(&request(text)).unwrap();
    let turn = opened(&mut stream).turn;
    assert!(rest(stream).2.is_none());
    turn
}

fn rate(served: &Served, turn: TurnId, good: bool) {
    served.client.rate(turn, &Rate { good, note: None }).unwrap();
    let reward = if good { 1 } else { -1 };
    until(|| {
        let verdicts = served.client.why(turn).unwrap().verdicts;
        verdicts.iter().any(|row| row.is_newest && row.verdict.reward == Some(reward))
    });
}

fn teach(served: &Served, text: &str) {
    served.client.teach(&Teach { text: text.into(), scope: Some(Scope::Global), turn: None }).unwrap();
}

/// Four turns: good, edited, excluded, and a bad one that was put right in the next.
fn history(served: &Served) -> Vec<TurnId> {
    let good = ask(served, "find todos");
    rate(served, good, true);
    let edited = ask(served, "find todos in src");
    served.client.tell_next_state(edited, &NextState::Edit { text: "rg todo".into() }).unwrap();
    let excluded = ask(served, "find my secrets");
    served.client.exclude(Excluded::Turn(excluded), true).unwrap();
    let bad = ask(served, "find todos fast");
    rate(served, bad, false);
    let mut next = request("find todos fast");
    next.chela.as_mut().unwrap().parent = Some(bad);
    next.messages.push(Message::new(Role::Assistant, "grep -r todo src"));
    next.messages.push(Message::new(Role::User, "again, faster"));
    let mut stream = served.client.chat(&next).unwrap();
    let better = opened(&mut stream).turn;
    assert!(rest(stream).2.is_none());
    rate(served, better, true);
    // One is drawn from the edit.
    until(|| served.client.lessons(None, "", 9).unwrap().lessons.len() == 1);
    teach(served, "list hidden files too");
    vec![good, edited, excluded, bad, better]
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn exported(served: &Served) -> std::path::PathBuf {
    let folder = served.home.path().join("export");
    chela(served, &["export", folder.to_str().unwrap()]);
    folder
}

#[test]
fn a_folder_holds_everything_and_says_what() {
    let served = serve();
    let turns = history(&served);
    let folder = exported(&served);
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let rows: Vec<(&str, u64)> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["name"].as_str().unwrap(), file["rows"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        rows,
        [
            ("turns.jsonl", 4),
            ("lessons.jsonl", 2),
            ("runs.jsonl", 0),
            ("training.jsonl", 3),
            ("preferences.jsonl", 2)
        ]
    );
    assert_eq!(manifest["left_out"], json!({"excluded": 1, "running": 0}));
    for file in manifest["files"].as_array().unwrap() {
        let bytes = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
        assert_eq!(file["bytes"].as_u64().unwrap(), bytes.len() as u64);
        let sum =
            Command::new("sha256sum").arg(folder.join(file["name"].as_str().unwrap())).output().unwrap();
        assert!(stdout(&sum).starts_with(file["sha256"].as_str().unwrap()));
    }
    let ids: Vec<i64> =
        lines(&folder.join("turns.jsonl")).iter().map(|line| line["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [turns[0].0, turns[1].0, turns[3].0, turns[4].0]);
    let first = &lines(&folder.join("turns.jsonl"))[0];
    assert_eq!(first["response"], "grep -r todo src");
    assert_eq!(first["verdicts"][0]["verdict"]["reward"], 1);
    assert_eq!(first["next_states"][0]["state"], json!({"kind": "rating", "good": true, "note": null}));
    assert!(!first["response_tokens"].as_array().unwrap().is_empty());
    assert!(!folder.with_extension("part").exists());
    // A second time nothing is overwritten.
    refused(&served, &["export", folder.to_str().unwrap()], "is not empty");
}

#[test]
fn a_training_set_is_what_the_trainer_reads() {
    let served = serve();
    history(&served);
    let text = chela(&served, &["export", "--only", "training"]);
    let mut reader = std::io::Cursor::new(text.as_bytes());
    let chats: Vec<_> = ChatLines::new(&mut reader).map(|line| line.unwrap().unwrap()).collect();
    let last: Vec<String> = chats.iter().map(|chat| chat.messages.last().unwrap().content.clone()).collect();
    assert_eq!(last, ["rg todo", "rg todo src", "grep -r todo src"]);
    assert_eq!(chats[1].messages.len(), 4);
    let why: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["chela"]["why"].clone())
        .collect();
    assert_eq!(why, ["edited", "judged_good", "judged_good"]);
}

#[test]
fn pairs_come_from_edits_and_corrections() {
    let served = serve();
    let turns = history(&served);
    let text = chela(&served, &["export", "-", "--only", "preferences"]);
    let pairs: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short = |pair: &Value| {
        let said = |side: &str| pair[side][0]["content"].as_str().unwrap().to_owned();
        (
            pair["chela"]["turn"].as_i64().unwrap(),
            pair["chela"]["why"].clone(),
            said("chosen"),
            said("rejected"),
        )
    };
    let grep = || "grep -r todo src".to_owned();
    assert_eq!(
        pairs.iter().map(short).collect::<Vec<_>>(),
        [
            (turns[1].0, json!("edited"), "rg todo".to_owned(), grep()),
            (turns[3].0, json!("corrected"), "rg todo src".to_owned(), grep()),
        ]
    );
    assert_eq!(pairs[1]["prompt"].as_array().unwrap().last().unwrap()["content"], "find todos fast");
}

#[test]
fn what_was_excluded_is_left_out_and_counted() {
    let served = serve();
    history(&served);
    let output = run_in(served.home.path(), &["export"]);
    assert!(!stdout(&output).contains("my secrets"));
    assert!(
        stderr(&output).contains("left out: 1 turn that you took out of learning"),
        "{}",
        stderr(&output)
    );
    assert!(chela(&served, &["export", "--with-excluded"]).contains("my secrets"));
}

#[test]
fn adapters_need_a_folder() {
    let served = serve();
    ask(&served, "find todos");
    refused(&served, &["export", "--only", "adapters"], "name a folder");
}

fn report(served: &Served, path: &Path, more: &[&str]) -> Value {
    let args = [&["import", path.to_str().unwrap(), "--json"], more].concat();
    serde_json::from_str(&chela(served, &args)).unwrap()
}

fn tally(new: u64, more: u64, known: u64) -> Value {
    json!({"new": new, "more": more, "known": known, "broken": 0})
}

/// Everything but numbers of rows and what is said of this ledger alone.
fn essence(mut line: Value) -> Value {
    for field in ["id", "parent", "lessons"] {
        line.as_object_mut().unwrap().remove(field);
    }
    for verdict in line["verdicts"].as_array_mut().unwrap() {
        verdict.as_object_mut().unwrap().remove("turn");
    }
    line
}

#[test]
fn an_import_brings_all_of_it_and_a_second_one_nothing() {
    let (from, to) = (serve(), serve());
    history(&from);
    let folder = exported(&from);
    assert_eq!(report(&to, &folder, &["--dry-run"])["turns"], tally(4, 0, 0));
    assert_eq!(chela(&to, &["lessons", "--json"]).trim(), r#"{"lessons":[]}"#);
    let first = report(&to, &folder, &[]);
    assert_eq!((&first["turns"], &first["lessons"]), (&tally(4, 0, 0), &tally(2, 0, 0)));
    let again = to.home.path().join("again");
    chela(&to, &["export", again.to_str().unwrap()]);
    let of = |folder: &Path| lines(&folder.join("turns.jsonl")).into_iter().map(essence).collect::<Vec<_>>();
    assert_eq!(of(&again), of(&folder));
    for file in ["training.jsonl", "preferences.jsonl"] {
        assert_eq!(lines(&again.join(file)).len(), lines(&folder.join(file)).len());
    }
    let second = report(&to, &folder, &[]);
    assert_eq!((&second["turns"], &second["lessons"]), (&tally(0, 0, 4), &tally(0, 0, 2)));
    // Into the ledger that it is from, it brings nothing either.
    assert_eq!(report(&from, &folder, &[])["turns"], tally(0, 0, 4));
    assert_eq!(to.client.why(TurnId(4)).unwrap().turn.parent, Some(TurnId(3)));
    let home = to.stop();
    let mut reader = Reader::open(&home.path().join("data/ledger.db")).unwrap();
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
    assert_eq!(reader.sessions(5, Some("fast")).unwrap().len(), 1);
}

#[test]
fn what_followed_a_known_turn_is_added() {
    let (from, to) = (serve(), serve());
    let turn = ask(&from, "find todos");
    let file = from.home.path().join("turns.jsonl");
    fs::write(&file, chela(&from, &["export", "--tokens"])).unwrap();
    assert_eq!(report(&to, &file, &[])["turns"], tally(1, 0, 0));
    rate(&from, turn, true);
    fs::write(&file, chela(&from, &["export", "--tokens"])).unwrap();
    assert_eq!(report(&to, &file, &[])["turns"], tally(0, 1, 0));
    assert_eq!(report(&to, &file, &[])["turns"], tally(0, 0, 1));
    assert_eq!(to.client.why(TurnId(1)).unwrap().verdicts.last().unwrap().verdict.reward, Some(1));
}

#[test]
fn the_newer_of_two_lessons_stands_whichever_ledger_it_is_from() {
    let (from, to) = (serve(), serve());
    teach(&to, "use ag instead of grep");
    teach(&from, "use rg instead of grep");
    let file = from.home.path().join("lessons.jsonl");
    fs::write(&file, chela(&from, &["export", "--only", "lessons"])).unwrap();
    assert_eq!(report(&to, &file, &[])["lessons"], tally(1, 0, 0));
    let states = |served: &Served| -> Vec<(String, String)> {
        let path = served.paths.ledger();
        let lessons = Reader::open(&path).unwrap().lessons(&LessonFilter::default(), 9).unwrap();
        lessons.into_iter().map(|one| (one.text, one.state.to_string())).collect()
    };
    let row = |text: &str, state: &str| (text.to_owned(), state.to_owned());
    let expected = [row("use rg instead of grep", "active"), row("use ag instead of grep", "retired")];
    assert_eq!(
        states(&to)
            .iter()
            .map(|(text, state)| row(&text.to_lowercase().replace('.', ""), state))
            .collect::<Vec<_>>(),
        expected
    );
    // The other way round the older one arrives retired.
    let back = from.home.path().join("back.jsonl");
    let all = chela(&to, &["export", "--only", "lessons"]);
    let older = all.lines().find(|line| line.contains("ag instead")).unwrap();
    fs::write(&back, older.replace("\"is\":\"retired\"", "\"is\":\"active\"")).unwrap();
    assert_eq!(report(&from, &back, &[])["lessons"], tally(1, 0, 0));
    assert_eq!(
        states(&from).iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(),
        ["retired", "active"]
    );
}

#[test]
fn a_lesson_that_was_removed_here_stays_removed() {
    let (from, to) = (serve(), serve());
    for served in [&from, &to] {
        teach(served, "use rg instead of grep");
    }
    let lesson = to.client.lessons(None, "", 9).unwrap().lessons[0].id;
    to.client
        .change_lesson(lesson, &ChangeLesson { change: LessonWish::Prune, reason: String::new() })
        .unwrap();
    let file = from.home.path().join("lessons.jsonl");
    fs::write(&file, chela(&from, &["export", "--only", "lessons"])).unwrap();
    assert_eq!(report(&to, &file, &[])["lessons"], tally(0, 0, 1));
}

#[test]
fn what_weights_elsewhere_hold_is_active_here_with_its_history() {
    let (from, to) = (serve(), serve());
    teach(&from, "use rg instead of grep");
    let file = from.home.path().join("lessons.jsonl");
    let text = chela(&from, &["export", "--only", "lessons"]);
    let learned = text.replace(r#""state":{"is":"active"}"#, r#""state":{"is":"learned","in_version":7}"#);
    assert_ne!(learned, text);
    fs::write(&file, learned).unwrap();
    assert_eq!(report(&to, &file, &[])["lessons"], tally(1, 0, 0));
    let lesson = to.client.lessons(None, "", 9).unwrap().lessons.remove(0);
    assert_eq!(lesson.state.to_string(), "active");
    let history = to.client.lesson(lesson.id).unwrap().history;
    assert_eq!(
        history.iter().map(|event| event.what.as_str()).collect::<Vec<_>>(),
        ["activated", "imported"]
    );
    // The next prompt has it.
    let mut stream = to.client.chat(&request("grep for todo in src")).unwrap();
    assert_eq!(opened(&mut stream).lessons.len(), 1);
    rest(stream);
}

#[test]
fn broken_lines_are_named_and_the_rest_comes() {
    let (from, to) = (serve(), serve());
    ask(&from, "find todos");
    let good = chela(&from, &["export"]);
    let file = from.home.path().join("mixed.jsonl");
    fs::write(
        &file,
        format!(
            "{{\n{good}\n{{\"messages\":[]}}\n{}",
            good.replace("\"ending\":\"stop\"", "\"ending\":null")
        ),
    )
    .unwrap();
    let output = run_in(to.home.path(), &["import", file.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let name = file.display();
    for expected in [
        format!("{name}:1: is not JSON"),
        format!("{name}:4: is an example for training"),
        format!("{name}:5: it has no end"),
    ] {
        assert!(said.contains(&expected), "{said}");
    }
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&report["turns"]["new"], &report["turns"]["broken"], &report["broken_lines"]),
        (&json!(1), &json!(1), &json!(2))
    );
}

#[test]
fn a_secret_in_an_export_is_hidden_when_it_comes() {
    let (from, to) = (serve(), serve());
    ask(&from, "find todos");
    // Put together here, so that no scanner takes this file for a leak.
    let token = ["ghp", "_", "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF3hI6"].concat();
    let file = from.home.path().join("turns.jsonl");
    let text =
        chela(&from, &["export", "--tokens"]).replace("find todos", &format!("find todos with {token}"));
    fs::write(&file, text).unwrap();
    assert_eq!(report(&to, &file, &[])["turns"], tally(1, 0, 0));
    let here = chela(&to, &["export", "--tokens"]);
    assert!(here.contains("<secret:github-token>") && !here.contains(&token), "{here}");
    assert_eq!(report(&to, &file, &[])["turns"], tally(0, 0, 1));
}

// Backups.

#[test]
fn a_backup_comes_back_with_everything_and_what_was_there_is_kept() {
    let served = serve();
    history(&served);
    let made: Value = serde_json::from_str(&chela(&served, &["backup", "--json"])).unwrap();
    assert_eq!((&made["turns"], &made["lessons"]), (&json!(5), &json!(2)));
    let file = made["path"].as_str().unwrap().to_owned();
    let before = chela(&served, &["export", "--tokens", "--with-excluded"]);
    teach(&served, "use fd instead of find");
    let home = served.stop();
    // It speaks of numbers in the ledger that goes.
    let note = home.path().join("data/forgetting.json");
    fs::write(&note, r#"{"lessons":[1],"turns":[1],"versions":[]}"#).unwrap();
    let output = run_in(home.path(), &["restore", &file]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!note.exists() && stderr(&output).contains("say it again"), "{}", stderr(&output));
    assert!(stderr(&output).contains("what was here is kept as"), "{}", stderr(&output));
    let after = stdout(&run_in(home.path(), &["export", "--tokens", "--with-excluded"]));
    assert_eq!(after, before);
    let kept: Value =
        serde_json::from_str(&stdout(&run_in(home.path(), &["backup", "--list", "--json"]))).unwrap();
    let lessons: Vec<u64> =
        kept.as_array().unwrap().iter().map(|one| one["lessons"].as_u64().unwrap()).collect();
    assert_eq!(lessons, [3, 2]);
}

#[test]
fn a_backup_where_the_person_wants_it_is_a_tar_file() {
    let served = serve();
    ask(&served, "find todos");
    let file = served.home.path().join("mine.tar.zst");
    assert_eq!(chela(&served, &["backup", file.to_str().unwrap()]).trim(), file.to_str().unwrap());
    refused(&served, &["backup", file.to_str().unwrap()], "exists");
    let magic = fs::read(&file).unwrap();
    assert_eq!(magic[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    assert_eq!(chela(&served, &["backup", "--list", "--json"]).trim(), "[]");
}

#[test]
fn a_damaged_backup_is_refused_and_nothing_moves() {
    let served = serve();
    ask(&served, "find todos");
    let file = served.home.path().join("mine.tar.zst");
    chela(&served, &["backup", file.to_str().unwrap()]);
    let home = served.stop();
    let ledger = home.path().join("data/ledger.db");
    let before = fs::read(&ledger).unwrap();
    let whole = fs::read(&file).unwrap();
    for broken in [whole[..whole.len() / 2].to_vec(), b"no backup at all".to_vec(), {
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        bytes
    }] {
        fs::write(&file, broken).unwrap();
        let output = run_in(home.path(), &["restore", file.to_str().unwrap()]);
        let said = stderr(&output);
        assert!(output.status.code() == Some(1) && said.contains("mine.tar.zst"), "{said}");
        assert_eq!(fs::read(&ledger).unwrap(), before);
    }
    assert!(!home.path().join("data/ledger.db.restoring").exists());
}

#[test]
fn a_backup_comes_back_when_the_present_ledger_cannot_be_read() {
    let served = serve();
    ask(&served, "find todos");
    let file = served.home.path().join("mine.tar.zst");
    chela(&served, &["backup", file.to_str().unwrap()]);
    let home = served.stop();
    fs::write(home.path().join("data/ledger.db"), vec![7; 9000]).unwrap();
    let output = run_in(home.path(), &["restore", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&run_in(home.path(), &["export"])).contains("find todos"));
    let list = stdout(&run_in(home.path(), &["backup", "--list"]));
    assert!(list.contains("unreadable") && list.contains("could not be read"), "{list}");
    let kept = list.split_whitespace().find(|word| word.contains("unreadable")).unwrap().to_owned();
    let again = run_in(home.path(), &["restore", &kept]);
    assert!(stderr(&again).contains("could not be read"), "{}", stderr(&again));
}

#[test]
fn forgetting_removes_the_backups_that_chela_keeps() {
    let served = serve();
    let turn = ask(&served, "find todos");
    let file = served.home.path().join("mine.tar.zst");
    chela(&served, &["backup"]);
    chela(&served, &["backup", file.to_str().unwrap()]);
    chela(&served, &["forget", &format!("turn:{}", turn.0), "--yes"]);
    assert_eq!(chela(&served, &["backup", "--list", "--json"]).trim(), "[]");
    assert!(file.exists());
}
