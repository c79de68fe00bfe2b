//! A training file, line by line: JSON objects in OpenAI's fine-tuning format, one conversation each.
//!
//! Two forms are read: `{"messages": [{"role": …, "content": …}, …], "tools": […]}` and
//! `{"prompt": "…", "completion": "…"}`. Learned from is the last message, which must be the assistant's. As soon as
//! one message of a conversation has a `"weight"`, all its assistant messages count, except those with weight 0
//! (OpenAI's rule). What a line says in tokens is `chat_sample`'s affair.
//!
//! What always holds: a line that cannot be used is named with its number and a reason, and the next one is read;
//! memory grows with one line and not with the file.

use std::io::{self, BufRead, Read};

use serde_json::Value;

use crate::turn::{Message, Role};

/// Longest line that is read, in bytes. A conversation beyond it fits no context.
pub const MAX_LINE: u64 = 8 << 20;

/// A conversation that can be learned from.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// From 1.
    pub line: u64,
    pub messages: Vec<Message>,
    /// OpenAI tool definitions; empty means none.
    pub tools: Vec<Value>,
    /// Positions in `messages` of the answers that are learned from, ascending. Never empty.
    pub answers: Vec<usize>,
}

/// A line, or an answer in it, that is not learned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// From 1.
    pub line: u64,
    pub reason: String,
}

/// The lines of a training file. Empty lines are passed over in silence.
pub struct ChatLines<'a> {
    reader: &'a mut dyn BufRead,
    line: u64,
    buffer: Vec<u8>,
}

impl<'a> ChatLines<'a> {
    pub fn new(reader: &'a mut dyn BufRead) -> Self {
        Self { reader, line: 0, buffer: Vec::new() }
    }

    /// The next line into the buffer: `None` at the end, `false` when it was too long and only passed over.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        let n = (&mut self.reader).take(MAX_LINE + 1).read_until(b'\n', &mut self.buffer)?;
        if n == 0 {
            return Ok(None);
        }
        self.line += 1;
        let is_whole = self.buffer.ends_with(b"\n") || n as u64 <= MAX_LINE;
        if !is_whole {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(is_whole))
    }
}

impl Iterator for ChatLines<'_> {
    type Item = io::Result<Result<Chat, Skipped>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let is_whole = match self.read_line().transpose()? {
                Ok(is_whole) => is_whole,
                Err(error) => return Some(Err(error)),
            };
            let line = self.line;
            if !is_whole {
                let reason = format!("is longer than {} MiB", MAX_LINE >> 20);
                return Some(Ok(Err(Skipped { line, reason })));
            }
            let bytes = self.buffer.as_slice();
            // Windows editors begin files with a byte order mark.
            let bytes = if line == 1 { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes) } else { bytes };
            if !bytes.trim_ascii().is_empty() {
                return Some(Ok(parse_line(line, bytes)));
            }
        }
    }
}

/// One line of the file, whose number is `line`.
pub fn parse_line(line: u64, bytes: &[u8]) -> Result<Chat, Skipped> {
    read(bytes)
        .map(|(messages, tools, answers)| Chat { line, messages, tools, answers })
        .map_err(|reason| Skipped { line, reason })
}

type Parts = (Vec<Message>, Vec<Value>, Vec<usize>);

fn read(bytes: &[u8]) -> Result<Parts, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 (byte {} of the line)", error.valid_up_to() + 1))?;
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    let Value::Object(object) = &value else {
        return Err("is not a JSON object".to_owned());
    };
    match (object.get("messages"), object.get("prompt"), object.get("completion")) {
        (Some(messages), _, _) => conversation(messages, object.get("tools")),
        (None, Some(prompt), Some(completion)) => pair(prompt, completion),
        (None, Some(_), None) => Err("has a \"prompt\" and no \"completion\"".to_owned()),
        (None, None, Some(_)) => Err("has a \"completion\" and no \"prompt\"".to_owned()),
        (None, None, None) => Err("has neither \"messages\" nor \"prompt\" and \"completion\"".to_owned()),
    }
}

fn pair(prompt: &Value, completion: &Value) -> Result<Parts, String> {
    let text = |value: &Value, name: &str| {
        let text = value.as_str().ok_or_else(|| format!("has a \"{name}\" that is not text"))?;
        if text.trim().is_empty() { Err(format!("has an empty \"{name}\"")) } else { Ok(text.to_owned()) }
    };
    let messages = vec![
        Message::new(Role::User, text(prompt, "prompt")?),
        Message::new(Role::Assistant, text(completion, "completion")?),
    ];
    Ok((messages, Vec::new(), vec![1]))
}

fn conversation(messages: &Value, tools: Option<&Value>) -> Result<Parts, String> {
    let listed = messages.as_array().ok_or("has \"messages\" that are not a list")?;
    let tools = match tools {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(tools)) => tools.clone(),
        Some(_) => return Err("has \"tools\" that are not a list".to_owned()),
    };
    let mut messages = Vec::with_capacity(listed.len());
    let mut weights = Vec::with_capacity(listed.len());
    for (at, value) in listed.iter().enumerate() {
        messages.push(message(at, value)?);
        weights.push(weight(at, value)?);
    }
    check_order(&messages)?;
    let answers = answers(&messages, &weights)?;
    for &at in &answers {
        let is_empty = messages.get(at).is_none_or(|answer| {
            answer.content.trim().is_empty() && answer.tool_calls.as_ref().is_none_or(is_nothing)
        });
        if is_empty {
            return Err(format!("messages[{at}] is an empty answer"));
        }
    }
    Ok((messages, tools, answers))
}

fn message(at: usize, value: &Value) -> Result<Message, String> {
    let Value::Object(object) = value else {
        return Err(format!("messages[{at}] is not a JSON object"));
    };
    if !object.contains_key("role") {
        return Err(format!("messages[{at}] has no \"role\""));
    }
    let calls = object.get("tool_calls").is_some_and(|calls| !is_nothing(calls));
    if !calls && object.get("content").is_none_or(Value::is_null) {
        return Err(format!("messages[{at}] has no \"content\""));
    }
    serde_json::from_value(value.clone()).map_err(|error| format!("messages[{at}]: {error}"))
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// 0 or 1, on the assistant's messages.
fn weight(at: usize, value: &Value) -> Result<Option<bool>, String> {
    let Some(weight) = value.get("weight").filter(|weight| !weight.is_null()) else { return Ok(None) };
    if value.get("role").and_then(Value::as_str) != Some("assistant") {
        return Err(format!("messages[{at}] has a \"weight\" and is not the assistant's"));
    }
    match weight.as_f64() {
        Some(0.0) => Ok(Some(false)),
        Some(1.0) => Ok(Some(true)),
        _ => Err(format!("messages[{at}] has a \"weight\" that is neither 0 nor 1")),
    }
}

/// System first, then somebody asks before the assistant answers, and the assistant has the last word.
fn check_order(messages: &[Message]) -> Result<(), String> {
    let mut before: Option<&Message> = None;
    for (at, message) in messages.iter().enumerate() {
        let role_before = before.map(|before| before.role);
        let wrong = match message.role {
            Role::System => {
                (!matches!(role_before, None | Some(Role::System))).then_some("a system message after others")
            }
            Role::User => None,
            Role::Assistant => match role_before {
                None | Some(Role::System) => Some("an answer before any question"),
                Some(Role::Assistant) => Some("a second answer in a row"),
                Some(Role::User | Role::Tool) => None,
            },
            Role::Tool => {
                let called = before.is_some_and(|before| {
                    before.role == Role::Tool
                        || before.tool_calls.as_ref().is_some_and(|calls| !is_nothing(calls))
                });
                (!called).then_some("a tool's result that nobody called for")
            }
        };
        if let Some(wrong) = wrong {
            return Err(format!("messages[{at}] is {wrong}"));
        }
        before = Some(message);
    }
    match before.map(|last| last.role) {
        None => Err("has no messages".to_owned()),
        Some(Role::Assistant) => Ok(()),
        Some(_) => Err("does not end with an answer of the assistant".to_owned()),
    }
}

fn answers(messages: &[Message], weights: &[Option<bool>]) -> Result<Vec<usize>, String> {
    if weights.iter().all(Option::is_none) {
        return Ok(vec![messages.len().saturating_sub(1)]);
    }
    let counted: Vec<usize> = messages
        .iter()
        .zip(weights)
        .enumerate()
        .filter(|(_, (message, weight))| message.role == Role::Assistant && **weight != Some(false))
        .map(|(at, _)| at)
        .collect();
    if counted.is_empty() { Err("has only answers of weight 0".to_owned()) } else { Ok(counted) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refuse(line: &str, reason: &str) {
        let skipped = parse_line(7, line.as_bytes()).unwrap_err();
        assert_eq!((skipped.line, skipped.reason.as_str()), (7, reason));
    }

    #[track_caller]
    fn answers_of(line: &str, expected: &[usize]) {
        assert_eq!(parse_line(1, line.as_bytes()).unwrap().answers, expected);
    }

    #[test]
    fn a_chat_is_learned_from_its_last_answer() {
        let line = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},
            {"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}"#;
        answers_of(line, &[4]);
        let chat = parse_line(1, line.as_bytes()).unwrap();
        assert_eq!(chat.messages[3], Message::new(Role::User, "c"));
    }

    #[test]
    fn weights_choose_the_answers() {
        let line = |first: &str, second: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":"b"{first}}},
                {{"role":"user","content":"c"}},{{"role":"assistant","content":"d"{second}}}]}}"#
            )
        };
        answers_of(&line(r#","weight":1"#, ""), &[1, 3]);
        answers_of(&line(r#","weight":0"#, ""), &[3]);
        answers_of(&line(r#","weight":1"#, r#","weight":0"#), &[1]);
        refuse(&line(r#","weight":0"#, r#","weight":0"#), "has only answers of weight 0");
        refuse(&line(r#","weight":2"#, ""), "messages[1] has a \"weight\" that is neither 0 nor 1");
    }

    #[test]
    fn a_pair_is_a_question_and_its_answer() {
        let chat = parse_line(1, br#"{"prompt":"a","completion":"b"}"#).unwrap();
        assert_eq!(chat.messages, [Message::new(Role::User, "a"), Message::new(Role::Assistant, "b")]);
        assert_eq!(chat.answers, [1]);
    }

    #[test]
    fn tool_calls_may_be_the_answer() {
        let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
        answers_of(&format!(r#"{{"messages":[{{"role":"user","content":"a"}},{call}]}}"#), &[1]);
        let result = r#"{"role":"tool","content":"r","tool_call_id":"1"}"#;
        let end = r#"{"role":"assistant","content":"d"}"#;
        answers_of(
            &format!(r#"{{"messages":[{{"role":"user","content":"a"}},{call},{result},{end}]}}"#),
            &[3],
        );
    }

    #[test]
    fn broken_lines_say_why() {
        refuse("[1]", "is not a JSON object");
        refuse("{}", "has neither \"messages\" nor \"prompt\" and \"completion\"");
        refuse(r#"{"prompt":"a"}"#, "has a \"prompt\" and no \"completion\"");
        refuse(r#"{"prompt":"a","completion":" "}"#, "has an empty \"completion\"");
        refuse(r#"{"prompt":1,"completion":"b"}"#, "has a \"prompt\" that is not text");
        refuse(r#"{"messages":3}"#, "has \"messages\" that are not a list");
        refuse(r#"{"messages":[]}"#, "has no messages");
        refuse(r#"{"messages":["a"]}"#, "messages[0] is not a JSON object");
        refuse(r#"{"messages":[{"content":"a"}]}"#, "messages[0] has no \"role\"");
        refuse(r#"{"messages":[{"role":"user"}]}"#, "messages[0] has no \"content\"");
        let said = parse_line(1, b"{\"messages\": [").unwrap_err().reason;
        assert!(said.starts_with("is not JSON: EOF"), "{said}");
        let said = parse_line(1, br#"{"messages":[{"role":"owner","content":"a"}]}"#).unwrap_err().reason;
        assert!(said.starts_with("messages[0]: unknown variant `owner`"), "{said}");
        let said = parse_line(1, b"{\"prompt\": \"\xff\"}").unwrap_err().reason;
        assert_eq!(said, "is not UTF-8 (byte 13 of the line)");
    }

    /// Roles by their first letter; every message says `x`.
    #[track_caller]
    fn order(roles: &str, expected: Result<(), &str>) {
        let role = |letter| match letter {
            's' => "system",
            'u' => "user",
            'a' => "assistant",
            _ => "tool",
        };
        let messages: Vec<Value> =
            roles.chars().map(|letter| serde_json::json!({"role": role(letter), "content": "x"})).collect();
        let line = serde_json::json!({"messages": messages}).to_string();
        let outcome = parse_line(1, line.as_bytes()).map(drop).map_err(|skipped| skipped.reason);
        assert_eq!(outcome, expected.map_err(str::to_owned));
    }

    #[test]
    fn roles_come_in_an_order_that_makes_sense() {
        order("ua", Ok(()));
        order("suaua", Ok(()));
        order("uua", Ok(()));
        order("usa", Err("messages[1] is a system message after others"));
        order("a", Err("messages[0] is an answer before any question"));
        order("uaa", Err("messages[2] is a second answer in a row"));
        order("uta", Err("messages[1] is a tool's result that nobody called for"));
        order("u", Err("does not end with an answer of the assistant"));
        order("uau", Err("does not end with an answer of the assistant"));
    }

    #[test]
    fn an_empty_answer_is_named() {
        refuse(
            r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":" \n"}]}"#,
            "messages[1] is an empty answer",
        );
    }

    const GOOD: &str = r#"{"prompt":"a","completion":"b"}"#;

    fn lines(bytes: &[u8]) -> Vec<(u64, bool)> {
        let mut reader = Cursor::new(bytes);
        ChatLines::new(&mut reader)
            .map(|line| match line.unwrap() {
                Ok(chat) => (chat.line, true),
                Err(skipped) => (skipped.line, false),
            })
            .collect()
    }

    #[test]
    fn lines_are_counted_with_the_empty_ones_and_end_as_on_any_system() {
        let file = format!("\u{FEFF}{GOOD}\r\n\n  \nbroken\n{GOOD}");
        assert_eq!(lines(file.as_bytes()), [(1, true), (4, false), (5, true)]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let mut file = vec![b'x'; usize::try_from(MAX_LINE).unwrap() + 10];
        file.extend(format!("\n{GOOD}\n").bytes());
        assert_eq!(lines(&file), [(1, false), (2, true)]);
    }

    proptest! {
        #[test]
        fn no_line_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_line(1, &bytes);
        }

        #[test]
        fn no_json_panics(text in r#"\{"messages":\[(\{"role":"(user|assistant|tool|x)","content":("a"|null|3|\[\])(,"weight":[0-2])?\},?){0,3}\]\}"#) {
            let _ = parse_line(1, text.as_bytes());
        }
    }
}
