//! How much, and when, chela learns: the `[learn]` section. Part of `file`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    pub dial: Dial,
    pub when: When,
    /// Without a request for so long, the machine counts as idle.
    pub idle_minutes: u64,
    /// Weights are trained on battery too, as long as it is not low. `chela learn now` does in any case.
    pub on_battery: bool,
    /// 0: as long as there is something to learn.
    pub max_minutes_per_day: u64,
    /// Work of other programs, in percent of all cores, above which learning waits.
    pub max_load_percent: u8,
    /// After so long without a turn, a session counts as closed.
    pub session_idle_minutes: u64,
}

/// How boldly chela learns: sets rates, weights, epochs and the gate's limits together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dial {
    /// Nothing is judged and nothing is learned; lessons that are taught by hand still hold.
    Off,
    Careful,
    Eager,
}

impl Dial {
    /// As it is written in the settings and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Careful => "careful",
            Self::Eager => "eager",
        }
    }
}

/// When weights are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Only when `chela learn now` says so.
    Asked,
    /// When nobody uses the machine.
    Idle,
    /// As soon as there is something to learn; pauses for answers all the same.
    Always,
}

impl Default for Learning {
    fn default() -> Self {
        Self {
            dial: Dial::Careful,
            when: When::Idle,
            idle_minutes: 3,
            on_battery: false,
            max_minutes_per_day: 60,
            max_load_percent: 50,
            session_idle_minutes: 30,
        }
    }
}
