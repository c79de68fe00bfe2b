//! What a plan knows of its lessons: which programs they concern, and which of them a teacher's prompt gets.

use std::cmp::Reverse;

use super::{Inputs, ToLearn, about};
use crate::lesson::{MAX_IN_PROMPT, Scope};

/// A lesson of the plan, and what it is about.
pub(super) struct Known<'a> {
    pub(super) taught: &'a ToLearn,
    pub(super) programs: Vec<String>,
    /// Words of its text that say something.
    pub(super) words: Vec<String>,
}

impl<'a> Known<'a> {
    pub(super) fn new(taught: &'a ToLearn, inputs: &Inputs<'_>) -> Self {
        let programs = about::programs(&taught.lesson, &taught.sources, inputs.everyday);
        let words = about::telling_words(&taught.lesson.text).collect();
        Self { taught, programs, words }
    }

    /// It concerns no program: it may hold for any prompt.
    pub(super) fn is_general(&self) -> bool {
        self.programs.is_empty() && !matches!(self.taught.lesson.scope, Scope::Project(_))
    }

    /// How much this lesson has to do with a prompt on which `own` is practised; 0: nothing.
    fn relevance(&self, own: &Self, asked: &[String]) -> usize {
        let shared = self.programs.iter().filter(|name| own.programs.contains(name) || asked.contains(name));
        let named = self.words.iter().filter(|word| asked.contains(word));
        3 * shared.count() + named.count() + usize::from(self.is_general())
    }

    /// A project's lesson is no context for what holds elsewhere.
    fn is_in_scope_of(&self, own: &Self) -> bool {
        let scope = &self.taught.lesson.scope;
        *scope == own.taught.lesson.scope || !matches!(scope, Scope::Project(_))
    }

    /// Whether an answer like this may become another one by this lesson.
    pub(super) fn concerns(&self, answer: &str) -> bool {
        about::words(answer).any(|word| self.words.contains(&word) || self.programs.contains(&word))
    }
}

/// The teacher's lessons for a prompt, newest first: the one that is practised, and of the others those that concern
/// the same programs, any prompt, or words of this one.
pub(super) fn context(known: &[Known<'_>], practised: usize, asked: &str) -> Vec<String> {
    let Some(own) = known.get(practised) else { return vec![] };
    let asked: Vec<String> = about::words(asked).collect();
    let others = known.iter().filter(|other| other.taught.lesson.id != own.taught.lesson.id);
    let mut others: Vec<(usize, &Known<'_>)> = others
        .filter(|other| other.is_in_scope_of(own))
        .map(|other| (other.relevance(own, &asked), other))
        .filter(|(relevance, _)| *relevance > 0)
        .collect();
    others.sort_by_key(|(relevance, other)| (Reverse(*relevance), Reverse(other.taught.lesson.id)));
    let mut chosen: Vec<&Known<'_>> =
        others.into_iter().map(|(_, other)| other).take(MAX_IN_PROMPT - 1).collect();
    chosen.push(own);
    newest_first(chosen)
}

/// Lessons that may hold for any prompt, newest first.
pub(super) fn general(known: &[Known<'_>]) -> Vec<String> {
    let mut texts = newest_first(known.iter().filter(|known| known.is_general()).collect());
    texts.truncate(MAX_IN_PROMPT);
    texts
}

fn newest_first(mut known: Vec<&Known<'_>>) -> Vec<String> {
    known.sort_by_key(|one| Reverse((one.taught.lesson.created_at, one.taught.lesson.id)));
    known.into_iter().map(|one| one.taught.lesson.text.clone()).collect()
}
