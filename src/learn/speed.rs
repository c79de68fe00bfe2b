//! How fast the matrix products are on this machine: the shapes of a model of half a billion weights, on noise.
//!
//! For benches. Packing the left operand counts, as it does in a step.

use std::time::Instant;

use rayon::ThreadPoolBuilder;

use super::kernels::gemm::{Left, Matrix, Product, Right, multiply};
use super::kernels::{Encoded, Kernels, Rows, Shared};
use super::shuffle::Draws;
use super::weights::{Decoder, Native};
use super::{Pace, TrainError};

/// Rows, summed dimension, columns: the feed-forward layer up and down, and a part of the output layer.
const SHAPES: [[usize; 3]; 3] = [[512, 896, 4864], [512, 4864, 896], [128, 896, 32768]];
/// A product is repeated until it has run so often and so long,
const LEAST_RUNS: usize = 3;
const LEAST_SECONDS: f64 = 0.2;
/// but no longer than this.
const MOST_SECONDS: f64 = 0.6;

/// One family of kernels on one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelSpeed {
    pub kernels: &'static str,
    /// How the weights are stored: `q4_0`, or `f32`.
    pub weights: &'static str,
    /// Rows, summed dimension, columns.
    pub shape: [usize; 3],
    /// `Y = X Wᵀ`, in 10⁹ floating point operations per second: the median of the runs.
    pub forward_gflops: f64,
    /// `dX = dY W`.
    pub backward_gflops: f64,
}

/// Random weights, `[cols][k]`.
enum Weights {
    /// In `Q4_0`, as a file stores them.
    Quantized(Vec<u8>),
    Plain(Vec<f32>),
}

/// Measures all shapes with quantized and with plain weights, on a pool of `threads` threads of its own.
pub fn measure(kernels: &'static dyn Kernels, threads: usize) -> Result<Vec<KernelSpeed>, TrainError> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    let pool = pool.map_err(|error| TrainError::Misfit(format!("threads cannot be started: {error}")))?;
    Ok(pool.install(|| {
        let both = |shape| [speed(kernels, shape, true), speed(kernels, shape, false)];
        SHAPES.into_iter().flat_map(both).collect()
    }))
}

fn speed(kernels: &'static dyn Kernels, shape: [usize; 3], is_quantized: bool) -> KernelSpeed {
    let [rows, k, cols] = shape;
    let mut draws = Draws::new(3);
    let weights = if is_quantized {
        Weights::Quantized(blocks(&mut draws, cols * k))
    } else {
        Weights::Plain(noise(&mut draws, cols * k))
    };
    let matrix = weights.matrix(k);
    KernelSpeed {
        kernels: kernels.name(),
        weights: if is_quantized { "q4_0" } else { "f32" },
        shape,
        forward_gflops: gflops(kernels, [rows, k, cols], Right::RowsOf(matrix)),
        backward_gflops: gflops(kernels, [rows, cols, k], Right::ColumnsOf(matrix)),
    }
}

/// `n` weights in `Q4_0`.
fn blocks(draws: &mut Draws, n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..n / 32 {
        // The scale, 2⁻³ in half precision, then two weights in each byte.
        bytes.extend([0x00, 0x30]);
        bytes.extend(draws.next_u64().to_le_bytes());
        bytes.extend(draws.next_u64().to_le_bytes());
    }
    bytes
}

/// From −1 to 1.
fn noise(draws: &mut Draws, n: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "16 bits")]
    let number = |draw: u64| draw as f32 / 32768.0 - 1.0;
    (0..n).map(|_| number(draws.next_u64() >> 48)).collect()
}

impl Weights {
    fn matrix(&self, k: usize) -> Matrix<'_> {
        match self {
            Self::Plain(values) => Matrix::Dense(Rows::new(values, k)),
            Self::Quantized(bytes) => Matrix::Encoded(Encoded {
                decoder: Decoder::Native(Native::Q4_0),
                bytes,
                row_bytes: k / 32 * 18,
                block_len: 32,
                block_bytes: 18,
            }),
        }
    }
}

/// Speed of the product of noise, `rows` by `k`, with `right`.
fn gflops(kernels: &'static dyn Kernels, [rows, k, cols]: [usize; 3], right: Right<'_>) -> f64 {
    let x = noise(&mut Draws::new(4), rows * k);
    let mut out = vec![0.0; rows * cols];
    let (mut left, pace) = (Left::default(), Pace::default());
    let mut seconds: Vec<f64> = Vec::new();
    // The first run only touches the memory.
    let mut is_warm = false;
    loop {
        let total: f64 = seconds.iter().sum();
        if total >= MOST_SECONDS || (seconds.len() >= LEAST_RUNS && total >= LEAST_SECONDS) {
            break;
        }
        let began = Instant::now();
        left.lay_out(kernels, rows, &[k]);
        left.fill(kernels, 0, Rows::new(&x, k));
        let product = Product {
            terms: vec![(0, right)],
            n_cols: cols,
            out: Shared::new(&mut out, cols),
            first_col: 0,
            accumulate: false,
        };
        multiply(kernels, &pace, &left, &[product]);
        if is_warm {
            seconds.push(began.elapsed().as_secs_f64());
        }
        is_warm = true;
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::INFINITY);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let work = (2 * rows * k * cols) as f64;
    work / median / 1e9
}
