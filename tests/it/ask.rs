//! The whole path from outside: command line, daemon, engine with the starter model, ledger.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::cli::{Home, stderr, stdout};

/// A home whose daemon ends with the test.
struct Served(Home);

impl Served {
    fn new() -> Self {
        Self(Home::new())
    }

    fn ask(&self, args: &[&str]) -> Output {
        self.0.run(&[&["ask", "--temperature", "0"], args].concat())
    }

    fn exported(&self, args: &[&str]) -> Vec<Value> {
        let text = stdout(&self.0.run(&[&["export"], args].concat()));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.run(&["daemon", "stop"]);
    }
}

#[test]
fn an_answer_is_one_line_on_stdout_and_a_turn_in_the_ledger() {
    let served = Served::new();
    let output = served.ask(&["list", "files", "larger than 100 MB"]);
    let answer = stdout(&output);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(answer.starts_with("find ") && answer.ends_with('\n') && answer.lines().count() == 1, "{answer}");

    let turns = served.exported(&["--tokens"]);
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0]["response"], answer.trim_end());
    assert_eq!(turns[0]["messages"][1]["content"], "list files larger than 100 MB");
    assert_eq!(turns[0]["ending"], "stop");
    let tokens = turns[0]["response_tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), turns[0]["logprobs"].as_array().unwrap().len());
    assert_eq!(tokens.len(), usize::try_from(turns[0]["n_response"].as_u64().unwrap()).unwrap());
}

#[test]
fn json_names_model_policy_and_turn() {
    let served = Served::new();
    let object: Value = serde_json::from_slice(&served.ask(&["--json", "show disk usage"]).stdout).unwrap();
    assert_eq!((object["model"].as_str(), object["policy"].as_u64()), (Some("chela-starter"), Some(0)));
    assert_eq!(object["finish_reason"], "stop");
    assert_eq!(object["usage"]["total_tokens"].as_u64().map(|n| n > 0), Some(true));
    let session = object["session"].as_str().unwrap();
    assert_eq!(served.exported(&["--session", session])[0]["id"], object["turn"]);
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let served = Served::new();
    let ask =
        || stdout(&served.0.run(&["ask", "--seed", "7", "--temperature", "1.5", "count words in notes.txt"]));
    assert_eq!(ask(), ask());
}

#[test]
fn an_answer_that_was_cut_says_so_on_stderr() {
    let output = Served::new().ask(&["--max-tokens", "1", "list files larger than 100 MB"]);
    assert!(stderr(&output).contains("cut at its token limit"), "{}", stderr(&output));
}

#[test]
fn a_schema_is_kept() {
    let served = Served::new();
    let file = served.0.path().join("schema.json");
    std::fs::write(&file, r#"{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}"#)
        .unwrap();
    let output = served.ask(&["--schema", file.to_str().unwrap(), "--max-tokens", "60", "is it fine?"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["ok"].is_boolean(), "{answer}");
}

#[test]
fn piped_text_that_fits_no_context_is_refused_with_its_size() {
    let served = Served::new();
    let mut child = served
        .0
        .chela(&["ask", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all("word ".repeat(20_000).as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("tokens"), "{}", stderr(&output));
}

#[test]
fn a_broken_model_file_is_refused_and_the_old_one_goes_on() {
    let served = Served::new();
    let file = served.0.path().join("broken.gguf");
    std::fs::write(&file, b"GGUF\x03\0\0\0").unwrap();
    let output = served.0.run(&["model", "use", file.to_str().unwrap()]);
    assert!(!output.status.success() && stderr(&output).contains("broken.gguf"), "{}", stderr(&output));
    assert_eq!(stdout(&served.0.run(&["config", "get", "model.name"])), "chela-starter\n");
}

#[test]
fn a_model_that_is_made_smaller_can_be_used_and_removed() {
    let served = Served::new();
    assert!(served.0.run(&["model", "quantize", "chela-starter", "Q4_K_M"]).status.success());
    let used = served.0.run(&["model", "use", "chela-starter-Q4_K_M"]);
    assert!(used.status.success(), "{}", stderr(&used));
    let object: Value = serde_json::from_slice(&served.ask(&["--json", "hello"]).stdout).unwrap();
    assert_eq!(object["model"], "chela-starter-Q4_K_M");
    assert!(stderr(&served.0.run(&["model", "rm", "chela-starter-Q4_K_M"])).contains("is in use"));
    assert!(served.0.run(&["model", "use", "chela-starter"]).status.success());
    assert!(served.0.run(&["model", "rm", "chela-starter-Q4_K_M"]).status.success());
}

#[test]
fn doctor_finds_nothing_wrong_in_a_fresh_home() {
    let served = Served::new();
    let output = served.0.run(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let failed: Vec<&Value> = findings.iter().filter(|finding| finding["outcome"] == "fail").collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:?}");
    assert!(findings.len() >= 8);
    let training = findings.iter().find(|finding| finding["check"] == "training").unwrap();
    let kernels = chela::learn::kernels::pick(None).unwrap().name();
    let detail = training["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("{kernels} kernels, ")) && !detail.contains("not of"), "{detail}");
}

#[test]
fn nothing_runs_until_something_is_asked() {
    let home = Home::new();
    let status = home.run(&["daemon", "status"]);
    assert_eq!(status.status.code(), Some(3));
    assert!(stderr(&status).contains("starts with the first question"));
    assert!(home.run(&["daemon", "stop"]).status.success());
}
