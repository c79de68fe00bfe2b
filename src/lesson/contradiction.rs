//! Whether two lessons can hold side by side, and what a new one does to those that stand.
//!
//! The newer wins wherever it holds: one that holds nowhere else is retired and linked to it, one that is wider stays and
//! gives way where both hold (`relevance` sees to that). What a user pinned is never retired here, only named.

use std::collections::BTreeSet;

use super::claim::{Claim, claim};
use super::scope::{includes, overlap};
use super::wording::normalised;
use super::words::Words;
use super::{Lesson, LessonId, Scope, State};

/// Why two lessons cannot both be obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// One says do, the other don't.
    Opposite,
    /// Both name what to take, and it can be one thing only.
    Exclusive,
}

/// A lesson made ready to be compared.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) claim: Claim,
    scope: Scope,
}

impl Reading {
    pub(super) fn of(lesson: &Lesson) -> Self {
        let program = match &lesson.scope {
            Scope::Program(program) => Some(program.as_str()),
            _ => None,
        };
        Self { claim: claim(&Words::of(&lesson.text), program), scope: lesson.scope.clone() }
    }
}

/// Whether the two contradict each other, where both hold.
pub fn contradicts(a: &Lesson, b: &Lesson) -> Option<Conflict> {
    conflict(&Reading::of(a), &Reading::of(b))
}

pub(super) fn conflict(a: &Reading, b: &Reading) -> Option<Conflict> {
    overlap(&a.scope, &b.scope)
        .then(|| of_claims(&a.claim, &b.claim).or_else(|| of_claims(&b.claim, &a.claim)))
        .flatten()
}

/// One direction; the caller asks both.
fn of_claims(a: &Claim, b: &Claim) -> Option<Conflict> {
    use Claim::{Rule, Swap, Switch, Value};
    match (a, b) {
        (Swap { old: a_old, new: a_new }, Swap { old: b_old, new: b_new }) => {
            let is_reverse = a_old == b_new && a_new == b_old;
            let is_rival = a_old == b_old && a_new != b_new;
            is_reverse.then_some(Conflict::Opposite).or_else(|| is_rival.then_some(Conflict::Exclusive))
        }
        (
            Switch { program: a_program, option: a_option, wanted: a_wanted },
            Switch { program: b_program, option: b_option, wanted: b_wanted },
        ) => {
            let same = a_program == b_program && a_option == b_option;
            let rival_root =
                a_program == b_program && is_root(a_option) && is_root(b_option) && a_option != b_option;
            (same && a_wanted != b_wanted)
                .then_some(Conflict::Opposite)
                .or_else(|| (rival_root && *a_wanted && *b_wanted).then_some(Conflict::Exclusive))
        }
        (Value { slot: a_slot, value: a_value }, Value { slot: b_slot, value: b_value }) => {
            (a_slot == b_slot && a_value != b_value).then_some(Conflict::Exclusive)
        }
        (Rule { wanted: a_wanted, words: a_words }, Rule { wanted: b_wanted, words: b_words }) => {
            let is_about_the_same = !a_words.is_empty() && a_words.is_subset(b_words);
            (a_wanted != b_wanted && is_about_the_same).then_some(Conflict::Opposite)
        }
        (Rule { wanted, words }, Swap { old, new }) => {
            let banned = !wanted && is_only(words, new);
            let back = *wanted && is_only(words, old);
            (banned || back).then_some(Conflict::Opposite)
        }
        (Rule { wanted, words }, Switch { program, option, wanted: switched }) => {
            let is_option = is_only(words, option);
            let is_both =
                words.len() == 2 && words.contains(program.as_str()) && words.contains(option.as_str());
            (wanted != switched && (is_option || is_both)).then_some(Conflict::Opposite)
        }
        _ => None,
    }
}

fn is_root(option: &str) -> bool {
    matches!(option, "sudo" | "doas" | "run0")
}

fn is_only(words: &BTreeSet<String>, name: &str) -> bool {
    words.len() == 1 && words.contains(&super::words::stem(name))
}

/// What a new lesson does to those that stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// One that says the same in the same scope: merge instead of adding.
    pub same_as: Option<LessonId>,
    /// Contradicted wherever they hold: retire them, with a link to the new one.
    pub retires: Vec<LessonId>,
    /// Contradicted where both hold; elsewhere they stand.
    pub overrides: Vec<LessonId>,
    /// Contradicted, but pinned: show both and let the user choose.
    pub pinned: Vec<LessonId>,
}

/// Compares a new lesson with those that stand (proposed, active or learned).
pub fn effects(new: &Lesson, standing: &[Lesson]) -> Effects {
    let mut effects = Effects::default();
    let reading = Reading::of(new);
    let text = normalised(&new.text);
    let stands =
        |lesson: &&Lesson| !matches!(lesson.state, State::Retired | State::Pruned) && lesson.id != new.id;
    for old in standing.iter().filter(stands) {
        if old.scope == new.scope && normalised(&old.text) == text {
            effects.same_as = effects.same_as.or(Some(old.id));
            continue;
        }
        if conflict(&reading, &Reading::of(old)).is_none() {
            continue;
        }
        let list = if !holds_wherever(new, &reading, old) {
            &mut effects.overrides
        } else if old.pinned {
            &mut effects.pinned
        } else {
            &mut effects.retires
        };
        list.push(old.id);
    }
    effects
}

/// Whether the new lesson says something for every prompt for which the old one does.
fn holds_wherever(new: &Lesson, reading: &Reading, old: &Lesson) -> bool {
    let narrower_words = match (&reading.claim, &Reading::of(old).claim) {
        (Claim::Rule { words: new, .. }, Claim::Rule { words: old, .. }) => !new.is_subset(old),
        (Claim::Switch { .. }, Claim::Rule { words, .. }) => words.len() == 1,
        _ => false,
    };
    includes(&new.scope, &old.scope) && !narrower_words
}

/// The standing lesson with what the new one, which says the same, adds: its sources, its words, its date.
pub fn merged(standing: &Lesson, new: &Lesson) -> Lesson {
    let mut merged = standing.clone();
    for source in &new.sources {
        if !merged.sources.contains(source) {
            merged.sources.push(*source);
        }
    }
    for word in &new.triggers {
        if !merged.triggers.contains(word) {
            merged.triggers.push(word.clone());
        }
    }
    merged.created_at = standing.created_at.max(new.created_at);
    merged.pinned |= new.pinned;
    if merged.state == State::Proposed && new.state == State::Active {
        merged.state = State::Active;
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(id: i64, text: &str, scope: Scope) -> Lesson {
        Lesson::new(LessonId(id), text, scope, id)
    }

    #[track_caller]
    fn check(a: &str, b: &str, expected: Option<Conflict>) {
        let (a, b) = (lesson(1, a, Scope::Global), lesson(2, b, Scope::Global));
        assert_eq!(contradicts(&a, &b), expected, "{} / {}", a.text, b.text);
        assert_eq!(contradicts(&b, &a), expected, "{} / {}", b.text, a.text);
    }

    #[test]
    fn tools_exclude_each_other() {
        check("use rg instead of grep", "use grep instead of rg", Some(Conflict::Opposite));
        check("use rg instead of grep", "use ag instead of grep", Some(Conflict::Exclusive));
        check("use rg instead of grep", "use rg, not grep", None);
        check("use rg instead of grep", "use fd instead of find", None);
        check("use rg instead of grep", "use rg2 instead of rg", None);
        check("use rg instead of grep", "never use rg", Some(Conflict::Opposite));
        check("use rg instead of grep", "use plain grep again, not rg", Some(Conflict::Opposite));
    }

    #[test]
    fn do_and_dont_are_opposite() {
        check("always force push", "never force push", Some(Conflict::Opposite));
        check("use emojis", "do not use emojis", Some(Conflict::Opposite));
        check("use -v with mv", "do not use -v with mv", Some(Conflict::Opposite));
        check("use -v with mv", "use -i with mv", None);
        check("use sudo with apt", "never use sudo", Some(Conflict::Opposite));
        check("use sudo with apt", "use doas with apt", Some(Conflict::Exclusive));
        check("never force push", "never use emojis", None);
    }

    #[test]
    fn a_slot_has_one_value() {
        check("answer in German", "answer in French", Some(Conflict::Exclusive));
        check("answer in German", "please answer in German", None);
        check("answer in German", "write mails in French", None);
        check("my editor is hx", "edit files with micro", Some(Conflict::Exclusive));
        check("the default branch is trunk", "default branch = develop", Some(Conflict::Exclusive));
        check("call me Jo", "call me Anna", Some(Conflict::Exclusive));
        check("use port 2222 for ssh", "our ssh port is 2200", Some(Conflict::Exclusive));
        check("use port 2222 for ssh", "the dev server runs on port 8080", None);
        check("staging is kiwi-7", "the staging server is kiwi-8", Some(Conflict::Exclusive));
        check("staging is kiwi-7", "production is kiwi-8", None);
        check("use long options", "use short options", Some(Conflict::Exclusive));
        check("keep answers short", "give more detail", Some(Conflict::Exclusive));
        check("be formal", "be casual", Some(Conflict::Exclusive));
        check("use 24-hour times", "use 12-hour times", Some(Conflict::Exclusive));
        check("use tabs instead of spaces", "indent with 4 spaces", Some(Conflict::Exclusive));
    }

    #[test]
    fn lessons_that_never_meet_do_not_contradict() {
        let a = lesson(1, "use pnpm instead of npm", Scope::Project("/src/a".into()));
        let b = lesson(2, "use yarn instead of npm", Scope::Project("/src/b".into()));
        assert_eq!(contradicts(&a, &b), None);
        let below = lesson(3, "use yarn instead of npm", Scope::Project("/src/a/web".into()));
        assert_eq!(contradicts(&a, &below), Some(Conflict::Exclusive));
        let session = |id, name: &str, text| lesson(id, text, Scope::Session(name.into()));
        assert_eq!(contradicts(&session(1, "x", "be formal"), &session(2, "y", "be casual")), None);
    }

    #[test]
    fn the_newer_retires_what_it_covers_and_overrides_what_is_wider() {
        let old = lesson(1, "use rg instead of grep", Scope::Program("grep".into()));
        let here = lesson(2, "use ag instead of grep", Scope::Project("/src/a".into()));
        let found = effects(&here, std::slice::from_ref(&old));
        assert_eq!(found, Effects { overrides: vec![LessonId(1)], ..Effects::default() });
        let everywhere = lesson(3, "use ack instead of grep", Scope::Program("grep".into()));
        let found = effects(&everywhere, &[old.clone(), here]);
        assert_eq!(found, Effects { retires: vec![LessonId(1), LessonId(2)], ..Effects::default() });
        let back = lesson(4, "use grep instead of rg", Scope::Program("rg".into()));
        assert_eq!(effects(&back, std::slice::from_ref(&old)).retires, [LessonId(1)]);
        let pinned = Lesson { pinned: true, ..old.clone() };
        assert_eq!(effects(&back, &[pinned]).pinned, [LessonId(1)]);
        let retired = Lesson { state: State::Retired, ..old };
        assert_eq!(effects(&back, &[retired]), Effects::default());
    }

    #[test]
    fn an_exception_leaves_the_rule_standing() {
        let rule = lesson(1, "never use sudo", Scope::Global);
        let exception = lesson(2, "use sudo with apt", Scope::Program("apt".into()));
        assert_eq!(effects(&exception, std::slice::from_ref(&rule)).overrides, [LessonId(1)]);
        let rule_again = Lesson { id: LessonId(3), ..rule };
        assert_eq!(effects(&rule_again, &[exception]).retires, [LessonId(2)]);
    }

    #[test]
    fn the_same_lesson_twice_is_one() {
        let old = Lesson {
            sources: vec![crate::turn::TurnId(1)],
            ..lesson(1, "use rg instead of grep", Scope::Global)
        };
        let new = Lesson {
            sources: vec![crate::turn::TurnId(9)],
            ..lesson(2, "Please use `rg` instead of grep.", Scope::Global)
        };
        assert_eq!(effects(&new, std::slice::from_ref(&old)).same_as, Some(LessonId(1)));
        let one = merged(&old, &new);
        assert_eq!((one.id, one.created_at, one.sources.len()), (LessonId(1), 2, 2));
        let elsewhere = Lesson { scope: Scope::Session("s".into()), ..new };
        assert_eq!(effects(&elsewhere, &[old]).same_as, None);
    }

    proptest::proptest! {
        #[test]
        fn contradiction_is_mutual_and_never_with_itself(a in "\\PC{0,60}", b in "(use|never use|always use) [a-c]{1,2} (instead of|with|for) [a-c]{1,2}") {
            let (a, b) = (lesson(1, &a, Scope::Global), lesson(2, &b, Scope::Global));
            proptest::prop_assert_eq!(contradicts(&a, &b), contradicts(&b, &a));
            proptest::prop_assert_eq!(contradicts(&a, &a), None);
            proptest::prop_assert_eq!(contradicts(&b, &b), None);
        }
    }
}
