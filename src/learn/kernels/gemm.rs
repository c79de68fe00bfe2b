//! Parallel matrix products over packed panels, with weights decoded on the way into the pack.
//!
//! A product is divided by columns into tasks. Each task packs its part of the right operand into a buffer that
//! stays in its core's cache and multiplies all rows of the left operand with it, so every weight is decoded once.
//! LoRA rides along by extending the summed dimension: `Y = [X | s·X·Aᵀ] · [W | B]ᵀ` and
//! `dX = [dY | s·dY·B] · [W ; A]`. Goto and van de Geijn 2008 is where the blocking comes from.
#![expect(unsafe_code, reason = "threads write disjoint columns of the same rows")]

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::tile::Shared;
use super::{Encoded, Kernels, Panels, Rows, Run};
use crate::learn::Pace;

/// Steps of the summed dimension that are packed at once: with 8 panels of columns this fills half of a 1 MB cache.
const DEPTH: usize = 1024;
/// Panels of columns in a task.
const PANELS: usize = 8;
/// Values that one thread packs sooner than two.
const SMALL: usize = 1 << 14;
/// Columns that are made at once when a left operand is computed while it is packed.
const STRIP: usize = 512;

/// Makes values of a left operand: `make(row, columns, out)` writes those columns of a row.
type Make<'a> = dyn Fn(usize, Range<usize>, &mut [f32]) + Sync + 'a;

/// The left operand, packed: rows in panels, one or more parts beside each other along the summed dimension.
#[derive(Debug, Default)]
pub(crate) struct Left {
    rows: usize,
    /// Where each part begins, in words, and how long it is, in values.
    parts: Vec<(usize, usize)>,
    words: usize,
    panels: Vec<u32>,
}

/// The right operand of one part.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Right<'a> {
    /// Rows are output columns: the product with its transpose.
    RowsOf(Matrix<'a>),
    /// Rows are summed over.
    ColumnsOf(Matrix<'a>),
}

/// A matrix as numbers or as the file has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Matrix<'a> {
    Dense(Rows<'a>),
    Encoded(Encoded<'a>),
}

/// One output, as the sum over parts of the left operand times a right operand each. The first part may be long,
/// the others are ranks.
#[derive(Debug)]
pub(crate) struct Product<'a> {
    pub(crate) terms: Vec<(usize, Right<'a>)>,
    pub(crate) n_cols: usize,
    pub(crate) out: Shared<'a>,
    /// Column of `out` where the product begins.
    pub(crate) first_col: usize,
    pub(crate) accumulate: bool,
}

impl Left {
    /// Makes room for `rows` rows of parts of the given lengths.
    pub(crate) fn lay_out(&mut self, kernels: &dyn Kernels, rows: usize, parts: &[usize]) {
        let shape = kernels.shape();
        self.rows = rows;
        self.words = 0;
        self.parts.clear();
        for k in parts {
            self.parts.push((self.words, *k));
            self.words += k.div_ceil(shape.per_word);
        }
        let needed = rows.div_ceil(shape.left) * shape.left * self.words;
        if self.panels.len() < needed {
            self.panels.resize(needed, 0);
        }
    }

    /// Packs a part from a row-major matrix.
    pub(crate) fn fill(&mut self, kernels: &dyn Kernels, part: usize, from: Rows<'_>) {
        let (rows, k) = (self.rows, self.parts[part].1);
        self.each_panel(kernels, part, |first, panel, width| {
            kernels.pack_rows(from.from(first, 0), (width.min(rows - first), k), width, panel);
        });
    }

    /// Packs a part that is made on the fly.
    pub(crate) fn fill_with(&mut self, kernels: &dyn Kernels, part: usize, make: &Make<'_>) {
        let (rows, k, per_word) = (self.rows, self.parts[part].1, kernels.shape().per_word);
        self.each_panel(kernels, part, |first, panel, width| {
            let mut strip = vec![0.0; width * STRIP];
            for col in (0..k).step_by(STRIP) {
                let n = STRIP.min(k - col);
                let present = width.min(rows - first);
                for (at, out) in strip.chunks_exact_mut(STRIP).enumerate().take(present) {
                    make(first + at, col..col + n, &mut out[..n]);
                }
                let panel = &mut panel[col / per_word * width..];
                kernels.pack_rows(Rows::new(&strip, STRIP), (present, n), width, panel);
            }
        });
    }

    /// In parallel: the first row of each panel, its stretch of `part`, and its width.
    fn each_panel(
        &mut self,
        kernels: &dyn Kernels,
        part: usize,
        pack: impl Fn(usize, &mut [u32], usize) + Sync,
    ) {
        let shape = kernels.shape();
        let (width, size) = (shape.left, shape.left * self.words);
        let (start, words) = (self.parts[part].0 * width, self.parts[part].1.div_ceil(shape.per_word));
        let panels = &mut self.panels[..self.rows.div_ceil(width) * size];
        // A rank's worth of columns is not worth waking another thread for.
        let alone = (SMALL / (width * self.parts[part].1).max(1)).max(1);
        panels.par_chunks_exact_mut(size).with_min_len(alone).enumerate().for_each(|(at, panel)| {
            pack(at * width, &mut panel[start..start + words * width], width);
        });
    }
}

/// Computes all products; they share the left operand. Every task looks at the pace first: it waits while training
/// is paused, and when training was cancelled it leaves its output as it is, which nobody will read.
pub(crate) fn multiply(kernels: &dyn Kernels, pace: &Pace, left: &Left, products: &[Product<'_>]) {
    let tasks = tasks(kernels, left, products);
    tasks.par_iter().with_max_len(1).for_each(|task| {
        if pace.check().is_ok() {
            PANEL_BUFFER.with(|buffers| task.compute(kernels, left, &mut buffers.borrow_mut()));
        }
    });
}

thread_local! {
    static PANEL_BUFFER: RefCell<Buffers> = RefCell::default();
}

#[derive(Debug, Default)]
struct Buffers {
    /// The packed right operand: `[panel][words][lanes]`.
    right: Vec<u32>,
    /// Decoded weights on their way into it.
    decoded: Vec<f32>,
}

/// A range of columns of one product, for a range of left panels.
struct Task<'a> {
    product: &'a Product<'a>,
    cols: Range<usize>,
    panels: Range<usize>,
}

/// A stretch of the summed dimension of one term: what is packed and multiplied at once.
struct Stretch<'a> {
    right: Right<'a>,
    k: Range<usize>,
    /// Where it begins in a left panel and in the packed right panel, in words.
    left_word: usize,
    right_word: usize,
    words: usize,
}

/// Columns are dealt out evenly: with few, large tasks the last one decides how long everybody waits.
fn tasks<'a>(kernels: &dyn Kernels, left: &Left, products: &'a [Product<'a>]) -> Vec<Task<'a>> {
    let shape = kernels.shape();
    let threads = rayon::current_num_threads();
    let n_panels = left.rows.div_ceil(shape.left);
    let wanted: usize = products.iter().map(|product| product.n_cols.div_ceil(shape.right * PANELS)).sum();
    let row_chunks =
        if wanted < threads { (2 * threads / wanted.max(1)).clamp(1, n_panels.div_ceil(4)) } else { 1 };
    let mut tasks = Vec::new();
    for product in products {
        let unit = product.column_unit(shape.right);
        let units = product.n_cols.div_ceil(unit);
        let rounds =
            units.div_ceil((PANELS * shape.right / unit).max(1)).next_multiple_of(threads).min(units);
        for chunk in 0..rounds {
            let cols =
                chunk * units / rounds * unit..((chunk + 1) * units / rounds * unit).min(product.n_cols);
            for row in 0..row_chunks {
                let panels = row * n_panels / row_chunks..(row + 1) * n_panels / row_chunks;
                tasks.push(Task { product, cols: cols.clone(), panels });
            }
        }
    }
    tasks
}

impl Product<'_> {
    /// Columns must be divided at whole panels and, where columns run along encoded rows, at whole blocks.
    fn column_unit(&self, lanes: usize) -> usize {
        let block = self.terms.iter().map(|(_, right)| match right {
            Right::ColumnsOf(Matrix::Encoded(encoded)) => encoded.block_len,
            _ => 1,
        });
        block.max().unwrap_or(1).max(lanes)
    }
}

impl Task<'_> {
    fn compute(&self, kernels: &dyn Kernels, left: &Left, buffers: &mut Buffers) {
        for (at, stretches) in self.blocks(kernels, left).iter().enumerate() {
            let words: usize = stretches.iter().map(|stretch| stretch.words).sum();
            let lanes = kernels.shape().right;
            let needed = self.cols.len().div_ceil(lanes) * lanes * words;
            if buffers.right.len() < needed {
                buffers.right.resize(needed, 0);
            }
            for stretch in stretches {
                self.pack(kernels, stretch, words, buffers);
            }
            self.multiply(kernels, (left, &buffers.right), stretches, at > 0);
        }
    }

    /// The summed dimension in blocks: the first term in even stretches, all others with its last one.
    fn blocks(&self, kernels: &dyn Kernels, left: &Left) -> Vec<Vec<Stretch<'_>>> {
        let per_word = kernels.shape().per_word;
        let mut blocks: Vec<Vec<Stretch<'_>>> = Vec::new();
        for (term, (part, right)) in self.product.terms.iter().enumerate() {
            let (first_word, k) = left.parts[*part];
            let depth = if term == 0 { k.div_ceil(k.div_ceil(DEPTH)).next_multiple_of(256) } else { k };
            for start in (0..k).step_by(depth.max(1)) {
                let k = start..(start + depth).min(k);
                let mut stretch = Stretch {
                    right: *right,
                    left_word: first_word + start / per_word,
                    right_word: 0,
                    words: k.len().div_ceil(per_word),
                    k,
                };
                match blocks.last_mut() {
                    Some(block) if term > 0 => {
                        stretch.right_word = block.iter().map(|stretch| stretch.words).sum();
                        block.push(stretch);
                    }
                    _ => blocks.push(vec![stretch]),
                }
            }
        }
        blocks
    }

    fn pack(&self, kernels: &dyn Kernels, stretch: &Stretch<'_>, words: usize, buffers: &mut Buffers) {
        let Buffers { right, decoded } = buffers;
        let lanes = kernels.shape().right;
        let into = Packing { kernels, into: Panels { words, first_word: stretch.right_word, lanes, right } };
        match stretch.right {
            Right::RowsOf(Matrix::Dense(rows)) => into.dense_rows(rows, &self.cols, &stretch.k),
            Right::ColumnsOf(Matrix::Dense(rows)) => into.dense_columns(rows, &self.cols, &stretch.k),
            Right::RowsOf(Matrix::Encoded(encoded)) => {
                into.encoded_rows(encoded, &self.cols, &stretch.k, decoded);
            }
            Right::ColumnsOf(Matrix::Encoded(encoded)) => {
                into.encoded_columns(encoded, &self.cols, &stretch.k, decoded);
            }
        }
    }

    fn multiply(
        &self,
        kernels: &dyn Kernels,
        (left, right): (&Left, &[u32]),
        stretches: &[Stretch<'_>],
        is_continued: bool,
    ) {
        let shape = kernels.shape();
        let words: usize = stretches.iter().map(|stretch| stretch.words).sum();
        let accumulate = is_continued || self.product.accumulate;
        let empty = Run { words: 0, left: &[], right: &[] };
        for at in self.panels.clone() {
            let left_panel = &left.panels[at * left.words * shape.left..][..left.words * shape.left];
            let (row, rows) = (at * shape.left, shape.left.min(left.rows - at * shape.left));
            for (panel, col) in self.cols.clone().step_by(shape.right).enumerate() {
                let right_panel = &right[panel * words * shape.right..][..words * shape.right];
                let mut runs = [empty; 4];
                for (run, stretch) in runs.iter_mut().zip(stretches) {
                    *run = Run {
                        words: stretch.words,
                        left: &left_panel[stretch.left_word * shape.left..],
                        right: &right_panel[stretch.right_word * shape.right..],
                    };
                }
                let cols = shape.right.min(self.cols.end - col);
                // SAFETY: tasks divide a product's columns and rows, products have outputs of their own.
                let tile = unsafe {
                    self.product.out.window((row, self.product.first_col + col), (rows, cols), accumulate)
                };
                kernels.multiply(&runs[..stretches.len()], tile);
            }
        }
    }
}

/// Packs a stretch of the right operand.
struct Packing<'a> {
    kernels: &'a dyn Kernels,
    into: Panels<'a>,
}

impl Packing<'_> {
    /// The place of panel `panel`, from step `k` of this stretch on.
    fn panel(&mut self, panel: usize, k: usize) -> &mut [u32] {
        self.into.panel(panel, k / self.kernels.shape().per_word)
    }

    fn dense_rows(mut self, rows: Rows<'_>, cols: &Range<usize>, k: &Range<usize>) {
        let (kernels, lanes) = (self.kernels, self.into.lanes);
        for (panel, col) in cols.clone().step_by(lanes).enumerate() {
            let n = lanes.min(cols.end - col);
            kernels.pack_rows(rows.from(col, k.start), (n, k.len()), lanes, self.panel(panel, 0));
        }
    }

    fn dense_columns(mut self, rows: Rows<'_>, cols: &Range<usize>, k: &Range<usize>) {
        let (kernels, lanes) = (self.kernels, self.into.lanes);
        for (panel, col) in cols.clone().step_by(lanes).enumerate() {
            let n = lanes.min(cols.end - col);
            kernels.pack_columns(rows.from(k.start, col), (k.len(), n), lanes, self.panel(panel, 0));
        }
    }

    /// Rows of the weight are columns of the product: decode a few blocks of as many rows as a panel has lanes.
    fn encoded_rows(
        mut self,
        encoded: Encoded<'_>,
        cols: &Range<usize>,
        k: &Range<usize>,
        decoded: &mut Vec<f32>,
    ) {
        let (kernels, lanes) = (self.kernels, self.into.lanes);
        if kernels.pack_encoded_rows(&encoded, cols, k, &mut self.into) {
            return;
        }
        let strip = encoded.block_len.max(128);
        decoded.resize(decoded.len().max(lanes * strip), 0.0);
        for (panel, col) in cols.clone().step_by(lanes).enumerate() {
            let n = lanes.min(cols.end - col);
            for start in k.clone().step_by(strip) {
                let len = strip.min(k.end - start);
                let ahead = strip.min((k.end - start).saturating_sub(strip));
                for (lane, out) in decoded.chunks_exact_mut(strip).enumerate().take(n) {
                    kernels.prefetch(encoded.blocks(col + lane, start + len, ahead));
                    kernels.decode(encoded.decoder, encoded.blocks(col + lane, start, len), &mut out[..len]);
                }
                let from = Rows::new(decoded, strip);
                kernels.pack_rows(from, (n, len), lanes, self.panel(panel, start - k.start));
            }
        }
    }

    /// Rows of the weight are summed over: decode this task's columns of a few rows.
    fn encoded_columns(
        mut self,
        encoded: Encoded<'_>,
        cols: &Range<usize>,
        k: &Range<usize>,
        decoded: &mut Vec<f32>,
    ) {
        const ROWS: usize = 16;
        let (kernels, lanes, width) = (self.kernels, self.into.lanes, cols.len());
        if kernels.pack_encoded_columns(&encoded, cols, k, &mut self.into) {
            return;
        }
        decoded.resize(decoded.len().max(ROWS * width), 0.0);
        for start in k.clone().step_by(ROWS) {
            let n_rows = ROWS.min(k.end - start);
            for (row, out) in decoded.chunks_exact_mut(width).enumerate().take(n_rows) {
                if start + ROWS + row < k.end {
                    kernels.prefetch(encoded.blocks(start + ROWS + row, cols.start, width));
                }
                kernels.decode(encoded.decoder, encoded.blocks(start + row, cols.start, width), out);
            }
            for (panel, col) in (0..width).step_by(lanes).enumerate() {
                let from = Rows::new(decoded, width).from(0, col);
                let n = lanes.min(width - col);
                kernels.pack_columns(from, (n_rows, n), lanes, self.panel(panel, start - k.start));
            }
        }
    }
}

impl<'a> Encoded<'a> {
    /// The blocks of `len` weights of a row from column `col` on; both are whole blocks.
    fn blocks(&self, row: usize, col: usize, len: usize) -> &'a [u8] {
        let start = row * self.row_bytes + col / self.block_len * self.block_bytes;
        &self.bytes[start..start + len / self.block_len * self.block_bytes]
    }
}
