//! `chela do` in a real terminal, with a daemon whose model says what the test wants.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use chela::engine::scripted::{Scripted, Step};
use chela::turn::TurnId;
use chela::turn::next_state::NextState;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::Value;
use tempfile::TempDir;

use crate::served::{LIMIT, Served, serve};

const BINARY: &str = env!("CARGO_BIN_EXE_chela");

/// A daemon that answers by what the last message contains, and a directory to work in.
struct Task {
    served: Served,
    dir: TempDir,
}

impl Task {
    /// `answers`: a part of the last message, and what is answered to it. The first that fits counts; else `done`.
    fn new(answers: &[(&str, &str)]) -> Self {
        let answers: Vec<(String, String)> =
            answers.iter().map(|(asked, said)| ((*asked).to_owned(), (*said).to_owned())).collect();
        let script = move |asked: &chela::engine::scripted::Asked| {
            let last = asked.prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
            let said = answers
                .iter()
                .find(|(part, _)| last.contains(part))
                .map_or("done", |(_, said)| said.as_str());
            vec![Step::Say(said.to_owned())]
        };
        let served = serve(Scripted::new("scripted", 8192, Box::new(script)));
        // Else the first thing said would be that it is loading.
        served.client.wait_for_model().unwrap();
        // What is kept was said before.
        std::fs::write(served.paths.consent_file(), r#"{"at":0,"learning":true}"#).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        Self { served, dir }
    }

    fn rules(self, text: &str) -> Self {
        std::fs::write(self.rules_file(), text).unwrap();
        self
    }

    fn rules_file(&self) -> PathBuf {
        self.served.paths.rules_file()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts it in a terminal.
    fn in_terminal(&self, args: &[&str]) -> Terminal {
        let pair = native_pty_system()
            .openpty(PtySize { rows: 24, cols: 100, pixel_width: 0, pixel_height: 0 })
            .unwrap();
        let mut command = CommandBuilder::new(BINARY);
        command.args([&["do"], args].concat());
        command.cwd(self.dir.path());
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, pieces) = channel();
        std::thread::Builder::new()
            .name("terminal".into())
            .spawn(move || {
                let mut buffer = [0_u8; 4096];
                while let Ok(n @ 1..) = reader.read(&mut buffer) {
                    if sender.send(buffer[..n].to_vec()).is_err() {
                        return;
                    }
                }
            })
            .unwrap();
        let keys = pair.master.take_writer().unwrap();
        Terminal { child, keys, pieces, screen: String::new(), seen: 0, _master: pair.master }
    }

    /// Starts it without a terminal: output, notes, exit code.
    fn piped(&self, args: &[&str]) -> (String, String, i32) {
        let output = Command::new(BINARY)
            .arg("do")
            .args(args)
            .current_dir(self.dir.path())
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }

    fn environment(&self) -> VecDeque<(&'static str, String)> {
        let home = self.served.home.path().display().to_string();
        [
            ("CHELA_HOME", home),
            ("TERM", "xterm".into()),
            ("NO_COLOR", "1".into()),
            ("SHELL", "/bin/sh".into()),
        ]
        .into()
    }

    /// What followed a turn, oldest first.
    fn next_states(&self, turn: i64) -> Vec<NextState> {
        let story = self.served.client.why(TurnId(turn)).unwrap();
        story.next_states.into_iter().map(|row| row.state).collect()
    }

    fn n_turns(&self) -> usize {
        (1..1000).take_while(|turn| self.served.client.turn(TurnId(*turn)).is_ok()).count()
    }
}

struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    pieces: Receiver<Vec<u8>>,
    screen: String,
    seen: usize,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Waits until this stands behind what was waited for before.
    #[track_caller]
    fn sees(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return self;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(piece) = self.pieces.recv_timeout(left) else {
                panic!("\"{text}\" never came; there is:\n{}", self.screen);
            };
            self.screen.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn types(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Its exit code, and everything that it showed.
    #[track_caller]
    fn ends(mut self) -> (u32, String) {
        let deadline = Instant::now() + LIMIT;
        // The terminal closes with its last user.
        while let Ok(piece) = self.pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.screen.push_str(&String::from_utf8_lossy(&piece));
        }
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.exit_code(), self.screen.clone());
            }
            assert!(begun.elapsed() < LIMIT, "it does not end:\n{}", self.screen);
            std::thread::yield_now();
        }
    }
}

fn outcome(state: &NextState) -> (&str, i32, &str) {
    match state {
        NextState::Command(outcome) => (&outcome.command, outcome.status, &outcome.output),
        other => panic!("{other:?}"),
    }
}

#[test]
fn yes_runs_it_and_the_model_says_when_it_is_done() {
    let task = Task::new(&[("This command ran", "done"), ("say hello", "echo hello; touch made")]);
    let mut terminal = task.in_terminal(&["say", "hello"]);
    terminal.sees("echo hello; touch made").sees("in ").sees("Run it?").types("y").sees("yes");
    terminal.sees("hello\r\n").sees("exit 0").sees("done");
    assert_eq!(terminal.ends().0, 0);
    assert!(task.path("made").exists());
    let states = task.next_states(1);
    assert_eq!(outcome(&states[0]), ("echo hello; touch made", 0, "hello\n"));
    let turn = task.served.client.turn(TurnId(1)).unwrap();
    assert_eq!(turn.source, chela::turn::Source::Agent);
    assert_eq!(task.n_turns(), 2);
}

#[test]
fn nothing_runs_without_a_yes() {
    for keys in ["n\r", "\r\r", "\x1b", "\x03"] {
        let task = Task::new(&[("", "touch made")]);
        let mut terminal = task.in_terminal(&["x"]);
        terminal.sees("Run it?").types(&keys[..1]);
        if keys.len() > 1 {
            terminal.sees("What instead?").types(&keys[1..]);
        }
        let (code, screen) = terminal.ends();
        assert_eq!(code, if keys == "\x03" { 130 } else { 5 }, "{screen}");
        assert!(!task.path("made").exists());
        assert_eq!(task.next_states(1), []);
    }
}

#[test]
fn a_no_may_say_what_is_wanted() {
    let task =
        Task::new(&[("This command ran", "done"), ("use touch b", "touch b"), ("make a file", "touch a")]);
    let mut terminal = task.in_terminal(&["make a file"]);
    terminal.sees("touch a").sees("Run it?").types("n").sees("What instead?").types("no, use touch b\r");
    terminal.sees("  touch b").sees("Run it?").types("y").sees("exit 0").sees("done");
    assert_eq!(terminal.ends().0, 0);
    assert!(task.path("b").exists() && !task.path("a").exists());
    assert_eq!(task.next_states(1), [NextState::Reply { text: "no, use touch b".into() }]);
}

#[test]
fn an_edit_runs_and_is_told_before_its_outcome() {
    let task = Task::new(&[("This command ran", "done"), ("make", "touch wrong")]);
    let mut terminal = task.in_terminal(&["make a file"]);
    terminal.sees("Run it?").types("e").sees("> touch wrong");
    // Ctrl+W cuts the last word.
    terminal.types("\x17right\x1b[D\x1b[Dx\r").sees("exit 0").sees("done");
    assert_eq!(terminal.ends().0, 0);
    assert!(task.path("rigxht").exists() && !task.path("wrong").exists());
    let states = task.next_states(1);
    assert_eq!(states[0], NextState::Edit { text: "touch rigxht".into() });
    assert_eq!(outcome(&states[1]), ("touch rigxht", 0, ""));
}

#[test]
fn an_edit_into_something_grave_is_asked_about_again() {
    let task = Task::new(&[("", "ls")]);
    std::fs::create_dir(task.path("kept")).unwrap();
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("Run it?").types("e").sees("> ls").types("\x15rm -rf kept\r");
    terminal.sees("danger: Deletes `kept`").sees("Run it?").types("\x1b");
    assert_eq!(terminal.ends().0, 5);
    assert!(task.path("kept").exists());
}

#[test]
fn always_shows_its_rule_writes_it_and_holds_from_then_on() {
    let task = Task::new(&[("This command ran", "done"), ("x", "ls -a")]);
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("Run it?").types("a").sees("allow ls * in ").sees("Write this?").types("y");
    terminal.sees("exit 0").sees("done");
    assert_eq!(terminal.ends().0, 0);
    let text = std::fs::read_to_string(task.rules_file()).unwrap();
    assert!(text.contains("[[allow]]\ncommand = \"ls *\"\nin = \"/"), "{text}");
    assert!(text.starts_with("# What `chela do` may run"), "the explanation stays");

    // A rule is enough, without a terminal too.
    let (stdout, stderr, code) = task.piped(&["x"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(".git") && stderr.contains("Your rules allow it: `ls *`."), "{stdout}{stderr}");
}

#[test]
fn always_without_a_second_yes_writes_and_runs_nothing() {
    let task = Task::new(&[("", "touch made")]);
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("Run it?").types("a").sees("Write this?").types("\r").sees("Run it?").types("\x1b");
    assert_eq!(terminal.ends().0, 5);
    assert!(!task.rules_file().exists() && !task.path("made").exists());
}

#[test]
fn always_is_refused_where_no_rule_can_allow_it() {
    let task = Task::new(&[("", "rm -rf ../other")]);
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("danger: Deletes `../other`").sees("Run it?").types("a").sees("no rule can allow this");
    terminal.sees("Run it?").types("\r").sees("What instead?").types("\r");
    assert_eq!(terminal.ends().0, 5);
}

#[test]
fn a_denied_command_cannot_be_said_yes_to() {
    let task = Task::new(&[("", "touch made")]).rules("[[deny]]\ncommand = \"touch\"\nwhy = \"not here\"\n");
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("Your rule denies `touch` (not here).").sees("Not allowed.").types("ya").types("\x1b");
    assert_eq!(terminal.ends().0, 5);
    let (_, stderr, code) = task.piped(&["x"]);
    assert_eq!(code, 5);
    assert!(stderr.contains("not run: Your rule denies `touch` (not here)."), "{stderr}");
    assert!(!task.path("made").exists());
}

#[test]
fn a_failure_is_shown_to_the_model_which_mends_it() {
    let task = Task::new(&[
        ("This command failed:\n$ cat a/b\nexit 1\n", "mkdir a && touch a/b"),
        ("$ mkdir a", "done"),
        ("show", "cat a/b"),
    ]);
    let mut terminal = task.in_terminal(&["show a/b"]);
    terminal.sees("cat a/b").sees("Run it?").types("y").sees("No such file").sees("exit 1");
    terminal.sees("mkdir a && touch a/b").sees("Run it?").types("y").sees("exit 0").sees("done");
    assert_eq!(terminal.ends().0, 0);
    assert!(task.path("a/b").exists());
    assert_eq!(outcome(&task.next_states(1)[0]).1, 1);
    assert_eq!(outcome(&task.next_states(2)[0]), ("mkdir a && touch a/b", 0, ""));
    // What a program printed is nobody's reply.
    assert!(task.next_states(1).iter().all(|state| state.human_words().is_none()));
}

#[test]
fn ctrl_c_goes_to_the_command_and_the_terminal_stays_whole() {
    // `exec`: a shell that is interrupted just while it starts a program may go on with it.
    let task = Task::new(&[("", "echo begun; exec sleep 100; touch made")]);
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("Run it?").types("y").sees("begun\r\n").types("\x03").sees("exit 130");
    let (code, screen) = terminal.ends();
    assert_eq!(code, 130, "{screen}");
    assert!(!task.path("made").exists());
    let states = task.next_states(1);
    assert_eq!(outcome(&states[0]).1, 130);
}

#[test]
fn keys_go_to_the_command_and_its_size_is_ours() {
    let task = Task::new(&[
        ("This command ran", "done"),
        ("x", "stty size; read a; echo got $a; stty -a | grep -c isig"),
    ]);
    let mut terminal = task.in_terminal(&["x"]);
    terminal
        .sees("Run it?")
        .types("y")
        .sees("24 100\r\n")
        .types("some words\r")
        .sees("got some words")
        .sees("exit 0");
    assert_eq!(terminal.ends().0, 0);
}

#[test]
fn the_number_of_commands_is_limited() {
    let task = Task::new(&[("$ echo 2", "echo 3"), ("$ echo 1", "echo 2"), ("x", "echo 1")])
        .rules("[[allow]]\ncommand = \"echo *\"\n");
    let (stdout, stderr, code) = task.piped(&["--steps", "2", "x"]);
    assert_eq!((stdout.as_str(), code), ("1\n2\n", 1), "{stderr}");
    assert!(stderr.contains("stopped after 2 commands"), "{stderr}");
    let (stdout, _, code) = task.piped(&["--steps", "1", "x"]);
    assert_eq!((stdout.as_str(), code), ("1\n", 0));
}

#[test]
fn without_a_terminal_nothing_runs_that_no_rule_allows() {
    let task = Task::new(&[("", "touch made")]);
    let (stdout, stderr, code) = task.piped(&["x"]);
    assert_eq!((stdout.as_str(), code), ("", 5));
    assert!(stderr.contains("not run, nobody can be asked here: No rule allows `touch` here."), "{stderr}");
    assert!(!task.path("made").exists());
}

#[test]
fn a_command_by_rule_writes_only_in_the_project_where_the_kernel_can() {
    let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let target = outside.path().join("made");
    let command = format!("touch in {}", target.display());
    let task =
        Task::new(&[("This command", "done"), ("x", &command)]).rules("[[allow]]\ncommand = \"touch *\"\n");
    let (_, stderr, _) = task.piped(&["x"]);
    assert!(task.path("in").exists(), "{stderr}");
    if chela::shell::sandbox::is_there().is_ok() {
        assert!(!target.exists(), "{stderr}");
        assert!(stderr.contains("exit 1") && stderr.contains("[sandbox] write"), "{stderr}");
    } else {
        assert!(stderr.contains("without a sandbox: "), "{stderr}");
    }
    std::fs::write(
        task.rules_file(),
        format!("[[allow]]\ncommand = \"touch *\"\n[sandbox]\nwrite = [\"{}\"]\n", outside.path().display()),
    )
    .unwrap();
    let (_, stderr, code) = task.piped(&["x"]);
    assert!(target.exists() && code == 0, "{stderr}");
}

#[test]
fn json_is_one_object_on_stdout() {
    let task = Task::new(&[("This command ran", "done"), ("x", "echo hello")])
        .rules("[[allow]]\ncommand = \"echo *\"\n");
    let (stdout, stderr, code) = task.piped(&["--json", "x"]);
    assert_eq!(code, 0, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((report["ended"].as_str(), report["task"].as_str()), (Some("done"), Some("x")));
    let step = &report["steps"][0];
    assert_eq!((step["command"].as_str(), step["status"].as_i64()), (Some("echo hello"), Some(0)));
    assert_eq!((step["decided"].as_str(), step["output"].as_str()), (Some("rule"), Some("hello\n")));
    assert!(stderr.contains("hello"));
}

#[test]
fn a_dry_run_shows_and_runs_nothing() {
    let task = Task::new(&[("", "rm -rf kept")]);
    std::fs::create_dir(task.path("kept")).unwrap();
    let (_, stderr, code) = task.piped(&["--dry-run", "x"]);
    assert_eq!(code, 0);
    assert!(stderr.contains("rm -rf kept") && stderr.contains("danger: Deletes `kept`"), "{stderr}");
    assert!(task.path("kept").exists());
}

#[test]
fn words_instead_of_a_command_are_shown() {
    let task = Task::new(&[("", "Sorry, I cannot do that.\u{1b}[2J")]);
    let (_, stderr, code) = task.piped(&["x"]);
    assert_eq!((stderr.as_str(), code), ("no command: Sorry, I cannot do that.[2J\n", 1));
}

#[test]
fn a_command_that_is_only_repeated_ends_the_task() {
    let task = Task::new(&[("", "echo same")]).rules("[[allow]]\ncommand = \"echo *\"\n");
    let (stdout, stderr, code) = task.piped(&["x"]);
    assert_eq!((stdout.as_str(), code), ("same\n", 0));
    assert!(stderr.contains("done: nothing new is proposed"), "{stderr}");
    let failing = Task::new(&[("", "ls /nowhere-at-all")]).rules("[[allow]]\ncommand = \"ls *\"\n");
    let (_, stderr, code) = failing.piped(&["x"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("only the command that failed is proposed again"), "{stderr}");
}

#[test]
fn rules_are_shown_and_their_mistakes_named() {
    let task = Task::new(&[]);
    let (stdout, _, code) = task.piped(&["--rules"]);
    assert!(stdout.starts_with("no rules: everything is asked") && code == 0, "{stdout}");
    let task = task.rules("[[allow]]\ncommand = \"ls *\"\n[[deny]]\ncommand = \"rm\"\nwhy = \"never\"\n");
    let (stdout, _, _) = task.piped(&["--rules"]);
    assert!(stdout.contains("deny   rm    everywhere  never\nallow  ls *  everywhere\n"), "{stdout}");
    let (stdout, _, _) = task.piped(&["--rules", "--json"]);
    let held: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(held["rules"][0]["effect"], "deny");
    let task = task.rules("[[allow]]\ncomand = \"ls\"\n");
    let (_, stderr, code) = task.piped(&["x"]);
    assert!(stderr.contains("rules.toml, line 2: unknown field `comand`") && code == 1, "{stderr}");
}

#[test]
fn output_without_end_does_not_fill_the_memory_or_the_ledger() {
    let task = Task::new(&[("This command ran", "done"), ("x", "seq 1 200000")])
        .rules("[[allow]]\ncommand = \"seq 1 200000\"\n");
    let (stdout, _, code) = task.piped(&["x"]);
    assert_eq!((stdout.lines().count(), code), (200_000, 0));
    let states = task.next_states(1);
    let (_, _, output) = outcome(&states[0]);
    assert!(output.starts_with("1\n2\n") && output.ends_with("\n200000\n"), "{}", output.len());
    assert!(output.contains(" bytes left out]") && output.len() < 40_000, "{}", output.len());
}

#[test]
fn a_terminated_run_ends_its_command_and_restores_the_terminal() {
    let task = Task::new(&[("", "echo begun; sleep 100")]);
    let mut terminal = task.in_terminal(&["x"]);
    terminal.sees("Run it?").types("y").sees("begun");
    let pid =
        rustix::process::Pid::from_raw(terminal.child.process_id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let (code, screen) = terminal.ends();
    assert_eq!(code, 130, "{screen}");
}

#[test]
fn secrets_in_an_output_reach_neither_the_model_nor_the_ledger() {
    let token = format!("ghp_{}", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6");
    let task = Task::new(&[("This command ran", "done"), ("x", "cat settings")])
        .rules("[[allow]]\ncommand = \"cat *\"\n");
    std::fs::write(task.path("settings"), format!("token {token}\n")).unwrap();
    let (stdout, stderr, code) = task.piped(&["x"]);
    assert_eq!((stdout, code), (format!("token {token}\n"), 0), "{stderr}");
    let states = task.next_states(1);
    let (command, _, output) = outcome(&states[0]);
    assert!(
        !command.contains(&token) && !output.contains(&token) && output.starts_with("token "),
        "{output}"
    );
    let asked = serde_json::to_string(&task.served.client.turn(TurnId(2)).unwrap().messages).unwrap();
    assert!(asked.contains("This command ran") && !asked.contains(&token), "{asked}");
}
