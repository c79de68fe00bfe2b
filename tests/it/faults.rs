//! What the trainer says to broken models, budgets, samples and adapters, and that it goes on afterwards.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use chela::gguf::{Gguf, TensorType};
use chela::learn::loss::Term;
use chela::learn::optimizer::AdamWSettings;
use chela::learn::{Answer, LocalTrainer, Pace, Row, Sample, Start, TrainError, TrainSettings, Trainer};

use crate::parity::fixture::Fixture;

const FRESH: Start = Start::Fresh { rank: 2, alpha: 4.0, seed: 1 };

fn settings(model: &Path) -> TrainSettings {
    TrainSettings {
        model: model.to_owned(),
        threads: 2,
        memory_bytes: 1 << 30,
        kernels: None,
        optimizer: AdamWSettings::default(),
        lowest_priority: false,
    }
}

fn open(model: &Path) -> LocalTrainer {
    LocalTrainer::open(&settings(model), FRESH).unwrap()
}

/// Puts what is not a number into the middle of a tensor.
fn damage(model: &Path, name: &str) {
    let gguf = Gguf::open(model).unwrap();
    let tensor = gguf.tensor(name).unwrap();
    assert_eq!(tensor.tensor_type, TensorType::F32);
    let at = gguf.data_offset + tensor.offset + 4 * (tensor.dims.iter().product::<u64>() / 2);
    let file = OpenOptions::new().write(true).open(model).unwrap();
    file.write_all_at(&f32::NAN.to_le_bytes(), at).unwrap();
}

/// Takes a step on a model with that tensor damaged, or only opens it.
#[track_caller]
fn check_damage(name: &str) {
    let fixture = Fixture::read("qwen2");
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    fs::copy(&fixture.model, &model).unwrap();
    damage(&model, name);
    let step = LocalTrainer::open(&settings(&model), FRESH)
        .and_then(|mut trainer| trainer.step(&fixture.samples, &Pace::default()));
    let said = step.unwrap_err().to_string();
    let (path, tensor) = (model.to_string_lossy(), format!("tensor {name} "));
    assert!(
        said.contains(&tensor) && said.contains(&*path) && said.contains("not a finite number"),
        "{said}"
    );
}

#[test]
fn a_damaged_matrix_is_named() {
    check_damage("blk.1.ffn_down.weight");
    check_damage("blk.0.attn_k.weight");
}

#[test]
fn a_damaged_norm_or_bias_is_named() {
    check_damage("blk.1.attn_norm.weight");
    check_damage("blk.0.attn_q.bias");
}

/// Changes the model between two steps; the trainer must say `says`, learn nothing, and go on once `undo` is done.
#[track_caller]
fn check_change(change: fn(&Path), says: &str, undo: Option<fn(&Path)>) {
    let fixture = Fixture::read("qwen3");
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    fs::copy(&fixture.model, &model).unwrap();
    let mut trainer = open(&model);
    trainer.step(&fixture.samples, &Pace::default()).unwrap();
    let before = trainer.state();
    change(&model);
    let said = trainer.step(&fixture.samples, &Pace::default()).unwrap_err().to_string();
    assert!(said.contains(says) && said.contains("model.gguf"), "{said}");
    assert!(trainer.score(&fixture.samples, &Pace::default()).is_err());
    assert!(trainer.state() == before, "nothing was learned from it");
    if let Some(undo) = undo {
        undo(&model);
        assert_eq!(trainer.step(&fixture.samples, &Pace::default()).unwrap().step, 2);
    }
}

fn aside(model: &Path) -> std::path::PathBuf {
    model.with_extension("aside")
}

#[test]
fn a_model_that_is_cut_short_between_steps_is_noticed() {
    let cut = |model: &Path| OpenOptions::new().write(true).open(model).unwrap().set_len(9000).unwrap();
    check_change(cut, "has 9000 bytes now", None);
}

#[test]
fn a_model_that_is_replaced_between_steps_is_noticed_and_its_return_too() {
    let replace = |model: &Path| {
        fs::rename(model, aside(model)).unwrap();
        fs::copy(aside(model), model).unwrap();
    };
    check_change(replace, "is another file now", Some(|model| fs::rename(aside(model), model).unwrap()));
}

#[test]
fn a_model_that_is_removed_between_steps_is_noticed_and_its_return_too() {
    check_change(
        |model| fs::rename(model, aside(model)).unwrap(),
        "cannot read",
        Some(|model| fs::rename(aside(model), model).unwrap()),
    );
}

#[test]
fn a_file_that_ends_early_cannot_be_opened() {
    let fixture = Fixture::read("qwen3");
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    let bytes = fs::read(&fixture.model).unwrap();
    for len in [0, 3, 1000, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&model, &bytes[..len]).unwrap();
        let said = LocalTrainer::open(&settings(&model), FRESH).err().unwrap().to_string();
        assert!(said.contains("model.gguf"), "{len} bytes: {said}");
    }
}

#[test]
fn too_little_memory_is_a_sentence_with_both_numbers() {
    let fixture = Fixture::read("llama");
    let settings = TrainSettings { memory_bytes: 3 << 20, ..settings(&fixture.model) };
    let mut trainer = LocalTrainer::open(&settings, FRESH).unwrap();
    let before = trainer.state();
    let error = trainer.step(&fixture.samples, &Pace::default()).unwrap_err();
    let TrainError::OutOfBudget { n_tokens, needed_mib, budget_mib: 3 } = error else { panic!("{error}") };
    assert!(n_tokens > 0 && needed_mib > 3);
    assert!(error.to_string().ends_with("raise the budget, or train on shorter samples"), "{error}");
    assert!(trainer.state() == before);
    let enough = TrainSettings { memory_bytes: (needed_mib + 1) << 20, ..settings };
    LocalTrainer::open(&enough, FRESH).unwrap().step(&fixture.samples[..1], &Pace::default()).unwrap();
}

/// A sample of these lengths.
fn sample(n_prompt: usize, n_answer: usize) -> Sample {
    let row = Row { token: 5, terms: vec![Term::CrossEntropy { weight: 1.0 }] };
    Sample { prompt: vec![3; n_prompt], answers: vec![Answer { rows: vec![row; n_answer] }] }
}

/// A batch whose second sample is `bad`.
#[track_caller]
fn check_refused(bad: Sample, says: &str) {
    let mut trainer = open(&Fixture::read("llama3").model);
    let before = trainer.state();
    let error = trainer.step(&[sample(2, 2), bad], &Pace::default()).unwrap_err();
    assert_eq!(error.to_string(), says);
    assert!(trainer.state() == before);
    assert_eq!(trainer.step(&[sample(2, 2)], &Pace::default()).unwrap().step, 1);
}

#[test]
fn an_answer_beyond_the_context_is_refused() {
    check_refused(sample(1, 512), "sample 1 has 513 tokens and the model's context ends at 512");
}

#[test]
fn empty_prompts_and_answers_are_refused() {
    check_refused(sample(0, 3), "sample 1 has an empty prompt");
    check_refused(sample(3, 0), "sample 1 has no token in answer 0");
    check_refused(Sample { answers: Vec::new(), ..sample(3, 1) }, "sample 1 has no answer");
}

#[test]
fn a_token_outside_the_vocabulary_is_refused() {
    let mut bad = sample(2, 2);
    bad.answers[0].rows[1].token = 260;
    let error = open(&Fixture::read("llama3").model).step(&[bad], &Pace::default()).unwrap_err();
    assert!(matches!(error, TrainError::BadSample { sample: 0, .. }), "{error}");
}

/// Starts from an adapter of another base.
#[track_caller]
fn check_misfit(base: &str, of: &str, says: &str) {
    let start = Start::From(Fixture::read(of).adapter);
    let error = LocalTrainer::open(&settings(&Fixture::read(base).model), start).err().unwrap();
    assert!(matches!(error, TrainError::Misfit(_)), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn an_adapter_of_another_base_does_not_fit() {
    check_misfit("qwen2", "llama", "it is for llama, the model is qwen2");
    check_misfit("llama-linear", "llama", "the model has no blk.1.");
}

#[test]
fn a_saved_run_with_too_few_moments_does_not_fit() {
    let fixture = Fixture::read("qwen2");
    let mut state = open(&fixture.model).state();
    state.first_moment.pop();
    state.second_moment.pop();
    let error = LocalTrainer::open(&settings(&fixture.model), Start::Resume(state)).err().unwrap();
    assert!(error.to_string().contains("moments"), "{error}");
}

#[test]
fn kernels_that_this_cpu_does_not_have_are_refused_with_those_that_it_has() {
    let settings =
        TrainSettings { kernels: Some("abacus".to_owned()), ..settings(&Fixture::read("llama").model) };
    let said = LocalTrainer::open(&settings, FRESH).err().unwrap().to_string();
    assert!(said.contains("abacus") && said.contains("plain"), "{said}");
}
