//! How far the judge's probabilities can be trusted, measured against explicit ratings. Pure.
//!
//! Reliability: of the answers that got a probability near p, a share p should have been rated good. The expected
//! calibration error is the mean distance of the two over all bins, weighted by how many ratings are in each.

use serde::{Deserialize, Serialize};

use super::{Verdict, Vote};

/// Bins of equal width over 0 to 1.
const N_BINS: usize = 10;
/// With fewer ratings the figures say more about chance than about the judge.
pub const LEAST_RATINGS: usize = 20;
/// With fewer ratings of each kind nothing is suggested.
const MIN_EACH: usize = 5;
/// Of the verdicts above the suggested threshold this share must have been right.
const WANTED_RIGHT: f64 = 0.9;
/// Temperatures that are tried: 1/8 to 8 in steps of a sixteenth of a doubling.
const TEMPERATURE_STEPS: i32 = 48;

/// What the judge thought of an answer, and what the person said of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Predicted probability that the answer is good, 0 to 1.
    pub p_good: f32,
    /// The verdict's reward; `None`: it abstained.
    pub reward: Option<i8>,
    pub rated_good: bool,
}

/// One bin of the reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Predictions in `low..high`; the last bin has 1 in it too.
    pub low: f64,
    pub high: f64,
    pub n: usize,
    pub mean_predicted: f64,
    pub share_good: f64,
}

/// Of `n` verdicts of one kind, how many agreed with the rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Agreement {
    pub n: usize,
    pub n_right: usize,
}

/// What `chela stats` shows of the judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Pairs with a usable probability.
    pub n: usize,
    /// Bins that are not empty.
    pub bins: Vec<Bin>,
    /// Expected calibration error, 0 to 1; `None` without ratings.
    pub ece: Option<f64>,
    /// Mean squared error of the probability.
    pub brier: Option<f64>,
    pub said_good: Agreement,
    pub said_bad: Agreement,
    pub n_abstained: usize,
    /// Dividing the log-odds by this makes the ratings most likely. Above 1: the judge is too sure.
    pub temperature: Option<f64>,
    /// The lowest confidence from which on at least nine of ten verdicts were right.
    pub threshold: Option<f64>,
}

impl Pair {
    /// From a verdict and the rating that came later. `None`: the verdict holds no probability (it abstained unseen).
    pub fn of(verdict: &Verdict, rated_good: bool) -> Option<Self> {
        let by_votes = p_good(&verdict.votes);
        let p_good = match verdict.reward {
            Some(reward) if by_votes.is_none() => {
                if reward > 0 {
                    verdict.confidence
                } else {
                    1.0 - verdict.confidence
                }
            }
            _ => by_votes?,
        };
        Some(Self { p_good, reward: verdict.reward, rated_good })
    }
}

/// Mean probability of good against bad over the votes; `None` when they hold neither.
pub fn p_good(votes: &[Vote]) -> Option<f32> {
    let good: f32 = votes.iter().map(|vote| vote.good).sum();
    let bad: f32 = votes.iter().map(|vote| vote.bad).sum();
    let share = good / (good + bad);
    share.is_finite().then_some(share)
}

/// Measures the judge. Pairs whose probability is not in 0 to 1 are left out.
pub fn calibration(pairs: &[Pair]) -> Calibration {
    let usable: Vec<Pair> = pairs.iter().copied().filter(|pair| (0.0..=1.0).contains(&pair.p_good)).collect();
    let bins = reliability(&usable);
    let weighted =
        bins.iter().map(|bin| count(bin.n) * (bin.mean_predicted - bin.share_good).abs()).sum::<f64>();
    let squares = usable.iter().map(|pair| (f64::from(pair.p_good) - truth(*pair)).powi(2)).sum::<f64>();
    let each = |sum: f64| (!usable.is_empty()).then(|| sum / count(usable.len()));
    Calibration {
        n: usable.len(),
        ece: each(weighted),
        brier: each(squares),
        said_good: agreement(&usable, 1),
        said_bad: agreement(&usable, -1),
        n_abstained: usable.iter().filter(|pair| pair.reward.is_none()).count(),
        temperature: temperature(&usable),
        threshold: threshold(&usable),
        bins,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of ratings stay far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

fn truth(pair: Pair) -> f64 {
    f64::from(u8::from(pair.rated_good))
}

fn reliability(pairs: &[Pair]) -> Vec<Bin> {
    let edge = |at: usize| count(at) / count(N_BINS);
    let bin_of = |pair: &Pair| (1..N_BINS).take_while(|&at| f64::from(pair.p_good) >= edge(at)).count();
    let bins = (0..N_BINS).filter_map(|at| {
        let inside: Vec<&Pair> = pairs.iter().filter(|pair| bin_of(pair) == at).collect();
        let n = inside.len();
        let mean =
            |value: &dyn Fn(&Pair) -> f64| inside.iter().map(|pair| value(pair)).sum::<f64>() / count(n);
        (n > 0).then(|| Bin {
            low: edge(at),
            high: edge(at + 1),
            n,
            mean_predicted: mean(&|pair| f64::from(pair.p_good)),
            share_good: mean(&|pair| truth(*pair)),
        })
    });
    bins.collect()
}

fn agreement(pairs: &[Pair], reward: i8) -> Agreement {
    let said: Vec<&Pair> = pairs.iter().filter(|pair| pair.reward == Some(reward)).collect();
    let n_right = said.iter().filter(|pair| pair.rated_good == (reward > 0)).count();
    Agreement { n: said.len(), n_right }
}

fn has_both(pairs: &[Pair]) -> bool {
    let n_good = pairs.iter().filter(|pair| pair.rated_good).count();
    n_good >= MIN_EACH && pairs.len() - n_good >= MIN_EACH
}

/// The temperature with the smallest mean negative log-likelihood; the nearest to 1 among equals.
fn temperature(pairs: &[Pair]) -> Option<f64> {
    if !has_both(pairs) {
        return None;
    }
    let mut steps: Vec<i32> = (-TEMPERATURE_STEPS..=TEMPERATURE_STEPS).collect();
    steps.sort_by_key(|step| step.abs());
    let tried = steps.into_iter().map(|step| 2_f64.powf(f64::from(step) / 16.0));
    tried.min_by(|a, b| surprise(pairs, *a).total_cmp(&surprise(pairs, *b)))
}

/// Sum of −ln p(rating) when the log-odds are divided by `temperature`.
fn surprise(pairs: &[Pair], temperature: f64) -> f64 {
    let one = |pair: &Pair| {
        let p = f64::from(pair.p_good).clamp(1e-6, 1.0 - 1e-6);
        let log_odds = (p / (1.0 - p)).ln() / temperature;
        let toward_rating = if pair.rated_good { log_odds } else { -log_odds };
        // ln(1 + e^-x), without overflow for very negative x.
        (-toward_rating).max(0.0) + (-toward_rating.abs()).exp().ln_1p()
    };
    pairs.iter().map(one).sum()
}

fn threshold(pairs: &[Pair]) -> Option<f64> {
    let mut decided: Vec<(f64, bool)> = pairs
        .iter()
        .filter_map(|pair| {
            let good = pair.reward? > 0;
            let p = f64::from(pair.p_good);
            Some((if good { p } else { 1.0 - p }, good == pair.rated_good))
        })
        .collect();
    decided.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut n_right, mut best) = (0, None);
    for (at, (confidence, right)) in decided.iter().enumerate() {
        n_right += usize::from(*right);
        let is_last_of_equals = decided.get(at + 1).is_none_or(|next| next.0 < *confidence);
        if is_last_of_equals && at + 1 >= 2 * MIN_EACH && count(n_right) >= WANTED_RIGHT * count(at + 1) {
            best = Some(*confidence);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(p_good: f32, rated_good: bool) -> Pair {
        Pair { p_good, reward: Some(if p_good >= 0.5 { 1 } else { -1 }), rated_good }
    }

    /// `n` predictions of `p`, of which `n_good` were rated good.
    fn many(p: f32, n: usize, n_good: usize) -> Vec<Pair> {
        (0..n).map(|at| pair(p, at < n_good)).collect()
    }

    #[test]
    fn without_ratings_nothing_is_claimed() {
        let found = calibration(&[]);
        assert_eq!(
            (found.n, found.ece, found.brier, found.temperature, found.threshold),
            (0, None, None, None, None)
        );
    }

    #[test]
    fn a_judge_that_is_right_as_often_as_it_says_has_no_error() {
        let pairs = [many(0.75, 40, 30), many(0.25, 40, 10)].concat();
        let found = calibration(&pairs);
        assert!(found.ece.unwrap() < 1e-6, "{:?}", found.ece);
        assert!((found.temperature.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(found.said_good, Agreement { n: 40, n_right: 30 });
        assert_eq!(found.said_bad, Agreement { n: 40, n_right: 30 });
    }

    #[test]
    fn a_judge_that_is_too_sure_is_cooled() {
        let pairs = [many(0.99, 40, 28), many(0.01, 40, 12)].concat();
        let found = calibration(&pairs);
        assert!((found.ece.unwrap() - 0.29).abs() < 1e-3, "{:?}", found.ece);
        assert!(found.temperature.unwrap() > 3.0);
        assert_eq!(found.threshold, None);
    }

    #[test]
    fn a_judge_that_is_too_shy_is_warmed() {
        let pairs = [many(0.6, 40, 38), many(0.4, 40, 2)].concat();
        assert!(calibration(&pairs).temperature.unwrap() < 0.3);
    }

    #[test]
    fn the_threshold_is_where_nine_of_ten_are_right() {
        let pairs = [many(0.95, 20, 20), many(0.8, 20, 18), many(0.6, 20, 8)].concat();
        assert!((calibration(&pairs).threshold.unwrap() - 0.8).abs() < 1e-6);
    }

    #[test]
    fn bins_hold_their_edges() {
        let found = calibration(&[pair(0.0, false), pair(1.0, true), pair(0.5, true)]);
        let edges: Vec<(usize, f64)> = found.bins.iter().map(|bin| (bin.n, bin.low)).collect();
        assert_eq!(edges, [(1, 0.0), (1, 0.5), (1, 0.9)]);
    }

    #[test]
    fn abstentions_and_what_is_no_probability_are_counted_apart() {
        let silent = Pair { p_good: 0.5, reward: None, rated_good: true };
        let found = calibration(&[silent, pair(f32::NAN, true), pair(2.0, false)]);
        assert_eq!((found.n, found.n_abstained), (1, 1));
        assert_eq!(found.said_good.n, 0);
    }

    #[test]
    fn a_pair_is_made_from_votes_or_from_the_deciding_rule() {
        let mut verdict = Verdict {
            reward: Some(-1),
            hint: None,
            rule: "exit.failed".into(),
            votes: vec![],
            confidence: 0.75,
        };
        assert!((Pair::of(&verdict, false).unwrap().p_good - 0.25).abs() < 1e-6);
        verdict.votes = vec![Vote { order: String::new(), good: 0.3, bad: 0.1, unclear: 0.6 }];
        assert!((Pair::of(&verdict, false).unwrap().p_good - 0.75).abs() < 1e-6);
        let silent = Verdict { reward: None, votes: vec![], ..verdict };
        assert_eq!(Pair::of(&silent, true), None);
    }

    proptest! {
        #[test]
        fn figures_stay_in_their_range(given in prop::collection::vec((0.0_f32..=1.0, any::<bool>()), 0..60)) {
            let pairs: Vec<Pair> = given.into_iter().map(|(p, good)| pair(p, good)).collect();
            let found = calibration(&pairs);
            prop_assert_eq!(found.bins.iter().map(|bin| bin.n).sum::<usize>(), pairs.len());
            prop_assert!(found.ece.is_none_or(|ece| (0.0..=1.0).contains(&ece)));
            prop_assert!(found.temperature.is_none_or(|t| (0.125..=8.0).contains(&t)));
            prop_assert!(found.threshold.is_none_or(|t| (0.0..=1.0).contains(&t)));
        }
    }
}
