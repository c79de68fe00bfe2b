//! How chela helps in a person's shell: the `[shell]` section. Part of `file`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shell {
    /// Keys, announcements and ghost text, all of them.
    pub enabled: bool,
    pub key_ask: String,
    /// A character that asks when nothing else is in the line.
    pub key_ask_empty: String,
    pub key_fix: String,
    pub key_teach: String,
    pub announce_fix: bool,
    /// Programs whose exit status 1 is no failure, with spaces between them.
    pub quiet: String,
    pub ghost: Ghost,
}

/// Where ghost text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ghost {
    Off,
    History,
    /// History, and the model where it knows nothing.
    Model,
}

impl Ghost {
    /// As it is written in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::History => "history",
            Self::Model => "model",
        }
    }
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            enabled: true,
            key_ask: "alt-a".into(),
            key_ask_empty: "?".into(),
            key_fix: "alt-f".into(),
            key_teach: "alt-n".into(),
            announce_fix: true,
            quiet: "grep egrep fgrep rg diff cmp test [ [[ false".into(),
            ghost: Ghost::History,
        }
    }
}

impl Shell {
    /// The first setting that names no key, with what is allowed.
    pub(super) fn unknown_key(&self) -> Option<(&'static str, &'static str)> {
        let keys = [
            ("shell.key_ask", &self.key_ask),
            ("shell.key_fix", &self.key_fix),
            ("shell.key_teach", &self.key_teach),
        ];
        let unknown = keys.into_iter().find(|(_, key)| !is_key(key)).map(|(name, _)| name);
        if let Some(name) = unknown {
            return Some((name, "alt-a, ctrl-g (with other letters) or off"));
        }
        let is_character = self.key_ask_empty == "off" || is_character(&self.key_ask_empty);
        (!is_character).then_some(("shell.key_ask_empty", "one ASCII character that is no letter, or off"))
    }
}

fn is_key(name: &str) -> bool {
    let is_letter = |rest: &str| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_lowercase());
    name == "off" || name.strip_prefix("alt-").or_else(|| name.strip_prefix("ctrl-")).is_some_and(is_letter)
}

/// Letters begin commands; quotes and backslashes mean something where keys are bound.
fn is_character(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_punctuation() && !b"\"'\\`".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        assert_eq!(is_key(name), expected, "{name}");
    }

    #[test]
    fn keys_are_named_in_one_way() {
        check("alt-a", true);
        check("ctrl-g", true);
        check("off", true);
        check("alt-", false);
        check("Alt-A", false);
        check("alt-ab", false);
        check("alt-'", false);
        check("meta-a", false);
        check("", false);
    }

    #[test]
    fn the_character_that_asks_begins_no_command() {
        let with = |character: &str| Shell { key_ask_empty: character.into(), ..Shell::default() };
        for good in ["?", ",", "off"] {
            assert_eq!(with(good).unknown_key(), None, "{good}");
        }
        for bad in ["a", "", "??", "'", "\\", " "] {
            assert!(with(bad).unknown_key().is_some(), "{bad}");
        }
    }
}
