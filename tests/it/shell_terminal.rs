//! A person at a terminal with `chela shell` in it, and ears where the daemon would listen. Support for the tests of the
//! shell; holds none itself.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use chela::daemon::wire::shell::{ShellCommand, ShellCommands};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_chela");
/// Machines that are busy take their time; what never comes fails here.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
pub(crate) const PROMPT: &str = "ready> ";
pub(crate) const OUTER: &str = "outer> ";

/// A home with start files that make each shell prompt alike.
pub(crate) struct ShellHome(TempDir);

impl ShellHome {
    pub(crate) fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.write(".bashrc", &format!("PS1='{PROMPT}'\nHISTCONTROL=ignoreboth\nHISTFILE=~/history\n"));
        home.write(".bash_profile", "LOGIN_FILE=read\n. ~/.bashrc\n");
        home.write(".zshrc", &format!("PS1='{PROMPT}'\nHISTFILE=~/history HISTSIZE=100\n"));
        home.write(".zprofile", "LOGIN_FILE=read\n");
        home.write(
            ".config/fish/config.fish",
            &format!(
                "function fish_prompt; echo -n '{PROMPT}'; end\nset fish_greeting\n\
                 status is-login; and set -g LOGIN_FILE read\n"
            ),
        );
        // What is kept was said before.
        home.write("chela/state/consent.json", r#"{"at":0,"learning":true}"#);
        // Else fish would read every manual page of the system, for each home anew.
        home.write(".local/share/fish/generated_completions/none", "");
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A program with this home and little else around it.
    pub(crate) fn program(&self, path: impl AsRef<OsStr>, args: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(path);
        command.args(args);
        command.env_clear();
        command.env("HOME", self.path());
        command.env("CHELA_HOME", self.path().join("chela"));
        command.env("PATH", search_path());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("SHELL", "/bin/sh");
        command.cwd(self.path());
        command
    }

    pub(crate) fn chela_shell(&self, shell: &Path, args: &[&str]) -> CommandBuilder {
        let shell = shell.to_str().unwrap();
        self.program(BINARY, &[&["shell", "--no-daemon", "--shell", shell], args].concat())
    }

    /// `chela shell` has begun and the shell prompts.
    pub(crate) fn sits_in(&self, shell: &Path) -> Person {
        let mut person = Person::runs(self.chela_shell(shell, &[]));
        person.sees(PROMPT);
        person
    }

    /// A plain bash that prompts with [`OUTER`], for `chela shell` to be typed in.
    pub(crate) fn sits_outside(&self) -> Person {
        let mut command = self.program("bash", &["--norc", "--noprofile"]);
        command.env("PS1", OUTER);
        let mut person = Person::runs(command);
        person.sees(OUTER);
        person
    }
}

/// The shells that are there; those that are not are named.
pub(crate) fn shells() -> Vec<PathBuf> {
    ["bash", "zsh", "fish"].into_iter().filter_map(shell).collect()
}

pub(crate) fn shell(name: &str) -> Option<PathBuf> {
    let found = std::env::split_paths(&search_path()).map(|dir| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        say(&format!("skipped: {name} is not installed (scripts/setup --tests)"));
    }
    found
}

/// Whether all of these are there; those that are not are named.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    programs.iter().filter(|program| shell(program).is_none()).count() == 0
}

/// Says where a test is, for whoever looks why it failed.
pub(crate) fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").unwrap();
}

/// Where programs are.
#[expect(clippy::disallowed_methods, reason = "tests run the programs that are there")]
fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap()
}

/// Does something in each shell that is there.
pub(crate) fn in_each_shell(check: impl Fn(&ShellHome, &mut Person)) {
    for shell in shells() {
        say(&format!("in {}", shell.display()));
        let home = ShellHome::new();
        let mut person = home.sits_in(&shell);
        check(&home, &mut person);
        assert_eq!(person.leaves(), 0);
    }
}

/// Somebody who types, and sees what the terminal gets.
pub(crate) struct Person {
    pub(crate) master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    fingers: Sender<Vec<u8>>,
    arriving: Receiver<Vec<u8>>,
    /// Everything that the terminal got.
    pub(crate) seen: Vec<u8>,
    /// Where to look for what comes next.
    from: usize,
}

impl Person {
    pub(crate) fn runs(command: CommandBuilder) -> Self {
        let size = PtySize { rows: 24, cols: 100, pixel_width: 1000, pixel_height: 480 };
        Self::runs_in(native_pty_system().openpty(size).unwrap(), command)
    }

    pub(crate) fn runs_in(pty: portable_pty::PtyPair, command: CommandBuilder) -> Self {
        let child = pty.slave.spawn_command(command).unwrap();
        let mut reader = pty.master.try_clone_reader().unwrap();
        let mut writer = pty.master.take_writer().unwrap();
        let (arrives, arriving) = channel();
        Builder::new()
            .name("eyes".into())
            .spawn(move || {
                let mut buffer = vec![0; 65536];
                while let Ok(n @ 1..) = reader.read(&mut buffer) {
                    if arrives.send(buffer[..n].to_vec()).is_err() {
                        return;
                    }
                }
            })
            .unwrap();
        let (fingers, typed) = channel::<Vec<u8>>();
        // A terminal that takes no more keys must not keep the test from looking.
        let typing = move || typed.iter().for_each(|text| writer.write_all(&text).unwrap_or_default());
        Builder::new().name("fingers".into()).spawn(typing).unwrap();
        Self { master: pty.master, child, fingers, arriving, seen: Vec::new(), from: 0 }
    }

    /// Writes without waiting for anybody to read it.
    pub(crate) fn types(&self, text: impl Into<Vec<u8>>) {
        self.fingers.send(text.into()).unwrap();
    }

    /// Types a line, and waits for the prompt that follows; returns what was between.
    pub(crate) fn enters(&mut self, line: &str) -> String {
        self.types(format!("{line}\r"));
        // The echo of the line cannot hold what follows it.
        self.sees("\r\n");
        self.sees(PROMPT)
    }

    /// What a command line printed between two marks that its echo does not hold.
    pub(crate) fn prints(&mut self, command: &str) -> String {
        self.types(format!("printf %s be''gin'<'; {command}; printf %s '>'e''nd\r"));
        self.sees("begin<");
        let printed = self.sees(">end").replace("\r\n", "\n");
        self.sees(PROMPT);
        printed.trim_end_matches('\n').to_owned()
    }

    /// Waits until the text arrives after what was seen last; returns what came before it.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) -> String {
        self.sees_bytes(text.as_bytes())
    }

    #[track_caller]
    pub(crate) fn sees_bytes(&mut self, bytes: &[u8]) -> String {
        let deadline = Instant::now() + LIMIT;
        let mut looked = self.from;
        loop {
            if let Some(at) = find(&self.seen[looked..], bytes) {
                let before = String::from_utf8_lossy(&self.seen[self.from..looked + at]).into_owned();
                self.from = looked + at + bytes.len();
                return before;
            }
            looked = self.from.max(self.seen.len().saturating_sub(bytes.len()));
            match self.arriving.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.seen.extend(more),
                Err(error) => {
                    let seen = &self.seen[self.from.min(self.seen.len())..];
                    let tail = &seen[seen.len().saturating_sub(3000)..];
                    panic!("{} never came ({error}): {}", bytes.escape_ascii(), tail.escape_ascii());
                }
            }
        }
    }

    /// Takes what arrives, and waits that long for some of it.
    pub(crate) fn takes(&mut self, limit: Duration) {
        let first = self.arriving.recv_timeout(limit).ok();
        self.seen.extend(first.into_iter().chain(self.arriving.try_iter()).flatten());
    }

    pub(crate) fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    pub(crate) fn signals(&self, signal: Signal) {
        rustix::process::kill_process(self.process(), signal).unwrap();
    }

    /// Leaves with the shell's `exit 0`.
    pub(crate) fn leaves(&mut self) -> u32 {
        self.types("exit 0\r");
        self.status()
    }

    /// The exit status, once the program has ended and all that it wrote has arrived.
    #[track_caller]
    pub(crate) fn status(&mut self) -> u32 {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.arriving.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.seen.extend(more),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().exit_code(),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.seen.escape_ascii()),
            }
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // One that has ended already is what most tests leave.
        let _ = self.child.kill();
    }
}

pub(crate) fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    text.windows(piece.len()).position(|window| window == piece)
}

/// Waits until it holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} never came to be");
        std::thread::yield_now();
    }
}

/// What the daemon would be told.
pub(crate) struct Ears {
    told: Receiver<ShellCommands>,
}

impl Ears {
    /// Listens where the daemon of this home would.
    pub(crate) fn at(home: &ShellHome) -> Self {
        let run = home.path().join("chela/run");
        std::fs::create_dir_all(&run).unwrap();
        let listener = UnixListener::bind(run.join("daemon.sock")).unwrap();
        let (tell, told) = channel();
        Builder::new()
            .name("ears".into())
            .spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = BufReader::new(stream.unwrap());
                    let (path, body) = request(&mut stream);
                    if path.is_empty() {
                        continue;
                    }
                    let answer = if path == "/health" {
                        let version = env!("CARGO_PKG_VERSION");
                        format!(r#"{{"status":"ok","version":"{version}","protocol":{PROTOCOL},"pid":1}}"#)
                    } else {
                        let Ok(()) = tell.send(serde_json::from_slice(&body).unwrap()) else { return };
                        r#"{"turns":[]}"#.to_owned()
                    };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        answer.len()
                    );
                    // Who does not wait for the answer needs none.
                    let _ = stream.get_mut().write_all((head + &answer).as_bytes());
                }
            })
            .unwrap();
        Self { told }
    }

    /// Commands until one with this text, which is the last.
    #[track_caller]
    pub(crate) fn hears_until(&self, last: &str) -> Vec<ShellCommand> {
        let mut heard: Vec<ShellCommand> = Vec::new();
        while heard.last().is_none_or(|command| command.text != last) {
            match self.told.recv_timeout(LIMIT) {
                Ok(more) => heard.extend(more.commands),
                Err(error) => panic!("{last} was never told ({error}): {heard:#?}"),
            }
        }
        heard
    }
}

const PROTOCOL: u32 = chela::daemon::wire::PROTOCOL;

/// Path and body of one request.
fn request(stream: &mut impl BufRead) -> (String, Vec<u8>) {
    let (mut path, mut len) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if path.is_empty() {
            line.split(' ').nth(1).unwrap_or_default().clone_into(&mut path);
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).unwrap();
    (path, body)
}
