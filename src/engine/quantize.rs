//! Requantizing a model file. Used by `model` and `cli`.

use std::path::Path;

use super::{EngineError, ffi};

/// A quantization that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantization {
    /// As it stands in file names, e.g. `Q4_K_M`.
    pub name: &'static str,
    /// Hundredths of a bit per weight, over a typical model.
    pub centibits: u64,
    /// llama.cpp's number for it (`llama_ftype`).
    ftype: u32,
}

/// All of them, best quality first.
pub const QUANTIZATIONS: &[Quantization] = &[
    quantization("F16", 1600, 1),
    quantization("Q8_0", 850, 7),
    quantization("Q6_K", 659, 18),
    quantization("Q5_K_M", 569, 17),
    quantization("Q5_K_S", 554, 16),
    quantization("Q5_0", 554, 8),
    quantization("Q4_K_M", 485, 15),
    quantization("Q4_K_S", 458, 14),
    quantization("Q4_0", 455, 2),
    quantization("Q3_K_M", 391, 12),
    quantization("Q2_K", 335, 10),
];

const fn quantization(name: &'static str, centibits: u64, ftype: u32) -> Quantization {
    Quantization { name, centibits, ftype }
}

/// Writes `source` to `output` as `kind`. Blocks for seconds to minutes; the caller names the output so that a
/// broken run leaves no model behind (write to a part file, then rename).
pub fn quantize(source: &Path, output: &Path, kind: Quantization) -> Result<(), EngineError> {
    let refuse = |reason| EngineError::Load { path: source.display().to_string(), reason };
    ffi::quantize(source, output, kind.ftype, num_cpus::get_physical()).map_err(refuse)
}
