//! What the daemon tells bit by bit, read by a thread of its own: the chunks of a running answer, the loop's events.

use std::path::{Path, PathBuf};
use std::thread;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::ClientError;
use super::call::{self, Call};
use super::sse::Events;
use crate::daemon::wire::{ChatChunk, ErrorBody, LoopEvent};

/// Chunks that wait for the caller; more wait in the daemon, which puts them together.
const WAITING: usize = 64;

/// The chunks of one answer, in order; ends after the last one.
pub type ChatStream = Told<ChatChunk>;

/// What happens in the loop, until the daemon ends.
pub type LoopStream = Told<LoopEvent>;

/// A stream of events as values. Dropping it disconnects.
#[derive(Debug)]
pub struct Told<T> {
    chunks: mpsc::Receiver<Result<T, ClientError>>,
    /// The reading thread ends when this is dropped.
    _alive: oneshot::Sender<()>,
}

impl<T> Iterator for Told<T> {
    type Item = Result<T, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.chunks.blocking_recv()
    }
}

/// Asks, and returns when the daemon has taken or refused the request.
pub(super) fn open<T: DeserializeOwned + Send + 'static>(
    socket: &Path,
    call: Call,
) -> Result<Told<T>, ClientError> {
    let (alive, gone) = oneshot::channel();
    let (chunks_out, chunks) = mpsc::channel(WAITING);
    let (taken, outcome) = oneshot::channel();
    let reading = Reading { socket: socket.to_path_buf(), call, chunks: chunks_out };
    thread::Builder::new().name("told".into()).spawn(move || reading.run(taken, gone))?;
    outcome.blocking_recv().unwrap_or(Err(ClientError::Lost))?;
    Ok(Told { chunks, _alive: alive })
}

struct Reading<T> {
    socket: PathBuf,
    call: Call,
    chunks: mpsc::Sender<Result<T, ClientError>>,
}

type Taken = oneshot::Sender<Result<(), ClientError>>;

impl<T: DeserializeOwned> Reading<T> {
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
async fn forward<T: DeserializeOwned>(
    response: Response<Incoming>,
    chunks: &mpsc::Sender<Result<T, ClientError>>,
) -> Result<(), ClientError> {
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

fn parse<T: DeserializeOwned>(event: &str) -> Result<T, ClientError> {
    if let Ok(ErrorBody { error }) = serde_json::from_str(event) {
        return Err(ClientError::Refused { status: 500, code: error.code, message: error.message });
    }
    serde_json::from_str(event).map_err(|err| ClientError::Garbled(err.to_string()))
}
