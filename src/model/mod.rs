//! Models on disk: find them wherever they lie, download, name, describe, remove; the starter model.
//!
//! What lives here: everything about model *files*. What does not: the format of a file (`gguf`), loading and
//! quantizing (`engine`), which model is in use (`config`, key `model.name`).
//!
//! What always holds: files of other programs are read, never written, copied or removed; a file appears under
//! its final name only when it is whole and its hash is right; a broken file is listed with its reason.

use std::path::PathBuf;

use serde::Serialize;

mod fetch;
mod header;
mod hf_cache;
mod ollama;
mod own;
mod walk;

pub mod check;
pub mod choose;
pub mod details;
pub mod find;
pub mod hub;
pub mod manifest;
pub mod progress;
pub mod pull;
pub mod quantize;
pub mod random;
pub mod remove;
pub mod resolve;
pub mod roots;
pub mod starter;
pub mod tokenizer;

/// Whose folder a model lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Owner {
    #[serde(rename = "chela")]
    Chela,
    #[serde(rename = "ollama")]
    Ollama,
    #[serde(rename = "lmstudio")]
    LmStudio,
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    #[serde(rename = "huggingface")]
    HuggingFace,
    /// A file that was named by its path and lies in none of these folders.
    #[serde(rename = "elsewhere")]
    Elsewhere,
}

/// One row of `chela model list`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Unique in the list, made from the file's place alone: `chela-starter`, `qwen3:0.6b`, `ORG/REPO:FILE-STEM`.
    pub name: String,
    /// Other names that [`resolve::resolve`] takes for this file.
    pub aliases: Vec<String>,
    #[serde(rename = "where")]
    pub owner: Owner,
    pub path: PathBuf,
    /// Bytes on disk, all parts of a split file together.
    pub size: u64,
    /// What the header says; absent when it cannot be read.
    #[serde(flatten)]
    pub header: Option<Header>,
    /// Why the file cannot be used.
    pub problem: Option<String>,
}

/// What a list needs to know of a file's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    pub architecture: String,
    pub quantization: String,
    pub parameters: u64,
    /// Tokens of context the model was trained with.
    pub context: usize,
    pub trainable: bool,
    /// Why learning is limited to lessons, when `trainable` is false.
    pub not_trainable_because: Option<String>,
}

impl Owner {
    pub fn name(self) -> &'static str {
        match self {
            Self::Chela => "chela",
            Self::Ollama => "ollama",
            Self::LmStudio => "lmstudio",
            Self::LlamaCpp => "llama.cpp",
            Self::HuggingFace => "huggingface",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
