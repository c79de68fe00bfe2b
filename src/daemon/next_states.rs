//! What a request says about the turn that it continues: its new messages are that turn's next state.
//!
//! Pure. A person's message is a reply; tool messages are the results of all calls of the answer. Side turns, retries
//! and new threads say nothing about an earlier answer.

use serde_json::Value;

use crate::turn::next_state::{NextState, ToolResult};
use crate::turn::{Message, Role};

/// The next state in `news`, the messages since the answer. `calls`: the answer's tool calls, in their order.
///
/// When both tools and the person speak, the tools come first: they answer the calls, the person answers all of it.
pub(super) fn of(news: &[Message], calls: &[Value]) -> Vec<NextState> {
    let results: Vec<ToolResult> =
        news.iter().filter(|message| message.role == Role::Tool).map(result).collect();
    let results = in_order(results, news, calls);
    let tools = (!results.is_empty()).then_some(NextState::Tools { results });
    tools.into_iter().chain(NextState::reply_in(news)).collect()
}

fn result(message: &Message) -> ToolResult {
    ToolResult { name: message.name.clone(), content: message.content.clone(), status: None }
}

/// Results with the names of the calls that they answer, where the results do not say it themselves.
fn in_order(mut results: Vec<ToolResult>, news: &[Message], calls: &[Value]) -> Vec<ToolResult> {
    let ids = news
        .iter()
        .filter(|message| message.role == Role::Tool)
        .map(|message| message.tool_call_id.as_deref());
    for (result, id) in results.iter_mut().zip(ids) {
        if result.name.is_none() {
            let call = calls.iter().find(|call| id.is_some() && call.get("id").and_then(Value::as_str) == id);
            let name = call.and_then(|call| call.pointer("/function/name")).and_then(Value::as_str);
            result.name = name.map(str::to_owned);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(text: &str) -> Message {
        Message::new(Role::User, text)
    }

    fn tool(id: &str, text: &str) -> Message {
        Message { tool_call_id: Some(id.to_owned()), ..Message::new(Role::Tool, text) }
    }

    fn reply(text: &str) -> NextState {
        NextState::Reply { text: text.to_owned() }
    }

    #[test]
    fn a_message_is_a_reply() {
        assert_eq!(of(&[said("no, use rg")], &[]), [reply("no, use rg")]);
        assert_eq!(of(&[said("no"), said("use rg")], &[]), [reply("no\nuse rg")]);
    }

    #[test]
    fn silence_is_no_next_state() {
        assert_eq!(of(&[], &[]), []);
        assert_eq!(of(&[said(" \n"), Message::new(Role::System, "be brief")], &[]), []);
    }

    #[test]
    fn all_results_of_parallel_calls_belong_together() {
        let calls = [
            json!({"id": "a", "function": {"name": "one"}}),
            json!({"id": "b", "function": {"name": "two"}}),
        ];
        let found = of(&[tool("b", "2"), tool("a", "1"), said("thanks")], &calls);
        let [NextState::Tools { results }, NextState::Reply { text }] = &found[..] else {
            panic!("{found:?}")
        };
        let names: Vec<_> =
            results.iter().map(|result| (result.name.as_deref(), result.content.as_str())).collect();
        assert_eq!(names, [(Some("two"), "2"), (Some("one"), "1")]);
        assert_eq!(text, "thanks");
    }
}
