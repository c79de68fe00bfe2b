//! Forward KL to a teacher who is known by his most probable tokens: Hinton et al. 2015, arXiv 1503.02531, §2, on the
//! teacher's top tokens and one bin for all the others.
//!
//! `KL = Σ_top q_i (log q_i - log p_i) + q' log(q' / p')`, with `q' = 1 - Σ_top q_i + ε` and `p' = 1 - Σ_top p_i + ε`
//!
//! `dKL / d log p_i = -q_i + p_i q' / p'`
//!
//! ε keeps the tails away from zero, where one minus a sum is nothing but rounding. It is added on both sides: the
//! sum stays a KL (two distributions of mass 1 + ε), so it is not negative, it is zero with a zero gradient where
//! policy and teacher agree, and it is smooth: the gradient is that of the value everywhere.

use super::{Policy, RowGradient};
use crate::engine::Token;

/// Ten times what is lost to rounding in a sum of f32 probabilities, and no mass that anyone would miss.
pub(super) const TAIL_SMOOTHING: f64 = 1e-5;

/// `top`: token and the teacher's natural log-probability. Where rounding made their sum exceed one, they are scaled
/// to sum to one.
pub(super) fn add(weight: f64, top: &[(Token, f32)], policy: &Policy, out: &mut RowGradient) {
    let p_of = |token: Token| policy.logprob(token).exp();
    let q_sum: f64 = top.iter().map(|(_, logprob)| f64::from(*logprob).exp()).sum();
    let p_sum: f64 = top.iter().map(|(token, _)| p_of(*token)).sum();
    let excess = q_sum.max(1.0).ln();
    let q_tail = (1.0 - q_sum).max(0.0) + TAIL_SMOOTHING;
    let p_tail = clamped_below(1.0 - p_sum) + TAIL_SMOOTHING;

    let mut kl = q_tail * (q_tail / p_tail).ln();
    for (token, teacher_logprob) in top {
        let log_q = f64::from(*teacher_logprob) - excess;
        let log_p = policy.logprob(*token);
        kl += log_q.exp() * (log_q - log_p);
        out.add(policy, *token, weight * (log_p.exp() * q_tail / p_tail - log_q.exp()));
    }
    out.add_kl(weight, kl);
}

/// At least zero; NaN stays NaN, which `f64::max` would hide.
fn clamped_below(mass: f64) -> f64 {
    if mass < 0.0 { 0.0 } else { mass }
}
