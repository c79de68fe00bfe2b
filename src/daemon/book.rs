//! The lessons in force, kept in memory for the next prompt, and what a prompt gets of them.
//!
//! What always holds: a lesson is in the ledger before it is in the book, and in the book before the person is told;
//! what a version of the policy has learned is left out of its own prompts only.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::error::ApiError;
use super::ledger::Ledger;
use crate::lesson::prompt::messages_with_lessons;
use crate::lesson::relevance::{Asked, Index, Limits};
use crate::lesson::{Lesson, LessonId};
use crate::turn::{Message, PolicyVersion, Role};

/// Four bytes a token is a little less than texts have: the bound errs towards fewer lessons.
const BYTES_PER_TOKEN: usize = 4;

pub(super) struct Book {
    index: RwLock<Arc<Index>>,
    /// One after the other: what was read first must not be written last.
    reloading: Mutex<()>,
}

/// What a request says that lessons are chosen by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) messages: &'a [Message],
    pub(super) cwd: Option<&'a str>,
    pub(super) session: &'a str,
    pub(super) serving: PolicyVersion,
    pub(super) lineage: &'a [PolicyVersion],
}

impl Book {
    pub(super) fn new() -> Self {
        Self { index: RwLock::new(Arc::new(Index::new(&[]))), reloading: Mutex::new(()) }
    }

    /// Reads all lessons in force. After this every prompt begun sees them.
    pub(super) async fn reload(&self, ledger: &Ledger) -> Result<(), ApiError> {
        let _in_turn = self.reloading.lock().await;
        let lessons = ledger.lessons_in_force().await?;
        let index = Arc::new(Index::new(&lessons));
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        Ok(())
    }

    pub(super) fn lessons(&self) -> Vec<Lesson> {
        self.index().lessons().to_vec()
    }

    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lessons that fit, best first.
    pub(super) fn choose(&self, wanted: &Wanted<'_>) -> Vec<Lesson> {
        let said = wanted.messages.iter().rfind(|message| message.role == Role::User);
        let asked = Asked {
            text: said.map_or("", |message| &message.content),
            cwd: wanted.cwd,
            session: Some(wanted.session),
            serving: wanted.serving,
            lineage: wanted.lineage,
            similarity: None,
        };
        let n_tokens = |text: &str| text.len().div_ceil(BYTES_PER_TOKEN);
        let index = self.index();
        let choice = index.relevant(&asked, Limits::usual(&n_tokens));
        if choice.n_left_out > 0 {
            tracing::info!(n_left_out = choice.n_left_out, "relevant lessons had no room in the prompt");
        }
        choice.chosen.into_iter().map(|chosen| chosen.lesson.clone()).collect()
    }
}

/// The messages with these lessons in the system's.
pub(super) fn with_system(messages: &[Message], lessons: &[Lesson]) -> Vec<Message> {
    let texts: Vec<&str> = lessons.iter().map(|lesson| lesson.text.as_str()).collect();
    messages_with_lessons(messages, &texts)
}

/// As the answer names them.
pub(super) fn ids(lessons: &[Lesson]) -> Vec<LessonId> {
    lessons.iter().map(|lesson| lesson.id).collect()
}
