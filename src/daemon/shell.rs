//! What people run in their shells: remembered for the next question, and told to the turns whose suggestions it
//! concerns. Commands come from the proxy over the socket, or through files that the hooks write (`spool`).
//!
//! What always holds: secrets are taken out before anything is kept; a failure of a person's own command is context and never a label; only what the person made of a
//! suggestion, or ran in its place after it failed, says how it should have been.

mod follow;
mod spool;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use self::follow::{Followed, Tried};
use super::answer::now_ms;
use super::error::ApiError;
use super::state::Daemon;
use super::teaching::parsed;
use super::wire::shell::{ShellCommand, ShellCommands, ShellHeard, ShellMemory};
use crate::config::{Keep, Paths, Surface};
use crate::redact::Redactor;
use crate::turn::TurnId;

pub(super) use spool::run;

/// Commands of one shell that are remembered.
const REMEMBERED: usize = 20;
/// Shells that are remembered; the one that was quiet longest is forgotten first.
const MAX_SHELLS: usize = 64;
/// Longest command and longest output that are kept, in bytes; the middle of an output is left out.
const MAX_TEXT: usize = 16 << 10;
const MAX_OUTPUT: usize = 16 << 10;

type Shared = State<Arc<Daemon>>;

/// The shells that the daemon knows of; in memory only.
pub(super) struct Shells {
    known: Mutex<HashMap<String, Known>>,
    folder: PathBuf,
    redactor: Arc<Redactor>,
}

/// What is known of a shell.
struct Known {
    recent: VecDeque<ShellCommand>,
    /// The suggestion that was run last and did not work.
    tried: Option<Tried>,
    heard_ms: i64,
}

impl Shells {
    pub(super) fn new(paths: &Paths, redactor: Arc<Redactor>) -> Self {
        Self { known: Mutex::default(), folder: paths.shell_dir(), redactor }
    }

    /// The command as it may be kept: without secrets, and not longer than anybody reads.
    fn kept(&self, mut command: ShellCommand) -> ShellCommand {
        // Secrets first: a cut in the middle of one would hide it from the rules.
        let plain = |text: &str, limit| head_and_tail(&self.redactor.redact(text).text, limit);
        command.text = plain(&command.text, MAX_TEXT);
        command.output = command.output.map(|output| plain(&output, MAX_OUTPUT));
        command
    }

    fn memory(&self, shell: &str) -> ShellMemory {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = known.get(shell).map(|known| known.recent.iter().cloned().collect());
        ShellMemory { recent: recent.unwrap_or_default() }
    }

    /// Remembers a command, and gives the suggestion that it may be the cure of.
    fn remember(&self, shell: &str, command: &ShellCommand) -> Option<Tried> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(shell) && all.len() >= MAX_SHELLS {
            let quiet = all.iter().min_by_key(|(_, known)| known.heard_ms).map(|(name, _)| name.clone());
            quiet.and_then(|quiet| all.remove(&quiet));
        }
        let empty = || Known { recent: VecDeque::new(), tried: None, heard_ms: 0 };
        let known = all.entry(shell.to_owned()).or_insert_with(empty);
        known.heard_ms = now_ms();
        known.recent.push_back(command.clone());
        while known.recent.len() > REMEMBERED {
            known.recent.pop_front();
        }
        known.tried.clone()
    }

    /// How many commands that are remembered are meant.
    pub(super) fn count(&self, is_meant: &dyn Fn(&ShellCommand) -> bool) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().flat_map(|known| &known.recent).filter(|command| is_meant(command)).count()
    }

    /// Remembers these no longer, and with one of them gone no suggestion that may be cured.
    pub(super) fn forget(&self, is_meant: &dyn Fn(&ShellCommand) -> bool) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for known in all.values_mut() {
            let before = known.recent.len();
            known.recent.retain(|command| !is_meant(command));
            if known.recent.len() < before {
                known.tried = None;
            }
        }
    }

    fn tried(&self, shell: &str, tried: Option<Tried>) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get_mut(shell) {
            known.tried = tried;
        }
    }
}

/// `POST /chela/v1/shell/commands`.
pub(super) async fn commands(State(daemon): Shared, body: Body) -> Result<Json<ShellHeard>, ApiError> {
    let told: ShellCommands = parsed(body).await?;
    // What the hooks wrote earlier comes first.
    spool::read_now(&daemon, Some(&told.shell)).await;
    hear(&daemon, told).await.map(Json)
}

/// `GET /chela/v1/shell/{shell}`.
pub(super) async fn memory(State(daemon): Shared, Path(shell): Path<String>) -> Json<ShellMemory> {
    spool::read_now(&daemon, Some(&shell)).await;
    Json(daemon.shells.memory(&shell))
}

/// Takes in what hooks without a proxy wrote so far.
pub(super) async fn take_in(daemon: &Arc<Daemon>) {
    spool::read_now(daemon, None).await;
}

/// Takes in what ran, in order.
async fn hear(daemon: &Arc<Daemon>, told: ShellCommands) -> Result<ShellHeard, ApiError> {
    let mut turns = Vec::new();
    for command in told.commands {
        let keep = daemon.rules.keep_in(Surface::Shell, Some(&command.cwd));
        if keep == Keep::Nothing || is_own(&command) {
            continue;
        }
        let command = daemon.shells.kept(command);
        let before = daemon.shells.remember(&told.shell, &command);
        if keep == Keep::Unlearned {
            continue;
        }
        let suggested = match command.suggestion {
            Some(turn) => suggestion(daemon, turn).await?,
            None => None,
        };
        let Followed { told: news, tried } = follow::states(suggested.as_deref(), &command, before.as_ref());
        daemon.shells.tried(&told.shell, tried);
        let Some((turn, states)) = news else { continue };
        for state in states {
            daemon.ledger.record_next_state(turn, now_ms(), state).await?;
        }
        turns.push(turn);
    }
    Ok(ShellHeard { turns })
}

/// What chela itself says in a shell is recorded by itself, or is off the record: a chat's screen is no output to keep.
fn is_own(command: &ShellCommand) -> bool {
    let program = command.text.split_whitespace().next().unwrap_or_default();
    command.suggestion.is_none() && program.rsplit('/').next() == Some("chela")
}

/// What was suggested in a turn; nothing where the turn is gone or has no answer.
async fn suggestion(daemon: &Daemon, turn: TurnId) -> Result<Option<String>, ApiError> {
    match daemon.ledger.turn(turn).await {
        Ok(row) => Ok(Some(row.response).filter(|response| !response.is_empty())),
        Err(err) if err.status == StatusCode::NOT_FOUND => Ok(None),
        Err(err) => Err(err),
    }
}

/// The text, or its two ends with a mark between where it is longer than `limit` bytes.
fn head_and_tail(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(limit / 2);
    let tail = text.ceil_char_boundary(text.len() - limit / 2);
    let (head, rest) = text.split_at(head);
    let tail_text = rest.get(tail - head.len()..).unwrap_or_default();
    format!("{head}\n[{} bytes left out]\n{tail_text}", text.len() - head.len() - tail_text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_keeps_both_ends() {
        assert_eq!(head_and_tail("short", 16), "short");
        let long = format!("begin{}end", "é".repeat(100));
        let cut = head_and_tail(&long, 20);
        assert!(cut.starts_with("begin") && cut.ends_with("end") && cut.contains("bytes left out"), "{cut}");
    }
}
