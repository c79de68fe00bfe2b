//! What stands beside the drills: replay that keeps the rest where it is, and turns that were only blamed.

use super::draft::Draft;
use super::known;
use super::planner::Planner;
use super::{Bare, Negative, Past, PromptOrigin, Replay, Why, everyday, split};
use crate::learn::shuffle::Draws;
use crate::lesson::Scope;
use crate::turn::Message;

impl<'a> Planner<'a> {
    /// Prompts on which the policy stays where it is: confirmed-good turns that no lesson concerns, up to half, and
    /// everyday requests beside the lessons' programs.
    pub(super) fn replay(&mut self) {
        let n_drills = self.plan.drills.len();
        if n_drills == 0 {
            return;
        }
        let wanted = replay_of(n_drills, self.limits.replay_share).max(self.limits.least_replay);
        for past in self.inputs.confirmed {
            let is_concerned = self.known.iter().any(|known| known.concerns(&past.answer));
            let is_blamed = self
                .inputs
                .negatives
                .iter()
                .any(|negative| negative.past.turn == past.turn || same_case(&negative.past, past));
            if is_concerned || is_blamed {
                continue;
            }
            if split::is_held_out(past.request()) {
                self.plan.held_out.push(past.turn);
                continue;
            }
            if self.plan.replay.len() >= wanted.div_ceil(2) {
                continue;
            }
            let draft = Draft::of(past, PromptOrigin::Related(past.turn));
            if self.admits(&draft) {
                self.replay_turn(draft.messages, past);
            }
        }
        self.replay_everyday(wanted);
    }

    fn replay_everyday(&mut self, wanted: usize) {
        let programs: Vec<String> = self
            .known
            .iter()
            .filter(|known| !matches!(known.taught.lesson.scope, Scope::Project(_)))
            .flat_map(|known| known.programs.iter().cloned())
            .collect();
        let mut draws = Draws::of(self.seed, 4);
        // The programs of a project's lessons come first, outside that project: there nothing may change.
        let of_projects =
            self.known.iter().filter(|known| matches!(known.taught.lesson.scope, Scope::Project(_)));
        let mut contrast: Vec<_> = of_projects
            .flat_map(|known| &known.programs)
            .filter(|name| !programs.contains(name))
            .flat_map(|name| self.sides.of(name).train)
            .collect();
        let everyday::Sides { train: mut others, probes: mut asked } = self.sides.beside(&programs);
        draws.shuffle(&mut asked);
        for one in asked.into_iter().take(self.limits.neutral) {
            let draft = Draft::plain(self.inputs.system, &everyday::fill(one.text, &mut draws));
            let lessons = known::general(&self.known);
            let messages = draft.messages;
            let neutral = Replay { messages, answer: None, turn: None, lessons, needs_care: false };
            self.plan.neutral.push(neutral);
        }
        draws.shuffle(&mut contrast);
        draws.shuffle(&mut others);
        contrast.truncate(wanted / 4);
        let care = self.inputs.everyday.care();
        others.retain(|one| !care.contains(one));
        let everyday: Vec<(String, bool)> = contrast
            .iter()
            .chain(&care)
            .chain(&others)
            .map(|one| (everyday::fill(one.text, &mut draws), care.contains(one)))
            .collect();
        for (text, needs_care) in everyday {
            if self.plan.replay.len() >= wanted {
                return;
            }
            let draft = Draft::plain(self.inputs.system, &text);
            if self.admits(&draft) {
                let lessons = known::general(&self.known);
                let messages = draft.messages;
                self.plan.replay.push(Replay { messages, answer: None, turn: None, lessons, needs_care });
            }
        }
    }

    fn replay_turn(&mut self, messages: Vec<Message>, past: &Past) {
        let lessons = known::general(&self.known);
        let (answer, turn) = (Some(past.answer.clone()), Some(past.turn));
        self.plan.replay.push(Replay { messages, answer, turn, lessons, needs_care: false });
    }

    /// Turns that were judged bad and nobody said more. What they weigh together is bounded by the good ones beside
    /// them: a batch of blame alone would only push away from whatever is likely.
    #[expect(clippy::cast_precision_loss, reason = "a plan has a few hundred prompts")]
    pub(super) fn blame(&mut self) {
        let n_good = self.plan.replay.iter().filter(|replay| replay.turn.is_some()).count();
        let mut bare: Vec<(&Past, Draft<'a>)> = Vec::new();
        for negative in self.inputs.negatives.iter().filter(|one| one.hint.is_none() && one.written.is_none())
        {
            let past = &negative.past;
            let is_covered =
                self.known.iter().any(|known| known.taught.sources.iter().any(|one| one.turn == past.turn));
            if is_covered {
                continue;
            }
            if self.is_judged_both_ways(negative) {
                self.leave_out(Some(past.turn), Why::JudgedBothWays);
            } else if n_good == 0 {
                self.leave_out(Some(past.turn), Why::OnlyBlame);
            } else {
                let draft = Draft::of(past, PromptOrigin::Source(past.turn));
                if self.admits(&draft) {
                    bare.push((past, draft));
                }
            }
        }
        let mass = self.limits.bare_mass * (n_good as f32 / bare.len().max(1) as f32).min(1.0);
        for (past, draft) in bare {
            self.plan.bare.push(Bare {
                turn: past.turn,
                messages: draft.messages,
                answer: past.answer.clone(),
                mass,
            });
        }
    }

    pub(super) fn is_judged_both_ways(&self, negative: &Negative) -> bool {
        let bad = &negative.past;
        let is_same = |good: &Past| {
            split::key(good.request()) == split::key(bad.request()) && good.answer.trim() == bad.answer.trim()
        };
        self.inputs.confirmed.iter().any(is_same)
    }
}

fn same_case(one: &Past, other: &Past) -> bool {
    split::key(one.request()) == split::key(other.request()) && one.answer.trim() == other.answer.trim()
}

/// Replay prompts for so many drills, so that they are `share` of both together.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a plan has a few hundred prompts"
)]
fn replay_of(drills: usize, share: f32) -> usize {
    let share = share.clamp(0.0, 0.9);
    (drills as f32 * share / (1.0 - share)).ceil() as usize
}
