//! Everyday requests by program, built in: what a lesson about a program is rehearsed on beyond the user's own words,
//! and what must stay as it is meanwhile. The table is `assets/rehearsal/everyday.toml`.

use serde::Deserialize;

use super::split;
use crate::learn::shuffle::Draws;

/// Templates of a program that are probes at least, however the hashes fall.
const LEAST_PROBES: usize = 2;

/// The table of everyday requests.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Everyday {
    program: Vec<Program>,
    neutral: Neutral,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    requests: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Neutral {
    commands: Vec<Command>,
    talk: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    program: String,
    request: String,
}

/// A request with slots in braces; `program`: what answers it, empty for talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template<'a> {
    pub program: &'a str,
    pub text: &'a str,
}

impl Everyday {
    /// The table that the program carries.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../../../assets/rehearsal/everyday.toml"))
    }

    /// The table's name of a program or of one of its aliases.
    pub fn name_of(&self, word: &str) -> Option<String> {
        let found = self.program.iter().find(|one| one.name == word || one.aliases.iter().any(|alias| alias == word));
        found.map(|one| one.name.clone())
    }

    /// Requests that a program answers: those to train on, and those that are kept for probes. The wording decides and
    /// not the names in it, so that a probe is a wording never trained on.
    pub(super) fn of(&self, program: &str) -> (Vec<Template<'_>>, Vec<Template<'_>>) {
        let Some(found) = self.program.iter().find(|one| one.name == program) else { return (vec![], vec![]) };
        split_templates(found.requests.iter().map(|text| Template { program: &found.name, text }))
    }

    /// Everything that may be replayed while lessons about `programs` are learned.
    pub(super) fn beside(&self, programs: &[String]) -> Vec<Template<'_>> {
        let others = self.program.iter().filter(|one| !programs.contains(&one.name));
        let commands =
            self.neutral.commands.iter().filter(|one| !programs.contains(&one.program)).map(Template::from);
        let talk = self.neutral.talk.iter().map(|text| Template { program: "", text });
        let of_programs = others.flat_map(|one| split_templates(one.templates()).0);
        of_programs.chain(commands).chain(talk).filter(|one| !split::is_held_out(one.text)).collect()
    }

    /// Neutral requests that are never trained on: on these the gate counts unchanged answers.
    pub fn neutral_probes(&self) -> Vec<Template<'_>> {
        let commands = self.neutral.commands.iter().map(Template::from);
        let talk = self.neutral.talk.iter().map(|text| Template { program: "", text });
        let of_programs = self.program.iter().flat_map(|one| split_templates(one.templates()).1);
        commands.chain(talk).filter(|one| split::is_held_out(one.text)).chain(of_programs).collect()
    }
}

impl Program {
    fn templates(&self) -> impl Iterator<Item = Template<'_>> {
        self.requests.iter().map(|text| Template { program: &self.name, text })
    }
}

impl<'a> From<&'a Command> for Template<'a> {
    fn from(command: &'a Command) -> Self {
        Self { program: &command.program, text: &command.request }
    }
}

fn split_templates<'a>(all: impl Iterator<Item = Template<'a>>) -> (Vec<Template<'a>>, Vec<Template<'a>>) {
    let mut all: Vec<_> = all.collect();
    // Held-out ones first, then by hash: the first few are probes even where the hash holds none out.
    all.sort_by_key(|one| (!split::is_held_out(one.text), split::place(one.text)));
    let held = all.iter().filter(|one| split::is_held_out(one.text)).count().max(LEAST_PROBES.min(all.len() / 2));
    let train = all.split_off(held);
    (train, all)
}

const STEMS: &[&str] = &[
    "report", "notes", "invoice", "backup", "server", "access", "users", "orders", "draft", "config", "summary",
    "budget", "index", "main", "parser", "photos", "letter", "results", "customers", "todo", "build", "deploy",
    "session", "weather", "thesis", "recipes", "metrics", "worker", "mapping", "plan",
];
const ENDINGS: &[&str] = &["txt", "log", "md", "csv", "json", "py", "conf", "yaml", "sh", "html", "c", "rs"];
const FOLDERS: &[&str] = &[
    "src", "docs", "logs", "~/projects", "tests", "/var/log", "archive", "~/Downloads", "data", "/srv/www", "old",
    "assets", "~/work", "scripts", "./tmp", "/etc", "lib", "reports",
];
const WORDS: &[&str] = &[
    "timeout", "warning", "customer", "refused", "token", "alpha", "payment", "retry", "login", "orange", "panic",
    "deprecated", "router", "berlin", "cache", "invoice", "handler", "missing", "height", "signal", "vector", "market",
];
const HOSTS: &[&str] = &["web01", "db.example.com", "10.0.0.7", "build-box", "pi.local", "mail.example.org"];
const USERS: &[&str] = &["anna", "ben", "deploy", "carla", "www", "omar"];
const PACKAGES: &[&str] = &["htop", "jq", "ffmpeg", "nginx", "tmux", "requests", "lodash", "express"];
const BRANCHES: &[&str] = &["main", "develop", "feature-login", "fix-cache", "release", "hotfix"];
const SERVICES: &[&str] = &["nginx", "ssh", "postgresql", "cron", "docker"];
const CONTAINERS: &[&str] = &["web", "db", "api", "cache", "worker"];

/// The template with a name in every slot.
pub(super) fn fill(template: &str, draws: &mut Draws) -> String {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((slot, after)) = from.split_once('}') else {
            filled.push('{');
            rest = from;
            continue;
        };
        match value(slot, draws) {
            Some(value) => filled.push_str(&value),
            None => {
                filled.push('{');
                filled.push_str(slot);
                filled.push('}');
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A name for a slot; `f` a file, `d` a folder and so on, with a 2 behind it another one.
fn value(slot: &str, draws: &mut Draws) -> Option<String> {
    Some(match slot.trim_end_matches('2') {
        "f" | "s" => file(draws),
        "d" => folder(draws),
        "w" => word(draws),
        "p" => format!("{} {}", word(draws), word(draws)),
        "n" => number(draws),
        "ext" => pick(ENDINGS, draws).to_owned(),
        "h" => pick(HOSTS, draws).to_owned(),
        "u" => pick(USERS, draws).to_owned(),
        "pkg" => pick(PACKAGES, draws).to_owned(),
        "br" => pick(BRANCHES, draws).to_owned(),
        "svc" => pick(SERVICES, draws).to_owned(),
        "ctr" => pick(CONTAINERS, draws).to_owned(),
        "url" => format!("https://example.com/{}", file(draws)),
        "port" => (1024 + draws.below(8000)).to_string(),
        "col" => (1 + draws.below(9)).to_string(),
        _ => return None,
    })
}

pub(super) fn file(draws: &mut Draws) -> String {
    format!("{}.{}", pick(STEMS, draws), pick(ENDINGS, draws))
}

pub(super) fn stem(draws: &mut Draws) -> &'static str {
    pick(STEMS, draws)
}

pub(super) fn folder(draws: &mut Draws) -> String {
    pick(FOLDERS, draws).to_owned()
}

pub(super) fn word(draws: &mut Draws) -> String {
    pick(WORDS, draws).to_owned()
}

pub(super) fn number(draws: &mut Draws) -> String {
    (2 + draws.below(98)).to_string()
}

fn pick(from: &[&'static str], draws: &mut Draws) -> &'static str {
    let at = draws.below(from.len() as u64);
    usize::try_from(at).ok().and_then(|at| from.get(at)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::learn::canaries::Suite;

    #[test]
    fn the_table_is_wide_enough() {
        let table = Everyday::built_in().unwrap();
        assert!(table.program.len() >= 40, "{}", table.program.len());
        for program in &table.program {
            assert!(program.requests.len() >= 10, "{} has only {}", program.name, program.requests.len());
        }
        assert!(table.neutral.commands.len() + table.neutral.talk.len() >= 80);
    }

    #[test]
    fn every_slot_is_known() {
        let table = Everyday::built_in().unwrap();
        let programs = table.program.iter().flat_map(Program::templates);
        let all = programs.chain(table.neutral.commands.iter().map(Template::from));
        for template in all {
            let filled = fill(template.text, &mut Draws::new(7));
            assert!(!filled.contains(['{', '}']), "{filled}");
        }
    }

    #[test]
    fn no_request_stands_twice_and_none_is_a_canary() {
        let table = Everyday::built_in().unwrap();
        let suite = Suite::built_in().unwrap();
        let canaries: HashSet<String> = suite.canaries().iter().map(|canary| split::key(&canary.request)).collect();
        let mut seen = HashSet::new();
        let talk = table.neutral.talk.iter().map(String::as_str);
        let commands = table.neutral.commands.iter().map(|command| command.request.as_str());
        for text in table.program.iter().flat_map(Program::templates).map(|one| one.text).chain(talk).chain(commands) {
            assert!(seen.insert(split::key(text)), "twice: {text}");
            assert!(!canaries.contains(&split::key(text)), "also a canary: {text}");
        }
    }

    #[test]
    fn every_program_has_requests_on_both_sides() {
        let table = Everyday::built_in().unwrap();
        for program in &table.program {
            let (train, probes) = table.of(&program.name);
            assert!(train.len() >= 6 && probes.len() >= 2, "{}: {} and {}", program.name, train.len(), probes.len());
            assert!(train.iter().all(|one| !split::is_held_out(one.text)));
        }
    }

    #[test]
    fn a_lesson_program_is_not_replayed() {
        let table = Everyday::built_in().unwrap();
        assert!(table.beside(&["grep".into()]).iter().all(|one| one.program != "grep"));
        assert!(table.beside(&[]).iter().any(|one| one.program == "grep"));
    }

    #[test]
    fn what_is_replayed_is_never_a_neutral_probe() {
        let table = Everyday::built_in().unwrap();
        let probes: HashSet<&str> = table.neutral_probes().iter().map(|one| one.text).collect();
        assert!(probes.len() >= 60, "{}", probes.len());
        assert!(table.beside(&[]).iter().all(|one| !probes.contains(one.text)));
    }

    #[test]
    fn unknown_braces_stay() {
        assert_eq!(fill("awk '{print}' {", &mut Draws::new(1)), "awk '{print}' {");
    }
}
