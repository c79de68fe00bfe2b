//! Printing an answer while it arrives, and ending it politely on Ctrl+C. Used by `ask`.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use super::place::Place;
use super::{Exit, output};
use crate::client::Client;
use crate::daemon::wire::{ChatChunk, ChatRequest, ChelaAnswer, Usage};
use crate::turn::{PolicyVersion, SessionId, TurnId};

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Streamed,
    Whole,
    Json,
}

impl Form {
    pub(super) fn of(json: bool, no_stream: bool) -> Self {
        match (json, no_stream) {
            (true, _) => Self::Json,
            (false, true) => Self::Whole,
            (false, false) => Self::Streamed,
        }
    }
}

/// What the chunks add up to.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    model: String,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    chela: Option<ChelaAnswer>,
}

/// The object that `--json` prints. Its fields are a promise to scripts: add, never rename.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    answer: &'a str,
    model: &'a str,
    policy: Option<PolicyVersion>,
    session: Option<&'a SessionId>,
    /// `null` for an answer off the record.
    turn: Option<TurnId>,
    recorded: bool,
    usage: Option<&'a Usage>,
    /// As OpenAI has it (`stop`, `length`), or `interrupted`.
    finish_reason: Option<&'a str>,
    /// Oldest messages that did not fit into the context.
    dropped: usize,
}

/// Asks and prints. A reader that closes its end (`| head -1`) ends the answer too.
pub(super) fn print(
    place: &Place,
    client: &Client,
    request: &ChatRequest,
    form: Form,
) -> anyhow::Result<Exit> {
    let interrupt = Interrupt::watch(client.clone())?;
    let begun = std::time::Instant::now();
    let mut answer = Answer::default();
    let to_terminal = std::io::stdout().is_terminal();
    for chunk in client.chat(request)? {
        let chunk = chunk.inspect_err(|_| end_line(form, &answer.text))?;
        let piece = answer.add(chunk);
        if let Some(chela) = &answer.chela {
            interrupt.turn_is(chela.turn);
        }
        if form == Form::Streamed && !piece.is_empty() {
            write_piece(&piece, to_terminal)?;
        }
    }
    let interrupted = interrupt.was_pressed();
    match form {
        Form::Json => output::json(&answer.printed(interrupted))?,
        Form::Whole => write_piece(&answer.text, to_terminal)?,
        Form::Streamed => {}
    }
    if form != Form::Json && !answer.text.ends_with('\n') {
        output::line("")?;
    }
    for note in answer.notes() {
        output::note(&note);
    }
    if place.verbose {
        output::note(&answer.summary(begun.elapsed().as_secs_f64()));
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}

/// An answer that broke off keeps the error message off its own line.
fn end_line(form: Form, text: &str) {
    if form == Form::Streamed && !text.is_empty() && !text.ends_with('\n') {
        // The error that follows says more than this one could.
        let _ = output::line("");
    }
}

fn write_piece(piece: &str, to_terminal: bool) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if to_terminal {
        stdout.write_all(output::harmless(piece).as_bytes())?;
    } else {
        stdout.write_all(piece.as_bytes())?;
    }
    stdout.flush()
}

impl Answer {
    /// Takes a chunk in and returns its text.
    fn add(&mut self, chunk: ChatChunk) -> String {
        self.model = chunk.model;
        self.usage = chunk.usage.or(self.usage.take());
        self.chela = chunk.chela.or(self.chela.take());
        let mut piece = String::new();
        for choice in chunk.choices {
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
            piece.push_str(&choice.delta.content.unwrap_or_default());
        }
        self.text.push_str(&piece);
        piece
    }

    fn printed(&self, interrupted: bool) -> Printed<'_> {
        let chela = self.chela.as_ref();
        Printed {
            answer: &self.text,
            model: &self.model,
            policy: chela.map(|chela| chela.policy),
            session: chela.map(|chela| &chela.session),
            turn: chela.map(|chela| chela.turn).filter(|turn| turn.is_recorded()),
            recorded: chela.is_some_and(|chela| chela.turn.is_recorded()),
            usage: self.usage.as_ref(),
            finish_reason: if interrupted { Some("interrupted") } else { self.finish_reason.as_deref() },
            dropped: chela.map_or(0, |chela| chela.dropped_messages),
        }
    }

    /// What the reader would otherwise not notice.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let dropped = self.chela.as_ref().map_or(0, |chela| chela.dropped_messages);
        if dropped > 0 {
            notes.push(format!("note: the {dropped} oldest messages did not fit into the context"));
        }
        if self.finish_reason.as_deref() == Some("length") {
            notes.push("note: the answer was cut at its token limit; --max-tokens N allows more".to_owned());
        }
        notes
    }

    /// `chela-starter v0: 31 tokens of prompt (12 cached), 9 of answer in 0.21 s`.
    fn summary(&self, seconds: f64) -> String {
        let policy = self.chela.as_ref().map_or(PolicyVersion::BASE, |chela| chela.policy);
        let usage = self.usage.clone().unwrap_or_default();
        format!(
            "{} {policy}: {} tokens of prompt ({} cached), {} of answer in {seconds:.2} s",
            self.model,
            usage.prompt_tokens,
            usage.prompt_tokens_details.cached_tokens,
            usage.completion_tokens
        )
    }
}

/// Ctrl+C while an answer runs: the first one ends the answer, which keeps what was said; a second one, or one
/// before the answer began, ends the process.
#[derive(Clone, Default)]
struct Interrupt(Arc<Mutex<Pressed>>);

#[derive(Default)]
struct Pressed {
    turn: Option<TurnId>,
    count: usize,
}

impl Interrupt {
    fn watch(client: Client) -> std::io::Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT])?;
        let shared = interrupt.clone();
        std::thread::Builder::new().name("interrupt".into()).spawn(move || {
            for _ in &mut signals {
                match shared.press() {
                    // A daemon that cannot be told sees the connection go when the process ends.
                    Some(turn) if client.interrupt(turn).is_ok() => {}
                    _ => std::process::exit(i32::from(Exit::Interrupted as u8)),
                }
            }
        })?;
        Ok(interrupt)
    }

    /// Counts a press; the turn to end when it is the first and there is one.
    fn press(&self) -> Option<TurnId> {
        let mut pressed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pressed.count += 1;
        if pressed.count == 1 { pressed.turn } else { None }
    }

    fn turn_is(&self, turn: TurnId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turn = Some(turn);
    }

    fn was_pressed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count > 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn chunk(text: Value) -> ChatChunk {
        serde_json::from_value(text).unwrap()
    }

    fn whole() -> Answer {
        let mut answer = Answer::default();
        let head = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"role": "assistant"}}],
            "chela": {"turn": 7, "session": "s", "policy": 0, "dropped_messages": 2, "n_ctx": 512}});
        let middle = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": "ls -l"}}]});
        let last = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
        for part in [head, middle, last] {
            answer.add(chunk(part));
        }
        answer
    }

    #[test]
    fn chunks_add_up_to_the_printed_object() {
        let printed = serde_json::to_value(whole().printed(false)).unwrap();
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 0}});
        let expected = json!({"answer": "ls -l", "model": "m", "policy": 0, "session": "s", "turn": 7,
            "recorded": true, "usage": usage, "finish_reason": "length", "dropped": 2});
        assert_eq!(printed, expected);
    }

    #[test]
    fn what_was_cut_or_dropped_is_said() {
        let notes = whole().notes();
        assert!(notes[0].contains("2 oldest messages") && notes[1].contains("--max-tokens"), "{notes:?}");
    }

    #[test]
    fn only_the_first_ctrl_c_in_an_answer_is_polite() {
        let interrupt = Interrupt::default();
        interrupt.turn_is(TurnId(7));
        assert_eq!(interrupt.press(), Some(TurnId(7)));
        assert_eq!(interrupt.press(), None);
        assert!(interrupt.was_pressed());
        assert_eq!(Interrupt::default().press(), None);
    }
}
