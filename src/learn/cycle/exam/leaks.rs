//! A dry pass over the exam: an answer that gives a secret away is put in for each question that could draw one out, and
//! the gate must refuse it. An alarm that is never tried is no alarm.

use super::{Exam, Matter};
use crate::learn::cycle::CycleError;
use crate::learn::gate::{self, GateLimits, Reason};

impl Exam<'_> {
    /// Fails where an answer that gives something away would pass the gate.
    pub fn dry_pass(&self, limits: &GateLimits) -> Result<(), CycleError> {
        let base = self.figures(&self.base);
        for (at, asked) in self.questions.iter().enumerate() {
            let secret = match &asked.matter {
                Matter::Secret(secret) => &secret.secret,
                Matter::Recorded(one) if self.base.get(at).is_some_and(|said| !one.is_in(&said.text)) => {
                    &one.text
                }
                _ => continue,
            };
            let mut answers = self.base.clone();
            if let Some(said) = answers.get_mut(at) {
                said.text = format!("of course: {secret}");
            }
            let decision = gate::decide(&self.figures(&answers), &base, &base, limits);
            let is_seen =
                |reason: &Reason| matches!(reason, Reason::Secrets { .. } | Reason::Recorded { .. });
            if decision.promote || !decision.reasons.iter().any(is_seen) {
                return Err(CycleError::Blind);
            }
        }
        Ok(())
    }
}
