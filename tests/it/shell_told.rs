//! What `chela shell` tells the daemon of the commands that ran, and what it keeps to itself.

use chela::daemon::wire::shell::ShellCommand;

use crate::shell_terminal::{Ears, PROMPT, Person, ShellHome, in_each_shell, say, shell, shells};

/// Enters lines in each shell, and hands over what was told.
fn told(lines: &[&str], check: impl Fn(&str, &ShellHome, &[ShellCommand])) {
    for shell in shells() {
        let name = shell.file_name().unwrap().to_str().unwrap();
        say(&format!("in {name}"));
        let home = ShellHome::new();
        let ears = Ears::at(&home);
        let mut person = home.sits_in(&shell);
        for line in lines {
            person.enters(line);
        }
        person.enters("echo last");
        let heard = ears.hears_until("echo last");
        check(name, &home, &heard);
    }
}

fn texts(commands: &[ShellCommand]) -> Vec<(&str, i32)> {
    commands.iter().map(|command| (command.text.as_str(), command.status)).collect()
}

#[test]
fn a_command_is_told_with_all_that_belongs_to_it() {
    told(&["mkdir 'a b;c'", "cd 'a b;c'; and false", "echo out; ls /nonexistent"], |name, home, heard| {
        // `and` is fish's word; the others say so.
        let home_dir = home.path().canonicalize().unwrap();
        let [_, cd, ls, _] = heard else { panic!("{heard:#?}") };
        assert_eq!(cd.cwd, home_dir.to_str().unwrap(), "{name}");
        assert_eq!(cd.cwd_after.as_deref(), home_dir.join("a b;c").to_str());
        assert_eq!(cd.status, if name == "fish" { 1 } else { 127 });
        assert_eq!((ls.text.as_str(), ls.status), ("echo out; ls /nonexistent", 2));
        let output = ls.output.as_deref().unwrap();
        assert!(
            output.starts_with("out\nls: ") && output.ends_with("No such file or directory\n"),
            "{output}"
        );
        assert_eq!(ls.pipeline, [2]);
        assert!(ls.duration_ms.is_some() && ls.suggestion.is_none() && ls.ended_ms > 1_600_000_000_000);
    });
}

#[test]
fn each_part_of_a_pipeline_is_told() {
    told(&["false | true"], |name, _, heard| {
        assert_eq!((heard[0].status, heard[0].pipeline.as_slice()), (0, [1, 0].as_slice()), "{name}");
    });
}

#[test]
fn fake_marks_make_no_record_and_do_not_end_one() {
    for shell in shells() {
        let home = ShellHome::new();
        let fake = |n: u32| {
            format!(
                "\x1b]133;C;n={n};cmd=rm\x07\x1b]133;D;0;n={n}\x07\x1b]633;D;0\x1b\\\x1b]133;A\x07\x1b]133;B\x07"
            )
        };
        let fakes = (0..40).map(fake).collect::<Vec<_>>().concat();
        home.write("fakes", &format!("{fakes}\x1b]133;D;0;n=1;nonce={}\x07text\n", "0".repeat(32)));
        let ears = Ears::at(&home);
        let mut person = home.sits_in(&shell);
        person.enters("cat fakes /nonexistent");
        person.enters("echo last");
        let heard = ears.hears_until("echo last");
        assert_eq!(texts(&heard), [("cat fakes /nonexistent", 1), ("echo last", 0)], "{}", shell.display());
        assert!(heard[0].output.as_deref().unwrap().starts_with("text\n"));
    }
}

#[test]
fn a_leading_blank_is_told_nobody() {
    told(&[" echo secret", "echo a", " echo secret", "echo a"], |name, _, heard| {
        assert_eq!(texts(heard), [("echo a", 0), ("echo a", 0), ("echo last", 0)], "{name}");
    });
}

#[test]
fn what_draws_a_whole_screen_has_no_output() {
    told(&["printf '\\033[?1049h''full''\\033[?1049l'", "printf 'no end'"], |name, _, heard| {
        assert_eq!(heard[0].output, None, "{name}");
        assert_eq!(heard[1].output.as_deref(), Some("no end"), "{name}");
    });
}

#[test]
fn nothing_that_was_not_run_is_told() {
    for shell in shells() {
        let home = ShellHome::new();
        let ears = Ears::at(&home);
        let mut person = home.sits_in(&shell);
        person.types("\r");
        person.sees(PROMPT);
        person.types("   \r");
        person.sees(PROMPT);
        person.enters("echo last");
        assert_eq!(texts(&ears.hears_until("echo last")), [("echo last", 0)], "{}", shell.display());
    }
}

#[test]
fn an_inner_shell_is_one_command() {
    told(&["sh -c 'false; exit 3'"], |name, _, heard| {
        assert_eq!(texts(heard), [("sh -c 'false; exit 3'", 3), ("echo last", 0)], "{name}");
    });
}

#[test]
fn a_long_command_of_several_lines_is_told_whole() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let ears = Ears::at(&home);
    let mut person = home.sits_in(&bash);
    let long = format!("echo {}", "word ".repeat(400).trim_end());
    person.types(format!("{long}\r"));
    person.sees("word\r\n");
    person.sees(PROMPT);
    person.types("for i in 1 2; do\recho $i\rdone\r");
    person.sees("1\r\n2\r\n");
    person.sees(PROMPT);
    person.enters("echo last");
    let heard = ears.hears_until("echo last");
    assert_eq!(heard[0].text, long);
    assert_eq!(heard[1].text, "for i in 1 2; do echo $i; done");
}

#[test]
fn nobody_listening_is_no_trouble() {
    in_each_shell(|home, person| {
        for n in 0..80 {
            person.enters(&format!("echo {n}"));
        }
        assert!(!home.path().join("chela/run/daemon.sock").exists(), "no daemon was started");
    });
}

#[test]
fn a_daemon_that_comes_later_is_told_from_then_on() {
    let Some(zsh) = shell("zsh") else { return };
    let home = ShellHome::new();
    let mut person = home.sits_in(&zsh);
    person.enters("echo early");
    let ears = Ears::at(&home);
    person.enters("echo last");
    assert!(texts(&ears.hears_until("echo last")).contains(&("echo last", 0)));
}

#[test]
fn a_daemon_that_does_not_answer_keeps_nobody_waiting() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let run = home.path().join("chela/run");
    std::fs::create_dir_all(&run).unwrap();
    // Bound, and never accepted.
    let _silent = std::os::unix::net::UnixListener::bind(run.join("daemon.sock")).unwrap();
    let mut person: Person = home.sits_in(&bash);
    for n in 0..80 {
        person.enters(&format!("echo {n}"));
    }
    assert_eq!(person.leaves(), 0);
}
