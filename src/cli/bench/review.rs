//! `chela bench review`: how long the review pane takes to open, to page and to filter, on a ledger with many turns that
//! is made here and thrown away. Through the pane's own question, its client, the socket and the daemon.

mod fill;
mod report;

use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use self::report::{Report, Row};
use crate::cli::place::Place;
use crate::cli::served::{Parts, Scratch, Served};
use crate::cli::{Exit, output};
use crate::client::Client;
use crate::config::{PathEnv, Paths};
use crate::daemon;
use crate::daemon::wire::looking::Judged;
use crate::daemon::wire::review::{ReviewCursor, ReviewQuery, ReviewWord};
use crate::engine::Engine;
use crate::engine::scripted::Scripted;
use crate::tui::review::rows_below;
use crate::turn::Source;

#[derive(Debug, Args)]
#[command(after_help = "Figures are the median and the worst of the rounds, in milliseconds, through \
    the daemon's socket. A search whose rows are few and far goes on page by page.")]
pub(in crate::cli) struct ReviewBench {
    /// Turns in the ledger
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    turns: usize,
    /// How often each question is asked
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[arg(long)]
    json: bool,
}

/// Rows that the pane asks for.
const PAGE: usize = 100;
/// Pages that are leafed through.
const PAGES: usize = 20;

pub(super) fn run(place: &Place, bench: &ReviewBench) -> anyhow::Result<Exit> {
    let scratch = Scratch::new()?;
    let home = PathEnv { chela_home: Some(scratch.path().join("home").into()), xdg_runtime_dir: None };
    let paths = Paths::resolve(&home)?;
    paths.create()?;
    output::note(&format!("making a ledger with {} turns …", bench.turns));
    let filled = fill::fill(&paths.ledger(), bench.turns)?;
    let engine: Arc<dyn Engine> = Arc::new(Scripted::new("scripted", 4096, Box::new(|_| Vec::new())));
    let parts = Parts {
        settings: place.settings()?,
        loader: Box::new(move |_| Ok(Arc::clone(&engine))),
        trainer: daemon::local_trainer(),
        course: daemon::usual_course(),
    };
    let served = Served::start(&scratch, parts)?;
    let report = Report::new(bench.turns, filled, measure(bench, &served.client)?);
    if bench.json {
        output::line(&serde_json::to_string(&report)?)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(Exit::Done)
}

fn measure(bench: &ReviewBench, client: &Client) -> anyhow::Result<Vec<Row>> {
    let all = ReviewQuery::default();
    let filters: Vec<(&str, ReviewQuery)> = vec![
        ("open", all.clone()),
        ("source:shell", ReviewQuery { source: Some(Source::Shell), ..all.clone() }),
        ("source:agent (2 %)", ReviewQuery { source: Some(Source::Agent), ..all.clone() }),
        ("project: a name (5 %)", ReviewQuery { project: Some("project-1".into()), ..all.clone() }),
        (
            "project: a folder, rare",
            ReviewQuery { project: Some("/home/ada/project-190".into()), ..all.clone() },
        ),
        ("rule:exit", ReviewQuery { rule: Some("exit".into()), ..all.clone() }),
        ("rule: rare", ReviewQuery { rule: Some("rare".into()), ..all.clone() }),
        ("reward:bad", ReviewQuery { reward: Some(Judged::Bad), ..all.clone() }),
        ("state:active", ReviewQuery { state: Some(ReviewWord::Active), ..all.clone() }),
        ("state:pruned", ReviewQuery { state: Some(ReviewWord::Pruned), ..all.clone() }),
        ("state:excluded", ReviewQuery { state: Some(ReviewWord::Excluded), ..all.clone() }),
        ("words: in every turn", ReviewQuery { find: Some("please".into()), ..all.clone() }),
        ("words: two, often", ReviewQuery { find: Some("find large".into()), ..all.clone() }),
        ("words: rare", ReviewQuery { find: Some("zebrafish".into()), ..all.clone() }),
        ("words: none", ReviewQuery { find: Some("xylophone".into()), ..all.clone() }),
        (
            "source:shell rule:rare words",
            ReviewQuery {
                source: Some(Source::Shell),
                rule: Some("rare".into()),
                find: Some("please".into()),
                ..all.clone()
            },
        ),
    ];
    let mut rows = Vec::new();
    for (name, query) in filters {
        let query = ReviewQuery { limit: Some(PAGE), ..query };
        let mut row = Row::new(name);
        for _ in 0..bench.rounds {
            let began = Instant::now();
            let page = rows_below(client, &query)?;
            row.add(began.elapsed(), page.rows.len());
        }
        rows.push(row);
    }
    rows.push(leafed(client, "next page", &ReviewQuery { limit: Some(PAGE), ..all.clone() }, PAGES)?);
    let far = ReviewQuery {
        source: Some(Source::Shell),
        rule: Some("rare".into()),
        find: Some("please".into()),
        limit: Some(PAGE),
        ..all
    };
    rows.push(leafed(client, "the same, each page to the end", &far, usize::MAX)?);
    Ok(rows)
}

/// Each of the pages below the first one.
fn leafed(client: &Client, name: &str, query: &ReviewQuery, most: usize) -> anyhow::Result<Row> {
    let mut row = Row::new(name);
    let mut next = rows_below(client, query)?.next;
    for _ in 0..most {
        let Some(ReviewCursor { turn, lesson }) = next else { break };
        let query = ReviewQuery { before_turn: turn, before_lesson: lesson, ..query.clone() };
        let began = Instant::now();
        let page = rows_below(client, &query)?;
        row.add(began.elapsed(), page.rows.len());
        next = page.next;
    }
    Ok(row)
}
