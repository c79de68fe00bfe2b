//! Where `chela shell` starts and what the shell finds there: program, directory, mask, login, nesting, refusals.

use std::fs;
use std::os::unix::fs::symlink;

use crate::shell_terminal::{BINARY, OUTER, PROMPT, Person, ShellHome, in_each_shell, shell, shells};

#[test]
fn the_shell_is_the_program_that_its_variable_names() {
    for shell in shells() {
        let mut person = ShellHome::new().sits_in(&shell);
        assert_eq!(person.prints("echo $SHELL"), shell.to_str().unwrap());
    }
}

#[test]
fn without_a_name_it_is_the_person_s_own() {
    for shell in shells() {
        let home = ShellHome::new();
        let mut command = home.program(BINARY, &["shell", "--no-daemon"]);
        command.env("SHELL", &shell);
        let mut person = Person::runs(command);
        person.sees(PROMPT);
        assert_eq!(person.prints("echo $SHELL"), shell.to_str().unwrap());
    }
}

#[test]
fn directory_and_mask_are_the_person_s() {
    for shell in shells() {
        let home = ShellHome::new();
        fs::create_dir(home.path().join("real")).unwrap();
        symlink("real", home.path().join("link")).unwrap();
        let link = home.path().join("link");
        let mut command = home.chela_shell(&shell, &[]);
        command.cwd(&link);
        command.env("PWD", &link);
        command.umask(Some(0o027));
        let mut person = Person::runs(command);
        person.sees(PROMPT);
        assert_eq!(person.prints("pwd"), link.to_str().unwrap(), "{}", shell.display());
        assert!(person.prints("umask").ends_with("027"));
    }
}

#[test]
fn a_login_shell_is_one_and_another_is_none() {
    for shell in shells() {
        let home = ShellHome::new();
        let asks = match shell.file_name().unwrap().to_str().unwrap() {
            "bash" => "shopt login_shell",
            "zsh" => "set -o | grep -w login",
            _ => "status is-login; and echo on; or echo off",
        };
        let mut person = home.sits_in(&shell);
        assert!(person.prints(asks).ends_with("off"));
        assert_eq!(person.prints("echo \"x$LOGIN_FILE\""), "x");
        let mut person = Person::runs(home.chela_shell(&shell, &["--login"]));
        person.sees(PROMPT);
        assert!(person.prints(asks).ends_with("on"), "{}", shell.display());
        assert_eq!(person.prints("echo \"x$LOGIN_FILE\""), "xread");
    }
}

#[test]
fn a_login_bash_keeps_nothing_of_how_it_was_started() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let mut plain = home.program(&bash, &["--login"]);
    plain.env("ENV", "/nonexistent");
    let mut ours = home.chela_shell(&bash, &["--login"]);
    ours.env("ENV", "/nonexistent");
    let asks =
        "shopt -p | sort; set -o; echo $ENV $HISTFILE ${POSIXLY_CORRECT-unset}; export -p | grep -c CHELA";
    let said = [plain, ours].map(|command| {
        let mut person = Person::runs(command);
        person.sees(PROMPT);
        person.prints(asks)
    });
    let differs = |text: &str| {
        text.lines().filter(|line| line.parse::<u32>().is_err()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(differs(&said[0]), differs(&said[1]));
}

#[test]
fn a_zsh_with_a_place_of_its_own_for_start_files_reads_them_there() {
    let Some(zsh) = shell("zsh") else { return };
    let home = ShellHome::new();
    home.write(".zshenv", "export ZDOTDIR=$HOME/z\nENV_READ=once$ENV_READ\n");
    home.write("z/.zshrc", "PS1='ready> '\nRC_READ=once$RC_READ\n");
    home.write("z/.zlogin", "LOGIN_READ=once$LOGIN_READ\n");
    let mut person = Person::runs(home.chela_shell(&zsh, &["--login"]));
    person.sees(PROMPT);
    let expected = format!("{0}/z {0}/z once once once", home.path().display());
    assert_eq!(person.prints("echo $ZDOTDIR $(printenv ZDOTDIR) $ENV_READ $RC_READ $LOGIN_READ"), expected);
    home.write(".zshenv", "");
    let mut person = Person::runs(home.chela_shell(&zsh, &[]));
    person.sees(PROMPT);
    assert_eq!(person.prints("echo ${+ZDOTDIR} $(printenv ZDOTDIR)"), "0");
}

#[test]
fn what_only_the_shell_may_know_is_not_in_its_children_s_environment() {
    in_each_shell(|_, person| {
        assert_eq!(person.prints("env | grep -c -e NONCE -e CHELA_CTL -e CHELA_ACTIVE"), "0");
    });
}

#[test]
fn start_files_that_start_children_do_not_tell_them() {
    for name in ["bash", "zsh"] {
        let Some(shell) = shell(name) else { continue };
        let home = ShellHome::new();
        for file in [".bashrc", ".zshrc", ".zshenv"] {
            home.write(file, "PS1='ready> '\nenv | grep -e NONCE -e CHELA_CTL >> leaked\n");
        }
        let _person = home.sits_in(&shell);
        assert_eq!(fs::read_to_string(home.path().join("leaked")).unwrap(), "", "{name}");
    }
}

#[test]
fn inside_is_decided_by_the_terminal() {
    in_each_shell(|_, person| {
        let again = format!("{BINARY} shell --no-daemon");
        assert!(person.prints(&format!("{again} 2>&1")).contains("this is chela shell already"));
        // Another terminal inside of this one has no owner yet.
        if shell("script").is_some() {
            person.types(format!("script -qc '{again} --shell bash' /dev/null; echo le''ft\r"));
            person.sees(PROMPT);
            person.types("exit\r");
            person.sees("left");
        }
    });
}

#[test]
fn disabled_it_is_the_plain_shell_in_the_same_process() {
    for shell in shells() {
        let home = ShellHome::new();
        let mut command = home.chela_shell(&shell, &[]);
        command.env("CHELA_DISABLE", "1");
        let mut person = Person::runs(command);
        person.sees(PROMPT);
        let own = if shell.ends_with("fish") { "$fish_pid" } else { "$$" };
        let process = person.process().as_raw_nonzero().to_string();
        assert_eq!(person.prints(&format!("echo {own}")), process);
        assert!(!home.path().join("chela/run").exists());
        assert!(!String::from_utf8_lossy(&person.seen).contains("\x1b]133;C"));
    }
}

#[test]
fn what_fails_at_the_start_leaves_the_plain_shell() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    home.write("file", "");
    let mut command = home.chela_shell(&bash, &["--login"]);
    command.env("CHELA_HOME", home.path().join("file"));
    let mut person = Person::runs(command);
    person.sees("this is the plain shell: ");
    person.sees(PROMPT);
    assert_eq!(person.prints("echo $CHELA_DISABLE $0 $LOGIN_FILE"), "1 -bash read");
}

#[test]
fn a_start_file_gives_way_without_a_word() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let mut command = home.chela_shell(&bash, &["--or-plain"]);
    command.env("SSH_CONNECTION", "1");
    let mut person = Person::runs(command);
    assert_eq!(person.sees(PROMPT).replace("\x1b[?2004h", ""), "");
    assert_eq!(person.prints("echo $CHELA_DISABLE"), "1");
}

#[test]
fn a_shell_that_is_not_known_gets_its_bytes() {
    let Some(sh) = shell("dash") else { return };
    let home = ShellHome::new();
    let mut command = home.chela_shell(&sh, &[]);
    command.env("PS1", PROMPT);
    let mut person = Person::runs(command);
    person.sees(PROMPT);
    assert_eq!(person.prints("echo $0 $CHELA_NONCE"), sh.to_str().unwrap());
    assert_eq!(person.leaves(), 0);
}

#[test]
fn refusals_say_what_to_do() {
    let home = ShellHome::new();
    let mut person = home.sits_outside();
    let mut check = |command: &str, says: &str| {
        person.types(format!("{command}; echo sta''tus=$?.\r"));
        person.sees("\r\n");
        let said = person.sees(".\r\n");
        assert!(said.contains(says), "{said}");
        person.sees(OUTER);
    };
    check(&format!("{BINARY} shell </dev/null"), "needs a terminal");
    check(&format!("{BINARY} shell | cat"), "needs a terminal");
    check(&format!("TERM=dumb {BINARY} shell"), "TERM=dumb");
    check(&format!("INSIDE_EMACS=1 {BINARY} shell"), "Emacs");
    check(&format!("{BINARY} shell --shell /nonexistent/zsh"), "status=4");
    check(&format!("{BINARY} shell --shell no-such-shell"), "in PATH");
}

#[test]
fn what_stays_between_terminal_and_shell_is_the_small_program() {
    in_each_shell(|_, person| {
        let own = format!("/proc/{}/exe", person.process().as_raw_nonzero());
        // Elsewhere than on Linux nothing says it as a file.
        if let Ok(program) = std::fs::read_link(own) {
            assert_eq!(program.file_name().unwrap(), "chela-shell");
        }
    });
}
