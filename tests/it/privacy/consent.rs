//! What is said and asked before anything is kept, in a terminal.

use std::path::PathBuf;

use crate::shell_terminal::{PROMPT, Person, ShellHome, shell};

const QUESTION: &str = "(y or n) ";

/// A home in which nothing was said yet, and a shell for it.
fn fresh() -> Option<(ShellHome, PathBuf)> {
    let home = ShellHome::new();
    std::fs::remove_file(home.path().join("chela/state/consent.json")).unwrap();
    Some((home, shell("bash")?))
}

fn setting(home: &ShellHome) -> String {
    std::fs::read_to_string(home.path().join("chela/config.toml")).unwrap_or_default()
}

#[test]
fn a_shell_begins_after_three_lines_and_a_word_and_does_not_ask_again() {
    let Some((home, bash)) = fresh() else { return };
    let mut person = Person::runs(home.chela_shell(&bash, &[]));
    let said = person.sees(QUESTION);
    for part in
        ["nothing leaves this machine", "chela privacy", "chela forget", "chela off", "learn.dial off"]
    {
        assert!(said.replace("\r\n", "").contains(part), "{part}: {said}");
    }
    // Enter alone is no answer.
    person.types("\r");
    person.sees(QUESTION);
    person.types("y\r");
    person.sees(PROMPT);
    assert_eq!(person.leaves(), 0);
    assert_eq!(setting(&home), "");
    let mut person = home.sits_in(&bash);
    assert!(!String::from_utf8_lossy(&person.seen).contains(QUESTION));
    assert_eq!(person.leaves(), 0);
}

#[test]
fn a_no_switches_learning_off_and_the_shell_begins_all_the_same() {
    let Some((home, bash)) = fresh() else { return };
    let mut person = Person::runs(home.chela_shell(&bash, &[]));
    person.sees(QUESTION);
    person.types("n\r");
    person.sees(PROMPT);
    assert_eq!(person.leaves(), 0);
    assert!(setting(&home).contains("\ndial = \"off\"\n"), "{}", setting(&home));
}

#[test]
fn who_says_nothing_has_begun_nothing() {
    let Some((home, bash)) = fresh() else { return };
    let mut person = Person::runs(home.chela_shell(&bash, &[]));
    person.sees(QUESTION);
    // The end of the input.
    person.types("\x04");
    person.sees("nothing was begun");
    assert_eq!(person.status(), 5);
    assert!(!home.path().join("chela/state/consent.json").exists());
    assert_eq!(setting(&home), "");
}

#[test]
fn a_shell_that_a_start_file_begins_asks_nothing() {
    let Some((home, bash)) = fresh() else { return };
    let mut person = Person::runs(home.chela_shell(&bash, &["--or-plain"]));
    let said = person.sees(PROMPT);
    assert!(!said.contains(QUESTION), "{said}");
    assert_eq!(person.leaves(), 0);
}
