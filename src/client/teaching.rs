//! Calls through which people teach: ratings, lessons, and what is known of a turn.

use super::call::{self, Call};
use super::{Client, ClientError, escaped, launch};
use crate::daemon::wire::{
    ChangeLesson, Lesson, LessonChanged, LessonId, LessonList, LessonStory, Rate, StateKind, Teach, TurnStory,
};
use crate::turn::TurnId;
use crate::turn::next_state::NextState;

impl Client {
    /// Everything that is known of a turn, from what was said to which version learned it.
    pub fn why(&self, turn: TurnId) -> Result<TurnStory, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/turns/{}/why", turn.0)))
    }

    /// The user's own judgement of an answer.
    pub fn rate(&self, turn: TurnId, rate: &Rate) -> Result<TurnStory, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/turns/{}/rating", turn.0), rate)?)
    }

    /// What followed an answer.
    pub fn tell_next_state(&self, turn: TurnId, state: &NextState) -> Result<TurnStory, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/turns/{}/next-states", turn.0), state)?)
    }

    /// Lessons in a state, or all, that contain all words of `query`; newest first.
    pub fn lessons(
        &self,
        state: Option<StateKind>,
        query: &str,
        limit: usize,
    ) -> Result<LessonList, ClientError> {
        let word = state.and_then(|state| serde_json::to_value(state).ok());
        let state = word.as_ref().and_then(|word| word.as_str());
        let state = state.map(|state| format!("&state={state}")).unwrap_or_default();
        let query = escaped(query);
        self.ask(&Call::get(&format!("/chela/v1/lessons?limit={limit}&query={query}{state}")))
    }

    /// One lesson with its history and its uses.
    pub fn lesson(&self, lesson: LessonId) -> Result<LessonStory, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/lessons/{}", lesson.0)))
    }

    /// A lesson in the user's own words; it holds from the next prompt on.
    pub fn teach(&self, lesson: &Teach) -> Result<Lesson, ClientError> {
        self.tell(&Call::post("/chela/v1/lessons", lesson)?)
    }

    pub fn change_lesson(
        &self,
        lesson: LessonId,
        change: &ChangeLesson,
    ) -> Result<LessonChanged, ClientError> {
        self.tell(&Call::post(&format!("/chela/v1/lessons/{}", lesson.0), change)?)
    }

    /// Like `ask`, but never twice: what was said once would be written down twice.
    pub(super) fn tell<T: serde::de::DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        launch::ensure(&self.paths, &self.launcher)?;
        call::send(&self.paths.socket(), call)?.read()
    }
}
