//! `chela privacy` and the settings behind it, from outside.

use chela::store::{Entry, SqliteStore, Store};
use chela::turn::Message;
use chela::turn::Role;
use chela::turn::next_state::NextState;
use serde_json::Value;

use crate::cli::{Home, stderr, stdout};
use crate::served::paths_in;
use crate::store::{exchange, new_turn, now};

fn report(home: &Home) -> Value {
    let output = home.run(&["privacy", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn row<'a>(report: &'a Value, what: &str) -> Option<&'a Value> {
    report["places"].as_array().unwrap().iter().find(|place| place["what"] == what)
}

#[test]
fn a_fresh_home_keeps_nothing_and_the_report_makes_nothing() {
    let home = Home::new();
    let said = stdout(&home.run(&["privacy"]));
    assert!(said.contains("no file yet") && said.contains("nothing yet"), "{said}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn every_file_is_in_the_report_with_its_size_and_the_way_to_remove_it() {
    let home = Home::new();
    let dir = tempfile::tempdir_in(home.path()).unwrap();
    let paths = {
        let chela_home = Some(home.path().into());
        chela::config::Paths::resolve(&chela::config::PathEnv { chela_home, ..Default::default() }).unwrap()
    };
    drop(dir);
    paths.create().unwrap();
    let mut store = SqliteStore::open(&paths.ledger(), now()).unwrap().store;
    let mut turn = new_turn("s", None, "clone");
    turn.messages = vec![Message::new(Role::User, "clone with <secret:github-token> for <private:1>")];
    let turn = exchange(&mut store, turn, "git clone");
    let state = NextState::Edit { text: "git clone <secret:jwt>".into() };
    store.append(Entry::RecordNextState { turn, at: 1, state }).unwrap();
    drop(store);
    std::fs::write(paths.history_file(), "{\"at\":1,\"text\":\"clone\"}\n").unwrap();
    std::fs::write(paths.data_dir.join("left-behind"), "x").unwrap();

    let report = report(&home);
    for what in ["ledger", "input history", "other files"] {
        let row = row(&report, what).unwrap_or_else(|| panic!("{what}: {report}"));
        assert!(row["bytes"].as_u64().unwrap() > 0 && !row["remove"].as_str().unwrap().is_empty());
    }
    assert!(row(&report, "models").is_none());
    let ledger = &report["ledger"];
    assert_eq!(ledger["turns"], serde_json::json!([{"source": "shell", "n": 1}]));
    assert_eq!((ledger["oldest"].as_i64(), ledger["next_states"].as_u64()), (Some(2000), Some(1)));
    assert_eq!(ledger["hidden"], serde_json::json!({"github-token": 1, "jwt": 1, "private": 1}));
    let said = stdout(&home.run(&["privacy"]));
    for part in ["1 turn in 1 session (shell 1)", "github-token: 1", "input history:", "left-behind"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn rules_are_set_shown_and_refused_by_name() {
    let home = Home::new();
    let set = |key: &str, value: &str| home.run(&["config", "set", key, value]);
    assert!(set("privacy.ignore", r#"["~/clients/*", "shell"]"#).status.success());
    assert!(set("privacy.keep_days", "90").status.success());
    let refused = set("privacy.never_learn", r#"["clients"]"#);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("privacy.never_learn: \"clients\" is neither a folder"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(stdout(&home.run(&["config", "get", "privacy.ignore"])), "[\"~/clients/*\",\"shell\"]\n");
    let said = stdout(&home.run(&["privacy"]));
    assert!(said.contains("not recorded: ~/clients/*, shell") && said.contains("after 90 days"), "{said}");
    let report = report(&home);
    assert_eq!(report["rules"]["ignore"], serde_json::json!(["~/clients/*", "shell"]));
    let here = home.chela(&["privacy", "--json"]).env("CHELA_OFF", "1").output().unwrap();
    let here: Value = serde_json::from_slice(&here.stdout).unwrap();
    assert_eq!(here["rules"]["off_record_here"], true);
    assert_eq!(paths_in(&tempfile::tempdir().unwrap()).config_file().file_name().unwrap(), "config.toml");
}

#[test]
fn a_shell_without_hooks_says_what_off_would_need() {
    let home = Home::new();
    let output = home.run(&["off"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("CHELA_OFF=1"), "{}", stderr(&output));
}

#[test]
fn a_question_off_the_record_leaves_no_turn() {
    let home = Home::new();
    let output = home.run(&["ask", "--off", "--json", "--temperature", "0", "list files"]);
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!((&answer["recorded"], &answer["turn"]), (&Value::Bool(false), &Value::Null));
    assert!(!answer["answer"].as_str().unwrap().is_empty());
    let here =
        home.chela(&["ask", "--temperature", "0", "list files"]).env("CHELA_OFF", "1").output().unwrap();
    assert!(here.status.success() && stderr(&here).is_empty());
    home.run(&["daemon", "stop"]);
    assert_eq!(stdout(&home.run(&["export"])), "");
}
