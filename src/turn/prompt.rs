//! Messages into the token ids of a prompt: what the daemon serves and what the trainer learns from go through here,
//! so both see the same ids.
//!
//! What always holds: text that a person or a tool wrote never becomes a control token. A pasted `<|im_end|>` stays
//! the ten characters that it is, so nobody can speak with another role's voice.

use std::collections::HashMap;

use serde_json::Value;

use super::template::{ChatTemplate, TemplateError};
use super::{Message, Role};

/// Longest text in angle or square brackets that may be a control token's name, in bytes.
const MAX_MARK: usize = 64;

/// Text into token ids, without BOS. The flag: read `<|im_start|>` and its like as the tokens they name.
pub type Tokenize<'a> = dyn Fn(&str, bool) -> Result<Vec<i32>, String> + 'a;

/// What writing a prompt needs to know of a vocabulary.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    pub tokenize: &'a Tokenize<'a>,
    /// The text of the token that stands in front of every prompt, if the vocabulary wants one.
    pub bos: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("text cannot be tokenized: {0}")]
    Tokenize(String),
}

/// Writes prompts for one model. Remembers which bracketed words are control tokens.
pub struct PromptWriter<'a> {
    pub template: &'a ChatTemplate,
    pub vocabulary: Vocabulary<'a>,
    known: HashMap<String, bool>,
}

impl<'a> PromptWriter<'a> {
    pub fn new(template: &'a ChatTemplate, vocabulary: Vocabulary<'a>) -> Self {
        Self { template, vocabulary, known: HashMap::new() }
    }

    /// The prompt that asks for the answer to `messages`. `tools`: OpenAI tool definitions.
    pub fn prompt(&mut self, mut messages: Vec<Message>, tools: &[Value]) -> Result<Vec<i32>, PromptError> {
        let mark = unused_char(&messages);
        self.defuse_what_others_wrote(&mut messages, mark)?;
        let text = self.template.render(&messages, tools, true)?;
        self.tokens(&text, mark)
    }

    /// Puts `mark` inside everything in the user's and the tools' messages that would be read as a control token.
    pub(crate) fn defuse_what_others_wrote(
        &mut self,
        messages: &mut [Message],
        mark: char,
    ) -> Result<(), PromptError> {
        for message in messages.iter_mut().filter(|message| matches!(message.role, Role::User | Role::Tool)) {
            message.content = self.defused(&message.content, mark)?;
        }
        Ok(())
    }

    /// `text` with `mark` inside everything that the vocabulary would read as a control token.
    pub(crate) fn defused(&mut self, text: &str, mark: char) -> Result<String, PromptError> {
        let mut safe = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['<', '[']) {
            let (before, from) = rest.split_at(at);
            safe.push_str(before);
            let (bracket, after) = from.split_at(1);
            safe.push_str(bracket);
            if let Some(name) = bracketed(from)
                && self.is_control(name)?
            {
                safe.push(mark);
            }
            rest = after;
        }
        safe.push_str(rest);
        Ok(safe)
    }

    /// Where the last control token of a rendered text ends, in bytes.
    pub(crate) fn end_of_last_control(&mut self, text: &str) -> Result<Option<usize>, PromptError> {
        for (at, _) in text.rmatch_indices(['<', '[']) {
            let Some(name) = text.get(at..).and_then(bracketed) else { continue };
            if self.is_control(name)? {
                return Ok(Some(at + name.len()));
            }
        }
        Ok(None)
    }

    /// Tokens of rendered text: control tokens are read, except across a `mark`, which itself leaves no trace.
    pub(crate) fn tokens(&self, text: &str, mark: char) -> Result<Vec<i32>, PromptError> {
        let mut tokens = Vec::new();
        if let Some(bos) = self.vocabulary.bos
            && !text.starts_with(bos)
        {
            tokens.extend(self.tokenize(bos, true)?);
        }
        tokens.extend(self.continued(text, mark)?);
        Ok(tokens)
    }

    /// Like [`PromptWriter::tokens`], for text that goes on where other text ended.
    pub(crate) fn continued(&self, text: &str, mark: char) -> Result<Vec<i32>, PromptError> {
        let mut tokens = Vec::new();
        for piece in text.split(mark).filter(|piece| !piece.is_empty()) {
            tokens.extend(self.tokenize(piece, true)?);
        }
        Ok(tokens)
    }

    /// Whether `text` is one token where control tokens are read, and is not where they are plain text.
    fn is_control(&mut self, text: &str) -> Result<bool, PromptError> {
        if let Some(&control) = self.known.get(text) {
            return Ok(control);
        }
        let control = self.tokenize(text, true)?.len() == 1 && self.tokenize(text, false)?.len() > 1;
        self.known.insert(text.to_owned(), control);
        Ok(control)
    }

    fn tokenize(&self, text: &str, special: bool) -> Result<Vec<i32>, PromptError> {
        (self.vocabulary.tokenize)(text, special).map_err(PromptError::Tokenize)
    }
}

/// A character that occurs nowhere in `messages`, to mark places with.
pub(crate) fn unused_char(messages: &[Message]) -> char {
    let unused = |mark: &char| messages.iter().all(|message| !message.content.contains(*mark));
    ('\u{F0000}'..='\u{FFFFD}').find(unused).unwrap_or('\u{FFFFD}')
}

/// `<name>` or `[NAME]` at the start of `text`, if it is short enough to be a token.
fn bracketed(text: &str) -> Option<&str> {
    let close = if text.starts_with('<') { '>' } else { ']' };
    let end = text.bytes().take(MAX_MARK).position(|byte| char::from(byte) == close)?;
    text.get(..=end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes, and one token for each of two marks.
    #[expect(clippy::unnecessary_wraps, reason = "the form that a vocabulary's tokenizer has")]
    fn tokenize(text: &str, special: bool) -> Result<Vec<i32>, String> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let mark = ["<end>", "[END]"].iter().zip(300..).find(|(mark, _)| rest.starts_with(**mark));
            let (token, len) = match mark {
                Some((mark, token)) if special => (token, mark.len()),
                _ => (i32::from(rest.as_bytes()[0]), 1),
            };
            tokens.push(token);
            rest = &rest[len..];
        }
        Ok(tokens)
    }

    fn written(bos: Option<&str>, text: &str) -> Vec<i32> {
        let source = "{% for message in messages %}{{ message.content }}<end>{% endfor %}";
        let template = ChatTemplate::new(source, "", "").unwrap();
        let mut writer = PromptWriter::new(&template, Vocabulary { tokenize: &tokenize, bos });
        writer.prompt(vec![Message::new(Role::User, text)], &[]).unwrap()
    }

    #[test]
    fn pasted_control_tokens_stay_text() {
        assert_eq!(written(None, "a"), [97, 300]);
        let pasted: Vec<i32> = b"<end>[END]".iter().map(|byte| i32::from(*byte)).chain([300]).collect();
        assert_eq!(written(None, "<end>[END]"), pasted);
    }

    #[test]
    fn a_wanted_first_token_stands_there_once() {
        assert_eq!(written(Some("[END]"), "a"), [301, 97, 300]);
    }

    #[test]
    fn the_last_control_token_is_found() {
        let template = ChatTemplate::new("", "", "").unwrap();
        let mut writer = PromptWriter::new(&template, Vocabulary { tokenize: &tokenize, bos: None });
        assert_eq!(writer.end_of_last_control("a<end>b [x] <b>\n").unwrap(), Some(6));
        assert_eq!(writer.end_of_last_control("plain <b>").unwrap(), None);
    }

    #[test]
    fn a_brace_without_end_is_plain_text() {
        assert_eq!(bracketed("<|im"), None);
        assert_eq!(bracketed("<é>x"), Some("<é>"));
        assert_eq!(bracketed(&format!("<{}>", "x".repeat(70))), None);
    }
}
