//! The addresses at which people look: turns in a list, and the loop in figures. They change nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Deserialize;

use super::dashboard;
use super::error::ApiError;
use super::routes::bad_query;
use super::state::Daemon;
use super::wire::LearnStatus;
use super::wire::dashboard::GateFigures;
use super::wire::looking::{DayRewards, LedgerSize, LoopStats, TurnList, TurnQuery};
use crate::config::Paths;
use crate::judge::calibration::{Pair, calibration};
use crate::store::{Reader, RewardCount, StoreError, TurnFilter};

const DEFAULT_TURNS: usize = 50;
const MAX_TURNS: usize = 1000;
const DEFAULT_DAYS: i64 = 14;
const MAX_DAYS: i64 = 366;
/// The newest ratings say how the judge is now.
const MAX_RATINGS: usize = 1000;
/// Rounds whose cost is summed up, newest first; and gates whose figures are shown.
const MAX_RUNS: usize = 10_000;
const MAX_GATES: usize = 60;
const DAY_MS: i64 = 86_400_000;

type Shared = State<Arc<Daemon>>;

/// `GET /chela/v1/turns`: newest first.
pub(super) async fn turns(
    State(daemon): Shared,
    query: Result<Query<TurnQuery>, QueryRejection>,
) -> Result<Json<TurnList>, ApiError> {
    let Query(query) = query.map_err(|err| bad_query(&err))?;
    let limit = query.limit.unwrap_or(DEFAULT_TURNS).min(MAX_TURNS);
    let before = query.before;
    let filter = filter(query);
    let turns = daemon.ledger.ask(move |reader| reader.turns(&filter, before, limit)).await?;
    Ok(Json(TurnList { turns }))
}

/// Words that are none ask for nothing.
fn filter(query: TurnQuery) -> TurnFilter {
    TurnFilter {
        session: query.session,
        source: query.source,
        judged: query.reward,
        rule: query.rule,
        project: query.project,
        words: query.find.filter(|typed| !typed.trim().is_empty()),
    }
}

#[derive(Deserialize)]
pub(super) struct StatsQuery {
    days: Option<i64>,
}

/// `GET /chela/v1/stats?days=`: how the loop does.
pub(super) async fn stats(
    State(daemon): Shared,
    query: Result<Query<StatsQuery>, QueryRejection>,
) -> Result<Json<LoopStats>, ApiError> {
    let Query(StatsQuery { days }) = query.map_err(|err| bad_query(&err))?;
    let now = Timestamp::now();
    let span = Days {
        n: days.unwrap_or(DEFAULT_DAYS).clamp(1, MAX_DAYS),
        offset_ms: i64::from(TimeZone::system().to_offset(now).seconds()) * 1000,
    };
    let today = span.of(now.as_millisecond());
    let learning = daemon.learn_status().await?;
    let paths = daemon.paths.clone();
    daemon.ledger.ask(move |reader| figures(reader, (span, today), learning, &paths)).await.map(Json)
}

/// Days of the person's calendar. The zone's distance of today is used for all of them, so that in the weeks after a
/// change of the clock a verdict of the hour beside midnight may count for the day beside its own.
#[derive(Debug, Clone, Copy)]
struct Days {
    n: i64,
    /// East of Greenwich is positive.
    offset_ms: i64,
}

impl Days {
    /// Days since 1970-01-01 of a moment.
    fn of(self, unix_ms: i64) -> i64 {
        (unix_ms + self.offset_ms).div_euclid(DAY_MS)
    }

    /// When a day begins, in Unix milliseconds.
    fn start(self, day: i64) -> i64 {
        day * DAY_MS - self.offset_ms
    }
}

fn figures(
    reader: &mut Reader,
    (days, today): (Days, i64),
    learning: LearnStatus,
    paths: &Paths,
) -> Result<LoopStats, StoreError> {
    let first = today - days.n + 1;
    let stats = reader.stats(days.start(first), days.offset_ms)?;
    let rated = reader.rated_votes(MAX_RATINGS)?;
    let pairs: Vec<Pair> = rated.iter().filter_map(|rated| Pair::of(&rated.verdict, rated.good)).collect();
    let counts = reader.counts()?;
    let runs = reader.runs(MAX_RUNS)?;
    let newest_first = runs.iter().filter_map(dashboard::of_gate).take(MAX_GATES);
    let mut versions: Vec<GateFigures> = newest_first.collect();
    versions.reverse();
    let bytes = reader.bytes_on_disk();
    Ok(LoopStats {
        from: date(first),
        to: date(today),
        rewards: by_day(&stats.rewards),
        n_waiting: stats.n_waiting,
        lessons: stats.lessons.into_iter().collect(),
        runs: stats.runs.into_iter().collect(),
        gate: reader.newest_gate()?,
        judge: calibration(&pairs),
        ledger: LedgerSize { sessions: counts.sessions, turns: counts.turns, bytes },
        versions,
        learning,
        cost: dashboard::cost(&runs),
        disk: dashboard::disk_use(paths, bytes),
    })
}

/// `1970-01-01` for day 0.
fn date(day: i64) -> String {
    let epoch = Date::constant(1970, 1, 1);
    let span = Span::new().try_days(day).unwrap_or_default();
    epoch.checked_add(span).unwrap_or(epoch).to_string()
}

/// One row for each day and surface. `counts` are in that order.
fn by_day(counts: &[RewardCount]) -> Vec<DayRewards> {
    let of_one_day = |a: &RewardCount, b: &RewardCount| (a.day, a.source) == (b.day, b.source);
    counts
        .chunk_by(of_one_day)
        .filter_map(|group| {
            let first = group.first()?;
            let sum = |is_it: fn(Option<i8>) -> bool| {
                group.iter().filter(|count| is_it(count.reward)).map(|count| count.n_turns).sum()
            };
            Some(DayRewards {
                day: date(first.day),
                source: first.source,
                good: sum(|reward| reward == Some(1)),
                bad: sum(|reward| reward == Some(-1)),
                unclear: sum(|reward| !matches!(reward, Some(1 | -1))),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Source;

    #[test]
    fn a_day_has_one_row_for_each_surface() {
        let count = |day, source, reward, n_turns| RewardCount { day, source, reward, n_turns };
        let (chat, shell) = (Source::Chat, Source::Shell);
        let counts = [
            count(20_000, chat, None, 1),
            count(20_000, chat, Some(-1), 2),
            count(20_000, chat, Some(0), 4),
            count(20_000, chat, Some(1), 8),
            count(20_000, shell, Some(1), 16),
            count(20_001, shell, Some(-1), 32),
        ];
        let row = |day: &str, source, good, bad, unclear| DayRewards {
            day: day.into(),
            source,
            good,
            bad,
            unclear,
        };
        let expected = [
            row("2024-10-04", chat, 8, 2, 5),
            row("2024-10-04", shell, 16, 0, 0),
            row("2024-10-05", shell, 0, 32, 0),
        ];
        assert_eq!(by_day(&counts), expected);
    }

    #[track_caller]
    fn check_day(offset_h: i64, unix_ms: i64, expected: &str) {
        let days = Days { n: 1, offset_ms: offset_h * 3_600_000 };
        let day = days.of(unix_ms);
        assert_eq!(date(day), expected);
        assert!(days.start(day) <= unix_ms && unix_ms < days.start(day + 1));
    }

    #[test]
    fn days_begin_at_the_person_s_midnight() {
        check_day(0, 0, "1970-01-01");
        check_day(0, -1, "1969-12-31");
        check_day(2, 1_727_992_800_000 - 1, "2024-10-03");
        check_day(2, 1_727_992_800_000, "2024-10-04");
        check_day(-8, 1_727_992_800_000, "2024-10-03");
    }

    #[test]
    fn words_that_are_none_ask_for_nothing() {
        let query = TurnQuery { find: Some("  ".into()), ..TurnQuery::default() };
        assert_eq!(filter(query), TurnFilter::default());
    }
}
