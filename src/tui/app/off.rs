//! Off the record: what is said until `/on` is kept nowhere, and the conversation goes on afterwards where it was. Pure.
//!
//! The thread that is on the record is set aside: what is said off it must not go along with a later message.

use super::{App, Thread};
use crate::tui::commands::{self, Command};
use crate::turn::TurnId;

const BEGUN: &str = "off the record: what you say and what is answered until /on is kept nowhere and teaches nothing. The \
                     answers know the conversation so far, and lessons are used.";
const ENDED: &str = "on the record again; the conversation goes on where it was before /off";

impl App {
    /// `/off`: begins it, or ends it.
    pub(super) fn switch_record(&mut self) {
        if self.on_the_record.is_some() {
            self.end_off_record();
        } else {
            self.begin_off_record();
        }
    }

    pub(super) fn begin_off_record(&mut self) {
        if self.on_the_record.is_none() {
            self.on_the_record = Some(Box::new(self.thread.clone()));
            // A message that was being changed is changed there.
            self.thread.branch = None;
            self.print_done(BEGUN);
        }
    }

    /// `/on`.
    pub(super) fn end_off_record(&mut self) {
        match self.on_the_record.take() {
            Some(thread) => {
                self.thread = *thread;
                self.usage = None;
                self.print_done(ENDED);
            }
            None => self.print_dim("this is on the record; /off keeps what follows out of it"),
        }
    }

    /// `/new` while off the record: nothing is known of what was said before.
    pub(super) fn set_aside(&mut self, fresh: &Thread) {
        if let Some(thread) = &mut self.on_the_record {
            **thread = fresh.clone();
        }
    }

    /// Whether what is said now is kept nowhere.
    pub fn is_off_record(&self) -> bool {
        self.on_the_record.is_some()
    }

    /// The same for a message behind all that waits.
    pub(super) fn will_be_off_record(&self) -> bool {
        self.queue.iter().fold(self.is_off_record(), |is_off, draft| {
            match commands::parse(draft.text.trim_end()) {
                Some(Ok((Command::Off, _))) => !is_off,
                Some(Ok((Command::On, _))) => false,
                _ => is_off,
            }
        })
    }

    /// The last answer, where the ledger has it. `None`: the person has been told why there is none.
    pub(super) fn last_recorded(&mut self, wanted: &str) -> Option<TurnId> {
        let why = match self.thread.exchanges.last().map(|exchange| exchange.turn) {
            Some(turn) if turn.is_recorded() => return Some(turn),
            Some(_) => format!("the last answer is off the record; there is nothing to {wanted}"),
            None => format!("there is no answer to {wanted} yet"),
        };
        self.print_dim(&why);
        None
    }

    /// Whether a command that only makes sense on the record was refused.
    pub(super) fn refuses_off_record(&mut self, command: Command) -> bool {
        let is_refused = self.is_off_record() && matches!(command, Command::Teach | Command::Resume);
        if is_refused {
            self.print_dim("this is off the record; /on first");
        }
        is_refused
    }
}
