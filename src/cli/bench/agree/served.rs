//! The other side: llama.cpp with the same model, which scores answers under the base and under adapters.

use std::path::Path;
use std::sync::mpsc;

use anyhow::Context;

use crate::engine::{Cancel, Engine, Job, LlamaEngine, LoadOptions, Priority, Score, Token};
use crate::learn::Sample;
use crate::model::Found;
use crate::turn::PolicyVersion;

pub(super) struct Served {
    engine: LlamaEngine,
}

impl Served {
    /// With room for the longest of the samples.
    pub(super) fn load(model: &Found, samples: &[Sample]) -> anyhow::Result<Self> {
        let lengths = samples
            .iter()
            .flat_map(|sample| sample.answers.iter().map(|answer| sample.prompt.len() + answer.rows.len()));
        let n_ctx = (lengths.max().unwrap_or(0) + 64).next_multiple_of(256);
        let options = LoadOptions { n_ctx, parallel: 1, ..LoadOptions::new(&model.name, &model.path) };
        Ok(Self { engine: LlamaEngine::load(&options)? })
    }

    /// What runs where.
    pub(super) fn placement(&self) -> String {
        self.engine.card().placement.clone()
    }

    /// Serves the adapter in the file as `version`.
    pub(super) fn learn(&self, version: PolicyVersion, path: &Path) -> anyhow::Result<()> {
        let (sender, outcome) = mpsc::channel();
        let done = Box::new(move |result| {
            // Who asked waits below.
            let _ = sender.send(result);
        });
        let path = path.to_owned();
        self.engine.submit(Job::LoadAdapter { version, path, scale: 1.0, done })?;
        Ok(outcome.recv().context("the engine is gone")??)
    }

    /// Of all answer tokens, over samples and answers in order.
    pub(super) fn logprobs(&self, policy: PolicyVersion, samples: &[Sample]) -> anyhow::Result<Vec<f32>> {
        let mut logprobs = Vec::new();
        for sample in samples {
            for answer in &sample.answers {
                let response = answer.rows.iter().map(|row| row.token).collect();
                logprobs.extend(self.score(policy, &sample.prompt, response)?);
            }
        }
        Ok(logprobs)
    }

    fn score(
        &self,
        policy: PolicyVersion,
        prompt: &[Token],
        response: Vec<Token>,
    ) -> anyhow::Result<Vec<f32>> {
        let (sender, outcome) = mpsc::channel();
        self.engine.submit(Job::Score(Score {
            prompt: prompt.to_vec(),
            response,
            policy,
            priority: Priority::Foreground,
            cancel: Cancel::default(),
            done: Box::new(move |result| {
                // Who asked waits below.
                let _ = sender.send(result);
            }),
        }))?;
        Ok(outcome.recv().context("the engine is gone")??)
    }
}
