//! The model file format, GGUF: header, metadata, tensor table, and writing all three.
//!
//! What lives here: reading a header from any reader, typed metadata, the table of ggml tensor types, a streaming
//! writer, a summary for people. What does not: the weights themselves, whether llama.cpp can use the file
//! (`model::check`), finding and downloading files (`model`).
//!
//! What always holds: a length that the file states is never trusted. Memory grows with bytes that were read, an
//! absurd length is an error, and no input panics.

mod error;
mod read;
mod summary;
mod tensor_type;
mod value;
mod write;

use std::collections::BTreeMap;

pub use error::{GgufError, LooksLike};
pub use summary::{Summary, summarize};
pub use tensor_type::TensorType;
pub use value::{Array, Strings, StringsIter, Value};
pub use write::{Draft, Fill, WriteError};

/// The format version that is written. Versions 2 and 3 are read.
pub const VERSION: u32 = 3;
/// Where tensor data is aligned when `general.alignment` does not say otherwise.
pub const DEFAULT_ALIGNMENT: u64 = 32;
/// The key that says otherwise.
pub const ALIGNMENT_KEY: &str = "general.alignment";
/// Architectures that chela's trainer can learn for.
pub const TRAINABLE: &[&str] = &["llama", "qwen2", "qwen3"];

/// Everything in a GGUF file but the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    pub version: u32,
    pub metadata: Metadata,
    pub tensors: Vec<TensorEntry>,
    /// Where the weights begin, in bytes from the start of the file.
    pub data_offset: u64,
    /// A power of two, in bytes.
    pub alignment: u64,
    pub file_len: u64,
}

/// One line of the tensor table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    pub name: String,
    /// ggml order: `dims[0]` is the row length, the last is the number of rows. One to four.
    pub dims: Vec<u64>,
    pub tensor_type: TensorType,
    /// In bytes from `data_offset`.
    pub offset: u64,
}

/// Metadata in the order of the file; keys are unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
    by_key: BTreeMap<String, usize>,
}

impl Gguf {
    pub fn tensor(&self, name: &str) -> Option<&TensorEntry> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// `general.architecture`, for example `qwen3`.
    pub fn architecture(&self) -> Option<&str> {
        self.metadata.text("general.architecture")
    }

    /// A value whose key begins with the architecture: `of_architecture("context_length")`.
    pub fn of_architecture(&self, key: &str) -> Option<&Value> {
        self.metadata.get(&format!("{}.{key}", self.architecture()?))
    }

    /// The vocabulary's entries, in the order of their ids.
    pub fn tokens(&self) -> Option<&Strings> {
        self.metadata.strings("tokenizer.ggml.tokens")
    }
}

impl TensorEntry {
    /// Number of weights. `None` if it does not fit 63 bits.
    pub fn n_elements(&self) -> Option<u64> {
        let product = self.dims.iter().try_fold(1_u64, |product, dim| product.checked_mul(*dim))?;
        i64::try_from(product).is_ok().then_some(product)
    }

    /// Size of the data. `None` if rows are not whole blocks or it does not fit 63 bits.
    pub fn n_bytes(&self) -> Option<u64> {
        let row = self.dims.first().copied().unwrap_or(1);
        if !row.is_multiple_of(self.tensor_type.block_len()) {
            return None;
        }
        let blocks = self.n_elements()? / self.tensor_type.block_len();
        let bytes = blocks.checked_mul(self.tensor_type.block_bytes())?;
        i64::try_from(bytes).is_ok().then_some(bytes)
    }
}

impl Metadata {
    /// Adds the value at the end, or replaces it where it stands.
    pub fn set(&mut self, key: &str, value: Value) {
        if let Some((_, old)) = self.by_key.get(key).and_then(|&at| self.entries.get_mut(at)) {
            *old = value;
            return;
        }
        self.by_key.insert(key.to_owned(), self.entries.len());
        self.entries.push((key.to_owned(), value));
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.by_key.get(key).and_then(|&at| self.entries.get(at)).map(|(_, value)| value)
    }

    pub fn contains(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Any whole number that is not negative.
    pub fn uint(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_uint()
    }

    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    pub fn strings(&self, key: &str) -> Option<&Strings> {
        match self.get(key)? {
            Value::Array(Array::Strings(strings)) => Some(strings),
            _ => None,
        }
    }

    pub fn i32s(&self, key: &str) -> Option<&[i32]> {
        match self.get(key)? {
            Value::Array(Array::I32(numbers)) => Some(numbers),
            _ => None,
        }
    }

    pub fn f32s(&self, key: &str) -> Option<&[f32]> {
        match self.get(key)? {
            Value::Array(Array::F32(numbers)) => Some(numbers),
            _ => None,
        }
    }
}

/// The next multiple of `alignment` (a power of two). `None` on overflow.
fn align_up(offset: u64, alignment: u64) -> Option<u64> {
    offset.checked_next_multiple_of(alignment)
}
