//! Calls to the daemon, each on a thread, so that the screen never waits for one.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::app::{Event, Failure, Link, Purpose, Telling};
use super::driver::Happening;
use super::options::{Connect, ListModels, LoadCounter, Resume};
use crate::client::{Client, ClientError};
use crate::daemon::wire::forgetting::Forget;
use crate::daemon::wire::{
    ChangeLesson, ChatRequest, Lesson, LessonWish, ModelState, Rate, StateKind, Status, Teach, TurnStory,
    UseModel,
};
use crate::turn::{SessionId, Source, TurnId};

/// How many sessions the picker offers.
const MAX_SESSIONS: usize = 200;
/// How many lessons `/lessons` shows.
const MAX_LESSONS: usize = 50;

#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) connect: Connect,
    list_models: ListModels,
    load_counter: LoadCounter,
    client: Arc<Mutex<Option<Client>>>,
    events: Sender<Happening>,
}

impl Calls {
    pub(crate) fn new(
        connect: Connect,
        list_models: ListModels,
        load_counter: LoadCounter,
        events: Sender<Happening>,
    ) -> Self {
        Self { connect, list_models, load_counter, client: Arc::default(), events }
    }

    /// Reaches the daemon and waits for its model; then loads the model's tokenizer.
    pub(crate) fn connect(&self) {
        self.spawn("connect", |calls| {
            let link = calls.link().unwrap_or_else(|err| Link::Down(err.to_string()));
            let model = match &link {
                Link::Ready(status) => match &status.model {
                    ModelState::Ready { model } => Some(model.clone()),
                    _ => None,
                },
                _ => None,
            };
            calls.send(Event::Link(link));
            if model.is_some() {
                calls.hear_news();
            }
            if let Some(counter) = model.and_then(|model| (calls.load_counter)(&model)) {
                calls.send(Event::Counter(counter));
            }
        });
    }

    /// Listens to the loop for as long as this daemon lives; the next connection listens to the next one.
    fn hear_news(&self) {
        self.spawn("news", |calls| {
            let Ok(events) = calls.client().and_then(|client| client.events()) else { return };
            for event in events.map_while(Result::ok) {
                calls.send(Event::News(Box::new(event)));
            }
        });
    }

    pub(crate) fn tell(&self, telling: Telling) {
        self.spawn("tell", move |calls| {
            let outcome = calls.client().and_then(|client| told(&client, telling));
            calls.send(Event::Told(outcome.map_err(|err| err.to_string())));
        });
    }

    fn link(&self) -> Result<Link, ClientError> {
        let client = (self.connect)()?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        if let ModelState::Loading { name } = client.status()?.model {
            self.send(Event::Link(Link::Loading(name)));
        }
        Ok(Link::Ready(Box::new(client.wait_for_model()?)))
    }

    pub(crate) fn answer(&self, ticket: u64, request: ChatRequest) {
        self.spawn("answer", move |calls| {
            let outcome = calls.stream(ticket, &request).map_err(|err| match err {
                ClientError::Lost => Failure::Lost,
                other => Failure::Refused(other.to_string()),
            });
            calls.send(Event::AnswerEnded { ticket, outcome });
        });
    }

    fn stream(&self, ticket: u64, request: &ChatRequest) -> Result<(), ClientError> {
        for chunk in self.client()?.chat(request)? {
            self.send(Event::Chunk { ticket, chunk: Box::new(chunk?) });
        }
        Ok(())
    }

    pub(crate) fn interrupt(&self, turn: TurnId) {
        self.spawn("interrupt", move |calls| {
            if let Err(err) = calls.client().and_then(|client| client.interrupt(turn)) {
                calls.send(Event::Trouble(format!("the answer cannot be stopped: {err}")));
            }
        });
    }

    pub(crate) fn resume(&self, wanted: Resume) {
        match wanted {
            Resume::Session(session) => self.thread(session, Purpose::Resume),
            Resume::Last => self.last_thread(),
        }
    }

    pub(crate) fn thread(&self, session: SessionId, purpose: Purpose) {
        self.spawn("session", move |calls| {
            let outcome =
                calls.client().and_then(|client| client.session(&session)).map_err(|err| err.to_string());
            calls.send(Event::Thread { purpose, outcome });
        });
    }

    fn last_thread(&self) {
        self.spawn("session", |calls| {
            let newest = || {
                let client = calls.client()?;
                let rows = client.sessions(MAX_SESSIONS, "")?.sessions;
                let newest = rows.iter().find(|row| row.source == Source::Chat && row.n_turns > 0);
                newest.map(|row| client.session(&row.id)).transpose()
            };
            let outcome = match newest() {
                Ok(Some(thread)) => Ok(thread),
                Ok(None) => Err("there is no earlier chat to continue; this is a new one".into()),
                Err(err) => Err(err.to_string()),
            };
            calls.send(Event::Thread { purpose: Purpose::Resume, outcome });
        });
    }

    pub(crate) fn sessions(&self) {
        self.spawn("sessions", |calls| {
            let outcome = calls
                .client()
                .and_then(|client| client.sessions(MAX_SESSIONS, ""))
                .map_err(|err| err.to_string());
            calls.send(Event::Sessions(outcome));
        });
    }

    pub(crate) fn models(&self) {
        self.spawn("models", |calls| {
            let outcome = (calls.list_models)().map_err(|err| format!("{err:#}"));
            calls.send(Event::Models(outcome));
        });
    }

    pub(crate) fn status(&self) {
        self.spawn("status", |calls| {
            let outcome = calls.client().and_then(|client| client.status()).map_err(|err| err.to_string());
            calls.send(Event::Status(outcome));
        });
    }

    pub(crate) fn use_model(&self, name: String) {
        self.spawn("model", move |calls| {
            let outcome = calls.use_and_wait(name).map_err(|err| err.to_string());
            let model = match outcome.as_ref().map(|status| &status.model) {
                Ok(ModelState::Ready { model }) => Some(model.clone()),
                _ => None,
            };
            calls.send(Event::ModelUsed(outcome));
            if let Some(counter) = model.and_then(|model| (calls.load_counter)(&model)) {
                calls.send(Event::Counter(counter));
            }
        });
    }

    fn use_and_wait(&self, name: String) -> Result<Status, ClientError> {
        let client = self.client()?;
        client.use_model(&UseModel { name })?;
        client.wait_for_model()
    }

    /// The connection, made when there is none yet.
    fn client(&self) -> Result<Client, ClientError> {
        let known = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(client) => Ok(client),
            None => (self.connect)(),
        }
    }

    /// Nobody listens any more only when the chat is over.
    fn send(&self, event: Event) {
        let _ = self.events.send(Happening::event(event));
    }

    pub(crate) fn spawn(&self, name: &str, work: impl FnOnce(&Self) + Send + 'static) {
        let calls = self.clone();
        let spawned = thread::Builder::new().name(name.into()).spawn(move || work(&calls));
        if let Err(err) = spawned {
            self.send(Event::Trouble(format!("cannot start a thread: {err}")));
        }
    }
}

/// Does what the person wanted, and says so.
fn told(client: &Client, telling: Telling) -> Result<Vec<String>, ClientError> {
    match telling {
        Telling::Teach { text, turn } => {
            let lesson = client.teach(&Teach { text, scope: None, turn })?;
            // One that belongs to a turn of the chat is told by the loop's news, as a drawn one is.
            Ok(turn.is_none().then(|| format!("lesson: {}", shown(&lesson))).into_iter().collect())
        }
        Telling::Rate { turn, good, note } => {
            client.rate(turn, &Rate { good, note })?;
            Ok(vec![if good { "noted: right" } else { "noted: wrong" }.to_owned()])
        }
        Telling::Undo(lesson) => {
            let wish =
                ChangeLesson { change: LessonWish::Prune, reason: "taken back in the chat".to_owned() };
            let changed = client.change_lesson(lesson, &wish)?;
            Ok(vec![format!("taken back: {}", changed.was.text)])
        }
        Telling::Lessons => {
            let mut lines: Vec<String> =
                client.lessons(Some(StateKind::Active), "", MAX_LESSONS)?.lessons.iter().map(shown).collect();
            if lines.is_empty() {
                lines.push("no lessons yet; correct an answer, or /teach one".to_owned());
            }
            Ok(lines)
        }
        Telling::Learn => {
            let line = match client.learn_now()?.running {
                Some(run) => format!("run {} is learning already", run.0),
                None => "learning begins; the status line shows how far it is".to_owned(),
            };
            Ok(vec![line])
        }
        // What answers now is told by the loop's news.
        Telling::RollBack => client.roll_back("/rollback").map(|_| Vec::new()),
        Telling::Forget { turn, sure } => {
            let wish = Forget { turns: vec![turn], dry_run: !sure, rebuild: true, ..Forget::default() };
            let counts = client.forget(&wish)?.counts;
            Ok(vec![if sure {
                format!("forgotten: {counts}")
            } else {
                format!("with the last answer goes: {counts}. It does not come back; /forget yes does it")
            }])
        }
        Telling::Why(turn) => Ok(explained(&client.why(turn)?)),
    }
}

fn shown(lesson: &Lesson) -> String {
    format!("{} · {}", lesson.text, lesson.scope)
}

/// The turn's story in a few lines; `chela why` tells all of it.
fn explained(story: &TurnStory) -> Vec<String> {
    let mut lines = vec![format!("turn {} by {} {}", story.turn.id.0, story.turn.model, story.turn.policy)];
    lines.extend(story.used.iter().map(|used| format!("with the lesson: {}", shown(&used.lesson))));
    for row in &story.verdicts {
        let word = match row.verdict.reward {
            Some(1) => "good",
            Some(-1) => "bad",
            _ => "nothing can be said",
        };
        lines.push(format!("judged: {word}, by {}", row.verdict.rule));
    }
    lines.extend(story.drawn.iter().map(|lesson| format!("taught: {}", shown(lesson))));
    lines
}
