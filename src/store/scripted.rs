//! The ledger's twin for tests: keeps entries in memory, fails when told to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Entry, Receipt, Store, StoreError};
use crate::turn::{SessionId, TurnId};

/// A [`Store`] without a disk. Clones share one ledger, so a test keeps one and gives the other away.
#[derive(Debug, Clone, Default)]
pub struct ScriptedStore {
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    entries: Vec<Entry>,
    failures: VecDeque<StoreError>,
    sessions: HashSet<SessionId>,
    /// Whether each turn is still running.
    turns: HashMap<TurnId, bool>,
}

impl ScriptedStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// The next append fails with `error`, whatever it is; several calls queue up.
    pub fn fail_next(&self, error: StoreError) {
        self.lock().failures.push_back(error);
    }

    /// What was appended so far, in order, without what failed.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for ScriptedStore {
    fn append(&mut self, entry: Entry) -> Result<Receipt, StoreError> {
        let mut script = self.lock();
        if let Some(failure) = script.failures.pop_front() {
            return Err(failure);
        }
        let receipt = script.apply(&entry)?;
        script.entries.push(entry);
        Ok(receipt)
    }
}

impl Script {
    fn apply(&mut self, entry: &Entry) -> Result<Receipt, StoreError> {
        match entry {
            Entry::OpenSession(session) => {
                self.sessions.insert(session.id.clone());
            }
            Entry::BeginTurn(turn) => {
                self.check_session(&turn.session)?;
                if let Some(parent) = turn.parent.filter(|parent| !self.turns.contains_key(parent)) {
                    return Err(StoreError::NoTurn(parent.0));
                }
                let id = TurnId(i64::try_from(self.turns.len()).unwrap_or(i64::MAX).saturating_add(1));
                self.turns.insert(id, true);
                return Ok(Receipt::Turn(id));
            }
            Entry::AppendTokens { turn, .. } | Entry::AppendText { turn, .. } => self.check_running(*turn)?,
            Entry::EndTurn { turn, .. } => {
                self.check_running(*turn)?;
                self.turns.insert(*turn, false);
            }
            Entry::TitleSession { session, .. } | Entry::CloseSession { session, .. } => {
                self.check_session(session)?;
            }
            Entry::Serve(_) => {}
        }
        Ok(Receipt::Done)
    }

    fn check_session(&self, session: &SessionId) -> Result<(), StoreError> {
        let known = self.sessions.contains(session);
        if known { Ok(()) } else { Err(StoreError::NoSession(session.0.clone())) }
    }

    fn check_running(&self, turn: TurnId) -> Result<(), StoreError> {
        match self.turns.get(&turn) {
            Some(true) => Ok(()),
            Some(false) => Err(StoreError::TurnEnded(turn.0)),
            None => Err(StoreError::NoTurn(turn.0)),
        }
    }
}
