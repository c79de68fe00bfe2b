//! The learning dial: off, careful or eager, and everything that follows from it, in one place.
//!
//! What lives here: rates, weights of the loss terms, how much is drawn, how far one run may go, what the gate lets
//! through. What does not: the losses (`loss`), the plan (`rehearsal`), the decision (`gate`), where the dial is kept.
//!
//! The figures are those of the first measurements: forward KL on answers drawn with the lesson is the work-horse,
//! a few dozen small steps suffice, and a strong anchor over much replay costs little obedience and protects unrelated
//! answers from the start.

use super::advantages::AdvantageWeights;
use super::gate::GateLimits;
use super::rehearsal::PlanLimits;
use crate::config::Dial;

/// What a dial that is not off asks of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Of `AdamW`, at its highest.
    pub learning_rate: f64,
    /// Gradient steps of one run. It ends earlier where the plan is small: see [`Course::steps_for`].
    pub most_steps: usize,
    /// Passes over the plan that suffice.
    pub epochs: usize,
    /// Prompts in one step, drills and replay together.
    pub batch: usize,
    pub weights: TermWeights,
    pub advantages: AdvantageWeights,
    /// Bounds of the probability ratio in the policy gradient: 1 − low, 1 + high.
    pub clip_low: f32,
    pub clip_high: f32,
    pub draws: DrawSettings,
    pub plan: PlanLimits,
    pub gate: GateLimits,
}

/// Weights of the terms of the loss (DESIGN §2.5). Each term is averaged over its tokens before it is weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermWeights {
    /// `KL(teacher ‖ policy)` on answers drawn with the lesson.
    pub forward_kl: f32,
    /// Cross-entropy on tokens that the person wrote.
    pub written: f32,
    /// Reverse KL to the teacher on the policy's own answers.
    pub reverse_kl: f32,
    /// Size of the student's support and the bound of its per-token gap in nats.
    pub support: usize,
    pub gap: f32,
    /// Policy gradient.
    pub reward: f32,
    /// `KL(policy ‖ base)` on replay prompts.
    pub anchor: f32,
}

/// How answers are drawn in a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawSettings {
    /// Answers of the current policy without the lesson to each prompt of the user's own.
    pub student_answers: usize,
    pub student_temperature: f32,
    /// One answer with the lesson for each temperature; 0 is greedy.
    pub teacher_temperatures: Vec<f32>,
    /// Most probable tokens of the teacher's distribution that are kept.
    pub teacher_top: usize,
    pub lengths: super::rehearsal::LengthLimits,
}

/// What one run does; `None` when the dial is off. `parameters`: weights of the base model.
pub fn course(dial: Dial, parameters: u64) -> Option<Course> {
    let (boldness, anchor, most_steps, plan, gate) = match dial {
        Dial::Off => return None,
        Dial::Careful => (1.0, 4.0, 60, PlanLimits::careful(), GateLimits::careful()),
        Dial::Eager => (1.2, 2.0, 60, PlanLimits::eager(), GateLimits::eager()),
    };
    Some(Course {
        learning_rate: boldness * rate_of_size(parameters),
        most_steps,
        epochs: 6,
        batch: 24,
        weights: TermWeights {
            forward_kl: 1.0,
            written: 0.5,
            reverse_kl: 0.25,
            support: 4,
            gap: 1.0,
            reward: 0.1,
            anchor,
        },
        advantages: AdvantageWeights::default(),
        clip_low: 0.2,
        clip_high: 0.28,
        draws: DrawSettings {
            student_answers: 4,
            student_temperature: 0.8,
            teacher_temperatures: vec![0.0, 0.8],
            teacher_top: 64,
            lengths: super::rehearsal::LengthLimits::default(),
        },
        plan,
        gate,
    })
}

impl Course {
    /// Steps for a plan of so many prompts: all epochs, at least 40 (replay needs them to pull neutral answers back),
    /// at most the dial's. 0 for an empty plan.
    pub fn steps_for(&self, prompts: usize) -> usize {
        if prompts == 0 {
            return 0;
        }
        (prompts * self.epochs).div_ceil(self.batch.max(1)).clamp(40.min(self.most_steps), self.most_steps)
    }
}

/// Larger models learn the same from smaller steps; these are the usual rates of LoRA by size.
fn rate_of_size(parameters: u64) -> f64 {
    match parameters {
        0..50_000_000 => 1.4e-3,
        50_000_000..300_000_000 => 5e-4,
        300_000_000..2_000_000_000 => 2e-4,
        _ => 1e-4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_learns_nothing() {
        assert_eq!(course(Dial::Off, 6_400_000), None);
    }

    #[test]
    fn eager_goes_further_than_careful_and_its_gate_lets_more_through() {
        let careful = course(Dial::Careful, 6_400_000).unwrap();
        let eager = course(Dial::Eager, 6_400_000).unwrap();
        assert!(careful.learning_rate < eager.learning_rate);
        assert!(careful.weights.anchor > eager.weights.anchor);
        assert!(careful.gate.kl < eager.gate.kl);
        assert!(careful.plan.per_lesson <= eager.plan.per_lesson);
    }

    #[test]
    fn the_anchor_is_really_on() {
        for dial in [Dial::Careful, Dial::Eager] {
            let course = course(dial, 1).unwrap();
            assert!((0.5..=4.0).contains(&course.weights.anchor));
            assert!(course.plan.replay_share >= 0.5);
        }
    }

    #[test]
    fn larger_models_take_smaller_steps() {
        let rates = [6_400_000, 100_000_000, 494_000_000, 7_000_000_000]
            .map(|n| course(Dial::Eager, n).unwrap().learning_rate);
        assert!(rates.is_sorted_by(|one, next| one > next), "{rates:?}");
    }

    #[track_caller]
    fn check_steps(prompts: usize, expected: usize) {
        assert_eq!(course(Dial::Careful, 1).unwrap().steps_for(prompts), expected);
    }

    #[test]
    fn the_plan_decides_the_steps_within_bounds() {
        check_steps(0, 0);
        check_steps(10, 40);
        check_steps(200, 50);
        check_steps(10_000, 60);
    }
}
