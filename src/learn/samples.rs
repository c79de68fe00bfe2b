//! Answers drawn in a rehearsal into samples with their terms (DESIGN §2.5). Pure: the trainer's readings of teacher
//! and student are arguments.
//!
//! The teacher is the base with the lesson in its prompt; the student is the policy without it. Both are asked about
//! the same answer tokens: the prompts differ, the rows do not.
//!
//! What always holds: an answer without a teacher carries no term but the anchor; each answer weighs the same, however
//! long it is; each prompt weighs the same, however many answers were drawn to it.

use serde::{Deserialize, Serialize};

use super::advantages::{TokenLogprobs, advantages, group_baseline};
use super::dial::{Course, TermWeights};
use super::loss::Term;
use super::{Answer, Distributions, Row, Sample};
use crate::engine::Token;

/// The most probable tokens at one place, with natural log-probabilities.
type Top = Vec<(Token, f32)>;

/// Why an answer is rehearsed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// Drawn with the lesson in the prompt.
    Teacher,
    /// Drawn without it; `reward` says whether it followed the lesson anyway, −1 to 1.
    Student { reward: f32 },
    /// A person wrote it: an edited command.
    Written,
}

/// One answer to a drill's prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    pub part: Part,
    /// With the token that ended it.
    pub tokens: Vec<Token>,
}

/// One prompt, without and with the lesson, and the answers to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    pub prompt: Vec<Token>,
    /// The same request with the lesson in its context.
    pub taught: Vec<Token>,
    pub answers: Vec<Drawn>,
}

impl Drill {
    /// What the teacher is asked about: the answers as if the lesson had been known.
    pub fn for_teacher(&self) -> Sample {
        Sample { prompt: self.taught.clone(), answers: self.answers.iter().map(bare).collect() }
    }

    /// What the student is asked about.
    pub fn for_student(&self) -> Sample {
        Sample { prompt: self.prompt.clone(), answers: self.answers.iter().map(bare).collect() }
    }

    /// The sample to learn from. `teacher` and `student`: what [`super::Trainer::distributions`] said of the two.
    pub fn sample(&self, teacher: &Distributions, student: &Distributions, course: &Course) -> Sample {
        let rewards: Vec<f32> = self.answers.iter().filter_map(Drawn::reward).collect();
        let baseline = group_baseline(&rewards);
        let readings = teacher.answers.iter().zip(&student.answers);
        let answers = self.answers.iter().zip(readings).map(|(drawn, (teacher, student))| {
            let terms = Terms { course, teacher, student };
            Answer { rows: terms.rows(drawn, baseline, self.n_like(drawn)) }
        });
        Sample { prompt: self.prompt.clone(), answers: answers.collect() }
    }
}

impl Drill {
    /// Answers of the same part: a prompt weighs the same however many were drawn.
    fn n_like(&self, drawn: &Drawn) -> usize {
        let part = std::mem::discriminant(&drawn.part);
        self.answers.iter().filter(|other| std::mem::discriminant(&other.part) == part).count()
    }
}

/// An answer that must stay as the base gives it: the anchor alone.
pub fn anchored(prompt: Vec<Token>, tokens: &[Token], weights: &TermWeights) -> Sample {
    let weight = weights.anchor / count(tokens.len());
    let row = |token: &Token| Row { token: *token, terms: vec![Term::ReferenceKl { weight }] };
    Sample { prompt, answers: vec![Answer { rows: tokens.iter().map(row).collect() }] }
}

/// All weights of a batch's samples times `factor`: one step sees the mean over its prompts.
pub fn scale(samples: &mut [Sample], factor: f32) {
    let rows = samples.iter_mut().flat_map(|sample| &mut sample.answers).flat_map(|answer| &mut answer.rows);
    for term in rows.flat_map(|row| &mut row.terms) {
        match term {
            Term::CrossEntropy { weight }
            | Term::PolicyGradient { weight, .. }
            | Term::ForwardKl { weight, .. }
            | Term::ReverseKl { weight, .. }
            | Term::ReferenceKl { weight } => *weight *= factor,
        }
    }
}

impl Drawn {
    fn reward(&self) -> Option<f32> {
        match self.part {
            Part::Student { reward } => Some(reward),
            Part::Teacher | Part::Written => None,
        }
    }
}

/// Both readings of one answer, token by token.
struct Terms<'a> {
    course: &'a Course,
    teacher: &'a [Top],
    student: &'a [Top],
}

impl Terms<'_> {
    fn rows(&self, drawn: &Drawn, baseline: Option<f32>, n_like: usize) -> Vec<Row> {
        let share = 1.0 / (count(drawn.tokens.len()) * count(n_like));
        let pushes = self.advantages(drawn, baseline);
        let readings = self.teacher.iter().zip(self.student);
        let tokens = drawn.tokens.iter().zip(readings).enumerate();
        tokens
            .map(|(at, (token, (teacher, student)))| {
                let mut terms = match drawn.part {
                    Part::Teacher => vec![self.forward_kl(share, teacher)],
                    Part::Written => {
                        vec![Term::CrossEntropy { weight: share * self.course.weights.written }]
                    }
                    Part::Student { .. } => vec![self.reverse_kl(share, teacher, student)],
                };
                if let (Some(advantage), Some(old_logprob)) = (pushes.get(at), of(student, *token)) {
                    terms.push(self.policy_gradient(share, *advantage, old_logprob));
                }
                Row { token: *token, terms }
            })
            .collect()
    }

    fn forward_kl(&self, share: f32, teacher: &Top) -> Term {
        Term::ForwardKl { weight: share * self.course.weights.forward_kl, top: teacher.clone() }
    }

    /// On the student's own most probable tokens. What the teacher does not name gets what the teacher leaves over,
    /// at most as much as its last: the gap is clipped far before that matters.
    fn reverse_kl(&self, share: f32, teacher: &Top, student: &Top) -> Term {
        let TermWeights { reverse_kl, support, gap, .. } = self.course.weights;
        let floor = teacher.last().map_or(f32::MIN, |(_, logprob)| *logprob);
        let tokens = student.iter().take(support);
        let support = tokens.map(|(token, _)| (*token, of(teacher, *token).unwrap_or(floor)));
        Term::ReverseKl { weight: share * reverse_kl, support: normal(support.collect()), gap }
    }

    /// One advantage for each token of a student's answer; none without a baseline or a teacher's opinion.
    fn advantages(&self, drawn: &Drawn, baseline: Option<f32>) -> Vec<f32> {
        let (Some(reward), Some(baseline)) = (drawn.reward(), baseline) else { return Vec::new() };
        let tokens = drawn.tokens.iter().zip(self.teacher.iter().zip(self.student));
        let logprobs: Vec<TokenLogprobs> = tokens
            .map(|(token, (teacher, student))| TokenLogprobs {
                old: of(student, *token).unwrap_or(f32::MIN),
                teacher: of(student, *token).and(of(teacher, *token)),
            })
            .collect();
        advantages(reward, baseline, &logprobs, self.course.advantages)
    }

    fn policy_gradient(&self, share: f32, advantage: f32, old_logprob: f32) -> Term {
        let Course { weights, clip_low, clip_high, .. } = self.course;
        let (clip_low, clip_high) = (*clip_low, *clip_high);
        Term::PolicyGradient { weight: share * weights.reward, advantage, old_logprob, clip_low, clip_high }
    }
}

/// An answer whose rows carry no term.
fn bare(drawn: &Drawn) -> Answer {
    Answer { rows: drawn.tokens.iter().map(|token| Row { token: *token, terms: Vec::new() }).collect() }
}

fn of(top: &Top, token: Token) -> Option<f32> {
    top.iter().find(|(id, _)| *id == token).map(|(_, logprob)| *logprob)
}

/// Log-probabilities whose sum was made too large by the floor, brought back to 1.
fn normal(mut support: Top) -> Top {
    let sum: f32 = support.iter().map(|(_, logprob)| logprob.exp()).sum();
    if sum > 1.0 {
        for (_, logprob) in &mut support {
            *logprob -= sum.ln();
        }
    }
    support
}

#[expect(clippy::cast_precision_loss, reason = "answers have a few hundred tokens")]
fn count(n: usize) -> f32 {
    n.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dial;
    use crate::learn::dial::course;
    use crate::learn::loss::check_sample;

    fn eager() -> Course {
        course(Dial::Eager, 1).unwrap()
    }

    fn top(tokens: &[(Token, f32)]) -> Top {
        tokens.iter().map(|(token, p)| (*token, p.ln())).collect()
    }

    fn drill(parts: &[Part]) -> Drill {
        let answers = parts.iter().map(|part| Drawn { part: *part, tokens: vec![5, 6] }).collect();
        Drill { prompt: vec![1], taught: vec![1, 2], answers }
    }

    fn readings(n: usize, row: &Top) -> Distributions {
        Distributions { answers: vec![vec![row.clone(); 2]; n] }
    }

    fn sample(parts: &[Part]) -> Sample {
        let teacher = readings(parts.len(), &top(&[(5, 0.7), (6, 0.2)]));
        let student = readings(parts.len(), &top(&[(7, 0.6), (5, 0.2), (6, 0.1)]));
        drill(parts).sample(&teacher, &student, &eager())
    }

    #[test]
    fn a_teachers_answer_hands_on_its_distribution() {
        let sample = sample(&[Part::Teacher]);
        assert_eq!(sample.prompt, [1]);
        let expected = Term::ForwardKl { weight: 0.5, top: top(&[(5, 0.7), (6, 0.2)]) };
        assert_eq!(sample.answers[0].rows[0], Row { token: 5, terms: vec![expected] });
    }

    #[test]
    fn students_are_rewarded_against_their_group_only() {
        let alone = sample(&[Part::Student { reward: 1.0 }]);
        assert!(matches!(alone.answers[0].rows[0].terms[..], [Term::ReverseKl { .. }]));
        let group = sample(&[Part::Student { reward: 1.0 }, Part::Student { reward: -1.0 }]);
        let advantage = |answer: usize| match group.answers[answer].rows[0].terms[1] {
            Term::PolicyGradient { advantage, .. } => advantage,
            _ => panic!("no policy gradient"),
        };
        assert!((advantage(0) - advantage(1) - 2.0).abs() < 1e-5);
    }

    #[test]
    fn equal_rewards_leave_only_the_teachers_opinion() {
        let group = sample(&[Part::Student { reward: -1.0 }; 3]);
        let Term::PolicyGradient { advantage, .. } = group.answers[0].rows[0].terms[1] else { panic!() };
        assert!((advantage - 1.0).abs() < 1e-6, "ln(0.7 / 0.2) is clipped at 1: {advantage}");
    }

    #[test]
    fn what_the_teacher_does_not_name_is_improbable() {
        let group = sample(&[Part::Student { reward: 0.0 }]);
        let Term::ReverseKl { support, .. } = &group.answers[0].rows[0].terms[0] else { panic!() };
        assert_eq!(support[0].0, 7);
        assert!((support[0].1 - 0.2_f32.ln()).abs() < 0.2);
    }

    #[test]
    fn every_sample_is_one_that_can_be_learned_from() {
        let parts =
            [Part::Teacher, Part::Student { reward: 1.0 }, Part::Student { reward: -1.0 }, Part::Written];
        check_sample(&sample(&parts), 10).unwrap();
        check_sample(&anchored(vec![1], &[2, 3], &eager().weights), 10).unwrap();
    }

    #[test]
    fn a_batch_is_scaled_as_a_whole() {
        let mut samples = [anchored(vec![1], &[2, 3], &eager().weights)];
        scale(&mut samples, 0.5);
        let [Term::ReferenceKl { weight }] = samples[0].answers[0].rows[0].terms[..] else { panic!() };
        assert!((weight - eager().weights.anchor / 4.0).abs() < 1e-6);
    }
}
