//! What models may have and the trainer does not compute: each is refused by name. Part of `geometry`.
//!
//! Keys are those of `llama-arch.cpp`. llama.cpp ignores some of them for these architectures; a file that states one
//! all the same was not made for this computation, and training it would be a guess.

use super::{Geometry, Keys};
use crate::gguf::{Array, Gguf, Value};

/// A key, the values at which it has no effect, and what it stands for otherwise.
type Refusal = (&'static str, &'static [f64], &'static str);

const REFUSALS: &[Refusal] = &[
    ("expert_count", &[0.0], "a mixture of experts"),
    ("expert_used_count", &[0.0], "a mixture of experts"),
    ("nextn_predict_layers", &[0.0], "extra layers that predict further tokens"),
    ("attention.causal", &[1.0], "attention to later tokens"),
    ("pooling_type", &[0.0], "pooling, because it is made for embeddings"),
    ("attention.clamp_kqv", &[0.0], "clamped queries, keys and values"),
    ("attention.max_alibi_bias", &[0.0], "ALiBi"),
    ("attn_logit_softcapping", &[0.0], "soft-capped attention"),
    ("final_logit_softcapping", &[0.0], "soft-capped logits"),
    ("logit_scale", &[0.0, 1.0], "scaled logits"),
    ("residual_scale", &[0.0, 1.0], "scaled residuals"),
    ("embedding_scale", &[0.0, 1.0], "scaled embeddings"),
    ("attention.output_scale", &[0.0, 1.0], "scaled attention output"),
    ("attention.value_scale", &[0.0, 1.0], "scaled values"),
    ("attention.temperature_length", &[0.0], "attention whose temperature depends on the position"),
    ("attention.temperature_scale", &[0.0], "attention whose temperature depends on the position"),
    ("attention.shared_kv_layers", &[0.0], "keys and values shared between layers"),
    ("attention.q_lora_rank", &[0.0], "latent attention"),
    ("attention.kv_lora_rank", &[0.0], "latent attention"),
    ("rope.dimension_sections", &[0.0], "rotary positions on several axes"),
    ("rope.scaling.alpha", &[0.0, 1.0], "rotary scaling by alpha"),
    ("use_parallel_residual", &[0.0], "attention and feed-forward side by side"),
    ("rescale_every_n_layers", &[0.0], "rescaled layers"),
    ("swiglu_clamp_exp", &[0.0], "a clamped feed-forward"),
    ("num_loops", &[0.0, 1.0], "layers that are run several times"),
    ("full_attention_interval", &[0.0, 1.0], "layers without full attention"),
    ("adapters.count", &[0.0], "adapters of its own"),
];

pub(super) fn check(gguf: &Gguf, geometry: &Geometry) -> Result<(), String> {
    let keys = Keys { gguf, architecture: geometry.architecture };
    for (key, neutral, what) in REFUSALS {
        if let Some(value) = keys.get(key).filter(|value| !is_one_of(value, neutral)) {
            return Err(refusal(&keys, key, value, what));
        }
    }
    check_window(&keys, geometry)?;
    check_scale(&keys, geometry)?;
    check_activation(&keys)?;
    match keys.get("embedding_length_out") {
        Some(value) if value.as_uint() != u64::try_from(geometry.width).ok() => {
            Err(refusal(&keys, "embedding_length_out", value, "an output of another width"))
        }
        _ => Ok(()),
    }
}

/// A window as long as the context is none.
fn check_window(keys: &Keys<'_>, geometry: &Geometry) -> Result<(), String> {
    let key = "attention.sliding_window";
    let context_length = u64::try_from(geometry.context_length).unwrap_or(u64::MAX);
    match keys.get(key) {
        Some(value) if !value.as_uint().is_some_and(|len| len == 0 || len >= context_length) => {
            Err(refusal(keys, key, value, "a sliding window of attention"))
        }
        _ => Ok(()),
    }
}

/// Attention is scaled by the width of a head; a file may say so in numbers.
fn check_scale(keys: &Keys<'_>, geometry: &Geometry) -> Result<(), String> {
    let key = "attention.scale";
    let usual = f64::from(geometry.attention_scale());
    match keys.get(key) {
        Some(value)
            if !numbers(value).is_some_and(|all| {
                all.iter().all(|scale| *scale == 0.0 || (scale - usual).abs() < 1e-6 * usual)
            }) =>
        {
            Err(refusal(keys, key, value, "another scale of attention"))
        }
        _ => Ok(()),
    }
}

fn check_activation(keys: &Keys<'_>) -> Result<(), String> {
    let key = "hidden_activation";
    match keys.get(key) {
        Some(value) if !matches!(value.as_text(), Some("silu" | "swish")) => {
            Err(refusal(keys, key, value, "another activation than SiLU"))
        }
        _ => Ok(()),
    }
}

fn refusal(keys: &Keys<'_>, key: &str, value: &Value, what: &str) -> String {
    let name = keys.architecture.name();
    format!("has {what} ({name}.{key} = {}), which the trainer does not compute", shown(value))
}

fn is_one_of(value: &Value, neutral: &[f64]) -> bool {
    numbers(value).is_some_and(|numbers| numbers.iter().all(|number| neutral.contains(number)))
}

/// One number or several; flags are 0 and 1. `None` for texts and arrays of them.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    #[expect(clippy::cast_precision_loss, reason = "compared with small numbers only")]
    let whole = |number: u64| number as f64;
    Some(match value {
        Value::Bool(flag) => vec![f64::from(u8::from(*flag))],
        Value::F32(number) => vec![f64::from(*number)],
        Value::F64(number) => vec![*number],
        Value::Array(Array::F32(items)) => items.iter().copied().map(f64::from).collect(),
        Value::Array(Array::U32(items)) => items.iter().copied().map(f64::from).collect(),
        Value::Array(Array::I32(items)) => items.iter().copied().map(f64::from).collect(),
        Value::Array(Array::Bool(items)) => items.iter().map(|flag| f64::from(u8::from(*flag))).collect(),
        value => vec![whole(value.as_uint()?)],
    })
}

fn shown(value: &Value) -> String {
    match (value, numbers(value)) {
        (Value::Text(text), _) => text.clone(),
        (Value::Bool(flag), _) => flag.to_string(),
        (Value::Array(array), _) => format!("{} values", array.len()),
        (_, Some(numbers)) => numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(", "),
        _ => "a negative number".to_owned(),
    }
}
