//! From a reward and a hint to one number per token: how much more or less likely it should become.
//!
//! `A_t = w_r (r - b) + w_h clamp(log p_teacher(a_t | s, h) - log p_old(a_t | s), ±gap)`
//!
//! The first part is the process reward against a baseline, equal for all tokens of an answer (Shao et al. 2024,
//! GRPO, arXiv 2402.03300, §4.1, without the division by the deviation, which inflates groups that hardly differ). The
//! second is the opinion of the teacher, the same model shown the hint (OpenClaw-RL, arXiv 2603.10165, combined
//! objective); without a hint it is zero.

/// How much each kind of feedback counts, and how far the teacher may pull at one token (in nats).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdvantageWeights {
    pub reward: f32,
    pub hindsight: f32,
    pub gap: f32,
}

impl Default for AdvantageWeights {
    fn default() -> Self {
        Self { reward: 1.0, hindsight: 1.0, gap: 1.0 }
    }
}

/// One answer token as the policy that sampled it saw it, and as the teacher does, where there is a hint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLogprobs {
    pub old: f32,
    pub teacher: Option<f32>,
}

/// The advantage of each token of an answer that got `reward` (-1 to 1) where `baseline` was expected.
pub fn advantages(
    reward: f32,
    baseline: f32,
    tokens: &[TokenLogprobs],
    weights: AdvantageWeights,
) -> Vec<f32> {
    let AdvantageWeights { reward: reward_weight, hindsight, gap } = weights;
    let shared = reward_weight * (reward - baseline);
    let opinion =
        |token: &TokenLogprobs| token.teacher.map_or(0.0, |teacher| (teacher - token.old).max(-gap).min(gap));
    tokens.iter().map(|token| shared + hindsight * opinion(token)).collect()
}

/// Mean reward of the answers to one prompt. `None` for fewer than two: one answer says nothing about what was to be
/// expected, so a running mean over prompts has to.
#[expect(clippy::cast_precision_loss, reason = "groups are small")]
pub fn group_baseline(rewards: &[f32]) -> Option<f32> {
    (rewards.len() > 1).then(|| rewards.iter().sum::<f32>() / rewards.len() as f32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(reward: f32, baseline: f32, tokens: &[(f32, Option<f32>)], expected: &[f32]) {
        let tokens: Vec<_> =
            tokens.iter().map(|(old, teacher)| TokenLogprobs { old: *old, teacher: *teacher }).collect();
        assert_eq!(advantages(reward, baseline, &tokens, AdvantageWeights::default()), expected);
    }

    #[test]
    fn without_a_hint_all_tokens_share_the_reward() {
        check(1.0, 0.25, &[(-1.0, None), (-3.0, None)], &[0.75, 0.75]);
    }

    #[test]
    fn the_teacher_speaks_about_each_token() {
        check(0.0, 0.0, &[(-1.0, Some(-0.5)), (-1.0, Some(-1.25)), (-1.0, None)], &[0.5, -0.25, 0.0]);
    }

    #[test]
    fn the_teacher_is_not_heard_beyond_the_gap() {
        check(-1.0, 0.0, &[(-5.0, Some(-0.5)), (-0.5, Some(-9.0))], &[0.0, -2.0]);
    }

    #[test]
    fn a_baseline_needs_a_group() {
        assert_eq!(group_baseline(&[1.0, -1.0, 0.0, 1.0]), Some(0.25));
        assert_eq!(group_baseline(&[1.0]), None);
        assert_eq!(group_baseline(&[]), None);
    }

    proptest! {
        #[test]
        fn linear_in_the_reward(
            one in -1.0_f32..1.0, other in -1.0_f32..1.0, old in -9.0_f32..0.0, teacher in -9.0_f32..0.0,
        ) {
            let at = |reward| {
                let token = TokenLogprobs { old, teacher: Some(teacher) };
                advantages(reward, 0.5, &[token], AdvantageWeights::default())[0]
            };
            prop_assert!((at(one) + at(other) - 2.0 * at(f32::midpoint(one, other))).abs() < 1e-5);
        }

        #[test]
        fn a_group_around_its_baseline_pulls_in_no_direction(rewards in prop::collection::vec(-1.0_f32..1.0, 2..9)) {
            let baseline = group_baseline(&rewards).unwrap();
            let token = TokenLogprobs { old: -1.0, teacher: None };
            let of = |reward: &f32| advantages(*reward, baseline, &[token], AdvantageWeights::default())[0];
            prop_assert!(rewards.iter().map(of).sum::<f32>().abs() < 1e-5);
        }
    }
}
