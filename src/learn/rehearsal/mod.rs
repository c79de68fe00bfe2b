//! Rehearsal: what is practised while the machine is idle, as a plan that inputs and a seed decide.
//!
//! What lives here: which prompts are drilled for which lesson, what the teacher sees, what is replayed so that the
//! rest stays as it is, what is kept for the gate, and what was left out and why. Pure. What does not: drawing the
//! answers (`engine`), turning them into samples (`loss` terms), reading the ledger (`store`), writing lessons into a
//! prompt: a drill names the lessons of the teacher's context, and whoever serves prompts writes them.
//!
//! What always holds: no prompt that the gate asks is in a drill or a replay; the same inputs and seed give the same
//! plan; no session and no project fills more of a plan than its limit; a lesson that a newer one contradicts is not
//! practised; a bare −1 weighs nothing unless confirmed-good turns stand beside it; everything left out has a reason.

mod about;
mod beside;
mod draft;
mod everyday;
mod known;
mod planner;
mod sift;
mod skipped;
mod split;
#[cfg(test)]
mod tests;
mod vary;

use crate::lesson::{Lesson, LessonId};
use crate::turn::{Message, Role, SessionId, TurnId};

pub use about::{telling_words, words};
pub use everyday::Everyday;
pub use planner::plan;
pub use sift::{Drawn, LengthLimits, Sifted, Unusable, sift};
pub use skipped::{Left, Skipped, Why};
pub use split::{ONE_IN, is_held_out, key};

/// A turn of the ledger: its prompt without lessons, and what was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub turn: TurnId,
    pub session: SessionId,
    /// Directory of the project, where it is known.
    pub project: Option<String>,
    pub messages: Vec<Message>,
    pub answer: String,
}

impl Past {
    /// The last thing that a person asked; empty if nobody did.
    pub fn request(&self) -> &str {
        request(&self.messages)
    }
}

/// The last user message's text; empty without one.
pub fn request(messages: &[Message]) -> &str {
    messages.iter().rev().find(|message| message.role == Role::User).map_or("", |message| &message.content)
}

/// A lesson that the weights do not hold yet.
#[derive(Debug, Clone, PartialEq)]
pub struct ToLearn {
    pub lesson: Lesson,
    /// The turns that it was drawn from.
    pub sources: Vec<Past>,
    /// Other turns that it may apply to, most related first.
    pub related: Vec<Past>,
    /// A newer lesson that says the opposite.
    pub contradicted_by: Option<LessonId>,
}

/// A turn that was judged bad.
#[derive(Debug, Clone, PartialEq)]
pub struct Negative {
    pub past: Past,
    /// What should have been done, if somebody said it.
    pub hint: Option<String>,
    /// What the person wrote instead (an edited command).
    pub written: Option<String>,
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub lessons: &'a [ToLearn],
    /// Learned before, and to be held; a contradicted one is left out.
    pub held: &'a [ToLearn],
    pub negatives: &'a [Negative],
    /// Turns that were judged good, newest first.
    pub confirmed: &'a [Past],
    /// Requests that the gate asks (the canary suite): in no drill and no replay.
    pub never: &'a [String],
    pub everyday: &'a Everyday,
    /// The system message that stands before a plain request, without lessons; empty for none.
    pub system: &'a str,
}

/// How much one plan may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanLimits {
    /// New lessons in one run; of one session; of one project. The others wait for the next run.
    pub lessons: usize,
    pub lessons_per_session: usize,
    pub lessons_per_project: usize,
    /// Drills and probes of one lesson.
    pub per_lesson: usize,
    pub probes: usize,
    /// Neutral requests that the gate asks.
    pub neutral: usize,
    /// Drills of each lesson that was learned before.
    pub upkeep: usize,
    /// Prompts of one session's own turns in the whole plan, drills and replay; of one project's.
    pub per_session: usize,
    pub per_project: usize,
    /// Share of the plan that is replay, 0 to below 1, and how many prompts of it at least.
    pub replay_share: f32,
    pub least_replay: usize,
    /// Weight of a turn that was judged bad without a hint. All of them together weigh at most this much for each
    /// confirmed-good turn in the replay.
    pub bare_mass: f32,
    /// Longest prompt in characters.
    pub prompt_chars: usize,
}

impl PlanLimits {
    pub fn careful() -> Self {
        Self {
            lessons: 16,
            lessons_per_session: 8,
            lessons_per_project: 12,
            per_lesson: 24,
            probes: 14,
            neutral: 60,
            upkeep: 3,
            per_session: 48,
            per_project: 96,
            replay_share: 0.5,
            least_replay: 192,
            bare_mass: 0.1,
            prompt_chars: 8000,
        }
    }

    pub fn eager() -> Self {
        Self {
            lessons: 24,
            lessons_per_session: 12,
            lessons_per_project: 18,
            per_lesson: 32,
            per_session: 72,
            per_project: 144,
            bare_mass: 0.25,
            ..Self::careful()
        }
    }
}

/// What is to be practised, what is to be asked afterwards, and what was left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    pub drills: Vec<Drill>,
    pub bare: Vec<Bare>,
    pub replay: Vec<Replay>,
    /// Questions about each lesson that are never trained on.
    pub probes: Vec<Probe>,
    /// Requests that no lesson of the plan concerns and that are never trained on: here answers should not change.
    pub neutral: Vec<Replay>,
    /// Confirmed-good turns that are never trained on, and that no lesson of the plan concerns.
    pub held_out: Vec<TurnId>,
    pub skipped: Vec<Skipped>,
}

impl Plan {
    /// New lessons that the plan practises, in its order.
    pub fn lessons(&self) -> Vec<LessonId> {
        let mut found: Vec<LessonId> = Vec::new();
        for lesson in self
            .drills
            .iter()
            .filter(|drill| drill.purpose == Purpose::Learn)
            .filter_map(|drill| drill.lesson)
        {
            if !found.contains(&lesson) {
                found.push(lesson);
            }
        }
        found
    }
}

/// One prompt on which the policy is to behave without the lessons as it does with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// The lesson that is practised; `None`: only a hint on one turn.
    pub lesson: Option<LessonId>,
    pub purpose: Purpose,
    pub origin: PromptOrigin,
    /// The student's prompt, without lessons.
    pub messages: Vec<Message>,
    /// Texts of the lessons in the teacher's prompt, newest first; empty only where `written` alone teaches.
    pub lessons: Vec<String>,
    /// What the person wrote as the right answer.
    pub written: Option<String>,
}

impl Drill {
    /// Whether the policy's own answers are drawn too. For built-in requests answers with the lesson are enough.
    pub fn draws_own_answers(&self) -> bool {
        self.origin != PromptOrigin::Everyday
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A lesson that the weights do not hold.
    Learn,
    /// A lesson that they hold and must not lose.
    Upkeep,
    /// One turn's hint.
    Hint,
}

/// Where a prompt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptOrigin {
    /// The turn that was corrected.
    Source(TurnId),
    /// Another turn of the user's.
    Related(TurnId),
    /// One of their turns with other names in it.
    Varied(TurnId),
    /// The table of everyday requests.
    Everyday,
}

/// A turn that was judged bad, and nobody said how it should have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Bare {
    pub turn: TurnId,
    pub messages: Vec<Message>,
    pub answer: String,
    /// Weight of its policy gradient.
    pub mass: f32,
}

/// A prompt on which the policy must stay where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    pub messages: Vec<Message>,
    /// Confirmed-good answer, where it is a turn of the user's.
    pub answer: Option<String>,
    pub turn: Option<TurnId>,
    /// Lessons that hold for any prompt: where there are some, "where it is" means the base with these in its context,
    /// and not the plain base.
    pub lessons: Vec<String>,
    /// An answer to it may do harm: then the policy is not held to it.
    pub needs_care: bool,
}

/// A question by which the gate finds out whether the weights hold a lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub lesson: LessonId,
    pub messages: Vec<Message>,
    /// As in [`Drill::lessons`].
    pub lessons: Vec<String>,
}
