//! Secrets that are known beforehand: values of the user's environment, and names that the user wants to be kept private.
//! Pure: the environment is an argument.

use std::fmt::Write as _;

use super::assigned::is_password_argument;
use super::names::{Kind, kind};
use super::values::{is_place, is_random};

/// A value shorter than this stands in too many texts by chance.
const SHORTEST_VALUE: usize = 6;
const SHORTEST_NAME: usize = 2;

/// What to look for besides the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    pub(super) values: Vec<String>,
    pub(super) private: Vec<String>,
}

impl Secrets {
    /// From the variables of an environment, of which those that look like secrets are taken, and the names that the
    /// setting `privacy.hide` lists.
    pub fn new(env: impl IntoIterator<Item = (String, String)>, hide: &[String]) -> Self {
        let mut values: Vec<String> =
            env.into_iter().flat_map(|(name, value)| secrets_of(&name, &value)).collect();
        // The longest first: a value may begin with another one.
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        let private = hide.iter().map(|name| name.trim().to_owned()).collect();
        Self { values, private }
    }

    /// The names with the numbers that stand in the text for them: their places in the list.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.private.iter().enumerate().map(|(at, name)| (at + 1, name.as_str()));
        numbered.filter(|(_, name)| name.len() >= SHORTEST_NAME)
    }
}

/// The parts of a variable that are secret: its lines, also as a URL writes them.
fn secrets_of(name: &str, value: &str) -> Vec<String> {
    let is_enough = |text: &str| match kind(name) {
        Some(Kind::Password) => text.len() >= SHORTEST_VALUE && is_password_argument(text) && !is_place(text),
        Some(Kind::Token | Kind::Perhaps) => {
            is_random(text, 8) || (text.len() >= 16 && is_random(&text.replace(' ', ""), 16))
        }
        None => false,
    };
    let is_many = value.contains('\n');
    let lines = value.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let mut secrets = Vec::new();
    for line in lines.filter(|line| is_enough(line) && (!is_many || line.len() >= 16)) {
        secrets.push(line.to_owned());
        let in_url = percent_encoded(line);
        if in_url != line {
            secrets.push(in_url);
        }
    }
    secrets
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
