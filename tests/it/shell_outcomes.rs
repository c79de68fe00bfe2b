//! What people run in their shells, as the daemon takes it in: over the socket and from the hooks' files.

use std::fs;
use std::time::{Duration, Instant};

use chela::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind};
use chela::turn::TurnId;
use chela::turn::next_state::NextState;

use crate::served::{Served, request, until};
use crate::teaching::{ask, serve, until_judged};

const SHELL: &str = "0badcafe";

fn ran(text: &str, status: i32, suggestion: Option<TurnId>, ended_ms: i64) -> ShellCommand {
    ShellCommand {
        text: text.into(),
        status,
        pipeline: Vec::new(),
        cwd: "/home/anna/src".into(),
        cwd_after: None,
        output: None,
        duration_ms: Some(5),
        suggestion,
        ended_ms,
    }
}

fn tell(served: &Served, commands: Vec<ShellCommand>) -> Vec<TurnId> {
    let told = ShellCommands { shell: SHELL.into(), kind: ShellKind::Zsh, commands };
    served.client.tell_shell(&told).unwrap().turns
}

#[test]
fn a_suggestion_that_ran_well_is_a_good_answer() {
    let (served, _) = serve();
    let mut events = served.client.events().unwrap();
    let (turn, _) = ask(&served, &request("search src for todo"));
    assert_eq!(tell(&served, vec![ran("grep -r todo src", 0, Some(turn), 1000)]), [turn]);
    let (about, reward, rule) = until_judged(&mut events);
    assert_eq!((about, reward, rule.as_str()), (turn, Some(1), "exit.ok"));
    served.stop();
}

#[test]
fn an_edited_suggestion_that_worked_becomes_a_lesson_for_the_next_one() {
    let (served, _) = serve();
    let mut events = served.client.events().unwrap();
    let (turn, _) = ask(&served, &request("search src for todo"));
    assert_eq!(tell(&served, vec![ran("rg todo src", 0, Some(turn), 1000)]), [turn]);
    let (about, reward, rule) = until_judged(&mut events);
    assert_eq!((about, reward, rule.as_str()), (turn, Some(-1), "edit.program"));
    // The verdict is told before the lesson is drawn from it.
    until(|| ask(&served, &request("search lib for fixme")).1 == ["use rg instead of grep"]);
    served.stop();
}

#[test]
fn what_is_run_in_place_of_a_failed_suggestion_is_its_correction() {
    let (served, _) = serve();
    let mut events = served.client.events().unwrap();
    let (turn, _) = ask(&served, &request("search src for todo"));
    tell(&served, vec![ran("grep -r todo src", 2, Some(turn), 1000)]);
    assert_eq!(tell(&served, vec![ran("git status", 0, None, 2000)]), []);
    assert_eq!(tell(&served, vec![ran("rg todo src", 0, None, 3000)]), [turn]);
    // The failure may be judged by itself first, or together with its cure.
    while until_judged(&mut events).2 != "edit.program" {}
    served.stop();
}

#[test]
fn a_persons_own_commands_are_remembered_and_label_nothing() {
    let (served, _) = serve();
    let (turn, _) = ask(&served, &request("search src for todo"));
    let own = ran("make test", 2, None, 1000);
    assert_eq!(tell(&served, vec![own.clone()]), []);
    assert_eq!(served.client.shell_memory(SHELL).unwrap().recent, [own]);
    assert_eq!(served.client.shell_memory("feedbeef").unwrap().recent, []);
    assert!(served.client.why(turn).unwrap().next_states.is_empty());
    served.stop();
}

#[test]
fn only_the_latest_twenty_are_remembered() {
    let (served, _) = serve();
    tell(&served, (0..30).map(|n| ran(&format!("echo {n}"), 0, None, n)).collect());
    let recent = served.client.shell_memory(SHELL).unwrap().recent;
    assert_eq!((recent.len(), recent[0].text.as_str()), (20, "echo 10"));
    served.stop();
}

#[test]
fn a_command_of_an_unknown_turn_is_no_error() {
    let (served, _) = serve();
    assert_eq!(tell(&served, vec![ran("ls", 0, Some(TurnId(99)), 1000)]), []);
    served.stop();
}

#[test]
fn a_secret_in_a_command_or_its_output_is_nowhere() {
    let (served, _) = serve();
    let (turn, _) = ask(&served, &request("search src for todo"));
    // Put together here, so that no scanner takes it for a real one.
    let secret = format!("ghp_{}", "a1B2c3D4e5".repeat(4).get(..36).unwrap());
    let command = ShellCommand {
        output: Some(format!("remote: token {secret} is accepted")),
        ..ran("grep -r todo src", 2, Some(turn), 1000)
    };
    let own = ran(&format!("grep -r {secret} src"), 0, None, 2000);
    assert_eq!(tell(&served, vec![command, own]), [turn, turn]);
    let story = served.client.why(turn).unwrap();
    let recent = served.client.shell_memory(SHELL).unwrap().recent;
    let kept = format!("{:?} {recent:?}", story.next_states);
    assert!(!kept.contains(&secret) && kept.contains("grep -r <secret:"), "{kept}");
    served.stop();
}

/// A hook's record, as a shell's builtin writes it.
fn record(text: &str, status: i32, suggestion: &str) -> String {
    let status = status.to_string();
    let fields = [
        "v1",
        "bash",
        SHELL,
        text,
        &status,
        &status,
        "'/home/anna'",
        "'/home/anna'",
        "12",
        suggestion,
        "1000",
    ];
    format!("{}\u{1e}", fields.join("\u{1f}"))
}

#[test]
fn what_hooks_write_reaches_the_turn_and_is_gone_from_disk() {
    let (served, _) = serve();
    let mut events = served.client.events().unwrap();
    let (turn, _) = ask(&served, &request("search src for todo"));
    let file = served.paths.shell_dir().join(format!("{SHELL}.log"));
    fs::write(&file, record("'grep -r todo src'", 2, &turn.0.to_string())).unwrap();
    assert_eq!(until_judged(&mut events).0, turn);
    let story = served.client.why(turn).unwrap();
    let NextState::Command(outcome) = &story.next_states[0].state else { panic!("{:?}", story.next_states) };
    assert_eq!((outcome.command.as_str(), outcome.status), ("grep -r todo src", 2));
    assert!(!file.exists() && !file.with_extension("taken").exists());
    served.stop();
}

#[test]
fn what_hooks_wrote_is_known_when_the_next_question_comes() {
    let (served, _) = serve();
    let file = served.paths.shell_dir().join(format!("{SHELL}.log"));
    let garbage = format!("half a record\u{1e}{}", record(r"$'make\ntest'", 2, ""));
    fs::write(&file, garbage).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let recent = loop {
        let recent = served.client.shell_memory(SHELL).unwrap().recent;
        if !recent.is_empty() || Instant::now() > until {
            break recent;
        }
    };
    assert_eq!(recent[0].text, "make\ntest");
    served.stop();
}
