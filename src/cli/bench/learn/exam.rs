//! Held-out requests: which are asked, and what was answered to them by whom.

use std::collections::BTreeMap;

use super::home::Home;
use super::metrics::{length_ratio, obedience, quality, unchanged};
use super::preferences::Preference;
use super::tasks::{Group, Task, Tasks};
use crate::client::AnswerAs;
use crate::turn::PolicyVersion;

/// What the base answers without any lesson: the same in every run, so it is asked once.
#[derive(Debug, Default)]
pub(super) struct BaseAnswers(BTreeMap<String, String>);

/// The base, without lessons.
const BASE: AnswerAs = AnswerAs { without_lessons: true, policy: Some(PolicyVersion::BASE) };
/// The base with the lessons in its prompt, whatever the weights hold.
pub(super) const TEACHER: AnswerAs = AnswerAs { without_lessons: false, policy: Some(PolicyVersion::BASE) };
/// What serves, without lessons.
pub(super) const WEIGHTS: AnswerAs = AnswerAs { without_lessons: true, policy: None };
/// As any user is answered.
pub(super) const SERVED: AnswerAs = AnswerAs { without_lessons: false, policy: None };

/// Answers to a group's held-out requests, in their order.
pub(super) struct Answers<'a> {
    tasks: &'a [Task],
    texts: Vec<String>,
}

impl<'a> Answers<'a> {
    pub(super) fn of(home: &Home, group: &'a Group, wanted: AnswerAs) -> anyhow::Result<Self> {
        let texts = group.held_out.iter().map(|task| home.examine(&task.request, wanted));
        Ok(Self { tasks: &group.held_out, texts: texts.collect::<anyhow::Result<_>>()? })
    }

    /// What the base says, from memory where it was asked before.
    pub(super) fn of_base(home: &Home, group: &'a Group, known: &mut BaseAnswers) -> anyhow::Result<Self> {
        for task in &group.held_out {
            if !known.0.contains_key(&task.request) {
                known.0.insert(task.request.clone(), home.examine(&task.request, BASE)?);
            }
        }
        let text = |task: &Task| known.0.get(&task.request).cloned().unwrap_or_default();
        Ok(Self { tasks: &group.held_out, texts: group.held_out.iter().map(text).collect() })
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    pub(super) fn obedience(&self, wish: &Preference) -> Option<f64> {
        obedience(wish, self.tasks.iter().zip(self.texts()))
    }

    fn quality(&self) -> Option<f64> {
        quality(self.tasks.iter().zip(self.texts()))
    }
}

/// How answers to unrelated requests have changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Neutral {
    /// As served; and by the weights alone.
    pub(super) unchanged: Option<f64>,
    pub(super) unchanged_by_weights: Option<f64>,
    pub(super) quality_before: Option<f64>,
    pub(super) quality_after: Option<f64>,
    pub(super) length_ratio: Option<f64>,
}

impl Neutral {
    /// `served`: as the users are answered.
    pub(super) fn of(
        home: &Home,
        tasks: &Tasks,
        (served, known): (AnswerAs, &mut BaseAnswers),
    ) -> anyhow::Result<Self> {
        let before = Answers::of_base(home, tasks.neutral(), known)?;
        let after = Answers::of(home, tasks.neutral(), served)?;
        let by_weights = Answers::of(home, tasks.neutral(), WEIGHTS)?;
        Ok(Self {
            unchanged: unchanged(before.texts().zip(after.texts())),
            unchanged_by_weights: unchanged(before.texts().zip(by_weights.texts())),
            quality_before: before.quality(),
            quality_after: after.quality(),
            length_ratio: length_ratio(before.texts().zip(after.texts())),
        })
    }
}
