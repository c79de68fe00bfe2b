//! Calls to the daemon on threads of their own: what looks, newest question first; what changes, in order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::board::DAYS;
use super::event::{Done, Effect, Event, Head, Key, Step, Story};
use crate::client::{Client, ClientError};
use crate::daemon::wire::ChangeLesson;
use crate::daemon::wire::Rate;
use crate::daemon::wire::review::{ReviewPage, ReviewQuery};
use crate::tui::driver::Happening;
use crate::tui::options::Connect;
use crate::tui::process;

/// What the history of a lesson says of a change that was made here.
const REASON: &str = "in the review pane";

/// Hands effects to the threads that execute them.
pub(super) struct Calls {
    looking: Sender<Effect>,
    changing: Sender<Effect>,
    answering: Sender<Effect>,
}

impl Calls {
    pub(super) fn start(connect: &Connect, events: &Sender<Happening>) -> std::io::Result<Self> {
        let listener =
            Worker { connect: connect.clone(), events: events.clone(), is_listening: Arc::default() };
        let spawn = |name: &str, work: fn(&Worker, &Receiver<Effect>)| {
            let (sender, inbox) = channel();
            let worker = listener.clone();
            thread::Builder::new().name(name.into()).spawn(move || work(&worker, &inbox))?;
            Ok::<_, std::io::Error>(sender)
        };
        Ok(Self {
            looking: spawn("review-look", look)?,
            changing: spawn("review-change", change)?,
            answering: spawn("review-answer", answer)?,
        })
    }

    /// The threads live as long as this.
    pub(super) fn execute(&self, effect: Effect) {
        let to = match effect {
            Effect::Ask { .. } | Effect::Weigh { .. } => &self.answering,
            Effect::Load { .. } | Effect::LoadStory(_) | Effect::LoadHead => &self.looking,
            _ => &self.changing,
        };
        // A thread that is gone has said why.
        let _ = to.send(effect);
    }
}

/// Of several questions of a kind only the newest is still wanted.
fn look(worker: &Worker, inbox: &Receiver<Effect>) {
    while let Ok(first) = inbox.recv() {
        let mut wanted = vec![first];
        for next in inbox.try_iter() {
            wanted.retain(|one| std::mem::discriminant(one) != std::mem::discriminant(&next));
            wanted.push(next);
        }
        for one in wanted {
            worker.execute(one);
        }
    }
}

/// Each change after the one before it.
fn change(worker: &Worker, inbox: &Receiver<Effect>) {
    for one in inbox {
        worker.execute(one);
    }
}

/// Answers take long: what was asked about a row that is left is not asked any more.
fn answer(worker: &Worker, inbox: &Receiver<Effect>) {
    let mut waiting = std::collections::VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Ok(first) = inbox.recv() else { return };
            waiting.push_back(first);
        }
        for next in inbox.try_iter() {
            waiting.retain(|one| key_of(one) == key_of(&next));
            waiting.push_back(next);
        }
        if let Some(one) = waiting.pop_front() {
            worker.execute(one);
        }
    }
}

fn key_of(effect: &Effect) -> Option<Key> {
    match effect {
        Effect::Ask { key, .. } | Effect::Weigh { key, .. } => Some(*key),
        _ => None,
    }
}

#[derive(Clone)]
struct Worker {
    connect: Connect,
    events: Sender<Happening>,
    /// Somebody listens to the loop's news.
    is_listening: Arc<AtomicBool>,
}

impl Worker {
    /// Listens to the loop for as long as this daemon lives; the next question listens to the next one.
    fn listen(&self, client: &Client) {
        if self.is_listening.swap(true, Ordering::SeqCst) {
            return;
        }
        let (worker, client) = (self.clone(), client.clone());
        let spawned = thread::Builder::new().name("review-news".into()).spawn(move || {
            let told = |event| worker.events.send(Happening::Review(Box::new(event))).is_ok();
            if let Ok(news) = client.events() {
                for one in news.map_while(Result::ok) {
                    if !told(Event::News(Box::new(one))) {
                        return;
                    }
                }
                told(Event::Silence);
            }
            worker.is_listening.store(false, Ordering::SeqCst);
        });
        if spawned.is_err() {
            // Without news the list is read again when the person wants it.
            self.is_listening.store(false, Ordering::SeqCst);
        }
    }

    fn execute(&self, effect: Effect) {
        let client = (self.connect)().inspect(|client| self.listen(client));
        let told = match effect {
            Effect::Load { ticket, query } => {
                let page = client.and_then(|client| rows_below(&client, &query));
                Event::Page { ticket, outcome: in_words(page) }
            }
            Effect::LoadStory(key) => Event::Story {
                key,
                outcome: in_words(client.and_then(|client| story(&client, key))).map(Box::new),
            },
            Effect::LoadStats => {
                Event::Stats(in_words(client.and_then(|client| client.stats(DAYS))).map(Box::new))
            }
            Effect::LoadHead => Event::Head(in_words(client.and_then(|client| head(&client))).map(Box::new)),
            Effect::Do { what, steps } => Event::Done(done(client, what, steps, false)),
            Effect::Undo { what, steps } => Event::Done(done(client, what, steps, true)),
            Effect::Ask { key, way, wish } => {
                let outcome = in_words(client.and_then(|client| client.answer_now(wish)));
                Event::Answered { key, way, outcome }
            }
            Effect::Weigh { key, turn, lesson } => {
                let outcome = in_words(client.and_then(|client| client.credit(turn, lesson)));
                Event::Weighed { key, outcome: outcome.map(Box::new) }
            }
            Effect::Export { path, keys } => {
                let written = in_words(client).and_then(|client| export(&client, &path, &keys));
                Event::Exported(written.map(|n_rows| (path, n_rows)))
            }
            Effect::Learn { anew } => {
                Event::Learning(in_words(client.and_then(|client| client.learn_again(anew))).map(|now| {
                    match now.running {
                        Some(run) if anew => format!("run {} ends first; then all is learned anew", run.0),
                        Some(run) => format!("run {} is learning already", run.0),
                        None => "learning begins; the gate decides whether it may answer".to_owned(),
                    }
                }))
            }
            Effect::OpenEditor(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Redraw | Effect::Quit => {
                return;
            }
        };
        // Nobody listens any more only when the pane is closed.
        let _ = self.events.send(Happening::Review(Box::new(told)));
    }
}

fn in_words<T>(outcome: Result<T, ClientError>) -> Result<T, String> {
    outcome.map_err(|err| err.to_string())
}

/// A part of the list, as the pane asks for it.
pub fn rows_below(client: &Client, query: &ReviewQuery) -> Result<ReviewPage, ClientError> {
    client.review(query)
}

fn story(client: &Client, key: Key) -> Result<Story, ClientError> {
    Ok(Story {
        turn: key.turn.map(|turn| client.why(turn)).transpose()?,
        lesson: key.lesson.map(|lesson| client.lesson(lesson)).transpose()?,
    })
}

fn head(client: &Client) -> Result<Head, ClientError> {
    Ok(Head { serving: client.status()?.policy, learning: client.learn_status()? })
}

fn done(client: Result<Client, ClientError>, what: String, steps: Vec<Step>, is_undo: bool) -> Done {
    let mut done = Done { what, is_undo, back: Vec::new(), left: steps, trouble: None, is_refused: false };
    let client = match client {
        Ok(client) => client,
        Err(err) => return Done { trouble: Some(err.to_string()), ..done },
    };
    while let Some(step) = done.left.first().cloned() {
        match perform(&client, step) {
            Ok(back) => {
                done.left.remove(0);
                done.back.splice(0..0, back);
            }
            Err(err) => {
                done.is_refused = matches!(err, ClientError::Refused { .. });
                done.trouble = Some(err.to_string());
                return done;
            }
        }
    }
    done
}

/// Returns how the step is taken back; `None`: it changed nothing.
fn perform(client: &Client, step: Step) -> Result<Option<Step>, ClientError> {
    Ok(match step {
        Step::Lesson { lesson, wish } => {
            let change = ChangeLesson { change: wish, reason: REASON.to_owned() };
            let changed = client.change_lesson(lesson, &change)?;
            changed.event.map(|event| Step::UndoLesson { lesson, event })
        }
        Step::UndoLesson { lesson, event } => {
            let changed = client.undo_lesson(lesson, event)?;
            changed.event.map(|event| Step::UndoLesson { lesson, event })
        }
        Step::Rate { turn, good } => {
            let n_before = client.why(turn)?.next_states.len();
            let story = client.rate(turn, &Rate { good, note: None })?;
            let rating = story.next_states.last().filter(|_| story.next_states.len() > n_before);
            rating.map(|row| Step::UndoRating { turn, at: row.at })
        }
        Step::UndoRating { turn, at } => {
            client.undo_rating(turn, at)?;
            None
        }
        Step::Hint { turn, hint } => {
            let story = client.reword_hint(turn, hint)?;
            story.verdicts.last().map(|row| Step::UndoHint { turn, at: row.judged_at })
        }
        Step::UndoHint { turn, at } => {
            client.undo_hint(turn, at)?;
            None
        }
        Step::Exclude { what, excluded } => match client.exclude(what.clone(), excluded) {
            Ok(_) => Some(Step::Exclude { what, excluded: !excluded }),
            Err(ClientError::Refused { code: Some(code), .. }) if code == "excluded" => None,
            Err(err) => return Err(err),
        },
    })
}

/// Each row with everything that is known of it, a line each; returns how many.
fn export(client: &Client, path: &Path, keys: &[Key]) -> Result<usize, String> {
    let mut text = String::new();
    for key in keys {
        let Story { turn, lesson } = in_words(story(client, *key))?;
        let line = serde_json::json!({ "turn": turn, "lesson": lesson });
        text += &line.to_string();
        text.push('\n');
    }
    process::write_new(path, &text)?;
    Ok(keys.len())
}
