//! `chela shell`: the user's own shell in a terminal of its own, with every byte passed through at once, and the
//! commands that ran told to the daemon. The only home of `portable_pty`.
//!
//! What always holds: the shell works when nothing else does. A step that fails at the start leaves the plain shell; a
//! fault while reading along costs what is learned; the daemon is never waited for. The terminal's modes are given back
//! on every way out. What is not known for sure of a command is not told.

mod capture;
mod claim;
mod control;
pub mod guard;
mod inject;
mod line;
mod marks;
mod observer;
mod pending;
mod pty;
mod relay;
mod report;
mod signals;
mod spans;
mod terminal;

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;

use self::claim::Claim;
use self::guard::{Refusal, Surroundings, Wish, check};
use self::inject::{Borrowed, Words};
use self::observer::Observer;
use self::pty::{Opened, Pty, PtyError, ShellProgram};
use self::relay::Relay;
use self::report::{Reporter, Teller};
use self::signals::Signals;
use self::terminal::{Terminal, path_of};
use crate::shell::init;

use crate::config::{self, Paths};
use crate::daemon::wire::shell::ShellKind;

/// What `chela shell` needs to know.
#[derive(Debug)]
pub struct ShellOptions {
    pub paths: Paths,
    /// The keys in the shell, and the program that they call.
    pub keys: config::Shell,
    pub chela: String,
    /// `None`: the user's own.
    pub program: Option<PathBuf>,
    pub is_login: bool,
    pub wish: Wish,
    pub around: Surroundings,
    /// The user's `ZDOTDIR` and `ENV`, for which ours stand in while the shell starts.
    pub zdotdir: Option<OsString>,
    pub env: Option<OsString>,
    /// Whether a daemon may be started in the background.
    pub starts_daemon: bool,
    /// Says something to the person before the plain shell starts.
    pub note: fn(&str),
}

/// How a shell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellEnd {
    /// Its exit status, 128 + n for signal n.
    pub status: i32,
    /// Commands that no daemon was told of.
    pub n_untold: u64,
}

/// Why there is neither chela's shell nor a plain one.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{path} does not start: {reason}", path = path.display())]
    NoShell { path: PathBuf, reason: std::io::Error },
    #[error("the relay failed and the shell had to end: {0}")]
    Relay(String),
}

/// Why chela's shell does not start; the plain one does then.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Pty(#[from] PtyError),
    #[error("no random number is to be had: {0}")]
    Random(getrandom::Error),
}

/// Runs the shell until it ends. Where chela's shell must not or cannot start, becomes the plain one and does not return.
pub fn run(mut options: ShellOptions) -> Result<ShellEnd, ShellError> {
    let program = match &options.program {
        Some(path) => ShellProgram::new(path.clone(), options.is_login),
        None => ShellProgram::of_user(options.is_login),
    };
    let tty = path_of(std::io::stdin().as_fd());
    options.around.is_own_terminal = tty.is_some_and(|tty| Claim::is_held(&options.paths.runtime_dir, &tty));
    if let Err(refusal) = check(&options.around, options.wish) {
        let is_wish = refusal == Refusal::Disabled || options.wish == Wish::StartFile;
        return if is_wish { become_plain(&program) } else { Err(refusal.into()) };
    }
    match start(&options, &program) {
        Ok(started) => started.relay(),
        Err(error) => {
            (options.note)(&format!("this is the plain shell: {error}"));
            become_plain(&program)
        }
    }
}

/// The shell without chela. Nothing of chela starts in it: its start files would try again, for ever.
fn become_plain(program: &ShellProgram) -> Result<ShellEnd, ShellError> {
    let reason = program.exec(&[("CHELA_DISABLE", "1")]);
    Err(ShellError::NoShell { path: program.path.clone(), reason })
}

/// A shell that runs.
struct Started {
    terminal: Terminal,
    signals: Signals,
    pty: Pty,
    observer: Observer,
    /// Held until the shell ends.
    claim: Claim,
}

/// Everything that can fail, before the terminal is touched.
fn start(options: &ShellOptions, program: &ShellProgram) -> Result<Started, StartError> {
    let terminal = Terminal::open()?;
    let opened = Opened::new(terminal.size()?, &terminal.modes()?)?;
    let claim = Claim::take(&options.paths.runtime_dir, opened.tty())?;
    let signals = Signals::listen()?;
    let (plan, observer) = match program.kind {
        Some(kind) => observed(options, program, kind, (&opened, &claim))?,
        None => (inject::plain(program.is_login), Observer::blind()),
    };
    for (name, text) in &plan.files {
        claim.write(name, text)?;
    }
    let pty = opened.spawn(program, &plan)?;
    Ok(Started { terminal, signals, pty, observer, claim })
}

/// A shell with hooks, and who reads along.
fn observed(
    options: &ShellOptions,
    program: &ShellProgram,
    kind: ShellKind,
    (opened, claim): (&Opened, &Claim),
) -> Result<(inject::StartPlan, Observer), StartError> {
    let control = claim.write("control", "")?;
    let words = Words {
        tty: opened.tty().display().to_string(),
        nonce: random_hex::<16>()?,
        shell_id: random_hex::<4>()?,
        control: control.display().to_string(),
    };
    let borrowed = Borrowed { zdotdir: options.zdotdir.clone(), env: options.env.clone() };
    let plan = inject::plan(kind, program.is_login, claim.dir(), &words, (&hooks(kind, options), &borrowed));
    let reporter = Reporter::start(Teller {
        paths: options.paths.clone(),
        shell: words.shell_id,
        kind,
        starts_daemon: options.starts_daemon,
    })?;
    Ok((plan, Observer::new(kind, &words.nonce, &control, reporter)?))
}

/// What the shell runs after the user's own start files: what `chela init` prints.
fn hooks(kind: ShellKind, options: &ShellOptions) -> String {
    init::script(kind, &options.paths.shell_dir().display().to_string(), &options.chela, &options.keys)
}

fn random_hex<const N: usize>() -> Result<String, StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(StartError::Random)?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}

impl Started {
    fn relay(self) -> Result<ShellEnd, ShellError> {
        let Self { terminal, signals, pty, observer, claim } = self;
        let done = terminal.while_raw(|| {
            let mut relay = Relay::new(&terminal, &pty, &signals, observer);
            relay.run().map(|status| ShellEnd { status, n_untold: relay.n_untold() })
        });
        drop((pty, claim));
        done.map_err(ShellError::Relay)
    }
}
