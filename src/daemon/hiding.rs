//! Secrets in what clients say: out of it before it is stored, stands in a prompt or is learned from, and back in the
//! answer on its way to the person. Pure; the values live as long as the answer and are written nowhere.
//!
//! What always holds: ledger, prompts and samples hold placeholders only, but for what a model makes up by itself; a
//! secret that is known by what stands around it in one message is hidden in all messages of the request; the answer as
//! the client gets it holds the person's own value again, unless two values share a placeholder: then the placeholder
//! stays.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::redact::Redactor;
use crate::turn::next_state::{CommandOutcome, NextState, ToolResult};
use crate::turn::{Message, Role};

/// A shorter secret could be part of any word; it is hidden only where a rule says so.
const LEAST_BARE: usize = 8;

/// What was hidden in one request.
#[derive(Default)]
pub(super) struct Hidden {
    /// Value by placeholder, where a placeholder stands for one value only.
    values: Vec<(String, String)>,
}

/// Puts placeholders into all messages. In the model's own answers only what others said is looked for: it saw no secret,
/// and an answer that comes back must be the one that the ledger holds.
pub(super) fn hide(redactor: &Redactor, messages: &mut [Message]) -> Hidden {
    let mut found = BTreeMap::new();
    for message in messages.iter().filter(|message| message.role != Role::Assistant) {
        collect(redactor, &message.content, &mut found);
    }
    if found.is_empty() {
        return Hidden::default();
    }
    // The longest first: a value may be a part of another one.
    let mut known: Vec<(&str, &str)> =
        found.iter().map(|(value, name)| (value.as_str(), name.as_str())).collect();
    known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    let bare: Vec<(&str, &str)> =
        known.iter().copied().filter(|(value, _)| value.len() >= LEAST_BARE).collect();
    for message in messages.iter_mut() {
        if message.role == Role::Assistant {
            message.content = replaced(&message.content, &known);
        } else {
            message.content = redactor.redact(&replaced(&message.content, &bare)).text.into_owned();
        }
        if let Some(calls) = &mut message.tool_calls {
            change_texts(calls, &|text| replaced(text, &known));
        }
    }
    Hidden { values: unambiguous(&found) }
}

/// The text with each of these values replaced by its placeholder.
fn replaced(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (value, placeholder)| {
        if text.contains(value) { text.replace(value, placeholder) } else { text }
    })
}

/// What followed an answer, without secrets.
pub(super) fn hide_in(redactor: &Redactor, state: NextState) -> NextState {
    let plain = |text: String| redactor.redact(&text).text.into_owned();
    match state {
        NextState::Reply { text } => NextState::Reply { text: plain(text) },
        NextState::Edit { text } => NextState::Edit { text: plain(text) },
        NextState::Command(ran) => NextState::Command(CommandOutcome {
            command: plain(ran.command),
            output: plain(ran.output),
            ..ran
        }),
        NextState::Tools { results } => {
            let plain = |result: ToolResult| ToolResult { content: plain(result.content), ..result };
            NextState::Tools { results: results.into_iter().map(plain).collect() }
        }
        NextState::Page { before, after } => {
            NextState::Page { before: before.map(plain), after: plain(after) }
        }
        NextState::Tests { report } => NextState::Tests { report: plain(report) },
        NextState::Rating { good, note } => NextState::Rating { good, note: note.map(plain) },
        closed @ NextState::Closed { .. } => closed,
    }
}

fn collect(redactor: &Redactor, text: &str, found: &mut BTreeMap<String, String>) {
    for secret in redactor.redact(text).found {
        if let Some(value) = text.get(secret.span) {
            found.entry(value.to_owned()).or_insert_with(|| secret.rule.placeholder());
        }
    }
}

fn unambiguous(found: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let is_alone = |placeholder: &String| found.values().filter(|other| *other == placeholder).count() == 1;
    let known = found.iter().filter(|(_, placeholder)| is_alone(placeholder));
    known.map(|(value, placeholder)| (placeholder.clone(), value.clone())).collect()
}

fn change_texts(value: &mut Value, change: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| change_texts(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| change_texts(field, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts the values back into an answer that arrives in pieces.
#[derive(Default)]
pub(super) struct Restored {
    hidden: Hidden,
    /// What may be the beginning of a placeholder.
    held: String,
}

impl Restored {
    pub(super) fn new(hidden: Hidden) -> Self {
        Self { hidden, held: String::new() }
    }

    /// Takes more of the answer, and gives what can be shown by now.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.hidden.values.is_empty() {
            return text.to_owned();
        }
        let mut rest = std::mem::take(&mut self.held);
        rest.push_str(text);
        let mut shown = String::with_capacity(rest.len());
        while let Some(at) = rest.find('<') {
            shown.push_str(rest.get(..at).unwrap_or_default());
            rest.drain(..at);
            if let Some((placeholder, value)) = self.whole(&rest) {
                shown.push_str(value);
                rest.drain(..placeholder.len());
            } else if self.may_begin(&rest) {
                self.held = rest;
                return shown;
            } else {
                shown.push('<');
                rest.drain(..1);
            }
        }
        shown.push_str(&rest);
        shown
    }

    /// What was held back, at the end.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    fn whole(&self, text: &str) -> Option<&(String, String)> {
        self.hidden.values.iter().find(|(placeholder, _)| text.starts_with(placeholder.as_str()))
    }

    fn may_begin(&self, text: &str) -> bool {
        self.hidden.values.iter().any(|(placeholder, _)| placeholder.starts_with(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::redact::Secrets;

    /// Put together here, so that no scanner takes this file for a leak.
    fn token() -> String {
        ["ghp", "_", "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF3hI6"].concat()
    }

    fn redactor() -> Redactor {
        Redactor::new(&Secrets::default())
    }

    fn hidden(texts: &[&str]) -> (Vec<String>, Hidden) {
        let mut messages: Vec<Message> = texts.iter().map(|text| Message::new(Role::User, *text)).collect();
        let hidden = hide(&redactor(), &mut messages);
        (messages.into_iter().map(|message| message.content).collect(), hidden)
    }

    #[test]
    fn a_message_without_secrets_stays_as_it_is() {
        let (texts, hidden) = hidden(&["search app.log for <secret>"]);
        assert_eq!(texts, ["search app.log for <secret>"]);
        assert_eq!(Restored::new(hidden).push("grep '<secret' app.log"), "grep '<secret' app.log");
    }

    #[test]
    fn a_secret_is_hidden_and_comes_back_in_the_answer() {
        let (texts, hidden) = hidden(&[&format!("clone with {} please", token())]);
        assert_eq!(texts, ["clone with <secret:github-token> please"]);
        let mut restored = Restored::new(hidden);
        let answer = "git clone https://<secret:github-token>@github.com/a/b";
        assert_eq!(restored.push(answer), answer.replace("<secret:github-token>", &token()));
        assert_eq!(restored.finish(), "");
    }

    #[test]
    fn what_is_known_by_one_message_is_hidden_in_all() {
        let (texts, _) =
            hidden(&["use correcthorsebattery for it", "export DB_PASSWORD=correcthorsebattery"]);
        assert!(texts.iter().all(|text| !text.contains("correcthorse")), "{texts:?}");
    }

    #[test]
    fn arguments_of_tool_calls_are_texts_too() {
        let call = json!([{"id": "1", "function": {"name": "run", "arguments": format!("{{\"t\": \"{}\"}}", token())}}]);
        let asked = Message::new(Role::User, format!("log in with {}", token()));
        let mut messages = [asked, Message { tool_calls: Some(call), ..Message::new(Role::Assistant, "") }];
        hide(&redactor(), &mut messages);
        let said = messages[1].tool_calls.as_ref().unwrap().to_string();
        assert!(said.contains("<secret:github-token>") && !said.contains(&token()), "{said}");
    }

    #[test]
    fn what_the_model_wrote_itself_stays_as_the_ledger_has_it() {
        let said = "export DB_PASSWORD=correcthorsebattery";
        let mut messages = [Message::new(Role::User, token()), Message::new(Role::Assistant, said)];
        hide(&redactor(), &mut messages);
        assert_eq!(messages[1].content, said);
    }

    #[test]
    fn two_values_of_one_kind_stay_hidden_in_the_answer() {
        let other = token().replace("aB3d", "Zz9y");
        let (_, hidden) = hidden(&[&format!("{} and {other}", token())]);
        assert_eq!(Restored::new(hidden).push("<secret:github-token>"), "<secret:github-token>");
    }

    #[test]
    fn what_followed_an_answer_is_without_secrets() {
        let ran = CommandOutcome {
            command: format!("curl -H 'Authorization: Bearer {}' x", token()),
            status: 0,
            pipeline: Vec::new(),
            output: token(),
            duration_ms: None,
        };
        let states = [
            NextState::Reply { text: token() },
            NextState::Edit { text: token() },
            NextState::Command(ran),
            NextState::Tools { results: vec![ToolResult { name: None, content: token(), status: None }] },
            NextState::Page { before: Some(token()), after: token() },
            NextState::Tests { report: token() },
            NextState::Rating { good: false, note: Some(token()) },
        ];
        for state in states {
            let said = serde_json::to_string(&hide_in(&redactor(), state)).unwrap();
            assert!(!said.contains(&token()) && said.contains("<secret:"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(cuts in prop::collection::vec(0_usize..60, 0..8)) {
            let (_, hidden) = hidden(&[&token()]);
            let answer = "a <secret:gith <secret:github-token><< <secret:github-token> <secret:";
            let mut restored = Restored::new(hidden);
            let mut cuts: Vec<usize> = cuts.into_iter().chain([0, answer.len()]).collect();
            cuts.sort_unstable();
            let mut shown: String = cuts.windows(2).map(|pair| restored.push(&answer[pair[0]..pair[1]])).collect();
            shown.push_str(&restored.finish());
            prop_assert_eq!(shown, answer.replace("<secret:github-token>", &token()));
        }
    }
}
