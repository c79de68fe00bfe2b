//! Linear maps with their adapters: `y = W x + b + scale·B A x`, forward and backward; W and b are frozen.
//!
//! The low-rank part is not a second product: `scale·A x` is computed first and packed behind x, and the summed
//! dimension of the one large product is longer by the rank.

use rayon::prelude::*;

use super::Layer;
use crate::adapter::Linear;
use crate::learn::TrainError;
use crate::learn::kernels::gemm::{Matrix, Product, Right, multiply};
use crate::learn::kernels::outer::add_outer;
use crate::learn::kernels::{Encoded, Rows, Shared};
use crate::learn::profile::Work;
use crate::learn::weights;

/// Where a map's input comes from.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    Rows(&'a [f32]),
    /// `silu(gate) ∘ up`, computed while it is packed.
    Swiglu {
        gate: &'a [f32],
        up: &'a [f32],
    },
}

/// One map of a group that shares its input.
pub(super) struct Member<'a> {
    pub(super) linear: Linear,
    /// Gets `scale·A x`, (rows, rank).
    pub(super) low: &'a mut Vec<f32>,
    /// (rows, `n_out`); empty: only `low` is wanted.
    pub(super) out: &'a mut [f32],
    /// Add to `out` (the residual stream) instead of replacing it.
    pub(super) accumulate: bool,
}

/// A map's gradient on its way back.
pub(super) struct Backward<'a> {
    pub(super) linear: Linear,
    pub(super) rows: usize,
    /// The map's input. `None`: it is made later, and [`Layer::gradient_of_a`] is called then.
    pub(super) x: Option<&'a [f32]>,
    /// `scale·A x` of the forward pass.
    pub(super) low: &'a [f32],
    pub(super) dy: &'a [f32],
    /// Gets or adds `dx`. `None`: nobody needs it.
    pub(super) dx: Option<&'a mut [f32]>,
    pub(super) accumulate: bool,
}

impl Layer<'_> {
    /// All members on the same input. At most three.
    pub(super) fn forward_maps(
        &mut self,
        rows: usize,
        input: Input<'_>,
        members: &mut [Member<'_>],
    ) -> Result<(), TrainError> {
        self.check_pace()?;
        self.read(members.iter().filter(|member| !member.out.is_empty()).map(|member| member.linear))?;
        let (kernels, rank, scale) = (self.context.kernels, self.rank(), self.parameters.scale());
        let n_in = self.matrix(members.first().map_or(Linear::Q, |member| member.linear)).n_cols;
        let mut parts = vec![n_in];
        parts.extend(members.iter().map(|_| rank));
        let left = &mut self.scratch.left;
        self.profile.time(Work::Pack, || {
            left.lay_out(kernels, rows, if self.context.adapted { &parts } else { &parts[..1] });
            match input {
                Input::Rows(x) => left.fill(kernels, 0, Rows::new(x, n_in)),
                Input::Swiglu { gate, up } => left.fill_with(kernels, 0, &|row, cols, out| {
                    let at = row * n_in + cols.start..row * n_in + cols.end;
                    kernels.swiglu(&gate[at.clone()], &up[at], out);
                }),
            }
        });
        if self.context.adapted {
            self.low_rank(rows, members, scale);
        }
        self.products(rows, members);
        Ok(())
    }

    /// `scale·A x` of every member, kept and packed behind x.
    fn low_rank(&mut self, rows: usize, members: &mut [Member<'_>], scale: f32) {
        let (kernels, pace, rank, index) = (self.context.kernels, self.context.pace, self.rank(), self.index);
        let (parameters, left) = (&*self.parameters, &mut self.scratch.left);
        self.profile.time(Work::Lora, || {
            let mut products = Vec::new();
            for member in members.iter_mut() {
                super::fit(member.low, rows * rank);
                let Some(place) = parameters.place(index, member.linear) else { continue };
                let a = Matrix::Dense(Rows::new(&parameters.values[place.a.clone()], place.n_in));
                products.push(Product {
                    terms: vec![(0, Right::RowsOf(a))],
                    n_cols: rank,
                    out: Shared::new(member.low, rank),
                    first_col: 0,
                    accumulate: false,
                });
            }
            multiply(kernels, pace, left, &products);
            for (at, member) in members.iter_mut().enumerate() {
                kernels.scale(member.low, scale);
                left.fill(kernels, 1 + at, Rows::new(member.low, rank));
            }
        });
    }

    fn products(&mut self, rows: usize, members: &mut [Member<'_>]) {
        let (context, index, rank) = (self.context, self.index, self.rank());
        let layer = &context.weights.layers[index];
        let (parameters, scratch) = (&*self.parameters, &*self.scratch);
        self.profile.time(Work::Gemm, || {
            let mut products = Vec::new();
            for (at, (member, bytes)) in members.iter_mut().zip(&scratch.bytes).enumerate() {
                if member.out.is_empty() {
                    continue;
                }
                let matrix = layer.linear(member.linear);
                let bias = bias(layer, member.linear);
                if let Some(bias) = bias {
                    add_bias(member.out, bias, member.accumulate);
                }
                let mut terms = vec![(0, Right::RowsOf(Matrix::Encoded(encoded(matrix, bytes))))];
                if context.adapted
                    && let Some(place) = parameters.place(index, member.linear)
                {
                    let b = Rows::new(&parameters.values[place.b.clone()], rank);
                    terms.push((1 + at, Right::RowsOf(Matrix::Dense(b))));
                }
                products.push(Product {
                    terms,
                    n_cols: matrix.n_rows,
                    out: Shared::new(&mut member.out[..rows * matrix.n_rows], matrix.n_rows),
                    first_col: 0,
                    accumulate: member.accumulate || bias.is_some(),
                });
            }
            multiply(context.kernels, context.pace, &scratch.left, &products);
        });
    }

    /// Adds the gradients of A and B, and computes `dx = Wᵀ dy + scale·Aᵀ Bᵀ dy`.
    pub(super) fn backward_map(&mut self, task: Backward<'_>) -> Result<(), TrainError> {
        self.check_pace()?;
        let (kernels, rank, index, scale) =
            (self.context.kernels, self.rank(), self.index, self.parameters.scale());
        if task.dx.is_some() {
            self.read([task.linear])?;
        }
        let pace = self.context.pace;
        let Some(place) = self.parameters.place(index, task.linear).cloned() else { return Ok(()) };
        let (n_in, n_out) = (place.n_in, place.n_out);
        let (left, low) = (&mut self.scratch.left, &mut self.scratch.low);
        self.profile.time(Work::Pack, || {
            left.lay_out(kernels, task.rows, &[n_out, rank]);
            left.fill(kernels, 0, Rows::new(task.dy, n_out));
        });
        let (values, gradients) = (&self.parameters.values, &mut self.parameters.gradients);
        self.profile.time(Work::Lora, || {
            super::fit(low, task.rows * rank);
            let b = Matrix::Dense(Rows::new(&values[place.b.clone()], rank));
            multiply(
                kernels,
                pace,
                left,
                &[Product {
                    terms: vec![(0, Right::ColumnsOf(b))],
                    n_cols: rank,
                    out: Shared::new(low, rank),
                    first_col: 0,
                    accumulate: false,
                }],
            );
            kernels.scale(low, scale);
            left.fill(kernels, 1, Rows::new(low, rank));
            let (dy, low) = (Rows::new(task.dy, n_out), Rows::new(task.low, rank));
            add_outer(kernels, (dy, n_out), (low, rank), task.rows, &mut gradients[place.b.clone()]);
        });
        if let Some(x) = task.x {
            self.gradient_of_a(task.linear, x);
        }
        let Some(dx) = task.dx else { return Ok(()) };
        self.check_pace()?;
        let matrix = self.matrix(task.linear);
        let (bytes, left) = (&self.scratch.bytes[0], &self.scratch.left);
        let a = Rows::new(&self.parameters.values[place.a.clone()], n_in);
        self.profile.time(Work::Gemm, || {
            multiply(
                kernels,
                pace,
                left,
                &[Product {
                    terms: vec![
                        (0, Right::ColumnsOf(Matrix::Encoded(encoded(matrix, bytes)))),
                        (1, Right::ColumnsOf(Matrix::Dense(a))),
                    ],
                    n_cols: n_in,
                    out: Shared::new(&mut dx[..task.rows * n_in], n_in),
                    first_col: 0,
                    accumulate: task.accumulate,
                }],
            );
        });
        Ok(())
    }

    /// Adds `dAᵀ += (scale·Bᵀ dy)ᵀ x`, for the map that [`Layer::backward_map`] was last called for.
    pub(super) fn gradient_of_a(&mut self, linear: Linear, x: &[f32]) {
        let (kernels, rank, index) = (self.context.kernels, self.rank(), self.index);
        let Some(place) = self.parameters.place(index, linear) else { return };
        let (n_in, rows, a) = (place.n_in, x.len() / place.n_in, place.a.clone());
        let low = Rows::new(&self.scratch.low, rank);
        let gradient = &mut self.parameters.gradients[a];
        self.profile.time(Work::Lora, || {
            add_outer(kernels, (low, rank), (Rows::new(x, n_in), n_in), rows, gradient);
        });
    }

    /// Reads the maps' weights into the scratch buffers, in their order.
    fn read(&mut self, linears: impl IntoIterator<Item = Linear>) -> Result<(), TrainError> {
        let (weights, index) = (self.context.weights, self.index);
        let buffers = &mut self.scratch.bytes;
        self.profile.time(Work::Read, || {
            let layer = &weights.layers[index];
            linears.into_iter().zip(buffers).try_for_each(|(linear, bytes)| {
                let matrix = layer.linear(linear);
                weights.read_rows(matrix, 0..matrix.n_rows, bytes)
            })
        })?;
        Ok(())
    }

    pub(super) fn rank(&self) -> usize {
        self.parameters.rank
    }
}

impl<'a> Layer<'a> {
    fn matrix(&self, linear: Linear) -> &'a weights::Matrix {
        self.weights().linear(linear)
    }
}

fn bias(layer: &weights::LayerWeights, linear: Linear) -> Option<&[f32]> {
    match linear {
        Linear::Q => layer.q_bias.as_deref(),
        Linear::K => layer.k_bias.as_deref(),
        Linear::V => layer.v_bias.as_deref(),
        Linear::O => layer.o_bias.as_deref(),
        Linear::Gate | Linear::Up | Linear::Down => None,
    }
}

/// Rows of a weight matrix as the kernels take them.
pub(in crate::learn) fn encoded<'a>(matrix: &weights::Matrix, bytes: &'a [u8]) -> Encoded<'a> {
    Encoded {
        decoder: matrix.decoder(),
        bytes,
        row_bytes: matrix.row_bytes(),
        block_len: matrix.block_len(),
        block_bytes: matrix.block_bytes(),
    }
}

fn add_bias(out: &mut [f32], bias: &[f32], accumulate: bool) {
    out.par_chunks_exact_mut(bias.len()).with_min_len((1 << 17) / bias.len().max(1)).for_each(|row| {
        if accumulate {
            row.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
        } else {
            row.copy_from_slice(bias);
        }
    });
}
