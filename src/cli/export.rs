//! `chela export`: what chela holds of you, as files that other programs read. Reads the ledger itself: no daemon is
//! needed, and none is started.
//!
//! What lives here: what is asked for, and a single kind on stdout. What does not: the folder (`folder`), what stands in
//! the files (`lines`, `examples`, `pairs`), what a folder says of itself (`manifest`).
//!
//! What always holds: one object a line; memory does not grow with the ledger; what a person took out of learning is left
//! out and counted; a folder stands under its name when it is whole.

mod examples;
mod folder;
mod lines;
pub(super) mod manifest;
mod pairs;

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{Span, Timestamp, Zoned, civil};

use super::place::Place;
use super::{Exit, exit, output};
use crate::store::{LeftOut, Reader, RecordFilter};
use crate::turn::SessionId;
use manifest::Kind;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A folder that is made: everything, with a manifest. Without it, or with -: one kind to stdout
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only this kind; to stdout it is turns where nothing is said
    #[arg(long, value_enum, value_name = "KIND")]
    only: Option<Kind>,
    /// Only turns from then on: 2026-01-31, 2026-01-31T12:00, 7d, 2h
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only turns of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// To stdout: add the exact prompt and response tokens, their log-probabilities and the sampling settings
    /// (a folder has them)
    #[arg(long)]
    tokens: bool,
    /// Also turns that you took out of learning
    #[arg(long)]
    with_excluded: bool,
    /// One JSON object per line is what there is
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
}

/// Which turns are wanted, and how much of each.
#[derive(Debug, Clone, Default)]
struct Wanted {
    filter: RecordFilter,
    session: Option<SessionId>,
}

/// What was written of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Written {
    rows: u64,
    left_out: LeftOut,
    /// Turns that cannot be an example, with a message in a place where no trainer expects it.
    unusable: u64,
}

pub(super) fn run(place: &Place, args: &ExportArgs) -> anyhow::Result<Exit> {
    let Format::Jsonl = args.format;
    let since = args.since.as_deref().map(|when| since(when, &Zoned::now())).transpose()?.unwrap_or(i64::MIN);
    let folder = args.folder.as_deref().filter(|folder| folder.as_os_str() != "-");
    let filter = RecordFilter {
        since,
        with_excluded: args.with_excluded,
        with_running: folder.is_none(),
        exact: args.tokens || folder.is_some(),
    };
    let wanted = Wanted { filter, session: args.session.clone().map(SessionId) };
    // They name the ledger's key.
    place.settings()?;
    let mut reader = Reader::open(&place.paths.ledger())?;
    if let Some(session) = &wanted.session {
        reader.session_thread(session)?;
    }
    match folder {
        Some(folder) => folder::write(place, &mut reader, folder, args.only, &wanted),
        None => to_stdout(&mut reader, args.only.unwrap_or(Kind::Turns), &wanted),
    }
}

fn to_stdout(reader: &mut Reader, kind: Kind, wanted: &Wanted) -> anyhow::Result<Exit> {
    if kind == Kind::Adapters {
        let message = "adapters are files: name a folder, chela export DIR --only adapters";
        return Err(exit::Stop::new(Exit::Usage, message).into());
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = write_kind(reader, kind, wanted, &mut out)?;
    out.flush()?;
    say_left_out(&written);
    Ok(Exit::Done)
}

fn write_kind(
    reader: &mut Reader,
    kind: Kind,
    wanted: &Wanted,
    out: &mut dyn Write,
) -> anyhow::Result<Written> {
    match kind {
        Kind::Turns => lines::turns(reader, wanted, out),
        Kind::Lessons => lines::lessons(reader, out),
        Kind::Runs => lines::runs(reader, out),
        Kind::Training => examples::write(reader, wanted, out),
        Kind::Preferences => pairs::write(reader, wanted, out),
        Kind::Adapters => Ok(Written::default()),
    }
}

/// Silence would look like completeness.
fn say_left_out(written: &Written) {
    let LeftOut { excluded, running } = written.left_out;
    if excluded > 0 {
        let turns = if excluded == 1 { "1 turn".to_owned() } else { format!("{excluded} turns") };
        output::note(&format!("left out: {turns} that you took out of learning (--with-excluded)"));
    }
    if running > 0 {
        output::note(&format!("left out: {running} still being answered"));
    }
    if written.unusable > 0 {
        output::note(&format!("left out: {} that cannot be an example", written.unusable));
    }
}

/// One value as one line.
fn write_line(out: &mut dyn Write, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(value)?;
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
