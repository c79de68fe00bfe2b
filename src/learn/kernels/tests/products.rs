//! Parallel products of every shape and storage, on any number of threads.

use proptest::prelude::*;

use super::{UNTOUCHED, bits, f32_decoder, operand, values, wide};
use crate::learn::Pace;
use crate::learn::kernels::gemm::{self, Left, Matrix, Product, Right};
use crate::learn::kernels::{Encoded, Kernels, Rows, Shared, available};

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
        gemm::multiply(kernels, &Pace::default(), &left, &[product]);
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
            gemm::multiply(kernels, &Pace::default(), &left, &parts.iter().map(product).collect::<Vec<_>>());
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
            gemm::multiply(kernels, &Pace::default(), &left, &[product]);
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
