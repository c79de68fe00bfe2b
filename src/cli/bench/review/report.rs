//! What `chela bench review` measured, as figures and as text.

use std::time::Duration;

use serde::Serialize;

use super::fill::Filled;
use crate::cli::bench::report::{machine, median};
use crate::cli::output;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: String,
    turns: usize,
    filled: Filled,
    rows: Vec<Row>,
}

/// One question, asked several times.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: String,
    /// Rows that the last answer had.
    rows: usize,
    median_ms: f64,
    worst_ms: f64,
    n: usize,
    #[serde(skip)]
    all: Vec<f64>,
}

impl Row {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rows: 0, median_ms: 0.0, worst_ms: 0.0, n: 0, all: Vec::new() }
    }

    pub(super) fn add(&mut self, took: Duration, rows: usize) {
        self.all.push(took.as_secs_f64() * 1e3);
        (self.rows, self.n) = (rows, self.all.len());
        self.median_ms = median(self.all.clone());
        self.worst_ms = self.all.iter().copied().fold(0.0, f64::max);
    }
}

impl Report {
    pub(super) fn new(turns: usize, filled: Filled, rows: Vec<Row>) -> Self {
        Self { machine: machine(), turns, filled, rows }
    }

    pub(super) fn text(&self) -> String {
        let head = ["", "median ms", "worst ms", "times", "rows"].map(str::to_owned).to_vec();
        let row = |row: &Row| {
            vec![
                row.name.clone(),
                format!("{:.1}", row.median_ms),
                format!("{:.1}", row.worst_ms),
                row.n.to_string(),
                row.rows.to_string(),
            ]
        };
        let table =
            output::table(&std::iter::once(head).chain(self.rows.iter().map(row)).collect::<Vec<_>>());
        let Filled { lessons, bytes, seconds } = self.filled;
        format!(
            "{} turns, {lessons} lessons, {} (made in {seconds:.0} s), {}\n{table}",
            self.turns,
            output::size(bytes),
            self.machine
        )
    }
}
