//! The token of the TCP endpoint, and randomness for it and for whatever else needs a fresh name.
//!
//! The Unix socket needs no token: its directory lets nobody else in. A token itself is never kept, only its hash.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use crate::config::disk;

/// SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Takes the same time whatever differs.
    fn admits(self, token: &str) -> bool {
        let other = Self::of(token);
        self.0.iter().zip(other.0).fold(0, |differing, (ours, theirs)| differing | (ours ^ theirs)) == 0
    }
}

/// A fresh token, 256 bits in hexadecimal digits.
pub fn generate_token() -> std::io::Result<String> {
    Ok(disk::hex(&bytes::<32>()?))
}

/// Lets nobody past without the token. `/health` tells nothing that needs one.
pub(super) async fn require_token(
    State(expected): State<Arc<TokenHash>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("bearer") // RFC 9110: scheme names have no case.
    });
    if request.uri().path() == "/health" || token.is_some_and(|(_, token)| expected.admits(token.trim())) {
        return next.run(request).await;
    }
    let message = match given {
        None => "no token; send \"Authorization: Bearer TOKEN\" with the token that `chela serve` printed",
        Some(_) => "the token is not the right one; `chela serve` printed it when it started",
    };
    let error = ApiError::new(StatusCode::UNAUTHORIZED, "authentication_error", message);
    let mut response = error.code("invalid_api_key").into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// `N` random bytes in hexadecimal digits.
pub(super) fn random_hex<const N: usize>() -> Result<String, ApiError> {
    Ok(disk::hex(&random::<N>()?))
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    bytes().map_err(|err| ApiError::internal("no_randomness", err.to_string()))
}

fn bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|err| std::io::Error::other(format!("the system gives no randomness: {err}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_admitted() {
        let hash = TokenHash::of("secret");
        assert!(hash.admits("secret"));
        assert!(!hash.admits("secre"));
        assert!(!hash.admits(""));
    }

    #[test]
    fn fresh_tokens_differ() {
        let (one, other) = (generate_token().unwrap(), generate_token().unwrap());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}
