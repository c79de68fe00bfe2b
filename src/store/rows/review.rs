//! Rows of the review pane's list: turns with what was concluded and learned from them, and lessons without a turn.

use serde::{Deserialize, Serialize};

use crate::lesson::{LessonId, Scope, State};
use crate::turn::{PolicyVersion, SessionId, Source, TurnId};

/// A turn, once for each lesson that was drawn from it; or a lesson that was drawn from none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewRow {
    /// Unix milliseconds.
    pub at: i64,
    /// `None`: the lesson was taught by itself.
    pub turn: Option<TurnId>,
    pub lesson: Option<LessonId>,
    pub session: Option<SessionId>,
    pub source: Option<Source>,
    /// Where it was asked, or where the lesson holds.
    pub folder: Option<String>,
    /// The beginning of what was asked.
    pub request: String,
    /// A verdict says so; `None`: it abstained, or there is none.
    pub reward: Option<i8>,
    /// Of the verdict; `None`: there is none.
    pub rule: Option<String>,
    pub hint: Option<String>,
    /// The lesson's text, scope and pin.
    pub text: Option<String>,
    pub scope: Option<Scope>,
    #[serde(default)]
    pub pinned: bool,
    pub state: ReviewState,
    /// A person took the turn, its session or its project out of learning. Its lessons stand where they stood.
    #[serde(default)]
    pub is_excluded: bool,
}

impl ReviewRow {
    /// Of this moment, and with nothing in it.
    pub fn empty(at: i64) -> Self {
        Self {
            at,
            turn: None,
            lesson: None,
            session: None,
            source: None,
            folder: None,
            request: String::new(),
            reward: None,
            rule: None,
            hint: None,
            text: None,
            scope: None,
            pinned: false,
            state: ReviewState::None,
            is_excluded: false,
        }
    }

    /// Whether somebody who looks for this state means the row.
    pub fn is_in(&self, state: ReviewWord) -> bool {
        self.state.is_called(state, self.is_excluded)
    }
}

/// Where a row stands: its lesson, or else its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "in_version", rename_all = "snake_case")]
pub enum ReviewState {
    Proposed,
    Active,
    Learned(PolicyVersion),
    Retired,
    Pruned,
    /// A person took the turn, its session or its project out of learning, and no lesson was drawn from it.
    Excluded,
    /// Something followed the turn that no verdict has looked at.
    Waiting,
    /// Nothing was made of the turn.
    None,
}

impl From<State> for ReviewState {
    fn from(state: State) -> Self {
        match state {
            State::Proposed => Self::Proposed,
            State::Active => Self::Active,
            State::Learned(version) => Self::Learned(version),
            State::Retired => Self::Retired,
            State::Pruned => Self::Pruned,
        }
    }
}

impl ReviewState {
    /// Whether somebody who looks for this word means it. What is excluded is that beside its own state.
    pub fn is_called(self, word: ReviewWord, is_excluded: bool) -> bool {
        self.word() == word || (is_excluded && word == ReviewWord::Excluded)
    }

    /// The state as people type it to look for it.
    pub fn word(self) -> ReviewWord {
        match self {
            Self::Proposed => ReviewWord::Proposed,
            Self::Active => ReviewWord::Active,
            Self::Learned(_) => ReviewWord::Learned,
            Self::Retired => ReviewWord::Retired,
            Self::Pruned => ReviewWord::Pruned,
            Self::Excluded => ReviewWord::Excluded,
            Self::Waiting => ReviewWord::Waiting,
            Self::None => ReviewWord::None,
        }
    }
}

/// [`ReviewState`] without the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewWord {
    Proposed,
    Active,
    Learned,
    Retired,
    Pruned,
    Excluded,
    Waiting,
    None,
}

/// Where the next page begins: below these. `None`: from the newest on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewCursor {
    pub turn: Option<TurnId>,
    pub lesson: Option<LessonId>,
}

/// A part of the list, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewPage {
    pub rows: Vec<ReviewRow>,
    /// `None`: there is nothing below. A page that is not full has a next one where the search was long.
    pub next: Option<ReviewCursor>,
    /// How far back was looked, in Unix milliseconds; `None`: to the end.
    pub looked_to: Option<i64>,
}
