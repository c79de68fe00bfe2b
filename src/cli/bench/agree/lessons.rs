//! What is learned: a few conversations where the model knows how to write them, drawn tokens where it does not.

use anyhow::Context;

use crate::cli::train::language::Language;
use crate::engine::Token;
use crate::gguf::Gguf;
use crate::learn::loss::Term;
use crate::learn::plan::{Plan, PlanSettings};
use crate::learn::shuffle::Draws;
use crate::learn::{Answer, Row, Sample};
use crate::model::Found;

/// Two answers to one question among them, which share the question's rows.
const CONVERSATIONS: &str = r#"{"prompt":"list all files","completion":"ls -a"}
{"prompt":"list all files","completion":"find . -maxdepth 1"}
{"prompt":"how much room is left on the disk?","completion":"df -h tells it for every file system."}
{"prompt":"Which branch am I on?","completion":"git branch --show-current"}
"#;
/// Drawn samples, with one answer more for each.
const DRAWN: usize = 2;

/// The conversations in the model's own template and tokens.
pub(super) fn conversations(model: &Found, gguf: &Gguf) -> anyhow::Result<Vec<Sample>> {
    let reading = Language::of(model, gguf)?.read(&mut CONVERSATIONS.as_bytes(), usize::MAX)?;
    let settings = PlanSettings { epochs: 1, batch: usize::MAX, seed: 0, hold_out: 0.0 };
    let plan = Plan::new(reading.examples, settings)?;
    let batch = plan.training.batches_from(0).next().context("no conversation can be written")?;
    Ok(batch.samples().to_vec())
}

/// Half prompt, half answer, `n_tokens` in all; every token of the vocabulary is as likely.
pub(super) fn drawn(n_vocab: usize, n_tokens: usize) -> Vec<Sample> {
    let mut draws = Draws::new(1);
    let mut tokens = |n: usize| -> Vec<Token> {
        (0..n).map(|_| Token::try_from(draws.below(n_vocab.max(1) as u64)).unwrap_or(0)).collect()
    };
    let n_answer = n_tokens / 2;
    let n_answers = DRAWN * (DRAWN + 1) / 2;
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
    let weight = 1.0 / (n_answers * n_answer).max(1) as f32;
    let row = |token| Row { token, terms: vec![Term::CrossEntropy { weight }] };
    let mut answer = |n| Answer { rows: tokens(n).into_iter().map(row).collect() };
    let answers: Vec<Vec<Answer>> = (1..=DRAWN).map(|n| (0..n).map(|_| answer(n_answer)).collect()).collect();
    answers.into_iter().map(|answers| Sample { prompt: tokens(n_tokens - n_answer), answers }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_samples_are_the_same_each_time_and_weigh_one() {
        let samples = drawn(50, 9);
        assert_eq!(samples, drawn(50, 9));
        let rows: Vec<&Row> =
            samples.iter().flat_map(|sample| &sample.answers).flat_map(|answer| &answer.rows).collect();
        assert_eq!((samples[0].prompt.len(), samples[1].answers.len(), rows.len()), (5, 2, 12));
        assert!(rows.iter().all(|row| row.terms == [Term::CrossEntropy { weight: 1.0 / 12.0 }]));
        assert!(rows.iter().all(|row| (0..50).contains(&row.token)));
    }
}
