//! The judge that is a model: the one that serves, without any adapter, as background work.
//!
//! What lives here: prompts into tokens, jobs for the engine, answers into votes and sentences. What does not: what
//! follows from the votes (`decide`), whether a sentence is a hint (`hint`). Calls wait for the engine, so they belong
//! on a thread of their own; somebody who wants an answer goes before them between any two tokens, and
//! [`Cancel::cancel`] ends a call with [`JudgeError::Preempted`].

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::reading::{First, from_first, from_scores};
use super::{Case, Judge, JudgeError, Vote, hint, prompt};
use crate::engine::{
    Alternative, Cancel, Engine, EngineError, FinishReason, Generate, GenerateEvent, Grammar, Job, Priority,
    Sampling, Score, Token,
};
use crate::turn::prompt::{PromptError, PromptWriter, Vocabulary};
use crate::turn::template::ChatTemplate;
use crate::turn::{Message, PolicyVersion};

/// As many alternatives as the engine reports.
const TOP: usize = 20;
/// A hint of [`hint::MAX_CHARS`] characters has fewer tokens in nearly every vocabulary.
const MAX_HINT_TOKENS: usize = 64;
/// The sentence behind the label is one line; its length is the hint's bound.
const HINT_GRAMMAR: &str = "root ::= \"hint: \" [^\\n]{1,160}";
/// What a case may take of the context, in characters: the most that is worth reading, and the least that makes sense.
const MAX_BUDGET: usize = 6000;
const MIN_BUDGET: usize = 120;

/// See the module's page.
pub struct ModelJudge {
    engine: Arc<dyn Engine>,
    template: ChatTemplate,
    cancel: Cancel,
}

impl ModelJudge {
    /// Judges with this engine's base model until `cancel` is set.
    pub fn new(engine: Arc<dyn Engine>, cancel: Cancel) -> Result<Self, JudgeError> {
        let card = engine.card();
        let template = card.template();
        let template = template.map_err(|error| JudgeError::Prompt(error.to_string()))?;
        Ok(Self { engine, template, cancel })
    }

    /// Goes on after a preemption, until this is set.
    pub fn until(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    fn vote(&self, case: &Case<'_>, order: &str) -> Result<Vote, JudgeError> {
        let tokens = self.fitted(1, &|budget| prompt::judge(case, order, budget))?;
        let firsts = self.first_tokens(tokens.clone())?;
        let read: Vec<First<'_>> =
            firsts.iter().map(|first| First { bytes: &first.bytes, logprob: first.logprob }).collect();
        let shares = match from_first(prompt::WORDS, &read) {
            Some(shares) => shares,
            None => self.scored(&tokens)?,
        };
        let [good, bad, unclear] = shares;
        Ok(Vote { order: order.to_owned(), good, bad, unclear })
    }

    /// The most likely first tokens of the answer: one prefill, one look, nothing that depends on sampling.
    fn first_tokens(&self, prompt: Vec<Token>) -> Result<Vec<Alternative>, JudgeError> {
        let sampling = Sampling { temperature: 0.0, max_tokens: 1, top_logprobs: TOP, ..Sampling::default() };
        let mut first = None;
        for event in self.generate(prompt, sampling)? {
            match event {
                GenerateEvent::Token(token) => first = first.or(Some(token.top)),
                GenerateEvent::Failed(error) => return Err(failed(error)),
                GenerateEvent::Finished(finish) if finish.reason == FinishReason::Cancelled => {
                    return Err(JudgeError::Preempted);
                }
                GenerateEvent::Finished(_) => {
                    return first.ok_or_else(|| JudgeError::Engine("it said nothing".to_owned()));
                }
                GenerateEvent::Started { .. } => {}
            }
        }
        Err(failed(EngineError::Stopped))
    }

    /// The words' shares from the probability of each as a whole: for models that begin otherwise than with a word.
    fn scored(&self, prompt: &[Token]) -> Result<[f32; 3], JudgeError> {
        let mut logprobs = [0.0_f32; 3];
        for (logprob, word) in logprobs.iter_mut().zip(prompt::WORDS) {
            let response = self.engine.tokenize(word, false).map_err(failed)?;
            *logprob = self.score(prompt.to_vec(), response)?.iter().sum();
        }
        from_scores(logprobs).ok_or_else(|| JudgeError::Engine("no verdict word is possible".to_owned()))
    }

    fn score(&self, prompt: Vec<Token>, response: Vec<Token>) -> Result<Vec<f32>, JudgeError> {
        let (sender, receiver) = channel();
        let job = Score {
            prompt,
            response,
            policy: PolicyVersion::BASE,
            priority: Priority::Background,
            cancel: self.cancel.clone(),
            done: Box::new(move |result| {
                // Nobody waits any more when the judge's thread has gone.
                let _gone = sender.send(result);
            }),
        };
        self.engine.submit(Job::Score(job)).map_err(failed)?;
        receiver.recv().unwrap_or(Err(EngineError::Stopped)).map_err(failed)
    }

    /// The events of a generation; the channel closes behind the last one.
    fn generate(
        &self,
        prompt: Vec<Token>,
        sampling: Sampling,
    ) -> Result<Receiver<GenerateEvent>, JudgeError> {
        let (sender, receiver) = channel();
        let job = Generate {
            prompt,
            sampling,
            policy: PolicyVersion::BASE,
            priority: Priority::Background,
            cancel: self.cancel.clone(),
            forget: false,
            events: Box::new(move |event| match sender.send(event) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_gone) => ControlFlow::Break(()),
            }),
        };
        self.engine.submit(Job::Generate(job)).map_err(failed)?;
        Ok(receiver)
    }

    /// The sentence that the model says; `None` when it did not come to its end.
    fn sentence(&self, prompt: Vec<Token>) -> Result<Option<String>, JudgeError> {
        let grammar = Some(Grammar::Gbnf(HINT_GRAMMAR.to_owned()));
        let sampling =
            Sampling { temperature: 0.0, max_tokens: MAX_HINT_TOKENS, grammar, ..Sampling::default() };
        let mut text = String::new();
        for event in self.generate(prompt, sampling)? {
            match event {
                GenerateEvent::Token(token) => text.push_str(&token.text),
                GenerateEvent::Failed(error) => return Err(failed(error)),
                GenerateEvent::Finished(finish) => {
                    text.push_str(&finish.rest);
                    return match finish.reason {
                        FinishReason::Stop => Ok(Some(text)),
                        FinishReason::Cancelled => Err(JudgeError::Preempted),
                        FinishReason::Length => {
                            tracing::info!(
                                n_bytes = text.len(),
                                "the judge's hint had no end and was dropped"
                            );
                            Ok(None)
                        }
                    };
                }
                GenerateEvent::Started { .. } => {}
            }
        }
        Err(failed(EngineError::Stopped))
    }

    /// The prompt's tokens with as much of the case as leaves `room` tokens for the answer.
    fn fitted(
        &self,
        room: usize,
        messages: &dyn Fn(usize) -> Result<Vec<Message>, JudgeError>,
    ) -> Result<Vec<Token>, JudgeError> {
        let card = self.engine.card();
        // What is behind the length that the model was trained with it reads badly.
        let n_ctx = if card.n_ctx_train > 0 { card.n_ctx.min(card.n_ctx_train) } else { card.n_ctx };
        // A token has about three characters.
        let mut budget = (3 * n_ctx.saturating_sub(room)).clamp(MIN_BUDGET, MAX_BUDGET);
        loop {
            let tokens = self.tokens(messages(budget)?)?;
            if tokens.len() + room <= n_ctx {
                return Ok(tokens);
            }
            if budget == MIN_BUDGET {
                let n_prompt = tokens.len();
                return Err(JudgeError::Prompt(EngineError::PromptTooLong { n_prompt, n_ctx }.to_string()));
            }
            budget = (budget * 3 / 4).max(MIN_BUDGET);
        }
    }

    fn tokens(&self, messages: Vec<Message>) -> Result<Vec<Token>, JudgeError> {
        let card = self.engine.card();
        let tokenize = |text: &str, special: bool| {
            self.engine.tokenize(text, special).map_err(|error| error.to_string())
        };
        let bos = card.bos();
        let mut writer = PromptWriter::new(&self.template, Vocabulary { tokenize: &tokenize, bos });
        writer.prompt(messages, &[]).map_err(|error: PromptError| JudgeError::Prompt(error.to_string()))
    }
}

impl Judge for ModelJudge {
    fn votes(&mut self, case: &Case<'_>) -> Result<Vec<Vote>, JudgeError> {
        prompt::ORDERS.iter().map(|order| self.vote(case, order)).collect()
    }

    /// Only what a person wrote is shown for a hint.
    fn hint(&mut self, case: &Case<'_>) -> Result<Option<String>, JudgeError> {
        if case.next.human_words().is_none() {
            return Ok(None);
        }
        let tokens = self.fitted(MAX_HINT_TOKENS, &|budget| prompt::hint(case, budget))?;
        Ok(self.sentence(tokens)?.and_then(|line| hint::spoken(&line)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err calls")]
fn failed(error: EngineError) -> JudgeError {
    match error {
        EngineError::Cancelled => JudgeError::Preempted,
        EngineError::PromptTooLong { .. } | EngineError::Tokenize(_) => JudgeError::Prompt(error.to_string()),
        _ => JudgeError::Engine(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
