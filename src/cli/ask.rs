//! `chela ask`: one question, one answer. What is asked and how; printing is in `answer`.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::place::{Place, is_off_record};
use super::{Exit, answer, consent, exit, output};
use crate::client::Client;
use crate::daemon::wire::{ChatRequest, ChelaRequest, ModelState, StreamOptions};
use crate::turn::{Message, SessionId, Source, TurnKind, plain_request};

/// More than any context holds; without a bound, `chela ask < /dev/zero` would take all memory.
const MAX_STDIN: u64 = 16 << 20;

#[derive(Debug, Args)]
#[command(
    after_help = "What is piped in goes below the question: git diff | chela ask \"explain this change\"\n\
    With `-` as the question, or with none, all of it comes from stdin."
)]
pub(super) struct AskArgs {
    /// The question; several words need no quotes
    #[arg(value_name = "QUESTION")]
    question: Vec<String>,
    /// Print one JSON object: answer, model, policy, session, turn, usage and more
    #[arg(long)]
    json: bool,
    /// Said to the model first, instead of the setting chat.system
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// 0 always takes the most probable token; up to 2 is more varied
    #[arg(long, value_name = "T", value_parser = temperature)]
    temperature: Option<f32>,
    /// Longest answer, in tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// The same seed gives the same answer
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Print the answer when it is complete
    #[arg(long)]
    no_stream: bool,
    /// Off the record: question and answer are kept nowhere, and nothing is learned from them
    #[arg(long)]
    off: bool,
    /// The answer will be JSON that fits this JSON schema
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

pub(super) fn run(place: &Place, args: &AskArgs) -> anyhow::Result<Exit> {
    let question = question(&args.question)?;
    let schema = args.schema.as_deref().map(read_schema).transpose()?;
    let mut settings = place.prepare()?;
    if !args.off {
        consent::once(place, &mut settings)?;
    }
    let system = args.system.as_deref().unwrap_or(&settings.chat.system);

    let client = Client::connect(&place.paths)?;
    wait_for_model(place, &client)?;
    let request = request(args, plain_request(system, &question), schema)?;
    answer::print(place, &client, &request, answer::Form::of(args.json, args.no_stream))
}

/// Loading takes from a moment to a minute; only then is there something to say.
fn wait_for_model(place: &Place, client: &Client) -> anyhow::Result<()> {
    match client.status()?.model {
        ModelState::Ready { .. } => return Ok(()),
        ModelState::Loading { name } if place.may_redraw() => output::note(&format!("loading {name} …")),
        ModelState::Loading { .. } | ModelState::None { .. } => {}
    }
    match client.wait_for_model()?.model {
        ModelState::None { reason } => Err(exit::Stop::new(Exit::NoModel, reason).into()),
        ModelState::Loading { .. } | ModelState::Ready { .. } => Ok(()),
    }
}

/// The words of the command line, and below them what is piped in.
fn question(words: &[String]) -> anyhow::Result<String> {
    let asked = words.join(" ");
    let only_stdin = asked.is_empty() || asked == "-";
    if std::io::stdin().is_terminal() && asked != "-" {
        if asked.is_empty() {
            let advice =
                "nothing to ask; write `chela ask \"…\"`, pipe text in, or open the chat with `chela`";
            return Err(exit::Stop::new(Exit::Usage, advice).into());
        }
        return Ok(asked);
    }
    let piped = read_stdin()?;
    let text = if only_stdin { piped } else { joined(&asked, &piped) };
    if text.trim().is_empty() {
        return Err(exit::Stop::new(Exit::Usage, "nothing to ask: stdin is empty").into());
    }
    Ok(text)
}

fn read_stdin() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_STDIN + 1).read_to_end(&mut bytes).context("cannot read stdin")?;
    if bytes.len() as u64 > MAX_STDIN {
        bail!("stdin has more than {}; no context holds that, pass a part of it", output::size(MAX_STDIN));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
        let at = error.utf8_error().valid_up_to();
        output::note(&format!("note: stdin is not UTF-8 at byte {at}; unreadable bytes became \u{fffd}"));
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    }))
}

fn joined(asked: &str, piped: &str) -> String {
    match piped.trim_end() {
        "" => asked.to_owned(),
        piped => format!("{asked}\n\n{piped}"),
    }
}

fn request(args: &AskArgs, messages: Vec<Message>, schema: Option<Value>) -> anyhow::Result<ChatRequest> {
    let cwd = std::env::current_dir().ok().map(|dir| dir.to_string_lossy().into_owned());
    Ok(ChatRequest {
        messages,
        stream: true,
        stream_options: Some(StreamOptions { include_usage: true }),
        temperature: args.temperature,
        max_tokens: args.max_tokens.map(usize::try_from).transpose()?,
        seed: args.seed.map(i64::from),
        store: (args.off || is_off_record()).then_some(false),
        response_format: schema.map(
            |schema| json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}}),
        ),
        chela: Some(ChelaRequest {
            session: fresh_session()?,
            parent: None,
            source: Source::Chat,
            kind: TurnKind::Main,
            cwd,
            drop_oldest: false,
        }),
        ..ChatRequest::default()
    })
}

fn read_schema(file: &Path) -> anyhow::Result<Value> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the schema {name}"))?;
    let schema: Value =
        serde_json::from_str(&text).with_context(|| format!("the schema {name} is not JSON"))?;
    if !schema.is_object() {
        bail!("the schema {name} is not a JSON object");
    }
    Ok(schema)
}

/// Every question is a session of its own.
fn fresh_session() -> anyhow::Result<SessionId> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).context("no random numbers from the system")?;
    Ok(SessionId(format!("ask-{:016x}", u64::from_le_bytes(bytes))))
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=2.0).contains(&value) => Ok(value),
        _ => Err("0 to 2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piped_text_goes_below_the_question() {
        assert_eq!(joined("why?", "a\nb\n"), "why?\n\na\nb");
        assert_eq!(joined("why?", "\n"), "why?");
    }

    #[test]
    fn temperatures_out_of_range_are_refused() {
        assert!(temperature("2").is_ok() && temperature("0.1").is_ok());
        assert!(temperature("2.1").is_err() && temperature("NaN").is_err() && temperature("warm").is_err());
    }

    #[test]
    fn every_question_has_its_own_session() {
        assert_ne!(fresh_session().unwrap(), fresh_session().unwrap());
    }
}
