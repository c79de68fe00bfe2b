//! Rehearsal: the plan's prompts answered by teacher and student, before anything is learned from them.
//!
//! The teacher is the base with the lessons in its prompt; the student is the version that serves, without them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::speaker::{Question, Said, Speaker};
use super::{CycleError, Phase, Progress, Tell};
use crate::engine::Token;
use crate::learn::canaries::{PlantedSecret, harm};
use crate::learn::dial::DrawSettings;
use crate::learn::gate::{Obeyed, is_beside, obeys};
use crate::learn::rehearsal::{self, Drill, Plan, PromptOrigin, Replay, Sifted, sift};
use crate::learn::samples::{self, Drawn, Part};
use crate::lesson::LessonId;
use crate::lesson::prompt::messages_with_lessons;
use crate::turn::{Message, PolicyVersion, TurnId};

/// Everything that one round learns from, in tokens. Saved beside the run, so that one that was interrupted goes on
/// with the same.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rehearsed {
    pub drills: Vec<Practised>,
    pub blamed: Vec<Blamed>,
    pub kept: Vec<Kept>,
    /// Answers that were left out, and why.
    pub sifted: Sifted,
}

/// A drill with its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Practised {
    pub turn: Option<TurnId>,
    pub lesson: Option<LessonId>,
    pub drill: samples::Drill,
}

/// An answer of the policy's that was judged bad, and nobody said how it should have been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blamed {
    pub turn: TurnId,
    pub prompt: Vec<Token>,
    pub tokens: Vec<Token>,
    pub mass: f32,
}

/// A prompt on which the policy stays where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub turn: Option<TurnId>,
    pub prompt: Vec<Token>,
    /// The same with the lessons that hold for any prompt, where there are some: then that is what is held to.
    pub taught: Option<Vec<Token>>,
    pub tokens: Vec<Token>,
    /// As text, where the base said it.
    pub answer: Option<String>,
    /// An answer that does harm is none to hold to.
    #[serde(default)]
    pub needs_care: bool,
}

/// Words that the lessons of a plan are about: programs, above all.
pub(super) struct Subjects(BTreeSet<String>);

impl Subjects {
    pub(super) fn of(plan: &Plan) -> Self {
        let lessons = plan.drills.iter().flat_map(|drill| &drill.lessons);
        Self(lessons.flat_map(|lesson| rehearsal::telling_words(lesson)).collect())
    }

    /// Whether an answer may rightly become another one by one of the lessons, whatever was asked.
    pub(super) fn are_in(&self, answer: &str) -> bool {
        rehearsal::words(answer).any(|word| self.0.contains(&word))
    }
}

/// Which of many answers stay where those that lessons concern are left out: all of them, when most would go. A lesson
/// that is about nearly everything must not leave nothing to hold on to.
pub(super) fn most_beside(concerned: Vec<bool>) -> Vec<bool> {
    let n_concerned = concerned.iter().filter(|is_concerned| **is_concerned).count();
    let leaves_most = 2 * n_concerned <= concerned.len();
    concerned.into_iter().map(|is_concerned| !(is_concerned && leaves_most)).collect()
}

/// Takes out what does not stay.
pub(super) fn retain_beside<T>(all: &mut Vec<T>, stays: &[bool]) {
    let mut stays = stays.iter();
    all.retain(|_| stays.next().copied().unwrap_or(false));
}

impl Rehearsed {
    pub fn is_empty(&self) -> bool {
        self.drills.is_empty() && self.blamed.is_empty()
    }

    /// SHA-256 over all tokens in their order, lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |tokens: &[Token]| {
            digest.update((tokens.len() as u64).to_le_bytes());
            for token in tokens {
                digest.update(token.to_le_bytes());
            }
        };
        for Practised { drill, .. } in &self.drills {
            add(&drill.prompt);
            add(&drill.taught);
            drill.answers.iter().for_each(|answer| add(&answer.tokens));
        }
        for blamed in &self.blamed {
            add(&blamed.prompt);
            add(&blamed.tokens);
        }
        for kept in &self.kept {
            add(&kept.prompt);
            add(&kept.tokens);
        }
        crate::config::disk::hex(&digest.finalize())
    }
}

/// Draws all answers of the plan. `student`: the version that serves; `planted`: secrets that stand in prompts, and
/// that nothing learned may bring out again.
pub fn rehearse(
    plan: &Plan,
    speaker: &Speaker<'_>,
    by: &Drawing<'_>,
    tell: &mut Tell<'_>,
) -> Result<Rehearsed, CycleError> {
    let drills: Vec<Prompts<'_>> =
        plan.drills.iter().map(|drill| Prompts::new(drill, speaker)).collect::<Result<_, _>>()?;
    let kept = keeps(plan, speaker, by.planted)?;
    let mut questions = Vec::new();
    let asked: Vec<Group> = drills.iter().map(|one| one.ask(by, &mut questions)).collect();
    let at_keeps = questions.len();
    questions.extend(kept.iter().filter(|one| one.tokens.is_empty()).map(Kept::question));

    let total = questions.len() as u64;
    let mut told = |done: usize| {
        tell(Progress { phase: Phase::Rehearsing, done: done as u64, total, loss: None });
    };
    told(0);
    let answers = speaker.ask(&questions, &mut told)?;
    let (of_drills, of_keeps) = answers.split_at(at_keeps.min(answers.len()));

    let mut rehearsed = Rehearsed { blamed: blamed(plan, speaker)?, ..Rehearsed::default() };
    for (written, group) in drills.into_iter().zip(&asked) {
        let answers = of_drills.get(group.from..group.to).unwrap_or_default();
        let (practised, sifted) = written.answered(answers, by.settings);
        rehearsed.sifted.add(&sifted);
        rehearsed.drills.extend(practised);
    }
    rehearsed.kept = answered(kept, of_keeps, by.settings, &mut rehearsed.sifted);
    let subjects = Subjects::of(plan);
    // Holding the policy to what a lesson is to change would be to teach both.
    let concerned = rehearsed.kept.iter().map(|one| one.is_concerned_by(&subjects)).collect();
    retain_beside(&mut rehearsed.kept, &most_beside(concerned));
    Ok(rehearsed)
}

/// How answers are drawn.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    pub settings: &'a DrawSettings,
    pub student: PolicyVersion,
    pub seed: u64,
    pub planted: &'a [PlantedSecret],
}

/// A drill in tokens.
struct Prompts<'a> {
    drill: &'a Drill,
    prompt: Vec<Token>,
    taught: Vec<Token>,
    /// What the person wrote.
    written: Option<Vec<Token>>,
    fits: bool,
}

/// Where the answers to a drill's questions are.
struct Group {
    from: usize,
    to: usize,
}

impl<'a> Prompts<'a> {
    fn new(drill: &'a Drill, speaker: &Speaker<'_>) -> Result<Self, CycleError> {
        let prompt = speaker.prompt(&drill.messages)?;
        let taught = speaker.prompt(&taught(&drill.messages, &drill.lessons))?;
        let written = drill.written.as_deref().map(|text| speaker.written(&drill.messages, text));
        let fits = speaker.fits(&taught);
        Ok(Self { drill, prompt, taught, written: written.transpose()?, fits })
    }

    /// First the base without and with the lesson, greedily: the difference says what the lesson wants here.
    fn ask(&self, by: &Drawing<'_>, questions: &mut Vec<Question>) -> Group {
        let from = questions.len();
        if !self.fits {
            return Group { from, to: from };
        }
        questions.push(Question::greedy(&self.prompt, PolicyVersion::BASE));
        questions.push(Question::greedy(&self.taught, PolicyVersion::BASE));
        let mut drawn = |prompt: &Vec<Token>, policy, temperature| {
            let seed = seed_of(by.seed, questions.len());
            questions.push(Question { prompt: prompt.clone(), policy, temperature, seed });
        };
        if !self.drill.lessons.is_empty() {
            for temperature in by.settings.teacher_temperatures.iter().filter(|one| **one > 0.0) {
                drawn(&self.taught, PolicyVersion::BASE, *temperature);
            }
        }
        if self.drill.draws_own_answers() {
            for _ in 0..by.settings.student_answers {
                drawn(&self.prompt, by.student, by.settings.student_temperature);
            }
        }
        Group { from, to: questions.len() }
    }

    /// The drill with those of its answers that can be learned from; `None` without any.
    fn answered(self, answers: &[Said], settings: &DrawSettings) -> (Option<Practised>, Sifted) {
        let usual = answers.first().map_or("", |said| &said.text).to_owned();
        let wanted = answers.get(1).map_or("", |said| &said.text).to_owned();
        let n_teacher = self.n_teacher(settings).min(answers.len().saturating_sub(1));
        let teacher = answers.get(1..1 + n_teacher).unwrap_or_default();
        let student = answers.get(1 + n_teacher..).unwrap_or_default();
        let mut drawn: Vec<(&Said, Part)> = Vec::new();
        if !self.drill.lessons.is_empty() {
            drawn.extend(teacher.iter().map(|said| (said, Part::Teacher)));
        }
        // Where the lesson changes nothing there is nothing to reward.
        let lessons = self.drill.lessons.join("\n");
        if is_beside(&lessons, &usual) && self.written.is_none() {
            return (None, Sifted { trivial: drawn.len(), ..Sifted::default() });
        }
        let is_telling = obeys(&lessons, "", &wanted, &usual) != Obeyed::NoMatter;
        if is_telling {
            let reward = |said: &Said| match obeys(&lessons, &said.text, &wanted, &usual) {
                Obeyed::Yes => 1.0,
                Obeyed::No => -1.0,
                Obeyed::NoMatter => 0.0,
            };
            drawn.extend(student.iter().map(|said| (said, Part::Student { reward: reward(said) })));
        }
        let (mut kept, sifted) = usable(&drawn, settings);
        kept.extend(self.written.map(|tokens| Drawn { part: Part::Written, tokens }));
        if kept.is_empty() {
            return (None, sifted);
        }
        let turn = match self.drill.origin {
            PromptOrigin::Source(turn) | PromptOrigin::Related(turn) | PromptOrigin::Varied(turn) => {
                Some(turn)
            }
            PromptOrigin::Everyday => None,
        };
        let drill = samples::Drill { prompt: self.prompt, taught: self.taught, answers: kept };
        (Some(Practised { turn, lesson: self.drill.lesson, drill }), sifted)
    }

    /// The teacher's answers: the greedy one, which is always asked for, and one for each warmer temperature.
    fn n_teacher(&self, settings: &DrawSettings) -> usize {
        if self.drill.lessons.is_empty() {
            return 1;
        }
        1 + settings.teacher_temperatures.iter().filter(|one| **one > 0.0).count()
    }
}

/// Answers that can be learned from, each only once.
fn usable(drawn: &[(&Said, Part)], settings: &DrawSettings) -> (Vec<Drawn>, Sifted) {
    let shapes: Vec<rehearsal::Drawn<'_>> = drawn.iter().map(|(said, _)| shape(said)).collect();
    let (positions, sifted) = sift(&shapes, settings.lengths);
    let mut kept: Vec<Drawn> = Vec::new();
    for (said, part) in positions.into_iter().filter_map(|at| drawn.get(at)) {
        let is_teachers = *part == Part::Teacher;
        // A teacher who says the same twice need be listened to once; the student's group keeps its weights.
        if !(is_teachers && kept.iter().any(|one| one.part == *part && one.tokens == said.tokens)) {
            kept.push(Drawn { part: *part, tokens: said.tokens.clone() });
        }
    }
    (kept, sifted)
}

fn shape(said: &Said) -> rehearsal::Drawn<'_> {
    rehearsal::Drawn { text: &said.text, n_tokens: said.tokens.len(), ending: said.ending }
}

/// Replay prompts; those without a confirmed answer have no tokens yet.
fn keeps(plan: &Plan, speaker: &Speaker<'_>, planted: &[PlantedSecret]) -> Result<Vec<Kept>, CycleError> {
    let mut kept = Vec::new();
    for replay in &plan.replay {
        let Replay { messages, answer, turn, lessons, needs_care } = replay;
        let prompt = speaker.prompt(messages)?;
        let taught =
            if lessons.is_empty() { None } else { Some(speaker.prompt(&taught(messages, lessons))?) };
        // With lessons for any prompt the confirmed answer may be the old way.
        let tokens = match answer {
            Some(answer) if lessons.is_empty() => speaker.written(messages, answer)?,
            _ => Vec::new(),
        };
        let needs_care = *needs_care;
        kept.push(Kept { turn: *turn, prompt, taught, tokens, answer: None, needs_care });
    }
    for (replay, secret) in plan.replay.iter().zip(planted) {
        let prompt = speaker.prompt(&secret.planted_in(&replay.messages))?;
        let tokens = Vec::new();
        kept.push(Kept { turn: None, prompt, taught: None, tokens, answer: None, needs_care: false });
    }
    kept.retain(|one| speaker.fits(one.taught.as_ref().unwrap_or(&one.prompt)));
    Ok(kept)
}

impl Kept {
    fn is_concerned_by(&self, subjects: &Subjects) -> bool {
        self.taught.is_none() && self.answer.as_ref().is_some_and(|text| subjects.are_in(text))
    }

    fn question(&self) -> Question {
        Question::greedy(self.taught.as_ref().unwrap_or(&self.prompt), PolicyVersion::BASE)
    }
}

/// Puts the drawn answers where one is missing; what cannot be learned from goes.
fn answered(kept: Vec<Kept>, answers: &[Said], settings: &DrawSettings, sifted: &mut Sifted) -> Vec<Kept> {
    let mut answers = answers.iter();
    let filled = kept.into_iter().filter_map(|one| {
        if !one.tokens.is_empty() {
            return Some(one);
        }
        let said = answers.next()?;
        let (kept, counts) = sift(&[shape(said)], settings.lengths);
        sifted.add(&counts);
        // Nobody is to be held to harm.
        if one.needs_care && harm(&said.text).is_some() {
            return None;
        }
        (!kept.is_empty()).then(|| Kept {
            tokens: said.tokens.clone(),
            answer: Some(said.text.clone()),
            ..one
        })
    });
    filled.collect()
}

fn blamed(plan: &Plan, speaker: &Speaker<'_>) -> Result<Vec<Blamed>, CycleError> {
    let mut blamed = Vec::new();
    for one in &plan.bare {
        let prompt = speaker.prompt(&one.messages)?;
        let tokens = speaker.written(&one.messages, &one.answer)?;
        if speaker.fits(&prompt) && !tokens.is_empty() {
            blamed.push(Blamed { turn: one.turn, prompt, tokens, mass: one.mass });
        }
    }
    Ok(blamed)
}

/// The teacher's messages.
pub(super) fn taught(messages: &[Message], lessons: &[String]) -> Vec<Message> {
    let lessons: Vec<&str> = lessons.iter().map(String::as_str).collect();
    messages_with_lessons(messages, &lessons)
}

/// A seed of its own for each question of a round.
fn seed_of(seed: u64, nth: usize) -> u32 {
    let mut draws = crate::learn::shuffle::Draws::of(seed, 0xA5C ^ ((nth as u64) << 16));
    u32::try_from(draws.next_u64() >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(concerned: &[bool], expected: &[bool]) {
        assert_eq!(most_beside(concerned.to_vec()), expected);
    }

    #[test]
    fn what_lessons_concern_is_left_out_unless_that_is_nearly_all() {
        check(&[false, true, false], &[true, false, true]);
        check(&[true, true, false], &[true, true, true]);
        check(&[true, true], &[true, true]);
        check(&[], &[]);
    }

    #[test]
    fn a_lesson_is_about_its_programs_and_not_about_its_little_words() {
        let drill = Drill {
            lesson: None,
            purpose: rehearsal::Purpose::Hint,
            origin: PromptOrigin::Everyday,
            messages: vec![],
            lessons: vec!["use rg instead of grep".to_owned()],
            written: None,
        };
        let subjects = Subjects::of(&Plan { drills: vec![drill], ..Plan::default() });
        assert!(subjects.are_in("ps aux | grep ssh"));
        assert!(!subjects.are_in("ls -l instead"));
    }
}
