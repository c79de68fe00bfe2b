//! Calls about learning: how it stands, begin, stop and go on, and which version answers.

use super::call::Call;
use super::{Client, ClientError};
use crate::daemon::wire::{AdapterList, LearnNow, LearnStatus, RollBack, RunId, RunList, RunRow};

impl Client {
    /// What the learner does, or why it waits.
    pub fn learn_status(&self) -> Result<LearnStatus, ClientError> {
        self.ask(&Call::get("/chela/v1/learn"))
    }

    /// Begins a round whatever the machine is doing.
    pub fn learn_now(&self) -> Result<LearnNow, ClientError> {
        self.tell(&Call::post("/chela/v1/learn/now", &())?)
    }

    pub fn pause_learning(&self) -> Result<LearnStatus, ClientError> {
        self.ask(&Call::post("/chela/v1/learn/pause", &())?)
    }

    pub fn resume_learning(&self) -> Result<LearnStatus, ClientError> {
        self.ask(&Call::post("/chela/v1/learn/resume", &())?)
    }

    /// Ends the round that runs, if one does.
    pub fn cancel_learning(&self) -> Result<LearnStatus, ClientError> {
        self.ask(&Call::post("/chela/v1/learn/cancel", &())?)
    }

    /// Rounds, newest first.
    pub fn learn_runs(&self, limit: usize) -> Result<RunList, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/learn/runs?limit={limit}")))
    }

    pub fn learn_run(&self, run: RunId) -> Result<RunRow, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/learn/runs/{}", run.0)))
    }

    /// Back to the version that answered before.
    pub fn roll_back(&self, reason: &str) -> Result<AdapterList, ClientError> {
        self.tell(&Call::post("/chela/v1/adapters/rollback", &RollBack { reason: reason.to_owned() })?)
    }
}
