//! Whether an answer follows a lesson, seen from what the lesson changed: words that the teacher's answer has and the
//! base's has not must be there, words that it took away must be gone. Pure; no list of lessons, no model.
//!
//! A prompt on which teacher and base say the same tells nothing about the lesson and is left out.

use std::collections::BTreeSet;

/// What a lesson changed in the answer to one prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Words of the teacher's answer (with the lesson) that the base's answer (without) lacks.
    pub added: BTreeSet<String>,
    /// Words of the base's answer that the teacher's lacks.
    pub removed: BTreeSet<String>,
}

impl Change {
    /// `None`: the lesson changes nothing here.
    pub fn between(base: &str, teacher: &str) -> Option<Self> {
        let (base, teacher) = (words(base), words(teacher));
        let change = Self {
            added: teacher.difference(&base).cloned().collect(),
            removed: base.difference(&teacher).cloned().collect(),
        };
        (!change.added.is_empty() || !change.removed.is_empty()).then_some(change)
    }

    /// Whether `answer` shows the change.
    pub fn is_followed_by(&self, answer: &str) -> bool {
        let found = words(answer);
        self.added.is_subset(&found) && self.removed.is_disjoint(&found)
    }
}

/// What several changes of one lesson have in common: what it does to every answer, as opposed to what the one
/// request brought along (names, paths). Empty when the lesson does something else each time.
pub fn common(changes: &[Change]) -> Change {
    let all = |of: fn(&Change) -> &BTreeSet<String>| {
        let mut sets = changes.iter().map(of);
        let first = sets.next().cloned().unwrap_or_default();
        sets.fold(first, |common, set| common.intersection(set).cloned().collect())
    };
    Change { added: all(|change| &change.added), removed: all(|change| &change.removed) }
}

/// Whether two answers say the same, blanks apart: what "unchanged" means for answers that no lesson is about.
pub fn is_same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

/// Words as a shell or a reader parts them: quotes and closing punctuation do not make another word.
fn words(text: &str) -> BTreeSet<String> {
    let quotes = ['"', '\'', '`'];
    let bare = |word: &str| {
        let inner = word.trim_start_matches(quotes);
        let inner = inner.trim_end_matches(|c: char| quotes.contains(&c) || ".,;!?:".contains(c));
        // `.` and `..` are words of their own.
        if inner.is_empty() { word.to_lowercase() } else { inner.to_lowercase() }
    };
    text.split_whitespace().map(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(base: &str, teacher: &str) -> Change {
        Change::between(base, teacher).unwrap()
    }

    #[track_caller]
    fn check(base: &str, teacher: &str, answer: &str, is_followed: bool) {
        assert_eq!(change(base, teacher).is_followed_by(answer), is_followed, "{answer}");
    }

    #[test]
    fn a_tool_is_swapped() {
        check("grep -r todo src", "rg todo src", "rg todo src", true);
        check("grep -r todo src", "rg todo src", "rg todo lib", true);
        check("grep -r todo src", "rg todo src", "grep -r todo src", false);
        check("grep -r todo src", "rg todo src", "grep -r todo src | rg x", false);
    }

    #[test]
    fn a_flag_is_added_or_taken_away() {
        check("mv a b", "mv -v a b", "mv -v c d", true);
        check("mv a b", "mv -v a b", "mv c d", false);
        check("sudo apt update", "apt update", "apt update", true);
        check("sudo apt update", "apt update", "sudo apt update", false);
    }

    #[test]
    fn quotes_case_and_final_stops_are_no_difference() {
        assert_eq!(Change::between("Find \"x\".", "find 'x'"), None);
        check("Hi Anna,", "Dear Anna,", "dear Bob", true);
    }

    #[test]
    fn what_a_lesson_does_each_time_is_what_its_changes_share() {
        let changes = [change("grep a x", "rg a x"), change("grep -r b y", "rg b y")];
        let common = common(&changes);
        assert_eq!(common.added, BTreeSet::from(["rg".to_owned()]));
        assert_eq!(common.removed, BTreeSet::from(["grep".to_owned()]));
        assert!(common.is_followed_by("rg c z") && !common.is_followed_by("grep c z"));
    }

    #[test]
    fn a_folder_that_is_a_dot_is_a_word() {
        assert_eq!(change("find .", "find ..").added, BTreeSet::from(["..".to_owned()]));
    }

    #[test]
    fn blanks_do_not_change_an_answer() {
        assert!(is_same("ls  -l\n", "ls -l"));
        assert!(!is_same("ls -l", "ls -L"));
    }
}
