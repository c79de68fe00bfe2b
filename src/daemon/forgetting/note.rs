//! What is to go, in numbers: written down before anything goes, and taken away when all of it went.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failed;
use crate::config::disk;
use crate::daemon::error::ApiError;
use crate::daemon::state::Daemon;
use crate::lesson::LessonId;
use crate::store::Words;
use crate::turn::{PolicyVersion, TurnId};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    pub(super) lessons: Vec<LessonId>,
    /// Oldest first.
    pub(super) turns: Vec<TurnId>,
    pub(super) versions: Vec<PolicyVersion>,
    /// What followed turns that stay, by its place there.
    pub(super) states: Vec<(TurnId, u32)>,
    /// Sessions that are to be empty then.
    pub(super) sessions: Vec<i64>,
    pub(super) words: Words,
    /// Every turn up to this one, and all that the ledger and the logs say beside turns.
    pub(super) all_up_to: Option<TurnId>,
    /// When it was written (Unix milliseconds); what came later stays.
    pub(super) at: i64,
}

impl Note {
    pub(super) fn file(daemon: &Daemon) -> PathBuf {
        daemon.paths.data_dir.join("forgetting.json")
    }

    /// `None`: there is none. One that cannot be read stays for a person to look at.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(|err| tracing::error!(%err, path = %path.display(), "this note cannot be read"))
            .ok()
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), ApiError> {
        let written = serde_json::to_vec(self).map_err(std::io::Error::other);
        written.and_then(|text| disk::write_whole(path, &text)).map_err(|err| failed(path, &err))
    }

    pub(super) fn remove(path: &Path) -> Result<(), ApiError> {
        match std::fs::remove_file(path) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(failed(path, &err)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_an_older_chela_is_understood() {
        let note: Note = serde_json::from_str(r#"{"lessons":[3],"turns":[17],"versions":[1]}"#).unwrap();
        let expected = Note {
            lessons: vec![LessonId(3)],
            turns: vec![TurnId(17)],
            versions: vec![PolicyVersion(1)],
            ..Note::default()
        };
        assert_eq!(note, expected);
    }

    #[test]
    fn a_note_comes_back_as_it_was_written() {
        let words = Words { verdicts: vec![4], ..Words::default() };
        let note = Note {
            states: vec![(TurnId(2), 1)],
            words,
            all_up_to: Some(TurnId(9)),
            at: 5,
            ..Note::default()
        };
        let text = serde_json::to_vec(&note).unwrap();
        assert_eq!(serde_json::from_slice::<Note>(&text).unwrap(), note);
    }
}
