//! How `chela shell` ends and what it leaves: exit status, the terminal's modes, job control, signals.

use rustix::process::{Pid, Signal};

use crate::shell_terminal::{
    BINARY, OUTER, PROMPT, Person, ShellHome, in_each_shell, shell, shells, wait_until,
};

#[test]
fn the_exit_status_is_the_shell_s() {
    for shell in shells() {
        let home = ShellHome::new();
        let mut person = home.sits_in(&shell);
        person.types("exit 7\r");
        assert_eq!(person.status(), 7, "{}", shell.display());
        let mut person = home.sits_in(&shell);
        let own = if shell.ends_with("fish") { "$fish_pid" } else { "$$" };
        person.types(format!("kill -9 {own}\r"));
        assert_eq!(person.status(), 128 + 9, "{}", shell.display());
    }
}

#[test]
fn what_the_shell_writes_last_is_seen() {
    let Some(bash) = shell("bash") else { return };
    let mut person = ShellHome::new().sits_in(&bash);
    person.types("trap 'seq 1 20000; echo fare''well' EXIT; exit\r");
    assert_eq!(person.status(), 0);
    person.sees("20000\r\nfarewell\r\n");
}

#[test]
fn a_program_in_the_background_does_not_keep_the_shell() {
    let Some(bash) = shell("bash") else { return };
    let mut person = ShellHome::new().sits_in(&bash);
    person.enters("(trap '' HUP; exec sleep 1000) & disown; bg=$!");
    let bg: i32 = person.prints("echo $bg").parse().unwrap();
    assert_eq!(person.leaves(), 0);
    rustix::process::kill_process(Pid::from_raw(bg).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn interrupt_and_suspension_reach_the_program() {
    in_each_shell(|_, person| {
        // Else a signal key throws away what is on its way to the terminal.
        person.enters("stty noflsh");
        // It says when it has the terminal: before that, a key would mean the shell.
        let job = "sh -c 'trap \"echo aw''ake\" CONT; echo star''ted; while :; do read key; done'\r";
        person.types(job);
        person.sees("started\r\n");
        person.types("\x03");
        person.sees(PROMPT);
        person.types(job);
        person.sees("started\r\n");
        person.types("\x1a");
        person.sees(PROMPT);
        assert!(person.prints("jobs").contains("read key"));
        person.types("fg\r");
        person.sees("awake\r\n");
        person.types("\x03");
        person.sees(PROMPT);
    });
}

/// In an outer shell: what its terminal is like, and `chela shell` started in it.
fn outer(home: &ShellHome, shell: &str) -> (Person, String) {
    let mut person = home.sits_outside();
    person.types("stty -a; echo e''nd\r");
    let modes = person.sees("end\r\n");
    person.sees(OUTER);
    person.types(format!("{BINARY} shell --no-daemon --shell {shell}\r"));
    person.sees(PROMPT);
    (person, modes)
}

#[track_caller]
fn is_as_before(person: &mut Person, modes: &str) {
    person.types("stty -a; echo e''nd\r");
    assert_eq!(person.sees("end\r\n"), modes);
}

#[test]
fn the_terminal_is_given_back_when_the_shell_ends() {
    for shell in shells() {
        let home = ShellHome::new();
        let (mut person, modes) = outer(&home, shell.to_str().unwrap());
        person.types("exit 3\r");
        person.sees(OUTER);
        is_as_before(&mut person, &modes);
    }
}

#[test]
fn a_proxy_that_is_killed_leaves_a_terminal_that_works() {
    let Some(_) = shell("bash") else { return };
    let home = ShellHome::new();
    let (mut person, modes) = outer(&home, "bash");
    let (inner, proxy) = (person.prints("echo $$"), person.prints("echo $PPID"));
    let pid = |text: &str| Pid::from_raw(text.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid(&proxy), Signal::KILL).unwrap();
    person.sees("Killed");
    person.sees(OUTER);
    is_as_before(&mut person, &modes);
    wait_until("the end of the shell", || rustix::process::test_kill_process(pid(&inner)).is_err());
    person.types(format!("{BINARY} shell --no-daemon --shell bash\r"));
    person.sees(PROMPT);
}

#[track_caller]
fn ends_by(signal: Signal) {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    let before = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).unwrap();
    let before = before.master.get_termios().unwrap();
    let mut person = home.sits_in(&bash);
    assert_ne!(person.master.get_termios().unwrap(), before, "it is raw");
    let inner: i32 = person.prints("echo $$").parse().unwrap();
    person.enters("printf '\\e[?1049h'");
    person.signals(signal);
    assert_eq!(person.status(), 128 + u32::try_from(signal.as_raw()).unwrap());
    assert_eq!(person.master.get_termios().unwrap(), before);
    let inner = Pid::from_raw(inner).unwrap();
    wait_until("the end of the shell", || rustix::process::test_kill_process(inner).is_err());
    assert!(String::from_utf8_lossy(&person.seen).contains("\x1b[?1049l"), "the whole screen is given back");
}

#[test]
fn a_proxy_that_is_terminated_gives_the_terminal_back() {
    ends_by(Signal::TERM);
}

#[test]
fn a_proxy_that_is_hung_up_gives_the_terminal_back() {
    ends_by(Signal::HUP);
}

#[test]
fn keys_of_the_terminal_are_no_signals_to_the_proxy() {
    let Some(bash) = shell("bash") else { return };
    let mut person = ShellHome::new().sits_in(&bash);
    for signal in [Signal::INT, Signal::QUIT, Signal::TSTP, Signal::CONT, Signal::WINCH] {
        person.signals(signal);
    }
    assert_eq!(person.prints("echo alive"), "alive");
    assert_eq!(person.leaves(), 0);
}

#[test]
fn a_shell_that_suspends_itself_is_a_job_of_the_outer_shell() {
    let Some(_) = shell("bash") else { return };
    let home = ShellHome::new();
    let (mut person, modes) = outer(&home, "bash");
    person.types("suspend\r");
    person.sees("Stopped");
    person.sees(OUTER);
    is_as_before(&mut person, &modes);
    person.types("fg\r");
    person.sees("shell");
    assert_eq!(person.prints("echo again"), "again");
    person.types("exit 4\r");
    person.sees(OUTER);
}
