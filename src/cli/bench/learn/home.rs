//! One daemon as its users see it: they ask, what follows is passed on, they teach, let it learn and take everything back.
//!
//! Everything waits for what the daemon tells (`/chela/v1/events`), never for time to pass.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde::Serialize;

use super::super::train::meter::metered;
use super::interrupt::Interrupt;
use crate::cli::output;
use crate::cli::served::{Parts, Scratch, Served};
use crate::client::{AnswerAs, ClientError};
use crate::daemon::wire::{
    ChangeLesson, ChatRequest, ChelaRequest, LearnNow, LessonWish, LoopEvent, ModelState, RunRow, RunState,
    Teach, UseAdapter,
};
use crate::lesson::{Lesson, State};
use crate::turn::next_state::NextState;
use crate::turn::{Message, PolicyVersion, Role, SessionId, Source, TurnId, TurnKind};

/// Longest answer in tokens; a good one is far shorter.
const MOST_TOKENS: usize = 96;
/// More lessons than any run makes.
const ALL: usize = 1000;

pub(super) struct Home {
    // Before its folder, so that it has ended when that is removed.
    served: Served,
    _scratch: Scratch,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) turn: TurnId,
    pub(super) text: String,
}

/// A round of learning.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Learned {
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    /// Lessons that the weights held afterwards.
    pub(super) n_held: usize,
    /// As the ledger has it, with the gate's figures.
    pub(super) row: RunRow,
}

impl Learned {
    pub(super) fn is_promoted(&self) -> bool {
        self.row.state == RunState::Promoted
    }

    /// The gravest reason of the gate's decision, or why there was none.
    pub(super) fn reason(&self) -> Option<&str> {
        let gate = self.row.gate.as_ref().and_then(|gate| gate.reasons.first());
        gate.or(self.row.reason.as_ref()).map(String::as_str)
    }

    /// For a line of progress.
    pub(super) fn outcome(&self) -> String {
        let first = self.reason().and_then(|reason| reason.split(';').next()).unwrap_or_default();
        let state = format!("{:?}", self.row.state).to_lowercase();
        format!("{state}, {} held: {}", self.n_held, output::harmless(first))
    }
}

impl Home {
    pub(super) fn open(parts: Parts, interrupt: &Interrupt) -> anyhow::Result<Self> {
        interrupt.check()?;
        let scratch = Scratch::new()?;
        let served = Served::start(&scratch, parts)?;
        interrupt.watch(&served.client)?;
        Ok(Self { served, _scratch: scratch })
    }

    /// What answers.
    pub(super) fn model(&self) -> anyhow::Result<String> {
        match self.served.client.status()?.model {
            ModelState::Ready { model } => Ok(format!("{} ({})", model.name, model.description)),
            ModelState::None { .. } | ModelState::Loading { .. } => bail!("the model is not loaded"),
        }
    }

    /// A backup of its ledger and adapters in this folder.
    pub(super) fn keep(&self, folder: &Path, name: &str) -> anyhow::Result<()> {
        let made = self.served.client.back_up()?;
        let to = folder.join(format!("{}.tar.zst", name.replace(", ", "-").replace(' ', "-")));
        let kept = std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(&made.path, &to));
        kept.with_context(|| format!("cannot keep {}", to.display()))?;
        output::note(&format!("{name}: kept in {}", to.display()));
        Ok(())
    }

    /// A request of a user, in a session of theirs. Greedy, so that the same policy says the same.
    pub(super) fn ask(&self, request: &str, session: &str, wanted: AnswerAs) -> anyhow::Result<Answered> {
        self.answer(request, (session, Source::Chat), wanted)
    }

    /// The same question, only to measure: nothing is learned from it.
    pub(super) fn examine(&self, request: &str, wanted: AnswerAs) -> anyhow::Result<String> {
        Ok(self.answer(request, ("exam", Source::Api), wanted)?.text)
    }

    fn answer(
        &self,
        request: &str,
        (session, source): (&str, Source),
        wanted: AnswerAs,
    ) -> anyhow::Result<Answered> {
        let request = ChatRequest {
            messages: vec![Message::new(Role::User, request)],
            temperature: Some(0.0),
            max_tokens: Some(MOST_TOKENS),
            chela: Some(ChelaRequest {
                session: SessionId(session.to_owned()),
                parent: None,
                source,
                kind: TurnKind::Main,
                cwd: None,
                drop_oldest: false,
            }),
            ..ChatRequest::default()
        };
        let (mut turn, mut text) = (None, String::new());
        for chunk in self.served.client.chat_as(&request, wanted)? {
            let chunk = chunk?;
            turn = turn.or(chunk.chela.map(|chela| chela.turn));
            text.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content));
        }
        Ok(Answered { turn: turn.context("the answer does not say which turn it is")?, text })
    }

    /// Passes on what followed an answer and waits for the verdict. If a lesson became active: after how many ms.
    pub(super) fn follow(&self, turn: TurnId, state: &NextState) -> anyhow::Result<Option<f64>> {
        let events = self.served.client.events()?;
        let began = Instant::now();
        self.served.client.tell_next_state(turn, state)?;
        let mut active_ms = None;
        for event in events {
            match event? {
                LoopEvent::Lesson { lesson, turn: Some(about) } if about == turn => {
                    let is_active = lesson.state == State::Active;
                    active_ms = active_ms.or(is_active.then(|| began.elapsed().as_secs_f64() * 1e3));
                }
                LoopEvent::Judged { turn: about, .. } if about == turn => return Ok(active_ms),
                LoopEvent::Missed { n_events } => bail!("{n_events} events of the loop were missed"),
                _ => {}
            }
        }
        bail!("the daemon ended before it judged a turn")
    }

    /// A lesson in the user's words. `None`: it cannot be one.
    pub(super) fn teach(&self, text: &str, turn: TurnId) -> anyhow::Result<Option<f64>> {
        let began = Instant::now();
        let lesson = Teach { text: text.to_owned(), scope: None, turn: Some(turn) };
        match self.served.client.teach(&lesson) {
            Ok(_) => Ok(Some(began.elapsed().as_secs_f64() * 1e3)),
            Err(ClientError::Refused { status: 400, message, .. }) => {
                output::note(&format!("not taught: {text:?}: {message}"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One round of learning, to the gate's decision.
    pub(super) fn learn(&self) -> anyhow::Result<Learned> {
        let (row, wall_s, cpu_s) = metered(|| self.one_round());
        let row = row?;
        let is_held = |lesson: &&Lesson| matches!(lesson.state, State::Learned(_));
        let n_held = self.lessons()?.iter().filter(is_held).count();
        Ok(Learned { wall_s, cpu_s, n_held, row })
    }

    fn one_round(&self) -> anyhow::Result<RunRow> {
        let events = self.served.client.events()?;
        let begun = self.served.client.learn_now()?;
        for event in events {
            let reason = match event? {
                LoopEvent::Waiting { reason } => Some(reason),
                LoopEvent::Decided { .. } | LoopEvent::Missed { .. } => None,
                _ => continue,
            };
            if let Some(run) = self.ended(begun)? {
                return Ok(run);
            }
            if let Some(reason) = reason {
                output::note(&format!("learning waits: {reason}"));
            }
        }
        bail!("the daemon ended while it learned")
    }

    /// The round that was asked for, when it has ended.
    fn ended(&self, begun: LearnNow) -> anyhow::Result<Option<RunRow>> {
        let runs = self.served.client.learn_runs(ALL)?.runs;
        let asked = runs.into_iter().filter(|run| match begun.running {
            Some(running) => run.id == running,
            None => run.id > begun.after,
        });
        Ok(asked.min_by_key(|run| run.id).filter(|run| run.ended_at.is_some()))
    }

    /// All lessons, in whatever state.
    pub(super) fn lessons(&self) -> anyhow::Result<Vec<Lesson>> {
        Ok(self.served.client.lessons(None, "", ALL)?.lessons)
    }

    /// Every lesson is taken back and the base answers, as a user would do it.
    pub(super) fn take_back(&self) -> anyhow::Result<()> {
        let in_force = self.lessons()?.into_iter();
        for lesson in in_force.filter(|one| !matches!(one.state, State::Pruned | State::Retired)) {
            let change = ChangeLesson { change: LessonWish::Prune, reason: "taken back".to_owned() };
            self.served.client.change_lesson(lesson.id, &change)?;
        }
        let base = UseAdapter { version: PolicyVersion::BASE, reason: "taken back".to_owned() };
        self.served.client.use_adapter(&base)?;
        Ok(())
    }
}
