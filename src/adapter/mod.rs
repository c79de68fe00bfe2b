//! What was learned, as a value and as files: LoRA matrices, the formats that carry them, and where they are kept.
//!
//! What lives here: the matrices, the GGUF file that llama.cpp loads, PEFT's files, the manifest, the shelf of an
//! installation's adapters. What does not: how the matrices change (`learn`), who serves them (`engine`).
//!
//! What always holds: an adapter names the base it belongs to by hash and is refused for any other; a file under
//! its final name is whole and was written through; a version number is never given twice.
//!
//! LoRA: `y = W x + (alpha / rank) B A x` with W frozen. Hu et al. 2021, arXiv 2106.09685, §4.1.

#[cfg(test)]
mod arbitrary;
mod base;
mod check;
mod error;
pub mod fingerprint;
pub mod gguf;
pub mod manifest;
mod numbers;
pub mod peft;
pub mod shelf;
pub mod tensor_file;

use std::collections::BTreeMap;

pub use base::{Base, Heads, Shape};
pub use error::AdapterError;
pub use manifest::Manifest;
pub use shelf::Shelf;

/// One of the seven linear maps of a decoder block that an adapter can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Linear {
    Q,
    K,
    V,
    O,
    Gate,
    Up,
    Down,
}

impl Linear {
    /// In the order of the forward pass.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// As in the tensor names of a GGUF: `blk.0.attn_q.weight`.
    pub fn gguf_name(self) -> &'static str {
        match self {
            Self::Q => "attn_q",
            Self::K => "attn_k",
            Self::V => "attn_v",
            Self::O => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }

    /// As in the module names of `transformers` and PEFT: `model.layers.0.self_attn.q_proj`.
    pub fn peft_name(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

/// Which linear map of which layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    pub layer: usize,
    pub linear: Linear,
}

/// The two matrices of one site; their product is what is added to the frozen weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub n_in: usize,
    pub n_out: usize,
    pub a: Vec<f32>, // (rank, n_in), row-major
    pub b: Vec<f32>, // (n_out, rank), row-major
}

/// The LoRA matrices of one adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// `general.architecture` of the base, for example `qwen2`.
    pub architecture: String,
    pub rank: usize,
    /// The product is scaled by `alpha / rank`.
    pub alpha: f32,
    /// Sites that the adapter leaves alone are absent.
    pub pairs: BTreeMap<Site, Pair>,
}

impl Adapter {
    /// What the product B A is multiplied with.
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    pub fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }
}
