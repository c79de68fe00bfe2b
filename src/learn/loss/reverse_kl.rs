//! Reverse KL on the student's own most probable tokens, its gap clipped (OpenClaw-RL, arXiv 2603.10165 v2, top-k
//! on-policy distillation with clipped gaps).
//!
//! `KL_S = Σ_{i in S} p_i c_i`, with `c_i = clamp(log p_i - log q_i, ±gap)`
//!
//! The gap is a constant for the gradient, an advantage of `-c_i` that token i was given:
//!
//! `dKL_S / d log p_i = p_i c_i`
//!
//! On the whole vocabulary and without a bound this is the gradient of KL(policy ‖ teacher), because what differs,
//! `Σ p_i d log p_i`, is zero there. On a support it is not: differentiating the gap too would add the gradient of
//! `Σ_S p_i`, that is, push mass out of the support even where policy and teacher agree.

use super::{Policy, RowGradient};
use crate::engine::Token;

/// `support`: token and the teacher's natural log-probability.
pub(super) fn add(weight: f64, support: &[(Token, f32)], gap: f64, policy: &Policy, out: &mut RowGradient) {
    let mut kl = 0.0;
    for (token, teacher_logprob) in support {
        let log_p = policy.logprob(*token);
        let clipped = (log_p - f64::from(*teacher_logprob)).max(-gap).min(gap);
        kl += log_p.exp() * clipped;
        out.add(policy, *token, weight * log_p.exp() * clipped);
    }
    out.add_kl(weight, kl);
}
