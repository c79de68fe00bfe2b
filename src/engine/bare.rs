//! A bare llama.cpp loop on a loaded model: decode, sample, decode. What serving is measured against; used by
//! `chela bench serve` only.

use std::sync::Arc;
use std::time::Instant;

use super::ffi::{Batch, Computed, Context, Layout, Model, Sampler};
use super::{EngineError, Sampling, Token};

/// A context of its own, with the layout of a serving one but a single sequence.
pub struct BareLoop {
    model: Arc<Model>,
    context: Context,
    n_batch: usize,
}

/// How long the two phases took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BareRun {
    /// From the empty cache to the first sampled token.
    pub prefill_s: f64,
    /// From the first sampled token to the last.
    pub decode_s: f64,
    pub n_sampled: usize,
}

impl BareLoop {
    pub(super) fn new(model: &Arc<Model>, n_ctx: usize, n_threads: usize) -> Result<Self, EngineError> {
        let n_batch = super::lane::N_BATCH;
        let n_cells = n_ctx.next_multiple_of(256);
        let layout = Layout { n_cells, n_sequences: 1, n_batch, n_outputs: 1, n_threads, embeddings: false };
        let context = Context::new(model, layout).map_err(EngineError::Compute)?;
        Ok(Self { model: Arc::clone(model), context, n_batch })
    }

    /// One answer, from an empty cache.
    pub fn run(&mut self, prompt: &[Token], sampling: &Sampling) -> Result<BareRun, EngineError> {
        let no_memory = || EngineError::Compute("no memory for a sampler".to_owned());
        let mut sampler =
            Sampler::chain(&self.model, sampling, sampling.seed.unwrap_or(0)).ok_or_else(no_memory)?;
        self.context.forget(0, 0);
        let began = Instant::now();
        let mut batch = Batch::default();
        let mut position = 0;
        for chunk in prompt.chunks(self.n_batch) {
            batch.clear();
            for &token in chunk {
                batch.push(token, position, 0, position + 1 == prompt.len());
                position += 1;
            }
            self.compute(&mut batch)?;
        }
        let mut token = sampler.sample(&self.context);
        let first = Instant::now();
        let mut n_sampled = 1;
        let mut text = Vec::new();
        while n_sampled < sampling.max_tokens && !self.model.ends(token) {
            text.extend(self.model.piece(token, false));
            batch.clear();
            batch.push(token, position, 0, true);
            position += 1;
            self.compute(&mut batch)?;
            token = sampler.sample(&self.context);
            n_sampled += 1;
        }
        let prefill_s = (first - began).as_secs_f64();
        Ok(BareRun { prefill_s, decode_s: first.elapsed().as_secs_f64(), n_sampled })
    }

    fn compute(&mut self, batch: &mut Batch) -> Result<(), EngineError> {
        match self.context.decode(batch, Vec::new()) {
            Ok(Computed::Done) => Ok(()),
            Ok(other) => Err(EngineError::Compute(format!("{other:?}"))),
            Err(reason) => Err(EngineError::Compute(reason)),
        }
    }
}
