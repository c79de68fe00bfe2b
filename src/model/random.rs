//! Models of true geometry with random weights, for measuring speed without a download.
//!
//! What they cost to serve is as in life: layers, heads, width, number types, and the size of the output layer.
//! What they say is noise. Weights are scaled so that logits stay sane; the same seed gives the same file.

mod weights;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::gguf::{Array, Draft, Gguf, Metadata, Strings, TensorEntry, TensorType, Value, WriteError};

use weights::Noise;

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    pub name: &'static str,
    /// `qwen2` (biases on q, k, v) or `qwen3` (normed q and k).
    pub architecture: Architecture,
    pub n_layers: u32,
    pub width: u32,
    pub ffn_width: u32,
    pub n_heads: u32,
    pub n_kv_heads: u32,
    pub head_width: u32,
    pub context_length: u32,
    /// Rows of the tied embedding. A smaller vocabulary is filled up with unused tokens; `None`: no filling up.
    pub n_vocab: Option<u32>,
    /// The type of the matrices: `Q4_0`, `Q8_0`, `F16` or `F32`. Blocks want widths that are multiples of 32.
    pub matrices: TensorType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    Qwen2,
    Qwen3,
}

/// What matrices can be made in.
pub const TYPES: [TensorType; 4] = [TensorType::Q4_0, TensorType::Q8_0, TensorType::F16, TensorType::F32];

/// Why no random model was written.
#[derive(Debug, thiserror::Error)]
pub enum RandomError {
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: WriteError,
    },
    #[error("the vocabulary file has no {0}")]
    Vocabulary(&'static str),
    #[error("random weights are made in Q4_0, Q8_0, F16 or F32, not in {0}")]
    Type(TensorType),
}

impl Geometry {
    /// Qwen2.5-0.5B: 494 M weights, 0.53 GB in `Q8_0`.
    pub fn qwen2_0_5b() -> Self {
        Self {
            name: "qwen2-0.5b",
            architecture: Architecture::Qwen2,
            n_layers: 24,
            width: 896,
            ffn_width: 4864,
            n_heads: 14,
            n_kv_heads: 2,
            head_width: 64,
            context_length: 32_768,
            n_vocab: Some(151_936),
            matrices: TensorType::Q8_0,
        }
    }

    /// Qwen3-0.6B: 596 M weights, 0.63 GB in `Q8_0`.
    pub fn qwen3_0_6b() -> Self {
        Self {
            name: "qwen3-0.6b",
            architecture: Architecture::Qwen3,
            n_layers: 28,
            width: 1024,
            ffn_width: 3072,
            n_heads: 16,
            n_kv_heads: 8,
            head_width: 128,
            context_length: 40_960,
            n_vocab: Some(151_936),
            matrices: TensorType::Q8_0,
        }
    }

    /// Four small layers, for tests: written in milliseconds.
    pub fn tiny(architecture: Architecture) -> Self {
        Self {
            name: "tiny",
            architecture,
            n_layers: 4,
            width: 256,
            ffn_width: 768,
            n_heads: 4,
            n_kv_heads: 2,
            head_width: 64,
            context_length: 8192,
            n_vocab: None,
            matrices: TensorType::Q8_0,
        }
    }

    /// By the name that `chela bench` takes.
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "qwen2-0.5b" => Some(Self::qwen2_0_5b()),
            "qwen3-0.6b" => Some(Self::qwen3_0_6b()),
            "tiny" => Some(Self::tiny(Architecture::Qwen2)),
            _ => None,
        }
    }
}

/// Writes a random model with the tokenizer of `vocab`. The file appears when it is complete.
pub fn write_random(path: &Path, geometry: &Geometry, vocab: &Gguf, seed: u64) -> Result<(), RandomError> {
    if !TYPES.contains(&geometry.matrices) {
        return Err(RandomError::Type(geometry.matrices));
    }
    let metadata = metadata(geometry, vocab)?;
    let write_error = |source| RandomError::Write { path: path.to_owned(), source };
    let draft = draft(geometry, metadata).map_err(write_error)?;
    let part = path.with_extension("gguf.part");
    write_file(&part, &draft, seed)
        .and_then(|()| fs::rename(&part, path).map_err(WriteError::from))
        .map_err(write_error)
        .inspect_err(|_| drop(fs::remove_file(&part)))
}

fn write_file(part: &Path, draft: &Draft, seed: u64) -> Result<(), WriteError> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(part)?);
    let mut noise = Noise::new(seed);
    draft.write(&mut out, &mut |tensor, out| fill(tensor, &mut noise, out))?;
    out.flush()?;
    Ok(())
}

/// The keys of the architecture, and the vocabulary as it is in `vocab`, filled up to the rows that are wanted.
fn metadata(geometry: &Geometry, vocab: &Gguf) -> Result<Metadata, RandomError> {
    let architecture = geometry.architecture.name();
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", architecture.into());
    metadata.set("general.type", "model".into());
    metadata.set("general.name", format!("random {}", geometry.name).as_str().into());
    for (key, number) in [
        ("block_count", geometry.n_layers),
        ("context_length", geometry.context_length),
        ("embedding_length", geometry.width),
        ("feed_forward_length", geometry.ffn_width),
        ("attention.head_count", geometry.n_heads),
        ("attention.head_count_kv", geometry.n_kv_heads),
        ("attention.key_length", geometry.head_width),
        ("attention.value_length", geometry.head_width),
    ] {
        metadata.set(&format!("{architecture}.{key}"), number.into());
    }
    metadata.set(&format!("{architecture}.rope.freq_base"), 1e6_f32.into());
    metadata.set(&format!("{architecture}.attention.layer_norm_rms_epsilon"), 1e-6_f32.into());
    metadata.set("general.file_type", geometry.matrices.file_type().into());
    for (key, value) in vocab.metadata.iter().filter(|(key, _)| key.starts_with("tokenizer.")) {
        metadata.set(key, value.clone());
    }
    metadata.set("tokenizer.chat_template", CHATML.into());
    fill_up_vocabulary(&mut metadata, geometry.n_vocab)?;
    Ok(metadata)
}

/// What renders the messages of a random model, and of files that have no template of their own.
pub const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// llama.cpp's number for tokens that are never used.
const UNUSED: i32 = 5;
const NORMAL: i32 = 1;

fn fill_up_vocabulary(metadata: &mut Metadata, n_vocab: Option<u32>) -> Result<(), RandomError> {
    const TOKENS: &str = "tokenizer.ggml.tokens";
    let mut tokens = metadata.strings(TOKENS).ok_or(RandomError::Vocabulary(TOKENS))?.clone();
    let n_own = tokens.len();
    let n_wanted = n_vocab.and_then(|n_vocab| usize::try_from(n_vocab).ok()).unwrap_or(n_own).max(n_own);
    let mut types = metadata.i32s("tokenizer.ggml.token_type").unwrap_or_default().to_vec();
    types.resize(n_own, NORMAL);
    types.resize(n_wanted, UNUSED);
    for id in n_own..n_wanted {
        tokens.push(format!("[PAD{id}]").as_bytes());
    }
    if let Some(scores) = metadata.f32s("tokenizer.ggml.scores") {
        let mut scores = scores.to_vec();
        scores.resize(n_wanted, 0.0);
        metadata.set("tokenizer.ggml.scores", Value::Array(Array::F32(scores)));
    }
    metadata.set(TOKENS, tokens.into());
    metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(types)));
    Ok(())
}

/// The tensor table. Embeddings are tied: there is no `output.weight`.
fn draft(geometry: &Geometry, metadata: Metadata) -> Result<Draft, WriteError> {
    let n_vocab = metadata.strings("tokenizer.ggml.tokens").map_or(0, Strings::len) as u64;
    let (width, ffn) = (u64::from(geometry.width), u64::from(geometry.ffn_width));
    let head = u64::from(geometry.head_width);
    let (q, kv) = (u64::from(geometry.n_heads) * head, u64::from(geometry.n_kv_heads) * head);
    let matrices = geometry.matrices;
    let mut draft = Draft::new(metadata);
    draft.tensor("token_embd.weight", &[width, n_vocab], matrices)?;
    draft.tensor("output_norm.weight", &[width], TensorType::F32)?;
    for layer in 0..geometry.n_layers {
        let mut add = |name: &str, dims: &[u64]| {
            let tensor_type = if dims.len() > 1 { matrices } else { TensorType::F32 };
            draft.tensor(&format!("blk.{layer}.{name}"), dims, tensor_type)
        };
        add("attn_norm.weight", &[width])?;
        add("attn_q.weight", &[width, q])?;
        add("attn_k.weight", &[width, kv])?;
        add("attn_v.weight", &[width, kv])?;
        add("attn_output.weight", &[q, width])?;
        match geometry.architecture {
            Architecture::Qwen2 => {
                add("attn_q.bias", &[q])?;
                add("attn_k.bias", &[kv])?;
                add("attn_v.bias", &[kv])?;
            }
            Architecture::Qwen3 => {
                add("attn_q_norm.weight", &[head])?;
                add("attn_k_norm.weight", &[head])?;
            }
        }
        add("ffn_norm.weight", &[width])?;
        add("ffn_gate.weight", &[width, ffn])?;
        add("ffn_up.weight", &[width, ffn])?;
        add("ffn_down.weight", &[ffn, width])?;
    }
    Ok(draft)
}

/// Matrices get 1/√(row length), those that write into the residual stream less; norms lie around one, biases
/// around zero.
fn fill(tensor: &TensorEntry, noise: &mut Noise, out: &mut dyn Write) -> io::Result<()> {
    let row_len = tensor.dims.first().copied().unwrap_or(1);
    #[expect(clippy::cast_precision_loss, reason = "row lengths are small")]
    let unit = 1.0 / (row_len as f32).sqrt();
    let (mean, deviation) = match tensor.name.rsplit_once('.').unwrap_or_default() {
        ("token_embd", _) => (0.0, 0.06),
        (name, _) if name.ends_with("norm") => (1.0, 0.05),
        (_, "bias") => (0.0, 0.05),
        (name, _) if name.ends_with("attn_output") || name.ends_with("ffn_down") => (0.0, 0.3 * unit),
        _ => (0.0, unit),
    };
    noise.write(tensor, mean, deviation, out)
}

impl Architecture {
    pub fn name(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}
