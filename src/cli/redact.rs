//! `chela redact`: stdin to stdout without its secrets, as chela hides them before it stores or learns anything. Bytes
//! pass as they come, whatever their encoding; a line is written when its end has arrived.

use std::io::{ErrorKind, IsTerminal, Read, Write};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::place::{Place, redactor};
use super::{Exit, output};
use crate::redact::Found;

const CHUNK: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "Hidden is what the rules know, secrets of this shell's environment, and the names in privacy.hide."
)]
pub(super) struct RedactArgs {
    /// Say on stderr what was hidden: line, columns (in bytes) and rule; never the secret
    #[arg(long)]
    explain: bool,
    /// Instead of the text, print what would be hidden, one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Something that was hidden. Line and columns count from 1, `start` and `end` are bytes of the input.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Hidden {
    rule: &'static str,
    placeholder: String,
    line: usize,
    column: usize,
    start: usize,
    end: usize,
}

pub(super) fn run(place: &Place, args: &RedactArgs) -> anyhow::Result<Exit> {
    let settings = place.settings()?;
    let redactor = redactor(&settings.privacy.hide);
    if std::io::stdin().is_terminal() {
        output::note("reading from the terminal; Ctrl+D ends the text");
    }
    let mut lines = Lines::default();
    let mut stream = redactor.stream();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match std::io::stdin().lock().read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => chunk.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("cannot read stdin"),
        };
        if args.explain || args.json {
            lines.add(read);
        }
        let piece = stream.push(read);
        report(args, &piece.bytes, &piece.found, &lines)?;
    }
    let rest = stream.finish();
    report(args, &rest.bytes, &rest.found, &lines)?;
    Ok(Exit::Done)
}

fn report(args: &RedactArgs, text: &[u8], found: &[Found], lines: &Lines) -> anyhow::Result<()> {
    if !args.json {
        let mut out = std::io::stdout().lock();
        out.write_all(text)?;
        out.flush()?;
    }
    for found in found {
        let place = lines.place(found);
        if args.json {
            output::json(&place)?;
        } else if args.explain {
            let until = place.column + (place.end - place.start).saturating_sub(1);
            output::note(&format!("line {}, columns {}-{until}: {}", place.line, place.column, place.rule));
        }
    }
    Ok(())
}

/// Where the lines of the input begin.
#[derive(Debug, Default)]
struct Lines {
    /// After each line break so far.
    starts: Vec<usize>,
    n_bytes: usize,
}

impl Lines {
    fn add(&mut self, text: &[u8]) {
        let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        self.starts.extend(breaks.map(|(at, _)| self.n_bytes + at + 1));
        self.n_bytes += text.len();
    }

    fn place(&self, found: &Found) -> Hidden {
        let n_before = self.starts.partition_point(|start| *start <= found.span.start);
        let start = n_before.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or(0);
        Hidden {
            rule: found.rule.name(),
            placeholder: found.rule.placeholder(),
            line: n_before + 1,
            column: found.span.start - start + 1,
            start: found.span.start,
            end: found.span.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Rule;

    #[track_caller]
    fn check(text: &str, at: usize, line: usize, column: usize) {
        let mut lines = Lines::default();
        for byte in text.as_bytes() {
            lines.add(&[*byte]);
        }
        let place = lines.place(&Found { rule: Rule::Secret("jwt"), span: at..at + 1 });
        assert_eq!((place.line, place.column), (line, column));
    }

    #[test]
    fn places_are_counted_from_one() {
        check("abc", 0, 1, 1);
        check("a\nbc\nd", 3, 2, 2);
        check("a\nbc\nd", 5, 3, 1);
    }
}
