//! Writes of training runs, the gate's decisions and what serves.
//!
//! What serves and what the lessons say of it change in one transaction: a lesson that the serving version does not
//! hold is never left out of prompts because another version held it.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::lessons::{Event, check_lesson, mark_learned, reactivate};
use super::{check_exists, json as to_json};
use crate::lesson::LessonId;
use crate::store::failure::Failure;
use crate::store::words::word;
use crate::store::{By, Decision, NewGate, NewRun, NewServing, RunEnd, RunId, Sample, StoreError};
use crate::turn::{PolicyVersion, TurnId};

/// A version and what it was built on, newest first, as far as the runs tell. Ends at the base, or at a version that
/// no run made. UNION, not UNION ALL: it ends even if a damaged ledger had versions in a circle.
pub(in crate::store) const LINEAGE: &str = "
    WITH RECURSIVE line (version) AS (
        SELECT ?1 UNION
        SELECT learn_run.parent FROM learn_run JOIN line ON learn_run.candidate = line.version)
    SELECT version FROM line WHERE version > 0";

pub(super) fn begin_run(tx: &Transaction<'_>, run: &NewRun) -> Result<RunId, Failure> {
    let open: Option<i64> = tx
        .prepare_cached("SELECT id FROM learn_run WHERE ended_at IS NULL")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if let Some(open) = open {
        return Err(StoreError::RunActive(open).into());
    }
    tx.prepare_cached(
        "INSERT INTO learn_run (started_at, state, base, parent, serving, seed, after_event, dial, counts)
         VALUES (?1, 'running', ?2, ?3, ?4, ?5, (SELECT coalesce(max(id), 0) FROM lesson_event), ?6, ?7)",
    )?
    .execute(params![
        run.started_at,
        run.base_sha256,
        run.parent.0,
        serving(tx, &run.base_sha256)?.0,
        run.seed.cast_signed(),
        run.dial,
        to_json(&run.counts)?,
    ])?;
    Ok(RunId(tx.last_insert_rowid()))
}

pub(super) fn record_samples(tx: &Transaction<'_>, run: RunId, samples: &[Sample]) -> Result<(), Failure> {
    running(tx, run)?;
    let first = "SELECT coalesce(max(seq) + 1, 0) FROM sample WHERE run = ?1";
    let first: i64 = tx.prepare_cached(first)?.query_row([run.0], |row| row.get(0))?;
    for (seq, sample) in (first..).zip(samples) {
        if let Some(turn) = sample.turn {
            check_exists(tx, turn)?;
            check_split(tx, turn, sample)?;
        }
        if let Some(lesson) = sample.lesson {
            check_lesson(tx, lesson)?;
        }
        tx.prepare_cached(
            "INSERT INTO sample (run, seq, turn, lesson, role, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            run.0,
            seq,
            sample.turn.map(|turn| turn.0),
            sample.lesson.map(|lesson| lesson.0),
            word(sample.role),
            sample.fingerprint,
        ])?;
    }
    Ok(())
}

/// A turn is either trained on or measured, for ever.
fn check_split(tx: &Transaction<'_>, turn: TurnId, sample: &Sample) -> Result<(), Failure> {
    let was = |role: &str| {
        let sql = "SELECT 1 FROM sample WHERE turn = ?1 AND role = ?2";
        tx.prepare_cached(sql)?.exists(params![turn.0, role])
    };
    if sample.role.is_trained_on() && was("held_out")? {
        return Err(StoreError::HeldOut(turn.0).into());
    }
    if sample.role == crate::store::SampleRole::HeldOut && (was("teach")? || was("replay")?) {
        return Err(StoreError::TrainedOn(turn.0).into());
    }
    Ok(())
}

pub(super) fn end_run(tx: &Transaction<'_>, end: &RunEnd) -> Result<(), Failure> {
    running(tx, end.run)?;
    let ended = Ended {
        at: end.ended_at,
        state: &word(end.ending),
        reason: &end.reason,
        error: end.error.as_deref(),
        counts: end.counts.as_ref(),
    };
    close_run(tx, end.run, &ended)
}

/// The gate's word, and with a promotion all that follows from it.
pub(super) fn record_gate(tx: &Transaction<'_>, gate: &NewGate) -> Result<(), Failure> {
    let run = running(tx, gate.run)?;
    name_candidate(tx, gate)?;
    let reason = gate.reasons.join("; ");
    let state = match &gate.decision {
        Decision::Promote { learned } => {
            promote(tx, gate, &run, learned, &reason)?;
            "promoted"
        }
        Decision::Reject => "rejected",
    };
    tx.prepare_cached(
        "INSERT INTO gate_result (run, at, decision, candidate, serving, base, reasons)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        gate.run.0,
        gate.at,
        state,
        to_json(&gate.measures.candidate)?,
        to_json(&gate.measures.serving)?,
        to_json(&gate.measures.base)?,
        to_json(&gate.reasons)?,
    ])?;
    let ended = Ended { at: gate.at, state, reason: &reason, error: None, counts: gate.counts.as_ref() };
    close_run(tx, gate.run, &ended)
}

/// A new row of what serves. Lessons that it does not hold become active again.
pub(super) fn serve(tx: &Transaction<'_>, new: &NewServing) -> Result<(), Failure> {
    let NewServing { at, version, base_sha256, reason } = new;
    let sql = "INSERT INTO serving (at, version, base, reason) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![at, version.0, base_sha256, reason])?;
    let event = Event { at: *at, what: "reactivated", by: By::Rollback, reason, detail: None };
    unlearn(tx, base_sha256, *version, &event)
}

pub(super) fn roll_back(tx: &Transaction<'_>, to: &NewServing) -> Result<(), Failure> {
    let served = tx
        .prepare_cached("SELECT 1 FROM serving WHERE base = ?1 AND version = ?2")?
        .exists(params![to.base_sha256, to.version.0])?;
    if !served && to.version != PolicyVersion::BASE {
        return Err(StoreError::NeverServed(to.version).into());
    }
    serve(tx, to)
}

/// What serves with a base: its newest row's version, or the base itself.
fn serving(tx: &Transaction<'_>, base: &str) -> rusqlite::Result<PolicyVersion> {
    let newest = tx
        .prepare_cached("SELECT version FROM serving WHERE base = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([base], |row| row.get(0))
        .optional()?;
    Ok(newest.map_or(PolicyVersion::BASE, PolicyVersion))
}

/// What a running run began with.
struct Running {
    base: String,
    serving: PolicyVersion,
    after_event: i64,
}

fn running(tx: &Transaction<'_>, run: RunId) -> Result<Running, Failure> {
    let found = tx
        .prepare_cached("SELECT ended_at, base, serving, after_event FROM learn_run WHERE id = ?1")?
        .query_row([run.0], |row| {
            let is_open = row.get::<_, Option<i64>>(0)?.is_none();
            let serving = PolicyVersion(row.get(2)?);
            Ok(is_open.then_some(Running { base: row.get(1)?, serving, after_event: row.get(3)? }))
        })
        .optional()?;
    Ok(found.ok_or(StoreError::NoRun(run.0))?.ok_or(StoreError::RunEnded(run.0))?)
}

/// Gives the run its candidate, whose number nothing had before.
fn name_candidate(tx: &Transaction<'_>, gate: &NewGate) -> Result<(), Failure> {
    let version = gate.candidate;
    let taken = tx
        .prepare_cached(
            "SELECT 1 FROM learn_run WHERE candidate = ?1
             UNION ALL SELECT 1 FROM serving WHERE version = ?1",
        )?
        .exists([version.0])?;
    if taken || version == PolicyVersion::BASE {
        return Err(StoreError::VersionTaken(version).into());
    }
    tx.prepare_cached("UPDATE learn_run SET candidate = ?2 WHERE id = ?1")?
        .execute(params![gate.run.0, version.0])?;
    Ok(())
}

fn promote(
    tx: &Transaction<'_>,
    gate: &NewGate,
    run: &Running,
    learned: &[LessonId],
    reason: &str,
) -> Result<(), Failure> {
    let is = serving(tx, &run.base)?;
    if is != run.serving {
        return Err(StoreError::ServingChanged { run: gate.run.0, was: run.serving, is }.into());
    }
    check_unchanged(tx, gate.run, run, learned)?;
    for lesson in learned {
        let detail = Some(json!({ "run": gate.run, "version": gate.candidate }));
        let event = Event { at: gate.at, what: "learned", by: By::Gate, reason, detail };
        mark_learned(tx, *lesson, gate.candidate, &event)?;
    }
    let version = gate.candidate;
    serve(tx, &NewServing { at: gate.at, version, base_sha256: run.base.clone(), reason: reason.to_owned() })
}

/// Refuses lessons that were taught or learned and that somebody touched since the run began; a pin does not matter.
fn check_unchanged(
    tx: &Transaction<'_>,
    run: RunId,
    begun: &Running,
    learned: &[LessonId],
) -> Result<(), Failure> {
    let taught: Vec<i64> = tx
        .prepare_cached("SELECT DISTINCT lesson FROM sample WHERE run = ?1 AND lesson IS NOT NULL")?
        .query_map([run.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for lesson in learned {
        check_lesson(tx, *lesson)?;
        let is_in_force = tx
            .prepare_cached("SELECT 1 FROM lesson WHERE id = ?1 AND state IN ('active', 'learned')")?
            .exists([lesson.0])?;
        if !is_in_force {
            return Err(StoreError::LessonChanged { run: run.0, lesson: lesson.0 }.into());
        }
    }
    for lesson in taught.into_iter().chain(learned.iter().map(|lesson| lesson.0)) {
        let touched = tx
            .prepare_cached(
                "SELECT 1 FROM lesson_event
                  WHERE lesson = ?1 AND id > ?2 AND what NOT IN ('pinned', 'unpinned')",
            )?
            .exists([lesson, begun.after_event])?;
        if touched {
            return Err(StoreError::LessonChanged { run: run.0, lesson }.into());
        }
    }
    Ok(())
}

/// Goes through the learned lessons after a change of what serves with `base`: each is held by a version in the
/// serving one's line, or active again. Lessons learned with another base are left alone.
fn unlearn(
    tx: &Transaction<'_>,
    base: &str,
    serving: PolicyVersion,
    event: &Event<'_>,
) -> Result<(), Failure> {
    let lessons: Vec<(i64, u32)> = tx
        .prepare_cached(LEARNED_WITH)?
        .query_map([base], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let line: Vec<u32> = tx
        .prepare_cached(LINEAGE)?
        .query_map([serving.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let event = Event { detail: Some(json!({ "serving": serving })), ..*event };
    for (lesson, in_version) in lessons {
        if line.contains(&in_version) {
            continue;
        }
        match held_by(tx, lesson, &line)? {
            Some(version) => {
                tx.prepare_cached("UPDATE lesson SET in_version = ?2 WHERE id = ?1")?
                    .execute(params![lesson, version])?;
            }
            None => reactivate(tx, LessonId(lesson), &event)?,
        }
    }
    Ok(())
}

const LEARNED_WITH: &str = "
    SELECT lesson.id, lesson.in_version
      FROM lesson JOIN learn_run ON learn_run.candidate = lesson.in_version
     WHERE lesson.state = 'learned' AND learn_run.base = ?1 ORDER BY lesson.id";

/// The newest version of a line that learned the lesson.
fn held_by(tx: &Transaction<'_>, lesson: i64, line: &[u32]) -> rusqlite::Result<Option<u32>> {
    let versions: Vec<u32> = tx
        .prepare_cached("SELECT version FROM learned WHERE lesson = ?1")?
        .query_map([lesson], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(versions.into_iter().filter(|version| line.contains(version)).max())
}

/// Whether what serves with a version's base is that version, or was built on it.
pub(super) fn held_now(tx: &Transaction<'_>, version: u32) -> rusqlite::Result<bool> {
    let base: Option<String> = tx
        .prepare_cached("SELECT base FROM learn_run WHERE candidate = ?1")?
        .query_row([version], |row| row.get(0))
        .optional()?;
    let Some(base) = base else { return Ok(false) };
    let line: Vec<u32> = tx
        .prepare_cached(LINEAGE)?
        .query_map([serving(tx, &base)?.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(line.contains(&version))
}

/// How a run ended.
struct Ended<'a> {
    at: i64,
    state: &'a str,
    reason: &'a str,
    error: Option<&'a str>,
    counts: Option<&'a Value>,
}

fn close_run(tx: &Transaction<'_>, run: RunId, ended: &Ended<'_>) -> Result<(), Failure> {
    let counts = ended.counts.map(to_json).transpose()?;
    tx.prepare_cached(
        "UPDATE learn_run SET ended_at = ?2, state = ?3, reason = ?4, error = ?5, counts = coalesce(?6, counts)
          WHERE id = ?1",
    )?
    .execute(params![run.0, ended.at, ended.state, ended.reason, ended.error, counts])?;
    Ok(())
}

/// Ends what a crash left running. Nothing of it was promoted: a promotion ends its run in the same transaction.
pub(in crate::store) fn interrupt_runs(tx: &Transaction<'_>, now: i64) -> rusqlite::Result<usize> {
    tx.execute(
        "UPDATE learn_run SET ended_at = ?1, state = 'interrupted',
                reason = 'the daemon stopped in mid-run; nothing was promoted'
          WHERE ended_at IS NULL",
        [now],
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::lesson::{Origin, Scope, State};
    use crate::store::{Entry, Measures, NewLesson, Reader, Receipt, RunState, SqliteStore, Store};

    fn lesson() -> Entry {
        Entry::AddLesson(NewLesson {
            text: "Use ss.".into(),
            scope: Scope::Global,
            origin: Origin::Taught,
            waits_for_yes: false,
            pinned: false,
            sources: Vec::new(),
            replaces: Vec::new(),
            by: By::User,
            reason: "taught".into(),
            created_at: 0,
        })
    }

    fn begin() -> Entry {
        Entry::BeginRun(NewRun {
            started_at: 0,
            base_sha256: "b".into(),
            parent: PolicyVersion::BASE,
            seed: 1,
            dial: "careful".into(),
            counts: json!({}),
        })
    }

    fn limit_pages(store: &SqliteStore, n_pages: i64) {
        let sql = format!("PRAGMA max_page_count = {n_pages}");
        store.conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap();
    }

    #[test]
    fn a_full_disk_leaves_nothing_of_a_promotion_and_it_can_be_sent_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut store =
            SqliteStore::open(&dir.path().join("ledger.db"), Timestamp::UNIX_EPOCH).unwrap().store;
        assert_eq!(store.append(lesson()), Ok(Receipt::Lesson(LessonId(1))));
        assert_eq!(store.append(begin()), Ok(Receipt::Run(RunId(1))));
        let promotion = Entry::RecordGate(NewGate {
            run: RunId(1),
            at: 1,
            candidate: PolicyVersion(1),
            // Written last, and too large for the pages that are left.
            measures: Measures { candidate: json!("x".repeat(50_000)), serving: json!(0), base: json!(0) },
            decision: Decision::Promote { learned: vec![LessonId(1)] },
            reasons: vec!["obeys".into()],
            counts: None,
        });
        let stands = |store: &SqliteStore| {
            let mut reader = Reader::open(&store.path).unwrap();
            let lesson = reader.lesson(LessonId(1)).unwrap();
            let n_served = reader.serving().unwrap().len();
            (reader.run(RunId(1)).unwrap().state, lesson.lesson.state, lesson.history.len(), n_served)
        };

        limit_pages(&store, 1);
        assert!(matches!(store.append(promotion.clone()), Err(StoreError::Unwritable { .. })));
        assert_eq!(stands(&store), (RunState::Running, State::Active, 1, 0));
        limit_pages(&store, 1_000_000);
        assert_eq!(store.append(promotion), Ok(Receipt::Done));
        assert_eq!(stands(&store), (RunState::Promoted, State::Learned(PolicyVersion(1)), 2, 1));
    }

    #[test]
    fn a_refused_promotion_does_not_disturb_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let mut store =
            SqliteStore::open(&dir.path().join("ledger.db"), Timestamp::UNIX_EPOCH).unwrap().store;
        let refused = Entry::RecordGate(NewGate {
            run: RunId(1),
            at: 1,
            candidate: PolicyVersion(1),
            measures: Measures { candidate: json!(0), serving: json!(0), base: json!(0) },
            decision: Decision::Promote { learned: vec![LessonId(1), LessonId(9)] },
            reasons: Vec::new(),
            counts: None,
        });
        let outcomes = store.append_group(vec![lesson(), begin(), refused, lesson()]);
        assert_eq!(
            outcomes,
            [
                Ok(Receipt::Lesson(LessonId(1))),
                Ok(Receipt::Run(RunId(1))),
                Err(StoreError::NoLesson(9)),
                Ok(Receipt::Lesson(LessonId(2))),
            ]
        );
        let mut reader = Reader::open(&store.path).unwrap();
        let run = reader.run(RunId(1)).unwrap();
        assert_eq!((run.state, run.candidate), (RunState::Running, None));
        assert_eq!(reader.lessons_in_force().unwrap().len(), 2);
    }
}
