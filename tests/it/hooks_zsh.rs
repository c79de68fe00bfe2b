//! The hooks in a real zsh, with what people have in their startup files.

use std::fs;
use std::path::Path;

use chela::daemon::wire::shell::ShellKind;

use super::hooks_posix::{a_shell_in_the_shell, directories, stopped_and_cleared};
use super::hooks_stage::{Form, NONCE, Stage, is_installed, letters, marks, skipped};

const FORMS: [Form; 2] = [Form::Marks, Form::Records];

/// A prompt that is written anew each time, and shows the status that it saw.
const THEME: &str = "build() { PS1=\"[$?/$pipestatus]§ \" }\nprecmd_functions+=(build)";

/// Hooks that print, and that change the status for those after them.
const HOOKS: &str = "precmd() { print -n '\\e]0;title\\a'; true }\nother() { echo x | cat >/dev/null }\n\
     typeset -a precmd_functions=(other) preexec_functions=(other)";

/// What changes how zsh reads and runs a function.
const OPTIONS: &str = "setopt ksh_arrays sh_word_split no_unset c_bases noclobber extended_glob interactive_comments\n\
     alias local=false builtin=false typeset=false emulate=false; alias -g D=x";

fn edge_cases(mut stage: Stage) {
    stage.told();
    stage.check("false", &[("false", 1, "1")]);
    stage.check("false | true", &[("false | true", 0, "1 0")]);
    stage.check("(exit 3)", &[("(exit 3)", 3, "3")]);
    stage.check("f() { return 7 }", &[("f() { return 7 }", 0, "0")]);
    stage.check("f", &[("f", 7, "7")]);
    stage.check("for i in 1 2; do\necho $i\ndone", &[("for i in 1 2; do\necho $i\ndone", 0, "0")]);
    stage.check("cat <<E\nx;y\nE", &[("cat <<E\nx;y\nE", 0, "0")]);
    stage.check(" echo secret", &[]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("echo dup", &[("echo dup", 0, "0")]);
    stage.check("", &[]);
    stage.check("echo )", &[]);
    stage.check("echo 'é\\n'\\''s'; echo \"a;b\" >&2", &[("echo 'é\\n'\\''s'; echo \"a;b\" >&2", 0, "0")]);
    stage.check("no_such_command_x", &[("no_such_command_x", 127, "127")]);
    stage.check("sh -c 'kill -9 $$'", &[("sh -c 'kill -9 $$'", 137, "137")]);
    stage.keys("sh -c 'kill -STOP $$; exit 5'\r");
    stage.sync();
    stage.check_told("stopped", &[("sh -c 'kill -STOP $$; exit 5'", 147, "147")]);
    stage.keys("fg\r");
    stage.sync();
    stage.check_told("fg", &[("fg", 5, "5")]);
    stage.check("printf '\\e]133;D;0;n=99\\a'; false", &[("printf '\\e]133;D;0;n=99\\a'; false", 1, "1")]);
    stage.check("printf abc", &[("printf abc", 0, "0")]);
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
    stage.enter("pick() { __chela_s=42 }; zle -N pick; bindkey '^G' pick");
    stage.told();
    stage.keys("\x07");
    stage.enter("true");
    stage.enter("true");
    let suggestions: Vec<String> = stage.told().into_iter().map(|ran| ran.suggestion).collect();
    assert_eq!(suggestions, ["42", ""]);
}

#[track_caller]
fn check_edge_cases(before: &str, after: &str) {
    if is_installed("zsh") {
        for form in FORMS {
            edge_cases(Stage::new(ShellKind::Zsh, form, before, after));
        }
    }
}

#[test]
fn a_bare_zsh() {
    check_edge_cases("", "");
}

#[test]
fn a_theme_that_writes_the_prompt_each_time() {
    check_edge_cases(THEME, "");
    check_edge_cases("", THEME);
}

#[test]
fn hooks_that_run_programs() {
    check_edge_cases(HOOKS, "");
}

#[test]
fn options_and_aliases_of_the_user() {
    check_edge_cases(OPTIONS, "");
}

#[test]
fn a_debug_trap() {
    check_edge_cases("TRAPDEBUG() { : $ZSH_DEBUG_CMD }", "");
}

#[test]
fn starship() {
    if is_installed("starship") {
        let config = "export STARSHIP_CONFIG=~/starship.toml\n\
             print 'add_newline=false\\nformat=\"$status§ \"' >|$STARSHIP_CONFIG\neval \"$(starship init zsh)\"";
        check_edge_cases(config, "");
    }
}

/// Where Debian, Fedora, Arch and Homebrew put a plugin.
fn plugin(name: &str) -> Option<String> {
    let dirs = ["/usr/share", "/usr/share/zsh/plugins", "/opt/homebrew/share", "/usr/local/share"];
    let found =
        dirs.iter().map(|dir| format!("{dir}/{name}/{name}.zsh")).find(|file| Path::new(file).is_file());
    if found.is_none() {
        skipped(&format!("{name} is not installed (scripts/setup --tests)"));
    }
    found
}

#[test]
fn autosuggestions_and_syntax_highlighting() {
    let plugins: Vec<String> =
        ["zsh-autosuggestions", "zsh-syntax-highlighting"].iter().filter_map(|name| plugin(name)).collect();
    let source: String = plugins.iter().flat_map(|file| ["source ", file, "\n"]).collect();
    if !plugins.is_empty() && is_installed("zsh") {
        for form in FORMS {
            for (before, after) in [(source.as_str(), ""), ("", source.as_str())] {
                let mut stage = Stage::new(ShellKind::Zsh, form, before, after);
                stage.enter("true");
                stage.told();
                // The line is drawn again while it is typed; the prompt with it, at most.
                stage.check("false | true", &[("false | true", 0, "1 0")]);
                stage.check(" echo secret", &[]);
                stage.check("(exit 3)", &[("(exit 3)", 3, "3")]);
            }
        }
    }
}

#[test]
fn the_users_own_hooks_see_what_they_saw_before() {
    if !is_installed("zsh") {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Zsh, form, THEME, "");
        assert!(stage.enter("true | (exit 4)").contains("[4/0 4]§"));
    }
}

#[test]
fn what_is_private_stays_private() {
    if !is_installed("zsh") {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Zsh, form, "HISTORY_IGNORE='(pass *|top)'", "");
        stage.told();
        stage.check("pass show x", &[]);
        stage.enter("CHELA_DISABLE=1");
        stage.enter("false");
        stage.enter("unset CHELA_DISABLE");
        stage.told();
        stage.check("(exit 6)", &[("(exit 6)", 6, "6")]);
    }
}

#[test]
fn reading_the_startup_file_again_changes_nothing() {
    if !is_installed("zsh") {
        return;
    }
    for form in FORMS {
        let mut stage = Stage::new(ShellKind::Zsh, form, THEME, "");
        stage.enter("source ~/.zshrc; source ~/.zshrc");
        stage.enter("precmd_functions=(build $precmd_functions build)");
        stage.told();
        let from = stage.output.len();
        stage.check("false", &[("false", 1, "1")]);
        assert_eq!(letters(&stage.output[from..]), if form == Form::Marks { "CDAB" } else { "" });
    }
}

#[test]
fn marks_of_the_terminals_own_integration_are_not_doubled() {
    if !is_installed("zsh") {
        return;
    }
    let foreign = "PS1=$'%{\\e]133;A\\a%}§ %{\\e]133;B\\a%}'";
    let mut stage = Stage::new(ShellKind::Zsh, Form::Marks, foreign, "");
    let from = stage.output.len();
    stage.enter("true");
    assert_eq!(letters(&stage.output[from..]), "CDAB");
}

#[test]
fn children_cannot_read_the_nonce() {
    if !is_installed("zsh") {
        return;
    }
    let mut stage = Stage::new(ShellKind::Zsh, Form::Marks, "setopt all_export", "");
    stage.enter("env >~/env");
    let seen = fs::read_to_string(stage.path().join("env")).unwrap();
    assert!(!seen.contains(NONCE), "{seen}");
}
