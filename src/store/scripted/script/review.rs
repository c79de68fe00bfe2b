//! The twin's share of the review pane.

use super::{Script, ScriptedLesson};
use crate::lesson::LessonId;
use crate::store::{Excluded, ReviewEdit, StoreError};
use crate::turn::PolicyVersion;

impl Script {
    pub(super) fn review(&mut self, edit: &ReviewEdit) -> Result<(), StoreError> {
        match edit {
            ReviewEdit::Exclude { what, .. } => self.exclude(what),
            ReviewEdit::Include { what } => {
                let was = self.excluded.remove(&written(what));
                if was { Ok(()) } else { Err(StoreError::NotExcluded(what.clone())) }
            }
            ReviewEdit::UndoLesson { lesson, event, .. } => self.undo_lesson(*lesson, *event),
            ReviewEdit::RewordHint { turn, at, .. } => {
                self.check_turn(*turn)?;
                let verdicts = self.verdicts.get_mut(turn).filter(|verdicts| !verdicts.is_empty());
                verdicts.ok_or(StoreError::NoVerdict(turn.0))?.push(*at);
                Ok(())
            }
            ReviewEdit::UndoHint { turn, at } => {
                let newest =
                    self.verdicts.get_mut(turn).and_then(|verdicts| verdicts.pop_if(|one| one == at));
                newest.map(drop).ok_or(StoreError::TurnMoved(turn.0))
            }
            ReviewEdit::UndoRating { turn, at } => {
                let followed = self.followed.get_mut(turn);
                let last = followed.and_then(|states| states.pop_if(|one| *one == (true, *at)));
                last.map(drop).ok_or(StoreError::TurnMoved(turn.0))
            }
        }
    }

    fn exclude(&mut self, what: &Excluded) -> Result<(), StoreError> {
        match what {
            Excluded::Turn(turn) => self.check_turn(*turn)?,
            Excluded::Session(session) => self.check_session(session)?,
            Excluded::Project(_) => {}
        }
        let is_new = self.excluded.insert(written(what));
        if is_new { Ok(()) } else { Err(StoreError::Excluded(what.clone())) }
    }

    fn undo_lesson(&mut self, lesson: LessonId, event: i64) -> Result<(), StoreError> {
        let now = self.lesson(lesson)?.clone();
        if i64::try_from(now.newest_event) != Ok(event) {
            return Err(StoreError::LessonMoved(lesson.0));
        }
        let before = now.before.clone().ok_or(StoreError::NotKept(lesson.0))?;
        let held = before.learned_in.filter(|version| self.is_held_now(*version));
        let restored = self.lesson(lesson)?;
        restored.is_in_force = before.is_in_force;
        restored.versions.extend(before.versions);
        restored.learned_in = held;
        self.touch(lesson);
        self.keep_before(lesson, now);
        Ok(())
    }

    fn is_held_now(&self, version: PolicyVersion) -> bool {
        let run = self.runs.values().find(|run| run.candidate == Some(version));
        run.is_some_and(|run| self.lineage(self.serving(&run.base)).contains(&version))
    }

    /// Of a change that can be taken back.
    pub(super) fn keep_before(&mut self, lesson: LessonId, before: ScriptedLesson) {
        if let Some(lesson) = self.lessons.get_mut(&lesson) {
            lesson.before = Some(Box::new(ScriptedLesson { before: None, ..before }));
        }
    }
}

/// As the ledger writes it.
fn written(what: &Excluded) -> Excluded {
    match what {
        Excluded::Project(folder) => Excluded::Project(folder.trim_end_matches('/').to_owned()),
        other => other.clone(),
    }
}
