//! From inputs and a seed to the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::known::{self, Known};
use super::{
    Drill, Inputs, Left, Past, Plan, PlanLimits, Probe, PromptOrigin, Purpose, Skipped, ToLearn, Why, about,
    everyday, request, split, vary,
};
use crate::learn::shuffle::Draws;
use crate::lesson::{Scope, State};
use crate::turn::{Role, TurnId};

/// The plan of one run. The same inputs and seed give the same plan.
pub fn plan(inputs: &Inputs<'_>, seed: u64, limits: &PlanLimits) -> Plan {
    let mut planner = Planner::new(inputs, seed, limits);
    let chosen = planner.choose_lessons();
    planner.known = inputs
        .held
        .iter()
        .filter(|one| one.contradicted_by.is_none())
        .chain(chosen.iter().copied())
        .map(|one| Known::new(one, inputs))
        .collect();
    for one in &chosen {
        planner.practise(one, Purpose::Learn, limits.per_lesson);
    }
    for one in inputs.held.iter().filter(|one| one.contradicted_by.is_none()) {
        planner.practise(one, Purpose::Upkeep, limits.upkeep);
    }
    planner.judge_turns();
    planner.replay();
    planner.blame();
    planner.finish()
}

pub(super) struct Planner<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) limits: &'a PlanLimits,
    pub(super) seed: u64,
    pub(super) sides: everyday::Sides<'a>,
    pub(super) known: Vec<Known<'a>>,
    never: BTreeSet<String>,
    /// Keys of the requests that are trained on.
    trained: BTreeSet<String>,
    /// Prompts of each session's and project's own turns so far.
    of_session: BTreeMap<&'a str, usize>,
    of_project: BTreeMap<&'a str, usize>,
    /// Turns that were left out already: one reason each is enough.
    named: BTreeSet<TurnId>,
    pub(super) plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(inputs: &'a Inputs<'a>, seed: u64, limits: &'a PlanLimits) -> Self {
        Self {
            inputs,
            limits,
            seed,
            sides: inputs.everyday.sides(),
            known: Vec::new(),
            never: inputs.never.iter().map(|request| split::key(request)).collect(),
            trained: BTreeSet::new(),
            of_session: BTreeMap::new(),
            of_project: BTreeMap::new(),
            named: BTreeSet::new(),
            plan: Plan::default(),
        }
    }

    /// Lessons that this run takes on, oldest first, so that those who waited longest come first.
    fn choose_lessons(&mut self) -> Vec<&'a ToLearn> {
        let mut waiting: Vec<&ToLearn> = self.inputs.lessons.iter().collect();
        waiting.sort_by_key(|one| (one.lesson.created_at, one.lesson.id));
        let mut chosen: Vec<&ToLearn> = Vec::new();
        for one in waiting {
            match unfit(one).or_else(|| self.too_many(&chosen, one)) {
                Some(why) => self.plan.skipped.push(Skipped { what: Left::Lesson(one.lesson.id), why }),
                None => chosen.push(one),
            }
        }
        chosen
    }

    fn too_many(&self, chosen: &[&ToLearn], one: &ToLearn) -> Option<Why> {
        let limits = self.limits;
        let first = one.sources.first()?;
        let same_session =
            chosen.iter().filter(|other| other.sources.first().is_some_and(|it| it.session == first.session));
        let same_project = chosen.iter().filter(|other| {
            first.project.is_some() && other.sources.first().is_some_and(|it| it.project == first.project)
        });
        if same_session.count() >= limits.lessons_per_session {
            return Some(Why::EnoughOfSession { limit: limits.lessons_per_session });
        }
        if same_project.count() >= limits.lessons_per_project {
            return Some(Why::EnoughOfProject { limit: limits.lessons_per_project });
        }
        (chosen.len() >= limits.lessons).then_some(Why::EnoughLessons { limit: limits.lessons })
    }

    /// Drills and probes of one lesson: the user's own prompts first, then theirs with other names, then everyday ones.
    fn practise(&mut self, one: &'a ToLearn, purpose: Purpose, limit: usize) {
        let Some(known) = self.known.iter().position(|known| known.taught.lesson.id == one.lesson.id) else {
            return;
        };
        let own = drafts_of_own(one);
        let (varied, everyday) = (self.drafts_of_varied(one, limit), self.drafts_of_everyday(known, one));
        // A third is for everyday requests, if there are any, and at most a third for the same request again.
        let third = if everyday.is_empty() { 0 } else { limit / 3 };
        let n_varied = if everyday.is_empty() { limit } else { limit.div_ceil(3) };
        let mut made = 0;
        for (drafts, most, room) in
            [(own, limit, limit - third), (varied, n_varied, limit - third), (everyday, limit, limit)]
        {
            let end = room.min(made + most);
            for draft in drafts {
                if made < end && self.drill(known, &draft, purpose) {
                    made += 1;
                }
            }
        }
        if made == 0 && purpose == Purpose::Learn {
            let what = Left::Lesson(one.lesson.id);
            self.plan.skipped.push(Skipped { what, why: Why::NothingToPractise });
            return;
        }
        self.probe(known, one);
    }

    /// The user's prompts with other names in them.
    fn drafts_of_varied(&self, one: &'a ToLearn, limit: usize) -> Vec<Draft<'a>> {
        let kept: Vec<String> = about::words(&one.lesson.text).collect();
        let mut draws = Draws::of(self.seed, purpose_of(one.lesson.id.0, 1));
        let bases: Vec<&Past> = one.sources.iter().chain(&one.related).take(8).collect();
        // More than are needed, because some turn out to be held out or there already.
        let rounds = bases.iter().cycle().take(if bases.is_empty() { 0 } else { 2 * limit });
        let varied = rounds.filter_map(|past| {
            let text = vary::vary(past.request(), &past.answer, &kept, &mut draws)?;
            Some(Draft::of(past, PromptOrigin::Varied(past.turn)).asking(&text))
        });
        varied.collect()
    }

    /// Everyday requests for the programs of the lesson in turn; of all programs where it names none.
    fn drafts_of_everyday(&self, known: usize, one: &'a ToLearn) -> Vec<Draft<'a>> {
        let Some(known) = self.known.get(known) else { return vec![] };
        let Some(system) = self.system_of(one) else { return vec![] };
        let mut draws = Draws::of(self.seed, purpose_of(one.lesson.id.0, 2));
        let mut templates: Vec<_> = if known.is_general() {
            self.sides.train.clone()
        } else {
            known.programs.iter().flat_map(|program| self.sides.of(program).train).collect()
        };
        draws.shuffle(&mut templates);
        // More than are needed, because some turn out to be held out or there already.
        let rounds =
            templates.iter().cycle().take(if templates.is_empty() { 0 } else { 3 * self.limits.per_lesson });
        rounds.map(|one| Draft::plain(&system, &everyday::fill(one.text, &mut draws))).collect()
    }

    /// The system message of everyday prompts. A lesson of a project takes one that shows the project.
    fn system_of(&self, one: &ToLearn) -> Option<String> {
        let Scope::Project(project) = &one.lesson.scope else { return Some(self.inputs.system.to_owned()) };
        let shown = one.sources.iter().find_map(|past| system_with(past, project));
        shown.map(str::to_owned)
    }

    /// Adds a drill, unless its request is not to be trained on.
    fn drill(&mut self, known: usize, draft: &Draft<'a>, purpose: Purpose) -> bool {
        if !self.admits(draft) {
            return false;
        }
        let Some(lesson) = self.known.get(known).map(|one| one.taught.lesson.id) else { return false };
        let lessons = known::context(&self.known, known, draft.asked());
        let written = match draft.origin {
            PromptOrigin::Source(turn) => self.written(turn),
            _ => None,
        };
        let messages = draft.messages.clone();
        self.plan.drills.push(Drill {
            lesson: Some(lesson),
            purpose,
            origin: draft.origin,
            messages,
            lessons,
            written,
        });
        true
    }

    fn written(&self, turn: TurnId) -> Option<String> {
        let of_turn = self.inputs.negatives.iter().find(|negative| negative.past.turn == turn);
        of_turn.and_then(|negative| negative.written.clone())
    }

    /// Whether a prompt may be trained on; counts it if so.
    pub(super) fn admits(&mut self, draft: &Draft<'a>) -> bool {
        let asked = draft.asked();
        let chars = draft.messages.iter().map(|message| message.content.chars().count()).sum();
        let why = if asked.trim().is_empty() {
            Some(Why::NoRequest)
        } else if chars > self.limits.prompt_chars {
            Some(Why::TooLong { chars, limit: self.limits.prompt_chars })
        } else if self.never.contains(&split::key(asked)) {
            Some(Why::AskedByGate)
        } else {
            None
        };
        if let Some(why) = why {
            self.leave_out(draft.past.map(|past| past.turn), why);
            return false;
        }
        // Held out or there already: both are as planned and need no reason.
        if split::is_held_out(asked) || self.trained.contains(&split::key(asked)) {
            return false;
        }
        if !self.has_room(draft.past) {
            return false;
        }
        self.trained.insert(split::key(asked));
        true
    }

    /// Counts a prompt of one of the user's turns against the limits of its session and project.
    fn has_room(&mut self, past: Option<&'a Past>) -> bool {
        let Some(past) = past else { return true };
        let limits = self.limits;
        if self.of_session.get(past.session.0.as_str()).copied().unwrap_or(0) >= limits.per_session {
            self.leave_out(Some(past.turn), Why::EnoughOfSession { limit: limits.per_session });
            return false;
        }
        if let Some(project) = past.project.as_deref() {
            let n = self.of_project.entry(project).or_default();
            if *n >= limits.per_project {
                self.leave_out(Some(past.turn), Why::EnoughOfProject { limit: limits.per_project });
                return false;
            }
            *n += 1;
        }
        *self.of_session.entry(&past.session.0).or_default() += 1;
        true
    }

    pub(super) fn leave_out(&mut self, turn: Option<TurnId>, why: Why) {
        if let Some(turn) = turn.filter(|turn| self.named.insert(*turn)) {
            self.plan.skipped.push(Skipped { what: Left::Turn(turn), why });
        }
    }

    /// Questions on the other side of the split: held-out prompts of the user's, wordings never trained on, and the
    /// user's prompts with other names.
    fn probe(&mut self, known: usize, one: &'a ToLearn) {
        let Some(lesson) = self.known.get(known) else { return };
        let system = self.system_of(one);
        let own = one.sources.iter().chain(&one.related);
        let mut drafts: Vec<Draft<'a>> = own
            .clone()
            .filter(|past| split::is_held_out(past.request()))
            .map(|past| Draft::of(past, PromptOrigin::Related(past.turn)))
            .collect();
        let mut draws = Draws::of(self.seed, purpose_of(one.lesson.id.0, 3));
        let mut wordings: Vec<_> = if lesson.is_general() {
            self.sides.probes.clone()
        } else {
            lesson.programs.iter().flat_map(|program| self.sides.of(program).probes).collect()
        };
        draws.shuffle(&mut wordings);
        if let Some(system) = system {
            let rounds = wordings.iter().cycle().take(2 * self.limits.probes.min(wordings.len() * 3));
            drafts.extend(rounds.map(|one| Draft::plain(&system, &everyday::fill(one.text, &mut draws))));
        }
        let kept: Vec<String> = about::words(&one.lesson.text).collect();
        for past in own.cycle().take(if one.sources.len() + one.related.len() == 0 {
            0
        } else {
            10 * self.limits.probes
        }) {
            let varied = vary::vary(past.request(), &past.answer, &kept, &mut draws)
                .filter(|text| split::is_held_out(text));
            drafts.extend(varied.map(|text| Draft::of(past, PromptOrigin::Varied(past.turn)).asking(&text)));
        }
        let mut seen = BTreeSet::new();
        drafts.retain(|draft| !draft.asked().trim().is_empty() && seen.insert(split::key(draft.asked())));
        let probes = drafts.into_iter().take(self.limits.probes);
        let probes: Vec<Probe> = probes
            .map(|draft| Probe {
                lesson: one.lesson.id,
                lessons: known::context(&self.known, known, draft.asked()),
                messages: draft.messages,
            })
            .collect();
        self.plan.probes.extend(probes);
    }

    /// Drills from single turns: a hint, or what the person wrote, where no lesson of the plan covers the turn.
    fn judge_turns(&mut self) {
        for negative in self.inputs.negatives {
            let turn = negative.past.turn;
            let is_covered =
                self.known.iter().any(|known| known.taught.sources.iter().any(|past| past.turn == turn));
            if is_covered || (negative.hint.is_none() && negative.written.is_none()) {
                continue;
            }
            if self.is_judged_both_ways(negative) {
                self.leave_out(Some(turn), Why::JudgedBothWays);
                continue;
            }
            let draft = Draft::of(&negative.past, PromptOrigin::Source(turn));
            if self.admits(&draft) {
                let lessons = negative.hint.iter().cloned().collect();
                let (messages, written) = (draft.messages, negative.written.clone());
                self.plan.drills.push(Drill {
                    lesson: None,
                    purpose: Purpose::Hint,
                    origin: draft.origin,
                    messages,
                    lessons,
                    written,
                });
            }
        }
    }

    /// Probes are asked on what was never trained on: the last word on both sides.
    fn finish(mut self) -> Plan {
        let trained = self.trained;
        self.plan.probes.retain(|probe| !trained.contains(&split::key(request(&probe.messages))));
        self.plan.neutral.retain(|one| !trained.contains(&split::key(request(&one.messages))));
        self.plan
    }
}

/// The user's prompts as they were: sources, then related ones.
fn drafts_of_own(one: &ToLearn) -> Vec<Draft<'_>> {
    let own = one.sources.iter().map(|past| Draft::of(past, PromptOrigin::Source(past.turn)));
    let related = one.related.iter().map(|past| Draft::of(past, PromptOrigin::Related(past.turn)));
    own.chain(related).collect()
}

/// What makes a lesson unfit for the weights, whatever else is in the run.
fn unfit(one: &ToLearn) -> Option<Why> {
    let lesson = &one.lesson;
    if lesson.state != State::Active {
        return Some(Why::NotActive);
    }
    if let Some(by) = one.contradicted_by {
        return Some(Why::Contradicted(by));
    }
    if lesson.failed >= 3 && lesson.failed > lesson.helped {
        return Some(Why::NotHelping { helped: lesson.helped, failed: lesson.failed });
    }
    match &lesson.scope {
        Scope::Session(_) => Some(Why::SessionOnly),
        Scope::Project(project) if !one.sources.iter().any(|past| system_with(past, project).is_some()) => {
            Some(Why::ProjectNotVisible)
        }
        Scope::Project(_) | Scope::Program(_) | Scope::Global => None,
    }
}

/// The prompt's system message, if it names the project's directory.
fn system_with<'a>(past: &'a Past, project: &str) -> Option<&'a str> {
    let system = past.messages.iter().find(|message| message.role == Role::System)?;
    let name = project.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())?;
    system.content.contains(name).then_some(system.content.as_str())
}

/// A stream of numbers for one lesson and one use.
fn purpose_of(lesson: i64, of: u64) -> u64 {
    lesson.cast_unsigned().wrapping_mul(16).wrapping_add(of)
}
