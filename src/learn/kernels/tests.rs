//! What every set of kernels that this CPU has must compute, against the same in f64.
//!
//! A CPU with AVX-512 also runs the AVX2 kernels here, and all run the plain ones.

mod encoded;
mod panels;
mod products;
mod rows;

use super::{Kernels, available, pick};
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

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

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
