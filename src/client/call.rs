//! One HTTP call over the Unix socket, blocking: a connection of its own, on a runtime of its own.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::ClientError;
use crate::daemon::wire::{ErrorBody, MAX_BODY};

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Call {
    pub(super) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(super) fn with_body(path: &str, body: Vec<u8>) -> Self {
        Self { method: Method::POST, path: path.to_owned(), headers: Vec::new(), body: body.into() }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    body: Bytes,
}

impl Answer {
    /// The body, or the daemon's refusal.
    pub(super) fn good_body(&self) -> Result<&[u8], ClientError> {
        if (200..300).contains(&self.status) { Ok(&self.body) } else { Err(refusal(self.status, &self.body)) }
    }
}

/// Asks and waits for the whole answer.
pub(super) fn send(socket: &Path, call: &Call) -> Result<Answer, ClientError> {
    runtime()?.block_on(async {
        let (response, _connection) = open(socket, call.clone()).await?;
        whole(response).await
    })
}

/// Like [`send`], but gives up after `limit`.
pub(super) fn send_within(socket: &Path, call: &Call, limit: Duration) -> Result<Answer, ClientError> {
    let late = || ClientError::Io(std::io::ErrorKind::TimedOut.into());
    runtime()?.block_on(async {
        let asked = async {
            let (response, _connection) = open(socket, call.clone()).await?;
            whole(response).await
        };
        tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(late()))
    })
}

pub(super) fn runtime() -> Result<Runtime, ClientError> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The connection's task; ends with it.
pub(super) struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks and returns when the answer begins. The answer can be read as long as the connection is kept.
pub(super) async fn open(socket: &Path, call: Call) -> Result<(Response<Incoming>, Connection), ClientError> {
    if call.body.len() > MAX_BODY {
        let n_bytes = call.body.len();
        let message = format!("the request has {n_bytes} bytes, at most {MAX_BODY} are read; send less text");
        return Err(ClientError::Refused { status: 413, code: Some("body_too_large".into()), message });
    }
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| ClientError::Lost)?;
    let connection = Connection(tokio::spawn(async move {
        // What went wrong is told by the call that it went wrong for.
        let _ = connection.await;
    }));
    let mut request = Request::builder()
        .method(call.method)
        .uri(call.path)
        .header(HOST, "chela")
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(call.body)).map_err(|err| ClientError::Garbled(err.to_string()))?;
    let response = sender.send_request(request).await.map_err(|_| ClientError::Lost)?;
    Ok((response, connection))
}

/// Reads an answer to its end.
pub(super) async fn whole(response: Response<Incoming>) -> Result<Answer, ClientError> {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|_| ClientError::Lost)?.to_bytes();
    Ok(Answer { status, body })
}

/// The daemon's sentence, or what there is instead of one.
pub(super) fn refusal(status: u16, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error }) => ClientError::Refused { status, code: error.code, message: error.message },
        Err(_) => ClientError::Garbled(format!("status {status}")),
    }
}
