//! A real shell in a terminal of its own, with chela's keys, and a daemon with a scripted engine behind them.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use chela::engine::scripted::{Asked, Gate, Scripted, Step};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::served::{LIMIT, Served, home, loader_of, serve_from};

const BINARY: &str = env!("CARGO_BIN_EXE_chela");
pub(crate) const PROMPT: &str = "P> ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// Whether it is installed; says so when it is not.
    fn is_here(self) -> bool {
        let is_here = Command::new(self.name()).arg("--version").output().is_ok();
        if !is_here {
            skipped(self.name());
        }
        is_here
    }
}

/// What has come to the terminal.
struct Seen {
    screen: vt100::Parser,
    n_bytes: usize,
    is_over: bool,
}

/// A shell somebody types into.
pub(crate) struct Typed {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    pub(crate) folder: PathBuf,
}

/// How a shell is started.
pub(crate) struct Setup<'a> {
    pub(crate) shell: Shell,
    pub(crate) chela_home: &'a Path,
    /// Stands in the start file before chela's keys, and behind them.
    pub(crate) before: &'a str,
    pub(crate) after: &'a str,
    pub(crate) columns: u16,
    pub(crate) term: &'a str,
}

impl<'a> Setup<'a> {
    pub(crate) fn of(shell: Shell, chela_home: &'a Path) -> Self {
        Self { shell, chela_home, before: "", after: "", columns: 80, term: "xterm-256color" }
    }

    /// Starts it and waits for its prompt. `None`: it is not installed.
    pub(crate) fn start(&self) -> Option<Typed> {
        if !self.shell.is_here() {
            return None;
        }
        let folder = self.chela_home.join("shell-test");
        // Else fish would read every manual page of the system, for each home anew.
        std::fs::create_dir_all(folder.join("fish/generated_completions")).unwrap();
        let size = PtySize { rows: 24, cols: self.columns, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let child = pty.slave.spawn_command(self.command(&folder)).unwrap();
        drop(pty.slave);
        let seen = Seen {
            screen: vt100::Parser::new(cells(24), cells(self.columns), 0),
            n_bytes: 0,
            is_over: false,
        };
        let typed = Typed {
            writer: Arc::new(Mutex::new(pty.master.take_writer().unwrap())),
            seen: Arc::new((Mutex::new(seen), Condvar::new())),
            child,
            master: pty.master,
            folder,
        };
        typed.watch();
        typed.until("the first prompt", |screen| line_of(screen) == PROMPT.trim_end());
        Some(typed)
    }

    fn command(&self, folder: &Path) -> CommandBuilder {
        let name = self.shell.name();
        let keys = Command::new(BINARY)
            .args(["suggest", "--keys", "--shell", name])
            .env("CHELA_HOME", self.chela_home)
            .output()
            .unwrap();
        let keys = String::from_utf8(keys.stdout).unwrap();
        let (before, after) = (self.before, self.after);
        let first = match self.shell {
            Shell::Bash => format!("PS1='{PROMPT}'\nHISTFILE=/dev/null\n__chela_bin='{BINARY}'\n"),
            Shell::Zsh => format!("PS1='{PROMPT}'\nHISTSIZE=100\nbindkey -e\n__chela_bin='{BINARY}'\n"),
            Shell::Fish => format!(
                "set -g fish_greeting\nfunction fish_prompt; echo -n '{PROMPT}'; end\nset -g __chela_bin '{BINARY}'\n"
            ),
        };
        let text = format!("{first}{before}\n{keys}\n{after}\n");
        let file = folder.join(match self.shell {
            Shell::Bash => "rc",
            Shell::Zsh => ".zshrc",
            Shell::Fish => "fish/config.fish",
        });
        std::fs::write(&file, text).unwrap();
        let mut command = CommandBuilder::new(name);
        match self.shell {
            Shell::Bash => {
                command.args(["--noprofile", "--rcfile", file.to_str().unwrap(), "-i"]);
            }
            Shell::Zsh => command.args(["-d", "-i"]),
            Shell::Fish => command.arg("-i"),
        }
        let kept = ["PATH", "LD_LIBRARY_PATH"].map(|name| (name, command.get_env(name).map(OsStr::to_owned)));
        command.env_clear();
        for (name, value) in kept {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let places = ["HOME", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];
        for (name, value) in places.map(|name| (name, folder.as_os_str())) {
            command.env(name, value);
        }
        command.env("CHELA_HOME", self.chela_home);
        command.env("TERM", self.term);
        command.env("LANG", "C.UTF-8");
        command.cwd(folder);
        command
    }
}

impl Typed {
    /// Reads what the shell writes, and answers as a terminal does where it is asked who it is.
    fn watch(&self) {
        let mut reader = self.master.try_clone_reader().unwrap();
        let (seen, writer) = (Arc::clone(&self.seen), Arc::clone(&self.writer));
        let read = move || {
            let mut bytes = [0; 4096];
            loop {
                // Linux ends a terminal without a program in it with an error instead of an end.
                let n = reader.read(&mut bytes).unwrap_or(0);
                let chunk = &bytes[..n];
                let asks = [&b"\x1b[c"[..], b"\x1b[0c"]
                    .iter()
                    .any(|ask| chunk.windows(ask.len()).any(|w| &w == ask));
                if asks {
                    let _ = writer.lock().unwrap().write_all(b"\x1b[?62c");
                }
                let mut now = seen.0.lock().unwrap();
                now.screen.process(chunk);
                now.n_bytes += n;
                now.is_over = n == 0;
                seen.1.notify_all();
                if n == 0 {
                    return;
                }
            }
        };
        thread::Builder::new().name("terminal".into()).spawn(read).unwrap();
    }

    pub(crate) fn keys(&self, keys: &str) {
        self.writer.lock().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen is as wanted; shows it when it never is.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let (seen, changed) = &*self.seen;
        let started = Instant::now();
        let mut now = seen.lock().unwrap();
        while !holds(now.screen.screen()) {
            let left = LIMIT.saturating_sub(started.elapsed());
            let shown = now.screen.screen().contents();
            assert!(!now.is_over && !left.is_zero(), "never came: {what}; the screen:\n{shown}");
            now = changed.wait_timeout(now, left).unwrap().0;
        }
    }

    /// Waits until the cursor's row, up to the cursor, is the prompt and this text.
    #[track_caller]
    pub(crate) fn until_line(&self, text: &str) {
        let wanted = format!("{PROMPT}{text}");
        self.until(&wanted, |screen| line_to_cursor(screen) == wanted);
    }

    #[track_caller]
    pub(crate) fn until_shown(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    pub(crate) fn screen(&self) -> String {
        self.seen.0.lock().unwrap().screen.screen().contents()
    }

    pub(crate) fn resize(&self, columns: u16) {
        self.seen.0.lock().unwrap().screen.screen_mut().set_size(cells(24), cells(columns));
        self.master.resize(PtySize { rows: 24, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Runs what a person would and waits for the next prompt.
    #[track_caller]
    pub(crate) fn enter(&self, command: &str) {
        self.keys(command);
        self.until_line(command);
        self.keys("\r");
        self.until_line("");
    }

    /// Runs a command of the test's own on an emptied line and waits for its answer, so that everything before it is over.
    #[track_caller]
    pub(crate) fn run(&self, command: &str, answer: &str) {
        self.keys("\x15");
        self.until_line("");
        self.keys(command);
        self.until_line(command);
        self.keys("\r");
        self.until(answer, |screen| screen.contents().lines().any(|line| line == answer));
        self.until_line("");
    }

    pub(crate) fn is_made(&self, file: &str) -> bool {
        self.folder.join(file).exists()
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says why a test has nothing to look at.
pub(crate) fn skipped(program: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "skipped: {program} is not installed").unwrap();
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

/// The cursor's row without blanks at its end.
pub(crate) fn line_of(screen: &vt100::Screen) -> String {
    let row = usize::from(screen.cursor_position().0);
    screen.rows(0, screen.size().1.get()).nth(row).unwrap_or_default().trim_end().to_owned()
}

fn line_to_cursor(screen: &vt100::Screen) -> String {
    let (row, column) = screen.cursor_position();
    let line = screen.rows(0, column).nth(usize::from(row)).unwrap_or_default();
    // Blanks that were never written are not in the row.
    format!("{line:<width$}", width = usize::from(column))
}

/// A daemon that answers by what is asked. `gate`: what `slow` waits for.
pub(crate) fn serve(gate: &Gate) -> (Served, Arc<Scripted>) {
    let gate = gate.clone();
    let script = move |asked: &Asked| {
        let says = |text: &str| vec![Step::Say(text.to_owned())];
        let question =
            asked.prompt.rsplit_once("user").map_or(asked.prompt.as_str(), |(_, question)| question);
        match question {
            q if q.contains("make a file") => says("```sh\ntouch made\n```\nThat makes it."),
            q if q.contains("This command failed") => says("echo fixed"),
            q if q.contains("Complete the command: zz") => says("zz --top"),
            q if q.contains("wipe") => says("rm -rf wiped"),
            q if q.contains("who are you") => says("I am an agent."),
            q if q.contains("slow") => {
                vec![Step::Say("echo ".into()), Step::Wait(gate.clone()), Step::Say("late".into())]
            }
            _ => says("true"),
        }
    };
    let engine = Arc::new(Scripted::new("scripted", 4096, Box::new(script)));
    let served = serve_from(home(), loader_of(Arc::clone(&engine) as _));
    // Else the first thing drawn would be that it is loading.
    served.client.wait_for_model().unwrap();
    (served, engine)
}
