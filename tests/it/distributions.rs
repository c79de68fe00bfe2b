//! What a teacher hands on: the most probable tokens of each answer token, with the adapter and without.

use chela::adapter::Adapter;
use chela::learn::{Ask, Distributions, LocalTrainer, Pace, Sample, Start, TrainSettings, Trainer};

use crate::parity::fixture::Fixture;

fn trainer(fixture: &Fixture, start: Start) -> LocalTrainer {
    let settings = TrainSettings {
        model: fixture.model.clone(),
        threads: 2,
        memory_bytes: 1 << 30,
        kernels: Some("plain".to_owned()),
        optimizer: chela::learn::optimizer::AdamWSettings::default(),
        lowest_priority: false,
    };
    LocalTrainer::open(&settings, start).unwrap()
}

fn asked(of: Adapter, samples: &[Sample], adapted: bool, top: usize) -> Vec<Distributions> {
    let mut trainer = trainer(&Fixture::read("llama"), Start::From(of));
    trainer.distributions(samples, Ask { adapted, top }, &Pace::default()).unwrap()
}

/// The rows of all answers of all samples.
fn rows(distributions: &[Distributions]) -> Vec<&Vec<(i32, f32)>> {
    distributions.iter().flat_map(|one| &one.answers).flatten().collect()
}

#[test]
fn whole_distributions_sum_to_one_and_contain_the_scores() {
    let fixture = Fixture::read("llama");
    let mut trainer = trainer(&fixture, Start::From(fixture.adapter.clone()));
    let scores = trainer.score(&fixture.samples, &Pace::default()).unwrap();
    let ask = Ask { adapted: true, top: usize::MAX };
    let whole = trainer.distributions(&fixture.samples, ask, &Pace::default()).unwrap();
    let logprobs: Vec<f32> = scores.iter().flat_map(|score| score.logprobs.concat()).collect();
    let answers = fixture.samples.iter().flat_map(|sample| &sample.answers);
    let tokens: Vec<i32> = answers.flat_map(|answer| &answer.rows).map(|row| row.token).collect();
    assert_eq!(rows(&whole).len(), tokens.len());
    for ((row, token), logprob) in rows(&whole).into_iter().zip(tokens).zip(logprobs) {
        let sum: f64 = row.iter().map(|(_, logprob)| f64::from(*logprob).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert!(row.is_sorted_by(|a, b| a.1.total_cmp(&b.1).reverse().then(a.0.cmp(&b.0)).is_lt()));
        assert_eq!(row.iter().find(|(id, _)| *id == token).map(|(_, found)| *found), Some(logprob));
    }
}

#[test]
fn a_shorter_list_is_the_start_of_the_longer_one() {
    let fixture = Fixture::read("llama");
    let [whole, top] = [usize::MAX, 5].map(|top| asked(fixture.adapter.clone(), &fixture.samples, true, top));
    for (whole, top) in rows(&whole).into_iter().zip(rows(&top)) {
        assert_eq!(whole[..5], top[..]);
    }
}

#[test]
fn the_base_does_not_know_the_adapter() {
    let fixture = Fixture::read("llama");
    let mut nothing = fixture.adapter.clone();
    nothing.pairs.values_mut().for_each(|pair| pair.b.fill(0.0));
    let base = asked(fixture.adapter.clone(), &fixture.samples, false, 8);
    assert_eq!(base, asked(nothing, &fixture.samples, false, 8));
    assert_ne!(base, asked(fixture.adapter.clone(), &fixture.samples, true, 8));
}
