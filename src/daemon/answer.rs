//! One answer from prompt to ledger: the task that stands between the engine and a connection.
//!
//! What always holds: a turn is in the ledger before its first token is sampled; a token is in the ledger before it
//! is sent; the turn's end is in the ledger before the last chunk is sent. The task lives on when the connection
//! dies, so every turn comes to its end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::Instrument;

use super::error::ApiError;
use super::ledger::Ledger;
use super::models::Serving;
use super::reply::{More, Piece, Reader, finish_reason};
use super::running::{Entered, Running};
use super::wire::{ChelaAnswer, PromptTokensDetails, Usage};
use crate::engine::{
    EngineError, Finish, FinishReason, Generate, GenerateEvent, Job, Priority, SampledToken, Sampling, Token,
};
use crate::store::{Entry, NewSession, NewTurn, Receipt, StoredToken};
use crate::turn::{Ending, PolicyVersion, TurnId};

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
    pub(super) policy: PolicyVersion,
    pub(super) session: NewSession,
    pub(super) turn: NewTurn,
    pub(super) title: String,
    /// No turn follows in the session.
    pub(super) last: bool,
    pub(super) n_dropped: usize,
}

/// Starts the answer and returns its reading end.
pub(super) fn begin(plan: Plan, ledger: Arc<Ledger>, entered: Entered) -> Reader {
    let (sender, pieces) = mpsc::channel(WAITING_CHUNKS);
    let running = Arc::clone(&entered.running);
    let reader = Reader { pieces, running: Arc::clone(&running) };
    let span = tracing::info_span!("turn", session = plan.session.id.0, turn = tracing::field::Empty);
    let pump = Pump { plan, ledger: Arc::clone(&ledger), running: Arc::clone(&running), sender };
    let task = tokio::spawn(pump.run(entered).instrument(span));
    tokio::spawn(async move {
        if let Err(err) = task.await {
            tracing::error!(%err, "an answer's task died");
            running.stop(Ending::Failed);
            if let Some(turn) = running.turn() {
                let error = Some("the daemon's task for this answer died".to_owned());
                ledger.append_or_log(end_entry(turn, Ending::Failed, error)).await;
            }
        }
    });
    reader
}

struct Pump {
    plan: Plan,
    ledger: Arc<Ledger>,
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
        let unsent = std::mem::take(&mut heard.unsent);
        if !unsent.is_empty() {
            // Nobody there to read it is fine: the turn is in the ledger.
            let _ = self.sender.send(Piece::More(unsent)).await;
        }
        let last = outcome.unwrap_or_else(|error| {
            tracing::warn!(error = error.detail.message, "answer failed");
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
        self.ledger.append(Entry::OpenSession(session)).await?;
        let receipt = self.ledger.append(Entry::BeginTurn(self.plan.turn.clone())).await?;
        let Receipt::Turn(turn) = receipt else {
            return Err(ApiError::internal("ledger_failed", "the ledger gave the turn no number"));
        };
        self.running.begun(turn);
        tracing::Span::current().record("turn", turn.0);
        if titled {
            self.ledger.append_or_log(title).await;
        }
        Ok(turn)
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
            policy: self.plan.policy,
            priority: Priority::Foreground,
            cancel: self.running.cancel.clone(),
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
        &self,
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
            self.ledger.append(Entry::AppendTokens { turn, tokens: stored }).await?;
            for token in tokens {
                heard.unsent.add(token, self.plan.logprobs);
            }
        }
        if let Some(Ok(Finish { rest, .. })) = &heard.end
            && !rest.is_empty()
        {
            self.ledger.append(Entry::AppendText { turn, text: rest.clone() }).await?;
            heard.unsent.text.push_str(rest);
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
        self.ledger.append(end_entry(turn, ending, sentence)).await?;
        if self.plan.last {
            let session = self.plan.session.id.clone();
            self.ledger.append_or_log(Entry::CloseSession { session, closed_at: now_ms() }).await;
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
            policy: self.plan.policy,
            dropped_messages: self.plan.n_dropped,
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
