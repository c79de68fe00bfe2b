//! A decoder block forward.

use rayon::prelude::*;

use super::linear::{Input, Member};
use super::{Activations, Layer, fit};
use crate::adapter::Linear;
use crate::learn::TrainError;
use crate::learn::kernels::Kernels;
use crate::learn::kernels::attention::{Attention, Heads};
use crate::learn::profile::Work;
use crate::learn::weights::LayerWeights;

impl Layer<'_> {
    /// `x` (rows, width) in, (rows − from, width) out; what the backward pass needs goes to `kept`.
    pub(in crate::learn) fn forward(
        &mut self,
        x: &mut Vec<f32>,
        kept: &mut Activations,
    ) -> Result<(), TrainError> {
        kept.x.clone_from(x);
        self.attend(kept)?;
        let width = self.context.weights.geometry.width;
        x.drain(..self.from * width);
        self.project_attended(x, kept)?;
        self.feed_forward(kept)?;
        self.project_product(x, kept)
    }

    /// The same up to the last product, from `kept.x`: for a layer that kept nothing else.
    pub(in crate::learn) fn recompute(&mut self, kept: &mut Activations) -> Result<(), TrainError> {
        self.attend(kept)?;
        let width = self.context.weights.geometry.width;
        let mut x = kept.x[self.from * width..].to_vec();
        self.project_attended(&mut x, kept)?;
        self.feed_forward(kept)?;
        self.project_product(&mut [], kept)
    }

    /// Norm, Q, K, V, rotation, attention.
    fn attend(&mut self, kept: &mut Activations) -> Result<(), TrainError> {
        let heads = self.heads();
        let (rows, from) = (self.context.layout.n_rows(), self.from);
        let (q, kv) = (heads.n_heads * heads.width, heads.n_kv_heads * heads.width);
        self.norm_input(&kept.x);
        fit(&mut kept.q, (rows - from) * q);
        fit(&mut kept.k, rows * kv);
        fit(&mut kept.v, rows * kv);
        let normed = std::mem::take(&mut self.scratch.normed);
        let [low_q, low_k, low_v, ..] = &mut kept.low;
        let query = Member { linear: Linear::Q, low: low_q, out: &mut kept.q, accumulate: false };
        let key = Member { linear: Linear::K, low: low_k, out: &mut kept.k, accumulate: false };
        let value = Member { linear: Linear::V, low: low_v, out: &mut kept.v, accumulate: false };
        if from == 0 {
            self.forward_maps(rows, Input::Rows(&normed), &mut [query, key, value])?;
        } else {
            let wanted = &normed[from * self.context.weights.geometry.width..];
            self.forward_maps(rows - from, Input::Rows(wanted), &mut [query])?;
            self.forward_maps(rows, Input::Rows(&normed), &mut [key, value])?;
        }
        self.scratch.normed = normed;
        self.rotate(kept);
        fit(&mut kept.attended, (rows - from) * q);
        fit(&mut kept.log_sum_exps, (rows - from) * heads.n_heads);
        self.check_pace()?;
        let (context, scratch) = (self.context, &mut *self.scratch);
        let attention = Attention {
            kernels: context.kernels,
            pace: context.pace,
            heads,
            segments: &context.layout.segments,
            from,
            queries: &scratch.queries,
            keys: &scratch.keys,
            values: &kept.v,
        };
        self.profile.time(Work::Attention, || {
            attention.forward(&mut scratch.attention, &mut kept.attended, &mut kept.log_sum_exps);
        });
        Ok(())
    }

    /// `x += O · attended`.
    fn project_attended(&mut self, x: &mut [f32], kept: &mut Activations) -> Result<(), TrainError> {
        let rows = self.context.layout.n_rows() - self.from;
        let low = &mut kept.low[Linear::O as usize];
        let member = Member { linear: Linear::O, low, out: x, accumulate: true };
        self.forward_maps(rows, Input::Rows(&kept.attended), &mut [member])?;
        kept.middle.clear();
        kept.middle.extend_from_slice(x);
        Ok(())
    }

    /// Norm, gate, up.
    fn feed_forward(&mut self, kept: &mut Activations) -> Result<(), TrainError> {
        let ffn = self.context.weights.geometry.ffn_width;
        let rows = self.context.layout.n_rows() - self.from;
        self.norm_middle(&kept.middle);
        let (mut gate_out, mut up_out) =
            (std::mem::take(&mut self.scratch.gate), std::mem::take(&mut self.scratch.up));
        fit(&mut gate_out, rows * ffn);
        fit(&mut up_out, rows * ffn);
        let normed = std::mem::take(&mut self.scratch.normed);
        let [.., low_gate, low_up, _] = &mut kept.low;
        let gate = Member { linear: Linear::Gate, low: low_gate, out: &mut gate_out, accumulate: false };
        let up = Member { linear: Linear::Up, low: low_up, out: &mut up_out, accumulate: false };
        let done = self.forward_maps(rows, Input::Rows(&normed), &mut [gate, up]);
        (self.scratch.normed, self.scratch.gate, self.scratch.up) = (normed, gate_out, up_out);
        done
    }

    /// `x += Down · (silu(gate) ∘ up)`; with an empty `x` only what the backward pass needs of it.
    fn project_product(&mut self, x: &mut [f32], kept: &mut Activations) -> Result<(), TrainError> {
        let rows = self.context.layout.n_rows() - self.from;
        let (mut gate, mut up) =
            (std::mem::take(&mut self.scratch.gate), std::mem::take(&mut self.scratch.up));
        let low = &mut kept.low[Linear::Down as usize];
        let member = Member { linear: Linear::Down, low, out: x, accumulate: true };
        let done = self.forward_maps(rows, Input::Swiglu { gate: &gate, up: &up }, &mut [member]);
        let kernels = self.context.kernels;
        self.profile.time(Work::Swiglu, || {
            kept.gate.keep(kernels, &mut gate);
            kept.up.keep(kernels, &mut up);
        });
        (self.scratch.gate, self.scratch.up) = (gate, up);
        done
    }

    /// Rotated queries and keys into the scratch buffers, normed first where the architecture does that.
    pub(super) fn rotate(&mut self, kept: &Activations) {
        let context = self.context;
        let (layer, heads) = (self.weights(), self.heads());
        let positions = &context.layout.positions;
        let epsilon = context.weights.geometry.rms_epsilon;
        let (from, scratch) = (self.from, &mut *self.scratch);
        self.profile.time(Work::Norm, || {
            let parts = [
                (&kept.q, &mut scratch.queries, layer.q_norm.as_deref(), &positions[from..]),
                (&kept.k, &mut scratch.keys, layer.k_norm.as_deref(), &positions[..]),
            ];
            for (raw, out, norm, positions) in parts {
                fit(out, raw.len());
                match norm {
                    Some(weight) => norm_rows(context.kernels, raw, weight, epsilon, out),
                    None => out.copy_from_slice(raw),
                }
                context.rotations.apply(context.kernels, out, heads.width, positions, false);
            }
        });
    }

    pub(super) fn norm_input(&mut self, x: &[f32]) {
        let weight = &self.weights().attn_norm;
        self.norm(x, weight);
    }

    pub(super) fn norm_middle(&mut self, x: &[f32]) {
        let weight = &self.weights().ffn_norm;
        self.norm(x, weight);
    }

    fn norm(&mut self, x: &[f32], weight: &[f32]) {
        let epsilon = self.context.weights.geometry.rms_epsilon;
        let (kernels, out) = (self.context.kernels, &mut self.scratch.normed);
        self.profile.time(Work::Norm, || {
            fit(out, x.len());
            norm_rows(kernels, x, weight, epsilon, out);
        });
    }

    pub(super) fn heads(&self) -> Heads {
        let geometry = &self.context.weights.geometry;
        Heads { n_heads: geometry.n_heads, n_kv_heads: geometry.n_kv_heads, width: geometry.head_width }
    }
}

impl<'a> Layer<'a> {
    pub(super) fn weights(&self) -> &'a LayerWeights {
        &self.context.weights.layers[self.index]
    }
}

/// RMS norm of every stretch of `weight.len()` values.
pub(in crate::learn) fn norm_rows(
    kernels: &dyn Kernels,
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    out: &mut [f32],
) {
    let rows = out.par_chunks_exact_mut(weight.len()).zip(x.par_chunks_exact(weight.len()));
    rows.with_min_len(64).for_each(|(out, x)| kernels.rms_norm(x, weight, epsilon, out));
}
