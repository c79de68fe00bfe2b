//! The training set: conversations that end with an answer the person confirmed, or wrote. What `chela train` reads.
//!
//! What always holds: each line is one that the trainer takes; what the gate measures with is in none.

use std::collections::HashSet;
use std::io::Write;

use serde::Serialize;

use super::{Wanted, Written, write_line};
use crate::learn::chat_file::parse_line;
use crate::store::{Reader, StoreError, TurnRow};
use crate::turn::next_state::NextState;
use crate::turn::{Message, Role, Source, TurnId};

/// Turns that are read at a time.
const PAGE: usize = 256;

/// A line in OpenAI's fine-tuning format. Trainers pass over `chela`.
#[derive(Debug, Serialize)]
struct Example<'a> {
    messages: &'a [Message],
    chela: Origin,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Origin {
    turn: TurnId,
    why: Why,
}

/// Why the last message is the right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    JudgedGood,
    /// The person changed the answer before they used it.
    Edited,
}

pub(super) fn write(reader: &mut Reader, wanted: &Wanted, out: &mut dyn Write) -> anyhow::Result<Written> {
    let mut written = Written::default();
    let mut edited = HashSet::new();
    for (turn, text) in own_answers(reader)? {
        edited.insert(turn);
        add(reader, wanted, (turn, Some(text)), out, &mut written)?;
    }
    let mut before = None;
    loop {
        let page = reader.good_turns(before, PAGE)?;
        let Some(last) = page.last() else { return Ok(written) };
        before = Some(last.turn.id);
        for line in page.iter().filter(|line| !edited.contains(&line.turn.id)) {
            add(reader, wanted, (line.turn.id, None), out, &mut written)?;
        }
    }
}

/// Turns of which the person used something else than the answer, and what; oldest first. Without those that a person
/// took out of learning.
pub(super) fn own_answers(reader: &mut Reader) -> Result<Vec<(TurnId, String)>, StoreError> {
    let mut turns = reader.followed_by("edit")?;
    turns.extend(reader.followed_by("command")?);
    turns.sort_unstable();
    turns.dedup();
    let mut found = Vec::new();
    for turn in turns {
        let states = reader.next_states(turn)?;
        let row = reader.turn(turn)?.row;
        if let Some(text) = states.iter().find_map(|state| own_answer(&row, &state.state)) {
            found.push((turn, text));
        }
    }
    Ok(found)
}

/// A command that differs from the proposed one and ran well is the person's own, where an answer is a command.
fn own_answer(turn: &TurnRow, state: &NextState) -> Option<String> {
    let text = match state {
        NextState::Edit { text } => text,
        NextState::Command(ran)
            if ran.status == 0 && matches!(turn.source, Source::Shell | Source::Agent) =>
        {
            &ran.command
        }
        _ => return None,
    };
    let is_other = !text.trim().is_empty() && text.trim() != turn.response.trim();
    is_other.then(|| text.trim().to_owned())
}

/// `example`: a turn, and what is right in the place of its answer.
fn add(
    reader: &mut Reader,
    wanted: &Wanted,
    example: (TurnId, Option<String>),
    out: &mut dyn Write,
    written: &mut Written,
) -> anyhow::Result<()> {
    let (turn, own) = example;
    let thread = reader.thread_to(turn)?;
    let Some(newest) = thread.last().filter(|newest| is_wanted(newest, wanted)) else { return Ok(()) };
    if reader.is_held_out(turn)? {
        return Ok(());
    }
    let why = if own.is_some() { Why::Edited } else { Why::JudgedGood };
    let answer = own.unwrap_or_else(|| newest.response.clone());
    let mut messages = conversation(&thread);
    messages.push(Message::new(Role::Assistant, answer));
    let example = Example { messages: &messages, chela: Origin { turn, why } };
    if parse_line(1, &serde_json::to_vec(&example)?).is_err() {
        written.unusable += 1;
        return Ok(());
    }
    written.rows += 1;
    write_line(out, &example)
}

pub(super) fn is_wanted(turn: &TurnRow, wanted: &Wanted) -> bool {
    turn.started_at >= wanted.filter.since
        && wanted.session.as_ref().is_none_or(|session| *session == turn.session)
}

/// What was said before the newest turn's answer, that answer left out. `thread`: oldest first.
pub(super) fn conversation(thread: &[TurnRow]) -> Vec<Message> {
    let mut messages = Vec::new();
    for (at, turn) in thread.iter().enumerate() {
        messages.extend(turn.messages.iter().cloned());
        if at + 1 < thread.len() {
            messages.push(Message::new(Role::Assistant, &turn.response));
        }
    }
    messages
}
