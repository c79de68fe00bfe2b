//! What a lesson is about: the programs that it concerns, by its words, its scope and where it came from.

use super::Past;
use super::everyday::Everyday;
use crate::lesson::{Lesson, Scope};

/// Words behind which the thing to be avoided stands; requests that need that thing are what the lesson changes.
const INSTEAD_OF: &[&str] = &[
    "instead", "not", "never", "no", "without", "than", "over", "for", "statt", "nicht", "lieu", "en",
    "avoid", "replace",
];

/// Programs for which there are everyday requests and that the lesson concerns, most telling first.
///
/// A program's own lesson says it outright. Otherwise those named in the text count: the ones that the corrected
/// answers ran, else those that stand behind "instead of", else all. A text that names none falls back to what the
/// corrected answers ran, because "always show readable sizes" is about the `du` that it was said about.
pub(super) fn programs(lesson: &Lesson, sources: &[Past], everyday: &Everyday) -> Vec<String> {
    if let Scope::Program(program) = &lesson.scope {
        return everyday.name_of(program).into_iter().collect();
    }
    let told: Vec<String> = words(&lesson.text).collect();
    let named = unique(told.iter().filter_map(|word| everyday.name_of(word)));
    let ran = unique(sources.iter().flat_map(|source| ran(&source.answer, everyday)));
    let both: Vec<String> = named.iter().filter(|name| ran.contains(name)).cloned().collect();
    let avoided = unique(
        told.iter()
            .enumerate()
            .filter(|(at, _)| stands_behind(&told, *at))
            .filter_map(|(_, word)| everyday.name_of(word)),
    );
    [both, avoided, named, ran].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether `words[at]` stands within two words behind one of [`INSTEAD_OF`].
fn stands_behind(words: &[String], at: usize) -> bool {
    words.iter().take(at).rev().take(2).any(|word| INSTEAD_OF.contains(&word.as_str()))
}

/// Programs of the table that a command runs: the first word of each part, and `sudo` with what stands behind it.
fn ran(answer: &str, everyday: &Everyday) -> Vec<String> {
    let parts = answer.lines().flat_map(|line| line.split(['|', ';', '&', '(', ')']));
    parts
        .flat_map(|part| run_words(part).filter_map(|word| everyday.name_of(word)).collect::<Vec<_>>())
        .collect()
}

/// Words in front of which the program stands, and the program.
fn run_words(part: &str) -> impl Iterator<Item = &str> {
    let mut is_over = false;
    part.split_whitespace().filter(|word| *word != "$" && !word.contains('=')).take_while(move |word| {
        !std::mem::replace(&mut is_over, !matches!(*word, "sudo" | "doas" | "env" | "time" | "xargs"))
    })
}

/// Words in lower case: whatever stands between blanks and punctuation. Dots, dashes, slashes and plus signs inside a
/// word belong to it, so that `apt-get`, `g++` and `notes.txt` are one word.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(c, ',' | ';' | ':' | '"' | '\'' | '`' | '(' | ')' | '!' | '?' | '=' | '>' | '|')
    })
    .map(|word| word.trim_matches('.').to_lowercase())
    .filter(|word| !word.is_empty())
}

/// Words of lessons that say nothing about what they concern.
const EMPTY_WORDS: &[&str] = &[
    "use", "always", "never", "instead", "of", "the", "a", "an", "in", "on", "with", "for", "to", "do",
    "not", "no", "please", "and", "or", "is", "it", "me", "my", "i", "when", "than", "rather", "prefer",
    "only", "at", "by", "run",
];

/// Words of a lesson that say what it concerns: names of programs, flags, things.
pub fn telling_words(lesson: &str) -> impl Iterator<Item = String> {
    words(lesson).filter(|word| !EMPTY_WORDS.contains(&word.as_str()))
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::{LessonId, Origin, State};
    use crate::turn::{SessionId, TurnId};

    #[track_caller]
    fn check(text: &str, scope: Scope, answers: &[&str], expected: &[&str]) {
        let lesson = Lesson {
            id: LessonId(1),
            text: text.into(),
            scope,
            state: State::Active,
            origin: Origin::Corrected,
            sources: vec![],
            created_at: 0,
            used: 0,
            helped: 0,
            failed: 0,
            pinned: false,
            triggers: Vec::new(),
            recent: Vec::new(),
            replaced_by: None,
        };
        let source = |answer: &&str| Past {
            turn: TurnId(1),
            session: SessionId("a".into()),
            project: None,
            messages: vec![],
            answer: (*answer).into(),
        };
        let sources: Vec<Past> = answers.iter().map(source).collect();
        assert_eq!(programs(&lesson, &sources, &Everyday::built_in().unwrap()), expected);
    }

    #[test]
    fn what_the_corrected_answer_ran_and_the_lesson_names_counts_first() {
        check("use rg instead of grep", Scope::Global, &["ls | grep x"], &["grep"]);
        check("use rsync instead of cp", Scope::Global, &["cp a b"], &["cp"]);
        check("doas, not sudo", Scope::Global, &["sudo apt install jq"], &["sudo"]);
    }

    #[test]
    fn else_what_stands_behind_instead_of() {
        check("use rsync instead of scp", Scope::Global, &[], &["scp"]);
        check("wget, never curl", Scope::Global, &[], &["curl"]);
        check("nimm rsync statt cp", Scope::Global, &[], &["cp"]);
    }

    #[test]
    fn else_what_is_named_or_was_run() {
        check("git pull is always quiet", Scope::Global, &[], &["git"]);
        check("sizes are to be readable", Scope::Global, &["du x", "df"], &["du", "df"]);
        check("answer in German", Scope::Global, &["Hello!"], &[]);
    }

    #[test]
    fn a_program_scope_says_it_outright() {
        check("spell options out", Scope::Program("python".into()), &["ls"], &["python3"]);
        check("spell options out", Scope::Program("unheard-of".into()), &["ls"], &[]);
    }

    #[test]
    fn words_keep_what_belongs_to_them() {
        let found: Vec<String> = words("Use \"apt-get\", not g++; see notes.txt (a/b).").collect();
        assert_eq!(found, ["use", "apt-get", "not", "g++", "see", "notes.txt", "a/b"]);
        assert_eq!(telling_words("use rg instead of grep").collect::<Vec<_>>(), ["rg", "grep"]);
    }
}
