//! Other courses than the dial's, for comparing them. Pure.

use clap::{Args, ValueEnum};

use crate::learn::dial::Course;

/// What differs from the dial's course.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Another course than the dial's")]
pub(super) struct CourseChanges {
    /// Gradient steps of a round, at most
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Passes over the plan
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Highest rate of the optimizer
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Weight of the anchor to the base on replay
    #[arg(long, value_name = "WEIGHT")]
    anchor: Option<f32>,
    /// Prompts of replay, at least
    #[arg(long, value_name = "N")]
    replay: Option<usize>,
    /// Share of the plan that is replay, from 0 to below 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    replay_share: Option<f32>,
    /// Prompts on which each lesson is practised, at most
    #[arg(long, value_name = "N")]
    drills: Option<usize>,
    /// Only these terms of the loss (the anchor has a flag of its own)
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',')]
    terms: Option<Vec<LossTerm>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LossTerm {
    ForwardKl,
    Written,
    ReverseKl,
    Reward,
}

impl CourseChanges {
    pub(super) fn applied_to(&self, mut course: Course) -> Course {
        if let Some(steps) = self.steps {
            course.most_steps = steps;
        }
        if let Some(epochs) = self.epochs {
            course.epochs = epochs;
        }
        if let Some(rate) = self.learning_rate {
            course.learning_rate = rate;
        }
        if let Some(anchor) = self.anchor {
            course.weights.anchor = anchor;
        }
        if let Some(least) = self.replay {
            course.plan.least_replay = least;
        }
        if let Some(share) = self.replay_share {
            course.plan.replay_share = share;
        }
        if let Some(most) = self.drills {
            course.plan.per_lesson = most;
        }
        if let Some(terms) = &self.terms {
            only(terms, &mut course);
        }
        course
    }
}

fn only(terms: &[LossTerm], course: &mut Course) {
    let weights = &mut course.weights;
    let all = [
        (LossTerm::ForwardKl, &mut weights.forward_kl),
        (LossTerm::Written, &mut weights.written),
        (LossTerm::ReverseKl, &mut weights.reverse_kl),
        (LossTerm::Reward, &mut weights.reward),
    ];
    for (term, weight) in all {
        if !terms.contains(&term) {
            *weight = 0.0;
        }
    }
}

fn share(text: &str) -> Result<f32, String> {
    let share: f32 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..1.0).contains(&share) { Ok(share) } else { Err("it must be from 0 to below 1".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Dial;
    use crate::learn::dial::course;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        changes: CourseChanges,
    }

    fn changed(line: &str) -> (Course, Course) {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let usual = course(Dial::Careful, 1).unwrap();
        (Line::parse_from(words).changes.applied_to(usual.clone()), usual)
    }

    #[test]
    fn without_flags_the_course_is_the_dials() {
        let (course, usual) = changed("");
        assert_eq!(course, usual);
    }

    #[test]
    fn each_flag_changes_its_own_figure() {
        let (course, usual) = changed(
            "--steps 7 --epochs 9 --learning-rate 0.5 --anchor 3 --replay 5 --replay-share 0.25 --drills 2",
        );
        let mut expected = usual;
        (expected.most_steps, expected.epochs, expected.learning_rate) = (7, 9, 0.5);
        expected.weights.anchor = 3.0;
        (expected.plan.least_replay, expected.plan.replay_share, expected.plan.per_lesson) = (5, 0.25, 2);
        assert_eq!(course, expected);
    }

    #[test]
    fn terms_that_are_not_named_weigh_nothing() {
        let (course, usual) = changed("--terms forward-kl,reward");
        let mut expected = usual;
        (expected.weights.written, expected.weights.reverse_kl) = (0.0, 0.0);
        assert_eq!(course, expected);
    }

    #[test]
    fn a_plan_is_never_all_replay() {
        assert!(share("1").is_err() && share("-0.1").is_err() && share("x").is_err());
        assert_eq!(share("0.5"), Ok(0.5));
    }
}
