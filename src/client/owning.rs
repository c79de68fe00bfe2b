//! Calls that take data in and keep copies of it.

use super::call::Call;
use super::{Client, ClientError};
use crate::daemon::wire::owning::{BackupMade, Import, Imported};

impl Client {
    /// Merges a part of an export. The same part twice changes nothing, so a lost answer is asked for again.
    pub fn import(&self, part: &Import) -> Result<Imported, ClientError> {
        self.ask(&Call::post("/chela/v1/import", part)?)
    }

    /// Makes a copy of ledger and adapters. It stands beside the ledger.
    pub fn back_up(&self) -> Result<BackupMade, ClientError> {
        self.tell(&Call::post("/chela/v1/backup", &())?)
    }
}
