//! `rules.toml`: reading it with errors that name the line, and adding rules to it without touching the rest.

use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::pattern::Pattern;
use super::{Effect, Project, Rule, Rules, Sandbox};

/// What stands in a file that nobody has written yet.
pub fn default_file() -> &'static str {
    include_str!("../../../assets/rules.toml")
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RulesError {
    #[error("line {line}: {what}")]
    Line { line: usize, what: String },
    #[error("rules cannot be added: {0}")]
    Add(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<Entry>,
    #[serde(default)]
    ask: Vec<Entry>,
    #[serde(default)]
    deny: Vec<Entry>,
    #[serde(default)]
    sandbox: SandboxTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    command: Spanned<String>,
    #[serde(rename = "in")]
    within: Option<Spanned<String>>,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SandboxTable {
    enabled: bool,
    write: Vec<String>,
}

impl Default for SandboxTable {
    fn default() -> Self {
        Self { enabled: true, write: Vec::new() }
    }
}

impl Rules {
    /// Reads a file's text. `project` knows what `~` is.
    pub fn read(text: &str, project: &Project) -> Result<Self, RulesError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let what = error.message().replace('\n', ", ");
            RulesError::Line { line: line_of(text, error.span()), what }
        })?;
        let mut rules = Vec::new();
        for (effect, entries) in
            [(Effect::Deny, file.deny), (Effect::Ask, file.ask), (Effect::Allow, file.allow)]
        {
            for entry in entries {
                rules.push(rule(text, effect, entry, project)?);
            }
        }
        let write = file.sandbox.write.iter().map(|path| project.expanded(path)).collect();
        Ok(Self { rules, sandbox: Sandbox { is_enabled: file.sandbox.enabled, write } })
    }
}

fn rule(text: &str, effect: Effect, entry: Entry, project: &Project) -> Result<Rule, RulesError> {
    let line = line_of(text, Some(entry.command.span()));
    let command = entry.command.into_inner();
    let pattern = Pattern::read(&command)
        .map_err(|what| RulesError::Line { line, what: format!("`{command}`: {what}") })?;
    let within = entry.within.map(|within| directory(text, &within, project)).transpose()?;
    Ok(Rule { effect, command, within, why: entry.why, line, pattern })
}

fn directory(text: &str, within: &Spanned<String>, project: &Project) -> Result<PathBuf, RulesError> {
    let path = project.expanded(within.get_ref());
    if path.is_absolute() {
        return Ok(path);
    }
    let what = format!("`{}` is no absolute directory (~ is the home)", within.get_ref());
    Err(RulesError::Line { line: line_of(text, Some(within.span())), what })
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// The file's text with these rules at its end; the rest stays as it is, comments too.
pub fn with_rules(text: &str, rules: &[Rule], date: &str) -> Result<String, RulesError> {
    use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| RulesError::Add(error.message().to_owned()))?;
    // A file of comments has them all behind the last table; they are to stay in front of what is added.
    let comments = document.trailing().as_str().unwrap_or_default().to_owned();
    if !comments.is_empty() {
        document.set_trailing("");
    }
    for (at, rule) in rules.iter().enumerate() {
        let list = document.entry(rule.effect.name()).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let Some(list) = list.as_array_of_tables_mut() else {
            return Err(RulesError::Add(format!("`{}` is no list of tables ([[{0}]])", rule.effect.name())));
        };
        let mut table = Table::new();
        table.insert("command", value(&rule.command));
        if let Some(within) = &rule.within {
            table.insert("in", value(within.to_string_lossy().into_owned()));
        }
        table.insert("why", value(format!("always, said on {date}")));
        let before = if at == 0 { comments.clone() } else { String::new() };
        table.decor_mut().set_prefix(format!("{before}\n"));
        list.push(table);
    }
    Ok(document.to_string())
}
