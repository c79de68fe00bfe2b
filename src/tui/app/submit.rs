//! Sending: what a line is (message, `/` command, `!` command), whether it can go now, and whether it fits. Pure.

use super::answer::Answer;
use super::event::{Effect, Link};
use super::{App, Running};
use crate::tui::commands::{self, Command};
use crate::tui::composer::{Draft, in_bytes};
use crate::tui::markdown::Stream;

/// Texts up to this long are counted exactly while typing.
const EXACT_BYTES: usize = 32 * 1024;
/// Texts up to this long are counted exactly before they are sent.
const COUNTED_BYTES: usize = 256 * 1024;
/// Average bytes of a token, for an estimate.
const TOKEN_BYTES: usize = 4;
/// No ordinary text has longer tokens on average: what is over this does not fit.
const LONG_TOKEN_BYTES: usize = 8;

impl App {
    /// Enter: what stands in the composer goes out or into the queue.
    pub(super) fn submit(&mut self) {
        if self.composer.draft().is_blank() {
            if matches!(self.link, Link::Down(_)) && !self.queue.is_empty() {
                self.reconnect();
            }
            return;
        }
        let draft = self.composer.take();
        self.history.stop();
        self.remember(&draft);
        self.send(draft);
    }

    pub(super) fn remember(&mut self, draft: &Draft) {
        let text = draft.expanded();
        if text.len() <= 64 * 1024 && !self.will_be_off_record() {
            self.history.record(&text);
            self.effect(Effect::Record(text));
        }
    }

    /// A line of plain input: everything goes through the queue, so that piped lines keep their order.
    pub(super) fn on_line(&mut self, line: &str) {
        let draft = Draft::from(line);
        if !draft.is_blank() {
            self.remember(&draft);
        }
        self.queue.push_back(draft);
        if matches!(self.link, Link::Down(_)) {
            self.reconnect();
        }
    }

    fn send(&mut self, draft: Draft) {
        let leaves = matches!(commands::parse(draft.text.trim()), Some(Ok((Command::Quit, _))));
        let is_command = draft.text.starts_with(['/', '!']);
        let is_free = matches!(self.running, Running::Nothing);
        let is_ready = matches!(self.link, Link::Ready(_));
        if leaves || is_free && (is_command || is_ready && self.queue.is_empty()) {
            self.perform(draft);
            return;
        }
        self.queue.push_back(draft);
        if matches!(self.link, Link::Down(_)) && !is_command {
            self.reconnect();
        }
    }

    pub(super) fn reconnect(&mut self) {
        self.link = Link::Starting;
        self.effect(Effect::Connect);
    }

    /// Does what the draft says. Nothing else runs.
    pub(super) fn perform(&mut self, draft: Draft) {
        if let Some(command) = draft.text.strip_prefix('!')
            && !command.trim().is_empty()
        {
            let command = draft.expanded().trim_start_matches('!').trim().to_owned();
            self.run_command(command);
            return;
        }
        match commands::parse(draft.text.trim_end()) {
            Some(Ok((command, argument))) => {
                let argument = argument.to_owned();
                self.run_slash(command, &argument);
            }
            Some(Err(unknown)) => {
                let nearest = commands::nearest(unknown);
                self.print_error(&format!(
                    "there is no command /{unknown}; did you mean /{nearest}? (/help lists them)"
                ));
            }
            None => self.ask(draft),
        }
    }

    /// Asks for an answer, unless the message is sure not to fit.
    fn ask(&mut self, draft: Draft) {
        if let Some(reason) = self.too_long(&draft) {
            self.print_error(&reason);
            self.give_back(draft);
            return;
        }
        if !self.is_plain {
            self.print_said(&draft.shown());
        }
        let (system, cwd) = (self.settings.system.clone(), self.cwd.clone());
        let (messages, mut request) = self.thread.request(&system, &draft.expanded(), &cwd);
        request.store = self.is_off_record().then_some(false);
        let carried = std::mem::take(&mut self.thread.carried);
        self.n_tickets += 1;
        let stream = Stream::new(self.look());
        let mut answer = Answer::new(self.n_tickets, stream, self.now, messages, draft);
        answer.carried = carried;
        self.running = Running::Answer(Box::new(answer));
        self.effect(Effect::StartAnswer { ticket: self.n_tickets, request: Box::new(request) });
    }

    fn too_long(&self, draft: &Draft) -> Option<String> {
        let n_ctx = self.n_ctx?;
        let carried: usize = self.thread.carried.iter().map(String::len).sum();
        let n_bytes = draft.n_bytes() + carried;
        let n_tokens = match &self.counter {
            Some(count) if n_bytes <= COUNTED_BYTES => count(&self.thread.with_carried(&draft.expanded())),
            _ => n_bytes / LONG_TOKEN_BYTES,
        };
        if n_tokens < n_ctx {
            return None;
        }
        let about = if n_bytes <= COUNTED_BYTES && self.counter.is_some() { "" } else { "at least " };
        Some(format!(
            "this message has {} ({about}{n_tokens} tokens), the context holds {n_ctx} tokens: shorten it, or set \
             model.context higher with `chela config set model.context N`",
            in_bytes(n_bytes)
        ))
    }

    /// About how many tokens a draft has.
    pub(super) fn estimate(&self, draft: &Draft) -> usize {
        let n_bytes = draft.n_bytes();
        match &self.counter {
            Some(count) if n_bytes <= EXACT_BYTES => count(&draft.expanded()),
            _ => n_bytes.div_ceil(TOKEN_BYTES),
        }
    }

    /// Ends what runs: the answer, or the command.
    pub(super) fn interrupt(&mut self) {
        match &mut self.running {
            Running::Answer(answer) if answer.is_unwanted => {}
            Running::Answer(answer) => {
                answer.is_unwanted = true;
                if let Some(turn) = answer.turn {
                    self.effect(Effect::Interrupt(turn));
                }
            }
            Running::Command(_) => self.effect(Effect::StopCommand),
            Running::Nothing | Running::Call(_) => {}
        }
    }
}
