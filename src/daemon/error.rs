//! What the daemon refuses or fails to do, in OpenAI's error shape. Every refusal of every route goes through here,
//! so a client never has to read anything else.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::wire::{ErrorBody, ErrorDetail};
use crate::engine::EngineError;
use crate::store::StoreError;
use crate::turn::template::TemplateError;

/// A refusal: the HTTP status and OpenAI's error object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) detail: ErrorDetail,
}

impl ApiError {
    /// The request is wrong; `param` names the field.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message);
        error.detail.param = Some(param.to_owned());
        error
    }

    /// The request is wrong as a whole.
    pub(super) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message).code(code)
    }

    pub(super) fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message).code(code)
    }

    /// The daemon cannot do it now; the same request may work later.
    pub(super) fn unavailable(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", message).code(code)
    }

    /// The daemon failed.
    pub(super) fn internal(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message).code(code)
    }

    pub(super) fn new(status: StatusCode, r#type: &str, message: impl Into<String>) -> Self {
        let detail =
            ErrorDetail { message: message.into(), r#type: r#type.to_owned(), param: None, code: None };
        Self { status, detail }
    }

    pub(super) fn code(mut self, code: &str) -> Self {
        self.detail.code = Some(code.to_owned());
        self
    }

    pub(super) fn body(&self) -> ErrorBody {
        ErrorBody { error: self.detail.clone() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

impl From<EngineError> for ApiError {
    fn from(err: EngineError) -> Self {
        let message = err.to_string();
        match err {
            EngineError::PromptTooLong { .. } => Self::bad_request("context_length_exceeded", message),
            EngineError::Grammar(_) => Self::bad_request("invalid_grammar", message),
            EngineError::EmptyPrompt => Self::invalid("messages", message),
            EngineError::Tokenize(_) => Self::bad_request("invalid_text", message),
            EngineError::Cancelled | EngineError::Stopped => Self::unavailable("engine_stopped", message),
            EngineError::Load { .. } => Self::unavailable("model_not_loaded", message),
            EngineError::UnknownPolicy(_)
            | EngineError::Adapter(_)
            | EngineError::NoEmbeddings(_)
            | EngineError::Compute(_) => Self::internal("engine_failed", message),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(err: StoreError) -> Self {
        let message = err.to_string();
        match err {
            StoreError::NoSession(_) => Self::not_found("session_not_found", message),
            StoreError::NoTurn(_) => Self::not_found("turn_not_found", message),
            StoreError::NoLesson(_) => Self::not_found("lesson_not_found", message),
            StoreError::TurnRunning(_) => Self::bad_request("turn_running", message),
            StoreError::LessonMoved(_) | StoreError::TurnMoved(_) => Self::bad_request("moved", message),
            StoreError::NotKept(_) => Self::bad_request("not_kept", message),
            StoreError::NoVerdict(_) => Self::bad_request("no_verdict", message),
            StoreError::Excluded(_) => Self::bad_request("excluded", message),
            StoreError::NotExcluded(_) => Self::bad_request("not_excluded", message),
            StoreError::LogInUse => Self::unavailable("ledger_in_use", message),
            _ => Self::internal("ledger_failed", message),
        }
    }
}

impl From<TemplateError> for ApiError {
    fn from(err: TemplateError) -> Self {
        Self::bad_request("template_failed", err.to_string())
    }
}
