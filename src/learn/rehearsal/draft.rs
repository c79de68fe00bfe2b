//! A prompt on its way into a plan.

use super::{Past, PromptOrigin, request};
use crate::turn::{Message, Role, plain_request};

/// A prompt that may enter the plan.
pub(super) struct Draft<'a> {
    pub(super) messages: Vec<Message>,
    pub(super) origin: PromptOrigin,
    /// The turn whose session and project it counts for.
    pub(super) past: Option<&'a Past>,
}

impl<'a> Draft<'a> {
    pub(super) fn of(past: &'a Past, origin: PromptOrigin) -> Self {
        Self { messages: past.messages.clone(), origin, past: Some(past) }
    }

    pub(super) fn plain(system: &str, text: &str) -> Self {
        Self { messages: plain_request(system, text), origin: PromptOrigin::Everyday, past: None }
    }

    /// The same prompt with another last request.
    pub(super) fn asking(mut self, text: &str) -> Self {
        if let Some(last) = self.messages.iter_mut().rev().find(|message| message.role == Role::User) {
            text.clone_into(&mut last.content);
        }
        self
    }

    pub(super) fn asked(&self) -> &str {
        request(&self.messages)
    }
}
