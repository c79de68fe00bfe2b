//! Is a sample one that can be learned from? Asked once before a step, so that the arithmetic need not ask.

use std::ops::RangeInclusive;

use super::Term;
use crate::engine::Token;
use crate::learn::{Row, Sample};

/// Log-probabilities are computed in f32 and may exceed zero by rounding, sums of probabilities one.
const ROUNDING: f32 = 1e-3;

/// `Err` says what is wrong and where, as the end of a sentence that begins with the sample's number.
pub fn check_sample(sample: &Sample, n_vocab: usize) -> Result<(), String> {
    if sample.prompt.is_empty() {
        return Err("has an empty prompt".to_owned());
    }
    if sample.answers.is_empty() {
        return Err("has no answer".to_owned());
    }
    for (number, token) in sample.prompt.iter().enumerate() {
        check_token(*token, n_vocab)
            .map_err(|reason| format!("has {reason} at position {number} of the prompt"))?;
    }
    for (answer_number, answer) in sample.answers.iter().enumerate() {
        if answer.rows.is_empty() {
            return Err(format!("has no token in answer {answer_number}"));
        }
        for (number, row) in answer.rows.iter().enumerate() {
            check_row(row, n_vocab)
                .map_err(|reason| format!("has {reason} at position {number} of answer {answer_number}"))?;
        }
    }
    Ok(())
}

fn check_row(row: &Row, n_vocab: usize) -> Result<(), String> {
    check_token(row.token, n_vocab)?;
    row.terms.iter().try_for_each(|term| check_term(term, n_vocab))
}

fn check_term(term: &Term, n_vocab: usize) -> Result<(), String> {
    const ANY: RangeInclusive<f32> = f32::MIN..=f32::MAX;
    const NOT_NEGATIVE: RangeInclusive<f32> = 0.0..=f32::MAX;
    const LOGPROB: RangeInclusive<f32> = f32::MIN..=ROUNDING;
    match term {
        Term::CrossEntropy { weight } | Term::ReferenceKl { weight } => {
            within("a weight", *weight, NOT_NEGATIVE)
        }
        Term::PolicyGradient { weight, advantage, old_logprob, clip_low, clip_high } => {
            within("a weight", *weight, NOT_NEGATIVE)?;
            within("an advantage", *advantage, ANY)?;
            within("an old log-probability", *old_logprob, LOGPROB)?;
            within("a lower bound of the ratio's clip", *clip_low, 0.0..=1.0)?;
            within("an upper bound of the ratio's clip", *clip_high, NOT_NEGATIVE)
        }
        Term::ForwardKl { weight, top } => {
            within("a weight", *weight, NOT_NEGATIVE)?;
            check_teacher(top, n_vocab)
        }
        Term::ReverseKl { weight, support, gap } => {
            within("a weight", *weight, NOT_NEGATIVE)?;
            within("a gap", *gap, f32::MIN_POSITIVE..=f32::INFINITY)?;
            check_teacher(support, n_vocab)
        }
    }
}

fn check_teacher(tokens: &[(Token, f32)], n_vocab: usize) -> Result<(), String> {
    if tokens.is_empty() {
        return Err("a teacher without tokens".to_owned());
    }
    for (token, logprob) in tokens {
        check_token(*token, n_vocab)?;
        within("a teacher's log-probability", *logprob, f32::MIN..=ROUNDING)?;
    }
    let sum: f64 = tokens.iter().map(|(_, logprob)| f64::from(*logprob).exp()).sum();
    if sum > 1.0 + f64::from(ROUNDING) {
        return Err(format!("a teacher whose probabilities sum to {sum:.4}"));
    }
    let mut sorted: Vec<Token> = tokens.iter().map(|(token, _)| *token).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[Token]>::first) {
        Some(token) => Err(format!("a teacher who names token {token} twice")),
        None => Ok(()),
    }
}

fn check_token(token: Token, n_vocab: usize) -> Result<(), String> {
    match usize::try_from(token) {
        Ok(position) if position < n_vocab => Ok(()),
        _ => Err(format!("token {token}, which is none of the model's {n_vocab},")),
    }
}

/// NaN is within nothing.
fn within(what: &str, value: f32, range: RangeInclusive<f32>) -> Result<(), String> {
    if range.contains(&value) { Ok(()) } else { Err(format!("{what} of {value}")) }
}
