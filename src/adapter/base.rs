//! What an adapter must fit: the identity and the shapes of a base model, read off its GGUF header.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Adapter, AdapterError, Linear, Site};
use crate::gguf::{Gguf, Value};

/// Which model an adapter belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// As in `chela model list`, or a path.
    pub name: String,
    /// Of the model file's content, lower-case hexadecimal.
    pub sha256: String,
    /// `general.architecture`.
    pub architecture: String,
}

/// The linear maps of a model, and what else the file formats depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub architecture: String,
    pub n_layers: usize,
    pub heads: Heads,
    /// Input and output width of each linear map that the model has.
    pub linears: BTreeMap<Site, (usize, usize)>,
}

/// Numbers of attention heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub n_q: usize,
    pub n_kv: usize,
}

impl Shape {
    /// Reads the header of the model file.
    pub fn open(model: &Path) -> Result<Self, AdapterError> {
        Self::of(model, &Gguf::open(model)?)
    }

    /// `path` is only for error messages.
    pub fn of(path: &Path, gguf: &Gguf) -> Result<Self, AdapterError> {
        let refuse = |reason: &str| AdapterError::BadBase { path: path.to_path_buf(), reason: reason.into() };
        let architecture =
            gguf.architecture().ok_or_else(|| refuse("it does not say which architecture it has"))?;
        if gguf.metadata.uint("split.count").is_some_and(|count| count > 1) {
            return Err(refuse("it is split into several files; join them first (llama-gguf-split --merge)"));
        }
        let count = |key: &str| {
            let count = gguf.of_architecture(key).and_then(Value::as_uint);
            count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0)
        };
        let n_layers =
            count("block_count").ok_or_else(|| refuse("it does not say how many layers it has"))?;
        let n_q = count("attention.head_count")
            .ok_or_else(|| refuse("it does not give one number of attention heads for all layers"))?;
        let n_kv = count("attention.head_count_kv").unwrap_or(n_q);
        let linears: BTreeMap<_, _> = gguf.tensors.iter().filter_map(linear).collect();
        if linears.is_empty() {
            return Err(refuse("none of its tensors is a linear map that chela knows"));
        }
        Ok(Self { architecture: architecture.to_owned(), n_layers, heads: Heads { n_q, n_kv }, linears })
    }

    /// Whether every pair of the adapter stands at a linear map of this model and has its widths.
    pub fn check(&self, base: &str, adapter: &Adapter) -> Result<(), AdapterError> {
        let misfit = |reason: String| AdapterError::Misfit { base: base.to_owned(), reason };
        if adapter.architecture != self.architecture {
            let (theirs, ours) = (&adapter.architecture, &self.architecture);
            return Err(misfit(format!("its architecture is {theirs}, the model's {ours}")));
        }
        for (site, pair) in &adapter.pairs {
            match self.linears.get(site) {
                None => return Err(misfit(format!("the model has no {site}"))),
                Some(&(n_in, n_out)) if (n_in, n_out) != (pair.n_in, pair.n_out) => {
                    return Err(misfit(format!(
                        "{site} is {n_in} wide and {n_out} high in the model, {} and {} in the adapter",
                        pair.n_in, pair.n_out
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn linear(tensor: &crate::gguf::TensorEntry) -> Option<(Site, (usize, usize))> {
    let site = Site::from_gguf(tensor.name.strip_suffix(".weight")?)?;
    let &[n_in, n_out] = tensor.dims.as_slice() else { return None };
    Some((site, (usize::try_from(n_in).ok()?, usize::try_from(n_out).ok()?)))
}

impl Site {
    /// From `blk.3.attn_q`.
    pub(super) fn from_gguf(name: &str) -> Option<Self> {
        let (layer, linear) = name.strip_prefix("blk.")?.split_once('.')?;
        let linear = Linear::ALL.into_iter().find(|known| known.gguf_name() == linear)?;
        Some(Self { layer: layer_number(layer)?, linear })
    }

    /// From `model.layers.3.self_attn.q_proj`.
    pub(super) fn from_peft(name: &str) -> Option<Self> {
        let (layer, linear) = name.strip_prefix("model.layers.")?.split_once('.')?;
        let linear = Linear::ALL.into_iter().find(|known| known.peft_name() == linear)?;
        Some(Self { layer: layer_number(layer)?, linear })
    }

    /// `model.layers.3.self_attn.q_proj`.
    pub(super) fn peft_module(self) -> String {
        format!("model.layers.{}.{}", self.layer, self.linear.peft_name())
    }
}

/// A number that is written in one way only, so that two names never mean one layer.
fn layer_number(text: &str) -> Option<usize> {
    let layer: usize = text.parse().ok()?;
    (layer.to_string() == text).then_some(layer)
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "blk.{}.{}", self.layer, self.linear.gguf_name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::arbitrary;
    use super::*;
    use crate::gguf::{Metadata, TensorEntry, TensorType};

    fn model(change: impl FnOnce(&mut Gguf)) -> Result<Shape, AdapterError> {
        let mut metadata = Metadata::default();
        metadata.set("general.architecture", "qwen3".into());
        metadata.set("qwen3.block_count", 1_u32.into());
        metadata.set("qwen3.attention.head_count", 4_u32.into());
        metadata.set("qwen3.attention.head_count_kv", 2_u32.into());
        let tensor = |name: &str, dims: &[u64]| TensorEntry {
            name: name.into(),
            dims: dims.to_vec(),
            tensor_type: TensorType::F32,
            offset: 0,
        };
        let tensors = vec![
            tensor("blk.0.attn_q.weight", &[8, 16]),
            tensor("blk.0.attn_norm.weight", &[8]),
            tensor("output.weight", &[8, 99]),
        ];
        let mut gguf =
            Gguf { version: 3, metadata, tensors, data_offset: 0, alignment: 32, file_len: u64::MAX };
        change(&mut gguf);
        Shape::of(Path::new("m.gguf"), &gguf)
    }

    #[test]
    fn the_shape_is_read_off_the_header() {
        let shape = model(|_| {}).unwrap();
        assert_eq!((shape.n_layers, shape.heads), (1, Heads { n_q: 4, n_kv: 2 }));
        let q = Site { layer: 0, linear: Linear::Q };
        assert_eq!(shape.linears, BTreeMap::from([(q, (8, 16))]));
    }

    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Gguf), expected: &str) {
        let error = model(change).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_model_that_cannot_carry_an_adapter_says_why() {
        check_refused(|gguf| gguf.metadata.set("split.count", 3_u32.into()), "llama-gguf-split --merge");
        check_refused(|gguf| gguf.tensors.clear(), "none of its tensors");
        check_refused(|gguf| gguf.metadata.set("qwen3.block_count", 0_u32.into()), "how many layers");
    }

    #[track_caller]
    fn check_fit(site: Site, n_in: usize, n_out: usize, expected: Option<&str>) {
        let mut adapter = arbitrary::adapter(2, &[(site, n_in, n_out)]);
        adapter.architecture = "qwen3".into();
        let outcome = model(|_| {}).unwrap().check("m", &adapter).map_err(|error| error.to_string());
        match expected {
            None => assert_eq!(outcome, Ok(())),
            Some(expected) => assert!(outcome.clone().unwrap_err().contains(expected), "{outcome:?}"),
        }
    }

    #[test]
    fn an_adapter_fits_or_the_place_is_named() {
        let site = |layer, linear| Site { layer, linear };
        check_fit(site(0, Linear::Q), 8, 16, None);
        check_fit(
            site(0, Linear::Q),
            8,
            15,
            Some("blk.0.attn_q is 8 wide and 16 high in the model, 8 and 15"),
        );
        check_fit(site(1, Linear::Q), 8, 16, Some("the model has no blk.1.attn_q"));
        check_fit(site(0, Linear::K), 8, 16, Some("the model has no blk.0.attn_k"));
    }

    #[test]
    fn names_are_read_in_one_way_only() {
        let site = Some(Site { layer: 3, linear: Linear::Down });
        assert_eq!(Site::from_gguf("blk.3.ffn_down"), site);
        assert_eq!(Site::from_peft("model.layers.3.mlp.down_proj"), site);
        for name in ["blk.03.ffn_down", "blk.+3.ffn_down", "blk.3.ffn_norm", "blk.3", "3.ffn_down"] {
            assert_eq!(Site::from_gguf(name), None, "{name}");
        }
    }
}
