//! How the rules decide on a command line.

use std::path::PathBuf;

use super::project::delete_outside;
use super::{Effect, NEUTRAL, Project, Rule, Rules};
use crate::shell::danger::{Level, dangers_in};
use crate::shell::parse::{Line, RedirectKind, SHELLS, Simple, parse};

/// Variables that change how a program talks and not what it does.
const HARMLESS_VARIABLES: &[&str] = &[
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "TZ",
    "NO_COLOR",
    "CLICOLOR",
    "TERM",
    "COLUMNS",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "CI",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Ask,
    Deny,
}

/// What the rules say of a command line, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    pub decision: Decision,
    /// A sentence for the person.
    pub why: String,
    /// No rule could allow it: it always asks.
    pub always_asks: bool,
}

/// Decides on a whole line.
pub fn rule_on(rules: &Rules, command: &str, project: &Project) -> Ruling {
    let line = parse(command);
    let directories = project.directories(&line);
    if let Some(why) = matched(rules, &line, project, Effect::Deny) {
        return Ruling { decision: Decision::Deny, why, always_asks: false };
    }
    if let Some(why) = not_judged(&line).or_else(|| always_asked(&line, project, directories.as_deref())) {
        return Ruling { decision: Decision::Ask, why, always_asks: true };
    }
    let asked = matched(rules, &line, project, Effect::Ask);
    match asked.map_or_else(|| allowed(rules, &line, project, &directories.unwrap_or_default()), Err) {
        Ok(why) => Ruling { decision: Decision::Allow, why, always_asks: false },
        Err(why) => Ruling { decision: Decision::Ask, why, always_asks: false },
    }
}

/// The first deny or ask rule that fits any part. Where the directory is not known, every scope holds.
fn matched(rules: &Rules, line: &Line, project: &Project, effect: Effect) -> Option<String> {
    let directories = project.directories(line);
    let holds = |rule: &&Rule| match (&rule.within, &directories) {
        (Some(within), Some(all)) => all.iter().any(|dir| dir.starts_with(within)),
        _ => true,
    };
    let rule = rules
        .rules
        .iter()
        .filter(|rule| rule.effect == effect)
        .filter(holds)
        .find(|rule| line.commands.iter().any(|command| rule.pattern.occurs_in(command)))?;
    let why = rule.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    Some(match effect {
        Effect::Deny => format!("Your rule denies `{}`{why}.", rule.command),
        _ => format!("Your rule asks about `{}`{why}.", rule.command),
    })
}

fn not_judged(line: &Line) -> Option<String> {
    if line.commands.is_empty() {
        return Some("There is no command in it.".to_owned());
    }
    line.unknown.first().map(|unknown| format!("Part of it cannot be judged: {}.", unknown.why))
}

/// What asks whatever the rules allow.
fn always_asked(line: &Line, project: &Project, directories: Option<&[PathBuf]>) -> Option<String> {
    if let Some(why) = delete_outside(line, project) {
        return Some(format!("{why} It reaches outside the project, or is the project."));
    }
    let Some(directories) = directories else {
        return Some("Where it runs is known only when it runs.".to_owned());
    };
    line.commands.iter().find_map(|command| {
        let unknown = command.words.iter().find(|word| !word.is_known);
        if let Some(word) = unknown {
            return Some(format!("What `{}` stands for is known only when it runs.", word.text));
        }
        if command.has_more_words {
            return Some("Some of its words come from another program.".to_owned());
        }
        if let Some(word) = command.assignments.iter().find(|word| !is_harmless_variable(&word.text)) {
            return Some(format!("It sets a variable: `{}`.", word.text));
        }
        let writes = command.redirects.iter().filter(|one| {
            matches!(one.kind, RedirectKind::Write | RedirectKind::Append | RedirectKind::ReadWrite)
        });
        let outside = writes.map(|one| &one.target).find(|target| {
            !["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"].contains(&target.text.as_str())
                && (command.is_elsewhere || !project.has(target, directories))
        })?;
        Some(format!("It writes to `{}`, outside the project.", outside.text))
    })
}

fn is_harmless_variable(assignment: &str) -> bool {
    assignment.split_once('=').is_some_and(|(name, _)| HARMLESS_VARIABLES.contains(&name))
}

/// Every part is allowed by a rule, or needs none: the sentence that says by which; else what is missing.
fn allowed(rules: &Rules, line: &Line, project: &Project, directories: &[PathBuf]) -> Result<String, String> {
    let graves: Vec<_> = dangers_in(line).into_iter().filter(|danger| danger.level == Level::Grave).collect();
    let mut by: Vec<&str> = Vec::new();
    for (at, command) in line.commands.iter().enumerate() {
        if command.is_elsewhere && !command.through.is_empty() {
            continue;
        }
        let grave = graves.iter().find(|danger| danger.span == command.span);
        let fitting = rules.rules.iter().filter(|rule| rule.effect == Effect::Allow).find(|rule| {
            let in_scope = rule
                .within
                .as_ref()
                .is_none_or(|within| directories.iter().all(|dir| dir.starts_with(within)));
            in_scope && rule.pattern.fits(command) && (grave.is_none() || rule.pattern.is_exact())
        });
        match fitting {
            Some(rule) => by.push(&rule.command),
            None if grave.is_none() && is_neutral(command, line, at) => {}
            None => {
                let what = command.words.first().map_or("", |word| word.text.as_str());
                return Err(grave
                    .map_or_else(|| format!("No rule allows `{what}` here."), |danger| danger.why.clone()));
            }
        }
    }
    let _ = project;
    by.dedup();
    match by.as_slice() {
        [] => Err("No rule allows it.".to_owned()),
        rules => Ok(format!(
            "Your rules allow it: {}.",
            rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// A part that does nothing by itself: a builtin, or a wrapper or shell of which all that it runs is looked at.
fn is_neutral(command: &Simple, line: &Line, at: usize) -> bool {
    let Some(program) = command.words.first().map(|word| word.text.as_str()) else { return true };
    let runs_next = line.commands.get(at + 1).is_some_and(|next| {
        next.through.len() > command.through.len()
            && next.through.get(command.through.len()).map(String::as_str) == Some(program)
    });
    let is_wrapper = [
        "time", "nice", "nohup", "command", "builtin", "timeout", "env", "stdbuf", "ionice", "setsid",
        "noglob",
    ];
    if SHELLS.contains(&program) || is_wrapper.contains(&program) {
        return runs_next;
    }
    NEUTRAL.contains(&program)
}
