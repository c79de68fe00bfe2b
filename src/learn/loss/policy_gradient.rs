//! Clipped policy gradient of one token: Schulman et al. 2017, PPO, arXiv 1707.06347, eq. 7, as a loss (negated), with
//! a bound of its own for each direction (Yu et al. 2025, DAPO, arXiv 2503.14476, eq. 10).
//!
//! `L = -w · min(ρ A, clamp(ρ, 1 - low, 1 + high) A)`, with `ρ = p(token) / p_old(token)`
//!
//! `dL / d log p = -w ρ A`, and 0 where the bound is reached in the direction that A asks for. Against that
//! direction there is no bound: a token that went the wrong way is always called back.

use super::{Policy, RowGradient, Term};
use crate::engine::Token;

/// Adds a [`Term::PolicyGradient`]; any other term adds nothing.
pub(super) fn add(term: &Term, token: Token, policy: &Policy, out: &mut RowGradient) {
    let Term::PolicyGradient { weight, advantage, old_logprob, clip_low, clip_high } = term else { return };
    let [weight, advantage, low, high] = [*weight, *advantage, *clip_low, *clip_high].map(f64::from);
    let ratio = (policy.logprob(token) - f64::from(*old_logprob)).exp();
    let pushed_far_enough = if advantage >= 0.0 { ratio > 1.0 + high } else { ratio < 1.0 - low };
    if pushed_far_enough {
        out.loss -= weight * advantage * if advantage >= 0.0 { 1.0 + high } else { 1.0 - low };
    } else {
        out.loss -= weight * advantage * ratio;
        out.add(policy, token, -weight * advantage * ratio);
    }
}
