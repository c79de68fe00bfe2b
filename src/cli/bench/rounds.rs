//! The work of `chela bench serve`: the same load through a daemon's socket and through a bare loop.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::ServeBench;
use crate::cli::output;
use crate::client::Client;
use crate::daemon::wire::{ChatRequest, StreamOptions};
use crate::engine::{BareLoop, Cancel, Engine, Generate, Job, LlamaEngine, Priority, Sampling, Token};
use crate::turn::{Message, PolicyVersion, Role};

/// One answer: what it cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) first_s: f64,
    pub(super) decode_s: f64,
    pub(super) n_prompt: usize,
    pub(super) n_sampled: usize,
    /// Tokens that came with the first one.
    pub(super) n_first: usize,
}

/// Prompts that no cache knows: each begins with its own number.
pub(super) struct Prompts<'a> {
    pub(super) engine: &'a LlamaEngine,
    pub(super) n_tokens: usize,
}

impl Prompts<'_> {
    /// A message whose prompt has about `n_tokens` tokens, and that prompt.
    fn make(&self, number: u32) -> anyhow::Result<(Message, Vec<Token>)> {
        const WORDS: [&str; 8] = ["list", "the", "files", "of", "every", "folder", "by", "size"];
        let mut text = format!("{number}:");
        let mut tokens = self.tokens(&text)?;
        let mut words = WORDS.iter().cycle().skip(number as usize % WORDS.len());
        while tokens.len() < self.n_tokens {
            let missing = self.n_tokens - tokens.len();
            for word in words.by_ref().take(missing.div_ceil(2)) {
                text.push(' ');
                text.push_str(word);
            }
            tokens = self.tokens(&text)?;
        }
        Ok((Message::new(Role::User, text), tokens))
    }

    fn tokens(&self, text: &str) -> anyhow::Result<Vec<Token>> {
        let card = self.engine.card();
        let template = card.template()?;
        let prompt = template.render(&[Message::new(Role::User, text)], &[], true)?;
        Ok(self.engine.tokenize(&prompt, true)?)
    }
}

pub(super) struct Round {
    pub(super) bare: Timing,
    pub(super) chela: Vec<(usize, Vec<Timing>, f64)>,
    /// From the cancellation of a request in the middle of its prompt to its end.
    pub(super) cancel_s: f64,
}

pub(super) fn one_round(
    bench: &ServeBench,
    round: u32,
    prompts: &Prompts,
    client: &Client,
    bare: &mut BareLoop,
) -> anyhow::Result<Round> {
    output::note(&format!("round {round} of {} …", bench.rounds));
    let sampling = Sampling { temperature: 0.0, max_tokens: bench.tokens, ..Sampling::default() };
    let (_, prompt) = prompts.make(round * 1000)?;
    let run = bare.run(&prompt, &sampling)?;
    let bare = Timing {
        first_s: run.prefill_s,
        decode_s: run.decode_s,
        n_first: 1,
        n_prompt: prompt.len(),
        n_sampled: run.n_sampled,
    };
    let mut chela = Vec::new();
    for &clients in &bench.clients {
        let first = round * 1000 + u32::try_from(clients)? * 100;
        let messages = (0..u32::try_from(clients)?)
            .map(|n| prompts.make(first + n).map(|(message, _)| message))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let began = Instant::now();
        let threads = messages
            .into_iter()
            .map(|message| {
                let (client, max_tokens) = (client.clone(), bench.tokens);
                thread::Builder::new()
                    .name("bench-client".to_owned())
                    .spawn(move || ask(&client, message, max_tokens))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        let answers = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        chela.push((clients, answers, began.elapsed().as_secs_f64()));
    }
    let cancel_s = cancelled_after(prompts, round * 1000 + 999, bare.first_s / 3.0)?;
    Ok(Round { bare, chela, cancel_s })
}

/// How long a request that is cancelled in the middle of its prompt still takes, in seconds.
fn cancelled_after(prompts: &Prompts, number: u32, wait_s: f64) -> anyhow::Result<f64> {
    let (_, prompt) = prompts.make(number)?;
    let cancel = Cancel::default();
    let (events, received) = mpsc::channel();
    prompts.engine.submit(Job::Generate(Generate {
        prompt,
        sampling: Sampling::default(),
        policy: PolicyVersion::BASE,
        priority: Priority::Foreground,
        cancel: cancel.clone(),
        forget: false,
        events: Box::new(move |event| {
            events.send(event).map_or(ControlFlow::Break(()), |()| ControlFlow::Continue(()))
        }),
    }))?;
    received.recv().context("the request does not begin")?;
    thread::sleep(Duration::from_secs_f64(wait_s));
    let asked = Instant::now();
    cancel.cancel();
    // The last event is the end; the sender goes with it.
    received.iter().last().context("the request was over before it was cancelled")?;
    Ok(asked.elapsed().as_secs_f64())
}

/// One answer through the socket, as any client of the daemon gets it.
fn ask(client: &Client, message: Message, max_tokens: usize) -> anyhow::Result<Timing> {
    let request = ChatRequest {
        messages: vec![message],
        stream: true,
        stream_options: Some(StreamOptions { include_usage: true }),
        temperature: Some(0.0),
        max_tokens: Some(max_tokens),
        // Every token is then in a chunk as it comes; text alone is held back until it is whole characters.
        logprobs: Some(true),
        ..ChatRequest::default()
    };
    let began = Instant::now();
    let (mut first, mut last, mut usage) = (None, began, None);
    for chunk in client.chat(&request)? {
        let chunk = chunk?;
        let tokens = chunk.choices.iter().filter_map(|choice| choice.logprobs.as_ref());
        let n_tokens: usize = tokens.map(|logprobs| logprobs.content.len()).sum();
        if n_tokens > 0 {
            last = Instant::now();
            first.get_or_insert((last, n_tokens));
        }
        usage = chunk.usage.or(usage);
    }
    let usage = usage.context("the answer has no usage")?;
    let (first, n_first) = first.context("the answer is empty")?;
    Ok(Timing {
        first_s: (first - began).as_secs_f64(),
        decode_s: (last - first).as_secs_f64(),
        n_first,
        n_prompt: usage.prompt_tokens,
        n_sampled: usage.completion_tokens,
    })
}
