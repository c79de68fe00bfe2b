//! How a line may go on, for ghost text: silent where anything is missing, and never the cause of a daemon's start.

use super::asking::Asking;
use super::command::{Found, command};
use crate::client::Client;
use crate::daemon::wire::ModelState;
use crate::tui::suggest::Proposal;
use crate::turn::TurnKind;

/// Below this a line says nothing of what is wanted; above, the eye does not follow any more.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=200;
/// Longest rest, in tokens: more is not read in a ghost's time.
const MAX_TOKENS: usize = 32;

/// `line` and how it goes on. `None`: nothing is known, or nobody who would know runs.
pub(super) fn completed(asking: &Asking, line: &str) -> anyhow::Result<Option<Proposal>> {
    let line = line.trim_start();
    if !LENGTHS.contains(&line.chars().count()) || line.contains(char::is_control) {
        return Ok(None);
    }
    let Some(client) = Client::connect_if_running(&asking.paths)? else { return Ok(None) };
    if !matches!(client.status()?.model, ModelState::Ready { .. }) {
        return Ok(None);
    }
    let messages = asking.around.question(&format!("Complete the command: {line}"), None);
    let mut request = asking.request(messages, TurnKind::Side);
    request.grammar = Some(grammar(line));
    request.max_tokens = Some(MAX_TOKENS + line.len());
    let (mut turn, mut answer) = (None, String::new());
    for chunk in client.chat(&request)? {
        let chunk = chunk?;
        turn = chunk.chela.map(|chela| chela.turn).or(turn);
        answer.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    let (Some(turn), Found::Command(command)) = (turn, command(&answer, |_| true)) else { return Ok(None) };
    let goes_on = command.len() > line.len() && command.starts_with(line);
    Ok(goes_on.then_some(Proposal { turn, command, dangers: Vec::new() }))
}

/// An answer that begins with `line` and stays on one line.
fn grammar(line: &str) -> String {
    let literal: String = line
        .chars()
        .map(|c| if matches!(c, '"' | '\\') { format!("\\{c}") } else { c.to_string() })
        .collect();
    format!("root ::= \"{literal}\" [^\\n\\r]*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_in_a_line_stay_what_they_are() {
        assert_eq!(grammar("echo \"a\\n"), "root ::= \"echo \\\"a\\\\n\" [^\\n\\r]*");
    }
}
