//! Adapters made by PEFT itself, through chela's files into llama.cpp: the log-probabilities are PyTorch's.
//! The fixtures are made by `scripts/reference/peft_fixture.py`.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use chela::adapter::{Adapter, AdapterError, Shape, gguf, peft};
use chela::engine::{Cancel, Engine, EngineError, Job, LlamaEngine, LoadOptions, Priority, Score, Token};
use chela::turn::PolicyVersion;
use serde::Deserialize;

/// llama.cpp rounds activations to F16 where weights are F16, and its KV cache too. The adapters of the fixtures
/// change log-probabilities by up to 4; rows of Q and K in the wrong order change them by as much.
const TOLERANCE: f32 = 0.02;

#[derive(Deserialize)]
struct Expected {
    tokens: Vec<Token>,
    n_prompt: usize,
    base: Vec<f32>,
    adapted: Vec<f32>,
}

fn fixture(architecture: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/adapter").join(architecture)
}

fn expected(architecture: &str) -> Expected {
    serde_json::from_slice(&std::fs::read(fixture(architecture).join("expected.json")).unwrap()).unwrap()
}

fn base(architecture: &str) -> PathBuf {
    fixture(architecture).join("base.gguf")
}

fn imported(architecture: &str) -> Adapter {
    peft::read(&fixture(architecture), &Shape::open(&base(architecture)).unwrap()).unwrap()
}

fn load(engine: &LlamaEngine, path: &Path) -> Result<(), EngineError> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    let job = Job::LoadAdapter { version: PolicyVersion(1), path: path.into(), scale: 1.0, done };
    engine.submit(job).unwrap();
    receiver.recv().unwrap()
}

fn score(engine: &LlamaEngine, policy: PolicyVersion, expected: &Expected) -> Vec<f32> {
    let (sender, receiver) = mpsc::channel();
    let (prompt, response) = expected.tokens.split_at(expected.n_prompt);
    let job = Score {
        prompt: prompt.to_vec(),
        response: response.to_vec(),
        policy,
        priority: Priority::Foreground,
        cancel: Cancel::default(),
        done: Box::new(move |result| sender.send(result).unwrap()),
    };
    engine.submit(Job::Score(job)).unwrap();
    receiver.recv().unwrap().unwrap()
}

fn distance(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[track_caller]
fn check_logprobs(architecture: &str) {
    let expected = expected(architecture);
    let engine = LlamaEngine::load(&LoadOptions::new("tiny", &base(architecture))).unwrap();
    let off = distance(&score(&engine, PolicyVersion::BASE, &expected), &expected.base);
    assert!(off < TOLERANCE, "base: {off}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    gguf::write(&path, &imported(architecture), &gguf::Labels::default()).unwrap();
    load(&engine, &path).unwrap();
    let off = distance(&score(&engine, PolicyVersion(1), &expected), &expected.adapted);
    assert!(off < TOLERANCE, "adapter: {off}");
    assert!(distance(&expected.base, &expected.adapted) > 1.0);
}

#[test]
fn a_peft_adapter_for_llama_gives_pytorchs_logprobs_in_llama_cpp() {
    check_logprobs("llama");
}

#[test]
fn a_peft_adapter_for_qwen2_gives_pytorchs_logprobs_in_llama_cpp() {
    check_logprobs("qwen2");
}

#[track_caller]
fn check_round_trip(architecture: &str) {
    let shape = Shape::open(&base(architecture)).unwrap();
    let adapter = imported(architecture);
    let folder = tempfile::tempdir().unwrap();
    peft::write(folder.path(), &adapter, &shape, "tiny").unwrap();
    assert_eq!(peft::read(folder.path(), &shape).unwrap(), adapter);
    let path = folder.path().join("adapter.gguf");
    gguf::write(&path, &adapter, &gguf::Labels::default()).unwrap();
    assert_eq!(gguf::read(&path).unwrap().0, adapter);
}

#[test]
fn what_peft_wrote_survives_both_formats() {
    check_round_trip("llama");
    check_round_trip("qwen2");
}

#[test]
fn scaling_is_read_as_peft_means_it() {
    let (plain, stabilised) = (imported("llama"), imported("qwen2"));
    // 6 / 4, and 2.5 / sqrt(4).
    assert_eq!((plain.rank, plain.scale(), plain.pairs.len()), (4, 1.5, 14));
    assert_eq!((stabilised.rank, stabilised.scale(), stabilised.pairs.len()), (4, 1.25, 8));
}

#[test]
fn an_adapter_of_another_model_names_the_place() {
    let error = peft::read(&fixture("llama"), &Shape::open(&base("qwen2")).unwrap())
        .and_then(|adapter| Shape::open(&crate::engine::starter()).unwrap().check("chela-starter", &adapter));
    let Err(error @ AdapterError::Misfit { .. }) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("architecture is qwen2, the model's qwen3"), "{error}");
}
