//! Can the vocabulary hold any text, and does llama.cpp survive reading it?
//!
//! The traps, from `llama-vocab.cpp`: a `SentencePiece` vocabulary without byte tokens throws a C++ exception through
//! the C API at the first character it does not have; two equal tokens fail an assertion; `add_bos_token` without
//! a BOS token fails another. Each ends the process.

use std::collections::HashSet;
use std::fmt;

use crate::gguf::{Array, Gguf, Strings, Value};
use crate::model::tokenizer::byte_chars;

/// What is wrong with a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VocabularyProblem {
    Missing(&'static str),
    WrongType(&'static str),
    UnknownModel(String),
    NoModel,
    Empty,
    /// Text bytes that no token stands for.
    MissingBytes(Vec<u8>),
    Duplicate {
        token: String,
        id: usize,
    },
    TooShort {
        key: &'static str,
        n: usize,
        n_tokens: usize,
    },
    /// A token is to be added to every prompt, but the file does not say which.
    NoSuchToken {
        flag: &'static str,
        key: &'static str,
    },
}

impl fmt::Display for VocabularyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = "convert the model again";
        match self {
            Self::Missing(key) => write!(f, "{key} is missing; {again}"),
            Self::WrongType(key) => write!(f, "{key} has the wrong type; {again}"),
            Self::UnknownModel(model) => {
                write!(
                    f,
                    "the llama.cpp in this program does not know the tokenizer {model}; choose another model"
                )
            }
            Self::NoModel => write!(f, "the file has none, so it cannot read text; choose another model"),
            Self::Empty => write!(f, "it has no tokens; {again}"),
            Self::MissingBytes(bytes) => write!(
                f,
                "{} of 256 bytes have no token (first: 0x{:02X}), so some text cannot be read; {again} with byte tokens, or choose another model",
                bytes.len(),
                bytes.first().copied().unwrap_or(0),
            ),
            Self::Duplicate { token, id } => write!(f, "token {id} ({token:?}) is there twice; {again}"),
            Self::TooShort { key, n, n_tokens } => {
                write!(f, "{key} has {n} entries for {n_tokens} tokens; {again}")
            }
            Self::NoSuchToken { flag, key } => {
                write!(f, "{flag} is set, but {key} names no token of it; {again}")
            }
        }
    }
}

const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";
/// Names that `llama_vocab::impl::load` knows; `none` and `no_vocab` are refused here.
const MODELS: &[&str] =
    &["llama", "bert", "gpt2", "hybriddna", "whitespace", "t5", "rwkv", "plamo2", "gemma4", "test"];
/// Keys of special token ids.
const SPECIAL_IDS: &[&str] = &[
    "bos_token_id",
    "eos_token_id",
    "eot_token_id",
    "eom_token_id",
    "unknown_token_id",
    "seperator_token_id",
    "padding_token_id",
    "mask_token_id",
    "fim_pre_token_id",
    "fim_suf_token_id",
    "fim_mid_token_id",
    "fim_pad_token_id",
    "fim_rep_token_id",
    "fim_sep_token_id",
];
/// Pre-tokenizers that unset the default BOS token.
const WITHOUT_DEFAULT_BOS: &[&str] = &["chatglm-bpe", "glm4", "glm5"];

pub(super) fn check(gguf: &Gguf, warnings: &mut Vec<String>) -> Result<(), VocabularyProblem> {
    let model = gguf.metadata.text(MODEL).ok_or(VocabularyProblem::Missing(MODEL))?;
    if matches!(model, "none" | "no_vocab") {
        return Err(VocabularyProblem::NoModel);
    }
    if !MODELS.contains(&model) {
        return Err(VocabularyProblem::UnknownModel(model.to_owned()));
    }
    let tokens = match gguf.metadata.get(TOKENS) {
        None => return Err(VocabularyProblem::Missing(TOKENS)),
        Some(Value::Array(Array::Strings(tokens))) => tokens,
        Some(_) => return Err(VocabularyProblem::WrongType(TOKENS)),
    };
    if tokens.is_empty() {
        return Err(VocabularyProblem::Empty);
    }
    check_columns(gguf, model, tokens.len())?;
    let texts = distinct(tokens)?;
    check_bytes(gguf, model, &texts, warnings)?;
    check_special_ids(gguf, model, tokens.len(), warnings)
}

/// The arrays beside the tokens.
fn check_columns(gguf: &Gguf, model: &str, n_tokens: usize) -> Result<(), VocabularyProblem> {
    for (key, is_right) in [
        (TYPES, (|value| matches!(value, Value::Array(Array::I32(_)))) as fn(&Value) -> bool),
        (SCORES, |value| matches!(value, Value::Array(Array::F32(_) | Array::I32(_)))),
    ] {
        match gguf.metadata.get(key) {
            Some(value) if !is_right(value) => return Err(VocabularyProblem::WrongType(key)),
            Some(Value::Array(array)) if array.len() < n_tokens => {
                return Err(VocabularyProblem::TooShort { key, n: array.len(), n_tokens });
            }
            _ => {}
        }
    }
    let pre = gguf.metadata.text("tokenizer.ggml.pre");
    match gguf.metadata.get(MERGES) {
        None if matches!(model, "gpt2" | "gemma4" | "hybriddna" | "whitespace") && pre != Some("kimi-k2") => {
            Err(VocabularyProblem::Missing(MERGES))
        }
        None | Some(Value::Array(Array::Strings(_))) => Ok(()),
        Some(_) => Err(VocabularyProblem::WrongType(MERGES)),
    }
}

/// llama.cpp asserts that no two tokens are equal. Empty ones it renames.
fn distinct(tokens: &Strings) -> Result<HashSet<&[u8]>, VocabularyProblem> {
    let mut texts = HashSet::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        if !token.is_empty() && !texts.insert(token) {
            let token = String::from_utf8_lossy(token).into_owned();
            return Err(VocabularyProblem::Duplicate { token, id });
        }
    }
    Ok(texts)
}

fn check_bytes(
    gguf: &Gguf,
    model: &str,
    texts: &HashSet<&[u8]>,
    warnings: &mut Vec<String>,
) -> Result<(), VocabularyProblem> {
    let pre = gguf.metadata.text("tokenizer.ggml.pre").unwrap_or_default();
    let spelled_out = matches!(model, "llama" | "gemma4")
        || matches!(pre, "gemma4" | "granite-embed-multi-311m" | "mmbert" | "sarvam-moe");
    let missing: Vec<u8> = if spelled_out {
        (0..=u8::MAX).filter(|byte| !has_spelled_out_byte(texts, *byte)).collect()
    } else if model == "gpt2" && pre != "whitespace" {
        let chars = byte_chars();
        let has = |byte: &u8| {
            chars.get(usize::from(*byte)).is_some_and(|char| texts.contains(char.to_string().as_bytes()))
        };
        (0..=u8::MAX).filter(|byte| !has(byte)).collect()
    } else {
        return Ok(());
    };
    if missing.is_empty() {
        return Ok(());
    }
    // A byte-level vocabulary drops bytes that it lacks; those that no UTF-8 text has cannot be missed.
    if !spelled_out && missing.iter().all(|byte| matches!(byte, 0xC0 | 0xC1 | 0xF5..)) {
        warnings.push(format!("{} bytes that no text contains have no token", missing.len()));
        return Ok(());
    }
    Err(VocabularyProblem::MissingBytes(missing))
}

/// `SentencePiece`: `<0x0A>`, or the character itself.
fn has_spelled_out_byte(texts: &HashSet<&[u8]>, byte: u8) -> bool {
    texts.contains(format!("<0x{byte:02X}>").as_bytes()) || texts.contains([byte].as_slice())
}

fn check_special_ids(
    gguf: &Gguf,
    model: &str,
    n_tokens: usize,
    warnings: &mut Vec<String>,
) -> Result<(), VocabularyProblem> {
    for key in SPECIAL_IDS {
        match gguf.metadata.uint(&format!("tokenizer.ggml.{key}")) {
            Some(id) if id == u64::from(u32::MAX) => {
                warnings.push(format!("{key} is 4294967295, read as none"));
            }
            Some(id) if id >= n_tokens as u64 => {
                warnings.push(format!("{key} is {id}, beyond the {n_tokens} tokens; read as none"));
            }
            _ => {}
        }
    }
    let names_a_token = |key: &str| gguf.metadata.uint(key).is_some_and(|id| id < n_tokens as u64);
    let pre = gguf.metadata.text("tokenizer.ggml.pre").unwrap_or_default();
    let has_ids = matches!(model, "llama" | "gpt2" | "hybriddna" | "whitespace" | "plamo2");
    let bos_has_default = (has_ids || model == "bert") && !WITHOUT_DEFAULT_BOS.contains(&pre);
    let eos_has_default = has_ids || model == "t5";
    for (flag, key, has_default) in [
        ("tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id", bos_has_default),
        ("tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id", eos_has_default),
    ] {
        if gguf.metadata.boolean(flag) == Some(true) && !names_a_token(key) {
            if !has_default {
                return Err(VocabularyProblem::NoSuchToken { flag, key });
            }
            warnings.push(format!("{flag} is set without a usable {key}; llama.cpp's default is used"));
        }
    }
    Ok(())
}
