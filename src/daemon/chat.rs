//! `POST /v1/chat/completions`: from a request to a plan, and from a running answer to a response.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use jiff::Timestamp;
use serde_json::json;

use super::answer::{self, Plan, now_ms};
use super::book;
use super::error::ApiError;
use super::hiding::{self, Hidden, Restored};
use super::models::Serving;
use super::policy::Lease;
use super::prompt::{Layout, Prompt};
use super::record::Record;
use super::reply::{Envelope, Piece, Reader};
use super::request::{self, Parent, Place};
use super::state::Daemon;
use super::threads::{self, Continuation};
use super::wire::ChatRequest;
use super::{auth, routes};
use crate::config::Keep;
use crate::engine::{Grammar, Sampling};
use crate::lesson::Lesson;
use crate::store::{NewSession, NewTurn};
use crate::turn::{PolicyVersion, SessionId, Source, TurnKind};

pub(super) async fn complete(State(daemon): State<Arc<Daemon>>, headers: HeaderMap, body: Body) -> Response {
    let (mut response, policy) = match respond(&daemon, &headers, body).await {
        Ok((response, policy)) => (response, policy),
        Err(error) => (error.into_response(), daemon.policy()),
    };
    if let Ok(policy) = HeaderValue::from_str(&policy.to_string()) {
        response.headers_mut().insert("x-chela-policy", policy);
    }
    response
}

/// The answer, and which version it is from.
async fn respond(
    daemon: &Arc<Daemon>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Response, PolicyVersion), ApiError> {
    let mut request = request::parse(&routes::read(body).await?)?;
    let hidden = hiding::hide(&daemon.redactor, &mut request.messages);
    let session = SessionId(auth::random_hex::<16>()?);
    let place = request::place(request.chela.as_ref(), headers, session)?;
    let seed = u32::from_ne_bytes(auth::random()?);
    let wanted = request::policy(headers)?;
    let sampling = request::sampling(&request, &daemon.settings, seed)?;
    let serving = daemon.models.serving().await?;
    request::check_model(request.model.as_deref(), &serving.engine.card().name)?;
    let keep = daemon.keep_of(&request, headers, &place)?;
    let continued = match keep {
        Keep::Nothing => threads::UNRECORDED,
        _ => threads::find(&daemon.ledger, &place, &request.messages).await?,
    };
    let policy = daemon.policies.lease(&serving, wanted).await?;
    let version = policy.version();
    let with_lessons = request::lessons(headers)? && place.kind == TurnKind::Main;
    let lessons =
        if with_lessons { daemon.lessons_for(&request, &place, version).await? } else { Vec::new() };
    let (wants_stream, mut envelope) = (request.stream, envelope(&request, &serving));
    let answering = Answering { serving, policy, lessons, hidden };
    let plan = tokio::task::spawn_blocking(move || plan(request, &place, sampling, answering, continued))
        .await
        .map_err(|err| ApiError::internal("prompt_failed", format!("making the prompt died: {err}")))??;
    let plan = Plan { teaches: plan.teaches && keep == Keep::All, ..plan };
    let entered = daemon.register.enter().ok_or_else(|| {
        ApiError::unavailable("stopping", "the daemon is stopping; ask again and a new one is started")
    })?;
    let mut reader = answer::begin(plan, Record::new(keep, &daemon.ledger), entered);
    let first = match reader.next().await {
        Piece::Failed(error) => return Err(error),
        first => first,
    };
    if let Piece::Opened(chela) = &first {
        let mark = if chela.turn.is_recorded() { "" } else { "off-" };
        envelope.id = format!("chatcmpl-{mark}{}", chela.turn.0.unsigned_abs());
    }
    if !wants_stream {
        return Ok((Json(envelope.whole(reader).await?).into_response(), version));
    }
    let response = Sse::new(events(reader, envelope, first)).keep_alive(KeepAlive::default());
    Ok((response.into_response(), version))
}

impl Daemon {
    /// The lessons that the prompt gets.
    async fn lessons_for(
        &self,
        request: &ChatRequest,
        place: &Place,
        version: PolicyVersion,
    ) -> Result<Vec<Lesson>, ApiError> {
        let lineage = self.ledger.lineage(version).await?;
        Ok(self.book.choose(&book::Wanted {
            messages: &request.messages,
            cwd: place.cwd.as_deref(),
            session: &place.session.0,
            serving: version,
            lineage: &lineage,
        }))
    }
}

fn envelope(request: &ChatRequest, serving: &Serving) -> Envelope {
    Envelope {
        id: String::new(),
        created: Timestamp::now().as_second(),
        model: serving.engine.card().name.clone(),
        logprobs: request.logprobs == Some(true),
        include_usage: request.stream_options.as_ref().is_some_and(|options| options.include_usage),
    }
}

/// What computes the answer: a model and a version of the policy on it.
struct Answering {
    serving: Arc<Serving>,
    policy: Lease,
    /// That fit the request.
    lessons: Vec<Lesson>,
    hidden: Hidden,
}

/// Everything that the answer needs; rendering and tokenizing take long for long prompts.
fn plan(
    request: ChatRequest,
    place: &Place,
    mut sampling: Sampling,
    answering: Answering,
    continued: Continuation,
) -> Result<Plan, ApiError> {
    let Answering { serving, policy, lessons, hidden } = answering;
    let template =
        serving.template.clone().map_err(|err| ApiError::internal("template_failed", err.to_string()))?;
    let engine = serving.engine.as_ref();
    // What the client said is what the ledger keeps; the lessons of a turn stand beside it.
    let messages = book::with_system(&request.messages, &lessons);
    let layout = Layout {
        engine,
        template: &template,
        messages: &messages,
        tools: request::tools(&request),
        wanted: sampling.max_tokens,
        drop_oldest: place.drop_oldest,
    };
    let Prompt { tokens, n_dropped, room } = layout.fit()?;
    sampling.max_tokens = sampling.max_tokens.min(room);
    let started_at = now_ms();
    let title = if place.kind == TurnKind::Main { request::title(&request) } else { String::new() };
    let turn = NewTurn {
        session: place.session.clone(),
        parent: continued.parent,
        kind: place.kind,
        source: place.source,
        cwd: place.cwd.clone(),
        messages: request.messages.into_iter().skip(continued.n_known).collect(),
        prompt: tokens.clone(),
        policy: policy.version(),
        model: engine.card().name.clone(),
        settings: settings(&sampling).to_string(),
        started_at,
    };
    let session =
        NewSession { id: place.session.clone(), source: place.source, cwd: place.cwd.clone(), started_at };
    Ok(Plan {
        prompt: tokens,
        logprobs: request.logprobs == Some(true),
        policy,
        last: place.last,
        title: if place.parent == Parent::Nothing || continued.begins_session {
            title
        } else {
            String::new()
        },
        serving,
        sampling,
        session,
        turn,
        n_dropped,
        lessons,
        // Unknown clients are served and not learned from.
        teaches: place.source != Source::Api,
        restored: Restored::new(hidden),
    })
}

/// Sampling settings as the ledger keeps them.
fn settings(sampling: &Sampling) -> serde_json::Value {
    let grammar = sampling.grammar.as_ref().map(|grammar| match grammar {
        Grammar::Gbnf(text) => json!({"gbnf": text}),
        Grammar::JsonSchema(text) => json!({"json_schema": text}),
    });
    json!({
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": sampling.repeat_last_n,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "seed": sampling.seed,
        "stop": sampling.stop,
        "max_tokens": sampling.max_tokens,
        "grammar": grammar,
    })
}

/// An answer being told as server-sent events.
struct Telling {
    reader: Reader,
    envelope: Envelope,
    lines: VecDeque<String>,
    over: bool,
}

fn events(reader: Reader, envelope: Envelope, first: Piece) -> impl Stream<Item = Result<Event, Infallible>> {
    let lines = envelope.lines(first).into();
    let telling = Telling { reader, envelope, lines, over: false };
    stream::unfold(telling, |mut telling| async move {
        let line = telling.next_line().await?;
        Some((Ok(Event::default().data(line)), telling))
    })
}

impl Telling {
    async fn next_line(&mut self) -> Option<String> {
        if self.lines.is_empty() && !self.over {
            let piece = self.reader.next().await;
            self.over = matches!(piece, Piece::Ended { .. } | Piece::Failed(_));
            self.lines = self.envelope.lines(piece).into();
        }
        self.lines.pop_front()
    }
}
