//! Where the measured shells live: a home directory of their own for each setup, with nothing in it but the prompt.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cli::consent;
use crate::cli::place::variable;
use crate::config::{PathEnv, Paths};
use crate::daemon::wire::shell::ShellKind;
use crate::shell::measure::{PROMPT, Program};

const LINE: &str = "\x1b[32mok\x1b[0m some log line with text and numbers 1234567890 abcdefghij\n";

/// One way to a shell.
pub(super) struct Setup {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) is_chela: bool,
}

pub(super) struct Homes {
    folder: PathBuf,
    chela: PathBuf,
    search_path: OsString,
}

impl Homes {
    pub(super) fn make(folder: &Path, bulk_mb: usize) -> anyhow::Result<Self> {
        let chela = std::env::current_exe().context("cannot find this program")?;
        let homes = Self {
            folder: folder.to_owned(),
            chela,
            search_path: variable("PATH").unwrap_or_default().into(),
        };
        for home in ["plain", "hooks"] {
            fs::create_dir_all(homes.home(home).join(".config/fish"))
                .with_context(|| format!("cannot create {}", homes.home(home).display()))?;
            let hooks = home == "hooks";
            homes.write(home, ".bashrc", &format!("PS1='{PROMPT} '\n"), hooks.then_some("bash"))?;
            homes.write(
                home,
                ".zshrc",
                &format!("PS1='{PROMPT} '\nunsetopt prompt_sp\n"),
                hooks.then_some("zsh"),
            )?;
            let prompt = format!("function fish_prompt; echo -n '{PROMPT} '; end\nset -g fish_greeting\n");
            homes.write(home, ".config/fish/config.fish", &prompt, hooks.then_some("fish"))?;
        }
        homes.write_bulk(bulk_mb)?;
        homes.answer_consent()?;
        Ok(homes)
    }

    /// Nobody is there to answer what a first call asks.
    fn answer_consent(&self) -> anyhow::Result<()> {
        let home = PathEnv { chela_home: Some(self.home("state").into()), xdg_runtime_dir: None };
        let paths = Paths::resolve(&home)?;
        paths.create()?;
        consent::remember(&paths, None)
    }

    fn home(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A start-up file; with `hooks`, what `chela init` prints for that shell stands in it too.
    fn write(&self, home: &str, file: &str, text: &str, hooks: Option<&str>) -> anyhow::Result<()> {
        let path = self.home(home).join(file);
        let mut text = text.to_owned();
        if let Some(shell) = hooks {
            let printed = Command::new(&self.chela)
                .args(["init", shell])
                .env("CHELA_HOME", self.home("state"))
                .output()
                .context("cannot run chela init")?;
            ensure!(printed.status.success(), "chela init {shell} ended with {}", printed.status);
            text.push_str(&String::from_utf8_lossy(&printed.stdout));
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_bulk(&self, megabytes: usize) -> anyhow::Result<()> {
        let path = self.folder.join("bulk");
        let write = || {
            let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
            for _ in 0..megabytes * 1_000_000 / LINE.len() {
                file.write_all(LINE.as_bytes())?;
            }
            file.flush()
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn bulk_file(&self) -> String {
        self.folder.join("bulk").display().to_string()
    }

    /// The shells to measure: those that were named, or all that are there.
    pub(super) fn shells(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        for shell in named {
            ensure!(self.found(shell).is_some(), "{shell} is not installed");
        }
        let wanted: Vec<String> = if named.is_empty() {
            ShellKind::ALL.map(|kind| kind.name().to_owned()).to_vec()
        } else {
            named.to_vec()
        };
        let found: Vec<String> = wanted.into_iter().filter(|shell| self.found(shell).is_some()).collect();
        ensure!(!found.is_empty(), "none of bash, zsh and fish is installed");
        Ok(found)
    }

    fn found(&self, program: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.search_path).map(|dir| dir.join(program)).find(|path| path.is_file())
    }

    /// Bare first: the others are compared with it.
    pub(super) fn setups(&self, shell: &str) -> anyhow::Result<Vec<Setup>> {
        let path = self.found(shell).with_context(|| format!("{shell} is not installed"))?;
        let bare = vec![path.clone().into_os_string(), "-i".into()];
        let mut setups = vec![self.setup("bare", "plain", &bare, false)?];
        if Self::has_script() {
            let line: OsString = format!("{} -i", path.display()).into();
            let relay = ["script".into(), "-qfc".into(), line, "/dev/null".into()];
            setups.push(self.setup("minimal relay (script)", "plain", &relay, false)?);
        }
        setups.push(self.setup("hooks only", "hooks", &bare, false)?);
        let proxy: [OsString; 4] = [self.chela.clone().into(), "shell".into(), "--shell".into(), path.into()];
        setups.push(self.setup("chela shell", "plain", &proxy, true)?);
        Ok(setups)
    }

    /// util-linux has it; other versions take other options.
    fn has_script() -> bool {
        let asked = Command::new("script").arg("--version").stderr(Stdio::null()).output();
        asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("util-linux"))
    }

    fn setup(
        &self,
        name: &'static str,
        home: &str,
        line: &[OsString],
        is_chela: bool,
    ) -> anyhow::Result<Setup> {
        let (path, arguments) = line.split_first().context("an empty command line")?;
        let home = self.home(home);
        let environment = [
            ("HOME", home.clone().into_os_string()),
            ("PATH", self.search_path.clone()),
            ("TERM", "xterm-256color".into()),
            ("LANG", "C.UTF-8".into()),
            ("CHELA_HOME", self.home("state").into()),
        ];
        let environment = environment.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let program =
            Program { path: path.clone(), arguments: arguments.to_vec(), environment, folder: home };
        Ok(Setup { name, program, is_chela })
    }
}
