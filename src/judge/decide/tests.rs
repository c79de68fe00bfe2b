//! Signals and votes in rows, and the verdict of each.

use proptest::prelude::*;

use super::*;
use crate::turn::next_state::{Closing, CommandOutcome};

use Evidence::{Edit, Explicit, Outcome, Replacement, Words};
use Says::{Bad, Good, Nothing};

fn signal(says: Says, evidence: Evidence, strength: f32) -> Signal {
    let rule = format!("{evidence:?}.{says:?}").to_lowercase();
    Signal { rule, says, evidence, strength, span: 0..0, is_directive: false }
}

fn vote(good: f32, bad: f32, unclear: f32) -> Vote {
    Vote { order: String::new(), good, bad, unclear }
}

type Given = (Says, Evidence, f32);

/// The signals alone, without votes: reward and rule.
#[track_caller]
fn by_rule(given: &[Given], reward: Option<i8>, rule: &str) {
    let signals: Vec<Signal> = given.iter().map(|(says, evidence, s)| signal(*says, *evidence, *s)).collect();
    let found = decide(&signals, &[]);
    assert_eq!((found.reward, found.rule.as_str()), (reward, rule), "{given:?}");
    assert_eq!(needs_votes(&signals), rule == "none", "{given:?}");
    // Sure rules do not ask the model, whatever it would say.
    if rule != "none" {
        let against = vec![vote(0.0, 0.0, 1.0); 3];
        assert_eq!(decide(&signals, &against), found, "{given:?}");
    }
}

/// The votes alone.
#[track_caller]
fn by_votes(votes: &[(f32, f32, f32)], reward: Option<i8>, rule: &str) {
    let votes: Vec<Vote> = votes.iter().map(|(good, bad, unclear)| vote(*good, *bad, *unclear)).collect();
    let found = decide(&[], &votes);
    assert_eq!((found.reward, found.rule.as_str()), (reward, rule), "{votes:?}");
    assert_eq!(found.votes.len(), votes.len());
}

#[test]
fn one_strong_signal_decides() {
    by_rule(&[(Good, Explicit, 1.0)], Some(1), "explicit.good");
    by_rule(&[(Bad, Explicit, 1.0)], Some(-1), "explicit.bad");
    by_rule(&[(Good, Edit, 0.9)], Some(1), "edit.good");
    by_rule(&[(Bad, Edit, 0.9)], Some(-1), "edit.bad");
    by_rule(&[(Good, Outcome, 0.7)], Some(1), "outcome.good");
    by_rule(&[(Bad, Outcome, 0.7)], Some(-1), "outcome.bad");
    by_rule(&[(Good, Replacement, 0.8)], Some(1), "replacement.good");
    by_rule(&[(Bad, Replacement, 0.8)], Some(-1), "replacement.bad");
    by_rule(&[(Good, Words, 0.6)], Some(1), "words.good");
    by_rule(&[(Bad, Words, 0.6)], Some(-1), "words.bad");
}

#[test]
fn sure_of_nothing_abstains() {
    for evidence in [Explicit, Edit, Outcome, Replacement, Words] {
        let rule = format!("{evidence:?}.nothing").to_lowercase();
        by_rule(&[(Nothing, evidence, 1.0)], None, &rule);
        by_rule(&[(Nothing, evidence, 0.6)], None, &rule);
    }
}

#[test]
fn stronger_evidence_goes_first() {
    by_rule(&[(Bad, Explicit, 0.6), (Good, Outcome, 1.0)], Some(-1), "explicit.bad");
    by_rule(&[(Good, Outcome, 1.0), (Bad, Explicit, 0.6)], Some(-1), "explicit.bad");
    by_rule(&[(Good, Explicit, 0.9), (Bad, Edit, 1.0)], Some(1), "explicit.good");
    by_rule(&[(Bad, Edit, 0.8), (Good, Outcome, 1.0)], Some(-1), "edit.bad");
    by_rule(&[(Bad, Outcome, 0.8), (Good, Words, 1.0)], Some(-1), "outcome.bad");
    by_rule(&[(Good, Outcome, 0.8), (Bad, Replacement, 1.0)], Some(1), "outcome.good");
    by_rule(&[(Bad, Replacement, 0.8), (Good, Words, 1.0)], Some(-1), "replacement.bad");
    by_rule(&[(Good, Explicit, 0.8), (Nothing, Outcome, 1.0)], Some(1), "explicit.good");
    by_rule(&[(Bad, Explicit, 0.8), (Nothing, Replacement, 1.0)], Some(-1), "explicit.bad");
    by_rule(&[(Nothing, Outcome, 0.9), (Good, Words, 1.0)], None, "outcome.nothing");
    by_rule(&[(Nothing, Replacement, 0.9), (Bad, Words, 1.0)], None, "replacement.nothing");
}

#[test]
fn signals_that_agree_decide_by_the_strongest() {
    by_rule(&[(Good, Outcome, 0.7), (Good, Outcome, 0.9)], Some(1), "outcome.good");
    by_rule(&[(Bad, Outcome, 0.7), (Bad, Words, 0.9)], Some(-1), "outcome.bad");
    let signals = [signal(Good, Outcome, 0.7), signal(Good, Outcome, 0.9)];
    assert!((decide(&signals, &[]).confidence - 0.9).abs() < 1e-6);
}

#[test]
fn contradiction_within_equal_evidence_is_left_to_the_votes() {
    for evidence in [Explicit, Edit, Outcome, Replacement, Words] {
        by_rule(&[(Good, evidence, 0.9), (Bad, evidence, 0.7)], None, "none");
    }
    let signals = [signal(Good, Outcome, 0.9), signal(Bad, Outcome, 0.9)];
    assert_eq!(decide(&signals, &vec![vote(0.1, 0.8, 0.1); 3]).reward, Some(-1));
}

#[test]
fn nothing_within_equal_evidence_abstains() {
    by_rule(&[(Good, Outcome, 0.9), (Nothing, Outcome, 0.7)], None, "outcome.nothing");
    by_rule(&[(Good, Words, 0.9), (Bad, Words, 0.9), (Nothing, Words, 0.7)], None, "words.nothing");
}

#[test]
fn weak_signals_do_not_decide() {
    by_rule(&[], None, "none");
    by_rule(&[(Good, Words, 0.59)], None, "none");
    by_rule(&[(Bad, Explicit, 0.3)], None, "none");
    by_rule(&[(Nothing, Outcome, 0.5)], None, "none");
    by_rule(&[(Bad, Explicit, f32::NAN)], None, "none");
}

#[test]
fn a_weak_signal_of_higher_evidence_can_only_cast_doubt() {
    by_rule(&[(Bad, Explicit, 0.4), (Good, Outcome, 0.9)], None, "none");
    by_rule(&[(Good, Edit, 0.4), (Bad, Words, 0.9)], None, "none");
    by_rule(&[(Good, Explicit, 0.4), (Good, Outcome, 0.9)], Some(1), "outcome.good");
    by_rule(&[(Nothing, Explicit, 0.4), (Good, Outcome, 0.9)], Some(1), "outcome.good");
    by_rule(&[(Bad, Words, 0.4), (Good, Outcome, 0.9)], Some(1), "outcome.good");
}

#[test]
fn a_majority_of_clear_votes_decides() {
    by_votes(&[(0.8, 0.1, 0.1); 3], Some(1), "votes");
    by_votes(&[(0.1, 0.8, 0.1); 3], Some(-1), "votes");
    by_votes(&[(0.9, 0.1, 0.0), (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)], Some(1), "votes");
    by_votes(&[(0.1, 0.9, 0.0), (0.6, 0.3, 0.1), (0.1, 0.8, 0.1)], Some(-1), "votes");
    by_votes(&[(0.9, 0.05, 0.05)], Some(1), "votes");
    by_votes(&[(0.7, 0.2, 0.1), (0.7, 0.2, 0.1), (0.1, 0.2, 0.7)], Some(1), "votes");
    by_votes(
        &[(0.8, 0.1, 0.1), (0.8, 0.1, 0.1), (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)],
        Some(1),
        "votes",
    );
}

#[test]
fn votes_without_a_majority_abstain() {
    by_votes(&[(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)], None, "votes.split");
    by_votes(&[(0.8, 0.1, 0.1), (0.1, 0.8, 0.1)], None, "votes.split");
    by_votes(&[(0.45, 0.44, 0.11); 3], None, "votes.split");
    by_votes(&[(0.34, 0.33, 0.33); 3], None, "votes.split");
    by_votes(&[(0.8, 0.1, 0.1), (0.5, 0.45, 0.05), (0.5, 0.45, 0.05)], None, "votes.split");
}

#[test]
fn a_majority_for_unclear_abstains() {
    by_votes(&[(0.1, 0.1, 0.8); 3], None, "votes.unclear");
    by_votes(&[(0.9, 0.05, 0.05), (0.1, 0.1, 0.8), (0.1, 0.2, 0.7)], None, "votes.unclear");
}

#[test]
fn a_faint_majority_abstains() {
    by_votes(&[(0.48, 0.3, 0.22); 3], None, "votes.faint");
    by_votes(&[(0.6, 0.3, 0.1), (0.6, 0.3, 0.1), (0.0, 0.9, 0.1)], None, "votes.faint");
    by_votes(&[(0.3, 0.49, 0.21), (0.3, 0.49, 0.21), (0.3, 0.49, 0.21)], None, "votes.faint");
}

#[test]
fn what_is_no_distribution_is_no_vote() {
    by_votes(&[(f32::NAN, 0.1, 0.1); 3], None, "votes.split");
    by_votes(&[(f32::INFINITY, 0.1, 0.1); 3], None, "votes.split");
    by_votes(&[(0.9, -0.1, 0.1); 3], None, "votes.split");
    by_votes(&[(0.9, 0.05, 0.05), (0.9, 0.05, 0.05), (f32::NAN, 0.0, 0.0)], Some(1), "votes");
}

#[test]
fn the_confidence_of_votes_is_the_mean_probability() {
    let found = decide(&[], &[vote(0.9, 0.1, 0.0), vote(0.8, 0.1, 0.1), vote(0.4, 0.5, 0.1)]);
    assert!((found.confidence - 0.7).abs() < 1e-6, "{}", found.confidence);
}

#[test]
fn without_signals_the_model_is_asked() {
    assert!(needs_votes(&[]));
}

fn hinted(signals: &[Given], directive: bool, next: &NextState) -> bool {
    let mut signals: Vec<Signal> = signals.iter().map(|(says, e, s)| signal(*says, *e, *s)).collect();
    if let Some(first) = signals.first_mut() {
        first.is_directive = directive;
    }
    wants_hint(&signals, next)
}

#[test]
fn a_hint_is_looked_for_in_corrections_and_edits_only() {
    let reply = NextState::Reply { text: "use fd".into() };
    let edit = NextState::Edit { text: "fd .".into() };
    assert!(hinted(&[(Bad, Explicit, 1.0)], true, &reply));
    assert!(hinted(&[(Bad, Words, 0.9)], false, &reply));
    assert!(hinted(&[(Good, Words, 0.9)], true, &reply));
    assert!(hinted(&[(Bad, Words, 0.3)], true, &reply));
    assert!(hinted(&[(Bad, Edit, 0.9)], false, &edit));
    assert!(hinted(&[], false, &edit));
    assert!(!hinted(&[], false, &reply));
    assert!(!hinted(&[(Good, Words, 0.9)], false, &reply));
    assert!(!hinted(&[(Nothing, Replacement, 0.9)], false, &reply));
    assert!(!hinted(&[(Good, Edit, 0.9)], false, &edit));
    assert!(!hinted(&[(Bad, Words, 0.3)], false, &reply));
}

#[test]
fn nobodys_words_give_no_hint() {
    let outcome = CommandOutcome {
        command: "ls".into(),
        status: 1,
        pipeline: vec![],
        output: "use fd".into(),
        duration_ms: None,
    };
    for next in [
        NextState::Command(outcome),
        NextState::Tests { report: "use fd".into() },
        NextState::Page { before: None, after: "use fd".into() },
        NextState::Tools { results: vec![] },
        NextState::Closed { by: Closing::Done },
        NextState::Rating { good: false, note: None },
        NextState::Reply { text: " \n".into() },
    ] {
        assert!(!hinted(&[(Bad, Explicit, 1.0)], true, &next), "{next:?}");
    }
}

fn any_signal() -> impl Strategy<Value = Signal> {
    let says = prop_oneof![Just(Good), Just(Bad), Just(Nothing)];
    let evidence = prop_oneof![Just(Words), Just(Replacement), Just(Outcome), Just(Edit), Just(Explicit)];
    (says, evidence, 0.0_f32..=1.0).prop_map(|(says, evidence, strength)| signal(says, evidence, strength))
}

proptest! {
    #[test]
    fn any_evidence_gives_a_verdict_that_can_be_kept(
        signals in prop::collection::vec(any_signal(), 0..6),
        votes in prop::collection::vec((0.0_f32..1.0, 0.0_f32..1.0, 0.0_f32..1.0), 0..6),
    ) {
        let votes: Vec<Vote> = votes.into_iter().map(|(good, bad, unclear)| vote(good, bad, unclear)).collect();
        let found = decide(&signals, &votes);
        prop_assert!((0.0..=1.0).contains(&found.confidence));
        prop_assert!(matches!(found.reward, None | Some(-1 | 1)));
        prop_assert_eq!(found.votes.is_empty(), votes.is_empty() || !needs_votes(&signals));
    }

    #[test]
    fn the_order_in_which_signals_come_does_not_matter(signals in prop::collection::vec(any_signal(), 0..6)) {
        let mut backwards = signals.clone();
        backwards.reverse();
        let (one, other) = (decide(&signals, &[]), decide(&backwards, &[]));
        prop_assert_eq!((one.reward, one.rule), (other.reward, other.rule));
    }

    #[test]
    fn votes_and_their_mirror_images_are_opposite(votes in prop::collection::vec((0.0_f32..1.0, 0.0_f32..1.0), 3)) {
        let made = |swap: bool| -> Vec<Vote> {
            votes.iter().map(|&(a, b)| if swap { vote(b, a, 0.0) } else { vote(a, b, 0.0) }).collect()
        };
        let reward = |swap| decide(&[], &made(swap)).reward;
        prop_assert_eq!(reward(false), reward(true).map(|reward| -reward));
    }
}
