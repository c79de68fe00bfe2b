//! Numbers that PyTorch computed (`scripts/reference`), and that the same models mean the same to llama.cpp.

pub(crate) mod fixture;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;

use chela::adapter::{Adapter, Pair, Site};
use chela::engine::{Cancel, Engine, Job, LlamaEngine, LoadOptions, Priority, Score, Token};
use chela::gguf::{Draft, Metadata, TensorType};
use chela::learn::Sample;
use chela::turn::PolicyVersion;

use fixture::{Fixture, MODELS};

/// Which pair a tensor of the adapter's file is from, and whether it is B.
fn parts(adapter: &Adapter) -> impl Iterator<Item = (String, &Pair, bool)> {
    let stem = |site: &Site| format!("blk.{}.{}.weight", site.layer, site.linear.gguf_name());
    adapter.pairs.iter().flat_map(move |(site, pair)| {
        [(format!("{}.lora_a", stem(site)), pair, false), (format!("{}.lora_b", stem(site)), pair, true)]
    })
}

fn write_adapter(path: &Path, adapter: &Adapter) {
    let mut metadata = Metadata::default();
    metadata.set("general.type", "adapter".into());
    metadata.set("general.architecture", adapter.architecture.as_str().into());
    metadata.set("adapter.type", "lora".into());
    metadata.set("adapter.lora.alpha", adapter.alpha.into());
    let mut draft = Draft::new(metadata);
    for (name, pair, is_b) in parts(adapter) {
        let dims = if is_b { [adapter.rank, pair.n_out] } else { [pair.n_in, adapter.rank] };
        draft.tensor(&name, &dims.map(|dim| dim as u64), TensorType::F32).unwrap();
    }
    let mut numbers = parts(adapter).map(|(_, pair, is_b)| if is_b { &pair.b } else { &pair.a });
    let mut write = |_: &_, out: &mut dyn Write| {
        numbers.next().unwrap().iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))
    };
    draft.write(&mut File::create(path).unwrap(), &mut write).unwrap();
}

/// llama.cpp's log-probabilities of all answer tokens under the adapter.
fn served_logprobs(fixture: &Fixture) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    write_adapter(&path, &fixture.adapter);
    let engine = LlamaEngine::load(&LoadOptions::new("parity", &fixture.model)).unwrap();
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    engine.submit(Job::LoadAdapter { version: PolicyVersion(1), path, scale: 1.0, done }).unwrap();
    receiver.recv().unwrap().unwrap();
    let scored = |sample: &Sample| -> Vec<f32> {
        sample
            .answers
            .iter()
            .flat_map(|answer| {
                score(&engine, &sample.prompt, answer.rows.iter().map(|row| row.token).collect())
            })
            .collect()
    };
    fixture.samples.iter().flat_map(scored).collect()
}

fn score(engine: &LlamaEngine, prompt: &[Token], response: Vec<Token>) -> Vec<f32> {
    let (sender, receiver) = mpsc::channel();
    let job = Score {
        prompt: prompt.to_vec(),
        response,
        policy: PolicyVersion(1),
        priority: Priority::Foreground,
        cancel: Cancel::default(),
        done: Box::new(move |result| sender.send(result).unwrap()),
    };
    engine.submit(Job::Score(job)).unwrap();
    receiver.recv().unwrap().unwrap()
}

/// Of its KV cache, which is in f16, and of products with F16 matrices. A wrong rotation or a missing permutation is
/// off by 0.5 and more.
const LLAMA_CPP_ROUNDING: f64 = 5e-3;

#[test]
fn llama_cpp_gives_the_log_probs_of_pytorch() {
    for name in MODELS {
        let fixture = Fixture::read(name);
        let expected: Vec<f64> = fixture.expected.logprobs.iter().flatten().flatten().copied().collect();
        let served = served_logprobs(&fixture);
        assert_eq!(served.len(), expected.len());
        let distance = served
            .iter()
            .zip(&expected)
            .map(|(one, other)| (f64::from(*one) - other).abs())
            .fold(0.0, f64::max);
        assert!(distance < LLAMA_CPP_ROUNDING, "{name}: {distance}");
    }
}

#[expect(clippy::cast_sign_loss, reason = "tokens of the fixture are not negative")]
#[test]
fn fixtures_are_of_one_piece() {
    for name in MODELS {
        let Fixture { samples, adapter, gradients, logits, expected, peft_bf16, .. } = Fixture::read(name);
        let rows: Vec<_> =
            samples.iter().flat_map(|sample| &sample.answers).flat_map(|answer| &answer.rows).collect();
        let logprobs: Vec<f64> = expected.logprobs.iter().flatten().flatten().copied().collect();
        assert_eq!((rows.len(), logits.len()), (logprobs.len(), logprobs.len()));
        for ((row, logits), logprob) in rows.iter().zip(&logits).zip(&logprobs) {
            let log_sum_exp = logits.iter().map(|z| f64::from(*z).exp()).sum::<f64>().ln();
            assert!((f64::from(logits[row.token as usize]) - log_sum_exp - logprob).abs() < 1e-5, "{name}");
        }
        assert!(adapter.pairs.keys().eq(gradients.keys()));
        let squares =
            gradients.values().flat_map(|pair| pair.a.iter().chain(&pair.b)).map(|g| f64::from(*g).powi(2));
        assert!((squares.sum::<f64>().sqrt() / expected.grad_norm - 1.0).abs() < 1e-6);
        assert!((expected.sample_losses.iter().sum::<f64>() - expected.loss).abs() < 1e-9);
        assert!((expected.by_term.values().sum::<f64>() - expected.loss).abs() < 1e-9);
        assert_eq!(expected.by_term.len(), 5, "every kind of term is asked for");
        assert_eq!(expected.n_targets, rows.iter().filter(|row| !row.terms.is_empty()).count());
        assert_eq!(
            expected.n_tokens,
            rows.len() + samples.iter().map(|sample| sample.prompt.len()).sum::<usize>()
        );
        assert!(expected.kl > 0.0);
        assert!((1e-3..0.03).contains(&peft_bf16.gradient_relative_error), "{name}: {peft_bf16:?}");
        assert!(
            peft_bf16.worst_tensor_relative_error > peft_bf16.gradient_relative_error,
            "{}",
            peft_bf16.worst_tensor
        );
        assert!(peft_bf16.loss_relative_error < 0.03);
    }
}
