//! The hooks in a real bash, with what people have in their startup files.

use std::fs;

use chela::daemon::wire::shell::ShellKind;

use super::hooks_posix::{a_shell_in_the_shell, directories, stopped_and_cleared};
use super::hooks_stage::{Form, NONCE, Ran, Stage, has_current_bash, is_installed, letters, marks};

const FORMS: [Form; 2] = [Form::Marks, Form::Records];

/// A prompt that is written anew each time, and shows the status that it saw.
const THEME: &str = "build() { PS1=\"[$?/${PIPESTATUS[*]}]§ \"; }\nPROMPT_COMMAND=build";

/// Prompt commands that print, and that change the status for those after them.
const PROMPT_COMMANDS: &str = "PROMPT_COMMAND='printf \"\\e]0;title\\a\"; true; [ -n \"$HOME\" ] | cat'";

/// A timer and a log of what runs, as many have it in a DEBUG trap.
const DEBUG_TRAP: &str = "before() { [[ -n ${started-} ]] || started=$BASH_COMMAND; echo \"$BASH_COMMAND\" >>~/seen; }\n\
     after() { took=$started; unset started; }\ntrap before DEBUG\nPROMPT_COMMAND=after";

/// Everything that a line can be, in one shell.
fn edge_cases(mut stage: Stage) {
    stage.told();
    stage.check("false", &[("false", 1, "1")]);
    stage.check("false | true", &[("false | true", 0, "1 0")]);
    stage.check("(exit 3)", &[("(exit 3)", 3, "3")]);
    stage.check("f() { return 7; }", &[("f() { return 7; }", 0, "0")]);
    stage.check("f", &[("f", 7, "7")]);
    stage.check("for i in 1 2; do\necho $i\ndone", &[("for i in 1 2; do echo $i; done", 0, "0")]);
    stage.check("cat <<E\nx;y\nE", &[("cat <<E\nx;y\nE", 0, "0")]);
    stage.check(" echo secret", &[]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("", &[]);
    stage.check("echo )", &[]);
    stage.check("# a comment", &[]);
    stage.check("echo 'it'\\''s'; echo \"a;b\" >&2", &[("echo 'it'\\''s'; echo \"a;b\" >&2", 0, "0")]);
    stage.check("no_such_command_x", &[("no_such_command_x", 127, "127")]);
    stage.check("sh -c 'kill -9 $$'", &[("sh -c 'kill -9 $$'", 137, "137")]);
    stage.keys("sh -c 'kill -STOP $$; exit 5'\r");
    stage.sync();
    stage.check_told("stopped", &[("sh -c 'kill -STOP $$; exit 5'", 147, "147")]);
    stage.keys("fg\r");
    stage.sync();
    stage.check_told("fg", &[("fg", 5, "5")]);
    stage.check("true &", &[("true &", 0, "0")]);
    stage.check("wait", &[("wait", 0, "0")]);
    stage.check("printf '\\e]133;D;0;n=99\\a'; false", &[("printf '\\e]133;D;0;n=99\\a'; false", 1, "1")]);
    stopped_and_cleared(&mut stage);
    a_shell_in_the_shell(&mut stage);
    directories(&mut stage);
    suggested(&mut stage);
    if stage.form == Form::Records {
        let plain: Vec<String> = marks(&stage.output).into_iter().filter(|mark| mark != "D;0;n=99").collect();
        assert_eq!(plain, [""; 0], "nothing is printed without chela's terminal");
    }
}

fn suggested(stage: &mut Stage) {
    // What the key widgets do while the line is edited.
    stage.enter("bind -x '\"\\C-g\": __chela_s=42; printf pick''ed'");
    stage.told();
    let from = stage.output.len();
    stage.keys("\x07");
    stage.wait_for(from, "picked");
    stage.keys("true\r");
    stage.sync();
    stage.keys("true\r");
    stage.sync();
    let suggestions: Vec<String> = stage.told().into_iter().map(|ran: Ran| ran.suggestion).collect();
    assert_eq!(suggestions, ["42", ""]);
}

#[track_caller]
fn check_edge_cases(before: &str, after: &str) {
    if has_current_bash() {
        for form in FORMS {
            edge_cases(Stage::new(ShellKind::Bash, form, before, after));
        }
    }
}

#[test]
fn a_bare_bash() {
    check_edge_cases("", "");
}

#[test]
fn a_theme_that_writes_the_prompt_each_time() {
    check_edge_cases(THEME, "");
    check_edge_cases("", THEME);
}

#[test]
fn prompt_commands_that_run_programs() {
    check_edge_cases(PROMPT_COMMANDS, "");
}

#[test]
fn a_debug_trap() {
    check_edge_cases(DEBUG_TRAP, "");
}

#[test]
fn starship() {
    if is_installed("starship") {
        let config = "starship() { command starship \"$@\"; }\nexport STARSHIP_CONFIG=~/starship.toml\n\
             printf 'add_newline=false\\nformat=\"$status§ \"\\n' >$STARSHIP_CONFIG\neval \"$(command starship init bash)\"";
        check_edge_cases(config, "");
        check_edge_cases("", config);
    }
}

#[test]
fn options_that_end_or_trace_a_shell() {
    if !has_current_bash() {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Bash, form, "", "");
        stage.check("set -eu", &[("set -eu", 0, "0")]);
        stage.check("! true", &[("! true", 1, "1")]);
        stage.check("false || true", &[("false || true", 0, "0")]);
        stage.check("set +eu; set -C; IFS=:", &[("set +eu; set -C; IFS=:", 0, "0")]);
        stage.check("true | false", &[("true | false", 1, "0 1")]);
        let traced = stage.enter("set -x");
        assert!(!traced.contains("printf"), "{traced}");
        stage.check("set +x", &[("set -x", 0, "0"), ("set +x", 0, "0")]);
    }
}

#[test]
fn the_users_own_hooks_see_what_they_saw_before() {
    if !has_current_bash() {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Bash, form, THEME, "");
        assert!(stage.enter("true | (exit 4)").contains("[4/0 4]§"));
        stage.enter("PS0='<before>'");
        assert!(stage.enter("(exit 9)").contains("<before>"), "PS0 is kept");

        let mut stage = Stage::new(ShellKind::Bash, form, DEBUG_TRAP, "");
        // Whether there is such a trap is known from the first prompt on.
        stage.enter("true");
        stage.enter("true");
        let shown = stage.enter("echo \"took=$took\"");
        assert!(shown.contains("took=true\r\n"), "the prompt's time is nobody's: {shown:?}");
        let seen = fs::read_to_string(stage.path().join("seen")).unwrap();
        let theirs: Vec<&str> = seen.lines().filter(|line| !line.contains("__chela_")).collect();
        assert_eq!(theirs[theirs.len() - 4..], ["true", "after", "echo \"took=$took\"", "after"]);
    }
}

#[test]
fn a_repeated_command_that_history_does_not_keep_is_never_another() {
    if !has_current_bash() {
        return;
    }
    let both = "HISTCONTROL=ignoreboth";
    let mut stage = Stage::new(ShellKind::Bash, Form::Marks, both, "");
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("echo dup", &[("?", 0, "0")]);
    stage.check(" echo secret", &[("?", 0, "0")]);
    let mut stage = Stage::new(ShellKind::Bash, Form::Records, both, "");
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("echo dup", &[]);
    stage.check(" echo secret", &[]);
    let mut stage = Stage::new(ShellKind::Bash, Form::Records, "HISTCONTROL=ignoredups", "");
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check(" echo secret", &[]);
}

#[test]
fn what_is_private_stays_private() {
    if !has_current_bash() {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Bash, form, "HISTIGNORE='pass *'", "");
        stage.check("pass show x", &[]);
        stage.enter("CHELA_DISABLE=1");
        stage.enter("false");
        stage.enter("unset CHELA_DISABLE; set +o history");
        stage.enter("false");
        stage.enter("set -o history; unset HISTIGNORE");
        stage.told();
        stage.check("(exit 6)", &[("(exit 6)", 6, "6")]);
    }
}

#[test]
fn a_history_that_is_shared_does_not_lend_its_commands() {
    if !has_current_bash() {
        return;
    }
    let shared = "HISTFILE=~/history; HISTCONTROL=ignoreboth; PROMPT_COMMAND='history -a; history -n'";
    let mut stage = Stage::new(ShellKind::Bash, Form::Records, shared, "");
    stage.check("echo other >>~/history", &[("echo other >>~/history", 0, "0")]);
    stage.check(" false", &[]);
    stage.check("true", &[("true", 0, "0")]);
}

#[test]
fn reading_the_startup_file_again_changes_nothing() {
    if !has_current_bash() {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Bash, form, THEME, "");
        stage.enter("source ~/.bashrc; source ~/.bashrc");
        stage.enter("PROMPT_COMMAND=\"true; $PROMPT_COMMAND\"");
        stage.enter("PROMPT_COMMAND=build PS0=");
        stage.enter("true");
        stage.told();
        let from = stage.output.len();
        stage.check("false", &[("false", 1, "1")]);
        assert_eq!(letters(&stage.output[from..]), if form == Form::Marks { "CDAB" } else { "" });
    }
}

#[test]
fn marks_of_the_terminals_own_integration_are_not_doubled() {
    if !has_current_bash() {
        return;
    }
    let foreign = "PS1='\\[\\e]133;A\\a\\]§ \\[\\e]133;B\\a\\]'";
    let mut stage = Stage::new(ShellKind::Bash, Form::Marks, foreign, "");
    let from = stage.output.len();
    stage.enter("true");
    assert_eq!(letters(&stage.output[from..]), "CDAB");
}

#[test]
fn a_read_only_prompt_command_means_no_hooks() {
    if !has_current_bash() {
        return;
    }
    let mut stage = Stage::new(ShellKind::Bash, Form::Marks, "readonly PROMPT_COMMAND=true", "");
    assert!(!stage.enter("false").contains("readonly"));
    assert_eq!(stage.told(), []);
}

#[test]
fn children_cannot_read_the_nonce() {
    if !has_current_bash() {
        return;
    }
    let mut stage = Stage::new(ShellKind::Bash, Form::Marks, "set -a", "");
    stage.enter("env >~/env");
    let seen = fs::read_to_string(stage.path().join("env")).unwrap();
    let names: Vec<&str> = seen.lines().filter(|line| line.to_lowercase().contains("chela")).collect();
    assert!(!seen.contains(NONCE), "{seen}");
    let theirs = names.iter().filter(|name| name.starts_with("CHELA_")).count();
    assert_eq!(theirs, 1, "CHELA_TTY alone: {names:?}");
}
