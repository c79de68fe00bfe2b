//! `chela daemon`: the background process that holds the model. It starts on demand; this is for looking and ending.

use std::io::{BufRead, BufReader};

use anyhow::Context;
use clap::Subcommand;

use super::place::Place;
use super::{Exit, exit, output};
use crate::client::Client;
use crate::daemon::wire::{ModelState, Status};

#[derive(Debug, Subcommand)]
pub(super) enum DaemonCommand {
    /// Be the daemon, in the foreground (clients start it like this)
    Run,
    /// Say whether it runs, since when, with which model; exit code 3 when it does not run
    Status {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Finish what it is doing and end
    Stop,
    /// Stop and start again, with the settings as they are now
    Restart,
    /// Print the end of its log
    Log {
        /// How many lines
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
        /// Print where the log is, to follow it: tail -f "$(chela daemon log --path)"
        #[arg(long)]
        path: bool,
    },
}

pub(super) fn run(place: &Place, command: &DaemonCommand) -> anyhow::Result<Exit> {
    match command {
        DaemonCommand::Run => super::serve::run_daemon(place),
        DaemonCommand::Status { json } => status(place, *json),
        DaemonCommand::Stop => stop(place),
        DaemonCommand::Restart => restart(place),
        DaemonCommand::Log { path: true, .. } => {
            output::line(&place.paths.log_file().display().to_string())?;
            Ok(Exit::Done)
        }
        DaemonCommand::Log { lines, .. } => log(place, *lines),
    }
}

fn status(place: &Place, json: bool) -> anyhow::Result<Exit> {
    let Some(client) = Client::connect_if_running(&place.paths)? else {
        return Err(
            exit::Stop::new(Exit::NoModel, "no daemon runs; it starts with the first question").into()
        );
    };
    let status = client.status()?;
    if json {
        output::json(&status)?;
    } else {
        output::line(&output::table(&rows(&status)))?;
    }
    Ok(Exit::Done)
}

fn stop(place: &Place) -> anyhow::Result<Exit> {
    match Client::connect_if_running(&place.paths)? {
        Some(client) => client.stop()?,
        None => output::note("no daemon runs"),
    }
    Ok(Exit::Done)
}

fn restart(place: &Place) -> anyhow::Result<Exit> {
    place.prepare()?;
    stop(place)?;
    Client::connect(&place.paths)?;
    Ok(Exit::Done)
}

fn log(place: &Place, n_lines: usize) -> anyhow::Result<Exit> {
    let file = place.paths.log_file();
    let reader = match std::fs::File::open(&file) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message =
                format!("there is no log yet at {}; it begins with the first daemon", file.display());
            return Err(exit::Stop::new(Exit::NotFound, message).into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let mut last = std::collections::VecDeque::new();
    for line in reader.split(b'\n') {
        last.push_back(line.with_context(|| format!("cannot read {}", file.display()))?);
        if last.len() > n_lines {
            last.pop_front();
        }
    }
    for line in last {
        output::line(&output::harmless(&String::from_utf8_lossy(&line)))?;
    }
    Ok(Exit::Done)
}

fn rows(status: &Status) -> Vec<Vec<String>> {
    let model = match &status.model {
        ModelState::None { reason } => format!("none: {reason}"),
        ModelState::Loading { name } => format!("{name}, loading"),
        ModelState::Ready { model } => {
            format!("{} ({}, context {}, {})", model.name, model.description, model.n_ctx, model.placement)
        }
    };
    let memory = status.memory_bytes.map_or_else(|| "unknown".to_owned(), output::size);
    let endpoint = status.tcp.clone().unwrap_or_else(|| "none; `chela serve` opens one".to_owned());
    [
        ("version", format!("{} (protocol {})", status.version, status.protocol)),
        ("process", format!("{}, up {}", status.pid, duration(status.uptime_s))),
        ("memory", memory),
        ("model", model),
        ("policy", status.policy.to_string()),
        ("requests", format!("{} running", status.running_requests)),
        ("endpoint", endpoint),
        ("ledger", status.ledger.clone()),
        ("log", status.log.clone()),
    ]
    .into_iter()
    .chain(status.notices.iter().map(|notice| ("notice", output::harmless(notice))))
    .map(|(name, value)| vec![name.to_owned(), value])
    .collect()
}

/// The two largest units: `3 h 12 min`.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, expected: &str) {
        assert_eq!(duration(seconds), expected);
    }

    #[test]
    fn durations_show_two_units() {
        check(9, "9 s");
        check(125, "2 min 5 s");
        check(11_520, "3 h 12 min");
        check(180_000, "2 d 2 h");
    }
}
