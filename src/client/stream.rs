//! The chunks of a running answer, read by a thread of their own.

use std::path::{Path, PathBuf};
use std::thread;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};

use super::ClientError;
use super::call::{self, Call};
use super::sse::Events;
use crate::daemon::wire::{ChatChunk, ErrorBody};

/// Chunks that wait for the caller; more wait in the daemon, which puts them together.
const WAITING: usize = 64;

type Chunk = Result<ChatChunk, ClientError>;

/// The chunks of one answer, in order; ends after the last one. Dropping it disconnects.
#[derive(Debug)]
pub struct ChatStream {
    chunks: mpsc::Receiver<Chunk>,
    /// The reading thread ends when this is dropped.
    _alive: oneshot::Sender<()>,
}

impl Iterator for ChatStream {
    type Item = Chunk;

    fn next(&mut self) -> Option<Self::Item> {
        self.chunks.blocking_recv()
    }
}

/// Asks, and returns when the daemon has taken or refused the request.
pub(super) fn open(socket: &Path, call: Call) -> Result<ChatStream, ClientError> {
    let (alive, gone) = oneshot::channel();
    let (chunks_out, chunks) = mpsc::channel(WAITING);
    let (taken, outcome) = oneshot::channel();
    let reading = Reading { socket: socket.to_path_buf(), call, chunks: chunks_out };
    thread::Builder::new().name("chat-stream".into()).spawn(move || reading.run(taken, gone))?;
    outcome.blocking_recv().unwrap_or(Err(ClientError::Lost))?;
    Ok(ChatStream { chunks, _alive: alive })
}

struct Reading {
    socket: PathBuf,
    call: Call,
    chunks: mpsc::Sender<Chunk>,
}

type Taken = oneshot::Sender<Result<(), ClientError>>;

impl Reading {
    fn run(self, taken: Taken, gone: oneshot::Receiver<()>) {
        let runtime = match call::runtime() {
            Ok(runtime) => runtime,
            Err(err) => return drop(taken.send(Err(err))),
        };
        runtime.block_on(async {
            tokio::select! {
                () = self.read(taken) => {}
                _ = gone => {}
            }
        });
    }

    async fn read(self, taken: Taken) {
        let (response, _connection) = match call::open(&self.socket, self.call).await {
            Ok(opened) => opened,
            Err(err) => return drop(taken.send(Err(err))),
        };
        if !response.status().is_success() {
            let whole = call::whole(response).await;
            let refused = whole.and_then(|answer| answer.good_body().map(drop));
            return drop(taken.send(refused));
        }
        if taken.send(Ok(())).is_ok()
            && let Err(err) = forward(response, &self.chunks).await
        {
            // A caller who has gone does not want to know.
            let _ = self.chunks.send(Err(err)).await;
        }
    }
}

/// Sends on what comes in. Only `[DONE]` is a good end.
async fn forward(response: Response<Incoming>, chunks: &mpsc::Sender<Chunk>) -> Result<(), ClientError> {
    let mut body = response.into_body();
    let mut events = Events::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ClientError::Lost)?;
        for event in frame.data_ref().map(|bytes| events.push(bytes)).unwrap_or_default() {
            if event == "[DONE]" {
                return Ok(());
            }
            if chunks.send(Ok(parse(&event)?)).await.is_err() {
                return Ok(());
            }
        }
    }
    Err(ClientError::Lost)
}

fn parse(event: &str) -> Chunk {
    if let Ok(ErrorBody { error }) = serde_json::from_str(event) {
        return Err(ClientError::Refused { status: 500, code: error.code, message: error.message });
    }
    serde_json::from_str(event).map_err(|err| ClientError::Garbled(err.to_string()))
}
