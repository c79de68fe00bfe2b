//! Which address does what. Thin: each function says what goes in and what comes out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::Instrument;

use super::auth::{TokenHash, require_token};
use super::error::ApiError;
use super::learner::wishes;
use super::models::Slot;
use super::state::Daemon;
use super::wire::{
    AdapterList, Health, Interrupted, MAX_BODY, RollBack, SessionList, SessionThread, Shutdown, Status,
    TurnRow, UseAdapter, UseModel,
};
use super::{
    ModelChoice, backing_up, chat, credit, events, forgetting, importing, looking, request, review, shell,
    teaching,
};
use crate::turn::{Ending, SessionId, TurnId};

/// A client that asks to be told when the model is there asks again after this long.
const LONG_POLL: Duration = Duration::from_secs(20);
const DEFAULT_SESSIONS: usize = 50;
const MAX_SESSIONS: usize = 1000;

type Shared = State<Arc<Daemon>>;

/// The routes for the Unix socket.
pub(super) fn open(daemon: Arc<Daemon>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/chela/v1/status", get(status))
        .route("/chela/v1/sessions", get(sessions))
        .route("/chela/v1/sessions/{id}", get(session))
        .route("/chela/v1/turns", get(looking::turns))
        .route("/chela/v1/turns/{id}", get(turn))
        .route("/chela/v1/turns/{id}/interrupt", post(interrupt))
        .route("/chela/v1/model", post(use_model))
        .route("/chela/v1/adapters", get(adapters))
        .route("/chela/v1/adapters/use", post(use_adapter))
        .route("/chela/v1/adapters/rollback", post(roll_back))
        .route("/chela/v1/turns/{id}/why", get(teaching::why))
        .route("/chela/v1/turns/{id}/rating", post(teaching::rate))
        .route("/chela/v1/turns/{id}/next-states", post(teaching::next_state))
        .route("/chela/v1/lessons", get(teaching::lessons).post(teaching::teach))
        .route("/chela/v1/lessons/{id}", get(teaching::lesson).post(teaching::change))
        .route("/chela/v1/review", get(review::list))
        .route("/chela/v1/review/answer", post(review::answer))
        .route("/chela/v1/lessons/{id}/undo", post(review::undo_lesson))
        .route("/chela/v1/turns/{id}/credit", post(credit::credit))
        .route("/chela/v1/turns/{id}/hint", post(review::reword_hint))
        .route("/chela/v1/turns/{id}/hint/undo", post(review::undo_hint))
        .route("/chela/v1/turns/{id}/rating/undo", post(review::undo_rating))
        .route("/chela/v1/exclusions", post(review::exclude))
        .route("/chela/v1/learn", get(wishes::status))
        .route("/chela/v1/learn/now", post(wishes::now))
        .route("/chela/v1/learn/pause", post(wishes::pause))
        .route("/chela/v1/learn/resume", post(wishes::resume))
        .route("/chela/v1/learn/cancel", post(wishes::cancel))
        .route("/chela/v1/learn/runs", get(wishes::runs))
        .route("/chela/v1/learn/runs/{id}", get(wishes::run))
        .route("/chela/v1/forget", post(forgetting::forget))
        .route("/chela/v1/forget/answers", post(forgetting::answers))
        .route("/chela/v1/backup", post(backing_up::back_up))
        .route("/chela/v1/import", post(importing::import))
        .route("/chela/v1/shell/commands", post(shell::commands))
        .route("/chela/v1/shell/{shell}", get(shell::memory))
        .route("/chela/v1/stats", get(looking::stats))
        .route("/chela/v1/events", get(events::events))
        .route("/chela/v1/shutdown", post(shutdown))
        .fallback(unknown_address)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn(logged))
        .with_state(daemon)
}

/// Everything that a request leads to is logged under its method and address.
async fn logged(request: Request, next: Next) -> Response {
    let span = tracing::info_span!("request", method = %request.method(), path = request.uri().path());
    async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}

/// The same routes for TCP: with the token only.
pub(super) fn guarded(daemon: Arc<Daemon>, token: TokenHash) -> Router {
    open(daemon).layer(axum::middleware::from_fn_with_state(Arc::new(token), require_token))
}

/// The whole body. One that is too long is read to its end before it is refused: a client that is still sending
/// would otherwise see a broken connection instead of the reason.
pub(super) async fn read(body: Body) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let (mut all, mut n_bytes) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|err| ApiError::bad_request("body_lost", format!("the body ended early: {err}")))?;
        n_bytes = n_bytes.saturating_add(chunk.len());
        if n_bytes <= MAX_BODY {
            all.extend_from_slice(&chunk);
        } else {
            all = Vec::new();
        }
    }
    if n_bytes > MAX_BODY {
        return Err(too_large(n_bytes));
    }
    Ok(all.into())
}

fn too_large(n_bytes: usize) -> ApiError {
    let message = format!("the body has {n_bytes} bytes, at most {MAX_BODY} are read; send less text");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message).code("body_too_large")
}

async fn unknown_address(uri: Uri) -> ApiError {
    ApiError::not_found("unknown_url", format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message).code("method_not_allowed")
}

async fn health(State(daemon): Shared) -> Json<Health> {
    Json(daemon.health())
}

async fn models(State(daemon): Shared) -> Json<Value> {
    let all: Vec<Value> = entry(&daemon).into_iter().collect();
    Json(json!({"object": "list", "data": all}))
}

async fn model(State(daemon): Shared, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = entry(&daemon).filter(|entry| entry.get("id").and_then(Value::as_str) == Some(&id));
    let message = || format!("model \"{id}\" is not loaded; `chela model use` loads it");
    found.map(Json).ok_or_else(|| ApiError::not_found("model_not_found", message()))
}

/// OpenAI's model object for the loaded model.
fn entry(daemon: &Daemon) -> Option<Value> {
    let Slot::Ready(serving) = daemon.models.slot() else { return None };
    let card = serving.engine.card();
    Some(json!({
        "id": card.name,
        "object": "model",
        "created": daemon.started_at,
        "owned_by": "chela",
        "context_length": card.n_ctx,
    }))
}

#[derive(Deserialize)]
struct StatusQuery {
    /// Answer only when the model is loaded or cannot be, or after [`LONG_POLL`].
    #[serde(default)]
    settled: bool,
}

async fn status(
    State(daemon): Shared,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Json<Status>, ApiError> {
    let Query(query) = query.map_err(|err| bad_query(&err))?;
    if query.settled && daemon.is_loading() {
        let settled = tokio::time::timeout(LONG_POLL, daemon.settled_status()).await;
        return Ok(Json(settled.unwrap_or_else(|_| daemon.status())));
    }
    Ok(Json(daemon.status()))
}

#[derive(Deserialize)]
struct SessionQuery {
    limit: Option<usize>,
    query: Option<String>,
}

async fn sessions(
    State(daemon): Shared,
    query: Result<Query<SessionQuery>, QueryRejection>,
) -> Result<Json<SessionList>, ApiError> {
    let Query(SessionQuery { limit, query }) = query.map_err(|err| bad_query(&err))?;
    let limit = limit.unwrap_or(DEFAULT_SESSIONS).min(MAX_SESSIONS);
    Ok(Json(SessionList { sessions: daemon.ledger.sessions(limit, query).await? }))
}

async fn session(State(daemon): Shared, Path(id): Path<String>) -> Result<Json<SessionThread>, ApiError> {
    Ok(Json(daemon.ledger.session_thread(SessionId(id)).await?))
}

async fn turn(State(daemon): Shared, Path(id): Path<String>) -> Result<Json<TurnRow>, ApiError> {
    Ok(Json(daemon.ledger.turn(turn_id(&id)?).await?))
}

async fn interrupt(State(daemon): Shared, Path(id): Path<String>) -> Result<Json<Interrupted>, ApiError> {
    let turn = turn_id(&id)?;
    let was_running = daemon.register.stop(turn, Ending::Interrupted);
    if !was_running && turn.is_recorded() {
        // A turn that never was is another answer than one that has ended.
        daemon.ledger.turn(turn).await?;
    }
    Ok(Json(Interrupted { was_running }))
}

async fn use_model(State(daemon): Shared, body: Body) -> Result<Json<Status>, ApiError> {
    let UseModel { name } =
        serde_json::from_slice(&read(body).await?).map_err(|err| request::not_json(&err))?;
    let choice = ModelChoice { name, n_ctx: daemon.settings.model.context };
    // In a task of its own: a client that goes away does not undo half of it.
    let loading = Arc::clone(&daemon);
    let loaded = tokio::spawn(async move { loading.models.load(&choice).await }).await;
    loaded.map_err(|err| ApiError::internal("model_not_loaded", format!("loading it died: {err}")))??;
    Ok(Json(daemon.status()))
}

async fn adapters(State(daemon): Shared) -> Result<Json<AdapterList>, ApiError> {
    let slot = daemon.models.slot();
    let serving = if let Slot::Ready(serving) = &slot { Some(serving.as_ref()) } else { None };
    Ok(Json(daemon.policies.list(serving).await?))
}

async fn use_adapter(State(daemon): Shared, body: Body) -> Result<Json<AdapterList>, ApiError> {
    let UseAdapter { version, reason } =
        serde_json::from_slice(&read(body).await?).map_err(|err| request::not_json(&err))?;
    let serving = daemon.models.serving().await?;
    // In a task of its own: a client that goes away does not undo half of it.
    let switching = tokio::spawn(async move {
        daemon.policies.switch(&serving, version, &reason).await?;
        daemon.serves(version).await?;
        daemon.policies.list(Some(&serving)).await
    });
    switched(switching.await)
}

/// Back to what served before.
async fn roll_back(State(daemon): Shared, body: Body) -> Result<Json<AdapterList>, ApiError> {
    let RollBack { reason } =
        serde_json::from_slice(&read(body).await?).map_err(|err| request::not_json(&err))?;
    let serving = daemon.models.serving().await?;
    let switching = tokio::spawn(async move {
        let version = daemon.policies.roll_back(&serving, &reason).await?;
        daemon.serves(version).await?;
        daemon.policies.list(Some(&serving)).await
    });
    switched(switching.await)
}

fn switched(
    list: Result<Result<AdapterList, ApiError>, tokio::task::JoinError>,
) -> Result<Json<AdapterList>, ApiError> {
    list.map_err(|err| ApiError::internal("adapter_failed", format!("switching died: {err}")))?.map(Json)
}

async fn shutdown(State(daemon): Shared, body: Body) -> Result<Json<Value>, ApiError> {
    let body = read(body).await?;
    let wish = if body.is_empty() {
        Shutdown::default()
    } else {
        serde_json::from_slice(&body).map_err(|err| request::not_json(&err))?
    };
    daemon.stop(wish.wait_s);
    Ok(Json(json!({"stopping": true, "running_requests": daemon.register.count()})))
}

pub(super) fn turn_id(id: &str) -> Result<TurnId, ApiError> {
    id.parse()
        .map(TurnId)
        .map_err(|_| ApiError::not_found("turn_not_found", format!("\"{id}\" is no turn's number")))
}

pub(super) fn bad_query(err: &QueryRejection) -> ApiError {
    ApiError::bad_request("invalid_query", err.body_text())
}
