//! Doing what a note says, step by step, each of them bounded and each of them harmless a second time.
//!
//! The store's thread writes other things between two steps, so nobody who asks something meanwhile waits for long.

use std::path::Path;
use std::sync::Arc;

use super::note::Note;
use super::{REASON, failed, files, going};
use crate::daemon::answer::now_ms;
use crate::daemon::error::ApiError;
use crate::daemon::models::Serving;
use crate::daemon::policy::Policies;
use crate::daemon::state::Daemon;
use crate::daemon::wire::LoopEvent;
use crate::engine::Job;
use crate::store::{Entry, NewServing, Removal, ServingRow, StoreError, Words};
use crate::turn::{PolicyVersion, TurnId};

/// Turns of one step: a few hundredths of a second.
const TURNS: usize = 64;
/// Numbers of turns of one step where all go.
const RANGE: i64 = 512;
/// Rows of other kinds in one step.
const ROWS: usize = 256;
/// How often the log is tried to be emptied while others read.
const ATTEMPTS: usize = 4;

impl Daemon {
    /// Everything that the note says, whether or not some of it was done before. Returns copies of the ledger that were
    /// removed.
    pub(super) async fn carry_out(
        &self,
        note: &Note,
        serving: Option<&Arc<Serving>>,
    ) -> Result<Vec<String>, ApiError> {
        let before = self.policy();
        let after = match serving {
            Some(serving) => self.policies.withdraw(serving, &note.versions, REASON).await?,
            None => PolicyVersion::BASE,
        };
        self.withdraw_elsewhere(&note.versions).await?;
        for lesson in &note.lessons {
            self.append_unless_gone(Entry::ForgetLesson { lesson: *lesson }).await?;
        }
        // From here on no prompt gets it.
        self.book.reload(&self.ledger).await?;
        match note.all_up_to {
            Some(newest) => self.forget_all(newest, note.at).await?,
            None => self.forget_rows(note).await?,
        }
        self.policies.erase(note.versions.clone()).await?;
        if let Some(serving) = serving {
            unload(&self.policies, serving, &note.versions);
            drop_caches(serving);
        }
        if note.all_up_to.is_some() {
            files::empty(&self.paths).map_err(|err| failed(&self.paths.state_dir, &err))?;
        }
        self.empty_log().await?;
        self.ledger.append(Entry::Remove(Removal::Compact)).await?;
        self.empty_log().await?;
        let removed = remove_copies(&self.paths.ledger(), note.all_up_to.is_some())?;
        Note::remove(&Note::file(self))?;
        if serving.is_some() && after != before {
            self.news.tell(LoopEvent::Serving { version: after });
        }
        Ok(removed)
    }

    async fn forget_rows(&self, note: &Note) -> Result<(), ApiError> {
        for states in note.states.chunks(ROWS) {
            self.remove(Removal::States { states: states.to_vec(), until: note.at }).await?;
        }
        for words in pieces(&note.words) {
            self.remove(Removal::Words(words)).await?;
        }
        // Newest first, so that a turn goes before the one that it continues.
        for turns in note.turns.rchunks(TURNS) {
            let together = Entry::ForgetTurns { turns: turns.to_vec() };
            match self.ledger.append(together).await {
                Ok(_) => {}
                // Some went before.
                Err(StoreError::NoTurn(_)) => {
                    for turn in turns.iter().rev() {
                        self.append_unless_gone(Entry::ForgetTurns { turns: vec![*turn] }).await?;
                    }
                }
                Err(err) => return Err(err.into()),
            }
        }
        for sessions in note.sessions.chunks(ROWS) {
            self.remove(Removal::Sessions { sessions: sessions.to_vec(), until: note.at }).await?;
        }
        Ok(())
    }

    async fn forget_all(&self, newest: TurnId, until: i64) -> Result<(), ApiError> {
        self.remove(Removal::Index { newest }).await?;
        let mut last = newest.0;
        while last > 0 {
            let first = last.saturating_sub(RANGE - 1).max(1);
            self.remove(Removal::Turns { first: TurnId(first), last: TurnId(last), newest }).await?;
            last = first - 1;
        }
        self.remove(Removal::Rest { until }).await
    }

    pub(super) async fn remove(&self, removal: Removal) -> Result<(), ApiError> {
        Ok(self.ledger.append(Entry::Remove(removal)).await.map(drop)?)
    }

    /// The same for models that are not loaded: what their newest row names serves with them next time.
    async fn withdraw_elsewhere(&self, tainted: &[PolicyVersion]) -> Result<(), ApiError> {
        for to in withdrawn(&self.ledger.serving().await?, tainted) {
            self.ledger.append(Entry::Rollback(to)).await?;
        }
        Ok(())
    }

    async fn append_unless_gone(&self, entry: Entry) -> Result<(), ApiError> {
        match self.ledger.append(entry).await {
            Ok(_) | Err(StoreError::NoLesson(_) | StoreError::NoTurn(_)) => Ok(()),
            Err(err) => Err(err.into()),
        }
    }

    async fn empty_log(&self) -> Result<(), ApiError> {
        for _ in 1..ATTEMPTS {
            match self.ledger.append(Entry::EmptyLog).await {
                Err(StoreError::LogInUse) => {}
                other => return Ok(other.map(drop)?),
            }
        }
        Ok(self.ledger.append(Entry::EmptyLog).await.map(drop)?)
    }
}

/// The same rows, at most so many of each kind at a time.
fn pieces(words: &Words) -> Vec<Words> {
    let longest = [words.lesson_events.len(), words.verdicts.len(), words.runs.len()]
        .into_iter()
        .chain([words.servings.len(), words.sessions.len()])
        .max()
        .unwrap_or(0);
    let piece = |at: usize| Words {
        lesson_events: part(&words.lesson_events, at),
        verdicts: part(&words.verdicts, at),
        runs: part(&words.runs, at),
        servings: part(&words.servings, at),
        sessions: part(&words.sessions, at),
    };
    (0..longest.div_ceil(ROWS)).map(piece).collect()
}

fn part<T: Copy>(rows: &[T], at: usize) -> Vec<T> {
    rows.chunks(ROWS).nth(at).unwrap_or_default().to_vec()
}

/// What the engine keeps of prompts, to answer the next one sooner.
fn drop_caches(serving: &Serving) {
    if let Err(err) = serving.engine.submit(Job::DropCaches) {
        tracing::warn!(%err, "the engine keeps its caches in memory until it needs the room");
    }
}

/// An answer that runs keeps its version loaded; the version goes with it.
fn unload(policies: &Arc<Policies>, serving: &Arc<Serving>, versions: &[PolicyVersion]) {
    for version in versions.iter().copied() {
        let (policies, serving) = (Arc::clone(policies), Arc::clone(serving));
        tokio::spawn(async move { policies.unload(&serving, version).await });
    }
}

/// One row for each base whose newest row names a tainted version: back to the newest other one that served with it.
fn withdrawn(rows: &[ServingRow], tainted: &[PolicyVersion]) -> Vec<NewServing> {
    let mut bases: Vec<&str> = rows.iter().map(|row| row.base_sha256.as_str()).collect();
    bases.sort_unstable();
    bases.dedup();
    let of = |base: &&str| {
        let mut with_it = rows.iter().filter(|row| row.base_sha256 == *base).map(|row| row.version);
        let current = with_it.clone().next_back().filter(|version| tainted.contains(version))?;
        let version = with_it.rfind(|version| !tainted.contains(version) && *version < current);
        Some(NewServing {
            at: now_ms(),
            version: version.unwrap_or(PolicyVersion::BASE),
            base_sha256: (*base).to_owned(),
            reason: REASON.to_owned(),
        })
    };
    bases.iter().filter_map(of).collect()
}

/// Copies of the ledger that were made before it was brought up to date: they hold what was forgotten. Ledgers that could
/// not be read may, and go where all goes.
pub(in crate::daemon) fn remove_copies(
    ledger: &Path,
    with_unreadable: bool,
) -> Result<Vec<String>, ApiError> {
    let mut copies = going::copies(ledger);
    if with_unreadable {
        copies.extend(going::unreadable(ledger));
    }
    for copy in &copies {
        match std::fs::remove_file(copy) {
            Ok(()) => {}
            // One that was still being made has its final name by now, and that is looked for again.
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                return remove_copies(ledger, with_unreadable);
            }
            Err(err) => return Err(failed(copy, &err)),
        }
    }
    Ok(copies.iter().map(|copy| copy.display().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(u32, &str)], tainted: &[u32], expected: &[(u32, &str)]) {
        let row = |(version, base): &(u32, &str)| ServingRow {
            at: 0,
            version: PolicyVersion(*version),
            base_sha256: (*base).into(),
            reason: String::new(),
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let tainted: Vec<_> = tainted.iter().copied().map(PolicyVersion).collect();
        let found = withdrawn(&rows, &tainted);
        let found: Vec<(u32, &str)> =
            found.iter().map(|new| (new.version.0, new.base_sha256.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_newest_other_version_of_each_model_serves_instead() {
        check(&[], &[1], &[]);
        check(&[(1, "a")], &[1], &[(0, "a")]);
        check(&[(1, "a"), (2, "a")], &[2], &[(1, "a")]);
        check(&[(1, "a"), (2, "a"), (3, "a")], &[2, 3], &[(1, "a")]);
        check(&[(1, "a"), (2, "b")], &[1, 2], &[(0, "a"), (0, "b")]);
    }

    #[test]
    fn rows_are_taken_a_piece_at_a_time_and_none_is_left_out() {
        let rows = i64::try_from(ROWS).unwrap();
        let words = Words { verdicts: (0..=rows).collect(), sessions: vec![7], ..Words::default() };
        let pieces = pieces(&words);
        assert_eq!(pieces.iter().map(|piece| piece.verdicts.len()).collect::<Vec<_>>(), [ROWS, 1]);
        assert_eq!(pieces[0].sessions, [7]);
        assert_eq!(pieces.iter().map(Words::len).sum::<usize>(), words.len());
    }

    #[test]
    fn a_version_that_serves_and_was_not_taught_it_goes_on() {
        check(&[(1, "a"), (2, "a"), (1, "a")], &[2], &[]);
        check(&[(2, "a"), (0, "a")], &[2], &[]);
    }
}
