//! Which model serves: loading in the background, switching while answers run, and waiting for it.
//!
//! A switch loads the new model first and swaps then. Running answers hold the engine that they began with; a
//! failure leaves the old one serving.

use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, oneshot, watch};

use super::error::ApiError;
use super::policy::{Policies, Versions};
use super::wire::{LoadedModel, ModelState};
use super::{Loader, ModelChoice};
use crate::engine::{Engine, EngineError, ModelCard};
use crate::turn::template::{ChatTemplate, TemplateError};

/// A loaded model and how it is spoken to.
pub(super) struct Serving {
    pub(super) engine: Arc<dyn Engine>,
    /// An unusable template is no reason not to load: the refusal comes with the first message.
    pub(super) template: Result<ChatTemplate, TemplateError>,
    /// What of the shelf is loaded beside it.
    pub(super) versions: Versions,
}

/// What can be said about the model right now.
#[derive(Clone)]
pub(super) enum Slot {
    None { reason: String },
    Loading { name: String },
    Ready(Arc<Serving>),
}

/// The daemon's one model.
pub(super) struct Models {
    loader: Arc<Loader>,
    policies: Arc<Policies>,
    slot: watch::Sender<Slot>,
    /// One load at a time.
    loading: Mutex<()>,
}

impl Models {
    pub(super) fn new(loader: Loader, policies: Arc<Policies>, first: &ModelChoice) -> Self {
        let (slot, _) = watch::channel(Slot::Loading { name: first.name.clone() });
        Self { loader: Arc::new(loader), policies, slot, loading: Mutex::new(()) }
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot.borrow().clone()
    }

    pub(super) fn state(&self) -> ModelState {
        match self.slot() {
            Slot::None { reason } => ModelState::None { reason },
            Slot::Loading { name } => ModelState::Loading { name },
            Slot::Ready(serving) => ModelState::Ready { model: loaded(serving.engine.card()) },
        }
    }

    /// Loads `choice` and lets it serve. While it loads, the model before it goes on serving.
    pub(super) async fn load(&self, choice: &ModelChoice) -> Result<(), EngineError> {
        let _one_at_a_time = self.loading.lock().await;
        if !matches!(self.slot(), Slot::Ready(_)) {
            self.slot.send_replace(Slot::Loading { name: choice.name.clone() });
        }
        tracing::info!(model = choice.name, "loading");
        match load_in_a_thread(Arc::clone(&self.loader), choice.clone()).await {
            Ok(engine) => {
                let serving = serving(engine);
                self.policies.resume(&serving).await;
                self.slot.send_replace(Slot::Ready(Arc::new(serving)));
                Ok(())
            }
            Err(err) => {
                self.fail(&err);
                Err(err)
            }
        }
    }

    /// There is no model, unless the one before still serves.
    fn fail(&self, err: &EngineError) {
        tracing::error!(%err, "not loaded");
        self.slot.send_if_modified(|slot| {
            let is_serving = matches!(slot, Slot::Ready(_));
            if !is_serving {
                *slot = Slot::None { reason: err.to_string() };
            }
            !is_serving
        });
    }

    /// Waits until loading has come to an end, one way or the other.
    pub(super) async fn settled(&self) -> Slot {
        let mut slot = self.slot.subscribe();
        let settled = slot.wait_for(|slot| !matches!(slot, Slot::Loading { .. })).await;
        settled.map_or_else(|_| self.slot(), |slot| slot.clone())
    }

    /// The model, once it is there.
    pub(super) async fn serving(&self) -> Result<Arc<Serving>, ApiError> {
        match self.settled().await {
            Slot::Ready(serving) => Ok(serving),
            Slot::None { reason } => Err(ApiError::unavailable("model_not_loaded", reason)),
            Slot::Loading { name } => {
                Err(ApiError::unavailable("model_loading", format!("{name} is still loading; try again")))
            }
        }
    }
}

fn serving(engine: Arc<dyn Engine>) -> Serving {
    let card = engine.card();
    tracing::info!(model = card.name, n_ctx = card.n_ctx, placement = card.placement, "serving");
    let template = card.template();
    if let Err(err) = &template {
        tracing::warn!(%err, "the chat template is not usable");
    }
    Serving { engine, template, versions: Versions::default() }
}

/// Loading takes seconds and may panic: it gets a thread of its own.
async fn load_in_a_thread(loader: Arc<Loader>, choice: ModelChoice) -> Result<Arc<dyn Engine>, EngineError> {
    let failed = |reason: String| EngineError::Load { path: choice.name.clone(), reason };
    let (done, outcome) = oneshot::channel();
    let wanted = choice.clone();
    let thread = thread::Builder::new().name("model-load".into()).spawn(move || {
        // Nobody waits any more when the daemon is ending.
        let _ = done.send(loader(&wanted));
    });
    if let Err(err) = thread {
        return Err(failed(format!("no thread for it ({err})")));
    }
    outcome.await.unwrap_or_else(|_| Err(failed("loading it panicked; the log says where".into())))
}

fn loaded(card: &ModelCard) -> LoadedModel {
    LoadedModel {
        name: card.name.clone(),
        path: card.path.display().to_string(),
        description: card.description.clone(),
        architecture: card.architecture.clone(),
        n_params: card.n_params,
        size_bytes: card.size_bytes,
        n_ctx: card.n_ctx,
        n_ctx_train: card.n_ctx_train,
        placement: card.placement.clone(),
    }
}
