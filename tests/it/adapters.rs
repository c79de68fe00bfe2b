//! LoRA adapters on a live engine: load, serve beside the base, remove, and what a wrong file says.

use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};

use chela::engine::{
    Cancel, Engine, EngineError, Generate, GenerateEvent, Job, LlamaEngine, LoadOptions, Priority, Sampling,
    Score, Token,
};
use chela::gguf::{Draft, Metadata, TensorType};
use chela::turn::PolicyVersion;

use crate::engine::starter;

const RANK: u64 = 4;

/// A LoRA for `blk.0.attn_q` of the starter (256 → 256); B is `b` everywhere, A varies.
fn write_adapter(path: &Path, architecture: &str, b: f32) {
    let mut metadata = Metadata::default();
    metadata.set("general.type", "adapter".into());
    metadata.set("general.architecture", architecture.into());
    metadata.set("adapter.type", "lora".into());
    metadata.set("adapter.lora.alpha", 8.0_f32.into());
    let mut draft = Draft::new(metadata);
    draft.tensor("blk.0.attn_q.weight.lora_a", &[256, RANK], TensorType::F32).unwrap();
    draft.tensor("blk.0.attn_q.weight.lora_b", &[RANK, 256], TensorType::F32).unwrap();
    let mut file = File::create(path).unwrap();
    let wave = (0..256 * u16::try_from(RANK).unwrap()).map(|n| (f32::from(n) * 0.7).sin());
    draft
        .write(&mut file, &mut |tensor, out: &mut dyn Write| {
            let is_a = tensor.name.ends_with("lora_a");
            wave.clone().try_for_each(|a| out.write_all(&(if is_a { a } else { b }).to_le_bytes()))
        })
        .unwrap();
}

struct Bench {
    engine: LlamaEngine,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let engine = LlamaEngine::load(&LoadOptions::new("starter", &starter())).unwrap();
        Self { engine, folder: tempfile::tempdir().unwrap() }
    }

    fn adapter(&self, architecture: &str, b: f32) -> PathBuf {
        let path = self.folder.path().join(format!("{architecture}-{b}.gguf"));
        write_adapter(&path, architecture, b);
        path
    }

    fn load(&self, version: u32, path: &Path) -> Result<(), EngineError> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |result| sender.send(result).unwrap());
        let version = PolicyVersion(version);
        self.engine.submit(Job::LoadAdapter { version, path: path.to_path_buf(), scale: 1.0, done }).unwrap();
        receiver.recv().unwrap()
    }

    fn remove(&self, version: u32) -> Result<(), EngineError> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |result| sender.send(result).unwrap());
        self.engine.submit(Job::RemoveAdapter { version: PolicyVersion(version), done }).unwrap();
        receiver.recv().unwrap()
    }

    fn score(&self, version: u32) -> Result<Vec<f32>, EngineError> {
        let (sender, receiver) = mpsc::channel();
        let prompt = self.engine.tokenize("<|im_start|>user\nlist files<|im_end|>\n", true).unwrap();
        let response: Vec<Token> = self.engine.tokenize("ls -la /tmp", false).unwrap();
        let job = Score {
            prompt,
            response,
            policy: PolicyVersion(version),
            priority: Priority::Foreground,
            cancel: Cancel::default(),
            done: Box::new(move |result| sender.send(result).unwrap()),
        };
        self.engine.submit(Job::Score(job)).unwrap();
        receiver.recv().unwrap()
    }

    fn generate(&self, version: u32, max_tokens: usize) -> Receiver<GenerateEvent> {
        let (sender, receiver) = mpsc::channel();
        let job = Generate {
            prompt: self.engine.tokenize("<|im_start|>user\nlist files<|im_end|>\n", true).unwrap(),
            sampling: Sampling { max_tokens, seed: Some(1), ..Sampling::default() },
            policy: PolicyVersion(version),
            priority: Priority::Foreground,
            cancel: Cancel::default(),
            forget: false,
            events: Box::new(move |event| {
                sender.send(event).map_or(ControlFlow::Break(()), |()| ControlFlow::Continue(()))
            }),
        };
        self.engine.submit(Job::Generate(job)).unwrap();
        receiver
    }
}

fn distance(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn an_adapter_with_zero_b_is_the_base() {
    let bench = Bench::new();
    bench.load(1, &bench.adapter("qwen3", 0.0)).unwrap();
    assert_eq!(bench.score(1).unwrap(), bench.score(0).unwrap());
}

#[test]
fn two_versions_and_the_base_serve_side_by_side() {
    let bench = Bench::new();
    let base = bench.score(0).unwrap();
    bench.load(1, &bench.adapter("qwen3", 0.02)).unwrap();
    bench.load(2, &bench.adapter("qwen3", -0.05)).unwrap();
    let (one, two) = (bench.score(1).unwrap(), bench.score(2).unwrap());
    assert!(distance(&base, &one) > 1e-3 && distance(&one, &two) > 1e-3);
    // Whatever ran in between: each version keeps its own cache.
    assert_eq!(bench.score(0).unwrap(), base);
    assert_eq!(bench.score(1).unwrap(), one);
}

#[test]
fn a_stream_goes_on_when_its_adapter_is_removed() {
    let bench = Bench::new();
    bench.load(1, &bench.adapter("qwen3", 0.01)).unwrap();
    let events = bench.generate(1, 400);
    assert!(matches!(events.recv().unwrap(), GenerateEvent::Started { .. }));
    bench.remove(1).unwrap();
    assert!(matches!(events.iter().last(), Some(GenerateEvent::Finished(_))));
    assert_eq!(bench.score(1).unwrap_err(), EngineError::UnknownPolicy(PolicyVersion(1)));
}

#[test]
fn a_removed_version_can_be_loaded_again() {
    let bench = Bench::new();
    let path = bench.adapter("qwen3", 0.02);
    bench.load(1, &path).unwrap();
    let before = bench.score(1).unwrap();
    bench.remove(1).unwrap();
    bench.load(1, &path).unwrap();
    assert_eq!(bench.score(1).unwrap(), before);
}

#[test]
fn what_is_no_adapter_for_this_model_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let base = bench.score(0).unwrap();
    let garbage = bench.folder.path().join("garbage.gguf");
    std::fs::write(&garbage, b"not a model").unwrap();
    for path in [garbage, bench.folder.path().join("absent.gguf"), bench.adapter("llama", 0.1)] {
        let error = bench.load(1, &path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(bench.score(0).unwrap(), base);
}

#[test]
fn the_base_and_a_used_number_cannot_be_replaced() {
    let bench = Bench::new();
    let path = bench.adapter("qwen3", 0.1);
    assert!(bench.load(0, &path).is_err());
    bench.load(3, &path).unwrap();
    assert!(bench.load(3, &path).is_err());
    assert!(bench.remove(4).is_err());
}
