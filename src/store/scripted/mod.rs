//! The ledger's twin for tests: keeps entries in memory, refuses what the ledger refuses, fails when told to.

mod script;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use script::Script;

use super::{Entry, Receipt, Store, StoreError};

/// A [`Store`] without a disk. Clones share one ledger, so a test keeps one and gives the other away.
#[derive(Debug, Clone, Default)]
pub struct ScriptedStore {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<Entry>,
    failures: VecDeque<StoreError>,
    script: Script,
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

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for ScriptedStore {
    fn append(&mut self, entry: Entry) -> Result<Receipt, StoreError> {
        let mut kept = self.lock();
        if let Some(failure) = kept.failures.pop_front() {
            return Err(failure);
        }
        // On a copy, so that a refused entry leaves nothing behind.
        let mut script = kept.script.clone();
        let receipt = script.apply(&entry)?;
        kept.script = script;
        kept.entries.push(entry);
        Ok(receipt)
    }
}
