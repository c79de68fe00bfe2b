//! Many questions to one model: messages into prompts, prompts into answers, several at a time.
//!
//! What always holds: all of it is background work, so that somebody who waits for an answer goes first; an answer
//! that goes round in circles is ended; a greedy answer is asked for once, however often it is needed.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::CycleError;
use crate::engine::{
    Cancel, Engine, EngineError, FinishReason, Generate, GenerateEvent, Job, Priority, Sampling, Token,
};
use crate::learn::Pace;
use crate::learn::chat_file::Chat;
use crate::learn::chat_sample::ChatForm;
use crate::turn::prompt::{PromptWriter, Vocabulary};
use crate::turn::template::ChatTemplate;
use crate::turn::{Ending, Message, PolicyVersion, Role};

/// Questions that are with the engine at a time; it computes those that it has room for together.
const AT_ONCE: usize = 8;
/// How soon a pause or an end is noticed while the engine is silent.
const LOOK: Duration = Duration::from_millis(50);
/// Longest pattern of tokens that is recognised as a circle, and how often in a row it stands then.
const LONGEST_CIRCLE: usize = 16;
const ROUNDS: usize = 5;
/// Fewer tokens than this are no circle, whatever they are.
const LEAST_CIRCLE: usize = 20;

/// See the module's page.
pub struct Speaker<'a> {
    engine: Arc<dyn Engine>,
    template: ChatTemplate,
    pace: &'a Pace,
    most_tokens: usize,
    /// Greedy answers so far.
    known: Mutex<HashMap<(PolicyVersion, Vec<Token>), Said>>,
}

/// One thing to ask.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) prompt: Vec<Token>,
    pub(super) policy: PolicyVersion,
    /// 0: greedy.
    pub(super) temperature: f32,
    pub(super) seed: u32,
}

impl Question {
    pub(super) fn greedy(prompt: &[Token], policy: PolicyVersion) -> Self {
        Self { prompt: prompt.to_vec(), policy, temperature: 0.0, seed: 0 }
    }

    fn is_greedy(&self) -> bool {
        self.temperature <= 0.0
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub text: String,
    /// With the token that ended it.
    pub tokens: Vec<Token>,
    /// [`Ending::Length`] also for one that went round in circles.
    pub ending: Ending,
    /// Whether every token had a probability.
    pub is_finite: bool,
}

impl<'a> Speaker<'a> {
    /// Speaks for the model of `engine`; answers end after `most_tokens`.
    pub fn new(engine: Arc<dyn Engine>, most_tokens: usize, pace: &'a Pace) -> Result<Self, CycleError> {
        let card = engine.card();
        let template = card.template();
        let template = template.map_err(|error| CycleError::Prompt(error.to_string()))?;
        Ok(Self { engine, template, pace, most_tokens, known: Mutex::default() })
    }

    /// The prompt that asks for the answer to `messages`, as it is served.
    pub(super) fn prompt(&self, messages: &[Message]) -> Result<Vec<Token>, CycleError> {
        self.with_form(|form| form.writer.prompt(messages.to_vec(), &[]).map_err(|error| error.to_string()))
    }

    /// The same with the beginning of an answer, which is gone on with.
    pub(super) fn begun(&self, messages: &[Message], answer: &str) -> Result<Vec<Token>, CycleError> {
        let mut prompt = self.prompt(messages)?;
        if !answer.is_empty() {
            prompt.extend(self.engine.tokenize(answer, false)?);
        }
        Ok(prompt)
    }

    /// An answer that somebody wrote, in tokens, with its end.
    pub(super) fn written(&self, messages: &[Message], answer: &str) -> Result<Vec<Token>, CycleError> {
        let mut messages = messages.to_vec();
        messages.push(Message::new(Role::Assistant, answer));
        let answers = vec![messages.len() - 1];
        let chat = Chat { line: 0, messages, tools: Vec::new(), answers };
        self.with_form(|form| {
            let example = form.examples(&chat).pop().unwrap_or_else(|| Err("it has no answer".to_owned()));
            example.map(|example| example.answer)
        })
    }

    fn with_form<T>(
        &self,
        act: impl FnOnce(&mut ChatForm<'_>) -> Result<T, String>,
    ) -> Result<T, CycleError> {
        let card = self.engine.card();
        let tokenize = |text: &str, special: bool| {
            self.engine.tokenize(text, special).map_err(|error| error.to_string())
        };
        let bos = card.bos();
        let writer = PromptWriter::new(&self.template, Vocabulary { tokenize: &tokenize, bos });
        let mut form = ChatForm { writer, eos: &card.eos_token, max_tokens: card.n_ctx };
        act(&mut form).map_err(CycleError::Prompt)
    }

    /// Room that a prompt must leave in the context.
    pub(super) fn fits(&self, prompt: &[Token]) -> bool {
        prompt.len() + self.most_tokens.min(64) < self.engine.card().n_ctx
    }

    /// Asks everything and returns the answers in the order of the questions. `told` hears how many are there.
    pub(super) fn ask(
        &self,
        questions: &[Question],
        told: &mut dyn FnMut(usize),
    ) -> Result<Vec<Said>, CycleError> {
        let mut answers: Vec<Option<Said>> = questions.iter().map(|question| self.known(question)).collect();
        let open = |(at, answer): (usize, &Option<Said>)| answer.is_none().then_some(at);
        let mut round = Round {
            speaker: self,
            waiting: answers.iter().enumerate().filter_map(open).collect(),
            begun: Vec::new(),
            channel: channel(),
        };
        let mut n_open = round.waiting.len();
        let ended = (|| {
            for _ in 0..AT_ONCE {
                round.submit_next(questions)?;
            }
            while n_open > 0 {
                let (at, said) = round.next()?;
                if let Some(place) = answers.get_mut(at) {
                    *place = Some(said?);
                }
                n_open -= 1;
                told(questions.len() - n_open);
                round.submit_next(questions)?;
            }
            Ok(())
        })();
        if let Err(error) = ended {
            round.begun.iter().for_each(Cancel::cancel);
            return Err(error);
        }
        for (question, said) in questions.iter().zip(&answers) {
            if let Some(said) = said {
                self.remember(question, said);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn known(&self, question: &Question) -> Option<Said> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (question.policy, question.prompt.clone());
        known.get(&key).filter(|_| question.is_greedy()).cloned()
    }

    fn remember(&self, question: &Question, said: &Said) {
        if question.is_greedy() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert((question.policy, question.prompt.clone()), said.clone());
        }
    }

    fn sampling(&self, question: &Question) -> Sampling {
        Sampling {
            temperature: question.temperature,
            seed: Some(question.seed),
            max_tokens: self.most_tokens,
            ..Sampling::default()
        }
    }
}

type Answered = (usize, Result<Said, EngineError>);

/// Questions on their way.
struct Round<'a, 'b> {
    speaker: &'a Speaker<'b>,
    waiting: VecDeque<usize>,
    /// One for each question: an answer that is broken off cancels its own.
    begun: Vec<Cancel>,
    channel: (Sender<Answered>, Receiver<Answered>),
}

impl Round<'_, '_> {
    /// Hands the next question to the engine, if there is one.
    fn submit_next(&mut self, questions: &[Question]) -> Result<(), CycleError> {
        let Some(at) = self.waiting.pop_front() else { return Ok(()) };
        let Some(question) = questions.get(at) else { return Ok(()) };
        self.speaker.pace.check()?;
        let mut heard = Heard { at, said: None, done: Some(self.channel.0.clone()) };
        let cancel = Cancel::default();
        self.begun.push(cancel.clone());
        let job = Generate {
            prompt: question.prompt.clone(),
            sampling: self.speaker.sampling(question),
            policy: question.policy,
            priority: Priority::Background,
            cancel,
            forget: false,
            events: Box::new(move |event| heard.hear(event)),
        };
        Ok(self.speaker.engine.submit(Job::Generate(job))?)
    }

    fn next(&self) -> Result<Answered, CycleError> {
        loop {
            match self.channel.1.recv_timeout(LOOK) {
                Ok(answered) => return Ok(answered),
                Err(RecvTimeoutError::Timeout) => self.speaker.pace.check()?,
                Err(RecvTimeoutError::Disconnected) => return Err(EngineError::Stopped.into()),
            }
        }
    }
}

/// One answer as it comes in, on the engine's thread.
struct Heard {
    at: usize,
    said: Option<Said>,
    done: Option<Sender<Answered>>,
}

impl Heard {
    fn hear(&mut self, event: GenerateEvent) -> ControlFlow<()> {
        let said = self.said.get_or_insert_with(|| Said {
            text: String::new(),
            tokens: Vec::new(),
            ending: Ending::Stop,
            is_finite: true,
        });
        match event {
            GenerateEvent::Started { .. } => {}
            GenerateEvent::Token(token) => {
                said.text.push_str(&token.text);
                said.tokens.push(token.id);
                said.is_finite &= token.logprob.is_finite();
                if goes_in_circles(&said.tokens) {
                    said.ending = Ending::Length;
                    return ControlFlow::Break(());
                }
            }
            GenerateEvent::Finished(finish) => {
                said.text.push_str(&finish.rest);
                let whole = said.clone();
                self.end(match finish.reason {
                    FinishReason::Stop => Ok(whole),
                    FinishReason::Length => Ok(Said { ending: Ending::Length, ..whole }),
                    FinishReason::Cancelled if whole.ending == Ending::Length => Ok(whole),
                    FinishReason::Cancelled => Err(EngineError::Cancelled),
                });
            }
            GenerateEvent::Failed(error) => self.end(Err(error)),
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, outcome: Result<Said, EngineError>) {
        if let Some(done) = self.done.take() {
            // Nobody waits any more when the round was given up.
            let _gone = done.send((self.at, outcome));
        }
    }
}

impl Drop for Heard {
    /// The engine's thread died, or it stopped before the end.
    fn drop(&mut self) {
        self.end(Err(EngineError::Stopped));
    }
}

/// Whether the last tokens are one pattern, [`ROUNDS`] times or more in a row, [`LEAST_CIRCLE`] tokens or more.
fn goes_in_circles(tokens: &[Token]) -> bool {
    (1..=LONGEST_CIRCLE).any(|period| {
        // A few tokens may stand in a row for a reason (a line of dashes); that gets more room.
        let n_tokens = (period * ROUNDS).max(LEAST_CIRCLE).next_multiple_of(period);
        let Some(from) = tokens.len().checked_sub(n_tokens) else { return false };
        let tail = tokens.get(from..).unwrap_or_default();
        tail.iter().zip(tail.iter().skip(period)).all(|(one, other)| one == other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scripted::{Scripted, Step};

    #[track_caller]
    fn check(tokens: &[Token], expected: bool) {
        assert_eq!(goes_in_circles(tokens), expected);
    }

    #[test]
    fn circles_are_noticed() {
        check(&[1, 2, 3, 4, 5].repeat(5), true);
        check(&[1, 2, 3, 4, 5].repeat(4), false);
        check(&[7; 19], false);
        check(&[7; 20], true);
        check(&[[9, 9, 9].to_vec(), [1, 2].repeat(10)].concat(), true);
        check(&[], false);
    }

    fn speaker(engine: Scripted, pace: &Pace) -> (Arc<Scripted>, Speaker<'_>) {
        let engine = Arc::new(engine);
        let speaker = Speaker::new(Arc::clone(&engine) as Arc<dyn Engine>, 40, pace).unwrap();
        (engine, speaker)
    }

    fn asked(speaker: &Speaker<'_>, text: &str, temperature: f32) -> Question {
        let prompt = speaker.prompt(&[Message::new(Role::User, text)]).unwrap();
        Question { prompt, policy: PolicyVersion::BASE, temperature, seed: 7 }
    }

    /// Says the request's last word.
    fn echo() -> Scripted {
        Scripted::new(
            "echo",
            4096,
            Box::new(|asked| {
                let said = asked.prompt.split("<|im_end|>").next().unwrap_or_default();
                vec![Step::Say(said.split_whitespace().last().unwrap_or_default().to_owned())]
            }),
        )
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let pace = Pace::default();
        let (_, speaker) = speaker(echo(), &pace);
        let questions: Vec<Question> =
            (0..30).map(|n| asked(&speaker, &format!("number {n}"), 0.8)).collect();
        let mut told = Vec::new();
        let answers = speaker.ask(&questions, &mut |n| told.push(n)).unwrap();
        let texts: Vec<String> = answers.into_iter().map(|said| said.text).collect();
        assert_eq!(texts, (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(told, (1..=30).collect::<Vec<_>>());
    }

    #[test]
    fn a_greedy_answer_is_asked_for_once_and_a_drawn_one_each_time() {
        let pace = Pace::default();
        let (engine, speaker) = speaker(echo(), &pace);
        for temperature in [0.0, 0.8] {
            let questions = [asked(&speaker, "list files", temperature)];
            for _ in 0..3 {
                speaker.ask(&questions, &mut |_| ()).unwrap();
            }
        }
        assert_eq!(engine.asked().len(), 4);
    }

    #[test]
    fn an_answer_in_circles_is_ended() {
        let pace = Pace::default();
        // The scripted engine numbers its tokens, so the circle is one of its own.
        let mut heard = Heard { at: 0, said: None, done: None };
        let token = |id| {
            GenerateEvent::Token(crate::engine::SampledToken {
                id,
                logprob: -0.1,
                bytes: vec![],
                text: "a".into(),
                top: vec![],
            })
        };
        let flows: Vec<bool> = (0..20).map(|_| heard.hear(token(3)).is_break()).collect();
        assert_eq!(flows.iter().position(|is_break| *is_break), Some(19));
        assert_eq!(heard.said.as_ref().unwrap().ending, Ending::Length);
        drop(pace);
    }

    #[test]
    fn what_the_engine_cannot_do_is_an_error() {
        let pace = Pace::default();
        let failing = Scripted::new(
            "failing",
            4096,
            Box::new(|_| vec![Step::Fail(EngineError::Compute("no memory".into()))]),
        );
        let (_, speaker) = speaker(failing, &pace);
        let questions = [asked(&speaker, "list files", 0.0)];
        let error = speaker.ask(&questions, &mut |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "llama.cpp could not compute (no memory)");
    }

    #[test]
    fn a_dead_engine_is_an_error_and_no_wait_without_end() {
        let pace = Pace::default();
        let dying = Scripted::new("dying", 4096, Box::new(|_| vec![Step::Vanish]));
        let (_, speaker) = speaker(dying, &pace);
        let questions = [asked(&speaker, "list files", 0.0)];
        assert!(speaker.ask(&questions, &mut |_| ()).is_err());
    }

    #[test]
    fn a_round_that_was_cancelled_asks_nothing_more() {
        let pace = Pace::default();
        let (engine, speaker) = speaker(echo(), &pace);
        pace.cancel();
        let questions = [asked(&speaker, "list files", 0.0)];
        assert!(speaker.ask(&questions, &mut |_| ()).unwrap_err().is_cancelled());
        assert!(engine.asked().is_empty());
    }

    #[test]
    fn written_answers_end_as_drawn_ones_do() {
        let pace = Pace::default();
        let (engine, speaker) = speaker(echo(), &pace);
        let tokens = speaker.written(&[Message::new(Role::User, "list files")], "ls").unwrap();
        assert_eq!(tokens, engine.tokenize("ls<|im_end|>", true).unwrap());
    }
}
