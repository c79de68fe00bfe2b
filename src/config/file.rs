//! The config file and what it resolves to. May be used by everything below `config`.
//!
//! Order: defaults, then `config.toml`, then the environment (`CHELA_SECTION_KEY`), then flags (in `cli`).
//! An unknown key or a value out of range is an error that names file, key and what is allowed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::learning::Learning;
use super::privacy::Privacy;
use super::shell::Shell;

/// The default file: every key with its explanation, commented out.
pub const DEFAULT_FILE: &str = include_str!("../../assets/config.toml");

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub model: Model,
    pub sampling: Sampling,
    pub engine: Engine,
    pub daemon: Daemon,
    pub serve: Serve,
    pub chat: Chat,
    pub learn: Learning,
    pub privacy: Privacy,
    pub shell: Shell,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    pub name: String,
    pub context: usize,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    pub temperature: f32,
    pub top_k: i32,
    pub top_p: f32,
    pub min_p: f32,
    pub repeat_penalty: f32,
    pub max_tokens: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// 0: from the physical cores.
    pub threads: usize,
    pub parallel: usize,
    /// −1: as many as fit.
    pub gpu_layers: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Daemon {
    pub idle_exit_minutes: u64,
    pub log: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Serve {
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chat {
    pub theme: Theme,
    pub plain: bool,
    pub system: String,
    pub alternate_screen: AlternateScreen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    Auto,
    Light,
    Dark,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlternateScreen {
    Auto,
    Always,
    Never,
}

impl Default for Model {
    fn default() -> Self {
        Self { name: "chela-starter".into(), context: 8192 }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.2, top_k: 40, top_p: 0.95, min_p: 0.05, repeat_penalty: 1.0, max_tokens: 1024 }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { threads: 0, parallel: 4, gpu_layers: -1 }
    }
}

impl Default for Daemon {
    fn default() -> Self {
        Self { idle_exit_minutes: 0, log: "info".into() }
    }
}

impl Default for Serve {
    fn default() -> Self {
        Self { port: 4114 }
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            theme: Theme::Auto,
            plain: false,
            system: "You are chela, a terminal agent.".into(),
            alternate_screen: AlternateScreen::Auto,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {reason}")]
    Read { path: PathBuf, reason: std::io::Error },
    #[error("cannot write {path}: {reason}")]
    Write { path: PathBuf, reason: std::io::Error },
    #[error("{origin} is not valid: {reason}")]
    Invalid { origin: String, reason: String },
    #[error("there is no setting \"{key}\"; `chela config list` shows them")]
    UnknownKey { key: String },
}

/// Settings from `file` (absent is fine) and the overrides in `env` (`CHELA_SECTION_KEY`, value).
pub fn load(file: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(reason) => return Err(ConfigError::Read { path: file.to_path_buf(), reason }),
    };
    let origin = file.display().to_string();
    let mut table: toml::Table = toml::from_str(&text).map_err(|err| invalid(&origin, &err))?;
    check(&table, &origin)?;
    for (name, value) in env {
        let Some((section, key)) = section_and_key(&name) else { continue };
        insert(&mut table, &section, &key, &value);
        check(&table, &name)?;
    }
    check(&table, &origin)
}

/// Writes one key into the file and keeps its comments; the value is checked before anything is written.
pub fn set_key(file: &Path, dotted: &str, value: &str) -> Result<(), ConfigError> {
    let known = known_keys();
    if !known.iter().any(|key| key == dotted) {
        return Err(ConfigError::UnknownKey { key: dotted.into() });
    }
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => DEFAULT_FILE.into(),
        Err(reason) => return Err(ConfigError::Read { path: file.to_path_buf(), reason }),
    };
    let origin = file.display().to_string();
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|err: toml_edit::TomlError| invalid(&origin, &err))?;
    let (section, key) =
        dotted.split_once('.').ok_or_else(|| ConfigError::UnknownKey { key: dotted.into() })?;
    if document.get(section).is_none() {
        document.insert(section, toml_edit::table());
    }
    if let Some(table) = document.get_mut(section).and_then(toml_edit::Item::as_table_like_mut) {
        table.insert(key, toml_edit::value(parse_scalar(value)));
    }
    let written = document.to_string();
    check(&toml::from_str(&written).map_err(|err| invalid(&origin, &err))?, dotted)?;
    write_atomically(file, &written).map_err(|reason| ConfigError::Write { path: file.to_path_buf(), reason })
}

/// Every setting's dotted name, in the order of the default file.
pub fn known_keys() -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")) {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys
}

/// `CHELA_CHAT_ALTERNATE_SCREEN` → (`chat`, `alternate_screen`); names that are no setting are left alone.
fn section_and_key(variable: &str) -> Option<(String, String)> {
    let dotted = variable.strip_prefix("CHELA_")?.to_lowercase();
    known_keys().into_iter().find_map(|known| {
        let (section, key) = known.split_once('.')?;
        (dotted == format!("{section}_{key}")).then(|| (section.to_owned(), key.to_owned()))
    })
}

fn insert(table: &mut toml::Table, section: &str, key: &str, value: &str) {
    let entry = table.entry(section).or_insert_with(|| toml::Table::new().into());
    if let Some(section) = entry.as_table_mut() {
        let parsed = format!("v = {}", parse_scalar(value));
        let parsed = toml::from_str::<toml::Table>(&parsed).ok().and_then(|mut table| table.remove("v"));
        section.insert(key.to_owned(), parsed.unwrap_or_else(|| value.into()));
    }
}

/// `8` is a number, `true` a flag, `["a", "b"]` a list, everything else a string.
fn parse_scalar(value: &str) -> toml_edit::Value {
    match value.parse::<toml_edit::Value>() {
        Ok(parsed) if !parsed.is_inline_table() && !parsed.is_datetime() => parsed,
        _ => value.into(),
    }
}

fn check(table: &toml::Table, origin: &str) -> Result<Settings, ConfigError> {
    let settings: Settings = table.clone().try_into().map_err(|err| invalid(origin, &err))?;
    let sampling = &settings.sampling;
    let ranges = [
        ("model.context", settings.model.context >= 256, "at least 256"),
        ("sampling.temperature", (0.0..=2.0).contains(&sampling.temperature), "0 to 2"),
        ("sampling.top_k", sampling.top_k >= 0, "0 or more"),
        ("sampling.top_p", (0.0..=1.0).contains(&sampling.top_p), "0 to 1"),
        ("sampling.min_p", (0.0..=1.0).contains(&sampling.min_p), "0 to 1"),
        ("sampling.repeat_penalty", (0.1..=2.0).contains(&sampling.repeat_penalty), "0.1 to 2"),
        ("sampling.max_tokens", sampling.max_tokens >= 1, "1 or more"),
        ("engine.threads", settings.engine.threads <= 512, "0 to 512"),
        ("engine.parallel", (1..=64).contains(&settings.engine.parallel), "1 to 64"),
        ("learn.max_load_percent", settings.learn.max_load_percent <= 100, "0 to 100"),
        ("learn.session_idle_minutes", settings.learn.session_idle_minutes >= 1, "1 or more"),
        ("engine.gpu_layers", settings.engine.gpu_layers >= -1, "-1 or more"),
    ];
    let out_of_range = ranges.iter().find(|(_, holds, _)| !holds).map(|(key, _, range)| (*key, *range));
    if let Some(problem) = settings.privacy.problem() {
        return Err(invalid(origin, &problem));
    }
    match out_of_range.or_else(|| settings.shell.unknown_key()) {
        Some((key, range)) => Err(invalid(origin, &format!("{key} must be {range}"))),
        None => Ok(settings),
    }
}

fn invalid(origin: &str, reason: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Invalid { origin: origin.to_owned(), reason: reason.to_string().trim_end().to_owned() }
}

fn write_atomically(file: &Path, text: &str) -> std::io::Result<()> {
    let part = file.with_extension("toml.part");
    std::fs::write(&part, text)?;
    std::fs::File::open(&part)?.sync_all()?;
    std::fs::rename(&part, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default file with every key's comment mark removed.
    fn uncommented() -> String {
        let keys = known_keys();
        let is_key = |line: &str| {
            keys.iter().any(|key| {
                key.split_once('.').is_some_and(|(_, key)| line.starts_with(&format!("# {key} = ")))
            })
        };
        DEFAULT_FILE
            .lines()
            .map(|line| if is_key(line) { line.trim_start_matches("# ") } else { line })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_default_file_documents_every_key_with_its_default() {
        let documented: Settings = toml::from_str(&uncommented()).unwrap();
        assert_eq!(documented, Settings::default());
        let written = serde_json::to_value(Settings::default()).unwrap();
        let sections = written.as_object().unwrap().values();
        let n_keys: usize = sections.map(|section| section.as_object().unwrap().len()).sum();
        assert_eq!(known_keys().len(), n_keys);
    }

    fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        load(&file, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let text = "[model]\nname = \"a\"\n[chat]\ntheme = \"dark\"";
        let settings = load_text(text, &[("CHELA_MODEL_NAME", "b"), ("CHELA_ENGINE_THREADS", "3")]).unwrap();
        assert_eq!((settings.model.name.as_str(), settings.engine.threads), ("b", 3));
        assert_eq!(settings.chat.theme, Theme::Dark);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = load_text("[model]\nnmae = \"a\"", &[]).unwrap_err().to_string();
        assert!(error.contains("nmae"), "{error}");
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        let error = load_text("[sampling]\ntemperature = 9.0", &[]).unwrap_err().to_string();
        assert!(error.contains("sampling.temperature must be 0 to 2"), "{error}");
    }

    #[test]
    fn names_to_hide_are_a_list() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        set_key(&file, "privacy.hide", r#"["Falcon", "anna@example.com"]"#).unwrap();
        assert_eq!(load(&file, []).unwrap().privacy.hide, ["Falcon", "anna@example.com"]);
        assert!(set_key(&file, "privacy.hide", "Falcon").is_err());
        let error = set_key(&file, "privacy.ignore", r#"["~/clients", "clients"]"#).unwrap_err().to_string();
        assert!(error.contains("privacy.ignore: \"clients\" is neither"), "{error}");
        let from_env = load_text("", &[("CHELA_PRIVACY_HIDE", r#"["Falcon"]"#)]).unwrap();
        assert_eq!(from_env.privacy.hide, ["Falcon"]);
    }

    #[test]
    fn set_keeps_comments_and_refuses_nonsense() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        set_key(&file, "engine.threads", "4").unwrap();
        assert!(set_key(&file, "engine.threads", "many").is_err());
        assert!(set_key(&file, "engine.nothing", "4").is_err());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("# Compute threads"));
        assert_eq!(load(&file, []).unwrap().engine.threads, 4);
    }
}
