//! What was understood from the person, in the chat: lessons as they are drawn, and the commands that teach.

use std::collections::HashSet;

use super::event::{Effect, Telling};
use super::thread::Exchange;
use super::{App, Link};
use crate::daemon::wire::{ChelaAnswer, Lesson, LessonId, LoopEvent};
use crate::lesson::State;
use crate::turn::{PolicyVersion, Role, TurnId};

impl App {
    /// How many lessons stood in the newest prompt; for the status line.
    pub(super) fn note_lessons(&mut self, chela: &ChelaAnswer) {
        self.n_lessons = chela.lessons.len();
    }

    pub(super) fn on_news(&mut self, event: &LoopEvent) {
        match event {
            LoopEvent::Lesson { lesson, turn: Some(turn) } if self.is_here(*turn) => self.understood(lesson),
            LoopEvent::Serving { version } => {
                self.policy = *version;
                self.print_dim(&format!("{version} answers from here on"));
            }
            LoopEvent::Decided { version, is_promoted, reasons, .. } => {
                self.learning = None;
                self.print_dim(&decided(*version, *is_promoted, reasons));
            }
            LoopEvent::Learning { phase, done, total, .. } => {
                self.learning = Some(format!("{} {done}/{total}", phase.name()));
            }
            LoopEvent::Waiting { .. } => self.learning = None,
            LoopEvent::Missed { n_events } => {
                self.print_dim(&format!(
                    "{n_events} events of the loop were missed; /lessons shows what stands"
                ));
            }
            LoopEvent::Forgotten { lessons, turns } => self.forgot(lessons, turns),
            LoopEvent::Lesson { .. } | LoopEvent::Judged { .. } => {}
        }
    }

    /// Whether a turn is one of this chat's.
    fn is_here(&self, turn: TurnId) -> bool {
        self.thread.exchanges.iter().any(|exchange| exchange.turn == turn)
    }

    /// What was forgotten is not sent along with the next message, and not offered to be typed again.
    fn forgot(&mut self, lessons: &[LessonId], turns: &[TurnId]) {
        let turns: HashSet<TurnId> = turns.iter().copied().collect();
        self.last_lesson = self.last_lesson.filter(|lesson| !lessons.contains(lesson));
        let (gone, kept): (Vec<Exchange>, Vec<Exchange>) =
            self.thread.exchanges.drain(..).partition(|exchange| turns.contains(&exchange.turn));
        self.thread.exchanges = kept;
        if gone.is_empty() {
            return;
        }
        self.thread.branch = None;
        self.usage = None;
        let of_user = |exchange: &Exchange| {
            let said = exchange.messages.iter().filter(|message| message.role == Role::User);
            said.map(|message| message.content.clone()).collect::<Vec<_>>()
        };
        let said: HashSet<String> = gone.iter().flat_map(of_user).collect();
        self.history.forget(&said);
        let what = match gone.len() {
            1 => "a message of this conversation is".to_owned(),
            n => format!("{n} messages of this conversation are"),
        };
        self.print_dim(&format!("{what} forgotten; what stands on the screen is the terminal's"));
    }

    fn understood(&mut self, lesson: &Lesson) {
        if lesson.state == State::Active {
            self.last_lesson = Some(lesson.id);
            let text = format!("lesson: {} · {} · /undo takes it back", lesson.text, lesson.scope);
            self.print_done(&text);
        }
    }

    pub(super) fn teach(&mut self, text: &str) {
        if text.is_empty() {
            return self.print_dim("/teach wants a sentence: /teach use rg instead of grep");
        }
        let turn =
            self.thread.exchanges.last().map(|exchange| exchange.turn).filter(|turn| turn.is_recorded());
        self.tell("teaching", Telling::Teach { text: text.to_owned(), turn });
    }

    pub(super) fn rate(&mut self, good: bool, note: &str) {
        let Some(turn) = self.last_recorded("rate") else { return };
        let note = (!note.is_empty()).then(|| note.to_owned());
        self.tell("noting", Telling::Rate { turn, good, note });
    }

    pub(super) fn undo_lesson(&mut self) {
        match self.last_lesson.take() {
            Some(lesson) => self.tell("taking back", Telling::Undo(lesson)),
            None => self.print_dim("there is no new lesson to take back; /lessons shows all"),
        }
    }

    pub(super) fn explain(&mut self) {
        let Some(turn) = self.last_recorded("explain") else { return };
        self.tell("asking the ledger", Telling::Why(turn));
    }

    pub(super) fn learn(&mut self) {
        self.tell("beginning", Telling::Learn);
    }

    pub(super) fn roll_back(&mut self) {
        self.tell("rolling back", Telling::RollBack);
    }

    pub(super) fn forget(&mut self, argument: &str) {
        let Some(turn) = self.thread.exchanges.last().map(|exchange| exchange.turn) else {
            return self.print_dim("there is no answer to forget yet");
        };
        match argument {
            "" => self.tell("looking", Telling::Forget { turn, sure: false }),
            "yes" => self.tell("forgetting", Telling::Forget { turn, sure: true }),
            _ => self.print_dim(
                "/forget says what goes with the last answer, /forget yes does it; `chela forget` takes anything else",
            ),
        }
    }

    fn tell(&mut self, what: &'static str, telling: Telling) {
        if matches!(self.link, Link::Starting) {
            return self.print_dim("the daemon is starting; try again in a moment");
        }
        self.running = super::Running::Call(what);
        self.effect(Effect::Tell(telling));
    }

    pub(super) fn list_lessons(&mut self) {
        self.tell("asking the ledger", Telling::Lessons);
    }

    /// What came of a telling: a lesson that may be undone, and lines to show.
    pub(super) fn on_told(&mut self, outcome: Result<Vec<String>, String>) {
        self.running = super::Running::Nothing;
        match outcome {
            Ok(lines) => lines.iter().for_each(|line| self.print_done(line)),
            Err(reason) => self.print_error(&reason),
        }
    }
}

/// The gate's word on one line: the strongest reason, and how many more there are.
fn decided(version: PolicyVersion, is_promoted: bool, reasons: &[String]) -> String {
    let word = if is_promoted { "learned" } else { "not learned" };
    let first = reasons.first().map_or("", String::as_str);
    match reasons.len() {
        0 | 1 => format!("{word}: {version}, {first}"),
        n => format!("{word}: {version}, {first} (and {} more: `chela learn history`)", n - 1),
    }
}
