//! Every native type has the bits of ggml's own decoding, from any bytes.
#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "test data is small")]

use proptest::prelude::*;

use super::{Native, dequantize};
use crate::engine::{ggml_dequantize, ggml_quantize};
use crate::gguf::TensorType;

fn by_name(name: &str) -> TensorType {
    TensorType::all().find(|tensor_type| tensor_type.name() == name).unwrap()
}

/// All native types that ggml decodes too: F32 needs no decoding there.
fn natives() -> impl Iterator<Item = (Native, TensorType)> {
    let native = |tensor_type| Native::of(tensor_type).map(|native| (native, tensor_type));
    TensorType::all().filter(|tensor_type| *tensor_type != TensorType::F32).filter_map(native)
}

fn ours(kind: Native, tensor_type: TensorType, blocks: &[u8]) -> Vec<f32> {
    let n_blocks = blocks.len() as u64 / tensor_type.block_bytes();
    let mut out = vec![f32::NAN; (n_blocks * tensor_type.block_len()) as usize];
    dequantize(kind, blocks, &mut out);
    out
}

fn theirs(tensor_type: TensorType, blocks: &[u8]) -> Vec<f32> {
    let n_blocks = blocks.len() as u64 / tensor_type.block_bytes();
    let mut out = vec![0.0; (n_blocks * tensor_type.block_len()) as usize];
    assert!(ggml_dequantize(tensor_type, blocks, &mut out));
    out
}

/// The same bits; which NaN a computation gives is up to the CPU.
#[track_caller]
fn check_equal(kind: Native, tensor_type: TensorType, blocks: &[u8]) {
    let (ours, theirs) = (ours(kind, tensor_type, blocks), theirs(tensor_type, blocks));
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let same = ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan());
        assert!(same, "{tensor_type} weight {at}: {ours:e} here, {theirs:e} in ggml");
    }
}

/// The sum of four uniform numbers is nearly normal.
fn gaussian(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    };
    (0..n).map(|_| (uniform() + uniform() + uniform() + uniform()) * 0.05).collect()
}

fn root_mean_square(numbers: impl Iterator<Item = f32>) -> f32 {
    let squares: Vec<f32> = numbers.map(|number| number * number).collect();
    (squares.iter().sum::<f32>() / squares.len() as f32).sqrt()
}

/// Quantizes normal weights, decodes them, and compares with ggml and with the weights. `bound`: relative error.
#[track_caller]
fn check_weights(name: &str, bound: f32) {
    let tensor_type = by_name(name);
    let weights = gaussian(16 * 512, 0x2545_f491_4f6c_dd1d);
    let blocks = ggml_quantize(tensor_type, &weights, 512);
    let decoded = match Native::of(tensor_type) {
        Some(kind) => {
            check_equal(kind, tensor_type, &blocks);
            ours(kind, tensor_type, &blocks)
        }
        None => theirs(tensor_type, &blocks),
    };
    let error = root_mean_square(weights.iter().zip(&decoded).map(|(weight, decoded)| weight - decoded));
    let size = root_mean_square(weights.iter().copied());
    assert!(error < bound * size, "{name}: relative error {}", error / size);
    assert!(error > 0.01 * bound * size, "{name}: relative error {} is too good", error / size);
}

#[test]
fn float_formats_keep_the_weights() {
    check_weights("F16", 1e-3);
    check_weights("BF16", 1e-2);
}

#[test]
fn blocks_of_32_are_decoded_as_in_ggml() {
    check_weights("Q8_0", 0.02);
    check_weights("Q5_0", 0.06);
    check_weights("Q5_1", 0.06);
    check_weights("Q4_0", 0.15);
    check_weights("Q4_1", 0.15);
}

#[test]
fn blocks_of_256_are_decoded_as_in_ggml() {
    check_weights("Q6_K", 0.04);
    check_weights("Q5_K", 0.06);
    check_weights("Q4_K", 0.15);
    check_weights("Q3_K", 0.3);
    check_weights("Q2_K", 0.5);
}

#[test]
fn what_is_not_native_is_decoded_by_ggml() {
    for (name, bound) in [("IQ4_NL", 0.15), ("IQ4_XS", 0.15), ("IQ3_S", 0.3), ("TQ2_0", 1.0), ("MXFP4", 0.3)]
    {
        assert_eq!(Native::of(by_name(name)), None);
        check_weights(name, bound);
    }
}

#[test]
fn every_half_precision_number_is_exact() {
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    check_equal(Native::F16, TensorType::F16, &bytes);
    check_equal(Native::Bf16, TensorType::BF16, &bytes);
}

#[track_caller]
fn check_half(bits: u16, expected: f32) {
    assert_eq!(super::half(bits).to_bits(), expected.to_bits(), "{bits:#06x}");
}

#[test]
fn known_half_precision_numbers() {
    check_half(0x0000, 0.0);
    check_half(0x8000, -0.0);
    check_half(0x3c00, 1.0);
    check_half(0xc000, -2.0);
    check_half(0x7bff, 65504.0);
    check_half(0x0400, 6.103_515_6e-5);
    check_half(0x03ff, 6.097_555e-5);
    check_half(0x0001, 5.960_464_5e-8);
    check_half(0x7c00, f32::INFINITY);
    check_half(0xfc00, f32::NEG_INFINITY);
    assert!(super::half(0x7c01).is_nan() && super::half(0xfe00).is_nan());
}

#[test]
fn single_precision_is_copied() {
    let numbers = [0.0, -0.0, 1.5, f32::MIN_POSITIVE / 8.0, f32::INFINITY, -3.25e30];
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let decoded = ours(Native::F32, TensorType::F32, &bytes);
    assert_eq!(decoded.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), numbers.map(f32::to_bits));
}

#[test]
fn all_types_of_the_list_are_native() {
    let names: Vec<&str> = natives().map(|(_, tensor_type)| tensor_type.name()).collect();
    let expected = "F16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K BF16";
    assert_eq!(names.join(" "), expected);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_as_in_ggml(n_blocks in 1..9_usize, bytes in prop::collection::vec(any::<u8>(), 8 * 210)) {
        for (kind, tensor_type) in natives() {
            let blocks = &bytes[..n_blocks * tensor_type.block_bytes() as usize];
            check_equal(kind, tensor_type, blocks);
        }
    }

    #[test]
    fn a_part_of_a_row_is_decoded_like_the_row(
        start in 0..8_usize,
        len in 0..8_usize,
        bytes in prop::collection::vec(any::<u8>(), 8 * 210),
    ) {
        for (kind, tensor_type) in natives() {
            let (block_len, block_bytes) =
                (tensor_type.block_len() as usize, tensor_type.block_bytes() as usize);
            let range = start..(start + len).min(8);
            let whole = ours(kind, tensor_type, &bytes[..8 * block_bytes]);
            if range.is_empty() {
                continue;
            }
            let part = ours(kind, tensor_type, &bytes[range.start * block_bytes..range.end * block_bytes]);
            let expected = &whole[range.start * block_len..range.end * block_len];
            prop_assert!(part.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
