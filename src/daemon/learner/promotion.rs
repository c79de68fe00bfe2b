//! The end of a round: what the gate said goes into the ledger, a promoted candidate serves, any other goes.

use std::sync::Arc;

use serde_json::Value;

use super::round::Judged;
use super::{Outcome, RoundError};
use crate::adapter::Shelf;
use crate::daemon::answer::now_ms;
use crate::daemon::error::ApiError;
use crate::daemon::models::Serving;
use crate::daemon::policy;
use crate::daemon::state::Daemon;
use crate::daemon::wire::LoopEvent;
use crate::learn::gate::Measures;
use crate::lesson::{LessonId, State};
use crate::store::{
    By, Decision, Entry, LessonChange, LessonEdit, Measures as Figures, NewGate, RunEnd, RunEnding, RunId,
};
use crate::turn::PolicyVersion;

impl Daemon {
    /// Writes the round's last row and does what it says. `known`: of every round, whatever its outcome.
    pub(super) async fn finish(
        &self,
        serving: &Arc<Serving>,
        run: RunId,
        known: Value,
        outcome: Outcome,
    ) -> Result<(), ApiError> {
        match outcome {
            Ok(mut judged) => {
                if let (Some(counts), Some(cost)) = (judged.counts.as_object_mut(), known.get("cost")) {
                    counts.insert("cost".to_owned(), cost.clone());
                }
                self.decided(serving, run, judged).await
            }
            Err(error) => self.failed(run, known, &error).await,
        }
    }

    async fn failed(&self, run: RunId, known: Value, error: &RoundError) -> Result<(), ApiError> {
        let is_cancelled = error.is_cancelled();
        let (ending, reason) = match error {
            _ if is_cancelled => (RunEnding::Cancelled, "cancelled".to_owned()),
            RoundError::Nothing(_) => (RunEnding::Idle, error.to_string()),
            _ => (RunEnding::Failed, error.to_string()),
        };
        let error = (ending == RunEnding::Failed).then(|| reason.clone());
        let counts = Some(known);
        let end = RunEnd { run, ended_at: now_ms(), ending, reason: reason.clone(), error, counts };
        self.ledger.append(Entry::EndRun(end)).await?;
        tracing::warn!(run = run.0, reason, "this round of learning made no candidate");
        self.news.tell(LoopEvent::Waiting { reason });
        Ok(())
    }

    async fn decided(&self, serving: &Arc<Serving>, run: RunId, judged: Judged) -> Result<(), ApiError> {
        let Judged { candidate, decision, of_candidate, of_serving, of_base, counts, lease } = judged;
        let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        let learned = decision.lessons_learned.clone();
        let is_promoted = decision.promote;
        let gate = NewGate {
            run,
            at: now_ms(),
            candidate,
            measures: Figures {
                candidate: figures(&of_candidate),
                serving: figures(&of_serving),
                base: figures(&of_base),
            },
            decision: if is_promoted {
                Decision::Promote { learned: learned.clone() }
            } else {
                Decision::Reject
            },
            reasons: reasons.clone(),
            counts: Some(counts.clone()),
        };
        let written = if is_promoted {
            self.policies.promote(serving, candidate, gate).await
        } else {
            self.ledger.append(Entry::RecordGate(gate)).await.map(drop).map_err(ApiError::from)
        };
        drop(lease);
        match written {
            Ok(()) if is_promoted => self.promoted(candidate, &learned, &of_candidate).await?,
            Ok(()) => self.discard(serving, candidate).await,
            Err(err) => {
                self.discard(serving, candidate).await;
                let reason = format!("the candidate was not promoted: {}", err.detail.message);
                return self.overtaken(run, reason, counts).await;
            }
        }
        tracing::info!(run = run.0, %candidate, is_promoted, reasons = reasons.join("; "), "the gate decided");
        self.news.tell(LoopEvent::Decided { run: run.0, version: candidate, is_promoted, reasons });
        Ok(())
    }

    /// A lesson or what serves was changed while the round ran: what it measured is no longer so.
    async fn overtaken(&self, run: RunId, reason: String, counts: Value) -> Result<(), ApiError> {
        // Without its inputs' name the next round with them is a first one.
        let mut counts = counts;
        if let Some(counts) = counts.as_object_mut() {
            counts.remove("inputs");
        }
        let end = RunEnd {
            run,
            ended_at: now_ms(),
            ending: RunEnding::Cancelled,
            reason: reason.clone(),
            error: None,
            counts: Some(counts),
        };
        self.ledger.append(Entry::EndRun(end)).await?;
        self.news.tell(LoopEvent::Waiting { reason });
        Ok(())
    }

    /// The candidate serves: prompts lose the lessons that it holds and get back those that it lost.
    async fn promoted(
        &self,
        version: PolicyVersion,
        learned: &[LessonId],
        measures: &Measures,
    ) -> Result<(), ApiError> {
        for lost in measures.lessons.iter().filter(|one| !learned.contains(&one.lesson)) {
            let lesson = self.ledger.lesson(lost.lesson).await?.lesson;
            if matches!(lesson.state, State::Learned(_)) {
                let reason = format!("{version} does not hold it well enough");
                let change = LessonChange::Activate;
                let edit = LessonEdit { lesson: lesson.id, change, by: By::Gate, reason, at: now_ms() };
                self.ledger.append(Entry::ChangeLesson(edit)).await?;
            }
        }
        self.book.reload(&self.ledger).await?;
        self.news.tell(LoopEvent::Serving { version });
        for lesson in learned {
            let lesson = self.ledger.lesson(*lesson).await?.lesson;
            self.news.tell(LoopEvent::Lesson { lesson, turn: None });
        }
        Ok(())
    }

    /// A candidate that did not pass is of no further use.
    async fn discard(&self, serving: &Serving, candidate: PolicyVersion) {
        policy::forget(serving, candidate);
        let adapters = Shelf::new(&self.paths.adapters_dir());
        let removed = tokio::task::spawn_blocking(move || adapters.remove(candidate)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!(%candidate, ?removed, "a rejected candidate stays on the shelf");
        }
    }
}

fn figures(measures: &Measures) -> Value {
    // Only a number that is not finite has no JSON form, and then null is what is known.
    serde_json::to_value(measures).unwrap_or(Value::Null)
}
