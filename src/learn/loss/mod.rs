//! Losses: each term of a token's objective as a pure function of that token's logits.
//!
//! For every term but the KL to the reference, the loss depends on the log-probabilities of a few tokens only. With
//! `g_i = dL / d log p_i` and p = softmax(z), the gradient with respect to the logits has one shape,
//!
//! `dz = Σ_i g_i (e_i - p) = dense p + sparse`, with `sparse_i = g_i` and `dense = -Σ_i g_i`
//!
//! so a term needs no more than the log-sum-exp and a few logits, the dense part is one pass over the row whatever is
//! asked, and every gradient sums to zero over the vocabulary. The KL to the reference is the one dense term; it
//! joins the same pass ([`mod@reference`]).
//!
//! What does not live here: the logits, averaging over tokens (it is part of a term's weight), advantages.

mod check;
mod forward_kl;
mod policy_gradient;
pub mod reference;
mod reverse_kl;
#[cfg(test)]
mod tests;

use super::Row;
use crate::engine::Token;

pub use check::check_sample;

/// One summand of a token's loss. Weights are not negative; the batch's loss is the plain sum over all tokens, so
/// averaging is the caller's choice and part of the weight.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// `-weight · log p(token)`.
    CrossEntropy { weight: f32 },
    /// Clipped policy gradient (PPO, arXiv 1707.06347, eq. 7, with asymmetric bounds).
    PolicyGradient { weight: f32, advantage: f32, old_logprob: f32, clip_low: f32, clip_high: f32 },
    /// `weight · KL(teacher ‖ policy)` over the teacher's most probable tokens and one bin for all others.
    /// `top`: token and natural log-probability, distinct tokens.
    ForwardKl { weight: f32, top: Vec<(Token, f32)> },
    /// `weight · Σ_{i in support} p_i · clamp(log p_i - log teacher_i, ±gap)`: reverse KL on the student's own most
    /// probable tokens; the clamped gap is a constant for the gradient. `support`: token and the teacher's
    /// log-probability of it, distinct tokens.
    ReverseKl { weight: f32, support: Vec<(Token, f32)>, gap: f32 },
    /// `weight · KL(policy ‖ reference)` over the whole vocabulary. The trainer computes the reference (adapter off).
    ReferenceKl { weight: f32 },
}

/// What the terms of one row ask of its logits: `dz = dense · p + sparse`, and the reference's part on top of it.
/// Meant to be used again for the next row, so that no memory is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowGradient {
    /// Weighted sum of the row's terms, without the KL to the reference.
    pub loss: f64,
    /// Sum of the unweighted KL terms in nats, without the KL to the reference; `None`: the row has no such term.
    pub kl: Option<f64>,
    /// What the row's probabilities are multiplied with.
    pub dense: f32,
    /// What is added at single tokens. A token that several terms name is here several times; every position is
    /// inside the row.
    pub sparse: Vec<(usize, f32)>,
    /// Weight of the KL to the reference; 0 without.
    pub reference_weight: f32,
}

/// Sums all terms of `row` into `out`, whatever was in it. `log_sum_exp` is that of `logits`.
///
/// Expects a row that passed [`check_sample`]; a token outside the row makes the loss NaN, on which no step is taken.
pub fn row_gradient(row: &Row, logits: &[f32], log_sum_exp: f32, out: &mut RowGradient) {
    out.clear();
    let policy = Policy { logits, log_sum_exp };
    for term in &row.terms {
        match term {
            Term::CrossEntropy { weight } => {
                out.loss -= f64::from(*weight) * policy.logprob(row.token);
                out.add(&policy, row.token, -f64::from(*weight));
            }
            Term::PolicyGradient { .. } => policy_gradient::add(term, row.token, &policy, out),
            Term::ForwardKl { weight, top } => forward_kl::add(f64::from(*weight), top, &policy, out),
            Term::ReverseKl { weight, support, gap } => {
                reverse_kl::add(f64::from(*weight), support, f64::from(*gap), &policy, out);
            }
            Term::ReferenceKl { weight } => out.reference_weight += weight,
        }
    }
}

impl RowGradient {
    fn clear(&mut self) {
        self.sparse.clear();
        *self = Self { sparse: std::mem::take(&mut self.sparse), ..Self::default() };
    }

    /// Adds `g (e_token - p)`, the gradient of `g · log p(token)`.
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32; no bound is near")]
    fn add(&mut self, policy: &Policy, token: Token, g: f64) {
        if let Some(position) = policy.position(token) {
            self.sparse.push((position, g as f32));
            self.dense -= g as f32;
        }
    }

    fn add_kl(&mut self, weight: f64, kl: f64) {
        self.loss += weight * kl;
        self.kl = Some(self.kl.unwrap_or_default() + kl);
    }
}

/// A row of logits as a distribution.
struct Policy<'a> {
    logits: &'a [f32],
    log_sum_exp: f32,
}

impl Policy<'_> {
    fn position(&self, token: Token) -> Option<usize> {
        usize::try_from(token).ok().filter(|position| *position < self.logits.len())
    }

    /// NaN for a token outside the row.
    fn logprob(&self, token: Token) -> f64 {
        let logit = self.position(token).and_then(|position| self.logits.get(position));
        logit.map_or(f64::NAN, |logit| f64::from(*logit) - f64::from(self.log_sum_exp))
    }
}
