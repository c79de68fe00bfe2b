//! One sequence of a context and the request that runs in it. Only `engine` uses it.
//!
//! Time is read here because a generation reports how long its two phases took.

use std::sync::Arc;
use std::time::Instant;

use super::ffi::Model;
use super::sampler::Chooser;
use super::text::TextStream;
use super::{
    Alternative, Cancel, Done, EngineError, Events, Finish, FinishReason, Generate, GenerateEvent, Priority,
    SampledToken, Score, Token, logprob,
};

/// A request, waiting or running.
pub(super) enum Task {
    Generate(Generate),
    Score(Score),
}

impl Task {
    pub(super) fn priority(&self) -> Priority {
        match self {
            Self::Generate(task) => task.priority,
            Self::Score(task) => task.priority,
        }
    }

    pub(super) fn cancel(&self) -> &Cancel {
        match self {
            Self::Generate(task) => &task.cancel,
            Self::Score(task) => &task.cancel,
        }
    }

    pub(super) fn fail(self, error: EngineError) {
        match self {
            Self::Generate(mut task) => {
                let _gone = (task.events)(GenerateEvent::Failed(error));
            }
            Self::Score(task) => (task.done)(Err(error)),
        }
    }

    /// A request that was cancelled before it began.
    pub(super) fn finish_unstarted(self) {
        match self {
            Self::Generate(mut task) => {
                let reason = FinishReason::Cancelled;
                let finish =
                    Finish { reason, rest: String::new(), n_sampled: 0, prefill_ms: 0.0, decode_ms: 0.0 };
                let _gone = (task.events)(GenerateEvent::Finished(finish));
            }
            Self::Score(task) => (task.done)(Err(EngineError::Cancelled)),
        }
    }

    /// Whether nothing of it may stay in a cache.
    pub(super) fn forgets(&self) -> bool {
        matches!(self, Self::Generate(Generate { forget: true, .. }))
    }

    /// Everything that will be computed at most, in tokens; refuses what cannot fit.
    pub(super) fn size(&self, n_ctx: usize) -> Result<usize, EngineError> {
        let (n_prompt, total) = match self {
            Self::Generate(task) => {
                let n = task.prompt.len();
                (n, n.saturating_add(task.sampling.max_tokens).min(n_ctx))
            }
            Self::Score(task) => (task.prompt.len(), task.prompt.len() + task.response.len()),
        };
        if n_prompt == 0 {
            return Err(EngineError::EmptyPrompt);
        }
        let room_for_one = matches!(self, Self::Generate(_)) && n_prompt >= n_ctx;
        if room_for_one || total > n_ctx {
            return Err(EngineError::PromptTooLong { n_prompt: total.max(n_prompt), n_ctx });
        }
        Ok(total)
    }

    /// How many of the first tokens may come from a cache: what follows must be computed for its logits.
    pub(super) fn n_reusable(&self) -> usize {
        match self {
            Self::Generate(task) => task.prompt.len(),
            Self::Score(task) => task.prompt.len(),
        }
    }

    /// All tokens that are known before anything is computed.
    pub(super) fn input(&self) -> Vec<Token> {
        match self {
            Self::Generate(task) => task.prompt.clone(),
            Self::Score(task) => [task.prompt.as_slice(), task.response.as_slice()].concat(),
        }
    }
}

/// A request in a sequence.
pub(super) struct Running {
    pub(super) priority: Priority,
    pub(super) cancel: Cancel,
    /// KV cells that it may come to use.
    pub(super) reserved: usize,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Generate(Box<Generation>),
    Score(Scoring),
}

pub(super) struct Generation {
    events: Events,
    chooser: Chooser,
    text: TextStream,
    top_logprobs: usize,
    /// Tokens that may still be sampled.
    room: usize,
    n_sampled: usize,
    began: Instant,
    first_token: Option<Instant>,
}

pub(super) struct Scoring {
    n_prompt: usize,
    logprobs: Vec<f32>,
    done: Done<Vec<f32>>,
}

/// What a request does after a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Compute this token next.
    Feed(Token),
    /// Go on with what is known.
    Continue,
    /// It ended for this reason.
    End(FinishReason),
}

impl Running {
    pub(super) fn begin(
        task: Task,
        reserved: usize,
        n_cached: usize,
        model: &Arc<Model>,
    ) -> Result<Self, EngineError> {
        let priority = task.priority();
        let cancel = task.cancel().clone();
        let kind = match task {
            Task::Generate(mut task) => {
                let seed = task.sampling.seed.map_or_else(fresh_seed, Ok)?;
                let chooser = match Chooser::new(model, &task.sampling, seed) {
                    Ok(chooser) => chooser,
                    Err(error) => {
                        let _gone = (task.events)(GenerateEvent::Failed(error.clone()));
                        return Err(error);
                    }
                };
                let n_prompt = task.prompt.len();
                if (task.events)(GenerateEvent::Started { seed, n_prompt, n_cached }).is_break() {
                    cancel.cancel();
                }
                Kind::Generate(Box::new(Generation {
                    events: task.events,
                    chooser,
                    text: TextStream::new(&task.sampling.stop),
                    top_logprobs: task.sampling.top_logprobs,
                    room: reserved - n_prompt,
                    n_sampled: 0,
                    began: Instant::now(),
                    first_token: None,
                }))
            }
            Task::Score(task) => {
                let n = task.response.len();
                Kind::Score(Scoring {
                    n_prompt: task.prompt.len(),
                    logprobs: Vec::with_capacity(n),
                    done: task.done,
                })
            }
        };
        Ok(Self { priority, cancel, reserved, kind })
    }

    /// Whether the logits at `position` of `n_known` tokens are needed.
    pub(super) fn wants_output(&self, position: usize, n_known: usize) -> bool {
        match &self.kind {
            Kind::Generate(_) => position + 1 == n_known,
            Kind::Score(scoring) => position + 1 >= scoring.n_prompt && position + 1 < n_known,
        }
    }

    /// Takes the logits at `position` of the known tokens.
    pub(super) fn take(&mut self, logits: &[f32], position: usize, known: &[Token], model: &Model) -> Next {
        match &mut self.kind {
            Kind::Generate(generation) => generation.take(logits, model, &self.cancel),
            Kind::Score(scoring) => {
                let next = known.get(position + 1).and_then(|&token| usize::try_from(token).ok());
                let logit = next.and_then(|token| logits.get(token)).copied().unwrap_or(f32::NEG_INFINITY);
                scoring.logprobs.push(logit - logprob::log_sum_exp(logits));
                if position + 2 == known.len() { Next::End(FinishReason::Stop) } else { Next::Continue }
            }
        }
    }

    /// Reports the end and gives everything back.
    pub(super) fn finish(self, reason: FinishReason) {
        match self.kind {
            Kind::Generate(generation) => generation.finish(reason),
            Kind::Score(scoring) if reason == FinishReason::Cancelled => {
                (scoring.done)(Err(EngineError::Cancelled));
            }
            Kind::Score(scoring) => (scoring.done)(Ok(scoring.logprobs)),
        }
    }

    pub(super) fn fail(self, error: EngineError) {
        match self.kind {
            Kind::Generate(mut generation) => {
                let _gone = (generation.events)(GenerateEvent::Failed(error));
            }
            Kind::Score(scoring) => (scoring.done)(Err(error)),
        }
    }
}

fn fresh_seed() -> Result<u32, EngineError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|err| EngineError::Compute(format!("no randomness: {err}")))?;
    Ok(u32::from_le_bytes(bytes))
}

impl Generation {
    fn take(&mut self, logits: &[f32], model: &Model, cancel: &Cancel) -> Next {
        let now = Instant::now();
        self.first_token.get_or_insert(now);
        if self.room == 0 {
            return Next::End(FinishReason::Length);
        }
        let Some(token) = self.chooser.choose(logits) else { return Next::End(FinishReason::Stop) };
        let log_sum = logprob::log_sum_exp(logits);
        let logprob_of = |index: usize| logits.get(index).copied().unwrap_or(f32::NEG_INFINITY) - log_sum;
        let top = logprob::largest(logits, self.top_logprobs).into_iter().filter_map(|index| {
            let id = Token::try_from(index).ok()?;
            Some(Alternative { id, logprob: logprob_of(index), bytes: model.piece(id, true) })
        });
        let top = top.collect();
        self.room -= 1;
        self.n_sampled += 1;
        let ends = model.ends(token);
        let bytes = model.piece(token, false);
        let pushed = if ends { None } else { Some(self.text.push(&bytes)) };
        let stopped = ends || pushed.as_ref().is_some_and(|pushed| pushed.stopped);
        let sampled = SampledToken {
            id: token,
            logprob: usize::try_from(token).map_or(f32::NEG_INFINITY, logprob_of),
            bytes,
            text: pushed.map_or_else(String::new, |pushed| pushed.text),
            top,
        };
        if (self.events)(GenerateEvent::Token(sampled)).is_break() {
            cancel.cancel();
        }
        if stopped {
            Next::End(FinishReason::Stop)
        } else if cancel.is_cancelled() {
            Next::End(FinishReason::Cancelled)
        } else if self.room == 0 {
            Next::End(FinishReason::Length)
        } else {
            Next::Feed(token)
        }
    }

    fn finish(mut self, reason: FinishReason) {
        let now = Instant::now();
        let first = self.first_token.unwrap_or(now);
        let rest = self.text.finish();
        let finish = Finish {
            reason,
            rest,
            n_sampled: self.n_sampled,
            prefill_ms: (first - self.began).as_secs_f64() * 1e3,
            decode_ms: (now - first).as_secs_f64() * 1e3,
        };
        let _gone = (self.events)(GenerateEvent::Finished(finish));
    }
}
