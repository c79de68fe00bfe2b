//! The parts of the dashboard, each as rows of a given width. Pure.

use jiff::civil::Date;
use ratatui::layout::Constraint;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, Gauge, GraphType, Row, Sparkline, Table};

use super::drawn;
use crate::daemon::wire::dashboard::{Compared, GateFigures};
use crate::daemon::wire::looking::{DayRewards, LoopStats};
use crate::daemon::wire::{LoopEvent, StateKind};
use crate::tui::ansi::harmless;
use crate::tui::review::list::age;
use crate::tui::theme;
use crate::tui::wrap::{fit, wrap_text};
use crate::turn::Source;

const CHART_ROWS: usize = 9;
/// Columns before and behind a row of bars.
const NAME: usize = 8;
const SHARE: usize = 18;

fn title(text: &str) -> Line<'static> {
    Line::styled(text.to_owned(), theme::BOLD)
}

fn sentence(text: &str, columns: usize) -> Vec<Line<'static>> {
    wrap_text(&harmless(text), theme::DIM, columns)
}

/// A row of bars for each surface: the share of answers judged good, day by day.
pub(super) fn answers(stats: &LoopStats, columns: usize) -> Vec<Line<'static>> {
    let mut rows = vec![title("answers judged good, day by day")];
    for source in [Source::Chat, Source::Shell, Source::Api, Source::Agent] {
        let days: Vec<&DayRewards> = stats.rewards.iter().filter(|row| row.source == source).collect();
        if !days.is_empty() {
            rows.extend(surface(stats, source, &days, columns));
        }
    }
    if rows.len() == 1 {
        rows.extend(sentence("no verdict yet; + and - in the list rate an answer", columns));
    }
    let waiting = match stats.n_waiting {
        0 => return rows,
        1 => "1 turn waits for a verdict".to_owned(),
        n => format!("{n} turns wait for a verdict"),
    };
    rows.extend(sentence(&waiting, columns));
    rows
}

fn surface(stats: &LoopStats, source: Source, days: &[&DayRewards], columns: usize) -> Vec<Line<'static>> {
    let sum = |of: fn(&DayRewards) -> usize| days.iter().map(|row| of(row)).sum::<usize>();
    let (good, bad) = (sum(|row| row.good), sum(|row| row.bad));
    let width = columns.saturating_sub(NAME + SHARE).max(1);
    let shares = shares(stats, days);
    // The newest days where there is no room for all.
    let shown = shares.get(shares.len().saturating_sub(width)..).unwrap_or_default();
    let bars =
        Sparkline::default().data(shown.iter().copied()).max(100).style(theme::OK).absent_value_symbol("·");
    let whole = percent(good, bad)
        .map_or("nothing either way".to_owned(), |share| format!("{share:.0} % of {}", good + bad));
    let name = match source {
        Source::Chat => "chat",
        Source::Shell => "shell",
        Source::Api => "api",
        Source::Agent => "agent",
    };
    let row = |mut bars: Line<'static>| {
        bars.spans.insert(0, Span::raw(format!("{name:<NAME$}")));
        bars.spans.push(Span::styled(format!("  {whole}"), theme::DIM));
        fit(bars, columns)
    };
    drawn(bars, shown.len().min(width), 1).into_iter().map(row).collect()
}

/// For each day the share of good ones in percent; at least 1, so that a bad day is a bar and no gap.
fn shares(stats: &LoopStats, days: &[&DayRewards]) -> Vec<Option<u64>> {
    let Some(n_days) = days_from(&stats.from, &stats.to).map(|days| days + 1) else { return Vec::new() };
    let mut shares = vec![None; n_days];
    for row in days {
        let share = percent(row.good, row.bad);
        if let (Some(share), Some(day)) =
            (share, days_from(&stats.from, &row.day).and_then(|day| shares.get_mut(day)))
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            let share = share.round() as u64;
            *day = Some(share.max(1));
        }
    }
    shares
}

fn days_from(from: &str, to: &str) -> Option<usize> {
    let (from, to): (Date, Date) = (from.parse().ok()?, to.parse().ok()?);
    usize::try_from((to - from).get_days()).ok()
}

#[expect(clippy::cast_precision_loss, reason = "counts of turns stay far below 2^52")]
fn percent(good: usize, bad: usize) -> Option<f64> {
    (good + bad > 0).then(|| good as f64 * 100.0 / (good + bad) as f64)
}

/// A bar for each state, as long as its share.
pub(super) fn lessons(stats: &LoopStats, columns: usize) -> Vec<Line<'static>> {
    let mut rows = vec![title("lessons")];
    let most = stats.lessons.values().copied().max().unwrap_or_default();
    if most == 0 {
        rows.extend(sentence("none yet: correct an answer, or chela teach", columns));
        return rows;
    }
    let room = columns.saturating_sub(17).clamp(1, 40);
    for (state, n) in &stats.lessons {
        let (name, style) = match state {
            StateKind::Proposed => ("proposed", theme::HINT),
            StateKind::Active => ("active", theme::OK),
            StateKind::Learned => ("learned", theme::BRAND),
            StateKind::Retired => ("retired", theme::DIM),
            StateKind::Pruned => ("pruned", theme::DIM),
        };
        let bar = "█".repeat((n * room).div_ceil(most).min(room));
        rows.push(Line::from(vec![
            Span::raw(format!("{name:<10}")),
            Span::styled(bar, style),
            Span::raw(format!(" {n}")),
        ]));
    }
    rows
}

/// How far the round is, or why none runs.
pub(super) fn learning(stats: &LoopStats, columns: usize) -> Vec<Line<'static>> {
    let now = &stats.learning;
    let mut rows = vec![title("learning now")];
    match (&now.progress, now.running) {
        (Some(LoopEvent::Learning { run, phase, done, total, eta_s, .. }), Some(_)) => {
            let left = eta_s.map_or_else(String::new, |eta| format!(", {} left", duration(eta)));
            let label = format!("{} {done}/{total}{left}", phase.name());
            rows.push(Line::styled(format!("run {run}"), theme::DIM));
            let style = Style::new().fg(ratatui::style::Color::Cyan);
            let gauge = Gauge::default()
                .ratio(ratio(*done, *total))
                .label(label)
                .gauge_style(style)
                .use_unicode(true);
            rows.extend(drawn(gauge, columns, 1));
        }
        (_, Some(run)) => rows.extend(sentence(&format!("run {} begins", run.0), columns)),
        (_, None) if now.paused => rows.extend(sentence("paused; chela learn resume", columns)),
        (_, None) => rows.extend(sentence(now.waits_for.as_deref().unwrap_or("idle"), columns)),
    }
    if now.n_waiting > 0 {
        rows.extend(sentence(&format!("{} wait to be learned", now.n_waiting), columns));
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "counts of answers and steps are small")]
fn ratio(done: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { (done as f64 / total as f64).clamp(0.0, 1.0) }
}

/// What learning took, and what lies on the disk. What is not known is not estimated.
pub(super) fn spent(stats: &LoopStats, columns: usize) -> Vec<Line<'static>> {
    let (cost, disk) = (&stats.cost, &stats.disk);
    let mut lines = Vec::new();
    if cost.rounds > 0 {
        lines.push(("rounds", format!("{} in {}", cost.rounds, duration(cost.wall_s))));
    }
    if cost.rounds_measured > 0 {
        lines.push(("computing", format!("{} in {} rounds", duration(cost.cpu_s), cost.rounds_measured)));
    }
    lines.push((
        "energy",
        match (cost.rounds, cost.rounds_with_energy) {
            (0, _) => "nothing was learned yet".to_owned(),
            (_, 0) => "not known: the machine does not tell".to_owned(),
            (_, n) => format!("{:.1} Wh, whole processor, {n} rounds", cost.package_joules / 3600.0),
        },
    ));
    let parts = [
        ("ledger", disk.ledger),
        ("adapters", disk.adapters),
        ("backups", disk.backups),
        ("models", disk.models),
        ("logs", disk.logs + disk.rounds),
    ];
    lines.extend(parts.into_iter().filter(|(_, bytes)| *bytes > 0).map(|(name, bytes)| (name, size(bytes))));
    let mut rows = vec![title("spent, and on disk")];
    rows.extend(lines.into_iter().map(|(name, text)| {
        fit(Line::from(vec![Span::styled(format!("{name:<10}"), theme::DIM), Span::raw(text)]), columns)
    }));
    rows
}

/// Obedience and canaries over the versions that came to the gate.
pub(super) fn obedience(stats: &LoopStats, columns: usize) -> Vec<Line<'static>> {
    // Never by colour alone: one is a line, the other dots.
    let mut rows = vec![fit(
        Line::from(vec![
            Span::styled("lessons obeyed", theme::OK.patch(theme::BOLD)),
            Span::styled(" (line), ", theme::DIM),
            Span::styled("canaries kept", theme::HINT.patch(theme::BOLD)),
            Span::styled(" (dots), % by version", theme::DIM),
        ]),
        columns,
    )];
    let points = |of: fn(&GateFigures) -> Compared| -> Vec<(f64, f64)> {
        let rates = stats.versions.iter().map(|gate| of(gate).candidate.rate());
        (0_u32..).zip(rates).filter_map(|(at, rate)| Some((f64::from(at), rate? * 100.0))).collect()
    };
    let (obeyed, canaries) = (points(|gate| gate.obeyed), points(|gate| gate.canaries));
    if stats.versions.len() < 2 {
        rows.extend(sentence("a curve needs two versions that came to the gate", columns));
        return rows;
    }
    let last = f64::from(u32::try_from(stats.versions.len() - 1).unwrap_or(u32::MAX));
    let line =
        Dataset::default().data(&obeyed).marker(Marker::Braille).graph_type(GraphType::Line).style(theme::OK);
    let dots = Dataset::default()
        .data(&canaries)
        .marker(Marker::Dot)
        .graph_type(GraphType::Scatter)
        .style(theme::HINT);
    let name = |gate: Option<&GateFigures>| gate.map_or_else(String::new, name_of);
    let chart = Chart::new(vec![line, dots])
        .x_axis(
            Axis::default()
                .bounds([0.0, last])
                .labels([name(stats.versions.first()), name(stats.versions.last())])
                .style(theme::DIM),
        )
        .y_axis(Axis::default().bounds([0.0, 100.0]).labels(["0", "50", "100"]).style(theme::DIM))
        .legend_position(None);
    rows.extend(drawn(chart, columns, CHART_ROWS));
    rows
}

/// What a column of the table says of a gate; the second is the time.
type CellOf = fn(&GateFigures, i64) -> String;

/// Every version that came to the gate, the newest first, with what it gained on what served.
pub(super) fn versions(stats: &LoopStats, columns: usize, now_ms: i64) -> Vec<Line<'static>> {
    let mut rows = vec![title("versions at the gate")];
    if stats.versions.is_empty() {
        rows.extend(sentence("none yet", columns));
        return rows;
    }
    let columns_shown: &[(&str, u16, CellOf)] = &[
        ("", 5, |gate, _| name_of(gate)),
        ("", 8, |gate, _| if gate.is_promoted { "promoted" } else { "rejected" }.to_owned()),
        ("obeyed", 8, |gate, _| figure(gate.obeyed)),
        ("canary", 8, |gate, _| figure(gate.canaries)),
        ("held-out", 8, |gate, _| figure(gate.held_out)),
        ("ago", 6, |gate, now_ms| age(gate.at, now_ms)),
        ("KL", 6, |gate, _| format!("{:.3}", gate.kl_to_base)),
    ];
    // As many as there is room for, with a blank between two.
    let mut room = columns + 1;
    let fits = columns_shown.iter().take_while(|(_, width, _)| {
        let wanted = usize::from(*width) + 1;
        let has_room = room >= wanted;
        room = room.saturating_sub(wanted);
        has_room
    });
    let shown: Vec<_> = fits.collect();
    let style = |gate: &GateFigures| if gate.is_promoted { theme::OK } else { theme::ERROR };
    let cells =
        |gate: &GateFigures| Row::new(shown.iter().map(|(.., cell)| cell(gate, now_ms))).style(style(gate));
    let widths = shown.iter().map(|(_, width, _)| Constraint::Length(*width));
    let table = Table::new(stats.versions.iter().rev().map(cells), widths)
        .header(Row::new(shown.iter().map(|(name, ..)| *name)).style(theme::DIM));
    rows.extend(drawn(table, columns, stats.versions.len() + 1));
    rows
}

fn name_of(gate: &GateFigures) -> String {
    gate.version.map_or_else(|| format!("#{}", gate.run), |version| version.to_string())
}

/// `95 +75`: percent, and points more than what served.
fn figure(compared: Compared) -> String {
    let Some(rate) = compared.candidate.rate() else { return "-".to_owned() };
    let gain = compared.gain().map_or_else(String::new, |gain| format!(" {:+.0}", gain * 100.0));
    format!("{:.0}{gain}", rate * 100.0)
}

/// In the two largest units that say something.
fn duration(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).map_or(0, |time| time.as_secs());
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Decimal units, as disks are sold.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" || value >= 99.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}
