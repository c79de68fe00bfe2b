//! From signals and votes to a verdict. Pure.
//!
//! Order of evidence (DESIGN of the loop): explicit > edit > outcome > replacement > words > the model's votes. A strong
//! signal decides without the model; strong signals of equal evidence that contradict each other leave it to the votes,
//! and so does a weak one of higher evidence that contradicts a strong one of lower.

use super::{Verdict, Vote};
use crate::signal::{Evidence, Says, Signal};
use crate::turn::next_state::NextState;

/// A rule at least this sure decides by itself.
pub const STRONG: f32 = 0.6;
/// Mean probability over all orders that the winning word needs.
pub const MIN_MEAN: f32 = 0.5;
/// How far, in one order, the first word must be ahead of the second to count as a vote for it.
pub const MIN_MARGIN: f32 = 0.1;

/// What the signals alone say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weighed<'a> {
    Decided(i8, &'a Signal),
    /// Sure that nothing can be concluded.
    Silent(&'a Signal),
    /// Contradiction, weak signals, or none.
    Open,
}

/// What came of a turn. The hint is left empty: see `hint`.
pub fn decide(signals: &[Signal], votes: &[Vote]) -> Verdict {
    match weigh(signals) {
        Weighed::Decided(reward, by) => verdict(Some(reward), &by.rule, by.strength),
        Weighed::Silent(by) => verdict(None, &by.rule, by.strength),
        Weighed::Open => Verdict { votes: votes.to_vec(), ..count(votes) },
    }
}

/// Whether the signals leave it to the model.
pub fn needs_votes(signals: &[Signal]) -> bool {
    weigh(signals) == Weighed::Open
}

/// Whether the person's words or edit should be searched for a hint. Nothing that a program wrote ever is.
pub fn wants_hint(signals: &[Signal], next: &NextState) -> bool {
    let has_words = next.human_words().is_some_and(|words| !words.text().trim().is_empty());
    let is_directive = signals.iter().any(|signal| signal.is_directive);
    let is_edit = matches!(next, NextState::Edit { .. });
    has_words
        && match weigh(signals) {
            Weighed::Decided(-1, _) => true,
            Weighed::Decided(..) | Weighed::Silent(_) => is_directive,
            Weighed::Open => is_directive || is_edit,
        }
}

fn weigh(signals: &[Signal]) -> Weighed<'_> {
    let strong = |signal: &&Signal| signal.strength >= STRONG;
    let Some(tier) = signals.iter().filter(strong).map(|signal| signal.evidence).max() else {
        return Weighed::Open;
    };
    let of = |says: Says| {
        let here = signals.iter().filter(strong).filter(|s| s.evidence == tier && s.says == says);
        here.max_by(|a, b| a.strength.total_cmp(&b.strength))
    };
    match (of(Says::Nothing), of(Says::Good), of(Says::Bad)) {
        (Some(by), _, _) => Weighed::Silent(by),
        (None, Some(by), None) => unless_doubted(signals, tier, Weighed::Decided(1, by), Says::Bad),
        (None, None, Some(by)) => unless_doubted(signals, tier, Weighed::Decided(-1, by), Says::Good),
        (None, _, _) => Weighed::Open,
    }
}

/// `decided`, or `Open` when weaker signals of higher evidence say the opposite.
fn unless_doubted<'a>(
    signals: &[Signal],
    tier: Evidence,
    decided: Weighed<'a>,
    opposite: Says,
) -> Weighed<'a> {
    let is_doubt = |signal: &Signal| signal.evidence > tier && signal.says == opposite;
    if signals.iter().any(is_doubt) { Weighed::Open } else { decided }
}

/// The words of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Good,
    Bad,
    Unclear,
}

fn count(votes: &[Vote]) -> Verdict {
    if votes.is_empty() {
        return verdict(None, "none", 0.0);
    }
    let chosen: Vec<Option<Word>> = votes.iter().map(choice).collect();
    let words = [Word::Good, Word::Bad, Word::Unclear];
    let majority =
        words.into_iter().find(|&word| 2 * chosen.iter().filter(|&&c| c == Some(word)).count() > votes.len());
    let Some(word) = majority else { return verdict(None, "votes.split", 0.0) };
    let mean = mean(votes, word);
    match word {
        Word::Unclear => verdict(None, "votes.unclear", mean),
        Word::Good | Word::Bad if mean < MIN_MEAN => verdict(None, "votes.faint", mean),
        Word::Good => verdict(Some(1), "votes", mean),
        Word::Bad => verdict(Some(-1), "votes", mean),
    }
}

/// The word that one order is for; `None` when it is a near tie or not a distribution.
fn choice(vote: &Vote) -> Option<Word> {
    let mut ranked = [(vote.good, Word::Good), (vote.bad, Word::Bad), (vote.unclear, Word::Unclear)];
    if ranked.iter().any(|(p, _)| !p.is_finite() || *p < 0.0) {
        return None;
    }
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let [(first, word), (second, _), _] = ranked;
    (first - second >= MIN_MARGIN).then_some(word)
}

fn mean(votes: &[Vote], word: Word) -> f32 {
    let p = |vote: &Vote| match word {
        Word::Good => vote.good,
        Word::Bad => vote.bad,
        Word::Unclear => vote.unclear,
    };
    let finite: Vec<f32> = votes.iter().map(p).filter(|p| p.is_finite()).collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful of votes")]
    let n = finite.len().max(1) as f32;
    (finite.iter().sum::<f32>() / n).clamp(0.0, 1.0)
}

fn verdict(reward: Option<i8>, rule: &str, confidence: f32) -> Verdict {
    Verdict { reward, hint: None, rule: rule.to_owned(), votes: Vec::new(), confidence }
}

#[cfg(test)]
mod tests;
