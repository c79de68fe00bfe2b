//! Text into token ids without an engine: what the chat's context meter counts with.
//!
//! Built from a GGUF's vocabulary; equal to llama.cpp's own tokenizer for the vocabularies that it accepts. The
//! others (and pre-tokenizers that are not in the table) are refused with a reason, and the caller asks the daemon.
//! Byte-level BPE goes through the crate `tokenizers`, `SentencePiece` through a port of llama.cpp's session.

mod bpe;
mod pre;
mod special;
mod spm;

use std::collections::HashMap;

use crate::gguf::{Gguf, Strings};

use bpe::ByteLevelBpe;
use special::{Fragment, SpecialTokens};
use spm::SentencePiece;

/// A tokenizer for one model's vocabulary. Cheap to share, slow to build (a tenth of a second or more).
pub struct ContextTokenizer {
    words: Words,
    special: SpecialTokens,
    add_bos: Option<i32>,
}

enum Words {
    Bpe(Box<ByteLevelBpe>),
    SentencePiece(SentencePiece),
}

/// Why there is no tokenizer for a vocabulary. Ask the engine instead.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    #[error("the file has no {0}")]
    Missing(&'static str),
    #[error("tokenizer model {0} is only known to llama.cpp")]
    UnknownModel(String),
    #[error("pre-tokenizer {0} is only known to llama.cpp")]
    UnknownPreTokenizer(String),
    #[error("token {0} is no UTF-8")]
    NotUtf8(usize),
    #[error("byte 0x{0:02X} has no token")]
    MissingByte(u8),
    #[error("cannot build the tokenizer: {0}")]
    Build(#[from] tokenizers::Error),
}

impl ContextTokenizer {
    /// Builds the tokenizer from the file's vocabulary.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, TokenizerError> {
        let model = gguf
            .metadata
            .text("tokenizer.ggml.model")
            .ok_or(TokenizerError::Missing("tokenizer.ggml.model"))?;
        let tokens = texts(gguf.tokens().ok_or(TokenizerError::Missing("tokenizer.ggml.tokens"))?)?;
        let (words, adds_bos, default_bos) = match model {
            "gpt2" => {
                let pre = gguf.metadata.text("tokenizer.ggml.pre").unwrap_or("default");
                let pre = pre::pre_tokenizer(pre)
                    .ok_or_else(|| TokenizerError::UnknownPreTokenizer(pre.to_owned()))?;
                let merges = gguf
                    .metadata
                    .strings("tokenizer.ggml.merges")
                    .ok_or(TokenizerError::Missing("tokenizer.ggml.merges"))?;
                (Words::Bpe(Box::new(ByteLevelBpe::new(&tokens, merges, pre)?)), pre.add_bos, 11)
            }
            "llama" => (Words::SentencePiece(SentencePiece::new(gguf, &tokens)?), true, 1),
            other => return Err(TokenizerError::UnknownModel(other.to_owned())),
        };
        let adds_bos = gguf.metadata.boolean("tokenizer.ggml.add_bos_token").unwrap_or(adds_bos);
        let bos = gguf.metadata.uint("tokenizer.ggml.bos_token_id").and_then(|id| i32::try_from(id).ok());
        let bos = bos.filter(|id| usize::try_from(*id).is_ok_and(|id| id < tokens.len()));
        Ok(Self {
            words,
            special: SpecialTokens::new(gguf, &tokens),
            add_bos: adds_bos.then(|| bos.unwrap_or(default_bos)),
        })
    }

    /// Number of tokens of a text that a user typed: `<|im_end|>` and its like count as text.
    pub fn count(&self, text: &str) -> usize {
        self.encode(text, false).len()
    }

    /// The token ids of a text, without BOS. `special`: read `<|im_start|>` and its like as the tokens they name.
    pub fn encode(&self, text: &str, special: bool) -> Vec<i32> {
        let mut ids = Vec::new();
        let mut after_special = true;
        for fragment in self.special.split(text, special) {
            match (fragment, &self.words) {
                (Fragment::Token(id), _) => ids.push(id),
                (Fragment::Text(text), Words::Bpe(bpe)) => bpe.encode(text, &mut ids),
                (Fragment::Text(text), Words::SentencePiece(spm)) => {
                    spm.encode(text, after_special, &mut ids);
                }
            }
            after_special = matches!(fragment, Fragment::Token(_));
        }
        ids
    }

    /// The token that the vocabulary wants in front of every prompt, if any; `encode` does not add it.
    pub fn bos(&self) -> Option<i32> {
        self.add_bos
    }
}

/// The character that byte-level BPE writes for each byte: itself if it can be seen, else one from U+0100 on.
pub(crate) fn byte_chars() -> [char; 256] {
    let mut next_hidden = 0x100_u32;
    std::array::from_fn(|byte| {
        let visible = matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
        let code = if visible {
            u32::try_from(byte).unwrap_or(0)
        } else {
            next_hidden += 1;
            next_hidden - 1
        };
        char::from_u32(code).unwrap_or('\u{FFFD}')
    })
}

/// The vocabulary as text, with llama.cpp's name for empty tokens.
fn texts(tokens: &Strings) -> Result<Vec<String>, TokenizerError> {
    tokens
        .iter()
        .enumerate()
        .map(|(id, token)| match std::str::from_utf8(token) {
            Ok("") => Ok(format!("[EMPTY_{id}]")),
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(TokenizerError::NotUtf8(id)),
        })
        .collect()
}

/// Token ids by text. Ids are positions, far below the limit of an `i32`.
fn ids_by_text(tokens: &[String]) -> HashMap<&str, i32> {
    tokens.iter().zip(0_i32..).map(|(text, id)| (text.as_str(), id)).collect()
}

#[cfg(test)]
mod tests {
    use super::byte_chars;

    #[test]
    fn bytes_have_the_characters_of_gpt2() {
        let chars = byte_chars();
        assert_eq!(
            (chars[0], chars[10], chars[32], chars[65], chars[0xAD], chars[0xFF]),
            ('Ā', 'Ċ', 'Ġ', 'A', 'Ń', 'ÿ')
        );
        assert_eq!(chars.iter().collect::<std::collections::HashSet<_>>().len(), 256);
    }
}
