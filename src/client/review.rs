//! Calls of the review pane.

use super::call::Call;
use super::looking::parameters;
use super::{Client, ClientError};
use crate::daemon::wire::credit::{Credit, WeighTokens};
use crate::daemon::wire::review::{
    AnswerNow, AnsweredNow, Exclude, Excluded, ReviewPage, ReviewQuery, RewordHint, UndoLesson, UndoNoted,
};
use crate::daemon::wire::{LearnNow, LearnWish, LessonChanged, LessonId, TurnStory};
use crate::turn::TurnId;

impl Client {
    /// A part of the review pane's list, newest first.
    pub fn review(&self, query: &ReviewQuery) -> Result<ReviewPage, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/review?{}", parameters(query))))
    }

    /// Takes a change of a lesson back, if nothing changed since.
    pub fn undo_lesson(&self, lesson: LessonId, event: i64) -> Result<LessonChanged, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/lessons/{}/undo", lesson.0), &UndoLesson { event })?)
    }

    /// What should have been done in a turn, in the user's words.
    pub fn reword_hint(&self, turn: TurnId, hint: Option<String>) -> Result<TurnStory, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/turns/{}/hint", turn.0), &RewordHint { hint })?)
    }

    /// Takes back a hint that was worded at this moment.
    pub fn undo_hint(&self, turn: TurnId, at: i64) -> Result<TurnStory, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/turns/{}/hint/undo", turn.0), &UndoNoted { at })?)
    }

    /// Takes back a rating of this moment, with what was concluded from it.
    pub fn undo_rating(&self, turn: TurnId, at: i64) -> Result<TurnStory, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/turns/{}/rating/undo", turn.0), &UndoNoted { at })?)
    }

    /// Takes something out of learning, or back into it.
    pub fn exclude(&self, what: Excluded, excluded: bool) -> Result<Exclude, ClientError> {
        self.tell(&Call::post("/chela/v1/exclusions", &Exclude { what, excluded })?)
    }

    /// What is answered now to what was asked then. Nothing of it is recorded.
    pub fn answer_now(&self, wish: AnswerNow) -> Result<AnsweredNow, ClientError> {
        self.ask(&Call::post("/chela/v1/review/answer", &wish)?)
    }

    /// How much each token of an answer would count in learning; by `lesson`, or by what the turn itself taught.
    pub fn credit(&self, turn: TurnId, lesson: Option<LessonId>) -> Result<Credit, ClientError> {
        self.ask(&Call::post(&format!("/chela/v1/turns/{}/credit", turn.0), &WeighTokens { lesson })?)
    }

    /// Begins a round of learning; `anew`: from the base on, so that the weights lose what was taken back.
    pub fn learn_again(&self, anew: bool) -> Result<LearnNow, ClientError> {
        self.tell(&Call::post("/chela/v1/learn/now", &LearnWish { anew })?)
    }
}
