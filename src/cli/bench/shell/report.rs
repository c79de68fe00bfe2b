//! What `chela bench shell` measured, as figures and as text.

use serde::Serialize;

use super::Figures;
use crate::cli::bench::report::median;

/// One setup of one shell; the figures of all its rounds.
#[derive(Debug)]
pub(super) struct Row {
    shell: String,
    setup: &'static str,
    rounds: Vec<Figures>,
}

impl Row {
    pub(super) fn new(shell: &str, setup: &'static str) -> Self {
        Self { shell: shell.to_owned(), setup, rounds: Vec::new() }
    }

    pub(super) fn add(&mut self, figures: Figures) {
        self.rounds.push(figures);
    }

    fn of_rounds(&self, take: impl Fn(&Figures) -> f64) -> f64 {
        median(self.rounds.iter().map(take).collect())
    }
}

/// Milliseconds and megabytes per second; medians over the rounds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: String,
    under_load: bool,
    rows: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    shell: String,
    setup: &'static str,
    key_p50_ms: f64,
    key_p99_ms: f64,
    command_p50_ms: f64,
    start_ms: f64,
    bulk_mb_per_s: f64,
    proxy_mib: Option<f64>,
    /// Against the bare shell of the same rounds.
    added: Option<Added>,
}

#[derive(Debug, Serialize)]
struct Added {
    key_p50_ms: f64,
    key_p99_ms: f64,
    command_p50_ms: f64,
    start_ms: f64,
    /// 1 is as fast.
    bulk_ratio: f64,
}

impl Report {
    pub(super) fn new(under_load: bool, rows: &[Row]) -> Self {
        let lines: Vec<Line> = rows.iter().map(|row| line(row, bare_of(rows, row))).collect();
        Self { machine: crate::cli::bench::report::machine(), under_load, rows: lines }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}{}\n\n{:<6} {:<24} {:>9} {:>9} {:>11} {:>9} {:>10} {:>10}\n",
            self.machine,
            if self.under_load { ", while a model generates and another trains" } else { "" },
            "shell",
            "setup",
            "key p50",
            "key p99",
            "command p50",
            "start",
            "bulk MB/s",
            "proxy MiB",
        );
        for line in &self.rows {
            text.push_str(&line.text());
        }
        text.push_str("\nmilliseconds; medians over the rounds");
        text
    }
}

impl Line {
    fn text(&self) -> String {
        let own = format!(
            "{:<6} {:<24} {:>9.3} {:>9.3} {:>11.3} {:>9.1} {:>10.0} {:>10}\n",
            self.shell,
            self.setup,
            self.key_p50_ms,
            self.key_p99_ms,
            self.command_p50_ms,
            self.start_ms,
            self.bulk_mb_per_s,
            self.proxy_mib.map_or_else(String::new, |mib| format!("{mib:.1}")),
        );
        let added = self.added.as_ref().map(|added| {
            format!(
                "{:<6} {:<24} {:>+9.3} {:>+9.3} {:>+11.3} {:>+9.1} {:>9.0}%\n",
                "",
                "  against bare",
                added.key_p50_ms,
                added.key_p99_ms,
                added.command_p50_ms,
                added.start_ms,
                100.0 * added.bulk_ratio,
            )
        });
        own + &added.unwrap_or_default()
    }
}

fn bare_of<'a>(rows: &'a [Row], row: &Row) -> Option<&'a Row> {
    let bare = rows.iter().find(|other| other.shell == row.shell)?;
    (bare.setup != row.setup).then_some(bare)
}

fn line(row: &Row, bare: Option<&Row>) -> Line {
    let of = |row: &Row| {
        [
            row.of_rounds(|figures| percentile(&figures.keys, 0.5)),
            row.of_rounds(|figures| percentile(&figures.keys, 0.99)),
            row.of_rounds(|figures| percentile(&figures.commands, 0.5)),
            row.of_rounds(|figures| figures.start),
            row.of_rounds(|figures| figures.bulk),
        ]
    };
    let [key_p50_ms, key_p99_ms, command_p50_ms, start_ms, bulk_mb_per_s] = of(row);
    let added = bare.map(of).map(|[key_p50, key_p99, command, start, bulk]| Added {
        key_p50_ms: key_p50_ms - key_p50,
        key_p99_ms: key_p99_ms - key_p99,
        command_p50_ms: command_p50_ms - command,
        start_ms: start_ms - start,
        bulk_ratio: bulk_mb_per_s / bulk,
    });
    let sizes: Vec<f64> = row.rounds.iter().filter_map(|figures| figures.proxy_mib).collect();
    Line {
        shell: row.shell.clone(),
        setup: row.setup,
        key_p50_ms,
        key_p99_ms,
        command_p50_ms,
        start_ms,
        bulk_mb_per_s,
        proxy_mib: (!sizes.is_empty()).then(|| median(sizes)),
        added,
    }
}

/// The value that `part` of all values do not exceed; 0 of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index below the number of values"
)]
fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert!((percentile(&values, 0.5) - 50.0).abs() < 1e-9);
        assert!((percentile(&values, 0.99) - 99.0).abs() < 1e-9);
        assert!(percentile(&[], 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_setup_is_compared_with_the_bare_shell_of_its_own_kind() {
        let row = |shell: &str, setup, key: f64| {
            let figures = Figures { keys: vec![key], bulk: key, ..Figures::default() };
            Row { shell: shell.to_owned(), setup, rounds: vec![figures] }
        };
        let rows = vec![row("bash", "bare", 1.0), row("zsh", "bare", 5.0), row("zsh", "chela shell", 5.5)];
        let report = Report::new(false, &rows);
        assert!(report.rows[1].added.is_none());
        let added = report.rows[2].added.as_ref().unwrap();
        assert!((added.key_p50_ms - 0.5).abs() < 1e-9 && (added.bulk_ratio - 1.1).abs() < 1e-9);
    }
}
