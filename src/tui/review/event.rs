//! What can happen to the pane, what it can ask for, and the steps that change something.

use std::path::PathBuf;

use crossterm::event::KeyEvent;

use crate::daemon::wire::credit::Credit;
use crate::daemon::wire::looking::LoopStats;
use crate::daemon::wire::review::{AnswerNow, AnsweredNow, Excluded, ReviewPage, ReviewQuery, ReviewRow};
use crate::daemon::wire::{LearnStatus, LessonId, LessonStory, LessonWish, LoopEvent, TurnStory};
use crate::tui::mouse::Mouse;
use crate::tui::surface::Size;
use crate::turn::{PolicyVersion, TurnId};

/// Which row: a turn with one of its lessons, a turn, or a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub turn: Option<TurnId>,
    pub lesson: Option<LessonId>,
}

impl Key {
    pub fn of(row: &ReviewRow) -> Self {
        Self { turn: row.turn, lesson: row.lesson }
    }
}

#[derive(Debug)]
pub enum Event {
    Key(KeyEvent),
    Mouse(Mouse),
    Paste(String),
    Resize(Size),
    /// A part of the list came. `ticket` is its question's.
    Page {
        ticket: u64,
        outcome: Result<ReviewPage, String>,
    },
    Story {
        key: Key,
        outcome: Result<Box<Story>, String>,
    },
    /// What came of [`Effect::Do`] or [`Effect::Undo`].
    Done(Done),
    Answered {
        key: Key,
        way: Way,
        outcome: Result<AnsweredNow, String>,
    },
    /// What came of [`Effect::Weigh`].
    Weighed {
        key: Key,
        outcome: Result<Box<Credit>, String>,
    },
    Head(Result<Box<Head>, String>),
    /// The figures of the dashboard.
    Stats(Result<Box<LoopStats>, String>),
    /// A round was asked for.
    Learning(Result<String, String>),
    Exported(Result<(PathBuf, usize), String>),
    /// What the editor left.
    Edited(Result<String, String>),
    News(Box<LoopEvent>),
    /// The daemon does not tell news any more.
    Silence,
    /// A sentence from a thread that has nothing else to say.
    Trouble(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Load {
        ticket: u64,
        query: Box<ReviewQuery>,
    },
    LoadStory(Key),
    LoadHead,
    LoadStats,
    /// In this order, until one is refused.
    Do {
        what: String,
        steps: Vec<Step>,
    },
    /// What was done last.
    Undo {
        what: String,
        steps: Vec<Step>,
    },
    Ask {
        key: Key,
        way: Way,
        wish: AnswerNow,
    },
    /// How each token of the answer would count.
    Weigh {
        key: Key,
        turn: TurnId,
        lesson: Option<LessonId>,
    },
    Export {
        path: PathBuf,
        keys: Vec<Key>,
    },
    Learn {
        anew: bool,
    },
    OpenEditor(String),
    /// Takes the mouse, or lets the terminal have it.
    Mouse(bool),
    Suspend,
    Redraw,
    Quit,
}

/// One call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Lesson { lesson: LessonId, wish: LessonWish },
    UndoLesson { lesson: LessonId, event: i64 },
    Rate { turn: TurnId, good: bool },
    UndoRating { turn: TurnId, at: i64 },
    Hint { turn: TurnId, hint: Option<String> },
    UndoHint { turn: TurnId, at: i64 },
    Exclude { what: Excluded, excluded: bool },
}

/// What came of several steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What was wanted, in words.
    pub what: String,
    pub is_undo: bool,
    /// How each step that was done is taken back, last one first; a step that changed nothing is in none.
    pub back: Vec<Step>,
    /// Steps that were not done.
    pub left: Vec<Step>,
    /// Why; the daemon's sentence.
    pub trouble: Option<String>,
    /// The daemon said no, and would again.
    pub is_refused: bool,
}

/// Everything about a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Story {
    pub turn: Option<TurnStory>,
    pub lesson: Option<LessonStory>,
}

/// How something is answered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The base, no lesson.
    Base,
    /// The base with the lessons that fit.
    Lessons,
    /// The version that serves, no lesson: what the weights hold.
    Adapter(PolicyVersion),
}

/// What stands above the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub serving: PolicyVersion,
    pub learning: LearnStatus,
}
