//! The GGUF file that llama.cpp loads: two F32 tensors for each site, and who they belong to.
//!
//! Names and keys are those of `llama-adapter.cpp`: `blk.N.attn_q.weight.lora_a` holds A (row length `n_in`),
//! `….lora_b` holds B (row length the rank), and `adapter.lora.alpha` the alpha.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::check;
use super::numbers::{self, Number};
use super::{Adapter, AdapterError, Pair, Site};
use crate::config::disk;
use crate::gguf::{Draft, Gguf, Metadata, TensorEntry, TensorType, Value, WriteError};
use crate::turn::PolicyVersion;

const ALPHA: &str = "adapter.lora.alpha";

/// What a file says about its adapter beside the matrices; all of it may be absent in files of other programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    pub name: Option<String>,
    /// Of the base model's file.
    pub base_sha256: Option<String>,
    pub version: Option<PolicyVersion>,
}

/// Reads the file and checks that the matrices are sound. F16 and BF16 become F32.
pub fn read(path: &Path) -> Result<(Adapter, Labels), AdapterError> {
    let gguf = Gguf::open(path)?;
    let file = File::open(path).map_err(|source| AdapterError::io(path, source))?;
    read_from(path, &gguf, &mut BufReader::new(file))
}

/// Reads a whole file from memory; `path` is only for error messages.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Adapter, Labels), AdapterError> {
    read_from(path, &Gguf::parse(path, bytes)?, &mut io::Cursor::new(bytes))
}

/// Writes a file that only its owner may read, and waits until it is on the disk. An existing one is replaced; a
/// failure leaves none.
pub fn write(path: &Path, adapter: &Adapter, labels: &Labels) -> Result<(), AdapterError> {
    check::problem(adapter).map_err(AdapterError::Unsound)?;
    let written = write_file(path, adapter, labels);
    if written.is_err() {
        // Half a file is of no use to anybody.
        std::fs::remove_file(path).ok();
    }
    written
}

fn write_file(path: &Path, adapter: &Adapter, labels: &Labels) -> Result<(), AdapterError> {
    let failed = |source| AdapterError::io(path, source);
    let file = disk::private().write(true).create(true).truncate(true).open(path).map_err(failed)?;
    let mut out = BufWriter::new(file);
    write_to(&mut out, adapter, labels)
        .map_err(|source| AdapterError::Write { path: path.to_path_buf(), source })?;
    let file = out.into_inner().map_err(|err| failed(err.into_error()))?;
    file.sync_all().map_err(failed)
}

/// The bytes of the file, in order. The adapter has to be sound.
pub(super) fn write_to(out: &mut dyn Write, adapter: &Adapter, labels: &Labels) -> Result<(), WriteError> {
    let mut draft = Draft::new(metadata(adapter, labels));
    for (site, pair) in &adapter.pairs {
        let (rank, n_in, n_out) = (adapter.rank as u64, pair.n_in as u64, pair.n_out as u64);
        draft.tensor(&tensor_name(*site, 'a'), &[n_in, rank], TensorType::F32)?;
        draft.tensor(&tensor_name(*site, 'b'), &[rank, n_out], TensorType::F32)?;
    }
    let halves: BTreeMap<String, &[f32]> = adapter
        .pairs
        .iter()
        .flat_map(|(site, pair)| {
            [(tensor_name(*site, 'a'), pair.a.as_slice()), (tensor_name(*site, 'b'), pair.b.as_slice())]
        })
        .collect();
    draft.write(out, &mut |tensor, out| {
        let values = halves.get(&tensor.name).copied().unwrap_or_default();
        values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
    })
}

fn metadata(adapter: &Adapter, labels: &Labels) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.set("general.type", "adapter".into());
    metadata.set("general.architecture", adapter.architecture.as_str().into());
    if let Some(name) = &labels.name {
        metadata.set("general.name", name.as_str().into());
    }
    metadata.set("adapter.type", "lora".into());
    metadata.set(ALPHA, adapter.alpha.into());
    if let Some(sha256) = &labels.base_sha256 {
        metadata.set("chela.base_sha256", sha256.as_str().into());
    }
    if let Some(version) = labels.version {
        metadata.set("chela.version", version.0.into());
    }
    metadata
}

fn tensor_name(site: Site, half: char) -> String {
    format!("{site}.weight.lora_{half}")
}

fn read_from(
    path: &Path,
    gguf: &Gguf,
    source: &mut (impl Read + Seek),
) -> Result<(Adapter, Labels), AdapterError> {
    let refuse = |reason: String| AdapterError::unusable(path, reason);
    check_kind(&gguf.metadata).map_err(refuse)?;
    let architecture = gguf.architecture().filter(|text| !text.is_empty());
    let architecture = architecture.ok_or_else(|| refuse("it does not name its architecture".into()))?;
    let mut halves = BTreeMap::<Site, [Option<&TensorEntry>; 2]>::new();
    for tensor in &gguf.tensors {
        let (site, half) = place(tensor).map_err(refuse)?;
        let [a, b] = halves.entry(site).or_default();
        *(if half == 'a' { a } else { b }) = Some(tensor);
    }
    let mut shapes = Vec::new();
    for (site, halves) in halves {
        shapes.push((site, pair_shape(site, halves).map_err(refuse)?));
    }
    let rank = one_rank(&shapes).map_err(refuse)?;
    let mut pairs = BTreeMap::new();
    for (site, shape) in &shapes {
        let a = values(path, gguf, shape.a, source)?;
        let b = values(path, gguf, shape.b, source)?;
        pairs.insert(*site, Pair { n_in: shape.n_in, n_out: shape.n_out, a, b });
    }
    let alpha = alpha(&gguf.metadata, rank).map_err(refuse)?;
    let adapter = Adapter { architecture: architecture.to_owned(), rank, alpha, pairs };
    check::problem(&adapter).map_err(refuse)?;
    Ok((adapter, labels(&gguf.metadata)))
}

fn check_kind(metadata: &Metadata) -> Result<(), String> {
    match metadata.text("general.type") {
        Some("adapter") => {}
        Some(other) => return Err(format!("its general.type is {other}, not adapter")),
        None => return Err("it is a GGUF file, but does not say that it is an adapter".to_owned()),
    }
    match metadata.text("adapter.type") {
        Some("lora") => {}
        other => return Err(format!("its adapter.type is {}, not lora", other.unwrap_or("absent"))),
    }
    if metadata.contains("adapter.alora.invocation_tokens") {
        return Err("it is an activated LoRA, which works only after certain tokens".to_owned());
    }
    Ok(())
}

/// Which half of which pair a tensor is.
fn place(tensor: &TensorEntry) -> Result<(Site, char), String> {
    let name = &tensor.name;
    let (module, half) = match (name.strip_suffix(".lora_a"), name.strip_suffix(".lora_b")) {
        (Some(module), _) => (module, 'a'),
        (_, Some(module)) => (module, 'b'),
        _ => return Err(format!("its tensor {name} is no half of a LoRA pair")),
    };
    let site = module.strip_suffix(".weight").and_then(Site::from_gguf);
    let known = || format!("it changes {module}; chela knows attention and feed-forward projections only");
    site.map(|site| (site, half)).ok_or_else(known)
}

struct PairShape<'a> {
    a: &'a TensorEntry,
    b: &'a TensorEntry,
    rank: usize,
    n_in: usize,
    n_out: usize,
}

fn pair_shape(site: Site, halves: [Option<&TensorEntry>; 2]) -> Result<PairShape<'_>, String> {
    let (a, b) = match halves {
        [Some(a), Some(b)] => (a, b),
        [Some(_), None] => return Err(format!("{} is missing", tensor_name(site, 'b'))),
        _ => return Err(format!("{} is missing", tensor_name(site, 'a'))),
    };
    let (n_in, rank) = matrix(a)?;
    let (rank_of_b, n_out) = matrix(b)?;
    if rank != rank_of_b {
        return Err(format!("{site} has rank {rank} in A and {rank_of_b} in B"));
    }
    Ok(PairShape { a, b, rank, n_in, n_out })
}

/// Row length and number of rows.
fn matrix(tensor: &TensorEntry) -> Result<(usize, usize), String> {
    let refuse =
        || format!("its tensor {} has the shape {:?}, a matrix is expected", tensor.name, tensor.dims);
    let &[row_len, n_rows] = tensor.dims.as_slice() else { return Err(refuse()) };
    match (usize::try_from(row_len), usize::try_from(n_rows)) {
        (Ok(row_len), Ok(n_rows)) if row_len > 0 && n_rows > 0 => Ok((row_len, n_rows)),
        _ => Err(refuse()),
    }
}

fn one_rank(shapes: &[(Site, PairShape<'_>)]) -> Result<usize, String> {
    let Some((first, shape)) = shapes.first() else {
        return Err("it changes nothing: there is no pair of matrices in it".to_owned());
    };
    match shapes.iter().find(|(_, other)| other.rank != shape.rank) {
        None => Ok(shape.rank),
        Some((site, other)) => Err(format!(
            "{first} has rank {}, {site} has rank {}; one rank is expected",
            shape.rank, other.rank
        )),
    }
}

/// llama.cpp does not scale when the alpha is absent or 0; an alpha that equals the rank says the same.
#[expect(clippy::cast_precision_loss, reason = "ranks are small")]
fn alpha(metadata: &Metadata, rank: usize) -> Result<f32, String> {
    match metadata.get(ALPHA) {
        None | Some(Value::F32(0.0)) => Ok(rank as f32),
        Some(Value::F32(alpha)) => Ok(*alpha),
        Some(_) => Err(format!("its {ALPHA} is not a 32-bit float")),
    }
}

/// Reads the data of one tensor. The header was checked against the file's length, so it cannot ask for more
/// memory than there are bytes.
fn values(
    path: &Path,
    gguf: &Gguf,
    tensor: &TensorEntry,
    source: &mut (impl Read + Seek),
) -> Result<Vec<f32>, AdapterError> {
    let number = match tensor.tensor_type {
        TensorType::F32 => Number::F32,
        TensorType::F16 => Number::F16,
        TensorType::BF16 => Number::Bf16,
        other => {
            let reason =
                format!("its tensor {} is stored in {other}; F32, F16 or BF16 is expected", tensor.name);
            return Err(AdapterError::unusable(path, reason));
        }
    };
    let failed = |source| AdapterError::io(path, source);
    let too_large = || AdapterError::unusable(path, format!("its tensor {} is too large", tensor.name));
    let n_bytes = tensor.n_bytes().and_then(|n| usize::try_from(n).ok()).ok_or_else(too_large)?;
    source.seek(SeekFrom::Start(gguf.data_offset.saturating_add(tensor.offset))).map_err(failed)?;
    let mut bytes = vec![0; n_bytes];
    source.read_exact(&mut bytes).map_err(failed)?;
    Ok(numbers::from_bytes(number, &bytes))
}

fn labels(metadata: &Metadata) -> Labels {
    let text = |key: &str| metadata.text(key).map(str::to_owned);
    let version = metadata.uint("chela.version").and_then(|version| u32::try_from(version).ok());
    Labels {
        name: text("general.name"),
        base_sha256: text("chela.base_sha256"),
        version: version.map(PolicyVersion),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Linear, arbitrary};
    use super::*;

    fn bytes_of(adapter: &Adapter, labels: &Labels) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_to(&mut bytes, adapter, labels).unwrap();
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<(Adapter, Labels), String> {
        parse(Path::new("a.gguf"), bytes).map_err(|error| error.to_string())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(adapter in arbitrary::adapters(), name in ".*", version in any::<u32>()) {
            let labels = Labels {
                name: Some(name),
                base_sha256: Some("ab".repeat(32)),
                version: Some(PolicyVersion(version)),
            };
            prop_assert_eq!(read_bytes(&bytes_of(&adapter, &labels)), Ok((adapter, labels)));
        }

        #[test]
        fn a_truncated_file_is_refused(adapter in arbitrary::adapters(), cut in any::<prop::sample::Index>()) {
            let bytes = bytes_of(&adapter, &Labels::default());
            // What follows the last value is padding.
            let n_cut = cut.index(bytes.len() - 32);
            prop_assert!(read_bytes(&bytes[..n_cut]).is_err());
        }

        #[test]
        fn damaged_bytes_do_not_panic(
            adapter in arbitrary::adapters(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = bytes_of(&adapter, &Labels::default());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read_bytes(&bytes);
        }
    }

    /// A file with these tensors: name, row length, number of rows, all zeros.
    fn file(keys: &[(&str, &str)], alpha: Option<f32>, tensors: &[(&str, u64, u64)]) -> Vec<u8> {
        let mut metadata = Metadata::default();
        for (key, value) in keys {
            metadata.set(key, (*value).into());
        }
        if let Some(alpha) = alpha {
            metadata.set(ALPHA, alpha.into());
        }
        let mut draft = Draft::new(metadata);
        for (name, row_len, n_rows) in tensors {
            draft.tensor(name, &[*row_len, *n_rows], TensorType::F32).unwrap();
        }
        let mut bytes = Vec::new();
        let zeros = |tensor: &TensorEntry, out: &mut dyn Write| {
            out.write_all(&vec![0; usize::try_from(tensor.n_bytes().unwrap()).unwrap()])
        };
        draft.write(&mut bytes, &mut { zeros }).unwrap();
        bytes
    }

    const KEYS: &[(&str, &str)] =
        &[("general.type", "adapter"), ("general.architecture", "qwen3"), ("adapter.type", "lora")];
    const A: (&str, u64, u64) = ("blk.0.attn_q.weight.lora_a", 8, 2);
    const B: (&str, u64, u64) = ("blk.0.attn_q.weight.lora_b", 2, 6);

    #[track_caller]
    fn check_refused(keys: &[(&str, &str)], tensors: &[(&str, u64, u64)], expected: &str) {
        let error = read_bytes(&file(keys, Some(4.0), tensors)).unwrap_err();
        assert!(error.contains(expected) && error.contains("a.gguf"), "{error}");
    }

    #[test]
    fn what_is_no_adapter_is_named() {
        check_refused(&[("general.architecture", "qwen3")], &[A, B], "does not say that it is an adapter");
        check_refused(&[("general.type", "model")], &[A, B], "general.type is model");
        check_refused(&[KEYS[0], KEYS[1], ("adapter.type", "loha")], &[A, B], "adapter.type is loha");
        check_refused(&[KEYS[0], KEYS[2]], &[A, B], "does not name its architecture");
    }

    #[test]
    fn tensors_that_do_not_belong_are_named() {
        let other = ("output.weight.lora_a", 8, 2);
        check_refused(KEYS, &[A, B, other], "it changes output.weight");
        check_refused(KEYS, &[A, B, ("blk.0.attn_norm.weight", 8, 1)], "blk.0.attn_norm.weight is no half");
        check_refused(KEYS, &[A], "blk.0.attn_q.weight.lora_b is missing");
        check_refused(KEYS, &[B], "blk.0.attn_q.weight.lora_a is missing");
        check_refused(KEYS, &[], "changes nothing");
    }

    #[test]
    fn shapes_and_ranks_that_differ_are_named() {
        check_refused(
            KEYS,
            &[A, ("blk.0.attn_q.weight.lora_b", 3, 6)],
            "blk.0.attn_q has rank 2 in A and 3 in B",
        );
        let (a, b) = (("blk.1.ffn_up.weight.lora_a", 8, 4), ("blk.1.ffn_up.weight.lora_b", 4, 9));
        check_refused(KEYS, &[A, B, a, b], "blk.0.attn_q has rank 2, blk.1.ffn_up has rank 4");
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused_with_its_place() {
        let site = Site { layer: 3, linear: Linear::V };
        let mut adapter = arbitrary::adapter(2, &[(site, 4, 4)]);
        adapter.pairs.get_mut(&site).unwrap().b[5] = f32::NAN;
        let error = read_bytes(&bytes_of(&adapter, &Labels::default())).unwrap_err();
        assert!(error.contains("B of blk.3.attn_v holds NaN at row 2"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nan.gguf");
        assert!(write(&path, &adapter, &Labels::default()).is_err() && !path.exists());
    }

    #[track_caller]
    fn check_alpha(alpha: Option<f32>, expected: f32) {
        let (adapter, _) = read_bytes(&file(KEYS, alpha, &[A, B])).unwrap();
        assert_eq!((adapter.alpha, adapter.scale()), (expected, expected / 2.0));
    }

    #[test]
    fn an_absent_alpha_means_no_scaling() {
        check_alpha(Some(8.0), 8.0);
        check_alpha(Some(0.0), 2.0);
        check_alpha(None, 2.0);
    }
}
