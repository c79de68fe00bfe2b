//! `chela bench shell`: what chela costs in a shell. The same keys, commands and output through the bare shell, through a
//! minimal relay (`script`), with the hooks, and under `chela shell`; in turn, in the same minutes.

mod homes;
mod report;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use clap::Args;

use self::homes::{Homes, Setup};
use self::report::{Report, Row};
use crate::cli::served::Scratch;
use crate::cli::{Exit, output};
use crate::shell::measure::Session;

/// Keys between two erasures: a long line is drawn more slowly, whatever stands between.
const KEYS_IN_A_LINE: usize = 40;
const WARM_UP: usize = 5;

#[derive(Debug, Args)]
#[command(
    after_help = "Each figure is what the setup adds to the bare shell of the same round. With --load a model \
    generates and another one trains meanwhile, in processes of their own."
)]
pub(in crate::cli) struct ShellBench {
    /// Shells to measure [default: those of bash, zsh and fish that are installed]
    #[arg(long, value_delimiter = ',', value_parser = ["bash", "zsh", "fish"])]
    shells: Vec<String>,
    /// Rounds; each starts every setup once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Keys in a round
    #[arg(long, value_name = "N", default_value_t = 400)]
    keys: usize,
    /// Commands in a round
    #[arg(long, value_name = "N", default_value_t = 50)]
    commands: usize,
    /// Bulk output in a round, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 64)]
    bulk: usize,
    /// While a model generates and another one trains
    #[arg(long)]
    load: bool,
    #[arg(long)]
    json: bool,
}

pub(super) fn run(bench: &ShellBench) -> anyhow::Result<Exit> {
    let scratch = Scratch::new()?;
    let homes = Homes::make(scratch.path(), bench.bulk)?;
    let shells = homes.shells(&bench.shells)?;
    let _load = if bench.load { Some(Load::start()?) } else { None };
    let mut rows = Vec::new();
    for shell in shells {
        rows.append(&mut measure(bench, &homes, &shell)?);
    }
    let report = Report::new(bench.load, &rows);
    if bench.json {
        output::line(&serde_json::to_string(&report)?)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(Exit::Done)
}

/// All setups of one shell, round by round.
fn measure(bench: &ShellBench, homes: &Homes, shell: &str) -> anyhow::Result<Vec<Row>> {
    let setups = homes.setups(shell)?;
    let mut rows: Vec<Row> = setups.iter().map(|setup| Row::new(shell, setup.name)).collect();
    for round in 0..=bench.rounds {
        output::note(&format!("{shell}: round {round} of {} …", bench.rounds));
        for (setup, row) in setups.iter().zip(&mut rows) {
            let figures =
                one_session(bench, homes, setup).with_context(|| format!("{shell}, {}", setup.name))?;
            // The first round warms caches up and is not counted.
            if round > 0 {
                row.add(figures);
            }
        }
    }
    Ok(rows)
}

/// What one session gave, in milliseconds and megabytes per second.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) start: f64,
    pub(super) keys: Vec<f64>,
    pub(super) commands: Vec<f64>,
    pub(super) bulk: f64,
    /// Resident memory of what stands between terminal and shell, in MiB.
    pub(super) proxy_mib: Option<f64>,
}

fn one_session(bench: &ShellBench, homes: &Homes, setup: &Setup) -> anyhow::Result<Figures> {
    let (mut session, started) = Session::open(&setup.program)?;
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let mut figures = Figures { start: ms(started), ..Figures::default() };
    for round in 0..bench.commands + WARM_UP {
        let took = session.command(": command")?;
        if round >= WARM_UP {
            figures.commands.push(ms(took));
        }
    }
    for at in 0..bench.keys {
        if at % KEYS_IN_A_LINE == 0 {
            session.erase()?;
            session.key()?;
        }
        figures.keys.push(ms(session.key()?));
    }
    session.erase()?;
    let bulk = session.command(&format!("cat {}", homes.bulk_file()))?;
    #[expect(clippy::cast_precision_loss, reason = "megabytes of a bench")]
    let megabytes = bench.bulk as f64;
    figures.bulk = megabytes / bulk.as_secs_f64();
    figures.proxy_mib = session.resident_mib().filter(|_| setup.is_chela);
    Ok(figures)
}

/// A model that generates and another one that trains, until this is dropped.
struct Load(Vec<Child>);

impl Load {
    fn start() -> anyhow::Result<Self> {
        let chela = std::env::current_exe().context("cannot find this program")?;
        let mut load = Self(Vec::new());
        for arguments in [
            ["bench", "serve", "--rounds", "100000", "--clients", "1"].as_slice(),
            ["bench", "train", "--steps", "100000", "--answers", "1"].as_slice(),
        ] {
            let mut command = Command::new::<&PathBuf>(&chela);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            load.0.push(command.spawn().with_context(|| format!("cannot start {}", chela.display()))?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended already cannot be ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
