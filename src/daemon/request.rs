//! What a client may ask for, and what it means: body and headers into a request, a `Place` and sampling, or a
//! refusal that names the field. Pure.

use axum::http::HeaderMap;
use serde_json::Value;

use super::error::ApiError;
use super::wire::{ChatRequest, ChelaRequest, Stop};
use crate::config::Settings;
use crate::engine::{Grammar, Sampling};
use crate::turn::{PolicyVersion, Role, SessionId, Source, TurnId, TurnKind, UnreadableVersion};

/// Fields that do not change the answer: accepted and left alone.
const HARMLESS: &[&str] =
    &["user", "metadata", "service_tier", "parallel_tool_calls", "prompt_cache_key", "safety_identifier"];
const MAX_STOPS: usize = 16;
const MAX_SESSION_BYTES: usize = 128;
/// Names that mean "whatever is loaded".
const ANY_MODEL: &[&str] = &["", "default", "chela"];

/// Where a turn belongs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) session: SessionId,
    pub(super) parent: Parent,
    pub(super) source: Source,
    pub(super) kind: TurnKind,
    pub(super) cwd: Option<String>,
    pub(super) drop_oldest: bool,
    /// `X-Session-Done`: no more turns after this one.
    pub(super) last: bool,
}

/// How a turn's parent is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// The client says so; `None` starts a thread.
    Given(Option<TurnId>),
    /// The session's newest thread, when the messages continue it.
    Inferred,
    /// The session is fresh.
    Nothing,
}

/// Reads the body as a chat request; says where it goes wrong.
pub(super) fn parse(body: &[u8]) -> Result<ChatRequest, ApiError> {
    let request: ChatRequest = serde_json::from_slice(body).map_err(|err| not_json(&err))?;
    let unknown: Vec<&str> = request
        .unknown
        .iter()
        .filter(|(name, value)| !value.is_null() && !HARMLESS.contains(&name.as_str()))
        .map(|(name, _)| name.as_str())
        .collect();
    if let Some(first) = unknown.first() {
        let message = format!("not supported: {}; leave it out", unknown.join(", "));
        return Err(ApiError::invalid(first, message).code("unsupported_field"));
    }
    refuse_what_we_cannot(&request)?;
    Ok(request)
}

/// A body that is no JSON, or JSON of another shape.
pub(super) fn not_json(err: &serde_json::Error) -> ApiError {
    let what = match err.classify() {
        serde_json::error::Category::Data => "the body is not what this endpoint expects",
        _ => "the body is not JSON",
    };
    ApiError::bad_request("invalid_json", format!("{what}: {err}"))
}

fn refuse_what_we_cannot(request: &ChatRequest) -> Result<(), ApiError> {
    if request.messages.is_empty() {
        return Err(ApiError::invalid("messages", "messages is empty; send at least one"));
    }
    if request.n.is_some_and(|n| n != 1) {
        return Err(ApiError::invalid("n", "n must be 1: ask again for another answer"));
    }
    let choice = request.tool_choice.as_ref().map(|choice| choice.as_str().unwrap_or("a tool's name"));
    match choice {
        None | Some("none" | "auto") => Ok(()),
        Some(other) => Err(ApiError::invalid(
            "tool_choice",
            format!("tool_choice {other} is not supported; use \"auto\" or \"none\""),
        )),
    }
}

/// The tools that the template is shown.
pub(super) fn tools(request: &ChatRequest) -> &[Value] {
    let none = request.tool_choice.as_ref().and_then(Value::as_str) == Some("none");
    if none { &[] } else { request.tools.as_deref().unwrap_or_default() }
}

/// Refuses a model that is not the loaded one, by name.
pub(super) fn check_model(wanted: Option<&str>, loaded: &str) -> Result<(), ApiError> {
    match wanted {
        Some(name) if name != loaded && !ANY_MODEL.contains(&name) => Err(ApiError::not_found(
            "model_not_found",
            format!("model \"{name}\" is not loaded; \"{loaded}\" is (`chela model use` switches)"),
        )),
        _ => Ok(()),
    }
}

/// How tokens are to be chosen: the user's settings, overridden by the request. `fresh_seed` is used when the
/// request has none.
pub(super) fn sampling(
    request: &ChatRequest,
    settings: &Settings,
    fresh_seed: u32,
) -> Result<Sampling, ApiError> {
    let ours = &settings.sampling;
    let sampling = Sampling {
        temperature: request.temperature.unwrap_or(ours.temperature),
        top_k: request.top_k.unwrap_or(ours.top_k),
        top_p: request.top_p.unwrap_or(ours.top_p),
        min_p: request.min_p.unwrap_or(ours.min_p),
        repeat_penalty: request.repeat_penalty.unwrap_or(ours.repeat_penalty),
        frequency_penalty: request.frequency_penalty.unwrap_or(0.0),
        presence_penalty: request.presence_penalty.unwrap_or(0.0),
        seed: Some(request.seed.and_then(folded).unwrap_or(fresh_seed)),
        stop: stops(request.stop.as_ref())?,
        max_tokens: request.max_tokens.unwrap_or(ours.max_tokens),
        grammar: grammar(request)?,
        top_logprobs: request.top_logprobs.unwrap_or(0),
        ..Sampling::default()
    };
    check_ranges(&sampling, request.logprobs == Some(true))?;
    Ok(sampling)
}

/// Any integer is a seed; −1 asks for a fresh one, as in llama.cpp.
fn folded(seed: i64) -> Option<u32> {
    let low = u32::try_from(seed.rem_euclid(1 << 32)).ok();
    low.filter(|_| seed != -1)
}

fn check_ranges(sampling: &Sampling, logprobs: bool) -> Result<(), ApiError> {
    let penalties = -2.0..=2.0;
    let ranges = [
        ("temperature", (0.0..=2.0).contains(&sampling.temperature), "0 to 2"),
        ("top_k", sampling.top_k >= 0, "0 or more"),
        ("top_p", (0.0..=1.0).contains(&sampling.top_p), "0 to 1"),
        ("min_p", (0.0..=1.0).contains(&sampling.min_p), "0 to 1"),
        ("repeat_penalty", (0.1..=2.0).contains(&sampling.repeat_penalty), "0.1 to 2"),
        ("frequency_penalty", penalties.contains(&sampling.frequency_penalty), "-2 to 2"),
        ("presence_penalty", penalties.contains(&sampling.presence_penalty), "-2 to 2"),
        ("max_tokens", sampling.max_tokens >= 1, "1 or more"),
        ("top_logprobs", sampling.top_logprobs <= 20, "0 to 20"),
        ("top_logprobs", sampling.top_logprobs == 0 || logprobs, "used together with logprobs: true"),
    ];
    match ranges.iter().find(|(_, holds, _)| !holds) {
        Some((name, _, range)) => Err(ApiError::invalid(name, format!("{name} must be {range}"))),
        None => Ok(()),
    }
}

fn stops(stop: Option<&Stop>) -> Result<Vec<String>, ApiError> {
    let stops = match stop {
        None => Vec::new(),
        Some(Stop::One(one)) => vec![one.clone()],
        Some(Stop::Many(many)) => many.clone(),
    };
    if stops.len() > MAX_STOPS || stops.iter().any(String::is_empty) {
        return Err(ApiError::invalid("stop", format!("stop must be at most {MAX_STOPS} non-empty strings")));
    }
    Ok(stops)
}

fn grammar(request: &ChatRequest) -> Result<Option<Grammar>, ApiError> {
    let format = match &request.response_format {
        None | Some(Value::Null) => None,
        Some(format) => schema_of(format)?,
    };
    match (&request.grammar, format) {
        (Some(_), Some(_)) => {
            Err(ApiError::invalid("grammar", "grammar and response_format exclude each other; send one"))
        }
        (Some(gbnf), None) => Ok(Some(Grammar::Gbnf(gbnf.clone()))),
        (None, format) => Ok(format.map(Grammar::JsonSchema)),
    }
}

/// The JSON schema that a `response_format` asks for; `None` for plain text.
fn schema_of(format: &Value) -> Result<Option<String>, ApiError> {
    let refuse = |message: String| Err(ApiError::invalid("response_format", message));
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(r#"{"type":"object"}"#.to_owned())),
        Some("json_schema") => match format.pointer("/json_schema/schema") {
            Some(schema) if schema.is_object() => Ok(Some(schema.to_string())),
            _ => refuse("response_format.json_schema.schema must be a JSON schema object".into()),
        },
        Some(other) => refuse(format!(
            "response_format \"{other}\" is not supported; use \"text\", \"json_object\" or \"json_schema\""
        )),
        None => refuse("response_format needs a \"type\"".into()),
    }
}

/// Where the turn belongs, from chela's own part of the body or from the headers. `fresh` names a session for a
/// request that names none.
pub(super) fn place(
    chela: Option<&ChelaRequest>,
    headers: &HeaderMap,
    fresh: SessionId,
) -> Result<Place, ApiError> {
    let last = flag(headers, "x-session-done")?;
    if let Some(chela) = chela {
        let session = checked_session(&chela.session.0)?;
        return Ok(Place {
            session,
            parent: Parent::Given(chela.parent),
            source: chela.source,
            kind: chela.kind,
            cwd: chela.cwd.clone(),
            drop_oldest: chela.drop_oldest,
            last,
        });
    }
    let kind = match text(headers, "x-turn-type")? {
        None | Some("main") => TurnKind::Main,
        Some("side") => TurnKind::Side,
        Some(other) => {
            let message = format!("X-Turn-Type \"{other}\" is not known; use main or side");
            return Err(ApiError::bad_request("invalid_header", message));
        }
    };
    let (session, parent) = match text(headers, "x-session-id")? {
        Some(id) => (checked_session(id)?, Parent::Inferred),
        None => (fresh, Parent::Nothing),
    };
    Ok(Place { session, parent, source: Source::Api, kind, cwd: None, drop_oldest: false, last })
}

/// The version that shall answer this request, for comparing versions: `X-Chela-Policy: base`, or `v3`.
pub(super) fn policy(headers: &HeaderMap) -> Result<Option<PolicyVersion>, ApiError> {
    let Some(wanted) = text(headers, "x-chela-policy")? else { return Ok(None) };
    let refuse =
        |err: UnreadableVersion| ApiError::bad_request("invalid_header", format!("X-Chela-Policy: {err}"));
    wanted.parse().map(Some).map_err(refuse)
}

/// Whether lessons may stand in the prompt: `X-Chela-Lessons: off` leaves them out, for comparing.
pub(super) fn lessons(headers: &HeaderMap) -> Result<bool, ApiError> {
    is_on(headers, "X-Chela-Lessons")
}

/// Whether anything may be kept of it: `X-Chela-Record: off`. Honoured from whoever sends it.
pub(super) fn is_recorded(headers: &HeaderMap) -> Result<bool, ApiError> {
    is_on(headers, "X-Chela-Record")
}

fn is_on(headers: &HeaderMap, name: &str) -> Result<bool, ApiError> {
    match text(headers, &name.to_ascii_lowercase())? {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            let message = format!("{name}: \"{other}\" is neither on nor off");
            Err(ApiError::bad_request("invalid_header", message))
        }
    }
}

fn checked_session(id: &str) -> Result<SessionId, ApiError> {
    if id.is_empty() || id.len() > MAX_SESSION_BYTES || id.chars().any(char::is_control) {
        let message = format!("a session id has 1 to {MAX_SESSION_BYTES} bytes and no control characters");
        return Err(ApiError::bad_request("invalid_session", message));
    }
    Ok(SessionId(id.to_owned()))
}

fn flag(headers: &HeaderMap, name: &str) -> Result<bool, ApiError> {
    match text(headers, name)? {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => {
            let message = format!("{name}: \"{other}\" is not known; use true or false");
            Err(ApiError::bad_request("invalid_header", message))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    headers
        .get(name)
        .map(|value| std::str::from_utf8(value.as_bytes()))
        .transpose()
        .map_err(|_| ApiError::bad_request("invalid_header", format!("the header {name} is not UTF-8")))
}

/// The session's name for people: its first request, cut at 80 characters.
pub(super) fn title(request: &ChatRequest) -> String {
    let first = request.messages.iter().find(|message| message.role == Role::User);
    let words: Vec<&str> = first.map_or("", |message| message.content.as_str()).split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default().trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"role":"user","content":"hello"}"#;

    fn body(fields: &str) -> String {
        format!(r#"{{"messages":[{HELLO}]{fields}}}"#)
    }

    /// The message and parameter that a body is refused with.
    #[track_caller]
    fn refused(fields: &str) -> (String, Option<String>) {
        let read = parse(body(fields).as_bytes());
        let error = read.and_then(|request| sampling(&request, &Settings::default(), 7)).unwrap_err();
        assert_eq!(error.status, 400);
        (error.detail.message, error.detail.param)
    }

    #[track_caller]
    fn check_refused(fields: &str, message: &str, param: &str) {
        assert_eq!(refused(fields), (message.to_owned(), Some(param.to_owned())));
    }

    #[track_caller]
    fn accepted(fields: &str) -> Sampling {
        let request = parse(body(fields).as_bytes()).unwrap();
        sampling(&request, &Settings::default(), 7).unwrap()
    }

    #[test]
    fn unknown_fields_are_named_all_of_them() {
        check_refused(
            r#","logit_bias":{"1":2},"modalities":["audio"]"#,
            "not supported: logit_bias, modalities; leave it out",
            "logit_bias",
        );
    }

    #[test]
    fn harmless_fields_and_nulls_are_accepted() {
        accepted(r#","user":"me","metadata":{},"store":true,"logit_bias":null,"seed":null,"stream":null"#);
    }

    #[test]
    fn values_out_of_range_are_named_with_their_range() {
        check_refused(r#","temperature":9"#, "temperature must be 0 to 2", "temperature");
        check_refused(r#","top_p":-1"#, "top_p must be 0 to 1", "top_p");
        check_refused(r#","max_completion_tokens":0"#, "max_tokens must be 1 or more", "max_tokens");
        check_refused(
            r#","top_logprobs":3"#,
            "top_logprobs must be used together with logprobs: true",
            "top_logprobs",
        );
        check_refused(
            r#","logprobs":true,"top_logprobs":21"#,
            "top_logprobs must be 0 to 20",
            "top_logprobs",
        );
    }

    #[test]
    fn what_we_cannot_do_is_refused_by_name() {
        check_refused(r#","n":2"#, "n must be 1: ask again for another answer", "n");
        let message = "tool_choice required is not supported; use \"auto\" or \"none\"";
        check_refused(r#","tool_choice":"required""#, message, "tool_choice");
        assert_eq!(refused(r#","response_format":{"type":"xml"}"#).1.as_deref(), Some("response_format"));
        assert_eq!(refused(r#","stop":["a",""]"#).1.as_deref(), Some("stop"));
        assert_eq!(
            refused(r#","stop":"a","grammar":"root ::= \"a\"","response_format":{"type":"json_object"}"#)
                .1
                .as_deref(),
            Some("grammar")
        );
    }

    #[test]
    fn malformed_json_says_where() {
        let error = parse(b"{\"messages\": [}").unwrap_err();
        assert_eq!(error.detail.message, "the body is not JSON: expected value at line 1 column 15");
        let error = parse(b"{\"messages\": 3}").unwrap_err();
        assert!(error.detail.message.contains("line 1 column 14"), "{}", error.detail.message);
        let missing = parse(b"{}").unwrap_err();
        assert!(missing.detail.message.contains("missing field `messages`"), "{}", missing.detail.message);
    }

    #[test]
    fn the_request_wins_over_the_settings() {
        let sampling = accepted(r#","temperature":0,"stop":"x","seed":5,"max_tokens":3"#);
        let ours = Settings::default().sampling;
        let expected = Sampling {
            temperature: 0.0,
            top_k: ours.top_k,
            top_p: ours.top_p,
            min_p: ours.min_p,
            seed: Some(5),
            stop: vec!["x".into()],
            max_tokens: 3,
            ..Sampling::default()
        };
        assert_eq!(sampling, expected);
        assert_eq!(accepted("").seed, Some(7));
        assert_eq!(accepted(r#","seed":-1"#).seed, Some(7));
        assert_eq!(accepted(r#","seed":4294967298"#).seed, Some(2));
    }

    #[test]
    fn response_formats_become_grammars() {
        let object = accepted(r#","response_format":{"type":"json_object"}"#).grammar;
        assert_eq!(object, Some(Grammar::JsonSchema(r#"{"type":"object"}"#.into())));
        let schema = accepted(
            r#","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"array"}}}"#,
        );
        assert_eq!(schema.grammar, Some(Grammar::JsonSchema(r#"{"type":"array"}"#.into())));
        assert_eq!(accepted(r#","response_format":{"type":"text"}"#).grammar, None);
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn placed(pairs: &[(&'static str, &str)]) -> Result<Place, String> {
        place(None, &headers(pairs), SessionId("fresh".into())).map_err(|error| error.detail.message)
    }

    #[test]
    fn headers_place_a_turn() {
        let place =
            placed(&[("x-session-id", "s1"), ("x-turn-type", "side"), ("x-session-done", "true")]).unwrap();
        assert_eq!((place.session.0.as_str(), place.kind, place.last), ("s1", TurnKind::Side, true));
        assert_eq!(place.parent, Parent::Inferred);
        let fresh = placed(&[]).unwrap();
        assert_eq!(
            (fresh.session.0.as_str(), fresh.parent, fresh.source),
            ("fresh", Parent::Nothing, Source::Api)
        );
    }

    #[test]
    fn bad_headers_are_refused() {
        assert!(placed(&[("x-session-id", &"s".repeat(129))]).is_err());
        assert!(placed(&[("x-turn-type", "other")]).unwrap_err().contains("main or side"));
        assert!(placed(&[("x-session-done", "perhaps")]).is_err());
    }

    #[test]
    fn a_title_is_the_first_request_in_one_line() {
        let request = |text: &str| ChatRequest {
            messages: vec![crate::turn::Message::new(Role::User, text)],
            ..ChatRequest::default()
        };
        assert_eq!(title(&request(" two\n lines ")), "two lines");
        assert_eq!(title(&request(&"ä".repeat(81))), format!("{}…", "ä".repeat(80)));
    }
}
