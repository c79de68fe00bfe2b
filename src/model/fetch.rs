//! One file over HTTP into a part file that stays valid whatever happens: bytes are only ever appended in order, so
//! a dropped connection, Ctrl+C or a reboot loses nothing that has arrived.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::hub::{Hub, Listing};
use super::pull::{PullError, PullEvent, Retry};

/// A connection that brought this much was worth it: the count of failures in a row starts over.
const WORTH_IT: u64 = 1 << 20;

/// How long a wait between attempts may get.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One file on its way. `part` is locked by the caller.
pub(super) struct Fetch<'a> {
    pub(super) hub: &'a Hub,
    pub(super) listing: &'a Listing,
    /// Path inside the repository.
    pub(super) file: &'a str,
    /// Bytes the whole file must have.
    pub(super) size: u64,
    pub(super) part_path: &'a Path,
    pub(super) retry: &'a Retry,
    pub(super) cancel: &'a AtomicBool,
}

/// How one connection ended without the whole file.
enum Ended {
    /// Another try may help.
    Dropped(String),
    /// No other try can help.
    For(PullError),
}

impl From<PullError> for Ended {
    fn from(error: PullError) -> Self {
        Self::For(error)
    }
}

impl Fetch<'_> {
    /// Appends to `part` until it has the whole size. `report` hears bytes of this file.
    pub(super) fn run(&self, part: &mut File, report: &mut dyn FnMut(PullEvent)) -> Result<(), PullError> {
        let agent = super::hub::agent(10);
        let mut failures = 0;
        loop {
            let before = self.length(part)?;
            if before == self.size {
                return part.sync_all().map_err(|reason| self.write_error(reason));
            }
            let ended = match self.connect_and_append(&agent, part, report) {
                Ok(()) => continue,
                Err(Ended::For(error)) => return Err(error),
                Err(Ended::Dropped(reason)) => reason,
            };
            let here = self.length(part)?;
            failures = if here.saturating_sub(before) >= WORTH_IT { 1 } else { failures + 1 };
            if failures > self.retry.attempts {
                return Err(PullError::Dropped {
                    file: self.file.into(),
                    reason: ended,
                    here,
                    size: self.size,
                });
            }
            let wait = wait_before(failures, self.retry.first_wait);
            report(PullEvent::Retrying { reason: ended, attempt: failures, of: self.retry.attempts, wait });
            self.pause(wait, here)?;
        }
    }

    fn connect_and_append(
        &self,
        agent: &Agent,
        part: &mut File,
        report: &mut dyn FnMut(PullEvent),
    ) -> Result<(), Ended> {
        let here = self.length(part)?;
        let mut request =
            self.hub.authorized(agent.get(self.hub.url(self.listing, self.file).map_err(PullError::Hub)?));
        if here > 0 {
            request = request.header("range", format!("bytes={here}-"));
        }
        let response =
            request.call().map_err(|err| Ended::Dropped(self.hub.unreachable(&err).to_string()))?;
        let from = self.first_byte(&response, here)?;
        if from != here {
            self.start_over(part)?;
            report(PullEvent::StartedOver { reason: "the server cannot continue a download".into() });
        }
        self.append(response, part, from, report)
    }

    /// Where the answer's bytes belong: `here`, or 0 when the file must start over. Refusals and sizes that cannot
    /// be right end the download before a byte is written.
    fn first_byte(&self, response: &Response<Body>, here: u64) -> Result<u64, Ended> {
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Ended::Dropped(format!("the server answered {}", status.as_u16())));
        }
        self.hub.refusal(&self.listing.repo, self.file, response).map_err(PullError::Hub)?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let (from, total) = match status {
            StatusCode::PARTIAL_CONTENT => {
                header("content-range").and_then(content_range).ok_or_else(|| {
                    Ended::Dropped("the server's answer does not say which part of the file it is".into())
                })?
            }
            StatusCode::RANGE_NOT_SATISFIABLE => (0, None),
            _ => (0, header("content-length").and_then(|text| text.parse().ok())),
        };
        match total {
            Some(total) if total != self.size => Err(Ended::For(self.wrong_size(total))),
            _ if status == StatusCode::RANGE_NOT_SATISFIABLE => Ok(0),
            _ if from == here || from == 0 => Ok(from),
            _ => Err(Ended::Dropped(format!("the server sent byte {from} instead of {here}"))),
        }
    }

    fn append(
        &self,
        response: Response<Body>,
        part: &mut File,
        from: u64,
        report: &mut dyn FnMut(PullEvent),
    ) -> Result<(), Ended> {
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(Ended::Dropped("the server knows a shorter file".into()));
        }
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut done = from;
        loop {
            self.stop_if_cancelled(done)?;
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => return Err(Ended::Dropped(format!("the connection broke ({err})"))),
            };
            match (n, done == self.size) {
                (0, true) => return Ok(()),
                (0, false) => return Err(Ended::Dropped("the server closed the connection".into())),
                (more, true) => return Err(Ended::For(self.wrong_size(self.size + more as u64))),
                (_, false) => {}
            }
            let wanted = usize::try_from(self.size - done).unwrap_or(usize::MAX).min(n);
            let bytes = buffer.get(..wanted).unwrap_or_default();
            part.write_all(bytes).map_err(|reason| Ended::For(self.write_error(reason)))?;
            done += wanted as u64;
            report(PullEvent::Advanced { done });
            if wanted < n {
                return Err(Ended::For(self.wrong_size(done + (n - wanted) as u64)));
            }
        }
    }

    /// The part's length; a part that is longer than the file is none of it.
    fn length(&self, part: &File) -> Result<u64, PullError> {
        let length = part.metadata().map_err(|reason| self.write_error(reason))?.len();
        if length > self.size {
            self.start_over(part)?;
            return Ok(0);
        }
        Ok(length)
    }

    fn start_over(&self, part: &File) -> Result<(), PullError> {
        part.set_len(0).map_err(|reason| self.write_error(reason))
    }

    fn pause(&self, wait: Duration, here: u64) -> Result<(), PullError> {
        let slice = Duration::from_millis(50);
        let mut left = wait;
        while !left.is_zero() {
            self.stop_if_cancelled(here)?;
            std::thread::sleep(left.min(slice));
            left = left.saturating_sub(slice);
        }
        self.stop_if_cancelled(here)
    }

    fn stop_if_cancelled(&self, here: u64) -> Result<(), PullError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(PullError::Interrupted { part: self.part_path.into(), here, size: self.size });
        }
        Ok(())
    }

    fn wrong_size(&self, got: u64) -> PullError {
        PullError::WrongSize { file: self.file.into(), expected: self.size, got }
    }

    fn write_error(&self, reason: io::Error) -> PullError {
        PullError::write(self.part_path, reason)
    }
}

/// `bytes 100-199/200` → first byte and, unless it is `*`, the whole size.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Doubles with every failure in a row.
fn wait_before(failures: u32, first_wait: Duration) -> Duration {
    first_wait.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(content_range("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(content_range("bytes 0-9/*"), Some((0, None)));
        for bad in ["", "bytes */200", "items 0-1/2", "bytes 5/9", "bytes -1-2/3"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn waits_double_and_end() {
        let waits: Vec<_> = (1..=7).map(|n| wait_before(n, Duration::from_secs(1)).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(wait_before(u32::MAX, Duration::from_secs(1)), LONGEST_WAIT);
    }
}
