//! What a running answer says to its reader, and how that looks on the wire: chunks of a stream, or one whole body.
//! Pure, except for [`Reader`], which stops the answer when nobody reads it any more.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::ApiError;
use super::running::Running;
use super::wire::{
    AnswerMessage, ChatAnswer, ChatChunk, ChelaAnswer, Choice, ChunkChoice, Delta, LogprobList, TokenLogprob,
    TopLogprob, Usage,
};
use crate::engine::SampledToken;
use crate::turn::Ending;

/// What happens to an answer, in order: `Opened`, any number of `More`, then `Ended` or `Failed`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// The turn is in the ledger and the engine has it.
    Opened(ChelaAnswer),
    More(More),
    Ended {
        finish_reason: &'static str,
        usage: Usage,
        chela: ChelaAnswer,
    },
    Failed(ApiError),
}

/// Text that is in the ledger, with the tokens that made it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct More {
    pub(super) text: String,
    pub(super) logprobs: Vec<TokenLogprob>,
}

impl More {
    /// `shown`: what the token adds to the text, which is not always its own.
    pub(super) fn add(&mut self, token: SampledToken, shown: &str, logprobs: bool) {
        self.text.push_str(shown);
        // Control tokens have no text of their own; OpenAI's lists leave them out.
        if logprobs && !token.bytes.is_empty() {
            self.logprobs.push(token_logprob(token));
        }
    }

    pub(super) fn merge(&mut self, later: Self) {
        self.text.push_str(&later.text);
        self.logprobs.extend(later.logprobs);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.logprobs.is_empty()
    }
}

fn token_logprob(token: SampledToken) -> TokenLogprob {
    let top_logprobs = token.top.into_iter().map(|other| TopLogprob {
        token: String::from_utf8_lossy(&other.bytes).into_owned(),
        logprob: other.logprob,
        bytes: Some(other.bytes),
    });
    TokenLogprob {
        token: String::from_utf8_lossy(&token.bytes).into_owned(),
        logprob: token.logprob,
        top_logprobs: top_logprobs.collect(),
        bytes: Some(token.bytes),
    }
}

/// OpenAI's word for an ending.
pub(super) fn finish_reason(ending: Ending) -> &'static str {
    if ending == Ending::Length { "length" } else { "stop" }
}

/// The connection's end of an answer. Dropping it before the last piece means that the client went away.
pub(super) struct Reader {
    pub(super) pieces: mpsc::Receiver<Piece>,
    pub(super) running: Arc<Running>,
}

impl Reader {
    /// The next piece. A pump that died without a last word is an error, not an end.
    pub(super) async fn next(&mut self) -> Piece {
        self.pieces.recv().await.unwrap_or_else(|| {
            Piece::Failed(ApiError::internal(
                "answer_lost",
                "the answer ended unexpectedly; what was sent is in the ledger, the log says why",
            ))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.running.stop(Ending::Disconnected);
    }
}

/// What every chunk of one answer has in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Envelope {
    pub(super) id: String,
    /// Unix seconds.
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) logprobs: bool,
    pub(super) include_usage: bool,
}

impl Envelope {
    /// The server-sent events' contents for one piece; the last one of a good answer is `[DONE]`.
    pub(super) fn lines(&self, piece: Piece) -> Vec<String> {
        match piece {
            Piece::Opened(chela) => {
                let delta = Delta { role: Some("assistant".into()), content: Some(String::new()) };
                vec![json(&ChatChunk { chela: Some(chela), ..self.chunk(delta, None, None) })]
            }
            Piece::More(more) => {
                let logprobs = self.list(more.logprobs);
                vec![json(&self.chunk(Delta { role: None, content: Some(more.text) }, logprobs, None))]
            }
            Piece::Ended { finish_reason, usage, chela } => {
                let last = self.chunk(Delta::default(), None, Some(finish_reason));
                let mut lines = vec![json(&ChatChunk { chela: Some(chela), ..last })];
                if self.include_usage {
                    let chunk = self.chunk(Delta::default(), None, None);
                    lines.push(json(&ChatChunk { choices: Vec::new(), usage: Some(usage), ..chunk }));
                }
                lines.push("[DONE]".into());
                lines
            }
            Piece::Failed(error) => vec![json(&error.body())],
        }
    }

    /// The whole answer as one body.
    pub(super) async fn whole(&self, mut reader: Reader) -> Result<ChatAnswer, ApiError> {
        let mut all = More::default();
        loop {
            match reader.next().await {
                Piece::Opened(_) => {}
                Piece::More(more) => all.merge(more),
                Piece::Failed(error) => return Err(error),
                Piece::Ended { finish_reason, usage, chela } => {
                    return Ok(self.body(all, finish_reason, usage, chela));
                }
            }
        }
    }

    fn body(&self, all: More, finish_reason: &str, usage: Usage, chela: ChelaAnswer) -> ChatAnswer {
        let message = AnswerMessage { role: "assistant".into(), content: Some(all.text), refusal: None };
        ChatAnswer {
            id: self.id.clone(),
            object: "chat.completion".into(),
            created: self.created,
            model: self.model.clone(),
            choices: vec![Choice {
                index: 0,
                message,
                logprobs: self.list(all.logprobs),
                finish_reason: Some(finish_reason.to_owned()),
            }],
            usage,
            chela: Some(chela),
        }
    }

    fn chunk(&self, delta: Delta, logprobs: Option<LogprobList>, finish: Option<&str>) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk".into(),
            created: self.created,
            model: self.model.clone(),
            choices: vec![ChunkChoice {
                index: 0,
                delta,
                logprobs,
                finish_reason: finish.map(str::to_owned),
            }],
            usage: None,
            chela: None,
        }
    }

    fn list(&self, content: Vec<TokenLogprob>) -> Option<LogprobList> {
        self.logprobs.then_some(LogprobList { content, refusal: None })
    }
}

/// Our own values always serialize.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
