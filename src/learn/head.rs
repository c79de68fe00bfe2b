//! The end of the network: final norm, logits of the answer rows, their losses, and the gradient back.
//!
//! Logits exist for a chunk of answer rows at a time (a vocabulary of 152k makes 0.6 MB per row), and the output
//! matrix passes by in blocks of its rows, read and decoded once per chunk and direction. The gradient of the logits
//! is never stored: it is computed while it is packed.
#![expect(clippy::indexing_slicing, reason = "rows of buffers: sizes are set in the same function")]

use rayon::prelude::*;

use super::block::{Context, encoded, norm_backward, norm_rows};
use super::kernels::gemm::{Left, Matrix, Product, Right, multiply};
use super::kernels::{Kernels, Rows, Shared};
use super::loss::reference::Reference;
use super::loss::{RowGradient, row_gradient};
use super::profile::{Profile, Work};
use super::{Row, TrainError};
use crate::engine::Token;

/// Bytes of the output matrix that are read at a time.
const BLOCK_BYTES: usize = 8 << 20;

/// Buffers that chunks share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    left: Left,
    bytes: Vec<u8>,
    normed: Vec<f32>,
    logits: Vec<f32>,
    reference_logits: Vec<f32>,
    d_normed: Vec<f32>,
}

/// What the losses of some rows came to.
#[derive(Debug, Clone, Default)]
pub(super) struct HeadReport {
    pub(super) loss: f64,
    /// Sum over the KL terms, unweighted, and the number of rows that have one.
    pub(super) kl: f64,
    pub(super) n_kl: usize,
    /// Of each row's token.
    pub(super) logprobs: Vec<f32>,
    /// The most probable tokens of each row, where they were asked for.
    pub(super) tops: Vec<Vec<(Token, f32)>>,
}

/// The answer rows' last hidden states, before the final norm.
#[derive(Clone, Copy)]
pub(super) struct Hidden<'a> {
    pub(super) policy: &'a [f32], // (rows, width)
    /// The same under the base, for the rows that have a place in it.
    pub(super) reference: &'a [f32], // (some rows, width)
    pub(super) reference_rows: &'a [Option<usize>],
}

/// One row of a chunk, ready for its gradient.
#[derive(Debug, Default)]
struct RowState {
    log_sum_exp: f32,
    gradient: RowGradient,
    /// Which row of the chunk's reference logits, its log-sum-exp, and the KL to it.
    reference: Option<(usize, f32, f64)>,
    top: Vec<(Token, f32)>,
}

/// The head at work.
pub(super) struct Head<'a> {
    pub(super) context: Context<'a>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) profile: &'a mut Profile,
    /// Rows whose logits exist at the same time.
    pub(super) chunk: usize,
    /// How many of each row's most probable tokens are wanted.
    pub(super) top: usize,
}

impl Head<'_> {
    /// Losses of all rows; with `d_hidden` also the gradient of the hidden states, (rows, width).
    pub(super) fn run(
        &mut self,
        hidden: Hidden<'_>,
        targets: &[&Row],
        mut d_hidden: Option<&mut Vec<f32>>,
    ) -> Result<HeadReport, TrainError> {
        let width = self.context.weights.geometry.width;
        let mut report = HeadReport::default();
        if let Some(d_hidden) = &mut d_hidden {
            d_hidden.clear();
            d_hidden.resize(targets.len() * width, 0.0);
        }
        for start in (0..targets.len()).step_by(self.chunk) {
            let end = (start + self.chunk).min(targets.len());
            let policy = &hidden.policy[start * width..end * width];
            let rows = self.rows(policy, hidden, start..end, &targets[start..end])?;
            self.add_to(&mut report, &rows, &targets[start..end]);
            if self.top > 0 {
                report.tops.extend(rows.iter().map(|row| row.top.clone()));
            }
            if let Some(d_hidden) = &mut d_hidden {
                self.backward(policy, &rows, &mut d_hidden[start * width..end * width])?;
            }
        }
        Ok(report)
    }

    /// Logits of a chunk into the scratch buffer, and what each row's terms ask of them.
    fn rows(
        &mut self,
        policy: &[f32],
        hidden: Hidden<'_>,
        range: std::ops::Range<usize>,
        targets: &[&Row],
    ) -> Result<Vec<RowState>, TrainError> {
        let (width, vocab) = (self.context.weights.geometry.width, self.context.weights.geometry.n_vocab);
        let mut logits = std::mem::take(&mut self.scratch.logits);
        let mut reference_logits = std::mem::take(&mut self.scratch.reference_logits);
        self.logits(policy, &mut logits)?;
        let wanted: Vec<Option<usize>> = hidden.reference_rows.get(range).unwrap_or_default().to_vec();
        let base: Vec<f32> = wanted
            .iter()
            .flatten()
            .flat_map(|row| hidden.reference[row * width..(row + 1) * width].iter().copied())
            .collect();
        if !base.is_empty() {
            self.logits(&base, &mut reference_logits)?;
        }
        let mut places = 0..;
        let places: Vec<Option<usize>> = wanted.iter().map(|row| row.and_then(|_| places.next())).collect();
        let (kernels, top) = (self.context.kernels, self.top);
        let rows = self.profile.time(Work::Loss, || {
            targets
                .par_iter()
                .enumerate()
                .map(|(at, row)| {
                    let place = places.get(at).copied().flatten();
                    let reference = place.map(|place| (place, &reference_logits[place * vocab..][..vocab]));
                    let logits = &logits[at * vocab..][..vocab];
                    let state = row_state(kernels, row, logits, reference);
                    RowState { top: most_probable(logits, state.log_sum_exp, top), ..state }
                })
                .collect()
        });
        (self.scratch.logits, self.scratch.reference_logits) = (logits, reference_logits);
        Ok(rows)
    }

    /// `logits = W · rms(hidden)`, for every row of `hidden`.
    fn logits(&mut self, hidden: &[f32], logits: &mut Vec<f32>) -> Result<(), TrainError> {
        let (context, vocab) = (self.context, self.context.weights.geometry.n_vocab);
        let rows = hidden.len() / context.weights.geometry.width;
        self.norm(hidden);
        if logits.len() < rows * vocab {
            logits.resize(rows * vocab, 0.0);
        }
        let head = &context.weights.head;
        let step = self.block_rows();
        let scratch = &mut *self.scratch;
        scratch.left.lay_out(context.kernels, rows, &[head.n_cols]);
        scratch.left.fill(context.kernels, 0, Rows::new(&scratch.normed, head.n_cols));
        for first in (0..vocab).step_by(step) {
            context.pace.check()?;
            let n = step.min(vocab - first);
            self.profile
                .time(Work::Read, || context.weights.read_rows(head, first..first + n, &mut scratch.bytes))?;
            self.profile.time(Work::Head, || {
                multiply(
                    context.kernels,
                    context.pace,
                    &scratch.left,
                    &[Product {
                        terms: vec![(0, Right::RowsOf(Matrix::Encoded(encoded(head, &scratch.bytes))))],
                        n_cols: n,
                        out: Shared::new(&mut logits[..rows * vocab], vocab),
                        first_col: first,
                        accumulate: false,
                    }],
                );
            });
        }
        Ok(())
    }

    fn norm(&mut self, hidden: &[f32]) {
        let (context, normed) = (self.context, &mut self.scratch.normed);
        normed.resize(hidden.len(), 0.0);
        let epsilon = context.weights.geometry.rms_epsilon;
        self.profile.time(Work::Norm, || {
            norm_rows(context.kernels, hidden, &context.weights.output_norm, epsilon, normed);
        });
    }

    /// Rows of the output matrix that are read at a time.
    fn block_rows(&self) -> usize {
        let rows = BLOCK_BYTES / self.context.weights.head.row_bytes().max(1);
        rows.next_multiple_of(self.context.kernels.shape().right).max(1)
    }

    /// `d_hidden = ∂rms · Wᵀ · d_logits`, with `d_logits` computed while it is packed.
    fn backward(
        &mut self,
        hidden: &[f32],
        rows: &[RowState],
        d_hidden: &mut [f32],
    ) -> Result<(), TrainError> {
        let (context, vocab) = (self.context, self.context.weights.geometry.n_vocab);
        let (head, width, step) = (&context.weights.head, context.weights.geometry.width, self.block_rows());
        let scratch = &mut *self.scratch;
        scratch.d_normed.resize(rows.len() * width, 0.0);
        for first in (0..vocab).step_by(step) {
            context.pace.check()?;
            let n = step.min(vocab - first);
            self.profile
                .time(Work::Read, || context.weights.read_rows(head, first..first + n, &mut scratch.bytes))?;
            let (logits, reference) = (&scratch.logits, &scratch.reference_logits);
            let left = &mut scratch.left;
            self.profile.time(Work::Head, || {
                left.lay_out(context.kernels, rows.len(), &[n]);
                left.fill_with(context.kernels, 0, &|row, cols, out| {
                    let cols = first + cols.start..first + cols.end;
                    let logits = &logits[row * vocab + cols.start..row * vocab + cols.end];
                    rows[row].write_gradient(context.kernels, (logits, reference), (vocab, cols), out);
                });
                multiply(
                    context.kernels,
                    context.pace,
                    left,
                    &[Product {
                        terms: vec![(0, Right::ColumnsOf(Matrix::Encoded(encoded(head, &scratch.bytes))))],
                        n_cols: width,
                        out: Shared::new(&mut scratch.d_normed, width),
                        first_col: 0,
                        accumulate: first > 0,
                    }],
                );
            });
        }
        let of = (hidden, &context.weights.output_norm[..], context.weights.geometry.rms_epsilon);
        norm_backward(context.kernels, of, &scratch.d_normed, d_hidden);
        Ok(())
    }

    fn add_to(&self, report: &mut HeadReport, rows: &[RowState], targets: &[&Row]) {
        let vocab = self.context.weights.geometry.n_vocab;
        for (at, (row, target)) in rows.iter().zip(targets).enumerate() {
            let logits = &self.scratch.logits[at * vocab..][..vocab];
            let logit = usize::try_from(target.token).ok().and_then(|token| logits.get(token));
            report.logprobs.push(logit.map_or(f32::NAN, |logit| logit - row.log_sum_exp));
            let to_base = row.reference.map(|(_, _, kl)| kl);
            report.loss +=
                row.gradient.loss + f64::from(row.gradient.reference_weight) * to_base.unwrap_or(0.0);
            if row.gradient.kl.is_some() || to_base.is_some() {
                report.kl += row.gradient.kl.unwrap_or(0.0) + to_base.unwrap_or(0.0);
                report.n_kl += 1;
            }
        }
    }
}

impl RowState {
    /// The gradient of columns `place.1` of this row's logits.
    fn write_gradient(
        &self,
        kernels: &dyn Kernels,
        (logits, reference): (&[f32], &[f32]),
        (vocab, cols): (usize, std::ops::Range<usize>),
        out: &mut [f32],
    ) {
        let gradient = &self.gradient;
        match self.reference {
            Some((place, log_sum_exp, kl)) if gradient.reference_weight != 0.0 => {
                out.copy_from_slice(logits);
                let logits = &reference[place * vocab + cols.start..place * vocab + cols.end];
                let reference = Reference { logits, log_sum_exp, weight: gradient.reference_weight, kl };
                kernels.reference_gradient(out, self.log_sum_exp, gradient.dense, reference);
            }
            _ => kernels.scaled_exp(logits, self.log_sum_exp, gradient.dense, out),
        }
        gradient.add_sparse(cols.start, out);
    }
}

fn row_state(
    kernels: &dyn Kernels,
    row: &Row,
    logits: &[f32],
    reference: Option<(usize, &[f32])>,
) -> RowState {
    let mut state = RowState { log_sum_exp: log_sum_exp(kernels, logits), ..RowState::default() };
    row_gradient(row, logits, state.log_sum_exp, &mut state.gradient);
    if let Some((place, reference)) = reference {
        let base = log_sum_exp(kernels, reference);
        state.reference =
            Some((place, base, kernels.reference_kl(logits, state.log_sum_exp, reference, base)));
    }
    state
}

/// The `n` tokens with the largest logits, and their log-probabilities.
fn most_probable(logits: &[f32], log_sum_exp: f32, n: usize) -> Vec<(Token, f32)> {
    if n == 0 {
        return Vec::new();
    }
    // Larger first; of equals the smaller id.
    let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut found: Vec<(usize, f32)> = logits.iter().copied().enumerate().collect();
    if n < found.len() {
        found.select_nth_unstable_by(n, order);
        found.truncate(n);
    }
    found.sort_unstable_by(order);
    let token = |id: usize| Token::try_from(id).unwrap_or(Token::MAX);
    found.into_iter().map(|(id, logit)| (token(id), logit - log_sum_exp)).collect()
}

/// `log Σ e^z`, with f32 sums over short stretches and an f64 sum over them.
fn log_sum_exp(kernels: &dyn Kernels, logits: &[f32]) -> f32 {
    let largest = kernels.largest(logits);
    let sum: f64 = logits.chunks(2048).map(|part| f64::from(kernels.sum_exp_shifted(part, largest))).sum();
    #[expect(clippy::cast_possible_truncation, reason = "log-probabilities are f32")]
    let rest = sum.ln() as f32;
    largest + rest
}
