//! The probabilities of the verdict words, read from what the model would say first. Pure.

/// Beyond the alternatives that are listed nothing is known; a word that is not among them may be this likely at most,
/// as a share of all three, for the reading to count.
const MAX_UNKNOWN: f64 = 0.01;

/// A possible first token: its bytes and the natural log of its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct First<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) logprob: f32,
}

/// Shares of `words`, summing to 1, from the most likely first tokens: each token counts for the one word that it can
/// begin. `None`: the list does not say (nothing in it begins a word, one beginning fits two words, or an unlisted word
/// might matter), so the words must be scored whole.
pub(super) fn from_first(words: [&str; 3], firsts: &[First<'_>]) -> Option<[f32; 3]> {
    let mut mass = [0.0_f64; 3];
    let mut least = 1.0_f64;
    for first in firsts {
        let p = f64::from(first.logprob).exp();
        least = least.min(p);
        let begun = first.bytes.trim_ascii_start();
        let begins: Vec<usize> = (0..3).filter(|&at| begins(words, at, begun)).collect();
        match begins.as_slice() {
            [at] => *mass.get_mut(*at)? += p,
            [] => {}
            _ => return None,
        }
    }
    let total: f64 = mass.iter().sum();
    let is_unknown = mass.contains(&0.0) && least > MAX_UNKNOWN * total;
    (total > 0.0 && total.is_finite() && !is_unknown).then(|| mass.map(|mass| share(mass / total)))
}

fn begins(words: [&str; 3], at: usize, begun: &[u8]) -> bool {
    !begun.is_empty() && words.get(at).is_some_and(|word| word.as_bytes().starts_with(begun))
}

/// The same from the log-probability of each whole word. `None`: none of them is possible.
pub(super) fn from_scores(logprobs: [f32; 3]) -> Option<[f32; 3]> {
    let best = logprobs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !best.is_finite() || logprobs.iter().any(|logprob| logprob.is_nan()) {
        return None;
    }
    let odds = logprobs.map(|logprob| f64::from(logprob - best).exp());
    let total: f64 = odds.iter().sum();
    Some(odds.map(|odd| share(odd / total)))
}

#[expect(clippy::cast_possible_truncation, reason = "a share of 1")]
fn share(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::prompt::WORDS;

    #[track_caller]
    fn check(firsts: &[(&str, f32)], expected: Option<[f32; 3]>) {
        let firsts: Vec<First<'_>> =
            firsts.iter().map(|(text, p)| First { bytes: text.as_bytes(), logprob: p.ln() }).collect();
        let found = from_first(WORDS, &firsts);
        let close = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(found.zip(expected).is_some_and(|(a, b)| close(a, b)) || found == expected, "{found:?}");
    }

    #[test]
    fn whole_words_are_read_as_they_are() {
        check(&[("good", 0.5), ("bad", 0.3), ("unclear", 0.2)], Some([0.5, 0.3, 0.2]));
    }

    #[test]
    fn other_tokens_leave_the_words_their_shares() {
        check(&[("The", 0.5), ("good", 0.25), ("bad", 0.125), ("unclear", 0.125)], Some([0.5, 0.25, 0.25]));
    }

    #[test]
    fn every_beginning_of_a_word_counts_for_it() {
        check(&[(" good", 0.2), ("g", 0.1), ("b", 0.3), ("un", 0.3), ("u", 0.1)], Some([0.3, 0.3, 0.4]));
    }

    #[test]
    fn an_unlisted_word_is_zero_where_it_cannot_matter() {
        check(&[("good", 0.99), ("x", 0.001)], Some([1.0, 0.0, 0.0]));
        check(&[("good", 0.6), ("bad", 0.1), ("x", 0.05)], None);
    }

    #[test]
    fn nothing_that_begins_a_word_is_no_reading() {
        check(&[("<think>", 0.9), ("", 0.05)], None);
        check(&[], None);
    }

    #[test]
    fn a_beginning_of_two_words_is_no_reading() {
        let first = First { bytes: b"ba", logprob: -0.1 };
        assert_eq!(from_first(["bad", "bare", "x"], &[first]), None);
    }

    #[test]
    fn scores_are_normalised() {
        assert_eq!(from_scores([-1.0, -1.0, f32::NEG_INFINITY]), Some([0.5, 0.5, 0.0]));
        assert_eq!(from_scores([f32::NEG_INFINITY; 3]), None);
        assert_eq!(from_scores([f32::NAN, -1.0, -1.0]), None);
        assert_eq!(from_scores([-5000.0, -6000.0, -7000.0]), Some([1.0, 0.0, 0.0]));
    }

    proptest! {
        #[test]
        fn readings_sum_to_one(logprobs in prop::array::uniform3(-200.0_f32..0.0)) {
            let sum: f32 = from_scores(logprobs).unwrap().iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-4);
        }
    }
}
