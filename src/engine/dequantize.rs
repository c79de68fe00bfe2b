//! Decoding of stored weights by ggml, for the trainer: any type that llama.cpp serves.

use super::ffi;
use crate::gguf::TensorType;

/// Whether ggml can turn weights of this type into numbers.
pub(crate) fn ggml_decodes(tensor_type: TensorType) -> bool {
    ffi::decodes(tensor_type)
}

/// Decodes whole blocks into exactly as many numbers. False, and `out` is as it was, when ggml cannot decode the type
/// or the sizes do not belong together.
pub(crate) fn ggml_dequantize(tensor_type: TensorType, blocks: &[u8], out: &mut [f32]) -> bool {
    ffi::dequantize(tensor_type, blocks, out)
}

/// Rows of weights, quantized by ggml: what tests decode.
#[cfg(test)]
pub(crate) fn ggml_quantize(tensor_type: TensorType, weights: &[f32], row_len: usize) -> Vec<u8> {
    ffi::quantize_rows(tensor_type, weights, row_len)
}

#[cfg(test)]
mod tests {
    use super::{ggml_decodes, ggml_dequantize};
    use crate::gguf::TensorType;

    fn by_name(name: &str) -> TensorType {
        TensorType::all().find(|tensor_type| tensor_type.name() == name).unwrap()
    }

    #[test]
    fn whole_numbers_and_work_formats_are_not_weights() {
        for name in ["I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"] {
            assert!(!ggml_decodes(by_name(name)), "{name}");
            assert!(!ggml_dequantize(by_name(name), &[0; 292], &mut [0.0; 256]));
        }
        for name in ["IQ2_XXS", "IQ4_NL", "TQ2_0", "MXFP4", "NVFP4", "Q4_K"] {
            assert!(ggml_decodes(by_name(name)), "{name}");
        }
    }

    #[test]
    fn sizes_that_do_not_belong_together_change_nothing() {
        let mut out = [7.0; 32];
        assert!(!ggml_dequantize(TensorType::Q8_0, &[0; 33], &mut out));
        assert!(!ggml_dequantize(TensorType::Q8_0, &[0; 68], &mut out));
        assert!(!ggml_dequantize(TensorType::Q8_0, &[0; 34], &mut out[..31]));
        assert!(out.iter().all(|number| number.to_bits() == 7.0_f32.to_bits()));
        assert!(ggml_dequantize(TensorType::Q8_0, &[0; 34], &mut out));
        assert!(out.iter().all(|number| number.to_bits() == 0));
    }

    #[test]
    fn blocks_that_begin_anywhere_in_memory_decode_alike() {
        let blocks: Vec<u8> = (0..=255_u8).cycle().take(264).collect();
        let bits = |blocks: &[u8]| {
            let mut out = vec![0.0; 1024];
            assert!(ggml_dequantize(by_name("IQ2_XXS"), blocks, &mut out));
            out.iter().map(|number: &f32| number.to_bits()).collect::<Vec<_>>()
        };
        for start in 0..8 {
            let mut moved = vec![0; start];
            moved.extend_from_slice(&blocks);
            assert_eq!(bits(&moved[start..]), bits(&blocks), "{start}");
        }
    }
}
