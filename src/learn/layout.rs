//! Samples as rows of the network: prompts once, answers behind them, as a tree.
//!
//! Rows are all prompts' tokens, then all answers'. An answer's segment begins with the prompt's last token, so
//! its rows are exactly the rows whose logits predict the answer, and the rows of all answers are one stretch at
//! the end. A row of an answer attends the prompt's rows and its own segment up to itself, which is what it would
//! attend if prompt and answer stood alone: sharing is exact.

use std::ops::Range;

use super::{Row, Sample};
use crate::engine::Token;

/// A stretch of consecutive rows: they attend the rows of `prefix` fully and each other causally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) rows: Range<usize>,
    /// The prompt that an answer continues; empty for prompts.
    pub(crate) prefix: Range<usize>,
    /// Which segment the prefix is.
    pub(crate) parent: Option<usize>,
}

/// The rows of one micro-batch.
#[derive(Debug, Default)]
pub(super) struct Layout<'a> {
    pub(super) tokens: Vec<Token>,
    pub(super) positions: Vec<usize>,
    pub(super) segments: Vec<Segment>,
    /// First of the rows whose logits are wanted; they reach to the end.
    pub(super) first_answer: usize,
    /// What is asked of each of them.
    pub(super) targets: Vec<&'a Row>,
}

impl<'a> Layout<'a> {
    /// Lays out samples that were checked: no empty prompt, no empty answer.
    pub(super) fn new(samples: &'a [Sample]) -> Self {
        let mut layout = Self::default();
        let prompts: Vec<Option<usize>> =
            samples.iter().map(|sample| layout.push_prompt(&sample.prompt)).collect();
        layout.first_answer = layout.tokens.len();
        for (sample, parent) in samples.iter().zip(prompts) {
            for answer in &sample.answers {
                layout.push_answer(&sample.prompt, &answer.rows, parent);
            }
        }
        layout
    }

    pub(super) fn n_rows(&self) -> usize {
        self.tokens.len()
    }

    /// All rows of the prompt but the last, which opens each answer. `None` if that leaves nothing.
    fn push_prompt(&mut self, prompt: &[Token]) -> Option<usize> {
        let (_, shared) = prompt.split_last()?;
        if shared.is_empty() {
            return None;
        }
        let first = self.tokens.len();
        self.tokens.extend(shared);
        self.positions.extend(0..shared.len());
        self.segments.push(Segment { rows: first..self.tokens.len(), prefix: 0..0, parent: None });
        Some(self.segments.len() - 1)
    }

    fn push_answer(&mut self, prompt: &[Token], rows: &'a [Row], parent: Option<usize>) {
        let Some((_, fed)) = rows.split_last() else { return };
        let (first, shared) = (self.tokens.len(), prompt.len().saturating_sub(1));
        self.tokens.extend(prompt.last());
        self.tokens.extend(fed.iter().map(|row| row.token));
        self.positions.extend(shared..shared + rows.len());
        let prefix =
            parent.and_then(|parent| self.segments.get(parent)).map_or(0..0, |prompt| prompt.rows.clone());
        self.segments.push(Segment { rows: first..self.tokens.len(), prefix, parent });
        self.targets.extend(rows);
    }
}

/// Rows that a sample adds to a micro-batch: its prompt once (but the last token), and its answers.
pub(super) fn n_rows(sample: &Sample) -> usize {
    let answers: usize = sample.answers.iter().map(|answer| answer.rows.len()).sum();
    sample.prompt.len().saturating_sub(1) + answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::Answer;

    fn sample(prompt: &[Token], answers: &[&[Token]]) -> Sample {
        let rows = |tokens: &&[Token]| tokens.iter().map(|&token| Row { token, terms: vec![] }).collect();
        Sample {
            prompt: prompt.to_vec(),
            answers: answers.iter().map(|a| Answer { rows: rows(a) }).collect(),
        }
    }

    #[test]
    fn answers_share_their_prompts_rows() {
        let samples = [sample(&[1, 2, 3], &[&[4, 5], &[6]]), sample(&[7], &[&[8, 9]])];
        let layout = Layout::new(&samples);
        assert_eq!(layout.tokens, [1, 2, 3, 4, 3, 7, 8]);
        assert_eq!(layout.positions, [0, 1, 2, 3, 2, 0, 1]);
        assert_eq!(layout.first_answer, 2);
        let rows: Vec<_> = layout.segments.iter().map(|s| (s.rows.clone(), s.prefix.clone())).collect();
        assert_eq!(rows, [(0..2, 0..0), (2..4, 0..2), (4..5, 0..2), (5..7, 0..0)]);
        let asked: Vec<Token> = layout.targets.iter().map(|row| row.token).collect();
        assert_eq!(asked, [4, 5, 6, 8, 9]);
        assert_eq!(samples.iter().map(n_rows).sum::<usize>(), layout.n_rows());
    }
}
