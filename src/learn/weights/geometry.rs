//! The shape of a model, as far as the trainer must know it, from the metadata of its file; pure.
//!
//! What lives here: reading the numbers, and refusing what the trainer would compute differently from llama.cpp
//! (`refusals`). What does not: the tensors themselves (`table`).
//!
//! What always holds: a geometry that was read can be trained exactly as it is served; defaults are those of
//! llama.cpp (`llama_model_base::load_hparams`).

mod refusals;

use super::rope::{Pairing, Rope, Scaling};
use crate::gguf::{Array, Gguf, TRAINABLE, Value};

/// A family of models whose block the trainer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    Llama,
    Qwen2,
    /// Queries and keys are normed for each head.
    Qwen3,
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    pub architecture: Architecture,
    pub n_layers: usize,
    /// Numbers in the residual stream of one token.
    pub width: usize,
    pub ffn_width: usize,
    pub n_heads: usize,
    /// Divides `n_heads`.
    pub n_kv_heads: usize,
    /// Numbers in one head's query, key, or value; even.
    pub head_width: usize,
    pub n_vocab: usize,
    /// Tokens that the model was made for.
    pub context_length: usize,
    pub rms_epsilon: f32,
    pub rope: Rope,
    /// The output layer is the embedding.
    pub tied_head: bool,
}

impl Geometry {
    /// Rows of the query's matrix.
    pub fn q_width(&self) -> usize {
        self.n_heads * self.head_width
    }

    /// Rows of the key's and of the value's matrix.
    pub fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_width
    }

    /// What the product of query and key is multiplied by.
    #[expect(clippy::cast_precision_loss, reason = "heads are narrow")]
    pub fn attention_scale(&self) -> f32 {
        1.0 / (self.head_width as f32).sqrt()
    }
}

impl Architecture {
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    fn pairing(self) -> Pairing {
        match self {
            Self::Llama => Pairing::Neighbours,
            Self::Qwen2 | Self::Qwen3 => Pairing::Halves,
        }
    }
}

/// Reads the shape off a header. The error is the rest of a sentence that begins with the file's name.
pub(super) fn geometry(gguf: &Gguf) -> Result<Geometry, String> {
    let architecture = architecture(gguf)?;
    let keys = Keys { gguf, architecture };
    let (width, n_heads) = (keys.count("embedding_length")?, keys.count("attention.head_count")?);
    let n_kv_heads = keys.count_or("attention.head_count_kv", n_heads)?;
    if !n_heads.is_multiple_of(n_kv_heads) {
        return Err(format!("states {n_heads} heads and {n_kv_heads} of keys, which do not divide them"));
    }
    let context_length = keys.count("context_length")?;
    let head_width = head_width(&keys, width / n_heads)?;
    let geometry = Geometry {
        architecture,
        n_layers: keys.count("block_count")?,
        width,
        ffn_width: keys.count("feed_forward_length")?,
        n_heads,
        n_kv_heads,
        head_width,
        n_vocab: n_vocab(&keys)?,
        context_length,
        rms_epsilon: keys
            .number("attention.layer_norm_rms_epsilon")?
            .ok_or_else(|| keys.missing("attention.layer_norm_rms_epsilon"))?,
        rope: rope(&keys, head_width, context_length)?,
        tied_head: gguf.tensor("output.weight").is_none(),
    };
    refusals::check(gguf, &geometry)?;
    Ok(geometry)
}

fn architecture(gguf: &Gguf) -> Result<Architecture, String> {
    if let Some(kind) = gguf.metadata.text("general.type").filter(|kind| *kind != "model") {
        return Err(format!("is no model but of the type {kind}"));
    }
    if let Some(parts) = gguf.metadata.uint("split.count").filter(|parts| *parts > 1) {
        return Err(format!(
            "is one of {parts} parts, and the trainer reads one file; join them with llama-gguf-split --merge"
        ));
    }
    match gguf.architecture() {
        Some("llama") => Ok(Architecture::Llama),
        Some("qwen2") => Ok(Architecture::Qwen2),
        Some("qwen3") => Ok(Architecture::Qwen3),
        other => Err(format!(
            "has the architecture {}, and the trainer knows {}",
            other.unwrap_or("unknown"),
            TRAINABLE.join(", ")
        )),
    }
}

fn head_width(keys: &Keys<'_>, default: usize) -> Result<usize, String> {
    let key = keys.count_or("attention.key_length", default)?;
    let value = keys.count_or("attention.value_length", default)?;
    if key != value {
        return Err(format!("has keys of {key} numbers and values of {value}; the trainer knows equal ones"));
    }
    if !key.is_multiple_of(2) {
        return Err(format!("has heads of {key} numbers, which cannot be turned in pairs"));
    }
    Ok(key)
}

/// As many tokens as the vocabulary has; a file without one states the number.
fn n_vocab(keys: &Keys<'_>) -> Result<usize, String> {
    match keys.gguf.tokens() {
        Some(tokens) if !tokens.is_empty() => Ok(tokens.len()),
        _ => keys.count("vocab_size"),
    }
}

fn rope(keys: &Keys<'_>, head_width: usize, context_length: usize) -> Result<Rope, String> {
    let n_rotated = keys.count_or("rope.dimension_count", head_width)?;
    if !n_rotated.is_multiple_of(2) || n_rotated > head_width {
        return Err(format!("turns {n_rotated} numbers of heads that have {head_width}"));
    }
    let base = keys.number("rope.freq_base")?.unwrap_or(10_000.0);
    if !(base.is_finite() && base > 1.0) {
        return Err(format!("states a rotary base of {base}"));
    }
    Ok(Rope {
        n_rotated,
        pairing: keys.architecture.pairing(),
        base,
        scaling: scaling(keys, context_length)?,
        magnitude: keys.number("rope.scaling.attn_factor")?.unwrap_or(1.0),
    })
}

/// A file that says nothing scales linearly by 1, and a factor of 0 means 1, as in llama.cpp.
fn scaling(keys: &Keys<'_>, context_length: usize) -> Result<Scaling, String> {
    let stated = match keys.number("rope.scaling.factor")? {
        None => keys.number("rope.scale_linear")?,
        factor => factor,
    };
    let factor = stated.filter(|factor| *factor != 0.0).unwrap_or(1.0);
    if !(factor.is_finite() && factor > 0.0) {
        return Err(format!("scales its rotary positions by {factor}"));
    }
    let kind = keys.get("rope.scaling.type").map_or(Some("linear"), Value::as_text);
    match kind {
        Some("none") => Ok(Scaling::None),
        #[expect(clippy::float_cmp, reason = "exactly 1 means that nothing is scaled")]
        Some("linear") if factor == 1.0 => Ok(Scaling::None),
        Some("linear") => Ok(Scaling::Linear { factor }),
        Some("yarn") => {
            let original_context = keys.count_or("rope.scaling.original_context_length", context_length)?;
            Ok(Scaling::Yarn { factor, original_context })
        }
        other => Err(format!(
            "scales its rotary positions by the method {}, and the trainer knows none, linear and yarn",
            other.unwrap_or("that is no text")
        )),
    }
}

/// The metadata of one architecture: keys are written without its name.
struct Keys<'a> {
    gguf: &'a Gguf,
    architecture: Architecture,
}

/// No count in a real model comes near, and products of two of them fit 64 bits.
const MAX_COUNT: u64 = 1 << 24;

impl Keys<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.gguf.of_architecture(key)
    }

    fn missing(&self, key: &str) -> String {
        format!("does not state {}.{key}; convert the model again", self.architecture.name())
    }

    fn count(&self, key: &str) -> Result<usize, String> {
        let value = self.get(key).ok_or_else(|| self.missing(key))?;
        self.count_of(key, value)
    }

    fn count_or(&self, key: &str, default: usize) -> Result<usize, String> {
        let default = if default == 0 { Err(self.missing(key)) } else { Ok(default) };
        self.get(key).map_or(default, |value| self.count_of(key, value))
    }

    /// A positive number; an array with the same number for every layer counts as that number.
    fn count_of(&self, key: &str, value: &Value) -> Result<usize, String> {
        let name = format!("{}.{key}", self.architecture.name());
        let number = match value {
            Value::Array(array) => uniform(array).ok_or_else(|| {
                format!("has layers that differ in {name}, and the trainer knows models of equal layers")
            })?,
            value => value.as_uint().ok_or_else(|| format!("states no whole number as {name}"))?,
        };
        if number == 0 || number > MAX_COUNT {
            return Err(format!("states {number} as {name}, which cannot be"));
        }
        usize::try_from(number).map_err(|_| format!("states {number} as {name}, which cannot be"))
    }

    fn number(&self, key: &str) -> Result<Option<f32>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::F32(number)) if number.is_finite() => Ok(Some(*number)),
            Some(_) => Err(format!("states no finite 32-bit number as {}.{key}", self.architecture.name())),
        }
    }
}

/// The number that all elements are; `None` when they differ, or are not whole.
fn uniform(array: &Array) -> Option<u64> {
    let numbers: Vec<u64> = match array {
        Array::U32(items) => items.iter().copied().map(u64::from).collect(),
        Array::I32(items) => items.iter().map(|item| u64::try_from(*item).ok()).collect::<Option<_>>()?,
        Array::U64(items) => items.clone(),
        Array::I64(items) => items.iter().map(|item| u64::try_from(*item).ok()).collect::<Option<_>>()?,
        _ => return None,
    };
    let (first, rest) = numbers.split_first()?;
    rest.iter().all(|number| number == first).then_some(*first)
}

#[cfg(test)]
mod tests;
