//! The ledger as it is: turns, lessons and runs, a line each.

use std::io::Write;
use std::ops::ControlFlow;

use serde::Serialize;

use super::{Wanted, Written, write_line};
use crate::store::{LessonFilter, Reader, RunRow, Sample};

/// `TurnRecord`s, oldest first.
pub(super) fn turns(reader: &mut Reader, wanted: &Wanted, out: &mut dyn Write) -> anyhow::Result<Written> {
    let (mut rows, mut outcome) = (0, Ok(()));
    let left_out = reader.records(wanted.filter, &mut |record| {
        if wanted.session.as_ref().is_some_and(|session| *session != record.turn.session) {
            return ControlFlow::Continue(());
        }
        rows += 1;
        outcome = write_line(out, &record);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    Ok(Written { rows, left_out, ..Written::default() })
}

/// `LessonStory`s, oldest first.
pub(super) fn lessons(reader: &mut Reader, out: &mut dyn Write) -> anyhow::Result<Written> {
    let mut rows = 0;
    let newest_first = reader.lessons(&LessonFilter::default(), usize::MAX)?;
    let ids: Vec<_> = newest_first.iter().rev().map(|lesson| lesson.id).collect();
    for id in ids {
        write_line(out, &reader.lesson(id)?)?;
        rows += 1;
    }
    Ok(Written { rows, ..Written::default() })
}

/// A round of learning with what it was made of.
#[derive(Debug, Serialize)]
struct RunLine {
    #[serde(flatten)]
    run: RunRow,
    samples: Vec<Sample>,
}

/// Oldest first.
pub(super) fn runs(reader: &mut Reader, out: &mut dyn Write) -> anyhow::Result<Written> {
    let mut rows = 0;
    let newest_first = reader.runs(usize::MAX)?;
    for run in newest_first.into_iter().rev() {
        let samples = reader.samples(run.id)?;
        write_line(out, &RunLine { run, samples })?;
        rows += 1;
    }
    Ok(Written { rows, ..Written::default() })
}
