//! The tensors of a model file, taken one by one: each that the architecture needs must be there in the right shape,
//! and none may be left over.
//!
//! Names and shapes: `src/models/{llama,qwen2,qwen3}.cpp` of llama.cpp, which also refuses tensors that it does not
//! know.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::geometry::{Architecture, Geometry};
use super::{Decoder, LayerWeights, Matrix, WeightError};
use crate::adapter::Linear;
use crate::gguf::{Gguf, TensorEntry};

/// The file that small vectors are read from.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
}

/// All that a model consists of.
pub(super) struct Weights {
    pub(super) embedding: Matrix,
    pub(super) output_norm: Vec<f32>,
    pub(super) head: Matrix,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) rope_factors: Option<Vec<f32>>,
}

pub(super) fn read(source: &Source<'_>, gguf: &Gguf, geometry: &Geometry) -> Result<Weights, WeightError> {
    refuse_other_computations(source.path, gguf)?;
    let left = gguf.tensors.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let mut table = Table { source, data_offset: gguf.data_offset, geometry, left };
    let embedding = table.matrix("token_embd.weight", geometry.n_vocab, geometry.width)?;
    let head = if geometry.tied_head {
        embedding.clone()
    } else {
        table.matrix("output.weight", geometry.n_vocab, geometry.width)?
    };
    let weights = Weights {
        output_norm: table.vector("output_norm.weight", geometry.width)?,
        layers: (0..geometry.n_layers).map(|layer| table.layer(layer)).collect::<Result<_, _>>()?,
        rope_factors: table.rope_factors()?,
        embedding,
        head,
    };
    table.expect_nothing_left()?;
    Ok(weights)
}

/// What part of a tensor's name means that the model is computed differently.
const OTHER_COMPUTATIONS: &[(&str, &str)] = &[
    (".attn_qkv.", "keeps queries, keys and values in one matrix"),
    ("_exps.", "has experts"),
    (".ffn_gate_inp.", "has experts"),
    (".scale", "scales a whole tensor"),
    ("cls.output", "is a classifier"),
    ("output.bias", "has a bias on its output layer"),
    (".ffn_gate.bias", "has biases in its feed-forward"),
    (".ffn_up.bias", "has biases in its feed-forward"),
    (".ffn_down.bias", "has biases in its feed-forward"),
];

/// Told before the table is taken apart, where these would look like missing or unknown tensors.
fn refuse_other_computations(path: &Path, gguf: &Gguf) -> Result<(), WeightError> {
    for TensorEntry { name, .. } in &gguf.tensors {
        // `blk.0.attn_output.bias` is a bias of llama's attention, not of the output layer.
        let found = OTHER_COMPUTATIONS.iter().find(|(part, _)| match *part {
            "output.bias" => name == part,
            part => name.contains(part),
        });
        if let Some((_, what)) = found {
            let reason = format!("{what} ({name}), which the trainer does not compute");
            return Err(WeightError::Untrainable { path: path.to_owned(), reason });
        }
    }
    Ok(())
}

struct Table<'a> {
    source: &'a Source<'a>,
    data_offset: u64,
    geometry: &'a Geometry,
    left: BTreeMap<&'a str, &'a TensorEntry>,
}

impl Table<'_> {
    fn layer(&mut self, layer: usize) -> Result<LayerWeights, WeightError> {
        let Geometry { width, head_width, .. } = *self.geometry;
        let (q_width, kv_width) = (self.geometry.q_width(), self.geometry.kv_width());
        let is_qwen3 = self.geometry.architecture == Architecture::Qwen3;
        let is_llama = self.geometry.architecture == Architecture::Llama;
        let named = |name: &str| format!("blk.{layer}.{name}");
        Ok(LayerWeights {
            attn_norm: self.vector(&named("attn_norm.weight"), width)?,
            q: self.linear(layer, Linear::Q)?,
            k: self.linear(layer, Linear::K)?,
            v: self.linear(layer, Linear::V)?,
            o: self.linear(layer, Linear::O)?,
            q_bias: self.optional_vector(&named("attn_q.bias"), q_width)?,
            k_bias: self.optional_vector(&named("attn_k.bias"), kv_width)?,
            v_bias: self.optional_vector(&named("attn_v.bias"), kv_width)?,
            o_bias: self.vector_if(
                is_llama && self.has(&named("attn_output.bias")),
                &named("attn_output.bias"),
                width,
            )?,
            q_norm: self.vector_if(is_qwen3, &named("attn_q_norm.weight"), head_width)?,
            k_norm: self.vector_if(is_qwen3, &named("attn_k_norm.weight"), head_width)?,
            ffn_norm: self.vector(&named("ffn_norm.weight"), width)?,
            gate: self.linear(layer, Linear::Gate)?,
            up: self.linear(layer, Linear::Up)?,
            down: self.linear(layer, Linear::Down)?,
        })
    }

    fn linear(&mut self, layer: usize, linear: Linear) -> Result<Matrix, WeightError> {
        let Geometry { width, ffn_width, .. } = *self.geometry;
        let (n_rows, n_cols) = match linear {
            Linear::Q => (self.geometry.q_width(), width),
            Linear::K | Linear::V => (self.geometry.kv_width(), width),
            Linear::O => (width, self.geometry.q_width()),
            Linear::Gate | Linear::Up => (ffn_width, width),
            Linear::Down => (width, ffn_width),
        };
        self.matrix(&format!("blk.{layer}.{}.weight", linear.gguf_name()), n_rows, n_cols)
    }

    /// Llama 3 divides its rotary frequencies by a tensor. llama.cpp reads it for llama alone.
    fn rope_factors(&mut self) -> Result<Option<Vec<f32>>, WeightError> {
        let name = "rope_freqs.weight";
        let is_read = self.geometry.architecture == Architecture::Llama && self.has(name);
        self.vector_if(is_read, name, self.geometry.rope.n_rotated / 2)
    }

    fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    fn optional_vector(&mut self, name: &str, len: usize) -> Result<Option<Vec<f32>>, WeightError> {
        self.vector_if(self.has(name), name, len)
    }

    fn vector_if(&mut self, is_there: bool, name: &str, len: usize) -> Result<Option<Vec<f32>>, WeightError> {
        is_there.then(|| self.vector(name, len)).transpose()
    }

    /// A vector's numbers; all finite.
    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>, WeightError> {
        let row = self.matrix(name, 1, len)?;
        let mut bytes = vec![0; row.row_bytes];
        self.source
            .file
            .read_exact_at(&mut bytes, row.offset)
            .map_err(|source| WeightError::Io { path: self.source.path.to_owned(), source })?;
        let mut numbers = vec![0.0; len];
        row.decoder.decode(&bytes, &mut numbers);
        match numbers.iter().zip(0..).find(|(number, _)| !number.is_finite()) {
            Some((_, at)) => {
                Err(WeightError::NotFinite { path: self.source.path.to_owned(), name: row.name, at })
            }
            None => Ok(numbers),
        }
    }

    fn matrix(&mut self, name: &str, n_rows: usize, n_cols: usize) -> Result<Matrix, WeightError> {
        let path = || self.source.path.to_owned();
        let Some(entry) = self.left.remove(name) else {
            let architecture = self.geometry.architecture.name();
            return Err(WeightError::Missing { path: path(), name: name.to_owned(), architecture });
        };
        if !has_shape(&entry.dims, n_rows, n_cols) {
            let expected = [n_cols, n_rows].map(|dim| u64::try_from(dim).unwrap_or(u64::MAX));
            let n_dims = if n_rows == 1 { 1 } else { 2 };
            return Err(WeightError::Shape {
                path: path(),
                name: name.to_owned(),
                expected: expected.into_iter().take(n_dims).collect(),
                found: entry.dims.clone(),
            });
        }
        let tensor_type = entry.tensor_type;
        let Some(decoder) = Decoder::of(tensor_type) else {
            return Err(WeightError::UnknownType { path: path(), name: name.to_owned(), tensor_type });
        };
        let all_bytes = entry.n_bytes().and_then(|n_bytes| usize::try_from(n_bytes).ok()).unwrap_or(0);
        Ok(Matrix {
            name: name.to_owned(),
            tensor_type,
            n_rows,
            n_cols,
            row_bytes: all_bytes / n_rows,
            offset: self.data_offset.saturating_add(entry.offset),
            decoder,
        })
    }

    fn expect_nothing_left(&self) -> Result<(), WeightError> {
        let Some(name) = self.left.keys().next() else { return Ok(()) };
        let reason = format!("has the tensor {name}, which the trainer does not know");
        Err(WeightError::Untrainable { path: self.source.path.to_owned(), reason })
    }
}

/// Dimensions that are left out are 1.
fn has_shape(dims: &[u64], n_rows: usize, n_cols: usize) -> bool {
    let expected = [n_cols, n_rows, 1, 1];
    let dims = dims.iter().copied().chain(std::iter::repeat(1));
    expected.into_iter().zip(dims).all(|(expected, dim)| u64::try_from(expected) == Ok(dim))
}
