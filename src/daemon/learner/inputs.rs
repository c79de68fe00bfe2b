//! What a round learns from, out of the ledger: lessons with the turns that they concern, turns that were judged bad,
//! confirmed-good turns.
//!
//! Reads only. What is then practised is the plan's decision (`learn::rehearsal`).

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::config::{Keep, Rules, disk};
use crate::daemon::drawing::project_of;
use crate::daemon::error::ApiError;
use crate::daemon::record::surface;
use crate::learn::canaries::Suite;
use crate::learn::rehearsal::{Everyday, Inputs, Negative, Past, ToLearn};
use crate::lesson::life::is_held;
use crate::lesson::relevance::{Asked, Index, Limits};
use crate::lesson::{Lesson, Scope, State};
use crate::store::{Reader, RunState, SampleRole, StoreError, TurnFilter, TurnLine, TurnRow, VerdictRow};
use crate::turn::next_state::NextState;
use crate::turn::{Message, PolicyVersion, Role, Source, TurnId};

/// Turns that are looked through for related prompts, newest first; and how many of them a lesson gets.
const LOOKED_THROUGH: usize = 400;
const RELATED: usize = 16;
/// Judged turns that are taken at most.
const BAD: usize = 64;
const GOOD: usize = 200;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) lessons: Vec<ToLearn>,
    pub(super) held: Vec<ToLearn>,
    pub(super) negatives: Vec<Negative>,
    pub(super) confirmed: Vec<Past>,
    never: Vec<String>,
    everyday: Everyday,
    pub(super) suite: Suite,
    pub(super) system: String,
}

/// Whose point of view the ledger is read from.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) serving: PolicyVersion,
    pub(super) lineage: Vec<PolicyVersion>,
    pub(super) system: String,
    /// Everything is learned anew, as after something was forgotten: what the weights hold counts for nothing.
    pub(super) from_nothing: bool,
    /// What they keep out of learning is kept out whenever it was recorded.
    pub(super) rules: Rules,
}

/// What is asked and practised beyond the user's own words.
pub(super) struct Tables {
    suite: Suite,
    everyday: Everyday,
}

impl Collected {
    pub(super) fn read(reader: &mut Reader, view: &View, tables: Tables) -> Result<Self, StoreError> {
        let mut threads = Threads { reader, known: HashMap::new(), rules: &view.rules };
        let recent = threads.reader.turns(&TurnFilter::default(), None, LOOKED_THROUGH)?;
        let recent: Vec<TurnLine> =
            recent.into_iter().filter(|line| may_teach(&line.turn) && !line.is_excluded).collect();
        let (mut lessons, mut held) = (Vec::new(), Vec::new());
        for lesson in threads.reader.lessons_in_force()? {
            let is_held = !view.from_nothing && is_held(lesson.state, view.serving, &view.lineage);
            let one = threads.about(lesson, &recent)?;
            if is_held {
                held.push(one);
            } else {
                lessons.push(one);
            }
        }
        let Tables { suite, everyday } = tables;
        Ok(Self {
            negatives: threads.negatives(view)?,
            confirmed: threads.confirmed()?,
            lessons,
            held,
            never: suite.canaries().iter().map(|canary| canary.request.clone()).collect(),
            everyday,
            suite,
            system: view.system.clone(),
        })
    }

    pub(super) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            lessons: &self.lessons,
            held: &self.held,
            negatives: &self.negatives,
            confirmed: &self.confirmed,
            never: &self.never,
            everyday: &self.everyday,
            system: &self.system,
        }
    }

    /// How many lessons and turns wait to be learned. Bad turns of which nobody said how they should have been are
    /// no reason for a round.
    pub(super) fn n_waiting(&self) -> usize {
        let told = self.negatives.iter().filter(|one| one.hint.is_some() || one.written.is_some());
        let lessons = self.lessons.iter().filter(|one| !matches!(one.lesson.scope, Scope::Session(_)));
        lessons.count() + told.filter(|one| !self.is_covered(one)).count()
    }

    /// Whether a lesson was drawn from the turn: then the lesson is what is learned.
    fn is_covered(&self, negative: &Negative) -> bool {
        let all = self.lessons.iter().chain(&self.held);
        all.flat_map(|one| &one.sources).any(|past| past.turn == negative.past.turn)
    }

    /// Names what would be learned: two rounds with the same name would be the same round.
    pub(super) fn fingerprint(&self, serving: PolicyVersion, dial: &str) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: &str| digest.update(format!("{} {text}", text.len()));
        add(dial);
        add(&serving.to_string());
        for one in self.lessons.iter().chain(&self.held) {
            add(&format!("{} {:?} {:?}", one.lesson.id.0, one.lesson.scope, one.lesson.state));
            add(&one.lesson.text);
        }
        for negative in &self.negatives {
            add(&format!("{} {:?} {:?}", negative.past.turn.0, negative.hint, negative.written));
        }
        disk::hex(digest.finalize().get(..16).unwrap_or_default())
    }
}

impl Tables {
    pub(super) fn built_in() -> Result<Self, ApiError> {
        let broken = |error: toml::de::Error| ApiError::internal("table_broken", error.to_string());
        let (suite, everyday) = (Suite::built_in().map_err(broken)?, Everyday::built_in().map_err(broken)?);
        Ok(Self { suite, everyday })
    }
}

/// Programs that use the endpoint are served and not learned from, unless something followed their turns that they
/// told us themselves.
fn may_teach(turn: &TurnRow) -> bool {
    turn.source != Source::Api && turn.ending.is_some_and(crate::turn::Ending::is_whole)
}

/// Reads whole conversations, each turn once.
struct Threads<'a> {
    reader: &'a mut Reader,
    known: HashMap<TurnId, TurnRow>,
    rules: &'a Rules,
}

impl Threads<'_> {
    fn about(&mut self, lesson: Lesson, recent: &[TurnLine]) -> Result<ToLearn, StoreError> {
        let mut sources = Vec::new();
        for turn in &lesson.sources {
            if !self.reader.is_excluded(*turn)? {
                sources.extend(self.past(*turn)?);
            }
        }
        let mut related = Vec::new();
        for turn in related_to(&lesson, recent) {
            related.extend(self.past(turn)?);
        }
        Ok(ToLearn { lesson, sources, related, contradicted_by: None })
    }

    fn negatives(&mut self, view: &View) -> Result<Vec<Negative>, StoreError> {
        let mut negatives = Vec::new();
        for line in self.reader.bad_turns(None, BAD)? {
            let turn = line.turn.id;
            let story = self.reader.turn_story(turn)?;
            let was_taught = story.samples.iter().any(|row| {
                row.sample.role == SampleRole::Teach
                    && matches!(row.run_state, RunState::Promoted | RunState::Rejected)
            });
            if was_taught && !view.from_nothing {
                continue;
            }
            let hint = line.verdict.as_ref().and_then(hint_of);
            let written = story.next_states.iter().find_map(|row| match &row.state {
                NextState::Edit { text } => Some(text.clone()),
                _ => None,
            });
            negatives.extend(self.past(turn)?.map(|past| Negative { past, hint, written }));
        }
        Ok(negatives)
    }

    fn confirmed(&mut self) -> Result<Vec<Past>, StoreError> {
        let mut confirmed = Vec::new();
        for line in self.reader.good_turns(None, GOOD)? {
            confirmed.extend(self.past(line.turn.id)?);
        }
        Ok(confirmed)
    }

    /// The turn with the whole conversation before it; `None` without an answer, or where a rule keeps it out of learning.
    fn past(&mut self, turn: TurnId) -> Result<Option<Past>, StoreError> {
        let asked = self.turn(turn)?;
        let surface = surface(asked.source, &asked.session);
        let is_learned = self.rules.keep_in(surface, asked.cwd.as_deref()) == Keep::All;
        if asked.response.is_empty() || !is_learned {
            return Ok(None);
        }
        let mut thread = vec![asked.clone()];
        let mut next = asked.parent;
        while let Some(parent) = next {
            let row = self.turn(parent)?;
            next = row.parent;
            thread.push(row);
        }
        let project = asked.cwd.as_deref().and_then(project_of);
        let TurnRow { session, response: answer, .. } = asked;
        Ok(Some(Past { turn, session, project, messages: conversation(&thread), answer }))
    }

    fn turn(&mut self, turn: TurnId) -> Result<TurnRow, StoreError> {
        if let Some(row) = self.known.get(&turn) {
            return Ok(row.clone());
        }
        let row = self.reader.turn(turn)?.row;
        self.known.insert(turn, row.clone());
        Ok(row)
    }
}

/// Messages up to the newest turn's answer, which is left out. `thread`: newest turn first.
fn conversation(thread: &[TurnRow]) -> Vec<Message> {
    let mut messages = Vec::new();
    for (at, turn) in thread.iter().enumerate().rev() {
        messages.extend(turn.messages.iter().cloned());
        if at > 0 && !turn.is_forgotten() {
            messages.push(Message::new(Role::Assistant, &turn.response));
        }
    }
    messages
}

fn hint_of(verdict: &VerdictRow) -> Option<String> {
    verdict.verdict.hint.clone()
}

/// Turns whose request the lesson concerns, newest first, each request once.
fn related_to(lesson: &Lesson, recent: &[TurnLine]) -> Vec<TurnId> {
    let index = Index::new(&[Lesson { state: State::Active, ..lesson.clone() }]);
    let mut seen: Vec<&str> = Vec::new();
    let mut related = Vec::new();
    for TurnLine { turn, .. } in recent {
        let said = turn.messages.iter().rfind(|message| message.role == Role::User);
        let text = said.map_or("", |message| message.content.as_str());
        let asked = Asked {
            text,
            cwd: turn.cwd.as_deref(),
            session: Some(&turn.session.0),
            serving: PolicyVersion::BASE,
            lineage: &[],
            similarity: None,
        };
        let is_known = lesson.sources.contains(&turn.id) || seen.contains(&text);
        if !is_known && !index.relevant(&asked, Limits::usual(&|text| text.len())).chosen.is_empty() {
            seen.push(text);
            related.push(turn.id);
        }
    }
    related.truncate(RELATED);
    related
}
