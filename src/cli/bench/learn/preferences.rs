//! What simulated users want of an answer: a check that a program can decide, and the answer as they would have it.
//! The table is `assets/bench/preferences.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::checks::Check;
use super::shell_words::words;
use super::tasks::Task;

/// A wish that a user has and the policy does not know.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preference {
    #[serde(skip)]
    pub(super) id: String,
    /// What kind of wish it is, for the report.
    pub(super) about: String,
    /// The requests that exercise it.
    pub(super) group: String,
    /// What a perfect listener would write down. For upper bounds and for looking things up; users never say it.
    pub(super) lesson: String,
    pub(super) check: Check,
    wanted: Wanted,
    /// How the user puts it: a table of `replies.toml`.
    pub(super) say: String,
    /// What fills the wordings.
    #[serde(default)]
    pub(super) slots: BTreeMap<String, String>,
    /// The wish that contradicts this one.
    pub(super) rival: Option<String>,
}

/// How an answer becomes one that the user would have written.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Wanted {
    /// As the table of requests has it.
    Written,
    /// Another program in the same places.
    Swap { from: Vec<String>, to: String },
    /// An option right behind each run of the program.
    Flag { program: String, flag: String },
    /// These programs are left away.
    Drop(Vec<String>),
    /// Words become other words.
    Replace(Vec<(String, String)>),
    /// More text at the end.
    Append(String),
    /// Without the first and the last line.
    Middle,
}

/// All wishes, by name.
pub(super) fn preferences() -> Result<Vec<Preference>, toml::de::Error> {
    let table: BTreeMap<String, Preference> =
        toml::from_str(include_str!("../../../../assets/bench/preferences.toml"))?;
    Ok(table.into_iter().map(|(id, preference)| Preference { id, ..preference }).collect())
}

impl Preference {
    /// Whether the answer is as the user wants it: their wish is met and everything that they named is still there. An
    /// answer that says nothing is never right.
    pub(super) fn is_right(&self, task: &Task, answer: &str) -> bool {
        !answer.trim().is_empty()
            && self.check.holds(answer)
            && task.keeps_names(answer, self.ideal(task).as_deref().unwrap_or_default())
    }

    /// The best answer to the task.
    pub(super) fn ideal(&self, task: &Task) -> Option<String> {
        self.edited(task, &task.plain)
    }

    /// The answer as the user would change it; nothing if they cannot make it right by their rule.
    pub(super) fn edited(&self, task: &Task, answer: &str) -> Option<String> {
        let answer = answer.trim();
        let edited = match &self.wanted {
            Wanted::Written => task.written.clone()?,
            Wanted::Swap { from, to } => with_programs(answer, from, |_| to.clone()),
            Wanted::Flag { program, flag } => {
                with_programs(answer, std::slice::from_ref(program), |name| format!("{name} {flag}"))
            }
            Wanted::Drop(programs) => with_programs(answer, programs, |_| String::new()),
            Wanted::Replace(pairs) => {
                pairs.iter().fold(answer.to_owned(), |text, (from, to)| replace_word(&text, from, to))
            }
            Wanted::Append(text) => format!("{answer}{text}"),
            Wanted::Middle => middle(answer),
        };
        (edited != answer && self.check.holds(&edited)).then_some(edited)
    }
}

/// The text with every run of one of `programs` put as `put` says; nothing put takes the blank behind it along.
fn with_programs(text: &str, programs: &[String], put: impl Fn(&str) -> String) -> String {
    let mut changed = String::new();
    let mut done = 0;
    for word in words(text).iter().filter(|word| word.is_program && programs.contains(&word.text)) {
        changed.push_str(text.get(done..word.at.start).unwrap_or_default());
        let new = put(&word.text);
        changed.push_str(&new);
        let after = text.get(word.at.end..).unwrap_or_default();
        done = word.at.end;
        if new.is_empty() {
            done += after.len() - after.trim_start_matches(' ').len();
        }
    }
    changed.push_str(text.get(done..).unwrap_or_default());
    changed
}

/// Whole words only: what is inside a longer word stays.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let mut changed = String::new();
    let mut done = 0;
    for (at, found) in text.match_indices(from) {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|after| after.chars().next());
        if before.is_some_and(joins) || after.is_some_and(joins) {
            continue;
        }
        changed.push_str(text.get(done..at).unwrap_or_default());
        changed.push_str(to);
        done = at + found.len();
    }
    changed.push_str(text.get(done..).unwrap_or_default());
    changed
}

fn middle(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    match lines.as_slice() {
        [_, middle @ .., _] => middle.join("\n").trim().to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tasks::Tasks;
    use super::*;

    #[track_caller]
    fn check(id: &str, answer: &str, expected: Option<&str>) {
        let all = preferences().unwrap();
        let preference = all.iter().find(|preference| preference.id == id).unwrap();
        let task = Task { request: String::new(), plain: String::new(), written: None, prose: false };
        assert_eq!(preference.edited(&task, answer).as_deref(), expected, "{id}: {answer}");
    }

    #[test]
    fn a_swap_changes_every_run_and_no_argument() {
        check("podman", "docker stop $(docker ps -q)", Some("podman stop $(podman ps -q)"));
        check("doas", "sudo apt install sudo", Some("doas apt install sudo"));
    }

    #[test]
    fn a_dropped_program_leaves_no_blank() {
        check("no-sudo", "sudo apt update && sudo apt upgrade", Some("apt update && apt upgrade"));
    }

    #[test]
    fn an_option_stands_behind_its_program() {
        check("mv-verbose", "mv a b", Some("mv -v a b"));
        check("dry-run", "rsync -a a/ b/", Some("rsync --dry-run -a a/ b/"));
    }

    #[test]
    fn words_are_replaced_whole() {
        check("trunk", "git push origin main", Some("git push origin trunk"));
        check("trunk", "git push origin domain", None);
        check("falcon", "rsync -av a/ staging:a/", Some("rsync -av a/ falcon:a/"));
    }

    #[test]
    fn text_is_signed_shortened_and_made_formal() {
        check("signed", "Hi Al,\nYes.\nBest regards\n", Some("Hi Al,\nYes.\nBest regards\nMira"));
        check("one-sentence", "Hi Al,\nYes.\nBest regards", Some("Yes."));
        check("formal", "Hi Al,\nHi.\nBest regards", Some("Dear Al,\nDear.\nKind regards"));
    }

    #[test]
    fn what_no_rule_makes_right_stays_unedited() {
        check("podman", "kubectl get pods", None);
        check("podman", "podman ps", None);
        check("podman", "", None);
    }

    #[test]
    fn there_are_wishes_of_every_kind() {
        let all = preferences().unwrap();
        assert!(all.len() >= 14, "{}", all.len());
        let mut kinds: Vec<_> = all.iter().map(|preference| preference.about.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let expected = [
            "default branch",
            "editor",
            "host name",
            "language",
            "length",
            "naming",
            "option style",
            "safety habit",
            "time format",
            "tone",
            "tool choice",
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn an_answer_without_the_lesson_is_wrong_and_the_wanted_one_right() {
        let tasks = Tasks::load().unwrap();
        for preference in preferences().unwrap() {
            for task in tasks.group(&preference.group).all() {
                let id = &preference.id;
                assert!(!preference.is_right(task, &task.plain), "{id}: {task:?}");
                let ideal = preference.ideal(task).unwrap_or_else(|| panic!("{id}: no edit of {task:?}"));
                assert!(preference.is_right(task, &ideal), "{id}: {ideal:?} for {task:?}");
            }
        }
    }

    #[test]
    fn a_right_answer_keeps_what_the_user_named() {
        let tasks = Tasks::load().unwrap();
        let all = preferences().unwrap();
        let rg = all.iter().find(|preference| preference.id == "rg").unwrap();
        let group = tasks.group("search");
        let task = group.all().find(|task| task.plain == "grep -v localhost hosts.txt").unwrap();
        assert!(rg.is_right(task, "rg --invert-match localhost hosts.txt"));
        assert!(!rg.is_right(task, "rg localhost"));
        assert!(!rg.is_right(task, ""));
    }

    #[test]
    fn rivals_contradict_each_other_on_the_same_requests() {
        let tasks = Tasks::load().unwrap();
        let all = preferences().unwrap();
        let with_rival: Vec<_> = all.iter().filter(|preference| preference.rival.is_some()).collect();
        assert!(with_rival.len() >= 8);
        for preference in with_rival {
            let rival = all.iter().find(|other| Some(&other.id) == preference.rival.as_ref()).unwrap();
            assert_eq!(rival.rival.as_ref(), Some(&preference.id));
            assert_eq!(rival.group, preference.group);
            for task in tasks.group(&preference.group).all() {
                assert!(
                    !rival.is_right(task, &preference.ideal(task).unwrap()),
                    "{} {task:?}",
                    preference.id
                );
            }
        }
    }

    #[test]
    fn no_neutral_request_exercises_a_wish() {
        let tasks = Tasks::load().unwrap();
        for preference in preferences().unwrap() {
            for task in tasks
                .neutral()
                .all()
                .filter(|_| !matches!(preference.wanted, Wanted::Append(_) | Wanted::Middle))
            {
                assert_eq!(preference.edited(task, &task.plain), None, "{}: {task:?}", preference.id);
            }
        }
    }
}
