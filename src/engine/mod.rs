//! Serving: turns token ids into sampled tokens, for many requests at once.
//!
//! What lives here: the model, its contexts and KV caches, continuous batching, sampling, adapters. What does not:
//! chat templates (`turn`), sessions (`daemon`), files on disk (`model`). This folder is the only home of
//! llama.cpp, and `ffi` the only part of it with `unsafe`.
//!
//! What always holds: the log-probability of every sampled token is kept with its exact id; text leaves only as
//! whole UTF-8 characters; a cancelled request stops within 50 ms; foreground work goes before background work
//! between any two tokens; KV caches belong to one policy version.

mod bare;
mod dequantize;
mod ffi;
mod lane;
mod llama;
mod logprob;
mod offload;
mod probe;
mod quantize;
mod reuse;
mod sampler;
pub mod scripted;
mod slot;
mod text;
mod worker;

pub use bare::{BareLoop, BareRun};
#[cfg(test)]
pub(crate) use dequantize::ggml_quantize;
pub(crate) use dequantize::{ggml_decodes, ggml_dequantize};
pub use llama::{LlamaEngine, LoadOptions};
pub use probe::probe;
pub use quantize::{QUANTIZATIONS, Quantization, quantize};

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::turn::PolicyVersion;
use crate::turn::template::{ChatTemplate, TemplateError};

/// A vocabulary entry's id, as in the model file.
pub type Token = i32;

/// The seam between chela and whatever computes tokens. A handle: cheap to share, work happens on its own thread.
pub trait Engine: Send + Sync {
    /// Queues work and returns at once; everything that happens arrives through the job's own callback.
    fn submit(&self, job: Job) -> Result<(), EngineError>;
    /// Text into token ids. `special`: read `<|im_start|>` and its like as the tokens they name (prompts), not as
    /// text (what users typed).
    fn tokenize(&self, text: &str, special: bool) -> Result<Vec<Token>, EngineError>;
    /// The bytes of a token that an answer was made of; may be a part of a character. Control tokens have none.
    fn piece(&self, token: Token) -> Vec<u8>;
    /// What is loaded.
    fn card(&self) -> &ModelCard;
}

/// What the engine knows about the model that it serves.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// Name shown to users and clients, e.g. `chela-starter` or `Qwen3-0.6B-Q8_0`.
    pub name: String,
    pub path: std::path::PathBuf,
    pub architecture: String,
    /// llama.cpp's own description, e.g. `qwen3 0.6B Q8_0`.
    pub description: String,
    pub n_params: u64,
    pub size_bytes: u64,
    /// Tokens of context that one request may use (prompt and answer together).
    pub n_ctx: usize,
    /// Context length the model was trained with.
    pub n_ctx_train: usize,
    pub n_vocab: usize,
    /// The model's own Jinja chat template; empty when the file has none.
    pub chat_template: String,
    pub bos_token: String,
    pub eos_token: String,
    /// Whether the vocabulary wants a BOS token in front of every prompt.
    pub add_bos: bool,
    pub has_embeddings: bool,
    /// Names of the vocabulary's control and user-defined tokens, e.g. `<|im_start|>`.
    pub control_tokens: Vec<String>,
    /// One line that says what runs where, e.g. `8 of 8 layers on the CPU (1 thread)`.
    pub placement: String,
}

impl ModelCard {
    /// How the model is spoken to: its own chat template, or the one that its vocabulary suggests.
    pub fn template(&self) -> Result<ChatTemplate, TemplateError> {
        ChatTemplate::for_model(&self.chat_template, &self.bos_token, &self.eos_token, &self.control_tokens)
    }

    /// Text of the token that stands in front of every prompt, if the vocabulary wants one.
    pub fn bos(&self) -> Option<&str> {
        (self.add_bos && !self.bos_token.is_empty()).then_some(self.bos_token.as_str())
    }
}

/// One piece of work for the engine's thread.
pub enum Job {
    Generate(Generate),
    Score(Score),
    Embed(Embed),
    /// Makes an adapter file servable as `version`. Streams in flight keep the version that they began with.
    LoadAdapter {
        version: PolicyVersion,
        path: std::path::PathBuf,
        scale: f32,
        done: Done<()>,
    },
    /// Forgets `version` once the streams that use it have ended.
    RemoveAdapter {
        version: PolicyVersion,
        done: Done<()>,
    },
    /// Forgets what is kept of earlier prompts to answer the next one sooner; of a running one when it ends.
    DropCaches,
}

/// Called once with the outcome, on the engine's thread: hand over and return.
pub type Done<T> = Box<dyn FnOnce(Result<T, EngineError>) + Send>;

/// Called for every event of a generation, on the engine's thread: hand over and return. `Break` cancels.
pub type Events = Box<dyn FnMut(GenerateEvent) -> ControlFlow<()> + Send>;

/// Asks for a response to `prompt`.
pub struct Generate {
    pub prompt: Vec<Token>,
    pub sampling: Sampling,
    pub policy: PolicyVersion,
    pub priority: Priority,
    pub cancel: Cancel,
    /// Nothing of it stays in a cache when it has ended, but what was in one before.
    pub forget: bool,
    pub events: Events,
}

/// Asks for the log-probability of each token of `response`, given `prompt` (natural log, temperature 1).
pub struct Score {
    pub prompt: Vec<Token>,
    pub response: Vec<Token>,
    pub policy: PolicyVersion,
    pub priority: Priority,
    pub cancel: Cancel,
    pub done: Done<Vec<f32>>,
}

/// Asks for one mean-pooled, L2-normalized vector for `text`.
pub struct Embed {
    pub text: String,
    pub done: Done<Vec<f32>>,
}

/// Foreground: somebody waits for it. Background: judging, rehearsal; runs only when nobody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Background,
    Foreground,
}

/// How tokens are chosen. The defaults are those of the field (llama.cpp's).
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 is greedy. Range 0–2.
    pub temperature: f32,
    /// 0 is off.
    pub top_k: i32,
    /// 1 is off.
    pub top_p: f32,
    /// 0 is off.
    pub min_p: f32,
    /// 1 is off.
    pub repeat_penalty: f32,
    /// How many of the last tokens the penalties look at.
    pub repeat_last_n: i32,
    /// 0 is off. Range −2–2.
    pub frequency_penalty: f32,
    /// 0 is off. Range −2–2.
    pub presence_penalty: f32,
    /// `None`: a fresh one for each request (it is reported in `Started`).
    pub seed: Option<u32>,
    /// The answer ends before the first of these; none of their text is emitted.
    pub stop: Vec<String>,
    /// Upper bound of tokens to sample; the context's end is another.
    pub max_tokens: usize,
    pub grammar: Option<Grammar>,
    /// How many alternatives to report with each token (0–20).
    pub top_logprobs: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: None,
            stop: Vec::new(),
            max_tokens: 1024,
            grammar: None,
            top_logprobs: 0,
        }
    }
}

/// A bound on what can be sampled.
#[derive(Debug, Clone, PartialEq)]
pub enum Grammar {
    /// llama.cpp's GBNF, root rule `root`.
    Gbnf(String),
    /// A JSON schema, as JSON text.
    JsonSchema(String),
}

/// What happens to a generation, in order: `Started`, any number of `Token`, then `Finished` or `Failed`.
#[derive(Debug, Clone, PartialEq)]
pub enum GenerateEvent {
    Started { seed: u32, n_prompt: usize, n_cached: usize },
    Token(SampledToken),
    Finished(Finish),
    Failed(EngineError),
}

/// One token as it was sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledToken {
    pub id: Token,
    /// Natural log of the model's probability (temperature 1, before any sampler).
    pub logprob: f32,
    /// The token's own bytes; may be a part of a character.
    pub bytes: Vec<u8>,
    /// Text that became certain with this token: whole characters, and never the start of a stop string. Empty
    /// while text is held back; the concatenation over all tokens and [`Finish::rest`] is the answer.
    pub text: String,
    /// The most probable alternatives, best first.
    pub top: Vec<Alternative>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    pub id: Token,
    pub logprob: f32,
    pub bytes: Vec<u8>,
}

/// How a generation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    pub reason: FinishReason,
    /// Text that was held back and is part of the answer after all.
    pub rest: String,
    pub n_sampled: usize,
    pub prefill_ms: f64,
    pub decode_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// End-of-turn token or stop string.
    Stop,
    /// `max_tokens`, or the context is full.
    Length,
    /// [`Cancel::cancel`] was called, or `events` returned `Break`.
    Cancelled,
}

/// A flag that stops a request; shared between who asks and who computes.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// CPU features that llama.cpp was built for and found on this machine, as one line.
pub fn system_line() -> String {
    ffi::system_line()
}

/// Names of the GPUs that llama.cpp can use; empty in a CPU-only build.
pub fn gpus() -> Vec<String> {
    ffi::devices().into_iter().filter(|device| device.is_gpu).map(|device| device.name).collect()
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("prompt of {n_prompt} tokens does not fit a context of {n_ctx}")]
    PromptTooLong { n_prompt: usize, n_ctx: usize },
    #[error("prompt is empty")]
    EmptyPrompt,
    #[error("grammar is not usable: {0}")]
    Grammar(String),
    #[error("policy {0} is not loaded")]
    UnknownPolicy(PolicyVersion),
    #[error("{0} is not an adapter for this model")]
    Adapter(String),
    #[error("{0} has no embeddings")]
    NoEmbeddings(String),
    #[error("cannot load {path}: {reason}")]
    Load { path: String, reason: String },
    #[error("llama.cpp could not compute ({0})")]
    Compute(String),
    #[error("text cannot be tokenized: {0}")]
    Tokenize(String),
    #[error("the request was cancelled")]
    Cancelled,
    #[error("the engine has stopped")]
    Stopped,
}
