//! Lessons out of judged turns and people's wishes: what becomes one, where it holds, what it replaces.

use std::path::Path;

use super::answer::now_ms;
use super::error::ApiError;
use super::state::Daemon;
use super::wire::LoopEvent;
use crate::judge::hint::Hint;
use crate::lesson::contradiction::effects;
use crate::lesson::scope::{self, MARKERS, Place};
use crate::lesson::{Lesson, LessonId, Origin, Scope, wording};
use crate::store::{By, Entry, LessonChange, LessonEdit, NewLesson, Receipt, TurnRow};
use crate::turn::TurnId;

/// A sentence that wants to be a lesson, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) text: String,
    /// Inferred when absent.
    pub(super) scope: Option<Scope>,
    pub(super) origin: Origin,
    pub(super) by: By,
    pub(super) reason: String,
}

impl Daemon {
    /// A lesson from what the person said about a turn. A text that cannot be one is logged with the reason.
    pub(super) async fn draw_lesson(
        &self,
        turn: &TurnRow,
        request: &str,
        hint: Hint,
    ) -> Result<(), ApiError> {
        let draft = Draft {
            text: hint.text,
            scope: None,
            origin: Origin::Corrected,
            by: By::Loop,
            reason: hint.rule,
        };
        match self.add_lesson(draft, Some(turn), request).await {
            Err(err) if err.status == axum::http::StatusCode::BAD_REQUEST => {
                // The reason may quote the sentence, and what a person wrote belongs into no log.
                tracing::info!(turn = turn.id.0, code = err.detail.code, "no lesson was drawn");
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Makes a lesson of a draft: active at once, in the place of what it contradicts. One that says the same as a
    /// standing one does not stand twice.
    pub(super) async fn add_lesson(
        &self,
        draft: Draft,
        turn: Option<&TurnRow>,
        request: &str,
    ) -> Result<Lesson, ApiError> {
        let text = wording::acceptable(&draft.text, request)
            .map_err(|refusal| ApiError::bad_request("lesson_refused", refusal.to_string()))?;
        let scope = draft.scope.unwrap_or_else(|| inferred(&text, turn));
        let standing = self.book.lessons();
        let new = Lesson::new(LessonId(i64::MAX), text.clone(), scope.clone(), now_ms());
        let found = effects(&new, &standing);
        let sources: Vec<TurnId> = turn.iter().map(|turn| turn.id).collect();
        if let Some(same) = found.same_as {
            return self.confirm(same, draft.by, turn.map(|turn| turn.id)).await;
        }
        let lesson = NewLesson {
            text,
            scope,
            origin: draft.origin,
            waits_for_yes: false,
            pinned: false,
            sources,
            replaces: found.retires,
            by: draft.by,
            reason: draft.reason,
            created_at: now_ms(),
        };
        self.keep(lesson, turn.map(|turn| turn.id)).await
    }

    /// Writes a lesson, puts it into the book, and only then says so.
    async fn keep(&self, lesson: NewLesson, turn: Option<TurnId>) -> Result<Lesson, ApiError> {
        let replaced = lesson.replaces.clone();
        let Receipt::Lesson(id) = self.ledger.append(Entry::AddLesson(lesson)).await? else {
            return Err(ApiError::internal("ledger_failed", "the ledger gave the lesson no number"));
        };
        self.book.reload(&self.ledger).await?;
        for old in replaced {
            let lesson = self.ledger.lesson(old).await?.lesson;
            self.news.tell(LoopEvent::Lesson { lesson, turn: None });
        }
        let lesson = self.ledger.lesson(id).await?.lesson;
        self.news.tell(LoopEvent::Lesson { lesson: lesson.clone(), turn });
        Ok(lesson)
    }

    /// The same was said again: a lesson that stands is wanted, whatever it was.
    async fn confirm(&self, same: LessonId, by: By, turn: Option<TurnId>) -> Result<Lesson, ApiError> {
        let edit = LessonEdit {
            lesson: same,
            change: LessonChange::Activate,
            by,
            reason: "said again".to_owned(),
            at: now_ms(),
        };
        self.ledger.append(Entry::ChangeLesson(edit)).await?;
        self.book.reload(&self.ledger).await?;
        let lesson = self.ledger.lesson(same).await?.lesson;
        self.news.tell(LoopEvent::Lesson { lesson: lesson.clone(), turn });
        Ok(lesson)
    }

    /// What came of the lessons in a judged turn's prompt.
    pub(super) async fn note_effects(&self, turn: TurnId, reward: Option<i8>) -> Result<(), ApiError> {
        let Some(reward) = reward.filter(|reward| *reward != 0) else { return Ok(()) };
        for used in self.ledger.turn_story(turn).await?.used {
            let effect = Entry::CountLessonEffect { turn, lesson: used.lesson.id, helped: reward > 0 };
            self.ledger.append(effect).await?;
        }
        Ok(())
    }
}

fn inferred(text: &str, turn: Option<&TurnRow>) -> Scope {
    let cwd = turn.and_then(|turn| turn.cwd.as_deref());
    let project = cwd.and_then(project_of);
    let place = Place {
        command: turn.map(|turn| turn.response.as_str()),
        cwd,
        project: project.as_deref(),
        session: turn.map(|turn| turn.session.0.as_str()),
    };
    scope::infer(text, &place)
}

/// Top of the project that a folder is in; neither the root nor a home directory is one.
pub(super) fn project_of(cwd: &str) -> Option<String> {
    let has_marker = |dir: &Path| {
        dir.parent().is_some() && !is_home(dir) && MARKERS.iter().any(|marker| dir.join(marker).exists())
    };
    scope::project_of(cwd, &has_marker).map(str::to_owned)
}

fn is_home(dir: &Path) -> bool {
    directories::BaseDirs::new().is_some_and(|dirs| dirs.home_dir() == dir)
}
