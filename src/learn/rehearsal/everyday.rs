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
    requests: Vec<Request>,
}

/// A request of a program; `also`: other programs that its answer runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Request {
    Alone(String),
    Along { ask: String, also: Vec<String> },
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Neutral {
    commands: Vec<Command>,
    talk: Vec<String>,
    care: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    program: String,
    ask: String,
    #[serde(default)]
    also: Vec<String>,
}

/// A request with slots in braces; `program`: what answers it, empty for talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Template<'a> {
    pub(super) program: &'a str,
    pub(super) also: &'a [String],
    pub(super) text: &'a str,
}

impl Everyday {
    /// The table that the program carries.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../../../assets/rehearsal/everyday.toml"))
    }

    /// The table's name of a program or of one of its aliases.
    pub fn name_of(&self, word: &str) -> Option<String> {
        let found =
            self.program.iter().find(|one| one.name == word || one.aliases.iter().any(|alias| alias == word));
        found.map(|one| one.name.clone())
    }

    /// Where a wrong answer does harm, as far as it may be trained on.
    pub(super) fn care(&self) -> Vec<Template<'_>> {
        self.neutral.care().filter(|one| !split::is_held_out(one.text)).collect()
    }

    /// All templates by side. The wording decides and not the names in it, so that a probe is a wording that was never
    /// trained on.
    pub(super) fn sides(&self) -> Sides<'_> {
        let (mut probes, mut train): (Vec<_>, Vec<_>) =
            self.neutral.templates().partition(|one| split::is_held_out(one.text));
        for program in &self.program {
            let mut all: Vec<_> = program.templates().collect();
            // Held-out ones first, then by hash: the first few are probes even where the hash holds none out.
            all.sort_by_cached_key(|one| (!split::is_held_out(one.text), split::place(one.text)));
            let held = all.iter().take_while(|one| split::is_held_out(one.text)).count();
            let rest = all.split_off(held.max(LEAST_PROBES.min(all.len() / 2)));
            probes.extend(all);
            train.extend(rest);
        }
        Sides { train, probes }
    }
}

/// Templates to train on, and never to train on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sides<'a> {
    pub(super) train: Vec<Template<'a>>,
    pub(super) probes: Vec<Template<'a>>,
}

impl Sides<'_> {
    /// Requests that a program answers or has a part in.
    pub(super) fn of(&self, program: &str) -> Self {
        self.filtered(|one| one.runs(program))
    }

    /// Everything in which none of `programs` has a part.
    pub(super) fn beside(&self, programs: &[String]) -> Self {
        self.filtered(|one| !programs.iter().any(|program| one.runs(program)))
    }

    fn filtered(&self, fits: impl Fn(&Template<'_>) -> bool) -> Self {
        let some = |all: &[_]| all.iter().copied().filter(|one| fits(one)).collect();
        Self { train: some(&self.train), probes: some(&self.probes) }
    }
}

impl Program {
    fn templates(&self) -> impl Iterator<Item = Template<'_>> {
        self.requests.iter().map(|request| {
            let (text, also) = match request {
                Request::Alone(ask) => (ask, [].as_slice()),
                Request::Along { ask, also } => (ask, also.as_slice()),
            };
            Template { program: &self.name, also, text }
        })
    }
}

impl Neutral {
    fn templates(&self) -> impl Iterator<Item = Template<'_>> {
        let commands = self.commands.iter().map(|one| Template {
            program: &one.program,
            also: &one.also,
            text: &one.ask,
        });
        let talk = self.talk.iter().map(|text| Template { program: "", also: &[], text });
        commands.chain(talk).chain(self.care())
    }

    fn care(&self) -> impl Iterator<Item = Template<'_>> {
        self.care.iter().map(|text| Template { program: "", also: &[], text })
    }
}

impl Template<'_> {
    fn runs(&self, program: &str) -> bool {
        self.program == program || self.also.iter().any(|other| other == program)
    }
}

const STEMS: &[&str] = &[
    "report",
    "notes",
    "invoice",
    "backup",
    "server",
    "access",
    "users",
    "orders",
    "draft",
    "config",
    "summary",
    "budget",
    "index",
    "main",
    "parser",
    "photos",
    "letter",
    "results",
    "customers",
    "todo",
    "build",
    "deploy",
    "session",
    "weather",
    "thesis",
    "recipes",
    "metrics",
    "worker",
    "mapping",
    "plan",
];
const ENDINGS: &[&str] = &["txt", "log", "md", "csv", "json", "py", "conf", "yaml", "sh", "html", "c", "rs"];
const FOLDERS: &[&str] = &[
    "src",
    "docs",
    "logs",
    "~/projects",
    "tests",
    "/var/log",
    "archive",
    "~/Downloads",
    "data",
    "/srv/www",
    "old",
    "assets",
    "~/work",
    "scripts",
    "./tmp",
    "/etc",
    "lib",
    "reports",
];
const WORDS: &[&str] = &[
    "timeout",
    "warning",
    "customer",
    "refused",
    "token",
    "alpha",
    "payment",
    "retry",
    "login",
    "orange",
    "panic",
    "deprecated",
    "router",
    "berlin",
    "cache",
    "invoice",
    "handler",
    "missing",
    "height",
    "signal",
    "vector",
    "market",
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
        let value = value(slot, draws).unwrap_or_else(|| format!("{{{slot}}}"));
        filled.push_str(&value);
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

    fn all(table: &Everyday) -> Vec<Template<'_>> {
        table.program.iter().flat_map(Program::templates).chain(table.neutral.templates()).collect()
    }

    #[test]
    fn the_table_is_wide_enough() {
        let table = Everyday::built_in().unwrap();
        assert!(table.program.len() >= 40, "{}", table.program.len());
        for program in &table.program {
            assert!(program.requests.len() >= 10, "{} has only {}", program.name, program.requests.len());
        }
        assert!(table.neutral.templates().count() >= 80);
    }

    #[test]
    fn every_slot_is_known() {
        for template in all(&Everyday::built_in().unwrap()) {
            let filled = fill(template.text, &mut Draws::new(7));
            assert!(!filled.contains(['{', '}']), "{filled}");
        }
    }

    #[test]
    fn no_request_stands_twice_and_none_is_a_canary() {
        let table = Everyday::built_in().unwrap();
        let suite = Suite::built_in().unwrap();
        let canaries: HashSet<String> =
            suite.canaries().iter().map(|canary| split::key(&canary.request)).collect();
        let mut seen = HashSet::new();
        for template in all(&table) {
            let key = split::key(template.text);
            assert!(!canaries.contains(&key), "also a canary: {}", template.text);
            assert!(seen.insert(key), "twice: {}", template.text);
        }
    }

    #[test]
    fn every_program_has_requests_on_both_sides() {
        let table = Everyday::built_in().unwrap();
        let sides = table.sides();
        for program in &table.program {
            let of_program = sides.of(&program.name);
            let (n_train, n_probes) = (of_program.train.len(), of_program.probes.len());
            assert!(n_train >= 6 && n_probes >= 2, "{}: {n_train} and {n_probes}", program.name);
        }
        let Sides { train, probes } = sides;
        assert_eq!(train.len() + probes.len(), all(&table).len());
        assert!(train.iter().all(|one| !split::is_held_out(one.text) && !probes.contains(one)));
        assert!(probes.len() >= 100, "{}", probes.len());
    }

    #[test]
    fn whatever_a_program_has_a_part_in_is_its_own() {
        let table = Everyday::built_in().unwrap();
        let of_sudo = table.sides().of("sudo").train;
        assert!(of_sudo.iter().any(|one| one.program == "apt"));
        let beside = table.sides().beside(&["sudo".into()]).train;
        assert!(beside.iter().all(|one| !of_sudo.contains(one)));
        assert!(beside.iter().any(|one| one.program == "grep"));
    }

    #[test]
    fn unknown_braces_stay() {
        assert_eq!(fill("awk '{print}' {", &mut Draws::new(1)), "awk '{print}' {");
    }
}
