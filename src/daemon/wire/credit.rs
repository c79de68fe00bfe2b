//! Credit: what learning would push each token of an answer towards, or away from.

use serde::{Deserialize, Serialize};

use crate::engine::Token;
use crate::lesson::LessonId;
use crate::turn::{PolicyVersion, TurnId};

/// `POST /chela/v1/turns/{id}/credit`: computed when it is asked for, behind every answer. Nothing of it is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeighTokens {
    /// By this lesson; without it by those that were drawn from the turn, or by its hint.
    #[serde(default)]
    pub lesson: Option<LessonId>,
}

/// The tokens of an answer, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credit {
    pub turn: TurnId,
    pub by: CreditBy,
    /// The teacher is not heard beyond this, in nats.
    pub gap: f32,
    pub tokens: Vec<TokenCredit>,
}

/// Where the credit comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CreditBy {
    /// The base that has these in its prompt says something of each token.
    Lessons {
        texts: Vec<String>,
        /// Who is compared with it: the version without them.
        student: PolicyVersion,
        /// Its log-probabilities are those of the sampling; otherwise they were computed now.
        is_recorded: bool,
    },
    /// Nobody said what should have been done: all tokens share what was concluded.
    Verdict { reward: i8, rule: String },
    /// Nothing was concluded, so nothing is pushed.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenCredit {
    pub id: Token,
    /// Whole characters: those that this token completes. Empty where it ends the answer.
    pub text: String,
    /// As training takes it: above 0 towards the token, below 0 away from it.
    pub credit: f32,
    /// Natural logarithms; absent where no teacher was asked.
    pub student: Option<f32>,
    pub teacher: Option<f32>,
}

/// How a token is pushed, as people are shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    Towards {
        strongly: bool,
    },
    Away {
        strongly: bool,
    },
    /// Too little to show.
    Even,
}

/// Parts of the clip from which on a push is shown, and from which on it is strong.
const SHOWN: f32 = 0.1;
const STRONG: f32 = 0.5;

impl Push {
    /// `gap`: the most that there can be.
    pub fn of(credit: f32, gap: f32) -> Self {
        let part = credit.abs() / gap.max(f32::MIN_POSITIVE);
        let strongly = part >= STRONG;
        match credit {
            _ if part.is_nan() || part < SHOWN => Self::Even,
            0.0.. => Self::Towards { strongly },
            _ => Self::Away { strongly },
        }
    }
}

impl Credit {
    /// The answer cut where the push changes.
    pub fn runs(&self) -> Vec<(Push, String)> {
        let mut runs: Vec<(Push, String)> = Vec::new();
        for token in &self.tokens {
            let push = Push::of(token.credit, self.gap);
            match runs.last_mut() {
                Some((last, text)) if *last == push || token.text.is_empty() => text.push_str(&token.text),
                _ => runs.push((push, token.text.clone())),
            }
        }
        runs
    }

    /// The answer with brackets around what is pushed strongly: `+[duf]`, `-[df]`. All of it is in one bracket where all
    /// tokens share the same.
    pub fn marked(&self) -> Vec<(Push, String)> {
        let marked = self.runs().into_iter().map(|(push, text)| (push, bracketed(push, &text)));
        marked.collect()
    }

    /// The tokens that are pushed most, strongest first; equal ones in the answer's order.
    pub fn strongest(&self, n: usize) -> Vec<&TokenCredit> {
        let mut all: Vec<&TokenCredit> = self.tokens.iter().collect();
        let wish = |token: &TokenCredit| {
            token
                .teacher
                .zip(token.student)
                .map_or(token.credit, |(teacher, student)| teacher - student)
                .abs()
        };
        all.sort_by(|a, b| wish(b).total_cmp(&wish(a)));
        all.truncate(n);
        all
    }
}

/// White space at the edges stays outside.
fn bracketed(push: Push, text: &str) -> String {
    let sign = match push {
        Push::Towards { strongly: true } => '+',
        Push::Away { strongly: true } => '-',
        _ => return text.to_owned(),
    };
    let inner = text.trim();
    if inner.is_empty() {
        return text.to_owned();
    }
    text.replacen(inner, &format!("{sign}[{inner}]"), 1)
}

impl TokenCredit {
    /// Teacher less student and what of it counts, in one line without the token: `-3.50 → -1.00 (-4.00 less -0.50)`.
    pub fn figures(&self) -> String {
        let counts = shown(self.credit);
        let Some((teacher, student)) = self.teacher.zip(self.student) else {
            return format!("{counts:+.2}");
        };
        let (wish, teacher, student) = (shown(teacher - student), shown(teacher), shown(student));
        format!("{wish:+.2} → {counts:+.2} ({teacher:.2} less {student:.2})")
    }

    /// The token, as it can stand in a line.
    pub fn named(&self) -> String {
        if self.text.is_empty() { "(end)".to_owned() } else { format!("{:?}", self.text) }
    }
}

/// Without a sign where two places show nothing.
fn shown(figure: f32) -> f32 {
    if figure.abs() < 0.005 { 0.0 } else { figure }
}

impl CreditBy {
    /// Where the colours come from, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        match self {
            Self::Lessons { texts, student, is_recorded } => {
                let how =
                    if *is_recorded { "as it sampled them" } else { "computed now, without the lesson" };
                vec![
                    format!("teacher: the base with \"{}\" in its prompt", texts.join("; ")),
                    format!("student: {student}, {how}"),
                ]
            }
            Self::Verdict { reward: 1, rule } => vec![format!(
                "judged good by {rule}, and nobody said more: every token has the same weight, none stands out"
            )],
            Self::Verdict { rule, .. } => vec![format!(
                "judged bad by {rule}, and nobody said what should have been done: every token is pushed away alike"
            )],
            Self::Nothing => {
                vec!["nothing was concluded of this answer, so no token is pushed".to_owned()]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(tokens: &[(&str, f32)]) -> Credit {
        let token = |(text, credit): &(&str, f32)| TokenCredit {
            id: 0,
            text: (*text).to_owned(),
            credit: *credit,
            student: None,
            teacher: None,
        };
        let tokens = tokens.iter().map(token).collect();
        Credit { turn: TurnId(1), by: CreditBy::Nothing, gap: 1.0, tokens }
    }

    #[track_caller]
    fn check(tokens: &[(&str, f32)], expected: &str) {
        let marked: String = credit(tokens).marked().into_iter().map(|(_, text)| text).collect();
        assert_eq!(marked, expected);
    }

    #[test]
    fn strong_pushes_are_bracketed_together() {
        check(&[("du", 0.9), ("f", 1.0), (" -h", 0.2)], "+[duf] -h");
        check(&[("gre", -1.0), ("p", -0.5), (" todo", 0.05)], "-[grep] todo");
        check(&[("ls", -1.0), (" -la", 0.8)], "-[ls] +[-la]");
    }

    #[test]
    fn white_space_and_the_end_of_the_answer_are_not_bracketed() {
        check(&[("a", 0.0), ("\n", 1.0), (" b\n", -1.0), ("", 1.0)], "a\n -[b]\n");
    }

    #[test]
    fn what_hardly_counts_is_even() {
        assert_eq!(Push::of(0.09, 1.0), Push::Even);
        assert_eq!(Push::of(-0.1, 1.0), Push::Away { strongly: false });
        assert_eq!(Push::of(0.5, 1.0), Push::Towards { strongly: true });
        assert_eq!(Push::of(f32::NAN, 1.0), Push::Even);
        assert_eq!(Push::of(0.5, 0.0), Push::Towards { strongly: true });
    }

    #[test]
    fn the_strongest_come_first_and_equal_ones_stay_in_order() {
        let credit = credit(&[("a", 0.1), ("b", -1.0), ("c", 1.0)]);
        let names: Vec<&str> = credit.strongest(2).iter().map(|token| token.text.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
    }
}
