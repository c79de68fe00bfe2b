//! ggml's own decoding of stored weights, for types that chela does not decode itself. Part of the FFI; only `engine`
//! may use it.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every block says why it is sound")]

use std::os::raw::c_void;

use llama_cpp_sys_2 as sys;

use crate::gguf::TensorType;

use super::init;

type ToFloat = unsafe extern "C" fn(*const c_void, *mut f32, i64);

pub(in crate::engine) fn decodes(tensor_type: TensorType) -> bool {
    to_float(tensor_type).is_some()
}

/// False, and `out` is as it was, when ggml cannot decode the type or the sizes do not belong together.
pub(in crate::engine) fn dequantize(tensor_type: TensorType, blocks: &[u8], out: &mut [f32]) -> bool {
    let Some(to_float) = to_float(tensor_type) else { return false };
    let Ok(n) = i64::try_from(out.len()) else { return false };
    if expected_bytes(tensor_type, out.len()) != Some(blocks.len()) {
        return false;
    }
    let copy;
    let blocks = if is_aligned(tensor_type, blocks) {
        blocks.as_ptr().cast::<c_void>()
    } else {
        copy = aligned_copy(blocks);
        copy.as_ptr().cast()
    };
    // SAFETY: `blocks` points to as many whole, aligned blocks as `n` weights take, `out` has room for `n` numbers; all
    // ggml decoders read and write no more than that, keep no pointer, and accept any bytes.
    unsafe { to_float(blocks, out.as_mut_ptr(), n) };
    true
}

fn to_float(tensor_type: TensorType) -> Option<ToFloat> {
    init();
    // SAFETY: a `TensorType` is a row of ggml's own table, which is static.
    unsafe { sys::ggml_get_type_traits(tensor_type.id()).as_ref() }?.to_float
}

/// Bytes that `n_weights` take. `None` if they are not whole blocks.
fn expected_bytes(tensor_type: TensorType, n_weights: usize) -> Option<usize> {
    let n_weights = u64::try_from(n_weights).ok()?;
    if !n_weights.is_multiple_of(tensor_type.block_len()) {
        return None;
    }
    let bytes = (n_weights / tensor_type.block_len()).checked_mul(tensor_type.block_bytes())?;
    usize::try_from(bytes).ok()
}

/// A C struct's size is a multiple of its alignment, so the largest power of two in the size is enough.
fn is_aligned(tensor_type: TensorType, blocks: &[u8]) -> bool {
    let alignment = 1 << tensor_type.block_bytes().trailing_zeros().min(3);
    blocks.as_ptr().addr().is_multiple_of(alignment)
}

fn aligned_copy(blocks: &[u8]) -> Vec<u64> {
    let (words, rest) = blocks.as_chunks();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(last, byte)| *last = *byte);
    words.iter().chain(std::iter::once(&last)).map(|word| u64::from_ne_bytes(*word)).collect()
}

/// Rows of weights, quantized by ggml: what tests decode.
#[cfg(test)]
pub(in crate::engine) fn quantize(tensor_type: TensorType, weights: &[f32], row_len: usize) -> Vec<u8> {
    let mut blocks = vec![0_u64; expected_bytes(tensor_type, weights.len()).unwrap().div_ceil(8)];
    let n_rows = i64::try_from(weights.len() / row_len).unwrap();
    let row_len = i64::try_from(row_len).unwrap();
    // SAFETY: the buffer has the size of the quantized weights and is aligned for any block.
    let n_bytes = unsafe {
        let out = blocks.as_mut_ptr().cast();
        let imatrix = std::ptr::null();
        sys::ggml_quantize_chunk(tensor_type.id(), weights.as_ptr(), out, 0, n_rows, row_len, imatrix)
    };
    blocks.iter().flat_map(|word| word.to_ne_bytes()).take(n_bytes).collect()
}
