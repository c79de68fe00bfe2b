//! How wordings are read.

use super::*;

fn read(text: &str) -> Claim {
    claim(&Words::of(text), None)
}

#[track_caller]
fn check_swap(text: &str, expected: Option<(&str, &str)>) {
    let found = match read(text) {
        Claim::Swap { old, new } => Some((old, new)),
        _ => None,
    };
    let found = found.as_ref().map(|(old, new)| (old.as_str(), new.as_str()));
    assert_eq!(found, expected, "{text:?} is {:?}", read(text));
}

#[track_caller]
fn check_value(text: &str, slot: &str, value: &str) {
    let expected =
        Claim::Value { slot: slot.to_owned(), value: value.split(' ').map(str::to_owned).collect() };
    assert_eq!(read(text), expected, "{text}");
}

#[track_caller]
fn check_switch(text: &str, program: &str, option: &str, wanted: bool) {
    let expected = Claim::Switch { program: program.into(), option: option.into(), wanted };
    assert_eq!(read(text), expected, "{text}");
}

#[test]
fn a_swap_is_read_in_many_wordings() {
    for text in [
        "use rg instead of grep",
        "Use `rg` instead of `grep`.",
        "please use rg, not grep",
        "prefer rg to grep",
        "I prefer rg over grep",
        "never use grep, use rg",
        "don't use grep, use rg",
        "grep is not installed, use rg",
        "grep is not installed here; rg is",
        "replace grep with rg",
        "instead of grep use rg",
        "rg not grep!",
        "rg > grep",
        "grep -> rg",
        "no grep: use rg",
        "we switched from grep to rg",
        "my team uses rg instead of grep",
        "stop using grep, rg exists",
        "rg replaces grep",
        "nimm rg statt grep",
        "benutze rg anstelle von grep",
        "utilise rg au lieu de grep",
        "usa rg en vez de grep",
        "use rg again, not grep",
        "in project atlas use rg instead of grep",
        "atlas: rg, not grep",
    ] {
        check_swap(text, Some(("grep", "rg")));
    }
    check_swap("use uv pip instead of pip", Some(("pip", "uv pip")));
    check_swap("our archiver is called packo, never tar", Some(("tar", "packo")));
    check_swap("podman does containers here, docker was thrown out", None);
}

#[test]
fn values_are_no_swaps() {
    check_swap("answer in German, not English", None);
    check_swap("use tabs instead of spaces", None);
    check_swap("use long options, not short ones", None);
    check_swap("use 5 instead of 3", None);
}

#[test]
fn an_option_beside_a_program_is_a_switch() {
    check_switch("use -v with mv", "mv", "-v", true);
    check_switch("always add -i to rm", "rm", "-i", true);
    check_switch("never run rm without -i", "rm", "-i", true);
    check_switch("do not use -f with rm", "rm", "-f", false);
    check_switch("never use rm -rf", "rm", "-rf", false);
    check_switch("always run apt with sudo", "apt", "sudo", true);
}

#[test]
fn slots_have_one_value() {
    check_value("answer in German", "language", "german");
    check_value("antworte auf Deutsch", "language", "german");
    check_value("please answer in French", "language", "french");
    check_value("use English instead of German", "language", "english");
    check_value("write mails in French", "language mail", "french");
    check_value("use 24-hour times", "clock", "24");
    check_value("never write am or pm", "clock", "24");
    check_value("use long options", "options", "long");
    check_value("no short flags", "options", "long");
    check_value("use short options", "options", "short");
    check_value("use snake_case for file names", "naming fil", "snake_case");
    check_value("use tabs instead of spaces", "indent", "tab");
    check_value("be formal", "tone", "formal");
    check_value("use a casual tone", "tone", "casual");
    check_value("keep answers short", "length", "short");
    check_value("give more detail", "length", "long");
    check_value("show at most 20 lines", "lines", "20");
    check_value("call me Jo", "name", "jo");
    check_value("sign mails with Jo", "signature", "jo");
    check_value("my editor is hx", "editor", "hx");
    check_value("edit files with micro", "editor", "micro");
    check_value("the default branch is trunk", "default branch", "trunk");
    check_value("use port 2222 for ssh", "port ssh", "2222");
    check_value("our ssh port is 2200", "port ssh", "2200");
    check_value("the staging server is kiwi-7.internal", "fact staging", "kiwi-7.internal");
    check_value("staging = kiwi-8", "fact staging", "kiwi-8");
    check_value("project atlas lives in ~/work/atlas", "fact atla", "~/work/atlas");
    check_value("tests are run with tox", "tests", "tox");
}

#[test]
fn anything_else_is_a_do_or_a_dont() {
    for (text, wanted, words) in [
        ("never force push", false, "forc push"),
        ("always force push", true, "forc push"),
        ("do not use emojis", false, "emoji"),
        ("ask before deleting", true, "ask befor delet"),
    ] {
        let words = words.split(' ').map(str::to_owned).collect();
        assert_eq!(read(text), Claim::Rule { wanted, words }, "{text}");
    }
}

#[test]
fn a_place_is_named_at_the_beginning() {
    for (text, expected) in [
        ("in project atlas use rg instead of grep", Some("atlas")),
        ("in atlas, rg replaces grep", Some("atlas")),
        ("atlas uses rg instead of grep", Some("atlas")),
        ("the atlas project uses rg, never grep", Some("atlas")),
        ("atlas: rg instead of grep", Some("atlas")),
        ("on the server kiwi use rg instead of grep", Some("kiwi")),
        ("in this project use rg instead of grep", None),
        ("in German please", None),
        ("staging: kiwi-7", None),
        ("use rg instead of grep", None),
    ] {
        assert_eq!(place(&Words::of(text)), expected, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_read(text in "\\PC{0,200}") {
        let words = Words::of(&text);
        let _ = claim(&words, None);
        let _ = claim(&words, Some("zorn"));
        let _ = place(&words);
    }

    #[test]
    fn a_swap_of_any_two_names_is_read(old in "[a-z]{4,9}x", new in "[a-z]{4,9}q") {
        let found = read(&format!("use {new} instead of {old}"));
        proptest::prop_assert_eq!(found, Claim::Swap { old, new });
    }
}
