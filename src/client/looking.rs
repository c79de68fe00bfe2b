//! Calls that look: turns in a list, and the loop in figures.

use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use super::{Client, ClientError, escaped};
use crate::daemon::wire::looking::{LoopStats, TurnList, TurnQuery};

impl Client {
    /// Main-line turns that fit, newest first.
    pub fn turns(&self, query: &TurnQuery) -> Result<TurnList, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/turns?{}", parameters(query))))
    }

    /// How the loop did over the last `days` days, today included (1 to 366).
    pub fn stats(&self, days: u16) -> Result<LoopStats, ClientError> {
        self.ask(&Call::get(&format!("/chela/v1/stats?days={days}")))
    }
}

/// The fields that are there as `name=value&…`.
pub(super) fn parameters(query: &impl Serialize) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(query) else { return String::new() };
    let written = fields.iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{name}={}", escaped(text))),
        other => Some(format!("{name}={other}")),
    });
    written.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::wire::looking::Judged;

    #[test]
    fn what_is_absent_is_not_asked_for() {
        assert_eq!(parameters(&TurnQuery::default()), "");
        let query = TurnQuery {
            reward: Some(Judged::None),
            find: Some("a b&c".into()),
            limit: Some(5),
            ..TurnQuery::default()
        };
        assert_eq!(parameters(&query), "reward=none&find=a%20b%26c&limit=5");
    }
}
