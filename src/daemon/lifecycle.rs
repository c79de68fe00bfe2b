//! From the first connection to the last: what makes the daemon end, and in which order it does.
//!
//! Order of ending: no new answers → running ones finish or are interrupted → connections end → (in `run`) the
//! store is drained, the socket and the lock go. A second signal ends the process at once; what was acknowledged
//! is in the ledger even then.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::auth::TokenHash;
use super::listen::{self, Door};
use super::state::Daemon;
use super::{
    ModelChoice, ProcessRole, forgetting, idle_sessions, judging, learner, retention, routes, shell,
};
use crate::turn::Ending;

/// Interrupted answers have this long to get into the ledger, and connections to get their last bytes.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What `serve_until_stopped` starts with.
pub(super) struct Wishes {
    pub(super) choice: ModelChoice,
    pub(super) role: ProcessRole,
}

/// Listens, loads the model in the background, and returns when everything has ended.
pub(super) async fn serve_until_stopped(
    daemon: &Arc<Daemon>,
    unix: UnixListener,
    tcp: Option<(TcpListener, TokenHash)>,
    wishes: Wishes,
) {
    let (close, closing) = watch::channel(false);
    let door = |router| Door { daemon: Arc::clone(daemon), router, closing: closing.clone() };
    let mut listening = tokio::task::JoinSet::new();
    listening.spawn(listen::unix(unix, door(routes::open(Arc::clone(daemon)))));
    if let Some((listener, token)) = tcp {
        listening.spawn(listen::tcp(listener, door(routes::guarded(Arc::clone(daemon), token))));
    }
    // Without its lessons a prompt is still a prompt.
    if let Err(err) = daemon.book.reload(&daemon.ledger).await {
        tracing::error!(reason = err.detail.message, "lessons cannot be read");
    }
    forgetting::finish(daemon).await;
    tokio::spawn(judging::run(Arc::clone(daemon)));
    tokio::spawn(learner::run(Arc::clone(daemon)));
    tokio::spawn(idle_sessions::run(Arc::clone(daemon)));
    tokio::spawn(shell::run(Arc::clone(daemon)));
    tokio::spawn(retention::run(Arc::clone(daemon)));
    let loading = Arc::clone(daemon);
    // A failure is the model's state from then on.
    tokio::spawn(async move { loading.models.load(&wishes.choice).await });

    let patience = wait_for_the_end(daemon, wishes.role).await;
    say_stopping(patience);
    end_answers(daemon, patience).await;
    close.send_replace(true);
    listening.join_all().await;
    end_connections(daemon).await;
}

/// Returns how long running answers may take.
async fn wait_for_the_end(daemon: &Arc<Daemon>, role: ProcessRole) -> Duration {
    let mut stop = daemon.stop.subscribe();
    let asked = async {
        let wish = stop.wait_for(Option::is_some).await;
        wish.ok().and_then(|wait_s| *wait_s).unwrap_or(0)
    };
    tokio::select! {
        wait_s = asked => Duration::from_secs(wait_s),
        () = signalled(role) => Duration::ZERO,
        () = idle(daemon) => Duration::ZERO,
    }
}

fn say_stopping(patience: Duration) {
    tracing::info!(patience_s = patience.as_secs(), "stopping");
}

async fn end_answers(daemon: &Daemon, patience: Duration) {
    daemon.register.close();
    if tokio::time::timeout(patience, daemon.register.empty()).await.is_ok() {
        return;
    }
    daemon.register.stop_all(Ending::Interrupted);
    if tokio::time::timeout(LAST_WORDS, daemon.register.empty()).await.is_err() {
        tracing::error!("an answer did not end in time; it will be marked as crashed");
    }
}

async fn end_connections(daemon: &Daemon) {
    if tokio::time::timeout(LAST_WORDS, daemon.presence.gone()).await.is_err() {
        tracing::warn!("a connection did not end in time");
    }
}

/// Returns at the first SIGTERM or SIGINT; the second one ends the process.
async fn signalled(role: ProcessRole) {
    let mut signals = match signals(role) {
        Ok(Some(signals)) => signals,
        Ok(None) => return std::future::pending().await,
        Err(err) => {
            tracing::error!(%err, "cannot listen to signals");
            return std::future::pending().await;
        }
    };
    signals.next().await;
    tokio::spawn(async move {
        signals.next().await;
        tracing::warn!("second signal: ending at once");
        std::process::exit(1);
    });
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn signals(role: ProcessRole) -> std::io::Result<Option<Signals>> {
    if role == ProcessRole::Guest {
        return Ok(None);
    }
    let mut hangup = signal(SignalKind::hangup())?;
    // Somebody has to receive it, or a closed terminal would end the daemon.
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(Some(Signals { terminate, interrupt }))
}

/// Returns when nobody has been there for as long as the settings say.
async fn idle(daemon: &Daemon) {
    let limit = Duration::from_secs(daemon.settings.daemon.idle_exit_minutes.saturating_mul(60));
    if limit.is_zero() {
        return std::future::pending().await;
    }
    while let Some(left) = idle_left(daemon.presence.alone_for(), daemon.register.count(), limit) {
        tokio::time::sleep(left).await;
    }
    tracing::info!("nobody was there for long");
}

/// How long to wait before looking again; `None` when it has been long enough.
fn idle_left(alone_for: Option<Duration>, n_running: usize, limit: Duration) -> Option<Duration> {
    match alone_for {
        Some(alone_for) if n_running == 0 => limit.checked_sub(alone_for).filter(|left| !left.is_zero()),
        _ => Some(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(alone_s: Option<u64>, n_running: usize, expected_s: Option<u64>) {
        let left = idle_left(alone_s.map(Duration::from_secs), n_running, Duration::from_mins(1));
        assert_eq!(left, expected_s.map(Duration::from_secs));
    }

    #[test]
    fn the_daemon_ends_when_it_was_alone_for_long_enough() {
        check(Some(0), 0, Some(60));
        check(Some(45), 0, Some(15));
        check(Some(60), 0, None);
        check(Some(3600), 0, None);
    }

    #[test]
    fn clients_and_running_answers_keep_it() {
        check(None, 0, Some(60));
        check(Some(3600), 1, Some(60));
    }
}
