//! Trying a model file out. What fails here may abort the process inside C++, so it runs in a child process
//! (`chela model probe FILE`, started by `model`); the daemon loads a file only after a child has survived it.

use std::path::Path;
use std::sync::mpsc;

use super::llama::{LlamaEngine, LoadOptions};
use super::{Cancel, Engine, EngineError, Generate, GenerateEvent, Job, Priority, Sampling};
use crate::turn::PolicyVersion;

/// Texts that a tokenizer must survive: every byte (as a character), emoji, CJK, combining marks.
fn hard_texts() -> Vec<String> {
    let every_latin: String = (0..=255_u8).map(char::from).collect();
    let fixed = ["👩‍👩‍👧 🦀", "漢字かな交じり文", "e\u{301}\u{20e0}", "\u{10ffff}", " \t\n\r\n  ", ""];
    std::iter::once(every_latin).chain(fixed.iter().map(|text| (*text).to_owned())).collect()
}

/// Loads the file, tokenizes hard texts and decodes one token.
pub fn probe(path: &Path) -> Result<(), EngineError> {
    let options = LoadOptions { n_ctx: 256, parallel: 1, ..LoadOptions::new("probe", path) };
    let engine = LlamaEngine::load(&options)?;
    let mut prompt = Vec::new();
    for text in hard_texts() {
        prompt.extend(engine.tokenize(&text, false)?);
    }
    prompt.truncate(8);
    if prompt.is_empty() {
        return Err(EngineError::Tokenize("the vocabulary gives no tokens for plain text".to_owned()));
    }
    let (events, received) = mpsc::channel();
    engine.submit(Job::Generate(Generate {
        prompt,
        sampling: Sampling { max_tokens: 1, temperature: 0.0, ..Sampling::default() },
        policy: PolicyVersion::BASE,
        priority: Priority::Foreground,
        cancel: Cancel::default(),
        forget: false,
        events: Box::new(move |event| match events.send(event) {
            Ok(()) => std::ops::ControlFlow::Continue(()),
            Err(_) => std::ops::ControlFlow::Break(()),
        }),
    }))?;
    for event in received {
        match event {
            GenerateEvent::Finished(_) => return Ok(()),
            GenerateEvent::Failed(error) => return Err(error),
            GenerateEvent::Token(token) if !token.logprob.is_finite() => {
                return Err(EngineError::Compute("its first token has no finite probability".to_owned()));
            }
            GenerateEvent::Started { .. } | GenerateEvent::Token(_) => {}
        }
    }
    Err(EngineError::Stopped)
}
