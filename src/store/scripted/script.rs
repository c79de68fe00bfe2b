//! What the twin remembers: just enough to give the receipts and refusals that the ledger gives.

mod import;
mod removal;
mod review;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::lesson::LessonId;
use crate::store::{
    Decision, Entry, Excluded, LessonChange, LessonEdit, NewGate, NewLesson, NewRun, NewServing, NewTurn,
    NewVerdict, Receipt, RunId, Sample, SampleRole, StoreError,
};
use crate::turn::next_state::NextState;
use crate::turn::{PolicyVersion, SessionId, TurnId};

#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    sessions: HashSet<SessionId>,
    /// Whether each turn is still running.
    turns: HashMap<TurnId, bool>,
    /// With those that were forgotten.
    n_turns: usize,
    parents: HashMap<TurnId, TurnId>,
    /// Forgotten turns that others continue.
    emptied: HashSet<TurnId>,
    lessons: BTreeMap<LessonId, ScriptedLesson>,
    /// With those that were forgotten.
    n_lessons: i64,
    uses: HashSet<(TurnId, LessonId)>,
    runs: BTreeMap<RunId, ScriptedRun>,
    samples: Vec<(RunId, Sample)>,
    /// Base and version of each change of what serves.
    served: Vec<(String, PolicyVersion)>,
    /// Lines of history so far, of all lessons.
    n_events: usize,
    excluded: HashSet<Excluded>,
    /// When each verdict of a turn was given, and what followed it: a rating or not, and when.
    verdicts: HashMap<TurnId, Vec<i64>>,
    followed: HashMap<TurnId, Vec<(bool, i64)>>,
    /// What was imported, by what makes it known.
    imported_turns: HashMap<String, TurnId>,
    imported_lessons: HashMap<String, LessonId>,
}

#[derive(Debug, Clone, Default)]
struct ScriptedLesson {
    is_in_force: bool,
    learned_in: Option<PolicyVersion>,
    versions: BTreeSet<PolicyVersion>,
    /// `n_events` after the last change that was no pin.
    changed: usize,
    /// Its newest line of history, and what it was before that, where a change keeps it.
    newest_event: usize,
    before: Option<Box<ScriptedLesson>>,
}

#[derive(Debug, Clone)]
struct ScriptedRun {
    is_open: bool,
    base: String,
    parent: PolicyVersion,
    serving: PolicyVersion,
    candidate: Option<PolicyVersion>,
    /// `n_events` at the start.
    after_event: usize,
}

impl Script {
    pub(super) fn apply(&mut self, entry: &Entry) -> Result<Receipt, StoreError> {
        match entry {
            Entry::OpenSession(session) => {
                self.sessions.insert(session.id.clone());
            }
            Entry::BeginTurn(turn) => return self.begin_turn(turn).map(Receipt::Turn),
            Entry::AppendTokens { turn, .. } | Entry::AppendText { turn, .. } => self.check_running(*turn)?,
            Entry::EndTurn { turn, .. } => {
                self.check_running(*turn)?;
                self.turns.insert(*turn, false);
            }
            Entry::TitleSession { session, .. }
            | Entry::CloseSession { session, .. }
            | Entry::CloseIdleSession { session, .. } => self.check_session(session)?,
            Entry::Serve(serving) => self.serve(&serving.base_sha256, serving.version),
            Entry::Rollback(serving) => self.roll_back(serving)?,
            Entry::RecordNextState { turn, at, state } => {
                self.check_turn(*turn)?;
                let is_rating = matches!(state, NextState::Rating { .. });
                self.followed.entry(*turn).or_default().push((is_rating, *at));
            }
            Entry::Judge(verdict) => self.judge(verdict)?,
            Entry::AddLesson(lesson) => return self.add_lesson(lesson).map(Receipt::Lesson),
            Entry::ChangeLesson(edit) => self.change_lesson(edit)?,
            Entry::Review(edit) => self.review(edit)?,
            Entry::ForgetLesson { lesson } => self.forget_lesson(*lesson)?,
            Entry::ForgetTurns { turns } => self.forget_turns(turns)?,
            Entry::Remove(removal) => self.remove(removal),
            Entry::EmptyLog => {}
            Entry::UseLessons { turn, lessons } => self.use_lessons(*turn, lessons)?,
            Entry::CountLessonEffect { turn, lesson, .. } => {
                if !self.uses.contains(&(*turn, *lesson)) {
                    return Err(StoreError::LessonNotUsed { turn: turn.0, lesson: lesson.0 });
                }
            }
            Entry::BeginRun(run) => return self.begin_run(run).map(Receipt::Run),
            Entry::RecordSamples { run, samples } => self.record_samples(*run, samples)?,
            Entry::EndRun(end) => self.running(end.run)?.is_open = false,
            Entry::RecordGate(gate) => self.record_gate(gate)?,
            Entry::ImportTurn(import) => return self.import_turn(import),
            Entry::ImportLesson(import) => return self.import_lesson(import),
        }
        Ok(Receipt::Done)
    }

    fn begin_turn(&mut self, turn: &NewTurn) -> Result<TurnId, StoreError> {
        self.check_session(&turn.session)?;
        turn.parent.map_or(Ok(()), |parent| self.check_turn(parent))?;
        let id = TurnId(next_id(self.n_turns));
        self.n_turns += 1;
        self.turns.insert(id, true);
        self.parents.extend(turn.parent.map(|parent| (id, parent)));
        Ok(id)
    }

    fn judge(&mut self, new: &NewVerdict) -> Result<(), StoreError> {
        new.check_finite()?;
        self.check_turn(new.turn)?;
        let n_states = self.followed.get(&new.turn).map_or(0, Vec::len);
        if usize::try_from(new.seen).is_ok_and(|seen| seen > n_states) {
            return Err(StoreError::TurnMoved(new.turn.0));
        }
        self.verdicts.entry(new.turn).or_default().push(new.judged_at);
        Ok(())
    }

    fn add_lesson(&mut self, new: &NewLesson) -> Result<LessonId, StoreError> {
        for turn in &new.sources {
            self.check_turn(*turn)?;
        }
        self.n_lessons += 1;
        let id = LessonId(self.n_lessons);
        self.n_events += 1;
        let lesson = ScriptedLesson {
            is_in_force: !new.waits_for_yes,
            changed: self.n_events,
            newest_event: self.n_events,
            ..ScriptedLesson::default()
        };
        self.lessons.insert(id, lesson);
        for replaced in &new.replaces {
            let before = self.lesson(*replaced)?.clone();
            self.lesson(*replaced)?.retire();
            self.touch(*replaced);
            self.keep_before(*replaced, before);
        }
        Ok(id)
    }

    fn change_lesson(&mut self, edit: &LessonEdit) -> Result<(), StoreError> {
        let lesson = self.lesson(edit.lesson)?;
        let before = lesson.clone();
        match &edit.change {
            LessonChange::Activate => {
                lesson.is_in_force = true;
                lesson.learned_in = None;
            }
            LessonChange::Prune => lesson.retire(),
            LessonChange::Retire { replaced_by } => {
                lesson.retire();
                replaced_by.map_or(Ok(()), |successor| self.lesson(successor).map(|_| ()))?;
            }
            LessonChange::Reword(_) => {
                lesson.learned_in = None;
                lesson.versions.clear();
            }
            LessonChange::Rescope(_) => {}
            LessonChange::Pin(_) => {
                let changed = before.changed;
                self.touch(edit.lesson);
                self.lesson(edit.lesson)?.changed = changed;
                self.keep_before(edit.lesson, before);
                return Ok(());
            }
        }
        self.touch(edit.lesson);
        self.keep_before(edit.lesson, before);
        Ok(())
    }

    fn forget_lesson(&mut self, lesson: LessonId) -> Result<(), StoreError> {
        self.lesson(lesson)?;
        let mut with_it = self.samples.iter().filter(|(_, sample)| sample.lesson == Some(lesson));
        if let Some((run, _)) = with_it.find(|(run, _)| self.runs.get(run).is_some_and(|run| run.is_open)) {
            return Err(StoreError::LessonInRun { run: run.0, lesson: lesson.0 });
        }
        self.lessons.remove(&lesson);
        self.uses.retain(|(_, used)| *used != lesson);
        self.samples.retain(|(_, sample)| sample.lesson != Some(lesson));
        Ok(())
    }

    fn forget_turns(&mut self, turns: &[TurnId]) -> Result<(), StoreError> {
        let mut turns = turns.to_vec();
        turns.sort_unstable_by(|one, other| other.cmp(one));
        turns.dedup();
        for turn in &turns {
            self.check_may_go(*turn)?;
        }
        for turn in turns {
            self.samples.retain(|(_, sample)| sample.turn != Some(turn));
            self.uses.retain(|(used_in, _)| *used_in != turn);
            self.excluded.remove(&Excluded::Turn(turn));
            self.verdicts.remove(&turn);
            self.followed.remove(&turn);
            self.emptied.insert(turn);
            let mut next = Some(turn);
            while let Some(turn) = next.filter(|turn| self.may_be_removed(*turn)) {
                self.turns.remove(&turn);
                self.emptied.remove(&turn);
                next = self.parents.remove(&turn);
            }
        }
        Ok(())
    }

    fn check_may_go(&self, turn: TurnId) -> Result<(), StoreError> {
        let known = self.turns.get(&turn).filter(|_| !self.emptied.contains(&turn));
        if *known.ok_or(StoreError::NoTurn(turn.0))? {
            return Err(StoreError::TurnRunning(turn.0));
        }
        let mut with_it = self.samples.iter().filter(|(_, sample)| sample.turn == Some(turn));
        match with_it.find(|(run, _)| self.runs.get(run).is_some_and(|run| run.is_open)) {
            Some((run, _)) => Err(StoreError::TurnInRun { run: run.0, turn: turn.0 }),
            None => Ok(()),
        }
    }

    fn may_be_removed(&self, turn: TurnId) -> bool {
        self.emptied.contains(&turn) && !self.parents.values().any(|parent| *parent == turn)
    }

    fn use_lessons(&mut self, turn: TurnId, lessons: &[LessonId]) -> Result<(), StoreError> {
        self.check_turn(turn)?;
        for lesson in lessons {
            self.lesson(*lesson)?;
            self.uses.insert((turn, *lesson));
        }
        Ok(())
    }

    fn begin_run(&mut self, new: &NewRun) -> Result<RunId, StoreError> {
        if let Some((open, _)) = self.runs.iter().find(|(_, run)| run.is_open) {
            return Err(StoreError::RunActive(open.0));
        }
        let id = RunId(next_id(self.runs.len()));
        let run = ScriptedRun {
            is_open: true,
            base: new.base_sha256.clone(),
            parent: new.parent,
            serving: self.serving(&new.base_sha256),
            candidate: None,
            after_event: self.n_events,
        };
        self.runs.insert(id, run);
        Ok(id)
    }

    fn record_samples(&mut self, run: RunId, samples: &[Sample]) -> Result<(), StoreError> {
        self.running(run)?;
        for sample in samples {
            if let Some(turn) = sample.turn {
                self.check_turn(turn)?;
                self.check_split(turn, sample.role)?;
            }
            sample.lesson.map_or(Ok(()), |lesson| self.lesson(lesson).map(|_| ()))?;
            self.samples.push((run, sample.clone()));
        }
        Ok(())
    }

    fn check_split(&self, turn: TurnId, role: SampleRole) -> Result<(), StoreError> {
        let mut was =
            self.samples.iter().filter(|(_, sample)| sample.turn == Some(turn)).map(|(_, was)| was.role);
        if role.is_trained_on() && was.any(|was| was == SampleRole::HeldOut) {
            return Err(StoreError::HeldOut(turn.0));
        }
        if role == SampleRole::HeldOut && was.any(SampleRole::is_trained_on) {
            return Err(StoreError::TrainedOn(turn.0));
        }
        Ok(())
    }

    fn record_gate(&mut self, gate: &NewGate) -> Result<(), StoreError> {
        let run = self.running(gate.run)?.clone();
        let version = gate.candidate;
        let is_taken = self.runs.values().any(|run| run.candidate == Some(version))
            || self.served.iter().any(|(_, served)| *served == version);
        if is_taken || version == PolicyVersion::BASE {
            return Err(StoreError::VersionTaken(version));
        }
        self.running(gate.run)?.candidate = Some(version);
        if let Decision::Promote { learned } = &gate.decision {
            self.promote(gate, &run, learned)?;
        }
        self.running(gate.run)?.is_open = false;
        Ok(())
    }

    fn promote(&mut self, gate: &NewGate, run: &ScriptedRun, learned: &[LessonId]) -> Result<(), StoreError> {
        let is = self.serving(&run.base);
        if is != run.serving {
            return Err(StoreError::ServingChanged { run: gate.run.0, was: run.serving, is });
        }
        let changed = |lesson: LessonId| StoreError::LessonChanged { run: gate.run.0, lesson: lesson.0 };
        for lesson in learned {
            if !self.lesson(*lesson)?.is_in_force {
                return Err(changed(*lesson));
            }
        }
        let of_run = self.samples.iter().filter(|(of, _)| *of == gate.run);
        let taught: BTreeSet<LessonId> = of_run.filter_map(|(_, sample)| sample.lesson).collect();
        for lesson in taught.into_iter().chain(learned.iter().copied()) {
            if self.lesson(lesson)?.changed > run.after_event {
                return Err(changed(lesson));
            }
        }
        for id in learned {
            let lesson = self.lesson(*id)?;
            lesson.learned_in = Some(gate.candidate);
            lesson.versions.insert(gate.candidate);
            self.touch(*id);
        }
        self.serve(&run.base, gate.candidate);
        Ok(())
    }

    fn roll_back(&mut self, to: &NewServing) -> Result<(), StoreError> {
        let wanted = (to.base_sha256.clone(), to.version);
        if to.version != PolicyVersion::BASE && !self.served.contains(&wanted) {
            return Err(StoreError::NeverServed(to.version));
        }
        self.serve(&to.base_sha256, to.version);
        Ok(())
    }

    /// Lessons that were learned with this base and that no version in the serving one's line holds are touched.
    fn serve(&mut self, base: &str, version: PolicyVersion) {
        self.served.push((base.to_owned(), version));
        let line = self.lineage(version);
        let with_base: Vec<PolicyVersion> =
            self.runs.values().filter(|run| run.base == base).filter_map(|run| run.candidate).collect();
        let mut lost = Vec::new();
        for (id, lesson) in &mut self.lessons {
            let Some(learned_in) = lesson.learned_in.filter(|version| with_base.contains(version)) else {
                continue;
            };
            if !line.contains(&learned_in) {
                lesson.learned_in = lesson.versions.iter().rfind(|version| line.contains(version)).copied();
                lost.extend(lesson.learned_in.is_none().then_some(*id));
            }
        }
        for lesson in lost {
            self.touch(lesson);
        }
    }

    fn lineage(&self, version: PolicyVersion) -> BTreeSet<PolicyVersion> {
        let mut line = BTreeSet::new();
        let mut next = Some(version);
        while let Some(version) = next.filter(|version| line.insert(*version)) {
            next = self.runs.values().find(|run| run.candidate == Some(version)).map(|run| run.parent);
        }
        line
    }

    fn serving(&self, base: &str) -> PolicyVersion {
        let newest = self.served.iter().rfind(|(with, _)| with == base);
        newest.map_or(PolicyVersion::BASE, |(_, version)| *version)
    }

    /// A line in a lesson's history.
    fn touch(&mut self, lesson: LessonId) {
        self.n_events += 1;
        if let Some(lesson) = self.lessons.get_mut(&lesson) {
            lesson.changed = self.n_events;
            lesson.newest_event = self.n_events;
            lesson.before = None;
        }
    }

    fn lesson(&mut self, lesson: LessonId) -> Result<&mut ScriptedLesson, StoreError> {
        self.lessons.get_mut(&lesson).ok_or(StoreError::NoLesson(lesson.0))
    }

    fn running(&mut self, run: RunId) -> Result<&mut ScriptedRun, StoreError> {
        let found = self.runs.get_mut(&run).ok_or(StoreError::NoRun(run.0))?;
        if found.is_open { Ok(found) } else { Err(StoreError::RunEnded(run.0)) }
    }

    fn check_session(&self, session: &SessionId) -> Result<(), StoreError> {
        let known = self.sessions.contains(session);
        if known { Ok(()) } else { Err(StoreError::NoSession(session.0.clone())) }
    }

    fn check_turn(&self, turn: TurnId) -> Result<(), StoreError> {
        let is_there = self.turns.contains_key(&turn) && !self.emptied.contains(&turn);
        if is_there { Ok(()) } else { Err(StoreError::NoTurn(turn.0)) }
    }

    fn check_running(&self, turn: TurnId) -> Result<(), StoreError> {
        match self.turns.get(&turn) {
            Some(true) => Ok(()),
            Some(false) => Err(StoreError::TurnEnded(turn.0)),
            None => Err(StoreError::NoTurn(turn.0)),
        }
    }
}

impl ScriptedLesson {
    fn retire(&mut self) {
        self.is_in_force = false;
        self.learned_in = None;
    }
}

fn next_id(n_before: usize) -> i64 {
    i64::try_from(n_before).unwrap_or(i64::MAX).saturating_add(1)
}
