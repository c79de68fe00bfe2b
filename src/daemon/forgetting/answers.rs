//! Greedy answers of the version that serves, without lessons and without a trace in the ledger.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::daemon::error::ApiError;
use crate::daemon::models::Serving;
use crate::daemon::prompt::Layout;
use crate::daemon::state::Daemon;
use crate::daemon::wire::forgetting::UnrecordedAnswers;
use crate::engine::{Cancel, EngineError, Generate, GenerateEvent, Job, Priority, Sampling};
use crate::turn::{Message, PolicyVersion};

/// Longest answer; enough to see how it begins.
const MOST_TOKENS: usize = 128;
const MOST_PROMPTS: usize = 16;

pub(super) async fn to(
    daemon: &Daemon,
    serving: &Arc<Serving>,
    prompts: &[Vec<Message>],
) -> Result<UnrecordedAnswers, ApiError> {
    if prompts.len() > MOST_PROMPTS {
        let message = format!("{} prompts; at most {MOST_PROMPTS} at a time", prompts.len());
        return Err(ApiError::invalid("prompts", message));
    }
    let lease = daemon.policies.lease(serving, None).await?;
    let mut answers = Vec::new();
    for messages in prompts {
        answers.push(answer(serving, lease.version(), messages, MOST_TOKENS).await?);
    }
    Ok(UnrecordedAnswers { policy: lease.version(), answers })
}

/// At most so many tokens. Who stops waiting ends it.
pub(in crate::daemon) async fn answer(
    serving: &Serving,
    policy: PolicyVersion,
    messages: &[Message],
    most: usize,
) -> Result<String, ApiError> {
    let template = serving.template.as_ref().map_err(|err| ApiError::from(err.clone()))?;
    let engine = serving.engine.as_ref();
    let layout = Layout { engine, template, messages, tools: &[], wanted: most, drop_oldest: true };
    let prompt = layout.fit()?;
    let (sender, mut events) = mpsc::unbounded_channel();
    let job = Generate {
        prompt: prompt.tokens,
        sampling: Sampling { temperature: 0.0, max_tokens: most.min(prompt.room), ..Sampling::default() },
        policy,
        priority: Priority::Foreground,
        cancel: Cancel::default(),
        forget: true,
        events: Box::new(move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_gone) => ControlFlow::Break(()),
        }),
    };
    engine.submit(Job::Generate(job))?;
    let mut text = String::new();
    while let Some(event) = events.recv().await {
        match event {
            GenerateEvent::Token(token) => text.push_str(&token.text),
            GenerateEvent::Failed(error) => return Err(error.into()),
            GenerateEvent::Finished(finish) => return Ok(text + &finish.rest),
            GenerateEvent::Started { .. } => {}
        }
    }
    Err(EngineError::Stopped.into())
}
