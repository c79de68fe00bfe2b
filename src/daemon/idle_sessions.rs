//! Sessions in which nothing happened for long: each is closed, so that its last answer is judged too.
//!
//! What always holds: a closed session can be gone on with at any time, which opens it again.

use std::sync::Arc;
use std::time::Duration;

use super::answer::now_ms;
use super::error::ApiError;
use super::state::Daemon;
use crate::store::Entry;

/// Sessions that are closed at once.
const BATCH: usize = 64;

/// Closes what has been idle for `learn.session_idle_minutes`, at the start and then again and again, until the daemon
/// ends.
pub(super) async fn run(daemon: Arc<Daemon>) {
    let mut stop = daemon.stop.subscribe();
    let limit = Duration::from_secs(daemon.settings.learn.session_idle_minutes.saturating_mul(60));
    loop {
        let closed = close_some(&daemon, limit).await;
        let n_closed = closed.unwrap_or_else(|err| {
            tracing::warn!(reason = err.detail.message, "idle sessions stay open for now");
            0
        });
        tokio::select! {
            () = tokio::time::sleep(look_again(n_closed, limit)) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

/// Closes up to [`BATCH`] sessions and says how many.
async fn close_some(daemon: &Daemon, limit: Duration) -> Result<usize, ApiError> {
    let closed_at = now_ms();
    let idle = daemon.ledger.idle_sessions(idle_since(closed_at, limit), BATCH).await?;
    let n_idle = idle.len();
    for session in idle {
        daemon.ledger.append(Entry::CloseIdleSession { session, closed_at }).await?;
    }
    if n_idle > 0 {
        tracing::info!(n_idle, "idle sessions were closed");
        daemon.ledger.followed.notify_one();
    }
    Ok(n_idle)
}

/// What last happened before this (Unix milliseconds) was long ago.
fn idle_since(now: i64, limit: Duration) -> i64 {
    now.saturating_sub(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX))
}

/// At once when more may be idle; otherwise so that no session is closed later than a tenth of the limit after its time.
fn look_again(n_closed: usize, limit: Duration) -> Duration {
    if n_closed >= BATCH {
        return Duration::ZERO;
    }
    (limit / 10).clamp(Duration::from_secs(1), Duration::from_mins(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n_closed: usize, limit_minutes: u64, expected: Duration) {
        assert_eq!(look_again(n_closed, Duration::from_mins(limit_minutes)), expected);
    }

    #[test]
    fn sessions_are_looked_for_often_enough_but_never_in_a_spin() {
        check(0, 30, Duration::from_mins(3));
        check(3, 1, Duration::from_secs(6));
        check(0, 0, Duration::from_secs(1));
        check(0, 60 * 24, Duration::from_mins(10));
        check(0, u64::MAX / 60, Duration::from_mins(10));
    }

    #[test]
    fn a_full_batch_may_not_be_all() {
        check(BATCH, 30, Duration::ZERO);
        check(BATCH - 1, 30, Duration::from_mins(3));
    }

    #[test]
    fn idle_is_what_last_happened_before_the_limit() {
        assert_eq!(idle_since(10_000_000, Duration::from_mins(30)), 10_000_000 - 1_800_000);
        assert_eq!(idle_since(0, Duration::from_secs(u64::MAX)), -i64::MAX);
    }
}
