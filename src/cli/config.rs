//! `chela config`: read and change settings.

use std::process::Command;

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use super::place::{Place, overrides, variable};
use super::{Exit, output};
use crate::config::{ConfigError, DEFAULT_FILE, known_keys, set_key};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print where the settings file is
    Path,
    /// Print one setting, as it holds now
    Get {
        /// For example model.name
        key: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Change one setting in the file; comments there are kept
    Set {
        /// For example engine.threads
        key: String,
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Print every setting, its value and where that comes from
    List {
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Open the file in $VISUAL or $EDITOR and check it afterwards
    Edit,
    /// Write the settings file with every key explained, if there is none
    Init,
}

pub(super) fn run(place: &Place, command: ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Path => output::line(&place.paths.config_file().display().to_string())?,
        ConfigCommand::Get { key, json } => get(place, &key, json)?,
        ConfigCommand::Set { key, value } => set(place, &key, &value)?,
        ConfigCommand::List { json } => list(place, json)?,
        ConfigCommand::Edit => return edit(place),
        ConfigCommand::Init => init(place)?,
    }
    Ok(Exit::Done)
}

/// One setting as it holds now.
#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    value: Value,
    /// `default`, `file` or the variable's name.
    origin: String,
}

fn get(place: &Place, key: &str, json: bool) -> anyhow::Result<()> {
    let settings = resolved(place)?;
    let setting = settings.iter().find(|setting| setting.key == key);
    let setting = setting.ok_or_else(|| ConfigError::UnknownKey { key: key.into() })?;
    if json { output::json(&setting.value) } else { Ok(output::line(&shown(&setting.value))?) }
}

fn set(place: &Place, key: &str, value: &str) -> anyhow::Result<()> {
    place.paths.create()?;
    set_key(&place.paths.config_file(), key, value)?;
    let variable = variable_of(key);
    if overrides().iter().any(|(name, _)| *name == variable) {
        output::note(&format!("note: {variable} is set and wins over the file"));
    }
    if place.paths.socket().exists() && !key.starts_with("chat.") {
        output::note("a running daemon keeps its settings until `chela daemon restart`");
    }
    Ok(())
}

fn list(place: &Place, json: bool) -> anyhow::Result<()> {
    let settings = resolved(place)?;
    if json {
        return output::json(&settings);
    }
    let rows: Vec<Vec<String>> = settings
        .into_iter()
        .map(|setting| vec![setting.key, shown(&setting.value), format!("({})", setting.origin)])
        .collect();
    Ok(output::line(&output::table(&rows))?)
}

fn edit(place: &Place) -> anyhow::Result<Exit> {
    init(place)?;
    let file = place.paths.config_file();
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into());
    // An editor may come with arguments (`code --wait`), which only a shell can split as its user meant.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg(&editor)
        .arg(&file)
        .status()
        .with_context(|| format!("cannot start the editor \"{editor}\"; set EDITOR to one that exists"))?;
    if !status.success() {
        output::note(&format!("chela: the editor \"{editor}\" ended with {status}"));
        return Ok(Exit::Failed);
    }
    place.settings().context("run `chela config edit` again")?;
    Ok(Exit::Done)
}

fn init(place: &Place) -> anyhow::Result<()> {
    let file = place.paths.config_file();
    if file.exists() {
        return Ok(());
    }
    place.paths.create()?;
    std::fs::write(&file, DEFAULT_FILE).with_context(|| format!("cannot write {}", file.display()))?;
    output::note(&format!("wrote {}", file.display()));
    Ok(())
}

fn resolved(place: &Place) -> anyhow::Result<Vec<Setting>> {
    let values = place.settings_as_written()?;
    let file = std::fs::read_to_string(place.paths.config_file()).unwrap_or_default();
    let file: toml::Table = toml::from_str(&file)?;
    let environment = overrides();
    let origin = |section: &str, key: &str| {
        let variable = variable_of(&format!("{section}.{key}"));
        if environment.iter().any(|(name, _)| *name == variable) {
            variable
        } else if file.get(section).and_then(|section| section.get(key)).is_some() {
            "file".to_owned()
        } else {
            "default".to_owned()
        }
    };
    Ok(known_keys()
        .into_iter()
        .filter_map(|dotted| {
            let (section, key) = dotted.split_once('.')?;
            let value = values.get(section)?.get(key)?.clone();
            Some(Setting { origin: origin(section, key), value, key: dotted })
        })
        .collect())
}

/// `chat.theme` → `CHELA_CHAT_THEME`.
fn variable_of(key: &str) -> String {
    format!("CHELA_{}", key.replace('.', "_").to_uppercase())
}

/// A string without quotes, everything else as in JSON (and so as in TOML).
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
