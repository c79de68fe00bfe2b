//! What a person types into the search line, as a question: words, and `key:value` for what is known of a row. Pure.

use serde::de::DeserializeOwned;

use crate::daemon::wire::review::ReviewQuery;
use crate::turn::SessionId;

/// Keys, with what may stand behind each.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("source:", "chat, shell, api or agent"),
    ("project:", "a folder, its name, or . for this one"),
    ("rule:", "exit.failed, or exit for all of its kind"),
    ("reward:", "good, bad, unclear or none"),
    ("state:", "proposed, active, learned, retired, pruned, excluded, waiting or none"),
    ("session:", "a session's name"),
];

/// The question, or a sentence about what cannot be meant. `cwd` is what `project:.` stands for. The beginning of a
/// known value asks for nothing: it is still being typed.
pub(super) fn parse(text: &str, cwd: &str) -> Result<ReviewQuery, String> {
    let mut query = ReviewQuery::default();
    let mut words: Vec<&str> = Vec::new();
    for part in text.split_whitespace() {
        match part.split_once(':') {
            Some((key, value)) if is_key(key) => set(&mut query, key, value, cwd)?,
            _ => words.push(part),
        }
    }
    query.find = (!words.is_empty()).then(|| words.join(" "));
    Ok(query)
}

fn is_key(word: &str) -> bool {
    KEYS.iter().any(|(key, _)| key.strip_suffix(':') == Some(word))
}

fn set(query: &mut ReviewQuery, key: &str, value: &str, cwd: &str) -> Result<(), String> {
    if value.is_empty() || is_beginning(key, value) {
        return Ok(());
    }
    match key {
        "source" => query.source = Some(word(key, value)?),
        "reward" => query.reward = Some(word(key, value)?),
        "state" => query.state = Some(word(key, value)?),
        "rule" => query.rule = Some(value.to_owned()),
        "session" => query.session = Some(SessionId(value.to_owned())),
        _ if value == "." => query.project = Some(cwd.to_owned()),
        _ => query.project = Some(value.to_owned()),
    }
    Ok(())
}

/// Of one of the words that a key takes, and no whole one.
fn is_beginning(key: &str, value: &str) -> bool {
    let (_, values) = KEYS.iter().find(|(name, _)| name.strip_suffix(':') == Some(key)).unwrap_or(&("", ""));
    let mut words = values.split([' ', ',']);
    matches!(key, "source" | "reward" | "state")
        && words.clone().all(|word| word != value)
        && words.any(|word| word.starts_with(value))
}

fn word<T: DeserializeOwned>(key: &str, value: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(value.to_owned())).map_err(|_| {
        let known = KEYS.iter().find(|(name, _)| name.strip_suffix(':') == Some(key));
        format!("{key}:{value} is not known; {key}: takes {}", known.map_or("", |(_, values)| values))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::wire::looking::Judged;
    use crate::daemon::wire::review::ReviewWord;
    use crate::turn::Source;

    #[track_caller]
    fn check(text: &str, expected: ReviewQuery) {
        assert_eq!(parse(text, "/src/atlas"), Ok(expected));
    }

    #[test]
    fn words_and_keys_stand_in_any_order() {
        check("", ReviewQuery::default());
        check(
            " list source:shell  ports state:active ",
            ReviewQuery {
                find: Some("list ports".into()),
                source: Some(Source::Shell),
                state: Some(ReviewWord::Active),
                ..ReviewQuery::default()
            },
        );
        check(
            "project:. rule:exit reward:bad",
            ReviewQuery {
                project: Some("/src/atlas".into()),
                rule: Some("exit".into()),
                reward: Some(Judged::Bad),
                ..ReviewQuery::default()
            },
        );
    }

    #[test]
    fn other_colons_are_words() {
        let find = Some("http://localhost:8080 std::fs".into());
        check("http://localhost:8080 std::fs", ReviewQuery { find, ..ReviewQuery::default() });
    }

    #[test]
    fn a_key_that_is_being_typed_asks_for_nothing_yet() {
        check("source:", ReviewQuery::default());
        check("source:sh reward:g state:act", ReviewQuery::default());
    }

    #[test]
    fn an_unknown_value_is_told_with_the_known_ones() {
        let refused = parse("source:fax", "/").unwrap_err();
        assert_eq!(refused, "source:fax is not known; source: takes chat, shell, api or agent");
    }
}
