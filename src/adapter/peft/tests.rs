//! PEFT folders: round trips, the order of rows, and refusals. Files made by PEFT itself are in `tests/it`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::arbitrary;
use super::*;

/// Two layers of a model with all seven maps; heads 4 and 2 of 4 rows.
fn shape(architecture: &str) -> Shape {
    let linears =
        (0..2).flat_map(|layer| Linear::ALL.map(|linear| (Site { layer, linear }, widths(linear)))).collect();
    Shape { architecture: architecture.into(), n_layers: 2, heads: Heads { n_q: 4, n_kv: 2 }, linears }
}

fn widths(linear: Linear) -> (usize, usize) {
    match linear {
        Linear::Q => (8, 16),
        Linear::K | Linear::V => (8, 8),
        Linear::O => (16, 8),
        Linear::Gate | Linear::Up => (8, 12),
        Linear::Down => (12, 8),
    }
}

fn adapter_of(architecture: &str, rank: usize, sites: impl IntoIterator<Item = Site>) -> Adapter {
    let sites: Vec<_> = sites
        .into_iter()
        .map(|site| {
            let (n_in, n_out) = widths(site.linear);
            (site, n_in, n_out)
        })
        .collect();
    Adapter { architecture: architecture.into(), ..arbitrary::adapter(rank, &sites) }
}

fn all_sites() -> impl Iterator<Item = Site> {
    (0..2).flat_map(|layer| Linear::ALL.map(|linear| Site { layer, linear }))
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        which in prop::collection::vec(any::<bool>(), 14),
        rank in 1..5_usize,
        alpha in 0.01..100.0_f32,
        at in 0..3_usize,
    ) {
        let sites: Vec<Site> = all_sites().zip(which).filter(|(_, on)| *on).map(|(site, _)| site).collect();
        prop_assume!(!sites.is_empty());
        let architecture = NAMED_LIKE_LLAMA[at];
        let adapter = Adapter { alpha, ..adapter_of(architecture, rank, sites) };
        let folder = tempfile::tempdir().unwrap();
        let shape = shape(architecture);
        write(folder.path(), &adapter, &shape, "base").unwrap();
        prop_assert_eq!(read(folder.path(), &shape).unwrap(), adapter);
    }

    #[test]
    fn damaged_bytes_do_not_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let adapter = adapter_of("llama", 2, all_sites());
        let config = Config::new(&adapter, "base", Vec::new());
        let mut bytes = to_bytes(&adapter, Heads { n_q: 4, n_kv: 2 }).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = from_bytes(&bytes, &config, &shape("llama"));
        prop_assert!(from_bytes(&bytes[..cut.index(bytes.len())], &config, &shape("llama")).is_err());
    }

    #[test]
    fn the_order_of_rows_goes_both_ways(n_heads in 1..5_usize, half in 1..5_usize, row_len in 1..4_usize) {
        let n = u16::try_from(n_heads * 2 * half * row_len).unwrap();
        let rows: Vec<f32> = (0..n).map(f32::from).collect();
        let gguf = interleaved(&rows, row_len, n_heads).unwrap();
        prop_assert_eq!(in_halves(&gguf, row_len, n_heads).unwrap(), rows);
    }
}

#[test]
fn gguf_order_lets_the_halves_of_a_head_alternate() {
    // convert_hf_to_gguf.py: reshape(n_head, 2, rows / n_head / 2).swapaxes(1, 2), for two heads of four rows.
    let rows = [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0];
    assert_eq!(interleaved(&rows, 1, 2).unwrap(), [0.0, 2.0, 1.0, 3.0, 10.0, 12.0, 11.0, 13.0]);
    assert_eq!(interleaved(&rows, 1, 3), None);
    assert_eq!(interleaved(&rows, 1, 0), None);
}

#[test]
fn only_q_and_k_of_llama_are_in_another_order() {
    let rotated =
        |architecture| Linear::ALL.into_iter().filter(move |linear| is_rotated(architecture, *linear));
    assert_eq!(rotated("llama").collect::<Vec<_>>(), [Linear::Q, Linear::K]);
    assert_eq!(rotated("qwen2").chain(rotated("qwen3")).count(), 0);
}

fn written_modules(sites: impl IntoIterator<Item = Site>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &adapter_of("qwen2", 2, sites), &shape("qwen2"), "base").unwrap();
    let config: Value = serde_json::from_slice(&std::fs::read(folder.path().join(CONFIG)).unwrap()).unwrap();
    config["target_modules"].clone()
}

#[test]
fn modules_are_those_that_are_there() {
    let q = |layer| Site { layer, linear: Linear::Q };
    assert_eq!(written_modules([q(0), q(1)]), json!(["q_proj"]));
    assert_eq!(written_modules([q(1)]), json!(["model.layers.1.self_attn.q_proj"]));
    assert_eq!(
        written_modules(all_sites()),
        json!(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    );
}

/// Reads a file of these tensors, all zeros, with rank 2 in the configuration.
#[track_caller]
fn check_refused(tensors: &[(&str, Dtype, &[usize])], expected: &str) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, dtype, shape)| vec![0; shape.iter().product::<usize>() * dtype.bitsize() / 8])
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, dtype, shape), bytes)| {
        (*name, TensorView::new(*dtype, shape.to_vec(), bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    let config = Config::new(&adapter_of("qwen2", 2, all_sites()), "base", Vec::new());
    let reason = from_bytes(&file, &config, &shape("qwen2")).unwrap_err();
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn tensors_that_do_not_belong_are_named() {
    let q = "base_model.model.model.layers.0.self_attn.q_proj";
    let (a, b) = (format!("{q}.lora_A.weight"), format!("{q}.lora_B.weight"));
    let two: &[usize] = &[2, 8];
    check_refused(&[(&a, Dtype::F32, two)], "model.layers.0.self_attn.q_proj has no lora_B");
    check_refused(&[(&b, Dtype::F32, &[16, 2])], "model.layers.0.self_attn.q_proj has no lora_A");
    check_refused(
        &[(&a, Dtype::F32, &[3, 8]), (&b, Dtype::F32, &[16, 3])],
        "has rank 3 in A and 3 in B, adapter_config.json says 2",
    );
    check_refused(&[(&a, Dtype::I8, two), (&b, Dtype::F32, &[16, 2])], "is stored in I8");
    check_refused(&[(&a, Dtype::F32, &[16])], "has the shape [16], a matrix is expected");
    for foreign in [
        "base_model.model.lm_head.lora_A.weight",
        "base_model.model.model.embed_tokens.lora_embedding_A",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
        "base_model.model.model.layers.0.input_layernorm.weight",
    ] {
        check_refused(&[(foreign, Dtype::F32, two)], foreign);
    }
    check_refused(&[], "changes nothing");
}

#[test]
fn a_file_that_claims_absurd_sizes_is_refused_before_anything_is_allocated() {
    let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    let config = Config::new(&adapter_of("qwen2", 2, all_sites()), "base", Vec::new());
    for (shape_text, end) in
        [("[4294967296,4294967296]", u64::MAX), ("[1073741824,1024]", 1 << 42), ("[2,8]", 64)]
    {
        let header =
            format!(r#"{{"{name}":{{"dtype":"F32","shape":{shape_text},"data_offsets":[0,{end}]}}}}"#);
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        let reason = from_bytes(&bytes, &config, &shape("qwen2")).unwrap_err();
        assert!(reason.contains("no whole safetensors file"), "{reason}");
    }
    let mut header_too_long = u64::MAX.to_le_bytes().to_vec();
    header_too_long.extend_from_slice(b"{}");
    assert!(from_bytes(&header_too_long, &config, &shape("qwen2")).is_err());
}

#[test]
fn an_architecture_with_other_modules_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path(), &shape("phi3")).unwrap_err().to_string();
    assert!(error.contains("llama, qwen2, qwen3") && error.contains("phi3"), "{error}");
}
