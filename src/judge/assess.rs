//! One turn judged: signals, votes where they leave it open, a hint where a person asked for something else.

use super::decide::{decide, needs_votes, wants_hint};
use super::hint::{self, Drawn};
use super::{Case, Judge, JudgeError, Verdict};
use crate::signal::Signal;
use crate::turn::next_state::NextState;

/// What came of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// With the hint's text, if there is one.
    pub verdict: Verdict,
    /// The hint, or why there is none.
    pub drawn: Drawn,
    /// Why the model could not be asked for a hint; the verdict stands without it.
    pub trouble: Option<JudgeError>,
}

/// Judges one turn. The model is asked only where rules leave something open. [`JudgeError::Preempted`] means: try again
/// later, nothing was decided.
pub fn assess(case: &Case<'_>, signals: &[Signal], judge: &mut dyn Judge) -> Result<Assessment, JudgeError> {
    let is_closed = matches!(case.next, NextState::Closed { .. });
    let votes = if needs_votes(signals) && !is_closed { judge.votes(case)? } else { Vec::new() };
    let mut verdict = decide(signals, &votes);
    let is_voted_bad = !votes.is_empty() && verdict.reward == Some(-1);
    let (drawn, trouble) = if wants_hint(signals, case.next) || is_voted_bad {
        match hint::draw(case, judge) {
            Ok(drawn) => (drawn, None),
            Err(JudgeError::Preempted) => return Err(JudgeError::Preempted),
            Err(error) => (Drawn::Nothing, Some(error)),
        }
    } else {
        (Drawn::Nothing, None)
    };
    if let Drawn::Hint(hint) = &drawn {
        verdict.hint = Some(hint.text.clone());
    }
    Ok(Assessment { verdict, drawn, trouble })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scripted::Scripted;
    use crate::signal::{Evidence, Says};
    use crate::turn::next_state::{Closing, CommandOutcome};

    const GOOD: [f32; 3] = [0.8, 0.1, 0.1];
    const BAD: [f32; 3] = [0.1, 0.8, 0.1];

    fn signal(says: Says, evidence: Evidence, is_directive: bool) -> Signal {
        Signal { rule: "rule".into(), says, evidence, strength: 0.9, span: 0..0, is_directive }
    }

    fn reply(text: &str) -> NextState {
        NextState::Reply { text: text.to_owned() }
    }

    fn found(next: &NextState, signals: &[Signal], judge: &mut Scripted) -> Result<Assessment, JudgeError> {
        assess(&Case { request: "list the files", answer: "find .", next }, signals, judge)
    }

    #[test]
    fn a_plain_correction_needs_no_model() {
        let mut judge = Scripted::failing(JudgeError::Preempted);
        let found =
            found(&reply("no, use fd"), &[signal(Says::Bad, Evidence::Explicit, true)], &mut judge).unwrap();
        assert_eq!((found.verdict.reward, found.verdict.rule.as_str()), (Some(-1), "rule"));
        assert_eq!(found.verdict.hint.as_deref(), Some("use fd instead of find"));
        assert_eq!((judge.n_votes, judge.n_hints), (0, 0));
    }

    #[test]
    fn what_rules_leave_open_is_voted_on_and_a_bad_answer_searched_for_a_hint() {
        let mut judge = Scripted::saying(BAD, Some("use fd instead of find"));
        let found = found(&reply("everybody here has fd on the machine"), &[], &mut judge).unwrap();
        assert_eq!((found.verdict.reward, found.verdict.rule.as_str()), (Some(-1), "votes"));
        assert_eq!(found.verdict.hint.as_deref(), Some("use fd instead of find"));
        assert_eq!((judge.n_votes, judge.n_hints), (1, 1));
    }

    #[test]
    fn a_good_answer_is_not_searched() {
        let mut judge = Scripted::saying(GOOD, Some("use fd instead of find"));
        let found = found(&reply("fd could not have done it better"), &[], &mut judge).unwrap();
        assert_eq!((found.verdict.reward, found.drawn), (Some(1), Drawn::Nothing));
        assert_eq!(judge.n_hints, 0);
    }

    #[test]
    fn a_failed_command_teaches_no_words() {
        let output = "use fd instead of find".to_owned();
        let next = NextState::Command(CommandOutcome {
            command: "find .".into(),
            status: 1,
            pipeline: vec![],
            output,
            duration_ms: None,
        });
        let mut judge = Scripted::saying(BAD, Some("use fd instead of find"));
        let found = found(&next, &[], &mut judge).unwrap();
        assert_eq!((found.verdict.reward, found.verdict.hint), (Some(-1), None));
        assert_eq!(judge.n_hints, 0);
    }

    #[test]
    fn a_session_that_just_ends_is_not_judged() {
        let mut judge = Scripted::saying(GOOD, None);
        let found = found(&NextState::Closed { by: Closing::Idle }, &[], &mut judge).unwrap();
        assert_eq!((found.verdict.reward, judge.n_votes), (None, 0));
    }

    #[test]
    fn a_verdict_stands_when_the_model_fails_on_the_hint() {
        let mut judge = Scripted::failing(JudgeError::Engine("no memory".into()));
        let signals = [signal(Says::Bad, Evidence::Words, false)];
        let found = found(&reply("that is no good at all"), &signals, &mut judge).unwrap();
        assert_eq!(found.verdict.reward, Some(-1));
        assert_eq!(found.trouble, Some(JudgeError::Engine("no memory".into())));
    }

    #[test]
    fn when_somebody_waits_all_of_it_is_put_off() {
        let mut judge = Scripted::failing(JudgeError::Preempted);
        let signals = [signal(Says::Bad, Evidence::Words, false)];
        assert_eq!(found(&reply("that is no good at all"), &signals, &mut judge), Err(JudgeError::Preempted));
        assert_eq!(found(&reply("hm"), &[], &mut judge), Err(JudgeError::Preempted));
    }
}
