//! Calls that take things back.

use super::call::Call;
use super::{Client, ClientError};
use crate::daemon::wire::forgetting::{AnswerUnrecorded, Forget, Forgotten, UnrecordedAnswers};
use crate::turn::Message;

impl Client {
    /// Takes lessons and turns out of everything; or says what would go.
    pub fn forget(&self, wish: &Forget) -> Result<Forgotten, ClientError> {
        self.tell(&Call::post("/chela/v1/forget", wish)?)
    }

    /// What the version that serves answers to these prompts, greedily, without lessons; at most 16. Nothing of it is
    /// recorded.
    pub fn answer_unrecorded(&self, prompts: Vec<Vec<Message>>) -> Result<UnrecordedAnswers, ClientError> {
        self.ask(&Call::post("/chela/v1/forget/answers", &AnswerUnrecorded { prompts })?)
    }
}
