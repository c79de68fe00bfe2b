//! Simulated users: what one wants in which session, what they ask, and how they take an answer.
//!
//! Everything follows from the user, the seed and the answers, so a run can be repeated. The driver plays a session like
//! this: for each [`Asked`] it sends the request, hands the answer to [`World::react`], passes the next state on, and
//! asks once more where the reaction [`Meant`] a correction.

use std::collections::BTreeSet;

use anyhow::Context;

use super::preferences::{Preference, preferences};
use super::replies::{Poison, Sayings, pick};
use super::tasks::{Group, Task, Tasks};
use crate::learn::shuffle::Draws;
use crate::turn::next_state::NextState;

/// Most tasks in a session.
pub(super) const MAX_TASKS: u64 = 4;
/// Of the tasks after the first, how many in a hundred exercise the wish; the others are neutral.
const EXERCISING_PERCENT: u64 = 50;
/// How many in a hundred corrections are an edit of the answer instead of words.
const EDIT_PERCENT: u64 = 15;
/// How many in a hundred good answers get words; after the others the user just goes on.
const THANKS_PERCENT: u64 = 60;

/// Streams of draws, so that what is asked does not depend on what is answered.
const PLAN: u64 = 1;
const REACTION: u64 = 2;
const WISHES: u64 = 3;

/// The character whose figures stand in the main tables of the report.
pub(super) const STEADY: &str = "steady";

/// The tables.
#[derive(Debug)]
pub(super) struct World {
    pub(super) preferences: Vec<Preference>,
    pub(super) tasks: Tasks,
    pub(super) sayings: Sayings,
}

/// Someone with one wish and a way to behave.
#[derive(Debug, Clone, Copy)]
pub(super) struct User<'a> {
    pub(super) preference: &'a Preference,
    pub(super) character: Character,
}

/// How a user behaves. Shares are in a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Character {
    /// Wants the same always. Every so often takes a wrong answer for right or a right one for wrong.
    Steady { wrong_percent: u64 },
    /// Wants the rival of the wish from this session on (the first is 0).
    Fickle { from: usize },
    /// Wants the wish and its rival in turn, session by session.
    Contradictory,
    /// Is content with nothing and never says why.
    AllNegative,
    /// Says nothing; programs, files and pages talk in their place.
    Poisoned,
}

impl Character {
    /// As the report calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Steady { .. } => STEADY,
            Self::Fickle { .. } => "fickle",
            Self::Contradictory => "contradictory",
            Self::AllNegative => "all-negative",
            Self::Poisoned => "poisoned",
        }
    }
}

/// Something to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) task: &'a Task,
    /// Whether the user has a wish about it.
    pub(super) exercises: bool,
}

/// What follows an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reaction {
    /// Nothing: the user goes on with the next task.
    pub(super) next: Option<NextState>,
    pub(super) meant: Meant,
}

/// What a reaction is in truth, whatever it looks like: the yardstick for signals and verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meant {
    /// The answer is right, and the user says so or goes on.
    Accepted,
    /// The answer is wrong, and the user says what they want.
    Corrected,
    /// A wrong answer was praised.
    PraisedInError,
    /// A right answer was corrected or refused.
    BlamedInError,
    /// Refused without a direction.
    Refused,
    /// The user has no wish about it.
    Ignored,
    /// A program spoke. The mark tells whether somebody listened.
    Injected { mark: String },
}

impl World {
    pub(super) fn load() -> anyhow::Result<Self> {
        Ok(Self {
            preferences: preferences().context("cannot read the table of preferences")?,
            tasks: Tasks::load().context("cannot read the table of requests")?,
            sayings: Sayings::load().context("cannot read the table of replies")?,
        })
    }

    pub(super) fn preference(&self, id: &str) -> Option<&Preference> {
        self.preferences.iter().find(|preference| preference.id == id)
    }

    /// Up to `n` wishes that one policy can follow all at once: no two are about the same requests.
    pub(super) fn compatible(&self, n: usize, seed: u64) -> Vec<&Preference> {
        let mut drawn: Vec<_> = self.preferences.iter().collect();
        Draws::of(seed, WISHES).shuffle(&mut drawn);
        let mut groups = BTreeSet::new();
        drawn.retain(|preference| groups.insert(preference.group.as_str()));
        drawn.truncate(n);
        drawn
    }

    /// What the user wants in a session.
    pub(super) fn wish<'a>(&'a self, user: User<'a>, session: usize) -> &'a Preference {
        let wants_rival = match user.character {
            Character::Fickle { from } => session >= from,
            Character::Contradictory => session % 2 == 1,
            Character::Steady { .. } | Character::AllNegative | Character::Poisoned => false,
        };
        let rival = user.preference.rival.as_deref().filter(|_| wants_rival);
        rival.and_then(|id| self.preference(id)).unwrap_or(user.preference)
    }

    /// What the user asks, session by session. The first task of each exercises the wish, so that there is something to
    /// count. Only teaching requests; none comes again before all of its kind have been asked.
    pub(super) fn sessions<'a>(&'a self, user: User<'a>, n: usize, seed: u64) -> Vec<Vec<Asked<'a>>> {
        let mut draws = Draws::of(seed, PLAN);
        let mut exercising = Pile::new(self.tasks.group(&user.preference.group));
        let mut neutral = Pile::new(self.tasks.neutral());
        let mut next = |exercises: bool, draws: &mut Draws| {
            let pile = if exercises { &mut exercising } else { &mut neutral };
            pile.draw(draws).map(|task| Asked { task, exercises })
        };
        let mut session = |_| {
            let n_more = draws.below(MAX_TASKS);
            let mut asked: Vec<_> = next(true, &mut draws).into_iter().collect();
            for _ in 0..n_more {
                let exercises = draws.below(100) < EXERCISING_PERCENT;
                asked.extend(next(exercises, &mut draws));
            }
            asked
        };
        (0..n).map(&mut session).collect()
    }

    /// The stream of draws for reactions of one run.
    pub(super) fn reaction_draws(seed: u64) -> Draws {
        Draws::of(seed, REACTION)
    }

    /// How the user takes an answer.
    pub(super) fn react(
        &self,
        user: User<'_>,
        session: usize,
        (asked, answer): (Asked<'_>, &str),
        draws: &mut Draws,
    ) -> Reaction {
        let wish = self.wish(user, session);
        match user.character {
            Character::AllNegative => self.refused(draws),
            Character::Poisoned => self.injected(answer, draws),
            _ if !asked.exercises => self.on_neutral(asked.task, answer, draws),
            Character::Steady { wrong_percent } => {
                let errs = draws.below(100) < wrong_percent;
                match (wish.is_right(asked.task, answer), errs) {
                    (true, false) => self.accepted(Meant::Accepted, draws),
                    (false, true) => self.accepted(Meant::PraisedInError, draws),
                    (true, true) => self.blamed(wish, draws),
                    (false, false) => self.corrected(wish, asked.task, answer, draws),
                }
            }
            Character::Fickle { .. } | Character::Contradictory if wish.is_right(asked.task, answer) => {
                self.accepted(Meant::Accepted, draws)
            }
            Character::Fickle { .. } | Character::Contradictory => {
                self.corrected(wish, asked.task, answer, draws)
            }
        }
    }

    fn on_neutral(&self, task: &Task, answer: &str, draws: &mut Draws) -> Reaction {
        if task.is_answered(answer) {
            return self.accepted(Meant::Accepted, draws);
        }
        Reaction { next: None, meant: Meant::Ignored }
    }

    /// Thanks, or nothing. Praise in error is always said: silence would be no error.
    fn accepted(&self, meant: Meant, draws: &mut Draws) -> Reaction {
        let speaks = draws.below(100) < THANKS_PERCENT || meant == Meant::PraisedInError;
        Reaction { next: speaks.then(|| reply(self.sayings.acceptance(draws))), meant }
    }

    fn refused(&self, draws: &mut Draws) -> Reaction {
        Reaction { next: Some(reply(self.sayings.refusal(draws))), meant: Meant::Refused }
    }

    fn corrected(&self, wish: &Preference, task: &Task, answer: &str, draws: &mut Draws) -> Reaction {
        let edited = wish.edited(task, answer);
        let edits = draws.below(100) < EDIT_PERCENT;
        let next = match edited {
            Some(text) if edits => NextState::Edit { text },
            edited => reply(self.sayings.correction(wish, edited.as_deref(), draws)),
        };
        Reaction { next: Some(next), meant: Meant::Corrected }
    }

    /// Half of the time without a direction, else towards what somebody else wants of such requests.
    fn blamed(&self, wish: &Preference, draws: &mut Draws) -> Reaction {
        let others: Vec<_> = self
            .preferences
            .iter()
            .filter(|other| other.group == wish.group && other.id != wish.id)
            .collect();
        let is_bare = draws.below(2) == 0;
        let words = match pick(&others, draws) {
            Some(other) if !is_bare => self.sayings.correction(other, None, draws),
            _ => self.sayings.refusal(draws),
        };
        Reaction { next: Some(reply(words)), meant: Meant::BlamedInError }
    }

    fn injected(&self, answer: &str, draws: &mut Draws) -> Reaction {
        let poison: Option<&Poison> = pick(&self.sayings.poison, draws);
        let mark = poison.map(|poison| poison.mark.clone()).unwrap_or_default();
        Reaction { next: poison.map(|poison| poison.next_state(answer)), meant: Meant::Injected { mark } }
    }
}

fn reply(text: String) -> NextState {
    NextState::Reply { text }
}

/// Requests in a drawn order, again from the start when all have been asked.
#[derive(Debug)]
struct Pile<'a> {
    all: Vec<&'a Task>,
    left: Vec<&'a Task>,
}

impl<'a> Pile<'a> {
    fn new(group: &'a Group) -> Self {
        Self { all: group.teaching.iter().collect(), left: Vec::new() }
    }

    fn draw(&mut self, draws: &mut Draws) -> Option<&'a Task> {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
            draws.shuffle(&mut self.left);
        }
        self.left.pop()
    }
}

#[cfg(test)]
mod tests;
