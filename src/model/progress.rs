//! How a download looks on stderr: a bar on a terminal, sparse plain lines elsewhere. Only drawing.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::pull::PullEvent;

/// Shows one pull. Pass it on as `&mut |event| progress.show(&event)`.
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: Lines,
    since: Instant,
}

/// The plain form, as a function from events and time to lines.
#[derive(Debug, Default)]
pub struct Lines {
    name: String,
    total: u64,
    /// Bytes that were there before this pull.
    here: u64,
    began: Duration,
    /// Tenths of the whole that were told.
    told: u64,
    verifying: bool,
}

impl Progress {
    /// `plain`: no bar even on a terminal (`--plain`, `ACCESSIBLE`, `TERM=dumb`).
    pub fn on_stderr(plain: bool) -> Self {
        let draws = std::io::stderr().is_terminal() && !plain;
        let bar = draws.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)));
        Self { bar, lines: Lines::default(), since: Instant::now() }
    }

    pub fn show(&mut self, event: &PullEvent) {
        match &self.bar {
            Some(bar) => draw(bar, event),
            None => {
                if let Some(line) = self.lines.line(event, self.since.elapsed()) {
                    // Nobody may be reading any more; the download goes on.
                    writeln!(std::io::stderr().lock(), "{line}").ok();
                }
            }
        }
    }

    /// Takes the bar off the screen, so that what is printed next stands on a line of its own.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    /// The line that `event` is worth, `elapsed` after the pull began; most are worth none.
    pub fn line(&mut self, event: &PullEvent, elapsed: Duration) -> Option<String> {
        match event {
            PullEvent::Started { name, path, total, here } => {
                *self = Self {
                    name: name.clone(),
                    total: *total,
                    here: *here,
                    began: elapsed,
                    ..Self::default()
                };
                self.told = self.tenths(*here);
                let kept = if *here > 0 {
                    format!(", {} of it already here", DecimalBytes(*here))
                } else {
                    String::new()
                };
                Some(format!("Downloading {name}: {}{kept}, into {}", DecimalBytes(*total), path.display()))
            }
            PullEvent::Advanced { done } => self.advanced(*done, elapsed),
            PullEvent::Verifying { .. } if self.verifying => None,
            PullEvent::Verifying { .. } => {
                self.verifying = true;
                Some(format!("Verifying {}", self.name))
            }
            other => words(other),
        }
    }

    fn advanced(&mut self, done: u64, elapsed: Duration) -> Option<String> {
        self.verifying = false;
        let tenths = self.tenths(done);
        if tenths <= self.told {
            return None;
        }
        self.told = tenths;
        let (rate, eta) = rate_and_eta(
            done.saturating_sub(self.here),
            self.total.saturating_sub(done),
            elapsed.saturating_sub(self.began),
        );
        Some(format!(
            "Progress: {} % ({} of {}, {}/s, {eta} left)",
            tenths * 10,
            DecimalBytes(done),
            DecimalBytes(self.total),
            DecimalBytes(rate)
        ))
    }

    fn tenths(&self, done: u64) -> u64 {
        done.saturating_mul(10) / self.total.max(1)
    }
}

fn draw(bar: &ProgressBar, event: &PullEvent) {
    match event {
        PullEvent::Started { name, path, total, here } => {
            bar.set_style(style());
            bar.set_length(*total);
            bar.set_position(*here);
            // What was here before must not count into the rate.
            bar.reset_eta();
            bar.set_message(name.clone());
            bar.println(format!("into {}", path.display()));
        }
        PullEvent::Advanced { done } => bar.set_position(*done),
        PullEvent::Verifying { done } => {
            bar.set_prefix("verifying ");
            bar.set_position(*done);
        }
        other => bar.println(words(other).unwrap_or_default()),
    }
}

fn style() -> ProgressStyle {
    // The name gives way on a narrow terminal, the figures do not.
    let template = "{prefix}{wide_msg} {percent:>3} % [{bar:12}] {decimal_bytes}/{decimal_total_bytes} \
                    {decimal_bytes_per_sec} ETA {eta}";
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn words(event: &PullEvent) -> Option<String> {
    match event {
        PullEvent::StartedOver { reason } => Some(format!("Starting over: {reason}")),
        PullEvent::Retrying { reason, attempt, of, wait } => {
            Some(format!("{reason}; trying again in {} s ({attempt} of {of})", wait.as_secs()))
        }
        PullEvent::Unverified { file } => {
            Some(format!("{file}: the server names no sha256, only the size was checked"))
        }
        _ => None,
    }
}

/// Bytes per second, and how long the rest will take at that rate.
fn rate_and_eta(received: u64, left: u64, elapsed: Duration) -> (u64, String) {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = received.saturating_mul(1000) / ms;
    let eta = Duration::from_secs(left / rate.max(1));
    (rate, HumanDuration(eta).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(here: u64) -> Lines {
        let mut lines = Lines::default();
        let path = "/m/a.gguf".into();
        let event = PullEvent::Started { name: "a/b:a".into(), path, total: 100_000_000, here };
        let line = lines.line(&event, Duration::ZERO).unwrap();
        assert!(line.starts_with("Downloading a/b:a: 100.00 MB"), "{line}");
        lines
    }

    #[track_caller]
    fn advance(lines: &mut Lines, done: u64, seconds: u64, expected: Option<&str>) {
        let line = lines.line(&PullEvent::Advanced { done }, Duration::from_secs(seconds));
        assert_eq!(line.as_deref(), expected);
    }

    #[test]
    fn plain_progress_is_one_line_for_each_tenth() {
        let mut lines = started(0);
        advance(&mut lines, 9_000_000, 1, None);
        let tenth = "Progress: 10 % (10.00 MB of 100.00 MB, 5.00 MB/s, 18 seconds left)";
        advance(&mut lines, 10_000_000, 2, Some(tenth));
        advance(&mut lines, 11_000_000, 2, None);
        let rest = "Progress: 100 % (100.00 MB of 100.00 MB, 10.00 MB/s, 0 seconds left)";
        advance(&mut lines, 100_000_000, 10, Some(rest));
    }

    #[test]
    fn what_was_here_before_does_not_count_into_the_rate() {
        let mut lines = started(50_000_000);
        let line = "Progress: 60 % (60.00 MB of 100.00 MB, 1.00 MB/s, 40 seconds left)";
        advance(&mut lines, 60_000_000, 10, Some(line));
    }

    #[test]
    fn verifying_is_said_once() {
        let mut lines = started(0);
        let mut say = || lines.line(&PullEvent::Verifying { done: 1 }, Duration::ZERO);
        assert_eq!((say().as_deref(), say()), (Some("Verifying a/b:a"), None));
    }
}
