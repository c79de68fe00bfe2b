//! The life of a lesson: which steps its state allows, what its uses came to, and how many stand at once.
//!
//! ```text
//! proposed ──accept──► active ──learn──► learned (in vN)
//!    │                  │  ▲ ◄──unlearn──────┤ (roll-back, forget)
//!    │ prune, undo      │  └──restore, undo──┐
//!    └──────────────────┴──────────────────► retired | pruned
//! ```
//!
//! Pure: who takes a step writes it to the ledger. Nothing is dropped silently: what is over a limit is only proposed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Lesson, LessonId, State};
use crate::turn::PolicyVersion;

/// How many judged uses are remembered one by one.
pub const RECENT: usize = 4;
/// Failures among them from which on a lesson is flagged.
pub const FLAGGED_FROM: usize = 3;
/// Most lessons that are active at once, unless the settings say otherwise.
pub const MAX_ACTIVE: usize = 500;

/// One step in a lesson's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The person said yes.
    Accept,
    /// The gate has shown that this version holds it.
    Learn(PolicyVersion),
    /// No version that serves holds it any more: rolled back, rebuilt, forgotten.
    Unlearn,
    /// Contradicted by a newer lesson, or out of use (`None`).
    Retire(Option<LessonId>),
    /// The person removed it.
    Prune,
    /// The person took the last step back: a new lesson goes, one that was retired or pruned returns.
    Undo,
    /// The person wants a retired or pruned lesson again.
    Restore,
}

/// A step that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("lesson {} is {state}, it cannot be {wanted}; {advice}", id.0)]
    State { id: LessonId, state: State, wanted: &'static str, advice: &'static str },
    #[error("lesson {} is pinned, so it is not retired; unpin it first", id.0)]
    Pinned { id: LessonId },
}

/// The lesson after a step.
pub fn step(lesson: &Lesson, step: Step) -> Result<Lesson, Refused> {
    let state = next(lesson, step)?;
    let replaced_by = match step {
        Step::Retire(newer) => newer,
        _ if state == State::Retired || state == State::Pruned => lesson.replaced_by,
        _ => None,
    };
    Ok(Lesson { state, replaced_by, ..lesson.clone() })
}

#[expect(clippy::match_same_arms, reason = "the table is read state by state")]
fn next(lesson: &Lesson, step: Step) -> Result<State, Refused> {
    use State::{Active, Learned, Proposed, Pruned, Retired};
    let refused = |wanted, advice| Err(Refused::State { id: lesson.id, state: lesson.state, wanted, advice });
    match (lesson.state, step) {
        (Proposed, Step::Accept) => Ok(Active),
        (_, Step::Accept) => refused("accepted", "only a proposed lesson waits for a yes"),
        // What is pinned stays in prompts, even though the weights hold it too.
        (Active, Step::Learn(_)) if lesson.pinned => Ok(Active),
        (Active | Learned(_), Step::Learn(version)) if version != PolicyVersion::BASE => Ok(Learned(version)),
        (_, Step::Learn(_)) => {
            refused("learned", "only an active lesson is rehearsed, and never into the base model")
        }
        (Learned(_), Step::Unlearn) => Ok(Active),
        (_, Step::Unlearn) => refused("unlearned", "no version has learned it"),
        (Proposed | Active | Learned(_), Step::Retire(_)) if lesson.pinned => {
            Err(Refused::Pinned { id: lesson.id })
        }
        (Proposed | Active | Learned(_), Step::Retire(_)) => Ok(Retired),
        (_, Step::Retire(_)) => refused("retired", "it is in no prompt as it is"),
        (Pruned, Step::Prune) => refused("removed", "it is removed as it is"),
        (_, Step::Prune) => Ok(Pruned),
        (Proposed | Active, Step::Undo) => Ok(Pruned),
        (Retired | Pruned, Step::Undo | Step::Restore) => Ok(Active),
        (Learned(_), Step::Undo) => refused("undone", "roll the version back or forget the lesson"),
        (_, Step::Restore) => refused("restored", "it stands as it is"),
    }
}

/// Whether the serving weights hold the lesson, so that prompts need not.
pub fn is_held(state: State, serving: PolicyVersion, lineage: &[PolicyVersion]) -> bool {
    matches!(state, State::Learned(version) if version == serving || lineage.contains(&version))
}

/// Lessons that were learned in versions that no longer serve, as after a roll-back: they are to be unlearned.
/// `lineage`: versions that the serving one was built on.
pub fn unlearned(lessons: &[Lesson], serving: PolicyVersion, lineage: &[PolicyVersion]) -> Vec<LessonId> {
    let is_lost = |lesson: &&Lesson| {
        matches!(lesson.state, State::Learned(_)) && !is_held(lesson.state, serving, lineage)
    };
    lessons.iter().filter(is_lost).map(|lesson| lesson.id).collect()
}

/// What came of a turn in whose prompt the lesson stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Helped,
    Failed,
    /// The judge abstained.
    Unclear,
}

impl Effect {
    /// From a verdict's reward.
    pub fn of(reward: Option<i8>) -> Self {
        match reward {
            Some(1..) => Self::Helped,
            Some(..=-1) => Self::Failed,
            _ => Self::Unclear,
        }
    }
}

/// The lesson after one more use. A use is counted when it is judged; later verdicts of the same turn are the caller's
/// to leave out.
pub fn used(lesson: &Lesson, effect: Effect) -> Lesson {
    let mut after = lesson.clone();
    after.used = after.used.saturating_add(1);
    match effect {
        Effect::Helped => after.helped = after.helped.saturating_add(1),
        Effect::Failed => after.failed = after.failed.saturating_add(1),
        Effect::Unclear => return after,
    }
    after.recent.push(effect);
    let n_over = after.recent.len().saturating_sub(RECENT);
    after.recent.drain(..n_over);
    after
}

/// Whether a lesson failed in three of its last four judged uses: the user should look at it.
pub fn is_flagged(lesson: &Lesson) -> bool {
    let last = lesson.recent.iter().rev().take(RECENT);
    last.filter(|effect| **effect == Effect::Failed).count() >= FLAGGED_FROM
}

/// Active lessons over the limit, least useful first: proposed for retirement, never dropped. Pinned ones are left out,
/// so that fewer may come back than are over.
pub fn over_limit(lessons: &[Lesson], max_active: usize) -> Vec<LessonId> {
    let active: Vec<&Lesson> = lessons.iter().filter(|lesson| lesson.state == State::Active).collect();
    let n_over = active.len().saturating_sub(max_active);
    let by_use: BTreeMap<_, LessonId> = active
        .into_iter()
        .filter(|lesson| !lesson.pinned)
        .map(|lesson| ((usefulness(lesson), lesson.used, lesson.created_at, lesson.id), lesson.id))
        .collect();
    by_use.into_values().take(n_over).collect()
}

/// Helped counts one, failed two against; what was never used stands at zero.
fn usefulness(lesson: &Lesson) -> i64 {
    i64::from(lesson.helped) - 2 * i64::from(lesson.failed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lesson::Scope;

    fn lesson(state: State) -> Lesson {
        Lesson { state, ..Lesson::new(LessonId(1), "use rg instead of grep", Scope::Global, 7) }
    }

    const V3: State = State::Learned(PolicyVersion(3));

    #[track_caller]
    fn check(state: State, taken: Step, expected: Option<State>) {
        assert_eq!(
            step(&lesson(state), taken).ok().map(|after| after.state),
            expected,
            "{state:?} {taken:?}"
        );
    }

    #[test]
    fn every_state_allows_its_own_steps() {
        use State::{Active, Proposed, Pruned, Retired};
        let v4 = Step::Learn(PolicyVersion(4));
        let learned = Some(State::Learned(PolicyVersion(4)));
        let (active, retired, pruned) = (Some(Active), Some(Retired), Some(Pruned));
        // accept, learn, unlearn, retire, prune, undo, restore
        for (state, expected) in [
            (Proposed, [active, None, None, retired, pruned, pruned, None]),
            (Active, [None, learned, None, retired, pruned, pruned, None]),
            (V3, [None, learned, active, retired, pruned, None, None]),
            (Retired, [None, None, None, None, pruned, active, active]),
            (Pruned, [None, None, None, None, None, active, active]),
        ] {
            let steps =
                [Step::Accept, v4, Step::Unlearn, Step::Retire(None), Step::Prune, Step::Undo, Step::Restore];
            for (taken, expected) in steps.into_iter().zip(expected) {
                check(state, taken, expected);
            }
        }
        check(Active, Step::Learn(PolicyVersion::BASE), None);
    }

    #[test]
    fn a_refused_step_names_the_lesson_its_state_and_what_to_do() {
        let refused = step(&lesson(V3), Step::Undo).unwrap_err().to_string();
        assert_eq!(
            refused,
            "lesson 1 is learned in v3, it cannot be undone; roll the version back or forget the lesson"
        );
    }

    #[test]
    fn a_retired_lesson_names_the_newer_one_until_it_returns() {
        let retired = step(&lesson(State::Active), Step::Retire(Some(LessonId(9)))).unwrap();
        assert_eq!(retired.replaced_by, Some(LessonId(9)));
        assert_eq!(step(&retired, Step::Restore).unwrap().replaced_by, None);
    }

    #[test]
    fn what_is_pinned_stays_in_prompts() {
        let pinned = Lesson { pinned: true, ..lesson(State::Active) };
        assert_eq!(step(&pinned, Step::Learn(PolicyVersion(2))).unwrap().state, State::Active);
        assert_eq!(step(&pinned, Step::Retire(None)), Err(Refused::Pinned { id: LessonId(1) }));
        assert_eq!(step(&pinned, Step::Prune).unwrap().state, State::Pruned);
    }

    #[test]
    fn a_roll_back_unlearns_what_only_the_newer_versions_held() {
        let in_version =
            |id, version| Lesson { id: LessonId(id), ..lesson(State::Learned(PolicyVersion(version))) };
        let lessons = [in_version(1, 1), in_version(2, 2), in_version(3, 3), lesson(State::Active)];
        assert_eq!(unlearned(&lessons, PolicyVersion(3), &[PolicyVersion(1), PolicyVersion(2)]), []);
        assert_eq!(unlearned(&lessons, PolicyVersion(2), &[PolicyVersion(1)]), [LessonId(3)]);
        assert_eq!(unlearned(&lessons, PolicyVersion::BASE, &[]), [LessonId(1), LessonId(2), LessonId(3)]);
    }

    #[track_caller]
    fn check_flag(effects: &str, expected: bool) {
        let effect = |letter| match letter {
            'h' => Effect::Helped,
            'f' => Effect::Failed,
            _ => Effect::Unclear,
        };
        let after =
            effects.chars().fold(lesson(State::Active), |lesson, letter| used(&lesson, effect(letter)));
        assert_eq!(is_flagged(&after), expected, "{effects}");
    }

    #[test]
    fn three_failures_in_the_last_four_uses_raise_a_flag() {
        check_flag("", false);
        check_flag("ff", false);
        check_flag("fff", true);
        check_flag("ffhf", true);
        check_flag("fffhh", false);
        check_flag("hhhhfff", true);
        check_flag("fuuuufuf", true);
        check_flag("fffhf", true);
    }

    #[test]
    fn uses_are_counted_by_what_came_of_them() {
        let after = [Some(1), Some(-1), None, Some(0)]
            .into_iter()
            .fold(lesson(State::Active), |lesson, reward| used(&lesson, Effect::of(reward)));
        assert_eq!((after.used, after.helped, after.failed), (4, 1, 1));
    }

    #[test]
    fn the_least_useful_are_proposed_first_and_pinned_ones_never() {
        let of = |id, helped, failed, pinned| Lesson {
            id: LessonId(id),
            helped,
            failed,
            used: helped + failed,
            pinned,
            created_at: id,
            ..lesson(State::Active)
        };
        let lessons = [
            of(1, 5, 0, false),
            of(2, 0, 3, false),
            of(3, 0, 0, false),
            of(4, 0, 9, true),
            of(5, 0, 0, false),
        ];
        assert_eq!(over_limit(&lessons, 5), []);
        assert_eq!(over_limit(&lessons, 3), [LessonId(2), LessonId(3)]);
        assert_eq!(over_limit(&lessons, 0).len(), 4);
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Accept),
            (0u32..4).prop_map(|version| Step::Learn(PolicyVersion(version))),
            Just(Step::Unlearn),
            Just(Step::Retire(Some(LessonId(2)))),
            Just(Step::Prune),
            Just(Step::Undo),
            Just(Step::Restore),
        ]
    }

    proptest! {
        #[test]
        fn no_path_loses_the_lesson_or_teaches_the_base(steps in proptest::collection::vec(any_step(), 0..30), pinned: bool) {
            let mut now = Lesson { pinned, ..lesson(State::Proposed) };
            for taken in steps {
                if let Ok(after) = step(&now, taken) {
                    now = after;
                }
                prop_assert_eq!(&now.text, "use rg instead of grep");
                prop_assert!(now.state != State::Learned(PolicyVersion::BASE));
                prop_assert!(!pinned || now.state != State::Retired);
            }
        }

        #[test]
        fn counters_add_up(rewards in proptest::collection::vec(proptest::option::of(-1i8..=1), 0..40)) {
            let after = rewards.iter().fold(lesson(State::Active), |lesson, reward| used(&lesson, Effect::of(*reward)));
            prop_assert_eq!(after.used as usize, rewards.len());
            prop_assert!(after.helped + after.failed <= after.used && after.recent.len() <= RECENT);
        }
    }
}
