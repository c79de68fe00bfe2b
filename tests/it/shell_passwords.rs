//! Passwords in `chela shell`: asked for as in a bare shell, neither seen nor told.

use std::fs;
use std::process::Command;

use crate::shell_terminal::{Ears, ShellHome, are_there, find, say};
use crate::shell_twins::Twins;

const SECRET: &str = "swordfish-7261";
const LAST: &str = "echo \"status $PIPESTATUS\"";

/// Types the secret where `line` asks for it and ends it with `end`, and looks that it is neither seen nor told.
#[track_caller]
fn is_kept(mut twins: Twins, line: &str, asks: &str, (end, status): (&str, &str)) {
    let ears = Ears::at(&twins.ours.home);
    twins.enter("tty > tty; clear");
    twins.pass_over();
    twins.start(line);
    twins.until(asks, |seat| seat.line_of_cursor().ends_with(asks) && !seat.echoes());
    twins.press(format!("{SECRET}{end}"));
    twins.prompt();
    twins.enter(LAST);
    assert!(twins.ours.text().contains(&format!("\nstatus {status}\n")), "{}", twins.ours.text());
    twins.got_the_same_bytes();
    let told = ears.hears_until(LAST);
    let texts: Vec<_> = told.iter().map(|command| command.text.as_str()).collect();
    assert_eq!(texts, ["tty > tty; clear", line, LAST]);
    assert!(!format!("{told:?}").contains(SECRET), "{told:?}");
    assert!(find(&twins.ours.person.seen, SECRET.as_bytes()).is_none());
    twins.leave();
}

#[test]
fn what_read_does_not_show_is_told_nobody() {
    let Some(twins) = Twins::sit_down(|_| ()) else { return };
    is_kept(twins, "read -s -p 'Password: ' given; test ${#given} = 14", "Password:", ("\r", "0"));
}

#[test]
fn a_passphrase_that_a_program_asks_the_terminal_for_is_told_nobody() {
    if !are_there(&["ssh-keygen"]) {
        return;
    }
    let key = tempfile::tempdir().unwrap();
    let path = key.path().join("key");
    let args = ["-q", "-t", "ed25519", "-C", "test", "-N", SECRET, "-f"];
    assert!(Command::new("ssh-keygen").args(args).arg(&path).status().unwrap().success());
    let prepared = |home: &ShellHome| {
        fs::copy(&path, home.path().join("key")).unwrap();
    };
    let Some(twins) = Twins::sit_down(prepared) else { return };
    // Whoever reads what is piped to it asks the terminal itself all the same.
    is_kept(twins, "ssh-keygen -y -f key < /dev/null | cut -c1-11", "Enter passphrase:", ("\r", "0"));
}

#[test]
fn sudo_s_password_is_told_nobody() {
    if !are_there(&["sudo"]) {
        return;
    }
    if Command::new("sudo").args(["-n", "true"]).output().unwrap().status.success() {
        say("skipped: sudo asks this user for nothing");
        return;
    }
    let Some(twins) = Twins::sit_down(|_| ()) else { return };
    // Given up: nobody is to be warned of wrong passwords.
    is_kept(twins, "sudo -k -p 'Password: ' true || true", "Password:", ("\x03", "0"));
}
