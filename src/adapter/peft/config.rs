//! `adapter_config.json`: what chela writes, and what of PEFT's many options it can honour. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Adapter;

/// The part of the configuration that the matrices need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Config {
    peft_type: String,
    /// The rank.
    pub(super) r: usize,
    lora_alpha: f64,
    #[serde(default)]
    target_modules: Value,
    #[serde(default = "none")]
    bias: String,
    #[serde(default)]
    task_type: Option<String>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    inference_mode: bool,
}

fn none() -> String {
    "none".to_owned()
}

/// Options that change what the matrices mean; each works only when it is absent, null, false or empty.
const FOREIGN: &[(&str, &str)] = &[
    ("use_dora", "DoRA"),
    ("rank_pattern", "ranks that differ between modules"),
    ("alpha_pattern", "alphas that differ between modules"),
    ("modules_to_save", "modules that were trained whole"),
    ("trainable_token_indices", "trained token embeddings"),
    ("target_parameters", "adapted parameters"),
    ("layer_replication", "replicated layers"),
    ("alora_invocation_tokens", "activation by tokens"),
    ("lora_bias", "a bias on B"),
    ("fan_in_fan_out", "transposed weights"),
    ("use_qalora", "QALoRA"),
    ("use_bdlora", "block-diagonal LoRA"),
    ("arrow_config", "Arrow routing"),
    ("kasa_config", "KaSA"),
    ("megatron_config", "Megatron layers"),
    ("monteclora_config", "MonteCLoRA"),
    ("velora_config", "VeLoRA"),
];

/// Ways to begin that leave the base as it was; all others subtract something from it.
const PLAIN_STARTS: &[&str] = &["gaussian", "eva", "orthogonal"];

/// Reads the file, or says which of its options chela has not got.
pub(super) fn parse(text: &[u8]) -> Result<Config, String> {
    let all: Map<String, Value> =
        serde_json::from_slice(text).map_err(|err| format!("it is no JSON object ({err})"))?;
    if let Some(kind) = all.get("peft_type").and_then(Value::as_str).filter(|kind| *kind != "LORA") {
        return Err(format!("its peft_type is {kind}; chela knows LORA"));
    }
    refuse_foreign(&all)?;
    let config: Config = serde_json::from_value(Value::Object(all)).map_err(|err| err.to_string())?;
    if config.bias != "none" {
        return Err(format!("it trains biases (bias is \"{}\"), which chela does not know", config.bias));
    }
    if config.r == 0 {
        return Err("its rank r is 0".to_owned());
    }
    Ok(config)
}

fn refuse_foreign(all: &Map<String, Value>) -> Result<(), String> {
    for (option, what) in FOREIGN {
        if let Some(value) = all.get(*option).filter(|value| is_on(value)) {
            return Err(format!("it uses {what} ({option} is {value}), which chela does not know"));
        }
    }
    match all.get("init_lora_weights").and_then(Value::as_str) {
        Some(start) if !PLAIN_STARTS.contains(&start) => Err(format!(
            "it began with {start}, which changes the base model; convert it to plain LoRA first \
             (path_initial_model_for_weight_conversion of PEFT's save_pretrained)"
        )),
        _ => Ok(()),
    }
}

fn is_on(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
        _ => true,
    }
}

impl Config {
    pub(super) fn new(adapter: &Adapter, base_name: &str, target_modules: Vec<String>) -> Self {
        Self {
            peft_type: "LORA".to_owned(),
            r: adapter.rank,
            lora_alpha: shortest(adapter.alpha),
            target_modules: target_modules.into(),
            bias: none(),
            task_type: Some("CAUSAL_LM".to_owned()),
            base_model_name_or_path: Some(base_name.to_owned()),
            use_rslora: false,
            lora_dropout: 0.0,
            fan_in_fan_out: false,
            inference_mode: true,
        }
    }

    /// The alpha that scales by `alpha / rank`. Rank-stabilised LoRA scales by `lora_alpha / sqrt(rank)`
    /// (Kalajdzievski 2023, arXiv 2312.03732).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "ranks and alphas are small"
    )]
    pub(super) fn alpha(&self) -> f32 {
        let factor = if self.use_rslora { (self.r as f64).sqrt() } else { 1.0 };
        (self.lora_alpha * factor) as f32
    }
}

/// The decimal that a person would write for this number: 0.1 rather than 0.10000000149.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| f64::from(number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(options: &Value, expected: Result<f32, &str>) {
        let mut all = json!({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]});
        all.as_object_mut().unwrap().append(&mut options.as_object().unwrap().clone());
        let outcome = parse(all.to_string().as_bytes()).map(|config| config.alpha());
        match expected {
            Ok(alpha) => assert_eq!(outcome, Ok(alpha)),
            Err(expected) => assert!(outcome.clone().unwrap_err().contains(expected), "{outcome:?}"),
        }
    }

    #[test]
    fn plain_lora_is_read() {
        check(&json!({}), Ok(8.0));
        check(&json!({"lora_alpha": 0.5}), Ok(0.5));
        check(&json!({"use_dora": false, "rank_pattern": {}, "modules_to_save": null}), Ok(8.0));
        check(&json!({"init_lora_weights": true}), Ok(8.0));
        check(&json!({"init_lora_weights": "gaussian"}), Ok(8.0));
    }

    #[test]
    fn rank_stabilised_scaling_becomes_part_of_alpha() {
        // alpha' / 4 = 8 / sqrt(4)
        check(&json!({"use_rslora": true}), Ok(16.0));
    }

    #[test]
    fn options_that_chela_has_not_got_are_named() {
        check(&json!({"peft_type": "LOHA"}), Err("peft_type is LOHA"));
        check(&json!({"use_dora": true}), Err("DoRA (use_dora is true)"));
        check(&json!({"bias": "all"}), Err("bias is \"all\""));
        check(&json!({"rank_pattern": {"q_proj": 8}}), Err("rank_pattern"));
        check(&json!({"alpha_pattern": {"q_proj": 8}}), Err("alpha_pattern"));
        check(&json!({"modules_to_save": ["lm_head"]}), Err("modules_to_save is [\"lm_head\"]"));
        check(&json!({"init_lora_weights": "pissa"}), Err("began with pissa"));
        check(&json!({"r": 0}), Err("r is 0"));
        check(&json!({"r": -1}), Err("-1"));
    }

    #[test]
    fn a_file_that_is_no_object_says_so() {
        assert!(parse(b"[]").unwrap_err().contains("no JSON object"));
        assert!(parse(b"{\"r\":").unwrap_err().contains("no JSON object"));
    }
}
