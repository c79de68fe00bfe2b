//! `chela train` from outside: what it reads, refuses and announces, and what it leaves on the shelf.

use std::path::PathBuf;

use chela::model::random::{Architecture, Geometry, write_random};
use serde_json::Value;

use crate::cli::{Home, stderr, stdout};
use crate::vectors::{as_gguf, own_vocab};

const GOOD: &str = r#"{"prompt":"list all files","completion":"ls -a"}"#;

/// Writes a training file into the home.
fn file(home: &Home, lines: &[&str]) -> PathBuf {
    let path = home.path().join("lessons.jsonl");
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

/// Runs on a file of these lines and compares the exit code and pieces of stderr.
#[track_caller]
fn check(lines: &[&str], options: &[&str], code: i32, says: &[&str]) {
    let home = Home::new();
    let path = file(&home, lines);
    let output = home.run(&[&["train", path.to_str().unwrap()], options].concat());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for says in says {
        assert!(said.contains(says), "no {says:?} in\n{said}");
    }
    assert_eq!(stdout(&output), "", "chatter belongs to stderr");
}

#[test]
fn a_file_that_is_not_there_is_not_found() {
    let output = Home::new().run(&["train", "/no/such/file.jsonl"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).starts_with("chela: cannot read /no/such/file.jsonl"), "{}", stderr(&output));
}

#[test]
fn a_model_that_is_not_there_is_not_found() {
    check(&[GOOD], &["--model", "no-such-model"], 4, &["no model \"no-such-model\""]);
}

/// A model that is whole, of an architecture that the trainer does not know.
fn untrainable(home: &Home) -> PathBuf {
    let path = home.path().join("other.gguf");
    let mut geometry = Geometry::tiny(Architecture::Qwen2);
    geometry.n_layers = 1;
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    write_random(&path, &geometry, &as_gguf(own_vocab("qwen2", &["h e"], &special)), 1).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let name = bytes.windows(5).position(|word| word == b"qwen2").unwrap();
    let places: Vec<usize> = (name..bytes.len() - 5).filter(|at| &bytes[*at..at + 5] == b"qwen2").collect();
    for at in places {
        bytes[at..at + 5].copy_from_slice(b"gemma");
    }
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_model_that_cannot_be_trained_is_named_with_the_reason_and_a_way_on() {
    const REASON: &str =
        "it has the architecture gemma, and the trainer knows llama, qwen2, qwen3; lessons still work";
    let home = Home::new();
    let model = untrainable(&home).display().to_string();
    let lessons = file(&home, &[GOOD]);
    let output = home.run(&["train", lessons.to_str().unwrap(), "--model", &model]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("cannot be trained: {REASON}")), "{}", stderr(&output));
    let said: Value = serde_json::from_slice(&home.run(&["model", "info", &model, "--json"]).stdout).unwrap();
    assert_eq!((&said["trainable"], &said["not_trainable_because"]), (&false.into(), &REASON.into()));
    let said: Value =
        serde_json::from_slice(&home.run(&["model", "check", &model, "--json"]).stdout).unwrap();
    assert_eq!((&said["trainable"], &said["not_trainable_because"]), (&false.into(), &REASON.into()));
}

#[test]
fn the_starter_can_be_used_and_trained() {
    let home = Home::new();
    let said = stdout(&home.run(&["model", "check", "chela-starter"]));
    assert_eq!(said, "chela-starter: can be used and trained\n");
}

#[test]
fn a_file_without_a_usable_line_is_an_error() {
    check(&[], &[], 1, &["has no line that can be trained on"]);
    check(
        &["", "broken"],
        &[],
        1,
        &["line 2 is not JSON", "1 line skipped", "no line that can be trained on"],
    );
}

#[test]
fn broken_lines_are_named_and_the_rest_is_planned() {
    let long = format!(r#"{{"prompt":"{}","completion":"x"}}"#, "word ".repeat(3000));
    let lines =
        [GOOD, "{", r#"{"prompt":"x"}"#, GOOD, &long, r#"{"messages":[{"role":"user","content":"a"}]}"#];
    let says = [
        "line 2 is not JSON: EOF",
        "line 3 has a \"prompt\" and no \"completion\"",
        "line 5 has ",
        "tokens, at most 2048 are trained on",
        "line 6 does not end with an answer of the assistant",
        "4 lines skipped",
        "training chela-starter on 2 examples (1 different prompts,",
        "3 gradient steps, 2 threads, at most 700 MiB",
    ];
    check(&lines, &["--dry-run", "--threads", "2", "--memory", "700"], 0, &says);
}

#[test]
fn many_broken_lines_are_counted() {
    let lines = vec!["{"; 30];
    check(&lines, &[], 1, &["line 10 is not JSON", "… and 20 more", "30 lines skipped"]);
}

#[test]
fn json_is_one_object_for_each_event() {
    let home = Home::new();
    let path = file(&home, &[GOOD, "{", GOOD]);
    let output = home.run(&["train", path.to_str().unwrap(), "--dry-run", "--json"]);
    let events: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["event"], &events[0]["line"]), (&Value::from("skipped"), &Value::from(2)));
    assert_eq!((&events[1]["event"], &events[1]["examples"]), (&Value::from("planned"), &Value::from(2)));
    assert_eq!(stderr(&output), "");
}

/// Trains the starter on a few lines; the checksum of the adapter that came of it.
fn trained(threads: &str) -> String {
    let home = Home::new();
    // So many prompts that the hash holds some of them out, whatever the tokens are.
    let more: Vec<String> =
        (0..8).map(|n| format!(r#"{{"prompt":"show line {n}","completion":"sed -n {n}p"}}"#)).collect();
    let lines: Vec<&str> = [GOOD, GOOD].into_iter().chain(more.iter().map(String::as_str)).collect();
    let path = file(&home, &lines);
    let options = ["--threads", threads, "--epochs", "2", "--batch", "2", "--hold-out", "0.25"];
    let output = home.run(&[&["train", path.to_str().unwrap()] as &[&str], &options].concat());
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(stdout(&output), "v1\n");
    assert!(said.contains("held-out loss ") && said.contains("chela adapter use v1"), "{said}");
    let show = home.run(&["adapter", "show", "v1", "--json"]);
    let shown: Value = serde_json::from_slice(&show.stdout).unwrap();
    assert_eq!((&shown["version"], &shown["state"]), (&1.into(), &"candidate".into()), "{shown}");
    shown["file"]["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_leaves_a_candidate_that_is_the_same_on_any_number_of_threads() {
    assert_eq!(trained("1"), trained("3"));
}

#[test]
fn there_is_nothing_to_resume_before_a_run() {
    check(&[GOOD], &["--resume"], 1, &["there is no unfinished run", "train without --resume"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_before_anything_is_read() {
    for options in [["--hold-out", "1"], ["--learning-rate", "0"], ["--epochs", "0"], ["--rank", "0"]] {
        check(&[GOOD], &options, 2, &["invalid value"]);
    }
}
