//! Losses: each term of a token's objective as a pure function of that token's logits.
//!
//! For every term but the KL to the reference, the gradient with respect to the logits z has one shape:
//! `dz = alpha p + sparse`, where p = softmax(z) and `sparse` touches a few tokens only. So a term needs no more
//! than the log-sum-exp and a few logits, and the dense part is one pass over the row, whatever is asked.

use crate::engine::Token;

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
    /// probable tokens. `support`: token and the teacher's log-probability of it.
    ReverseKl { weight: f32, support: Vec<(Token, f32)>, gap: f32 },
    /// `weight · KL(policy ‖ reference)` over the whole vocabulary. The trainer computes the reference (adapter off).
    ReferenceKl { weight: f32 },
}
