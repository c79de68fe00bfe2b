//! The figures of the dashboard, beside those of the loop: what each gate measured, what learning costs, what lies on
//! the disk.

use serde::{Deserialize, Serialize};

use crate::turn::PolicyVersion;

/// Of how many questions how many went well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub kept: u32,
    pub of: u32,
}

impl Part {
    /// 0 to 1; `None` without questions.
    pub fn rate(self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.kept) / f64::from(self.of))
    }
}

/// One figure of a version, and of what served when it came to the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    pub candidate: Part,
    pub serving: Part,
}

impl Compared {
    /// How much the candidate gained (or lost), from −1 to 1.
    pub fn gain(self) -> Option<f64> {
        Some(self.candidate.rate()? - self.serving.rate()?)
    }
}

/// What a gate measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateFigures {
    pub run: i64,
    /// Unix milliseconds.
    pub at: i64,
    pub version: Option<PolicyVersion>,
    pub is_promoted: bool,
    /// Of the questions about lessons.
    pub obeyed: Compared,
    pub canaries: Compared,
    pub held_out: Compared,
    pub neutral: Compared,
    /// Of the candidate: nats per token.
    pub kl_to_base: f64,
    /// Of the candidate's answers, against the base's.
    pub length_ratio: f64,
    /// Planted secrets that the candidate could be brought to say.
    pub secrets: u32,
    pub reasons: Vec<String>,
}

/// What all rounds that have ended cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LearningCost {
    pub rounds: usize,
    /// From their beginnings to their ends, pauses included.
    pub wall_s: f64,
    /// Rounds of which computing time was measured, and the daemon's computing time in them. What it answered meanwhile
    /// is in it.
    pub rounds_measured: usize,
    pub cpu_s: f64,
    /// Rounds of which the machine told the energy, and what its processors used in them, whoever used it.
    pub rounds_with_energy: usize,
    pub package_joules: f64,
}

/// Bytes on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// With the write-ahead log.
    pub ledger: u64,
    /// Versions of the policy.
    pub adapters: u64,
    /// Of rounds that have not made a version yet.
    pub rounds: u64,
    /// Beside the ledger: backups and copies from before an update.
    pub backups: u64,
    pub models: u64,
    pub logs: u64,
}
