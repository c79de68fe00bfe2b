//! What tool results say of the call: errors in the shapes that services give them, waiting, success.
//!
//! A field named `error` that is null, false, empty or zero is no error, and neither is the word inside content.

use std::ops::Range;

use serde_json::Value;

use super::program_errors::failure;
use super::{Evidence, Says, Signal};
use crate::turn::next_state::ToolResult;

/// Phrases of a refusal in a text that is no JSON, at the start of a line.
const REFUSED: &[&str] = &[
    "error",
    "exception",
    "bad request",
    "unauthorized",
    "forbidden",
    "not found",
    "conflict",
    "gone",
    "unprocessable",
    "invalid ",
    "missing ",
    "unknown ",
    "rejected",
    "failed",
    "failure",
    "traceback",
    "typeerror",
    "keyerror",
    "valueerror",
    "connection refused",
    "unexpected ",
    "could not ",
    "cannot ",
    "internal server error",
    "fatal",
    "http 4",
    "feld ",
    "champ ",
    "falta ",
    "denied",
    "field required",
    "please provide",
    "you forgot",
];
/// Words of a refusal of a field, anywhere in a short text.
const REFUSES: &[&str] = &[
    "is required",
    "missing required",
    "field required",
    "required property",
    "must be one of",
    "must be a",
    "must not be empty",
    "is not a valid",
    "should be of type",
    "not allowed",
    "not permitted",
    "can't be blank",
    "is missing",
    "not-null constraint",
    "does not exist",
    "is read-only",
    "manquant",
    "fehlt",
    ": expected ",
    " muss ",
    "is undefined",
    "should be a",
];
const WAITS: &[&str] = &[
    "timeout",
    "timed out",
    "pending",
    "queued",
    "processing",
    "running",
    "in_progress",
    "in progress",
    "temporarily",
    "try again",
    "retry",
    "rate limit",
    "too many requests",
    "service unavailable",
    "gateway",
    "connection reset",
    "econnreset",
    "locked, retry",
    "(no response)",
];

/// What one result says.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Done,
    Failed(Range<usize>),
    /// Not yet, or not the call's fault.
    Waits(Range<usize>),
    /// Nothing that a rule knows.
    Open,
}

/// The signals of all results of an answer. Spans count in the contents joined by line ends.
pub(super) fn answered(results: &[ToolResult]) -> Vec<Signal> {
    let mut at = 0;
    let mut found = Vec::new();
    for result in results {
        found.push(moved(outcome(result), at));
        at += result.content.len() + 1;
    }
    let failed = found
        .iter()
        .find_map(|outcome| if let Outcome::Failed(span) = outcome { Some(span.clone()) } else { None });
    let waits = found
        .iter()
        .find_map(|outcome| if let Outcome::Waits(span) = outcome { Some(span.clone()) } else { None });
    let done = !found.is_empty() && found.iter().all(|outcome| *outcome == Outcome::Done);
    match (failed, waits) {
        (Some(span), _) => vec![signal("tool.error", Says::Bad, 0.85, span)],
        (None, Some(span)) => vec![signal("tool.waiting", Says::Nothing, 0.8, span)],
        _ if done => vec![signal("tool.ok", Says::Good, 0.65, 0..0)],
        _ => Vec::new(),
    }
}

fn moved(outcome: Outcome, by: usize) -> Outcome {
    let shift = |span: Range<usize>| span.start + by..span.end + by;
    match outcome {
        Outcome::Failed(span) => Outcome::Failed(shift(span)),
        Outcome::Waits(span) => Outcome::Waits(shift(span)),
        other => other,
    }
}

fn outcome(result: &ToolResult) -> Outcome {
    let text = result.content.as_str();
    let whole = span_of(text, text.trim());
    let (line, body) = split_status(text);
    match result.status.or(line) {
        Some(408 | 425 | 429 | 502..=504) => return Outcome::Waits(whole),
        Some(status @ (400..=599)) if status < 500 || !says_any(text, WAITS) => {
            return Outcome::Failed(whole);
        }
        Some(500..=599) => return Outcome::Waits(whole),
        // An exit status; 130 and the like were somebody's wish.
        Some(status @ (1..=99 | 101..=128 | 255)) if result.status.is_some() => {
            return exited(status, text, whole);
        }
        Some(129..=199) if result.status.is_some() => return Outcome::Waits(whole),
        _ => {}
    }
    match first_json(body) {
        Some(value) => json(&value, text, whole),
        None => plain(text, whole, line.is_some() || result.status.is_some()),
    }
}

/// The first JSON object or list that begins a line; text may stand around it.
fn first_json(text: &str) -> Option<Value> {
    let mut at = 0;
    let starts = text.split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        start
    });
    let mut bodies = starts.take(20).filter_map(|start| text.get(start..).map(str::trim_start));
    bodies.find_map(|body| {
        let mut values = serde_json::Deserializer::from_str(body).into_iter::<Value>();
        values.next()?.ok().filter(|value| value.is_object() || value.is_array())
    })
}

/// A search that found nothing ends with 1 and says nothing.
fn exited(status: i32, text: &str, whole: Range<usize>) -> Outcome {
    match failure(text) {
        None if status == 1 && text.trim().is_empty() => Outcome::Open,
        Some((_, span)) => Outcome::Failed(span),
        None => Outcome::Failed(whole),
    }
}

/// A status in front of the body: `422 {…}`, `HTTP 200`, `HTTP/1.1 404 Not Found`, `exit 1`.
fn split_status(text: &str) -> (Option<i32>, &str) {
    let trimmed = text.trim_start();
    let lower = trimmed.get(..9.min(trimmed.len())).unwrap_or_default().to_ascii_lowercase();
    let rest = if lower.starts_with("http") {
        trimmed.split_once(' ').map_or(trimmed, |(_, rest)| rest)
    } else {
        trimmed
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = rest.get(digits..).unwrap_or_default();
    let known = digits == 3 && (after.is_empty() || after.starts_with([' ', ':', '\n', '\r']));
    match rest.get(..digits).and_then(|number| number.parse().ok()) {
        Some(status @ 100..=599) if known => {
            let body = after.find(['{', '[']).and_then(|at| after.get(at..)).unwrap_or(after);
            // A number alone, or with a word behind it, is a value unless it reads like a status.
            let reads = rest != trimmed
                || after.trim().is_empty()
                || body.starts_with(['{', '['])
                || is_reason(after);
            (reads.then_some(status), if reads { body } else { text })
        }
        _ => (None, text),
    }
}

fn is_reason(after: &str) -> bool {
    after.starts_with(':')
        || after.trim_start().starts_with(|letter: char| letter.is_ascii_uppercase())
        || says_any(after, REFUSES)
        || says_any(after, REFUSED)
}

fn json(value: &Value, text: &str, whole: Range<usize>) -> Outcome {
    let Value::Object(fields) = value else { return Outcome::Done };
    let at = |key: &str| {
        text.find(&format!("\"{key}\"")).map_or(whole.clone(), |start| start..start + key.len() + 2)
    };
    let text_of = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_lowercase);
    for key in ["status", "state"] {
        if text_of(key).is_some_and(|state| WAITS.contains(&state.as_str()) || state == "unknown") {
            return Outcome::Waits(at(key));
        }
    }
    if let Some(status) =
        ["status", "statusCode", "status_code", "code"].iter().find_map(|key| fields.get(*key)?.as_i64())
    {
        if matches!(status, 429 | 502..=504) {
            return Outcome::Waits(whole);
        }
        if (400..=599).contains(&status) {
            return Outcome::Failed(at("status"));
        }
    }
    for key in [
        "error",
        "errors",
        "exception",
        "fault",
        "problem",
        "error_message",
        "errorMessage",
        "isError",
        "is_error",
        "detail",
        "rejected",
    ] {
        let given = fields.get(key).filter(|value| is_given(value));
        if let Some(given) = given.filter(|given| key != "detail" || is_detail(given, fields.len())) {
            let waits = says_any(&given.to_string(), WAITS) && !says_any(&given.to_string(), REFUSES);
            return if waits { Outcome::Waits(at(key)) } else { Outcome::Failed(at(key)) };
        }
    }
    for key in ["ok", "success", "succeeded", "valid"] {
        if fields.get(key).and_then(Value::as_bool) == Some(false) {
            return Outcome::Failed(at(key));
        }
    }
    if text_of("status").or(text_of("state")).is_some_and(|state| {
        matches!(state.as_str(), "error" | "failed" | "failure" | "fail" | "rejected" | "denied")
    }) {
        return Outcome::Failed(at("status"));
    }
    if let Some(code) = fields.get("code").and_then(Value::as_str)
        && code.chars().all(|letter| letter.is_ascii_uppercase() || matches!(letter, '_' | '0'..='9'))
        && ["MISSING", "INVALID", "WRONG", "BAD", "ERR", "UNKNOWN", "DENIED", "NOT_", "FORBIDDEN", "E"]
            .iter()
            .any(|start| code.starts_with(start))
    {
        return Outcome::Failed(at("code"));
    }
    if let Some(message) = text_of("message").or(text_of("msg")).or(text_of("reason"))
        && fields.len() <= 2
        && (says_any(&message, REFUSES)
            || REFUSED.iter().any(|start| message.starts_with(start))
            || message.contains("error"))
    {
        return if says_any(&message, WAITS) { Outcome::Waits(whole) } else { Outcome::Failed(whole) };
    }
    // Django: every field is a list of complaints.
    let complains = |value: &Value| matches!(value, Value::Array(items) if items.iter().any(|item| item.as_str().is_some_and(|item| says_any(item, REFUSES) || item.contains("required") || item.contains("valid"))));
    if !fields.is_empty() && fields.values().all(complains) {
        return Outcome::Failed(whole);
    }
    Outcome::Done
}

/// Whether an error field says that there is one.
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !matches!(
            text.trim().to_lowercase().as_str(),
            "" | "none" | "null" | "no" | "false" | "0" | "ok" | "success"
        ),
        Value::Array(items) => items.iter().any(is_given),
        Value::Object(fields) => fields.values().any(is_given),
    }
}

/// `detail` is an error where it is the list of `FastAPI`, or the only field and reads like a refusal.
fn is_detail(value: &Value, n_fields: usize) -> bool {
    match value {
        Value::Array(items) => {
            items.iter().any(|item| item.get("msg").is_some() || item.get("loc").is_some())
        }
        Value::String(text) => {
            n_fields == 1 && !says_any(text, &["created", "updated", "deleted", "success", "saved", "done"])
        }
        _ => false,
    }
}

fn plain(text: &str, whole: Range<usize>, has_status: bool) -> Outcome {
    let small = text.trim().to_lowercase();
    if small.is_empty() {
        return if has_status { Outcome::Done } else { Outcome::Open };
    }
    // A status line may stand below something that was put in front of it.
    let status_line = text.lines().find(|line| split_status(line).0.is_some());
    let first = status_line.or(text.trim().lines().next()).unwrap_or_default().to_lowercase();
    match status_line.and_then(|line| split_status(line).0) {
        Some(408 | 425 | 429 | 502..=504) => return Outcome::Waits(whole),
        Some(400..=599) => return Outcome::Failed(whole),
        _ => {}
    }
    let refused = REFUSED.iter().any(|start| {
        first.starts_with(start) && !first.starts_with("error handling") && !first.contains(": 0")
    });
    let short = small.len() < 300;
    if refused || short && says_any(&small, REFUSES) {
        return if says_any(&first, WAITS) && !says_any(&first, REFUSES) {
            Outcome::Waits(whole)
        } else {
            Outcome::Failed(whole)
        };
    }
    if short && WAITS.iter().any(|wait| first.starts_with(wait)) {
        return Outcome::Waits(whole);
    }
    if first.contains("error: ") && first.split(' ').next().is_some_and(|word| word.ends_with("error:")) {
        return Outcome::Failed(whole);
    }
    Outcome::Done
}

fn says_any(text: &str, phrases: &[&str]) -> bool {
    let small = text.to_lowercase();
    phrases.iter().any(|phrase| small.contains(phrase))
}

fn span_of(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).unwrap_or(0);
    start..start + part.len()
}

fn signal(rule: &str, says: Says, strength: f32, span: Range<usize>) -> Signal {
    Signal { rule: rule.into(), says, evidence: Evidence::Outcome, strength, span, is_directive: false }
}
