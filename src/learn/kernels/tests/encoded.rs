//! Weights packed straight from the file are the words that decoding and packing in two steps gives.

use std::ops::Range;

use proptest::prelude::*;

use super::values;
use crate::gguf::TensorType;
use crate::learn::kernels::{Encoded, Kernels, Panels, Rows, available};
use crate::learn::weights::Decoder;

/// Weights of a block of both types.
const BLOCK: usize = 32;

/// A matrix of random blocks with scales between −1 and 1.
struct Weights {
    bytes: Vec<u8>,
    decoder: Decoder,
    n_cols: usize,
    block_bytes: usize,
}

impl Weights {
    fn random(tensor_type: TensorType, n_rows: usize, n_cols: usize) -> Self {
        let block_bytes = usize::try_from(tensor_type.block_bytes()).unwrap();
        let n_blocks = n_rows * n_cols / BLOCK;
        let noise = values(n_blocks * block_bytes, 7);
        let mut bytes: Vec<u8> = noise.iter().map(|value| value.to_bits().to_le_bytes()[1]).collect();
        for (at, block) in bytes.chunks_exact_mut(block_bytes).enumerate() {
            // Half precision: any sign and mantissa, exponents from 2^-14 (subnormal) to 1.
            block[1] = (block[1] & 0x83) | u8::try_from(at % 16).unwrap() << 2;
        }
        Self { bytes, decoder: Decoder::of(tensor_type).unwrap(), n_cols, block_bytes }
    }

    fn encoded(&self) -> Encoded<'_> {
        Encoded {
            decoder: self.decoder,
            bytes: &self.bytes,
            row_bytes: self.n_cols / BLOCK * self.block_bytes,
            block_len: BLOCK,
            block_bytes: self.block_bytes,
        }
    }

    fn decoded(&self, kernels: &dyn Kernels) -> Vec<f32> {
        let mut out = vec![0.0; self.bytes.len() / self.block_bytes * BLOCK];
        kernels.decode(self.decoder, &self.bytes, &mut out);
        out
    }
}

/// Both ways of packing, into a buffer of stale words; `None` for kernels without the short way.
fn both_ways(
    kernels: &dyn Kernels,
    weights: &Weights,
    (cols, k): (Range<usize>, Range<usize>),
    rows_are_lanes: bool,
) -> Option<[Vec<u32>; 2]> {
    const FIRST_WORD: usize = 3;
    let shape = kernels.shape();
    let words = FIRST_WORD + k.len().div_ceil(shape.per_word);
    let n_panels = cols.len().div_ceil(shape.right);
    let stale = vec![0x1234_5678; n_panels * words * shape.right];
    let [mut short, mut long] = [stale.clone(), stale];
    let mut into = Panels { words, first_word: FIRST_WORD, lanes: shape.right, right: &mut short };
    let encoded = weights.encoded();
    let is_done = if rows_are_lanes {
        kernels.pack_encoded_rows(&encoded, &cols, &k, &mut into)
    } else {
        kernels.pack_encoded_columns(&encoded, &cols, &k, &mut into)
    };
    if !is_done {
        return None;
    }
    let decoded = weights.decoded(kernels);
    let all = Rows::new(&decoded, weights.n_cols);
    let mut into = Panels { words, first_word: FIRST_WORD, lanes: shape.right, right: &mut long };
    for (panel, col) in cols.clone().step_by(shape.right).enumerate() {
        let n = shape.right.min(cols.end - col);
        let panel = into.panel(panel, 0);
        if rows_are_lanes {
            kernels.pack_rows(all.from(col, k.start), (n, k.len()), shape.right, panel);
        } else {
            kernels.pack_columns(all.from(k.start, col), (k.len(), n), shape.right, panel);
        }
    }
    Some([short, long])
}

proptest! {
    #[test]
    fn the_short_way_gives_the_same_words(
        is_four_bits: bool,
        rows_are_lanes: bool,
        lanes in 1..70_usize,
        blocks in 1..4_usize,
        (first, skipped) in (0..40_usize, 0..3_usize),
    ) {
        let tensor_type = if is_four_bits { TensorType::Q4_0 } else { TensorType::Q8_0 };
        let across = skipped * BLOCK..(skipped + blocks) * BLOCK;
        let down = first..first + lanes;
        let weights = Weights::random(tensor_type, down.end, across.end);
        for kernels in available() {
            let ranges = if rows_are_lanes { (down.clone(), across.clone()) } else { (across.clone(), down.clone()) };
            if let Some([short, long]) = both_ways(kernels, &weights, ranges, rows_are_lanes) {
                prop_assert!(short == long, "{}", kernels.name());
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_bf16_kernels_have_the_short_way() {
    let Ok(kernels) = crate::learn::kernels::pick(Some("avx512-bf16")) else { return };
    for tensor_type in [TensorType::Q4_0, TensorType::Q8_0] {
        let weights = Weights::random(tensor_type, 4, BLOCK);
        assert!(both_ways(kernels, &weights, (0..4, 0..BLOCK), true).is_some());
    }
    let others = Weights::random(TensorType::F32, 4, BLOCK);
    assert!(both_ways(kernels, &others, (0..4, 0..BLOCK), true).is_none());
}
