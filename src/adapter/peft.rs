//! PEFT's folder: `adapter_model.safetensors` and `adapter_config.json`, read and written. The only user of
//! safetensors.
//!
//! The matrices are the same as in GGUF but for one thing. For the architecture `llama`, the GGUF conversion orders
//! the rows of Q and K so that the two halves of each head's rotation alternate (`LlamaModel.permute` of llama.cpp's
//! `convert_hf_to_gguf.py`); `transformers` keeps the halves apart. So their B is reordered, both ways.

mod config;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use super::check;
use super::numbers::{self, Number};
use super::{Adapter, AdapterError, Heads, Linear, Pair, Shape, Site};
use crate::config::disk;
use config::Config;

pub const TENSORS: &str = "adapter_model.safetensors";
pub const CONFIG: &str = "adapter_config.json";
const PREFIX: &str = "base_model.model.";
/// Architectures whose modules in `transformers` have the names that chela writes.
const NAMED_LIKE_LLAMA: &[&str] = &["llama", "qwen2", "qwen3"];
/// A larger file is no adapter of a model that fits such a machine.
const MAX_TENSORS_BYTES: u64 = 8 << 30;
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Reads the folder as an adapter for a model of this shape; what PEFT can do and chela cannot is refused by name.
pub fn read(folder: &Path, base: &Shape) -> Result<Adapter, AdapterError> {
    let path = folder.join(CONFIG);
    refuse_other_modules(&path, base)?;
    let config = config::parse(&bounded(&path, MAX_CONFIG_BYTES)?)
        .map_err(|reason| AdapterError::unusable(&path, reason))?;
    let path = folder.join(TENSORS);
    let bytes = bounded(&path, MAX_TENSORS_BYTES)?;
    from_bytes(&bytes, &config, base).map_err(|reason| AdapterError::unusable(&path, reason))
}

/// Writes both files, which only their owner may read; makes the folder. `base_name` is what PEFT will look for as
/// `base_model_name_or_path`. Existing files are replaced, each as a whole.
pub fn write(folder: &Path, adapter: &Adapter, base: &Shape, base_name: &str) -> Result<(), AdapterError> {
    refuse_other_modules(folder, base)?;
    check::problem(adapter).map_err(AdapterError::Unsound)?;
    base.check(base_name, adapter)?;
    let failed = |source| AdapterError::io(folder, source);
    let bytes = to_bytes(adapter, base.heads)
        .map_err(|err| failed(std::io::Error::other(format!("safetensors: {err}"))))?;
    let config = Config::new(adapter, base_name, modules(adapter, base));
    let mut text = serde_json::to_vec_pretty(&config).map_err(|err| failed(err.into()))?;
    text.push(b'\n');
    std::fs::create_dir_all(folder).map_err(failed)?;
    disk::write_whole(&folder.join(TENSORS), &bytes).map_err(failed)?;
    disk::write_whole(&folder.join(CONFIG), &text).map_err(failed)
}

fn refuse_other_modules(path: &Path, base: &Shape) -> Result<(), AdapterError> {
    if NAMED_LIKE_LLAMA.contains(&base.architecture.as_str()) {
        return Ok(());
    }
    let known = NAMED_LIKE_LLAMA.join(", ");
    let reason = format!("PEFT files are known for {known}, and the model is {}", base.architecture);
    Err(AdapterError::unusable(path, reason))
}

/// The whole file, unless it is larger than anything sensible.
fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, AdapterError> {
    let failed = |source| AdapterError::io(path, source);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let n_bytes = file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if n_bytes as u64 > limit {
        return Err(AdapterError::unusable(path, format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// The safetensors reader compares every stated size with the bytes that are there before it is used.
fn from_bytes(bytes: &[u8], config: &Config, base: &Shape) -> Result<Adapter, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|err| sentence(&err))?;
    let mut halves = BTreeMap::<Site, [Option<Matrix>; 2]>::new();
    for (name, tensor) in file.iter() {
        let (site, half) = place(name)?;
        let [a, b] = halves.entry(site).or_default();
        let slot = if half == 'A' { a } else { b };
        if slot.replace(matrix(name, &tensor)?).is_some() {
            return Err(format!("it holds {half} of {} twice", site.peft_module()));
        }
    }
    let mut pairs = BTreeMap::new();
    for (site, halves) in halves {
        pairs.insert(site, pair(site, halves, config.r, base)?);
    }
    let adapter =
        Adapter { architecture: base.architecture.clone(), rank: config.r, alpha: config.alpha(), pairs };
    check::problem(&adapter)?;
    Ok(adapter)
}

fn sentence(err: &SafeTensorError) -> String {
    format!("it is no whole safetensors file ({err}); copy or download it again")
}

/// From `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`; old files name the adapter too
/// (`lora_A.default.weight`).
fn place(name: &str) -> Result<(Site, char), String> {
    let unknown = || format!("it changes {name}; chela knows attention and feed-forward projections only");
    let module =
        name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(".weight")).ok_or_else(unknown)?;
    let module = module.strip_suffix(".default").unwrap_or(module);
    let (module, half) = match (module.strip_suffix(".lora_A"), module.strip_suffix(".lora_B")) {
        (Some(module), _) => (module, 'A'),
        (_, Some(module)) => (module, 'B'),
        _ => return Err(unknown()),
    };
    Site::from_peft(module).map(|site| (site, half)).ok_or_else(unknown)
}

struct Matrix {
    n_rows: usize,
    row_len: usize,
    values: Vec<f32>,
}

fn matrix(name: &str, tensor: &TensorView<'_>) -> Result<Matrix, String> {
    let number = match tensor.dtype() {
        Dtype::F32 => Number::F32,
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        other => return Err(format!("{name} is stored in {other:?}; F32, F16 or BF16 is expected")),
    };
    let &[n_rows, row_len] = tensor.shape() else {
        return Err(format!("{name} has the shape {:?}, a matrix is expected", tensor.shape()));
    };
    Ok(Matrix { n_rows, row_len, values: numbers::from_bytes(number, tensor.data()) })
}

fn pair(site: Site, halves: [Option<Matrix>; 2], rank: usize, base: &Shape) -> Result<Pair, String> {
    let module = site.peft_module();
    let (a, b) = match halves {
        [Some(a), Some(b)] => (a, b),
        [None, _] => return Err(format!("{module} has no lora_A")),
        [_, None] => return Err(format!("{module} has no lora_B")),
    };
    if a.n_rows != rank || b.row_len != rank {
        let (of_a, of_b) = (a.n_rows, b.row_len);
        return Err(format!("{module} has rank {of_a} in A and {of_b} in B, {CONFIG} says {rank}"));
    }
    let b_rows = if is_rotated(&base.architecture, site.linear) {
        interleaved(&b.values, rank, n_heads(base.heads, site.linear)).ok_or_else(|| {
            format!("the {} rows of {module} do not divide into the model's heads", b.n_rows)
        })?
    } else {
        b.values
    };
    Ok(Pair { n_in: a.row_len, n_out: b.n_rows, a: a.values, b: b_rows })
}

/// Whether the rows of this map are in another order in GGUF.
fn is_rotated(architecture: &str, linear: Linear) -> bool {
    architecture == "llama" && matches!(linear, Linear::Q | Linear::K)
}

fn n_heads(heads: Heads, linear: Linear) -> usize {
    if linear == Linear::K { heads.n_kv } else { heads.n_q }
}

/// `transformers` → GGUF: of each head's rows, row `i` of the first half and row `i` of the second become
/// neighbours. `None` when the rows do not divide into heads of two halves.
fn interleaved(rows: &[f32], row_len: usize, n_heads: usize) -> Option<Vec<f32>> {
    let half = half_rows(rows, row_len, n_heads)?;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(2 * half * row_len) {
        let (first, second) = head.split_at(half * row_len);
        for (one, other) in first.chunks_exact(row_len).zip(second.chunks_exact(row_len)) {
            out.extend_from_slice(one);
            out.extend_from_slice(other);
        }
    }
    Some(out)
}

/// GGUF → `transformers`: the inverse of [`interleaved`].
fn in_halves(rows: &[f32], row_len: usize, n_heads: usize) -> Option<Vec<f32>> {
    let half = half_rows(rows, row_len, n_heads)?;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(2 * half * row_len) {
        for first in [0, 1] {
            head.chunks_exact(row_len).skip(first).step_by(2).for_each(|row| out.extend_from_slice(row));
        }
    }
    Some(out)
}

/// Rows in half a head.
fn half_rows(rows: &[f32], row_len: usize, n_heads: usize) -> Option<usize> {
    let n_rows = rows.len().checked_div(row_len)?;
    let parts = n_heads.checked_mul(2).filter(|parts| *parts > 0)?;
    (n_rows > 0 && n_rows.is_multiple_of(parts)).then(|| n_rows / parts)
}

fn to_bytes(adapter: &Adapter, heads: Heads) -> Result<Vec<u8>, SafeTensorError> {
    let mut tensors: Vec<(String, [usize; 2], Vec<u8>)> = Vec::new();
    for (&site, pair) in &adapter.pairs {
        let rotated = is_rotated(&adapter.architecture, site.linear);
        let b = rotated.then(|| in_halves(&pair.b, adapter.rank, n_heads(heads, site.linear))).flatten();
        let b = bytes_of(b.as_deref().unwrap_or(&pair.b));
        let name = |half: char| format!("{PREFIX}{}.lora_{half}.weight", site.peft_module());
        tensors.push((name('A'), [adapter.rank, pair.n_in], bytes_of(&pair.a)));
        tensors.push((name('B'), [pair.n_out, adapter.rank], b));
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        views.push((name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?));
    }
    // `transformers` wants to know which framework wrote the file.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(about))
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// What PEFT shall adapt: short names when the adapter has these maps in all layers, else each module by its name.
fn modules(adapter: &Adapter, base: &Shape) -> Vec<String> {
    let present: BTreeSet<Linear> = adapter.pairs.keys().map(|site| site.linear).collect();
    if adapter.pairs.len() == present.len() * base.n_layers {
        return present.into_iter().map(|linear| short_name(linear).to_owned()).collect();
    }
    adapter.pairs.keys().map(|site| site.peft_module()).collect()
}

/// `q_proj`.
fn short_name(linear: Linear) -> &'static str {
    let name = linear.peft_name();
    name.rsplit_once('.').map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests;
