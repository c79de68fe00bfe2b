//! The conversation with the model: the task, its commands, how they ended.
//!
//! How a command ended is told to the daemon as an outcome and asked about in a thread of its own: as a message in the
//! command's thread it would count as a person's words. Secrets are hidden before anything leaves for the daemon.

use anyhow::Context;

use super::answer::{Proposed, read};
use crate::cli::place::{Place, is_off_record, redactor};

use crate::cli::{Exit, exit, output};
use crate::client::Client;
use crate::config::Settings;
use crate::daemon::wire::{ChatRequest, ChelaRequest, ModelState};
use crate::redact::Redactor;
use crate::turn::next_state::{CommandOutcome, NextState};
use crate::turn::{Message, Role, SessionId, Source, TurnId, TurnKind, plain_request};

const FAILED: &str = include_str!("../../../assets/prompts/fix.txt");
const WORKED: &str = include_str!("../../../assets/prompts/next.txt");
/// No single command needs more.
const MAX_TOKENS: usize = 300;
/// Of an output, what the model reads: its head and its tail.
const SHOWN_HEAD: usize = 600;
const SHOWN_TAIL: usize = 1400;

pub(super) struct Talk {
    client: Client,
    redactor: Redactor,
    session: SessionId,
    task: String,
    cwd: Option<String>,
    messages: Vec<Message>,
    /// The turn that the next message continues: only a person's words do.
    parent: Option<TurnId>,
}

/// One answer of the model.
pub(super) struct Proposal {
    pub(super) turn: Option<TurnId>,
    pub(super) what: Proposed,
}

impl Talk {
    pub(super) fn begin(place: &Place, settings: &Settings, task: &str) -> anyhow::Result<Self> {
        let client = Client::connect(&place.paths)?;
        if let ModelState::Loading { name } = client.status()?.model {
            output::note(&format!("loading {name} …"));
        }
        if let ModelState::None { reason } = client.wait_for_model()?.model {
            return Err(exit::Stop::new(Exit::NoModel, reason).into());
        }
        let mut bytes = [0_u8; 8];
        getrandom::fill(&mut bytes).context("no random numbers from the system")?;
        let session = SessionId(format!("do-{:016x}", u64::from_le_bytes(bytes)));
        let cwd = std::env::current_dir().ok().map(|dir| dir.to_string_lossy().into_owned());
        let redactor = redactor(&settings.privacy.hide);
        let task = redactor.redact(task).text.into_owned();
        let messages = plain_request(&settings.chat.system, &task);
        Ok(Self { client, redactor, session, task, cwd, messages, parent: None })
    }

    /// The next command, or the end.
    pub(super) fn propose(&mut self) -> anyhow::Result<Proposal> {
        let request = ChatRequest {
            messages: self.messages.clone(),
            stream: true,
            temperature: Some(0.0),
            max_tokens: Some(MAX_TOKENS),
            store: is_off_record().then_some(false),
            chela: Some(ChelaRequest {
                session: self.session.clone(),
                parent: self.parent.take(),
                source: Source::Agent,
                kind: TurnKind::Main,
                cwd: self.cwd.clone(),
                drop_oldest: true,
            }),
            ..ChatRequest::default()
        };
        let (mut text, mut turn, mut is_whole) = (String::new(), None, true);
        for chunk in self.client.chat(&request)? {
            let chunk = chunk?;
            turn = chunk.chela.map(|chela| chela.turn).filter(|turn| turn.is_recorded()).or(turn);
            for choice in chunk.choices {
                text.push_str(&choice.delta.content.unwrap_or_default());
                is_whole &= choice.finish_reason.as_deref() != Some("length");
            }
        }
        self.messages.push(Message::new(Role::Assistant, text.clone()));
        Ok(Proposal { turn, what: read(&output::harmless(&text), is_whole) })
    }

    /// What the person wants instead.
    pub(super) fn reply(&mut self, turn: Option<TurnId>, words: &str) {
        self.parent = turn;
        self.messages.push(Message::new(Role::User, self.hidden(words)));
    }

    /// The command that the person made of the answer.
    pub(super) fn edited(&mut self, turn: Option<TurnId>, command: &str) {
        let command = self.hidden(command);
        self.tell(turn, &NextState::Edit { text: command.clone() });
        if let Some(last) = self.messages.last_mut().filter(|last| last.role == Role::Assistant) {
            last.content = command;
        }
    }

    /// How the command ended; the model is asked what follows.
    pub(super) fn ended(&mut self, turn: Option<TurnId>, outcome: CommandOutcome) {
        let command = self.hidden(&outcome.command);
        let outcome = CommandOutcome { command, output: self.hidden(&outcome.output), ..outcome };
        let output = shown(&outcome.output);
        let form = if outcome.status == 0 { WORKED } else { FAILED };
        let lines = form.trim_end().split('\n').filter(|line| *line != "{output}" || !output.is_empty());
        let text = lines.collect::<Vec<_>>().join("\n");
        // The output last: what stands in it is no placeholder.
        let text = text
            .replace("{command}", &outcome.command)
            .replace("{status}", &outcome.status.to_string())
            .replace("{task}", &self.task)
            .replacen("{output}", &output, 1);
        self.messages.push(Message::new(Role::User, text));
        self.parent = None;
        self.tell(turn, &NextState::Command(outcome));
    }

    fn hidden(&self, text: &str) -> String {
        self.redactor.redact(text).text.into_owned()
    }

    /// Nobody's work stops because the daemon could not write something down.
    fn tell(&self, turn: Option<TurnId>, state: &NextState) {
        let Some(turn) = turn else { return };
        if let Err(error) = self.client.tell_next_state(turn, state) {
            output::note(&format!("note: nothing is learned from this step: {error}"));
        }
    }
}

/// Head and tail of an output, cut between lines where that is possible.
fn shown(output: &str) -> String {
    let output = output.trim();
    let n_letters = output.chars().count();
    if n_letters <= SHOWN_HEAD + SHOWN_TAIL {
        return output.to_owned();
    }
    let head: String = output.chars().take(SHOWN_HEAD).collect();
    let tail: String = output.chars().skip(n_letters - SHOWN_TAIL).collect();
    let head = head.rsplit_once('\n').map_or(head.as_str(), |(before, _)| before);
    let tail = tail.split_once('\n').map_or(tail.as_str(), |(_, after)| after);
    format!("{head}\n[…]\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_is_shown_by_its_ends() {
        assert_eq!(shown(" a\nb\n"), "a\nb");
        let lines: Vec<String> = (0..2000).map(|n| format!("line {n}")).collect();
        let text = shown(&lines.join("\n"));
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("\nline 1999"), "{text}");
        assert!(text.contains("\n[…]\nline ") && text.chars().count() < 2100);
    }
}
