//! Questions about training runs, and what can be counted.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::feedback::as_limit;
use super::lessons::by_state;
use super::{Reader, count, wal_of};
use crate::lesson::LessonId;
use crate::store::words::{get_json, get_word};
use crate::store::{
    GateRow, Measures, RewardCount, RunId, RunRow, RunState, Sample, SampleRow, Stats, StoreError,
};
use crate::turn::{PolicyVersion, TurnId};

const DAY_MS: i64 = 86_400_000;

impl Reader {
    /// Training runs with what the gate said, newest first.
    pub fn runs(&mut self, limit: usize) -> Result<Vec<RunRow>, StoreError> {
        self.ask(|conn| {
            let sql = format!("{RUN} WHERE learn_run.id > 0 ORDER BY learn_run.id DESC LIMIT ?1");
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map([as_limit(limit)], run_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    pub fn run(&mut self, run: RunId) -> Result<RunRow, StoreError> {
        self.ask(|conn| {
            let found = conn
                .prepare_cached(&format!("{RUN} WHERE learn_run.id = ?1"))?
                .query_row([run.0], run_row)
                .optional()?;
            Ok(found.ok_or(StoreError::NoRun(run.0))?)
        })
    }

    /// What a run was made of, in order.
    pub fn samples(&mut self, run: RunId) -> Result<Vec<Sample>, StoreError> {
        self.ask(|conn| {
            let sql = format!("{SAMPLE} WHERE sample.run = ?1 ORDER BY sample.seq");
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map([run.0], |row| sample_row(row).map(|row| row.sample))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What runs made of a lesson, oldest first.
    pub fn samples_of_lesson(&mut self, lesson: LessonId) -> Result<Vec<SampleRow>, StoreError> {
        self.ask(|conn| {
            let sql = format!("{SAMPLE} WHERE sample.lesson = ?1 ORDER BY sample.run, sample.seq");
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map([lesson.0], sample_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The newest run that came to the gate.
    pub fn newest_gate(&mut self) -> Result<Option<RunRow>, StoreError> {
        self.ask(|conn| {
            let sql = format!(
                "{RUN} WHERE learn_run.id = (SELECT run FROM gate_result WHERE run > 0 ORDER BY run DESC LIMIT 1)"
            );
            Ok(conn.prepare_cached(&sql)?.query_row([], run_row).optional()?)
        })
    }

    /// Bytes of the ledger's file and of the write-ahead log beside it.
    pub fn bytes_on_disk(&self) -> u64 {
        let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |file| file.len());
        size(&self.path) + size(&wal_of(&self.path))
    }

    /// Counts for `chela stats`: rewards since `since` (Unix milliseconds), by days that begin `offset_ms` before
    /// midnight UTC (the time zone's distance, east is positive).
    pub fn stats(&mut self, since: i64, offset_ms: i64) -> Result<Stats, StoreError> {
        self.ask(|conn| {
            let n_waiting = "SELECT count(*) FROM waiting";
            Ok(Stats {
                rewards: rewards(conn, since, offset_ms)?,
                lessons: by_state(conn)?,
                runs: runs_by_state(conn)?,
                n_waiting: conn.prepare_cached(n_waiting)?.query_row([], |row| count(row, 0))?,
            })
        })
    }
}

/// What a [`RunRow`] is made of.
const RUN: &str = "
    SELECT learn_run.id, learn_run.started_at, learn_run.ended_at, learn_run.state, learn_run.base,
           learn_run.parent, learn_run.serving, learn_run.candidate, learn_run.seed, learn_run.dial,
           learn_run.counts, learn_run.reason, learn_run.error,
           gate_result.at AS gate_at, gate_result.decision, gate_result.candidate AS of_candidate,
           gate_result.serving AS of_serving, gate_result.base AS of_base, gate_result.reasons
      FROM learn_run LEFT JOIN gate_result ON gate_result.run = learn_run.id";

/// What a [`SampleRow`] is made of.
const SAMPLE: &str = "
    SELECT sample.run, sample.turn, sample.lesson, sample.role, sample.fingerprint,
           learn_run.state, learn_run.candidate
      FROM sample JOIN learn_run ON learn_run.id = sample.run";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let seed: i64 = row.get("seed")?;
    Ok(RunRow {
        id: RunId(row.get("id")?),
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        state: get_word(row, "state")?,
        base_sha256: row.get("base")?,
        parent: PolicyVersion(row.get("parent")?),
        serving: PolicyVersion(row.get("serving")?),
        candidate: row.get::<_, Option<u32>>("candidate")?.map(PolicyVersion),
        seed: seed.cast_unsigned(),
        dial: row.get("dial")?,
        counts: get_json(row, "counts")?,
        reason: row.get("reason")?,
        error: row.get("error")?,
        gate: gate_row(row)?,
    })
}

fn gate_row(row: &Row<'_>) -> rusqlite::Result<Option<GateRow>> {
    let Some(at) = row.get("gate_at")? else { return Ok(None) };
    let measures = Measures {
        candidate: get_json(row, "of_candidate")?,
        serving: get_json(row, "of_serving")?,
        base: get_json(row, "of_base")?,
    };
    let promoted = get_word::<RunState>(row, "decision")? == RunState::Promoted;
    Ok(Some(GateRow { at, promoted, measures, reasons: get_json(row, "reasons")? }))
}

fn sample_row(row: &Row<'_>) -> rusqlite::Result<SampleRow> {
    Ok(SampleRow {
        run: RunId(row.get("run")?),
        run_state: get_word(row, "state")?,
        candidate: row.get::<_, Option<u32>>("candidate")?.map(PolicyVersion),
        sample: Sample {
            turn: row.get::<_, Option<i64>>("turn")?.map(TurnId),
            lesson: row.get::<_, Option<i64>>("lesson")?.map(LessonId),
            role: get_word(row, "role")?,
            fingerprint: row.get("fingerprint")?,
        },
    })
}

pub(super) fn samples_of_turn(conn: &Connection, turn: TurnId) -> rusqlite::Result<Vec<SampleRow>> {
    let sql = format!("{SAMPLE} WHERE sample.turn = ?1 ORDER BY sample.run, sample.seq");
    conn.prepare_cached(&sql)?.query_map([turn.0], sample_row)?.collect()
}

fn rewards(conn: &Connection, since: i64, offset_ms: i64) -> rusqlite::Result<Vec<RewardCount>> {
    conn.prepare_cached(
        "SELECT (judged_at + ?2) / ?3 AS day, source, reward, count(*) FROM verdict
          WHERE is_newest = 1 AND judged_at >= ?1 GROUP BY day, source, reward ORDER BY day, source, reward",
    )?
    .query_map(params![since, offset_ms, DAY_MS], |row| {
        Ok(RewardCount {
            day: row.get("day")?,
            source: get_word(row, "source")?,
            reward: row.get("reward")?,
            n_turns: count(row, 3)?,
        })
    })?
    .collect()
}

fn runs_by_state(conn: &Connection) -> rusqlite::Result<Vec<(RunState, usize)>> {
    conn.prepare_cached("SELECT state, count(*) FROM learn_run GROUP BY state ORDER BY state")?
        .query_map([], |row| Ok((get_word(row, "state")?, count(row, 1)?)))?
        .collect()
}
