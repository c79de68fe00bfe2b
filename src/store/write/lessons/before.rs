//! A lesson as it stood before a change: kept with the change, so that a person can take it back.

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::{index_words, unindex_words};
use crate::lesson::LessonId;
use crate::store::write::runs::held_now;

/// The columns that changes touch, and the versions that hold the lesson.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store::write) struct Before {
    text: String,
    scope: String,
    scope_of: Option<String>,
    state: String,
    in_version: Option<u32>,
    retired_by: Option<i64>,
    pinned: bool,
    learned: Vec<u32>,
}

impl Before {
    pub(in crate::store::write) fn read(tx: &Transaction<'_>, lesson: LessonId) -> rusqlite::Result<Self> {
        let learned = tx
            .prepare_cached("SELECT version FROM learned WHERE lesson = ?1 ORDER BY version")?
            .query_map([lesson.0], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        tx.prepare_cached(
            "SELECT text, scope, scope_of, state, in_version, retired_by, pinned FROM lesson WHERE id = ?1",
        )?
        .query_row([lesson.0], |row| {
            Ok(Self {
                text: row.get("text")?,
                scope: row.get("scope")?,
                scope_of: row.get("scope_of")?,
                state: row.get("state")?,
                in_version: row.get("in_version")?,
                retired_by: row.get("retired_by")?,
                pinned: row.get("pinned")?,
                learned,
            })
        })
    }

    /// As it was; where the weights that served then serve no longer, a lesson that they held is active.
    pub(in crate::store::write) fn restore(
        &self,
        tx: &Transaction<'_>,
        lesson: LessonId,
    ) -> rusqlite::Result<()> {
        let now = Self::read(tx, lesson)?;
        if now.text != self.text {
            unindex_words(tx, lesson, &now.text)?;
            index_words(tx, lesson, &self.text)?;
        }
        for version in &self.learned {
            tx.prepare_cached(
                "INSERT INTO learned (version, lesson) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![version, lesson.0])?;
        }
        let is_lost = match self.in_version {
            Some(version) => !held_now(tx, version)?,
            None => false,
        };
        let (state, in_version) =
            if is_lost { ("active", None) } else { (self.state.as_str(), self.in_version) };
        // Its successor may have been forgotten meanwhile.
        tx.prepare_cached(
            "UPDATE lesson SET text = ?2, scope = ?3, scope_of = ?4, state = ?5, in_version = ?6,
                    retired_by = (SELECT other.id FROM lesson AS other WHERE other.id = ?7), pinned = ?8
              WHERE id = ?1",
        )?
        .execute(params![
            lesson.0,
            self.text,
            self.scope,
            self.scope_of,
            state,
            in_version,
            self.retired_by,
            self.pinned
        ])?;
        Ok(())
    }
}
