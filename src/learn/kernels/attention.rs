//! Causal attention over the tree of segments, forward and backward, in blocks that stay in a core's cache.
//!
//! Softmax is computed online, block of keys by block of keys (Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et
//! al. 2022, arXiv 2205.14135): no matrix of all scores exists. The backward pass computes the probabilities again
//! from the stored log-sum-exps. Gradients of keys and values are summed per query head first and over the heads of
//! a group afterwards, in order, so the number of threads does not matter.
#![expect(unsafe_code, reason = "threads write disjoint windows of the same matrices")]

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::small::{Pair, multiply, pack_columns, pack_rows};
use super::tile::Shared;
use super::{Kernels, Rows};
use crate::learn::Pace;
use crate::learn::layout::Segment;

/// Queries in a block: a multiple of every kernel's rows.
const QUERIES: usize = 96;
/// Keys in a block.
const KEYS: usize = 128;

/// How heads lie in the matrices.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "a count is named after what it counts")]
pub(crate) struct Heads {
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) width: usize,
}

/// One layer's queries, keys and values, after rotation.
#[derive(Clone, Copy)]
pub(crate) struct Attention<'a> {
    pub(crate) kernels: &'static dyn Kernels,
    pub(crate) pace: &'a Pace,
    pub(crate) heads: Heads,
    pub(crate) segments: &'a [Segment],
    /// The row that the first row of `queries` stands for; segments before it are keys only.
    pub(crate) from: usize,
    pub(crate) queries: &'a [f32], // (rows - from, heads · width)
    pub(crate) keys: &'a [f32],    // (rows, kv heads · width)
    pub(crate) values: &'a [f32],  // (rows, kv heads · width)
}

/// What the forward pass made and what comes back for it.
#[derive(Clone, Copy)]
pub(crate) struct Returned<'a> {
    pub(crate) attended: &'a [f32],     // (rows - from, heads · width)
    pub(crate) log_sum_exps: &'a [f32], // (rows - from, heads)
    pub(crate) d_attended: &'a [f32],   // (rows - from, heads · width)
}

/// Gradients, all overwritten.
pub(crate) struct Gradients<'a> {
    pub(crate) queries: &'a mut [f32], // (rows - from, heads · width)
    pub(crate) keys: &'a mut [f32],    // (rows, kv heads · width)
    pub(crate) values: &'a mut [f32],  // (rows, kv heads · width)
}

/// Buffers that calls share.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    blocks: Vec<KeyBlock>,
    /// Gradients of keys, then of values, per query head: (heads, 2, rows, width).
    partial: Vec<f32>,
}

/// A block of one segment's keys for one kv head, packed.
#[derive(Debug, Default)]
struct KeyBlock {
    segment: usize,
    kv_head: usize,
    /// Rows of the whole matrix.
    rows: Range<usize>,
    key_rows: Vec<u32>,
    value_columns: Vec<u32>,
    /// For the backward pass.
    key_columns: Vec<u32>,
    value_rows: Vec<u32>,
}

/// A block of one segment's queries for one head.
struct QueryBlock {
    segment: usize,
    head: usize,
    rows: Range<usize>,
}

#[derive(Debug, Default)]
struct Buffers {
    queries: Vec<f32>,
    scores: Vec<f32>,
    d_scores: Vec<f32>,
    out: Vec<f32>,
    left: Vec<u32>,
    other_left: Vec<u32>,
    weights: Vec<u32>,
    query_columns: Vec<u32>,
    d_out_columns: Vec<u32>,
}

impl Buffers {
    /// Room for `n` scores and their gradients; what is in it does not matter.
    fn fit(&mut self, n: usize) {
        if self.scores.len() < n {
            self.scores.resize(n, 0.0);
            self.d_scores.resize(n, 0.0);
        }
    }
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl Attention<'_> {
    /// Writes `attended` (rows − from, heads · width) and `log_sum_exps` (rows − from, heads).
    pub(crate) fn forward(&self, scratch: &mut Scratch, attended: &mut [f32], log_sum_exps: &mut [f32]) {
        self.pack_keys(&mut scratch.blocks, false);
        let blocks = &scratch.blocks;
        let out = Shared::new(attended, self.heads.n_heads * self.heads.width);
        let sums = Shared::new(log_sum_exps, self.heads.n_heads);
        // Late blocks see the most keys: they go first, so that no long task is left for the end.
        let tasks: Vec<QueryBlock> = self.query_blocks().into_iter().rev().collect();
        tasks.par_iter().with_max_len(1).for_each(|task| {
            BUFFERS
                .with(|buffers| self.forward_block(blocks, task, &mut buffers.borrow_mut(), (&out, &sums)));
        });
    }

    pub(crate) fn backward(&self, scratch: &mut Scratch, returned: Returned<'_>, gradients: Gradients<'_>) {
        self.pack_keys(&mut scratch.blocks, true);
        let Scratch { blocks, partial } = scratch;
        let Gradients { queries, keys, values } = gradients;
        let n_rows = self.keys.len() / (self.heads.n_kv_heads * self.heads.width);
        let size = n_rows * self.heads.width;
        partial.clear();
        partial.resize(self.heads.n_heads * 2 * size, 0.0);
        let d_queries = Shared::new(queries, self.heads.n_heads * self.heads.width);
        let tasks = self.query_blocks();
        partial.par_chunks_exact_mut(2 * size).with_max_len(1).enumerate().for_each(|(head, partial)| {
            let (d_keys, d_values) = partial.split_at_mut(size);
            BUFFERS.with(|buffers| {
                for task in tasks.iter().filter(|task| task.head == head) {
                    if self.pace.check().is_err() {
                        return;
                    }
                    let into = (&d_queries, &mut *d_keys, &mut *d_values);
                    self.backward_block((blocks, task), &mut buffers.borrow_mut(), returned, into);
                }
            });
        });
        self.reduce(partial, 0, keys);
        self.reduce(partial, size, values);
    }

    /// Sums what the heads of each group found, in the order of the heads.
    fn reduce(&self, partial: &[f32], offset: usize, out: &mut [f32]) {
        let Heads { n_heads, n_kv_heads, width } = self.heads;
        let group = n_heads / n_kv_heads;
        let size = partial.len() / n_heads;
        out.par_chunks_exact_mut(n_kv_heads * width).with_min_len(16).enumerate().for_each(|(row, out)| {
            for (kv_head, out) in out.chunks_exact_mut(width).enumerate() {
                out.fill(0.0);
                for head in kv_head * group..(kv_head + 1) * group {
                    let from = &partial[head * size + offset + row * width..][..width];
                    out.iter_mut().zip(from).for_each(|(out, from)| *out += from);
                }
            }
        });
    }

    fn query_blocks(&self) -> Vec<QueryBlock> {
        let mut blocks = Vec::new();
        for (segment, at) in
            self.segments.iter().enumerate().filter(|(_, segment)| segment.rows.start >= self.from)
        {
            for start in at.rows.clone().step_by(QUERIES) {
                let rows = start..(start + QUERIES).min(at.rows.end);
                blocks.extend((0..self.heads.n_heads).map(|head| QueryBlock {
                    segment,
                    head,
                    rows: rows.clone(),
                }));
            }
        }
        blocks
    }

    /// Packs every segment's keys and values, once for all queries that see them.
    fn pack_keys(&self, blocks: &mut Vec<KeyBlock>, for_backward: bool) {
        let mut n = 0;
        for (segment, at) in self.segments.iter().enumerate() {
            for start in at.rows.clone().step_by(KEYS) {
                for kv_head in 0..self.heads.n_kv_heads {
                    if blocks.len() == n {
                        blocks.push(KeyBlock::default());
                    }
                    let rows = start..(start + KEYS).min(at.rows.end);
                    blocks[n] = KeyBlock { segment, kv_head, rows, ..std::mem::take(&mut blocks[n]) };
                    n += 1;
                }
            }
        }
        blocks.truncate(n);
        blocks.par_iter_mut().for_each(|block| self.pack_block(block, for_backward));
    }

    fn pack_block(&self, block: &mut KeyBlock, for_backward: bool) {
        let (kernels, width, lanes) = (self.kernels, self.heads.width, self.kernels.shape().right);
        let (n, stride) = (block.rows.len(), self.heads.n_kv_heads * width);
        let keys = Rows::new(self.keys, stride).from(block.rows.start, block.kv_head * width);
        let values = Rows::new(self.values, stride).from(block.rows.start, block.kv_head * width);
        pack_rows(kernels, keys, (n, width), lanes, &mut block.key_rows);
        if for_backward {
            pack_columns(kernels, keys, (n, width), lanes, &mut block.key_columns);
            pack_rows(kernels, values, (n, width), lanes, &mut block.value_rows);
        } else {
            pack_columns(kernels, values, (n, width), lanes, &mut block.value_columns);
        }
    }

    /// The blocks that some query of `task` sees: its prefix, then its own segment up to its last row.
    fn seen<'b>(&self, blocks: &'b [KeyBlock], task: &QueryBlock) -> impl Iterator<Item = &'b KeyBlock> {
        let kv_head = task.head / (self.heads.n_heads / self.heads.n_kv_heads);
        let (own, parent, end) = (task.segment, self.segments[task.segment].parent, task.rows.end);
        blocks.iter().filter(move |block| {
            let is_seen = Some(block.segment) == parent || (block.segment == own && block.rows.start < end);
            block.kv_head == kv_head && is_seen
        })
    }

    /// Scaled queries of a block into `buffers.queries` and, packed, into `buffers.left`. Returns the words of k.
    fn load_queries(&self, task: &QueryBlock, buffers: &mut Buffers) -> usize {
        let (width, stride) = (self.heads.width, self.heads.n_heads * self.heads.width);
        let queries = Rows::new(self.queries, stride).from(task.rows.start - self.from, task.head * width);
        buffers.queries.clear();
        for row in 0..task.rows.len() {
            buffers.queries.extend_from_slice(queries.row(row, width));
        }
        self.kernels.scale(&mut buffers.queries, self.scale());
        let rows = Rows::new(&buffers.queries, width);
        pack_rows(self.kernels, rows, (task.rows.len(), width), self.kernels.shape().left, &mut buffers.left)
    }

    fn scale(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "heads are a few hundred wide")]
        let width = self.heads.width as f32;
        1.0 / width.sqrt()
    }

    fn forward_block(
        &self,
        blocks: &[KeyBlock],
        task: &QueryBlock,
        buffers: &mut Buffers,
        into: (&Shared<'_>, &Shared<'_>),
    ) {
        let (kernels, width, m) = (self.kernels, self.heads.width, task.rows.len());
        let words = self.load_queries(task, buffers);
        let (mut maxima, mut sums) = ([f32::NEG_INFINITY; QUERIES], [0.0_f32; QUERIES]);
        buffers.out.clear();
        buffers.out.resize(m * width, 0.0);
        for block in self.seen(blocks, task) {
            let n = columns(block, task);
            buffers.fit(m * n);
            let pair = Pair { left: &buffers.left, right: &block.key_rows, words };
            multiply(kernels, pair, (m, n), (&mut buffers.scores[..m * n], n), false);
            for (i, scores) in buffers.scores[..m * n].chunks_exact_mut(n).enumerate() {
                let visible = visible(block, task, i);
                scores[visible..].fill(0.0);
                if visible == 0 {
                    continue;
                }
                let maximum = maxima[i].max(kernels.largest(&scores[..visible]));
                let correction = (maxima[i] - maximum).exp();
                sums[i] = sums[i] * correction + kernels.exp_shifted(&mut scores[..visible], maximum);
                maxima[i] = maximum;
                if correction < 1.0 {
                    kernels.scale(&mut buffers.out[i * width..(i + 1) * width], correction);
                }
            }
            let scores = Rows::new(&buffers.scores, n);
            let words = pack_rows(kernels, scores, (m, n), kernels.shape().left, &mut buffers.weights);
            let pair = Pair { left: &buffers.weights, right: &block.value_columns, words };
            multiply(kernels, pair, (m, width), (&mut buffers.out, width), true);
        }
        for (i, out) in buffers.out.chunks_exact_mut(width).enumerate() {
            kernels.scale(out, 1.0 / sums[i]);
            let row = task.rows.start - self.from + i;
            // SAFETY: each head of each row belongs to one task.
            unsafe {
                into.0.row(row, task.head * width, width).copy_from_slice(out);
                into.1.row(row, task.head, 1)[0] = maxima[i] + sums[i].ln();
            }
        }
    }

    fn backward_block(
        &self,
        (blocks, task): (&[KeyBlock], &QueryBlock),
        buffers: &mut Buffers,
        returned: Returned<'_>,
        (d_queries, d_keys, d_values): (&Shared<'_>, &mut [f32], &mut [f32]),
    ) {
        let (kernels, width, m, shape) =
            (self.kernels, self.heads.width, task.rows.len(), self.kernels.shape());
        let words = self.load_queries(task, buffers);
        let first = task.rows.start - self.from;
        let stride = self.heads.n_heads * width;
        let d_out = Rows::new(returned.d_attended, stride).from(first, task.head * width);
        let out = Rows::new(returned.attended, stride).from(first, task.head * width);
        let deltas: [f32; QUERIES] = std::array::from_fn(|i| {
            if i < m { kernels.dot(d_out.row(i, width), out.row(i, width)) } else { 0.0 }
        });
        pack_rows(kernels, d_out, (m, width), shape.left, &mut buffers.other_left);
        let queries = Rows::new(&buffers.queries, width);
        let steps = pack_columns(kernels, queries, (m, width), shape.right, &mut buffers.query_columns);
        pack_columns(kernels, d_out, (m, width), shape.right, &mut buffers.d_out_columns);
        buffers.out.clear();
        buffers.out.resize(m * width, 0.0);
        for block in self.seen(blocks, task) {
            let n = columns(block, task);
            buffers.fit(m * n);
            let pair = Pair { left: &buffers.left, right: &block.key_rows, words };
            multiply(kernels, pair, (m, n), (&mut buffers.scores[..m * n], n), false);
            let pair = Pair { left: &buffers.other_left, right: &block.value_rows, words };
            multiply(kernels, pair, (m, n), (&mut buffers.d_scores[..m * n], n), false);
            let (scores, d_scores) = (&mut buffers.scores[..m * n], &mut buffers.d_scores[..m * n]);
            let rows = scores.chunks_exact_mut(n).zip(d_scores.chunks_exact_mut(n));
            for (i, (scores, d_scores)) in rows.enumerate() {
                let visible = visible(block, task, i);
                scores[visible..].fill(0.0);
                d_scores[visible..].fill(0.0);
                let sum = returned.log_sum_exps[(first + i) * self.heads.n_heads + task.head];
                kernels.softmax_backward(&mut scores[..visible], &mut d_scores[..visible], sum, deltas[i]);
            }
            let at = block.rows.start * width..(block.rows.start + n) * width;
            let (weights, d_scores) = (Rows::new(&buffers.scores, n), Rows::new(&buffers.d_scores, n));
            pack_columns(kernels, weights, (m, n), shape.left, &mut buffers.weights);
            let pair = Pair { left: &buffers.weights, right: &buffers.d_out_columns, words: steps };
            multiply(kernels, pair, (n, width), (&mut d_values[at.clone()], width), true);
            pack_columns(kernels, d_scores, (m, n), shape.left, &mut buffers.weights);
            let pair = Pair { left: &buffers.weights, right: &buffers.query_columns, words: steps };
            multiply(kernels, pair, (n, width), (&mut d_keys[at], width), true);
            let words = pack_rows(kernels, d_scores, (m, n), shape.left, &mut buffers.weights);
            let pair = Pair { left: &buffers.weights, right: &block.key_columns, words };
            multiply(kernels, pair, (m, width), (&mut buffers.out, width), true);
        }
        kernels.scale(&mut buffers.out, self.scale());
        for (i, d_query) in buffers.out.chunks_exact(width).enumerate() {
            // SAFETY: each head of each row belongs to one task.
            unsafe { d_queries.row(first + i, task.head * width, width) }.copy_from_slice(d_query);
        }
    }
}

/// How many of a block's keys the last query of a block sees: more scores need not exist.
fn columns(block: &KeyBlock, task: &QueryBlock) -> usize {
    visible(block, task, task.rows.len() - 1)
}

/// How many of a block's keys the `i`th query sees: all of a prefix, its own segment up to itself.
fn visible(block: &KeyBlock, task: &QueryBlock, i: usize) -> usize {
    if block.segment == task.segment {
        (task.rows.start + i + 1).saturating_sub(block.rows.start).min(block.rows.len())
    } else {
        block.rows.len()
    }
}
