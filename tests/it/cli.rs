//! The command line from outside: the built binary with a home of its own. What needs no model and no daemon.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_chela");

/// A home that ends with the test.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// `chela` with this home, whatever the tests run in, and nothing to read.
    pub(crate) fn chela(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).stdin(Stdio::null()).env("HOME", self.path()).env("CHELA_HOME", self.path());
        for name in
            ["NO_COLOR", "VISUAL", "EDITOR", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE", "HF_HOME"]
        {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.chela(args).output().unwrap()
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs and compares the exit code and one piece of stderr (all of it is shown when they differ).
#[track_caller]
fn check_refusal(args: &[&str], code: i32, says: &str) {
    let output = Home::new().run(args);
    let said = stderr(&output);
    assert_eq!((output.status.code(), said.contains(says)), (Some(code), true), "{said}");
    assert_eq!(stdout(&output), "", "chatter belongs to stderr");
}

#[test]
fn version_is_one_line_and_touches_nothing() {
    let home = Home::new();
    let output = home.run(&["--version"]);
    assert_eq!(stdout(&output), format!("chela {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = stdout(&Home::new().run(&["--help"]));
    for command in chela::cli::command().get_subcommands().filter(|one| !one.is_hide_set()) {
        assert!(
            help.contains(&format!("\n  {}", command.get_name())),
            "{} is not in\n{help}",
            command.get_name()
        );
    }
    assert!(help.contains("130 interrupted"));
}

#[test]
fn every_command_has_help() {
    let home = Home::new();
    for command in chela::cli::command().get_subcommands() {
        let output = home.run(&[command.get_name(), "--help"]);
        assert!(
            output.status.success() && stdout(&output).contains("Usage: chela"),
            "{}",
            command.get_name()
        );
    }
}

#[test]
fn a_misspelled_command_is_answered_with_the_right_one() {
    check_refusal(&["doctr"], 2, "'doctor'");
}

#[test]
fn an_unknown_setting_is_named_with_the_way_to_find_it() {
    check_refusal(&["config", "get", "engine.speed"], 4, "\"engine.speed\"; `chela config list`");
    check_refusal(&["config", "set", "engine.speed", "9"], 4, "engine.speed");
}

#[test]
fn a_setting_out_of_range_is_refused_with_its_range() {
    check_refusal(&["config", "set", "sampling.temperature", "3"], 1, "sampling.temperature must be 0 to 2");
}

#[test]
fn asking_nothing_says_how_to_ask() {
    check_refusal(&["ask"], 2, "nothing to ask");
}

#[test]
fn a_schema_that_is_no_json_is_refused_before_anything_starts() {
    let home = Home::new();
    let file = home.path().join("schema.json");
    std::fs::write(&file, "{").unwrap();
    let output = home.run(&["ask", "--schema", file.to_str().unwrap(), "x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("schema.json is not JSON"), "{}", stderr(&output));
}

#[test]
fn a_temperature_out_of_range_is_a_usage_error() {
    check_refusal(&["ask", "--temperature", "7", "x"], 2, "0 to 2");
}

#[test]
fn a_home_that_cannot_be_written_is_named_with_the_next_step() {
    let home = Home::new();
    let file = home.path().join("not-a-directory");
    std::fs::write(&file, "").unwrap();
    let output =
        home.chela(&["config", "set", "chat.theme", "dark"]).env("CHELA_HOME", &file).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("not-a-directory") && said.contains("set CHELA_HOME"), "{said}");
}

#[test]
fn a_setting_that_was_set_is_what_holds() {
    let home = Home::new();
    assert!(home.run(&["config", "set", "engine.threads", "3"]).status.success());
    assert_eq!(stdout(&home.run(&["config", "get", "engine.threads"])), "3\n");
    assert_eq!(stdout(&home.run(&["config", "get", "sampling.temperature"])), "0.2\n");
    let file = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
    assert!(file.contains("# Compute threads"), "comments are kept");
}

#[test]
fn the_listing_says_where_a_value_comes_from() {
    let home = Home::new();
    home.run(&["config", "set", "engine.threads", "3"]);
    let output = home.chela(&["config", "list", "--json"]).env("CHELA_CHAT_THEME", "dark").output().unwrap();
    let settings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let origin = |key: &str| settings.iter().find(|row| row["key"] == key).unwrap()["origin"].clone();
    assert_eq!(settings.len(), chela::config::known_keys().len());
    assert_eq!(origin("engine.threads"), "file");
    assert_eq!(origin("chat.theme"), "CHELA_CHAT_THEME");
    assert_eq!(origin("chat.plain"), "default");
}

#[test]
fn a_broken_settings_file_is_named_with_the_line() {
    let home = Home::new();
    std::fs::write(home.path().join("config.toml"), "[engine]\nthreads = \n").unwrap();
    let output = home.run(&["config", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("config.toml") && stderr(&output).contains("line 2"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_editor_gets_the_file_and_what_it_leaves_is_checked() {
    let home = Home::new();
    let edit = |editor: &str| home.chela(&["config", "edit"]).env("EDITOR", editor).output().unwrap();
    assert!(edit("true").status.success());
    assert!(home.path().join("config.toml").exists());
    assert_eq!(edit("sh -c 'echo nonsense >\"$1\"' -").status.code(), Some(1));
}

#[test]
fn no_color_keeps_escape_sequences_out() {
    let home = Home::new();
    for args in [&["--help"] as &[&str], &["config", "list"], &["doctr"], &["doctor"]] {
        let output = home.chela(args).env("NO_COLOR", "1").env("TERM", "xterm-256color").output().unwrap();
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{args:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for args in [&["completions", "bash"] as &[&str], &["man"], &["config", "list"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Home::new().chela(args).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn manual_pages_exist_for_every_command() {
    let home = Home::new();
    for command in chela::cli::command().get_subcommands() {
        let page = stdout(&home.run(&["man", command.get_name()]));
        assert!(page.contains(&format!("chela\\-{}", command.get_name())), "{page}");
    }
    check_refusal(&["man", "nothing"], 4, "chela --help");
}

/// Completion scripts must be accepted by the shells that they are for (`scripts/setup --tests` installs those).
#[track_caller]
fn check_completions(shell: &str, parse_only: &str) {
    let home = Home::new();
    let script = stdout(&home.run(&["completions", shell]));
    assert!(script.contains("doctor"));
    let file = home.path().join("script");
    std::fs::write(&file, script).unwrap();
    let output = Command::new(shell).arg(parse_only).arg(&file).env_remove("ENV").output();
    let output = output.unwrap_or_else(|error| panic!("{shell}: {error}; run scripts/setup --tests"));
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn completions_parse_in_bash() {
    check_completions("bash", "-n");
}

#[test]
fn completions_parse_in_zsh() {
    check_completions("zsh", "-n");
}

#[test]
fn completions_parse_in_fish() {
    check_completions("fish", "--no-execute");
}
