//! What is read, in parts that the daemon takes at once, and what came of it.

use std::collections::HashMap;

use super::lines::Line;
use super::{Report, Tally};
use crate::client::Client;
use crate::daemon::wire::owning::{Import, Imported, Outcome};
use crate::turn::TurnId;

/// Most rows, and most bytes of JSON, in one part.
const MOST_ROWS: usize = 256;
const MOST_BYTES: usize = 4 << 20;

pub(super) struct Parts<'a> {
    client: &'a Client,
    dry_run: bool,
    /// Turns of the file and their numbers here.
    known: HashMap<TurnId, TurnId>,
    next: Import,
    /// Where the rows of `next` stand, turns and lessons.
    places: (Vec<String>, Vec<String>),
    n_bytes: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn new(client: &'a Client, dry_run: bool) -> Self {
        Self {
            client,
            dry_run,
            known: HashMap::new(),
            next: Import::default(),
            places: Default::default(),
            n_bytes: 0,
        }
    }

    pub(super) fn add(
        &mut self,
        line: Line,
        n_bytes: usize,
        place: String,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let n_rows = self.next.turns.len() + self.next.lessons.len();
        if n_rows >= MOST_ROWS || self.n_bytes + n_bytes > MOST_BYTES {
            self.send(report, false)?;
        }
        self.n_bytes += n_bytes;
        match line {
            Line::Turn(record) => {
                self.next.turns.push(*record);
                self.places.0.push(place);
            }
            Line::Lesson(story) => {
                self.next.lessons.push(*story);
                self.places.1.push(place);
            }
        }
        Ok(())
    }

    /// Sends the rest, and has what was sent synced.
    pub(super) fn finish(&mut self, report: &mut Report) -> anyhow::Result<()> {
        self.send(report, true)
    }

    fn send(&mut self, report: &mut Report, is_last: bool) -> anyhow::Result<()> {
        let mut part = std::mem::take(&mut self.next);
        let (turns, lessons) = std::mem::take(&mut self.places);
        self.n_bytes = 0;
        (part.dry_run, part.is_last) = (self.dry_run, is_last);
        let named = part.turns.iter().filter_map(|record| record.turn.parent);
        let named = named.chain(part.lessons.iter().flat_map(|story| story.lesson.sources.iter().copied()));
        part.known = named.filter_map(|theirs| Some((theirs, *self.known.get(&theirs)?))).collect();
        let imported: Imported = self.client.import(&part)?;
        for (record, outcome) in part.turns.iter().zip(&imported.turns) {
            self.note_number(record.turn.id, outcome);
        }
        count(report, &turns, &imported.turns, |report| &mut report.turns);
        count(report, &lessons, &imported.lessons, |report| &mut report.lessons);
        Ok(())
    }

    fn note_number(&mut self, theirs: TurnId, outcome: &Outcome) {
        match outcome {
            // Of a dry run, nothing new has a number that lasts.
            Outcome::New { id } if !self.dry_run => self.known.insert(theirs, TurnId(*id)),
            Outcome::More { id } | Outcome::Known { id } => self.known.insert(theirs, TurnId(*id)),
            Outcome::New { .. } | Outcome::Refused { .. } => None,
        };
    }
}

fn count(report: &mut Report, places: &[String], outcomes: &[Outcome], of: fn(&mut Report) -> &mut Tally) {
    for (place, outcome) in places.iter().zip(outcomes) {
        if let Outcome::Refused { reason } = outcome {
            report.name(place, reason);
        }
        let tally = of(report);
        match outcome {
            Outcome::New { .. } => tally.new += 1,
            Outcome::More { .. } => tally.more += 1,
            Outcome::Known { .. } => tally.known += 1,
            Outcome::Refused { .. } => tally.broken += 1,
        }
    }
}
