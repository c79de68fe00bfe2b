//! The engine's scripted twin: says what it is told to say, when it is told to. For tests and for trying clients
//! without a model; it computes nothing.
//!
//! A script is a list of [`Step`]s chosen from the prompt's text. Where a test needs to look between two tokens,
//! it puts a [`Gate`] there: the answer goes no further until the gate opens or the request is cancelled. Bytes
//! are tokens, and the four `ChatML` marks are one token each. What it says has ids of its own, from 0 on in the order
//! in which texts are first said.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{
    Alternative, Cancel, Engine, EngineError, Events, Finish, FinishReason, Generate, GenerateEvent, Job,
    ModelCard, SampledToken, Sampling, Score, Token,
};
use crate::turn::PolicyVersion;

/// The tokens that are more than a byte: their ids follow the 256 bytes.
const MARKS: &[&str] = &["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>"];
const FIRST_MARK: usize = 256;
/// `ChatML`, with tools as messages of their own.
const TEMPLATE: &str = "{% for tool in tools %}<|im_start|>tools\n{{ tool | tojson }}<|im_end|>\n{% endfor %}\
    {% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
/// How soon a closed gate notices that its request was cancelled.
const GATE_LOOK: Duration = Duration::from_millis(2);

/// One thing that a scripted answer does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Samples one token with this text; its log-probability is −0.5.
    Say(String),
    /// Samples one token with this text and log-probability.
    SayAt(String, f32),
    /// Goes no further until the gate opens.
    Wait(Gate),
    /// Opens a gate that somebody else waits at.
    Open(Gate),
    /// Ends the answer with an error; as the first step, before the answer has started.
    Fail(EngineError),
    /// The engine's thread dies: the callback is dropped without a last event.
    Vanish,
    /// Ends the answer as if text had been held back for a stop string that never came.
    Rest(String),
}

/// Chooses the script for a request.
pub type Script = Box<dyn Fn(&Asked) -> Vec<Step> + Send + Sync>;

/// Log-probabilities of the tokens of an answer, from the prompt's text and the answer's.
pub type Scores = Box<dyn Fn(&str, &[String]) -> Vec<f32> + Send + Sync>;

/// What a request asked for, as the engine saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The prompt's text, marks included.
    pub prompt: String,
    pub tokens: Vec<Token>,
    pub sampling: Sampling,
    pub policy: PolicyVersion,
}

/// See the module's page.
pub struct Scripted {
    card: ModelCard,
    script: Script,
    /// `None`: −0.5 for each token.
    scores: Option<Scores>,
    /// Texts that were said; a text's place is its token's id.
    said: Arc<Mutex<Vec<String>>>,
    asked: Mutex<Vec<Asked>>,
    /// Adapters that are loaded, with their files.
    adapters: Mutex<BTreeMap<PolicyVersion, PathBuf>>,
}

impl Scripted {
    /// A model called `name` with room for `n_ctx` tokens.
    pub fn new(name: &str, n_ctx: usize, script: Script) -> Self {
        Self {
            card: card(name, n_ctx),
            script,
            scores: None,
            said: Arc::default(),
            asked: Mutex::default(),
            adapters: Mutex::default(),
        }
    }

    /// The same, with these log-probabilities for answers that are scored.
    #[must_use]
    pub fn scoring(mut self, scores: Scores) -> Self {
        self.scores = Some(scores);
        self
    }

    /// The same, as if loaded from this file.
    #[must_use]
    pub fn from_file(mut self, path: &Path) -> Self {
        self.card.path = path.to_path_buf();
        self
    }

    /// Says these words for every prompt, a token each.
    pub fn saying(words: &[&str]) -> Self {
        let steps: Vec<Step> = words.iter().map(|word| Step::Say((*word).to_owned())).collect();
        Self::new("scripted", 4096, Box::new(move |_| steps.clone()))
    }

    /// Every request so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The versions that are loaded, without the base.
    pub fn loaded(&self) -> Vec<PolicyVersion> {
        self.adapters().keys().copied().collect()
    }

    fn adapters(&self) -> MutexGuard<'_, BTreeMap<PolicyVersion, PathBuf>> {
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load_adapter(&self, version: PolicyVersion, path: PathBuf) -> Result<(), EngineError> {
        if version == PolicyVersion::BASE || self.adapters().contains_key(&version) {
            return Err(EngineError::Adapter(path.display().to_string()));
        }
        self.adapters().insert(version, path);
        Ok(())
    }

    fn generate(&self, job: Generate) -> Result<(), EngineError> {
        if job.prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if job.prompt.len() >= self.card.n_ctx {
            return Err(EngineError::PromptTooLong { n_prompt: job.prompt.len(), n_ctx: self.card.n_ctx });
        }
        if job.policy != PolicyVersion::BASE && !self.adapters().contains_key(&job.policy) {
            return Err(EngineError::UnknownPolicy(job.policy));
        }
        let asked = Asked {
            prompt: text_of(&job.prompt),
            tokens: job.prompt.clone(),
            sampling: job.sampling.clone(),
            policy: job.policy,
        };
        let steps = (self.script)(&asked);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let said = Arc::clone(&self.said);
        thread::Builder::new()
            .name("scripted-engine".into())
            .spawn(move || Answer::new(job, said).play(steps))
            .map(drop)
            .map_err(|err| EngineError::Compute(err.to_string()))
    }

    fn score(&self, job: &Score) -> Result<Vec<f32>, EngineError> {
        let n_tokens = job.prompt.len() + job.response.len();
        if n_tokens > self.card.n_ctx {
            return Err(EngineError::PromptTooLong { n_prompt: n_tokens, n_ctx: self.card.n_ctx });
        }
        let text = |token: &Token| String::from_utf8_lossy(&self.piece(*token)).into_owned();
        let texts: Vec<String> = job.response.iter().map(text).collect();
        let usual = || vec![-0.5; texts.len()];
        Ok(self.scores.as_ref().map_or_else(usual, |scores| scores(&text_of(&job.prompt), &texts)))
    }
}

impl Engine for Scripted {
    fn submit(&self, job: Job) -> Result<(), EngineError> {
        match job {
            Job::Generate(generate) => self.generate(generate),
            Job::Score(score) => {
                let scored = self.score(&score);
                (score.done)(scored);
                Ok(())
            }
            Job::Embed(embed) => {
                (embed.done)(Err(EngineError::NoEmbeddings(self.card.name.clone())));
                Ok(())
            }
            Job::LoadAdapter { version, path, done, .. } => {
                done(self.load_adapter(version, path));
                Ok(())
            }
            // The twin keeps none.
            Job::DropCaches => Ok(()),
            Job::RemoveAdapter { version, done } => {
                let removed = self.adapters().remove(&version);
                done(removed.map(drop).ok_or(EngineError::UnknownPolicy(version)));
                Ok(())
            }
        }
    }

    fn tokenize(&self, text: &str, special: bool) -> Result<Vec<Token>, EngineError> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mark = MARKS.iter().position(|mark| special && rest.starts_with(mark));
            let (id, len) = match mark.and_then(|at| MARKS.get(at).map(|mark| (at, mark.len()))) {
                Some((at, len)) => (Some(FIRST_MARK + at), len),
                None => (None, first.len_utf8()),
            };
            let (piece, after) = rest.split_at(len);
            match id {
                Some(id) => tokens.push(Token::try_from(id).unwrap_or(0)),
                None => tokens.extend(piece.bytes().map(Token::from)),
            }
            rest = after;
        }
        Ok(tokens)
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = usize::try_from(token).ok().and_then(|at| said.get(at));
        text.map(|text| text.clone().into_bytes()).unwrap_or_default()
    }

    fn card(&self) -> &ModelCard {
        &self.card
    }
}

fn card(name: &str, n_ctx: usize) -> ModelCard {
    ModelCard {
        name: name.into(),
        path: PathBuf::from(format!("/scripted/{name}.gguf")),
        architecture: "scripted".into(),
        description: "scripted".into(),
        n_params: 0,
        size_bytes: 0,
        n_ctx,
        n_ctx_train: n_ctx,
        n_vocab: FIRST_MARK + MARKS.len(),
        chat_template: TEMPLATE.into(),
        bos_token: String::new(),
        eos_token: "<|im_end|>".into(),
        add_bos: false,
        has_embeddings: false,
        control_tokens: Vec::new(),
        placement: "nothing to compute".into(),
    }
}

fn text_of(tokens: &[Token]) -> String {
    let mut bytes = Vec::new();
    for &token in tokens {
        let id = usize::try_from(token).unwrap_or(0);
        match (u8::try_from(token), id.checked_sub(FIRST_MARK).and_then(|at| MARKS.get(at))) {
            (Ok(byte), _) => bytes.push(byte),
            (Err(_), mark) => bytes.extend(mark.copied().unwrap_or_default().bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer being played on its own thread.
struct Answer {
    events: Events,
    /// Of the engine.
    said: Arc<Mutex<Vec<String>>>,
    cancel: Cancel,
    sampling: Sampling,
    n_prompt: usize,
    n_sampled: usize,
}

impl Answer {
    fn new(job: Generate, said: Arc<Mutex<Vec<String>>>) -> Self {
        Self {
            events: job.events,
            said,
            cancel: job.cancel,
            sampling: job.sampling,
            n_prompt: job.prompt.len(),
            n_sampled: 0,
        }
    }

    fn play(mut self, steps: Vec<Step>) {
        if let Some(Step::Fail(error)) = steps.first() {
            let _ = (self.events)(GenerateEvent::Failed(error.clone()));
            return;
        }
        let seed = self.sampling.seed.unwrap_or(0);
        let started = GenerateEvent::Started { seed, n_prompt: self.n_prompt, n_cached: 0 };
        let mut flow = (self.events)(started);
        for step in steps {
            if flow.is_break() || self.cancel.is_cancelled() {
                return self.finish(FinishReason::Cancelled, String::new());
            }
            if self.n_sampled == self.sampling.max_tokens {
                return self.finish(FinishReason::Length, String::new());
            }
            match step {
                Step::Say(text) => flow = self.say(text, -0.5),
                Step::SayAt(text, logprob) => flow = self.say(text, logprob),
                Step::Wait(gate) => gate.pass(&self.cancel),
                Step::Open(gate) => gate.open(),
                Step::Rest(rest) => return self.finish(FinishReason::Stop, rest),
                Step::Vanish => return,
                Step::Fail(error) => {
                    let _ = (self.events)(GenerateEvent::Failed(error));
                    return;
                }
            }
        }
        let cancelled = flow.is_break() || self.cancel.is_cancelled();
        let reason = if cancelled { FinishReason::Cancelled } else { FinishReason::Stop };
        self.finish(reason, String::new());
    }

    fn id_of(&self, text: &str) -> Token {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let at = said.iter().position(|one| one == text).unwrap_or_else(|| {
            said.push(text.to_owned());
            said.len() - 1
        });
        Token::try_from(at).unwrap_or(0)
    }

    fn say(&mut self, text: String, logprob: f32) -> ControlFlow<()> {
        let id = self.id_of(&text);
        self.n_sampled += 1;
        let bytes = text.clone().into_bytes();
        let top = (0..self.sampling.top_logprobs)
            .scan(logprob, |logprob, nth| {
                *logprob -= 1.0;
                let other = (id, *logprob + 1.0, bytes.clone());
                let (id, logprob, bytes) = if nth == 0 { other } else { (-1, *logprob, b"?".to_vec()) };
                Some(Alternative { id, logprob, bytes })
            })
            .collect();
        (self.events)(GenerateEvent::Token(SampledToken { id, logprob, bytes, text, top }))
    }

    fn finish(mut self, reason: FinishReason, rest: String) {
        let finish = Finish { reason, rest, n_sampled: self.n_sampled, prefill_ms: 0.0, decode_ms: 0.0 };
        let _ = (self.events)(GenerateEvent::Finished(finish));
    }
}

/// Closed until a test opens it; then open for good.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Returns when it is open.
    pub fn wait(&self) {
        self.pass(&Cancel::default());
    }

    fn pass(&self, cancel: &Cancel) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open && !cancel.is_cancelled() {
            let waited = self.0.1.wait_timeout(open, GATE_LOOK);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_single_tokens_only_when_they_may_be() {
        let engine = Scripted::saying(&[]);
        let count = |text: &str, special| engine.tokenize(text, special).unwrap().len();
        assert_eq!(count("<|im_start|>é", true), 3);
        assert_eq!(count("<|im_start|>", false), "<|im_start|>".len());
        assert_eq!(text_of(&engine.tokenize("<|im_start|>é<s>", true).unwrap()), "<|im_start|>é<s>");
    }
}
