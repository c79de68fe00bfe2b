//! Connections: accepted from the Unix socket and from TCP, counted, and closed gently when the daemon ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::state::Daemon;

/// Pause after a failed `accept`: mostly there are no file descriptors left, and a loop would not free any.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What both listeners need: whom to serve, with what, and until when.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) daemon: Arc<Daemon>,
    pub(super) router: Router,
    /// True: accept nobody else and let connections end.
    pub(super) closing: watch::Receiver<bool>,
}

pub(super) async fn unix(listener: UnixListener, door: Door) {
    let mut closing = door.closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => door.welcome(stream),
                Err(err) => pause(&err).await,
            },
            () = closed(&mut closing) => return,
        }
    }
}

pub(super) async fn tcp(listener: TcpListener, door: Door) {
    let mut closing = door.closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Tokens are small and somebody waits for each; without it they only come later.
                    let _ = stream.set_nodelay(true);
                    door.welcome(stream);
                }
                Err(err) => pause(&err).await,
            },
            () = closed(&mut closing) => return,
        }
    }
}

async fn pause(err: &std::io::Error) {
    tracing::warn!(%err, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Returns when the daemon ends.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|&closing| closing).await;
}

impl Door {
    fn welcome(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let present = Present::new(Arc::clone(&self.daemon));
        let service = TowerToHyperService::new(self.router.clone());
        let mut closing = self.closing.clone();
        tokio::spawn(async move {
            let _present = present;
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = closed(&mut closing) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(err) = served {
                tracing::debug!(%err, "a connection ended early");
            }
        });
    }
}

/// A connection that counts as long as it lives.
struct Present(Arc<Daemon>);

impl Present {
    fn new(daemon: Arc<Daemon>) -> Self {
        daemon.presence.connected();
        Self(daemon)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.presence.disconnected();
    }
}
