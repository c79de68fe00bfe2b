//! How much each token of an answer would count in learning: the base with the lesson in its prompt against the answer's
//! own log-probabilities, token by token, clipped as training clips it.
//!
//! Computed when a person asks for it, as background work: whoever waits for an answer goes first, and who stops
//! looking ends it. Nothing of it is kept.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use tokio::sync::oneshot;

use super::error::ApiError;
use super::forgetting::conversation;
use super::models::Serving;
use super::prompt::Layout;
use super::routes::turn_id;
use super::state::Daemon;
use super::teaching::parsed;
use super::wire::TurnStory;
use super::wire::credit::{Credit, CreditBy, TokenCredit, WeighTokens};
use crate::config::Dial;
use crate::engine::{Cancel, Engine, EngineError, Job, Priority, Score, Token};
use crate::learn::advantages::{AdvantageWeights, TokenLogprobs, advantages};
use crate::lesson::prompt::messages_with_lessons;
use crate::lesson::{Lesson, LessonId, State as LessonState};
use crate::store::{StoreError, StoredTurn, VerdictRow};
use crate::turn::{Message, PolicyVersion, TurnId};

/// `POST /chela/v1/turns/{id}/credit`
pub(super) async fn credit(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Credit>, ApiError> {
    let turn = turn_id(&id)?;
    let wish: WeighTokens = parsed(body).await?;
    daemon.credit(turn, wish).await.map(Json)
}

/// An answer, what its tokens are compared under, and how far the teacher is heard.
struct Weighing<'a> {
    serving: &'a Serving,
    stored: StoredTurn,
    messages: Vec<Message>,
    weights: AdvantageWeights,
}

impl Daemon {
    async fn credit(self: &Arc<Self>, turn: TurnId, wish: WeighTokens) -> Result<Credit, ApiError> {
        let story = self.ledger.turn_story(turn).await?;
        let stored = self.ledger.ask(move |reader| reader.turn(turn)).await?;
        if stored.row.is_forgotten() {
            return Err(StoreError::NoTurn(turn.0).into());
        }
        let serving = self.models.serving().await?;
        weighable(&stored, serving.engine.as_ref())?;
        let texts = self.lessons_of(&story, wish.lesson).await?;
        let messages = conversation(&self.ledger.thread_to(turn).await?);
        let weighing = Weighing { serving: &serving, stored, messages, weights: self.weights() };
        if texts.is_empty() {
            return Ok(weighing.shared(newest(&story)));
        }
        let teacher = weighing.read(&texts, PolicyVersion::BASE).await?;
        let (by, student) = self.student(&weighing, texts).await?;
        Ok(weighing.by_token(by, &student, &teacher))
    }

    /// Of the dial; where it is off, of what it would begin with.
    fn weights(&self) -> AdvantageWeights {
        let of = |dial| (self.course)(dial, 0).map(|course| course.advantages);
        of(self.settings.learn.dial).or_else(|| of(Dial::Careful)).unwrap_or_default()
    }

    /// What should have been done: the lesson that is asked about, the ones that were drawn from the turn, or its hint.
    async fn lessons_of(&self, story: &TurnStory, lesson: Option<LessonId>) -> Result<Vec<String>, ApiError> {
        if let Some(lesson) = lesson {
            return Ok(vec![self.ledger.lesson(lesson).await?.lesson.text]);
        }
        let drawn: Vec<String> =
            story.drawn.iter().filter(|one| is_in_force(one)).map(|one| one.text.clone()).collect();
        if !drawn.is_empty() {
            return Ok(drawn);
        }
        Ok(newest(story).and_then(|row| row.verdict.hint.clone()).into_iter().collect())
    }

    /// The log-probabilities of the sampling, where the prompt held no lesson; otherwise they are computed.
    async fn student(
        &self,
        weighing: &Weighing<'_>,
        texts: Vec<String>,
    ) -> Result<(CreditBy, Vec<f32>), ApiError> {
        let StoredTurn { row, prompt, logprobs, .. } = &weighing.stored;
        if weighing.prompt(&[])? == *prompt {
            let by = CreditBy::Lessons { texts, student: row.policy, is_recorded: true };
            return Ok((by, logprobs.clone()));
        }
        let lease = match self.policies.lease(weighing.serving, Some(row.policy)).await {
            Ok(lease) => lease,
            // It was taken back: then by what serves now.
            Err(_gone) => self.policies.lease(weighing.serving, None).await?,
        };
        let read = weighing.read(&[], lease.version()).await?;
        Ok((CreditBy::Lessons { texts, student: lease.version(), is_recorded: false }, read))
    }
}

/// Refuses, in a sentence, an answer that this model has nothing to say about.
fn weighable(stored: &StoredTurn, engine: &dyn Engine) -> Result<(), ApiError> {
    let StoredTurn { row, tokens, logprobs, .. } = stored;
    let (turn, serves) = (row.id.0, engine.card());
    let refuse = |message: String| Err(ApiError::bad_request("no_credit", message));
    if row.ending.is_none() {
        return refuse(format!("turn {turn} is still being answered"));
    }
    if row.model != serves.name {
        return refuse(format!(
            "turn {turn} was answered by {}, and {} serves now: its tokens are others; load {0} to weigh it",
            row.model, serves.name
        ));
    }
    if tokens.is_empty() || tokens.len() != logprobs.len() {
        return refuse(format!("the tokens of turn {turn}'s answer were not recorded"));
    }
    let is_known = |token: &Token| usize::try_from(*token).is_ok_and(|token| token < serves.n_vocab);
    if !tokens.iter().all(is_known) {
        return refuse(format!("turn {turn} holds tokens that {} does not have", serves.name));
    }
    Ok(())
}

fn is_in_force(lesson: &Lesson) -> bool {
    matches!(lesson.state, LessonState::Active | LessonState::Learned { .. })
}

fn newest(story: &TurnStory) -> Option<&VerdictRow> {
    story.verdicts.iter().find(|row| row.is_newest)
}

impl Weighing<'_> {
    /// The request with these lessons in its context, in tokens.
    fn prompt(&self, lessons: &[&str]) -> Result<Vec<Token>, ApiError> {
        let template = self.serving.template.as_ref().map_err(|err| ApiError::from(err.clone()))?;
        let messages = messages_with_lessons(&self.messages, lessons);
        let engine = self.serving.engine.as_ref();
        let layout =
            Layout { engine, template, messages: &messages, tools: &[], wanted: 0, drop_oldest: false };
        Ok(layout.fit()?.tokens)
    }

    /// The answer's log-probabilities as this version sees them with these lessons.
    async fn read(&self, lessons: &[String], policy: PolicyVersion) -> Result<Vec<f32>, ApiError> {
        let lessons: Vec<&str> = lessons.iter().map(String::as_str).collect();
        let (sender, outcome) = oneshot::channel();
        let reading = Reading(Cancel::default());
        let job = Score {
            prompt: self.prompt(&lessons)?,
            response: self.stored.tokens.clone(),
            policy,
            priority: Priority::Background,
            cancel: reading.0.clone(),
            done: Box::new(move |scored| {
                // Nobody looks any more.
                let _gone = sender.send(scored);
            }),
        };
        self.serving.engine.submit(Job::Score(job))?;
        let scored = outcome.await.unwrap_or(Err(EngineError::Stopped));
        scored.map_err(|err| match err {
            EngineError::PromptTooLong { n_prompt, n_ctx } => ApiError::bad_request(
                "context_length_exceeded",
                format!(
                    "with the lesson this turn has {n_prompt} tokens and the context {n_ctx}; \
                     raise the setting model.context"
                ),
            ),
            other => other.into(),
        })
    }

    /// Every token by itself.
    fn by_token(&self, by: CreditBy, student: &[f32], teacher: &[f32]) -> Credit {
        let read = |(old, teacher): (&f32, &f32)| TokenLogprobs { old: *old, teacher: Some(*teacher) };
        let logprobs: Vec<TokenLogprobs> = student.iter().zip(teacher).map(read).collect();
        // The verdict's own share is the same for all tokens and would hide what differs.
        self.told(by, &logprobs, advantages(0.0, 0.0, &logprobs, self.weights))
    }

    /// All tokens the same, by the verdict alone.
    fn shared(&self, verdict: Option<&VerdictRow>) -> Credit {
        let reward = verdict.and_then(|row| row.verdict.reward).filter(|reward| *reward != 0);
        let by = match (verdict, reward) {
            (Some(row), Some(reward)) => CreditBy::Verdict { reward, rule: row.verdict.rule.clone() },
            _ => CreditBy::Nothing,
        };
        let old = |old: &f32| TokenLogprobs { old: *old, teacher: None };
        let logprobs: Vec<TokenLogprobs> = self.stored.logprobs.iter().map(old).collect();
        let reward = f32::from(reward.unwrap_or(0));
        self.told(by, &logprobs, advantages(reward, 0.0, &logprobs, self.weights))
    }

    fn told(&self, by: CreditBy, logprobs: &[TokenLogprobs], credits: Vec<f32>) -> Credit {
        let engine = self.serving.engine.as_ref();
        let pieces = self.stored.tokens.iter().map(|token| engine.piece(*token));
        let texts = characters(pieces);
        let tokens = self.stored.tokens.iter().zip(texts).zip(logprobs.iter().zip(credits));
        let tokens = tokens.map(|((id, text), (read, credit))| TokenCredit {
            id: *id,
            text,
            credit: if credit.is_nan() { 0.0 } else { credit },
            student: read.teacher.map(|_| read.old),
            teacher: read.teacher,
        });
        Credit { turn: self.stored.row.id, by, gap: self.weights.gap, tokens: tokens.collect() }
    }
}

/// Who stops waiting ends it.
struct Reading(Cancel);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Whole characters for each piece: a character belongs to the piece that completes it, what never becomes one to the
/// last.
fn characters(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
    let mut held: Vec<u8> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for piece in pieces {
        held.extend(piece);
        let whole = match std::str::from_utf8(&held) {
            // A beginning waits for its end; anything else never becomes a character.
            Err(err) if err.error_len().is_none() => err.valid_up_to(),
            Ok(_) | Err(_) => held.len(),
        };
        let rest = held.split_off(whole);
        texts.push(String::from_utf8_lossy(&held).into_owned());
        held = rest;
    }
    if let Some(last) = texts.last_mut() {
        last.push_str(&String::from_utf8_lossy(&held));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[&str]) {
        assert_eq!(characters(pieces.iter().map(|piece| piece.to_vec())), expected);
    }

    #[test]
    fn a_character_belongs_to_the_token_that_completes_it() {
        check(&[b"d", b"uf"], &["d", "uf"]);
        check(&[b"a\xc3", b"\xbc b", b""], &["a", "ü b", ""]);
        check(&[b"\xe6", b"\x97", b"\xa5"], &["", "", "日"]);
    }

    #[test]
    fn what_never_becomes_a_character_is_shown_as_such() {
        check(&[b"a\xff", b"b"], &["a\u{fffd}", "b"]);
        check(&[b"a", b"\xc3"], &["a", "\u{fffd}"]);
    }
}
