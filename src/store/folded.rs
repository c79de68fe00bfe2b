//! Looking for a text where capital and small letters are the same, in plain columns and in JSON. Pure.
//!
//! The index of words would find whole words only; what is to be forgotten may be a part of one.

use serde_json::Value;

/// Keys whose values are words of the program, and not of anybody who wrote something.
const OWN_WORDS: &[&str] = &["kind", "role", "type", "by"];

/// A text that is looked for.
#[derive(Debug, Clone)]
pub(super) struct Needle {
    folded: String,
    /// As it stands within a JSON string, and within one in another one: arguments of tools are written so.
    in_json: String,
    in_nested: String,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        let folded = folded(text);
        let in_json = within_json(&folded);
        Self { in_nested: within_json(&in_json), in_json, folded }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        folded(text).contains(&self.folded)
    }

    /// Whether it stands in one of the strings of a JSON text; names of fields are none.
    pub(super) fn is_in_json(&self, json: &str) -> bool {
        // Reading it is dear, and most do not hold it.
        let folded = folded(json);
        if !folded.contains(&self.in_json) && !folded.contains(&self.in_nested) {
            return false;
        }
        serde_json::from_str(json).map_or(true, |value| self.is_in_value(&value))
    }

    fn is_in_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in(text) || self.is_in_nested(text),
            Value::Array(all) => all.iter().any(|one| self.is_in_value(one)),
            Value::Object(fields) => {
                fields.iter().any(|(name, one)| !OWN_WORDS.contains(&name.as_str()) && self.is_in_value(one))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn is_in_nested(&self, text: &str) -> bool {
        text.starts_with(['{', '[']) && self.in_json != self.folded && folded(text).contains(&self.in_json)
    }
}

/// As it stands between the quotes of a JSON string.
fn within_json(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or(&quoted).to_owned()
}

/// Letter by letter, so that a part of a text folds to a part of the folded text.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(needle: &str, text: &str, expected: bool) {
        assert_eq!(Needle::new(needle).is_in(text), expected, "{needle:?} in {text:?}");
    }

    #[track_caller]
    fn check_json(needle: &str, json: &Value, expected: bool) {
        assert_eq!(Needle::new(needle).is_in_json(&json.to_string()), expected, "{needle:?} in {json}");
    }

    #[test]
    fn parts_of_words_and_other_cases_are_found() {
        check("ebra", "the ZEBRAS", true);
        check("GRÖSSE", "eine größe", false);
        check("größe", "GRÖßE", true);
        check("a  b", "a b", false);
        check("σασ", "ΣΑΣ", true);
    }

    #[test]
    fn strings_of_json_are_text_and_names_of_fields_are_none() {
        let state = serde_json::json!({"kind": "command", "command": "echo \"Zebra\"\n", "status": 0});
        check_json("\"zebra\"", &state, true);
        check_json("zebra\"\n", &state, true);
        check_json("status", &state, false);
        check_json("command", &state, false);
    }

    #[test]
    fn json_in_json_is_looked_through() {
        let call = serde_json::json!({"arguments": "{\"path\":\"C:\\\\Zebra\"}"});
        check_json("c:\\zebra", &call, true);
        check_json("c:\\horse", &call, false);
    }

    #[test]
    fn a_text_that_is_no_json_holds_what_stands_in_it() {
        assert!(Needle::new("zebra").is_in_json("half {\"a Zebra"));
        assert!(!Needle::new("horse").is_in_json("half {\"a Zebra"));
    }
}
