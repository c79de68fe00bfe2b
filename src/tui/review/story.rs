//! What is known of the selected row: its story, what would be answered now, how far it is scrolled. Pure.

use super::event::{Key, Story, Way};
use crate::daemon::wire::credit::Credit;
use crate::daemon::wire::review::AnsweredNow;

#[derive(Debug, Default)]
pub(super) struct Detail {
    pub(super) key: Option<Key>,
    /// `None`: it is being read. An error is the daemon's sentence.
    pub(super) story: Option<Result<Box<Story>, String>>,
    /// In the order in which they were asked for.
    pub(super) answers: Vec<Answer>,
    /// How the answer's tokens would count; `None`: nobody wants to see it.
    pub(super) credit: Option<Weighed>,
    pub(super) scroll: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weighed {
    /// `None`: it is being computed.
    pub(super) outcome: Option<Result<Box<Credit>, String>>,
    /// The strongest tokens stand below the answer.
    pub(super) lists_tokens: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) way: Way,
    /// `None`: it is being made.
    pub(super) outcome: Option<Result<AnsweredNow, String>>,
}

impl Detail {
    /// Of another row from now on. Returns whether its story has to be read.
    pub(super) fn turn_to(&mut self, key: Option<Key>) -> bool {
        if self.key == key {
            return false;
        }
        *self = Self { key, ..Self::default() };
        key.is_some()
    }

    /// A story that nobody looks at any more is dropped.
    pub(super) fn tell(&mut self, key: Key, outcome: Result<Box<Story>, String>) {
        if self.key == Some(key) {
            // What was weighed before something changed is not what would count now.
            if self.story.as_ref().is_some_and(|before| *before != outcome) {
                self.credit = None;
            }
            self.story = Some(outcome);
        }
    }

    pub(super) fn weighed(&mut self, key: Key, outcome: Result<Box<Credit>, String>) {
        if self.key == Some(key)
            && let Some(weighed) = &mut self.credit
        {
            weighed.outcome = Some(outcome);
        }
    }

    pub(super) fn asked(&mut self, ways: &[Way]) {
        self.answers = ways.iter().map(|way| Answer { way: *way, outcome: None }).collect();
    }

    pub(super) fn answered(&mut self, key: Key, way: Way, outcome: Result<AnsweredNow, String>) {
        if self.key != Some(key) {
            return;
        }
        if let Some(answer) = self.answers.iter_mut().find(|answer| answer.way == way) {
            answer.outcome = Some(outcome);
        }
    }
}
