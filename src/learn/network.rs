//! The whole network over one micro-batch: embedding, blocks, head, and back.

use super::block::{Activations, Context, Layer, Rotations, Scratch};
use super::head::{self, Head, HeadReport, Hidden};
use super::kernels::Kernels;
use super::layout::Layout;
use super::loss::Term;
use super::parameters::Parameters;
use super::profile::Profile;
use super::weights::{RopeTable, WeightFile};
use super::{Pace, Row, Sample, TrainError};

/// Frozen weights, kernels, and all memory that a step needs besides the parameters.
pub(super) struct Network {
    pub(super) weights: WeightFile,
    pub(super) kernels: &'static dyn Kernels,
    rope: RopeTable,
    kept: Vec<Activations>,
    spare: Activations,
    scratch: Scratch,
    head: head::Scratch,
    hidden: Vec<f32>,
    d_hidden: Vec<f32>,
    pub(super) profile: Profile,
}

/// A micro-batch, and how it is computed.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) samples: &'a [Sample],
    pub(super) pace: &'a Pace,
    pub(super) effort: Effort,
}

/// What a pass over a micro-batch is for.
struct Task {
    with_gradient: bool,
    adapted: bool,
    top: usize,
}

/// How a micro-batch is computed within the memory budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort {
    /// Layers that keep their activations, counted from the last; the others compute them again.
    pub(super) kept_layers: usize,
    /// Rows whose logits exist at the same time.
    pub(super) logit_rows: usize,
}

impl Network {
    pub(super) fn new(weights: WeightFile, kernels: &'static dyn Kernels) -> Self {
        Self {
            rope: weights.rope_table(),
            kept: weights.layers.iter().map(|_| Activations::default()).collect(),
            weights,
            kernels,
            spare: Activations::default(),
            scratch: Scratch::default(),
            head: head::Scratch::default(),
            hidden: Vec::new(),
            d_hidden: Vec::new(),
            profile: Profile::default(),
        }
    }

    /// Losses and log-probabilities, and with `top` the most probable tokens; no gradient. `adapted`: with the
    /// adapter, or the base alone.
    pub(super) fn score(
        &mut self,
        batch: Batch<'_>,
        parameters: &mut Parameters,
        (adapted, top): (bool, usize),
    ) -> Result<HeadReport, TrainError> {
        self.run(batch, parameters, &Task { with_gradient: false, adapted, top })
    }

    /// Losses and log-probabilities, and the gradients are added to those in `parameters`.
    pub(super) fn learn(
        &mut self,
        batch: Batch<'_>,
        parameters: &mut Parameters,
    ) -> Result<HeadReport, TrainError> {
        self.run(batch, parameters, &Task { with_gradient: true, adapted: true, top: 0 })
    }

    fn run(
        &mut self,
        batch: Batch<'_>,
        parameters: &mut Parameters,
        task: &Task,
    ) -> Result<HeadReport, TrainError> {
        let Batch { samples, pace, effort } = batch;
        let (reference, reference_rows) = self.reference(samples, parameters, pace)?;
        let layout = Layout::new(samples);
        let rotations = Rotations::new(&self.rope, &layout);
        let (kernels, weights, adapted) = (self.kernels, &self.weights, task.adapted);
        let context = Context { kernels, weights, layout: &layout, rotations: &rotations, pace, adapted };
        let kept = if task.with_gradient { &mut self.kept[..] } else { &mut [] };
        let mut pass = Pass {
            context,
            parameters,
            kept_layers: effort.kept_layers,
            scratch: &mut self.scratch,
            spare: &mut self.spare,
            profile: &mut self.profile,
        };
        pass.forward(&mut self.hidden, kept)?;
        let hidden = Hidden { policy: &self.hidden, reference: &reference, reference_rows: &reference_rows };
        let chunk = effort.logit_rows.max(1);
        let mut head = Head { context, scratch: &mut self.head, profile: pass.profile, chunk, top: task.top };
        let d_hidden = task.with_gradient.then_some(&mut self.d_hidden);
        let report = head.run(hidden, &layout.targets, d_hidden)?;
        if task.with_gradient && report.loss.is_finite() {
            pass.backward(&mut self.d_hidden, &mut self.kept)?;
        }
        Ok(report)
    }

    /// Last hidden states of the base, for the samples that are held to it: the rows, and which of the
    /// micro-batch's answer rows each belongs to.
    fn reference(
        &mut self,
        samples: &[Sample],
        parameters: &mut Parameters,
        pace: &Pace,
    ) -> Result<(Vec<f32>, Vec<Option<usize>>), TrainError> {
        let held: Vec<Sample> = samples.iter().filter(|sample| is_held_to_base(sample)).cloned().collect();
        if held.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut next = 0..;
        let places = samples.iter().flat_map(|sample| {
            let is_held = is_held_to_base(sample);
            let rows = sample.answers.iter().flat_map(|answer| &answer.rows);
            rows.map(|row| if is_held { next.next().filter(|_| is_held_row(row)) } else { None })
                .collect::<Vec<_>>()
        });
        let places: Vec<Option<usize>> = places.collect();
        let layout = Layout::new(&held);
        let rotations = Rotations::new(&self.rope, &layout);
        let (kernels, weights) = (self.kernels, &self.weights);
        let context =
            Context { kernels, weights, layout: &layout, rotations: &rotations, pace, adapted: false };
        let mut hidden = Vec::new();
        let mut pass = Pass {
            context,
            parameters,
            kept_layers: 0,
            scratch: &mut self.scratch,
            spare: &mut self.spare,
            profile: &mut self.profile,
        };
        pass.forward(&mut hidden, &mut [])?;
        Ok((hidden, places))
    }
}

fn is_held_to_base(sample: &Sample) -> bool {
    sample.answers.iter().flat_map(|answer| &answer.rows).any(is_held_row)
}

fn is_held_row(row: &Row) -> bool {
    row.terms.iter().any(|term| matches!(term, Term::ReferenceKl { .. }))
}

/// The blocks over one layout.
struct Pass<'a> {
    context: Context<'a>,
    parameters: &'a mut Parameters,
    kept_layers: usize,
    scratch: &'a mut Scratch,
    spare: &'a mut Activations,
    profile: &'a mut Profile,
}

impl Pass<'_> {
    /// Embeds the tokens and leaves the answer rows' last hidden states in `x`. `kept` is empty when nothing comes
    /// back.
    fn forward(&mut self, x: &mut Vec<f32>, kept: &mut [Activations]) -> Result<(), TrainError> {
        self.embed(x)?;
        let n_layers = self.context.weights.layers.len();
        for index in 0..n_layers {
            match kept.get_mut(index) {
                Some(kept) if index + self.kept_layers >= n_layers => {
                    self.layer(index, |layer, _| layer.forward(x, kept))?;
                }
                Some(kept) => self.layer(index, |layer, spare| {
                    layer.forward(x, spare)?;
                    kept.swap_input(spare);
                    Ok(())
                })?,
                None => self.layer(index, |layer, spare| layer.forward(x, spare))?,
            }
        }
        Ok(())
    }

    fn backward(&mut self, dx: &mut Vec<f32>, kept: &mut [Activations]) -> Result<(), TrainError> {
        let n_layers = self.context.weights.layers.len();
        for (index, kept) in kept.iter_mut().enumerate().rev() {
            let is_kept = index + self.kept_layers >= n_layers;
            self.layer(index, |layer, spare| {
                if is_kept {
                    return layer.backward(dx, kept, index == 0);
                }
                spare.swap_input(kept);
                layer.recompute(spare)?;
                layer.backward(dx, spare, index == 0)?;
                kept.swap_input(spare);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Runs `task` on a layer; it may use the spare activations.
    fn layer(
        &mut self,
        index: usize,
        task: impl FnOnce(&mut Layer<'_>, &mut Activations) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let is_last = index + 1 == self.context.weights.layers.len();
        let mut layer = Layer {
            context: self.context,
            index,
            from: if is_last { self.context.layout.first_answer } else { 0 },
            parameters: self.parameters,
            scratch: self.scratch,
            profile: self.profile,
        };
        task(&mut layer, self.spare)
    }

    fn embed(&mut self, x: &mut Vec<f32>) -> Result<(), TrainError> {
        let embedding = &self.context.weights.embedding;
        let mut bytes = Vec::new();
        x.clear();
        x.resize(self.context.layout.n_rows() * embedding.n_cols, 0.0);
        for (token, out) in self.context.layout.tokens.iter().zip(x.chunks_exact_mut(embedding.n_cols)) {
            let token = usize::try_from(*token).unwrap_or(usize::MAX);
            let end = token.saturating_add(1);
            self.context.weights.read_rows(embedding, token..end, &mut bytes)?;
            self.context.kernels.decode(embedding.decoder(), &bytes, out);
        }
        Ok(())
    }
}
