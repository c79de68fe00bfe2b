//! The rules file: read, shown, added to.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::cli::place::variable;
use crate::cli::{Exit, output};
use crate::config::disk;
use crate::shell::rules::{
    Decision, NEUTRAL, Project, Rule, Rules, Ruling, default_file, rule_on, rules_for, with_rules,
};
use crate::shell::sandbox;

/// Shells that read a line as the rules do.
const POSIX: &[&str] = &["sh", "bash", "zsh", "dash", "ksh", "mksh", "ash", "rbash"];

/// The rules that hold in this directory.
pub(super) struct Held {
    path: PathBuf,
    pub(super) project: Project,
    rules: Rules,
}

impl Held {
    pub(super) fn read(path: &std::path::Path, project: Project) -> anyhow::Result<Self> {
        let text = text_of(path)?;
        let rules = Rules::read(&text, &project).map_err(|error| anyhow!("{}, {error}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), project, rules })
    }

    /// `shell` will run it. Rules read a line as POSIX shells do; fish and others have escapes of their own.
    pub(super) fn rule_on(&self, command: &str, shell: &str) -> Ruling {
        let ruling = rule_on(&self.rules, command, &self.project);
        let name = shell.rsplit('/').next().unwrap_or(shell);
        if ruling.decision != Decision::Allow || POSIX.contains(&name) || !command.contains('\\') {
            return ruling;
        }
        let why = format!("{name} reads backslashes in its own way.");
        Ruling { decision: Decision::Ask, why, always_asks: true }
    }

    /// The rules that "always" would write.
    pub(super) fn always(&self, command: &str) -> Result<Vec<Rule>, String> {
        rules_for(&self.rules, command, &self.project)
    }

    /// Writes rules down; they hold at once.
    pub(super) fn add(&mut self, rules: &[Rule]) -> anyhow::Result<()> {
        let date = jiff::Zoned::now().date().to_string();
        let text = text_of(&self.path)?;
        let text = with_rules(&text, rules, &date).with_context(|| self.path.display().to_string())?;
        let read = Rules::read(&text, &self.project).with_context(|| self.path.display().to_string())?;
        disk::write_whole(&self.path, text.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.rules = read;
        Ok(())
    }

    /// The words with which a program runs in the sandbox; why there is none.
    pub(super) fn sandboxed(&self, words: Vec<OsString>) -> Result<Vec<OsString>, String> {
        if !self.rules.sandbox.is_enabled {
            return Err("it is off in the rules".to_owned());
        }
        sandbox::is_there().map_err(|error| error.to_string())?;
        let own = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
        let mut all: Vec<OsString> = vec![own.into(), "sandboxed".into()];
        for path in self.writable() {
            all.extend(["--write".into(), path.into()]);
        }
        all.push("--".into());
        all.extend(words);
        Ok(all)
    }

    fn writable(&self) -> Vec<PathBuf> {
        let temporary = variable("TMPDIR").map(PathBuf::from);
        sandbox::writable(&self.project.root, temporary, &self.rules.sandbox.write)
    }

    /// What holds here, for `--rules`.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<Exit> {
        let there = sandbox::is_there();
        if as_json {
            let row = |rule: &Rule| {
                let (effect, within) = (rule.effect.name(), &rule.within);
                json!({"effect": effect, "command": rule.command, "in": within, "why": rule.why, "line": rule.line})
            };
            let rules: Vec<_> = self.rules.rules.iter().map(row).collect();
            let sandbox = json!({
                "enabled": self.rules.sandbox.is_enabled,
                "available": there.is_ok(),
                "write": self.writable(),
            });
            let file = json!({"path": self.path, "exists": self.path.exists()});
            output::json(
                &json!({"file": file, "project": self.project.root, "rules": rules, "sandbox": sandbox}),
            )?;
            return Ok(Exit::Done);
        }
        let mut rows = Vec::new();
        for rule in &self.rules.rules {
            let within =
                rule.within.as_ref().map_or("everywhere".to_owned(), |dir| format!("in {}", dir.display()));
            let why = rule.why.clone().unwrap_or_default();
            rows.push(vec![rule.effect.name().to_owned(), rule.command.clone(), within, why]);
        }
        let file = self.path.display();
        if !self.path.exists() {
            output::line(&format!("no rules: everything is asked ({file} is not there yet)"))?;
        } else if rows.is_empty() {
            output::line(&format!("no rules: everything is asked ({file})"))?;
        } else {
            output::line(&format!("{file}: deny wins over ask, ask over allow"))?;
            output::line(&output::table(&rows))?;
        }
        output::line(&format!("need no rule beside a part that has one: {}", NEUTRAL.join(" ")))?;
        output::line(
            "always asked: what is not known before it runs, variables, output outside the project, a recursive",
        )?;
        output::line(&format!("delete outside the project {}", self.project.root.display()))?;
        let state = match (self.rules.sandbox.is_enabled, there) {
            (false, _) => "off".to_owned(),
            (true, Err(error)) => format!("none: {error}"),
            (true, Ok(())) => "on: what runs by a rule writes only in the project, temporary directories and [sandbox] write".to_owned(),
        };
        output::line(&format!("sandbox {state}"))?;
        Ok(Exit::Done)
    }
}

/// A file that is not there yet has the text that explains it.
fn text_of(path: &std::path::Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(default_file().to_owned()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
