//! The engine's thread: one inbox, one lane per policy version, foreground before background. Only `engine` uses it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::ffi::{Adapter, Batch, Computed, Context, Layout, Model};
use super::lane::{Lane, Shape};
use super::slot::Task;
use super::{Embed, EngineError, Job, ModelCard, Priority};
use crate::turn::PolicyVersion;

/// How long the inbox is waited for at a time; only bounds how long a forgotten wake-up could last.
const INBOX_WAIT: Duration = Duration::from_mins(1);

pub(super) struct Worker {
    model: Arc<Model>,
    card: Arc<ModelCard>,
    shape: Shape,
    lanes: BTreeMap<PolicyVersion, Lane>,
    adapters: BTreeMap<PolicyVersion, (Arc<Adapter>, f32)>,
}

impl Worker {
    /// Makes the base lane, so that a model which loads but cannot compute is found out at once.
    pub(super) fn new(model: Arc<Model>, card: Arc<ModelCard>, shape: Shape) -> Result<Self, EngineError> {
        let base = Lane::new(&model, shape, None)?;
        let lanes = BTreeMap::from([(PolicyVersion::BASE, base)]);
        Ok(Self { model, card, shape, lanes, adapters: BTreeMap::new() })
    }

    /// Runs until every sender of the inbox is gone; then all work ends as stopped.
    pub(super) fn run(mut self, inbox: &Receiver<Job>) {
        while self.take_jobs(inbox) {
            let foreground = self.lanes.values().any(|lane| lane.has_work(Priority::Foreground));
            let priority = if foreground { Priority::Foreground } else { Priority::Background };
            for lane in self.lanes.values_mut() {
                lane.step(priority);
            }
            self.drop_unused();
        }
        self.lanes.values_mut().for_each(Lane::stop);
    }

    /// Takes what has arrived; waits when there is nothing to do. False: nobody can send any more.
    fn take_jobs(&mut self, inbox: &Receiver<Job>) -> bool {
        if !self.has_work() {
            match inbox.recv_timeout(INBOX_WAIT) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match inbox.try_recv() {
                Ok(job) => self.take(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn has_work(&self) -> bool {
        self.lanes.values().any(|lane| lane.has_work(Priority::Background))
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Generate(job) => self.route(job.policy, Task::Generate(job)),
            Job::Score(job) => self.route(job.policy, Task::Score(job)),
            Job::Embed(job) => self.embed(job),
            Job::LoadAdapter { version, path, scale, done } => done(self.load_adapter(version, &path, scale)),
            Job::RemoveAdapter { version, done } => {
                let known = self.adapters.remove(&version).map(|_| ());
                done(known.ok_or(EngineError::UnknownPolicy(version)));
            }
            Job::DropCaches => self.lanes.values_mut().for_each(Lane::drop_caches),
        }
    }

    fn route(&mut self, policy: PolicyVersion, task: Task) {
        match self.lane(policy) {
            Ok(lane) => lane.enqueue(task),
            Err(error) => task.fail(error),
        }
    }

    /// The lane that serves `policy`; made when it is first needed.
    fn lane(&mut self, policy: PolicyVersion) -> Result<&mut Lane, EngineError> {
        let adapter = match self.adapters.get(&policy) {
            Some(adapter) => Some(adapter.clone()),
            None if policy == PolicyVersion::BASE => None,
            None => return Err(EngineError::UnknownPolicy(policy)),
        };
        match self.lanes.entry(policy) {
            std::collections::btree_map::Entry::Occupied(lane) => Ok(lane.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                Ok(place.insert(Lane::new(&self.model, self.shape, adapter)?))
            }
        }
    }

    fn load_adapter(&mut self, version: PolicyVersion, path: &Path, scale: f32) -> Result<(), EngineError> {
        if version == PolicyVersion::BASE || self.adapters.contains_key(&version) {
            return Err(EngineError::Adapter(format!(
                "{} for version {version}, which exists,",
                path.display()
            )));
        }
        let adapter = Adapter::load(&self.model, path)
            .map_err(|reason| EngineError::Adapter(format!("{} ({reason})", path.display())))?;
        self.adapters.insert(version, (adapter, scale));
        self.lane(version).map(|_| ())
    }

    /// Lanes whose adapter was removed go when their last stream has ended.
    fn drop_unused(&mut self) {
        let adapters = &self.adapters;
        self.lanes.retain(|version, lane| {
            *version == PolicyVersion::BASE
                || adapters.contains_key(version)
                || lane.has_work(Priority::Background)
        });
    }

    fn embed(&self, job: Embed) {
        (job.done)(self.embedding(&job.text));
    }

    /// In a context of its own, because pooling is a property of a context. Kept only for the call.
    fn embedding(&self, text: &str) -> Result<Vec<f32>, EngineError> {
        if !self.card.has_embeddings {
            return Err(EngineError::NoEmbeddings(self.card.name.clone()));
        }
        let tokens = self.model.tokenize(text, false).map_err(EngineError::Tokenize)?;
        if tokens.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if tokens.len() > self.card.n_ctx {
            return Err(EngineError::PromptTooLong { n_prompt: tokens.len(), n_ctx: self.card.n_ctx });
        }
        let n_rows = tokens.len().next_multiple_of(256);
        let layout = Layout {
            n_cells: n_rows,
            n_sequences: 1,
            n_batch: n_rows,
            n_outputs: n_rows,
            n_threads: self.shape.n_threads,
            embeddings: true,
        };
        let mut context = Context::new(&self.model, layout).map_err(EngineError::Compute)?;
        let mut batch = Batch::default();
        for (position, &token) in tokens.iter().enumerate() {
            batch.push(token, position, 0, true);
        }
        let computed = context.decode(&mut batch, Vec::new()).map_err(EngineError::Compute)?;
        let values = context.embedding(0, self.model.facts().n_embd).filter(|_| computed == Computed::Done);
        values.map(normalized).ok_or_else(|| EngineError::Compute("no embedding came out".to_owned()))
    }
}

/// Length 1 (L2), so that a dot product is the cosine.
fn normalized(values: &[f32]) -> Vec<f32> {
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let scale = if norm > 0.0 { norm.recip() } else { 0.0 };
    values.iter().map(|value| value * scale).collect()
}
