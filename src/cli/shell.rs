//! `chela shell`: becomes `chela-shell`, the small program beside it, which hands the proxy what it must not find out
//! itself. The proxy is in `crate::shell`.
//!
//! Two programs, because one is in memory for every open terminal: the proxy needs none of the pages, and none of the
//! start, of a program that holds a model. Where the small one is missing, this one does the same.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser};
use rustix::fs::{Access, access};

use super::exit::{Exit, Stop};
use super::place::{Place, variable};
use super::{consent, output};
use crate::client::{SHELL_PROGRAM, main_program};
use crate::config;
use crate::shell::proxy::guard::{Surroundings, Wish};
use crate::shell::proxy::{self, ShellOptions};

/// The command line of `chela-shell`.
#[derive(Debug, Parser)]
#[command(name = SHELL_PROGRAM, version, about = "What `chela shell` becomes; call that")]
pub(super) struct ProxyArgs {
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    shell: ShellArgs,
}

#[derive(Debug, Args)]
pub(super) struct ShellArgs {
    /// This shell instead of your own: a path, or a name to look up in PATH (hooks exist for bash, zsh and fish)
    #[arg(long, value_name = "PATH")]
    shell: Option<PathBuf>,
    /// As a login shell
    #[arg(short, long)]
    login: bool,
    /// Where chela's shell must not or cannot start, become the plain one without a word (for start files)
    #[arg(long)]
    or_plain: bool,
    /// Do not start the daemon; tell it what ran only if it runs
    #[arg(long)]
    no_daemon: bool,
}

/// Does not return where the small program is there.
pub(super) fn run(place: &Place, mut args: ShellArgs) -> anyhow::Result<ExitCode> {
    let is_typed = !args.or_plain && !is_in_place_of_a_shell() && variable("CHELA_DISABLE").is_none();
    // Settings that cannot be read are told of where the shell starts.
    if is_typed
        && consent::is_due(place)
        && let Ok(mut settings) = place.prepare()
    {
        consent::once(place, &mut settings)?;
    }
    args.login |= is_started_as_login(std::env::args_os().next());
    if let Some(proxy) = beside() {
        // It failed if it returns, and then this program is as good.
        let _ = Command::new(proxy).args(args.words(place.verbose)).exec();
    }
    here(place, args)
}

/// The small program's whole work.
pub(super) fn run_proxy(args: ProxyArgs) -> anyhow::Result<ExitCode> {
    here(&Place::new(false, false, args.verbose)?, args.shell)
}

/// The small program of the same build.
fn beside() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(SHELL_PROGRAM);
    path.is_file().then_some(path)
}

impl ShellArgs {
    /// The same, as the small program is to read it.
    fn words(&self, verbose: bool) -> Vec<OsString> {
        let flags = [
            (verbose, "--verbose"),
            (self.login, "--login"),
            (self.or_plain, "--or-plain"),
            (self.no_daemon, "--no-daemon"),
        ];
        let mut words: Vec<OsString> =
            flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.into()).collect();
        if let Some(shell) = &self.shell {
            // One word: a name may begin with a dash.
            let mut word = OsString::from("--shell=");
            word.push(shell);
            words.push(word);
        }
        words
    }
}

fn here(place: &Place, args: ShellArgs) -> anyhow::Result<ExitCode> {
    let program = args.shell.map(|shell| found(&shell)).transpose()?;
    let ended = proxy::run(ShellOptions {
        paths: place.paths.clone(),
        keys: keys(place),
        chela: own_program(),
        program,
        is_login: args.login,
        wish: if args.or_plain || is_in_place_of_a_shell() { Wish::StartFile } else { Wish::Typed },
        around: surroundings(),
        zdotdir: variable("ZDOTDIR").map(OsString::from),
        env: variable("ENV").map(OsString::from),
        starts_daemon: !args.no_daemon,
        note: output::note,
    })?;
    if place.verbose && ended.n_untold > 0 {
        output::note(&format!("{} commands were not told to the daemon", ended.n_untold));
    }
    Ok(ExitCode::from(u8::try_from(ended.status).unwrap_or(u8::MAX)))
}

/// The settings of the keys. A settings file that cannot be read is no reason to be without a shell.
fn keys(place: &Place) -> config::Shell {
    match place.settings() {
        Ok(settings) => settings.shell,
        Err(error) => {
            output::note(&format!("the shell's keys are the usual ones: {error:#}"));
            config::Shell::default()
        }
    }
}

/// What the keys call; found on the PATH where the system does not tell.
fn own_program() -> String {
    let path = main_program().ok().and_then(|path| path.into_os_string().into_string().ok());
    path.unwrap_or_else(|| "chela".to_owned())
}

/// `exec -l chela shell` names the program `-chela`.
fn is_started_as_login(name: Option<OsString>) -> bool {
    name.is_some_and(|name| name.as_encoded_bytes().starts_with(b"-"))
}

/// The line of `chela init --exec` leaves the number of the process that it replaces.
fn is_in_place_of_a_shell() -> bool {
    variable("CHELA_EXEC") == Some(std::process::id().to_string())
}

fn surroundings() -> Surroundings {
    Surroundings {
        is_input_terminal: std::io::stdin().is_terminal(),
        is_output_terminal: std::io::stdout().is_terminal(),
        // The proxy asks the terminal.
        is_own_terminal: false,
        term: variable("TERM"),
        term_program: variable("TERM_PROGRAM"),
        ci: variable("CI"),
        inside_emacs: variable("INSIDE_EMACS"),
        vscode_resolving: variable("VSCODE_RESOLVING_ENVIRONMENT"),
        ssh: variable("SSH_TTY").or_else(|| variable("SSH_CONNECTION")),
        disable: variable("CHELA_DISABLE"),
    }
}

/// The path of a program that can be run: `$SHELL` will hold it.
fn found(shell: &Path) -> Result<PathBuf, Stop> {
    let is_path = shell.components().count() > 1;
    let candidates: Vec<PathBuf> = if is_path {
        std::path::absolute(shell).into_iter().collect()
    } else {
        let path = variable("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(shell)).collect()
    };
    let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    candidates.into_iter().find(is_program).ok_or_else(|| {
        let place = if is_path { "" } else { " in PATH" };
        let message =
            format!("{} is no program{place}; name a shell by its path, like /bin/bash", shell.display());
        Stop::new(Exit::NotFound, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `chela shell` was given arrives whole at the program that it becomes.
    #[track_caller]
    fn arrives(given: &[&str], verbose: bool) {
        let read = |words: Vec<OsString>| ProxyArgs::try_parse_from(words).unwrap();
        let first = read([SHELL_PROGRAM].iter().chain(given).map(OsString::from).collect());
        let words = std::iter::once(SHELL_PROGRAM.into()).chain(first.shell.words(verbose)).collect();
        let second = read(words);
        assert_eq!(format!("{:?}", second.shell), format!("{:?}", first.shell));
        assert_eq!(second.verbose, verbose);
    }

    #[test]
    fn the_small_program_is_told_all_that_was_asked() {
        arrives(&[], false);
        arrives(&["--login", "--or-plain", "--no-daemon"], true);
        arrives(&["--shell", "/bin/my shell"], false);
        arrives(&["--shell=-odd"], false);
    }
}
