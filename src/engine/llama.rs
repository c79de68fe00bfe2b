//! The real engine: loads a model and runs its worker thread. Used by `daemon`, `cli` (bench, probe) and tests.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::ffi::{self, Facts, Model};
use super::lane::Shape;
use super::offload;
use super::worker::Worker;
use super::{BareLoop, Engine, EngineError, Job, ModelCard, Token};

/// What to load, and how much of the machine it may use.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    pub path: PathBuf,
    /// The name to show.
    pub name: String,
    /// Tokens that one request may use; the model's own limit applies when it is lower.
    pub n_ctx: usize,
    /// Requests answered at the same time.
    pub parallel: usize,
    /// 0: one per physical core, one in all for very small models.
    pub threads: usize,
    /// −1: as many as fit.
    pub gpu_layers: i32,
}

impl LoadOptions {
    /// The default use of the machine for the model in `path`.
    pub fn new(name: &str, path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            name: name.to_owned(),
            n_ctx: 8192,
            parallel: 4,
            threads: 0,
            gpu_layers: -1,
        }
    }
}

/// A loaded model and the thread that serves it. Dropping it ends all its work and frees the model.
pub struct LlamaEngine {
    /// `None` only while dropping.
    inbox: Option<Mutex<Sender<Job>>>,
    model: Arc<Model>,
    card: Arc<ModelCard>,
    n_threads: usize,
    thread: Option<JoinHandle<()>>,
}

impl LlamaEngine {
    /// Blocks while the file is mapped (tens of milliseconds to seconds). The file must have passed `model::check`.
    pub fn load(options: &LoadOptions) -> Result<Self, EngineError> {
        let refuse = |reason: String| EngineError::Load { path: options.path.display().to_string(), reason };
        let devices = ffi::devices();
        // Layer count and size come from the file itself; a vocabulary-only load reads no weights.
        let gpu_layers = if devices.iter().any(|device| device.is_gpu) {
            let sketch = Model::load(&options.path, 0, true).map_err(refuse)?.facts();
            let size = std::fs::metadata(&options.path).map_or(0, |metadata| metadata.len());
            offload::place(&devices, size, sketch.n_layers, options.gpu_layers).gpu_layers
        } else {
            0
        };
        let model = Model::load(&options.path, i32::try_from(gpu_layers).unwrap_or(i32::MAX), false)
            .map_err(refuse)?;
        let facts = model.facts();
        if !facts.is_generative {
            return Err(refuse("it is an encoder and cannot write text".to_owned()));
        }
        let n_threads = offload::threads(options.threads, num_cpus::get_physical(), facts.n_params);
        let mut placement = offload::place(&devices, facts.size_bytes, facts.n_layers, options.gpu_layers);
        placement.gpu_layers = placement.gpu_layers.min(gpu_layers);
        let n_ctx = if facts.n_ctx_train == 0 { options.n_ctx } else { options.n_ctx.min(facts.n_ctx_train) };
        let card = Arc::new(card(options, &model, facts, n_ctx, placement.line(n_threads)));
        let shape = Shape { n_ctx, parallel: options.parallel.max(1), n_threads };
        let worker = Worker::new(Arc::clone(&model), Arc::clone(&card), shape)?;
        let (inbox, jobs) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || worker.run(&jobs))
            .map_err(|err| EngineError::Compute(format!("no thread for the engine: {err}")))?;
        tracing::info!(model = card.name, placement = card.placement, n_ctx, "model loaded");
        Ok(Self { inbox: Some(Mutex::new(inbox)), model, card, n_threads, thread: Some(thread) })
    }

    /// A plain loop on the same weights and threads, to measure against.
    pub fn bare_loop(&self) -> Result<BareLoop, EngineError> {
        BareLoop::new(&self.model, self.card.n_ctx, self.n_threads)
    }
}

impl Engine for LlamaEngine {
    fn submit(&self, job: Job) -> Result<(), EngineError> {
        let inbox = self.inbox.as_ref().ok_or(EngineError::Stopped)?;
        let inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.send(job).map_err(|_| EngineError::Stopped)
    }

    fn tokenize(&self, text: &str, special: bool) -> Result<Vec<Token>, EngineError> {
        self.model.tokenize(text, special).map_err(EngineError::Tokenize)
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        self.model.piece(token, false)
    }

    fn card(&self) -> &ModelCard {
        &self.card
    }
}

impl Drop for LlamaEngine {
    fn drop(&mut self) {
        self.inbox = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the worker was reported by its own thread.
            let _panicked = thread.join();
        }
    }
}

/// llama.cpp's description, with the size of models that it has no name for (`qwen3 ?B Q8_0`).
fn describe(description: &str, n_params: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let millions = n_params as f64 / 1e6;
    let size = if millions < 1000.0 { format!("{millions:.1}M") } else { format!("{:.1}B", millions / 1e3) };
    description.replace("?B", &size)
}

fn card(options: &LoadOptions, model: &Model, facts: Facts, n_ctx: usize, placement: String) -> ModelCard {
    let text_of = |token: Token| match token {
        0.. => String::from_utf8_lossy(&model.piece(token, true)).into_owned(),
        _ => String::new(),
    };
    let architecture = model.metadata("general.architecture").unwrap_or_default();
    let has_embeddings =
        model.metadata(&format!("{architecture}.pooling_type")).is_some_and(|kind| kind != "0");
    ModelCard {
        name: options.name.clone(),
        path: options.path.clone(),
        description: describe(&model.description(), facts.n_params),
        architecture,
        n_params: facts.n_params,
        size_bytes: facts.size_bytes,
        n_ctx,
        n_ctx_train: facts.n_ctx_train,
        n_vocab: model.n_vocab(),
        chat_template: model.chat_template().unwrap_or_default(),
        bos_token: text_of(facts.bos),
        eos_token: text_of(facts.eos),
        add_bos: facts.add_bos,
        has_embeddings,
        control_tokens: model.control_tokens(),
        placement,
    }
}
