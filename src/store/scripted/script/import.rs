//! What the twin remembers of an import.

use super::{Script, ScriptedLesson, next_id};
use crate::lesson::{LessonId, State};
use crate::store::{ImportLesson, ImportTurn, Receipt, StoreError};
use crate::turn::TurnId;
use crate::turn::next_state::NextState;

impl Script {
    pub(super) fn import_turn(&mut self, import: &ImportTurn) -> Result<Receipt, StoreError> {
        let turn = &import.record.turn;
        if turn.ending.is_none() {
            return Err(StoreError::StillRunning);
        }
        if turn.is_forgotten() {
            return Err(StoreError::Empty);
        }
        let key =
            format!("{:?}", (&turn.session, turn.kind, turn.started_at, &turn.messages, &turn.response));
        if let Some(known) = self.imported_turns.get(&key) {
            return Ok(Receipt::KnownTurn(*known));
        }
        let id = TurnId(next_id(self.n_turns));
        if import.dry_run {
            return Ok(Receipt::Turn(id));
        }
        self.n_turns += 1;
        self.sessions.insert(turn.session.clone());
        self.turns.insert(id, false);
        self.parents
            .extend(turn.parent.filter(|parent| self.turns.contains_key(parent)).map(|parent| (id, parent)));
        let states = import.record.next_states.iter();
        let followed = states.map(|row| (matches!(row.state, NextState::Rating { .. }), row.at)).collect();
        self.followed.insert(id, followed);
        self.verdicts.insert(id, import.record.verdicts.iter().map(|row| row.judged_at).collect());
        self.imported_turns.insert(key, id);
        Ok(Receipt::Turn(id))
    }

    pub(super) fn import_lesson(&mut self, import: &ImportLesson) -> Result<Receipt, StoreError> {
        let lesson = &import.story.lesson;
        let key = format!("{:?}", (&lesson.scope, &lesson.text));
        if let Some(known) = self.imported_lessons.get(&key) {
            return Ok(Receipt::KnownLesson(*known));
        }
        let id = LessonId(self.n_lessons + 1);
        if import.dry_run {
            return Ok(Receipt::Lesson(id));
        }
        self.n_lessons += 1;
        let is_in_force =
            matches!(lesson.state, State::Active | State::Learned(_)) && import.replaced_by.is_none();
        self.lessons.insert(id, ScriptedLesson { is_in_force, ..ScriptedLesson::default() });
        self.touch(id);
        for old in &import.replaces {
            self.lesson(*old)?.retire();
            self.touch(*old);
        }
        self.imported_lessons.insert(key, id);
        Ok(Receipt::Lesson(id))
    }
}
