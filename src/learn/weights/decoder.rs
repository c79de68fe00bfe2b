//! Which code decodes a tensor type: ours, or ggml's.

use super::dequantize::{Native, dequantize};
use crate::engine::{ggml_decodes, ggml_dequantize};
use crate::gguf::TensorType;

/// Decodes the blocks of one tensor type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoder {
    /// Inlined into the caller and vectorized for its CPU features.
    Native(Native),
    /// A call into ggml.
    Ggml(TensorType),
}

impl Decoder {
    /// `None` for types that nobody decodes: whole numbers, and formats that are only used inside ggml.
    pub fn of(tensor_type: TensorType) -> Option<Self> {
        Native::of(tensor_type)
            .map(Self::Native)
            .or_else(|| ggml_decodes(tensor_type).then_some(Self::Ggml(tensor_type)))
    }

    /// Decodes whole blocks into as many numbers. For sizes that do not belong together, what cannot be decoded is
    /// left as it was (ours) or everything becomes NaN (ggml's), which no training step survives unnoticed.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "see `dequantize`: inlined into kernels with #[target_feature]")]
    pub(crate) fn decode(self, blocks: &[u8], out: &mut [f32]) {
        match self {
            Self::Native(kind) => dequantize(kind, blocks, out),
            Self::Ggml(tensor_type) => {
                if !ggml_dequantize(tensor_type, blocks, out) {
                    out.fill(f32::NAN);
                }
            }
        }
    }
}
