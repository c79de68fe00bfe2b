//! Preference pairs: to one conversation, an answer that was better and one that was worse.
//!
//! Three things make a pair: an answer that the person changed before they used it; a bad answer that was followed, in the
//! same thread, by a good one; two answers to the same conversation of which one was judged good and the other bad.

use std::collections::HashMap;
use std::io::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::examples::{conversation, is_wanted, own_answers};
use super::{Wanted, Written, write_line};
use crate::store::{Reader, StoreError, TurnLine, TurnRow};
use crate::turn::{Message, Role, TurnId};

/// Turns that are read at a time.
const PAGE: usize = 256;

/// A line in the form that TRL and others read (conversational, explicit prompt). Trainers pass over `chela`.
#[derive(Debug, Serialize)]
struct Pair<'a> {
    prompt: &'a [Message],
    chosen: [Message; 1],
    rejected: [Message; 1],
    chela: Origin,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Origin {
    /// The turn of the rejected answer.
    turn: TurnId,
    /// The turn of the chosen answer, where it was chela's.
    better: Option<TurnId>,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    Edited,
    Corrected,
    Rated,
}

/// A conversation, as a key that costs little memory.
type Key = [u8; 32];

pub(super) fn write(reader: &mut Reader, wanted: &Wanted, out: &mut dyn Write) -> anyhow::Result<Written> {
    let mut rows = 0;
    let mut put = |reader: &mut Reader, (worse, better, why): (TurnId, Better, Why)| -> anyhow::Result<()> {
        let thread = reader.thread_to(worse)?;
        let Some(newest) = thread.last().filter(|newest| is_wanted(newest, wanted)) else { return Ok(()) };
        let (chosen, better) = match better {
            Better::Text(text) => (text, None),
            Better::Turn(turn) => (reader.turn(turn)?.row.response, Some(turn)),
        };
        if chosen.trim().is_empty() || chosen == newest.response || newest.response.is_empty() {
            return Ok(());
        }
        let answer = |text: String| [Message::new(Role::Assistant, text)];
        let pair = Pair {
            prompt: &conversation(&thread),
            chosen: answer(chosen),
            rejected: answer(newest.response.clone()),
            chela: Origin { turn: worse, better, why },
        };
        rows += 1;
        write_line(out, &pair)
    };
    for (turn, text) in own_answers(reader)? {
        put(reader, (turn, Better::Text(text), Why::Edited))?;
    }
    let good = good_answers(reader)?;
    let mut before = None;
    loop {
        let page = reader.bad_turns(before, PAGE)?;
        let Some(last) = page.last() else { break };
        before = Some(last.turn.id);
        for line in &page {
            for found in better_than(reader, line, &good)? {
                put(reader, found)?;
            }
        }
    }
    Ok(Written { rows, ..Written::default() })
}

enum Better {
    Text(String),
    Turn(TurnId),
}

/// The good answers to what a bad turn answered.
fn better_than(
    reader: &mut Reader,
    bad: &TurnLine,
    good: &HashMap<Key, Option<TurnId>>,
) -> Result<Vec<(TurnId, Better, Why)>, StoreError> {
    let turn = bad.turn.id;
    if let Some(Some(better)) = good.get(&key(&reader.thread_to(turn)?)) {
        return Ok(vec![(turn, Better::Turn(*better), Why::Rated)]);
    }
    let mut found = Vec::new();
    for next in reader.continued_by(turn)? {
        let is_good = reader
            .turn_story(next)?
            .verdicts
            .iter()
            .any(|verdict| verdict.is_newest && verdict.verdict.reward == Some(1));
        if is_good && !reader.is_excluded(next)? {
            found.push((turn, Better::Turn(next), Why::Corrected));
        }
    }
    Ok(found)
}

/// The newest good answer to each conversation that was also answered badly. Bad turns are few.
fn good_answers(reader: &mut Reader) -> Result<HashMap<Key, Option<TurnId>>, StoreError> {
    let mut found: HashMap<Key, Option<TurnId>> = HashMap::new();
    each(reader, Reader::bad_turns, &mut |key, _| {
        found.insert(key, None);
    })?;
    if !found.is_empty() {
        each(reader, Reader::good_turns, &mut |key, turn| {
            if let Some(good) = found.get_mut(&key) {
                good.get_or_insert(turn);
            }
        })?;
    }
    Ok(found)
}

type Pages = fn(&mut Reader, Option<TurnId>, usize) -> Result<Vec<TurnLine>, StoreError>;

/// Every turn of a list with its conversation's key, newest first.
fn each(reader: &mut Reader, pages: Pages, on_turn: &mut dyn FnMut(Key, TurnId)) -> Result<(), StoreError> {
    let mut before = None;
    loop {
        let page = pages(reader, before, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.turn.id);
        for line in &page {
            on_turn(key(&reader.thread_to(line.turn.id)?), line.turn.id);
        }
    }
}

fn key(thread: &[TurnRow]) -> Key {
    let mut digest = Sha256::new();
    for message in conversation(thread) {
        // With its length, so that no two conversations look alike.
        let text = format!("{:?} {} {}", message.role, message.content.len(), message.content);
        digest.update(text);
    }
    digest.finalize().into()
}
