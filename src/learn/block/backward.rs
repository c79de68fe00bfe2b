//! A decoder block backward: gradients of its seven adapters, and of its input.

use rayon::prelude::*;

use super::linear::Backward;
use super::stored::swiglu_backward;
use super::{Activations, Layer, fit};
use crate::adapter::Linear;
use crate::learn::TrainError;
use crate::learn::kernels::Kernels;
use crate::learn::kernels::attention::{Attention, Gradients, Returned};
use crate::learn::profile::Work;

impl Layer<'_> {
    /// `dx`: gradient of the output (rows − from, width) in, of the input (rows, width) out. With `is_first` nobody
    /// wants the latter, and it is not computed.
    pub(in crate::learn) fn backward(
        &mut self,
        dx: &mut Vec<f32>,
        kept: &Activations,
        is_first: bool,
    ) -> Result<(), TrainError> {
        self.feed_forward_backward(dx, kept)?;
        self.attention_backward(dx, kept)?;
        self.queries_keys_values_backward(dx, kept, is_first)
    }

    /// Through `x += Down · (silu(Gate·m) ∘ Up·m)`, `m` the normed middle.
    fn feed_forward_backward(&mut self, dx: &mut [f32], kept: &Activations) -> Result<(), TrainError> {
        let geometry = &self.context.weights.geometry;
        let (width, ffn, epsilon) = (geometry.width, geometry.ffn_width, geometry.rms_epsilon);
        let rows = self.context.layout.n_rows() - self.from;
        let kernels = self.context.kernels;
        let mut d_product = std::mem::take(&mut self.scratch.d_product);
        let mut d_gate = std::mem::take(&mut self.scratch.d_gate);
        let mut product = std::mem::take(&mut self.scratch.product);
        let mut d_normed = std::mem::take(&mut self.scratch.d_normed);
        fit(&mut d_product, rows * ffn);
        fit(&mut d_gate, rows * ffn);
        fit(&mut product, rows * ffn);
        fit(&mut d_normed, rows * width);
        let low = &kept.low[Linear::Down as usize];
        self.backward_map(Backward {
            linear: Linear::Down,
            rows,
            x: None,
            low,
            dy: dx,
            dx: Some(&mut d_product),
            accumulate: false,
        })?;
        self.profile.time(Work::Swiglu, || {
            let stored = (&kept.gate, &kept.up);
            swiglu_backward(kernels, stored, &mut d_product, &mut d_gate, &mut product);
        });
        self.gradient_of_a(Linear::Down, &product);
        self.norm_middle(&kept.middle);
        let normed = std::mem::take(&mut self.scratch.normed);
        for (linear, dy, accumulate) in [(Linear::Gate, &d_gate, false), (Linear::Up, &d_product, true)] {
            let low = &kept.low[linear as usize];
            let d_normed = Some(&mut d_normed[..]);
            self.backward_map(Backward {
                linear,
                rows,
                x: Some(&normed),
                low,
                dy,
                dx: d_normed,
                accumulate,
            })?;
        }
        let weight = &self.weights().ffn_norm;
        self.profile
            .time(Work::Norm, || norm_backward(kernels, (&kept.middle, weight, epsilon), &d_normed, dx));
        let scratch = &mut *self.scratch;
        (scratch.normed, scratch.d_normed, scratch.product) = (normed, d_normed, product);
        (scratch.d_gate, scratch.d_product) = (d_gate, d_product);
        Ok(())
    }

    /// Through `x += O · attended` and the attention: gradients of rotated queries, keys, and of values.
    fn attention_backward(&mut self, dx: &[f32], kept: &Activations) -> Result<(), TrainError> {
        let context = self.context;
        let heads = self.heads();
        let (rows, from) = (context.layout.n_rows(), self.from);
        let (q, kv) = (heads.n_heads * heads.width, heads.n_kv_heads * heads.width);
        let mut d_attended = std::mem::take(&mut self.scratch.d_attended);
        fit(&mut d_attended, (rows - from) * q);
        self.backward_map(Backward {
            linear: Linear::O,
            rows: rows - from,
            x: Some(&kept.attended),
            low: &kept.low[Linear::O as usize],
            dy: dx,
            dx: Some(&mut d_attended),
            accumulate: false,
        })?;
        self.check_pace()?;
        self.rotate(kept);
        let scratch = &mut *self.scratch;
        fit(&mut scratch.d_queries, (rows - from) * q);
        fit(&mut scratch.d_keys, rows * kv);
        fit(&mut scratch.d_values, rows * kv);
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
        let returned =
            Returned { attended: &kept.attended, log_sum_exps: &kept.log_sum_exps, d_attended: &d_attended };
        let gradients = Gradients {
            queries: &mut scratch.d_queries,
            keys: &mut scratch.d_keys,
            values: &mut scratch.d_values,
        };
        let buffers = &mut scratch.attention;
        self.profile.time(Work::Attention, || attention.backward(buffers, returned, gradients));
        scratch.d_attended = d_attended;
        self.rotate_back(kept);
        Ok(())
    }

    /// Gradients of rotated queries and keys into those of what the maps gave.
    fn rotate_back(&mut self, kept: &Activations) {
        let (context, layer, heads) = (self.context, self.weights(), self.heads());
        let positions = &context.layout.positions;
        let epsilon = context.weights.geometry.rms_epsilon;
        let (from, scratch) = (self.from, &mut *self.scratch);
        self.profile.time(Work::Norm, || {
            let parts = [
                (
                    &kept.q,
                    &mut scratch.d_queries,
                    &mut scratch.queries,
                    layer.q_norm.as_deref(),
                    &positions[from..],
                ),
                (&kept.k, &mut scratch.d_keys, &mut scratch.keys, layer.k_norm.as_deref(), &positions[..]),
            ];
            for (raw, gradient, spare, norm, positions) in parts {
                context.rotations.apply(context.kernels, gradient, heads.width, positions, true);
                if let Some(weight) = norm {
                    spare.fill(0.0);
                    norm_backward(context.kernels, (raw, weight, epsilon), gradient, spare);
                    std::mem::swap(gradient, spare);
                }
            }
        });
    }

    /// Through Q, K, V and the first norm.
    fn queries_keys_values_backward(
        &mut self,
        dx: &mut Vec<f32>,
        kept: &Activations,
        is_first: bool,
    ) -> Result<(), TrainError> {
        let geometry = &self.context.weights.geometry;
        let (width, epsilon) = (geometry.width, geometry.rms_epsilon);
        let (rows, from, kernels) = (self.context.layout.n_rows(), self.from, self.context.kernels);
        self.norm_input(&kept.x);
        let scratch = &mut *self.scratch;
        let (normed, mut d_normed) =
            (std::mem::take(&mut scratch.normed), std::mem::take(&mut scratch.d_normed));
        let d_queries = std::mem::take(&mut scratch.d_queries);
        let (d_keys, d_values) = (std::mem::take(&mut scratch.d_keys), std::mem::take(&mut scratch.d_values));
        fit(&mut d_normed, rows * width);
        let maps = [
            (Linear::K, 0, &d_keys, false),
            (Linear::V, 0, &d_values, true),
            (Linear::Q, from, &d_queries, true),
        ];
        for (linear, first, dy, accumulate) in maps {
            self.backward_map(Backward {
                linear,
                rows: rows - first,
                x: Some(&normed[first * width..rows * width]),
                low: &kept.low[linear as usize],
                dy,
                dx: (!is_first).then_some(&mut d_normed[first * width..]),
                accumulate,
            })?;
        }
        if !is_first {
            let weight = &self.weights().attn_norm;
            self.profile.time(Work::Norm, || {
                dx.splice(..0, std::iter::repeat_n(0.0, from * width));
                norm_backward(kernels, (&kept.x, weight, epsilon), &d_normed, dx);
            });
        }
        let scratch = &mut *self.scratch;
        (scratch.normed, scratch.d_normed, scratch.d_queries) = (normed, d_normed, d_queries);
        (scratch.d_keys, scratch.d_values) = (d_keys, d_values);
        Ok(())
    }
}

/// `dx += ∂rms_norm(x)`, for every stretch of `weight.len()` values; `of` is (x, weight, epsilon).
pub(in crate::learn) fn norm_backward(
    kernels: &dyn Kernels,
    of: (&[f32], &[f32], f32),
    dy: &[f32],
    dx: &mut [f32],
) {
    let (x, weight, epsilon) = of;
    let n = weight.len();
    let rows = dx.par_chunks_exact_mut(n).zip(x.par_chunks_exact(n)).zip(dy.par_chunks_exact(n));
    rows.with_min_len(64).for_each(|((dx, x), dy)| kernels.rms_norm_backward(x, weight, epsilon, dy, dx));
}
