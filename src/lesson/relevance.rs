//! Which lessons a prompt gets: those that its scope covers and that its words, task or subject call for.
//!
//! What lives here: the index and the choice. What does not: what lessons mean (`claim`), tasks and subjects as tables
//! (`programs`, `subjects`), how the chosen ones are written (`prompt`).
//!
//! What always holds: the same lessons and the same request give the same choice; a lesson about a program is left out
//! unless that program is likely; of two that contradict each other the newer one stands; the limits are kept.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::claim::{Claim, place};
use super::contradiction::{Reading, conflict};
use super::life::is_held;
use super::scope::{Prompt, stands_in};
use super::words::{Words, content, is_weak, stem};
use super::{Lesson, LessonId, MAX_IN_PROMPT, MAX_TOKENS, Scope, State, programs, subjects};
use crate::turn::PolicyVersion;

/// What a prompt is about.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The last thing that was asked.
    pub text: &'a str,
    pub cwd: Option<&'a str>,
    pub session: Option<&'a str>,
    pub serving: PolicyVersion,
    /// Versions that the serving one was built on; it may name itself.
    pub lineage: &'a [PolicyVersion],
    /// Cosine of the request's and a lesson's embeddings, −1 to 1, where the model gives useful ones.
    pub similarity: Option<&'a dyn Fn(LessonId) -> f32>,
}

/// How much may stand in a prompt. `n_tokens_of` counts a lesson's tokens with its line end, as the model does.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    pub n_lessons: usize,
    pub n_tokens: usize,
    pub n_tokens_of: &'a dyn Fn(&str) -> usize,
}

impl<'a> Limits<'a> {
    /// Six lessons and 400 tokens.
    pub fn usual(n_tokens_of: &'a dyn Fn(&str) -> usize) -> Self {
        Self { n_lessons: MAX_IN_PROMPT, n_tokens: MAX_TOKENS, n_tokens_of }
    }
}

/// A lesson that a prompt gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen<'a> {
    pub lesson: &'a Lesson,
    /// Comparable within one choice only.
    pub score: f32,
    pub why: Why,
}

/// The strongest reason for a choice, as `/why` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The task might be done with this program.
    Program(String),
    /// Lesson and request are about this.
    Subject(&'static str),
    /// These words, as stems, are in both.
    Words(Vec<String>),
    /// It holds for the manner of every answer.
    Manner,
    /// It was said in this session.
    Session,
    /// The embeddings are close.
    Similar,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => write!(f, "the task may be one for {name}"),
            Self::Subject(name) => write!(f, "both are about {name}"),
            Self::Words(words) => write!(f, "shares \"{}\"", words.join(", ")),
            Self::Manner => write!(f, "holds for every answer"),
            Self::Session => write!(f, "said in this session"),
            Self::Similar => write!(f, "reads alike"),
        }
    }
}

/// Chooses from a few lessons; with many, build an [`Index`] once.
pub fn relevant<'a>(lessons: &'a [Lesson], asked: &Asked<'_>, limits: Limits<'_>) -> Vec<Chosen<'a>> {
    Entries::new(lessons).choose(lessons, asked, limits).chosen
}

/// Lessons made ready to choose from. Build it anew when a lesson changes.
#[derive(Debug)]
pub struct Index {
    lessons: Vec<Lesson>,
    entries: Entries,
}

/// What a prompt gets, and how many relevant lessons had no room.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<'a> {
    pub chosen: Vec<Chosen<'a>>,
    pub n_left_out: usize,
}

impl Index {
    pub fn new(lessons: &[Lesson]) -> Self {
        Self { lessons: lessons.to_vec(), entries: Entries::new(lessons) }
    }

    pub fn lessons(&self) -> &[Lesson] {
        &self.lessons
    }

    pub fn relevant(&self, asked: &Asked<'_>, limits: Limits<'_>) -> Choice<'_> {
        self.entries.choose(&self.lessons, asked, limits)
    }
}

/// From this score on a lesson is relevant.
const RELEVANT_FROM: f32 = 1.0;
const PROGRAM: f32 = 3.0;
const SUBJECT: f32 = 2.0;
const MANNER: f32 = 1.2;
/// What a lesson shares by its looser ties: programs that its words hint at, words of the requests it came from.
const HINTED: f32 = 1.0;
const TRIGGER: f32 = 0.6;
/// For lessons of this project or session; not enough alone.
const NEAR: f32 = 0.6;
/// Words that many requests share count this much of their weight.
const WEAK: f32 = 0.15;
/// Cosine from which on two texts read alike, and what it is worth then.
const SIMILAR_FROM: f32 = 0.6;
const SIMILAR: f32 = 2.0;
/// Words of its source that a request must share to be like it.
const LIKE_SOURCE: u32 = 2;
/// Documents that are thought to stand beside the lessons, so that the first few lessons have sensible word weights.
const BACKGROUND: f32 = 20.0;
const BM25_K: f32 = 1.2;
const BM25_B: f32 = 0.5;

/// What makes a lesson relevant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// Only this program's tasks.
    Program(String),
    /// Only requests with one of these words.
    Named(Vec<String>),
    Subjects,
    Manner,
    Session,
    Words,
}

#[derive(Debug)]
struct Entry {
    about: About,
    reading: Reading,
    /// The one place that it is about, as a stem.
    place: Option<String>,
    n_words: f32,
}

/// Where lessons stand, by what calls for them. Numbers are positions in the list of lessons.
#[derive(Debug, Default)]
struct Entries {
    of_lessons: Vec<Entry>,
    by_word: HashMap<String, Vec<u32>>,
    by_trigger: HashMap<String, Vec<u32>>,
    by_program: HashMap<String, Vec<u32>>,
    by_hinted: HashMap<String, Vec<u32>>,
    by_subject: HashMap<usize, Vec<u32>>,
    mean_words: f32,
}

/// What speaks for one lesson.
#[derive(Debug, Clone, Default)]
struct Case {
    score: f32,
    /// The strongest reason, and what it counted.
    best: f32,
    why: Option<Why>,
    has_program: bool,
    n_like_source: u32,
    shared: Vec<String>,
}

impl Case {
    fn add(&mut self, weight: f32, why: impl FnOnce() -> Why) {
        self.score += weight;
        if weight > self.best {
            self.best = weight;
            self.why = Some(why());
        }
    }
}

impl Entries {
    fn new(lessons: &[Lesson]) -> Self {
        let mut entries = Self::default();
        for (at, lesson) in (0u32..).zip(lessons) {
            entries.push(at, lesson);
        }
        let n_words: f32 = entries.of_lessons.iter().map(|entry| entry.n_words).sum();
        entries.mean_words = (n_words / as_f32(entries.of_lessons.len().max(1))).max(1.0);
        entries
    }

    fn push(&mut self, at: u32, lesson: &Lesson) {
        let words = Words::of(&lesson.text);
        let reading = Reading::of(lesson);
        let subjects = subjects::of_lesson(&words);
        let about = about(lesson, &words, &reading.claim, !subjects.is_empty());
        if let About::Program(program) = &about {
            for name in names_of(program) {
                self.by_program.entry(name).or_default().push(at);
            }
        }
        // A fact's words name things, not tasks.
        let is_fact = matches!(reading.claim, Claim::Value { .. });
        let of_task = programs::hinted(&words).filter(|_| !is_fact).map(str::to_owned);
        let of_subjects = subjects
            .iter()
            .flat_map(|subject| subjects::programs_of(*subject))
            .map(|name| (*name).to_owned());
        let named = programs::named(&words).filter(|_| !is_fact).flat_map(names_of);
        let hinted: BTreeSet<String> = of_task.chain(of_subjects).chain(named).collect();
        for name in hinted {
            self.by_hinted.entry(name).or_default().push(at);
        }
        for subject in subjects {
            self.by_subject.entry(subject).or_default().push(at);
        }
        let said = content(&lesson.text);
        let n_words = as_f32(said.len());
        for word in said {
            self.by_word.entry(word).or_default().push(at);
        }
        for word in lesson.triggers.iter().map(|word| stem(&word.to_lowercase())).collect::<BTreeSet<_>>() {
            self.by_trigger.entry(word).or_default().push(at);
        }
        let place = place(&words).map(stem);
        self.of_lessons.push(Entry { about, reading, place, n_words });
    }

    fn choose<'a>(&self, lessons: &'a [Lesson], asked: &Asked<'_>, limits: Limits<'_>) -> Choice<'a> {
        let words = Words::of(asked.text);
        let likely = programs::likely(&words);
        let prompt = Prompt { words: &words, likely: &likely, cwd: asked.cwd, session: asked.session };
        let mut cases = vec![Case::default(); self.of_lessons.len()];
        self.add_words(&mut cases, asked.text);
        self.add_programs(&mut cases, &prompt);
        self.add_substitutes(&mut cases);
        self.add_subjects(&mut cases, &words);
        let mut ranked: Vec<(usize, Case)> = Vec::new();
        for (at, mut case) in cases.into_iter().enumerate() {
            let (Some(entry), Some(lesson)) = (self.of_lessons.get(at), lessons.get(at)) else { continue };
            if may_stand(lesson, asked) && entry.fits(&mut case, lesson, &prompt, asked) {
                ranked.push((at, case));
            }
        }
        ranked.sort_by(|(a, a_case), (b, b_case)| order(lessons, (*a, a_case.score), (*b, b_case.score)));
        self.within(lessons, ranked, limits)
    }

    /// BM25 over the words of the lesson, and the words of its source.
    fn add_words(&self, cases: &mut [Case], request: &str) {
        for word in content(request) {
            let lists = [(&self.by_word, false), (&self.by_trigger, true)];
            for (list, is_trigger) in lists {
                let Some(found) = list.get(&word) else { continue };
                let rarity = self.rarity(found.len()) * if is_weak(&word) { WEAK } else { 1.0 };
                for at in found {
                    let at = *at as usize;
                    let (Some(entry), Some(case)) = (self.of_lessons.get(at), cases.get_mut(at)) else {
                        continue;
                    };
                    if is_trigger {
                        case.n_like_source += u32::from(!is_weak(&word));
                        case.score += TRIGGER * rarity.min(1.0);
                    } else {
                        let length = 1.0 - BM25_B + BM25_B * entry.n_words / self.mean_words;
                        case.score += rarity * (BM25_K + 1.0) / (1.0 + BM25_K * length);
                        case.shared.push(word.clone());
                    }
                }
            }
        }
    }

    /// Inverse document frequency, with the background.
    fn rarity(&self, n_with: usize) -> f32 {
        let (all, with) = (as_f32(self.of_lessons.len()) + BACKGROUND, as_f32(n_with));
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }

    fn add_programs(&self, cases: &mut [Case], prompt: &Prompt<'_>) {
        let named: BTreeSet<&str> = prompt.words.tokens.iter().map(String::as_str).collect();
        let all: BTreeSet<&str> = prompt.likely.iter().map(String::as_str).chain(named).collect();
        for name in all {
            for at in self.by_program.get(name).into_iter().flatten() {
                if let Some(case) = cases.get_mut(*at as usize).filter(|case| !case.has_program) {
                    case.has_program = true;
                    case.add(PROGRAM, || Why::Program(name.to_owned()));
                }
            }
            for at in self.by_hinted.get(name).into_iter().flatten() {
                if let Some(case) = cases.get_mut(*at as usize) {
                    case.add(HINTED, || Why::Program(name.to_owned()));
                }
            }
        }
    }

    /// Lessons about a program that another relevant lesson brings in: `use rg instead of grep`, `rg always with -n`.
    fn add_substitutes(&self, cases: &mut [Case]) {
        let swaps = self.of_lessons.iter().zip(cases.iter()).filter(|(_, case)| case.has_program);
        let new: BTreeSet<&str> = swaps
            .filter_map(|(entry, _)| match &entry.reading.claim {
                Claim::Swap { new, .. } => Some(new.as_str()),
                _ => None,
            })
            .collect();
        for name in new {
            let about = self.by_program.get(name).into_iter().chain(self.by_word.get(&stem(name))).flatten();
            for at in about {
                if let Some(case) = cases.get_mut(*at as usize).filter(|case| !case.has_program) {
                    case.has_program = true;
                    case.add(PROGRAM, || Why::Program(name.to_owned()));
                }
            }
        }
    }

    fn add_subjects(&self, cases: &mut [Case], words: &Words) {
        for subject in subjects::of_request(words) {
            for at in self.by_subject.get(&subject).into_iter().flatten() {
                if let Some(case) = cases.get_mut(*at as usize) {
                    case.add(SUBJECT, || Why::Subject(subjects::name(subject)));
                }
            }
        }
    }

    /// The best of them that contradict no newer one and keep the limits.
    fn within<'a>(
        &self,
        lessons: &'a [Lesson],
        ranked: Vec<(usize, Case)>,
        limits: Limits<'_>,
    ) -> Choice<'a> {
        let mut choice = Choice { chosen: Vec::new(), n_left_out: 0 };
        let mut n_tokens = 0;
        let candidates: Vec<usize> = ranked.iter().take(MAX_COMPARED).map(|(at, _)| *at).collect();
        for (at, case) in ranked {
            let Some(lesson) = lessons.get(at) else { continue };
            if self.is_overruled(lessons, at, &candidates) {
                continue;
            }
            let cost = (limits.n_tokens_of)(&lesson.text);
            if choice.chosen.len() >= limits.n_lessons || n_tokens + cost > limits.n_tokens {
                choice.n_left_out += 1;
                if choice.chosen.len() >= limits.n_lessons && choice.n_left_out >= MAX_COMPARED {
                    break;
                }
                continue;
            }
            n_tokens += cost;
            let why = case.why.unwrap_or(Why::Words(case.shared));
            choice.chosen.push(Chosen { lesson, score: case.score, why });
        }
        choice
    }

    /// Whether a newer lesson, relevant too, contradicts this one.
    fn is_overruled(&self, lessons: &[Lesson], at: usize, candidates: &[usize]) -> bool {
        let (Some(entry), Some(lesson)) = (self.of_lessons.get(at), lessons.get(at)) else { return false };
        candidates.iter().filter(|other| **other != at).any(|other| {
            let newer = lessons.get(*other).is_some_and(|other| is_newer(other, lesson));
            let reading = self.of_lessons.get(*other).map(|entry| &entry.reading);
            newer && reading.is_some_and(|reading| conflict(reading, &entry.reading).is_some())
        })
    }
}

/// Relevant lessons that are compared for contradictions, and the count at which those left out are no longer counted.
const MAX_COMPARED: usize = 64;

#[expect(clippy::cast_precision_loss, reason = "counts of words and lessons, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}

/// The names under which a program's lessons are found.
fn names_of(program: &str) -> BTreeSet<String> {
    let kin = programs::kin(program).map(programs::canonical);
    [Some(program), Some(programs::canonical(program)), kin]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

fn about(lesson: &Lesson, words: &Words, claim: &Claim, has_subject: bool) -> About {
    match (&lesson.scope, claim) {
        (Scope::Program(program), _) => About::Program(program.to_lowercase()),
        (_, Claim::Swap { old, .. }) if programs::is_known(old) => About::Program(old.clone()),
        (_, Claim::Switch { program, .. }) if programs::is_known(program) => About::Program(program.clone()),
        (_, claim) if claim.is_manner() => About::Manner,
        _ if has_subject => About::Subjects,
        (_, Claim::Swap { old, new }) => {
            About::Named([old, new].into_iter().map(|name| stem(name)).collect())
        }
        _ if subjects::is_manner(words) => About::Manner,
        (Scope::Session(_), _) => About::Session,
        _ => About::Words,
    }
}

/// Whether the lesson's state lets it stand in this prompt: active, or learned by weights that do not serve.
fn may_stand(lesson: &Lesson, asked: &Asked<'_>) -> bool {
    let is_wanted = match lesson.state {
        State::Active => true,
        State::Learned(_) => !is_held(lesson.state, asked.serving, asked.lineage),
        State::Proposed | State::Retired | State::Pruned => false,
    };
    is_wanted && stands_in(&lesson.scope, asked.cwd, asked.session)
}

impl Entry {
    /// Adds what does not depend on single words, and tells whether all of it is enough.
    fn fits(&self, case: &mut Case, lesson: &Lesson, prompt: &Prompt<'_>, asked: &Asked<'_>) -> bool {
        if self.place.as_ref().is_some_and(|place| !is_at(place, lesson, prompt)) {
            return false;
        }
        let is_like_source = case.n_like_source >= LIKE_SOURCE;
        let is_gated_out = match &self.about {
            About::Program(_) => !case.has_program && !is_like_source,
            About::Named(names) => {
                !names.iter().any(|name| prompt.words.stems.contains(name)) && !is_like_source
            }
            About::Subjects | About::Manner | About::Session | About::Words => false,
        };
        if is_gated_out {
            return false;
        }
        match &self.about {
            About::Manner => case.add(MANNER, || Why::Manner),
            About::Session => case.add(MANNER, || Why::Session),
            _ => {}
        }
        if matches!(lesson.scope, Scope::Project(_) | Scope::Session(_)) {
            case.score += NEAR;
        }
        let cosine = asked.similarity.map_or(0.0, |similarity| similarity(lesson.id));
        if (SIMILAR_FROM..=1.0).contains(&cosine) {
            case.add(SIMILAR * cosine, || Why::Similar);
        }
        case.score >= RELEVANT_FROM
    }
}

/// Whether the request or the folder names the place that the lesson is about.
fn is_at(place: &str, lesson: &Lesson, prompt: &Prompt<'_>) -> bool {
    let is_named = prompt.words.stems.contains(place);
    let is_inside =
        prompt.cwd.is_some_and(|cwd| cwd.split('/').any(|part| stem(&part.to_lowercase()) == place));
    is_named || is_inside || matches!(lesson.scope, Scope::Project(_) | Scope::Session(_))
}

/// Pinned ones first, then by score; newest first among equals.
fn order(lessons: &[Lesson], (a, a_score): (usize, f32), (b, b_score): (usize, f32)) -> Ordering {
    let (Some(a), Some(b)) = (lessons.get(a), lessons.get(b)) else { return Ordering::Equal };
    let by_age = || (b.created_at, b.id).cmp(&(a.created_at, a.id));
    b.pinned.cmp(&a.pinned).then(b_score.total_cmp(&a_score)).then_with(by_age)
}

fn is_newer(a: &Lesson, b: &Lesson) -> bool {
    (a.created_at, a.id) > (b.created_at, b.id)
}

#[cfg(test)]
mod tests;
