//! Calls about learning: how it stands, begin, stop and go on, and which version answers.

use std::thread::sleep;
use std::time::Duration;

use super::call::Call;
use super::{Client, ClientError};
use crate::daemon::wire::{AdapterList, LearnNow, LearnStatus, RollBack, RunId, RunList, RunRow};

/// How often a round that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl Client {
    /// What the learner does, or why it waits.
    pub fn learn_status(&self) -> Result<LearnStatus, ClientError> {
        self.ask(&Call::get("/chela/v1/learn"))
    }

    /// Begins a round whatever the machine is doing.
    pub fn learn_now(&self) -> Result<LearnNow, ClientError> {
        self.tell(&Call::post("/chela/v1/learn/now", &())?)
    }

    /// Returns when the round that `now` announced has ended and all that follows from it is done. `told` hears how it
    /// stands, a few times a second.
    pub fn wait_for_round(
        &self,
        now: LearnNow,
        told: &mut dyn FnMut(&LearnStatus),
    ) -> Result<RunRow, ClientError> {
        loop {
            let status = self.learn_status()?;
            told(&status);
            let is_at = |run: &RunRow| now.running.map_or(run.id > now.after, |running| run.id == running);
            // Oldest first: later rounds may have begun meanwhile.
            let round = self.learn_runs(50)?.runs.into_iter().rev().find(is_at);
            if let Some(round) = round.filter(|round| round.ended_at.is_some())
                && status.running != Some(round.id)
            {
                return Ok(round);
            }
            sleep(LOOK);
        }
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
