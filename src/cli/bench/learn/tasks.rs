//! What simulated users ask: everyday requests, by the habit that they exercise, and neutral ones that exercise none.
//! The tables are `assets/bench/requests.toml` and `assets/bench/neutral.toml`.
//!
//! Each group is split once and for all by a hash of the text: *teaching* requests are asked in sessions, *held-out* ones
//! only to measure. A request is never both, whatever the seed.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::checks::has_word;
use super::shell_words::words;

/// Of each group, how many in a hundred requests are for teaching.
const TEACHING_PERCENT: usize = 60;

/// A request and what is known about its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) request: String,
    /// What a policy without any lesson should answer.
    pub(super) plain: String,
    /// What the group's user would write instead, where the table says so.
    pub(super) written: Option<String>,
    /// The answer is text and no command.
    pub(super) prose: bool,
}

/// The requests of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) teaching: Vec<Task>,
    pub(super) held_out: Vec<Task>,
}

/// All requests.
#[derive(Debug)]
pub(super) struct Tasks {
    groups: BTreeMap<String, Group>,
    neutral: Group,
    none: Group,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error("the table of requests is no TOML")]
    Toml(#[from] toml::de::Error),
    #[error("request {line:?} needs ` => ` and an answer behind it")]
    NoAnswer { line: String },
}

#[derive(Deserialize)]
struct RequestTable {
    prose: Vec<String>,
    #[serde(flatten)]
    groups: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct NeutralTable {
    rows: String,
}

impl Tasks {
    pub(super) fn load() -> Result<Self, TableError> {
        let table: RequestTable = toml::from_str(include_str!("../../../../assets/bench/requests.toml"))?;
        let neutral: NeutralTable = toml::from_str(include_str!("../../../../assets/bench/neutral.toml"))?;
        let mut groups = BTreeMap::new();
        for (name, rows) in table.groups {
            let is_prose = table.prose.contains(&name);
            groups.insert(name, split(parse(&rows, is_prose)?));
        }
        Ok(Self { groups, neutral: split(parse(&neutral.rows, false)?), none: Group::default() })
    }

    /// The requests of a group; an unknown one has none.
    pub(super) fn group(&self, name: &str) -> &Group {
        self.groups.get(name).unwrap_or(&self.none)
    }

    /// Requests that no user has a wish about.
    pub(super) fn neutral(&self) -> &Group {
        &self.neutral
    }
}

impl Group {
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &Task> {
        self.teaching.iter().chain(&self.held_out)
    }
}

impl Task {
    /// Whether the answer holds every name of the request that the ideal answer holds: files, hosts, numbers, patterns.
    /// Of prose only what is no plain word counts, since that may be said in other words.
    pub(super) fn keeps_names(&self, answer: &str, ideal: &str) -> bool {
        self.names(ideal).iter().all(|name| has_word(answer, name))
    }

    /// Whether a policy that knows nothing of the user answers well: the usual program, and the names.
    pub(super) fn is_answered(&self, answer: &str) -> bool {
        let programs = |text: &str| -> Vec<String> {
            words(text).into_iter().filter(|word| word.is_program).map(|word| word.text).collect()
        };
        let is_same_kind = self.prose || programs(answer).first() == programs(&self.plain).first();
        is_same_kind && !answer.trim().is_empty() && self.keeps_names(answer, &self.plain)
    }

    fn names(&self, ideal: &str) -> Vec<&str> {
        let mark = |c: char| !(c.is_alphanumeric() || "._-/:@".contains(c));
        let pieces = ideal_pieces(&self.plain, mark);
        let counts = |piece: &&str| !self.prose || piece.chars().any(|c| !c.is_lowercase());
        pieces
            .filter(|piece| has_word(&self.request, piece) && has_word(ideal, piece))
            .filter(counts)
            .filter(|piece| !words(&self.plain).iter().any(|word| word.is_program && word.text == *piece))
            .collect()
    }
}

fn ideal_pieces(text: &str, mark: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(mark)
        .filter(|piece| !piece.starts_with('-'))
        .map(|piece| piece.trim_start_matches('.').trim_end_matches(['.', '/', ':']))
        .filter(|piece| !piece.is_empty())
}

fn parse(rows: &str, prose: bool) -> Result<Vec<Task>, TableError> {
    let lines = rows.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut columns = line.split(" => ").map(|text| text.trim().replace("\\n", "\n"));
            let (Some(request), Some(plain)) = (columns.next(), columns.next()) else {
                return Err(TableError::NoAnswer { line: line.to_owned() });
            };
            Ok(Task { request, plain, written: columns.next(), prose })
        })
        .collect()
}

/// By rank of the hash, so that every group has its share on both sides.
fn split(mut tasks: Vec<Task>) -> Group {
    tasks.sort_by_cached_key(|task| (hash(&task.request), task.request.clone()));
    let held_out = tasks.split_off((tasks.len() * TEACHING_PERCENT).div_ceil(100));
    Group { teaching: tasks, held_out }
}

/// FNV-1a with a last mix (that of `SplitMix64`), for texts that differ in their last letters only.
fn hash(text: &str) -> u64 {
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let sum = (sum ^ (sum >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    sum ^ (sum >> 27)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::preferences::preferences;
    use super::*;

    #[test]
    fn every_wish_has_enough_requests_on_both_sides() {
        let tasks = Tasks::load().unwrap();
        for preference in preferences().unwrap() {
            let group = tasks.group(&preference.group);
            assert!(group.all().count() >= 16, "{}", preference.group);
            assert!(group.held_out.len() >= 6 && group.teaching.len() >= 10, "{}", preference.group);
        }
    }

    #[test]
    fn there_are_enough_neutral_requests() {
        assert!(Tasks::load().unwrap().neutral().all().count() >= 80);
    }

    #[test]
    fn no_text_stands_twice_anywhere() {
        let tasks = Tasks::load().unwrap();
        let mut seen = BTreeSet::new();
        for task in tasks.groups.values().flat_map(Group::all).chain(tasks.neutral().all()) {
            let bare: String = task.request.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
            assert!(seen.insert(bare), "{} stands twice", task.request);
        }
    }

    #[test]
    fn every_group_is_some_users() {
        let tasks = Tasks::load().unwrap();
        let used: BTreeSet<_> =
            preferences().unwrap().into_iter().map(|preference| preference.group).collect();
        assert_eq!(tasks.groups.keys().cloned().collect::<BTreeSet<_>>(), used);
    }

    #[test]
    fn plain_answers_are_good_answers() {
        let tasks = Tasks::load().unwrap();
        for task in tasks.groups.values().flat_map(Group::all).chain(tasks.neutral().all()) {
            assert!(task.is_answered(&task.plain), "{task:?}");
            assert!(!task.is_answered(""), "{task:?}");
        }
    }

    #[test]
    fn the_split_never_changes() {
        let tasks = Tasks::load().unwrap();
        let first: Vec<_> = tasks.group("moving").held_out.iter().take(3).map(|task| &task.request).collect();
        insta::assert_debug_snapshot!(first);
    }

    #[track_caller]
    fn check(line: &str, answer: &str, expected: bool) {
        let task = parse(line, false).unwrap().remove(0);
        assert_eq!(task.is_answered(answer), expected, "{line}: {answer}");
    }

    #[test]
    fn names_must_be_kept_and_options_need_not() {
        check("copy a.txt to b.txt => cp a.txt b.txt", "cp -p a.txt b.txt", true);
        check("copy a.txt to b.txt => cp a.txt b.txt", "cp a.txt c.txt", false);
        check("copy a.txt to b.txt => cp a.txt b.txt", "mv a.txt b.txt", false);
        check("put a.txt into dir => mv a.txt dir/", "mv a.txt dir", true);
        check("show a.txt by page => less a.txt", "less b.txt", false);
    }

    #[test]
    fn prose_may_use_other_words() {
        let task =
            parse("mail Anna that it is paid => Hi Anna,\\nIt is paid.\\nBye", true).unwrap().remove(0);
        assert!(task.is_answered("Dear Anna,\nthe bill has been settled."));
        assert!(!task.is_answered("Dear Tom,\nit is paid."));
    }

    #[test]
    fn a_line_without_an_answer_is_named() {
        assert_eq!(
            parse("what now?", false).unwrap_err().to_string(),
            "request \"what now?\" needs ` => ` and an answer behind it"
        );
    }
}
