//! Whether an answer does what a lesson asks, told from two answers of the base: with the lesson in its context and
//! without. No list of rules: what the lesson changes on this prompt is what the answer must show.

use std::collections::BTreeSet;

use crate::learn::canaries::plain;
use crate::learn::rehearsal::words;
use crate::lesson;

/// What one answer says about a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obeyed {
    Yes,
    No,
    /// The lesson changes nothing on this prompt; it is not counted.
    NoMatter,
}

/// Whether `answer` (without the lesson) does what the base does with it. `taught` and `untaught`: the base's answers
/// with and without the lesson.
///
/// The words that the lesson brings in must be there and those that it drives out must be gone; where some of them
/// stand in the lesson's text (`rg` and `grep`), these alone decide, so that another option order is no disobedience.
pub fn obeys(lessons: &str, answer: &str, taught: &str, untaught: &str) -> Obeyed {
    if plain(taught) == plain(untaught) || is_beside(lessons, untaught) {
        return Obeyed::NoMatter;
    }
    if plain(answer) == plain(taught) {
        return Obeyed::Yes;
    }
    let told: BTreeSet<String> = words(lessons).collect();
    let (with, without): (BTreeSet<String>, BTreeSet<String>) =
        (words(taught).collect(), words(untaught).collect());
    let brought = named(with.difference(&without).cloned().collect(), &told);
    let driven_out = named(without.difference(&with).cloned().collect(), &told);
    let said: BTreeSet<String> = words(answer).collect();
    let is_new = !brought.is_empty() || !driven_out.is_empty();
    let obeyed = is_new && brought.is_subset(&said) && driven_out.is_disjoint(&said);
    if obeyed { Obeyed::Yes } else { Obeyed::No }
}

/// Whether the base's own answer gives these lessons (one in a line) nothing to replace. What a teacher makes of such a
/// prompt all the same is a mistake: neither to be learned nor to be asked for.
pub fn is_beside(lessons: &str, untaught: &str) -> bool {
    let said: BTreeSet<String> = words(untaught).collect();
    let mut old = lessons.lines().map(lesson::driven_out).peekable();
    old.peek().is_some() && old.all(|old| old.is_some_and(|old| !said.contains(&old)))
}

/// Those of the words that the lesson names; all of them where it names none.
fn named(words: BTreeSet<String>, told: &BTreeSet<String>) -> BTreeSet<String> {
    let named: BTreeSet<String> = words.intersection(told).cloned().collect();
    if named.is_empty() { words } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RG: &str = "use rg instead of grep";

    #[track_caller]
    fn check(lesson: &str, answer: &str, taught: &str, untaught: &str, expected: Obeyed) {
        assert_eq!(obeys(lesson, answer, taught, untaught), expected);
    }

    #[test]
    fn another_tool() {
        check(RG, "rg TODO main.c", "rg TODO main.c", "grep TODO main.c", Obeyed::Yes);
        check(RG, "rg -n TODO main.c", "rg TODO main.c", "grep TODO main.c", Obeyed::Yes);
        check(RG, "grep TODO main.c", "rg TODO main.c", "grep TODO main.c", Obeyed::No);
        check(RG, "cat main.c", "rg TODO main.c", "grep TODO main.c", Obeyed::No);
        check(RG, "cat main.c | grep -v rg", "rg TODO main.c", "grep TODO main.c", Obeyed::No);
    }

    #[test]
    fn where_the_lesson_changes_nothing_it_is_not_counted() {
        check(RG, "ls", "ls", "ls", Obeyed::NoMatter);
        check(RG, "rg", "ls  -l", "ls -l", Obeyed::NoMatter);
    }

    #[test]
    fn where_the_old_tool_is_not_used_a_swap_asks_for_nothing() {
        check(RG, "find . -name x", "rg --files x", "find . -name x", Obeyed::NoMatter);
        assert!(is_beside(RG, "find . -name x") && !is_beside(RG, "cat x | grep y"));
        assert!(!is_beside("use rg instead of grep\ncall me Anna", "ls") && !is_beside("", "ls"));
    }

    #[test]
    fn a_flag_that_the_lesson_does_not_spell() {
        check("sizes are to be readable", "du -s -h x", "du -h x", "du x", Obeyed::Yes);
        check("sizes are to be readable", "du x", "du -h x", "du x", Obeyed::No);
    }

    #[test]
    fn something_left_out() {
        check("do not use sudo", "apt install jq", "apt install jq", "sudo apt install jq", Obeyed::Yes);
        check("do not use sudo", "sudo apt install jq", "apt install jq", "sudo apt install jq", Obeyed::No);
    }
}
