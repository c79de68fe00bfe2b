//! Judging: verdicts for turns that something followed, and lessons from what people say. A task of its own, behind
//! every answer: it never stands in the way of one.
//!
//! What always holds: a verdict is in the ledger before anything is made of it; what cannot be judged now waits and is
//! judged after the next start too.

use std::sync::Arc;
use std::time::Duration;

use super::answer::now_ms;
use super::error::ApiError;
use super::state::Daemon;
use crate::config::Dial;
use crate::engine::{Cancel, Engine};
use crate::judge::assess::{Assessment, assess};
use crate::judge::hint::{Drawn, Hint};
use crate::judge::model::ModelJudge;
use crate::judge::{Case, Judge, JudgeError, Verdict};
use crate::signal::{self, Answered, Signal};
use crate::store::{Entry, NewVerdict, StoreError, TurnRow, WaitingTurn};
use crate::turn::next_state::NextState;
use crate::turn::{Role, TurnId};

/// Turns that are taken up at once.
const BATCH: usize = 16;
/// Earlier requests of the session that the rules look at.
const EARLIER: usize = 4;
/// After this long, what was put off is tried again.
const AGAIN: Duration = Duration::from_secs(20);

/// Judges what waits, whenever something does, until the daemon ends.
pub(super) async fn run(daemon: Arc<Daemon>) {
    let mut stop = daemon.stop.subscribe();
    loop {
        let is_all_done = match judge_some(&daemon).await {
            Ok(is_all_done) => is_all_done,
            Err(err) => {
                tracing::warn!(reason = err.detail.message, "judging was put off");
                true
            }
        };
        if !is_all_done {
            continue;
        }
        tokio::select! {
            () = daemon.ledger.followed.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

/// Takes up to [`BATCH`] turns. `false`: more may wait.
async fn judge_some(daemon: &Arc<Daemon>) -> Result<bool, ApiError> {
    if daemon.settings.learn.dial == Dial::Off {
        return Ok(true);
    }
    let waiting = daemon.ledger.waiting_turns(BATCH).await?;
    let is_last = waiting.len() < BATCH;
    for turn in waiting {
        if !judge_turn(daemon, turn).await? {
            return Ok(true);
        }
    }
    Ok(is_last)
}

/// `false`: somebody waits for an answer, or the model is not there; the turn goes on waiting.
async fn judge_turn(daemon: &Arc<Daemon>, waiting: WaitingTurn) -> Result<bool, ApiError> {
    let (turn, n_states) = (waiting.turn, waiting.states.len());
    let thread = daemon.ledger.thread_to(turn).await?;
    let Some(facts) = Facts::of(thread, &waiting) else { return Ok(true) };
    let serving = daemon.models.serving().await?;
    let (engine, model) = (Arc::clone(&serving.engine), serving.engine.card().name.clone());
    let judged = tokio::task::spawn_blocking(move || facts.judged_by(engine).map(|judged| (judged, facts)));
    let judged =
        judged.await.map_err(|err| ApiError::internal("judge_failed", format!("judging died: {err}")))?;
    let (judged, facts) = match judged {
        Ok(judged) => judged,
        Err(JudgeError::Preempted) => return Ok(false),
        Err(err) => {
            tracing::warn!(turn = turn.0, %err, "this turn is judged by rules alone");
            return Ok(false);
        }
    };
    let verdict = judged.verdict.clone();
    let seen = u32::try_from(n_states).unwrap_or(u32::MAX);
    let entry = NewVerdict { turn, seen, signals: judged.signals, verdict, model, judged_at: now_ms() };
    match daemon.ledger.append(Entry::Judge(entry)).await {
        // What it rests on was taken back meanwhile, so nothing is said.
        Err(StoreError::TurnMoved(_)) => return Ok(true),
        outcome => outcome?,
    };
    daemon.note_effects(turn, judged.verdict.reward).await?;
    let is_excluded = daemon.ledger.ask(move |reader| reader.is_excluded(turn)).await?;
    let drawn = match judged.hint.filter(|hint| hint.lasting && !is_excluded) {
        Some(hint) => daemon.draw_lesson(&facts.turn, &facts.request, hint).await,
        None => Ok(()),
    };
    // Last, so that who has heard it knows that no lesson of this verdict comes after it.
    daemon.news.tell(judged_event(turn, &judged.verdict));
    drawn.map(|()| true)
}

fn judged_event(turn: TurnId, verdict: &Verdict) -> super::wire::LoopEvent {
    let Verdict { reward, hint, rule, .. } = verdict.clone();
    super::wire::LoopEvent::Judged { turn, reward, rule, hint }
}

/// A turn and what followed it.
struct Facts {
    turn: TurnRow,
    request: String,
    /// Newest first.
    earlier: Vec<String>,
    states: Vec<NextState>,
    after_ms: Option<u64>,
}

/// What followed, without ratings that a later one replaced: people may change their mind.
fn standing(waiting: &WaitingTurn) -> Vec<NextState> {
    let is_rating = |state: &NextState| matches!(state, NextState::Rating { .. });
    let newest = waiting.states.iter().rposition(|row| is_rating(&row.state));
    let states = waiting.states.iter().enumerate();
    states
        .filter(|(at, row)| !is_rating(&row.state) || Some(*at) == newest)
        .map(|(_, row)| row.state.clone())
        .collect()
}

/// What came of it.
struct Judged {
    signals: Vec<Signal>,
    verdict: Verdict,
    hint: Option<Hint>,
}

impl Facts {
    /// `thread`: from its start to the turn. `None`: there is nothing to judge.
    fn of(mut thread: Vec<TurnRow>, waiting: &WaitingTurn) -> Option<Self> {
        let turn = thread.pop()?;
        let asked = |turn: &TurnRow| {
            let last = turn.messages.iter().rfind(|message| message.role == Role::User);
            last.map(|message| message.content.clone()).unwrap_or_default()
        };
        let first = waiting.states.first()?;
        let after = turn.ended_at.and_then(|ended| u64::try_from(first.at - ended).ok());
        Some(Self {
            request: asked(&turn),
            earlier: thread.iter().rev().take(EARLIER).map(asked).collect(),
            states: standing(waiting),
            after_ms: after,
            turn,
        })
    }

    fn judged_by(&self, engine: Arc<dyn Engine>) -> Result<Judged, JudgeError> {
        self.judge(&mut ModelJudge::new(engine, Cancel::default())?)
    }

    fn judge(&self, judge: &mut dyn Judge) -> Result<Judged, JudgeError> {
        let earlier: Vec<&str> = self.earlier.iter().map(String::as_str).collect();
        let answered = Answered {
            request: &self.request,
            answer: &self.turn.response,
            ending: self.turn.ending.unwrap_or(crate::turn::Ending::Crashed),
            source: self.turn.source,
            earlier: &earlier,
            after_ms: self.after_ms,
        };
        let mut signals: Vec<Signal> =
            self.states.iter().flat_map(|state| signal::detect(&answered, state)).collect();
        signals.sort_by_key(|signal| std::cmp::Reverse(signal.evidence));
        // The newest state is what the model is shown: in it the most is known.
        let next = self.states.last().ok_or_else(|| JudgeError::Prompt("nothing followed it".to_owned()))?;
        let case = Case { request: &self.request, answer: &self.turn.response, next };
        let Assessment { verdict, drawn, trouble } = assess(&case, &signals, judge)?;
        if let Some(trouble) = trouble {
            tracing::warn!(turn = self.turn.id.0, %trouble, "no hint could be drawn");
        }
        Ok(Judged { signals, verdict, hint: self.accepted(drawn) })
    }

    /// Why a hint is refused is in the log.
    fn accepted(&self, drawn: Drawn) -> Option<Hint> {
        match drawn {
            Drawn::Hint(hint) => Some(hint),
            // Neither the text nor the words in the reason: what a person wrote belongs into no log.
            Drawn::Refused { .. } => {
                tracing::info!(turn = self.turn.id.0, "a hint was refused");
                None
            }
            Drawn::Nothing => None,
        }
    }
}
