//! The plan of a run over a fixed set of examples: what is held out, in which order the rest is trained on, and how
//! many gradient steps that makes. Pure; the seed decides everything.
//!
//! What always holds: a [`Batch`] can only come from [`Training`], which does not have the held-out examples any
//! more. Which examples are held out depends on the examples alone, not on the seed, so that runs can be compared.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::chat_sample::Example;
use super::loss::Term;
use super::shuffle::Draws;
use super::{Answer, Row, Sample};
use crate::config::disk;
use crate::engine::Token;

/// From so many examples on, at least one is held out.
const ENOUGH_TO_HOLD_OUT: usize = 10;
/// The longest warm-up, in gradient steps.
const MAX_WARMUP: u64 = 100;

/// Examples in the order of the file, their tokens in one piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    tokens: Vec<Token>,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    n_prompt: usize,
    n_answer: usize,
}

/// What a person decides about a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanSettings {
    pub epochs: u64,
    /// Answers per gradient step; the last step of an epoch may have fewer.
    pub batch: usize,
    pub seed: u64,
    /// Share of the examples to hold out, 0 to 1.
    pub hold_out: f64,
}

/// See the module's page.
#[derive(Debug)]
pub struct Plan {
    pub training: Training,
    pub held_out: HeldOut,
    fingerprint: String,
}

/// The examples that are trained on.
#[derive(Debug)]
pub struct Training {
    examples: Examples,
    /// Examples with the same prompt, in the order of the first of each.
    groups: Vec<Vec<usize>>,
    settings: PlanSettings,
}

/// The examples that are only looked at.
#[derive(Debug)]
pub struct HeldOut {
    examples: Examples,
}

/// The samples of one gradient step. The terms' weights make its loss the mean over its answer tokens, in nats.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// From 0.
    pub epoch: u64,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no example to train on")]
    NoExamples,
    #[error("all {0} examples would be held out and none trained on; hold out a smaller share")]
    AllHeldOut(usize),
}

impl Plan {
    /// Sets examples apart and puts the rest in order.
    pub fn new(examples: Examples, settings: PlanSettings) -> Result<Self, PlanError> {
        let n = examples.len();
        if n == 0 {
            return Err(PlanError::NoExamples);
        }
        let fingerprint = examples.fingerprint();
        let held_out = held_out(&examples, settings.hold_out);
        let (training, held_out) = examples.split(&held_out);
        if training.len() == 0 {
            return Err(PlanError::AllHeldOut(n));
        }
        let groups = training.groups();
        let settings =
            PlanSettings { batch: settings.batch.max(1), epochs: settings.epochs.max(1), ..settings };
        Ok(Self {
            training: Training { examples: training, groups, settings },
            held_out: HeldOut { examples: held_out },
            fingerprint,
        })
    }

    /// Hexadecimal SHA-256 of all examples in their order, the held-out ones included.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Gradient steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.training.settings.epochs * self.training.steps_per_epoch()
    }

    /// Gradient steps over which the learning rate rises: a tenth of the run, at most 100.
    pub fn warmup_steps(&self) -> u64 {
        (self.total_steps() / 10).min(MAX_WARMUP)
    }
}

impl Training {
    pub fn n_examples(&self) -> usize {
        self.examples.len()
    }

    /// Prompts that differ; the answers to one share its computation when they are in one step.
    pub fn n_prompts(&self) -> usize {
        self.groups.len()
    }

    pub fn n_tokens(&self) -> usize {
        self.examples.tokens.len()
    }

    pub fn steps_per_epoch(&self) -> u64 {
        self.examples.len().div_ceil(self.settings.batch) as u64
    }

    /// The batches of the run from gradient step `step` on (from 0), the same ones whether a run came here by itself
    /// or was resumed.
    pub fn batches_from(&self, step: u64) -> impl Iterator<Item = Batch> + '_ {
        let per_epoch = self.steps_per_epoch();
        let mut order = (u64::MAX, Vec::new());
        (step..self.settings.epochs * per_epoch).map(move |step| {
            let epoch = step / per_epoch;
            if order.0 != epoch {
                order = (epoch, self.order(epoch));
            }
            let at = usize::try_from(step % per_epoch).unwrap_or(usize::MAX);
            let chunk = order.1.chunks(self.settings.batch).nth(at).unwrap_or_default();
            Batch { epoch, samples: samples(&self.examples, chunk, n_targets(&self.examples, chunk)) }
        })
    }

    /// All examples, each once: prompts shuffled, and the answers to one prompt side by side.
    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut draws = Draws::of(self.settings.seed, epoch);
        let mut groups: Vec<Vec<usize>> = self.groups.clone();
        draws.shuffle(&mut groups);
        for group in &mut groups {
            draws.shuffle(group);
        }
        groups.concat()
    }
}

impl HeldOut {
    pub fn n_examples(&self) -> usize {
        self.examples.len()
    }

    /// Everything, `n` answers at a time. The terms' weights make the losses of all chunks add up to the mean over
    /// all answer tokens, in nats.
    pub fn chunks(&self, n: usize) -> impl Iterator<Item = Vec<Sample>> + '_ {
        let mut all: Vec<usize> = self.examples.groups().concat();
        let n_targets = n_targets(&self.examples, &all);
        std::iter::from_fn(move || {
            let rest = all.split_off(n.max(1).min(all.len()));
            let chunk = std::mem::replace(&mut all, rest);
            (!chunk.is_empty()).then(|| samples(&self.examples, &chunk, n_targets))
        })
    }
}

impl Batch {
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

impl Examples {
    pub fn push(&mut self, example: &Example) {
        self.add(&example.prompt, &example.answer);
    }

    #[expect(clippy::len_without_is_empty, reason = "a count, not a container that is looked into")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    fn add(&mut self, prompt: &[Token], answer: &[Token]) {
        let span = Span { start: self.tokens.len(), n_prompt: prompt.len(), n_answer: answer.len() };
        self.tokens.extend_from_slice(prompt);
        self.tokens.extend_from_slice(answer);
        self.spans.push(span);
    }

    /// Prompt and answer of the example at `at`.
    fn at(&self, at: usize) -> (&[Token], &[Token]) {
        let Some(span) = self.spans.get(at) else { return (&[], &[]) };
        let both =
            self.tokens.get(span.start..span.start + span.n_prompt + span.n_answer).unwrap_or_default();
        both.split_at_checked(span.n_prompt).unwrap_or_default()
    }

    fn iter(&self) -> impl Iterator<Item = (&[Token], &[Token])> {
        (0..self.len()).map(|at| self.at(at))
    }

    /// Positions of the examples with the same prompt.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut group_of: BTreeMap<&[Token], usize> = BTreeMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, (prompt, _)) in self.iter().enumerate() {
            let group = *group_of.entry(prompt).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(members) => members.push(at),
                None => groups.push(vec![at]),
            }
        }
        groups
    }

    /// The examples that are not marked, moved together in their memory, and those that are.
    fn split(mut self, marked: &[bool]) -> (Self, Self) {
        let mut marked_ones = Self::default();
        for (at, _) in marked.iter().enumerate().filter(|(_, marked)| **marked) {
            let (prompt, answer) = self.at(at);
            marked_ones.add(prompt, answer);
        }
        let mut end = 0;
        let mut spans = Vec::with_capacity(self.spans.len());
        for (span, _) in self.spans.iter().zip(marked).filter(|(_, marked)| !**marked) {
            let n_tokens = span.n_prompt + span.n_answer;
            self.tokens.copy_within(span.start..span.start + n_tokens, end);
            spans.push(Span { start: end, ..*span });
            end += n_tokens;
        }
        self.tokens.truncate(end);
        self.spans = spans;
        (self, marked_ones)
    }

    fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for (prompt, answer) in self.iter() {
            hash_tokens(&mut hasher, prompt);
            hash_tokens(&mut hasher, answer);
        }
        disk::hex(&hasher.finalize())
    }
}

fn hash_tokens(hasher: &mut Sha256, tokens: &[Token]) {
    hasher.update((tokens.len() as u64).to_le_bytes());
    for token in tokens {
        hasher.update(token.to_le_bytes());
    }
}

/// Which examples are held out: those whose hash falls below the share. Prompts are hashed, so that no held-out
/// prompt is trained on with another answer; only a file with hardly any different prompts is split by whole examples.
fn held_out(examples: &Examples, share: f64) -> Vec<bool> {
    let prompts: BTreeSet<&[Token]> = examples.iter().map(|(prompt, _)| prompt).collect();
    let by_prompt = prompts.len() >= ENOUGH_TO_HOLD_OUT;
    let hashes: Vec<u64> = examples
        .iter()
        .map(|(prompt, answer)| {
            let mut hasher = Sha256::new();
            hash_tokens(&mut hasher, prompt);
            if !by_prompt {
                hash_tokens(&mut hasher, answer);
            }
            hasher.finalize().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than an f64 has")]
    let below = |hash: &u64| (*hash as f64) / 2_f64.powi(64) < share;
    let mut held: Vec<bool> = hashes.iter().map(below).collect();
    if share > 0.0 && examples.len() >= ENOUGH_TO_HOLD_OUT && !held.contains(&true) {
        let least = hashes.iter().min();
        held = hashes.iter().map(|hash| Some(hash) == least).collect();
    }
    held
}

fn n_targets(examples: &Examples, chosen: &[usize]) -> usize {
    chosen.iter().map(|at| examples.at(*at).1.len()).sum()
}

/// The chosen examples, those with the same prompt as one sample. Each answer token weighs 1 / `n_targets`.
fn samples(examples: &Examples, chosen: &[usize], n_targets: usize) -> Vec<Sample> {
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens in a step are small")]
    let weight = 1.0 / n_targets.max(1) as f32;
    let mut samples: Vec<Sample> = Vec::new();
    for &at in chosen {
        let (prompt, answer) = examples.at(at);
        let row = |&token: &Token| Row { token, terms: vec![Term::CrossEntropy { weight }] };
        let answer = Answer { rows: answer.iter().map(row).collect() };
        match samples.iter_mut().find(|sample| sample.prompt == prompt) {
            Some(sample) => sample.answers.push(answer),
            None => samples.push(Sample { prompt: prompt.to_vec(), answers: vec![answer] }),
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` examples: prompts `[p, 0]` with `p` below `n_prompts`, answers that tell them apart.
    fn examples(n: usize, n_prompts: usize) -> Examples {
        let mut examples = Examples::default();
        for at in 0..n {
            let token = |number: usize| Token::try_from(number).unwrap();
            let answer = vec![token(1000 + at); at % 3 + 1];
            examples.push(&Example { line: 1, prompt: vec![token(at % n_prompts), 0], answer });
        }
        examples
    }

    fn settings(batch: usize, hold_out: f64) -> PlanSettings {
        PlanSettings { epochs: 2, batch, seed: 5, hold_out }
    }

    fn answers(samples: &[Sample]) -> Vec<Token> {
        samples.iter().flat_map(|sample| &sample.answers).map(|answer| answer.rows[0].token).collect()
    }

    fn trained(plan: &Plan, from: u64) -> Vec<Vec<Token>> {
        plan.training.batches_from(from).map(|batch| answers(batch.samples())).collect()
    }

    fn held(plan: &Plan) -> Vec<Token> {
        plan.held_out.chunks(3).flat_map(|chunk| answers(&chunk)).collect()
    }

    #[test]
    fn every_example_is_trained_on_once_in_each_epoch() {
        let plan = Plan::new(examples(23, 23), settings(4, 0.0)).unwrap();
        assert_eq!((plan.training.steps_per_epoch(), plan.total_steps()), (6, 12));
        let batches = trained(&plan, 0);
        for epoch in [&batches[..6], &batches[6..]] {
            let mut all = epoch.concat();
            all.sort_unstable();
            assert_eq!(all, (1000..1023).collect::<Vec<_>>());
        }
        assert_ne!(batches[..6], batches[6..]);
    }

    #[test]
    fn a_run_that_is_resumed_sees_the_rest_of_the_same_batches() {
        let plan = Plan::new(examples(23, 7), settings(4, 0.1)).unwrap();
        let all = trained(&plan, 0);
        for from in 0..all.len() {
            assert_eq!(trained(&plan, from as u64), all[from..]);
        }
    }

    #[test]
    fn held_out_examples_are_never_trained_on() {
        for hold_out in [0.05, 0.1, 0.5, 0.9] {
            let plan = Plan::new(examples(200, 200), settings(8, hold_out)).unwrap();
            let (held, trained) = (held(&plan), trained(&plan, 0).concat());
            assert!(!held.is_empty() && held.iter().all(|token| !trained.contains(token)));
            assert_eq!(held.len() + plan.training.n_examples(), 200);
        }
    }

    #[test]
    fn a_prompt_is_held_out_with_all_its_answers() {
        let plan = Plan::new(examples(300, 50), settings(8, 0.2)).unwrap();
        let prompts: BTreeSet<Vec<Token>> =
            plan.held_out.chunks(9).flatten().map(|sample| sample.prompt).collect();
        let trained = plan.training.batches_from(0).flat_map(|batch| batch.samples().to_vec());
        assert!(!prompts.is_empty());
        assert!(trained.into_iter().all(|sample| !prompts.contains(&sample.prompt)));
    }

    #[track_caller]
    fn check_held(n: usize, hold_out: f64, expected: std::ops::RangeInclusive<usize>) {
        let n_held = Plan::new(examples(n, n), settings(8, hold_out)).unwrap().held_out.n_examples();
        assert!(expected.contains(&n_held), "{n_held} of {n}");
    }

    #[test]
    fn about_the_share_is_held_out_and_at_least_one_of_ten() {
        check_held(1000, 0.1, 70..=130);
        check_held(10, 0.000_1, 1..=1);
        check_held(9, 0.000_1, 0..=0);
        check_held(1000, 0.0, 0..=0);
    }

    #[test]
    fn what_is_held_out_does_not_depend_on_the_seed() {
        let plan = |seed| Plan::new(examples(99, 99), PlanSettings { seed, ..settings(8, 0.2) }).unwrap();
        assert_eq!(held(&plan(1)), held(&plan(2)));
        assert_ne!(trained(&plan(1), 0), trained(&plan(2), 0));
    }

    #[test]
    fn answers_to_one_prompt_share_a_sample() {
        let plan = Plan::new(examples(12, 3), settings(4, 0.0)).unwrap();
        for batch in plan.training.batches_from(0) {
            assert_eq!(batch.samples().len(), 1, "the four answers to a prompt are one step");
            assert_eq!(batch.samples()[0].answers.len(), 4);
        }
    }

    #[test]
    fn the_weights_of_a_step_add_up_to_one() {
        let plan = Plan::new(examples(50, 20), settings(7, 0.2)).unwrap();
        let sum = |samples: &[Sample]| -> f64 {
            let rows = samples.iter().flat_map(|sample| &sample.answers).flat_map(|answer| &answer.rows);
            rows.map(|row| match row.terms[..] {
                [Term::CrossEntropy { weight }] => f64::from(weight),
                _ => panic!("another term"),
            })
            .sum()
        };
        for batch in plan.training.batches_from(0) {
            assert!((sum(batch.samples()) - 1.0).abs() < 1e-5);
        }
        let held: f64 = plan.held_out.chunks(3).map(|chunk| sum(&chunk)).sum();
        assert!((held - 1.0).abs() < 1e-5, "{held}");
    }

    #[test]
    fn nothing_to_train_on_is_an_error() {
        assert_eq!(Plan::new(Examples::default(), settings(8, 0.1)).unwrap_err(), PlanError::NoExamples);
        assert_eq!(Plan::new(examples(3, 3), settings(8, 1.1)).unwrap_err(), PlanError::AllHeldOut(3));
    }

    #[test]
    fn the_fingerprint_tells_sets_and_orders_apart() {
        let print =
            |n, prompts| Plan::new(examples(n, prompts), settings(8, 0.1)).unwrap().fingerprint().to_owned();
        assert_eq!(print(20, 5), print(20, 5));
        assert_ne!(print(20, 5), print(20, 4));
        assert_eq!(print(20, 5).len(), 64);
    }

    #[test]
    fn the_warm_up_is_a_tenth_of_the_run() {
        let warmup = |n| Plan::new(examples(n, n), settings(1, 0.0)).unwrap().warmup_steps();
        assert_eq!((warmup(4), warmup(50), warmup(5000)), (0, 10, 100));
    }
}
