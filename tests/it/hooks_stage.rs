//! A real shell in a PTY with chela's hooks, as the tests of the hooks drive it: type a line, wait for the prompt, look at
//! what the hooks told of it.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use chela::config;
use chela::daemon::wire::shell::ShellKind;
use chela::shell::init::script;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);

/// Ends every prompt of these shells, and nothing else that is printed.
pub(crate) const PROMPT: &str = "§ ";

pub(crate) const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// Who hears of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A terminal that chela owns: signed marks.
    Marks,
    /// Any other: records in a file.
    Records,
}

/// What the hooks told of one command. `text` is `None` where the shell could not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) text: Option<String>,
    pub(crate) status: i32,
    pub(crate) pipeline: String,
    pub(crate) cwd: String,
    pub(crate) cwd_after: String,
    pub(crate) suggestion: String,
}

pub(crate) struct Stage {
    pub(crate) kind: ShellKind,
    pub(crate) form: Form,
    pub(crate) home: TempDir,
    /// Everything that the terminal got.
    pub(crate) output: Vec<u8>,
    /// How much of the output, and of the control file, `told` has read.
    read: (usize, usize),
    incoming: Receiver<Vec<u8>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

/// Says that a test is left out.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

#[expect(clippy::disallowed_methods, reason = "the shells of the tests are those of who runs them")]
fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Whether the program is there; says so if a test is left out.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = search_path();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        skipped(&format!("{program} is not installed (scripts/setup --tests)"));
    }
    found
}

impl Stage {
    /// `before` and `after` stand around chela's line in the startup file.
    pub(crate) fn new(kind: ShellKind, form: Form, before: &str, after: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let records = home.path().join("records");
        fs::create_dir(&records).unwrap();
        // The keys have tests of their own; here nothing but the hooks may write to the terminal.
        let without_keys = config::Shell { enabled: false, ..config::Shell::default() };
        fs::write(home.path().join("hooks"), script(kind, records.to_str().unwrap(), "chela", &without_keys))
            .unwrap();
        fs::write(home.path().join("ctl"), "").unwrap();
        let source = format!("source {}/hooks", home.path().display());
        let prompt = match kind {
            ShellKind::Bash => format!("PS1='{PROMPT}'\nHISTCONTROL=ignorespace\nHISTFILE=/dev/null\n"),
            ShellKind::Zsh => format!("PS1='{PROMPT}'\n"),
            ShellKind::Fish => {
                format!("function fish_prompt; printf '{PROMPT}'; end\nset -g fish_greeting\n")
            }
        };
        let rc = home.path().join(match kind {
            ShellKind::Bash => ".bashrc",
            ShellKind::Zsh => ".zshrc",
            ShellKind::Fish => ".config/fish/config.fish",
        });
        fs::create_dir_all(rc.parent().unwrap()).unwrap();
        // Else fish would read every manual page of the system, for each home anew.
        fs::create_dir_all(home.path().join(".local/share/fish/generated_completions")).unwrap();
        fs::write(&rc, format!("{prompt}{before}\n{source}\n{after}\n")).unwrap();
        Self::start(kind, form, home, &shell_args(kind, &rc))
    }

    /// Any program with the shell's environment, on a terminal that is chela's or not.
    pub(crate) fn start(kind: ShellKind, form: Form, home: TempDir, args: &[String]) -> Self {
        let size = PtySize { rows: 40, cols: 200, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(&args[0]);
        command.args(&args[1..]);
        command.env_clear();
        command.env("PATH", search_path());
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.cwd(home.path());
        if form == Form::Marks {
            command.env("CHELA_ACTIVE", pair.master.tty_name().unwrap());
            command.env("CHELA_NONCE", NONCE);
            command.env("CHELA_SHELL_ID", "0123abcd");
            command.env("CHELA_CTL", home.path().join("ctl"));
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, incoming) = channel();
        let pump = move || {
            let mut buffer = vec![0; 65536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("terminal".into()).spawn(pump).unwrap();
        let writer = pair.master.take_writer().unwrap();
        let mut stage = Self {
            kind,
            form,
            home,
            output: Vec::new(),
            read: (0, 0),
            incoming,
            writer,
            child,
            _master: pair.master,
        };
        stage.wait_for(0, PROMPT);
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// The shell's process number.
    pub(crate) fn process(&self) -> String {
        self.child.process_id().unwrap().to_string()
    }

    /// Types as it is, without Enter.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types a line (or several), waits for the prompt after it and says what was printed meanwhile.
    pub(crate) fn enter(&mut self, line: &str) -> String {
        let from = self.output.len();
        self.keys(&format!("{}\r", line.replace('\n', "\r")));
        self.wait_for(from, PROMPT);
        String::from_utf8_lossy(&self.output[from..]).into_owned()
    }

    /// Reads until `text` stands in the output after `from`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, from: usize, text: &str) {
        let end = Instant::now() + DEADLINE;
        while !find(&self.output[from..], text.as_bytes()) {
            self.take(end, text);
        }
    }

    /// Waits until the shell reads lines again, whatever it drew meanwhile: a command with a leading space is told to nobody.
    #[track_caller]
    pub(crate) fn sync(&mut self) {
        let (from, end) = (self.output.len(), Instant::now() + DEADLINE);
        let mut again = Instant::now();
        while !find(&self.output[from..], b"synced\r\n") {
            // What is typed while a signal is taken may be lost.
            if Instant::now() >= again {
                self.keys("\x15        echo syn''ced\r");
                again = Instant::now() + Duration::from_millis(500);
            }
            self.take(end, "synced");
        }
        let last = from + position(&self.output[from..], b"synced\r\n");
        self.wait_for(last, PROMPT);
    }

    /// Presses a key again until `text` is printed: a shell may not listen while it draws.
    #[track_caller]
    pub(crate) fn press_until(&mut self, key: &str, text: &str) {
        let (from, end) = (self.output.len(), Instant::now() + DEADLINE);
        let mut again = Instant::now();
        while !find(&self.output[from..], text.as_bytes()) {
            if Instant::now() >= again {
                self.keys(key);
                again = Instant::now() + Duration::from_secs(1);
            }
            self.take(end, text);
        }
    }

    /// Reads until the file has `text` in it.
    #[track_caller]
    pub(crate) fn wait_for_file(&mut self, file: &Path, text: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            let found = fs::read_to_string(file).unwrap_or_default();
            if found.contains(text) {
                return found;
            }
            self.take(end, text);
        }
    }

    #[track_caller]
    fn take(&mut self, end: Instant, wanted: &str) {
        let seen = String::from_utf8_lossy(&self.output[self.output.len().saturating_sub(600)..]);
        assert!(Instant::now() < end, "waited for {wanted:?}; the terminal got {seen:?}");
        let Ok(bytes) = self.incoming.recv_timeout(Duration::from_millis(20)) else { return };
        // fish 4 waits for a terminal that says what it is.
        if find(&bytes, b"\x1b[0c") || find(&bytes, b"\x1b[c") {
            self.keys("\x1b[?62;22c");
        }
        self.output.extend(bytes);
    }

    /// What the hooks told since the last call.
    pub(crate) fn told(&mut self) -> Vec<Ran> {
        match self.form {
            Form::Marks => {
                let new = self.output[self.read.0..].to_vec();
                let control = fs::read(self.path().join("ctl")).unwrap();
                let texts = control[self.read.1..].to_vec();
                self.read = (self.output.len(), control.len());
                signed(self.kind, &new, &texts)
            }
            Form::Records => {
                let records = self.records();
                let new = records[self.read.1..].iter().map(|record| recorded(self.kind, record)).collect();
                self.read.1 = records.len();
                new
            }
        }
    }

    /// The records of all shells of this home, oldest first.
    fn records(&self) -> Vec<Vec<String>> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.path().join("records"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect();
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        text.split_terminator('\x1e')
            .map(|record| record.split('\x1f').map(str::to_owned).collect())
            .collect()
    }

    /// Types `line` and compares what is told of it: text, status and the pipeline's statuses.
    #[track_caller]
    pub(crate) fn check(&mut self, line: &str, expected: &[(&str, i32, &str)]) {
        self.enter(line);
        self.check_told(line, expected);
    }

    #[track_caller]
    pub(crate) fn check_told(&mut self, line: &str, expected: &[(&str, i32, &str)]) {
        let told: Vec<_> = self
            .told()
            .into_iter()
            .map(|ran| (ran.text.unwrap_or_else(|| "?".into()), ran.status, ran.pipeline))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(text, status, ps)| ((*text).to_owned(), *status, (*ps).to_owned()))
            .collect();
        assert_eq!(told, expected, "{:?} {:?} after {line:?}", self.kind, self.form);
    }
}

/// Whether bash is there, and not one of those before 5.1 for which the hooks say in their first lines what they cannot do.
pub(crate) fn has_current_bash() -> bool {
    let version = "(( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501 ))";
    let is_current = is_installed("bash")
        && Command::new("bash").args(["-c", version]).status().is_ok_and(|status| status.success());
    if !is_current {
        skipped("bash is older than 5.1");
    }
    is_current
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn shell_args(kind: ShellKind, rc: &Path) -> Vec<String> {
    let rc = rc.to_str().unwrap();
    match kind {
        ShellKind::Bash => {
            vec!["bash".into(), "--noprofile".into(), "--rcfile".into(), rc.into(), "-i".into()]
        }
        ShellKind::Zsh | ShellKind::Fish => vec![kind.name().into(), "-i".into()],
    }
}

pub(crate) fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn position(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).position(|window| window == part).unwrap_or(0)
}

/// The OSC 133 marks in what a terminal got, without their ends.
pub(crate) fn marks(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let marks = text.split("\x1b]133;").skip(1);
    marks.filter_map(|rest| rest.split(['\x07', '\x1b']).next()).map(str::to_owned).collect()
}

/// The first letters of the marks; a prompt that is drawn twice counts once.
pub(crate) fn letters(output: &[u8]) -> String {
    let letters: String = marks(output).iter().filter_map(|mark| mark.chars().next()).collect();
    letters.replace("ABAB", "AB")
}

/// Pairs the signed marks C and D; what is not signed is nobody's word.
pub(crate) fn signed(kind: ShellKind, output: &[u8], control: &[u8]) -> Vec<Ran> {
    let mut ran = Vec::new();
    let mut open: Option<(String, Ran)> = None;
    for mark in marks(output).iter().filter(|mark| mark.contains(&format!("nonce={NONCE}"))) {
        let get = |name: &str| parameter(mark, name);
        let n = get("n").unwrap();
        if mark.starts_with("C;") {
            let start = Ran {
                text: get("cmd").map(|text| unquoted(kind, &text)),
                cwd: unquoted(kind, &get("d").unwrap()),
                suggestion: get("s").unwrap_or_default(),
                ..Ran::default()
            };
            open = Some((n, start));
        } else if mark.starts_with("D;") {
            let (began, mut command) = open.take().expect("an end has a beginning");
            assert_eq!(began, n, "an end belongs to its beginning");
            command.status = mark.split(';').nth(1).unwrap().parse().unwrap();
            command.pipeline = get("ps").unwrap();
            command.cwd_after = unquoted(kind, &get("d").unwrap());
            if kind == ShellKind::Bash {
                command.text = from_history(control, &n);
            }
            // A leading space that bash kept in its history is dropped by whoever reads the marks.
            let is_private = command.text.as_ref().is_some_and(|text| text.starts_with(' '));
            if !is_private && get("p").is_none() {
                ran.push(command);
            }
        }
    }
    ran
}

/// A parameter ends at a `;` that is not quoted; what is before it may hold quoted ones.
fn parameter(mark: &str, name: &str) -> Option<String> {
    let (mut parts, mut part, mut quote, mut escaped) = (Vec::new(), String::new(), false, false);
    for character in mark.chars() {
        if character == ';' && !quote && !escaped {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        quote ^= character == '\'' && !escaped;
        escaped = character == '\\' && !escaped;
        part.push(character);
    }
    parts.push(part);
    parts.iter().find_map(|part| part.strip_prefix(&format!("{name}=")).map(str::to_owned))
}

/// bash says the text in the control file: `n=0\0  501  text\n\0`.
fn from_history(control: &[u8], n: &str) -> Option<String> {
    let control = String::from_utf8_lossy(control);
    let fields: Vec<&str> = control.split('\0').collect();
    let at = fields.iter().position(|field| *field == format!("n={n}"))?;
    let text = fields.get(at + 1)?.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    let text = text.get(2..)?.trim_end_matches('\n');
    (!text.is_empty()).then(|| text.to_owned())
}

fn recorded(kind: ShellKind, record: &[String]) -> Ran {
    let [version, shell, _id, text, status, pipeline, cwd, cwd_after, ms, suggestion, ended] = record else {
        panic!("a record has eleven fields: {record:?}");
    };
    assert_eq!((version.as_str(), shell.as_str()), ("v1", kind.name()));
    assert!(ms.parse::<u64>().is_ok() && ended.len() == 13, "{ms:?} ms, ended {ended:?}");
    Ran {
        text: Some(unquoted(kind, text)),
        status: status.parse().unwrap(),
        pipeline: pipeline.clone(),
        cwd: unquoted(kind, cwd),
        cwd_after: unquoted(kind, cwd_after),
        suggestion: suggestion.clone(),
    }
}

/// Undoes `${x@Q}` and `%q` of bash and zsh, and `string escape --style=url` of fish.
pub(crate) fn unquoted(kind: ShellKind, text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    let mut style = b' ';
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, style) {
            (b'%', _) if kind == ShellKind::Fish => {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                rest = &rest[2..];
            }
            (b'$', b' ') if rest.first() == Some(&b'\'') => (style, rest) = (b'$', &rest[1..]),
            (b'\'', b' ') if kind != ShellKind::Fish => style = b'\'',
            (b'\'', b'\'' | b'$') => style = b' ',
            (b'\\', b' ' | b'$') if kind != ShellKind::Fish => {
                let escaped = rest[0];
                rest = &rest[1..];
                bytes.push(match (escaped, style) {
                    (b'n', b'$') => b'\n',
                    (b't', b'$') => b'\t',
                    (b'e' | b'E', b'$') => 0x1b,
                    (other, _) => other,
                });
            }
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
