//! The rules that "always" would write: as narrow as they can be and still be of use.

use super::pattern::Pattern;
use super::{Decision, Effect, Project, Rule, Rules, rule_on};
use crate::shell::danger::dangers;
use crate::shell::parse::{Simple, parse};

/// Programs whose first word says what they do.
const WITH_VERBS: &[&str] = &[
    "git",
    "cargo",
    "npm",
    "pnpm",
    "yarn",
    "bun",
    "go",
    "pip",
    "pip3",
    "uv",
    "poetry",
    "docker",
    "kubectl",
    "systemctl",
    "brew",
    "apt",
    "gh",
    "make",
    "just",
    "mix",
    "dotnet",
    "gradle",
    "mvn",
    "terraform",
    "rustup",
    "conda",
    "helm",
];

/// Programs that only look.
const LOOKING: &[&str] = &[
    "ls",
    "cat",
    "head",
    "tail",
    "wc",
    "du",
    "df",
    "grep",
    "rg",
    "stat",
    "file",
    "which",
    "tree",
    "ps",
    "uname",
    "date",
    "whoami",
    "id",
    "hostname",
    "uptime",
    "free",
    "lsof",
    "diff",
    "cmp",
    "sha256sum",
    "md5sum",
    "basename",
    "dirname",
    "realpath",
    "pgrep",
    "nproc",
    "lscpu",
    "lsblk",
    "cut",
    "uniq",
    "tr",
    "nl",
    "jq",
];

/// Rules with which this command would run without asking in this project; why there are none.
pub fn rules_for(rules: &Rules, command: &str, project: &Project) -> Result<Vec<Rule>, String> {
    let ruling = rule_on(rules, command, project);
    if ruling.decision == Decision::Deny || ruling.always_asks {
        return Err(ruling.why);
    }
    let line = parse(command);
    let is_exact = !dangers(command).is_empty();
    let mut wanted: Vec<Rule> = Vec::new();
    for part in line.commands.iter().filter(|part| !part.words.is_empty() && !part.is_elsewhere) {
        let text = if is_exact { exact(part) } else { widened(part) };
        // A part that no pattern can say may still need none: a shell with a script of several parts.
        let Ok(pattern) = Pattern::read(&text) else { continue };
        let rule = Rule {
            effect: Effect::Allow,
            command: text,
            within: Some(project.root.clone()),
            why: None,
            line: 0,
            pattern,
        };
        if !wanted.iter().any(|known| known.command == rule.command) {
            wanted.push(rule);
        }
    }
    // Parts that need no rule, or have one, get none: what is left has to be enough.
    let mut least = wanted.clone();
    for rule in &wanted {
        let without: Vec<Rule> = least.iter().filter(|other| *other != rule).cloned().collect();
        if is_allowed(rules, &without, command, project) {
            least = without;
        }
    }
    if is_allowed(rules, &least, command, project) && !least.is_empty() {
        return Ok(least);
    }
    Err("No rule that could be written would allow it.".to_owned())
}

fn is_allowed(rules: &Rules, more: &[Rule], command: &str, project: &Project) -> bool {
    let all = Rules { rules: rules.rules.iter().chain(more).cloned().collect(), ..rules.clone() };
    rule_on(&all, command, project).decision == Decision::Allow
}

fn widened(command: &Simple) -> String {
    let program = command.words.first().map_or("", |word| word.text.as_str());
    let verb = command.words.get(1).map(|word| word.text.as_str()).filter(|verb| is_verb(verb));
    match verb {
        Some(verb) if WITH_VERBS.contains(&program) => format!("{program} {verb} *"),
        _ if LOOKING.contains(&program) => format!("{program} *"),
        _ => exact(command),
    }
}

fn is_verb(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == ':')
}

fn exact(command: &Simple) -> String {
    command
        .words
        .iter()
        .map(|word| if word.is_home { word.text.clone() } else { quoted(&word.text) })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as a pattern reads it back.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:=@%+,*?".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
