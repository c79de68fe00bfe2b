//! The hooks in a real fish, and in what was recorded of fish 4.

use std::fs;
use std::path::Path;

use chela::daemon::wire::shell::ShellKind;

use super::hooks_stage::{Form, NONCE, Stage, is_installed, marks, signed};

const FORMS: [Form; 2] = [Form::Marks, Form::Records];

/// A prompt that runs programs and shows the status that it saw.
const THEME: &str =
    "function fish_prompt; set -l s $status $pipestatus; true | cat; printf '[%s]§ ' \"$s\"; end";

/// Hooks that print, and that change the status for those after them.
const HOOKS: &str = "function before --on-event fish_preexec; printf '\\e]0;title\\a'; true; end\n\
     function after --on-event fish_postexec; echo x | cat >/dev/null; true; end";

fn edge_cases(mut stage: Stage) {
    stage.told();
    stage.check("false", &[("false", 1, "1")]);
    stage.check("false | true", &[("false | true", 0, "1 0")]);
    stage.check("function f; return 7; end", &[("function f; return 7; end", 0, "0")]);
    stage.check("f", &[("f", 7, "7")]);
    stage.check("for i in 1 2\necho $i\nend", &[("for i in 1 2\necho $i\nend", 0, "0")]);
    stage.check(" echo secret", &[]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("", &[]);
    stage.check("echo 'é\\'s'; echo \"a;b\" >&2", &[("echo 'é\\'s'; echo \"a;b\" >&2", 0, "0")]);
    stage.check("no_such_command_x", &[("no_such_command_x", 127, "127")]);
    stage.check("sh -c 'kill -9 $$'", &[("sh -c 'kill -9 $$'", 137, "137")]);
    stage.check("printf '\\e]133;D;0;n=99\\a'; false", &[("printf '\\e]133;D;0;n=99\\a'; false", 1, "1")]);
    a_shell_in_the_shell(&mut stage);
    directories(&mut stage);
    suggested(&mut stage);
    if stage.form == Form::Records {
        let signed: Vec<String> =
            marks(&stage.output).into_iter().filter(|mark| mark.contains("nonce")).collect();
        assert_eq!(signed, [""; 0], "nothing is printed without chela's terminal");
    }
}

fn a_shell_in_the_shell(stage: &mut Stage) {
    let from = stage.output.len();
    stage.keys("PS1='inn''er> ' sh\r");
    stage.wait_for(from, "inner> ");
    stage.keys("false\r");
    stage.enter("exit");
    stage.check_told("sh, false, exit", &[("PS1='inn''er> ' sh", 1, "1")]);
}

fn directories(stage: &mut Stage) {
    let home = stage.path().to_str().unwrap().to_owned();
    let odd = "it\\'s; a $(x)]";
    stage.enter(&format!("mkdir '{odd}'; cd '{odd}' && cd /"));
    stage.enter(&format!("cd '{home}'"));
    stage.enter(&format!("cd '{odd}'"));
    stage.enter("cd $HOME");
    let seen: Vec<_> = stage.told().into_iter().map(|ran| (ran.cwd, ran.cwd_after)).collect();
    let (root, odd) = ("/".to_owned(), format!("{home}/it's; a $(x)]"));
    let expected = [(&home, &root), (&root, &home), (&home, &odd), (&odd, &home)];
    assert_eq!(seen.iter().map(|(from, to)| (from, to)).collect::<Vec<_>>(), expected);
}

fn suggested(stage: &mut Stage) {
    // What the key widgets do while the line is edited.
    stage.enter("bind \\cg 'set -g __chela_s 42'");
    stage.told();
    stage.keys("\x07");
    stage.enter("true");
    stage.enter("true");
    let suggestions: Vec<String> = stage.told().into_iter().map(|ran| ran.suggestion).collect();
    assert_eq!(suggestions, ["42", ""]);
}

#[track_caller]
fn check_edge_cases(before: &str) {
    if is_installed("fish") {
        for form in FORMS {
            edge_cases(Stage::new(ShellKind::Fish, form, before, ""));
        }
    }
}

#[test]
fn a_bare_fish() {
    check_edge_cases("");
}

#[test]
fn a_theme_that_runs_programs() {
    check_edge_cases(THEME);
}

#[test]
fn hooks_that_run_programs() {
    check_edge_cases(HOOKS);
}

#[test]
fn the_users_own_hooks_see_what_they_saw_before() {
    if !is_installed("fish") {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Fish, form, THEME, "");
        assert!(stage.enter("true | sh -c 'exit 4'").contains("[4 0 4]§"));
    }
}

#[test]
fn what_is_private_stays_private() {
    if !is_installed("fish") {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Fish, form, "", "");
        stage.enter("set -g CHELA_DISABLE 1");
        stage.enter("false");
        stage.enter("set -e CHELA_DISABLE; set -g fish_private_mode 1");
        stage.enter("false");
        stage.enter("set -e fish_private_mode");
        stage.told();
        stage.check("sh -c 'exit 6'", &[("sh -c 'exit 6'", 6, "6")]);
    }
}

#[test]
fn reading_the_startup_file_again_changes_nothing() {
    if !is_installed("fish") {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Fish, form, "", "");
        stage.enter("source ~/.config/fish/config.fish; source ~/.config/fish/config.fish");
        stage.told();
        stage.check("false", &[("false", 1, "1")]);
    }
}

#[test]
fn children_cannot_read_the_nonce() {
    if !is_installed("fish") {
        return;
    }
    let mut stage = Stage::new(ShellKind::Fish, Form::Marks, "", "");
    stage.enter("env >~/env");
    let seen = fs::read_to_string(stage.path().join("env")).unwrap();
    assert!(!seen.contains(NONCE), "{seen}");
    assert!(seen.contains("CHELA_TTY="), "{seen}");
}

#[test]
fn ctrl_c_clears_the_line_and_nothing_ran() {
    if !is_installed("fish") {
        return;
    }
    let mut stage = Stage::new(ShellKind::Fish, Form::Marks, "", "");
    let from = stage.output.len();
    stage.keys("abc");
    stage.wait_for(from, "abc");
    stage.press_until("\x03", "^C");
    stage.sync();
    stage.check_told("Ctrl+C", &[]);
}

/// fish 4.0.2 prints marks of its own; ours say that it does, and tell the same.
#[test]
fn fish_4_as_it_was_recorded() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shell/fish4.bytes");
    let bytes = fs::read(recorded).unwrap();
    let told: Vec<_> =
        signed(ShellKind::Fish, &bytes, b"").into_iter().map(|ran| (ran.text.unwrap(), ran.status)).collect();
    let expected = [("false", 1), ("echo 'a;b' | cat", 0), ("for i in 1 2\necho $i\nend", 0), ("cd /", 0)];
    assert_eq!(told, expected.map(|(text, status)| (text.to_owned(), status)));
    let (ours, native): (Vec<String>, Vec<String>) =
        marks(&bytes).into_iter().partition(|mark| mark.contains("nonce="));
    assert!(ours.iter().all(|mark| mark.ends_with(";f=1")), "{ours:?}");
    assert_eq!(native.iter().filter(|mark| mark.starts_with("C;cmdline_url=")).count(), 5, "{native:?}");
}
