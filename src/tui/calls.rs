//! Calls to the daemon, each on a thread, so that the screen never waits for one.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::app::{Event, Failure, Link, Purpose};
use super::driver::Happening;
use super::options::{Connect, ListModels, LoadCounter, Resume};
use crate::client::{Client, ClientError};
use crate::daemon::wire::{ChatRequest, ModelState, Status, UseModel};
use crate::turn::{SessionId, Source, TurnId};

/// How many sessions the picker offers.
const MAX_SESSIONS: usize = 200;

#[derive(Clone)]
pub(crate) struct Calls {
    connect: Connect,
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
            if let Some(counter) = model.and_then(|model| (calls.load_counter)(&model)) {
                calls.send(Event::Counter(counter));
            }
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
