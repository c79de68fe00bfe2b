//! What every set of kernels that this CPU has must compute, against the same in f64.
//!
//! A CPU with AVX-512 also runs the AVX2 kernels here, and all run the plain ones.

use proptest::prelude::*;

use super::gemm::{self, Left, Matrix, Product, Right};
use super::{Encoded, Kernels, Rows, Shared, available, elementwise, pick};
use crate::gguf::TensorType;
use crate::learn::weights::Decoder;

/// Marks what nobody may write to.
const UNTOUCHED: f32 = 77.0;

/// `n` values between −1 and 1, different for each seed.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let top = u16::try_from(state >> 48).unwrap();
        f32::from(top) / 32_768.0 - 1.0 + f32::from(top & 0xff) * 1e-7
    };
    (0..n).map(|_| next()).collect()
}

fn f32_decoder() -> Decoder {
    Decoder::of(TensorType::F32).unwrap()
}

/// The bits of the nearest bf16, ties to even.
fn bf16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    (bits + 0x7fff + ((bits >> 16) & 1)) >> 16
}

/// A value as the kernels multiply it.
fn operand(kernels: &dyn Kernels, value: f32) -> f64 {
    f64::from(if kernels.shape().per_word == 2 { f32::from_bits(bf16_bits(value) << 16) } else { value })
}

#[track_caller]
fn assert_close(name: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}: lengths");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= tolerance * (1.0 + expected.abs()),
            "{name}, value {at}: {found} instead of {expected}"
        );
    }
}

// --- matrix products -------------------------------------------------------------------------------------------

/// How the right operands lie in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Storage {
    Dense,
    /// Blocks of so many f32.
    Blocks(usize),
}

#[derive(Debug, Clone)]
struct Case {
    rows: usize,
    cols: usize,
    /// Length of the summed dimension of each term.
    ks: Vec<usize>,
    /// Rows of the right operands are columns of the output.
    rows_are_columns: bool,
    storage: Storage,
    first_col: usize,
    accumulate: bool,
}

impl Case {
    fn new(rows: usize, ks: &[usize], cols: usize) -> Self {
        Self {
            rows,
            cols,
            ks: ks.to_vec(),
            rows_are_columns: true,
            storage: Storage::Dense,
            first_col: 0,
            accumulate: false,
        }
    }

    fn transposed(self) -> Self {
        Self { rows_are_columns: false, ..self }
    }

    fn stored(self, storage: Storage) -> Self {
        Self { storage, ..self }
    }

    fn added_at(self, first_col: usize) -> Self {
        Self { first_col, accumulate: true, ..self }
    }

    /// Three columns more than are written to.
    fn stride(&self) -> usize {
        self.first_col + self.cols + 3
    }

    fn before(&self) -> Vec<f32> {
        let mut out = vec![UNTOUCHED; self.rows * self.stride()];
        for (row, found) in out.chunks_exact_mut(self.stride()).enumerate() {
            found[self.first_col..][..self.cols].copy_from_slice(&values(self.cols, 1000 + row as u64));
        }
        out
    }

    /// The left operands of all terms.
    fn lefts(&self) -> Vec<Vec<f32>> {
        (1..).zip(&self.ks).map(|(seed, k)| values(self.rows * k, seed)).collect()
    }

    fn rights(&self) -> Vec<Vec<f32>> {
        (101..).zip(&self.ks).map(|(seed, k)| values(self.cols * k, seed)).collect()
    }

    fn compute(&self, kernels: &dyn Kernels) -> Vec<f32> {
        let mut left = Left::default();
        left.lay_out(kernels, self.rows, &self.ks);
        for (term, values) in self.lefts().iter().enumerate() {
            left.fill(kernels, term, Rows::new(values, self.ks[term]));
        }
        let rights = self.rights();
        let bytes: Vec<Vec<u8>> =
            rights.iter().map(|right| right.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
        let terms = (0..self.ks.len()).map(|term| {
            let width = if self.rows_are_columns { self.ks[term] } else { self.cols };
            let matrix = match self.storage {
                Storage::Blocks(block_len) if term == 0 => Matrix::Encoded(Encoded {
                    decoder: f32_decoder(),
                    bytes: &bytes[term],
                    row_bytes: width * 4,
                    block_len,
                    block_bytes: block_len * 4,
                }),
                _ => Matrix::Dense(Rows::new(&rights[term], width)),
            };
            (term, if self.rows_are_columns { Right::RowsOf(matrix) } else { Right::ColumnsOf(matrix) })
        });
        let mut out = self.before();
        let product = Product {
            terms: terms.collect(),
            n_cols: self.cols,
            out: Shared::new(&mut out, self.stride()),
            first_col: self.first_col,
            accumulate: self.accumulate,
        };
        gemm::multiply(kernels, &left, &[product]);
        out
    }

    /// The rows and columns that are compared: all of a small matrix, the edges of a large one.
    fn compared(n: usize) -> Vec<usize> {
        if n <= 40 { (0..n).collect() } else { (0..9).chain(n / 2..n / 2 + 2).chain(n - 9..n).collect() }
    }

    #[track_caller]
    fn check(&self) {
        for kernels in available() {
            self.check_with(kernels);
        }
    }

    #[track_caller]
    fn check_with(&self, kernels: &dyn Kernels) {
        let name = kernels.name();
        let (out, reference) = (self.compute(kernels), Reference::new(self, kernels));
        let k: usize = self.ks.iter().sum();
        let tolerance = 1e-6 * f64::from(u32::try_from(k).unwrap()).sqrt();
        let (mut error, mut norm) = (0.0, 0.0);
        let cols = Self::compared(self.cols);
        for row in Self::compared(self.rows) {
            let line = &out[row * self.stride()..][..self.stride()];
            let (before, after) = (&line[..self.first_col], &line[self.first_col + self.cols..]);
            assert!(
                before.iter().chain(after).all(|value| *value == UNTOUCHED),
                "{name} wrote beside {self:?}"
            );
            for col in &cols {
                let expected = reference.at(row, *col);
                let found = f64::from(line[self.first_col + col]);
                let off = (found - expected.rounded).abs();
                let wanted = expected.rounded;
                assert!(
                    off <= tolerance * expected.size,
                    "{name} at ({row}, {col}) of {self:?}: {found} instead of {wanted}"
                );
                error += (found - expected.exact).powi(2);
                norm += expected.exact.powi(2);
            }
        }
        let tolerance = if kernels.shape().per_word == 2 { 1e-2 } else { tolerance };
        let relative = (error / norm).sqrt();
        // One number alone may be a difference of large ones.
        assert!(
            self.rows * self.cols < 32 || relative <= tolerance,
            "{name} is off by {relative} in {self:?}"
        );
    }
}

/// A product in f64.
struct Reference<'a> {
    case: &'a Case,
    before: Vec<f32>,
    /// Operands of each term as they are, and as the kernels multiply them.
    exact: Vec<[Vec<f64>; 2]>,
    rounded: Vec<[Vec<f64>; 2]>,
}

#[derive(Debug, Default)]
struct Expected {
    rounded: f64,
    exact: f64,
    /// Sum of the products' magnitudes.
    size: f64,
}

impl<'a> Reference<'a> {
    fn new(case: &'a Case, kernels: &dyn Kernels) -> Self {
        let operands = || case.lefts().into_iter().zip(case.rights());
        let round = |values: &[f32]| values.iter().map(|value| operand(kernels, *value)).collect();
        Self {
            case,
            before: case.before(),
            exact: operands().map(|(left, right)| [wide(&left), wide(&right)]).collect(),
            rounded: operands().map(|(left, right)| [round(&left), round(&right)]).collect(),
        }
    }

    fn at(&self, row: usize, col: usize) -> Expected {
        let case = self.case;
        let before = f64::from(self.before[row * case.stride() + case.first_col + col]);
        let start = if case.accumulate { before } else { 0.0 };
        let mut expected = Expected { rounded: start, exact: start, size: start.abs() };
        for (term, k) in case.ks.iter().enumerate() {
            let ([exact_a, exact_b], [a, b]) = (&self.exact[term], &self.rounded[term]);
            for at in 0..*k {
                let (i, j) =
                    (row * k + at, if case.rows_are_columns { col * k + at } else { at * case.cols + col });
                expected.rounded += a[i] * b[j];
                expected.size += (a[i] * b[j]).abs();
                expected.exact += exact_a[i] * exact_b[j];
            }
        }
        expected
    }
}

#[test]
fn one_number_is_multiplied() {
    Case::new(1, &[1], 1).check();
    Case::new(1, &[1], 1).transposed().check();
    Case::new(1, &[2], 1).added_at(2).check();
}

#[test]
fn every_width_of_a_tile_is_written_and_nothing_beside_it() {
    for cols in 1..=33 {
        Case::new(5, &[7], cols).check();
        Case::new(13, &[18], cols).transposed().added_at(1).check();
    }
}

#[test]
fn every_height_of_a_tile_is_written_and_nothing_below_it() {
    for rows in 1..=26 {
        Case::new(rows, &[9], 17).check();
        Case::new(rows, &[4], 6).transposed().check();
    }
}

#[test]
fn every_length_of_the_sum_is_summed() {
    for k in 1..=40 {
        Case::new(7, &[k], 9).check();
        Case::new(7, &[k], 9).transposed().check();
    }
}

#[test]
fn sums_longer_than_a_block_continue_in_the_next() {
    for k in [255, 256, 257, 1023, 1024, 1025, 2049, 3000] {
        Case::new(14, &[k], 35).check();
        Case::new(14, &[k], 35).transposed().added_at(4).check();
    }
}

#[test]
fn wide_products_are_divided_into_tasks() {
    Case::new(30, &[64], 1111).check();
    Case::new(200, &[33], 530).transposed().check();
    Case::new(130, &[16], 2000).stored(Storage::Blocks(16)).check();
    Case::new(300, &[12], 640).transposed().stored(Storage::Blocks(32)).check();
}

#[test]
fn adapters_extend_the_sum() {
    Case::new(19, &[64, 8], 40).check();
    Case::new(19, &[1500, 3], 40).transposed().added_at(7).check();
    Case::new(6, &[300, 16, 5, 1], 20).check();
    Case::new(6, &[301, 16, 5, 2], 20).transposed().check();
    Case::new(25, &[1280, 16], 96).transposed().stored(Storage::Blocks(32)).check();
}

#[test]
fn encoded_weights_are_decoded_on_the_way() {
    for block_len in [1, 32, 256] {
        let storage = Storage::Blocks(block_len);
        Case::new(21, &[1024 + 256], 37).stored(storage).check();
        Case::new(21, &[256, 16], 50).stored(storage).added_at(3).check();
        Case::new(21, &[50], 512).transposed().stored(storage).check();
        Case::new(21, &[1111, 4], 256).transposed().stored(storage).added_at(3).check();
    }
    Case::new(8, &[129], 33).stored(Storage::Blocks(1)).check();
    Case::new(8, &[129], 33).transposed().stored(Storage::Blocks(1)).check();
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[track_caller]
fn check_threads(case: &Case) {
    for kernels in available() {
        let found = [1, 2, 3, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            bits(&pool.install(|| case.compute(kernels)))
        });
        assert!(
            found.iter().all(|other| *other == found[0]),
            "{} on other threads: {case:?}",
            kernels.name()
        );
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    check_threads(&Case::new(37, &[1300, 16], 700));
    check_threads(&Case::new(300, &[100], 16));
    check_threads(&Case::new(37, &[1300, 16], 704).transposed().stored(Storage::Blocks(32)));
    check_threads(&Case::new(500, &[65], 33).transposed().added_at(5));
}

#[test]
fn products_of_one_left_operand_are_computed_together() {
    for kernels in available() {
        let mut left = Left::default();
        let (x, weight) = (values(40 * 50, 1), values(70 * 50, 2));
        left.lay_out(kernels, 40, &[50]);
        left.fill(kernels, 0, Rows::new(&x, 50));
        let (mut apart, mut together) = (vec![0.0; 40 * 70], vec![0.0; 40 * 70]);
        let compute = |out: &mut [f32], parts: &[(usize, usize)]| {
            let out = Shared::new(out, 70);
            let product = |(first, n_cols): &(usize, usize)| Product {
                terms: vec![(0, Right::RowsOf(Matrix::Dense(Rows::new(&weight[first * 50..], 50))))],
                n_cols: *n_cols,
                out,
                first_col: *first,
                accumulate: false,
            };
            gemm::multiply(kernels, &left, &parts.iter().map(product).collect::<Vec<_>>());
        };
        compute(&mut apart, &[(0, 70)]);
        compute(&mut together, &[(0, 33), (33, 5), (38, 32)]);
        assert_eq!(bits(&apart), bits(&together), "{}", kernels.name());
    }
}

#[test]
fn an_operand_made_on_the_fly_is_the_same_operand() {
    for kernels in available() {
        let (rows, k) = (29, 1100);
        let (x, weight) = (values(rows * k, 1), values(20 * k, 2));
        let compute = |made: bool| {
            let mut left = Left::default();
            left.lay_out(kernels, rows, &[k]);
            if made {
                left.fill_with(kernels, 0, &|row, cols, out| out.copy_from_slice(&x[row * k..][cols]));
            } else {
                left.fill(kernels, 0, Rows::new(&x, k));
            }
            let mut out = vec![0.0; rows * 20];
            let product = Product {
                terms: vec![(0, Right::RowsOf(Matrix::Dense(Rows::new(&weight, k))))],
                n_cols: 20,
                out: Shared::new(&mut out, 20),
                first_col: 0,
                accumulate: false,
            };
            gemm::multiply(kernels, &left, &[product]);
            bits(&out)
        };
        assert_eq!(compute(true), compute(false), "{}", kernels.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_shape_is_multiplied(
        (rows, cols) in (1_usize..70, 1_usize..70),
        ks in prop::collection::vec(1_usize..48, 1..=4),
        long in 0_usize..1200,
        (rows_are_columns, accumulate) in (any::<bool>(), any::<bool>()),
        first_col in 0_usize..9,
        is_encoded in any::<bool>(),
    ) {
        let mut ks = ks;
        ks[0] += long;
        let storage = if is_encoded { Storage::Blocks(1) } else { Storage::Dense };
        Case { rows, cols, ks, rows_are_columns, storage, first_col, accumulate }.check();
    }
}

// --- packing and small products --------------------------------------------------------------------------------

/// The words of a panel whose lanes are `lane(l)` along k.
fn panel(per_word: usize, k: usize, width: usize, value: impl Fn(usize, usize) -> f32) -> Vec<u32> {
    let word = |word: usize, lane: usize| {
        let at = |step: usize| if step < k { value(step, lane) } else { 0.0 };
        if per_word == 1 {
            at(word).to_bits()
        } else {
            bf16_bits(at(word * 2)) | bf16_bits(at(word * 2 + 1)) << 16
        }
    };
    let places = (0..k.div_ceil(per_word)).flat_map(|at| (0..width).map(move |lane| (at, lane)));
    places.map(|(at, lane)| word(at, lane)).collect()
}

#[track_caller]
fn check_packing(kernels: &dyn Kernels, k: usize, present: usize, width: usize) {
    let per_word = kernels.shape().per_word;
    let what = format!("{} packing {present} of {width} lanes, k {k}", kernels.name());
    let n_words = k.div_ceil(per_word) * width;
    // Two values more in a row than are packed, and a panel that goes on.
    let (rows, columns) = (values(present * (k + 2), 5), values(k * (present + 2), 6));
    let mut found = vec![0xdead_beef; n_words + 40];

    kernels.pack_rows(Rows::new(&rows, k + 2), (present, k), width, &mut found);
    let value = |step: usize, lane: usize| if lane < present { rows[lane * (k + 2) + step] } else { 0.0 };
    assert_eq!(found[..n_words], panel(per_word, k, width, value), "rows, {what}");
    assert!(found[n_words..].iter().all(|word| *word == 0xdead_beef), "rows, beyond the panel, {what}");

    found.fill(0xdead_beef);
    kernels.pack_columns(Rows::new(&columns, present + 2), (k, present), width, &mut found);
    let value =
        |step: usize, lane: usize| if lane < present { columns[step * (present + 2) + lane] } else { 0.0 };
    assert_eq!(found[..n_words], panel(per_word, k, width, value), "columns, {what}");
    assert!(found[n_words..].iter().all(|word| *word == 0xdead_beef), "columns, beyond the panel, {what}");
}

#[test]
fn packing_pads_with_zeros_and_stays_inside() {
    for kernels in available() {
        let shape = kernels.shape();
        for width in [shape.left, shape.right] {
            for present in [1, 2, width / 2, width - 1, width] {
                for k in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65] {
                    check_packing(kernels, k, present, width);
                }
            }
        }
    }
}

#[track_caller]
fn check_outer(kernels: &dyn Kernels, k: usize, (rows, cols): (usize, usize), accumulate: bool) {
    let (left, right) = (values(k * (rows + 1) + rows, 1), values(k * (cols + 2) + cols, 2));
    let (left, right) = (Rows::new(&left, rows + 1), Rows::new(&right, cols + 2));
    let stride = cols + 3;
    let mut out = vec![UNTOUCHED; (rows + 1) * stride];
    for row in out.chunks_exact_mut(stride).take(rows) {
        row[1..=cols].fill(0.5);
    }
    // SAFETY: the only window.
    #[expect(unsafe_code, reason = "a window of a matrix that nobody else writes to")]
    let tile = unsafe { Shared::new(&mut out, stride).window((0, 1), (rows, cols), accumulate) };
    kernels.outer(left, right, k, tile);
    let expected = |at: usize| {
        let (row, col) = (at / stride, at % stride);
        if row == rows || col == 0 || col > cols {
            return f64::from(UNTOUCHED);
        }
        let product =
            |at: usize| f64::from(left.row(at, rows)[row]) * f64::from(right.row(at, cols)[col - 1]);
        (0..k).map(product).sum::<f64>() + if accumulate { 0.5 } else { 0.0 }
    };
    let expected: Vec<f64> = (0..out.len()).map(expected).collect();
    assert_close(&format!("{} outer, {rows} by {cols}, k {k}", kernels.name()), &out, &expected, 2e-6);
}

#[test]
fn outer_products_of_every_size_are_summed_in_f32() {
    for kernels in available() {
        for rows in 1..=16 {
            for cols in 1..=16 {
                check_outer(kernels, 3, (rows, cols), false);
            }
        }
        for k in [0, 1, 2, 33, 128] {
            check_outer(kernels, k, (16, 16), false);
            check_outer(kernels, k, (5, 13), true);
        }
    }
}

#[test]
fn decoding_gives_the_weights() {
    for kernels in available() {
        let weights = values(100, 1);
        let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
        let mut out = vec![0.0; 100];
        kernels.decode(f32_decoder(), &bytes, &mut out);
        assert_eq!(out, weights, "{}", kernels.name());
    }
}

// --- rows ------------------------------------------------------------------------------------------------------

/// Lengths around whole and half vectors.
const LENGTHS: [usize; 12] = [1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 100, 897];

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Runs `check` for every set of kernels and length, with four rows of that length.
fn for_rows(check: impl Fn(&dyn Kernels, [Vec<f32>; 4])) {
    for kernels in available() {
        for n in LENGTHS {
            check(
                kernels,
                [1, 2, 3, 4].map(|seed| values(n, seed).iter().map(|value| value * 3.0).collect()),
            );
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn rms_norm_divides_by_the_root_mean_square() {
    for_rows(|kernels, [x, weight, ..]| {
        let mut out = vec![0.0; x.len()];
        kernels.rms_norm(&x, &weight, 1e-6, &mut out);
        let r = inverse_rms(&x);
        let expected: Vec<f64> =
            wide(&x).iter().zip(wide(&weight)).map(|(x, weight)| x * r * weight).collect();
        assert_close(kernels.name(), &out, &expected, 1e-6);
    });
}

fn inverse_rms(x: &[f32]) -> f64 {
    let n = f64::from(u32::try_from(x.len()).unwrap());
    (wide(x).iter().map(|x| x * x).sum::<f64>() / n + 1e-6).sqrt().recip()
}

#[test]
fn the_gradient_of_rms_norm_is_that_of_its_differences() {
    for_rows(|kernels, [x, weight, dy, before]| {
        let mut dx = before.clone();
        kernels.rms_norm_backward(&x, &weight, 1e-6, &dy, &mut dx);
        // d/dx_i of Σ dy·norm(x), as a central difference in f64.
        let loss = |x: &[f64]| {
            let n = f64::from(u32::try_from(x.len()).unwrap());
            let r = (x.iter().map(|x| x * x).sum::<f64>() / n + 1e-6).sqrt().recip();
            x.iter()
                .zip(&weight)
                .zip(&dy)
                .map(|((x, w), dy)| x * r * f64::from(*w) * f64::from(*dy))
                .sum::<f64>()
        };
        let mut at = wide(&x);
        for i in (0..x.len()).step_by(x.len().div_ceil(50)) {
            let value = at[i];
            at[i] = value + 1e-5;
            let up = loss(&at);
            at[i] = value - 1e-5;
            let expected = f64::from(before[i]) + (up - loss(&at)) / 2e-5;
            at[i] = value;
            let off = (f64::from(dx[i]) - expected).abs();
            assert!(
                off <= 2e-5 * (1.0 + expected.abs()),
                "{}: {} instead of {expected}",
                kernels.name(),
                dx[i]
            );
        }
    });
}

#[track_caller]
fn check_rotation(kernels: &dyn Kernels, n_pairs: usize, halves: bool) {
    let x = values(2 * n_pairs, 1);
    let angles = values(n_pairs, 2);
    let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
    let mut found = x.clone();
    kernels.rotate(&mut found, &cos, &sin, halves);
    let mut expected = wide(&x);
    for pair in 0..n_pairs {
        let (i, j) = if halves { (pair, pair + n_pairs) } else { (2 * pair, 2 * pair + 1) };
        let (a, b) = (f64::from(x[i]), f64::from(x[j]));
        let (cos, sin) = (f64::from(cos[pair]), f64::from(sin[pair]));
        (expected[i], expected[j]) = (a * cos - b * sin, a * sin + b * cos);
    }
    assert_close(kernels.name(), &found, &expected, 1e-6);
    let back: Vec<f32> = sin.iter().map(|sin| -sin).collect();
    kernels.rotate(&mut found, &cos, &back, halves);
    assert_close(kernels.name(), &found, &wide(&x), 1e-6);
}

#[test]
fn rotations_turn_pairs_and_turn_them_back() {
    for kernels in available() {
        for n_pairs in [1, 3, 8, 32, 33, 64] {
            check_rotation(kernels, n_pairs, true);
            check_rotation(kernels, n_pairs, false);
        }
    }
}

#[test]
fn swiglu_and_its_gradient() {
    for_rows(|kernels, [gate, up, dout, _]| {
        let n = gate.len();
        let mut out = vec![0.0; n];
        kernels.swiglu(&gate, &up, &mut out);
        let (g, u, d) = (wide(&gate), wide(&up), wide(&dout));
        let silu: Vec<f64> = g.iter().map(|g| g * sigmoid(*g)).collect();
        let expected: Vec<f64> = silu.iter().zip(&u).map(|(silu, u)| silu * u).collect();
        assert_close(kernels.name(), &out, &expected, 1e-6);

        let (mut dup, mut dgate, mut again) = (dout.clone(), vec![0.0; n], vec![0.0; n]);
        kernels.swiglu_backward(&gate, &up, &mut dup, &mut dgate, &mut again);
        assert_close(kernels.name(), &again, &expected, 1e-6);
        assert_close(
            kernels.name(),
            &dup,
            &d.iter().zip(&silu).map(|(d, silu)| d * silu).collect::<Vec<_>>(),
            1e-6,
        );
        let slope = |g: f64| sigmoid(g) * (1.0 + g * (1.0 - sigmoid(g)));
        let expected: Vec<f64> = (0..n).map(|i| d[i] * u[i] * slope(g[i])).collect();
        assert_close(kernels.name(), &dgate, &expected, 2e-6);
    });
}

#[test]
fn swiglu_is_finite_far_away() {
    for kernels in available() {
        let gate = [-1e4, -100.0, -88.0, 0.0, 88.0, 100.0, 1e4];
        let mut out = [0.0; 7];
        kernels.swiglu(&gate, &[1.0; 7], &mut out);
        assert_close(kernels.name(), &out, &[0.0, 0.0, 0.0, 0.0, 88.0, 100.0, 1e4], 1e-6);
    }
}

#[test]
fn the_largest_value_is_found_anywhere() {
    for_rows(|kernels, [x, ..]| {
        for at in (0..x.len()).step_by(x.len().div_ceil(40)) {
            let mut x = x.clone();
            x[at] = 9.0;
            assert_eq!(kernels.largest(&x).to_bits(), 9.0_f32.to_bits(), "{} at {at}", kernels.name());
        }
        assert_eq!(kernels.largest(&[]).to_bits(), f32::NEG_INFINITY.to_bits());
    });
}

#[test]
fn exponentials_and_their_sums() {
    for_rows(|kernels, [x, dp, ..]| {
        let (name, mut out) = (kernels.name(), x.clone());
        let expected: Vec<f64> = wide(&x).iter().map(|x| (x - 2.5).exp()).collect();
        let total: f64 = expected.iter().sum();
        let sum = kernels.exp_shifted(&mut out, 2.5);
        assert_close(name, &out, &expected, 3e-7);
        assert_close(name, &[sum, kernels.sum_exp_shifted(&x, 2.5)], &[total, total], 1e-6);

        kernels.scaled_exp(&x, 2.5, -0.75, &mut out);
        assert_close(name, &out, &expected.iter().map(|x| x * -0.75).collect::<Vec<_>>(), 3e-7);

        let (mut p, mut dscores) = (x.clone(), dp.clone());
        kernels.softmax_backward(&mut p, &mut dscores, 2.5, 0.3);
        assert_close(name, &p, &expected, 3e-7);
        let gradient = |(p, dp): (&f64, f64)| p * (dp - f64::from(0.3_f32));
        assert_close(name, &dscores, &expected.iter().zip(wide(&dp)).map(gradient).collect::<Vec<_>>(), 1e-6);
    });
}

/// `e^x` of all of `x`, by way of a method.
fn exp(kernels: &dyn Kernels, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    kernels.scaled_exp(x, 0.0, 1.0, &mut out);
    out
}

#[test]
fn exp_is_exact_to_two_units_over_the_whole_range() {
    let x: Vec<f32> = (-870_000..=880_000_i32).map(|step| (f64::from(step) / 1e4) as f32).collect();
    for kernels in available() {
        for (x, found) in x.iter().zip(exp(kernels, &x)) {
            let expected = f64::from(*x).exp();
            let relative = (f64::from(found) / expected - 1.0).abs();
            assert!(relative < 2.4e-7, "{}: e^{x} is off by {relative:e}", kernels.name());
        }
    }
}

#[test]
fn exp_saturates_and_passes_on_what_is_not_a_number() {
    let x = [f32::NEG_INFINITY, f32::MIN, -1e3, -87.1, 88.1, 1e3, f32::MAX, f32::INFINITY];
    for kernels in available() {
        let out = exp(kernels, &x);
        assert!(out[..4].iter().all(|y| *y > 0.0 && *y < 2e-38), "{}: {out:?}", kernels.name());
        assert!(out[4..].iter().all(|y| y.is_finite() && *y > 1e38), "{}: {out:?}", kernels.name());
        assert!(exp(kernels, &[f32::NAN; 20]).iter().all(|y| y.is_nan()), "{}", kernels.name());
        assert_eq!(exp(kernels, &[0.0, -0.0, 1e-40]), [1.0; 3], "{}", kernels.name());
        assert!(kernels.sum_exp_shifted(&[1.0, f32::NAN, 2.0], 0.0).is_nan(), "{}", kernels.name());
    }
}

#[test]
fn dot_products_and_scaling() {
    for_rows(|kernels, [a, b, ..]| {
        let dot: f64 = wide(&a).iter().zip(wide(&b)).map(|(a, b)| a * b).sum();
        assert_close(kernels.name(), &[kernels.dot(&a, &b)], &[dot], 3e-6);
        let mut scaled = a.clone();
        kernels.scale(&mut scaled, 0.1);
        assert_close(kernels.name(), &scaled, &wide(&a).iter().map(|a| a * 0.1).collect::<Vec<_>>(), 1e-6);
    });
}

#[test]
fn rows_are_the_same_on_every_cpu() {
    for_rows(|kernels, [x, weight, ..]| {
        let (mut found, mut expected) = (x.clone(), x.clone());
        let sum = kernels.exp_shifted(&mut found, 0.5);
        assert_eq!(
            sum.to_bits(),
            elementwise::exp_shifted(&mut expected, 0.5).to_bits(),
            "{}",
            kernels.name()
        );
        assert_eq!(bits(&found), bits(&expected), "{}", kernels.name());
        kernels.rms_norm(&x, &weight, 1e-5, &mut found);
        elementwise::rms_norm(&x, &weight, 1e-5, &mut expected);
        assert_eq!(bits(&found), bits(&expected), "{}", kernels.name());
    });
}

// --- the choice ------------------------------------------------------------------------------------------------

#[test]
fn every_set_of_kernels_is_found_by_its_name() {
    let names: Vec<&str> = available().iter().map(|kernels| kernels.name()).collect();
    for name in &names {
        assert_eq!(pick(Some(name)).unwrap().name(), *name);
    }
    assert_eq!(pick(None).unwrap().name(), names[0]);
    assert_eq!(names.last(), Some(&"plain"));
}

#[test]
fn an_unknown_name_is_refused_with_those_that_exist() {
    let refusal = pick(Some("abacus")).err().unwrap();
    assert!(refusal.contains("abacus") && refusal.ends_with("plain"), "{refusal}");
}

#[cfg(target_arch = "aarch64")]
#[test]
fn arm_always_has_neon() {
    assert_eq!(pick(Some("neon")).unwrap().name(), "neon");
}
