//! Requantizing a model file. Used by `model` and `cli`.

use std::path::Path;

use super::{EngineError, ffi};

/// The quantizations that can be asked for, with llama.cpp's number for each, best quality first.
const KINDS: &[(&str, u32)] = &[
    ("F16", 1),
    ("Q8_0", 7),
    ("Q6_K", 18),
    ("Q5_K_M", 17),
    ("Q5_0", 8),
    ("Q4_K_M", 15),
    ("Q4_0", 2),
    ("IQ4_NL", 25),
    ("Q3_K_M", 12),
    ("Q2_K", 10),
];

/// Names that [`quantize`] accepts, best quality first.
pub fn quantizations() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _)| *name)
}

/// Writes `source` to `output` as `kind`. Blocks for seconds to minutes; the caller names the output so that a
/// broken run leaves no model behind (write to a part file, then rename).
pub fn quantize(source: &Path, output: &Path, kind: &str) -> Result<(), EngineError> {
    let refuse = |reason: String| EngineError::Load { path: source.display().to_string(), reason };
    let known = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
    let Some((_, ftype)) = known else {
        let names: Vec<_> = quantizations().collect();
        return Err(refuse(format!(
            "there is no quantization \"{kind}\"; choose one of {}",
            names.join(", ")
        )));
    };
    ffi::quantize(source, output, *ftype, num_cpus::get_physical()).map_err(refuse)
}
