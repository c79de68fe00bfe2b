//! Which marks make a command, and which do not.

use super::*;
use crate::shell::proxy::control::records;
use crate::shell::proxy::marks::{Marks, Passed};

const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// A shell's stream as it was printed, with `NONCE` for the nonce, and bash's records between its parts.
enum Part {
    Printed(&'static str),
    Written(&'static [u8]),
}
use Part::{Printed, Written};

fn told(kind: ShellKind, parts: &[Part]) -> Vec<ShellCommand> {
    let (mut marks, mut spans) = (Marks::new(NONCE), Spans::new(kind));
    let mut commands = Vec::new();
    for part in parts {
        match part {
            Printed(text) => {
                let mut out = Passed::default();
                marks.feed(text.replace("NONCE", NONCE).as_bytes(), &mut out);
                let mut from = 0;
                for (at, event) in out.events.drain(..) {
                    spans.output(&out.bytes[from..at.start]);
                    from = at.end;
                    commands.extend(spans.hear(event, 5_000));
                }
                spans.output(&out.bytes[from..]);
            }
            Written(bytes) => commands.extend(spans.told(&records(bytes).0)),
        }
    }
    commands
}

fn command(text: &str, status: i32) -> ShellCommand {
    ShellCommand {
        text: text.into(),
        status,
        pipeline: Vec::new(),
        cwd: "/tmp".into(),
        cwd_after: None,
        output: Some(String::new()),
        duration_ms: Some(0),
        suggestion: None,
        ended_ms: 5_000,
    }
}

#[track_caller]
fn zsh(stream: &'static str, expected: &[ShellCommand]) {
    assert_eq!(told(ShellKind::Zsh, &[Printed(stream)]), expected);
}

#[track_caller]
fn bash(parts: &[Part], expected: &[(&str, i32)]) {
    let commands = told(ShellKind::Bash, parts);
    let commands: Vec<_> = commands.iter().map(|command| (command.text.as_str(), command.status)).collect();
    assert_eq!(commands, expected);
}

#[test]
fn a_beginning_and_its_end_make_a_command() {
    let whole = "\x1b]133;C;n=3;nonce=NONCE;t=10.5;d=/tmp;cmd=ls\\ -l;s=7\x07a\r\n\x1b]133;D;2;n=3;nonce=NONCE;t=11,75;ps=0 2;d=/usr\x07";
    let expected = ShellCommand {
        pipeline: vec![0, 2],
        cwd_after: Some("/usr".into()),
        output: Some("a\n".into()),
        duration_ms: Some(1250),
        suggestion: Some(TurnId(7)),
        ..command("ls -l", 2)
    };
    zsh(whole, &[expected]);
}

#[test]
fn an_end_without_a_beginning_is_nothing() {
    zsh("\x1b]133;D;2;n=3;nonce=NONCE;d=/tmp\x07", &[]);
}

#[test]
fn the_first_end_counts_and_the_first_beginning() {
    zsh(
        "\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=a\x07\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=b\x07\
         \x1b]133;D;1;n=1;nonce=NONCE\x07\x1b]133;D;0;n=1;nonce=NONCE\x07",
        &[command("a", 1)],
    );
}

#[test]
fn an_end_of_another_command_ends_nothing() {
    zsh(
        "\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=a\x07\x1b]133;D;0;n=99;nonce=NONCE\x07\x1b]133;D;1;n=1;nonce=NONCE\x07",
        &[command("a", 1)],
    );
}

#[test]
fn what_a_program_prints_ends_nothing() {
    let expected = ShellCommand { output: Some("fake".into()), ..command("cat x", 1) };
    zsh(
        "\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd='cat x'\x07\x1b]133;D;0;n=1\x07fake\x1b]133;C;n=2\x07\x1b]133;D;1;n=1;nonce=NONCE\x07",
        &[expected],
    );
}

#[test]
fn a_command_that_never_ended_is_forgotten_with_the_next() {
    zsh(
        "\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=a\x07\x1b]133;C;n=2;nonce=NONCE;d=/tmp;cmd=b\x07\x1b]133;D;0;n=2;nonce=NONCE\x07",
        &[command("b", 0)],
    );
}

#[test]
fn a_private_line_is_nothing_at_all() {
    zsh("\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=\\ secret\x07out\x1b]133;D;0;n=1;nonce=NONCE\x07", &[]);
    zsh("\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=''\x07\x1b]133;D;0;n=1;nonce=NONCE\x07", &[]);
    zsh("\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=a;p=1\x07\x1b]133;D;0;n=1;nonce=NONCE\x07", &[]);
    zsh("\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=a\x07\x1b]133;D;0;n=1;nonce=NONCE;p=1\x07", &[]);
}

#[test]
fn a_field_that_cannot_be_read_costs_the_command() {
    zsh("\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd='open\x07\x1b]133;D;0;n=1;nonce=NONCE\x07", &[]);
    zsh("\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=a\x07\x1b]133;D;x;n=1;nonce=NONCE\x07", &[]);
    zsh("\x1b]133;C;n=1;nonce=NONCE;cmd=a\x07\x1b]133;D;0;n=1;nonce=NONCE\x07", &[]);
}

#[test]
fn a_screen_is_no_output() {
    let expected = ShellCommand { output: None, ..command("vi", 0) };
    let full =
        "\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=vi\x07\x1b[?1049h~\x1b[?1049l\x1b]133;D;0;n=1;nonce=NONCE\x07";
    zsh(full, &[expected]);
}

#[test]
fn fish_writes_addresses_and_its_own_duration() {
    let stream = "\x1b]133;C;n=1;nonce=NONCE;d=/tmp;cmd=echo%20%3B\x07\x1b]133;D;0;n=1;nonce=NONCE;ms=40;ps=0;d=/tmp\x07";
    let expected = ShellCommand { pipeline: vec![0], duration_ms: Some(40), ..command("echo ;", 0) };
    assert_eq!(told(ShellKind::Fish, &[Printed(stream)]), [expected]);
}

const PROMPT: Part = Printed("\x1b]133;A\x07$ \x1b]133;B\x07");
const BEGIN_1: Part = Printed("\x1b]133;C;n=1;nonce=NONCE;d='/tmp'\x07out\r\n");
const END_1: Part = Printed("\x1b]133;D;3;n=1;nonce=NONCE;d='/tmp'\x07");
const BEGIN_2: Part = Printed("\x1b]133;C;n=2;nonce=NONCE;d='/tmp'\x07");
const END_2: Part = Printed("\x1b]133;D;0;n=2;nonce=NONCE;d='/tmp'\x07");

#[test]
fn bash_tells_the_text_afterwards() {
    bash(&[PROMPT, Printed("ls\r\n"), BEGIN_1, END_1, Written(b"n=1\0  12  ls\n\0")], &[("ls", 3)]);
}

#[test]
fn a_line_for_another_command_says_nothing_of_this_one() {
    bash(&[BEGIN_1, END_1, Written(b"n=0\0  11  old\n\0")], &[]);
    bash(&[BEGIN_1, END_1, Written(b"n=0\0 11  old\n\0n=1\0 12  new\n\0")], &[("new", 3)]);
    bash(&[BEGIN_1, Written(b"n=1\0 12  early\n\0"), END_1], &[]);
}

#[test]
fn what_the_history_did_not_take_counts_only_as_a_repetition() {
    let first = || [PROMPT, Printed("ls\r\n"), BEGIN_1, END_1, Written(b"n=1\0  12  ls\n\0"), PROMPT];
    let with = |typed: &'static str| {
        first().into_iter().chain([Printed(typed), BEGIN_2, END_2, Written(b"n=2\0\0")]).collect::<Vec<_>>()
    };
    bash(&with("ls\r\n\x1b[?2004l\r"), &[("ls", 3), ("ls", 0)]);
    bash(&with("lx\x08\x1b[Ks\r\n"), &[("ls", 3), ("ls", 0)]);
    bash(&with(" ls\r\n"), &[("ls", 3)]);
    bash(&with(" secret\r\n"), &[("ls", 3)]);
    bash(&with("ignored\r\n"), &[("ls", 3)]);
    bash(&with("first\r\n> second\r\n"), &[("ls", 3)]);
    bash(&with("wrapped \rls\r\n"), &[("ls", 3)]);
}

#[test]
fn an_input_mark_from_a_running_program_is_no_input() {
    let parts = [BEGIN_1, Printed("\x1b]133;B\x07faked"), END_1, Written(b"n=1\0  12  real\n\0")];
    let commands = told(ShellKind::Bash, &parts);
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0].output.as_deref(), Some("out\nfaked"));
}
