//! A running answer: its chunks, its end, and what is known about it afterwards. Pure.

use std::time::Duration;

use ratatui::text::Line;

use super::event::{Effect, Failure, Link, Purpose};
use super::thread::{Exchange, ending_words};
use super::{App, Running};
use crate::daemon::wire::{ChatChunk, ChelaAnswer, SessionThread};
use crate::tui::composer::Draft;
use crate::tui::markdown::Stream;
use crate::tui::{ansi, theme};
use crate::turn::{Ending, Message, Role, TurnId};

#[derive(Debug)]
pub(crate) struct Answer {
    pub ticket: u64,
    pub turn: Option<TurnId>,
    pub text: String,
    pub stream: Stream,
    pub started: Duration,
    pub first_piece: Option<Duration>,
    pub n_pieces: usize,
    /// The user wants it to end; said to the daemon as soon as the turn is known.
    pub is_unwanted: bool,
    ending: Option<Ending>,
    messages: Vec<Message>,
    draft: Draft,
    /// Command output that went along; it goes along again when the request is refused.
    pub carried: Vec<String>,
}

impl Answer {
    pub(super) fn new(
        ticket: u64,
        stream: Stream,
        started: Duration,
        messages: Vec<Message>,
        draft: Draft,
    ) -> Self {
        Self {
            ticket,
            turn: None,
            text: String::new(),
            stream,
            started,
            first_piece: None,
            n_pieces: 0,
            is_unwanted: false,
            ending: None,
            messages,
            draft,
            carried: Vec::new(),
        }
    }

    /// Tokens per second since the first one, once there are enough to tell.
    pub(crate) fn rate(&self, now: Duration) -> Option<f64> {
        let took = now.checked_sub(self.first_piece?)?.as_secs_f64();
        let pieces = u32::try_from(self.n_pieces).ok()?;
        (took > 0.2).then(|| f64::from(pieces) / took)
    }
}

impl App {
    pub(super) fn on_chunk(&mut self, ticket: u64, chunk: &ChatChunk) {
        let Running::Answer(answer) = &self.running else { return };
        if answer.ticket != ticket {
            return;
        }
        if let Some(chela) = &chunk.chela {
            self.on_placed(chela);
        }
        if chunk.usage.is_some() {
            self.usage.clone_from(&chunk.usage);
        }
        let pieces = chunk.choices.iter().filter_map(|choice| choice.delta.content.as_deref());
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            self.on_piece(piece);
        }
        let finish = chunk.choices.iter().find_map(|choice| choice.finish_reason.as_deref());
        if let (Running::Answer(answer), Some(reason)) = (&mut self.running, finish) {
            let fallback = if reason == "length" { Ending::Length } else { Ending::Stop };
            answer.ending.get_or_insert(fallback);
        }
    }

    /// The daemon has taken the request: the turn is in the ledger.
    fn on_placed(&mut self, chela: &ChelaAnswer) {
        self.policy = chela.policy;
        self.n_ctx = Some(chela.n_ctx);
        self.note_lessons(chela);
        let Running::Answer(answer) = &mut self.running else { return };
        if chela.ending.is_some() {
            answer.ending = chela.ending;
        }
        let is_new = answer.turn.replace(chela.turn).is_none();
        if is_new && answer.is_unwanted {
            self.effect(Effect::Interrupt(chela.turn));
        }
        if is_new && chela.dropped_messages > 0 {
            self.print_dim(&dropped_notice(chela.dropped_messages, chela.n_ctx));
        }
    }

    fn on_piece(&mut self, piece: &str) {
        let (now, is_plain) = (self.now, self.is_plain);
        let Running::Answer(answer) = &mut self.running else { return };
        answer.first_piece.get_or_insert(now);
        answer.n_pieces += 1;
        answer.text.push_str(piece);
        if is_plain {
            self.effect(Effect::Write(ansi::harmless(piece)));
        } else {
            let lines = answer.stream.push(piece);
            self.print(lines);
        }
    }

    pub(super) fn on_answer_ended(&mut self, ticket: u64, outcome: Result<(), Failure>) {
        if !matches!(&self.running, Running::Answer(answer) if answer.ticket == ticket) {
            return;
        }
        let Running::Answer(mut answer) = std::mem::replace(&mut self.running, Running::Nothing) else {
            return;
        };
        if self.is_plain {
            if !answer.text.is_empty() && !answer.text.ends_with('\n') {
                self.effect(Effect::Write("\n".into()));
            }
        } else {
            let lines = answer.stream.finish();
            self.print(lines);
        }
        match outcome {
            Ok(()) => self.on_answered(*answer),
            Err(failure) => self.on_answer_failed(*answer, &failure),
        }
        if !self.is_plain {
            self.print(vec![Line::default()]);
        }
    }

    fn on_answered(&mut self, answer: Answer) {
        let ending = answer.ending.unwrap_or(Ending::Stop);
        let ending = if answer.is_unwanted && ending == Ending::Stop { Ending::Interrupted } else { ending };
        if !ending.is_whole() {
            self.print_dim(&format!("({})", ending_words(ending)));
        } else if answer.text.is_empty() {
            self.print_dim("(the answer is empty)");
        }
        self.conclude(answer, ending);
        if ending == Ending::Interrupted {
            self.recover();
        }
    }

    fn on_answer_failed(&mut self, answer: Answer, failure: &Failure) {
        let is_lost = *failure == Failure::Lost;
        match failure {
            Failure::Lost if answer.text.is_empty() => {
                self.print_error("the daemon went away before it answered");
            }
            Failure::Lost => {
                let is_kept = answer.turn.is_some_and(TurnId::is_recorded);
                let rest = if is_kept { "; what is above is in the ledger" } else { "" };
                self.print_error(&format!("the daemon went away in the middle of the answer{rest}"));
            }
            Failure::Refused(reason) => self.print_error(reason),
        }
        if answer.turn.is_some() {
            let ending = if is_lost { Ending::Crashed } else { Ending::Failed };
            self.conclude(answer, ending);
            self.recover();
        } else {
            // It is in no ledger: the person has it back.
            self.thread.carried = answer.carried;
            self.give_back(answer.draft);
        }
        if is_lost {
            self.link = Link::Starting;
            self.print_dim("starting it again …");
            self.effect(Effect::Connect);
        }
    }

    /// Puts a message back where it can be changed and sent again.
    pub(super) fn give_back(&mut self, draft: Draft) {
        if self.is_plain {
            self.print_dim("the message was not sent");
        } else {
            self.composer.prepend(draft);
        }
    }

    fn conclude(&mut self, answer: Answer, ending: Ending) {
        let Some(turn) = answer.turn else { return };
        self.thread.exchanges.push(Exchange {
            turn,
            messages: answer.messages,
            response: answer.text,
            ending: Some(ending),
            draft: Some(answer.draft),
        });
    }

    /// Asks the ledger how the last turns are recorded: the next request has to say exactly that.
    fn recover(&mut self) {
        if !self.thread.exchanges.last().is_some_and(|exchange| exchange.turn.is_recorded()) {
            return;
        }
        self.running = Running::Call("reading the ledger");
        self.effect(Effect::LoadThread { session: self.thread.session.clone(), purpose: Purpose::Recover });
    }

    pub(super) fn on_thread(&mut self, purpose: Purpose, outcome: Result<SessionThread, String>) {
        self.running = Running::Nothing;
        match outcome {
            // What is on the screen is all there is: go on with it.
            Err(_) if purpose == Purpose::Recover => {}
            Err(reason) => self.print_error(&reason),
            Ok(found) if purpose == Purpose::Recover => self.thread.adopt(found.turns),
            Ok(found) => self.resume(found),
        }
    }

    fn resume(&mut self, found: SessionThread) {
        self.thread = super::Thread::new(found.session.id.clone());
        self.usage = None;
        let title = if found.session.title.is_empty() { "untitled" } else { &found.session.title };
        let n_turns = found.turns.len();
        let turns = if n_turns == 1 { "turn" } else { "turns" };
        self.print_dim(&format!("continuing \"{title}\", {n_turns} {turns}"));
        for turn in &found.turns {
            for message in turn.messages.iter().filter(|message| message.role == Role::User) {
                self.print_said(&message.content);
            }
            self.print_response(&turn.response, turn.ending);
        }
        self.thread.adopt(found.turns);
    }

    fn print_response(&mut self, response: &str, ending: Option<Ending>) {
        if self.is_plain {
            self.effect(Effect::Write(format!("{}\n", ansi::harmless(response).trim_end())));
        } else {
            let lines = Stream::whole(response, self.look());
            self.print(lines);
        }
        if let Some(ending) = ending.filter(|ending| !ending.is_whole()) {
            self.print_dim(&format!("({})", ending_words(ending)));
        }
        self.print(vec![Line::default()]);
    }

    /// What the person said, as it stays on the screen.
    pub(super) fn print_said(&mut self, text: &str) {
        let shown = ansi::harmless(text);
        let rows = crate::tui::wrap::wrap_text(&shown, theme::BOLD, self.size.columns.saturating_sub(2));
        let mut lines = Vec::new();
        for (idx, mut row) in rows.into_iter().enumerate() {
            let mark = if idx == 0 { "› " } else { "  " };
            row.spans.insert(0, ratatui::text::Span::styled(mark, theme::BRAND));
            lines.push(row);
        }
        lines.push(Line::default());
        self.print(lines);
    }
}

fn dropped_notice(n_dropped: usize, n_ctx: usize) -> String {
    let what = if n_dropped == 1 {
        "oldest message no longer fits".into()
    } else {
        format!("{n_dropped} oldest messages no longer fit")
    };
    let left = if n_dropped == 1 { "was" } else { "were" };
    format!("(the {what} the context of {n_ctx} tokens and {left} left out)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_counts() {
        assert_eq!(
            dropped_notice(2, 8192),
            "(the 2 oldest messages no longer fit the context of 8192 tokens and were left out)"
        );
        assert_eq!(
            dropped_notice(1, 256),
            "(the oldest message no longer fits the context of 256 tokens and was left out)"
        );
    }
}
