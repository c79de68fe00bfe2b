//! Each term against its formula in f64 by finite differences, against PyTorch, and against what must always hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use super::forward_kl::TAIL_SMOOTHING;
use super::reference::{Reference, gradient_in_place_with_reference, reference_kl};
use super::{RowGradient, Term, check_sample, row_gradient};
use crate::engine::Token;
use crate::learn::kernels::pick;
use crate::learn::{Answer, Row, Sample};

fn log_sum_exp(logits: &[f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::MIN, f64::max);
    max + logits.iter().map(|z| (z - max).exp()).sum::<f64>().ln()
}

#[expect(clippy::cast_possible_truncation, reason = "as the trainer gets it")]
fn log_sum_exp_f32(logits: &[f32]) -> f32 {
    log_sum_exp(&to_f64(logits)) as f32
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Where the gradient is taken; the reverse KL's gaps stay what they are there.
struct Here<'a> {
    logits: &'a [f64],
    reference: &'a [f64],
    token: Token,
}

/// The value of a term in f64, straight from its formula.
fn formula(term: &Term, logits: &[f64], here: &Here) -> f64 {
    let lse = log_sum_exp(logits);
    let logprob = |token: Token| logits[usize::try_from(token).unwrap()] - lse;
    match term {
        Term::CrossEntropy { weight } => -f64::from(*weight) * logprob(here.token),
        Term::PolicyGradient { weight, advantage, old_logprob, clip_low, clip_high } => {
            let ratio = (logprob(here.token) - f64::from(*old_logprob)).exp();
            let clipped = ratio.clamp(1.0 - f64::from(*clip_low), 1.0 + f64::from(*clip_high));
            let advantage = f64::from(*advantage);
            -f64::from(*weight) * (ratio * advantage).min(clipped * advantage)
        }
        Term::ForwardKl { weight, top } => {
            let (mut kl, mut q_rest, mut p_rest) = (0.0, 1.0, 1.0);
            for (token, log_q) in top {
                let (log_q, log_p) = (f64::from(*log_q), logprob(*token));
                kl += log_q.exp() * (log_q - log_p);
                q_rest -= log_q.exp();
                p_rest -= log_p.exp();
            }
            let (q_tail, p_tail) = (q_rest + TAIL_SMOOTHING, p_rest + TAIL_SMOOTHING);
            f64::from(*weight) * (kl + q_tail * (q_tail / p_tail).ln())
        }
        Term::ReverseKl { weight, support, gap } => {
            let lse_here = log_sum_exp(here.logits);
            let part = |(token, log_q): &(Token, f32)| {
                let log_p_here = here.logits[usize::try_from(*token).unwrap()] - lse_here;
                let fixed = (log_p_here - f64::from(*log_q)).clamp(-f64::from(*gap), f64::from(*gap));
                logprob(*token).exp() * fixed
            };
            f64::from(*weight) * support.iter().map(part).sum::<f64>()
        }
        Term::ReferenceKl { weight } => {
            let reference_lse = log_sum_exp(here.reference);
            let part = |(z, r): (&f64, &f64)| (z - lse).exp() * ((z - lse) - (r - reference_lse));
            f64::from(*weight) * logits.iter().zip(here.reference).map(part).sum::<f64>()
        }
    }
}

/// Loss, KL and the whole gradient, composed as the trainer composes them.
fn computed(row: &Row, logits: &[f32], reference: &[f32]) -> (f64, Option<f64>, Vec<f32>) {
    let mut gradient = RowGradient::default();
    let lse = log_sum_exp_f32(logits);
    row_gradient(row, logits, lse, &mut gradient);
    let mut dz = logits.to_vec();
    let (mut loss, mut kl) = (gradient.loss, gradient.kl);
    let weight = gradient.reference_weight;
    if weight > 0.0 {
        let reference_lse = log_sum_exp_f32(reference);
        let found = reference_kl(logits, lse, reference, reference_lse);
        loss += f64::from(weight) * found;
        kl = Some(kl.unwrap_or_default() + found);
        let reference = Reference { logits: reference, log_sum_exp: reference_lse, weight, kl: found };
        gradient_in_place_with_reference(&mut dz, lse, gradient.dense, reference);
    } else {
        pick(Some("plain")).unwrap().scaled_exp(logits, lse, gradient.dense, &mut dz);
    }
    gradient.add_sparse(0, &mut dz);
    (loss, kl, dz)
}

const LOGITS: [f32; 7] = [0.3, -1.2, 2.1, 0.0, 1.4, -3.0, 0.9];
const OTHER: [f32; 7] = [0.1, -0.2, 1.1, 0.7, 1.9, -2.0, -0.4];

#[track_caller]
fn check_gradient(term: &Term) {
    let (logits, reference) = (to_f64(&LOGITS), to_f64(&OTHER));
    let here = Here { logits: &logits, reference: &reference, token: 4 };
    let row = Row { token: 4, terms: vec![term.clone()] };
    let (loss, _, gradient) = computed(&row, &LOGITS, &OTHER);
    let expected = formula(term, &logits, &here);
    assert!((loss - expected).abs() < 2e-6, "loss {loss}, expected {expected}");
    for (position, actual) in gradient.iter().enumerate() {
        let at = |step: f64| {
            let mut moved = logits.clone();
            moved[position] += step;
            formula(term, &moved, &here)
        };
        let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((f64::from(*actual) - expected).abs() < 2e-6, "{position}: {actual}, expected {expected}");
    }
}

fn policy_gradient(advantage: f32, old_logprob: f32) -> Term {
    Term::PolicyGradient { weight: 0.5, advantage, old_logprob, clip_low: 0.2, clip_high: 0.28 }
}

/// The policy's log-probability of token 4 is about -1.40.
const SAME: f32 = -1.4;

#[test]
fn cross_entropy_has_the_gradient_of_its_formula() {
    check_gradient(&Term::CrossEntropy { weight: 0.7 });
}

#[test]
fn policy_gradient_has_the_gradient_of_its_formula() {
    for advantage in [-1.5, 0.0, 2.0] {
        for offset in [-0.6, -0.26, -0.1, 0.1, 0.2, 0.6] {
            check_gradient(&policy_gradient(advantage, SAME + offset));
        }
    }
}

#[test]
fn forward_kl_has_the_gradient_of_its_formula() {
    check_gradient(&Term::ForwardKl { weight: 0.6, top: vec![(2, -0.5), (0, -1.5)] });
    check_gradient(&Term::ForwardKl { weight: 0.6, top: vec![(5, -0.1)] });
    let third = (0..3).map(|token| (token, -(3.0_f32.ln()))).collect();
    check_gradient(&Term::ForwardKl { weight: 1.0, top: third });
}

#[test]
fn reverse_kl_has_the_gradient_of_its_surrogate() {
    let support = vec![(2, -2.5), (4, -1.5), (6, -0.9)];
    check_gradient(&Term::ReverseKl { weight: 0.6, support: support.clone(), gap: 1.0 });
    check_gradient(&Term::ReverseKl { weight: 0.6, support, gap: f32::INFINITY });
}

#[test]
fn reference_kl_has_the_gradient_of_its_formula() {
    check_gradient(&Term::ReferenceKl { weight: 0.4 });
}

#[test]
fn a_clipped_token_is_not_pushed_further() {
    let gradient = |term| computed(&Row { token: 4, terms: vec![term] }, &LOGITS, &OTHER).2;
    assert!(gradient(policy_gradient(2.0, SAME - 0.4)).iter().all(|g| *g == 0.0));
    assert!(gradient(policy_gradient(-2.0, SAME + 0.4)).iter().all(|g| *g == 0.0));
    // The wrong way round: called back however far it went.
    assert!(gradient(policy_gradient(-2.0, SAME - 0.4))[4] > 0.0);
    assert!(gradient(policy_gradient(2.0, SAME + 0.4))[4] < 0.0);
}

#[test]
fn reverse_kl_over_everything_is_the_kl_to_the_reference() {
    let lse = log_sum_exp_f32(&OTHER);
    let support = (0..).zip(OTHER.map(|z| z - lse)).collect();
    let whole = Row { token: 0, terms: vec![Term::ReverseKl { weight: 0.4, support, gap: f32::INFINITY }] };
    let dense = Row { token: 0, terms: vec![Term::ReferenceKl { weight: 0.4 }] };
    let (one, other) = (computed(&whole, &LOGITS, &OTHER), computed(&dense, &LOGITS, &OTHER));
    assert!((one.0 - other.0).abs() < 1e-6);
    assert!(one.2.iter().zip(&other.2).all(|(one, other)| (one - other).abs() < 1e-6));
}

/// Logits so sharp that the policy's tail is rounding, and a teacher who wants all of the tail.
#[test]
fn forward_kl_stays_bounded_without_a_tail() {
    let mut logits = [-40.0_f32; 64];
    logits[3] = 40.0;
    let row =
        |logprob| Row { token: 3, terms: vec![Term::ForwardKl { weight: 1.0, top: vec![(3, logprob)] }] };
    let (loss, kl, gradient) = computed(&row(-10.0), &logits, &logits);
    assert!(loss.is_finite() && kl.unwrap() > 5.0);
    assert!(gradient.iter().all(|g| g.abs() <= 1.0 + 1e-3), "{gradient:?}");
    let (loss, _, gradient) = computed(&row(0.0), &logits, &logits);
    assert!(loss.abs() < 1e-6 && gradient.iter().all(|g| g.abs() < 1e-6));
}

#[test]
fn the_buffer_can_be_used_again() {
    let lse = log_sum_exp_f32(&LOGITS);
    let first =
        Row { token: 1, terms: vec![Term::ForwardKl { weight: 1.0, top: vec![(2, -0.5), (0, -1.5)] }] };
    let second = Row { token: 4, terms: vec![Term::CrossEntropy { weight: 1.0 }] };
    let (mut used, mut fresh) = (RowGradient::default(), RowGradient::default());
    row_gradient(&first, &LOGITS, lse, &mut used);
    row_gradient(&second, &LOGITS, lse, &mut used);
    row_gradient(&second, &LOGITS, lse, &mut fresh);
    assert_eq!(used, fresh);
    assert_eq!(used.kl, None);
}

#[test]
fn a_token_outside_the_row_is_not_overlooked() {
    let mut gradient = RowGradient::default();
    let row = Row { token: 7, terms: vec![Term::CrossEntropy { weight: 1.0 }] };
    row_gradient(&row, &LOGITS, log_sum_exp_f32(&LOGITS), &mut gradient);
    assert!(gradient.loss.is_nan() && gradient.sparse.is_empty());
}

#[test]
fn a_row_that_is_not_finite_has_no_finite_loss() {
    let terms = [
        Term::CrossEntropy { weight: 1.0 },
        policy_gradient(1.0, SAME),
        policy_gradient(-1.0, SAME),
        Term::ForwardKl { weight: 1.0, top: vec![(2, -0.5)] },
        Term::ReverseKl { weight: 1.0, support: vec![(2, -0.5)], gap: 1.0 },
        Term::ReferenceKl { weight: 1.0 },
    ];
    for term in terms {
        let row = Row { token: 4, terms: vec![term] };
        let (loss, ..) = computed(&row, &[f32::NAN; 7], &LOGITS);
        assert!(loss.is_nan(), "{row:?}");
    }
}

#[derive(Deserialize)]
struct Recorded {
    token: Token,
    terms: Vec<BTreeMap<String, Settings>>,
    logits: Vec<f32>,
    reference: Option<Vec<f32>>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    loss: f64,
    kl: Option<f64>,
    gradient: Vec<f64>,
}

#[derive(Deserialize)]
struct Settings {
    weight: f32,
    advantage: Option<f32>,
    old_logprob: Option<f32>,
    clip_low: Option<f32>,
    clip_high: Option<f32>,
    top: Option<Vec<(Token, f32)>>,
    support: Option<Vec<(Token, f32)>>,
    gap: Option<f32>,
}

fn term(name: &str, settings: &Settings) -> Term {
    let weight = settings.weight;
    match name {
        "CrossEntropy" => Term::CrossEntropy { weight },
        "PolicyGradient" => Term::PolicyGradient {
            weight,
            advantage: settings.advantage.unwrap(),
            old_logprob: settings.old_logprob.unwrap(),
            clip_low: settings.clip_low.unwrap(),
            clip_high: settings.clip_high.unwrap(),
        },
        "ForwardKl" => Term::ForwardKl { weight, top: settings.top.clone().unwrap() },
        "ReverseKl" => {
            Term::ReverseKl { weight, support: settings.support.clone().unwrap(), gap: settings.gap.unwrap() }
        }
        "ReferenceKl" => Term::ReferenceKl { weight },
        other => panic!("{other}"),
    }
}

/// `scripts/reference/losses.py`: autograd in f64 on the same rows, each kind alone and together.
#[test]
fn pytorch_has_the_same_losses_and_gradients() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/losses.json");
    let recorded: Vec<Recorded> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(recorded.len() > 15);
    for (number, row) in recorded.iter().enumerate() {
        let terms = row.terms.iter().flatten().map(|(name, settings)| term(name, settings)).collect();
        let reference = row.reference.as_ref().unwrap_or(&row.logits);
        let (loss, kl, gradient) = computed(&Row { token: row.token, terms }, &row.logits, reference);
        let close = |one: f64, other: f64| (one - other).abs() < 3e-6 * (1.0 + other.abs());
        assert!(close(loss, row.expected.loss), "{number}: {loss} {}", row.expected.loss);
        assert_eq!(kl.is_some(), row.expected.kl.is_some());
        assert!(close(kl.unwrap_or_default(), row.expected.kl.unwrap_or_default()), "{number}");
        for (one, other) in gradient.iter().zip(&row.expected.gradient) {
            assert!(close(f64::from(*one), *other), "{number}: {one} {other}");
        }
    }
}

fn logits() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-12.0_f32..12.0, 33)
}

/// The teacher's most probable `count` tokens of a row.
fn top(logits: &[f32], count: usize) -> Vec<(Token, f32)> {
    let lse = log_sum_exp_f32(logits);
    let mut tokens: Vec<(Token, f32)> = (0..).zip(logits.iter().map(|z| z - lse)).collect();
    tokens.sort_by(|one, other| other.1.total_cmp(&one.1));
    tokens.truncate(count);
    tokens
}

fn every_term(teacher: &[f32], count: usize) -> Vec<Term> {
    vec![
        Term::CrossEntropy { weight: 0.3 },
        policy_gradient(0.8, -2.0),
        Term::ForwardKl { weight: 0.5, top: top(teacher, count) },
        Term::ReverseKl { weight: 0.5, support: top(teacher, count), gap: 1.0 },
        Term::ReferenceKl { weight: 0.2 },
    ]
}

proptest! {
    #[test]
    fn gradients_sum_to_zero_and_ignore_a_shift(
        policy in logits(), teacher in logits(), token in 0..33_i32, count in 1..=33_usize, shift in -8_i16..8,
    ) {
        let row = Row { token, terms: every_term(&teacher, count) };
        let (loss, _, gradient) = computed(&row, &policy, &teacher);
        prop_assert!(gradient.iter().copied().map(f64::from).sum::<f64>().abs() < 2e-5);
        let shifted: Vec<f32> = policy.iter().map(|z| z + f32::from(shift)).collect();
        let (shifted_loss, _, shifted_gradient) = computed(&row, &shifted, &teacher);
        prop_assert!((loss - shifted_loss).abs() < 2e-5 * (1.0 + loss.abs()));
        for (one, other) in gradient.iter().zip(&shifted_gradient) {
            prop_assert!((one - other).abs() < 2e-5, "{one} {other}");
        }
    }

    #[test]
    fn kl_is_not_negative(policy in logits(), teacher in logits(), count in 1..=33_usize) {
        for term in [
            Term::ForwardKl { weight: 1.0, top: top(&teacher, count) },
            Term::ReferenceKl { weight: 1.0 },
        ] {
            let (_, kl, _) = computed(&Row { token: 0, terms: vec![term] }, &policy, &teacher);
            prop_assert!(kl.unwrap() > -1e-5, "{kl:?}");
        }
    }

    #[test]
    fn a_policy_that_agrees_is_left_alone(policy in logits(), count in 1..=33_usize) {
        for term in [
            Term::ForwardKl { weight: 1.0, top: top(&policy, count) },
            Term::ReverseKl { weight: 1.0, support: top(&policy, count), gap: 1.0 },
            Term::ReferenceKl { weight: 1.0 },
        ] {
            let (loss, _, gradient) = computed(&Row { token: 0, terms: vec![term] }, &policy, &policy);
            prop_assert!(loss.abs() < 1e-5);
            prop_assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{gradient:?}");
        }
    }
}

fn sample(row: Row) -> Sample {
    let plain = Row { token: 1, terms: Vec::new() };
    let answer = |rows| Answer { rows };
    Sample { prompt: vec![1, 2], answers: vec![answer(vec![plain.clone()]), answer(vec![plain, row])] }
}

#[track_caller]
fn check_refused(term: Term, expected: &str) {
    let reason = check_sample(&sample(Row { token: 1, terms: vec![term] }), 10).unwrap_err();
    assert_eq!(reason, format!("has {expected} at position 1 of answer 1"));
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    check_refused(Term::CrossEntropy { weight: f32::NAN }, "a weight of NaN");
    check_refused(Term::ReferenceKl { weight: -1.0 }, "a weight of -1");
    check_refused(policy_gradient(f32::INFINITY, -1.0), "an advantage of inf");
    check_refused(policy_gradient(1.0, 0.5), "an old log-probability of 0.5");
    check_refused(
        Term::ForwardKl { weight: 1.0, top: vec![(1, -0.1), (2, -0.2)] },
        "a teacher whose probabilities sum to 1.7236",
    );
    check_refused(
        Term::ForwardKl { weight: 1.0, top: vec![(4, -2.0), (2, -2.0), (4, -3.0)] },
        "a teacher who names token 4 twice",
    );
    check_refused(Term::ForwardKl { weight: 1.0, top: Vec::new() }, "a teacher without tokens");
    let support = vec![(10, -2.0)];
    let expected = "token 10, which is none of the model's 10,";
    check_refused(Term::ReverseKl { weight: 1.0, support, gap: 1.0 }, expected);
    let support = vec![(1, f32::NEG_INFINITY)];
    let expected = "a teacher's log-probability of -inf";
    check_refused(Term::ReverseKl { weight: 1.0, support, gap: 1.0 }, expected);
    check_refused(Term::ReverseKl { weight: 1.0, support: vec![(1, -1.0)], gap: 0.0 }, "a gap of 0");
}

#[test]
fn a_sample_needs_a_prompt_and_answers_with_tokens_of_the_model() {
    let good = sample(Row { token: 9, terms: every_term(&LOGITS, 5) });
    assert_eq!(check_sample(&good, 10), Ok(()));
    let reason = |sample: Sample| check_sample(&sample, 10).unwrap_err();
    assert_eq!(reason(Sample { prompt: Vec::new(), ..good.clone() }), "has an empty prompt");
    assert_eq!(reason(Sample { answers: Vec::new(), ..good.clone() }), "has no answer");
    assert_eq!(
        reason(Sample { answers: vec![Answer::default()], ..good.clone() }),
        "has no token in answer 0"
    );
    assert_eq!(
        reason(Sample { prompt: vec![3, -1], ..good }),
        "has token -1, which is none of the model's 10, at position 1 of the prompt"
    );
}
