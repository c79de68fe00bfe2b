//! What goes wrong around `chela shell`: no descriptors, no room on the disk, no daemon, no proxy. The terminal stays
//! usable, the shell lives, and commands are told again once they can be.

use std::process::Command;

use chela::client::{Client, Launcher};
use chela::config::{PathEnv, Paths};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};

use crate::shell_terminal::{BINARY, Ears, OUTER, PROMPT, Person, ShellHome, say, shell, shells, wait_until};

/// Starts a shell that may have no more than so many open files, and uses it; returns what was said before its prompt.
#[track_caller]
fn with_few_files(home: &ShellHome, n_files: u32, program: &str) -> String {
    let mut person = home.sits_outside();
    person.types(format!("(ulimit -n {n_files}; exec {program})\r"));
    person.sees("\r\n");
    let before = person.sees(PROMPT);
    assert_eq!(person.prints("echo alive"), "alive", "with {n_files} files");
    person.types("exit 5\r");
    person.sees(OUTER);
    person.types("echo status=$?.\r");
    person.sees("status=5.\r\n");
    before
}

#[test]
fn a_shell_starts_with_as_few_descriptors_as_a_bare_one() {
    if shell("bash").is_none() {
        return;
    }
    if !cfg!(target_os = "linux") {
        say("skipped: how few open files a bare bash needs is known of Linux only");
        return;
    }
    let home = ShellHome::new();
    let ours = format!("{BINARY} shell --no-daemon --shell bash");
    // Four are too few for a bash to read its start file; and some number is enough for all that chela does.
    let mut is_plain = Vec::new();
    for n_files in 5..28 {
        let before = with_few_files(&home, n_files, &ours);
        is_plain.push(before.contains("this is the plain shell: "));
    }
    assert!(is_plain.is_sorted_by_key(|plain| !plain), "{is_plain:?}");
    assert!(is_plain.contains(&true) && is_plain.contains(&false), "{is_plain:?}");
}

/// What the daemon was told up to `echo last`, which is entered now.
fn told(person: &mut Person, ears: &Ears) -> Vec<(String, i32)> {
    person.enters("echo last");
    ears.hears_until("echo last").into_iter().map(|command| (command.text, command.status)).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_proxy_without_descriptors_costs_only_what_would_be_told() {
    use rustix::process::{Resource, Rlimit, prlimit};
    for shell in shells() {
        let home = ShellHome::new();
        let ears = Ears::at(&home);
        let mut person = home.sits_in(&shell);
        person.enters("echo first");
        ears.hears_until("echo first");
        let proxy = Some(person.process());
        let none = Rlimit { current: Some(3), maximum: Some(1024) };
        let before = prlimit(proxy, Resource::Nofile, none).unwrap();
        assert!(before.maximum.is_none_or(|maximum| maximum >= 1024));
        for n in 0..3 {
            assert_eq!(person.prints(&format!("echo {n} | cat")), n.to_string());
        }
        prlimit(proxy, Resource::Nofile, Rlimit { current: Some(1024), maximum: Some(1024) }).unwrap();
        let told = told(&mut person, &ears);
        assert_eq!(told.last(), Some(&("echo last".to_owned(), 0)), "{}", shell.display());
        assert_eq!(person.leaves(), 0);
    }
}

#[test]
fn a_shell_that_may_open_nothing_more_runs_what_needs_nothing() {
    // fish needs some for its prompt, with or without chela.
    let frugal = ["bash", "zsh"].into_iter().filter_map(shell);
    for (shell, n_files) in frugal.flat_map(|shell| [(shell.clone(), 3), (shell, 8)]) {
        let home = ShellHome::new();
        let mut person = home.sits_in(&shell);
        person.types(format!("ulimit -n {n_files}\r"));
        person.sees(PROMPT);
        // What shells and hooks say about it may stand between.
        person.types("cd /; echo al''ive\r");
        person.sees("alive\r\n");
        person.sees(PROMPT);
        assert_eq!(person.leaves(), 0, "{} with {n_files} files", shell.display());
    }
}

/// `chela shell` with all that is chela's on a disk of that size, but for the daemon's ears; `None` where nobody may
/// mount anything.
fn on_a_small_disk(home: &ShellHome, shell: &str, size: &str) -> Option<CommandBuilder> {
    let may_mount = Command::new("unshare").args(["-rm", "true"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        say("skipped: this user cannot mount a disk of its own (unshare -rm)");
        return None;
    }
    let mounts = format!(
        "cd && mkdir -p kept told && mount --bind chela/run kept && mount --bind chela/state told && \
         mount -t tmpfs -o size={size},mode=700 disk chela && mkdir -p chela/run chela/state && \
         : > chela/run/daemon.sock && mount --bind kept/daemon.sock chela/run/daemon.sock && \
         : > chela/state/consent.json && mount --bind told/consent.json chela/state/consent.json && \
         exec {BINARY} shell --no-daemon --shell {shell}"
    );
    Some(home.program("unshare", &["-rm", "sh", "-c", &mounts]))
}

#[test]
fn a_full_disk_costs_only_what_would_be_told() {
    for shell in shells() {
        let home = ShellHome::new();
        let ears = Ears::at(&home);
        let Some(command) = on_a_small_disk(&home, shell.to_str().unwrap(), "256k") else { return };
        let mut person = Person::runs(command);
        person.sees(PROMPT);
        person.enters("cat /dev/zero > chela/full");
        assert_ne!(person.prints("df chela | tail -n 1 | grep -o 100%"), "", "the disk is full");
        // More than what is left of a page that a file has already.
        let words = "word ".repeat(100);
        for n in 0..10 {
            person.enters(&format!("sh -c 'exit {n}' {words}"));
        }
        person.enters("rm chela/full");
        let told = told(&mut person, &ears);
        let name = shell.display();
        assert_eq!(told.last(), Some(&("echo last".to_owned(), 0)), "{name}");
        assert!(told.contains(&("rm chela/full".to_owned(), 0)), "{name}: {told:?}");
        for (text, status) in told.iter().filter(|(text, _)| text.starts_with("sh ")) {
            assert!(
                text.starts_with(&format!("sh -c 'exit {status}' word")),
                "{name} told a lie: {text} {status}"
            );
        }
        assert_eq!(person.leaves(), 0);
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_leaves_the_plain_shell() {
    for shell in shells() {
        let home = ShellHome::new();
        let _ears = Ears::at(&home);
        let Some(command) = on_a_small_disk(&home, shell.to_str().unwrap(), "4k") else { return };
        let mut person = Person::runs(command);
        person.sees("this is the plain shell: ");
        person.sees(PROMPT);
        assert_eq!(person.prints("echo $CHELA_DISABLE"), "1");
        assert_eq!(person.leaves(), 0);
    }
}

/// Whether the daemon remembers that this ran in that shell; a daemon that is not there is started.
fn is_remembered(client: &Client, shell: &str, text: &str) -> bool {
    client.shell_memory(shell).unwrap().recent.iter().any(|command| command.text == text)
}

#[test]
fn a_daemon_that_is_killed_is_not_missed_and_the_next_one_is_told() {
    for shell in shells() {
        let home = ShellHome::new();
        let chela_home = home.path().join("chela");
        let env = PathEnv { chela_home: Some(chela_home.clone().into()), ..PathEnv::default() };
        let paths = Paths::resolve(&env).unwrap();
        let launcher = Launcher {
            program: BINARY.into(),
            args: vec!["daemon".into(), "run".into()],
            env: vec![("CHELA_HOME".into(), chela_home.into())],
        };
        let client = Client::connect_with(&paths, launcher).unwrap();
        let mut person = home.sits_in(&shell);
        let id = person.prints("echo $CHELA_SHELL_ID");
        person.enters("echo first");
        wait_until("the first command", || is_remembered(&client, &id, "echo first"));
        person.types("sh -c 'echo wai''ting; read answer; echo \"$answer\"'\r");
        person.sees("waiting\r\n");
        let daemon = Pid::from_raw(client.health().unwrap().pid.try_into().unwrap()).unwrap();
        kill_process(daemon, Signal::KILL).unwrap();
        wait_until("the daemon's end", || matches!(Client::connect_if_running(&paths), Ok(None)));
        person.types("answered\r");
        person.sees("answered\r\nanswered\r\n");
        person.sees(PROMPT);
        assert_eq!(person.prints("echo alive"), "alive");
        client.health().unwrap();
        person.enters("echo last");
        wait_until("the last command", || is_remembered(&client, &id, "echo last"));
        assert!(!is_remembered(&client, &id, "echo first"), "this is another daemon");
        assert_eq!(person.leaves(), 0);
        client.stop().unwrap();
    }
}

#[test]
fn what_runs_in_a_shell_whose_proxy_is_killed_is_hung_up() {
    for shell in shells() {
        say(&format!("in {}", shell.display()));
        let home = ShellHome::new();
        let mut person = home.sits_in(&shell);
        person.types("sh -c 'trap \"echo hung up > ended; exit\" HUP; echo star''ted; sleep 1000 & wait'\r");
        person.sees("started\r\n");
        person.signals(Signal::KILL);
        let ended = home.path().join("ended");
        let is_told = || std::fs::read_to_string(&ended).is_ok_and(|text| text == "hung up\n");
        wait_until("the program's end", is_told);
    }
}
