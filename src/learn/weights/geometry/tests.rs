//! What is read from metadata, and what is refused.

use super::super::rope::{Pairing, Rope, Scaling};
use super::{Architecture, Geometry, geometry};
use crate::gguf::{Array, Gguf, Metadata, Strings, TensorEntry, TensorType, Value};

/// A header with the keys of a small model; `edit` changes it.
fn header(architecture: &str, edit: impl FnOnce(&mut Metadata)) -> Gguf {
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", architecture.into());
    for (key, number) in [
        ("block_count", 3_u32),
        ("context_length", 4096),
        ("embedding_length", 64),
        ("feed_forward_length", 160),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        metadata.set(&format!("{architecture}.{key}"), number.into());
    }
    metadata.set(&format!("{architecture}.attention.layer_norm_rms_epsilon"), 1e-5_f32.into());
    metadata.set("tokenizer.ggml.tokens", ["a", "b", "c"].into_iter().collect::<Strings>().into());
    edit(&mut metadata);
    Gguf { version: 3, metadata, tensors: Vec::new(), data_offset: 0, alignment: 32, file_len: 0 }
}

fn read(architecture: &str, edit: impl FnOnce(&mut Metadata)) -> Geometry {
    geometry(&header(architecture, edit)).unwrap()
}

/// Sets one key of a llama model to a value that has no effect.
#[track_caller]
fn check_accepted(key: &str, value: impl Into<Value>) {
    let result = geometry(&header("llama", |metadata| metadata.set(&format!("llama.{key}"), value.into())));
    assert!(result.is_ok(), "{key}: {}", result.unwrap_err());
}

/// Sets one key of a llama model to a value that the trainer does not implement.
#[track_caller]
fn check_refused(key: &str, value: impl Into<Value>, expected: &str) {
    let header = header("llama", |metadata| metadata.set(&format!("llama.{key}"), value.into()));
    let reason = geometry(&header).expect_err(key);
    assert!(reason.contains(expected), "{key}: {reason}");
}

#[test]
fn a_llama_with_defaults() {
    let expected = Geometry {
        architecture: Architecture::Llama,
        n_layers: 3,
        width: 64,
        ffn_width: 160,
        n_heads: 4,
        n_kv_heads: 2,
        head_width: 16,
        n_vocab: 3,
        context_length: 4096,
        rms_epsilon: 1e-5,
        rope: Rope {
            n_rotated: 16,
            pairing: Pairing::Neighbours,
            base: 10_000.0,
            scaling: Scaling::None,
            magnitude: 1.0,
        },
        tied_head: true,
    };
    assert_eq!(read("llama", |_| ()), expected);
    assert_eq!((expected.q_width(), expected.kv_width()), (64, 32));
    assert_eq!(expected.attention_scale().to_bits(), 0.25_f32.to_bits());
}

#[test]
fn qwen_turns_halves() {
    assert_eq!(read("qwen2", |_| ()).rope.pairing, Pairing::Halves);
    assert_eq!(read("qwen3", |_| ()).rope.pairing, Pairing::Halves);
}

#[test]
fn a_separate_head_is_a_tensor() {
    let mut header = header("qwen3", |_| ());
    let name = "output.weight".to_owned();
    header.tensors.push(TensorEntry { name, dims: vec![64, 3], tensor_type: TensorType::F32, offset: 0 });
    assert!(!geometry(&header).unwrap().tied_head);
}

#[test]
fn heads_may_be_wider_than_the_stream() {
    let geometry = read("qwen3", |metadata| {
        metadata.set("qwen3.attention.key_length", 128_u32.into());
        metadata.set("qwen3.attention.value_length", 128_u32.into());
    });
    assert_eq!((geometry.head_width, geometry.q_width(), geometry.kv_width()), (128, 512, 256));
    assert_eq!(geometry.rope.n_rotated, 128);
}

#[test]
fn key_heads_are_as_many_as_heads_when_nothing_is_said() {
    let mut header = header("llama", |_| ());
    let kept = header.metadata.iter().filter(|(key, _)| !key.ends_with("head_count_kv"));
    let mut metadata = Metadata::default();
    kept.for_each(|(key, value)| metadata.set(key, value.clone()));
    header.metadata = metadata;
    assert_eq!(geometry(&header).unwrap().n_kv_heads, 4);
}

#[test]
fn arrays_of_one_number_count_as_that_number() {
    let per_layer = |number| Value::Array(Array::I32(vec![number; 3]));
    let geometry = read("llama", |metadata| {
        metadata.set("llama.attention.head_count", per_layer(8));
        metadata.set("llama.feed_forward_length", per_layer(96));
    });
    assert_eq!((geometry.n_heads, geometry.ffn_width), (8, 96));
}

#[test]
fn rotary_scaling_is_read() {
    let scaling = |edit: &dyn Fn(&mut Metadata)| read("llama", |metadata| edit(metadata)).rope.scaling;
    assert_eq!(
        scaling(&|metadata| metadata.set("llama.rope.scaling.factor", 4.0_f32.into())),
        Scaling::Linear { factor: 4.0 }
    );
    assert_eq!(
        scaling(&|metadata| metadata.set("llama.rope.scale_linear", 2.0_f32.into())),
        Scaling::Linear { factor: 2.0 }
    );
    assert_eq!(
        scaling(&|metadata| {
            metadata.set("llama.rope.scaling.type", "none".into());
            metadata.set("llama.rope.scaling.factor", 4.0_f32.into());
        }),
        Scaling::None
    );
    assert_eq!(
        scaling(&|metadata| {
            metadata.set("llama.rope.scaling.type", "yarn".into());
            metadata.set("llama.rope.scaling.factor", 4.0_f32.into());
        }),
        Scaling::Yarn { factor: 4.0, original_context: 4096 }
    );
    assert_eq!(
        scaling(&|metadata| {
            metadata.set("llama.rope.scaling.type", "yarn".into());
            metadata.set("llama.rope.scaling.factor", 4.0_f32.into());
            metadata.set("llama.rope.scaling.original_context_length", 1024_u32.into());
        }),
        Scaling::Yarn { factor: 4.0, original_context: 1024 }
    );
}

#[test]
fn part_of_a_head_may_be_turned() {
    let geometry = read("qwen2", |metadata| metadata.set("qwen2.rope.dimension_count", 8_u32.into()));
    assert_eq!((geometry.rope.n_rotated, geometry.head_width), (8, 16));
}

#[test]
fn another_architecture_is_refused_by_name() {
    let reason = geometry(&header("gemma3", |_| ())).unwrap_err();
    assert_eq!(reason, "has the architecture gemma3, and the trainer knows llama, qwen2, qwen3");
}

#[test]
fn what_is_no_whole_model_is_refused() {
    let adapter = header("llama", |metadata| metadata.set("general.type", "adapter".into()));
    assert!(geometry(&adapter).unwrap_err().contains("of the type adapter"));
    let part = header("llama", |metadata| metadata.set("split.count", Value::U16(3)));
    assert!(geometry(&part).unwrap_err().contains("one of 3 parts"));
}

#[test]
fn every_trainable_architecture_is_read() {
    for name in crate::gguf::TRAINABLE {
        assert_eq!(read(name, |_| ()).architecture.name(), *name);
    }
}

#[test]
fn keys_without_effect_are_accepted() {
    check_accepted("expert_count", 0_u32);
    check_accepted("attention.causal", true);
    check_accepted("pooling_type", 0_u32);
    check_accepted("logit_scale", 1.0_f32);
    check_accepted("residual_scale", 0.0_f32);
    check_accepted("attention.clamp_kqv", 0.0_f32);
    check_accepted("attention.sliding_window", 0_u32);
    check_accepted("attention.sliding_window", 4096_u32);
    check_accepted("attention.scale", 0.25_f32);
    check_accepted("hidden_activation", "silu");
    check_accepted("embedding_length_out", 64_u32);
    check_accepted("use_parallel_residual", false);
    check_accepted("vocab_size", 99_u32);
}

#[test]
fn other_computations_are_refused_by_name() {
    check_refused("expert_count", 8_u32, "a mixture of experts (llama.expert_count = 8)");
    check_refused("nextn_predict_layers", 1_u32, "further tokens");
    check_refused("attention.causal", false, "attention to later tokens (llama.attention.causal = false)");
    check_refused("pooling_type", 3_u32, "made for embeddings");
    check_refused("attention.clamp_kqv", 8.0_f32, "clamped queries");
    check_refused("attention.max_alibi_bias", 8.0_f32, "ALiBi");
    check_refused("attn_logit_softcapping", 50.0_f32, "soft-capped attention");
    check_refused("final_logit_softcapping", 30.0_f32, "soft-capped logits");
    check_refused("logit_scale", 0.0625_f32, "scaled logits (llama.logit_scale = 0.0625)");
    check_refused("residual_scale", 0.22_f32, "scaled residuals");
    check_refused("embedding_scale", 12.0_f32, "scaled embeddings");
    check_refused("attention.scale", 0.0156_f32, "another scale of attention");
    check_refused("attention.sliding_window", 1024_u32, "a sliding window of attention");
    check_refused("attention.kv_lora_rank", 512_u32, "latent attention");
    check_refused("rope.dimension_sections", Value::Array(Array::I32(vec![16, 24, 24, 0])), "several axes");
    check_refused("use_parallel_residual", true, "side by side");
    check_refused(
        "hidden_activation",
        "gelu",
        "another activation than SiLU (llama.hidden_activation = gelu)",
    );
    check_refused("embedding_length_out", 32_u32, "another width");
    check_refused("expert_count", "eight", "llama.expert_count = eight");
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    check_refused("block_count", 0_u32, "states 0 as llama.block_count");
    check_refused("embedding_length", u64_value(1 << 40), "which cannot be");
    check_refused("block_count", "three", "states no whole number as llama.block_count");
    check_refused("attention.head_count_kv", 3_u32, "states 4 heads and 3 of keys");
    check_refused("attention.head_count", Value::Array(Array::U32(vec![4, 4, 2])), "layers that differ");
    check_refused("attention.head_count", 128_u32, "does not state llama.attention.key_length");
    check_refused("attention.value_length", 32_u32, "keys of 16 numbers and values of 32");
    check_refused("attention.layer_norm_rms_epsilon", 1_u32, "no finite 32-bit number");
    check_refused("rope.dimension_count", 32_u32, "turns 32 numbers of heads that have 16");
    check_refused("rope.dimension_count", 7_u32, "turns 7 numbers");
    check_refused("rope.freq_base", 0.5_f32, "a rotary base of 0.5");
    check_refused("rope.scaling.factor", -2.0_f32, "scales its rotary positions by -2");
    check_refused("rope.scaling.type", "longrope", "the method longrope");
}

fn u64_value(number: u64) -> Value {
    Value::U64(number)
}

#[test]
fn a_missing_number_is_named() {
    let header = Gguf {
        metadata: {
            let mut metadata = Metadata::default();
            metadata.set("general.architecture", "qwen2".into());
            metadata
        },
        ..header("qwen2", |_| ())
    };
    assert!(geometry(&header).unwrap_err().starts_with("does not state qwen2.embedding_length"));
}
