//! `SentencePiece` as llama.cpp reads it: spaces become `▁`, characters are merged by score, and what is no token
//! falls apart into byte tokens. A port of `llm_tokenizer_spm_session`.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::{TokenizerError, ids_by_text};
use crate::gguf::Gguf;

pub(super) struct SentencePiece {
    /// Id and score by text.
    tokens: HashMap<String, (i32, f32)>,
    byte_ids: Vec<i32>,
    add_space_prefix: bool,
}

/// A run of the text; merged into its left neighbour when `len` is 0.
struct Symbol {
    start: usize,
    len: usize,
    prev: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours that together are a token.
struct Bigram {
    score: f32,
    left: usize,
    right: usize,
    len: usize,
}

impl SentencePiece {
    pub(super) fn new(gguf: &Gguf, tokens: &[String]) -> Result<Self, TokenizerError> {
        let ids = ids_by_text(tokens);
        let byte_ids = (0..=u8::MAX)
            .map(|byte| {
                let spelled_out = ids.get(format!("<0x{byte:02X}>").as_str());
                let itself = std::str::from_utf8(&[byte]).ok().and_then(|char| ids.get(char).copied());
                spelled_out.copied().or(itself).ok_or(TokenizerError::MissingByte(byte))
            })
            .collect::<Result<_, _>>()?;
        let scores = gguf.metadata.f32s("tokenizer.ggml.scores").unwrap_or_default();
        let with_score = tokens.iter().zip(0_i32..).enumerate().map(|(at, (text, id))| {
            // Adding zero turns a negative zero, which would sort lower, into zero.
            (text.clone(), (id, scores.get(at).copied().unwrap_or(0.0) + 0.0))
        });
        Ok(Self {
            tokens: with_score.collect(),
            byte_ids,
            add_space_prefix: gguf.metadata.boolean("tokenizer.ggml.add_space_prefix").unwrap_or(true),
        })
    }

    /// `after_special`: nothing or a special token stands before this text.
    pub(super) fn encode(&self, text: &str, after_special: bool, ids: &mut Vec<i32>) {
        let prefix = if self.add_space_prefix && after_special { "▁" } else { "" };
        let text = format!("{prefix}{}", text.replace(' ', "▁"));
        let symbols = self.merged(&text);
        let mut at = if symbols.is_empty() { None } else { Some(0) };
        while let Some(symbol) = at.and_then(|at| symbols.get(at)) {
            let piece = text.get(symbol.start..symbol.start + symbol.len).unwrap_or_default();
            match self.tokens.get(piece) {
                Some((id, _)) => ids.push(*id),
                None => {
                    ids.extend(piece.bytes().filter_map(|byte| self.byte_ids.get(usize::from(byte))));
                }
            }
            at = symbol.next;
        }
    }

    /// The symbols after all merges; those that are left hang together through `next`.
    fn merged(&self, text: &str) -> Vec<Symbol> {
        let mut symbols = characters(text);
        let mut queue = BinaryHeap::new();
        for right in 1..symbols.len() {
            queue.extend(self.bigram(text, &symbols, Some(right - 1), Some(right)));
        }
        while let Some(bigram) = queue.pop() {
            let Some((prev, next)) = merge(&mut symbols, &bigram) else {
                continue;
            };
            queue.extend(self.bigram(text, &symbols, prev, Some(bigram.left)));
            queue.extend(self.bigram(text, &symbols, Some(bigram.left), next));
        }
        symbols
    }

    fn bigram(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
    ) -> Option<Bigram> {
        let (left, right) = (left?, right?);
        let start = symbols.get(left)?.start;
        let len = symbols.get(left)?.len + symbols.get(right)?.len;
        let (_, score) = self.tokens.get(text.get(start..start + len)?)?;
        Some(Bigram { score: *score, left, right, len })
    }
}

fn characters(text: &str) -> Vec<Symbol> {
    let n = text.chars().count();
    text.char_indices()
        .enumerate()
        .map(|(at, (start, char))| Symbol {
            start,
            len: char.len_utf8(),
            prev: at.checked_sub(1),
            next: Some(at + 1).filter(|next| *next < n),
        })
        .collect()
}

/// Merges the right symbol into the left. `None` if one of them changed since the bigram was queued; else the
/// neighbours of the merged symbol.
fn merge(symbols: &mut [Symbol], bigram: &Bigram) -> Option<(Option<usize>, Option<usize>)> {
    let (left_len, right_len) = (symbols.get(bigram.left)?.len, symbols.get(bigram.right)?.len);
    if left_len == 0 || right_len == 0 || left_len + right_len != bigram.len {
        return None;
    }
    let right = symbols.get_mut(bigram.right)?;
    right.len = 0;
    let next = right.next;
    let left = symbols.get_mut(bigram.left)?;
    left.len = bigram.len;
    left.next = next;
    let prev = left.prev;
    if let Some(after) = next.and_then(|next| symbols.get_mut(next)) {
        after.prev = Some(bigram.left);
    }
    Some((prev, next))
}

/// The highest score first, of equal ones the leftmost.
impl Ord for Bigram {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Bigram {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bigram {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Bigram {}
