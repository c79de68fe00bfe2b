//! One answer from prompt to ledger: the task that stands between the engine and a connection.
//!
//! What always holds, but for answers off the record (`record`), which no ledger has: a turn is in the ledger before its
//! first token is sampled; a token is in the ledger before it is sent; the turn's end is in the ledger before the last
//! chunk is sent. The task lives on when the connection dies, so every turn comes to its end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::Instrument;

use super::book;
use super::error::ApiError;
use super::hiding::Restored;
use super::models::Serving;
use super::next_states;
use super::policy::Lease;
use super::record::Record;
use super::reply::{More, Piece, Reader, finish_reason};
use super::running::{Entered, Running};
use super::wire::{ChelaAnswer, PromptTokensDetails, Usage, UsedLesson};
use crate::engine::{
    EngineError, Finish, FinishReason, Generate, GenerateEvent, Job, Priority, SampledToken, Sampling, Token,
};
use crate::lesson::Lesson;
use crate::store::{Entry, NewSession, NewTurn, StoredToken};
use crate::turn::{Ending, TurnId, TurnKind};

/// Chunks that may wait for a slow reader; what comes after that is put together into one.
const WAITING_CHUNKS: usize = 256;
/// Tokens that go into the ledger as one entry, at most.
const BATCH: usize = 256;
/// How long the engine may refuse a request before the answer counts as begun. Only the form of the refusal
/// depends on it: a status code, or an event in the stream.
const REFUSAL: Duration = Duration::from_millis(50);

/// Everything that is decided before the engine is asked.
pub(super) struct Plan {
    pub(super) serving: Arc<Serving>,
    pub(super) prompt: Vec<Token>,
    pub(super) sampling: Sampling,
    pub(super) logprobs: bool,
    /// Which version answers; it stays loaded until the answer has ended.
    pub(super) policy: Lease,
    pub(super) session: NewSession,
    pub(super) turn: NewTurn,
    pub(super) title: String,
    /// No turn follows in the session.
    pub(super) last: bool,
    pub(super) n_dropped: usize,
    /// That stand in the prompt.
    pub(super) lessons: Vec<Lesson>,
    /// What follows this turn, or follows from it, may be learned from.
    pub(super) teaches: bool,
    /// What the client's own values are put back into.
    pub(super) restored: Restored,
}

/// Starts the answer and returns its reading end.
pub(super) fn begin(plan: Plan, record: Record, entered: Entered) -> Reader {
    let (sender, pieces) = mpsc::channel(WAITING_CHUNKS);
    let running = Arc::clone(&entered.running);
    let reader = Reader { pieces, running: Arc::clone(&running) };
    let span = record.span(&plan.session.id);
    let record = Arc::new(record);
    let pump = Pump { plan, record: Arc::clone(&record), running: Arc::clone(&running), sender };
    let task = tokio::spawn(pump.run(entered).instrument(span));
    tokio::spawn(async move {
        if let Err(err) = task.await {
            tracing::error!(%err, "an answer's task died");
            running.stop(Ending::Failed);
            if let Some(turn) = running.turn() {
                let error = Some("the daemon's task for this answer died".to_owned());
                record.append_or_log(end_entry(turn, Ending::Failed, error)).await;
            }
        }
    });
    reader
}

struct Pump {
    plan: Plan,
    record: Arc<Record>,
    running: Arc<Running>,
    sender: mpsc::Sender<Piece>,
}

/// What the engine has said so far.
#[derive(Default)]
struct Heard {
    n_cached: usize,
    n_sampled: usize,
    /// In the ledger, but not yet taken by a slow reader.
    unsent: More,
    /// How it ended, once it has.
    end: Option<Result<Finish, EngineError>>,
}

impl Pump {
    /// From the first row in the ledger to the last piece. The answer leaves the register when its turn has ended:
    /// a slow reader holds nobody up.
    async fn run(mut self, entered: Entered) {
        let mut heard = Heard::default();
        let outcome = self.answer(&mut heard).await;
        drop(entered);
        let mut unsent = std::mem::take(&mut heard.unsent);
        unsent.text.push_str(&self.plan.restored.finish());
        if !unsent.is_empty() {
            // Nobody there to read it is fine: the turn is in the ledger.
            let _ = self.sender.send(Piece::More(unsent)).await;
        }
        let last = outcome.unwrap_or_else(|error| {
            self.record.log_failure(&error);
            Piece::Failed(error)
        });
        let _ = self.sender.send(last).await;
    }

    /// The whole life of a turn; the result is its last piece.
    async fn answer(&mut self, heard: &mut Heard) -> Result<Piece, ApiError> {
        let turn = self.begin_turn().await?;
        let pumped = match self.submit() {
            Ok(mut events) => self.pump(turn, &mut events, heard).await,
            Err(err) => Err(err.into()),
        };
        if pumped.is_err() {
            self.running.cancel.cancel();
        }
        let ended = self.end_turn(turn, heard, pumped.as_ref().err()).await;
        let ending = pumped.and(ended)?;
        Ok(Piece::Ended {
            finish_reason: finish_reason(ending),
            usage: self.usage(heard),
            chela: self.chela(turn, Some(ending)),
        })
    }

    async fn begin_turn(&mut self) -> Result<TurnId, ApiError> {
        let session = self.plan.session.clone();
        let title = Entry::TitleSession { session: session.id.clone(), title: self.plan.title.clone() };
        let titled = self.plan.turn.parent.is_none() && !self.plan.title.is_empty();
        self.record.append(Entry::OpenSession(session)).await?;
        let turn = self.record.begin(self.plan.turn.clone()).await?;
        self.running.begun(turn);
        tracing::Span::current().record("turn", turn.0);
        if titled {
            self.record.append_or_log(title).await;
        }
        self.note_lessons(turn).await;
        self.tell_parent();
        Ok(turn)
    }

    async fn note_lessons(&self, turn: TurnId) {
        if !self.plan.lessons.is_empty() {
            let lessons = book::ids(&self.plan.lessons);
            self.record.append_or_log(Entry::UseLessons { turn, lessons }).await;
        }
    }

    /// Notes what this turn's messages say about the answer that they follow. Nobody waits for it.
    fn tell_parent(&self) {
        let turn = &self.plan.turn;
        let tells = turn.kind == TurnKind::Main && self.plan.teaches;
        let (Some(parent), Record::Ledger { ledger, .. }) = (turn.parent.filter(|_| tells), &*self.record)
        else {
            return;
        };
        let (states, at) = (next_states::of(&turn.messages, &[]), turn.started_at);
        let ledger = Arc::clone(ledger);
        tokio::spawn(async move {
            for state in states {
                if let Err(err) = ledger.record_next_state(parent, at, state).await {
                    let reason = err.detail.message;
                    tracing::error!(
                        reason,
                        parent = parent.0,
                        "what followed this turn is not in the ledger"
                    );
                }
            }
        });
    }

    /// Gives the work to the engine; its events arrive in the channel.
    fn submit(&mut self) -> Result<mpsc::UnboundedReceiver<GenerateEvent>, EngineError> {
        let (sender, events) = mpsc::unbounded_channel();
        let forward = move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        self.plan.serving.engine.submit(Job::Generate(Generate {
            prompt: std::mem::take(&mut self.plan.prompt),
            sampling: self.plan.sampling.clone(),
            policy: self.plan.policy.version(),
            priority: Priority::Foreground,
            cancel: self.running.cancel.clone(),
            forget: !self.record.is_kept(),
            events: Box::new(forward),
        }))?;
        Ok(events)
    }

    /// Engine to ledger to reader, until the engine is done.
    async fn pump(
        &mut self,
        turn: TurnId,
        events: &mut mpsc::UnboundedReceiver<GenerateEvent>,
        heard: &mut Heard,
    ) -> Result<(), ApiError> {
        let mut batch = Vec::with_capacity(BATCH);
        match tokio::time::timeout(REFUSAL, events.recv()).await {
            Ok(Some(GenerateEvent::Failed(err))) => return Err(err.into()),
            Ok(Some(event)) => batch.push(event),
            Ok(None) => return Err(engine_died()),
            Err(_) => {}
        }
        // The channel is empty, so the first chunk always finds room; a reader that is gone is noticed elsewhere.
        let _ = self.sender.try_send(Piece::Opened(self.chela(turn, None)));
        loop {
            self.keep(turn, &mut batch, heard).await?;
            self.offer(&mut heard.unsent);
            match &heard.end {
                None => self.listen(events, &mut batch, &mut heard.unsent).await?,
                Some(Err(err)) => return Err(err.clone().into()),
                Some(Ok(_)) => return Ok(()),
            }
        }
    }

    /// Waits for the engine; a reader who was slow gets what it missed meanwhile.
    async fn listen(
        &self,
        events: &mut mpsc::UnboundedReceiver<GenerateEvent>,
        batch: &mut Vec<GenerateEvent>,
        unsent: &mut More,
    ) -> Result<(), ApiError> {
        loop {
            tokio::select! {
                biased;
                n_events = events.recv_many(batch, BATCH) => {
                    return if n_events == 0 { Err(engine_died()) } else { Ok(()) };
                }
                Ok(permit) = self.sender.reserve(), if !unsent.is_empty() => {
                    permit.send(Piece::More(std::mem::take(unsent)));
                }
            }
        }
    }

    /// Writes what the engine said into the ledger, and only then counts it as something to send.
    async fn keep(
        &mut self,
        turn: TurnId,
        batch: &mut Vec<GenerateEvent>,
        heard: &mut Heard,
    ) -> Result<(), ApiError> {
        let mut tokens = Vec::new();
        for event in batch.drain(..) {
            match event {
                GenerateEvent::Started { n_cached, .. } => heard.n_cached = n_cached,
                GenerateEvent::Token(token) => tokens.push(token),
                GenerateEvent::Finished(finish) => heard.end = Some(Ok(finish)),
                GenerateEvent::Failed(err) => heard.end = Some(Err(err)),
            }
        }
        if !tokens.is_empty() {
            heard.n_sampled += tokens.len();
            let stored = tokens.iter().map(stored).collect();
            self.record.append(Entry::AppendTokens { turn, tokens: stored }).await?;
            for token in tokens {
                let shown = self.plan.restored.push(&token.text);
                heard.unsent.add(token, &shown, self.plan.logprobs);
            }
        }
        if let Some(Ok(Finish { rest, .. })) = &heard.end
            && !rest.is_empty()
        {
            self.record.append(Entry::AppendText { turn, text: rest.clone() }).await?;
            heard.unsent.text.push_str(&self.plan.restored.push(rest));
        }
        Ok(())
    }

    /// Hands over what is unsent if the reader keeps up; else it stays for later and grows.
    fn offer(&self, unsent: &mut More) {
        if !unsent.is_empty()
            && let Ok(permit) = self.sender.try_reserve()
        {
            permit.send(Piece::More(std::mem::take(unsent)));
        }
    }

    /// Writes how it ended; an answer that failed is ended too.
    async fn end_turn(
        &self,
        turn: TurnId,
        heard: &Heard,
        error: Option<&ApiError>,
    ) -> Result<Ending, ApiError> {
        let ending = match (&heard.end, error) {
            (Some(Ok(finish)), None) => ending(finish.reason, self.running.cause()),
            _ => Ending::Failed,
        };
        let sentence = error.map(|error| error.detail.message.clone());
        self.record.append(end_entry(turn, ending, sentence)).await?;
        if self.plan.last {
            let session = self.plan.session.id.clone();
            self.record.append_or_log(Entry::CloseSession { session, closed_at: now_ms() }).await;
        }
        tracing::info!(?ending, n_sampled = heard.n_sampled, n_cached = heard.n_cached, "turn ended");
        Ok(ending)
    }

    fn usage(&self, heard: &Heard) -> Usage {
        let prompt_tokens = self.plan.turn.prompt.len();
        Usage {
            prompt_tokens,
            completion_tokens: heard.n_sampled,
            total_tokens: prompt_tokens + heard.n_sampled,
            prompt_tokens_details: PromptTokensDetails { cached_tokens: heard.n_cached },
        }
    }

    fn chela(&self, turn: TurnId, ending: Option<Ending>) -> ChelaAnswer {
        ChelaAnswer {
            turn,
            session: self.plan.session.id.clone(),
            policy: self.plan.policy.version(),
            dropped_messages: self.plan.n_dropped,
            lessons: self.plan.lessons.iter().map(used).collect(),
            n_ctx: self.plan.serving.engine.card().n_ctx,
            ending,
        }
    }
}

/// How a turn ended, from what the engine says and who stopped it. An answer that was whole before the stop
/// reached the engine is whole.
fn ending(reason: FinishReason, cause: Option<Ending>) -> Ending {
    match reason {
        FinishReason::Stop => Ending::Stop,
        FinishReason::Length => Ending::Length,
        FinishReason::Cancelled => cause.unwrap_or(Ending::Interrupted),
    }
}

fn used(lesson: &Lesson) -> UsedLesson {
    UsedLesson { id: lesson.id, text: lesson.text.clone() }
}

fn engine_died() -> ApiError {
    ApiError::internal("engine_failed", "the engine stopped in the middle of the answer; the log says why")
}

fn stored(token: &SampledToken) -> StoredToken {
    StoredToken { id: token.id, logprob: token.logprob, text: token.text.clone() }
}

fn end_entry(turn: TurnId, ending: Ending, error: Option<String>) -> Entry {
    Entry::EndTurn { turn, ended_at: now_ms(), ending, error }
}

/// Unix milliseconds.
pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::config::Keep;
    use crate::daemon::ledger::Ledger;
    use crate::daemon::policy::Versions;
    use crate::daemon::running::Register;
    use crate::engine::Engine;
    use crate::engine::scripted::{Gate, Scripted, Step};
    use crate::store::{Receipt, ScriptedStore, Store, StoreError};
    use crate::turn::template::ChatTemplate;
    use crate::turn::{Message, PolicyVersion, Role, SessionId, Source};

    fn say(text: &str) -> Step {
        Step::Say(text.to_owned())
    }

    fn plan(steps: Vec<Step>) -> Plan {
        let engine: Arc<dyn Engine> = Arc::new(Scripted::new("m", 100_000, Box::new(move |_| steps.clone())));
        let session = SessionId("s".into());
        let turn = NewTurn {
            session: session.clone(),
            parent: None,
            kind: TurnKind::Main,
            source: Source::Api,
            cwd: None,
            messages: vec![Message::new(Role::User, "hi")],
            prompt: vec![1, 2, 3],
            policy: PolicyVersion::BASE,
            model: "m".into(),
            settings: "{}".into(),
            started_at: 0,
        };
        Plan {
            serving: Arc::new(Serving {
                engine,
                template: ChatTemplate::new("", "", ""),
                versions: Versions::default(),
            }),
            prompt: turn.prompt.clone(),
            sampling: Sampling { max_tokens: 100_000, ..Sampling::default() },
            logprobs: false,
            policy: Lease::default(),
            session: NewSession { id: session, source: Source::Api, cwd: None, started_at: 0 },
            turn,
            title: String::new(),
            last: false,
            n_dropped: 0,
            lessons: Vec::new(),
            teaches: true,
            restored: Restored::default(),
        }
    }

    fn ledger(store: Box<dyn Store>) -> Record {
        let (handle, _thread) = crate::store::spawn(store).unwrap();
        Record::new(Keep::All, &Arc::new(Ledger::new(handle, std::path::PathBuf::new())))
    }

    fn begin_with(steps: Vec<Step>, store: Box<dyn Store>) -> (Reader, Arc<Register>) {
        let register = Register::new();
        let entered = register.enter().unwrap();
        (begin(plan(steps), ledger(store), entered), register)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    fn disk_full() -> StoreError {
        StoreError::Unwritable { path: "l".into(), reason: "the disk is full; free some space".into() }
    }

    #[test]
    fn a_full_disk_ends_the_stream_and_the_generation() {
        let gate = Gate::default();
        let steps = vec![say("kept"), Step::Wait(gate.clone()), say("lost"), Step::Wait(Gate::default())];
        let store = ScriptedStore::new();
        runtime().block_on(async {
            let (mut reader, register) = begin_with(steps, Box::new(store.clone()));
            assert!(matches!(reader.next().await, Piece::Opened(_)));
            assert!(matches!(reader.next().await, Piece::More(more) if more.text == "kept"));
            store.fail_next(disk_full());
            gate.open();
            let Piece::Failed(error) = reader.next().await else { panic!("the stream goes on") };
            assert_eq!(error.detail.message, "cannot write the ledger l: the disk is full; free some space");
            register.empty().await;
            assert!(reader.running.cancel.is_cancelled());
        });
        let Some(Entry::EndTurn { ending, error, .. }) = store.entries().pop() else { panic!("no end") };
        assert_eq!(ending, Ending::Failed);
        assert!(error.unwrap().contains("the disk is full"));
    }

    #[test]
    fn a_turn_that_cannot_begin_is_refused_and_nothing_is_sampled() {
        let store = ScriptedStore::new();
        store.fail_next(disk_full());
        runtime().block_on(async {
            let (mut reader, register) = begin_with(vec![say("never")], Box::new(store.clone()));
            let Piece::Failed(error) = reader.next().await else { panic!("it was begun") };
            assert_eq!(error.detail.code.as_deref(), Some("ledger_failed"));
            register.empty().await;
        });
        assert_eq!(store.entries(), []);
    }

    /// A store whose appends all take as long as the test wants.
    struct Slow {
        inner: ScriptedStore,
        go: Arc<Mutex<()>>,
    }

    impl Store for Slow {
        fn append(&mut self, entry: Entry) -> Result<Receipt, StoreError> {
            let _go = self.go.lock().unwrap();
            self.inner.append(entry)
        }
    }

    #[test]
    fn nothing_is_sent_before_the_ledger_has_it_and_what_waits_goes_together() {
        let (begin, played) = (Gate::default(), Gate::default());
        let mut steps = vec![Step::Wait(begin.clone())];
        steps.extend(["a", "b", "c", "d"].map(say));
        steps.push(Step::Open(played.clone()));
        let (inner, go) = (ScriptedStore::new(), Arc::new(Mutex::new(())));
        let store = Slow { inner: inner.clone(), go: Arc::clone(&go) };
        runtime().block_on(async {
            let (mut reader, _register) = begin_with(steps, Box::new(store));
            assert!(matches!(reader.next().await, Piece::Opened(_)));
            let stuck = go.lock().unwrap();
            begin.open();
            played.wait();
            assert!(reader.pieces.try_recv().is_err());
            drop(stuck);
            let mut text = String::new();
            while let Piece::More(more) = reader.next().await {
                text += &more.text;
            }
            assert_eq!(text, "abcd");
        });
        let appended: usize = inner
            .entries()
            .iter()
            .map(|entry| if let Entry::AppendTokens { tokens, .. } = entry { tokens.len() } else { 0 })
            .sum();
        assert_eq!(appended, 4);
    }

    #[test]
    fn a_slow_reader_gets_everything_in_few_pieces() {
        const N_TOKENS: usize = 5000;
        let store = ScriptedStore::new();
        runtime().block_on(async {
            let (mut reader, register) = begin_with(vec![say("x"); N_TOKENS], Box::new(store.clone()));
            register.empty().await;
            let (mut n_pieces, mut text) = (0, String::new());
            loop {
                n_pieces += 1;
                match reader.next().await {
                    Piece::More(more) => text += &more.text,
                    Piece::Opened(_) => {}
                    Piece::Ended { usage, .. } => break assert_eq!(usage.completion_tokens, N_TOKENS),
                    Piece::Failed(error) => panic!("{error:?}"),
                }
            }
            assert_eq!(text.len(), N_TOKENS);
            assert!(n_pieces <= WAITING_CHUNKS + 2, "{n_pieces}");
        });
    }
}
