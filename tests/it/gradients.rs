//! The trainer's loss, log-probabilities and gradients against PyTorch in f64, in every way that it can compute them.

use chela::adapter::Adapter;
use chela::learn::kernels::available;
use chela::learn::optimizer::AdamWSettings;
use chela::learn::{LocalTrainer, Pace, Sample, Start, TrainSettings, Trainer};

use crate::parity::fixture::{Fixture, MODELS};

/// One way to compute the same numbers.
#[derive(Debug, Clone)]
struct Way {
    kernels: &'static str,
    threads: usize,
    /// Answers to one prompt share its rows.
    packed: bool,
    /// Bytes; small ones make layers compute their activations again.
    memory: u64,
}

const PLENTY: u64 = 1 << 30;

fn trainer(fixture: &Fixture, way: &Way) -> LocalTrainer {
    let settings = TrainSettings {
        model: fixture.model.clone(),
        threads: way.threads,
        memory_bytes: way.memory,
        kernels: Some(way.kernels.to_owned()),
        optimizer: AdamWSettings::default(),
        lowest_priority: false,
    };
    LocalTrainer::open(&settings, Start::From(fixture.adapter.clone())).unwrap()
}

/// Each answer with a prompt of its own.
fn unpacked(samples: &[Sample]) -> Vec<Sample> {
    let one = |sample: &Sample, at: usize| Sample {
        prompt: sample.prompt.clone(),
        answers: vec![sample.answers[at].clone()],
    };
    samples.iter().flat_map(|sample| (0..sample.answers.len()).map(move |at| one(sample, at))).collect()
}

fn samples(fixture: &Fixture, way: &Way) -> Vec<Sample> {
    if way.packed { fixture.samples.clone() } else { unpacked(&fixture.samples) }
}

/// The least memory that is not refused: nothing is kept that can be computed again.
fn least_memory(fixture: &Fixture, way: &Way) -> u64 {
    let fits = |memory| {
        let mut trainer = trainer(fixture, &Way { memory, ..way.clone() });
        trainer.gradients(&fixture.samples[..1], &Pace::default()).is_ok()
    };
    let (mut refused, mut enough) = (0, PLENTY);
    while enough - refused > 1 {
        let middle = refused.midpoint(enough);
        if fits(middle) { enough = middle } else { refused = middle }
    }
    enough
}

/// Relative L2 error of all gradients together, and of the worst tensor.
fn errors(fixture: &Fixture, gradients: &Adapter) -> (f64, f64, String) {
    let (mut all, mut all_expected, mut worst, mut worst_name) = (0.0, 0.0, 0.0, String::new());
    for (site, expected) in &fixture.gradients {
        let found = &gradients.pairs[site];
        for (name, expected, found) in [("A", &expected.a, &found.a), ("B", &expected.b, &found.b)] {
            assert_eq!(expected.len(), found.len());
            let square = |x: f64| x * x;
            let pairs = expected.iter().zip(found);
            let error: f64 = pairs.map(|(e, f)| square(f64::from(*e) - f64::from(*f))).sum();
            let norm: f64 = expected.iter().map(|e| square(f64::from(*e))).sum();
            (all, all_expected) = (all + error, all_expected + norm);
            let relative = (error / norm).sqrt();
            if relative > worst || relative.is_nan() {
                worst = relative;
                worst_name = format!("{site:?} {name}");
            }
        }
    }
    ((all / all_expected).sqrt(), worst, worst_name)
}

#[track_caller]
fn check(name: &str, way: &Way) {
    let fixture = Fixture::read(name);
    let is_exact = !way.kernels.contains("bf16");
    let mut trainer = trainer(&fixture, way);
    let (report, gradients) = trainer.gradients(&samples(&fixture, way), &Pace::default()).unwrap();
    let (all, worst, worst_name) = errors(&fixture, &gradients);
    let loss_error = ((report.loss - fixture.expected.loss) / fixture.expected.loss).abs();
    let peft = &fixture.peft_bf16;
    let (loss_bound, bound, worst_bound) = if is_exact {
        (1e-5, 1e-5, 1e-5)
    } else {
        (2e-2, peft.gradient_relative_error.min(2e-2), peft.worst_tensor_relative_error)
    };
    assert!(loss_error <= loss_bound, "{name} {way:?}: loss {} for {}", report.loss, fixture.expected.loss);
    assert!(all <= bound, "{name} {way:?}: gradients off by {all:.1e}");
    assert!(worst <= worst_bound, "{name} {way:?}: gradient of {worst_name} off by {worst:.1e}");
    if way.packed {
        assert_eq!(
            (report.n_tokens, report.n_targets),
            (fixture.expected.n_tokens, fixture.expected.n_targets)
        );
    }
    if is_exact {
        assert!(
            (report.kl - fixture.expected.kl).abs() <= 1e-5,
            "KL {} for {}",
            report.kl,
            fixture.expected.kl
        );
    }
}

fn check_all(threads: usize, packed: bool, tight: bool) {
    for name in MODELS {
        for kernels in available() {
            let mut way = Way { kernels: kernels.name(), threads, packed, memory: PLENTY };
            if tight {
                way.memory = least_memory(&Fixture::read(name), &way);
            }
            check(name, &way);
        }
    }
}

#[test]
fn packed_answers_have_pytorchs_gradients() {
    check_all(1, true, false);
}

#[test]
fn answers_on_their_own_have_pytorchs_gradients() {
    check_all(2, false, false);
}

#[test]
fn recomputed_activations_have_pytorchs_gradients() {
    check_all(3, true, true);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for name in MODELS {
        let fixture = Fixture::read(name);
        for kernels in available() {
            let run = |threads| {
                let way = Way { kernels: kernels.name(), threads, packed: true, memory: PLENTY };
                trainer(&fixture, &way).gradients(&fixture.samples, &Pace::default()).unwrap()
            };
            assert!(run(1) == run(5), "{name} with {}", kernels.name());
        }
    }
}

#[test]
fn scores_are_pytorchs_log_probabilities() {
    for name in MODELS {
        let fixture = Fixture::read(name);
        for kernels in available().iter().filter(|kernels| !kernels.name().contains("bf16")) {
            let way = Way { kernels: kernels.name(), threads: 2, packed: true, memory: PLENTY };
            let scores = trainer(&fixture, &way).score(&fixture.samples, &Pace::default()).unwrap();
            let found = scores.iter().flat_map(|scores| &scores.logprobs).flatten();
            let expected = fixture.expected.logprobs.iter().flatten().flatten();
            for (found, expected) in found.zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-4, "{name}: {found} for {expected}");
            }
            for (scores, expected) in scores.iter().zip(&fixture.expected.sample_losses) {
                assert!((scores.loss - expected).abs() < 1e-4, "{name}: {} for {expected}", scores.loss);
            }
        }
    }
}
