//! `chela init` from outside: what it prints works, what it installs can be taken back byte for byte, what is not the
//! user's to change is left alone; and the hooks start nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chela::daemon::wire::shell::ShellKind;
use chela::shell::init::exec_line;

use super::cli::{Home, stderr, stdout};
use super::hooks_stage::{Form, PROMPT, Stage, is_installed, shell_args, skipped};

/// `chela init …` in a home with nothing of the tests' own environment.
fn init(home: &Home, args: &[&str]) -> Output {
    let mut command = home.chela(&[&["init"], args].concat());
    command.env_remove("ZDOTDIR").env_remove("XDG_CONFIG_HOME").env("SHELL", "/bin/bash");
    command.output().unwrap()
}

fn startup_file(home: &Home, kind: ShellKind) -> PathBuf {
    home.path().join(match kind {
        ShellKind::Bash => ".bashrc",
        ShellKind::Zsh => ".zshrc",
        ShellKind::Fish => ".config/fish/config.fish",
    })
}

/// Everything below the home, by name, without chela's log and ledger.
fn tree(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.display().to_string());
        if path.is_dir() {
            names.extend(tree(&path));
        }
    }
    names.sort();
    names
}

#[track_caller]
fn check_there_and_back(kind: ShellKind, before: Option<&[u8]>) {
    let home = Home::new();
    let rc = startup_file(&home, kind);
    if let Some(before) = before {
        fs::create_dir_all(rc.parent().unwrap()).unwrap();
        fs::write(&rc, before).unwrap();
        fs::set_permissions(&rc, PermissionsExt::from_mode(0o640)).unwrap();
    }
    for _ in 0..2 {
        let installed = init(&home, &[kind.name(), "--install"]);
        assert!(installed.status.success(), "{}", stderr(&installed));
        assert_eq!(stdout(&installed), "");
    }
    let with = fs::read(&rc).unwrap();
    let ours =
        with.split(|&byte| byte == b'\n').filter(|line| line.windows(10).any(|part| part == b"chela init"));
    assert_eq!(ours.count(), 1, "one line, however often it is installed");
    if let Some(before) = before {
        assert!(with.starts_with(before));
        assert_eq!(fs::metadata(&rc).unwrap().permissions().mode() & 0o777, 0o640);
    }
    let removed = init(&home, &["--uninstall"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert_eq!(fs::read(&rc).ok().as_deref(), before);
    let left: Vec<String> = tree(&home.path()).into_iter().filter(|name| name.contains("shell")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn what_is_installed_is_taken_back_byte_for_byte() {
    for kind in ShellKind::ALL {
        for before in [&b"alias a=b\n"[..], b"no line break at the end", b"", b"\n\n", b"\xff\xfe\r\n# x"] {
            check_there_and_back(kind, Some(before));
        }
        check_there_and_back(kind, None);
    }
}

#[test]
fn a_link_into_a_repository_stays_a_link() {
    let home = Home::new();
    let (rc, target) = (home.path().join(".bashrc"), home.path().join("dotfiles-bashrc"));
    fs::write(&target, "x\n").unwrap();
    symlink(&target, &rc).unwrap();
    let said = stderr(&init(&home, &["bash", "--install"]));
    assert!(rc.is_symlink(), "{said}");
    assert!(fs::read_to_string(&target).unwrap().starts_with("x\nif [ -r '"), "{said}");
    assert!(said.contains("kept a copy"), "{said}");
    init(&home, &["--uninstall"]);
    assert!(rc.is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "x\n");
}

#[test]
fn a_file_that_somebody_else_manages_is_left_alone() {
    let home = Home::new();
    let rc = home.path().join(".bashrc");
    fs::write(&rc, "x\n").unwrap();
    fs::set_permissions(&rc, PermissionsExt::from_mode(0o444)).unwrap();
    let refused = init(&home, &["bash", "--install"]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said.contains("is read-only") && said.contains("put this line into it yourself: if [ -r '"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&rc).unwrap(), "x\n");
}

#[test]
fn both_lines_go_with_one_uninstall() {
    let home = Home::new();
    let rc = home.path().join(".zshrc");
    fs::write(&rc, "x\n").unwrap();
    init(&home, &["zsh", "--install"]);
    init(&home, &["zsh", "--install", "--exec"]);
    let text = fs::read_to_string(&rc).unwrap();
    let ends: Vec<&str> = text.lines().map(|line| line.rsplit('#').next().unwrap()).collect();
    assert_eq!(ends, [" added by chela init --exec", "x", " added by chela init"]);
    init(&home, &["zsh", "--uninstall"]);
    assert_eq!(fs::read_to_string(&rc).unwrap(), "x\n");
}

#[test]
fn without_a_shell_it_asks_for_one() {
    let home = Home::new();
    let mut command = home.chela(&["init"]);
    let refused = command.env("SHELL", "/bin/tcsh").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("chela init bash"));
}

#[test]
fn what_is_printed_is_a_script_that_works() {
    for kind in ShellKind::ALL {
        if !is_installed(kind.name()) {
            continue;
        }
        let home = Home::new();
        let script = home.path().join("script");
        fs::write(&script, init(&home, &[kind.name()]).stdout).unwrap();
        let checked = Command::new(kind.name()).arg("-n").arg(&script).output().unwrap();
        assert!(checked.status.success(), "{}", stderr(&checked));
    }
}

/// A shell whose startup file begins with the line for `chela shell`, in whose place stands a program that says so and
/// falls back to the plain shell.
fn stage_with_exec_line(kind: ShellKind, tail: &str) -> Stage {
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("chela");
    let rc = home.path().join(match kind {
        ShellKind::Bash => ".bashrc",
        ShellKind::Zsh => ".zshrc",
        ShellKind::Fish => ".config/fish/config.fish",
    });
    fs::create_dir_all(rc.parent().unwrap()).unwrap();
    let args = shell_args(kind, &rc);
    let plain = args.join(" ");
    fs::write(
        &program,
        format!("#!/bin/sh\necho \"in place: $1 $((CHELA_EXEC == $$))\"\n{tail}\nexec {plain}\n"),
    )
    .unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let prompt = match kind {
        ShellKind::Bash | ShellKind::Zsh => format!("PS1='{PROMPT}'"),
        ShellKind::Fish => format!("function fish_prompt; printf '{PROMPT}'; end\nset -g fish_greeting"),
    };
    let line = exec_line(kind, program.to_str().unwrap());
    fs::write(&rc, format!("{line}\n{prompt}\n")).unwrap();
    Stage::start(kind, Form::Records, home, &args)
}

fn times(stage: &Stage) -> usize {
    String::from_utf8_lossy(&stage.output).matches("in place: shell 1").count()
}

#[test]
fn the_line_starts_chela_once_and_falls_back_to_the_plain_shell() {
    for kind in ShellKind::ALL {
        if is_installed(kind.name()) {
            let mut stage = stage_with_exec_line(kind, "");
            assert_eq!(times(&stage), 1, "{kind:?}");
            assert!(stage.enter("echo a''live").contains("alive"), "{kind:?}");
        }
    }
}

#[test]
fn the_line_does_nothing_where_it_must_not() {
    for kind in ShellKind::ALL {
        if is_installed(kind.name()) {
            for owned in ["CHELA_DISABLE=1", "CHELA_TTY=$(tty)", "CHELA_ACTIVE=$(tty)"] {
                // The shell starts another one below itself, with another process number.
                let stage = stage_with_exec_line(kind, &format!("export {owned}\n(exit 0)\n{}", below(kind)));
                assert_eq!(times(&stage), 1, "{kind:?} {owned}");
            }
        }
    }
}

/// Runs the shell as a child instead of in its own place.
fn below(kind: ShellKind) -> String {
    let rc = "$HOME/.bashrc";
    match kind {
        ShellKind::Bash => format!("bash --noprofile --rcfile {rc} -i; exit"),
        ShellKind::Zsh | ShellKind::Fish => format!("{} -i; exit", kind.name()),
    }
}

#[test]
fn a_pane_of_tmux_is_not_chelas_terminal() {
    if !is_installed("tmux") {
        return;
    }
    let mut outer = Stage::new(ShellKind::Bash, Form::Marks, "", "");
    let home = outer.path().to_owned();
    let socket = home.join("tmux");
    // What a shell without hooks would hand down: the variables of the outer terminal.
    let stale = "CHELA_ACTIVE=$CHELA_TTY CHELA_NONCE=0123456789abcdef0123456789abcdef CHELA_SHELL_ID=0123abcd CHELA_CTL=$HOME/ctl";
    let shell = "bash --noprofile --rcfile ~/.bashrc -i";
    outer.keys(&format!("env {stale} tmux -S {} -f /dev/null new-session -d '{shell}'\r", socket.display()));
    outer.enter("");
    let tmux = |args: &[&str]| {
        let output = Command::new("tmux").arg("-S").arg(&socket).args(args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    tmux(&["send-keys", "(exit 5)", "Enter", "env >~/env", "Enter"]);
    outer.wait_for_file(&home.join("env"), "HOME=");
    let record = fs::read_dir(home.join("records"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .map(|path| fs::read_to_string(path).unwrap());
    tmux(&["kill-server"]);
    assert!(record.unwrap().contains("\x1f'(exit 5)'\x1f5\x1f5\x1f"));
    assert!(!fs::read_to_string(home.join("env")).unwrap().contains("CHELA_NONCE"));
}

/// Forks and execs of a shell that runs builtins only; `None` where one program may not trace another.
fn processes(kind: ShellKind, form: Form) -> Option<Vec<String>> {
    let home = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(kind, form, "", "");
    let trace = home.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=process", "-e", "signal=none", "-o", trace.to_str().unwrap()]);
    let mut tracer =
        strace.args(["-p", &stage.process()]).stderr(std::process::Stdio::null()).spawn().unwrap();
    // Traced from when a fork of the shell's own shows up.
    while !fs::read_to_string(&trace).unwrap_or_default().contains("exit") {
        stage.enter("sh -c :");
        if tracer.try_wait().unwrap().is_some() {
            skipped("strace may not attach to a process here");
            return None;
        }
    }
    stage.told();
    let skipped = fs::read_to_string(&trace).unwrap().len();
    for line in [":", "true", "cd /", "false", "cd ~"] {
        stage.enter(line);
    }
    assert_eq!(stage.told().len(), 5);
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    let seen = fs::read_to_string(&trace).unwrap();
    let calls = ["fork(", "clone(", "clone3(", "execve("];
    let is_new = |line: &&str| calls.iter().any(|call| line.contains(call)) && !line.contains("CLONE_THREAD");
    Some(seen[skipped..].lines().filter(is_new).map(str::to_owned).collect())
}

#[test]
fn a_prompt_starts_no_process() {
    if !is_installed("strace") {
        return;
    }
    for kind in ShellKind::ALL.into_iter().filter(|kind| is_installed(kind.name())) {
        for form in [Form::Marks, Form::Records] {
            let new = processes(kind, form).unwrap_or_default();
            assert_eq!(new, [""; 0], "{kind:?} {form:?}");
        }
    }
}
