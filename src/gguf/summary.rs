//! What a person wants to know about a model file, from its header.

use std::collections::BTreeMap;

use super::value::Value;
use super::{Gguf, TRAINABLE, TensorType};

/// A model file in a few values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// For example `qwen3`; `unknown` when the file does not say.
    pub architecture: String,
    /// The model's own name, when the file has one.
    pub name: Option<String>,
    /// Number of weights in this file.
    pub n_params: u64,
    /// For example `Q4_K_M`; from `general.file_type`, else the type that most bytes are in.
    pub quantization: String,
    /// Tokens of context the model was made for.
    pub context_length: Option<u64>,
    pub n_vocab: usize,
    pub has_chat_template: bool,
    /// Whether the model is made for embeddings: it states how to pool them.
    pub has_embeddings: bool,
    /// `Err`: the sentence that says why it cannot be trained. It is served, and taught by lessons, all the same.
    pub trainable: Result<(), String>,
}

/// Reads the summary off a header.
pub fn summarize(gguf: &Gguf) -> Summary {
    let architecture = gguf.architecture().unwrap_or("unknown").to_owned();
    let pooling = gguf.of_architecture("pooling_type").and_then(Value::as_uint);
    Summary {
        name: gguf.metadata.text("general.name").map(str::to_owned),
        n_params: gguf.tensors.iter().filter_map(super::TensorEntry::n_elements).fold(0, u64::saturating_add),
        quantization: quantization(gguf),
        context_length: gguf.of_architecture("context_length").and_then(Value::as_uint),
        n_vocab: gguf.tokens().map_or(0, super::Strings::len),
        has_chat_template: gguf.metadata.text("tokenizer.chat_template").is_some_and(|text| !text.is_empty()),
        has_embeddings: pooling.is_some_and(|pooling| pooling != 0),
        trainable: trainable(&architecture),
        architecture,
    }
}

fn trainable(architecture: &str) -> Result<(), String> {
    if TRAINABLE.contains(&architecture) {
        return Ok(());
    }
    Err(format!(
        "it has the architecture {architecture}, and the trainer knows {}; lessons still work",
        TRAINABLE.join(", ")
    ))
}

fn quantization(gguf: &Gguf) -> String {
    let stated = gguf.metadata.uint("general.file_type").and_then(file_type_name);
    stated.or_else(|| dominant_type(gguf).map(TensorType::name)).unwrap_or("no weights").to_owned()
}

/// `enum llama_ftype` of llama.h.
fn file_type_name(id: u64) -> Option<&'static str> {
    Some(match id {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4_MOE",
        39 => "NVFP4",
        40 => "Q1_0",
        41 => "Q2_0",
        _ => return None,
    })
}

fn dominant_type(gguf: &Gguf) -> Option<TensorType> {
    let mut bytes = BTreeMap::<TensorType, u64>::new();
    for tensor in &gguf.tensors {
        let sum = bytes.entry(tensor.tensor_type).or_default();
        *sum = sum.saturating_add(tensor.n_bytes().unwrap_or(0));
    }
    bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(tensor_type, _)| tensor_type)
}
