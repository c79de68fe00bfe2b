//! Kernels for CPUs with AVX-512 and bf16 dot products (Zen 4, Cooper Lake, Sapphire Rapids): bf16 operands, f32 sums.
//!
//! Operands are rounded to nearest even while they are packed; `vdpbf16ps` multiplies two pairs per lane at once.
#![expect(unsafe_code, reason = "SIMD intrinsics and calls into functions with CPU features")]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_si512,
    _mm512_permutexvar_epi16, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512,
};
use std::mem::transmute;
use std::ops::Range;

use super::avx512::{
    self, Avx512, LANES, LEFT, RIGHT, kernels_of, load, panels, store, store_sum, transpose,
};
use super::{Encoded, Kernels, Panels, Rows, Run, Shape, Tile, elementwise, encoded};
use crate::learn::loss::reference::Reference;
use crate::learn::weights::Decoder;

/// AVX-512 with bf16 operands.
pub(super) struct Avx512Bf16(());

impl Avx512Bf16 {
    pub(super) fn detect() -> Option<Self> {
        (Avx512::detect().is_some() && is_x86_feature_detected!("avx512bf16")).then_some(Self(()))
    }
}

/// 32 floats as 16 words of two bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn to_words(low: __m512, high: __m512) -> __m512i {
    let pairs = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both are 512 bits of plain numbers.
    unsafe { transmute::<__m512bh, __m512i>(pairs) }
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn words_of_row(row: &[f32], at: usize) -> __m512i {
    let rest = &row[at..];
    let (low, high) = rest[..rest.len().min(2 * LANES)].split_at(rest.len().min(LANES));
    to_words(load(low), load(high))
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn words_of_column(even: &[f32], odd: &[f32]) -> __m512i {
    /// Turns `e0 … e15 o0 … o15` into `e0 o0 e1 o1 …`.
    const INTERLEAVED: [u16; 32] = [
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
        14, 30, 15, 31,
    ];
    // SAFETY: 64 bytes of plain numbers.
    let order = unsafe { _mm512_loadu_si512(INTERLEAVED.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, to_words(load(even), load(odd)))
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn step(sum: __m512, left: __m512i, right: __m512i) -> __m512 {
    // SAFETY: all are 512 bits of plain numbers.
    unsafe {
        _mm512_dpbf16_ps(sum, transmute::<__m512i, __m512bh>(left), transmute::<__m512i, __m512bh>(right))
    }
}

panels!(2, "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c,avx2");

kernels_of!(
    Avx512Bf16,
    "avx512-bf16",
    2,
    "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c,avx2",
    fn pack_encoded_rows(
        &self,
        from: &Encoded<'_>,
        cols: &Range<usize>,
        k: &Range<usize>,
        into: &mut Panels<'_>,
    ) -> bool {
        let Some(kind) = encoded::Kind::of(from.decoder) else { return false };
        // SAFETY: `self` exists only where its features were detected.
        unsafe { encoded::pack_rows(kind, from, cols, k, into) };
        true
    },
    fn pack_encoded_columns(
        &self,
        from: &Encoded<'_>,
        cols: &Range<usize>,
        k: &Range<usize>,
        into: &mut Panels<'_>,
    ) -> bool {
        let Some(kind) = encoded::Kind::of(from.decoder) else { return false };
        // SAFETY: `self` exists only where its features were detected.
        unsafe { encoded::pack_columns(kind, from, cols, k, into) };
        true
    }
);
