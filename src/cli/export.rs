//! `chela export`: recorded turns as lines of JSON. Reads the ledger itself: no daemon is needed, and none is started.

use std::io::{BufWriter, Write};
use std::ops::ControlFlow;

use clap::{Args, ValueEnum};
use jiff::{Span, Timestamp, Zoned, civil};
use serde::Serialize;

use super::place::Place;
use super::{Exit, exit};
use crate::store::{Reader, StoreError, TurnRow};
use crate::turn::SessionId;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Only turns from then on: 2026-01-31, 2026-01-31T12:00, 7d, 2h
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only turns of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Add the exact prompt and response tokens, their log-probabilities and the sampling settings
    #[arg(long)]
    tokens: bool,
    /// One JSON object per line is what there is
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
}

/// A line. Without `--tokens` only the first part.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    turn: TurnRow,
    #[serde(flatten)]
    exact: Option<Exact>,
}

#[derive(Debug, Serialize)]
struct Exact {
    settings: serde_json::Value,
    prompt_tokens: Vec<i32>,
    response_tokens: Vec<i32>,
    logprobs: Vec<f32>,
}

pub(super) fn run(place: &Place, args: &ExportArgs) -> anyhow::Result<Exit> {
    let Format::Jsonl = args.format;
    let since = args.since.as_deref().map(|when| since(when, &Zoned::now())).transpose()?.unwrap_or(i64::MIN);
    let wanted = args.session.clone().map(SessionId);
    let mut reader = Reader::open(&place.paths.ledger())?;
    if let Some(session) = &wanted {
        reader.session_thread(session)?;
    }
    let mut exact = args.tokens.then(|| Reader::open(&place.paths.ledger())).transpose()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    reader.export(since, &mut |turn| {
        if wanted.as_ref().is_some_and(|session| *session != turn.session) {
            return ControlFlow::Continue(());
        }
        written = line(turn, exact.as_mut()).and_then(|line| write(&mut out, &line));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    out.flush()?;
    Ok(Exit::Done)
}

fn line(turn: TurnRow, reader: Option<&mut Reader>) -> anyhow::Result<Line> {
    let exact = reader.map(|reader| exact_of(&turn, reader)).transpose()?;
    Ok(Line { turn, exact })
}

fn exact_of(turn: &TurnRow, reader: &mut Reader) -> Result<Exact, StoreError> {
    let stored = reader.turn(turn.id)?;
    let settings =
        serde_json::from_str(&stored.settings).unwrap_or(serde_json::Value::String(stored.settings));
    Ok(Exact {
        settings,
        prompt_tokens: stored.prompt,
        response_tokens: stored.tokens,
        logprobs: stored.logprobs,
    })
}

fn write(out: &mut impl Write, line: &Line) -> anyhow::Result<()> {
    let text = serde_json::to_string(line)?;
    Ok(writeln!(out, "{text}")?)
}

/// Unix milliseconds of a day, a time (both in the zone of `now`), an instant, or a span before `now`.
fn since(text: &str, now: &Zoned) -> anyhow::Result<i64> {
    let in_zone =
        |time: civil::DateTime| time.to_zoned(now.time_zone().clone()).map(|zoned| zoned.timestamp());
    let found = if let Ok(instant) = text.parse::<Timestamp>() {
        Some(instant)
    } else if let Ok(time) = text.parse::<civil::DateTime>() {
        in_zone(time).ok()
    } else if let Ok(span) = text.parse::<Span>() {
        now.checked_sub(span.abs()).ok().map(|then| then.timestamp())
    } else {
        None
    };
    let advice = || format!("--since {text} is no time; write 2026-01-31, 2026-01-31T12:00, 7d or 2h");
    Ok(found.ok_or_else(|| exit::Stop::new(Exit::Usage, advice()))?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let now: Zoned = "2026-03-10T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let found = Timestamp::from_millisecond(since(text, &now).unwrap()).unwrap();
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn a_day_begins_at_midnight_here() {
        check("2026-03-01", "2026-02-28T23:00:00Z");
    }

    #[test]
    fn an_instant_is_taken_as_it_is() {
        check("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z");
    }

    #[test]
    fn a_span_goes_back_from_now() {
        check("2h", "2026-03-10T09:00:00Z");
        check("7d", "2026-03-03T11:00:00Z");
    }

    #[test]
    fn anything_else_is_refused_with_examples() {
        let error = since("yesterday", &Zoned::now()).unwrap_err().to_string();
        assert!(error.contains("yesterday") && error.contains("7d"), "{error}");
    }
}
