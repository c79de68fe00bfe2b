//! Lines of an export: which of them is a turn, a lesson, or neither, and why.

use std::io::{BufRead, Read};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Report;
use super::parts::Parts;
use crate::daemon::wire::owning::{LessonStory, TurnRecord};

/// Longest line that is read, in bytes: what the daemon takes at once, with room around it.
const MAX_LINE: u64 = 24 << 20;

/// What a line holds.
#[derive(Debug)]
pub(super) enum Line {
    Turn(Box<TurnRecord>),
    Lesson(Box<LessonStory>),
}

/// All lines of a file, in order. `name` is the file's, for people.
pub(super) fn read(
    file: &mut dyn BufRead,
    name: &str,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut buffer, mut number) = (Vec::new(), 0_u64);
    loop {
        buffer.clear();
        let n = (&mut *file).take(MAX_LINE + 1).read_until(b'\n', &mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        number += 1;
        let place = format!("{name}:{number}");
        if !buffer.ends_with(b"\n") && n as u64 > MAX_LINE {
            file.skip_until(b'\n')?;
            report.name(&place, &format!("is longer than {} MiB", MAX_LINE >> 20));
            report.broken_lines += 1;
            continue;
        }
        if buffer.trim_ascii().is_empty() {
            continue;
        }
        match parse(&buffer) {
            Ok(line) => parts.add(line, buffer.len(), place, report)?,
            Err(reason) => {
                report.name(&place, &reason);
                report.broken_lines += 1;
            }
        }
    }
}

/// What a line is, by the fields that only such a one has.
fn parse(bytes: &[u8]) -> Result<Line, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|err| format!("is not JSON: {err}"))?;
    let Value::Object(fields) = &value else { return Err("is not a JSON object".to_owned()) };
    let has = |name: &str| fields.contains_key(name);
    if has("lesson") {
        return as_one(value, "lesson").map(Line::Lesson);
    }
    if has("messages") && has("response") {
        return as_one(value, "turn").map(Line::Turn);
    }
    Err(if has("chosen") {
        "is a preference pair: pairs are made of turns, import those".to_owned()
    } else if has("messages") || has("completion") {
        "is an example for training: `chela train FILE` learns from it".to_owned()
    } else if has("samples") {
        "is a round of learning: it belongs to the machine that it ran on".to_owned()
    } else {
        "is neither a turn nor a lesson".to_owned()
    })
}

fn as_one<T: DeserializeOwned>(value: Value, what: &str) -> Result<T, String> {
    serde_json::from_value(value).map_err(|err| format!("is no whole {what}: {err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuse(line: &str, reason: &str) {
        let found = parse(line.as_bytes()).unwrap_err();
        assert!(found.contains(reason), "{found}");
    }

    #[test]
    fn what_is_no_turn_and_no_lesson_says_what_it_is() {
        refuse("{", "is not JSON");
        refuse("[1]", "is not a JSON object");
        refuse("{}", "neither a turn nor a lesson");
        refuse(r#"{"prompt":[],"chosen":[],"rejected":[]}"#, "preference pair");
        refuse(r#"{"messages":[]}"#, "chela train");
        refuse(r#"{"messages":[],"response":"x"}"#, "is no whole turn: missing field");
        refuse(r#"{"lesson":{}}"#, "is no whole lesson");
    }

    #[test]
    fn a_line_of_an_older_export_is_a_turn() {
        let line = r#"{"id":1,"session":"s","parent":null,"kind":"main","source":"chat","cwd":null,
            "messages":[{"role":"user","content":"hi"}],"response":"ho","ending":"stop","error":null,"policy":0,
            "model":"m","n_prompt":1,"n_response":1,"started_at":5,"ended_at":6}"#;
        let Line::Turn(record) = parse(line.as_bytes()).unwrap() else { panic!("no turn") };
        assert_eq!((record.turn.response.as_str(), record.exact, record.in_session), ("ho", None, None));
    }
}
