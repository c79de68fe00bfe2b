//! Byte-level BPE: a text is cut into words by the model's regular expressions, each word's bytes are written as
//! visible characters, and pairs are merged by rank.

use std::collections::HashSet;
use std::ops::Range;

use tokenizers::Model as _;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::utils::SysRegex;

use super::pre::PreTokenizer;
use super::{TokenizerError, byte_chars};
use crate::gguf::Strings;

/// Longer texts are cut at line ends first: the regular expressions give up (and panic) after ten million steps.
const MAX_TEXT_BYTES: usize = 1 << 20;

pub(super) struct ByteLevelBpe {
    model: BPE,
    splits: Vec<SysRegex>,
    byte_chars: [char; 256],
}

impl ByteLevelBpe {
    pub(super) fn new(
        tokens: &[String],
        merges: &Strings,
        pre: &PreTokenizer,
    ) -> Result<Self, TokenizerError> {
        let vocab: Vocab = tokens.iter().zip(0_u32..).map(|(text, id)| (text.clone(), id)).collect();
        let merges = pairs(merges, &vocab)?;
        let model =
            BPE::builder().vocab_and_merges(vocab, merges).ignore_merges(pre.ignore_merges).build()?;
        let splits = pre.regexes.iter().map(|regex| SysRegex::new(regex)).collect::<Result<_, _>>()?;
        Ok(Self { model, splits, byte_chars: byte_chars() })
    }

    pub(super) fn encode(&self, text: &str, ids: &mut Vec<i32>) {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut(rest));
            self.encode_piece(piece, ids);
            rest = after;
        }
    }

    fn encode_piece(&self, text: &str, ids: &mut Vec<i32>) {
        let mut word = String::new();
        for range in self.words(text) {
            word.clear();
            let bytes = text.get(range).unwrap_or_default().bytes();
            word.extend(bytes.filter_map(|byte| self.byte_chars.get(usize::from(byte))));
            // Without dropout and unknown token, nothing in it can fail.
            let tokens = self.model.tokenize(&word).unwrap_or_default();
            ids.extend(tokens.iter().filter_map(|token| i32::try_from(token.id).ok()));
        }
    }

    /// Each expression cuts what the one before it left; what does not match stays a word of its own.
    fn words(&self, text: &str) -> Vec<Range<usize>> {
        let mut words: Vec<Range<usize>> = std::iter::once(0..text.len()).collect();
        for regex in &self.splits {
            let mut finer = Vec::with_capacity(words.len());
            for word in words {
                split(regex, text, &word, &mut finer);
            }
            words = finer;
        }
        words
    }
}

fn split(regex: &SysRegex, text: &str, word: &Range<usize>, finer: &mut Vec<Range<usize>>) {
    let mut at = word.start;
    for (start, end) in regex.find_iter(text.get(word.clone()).unwrap_or_default()) {
        let (start, end) = (word.start + start, word.start + end);
        if at < start {
            finer.push(at..start);
        }
        if start < end {
            finer.push(start..end);
        }
        at = end;
    }
    if at < word.end {
        finer.push(at..word.end);
    }
}

/// Where to cut a long text: after a line end that is followed by something visible, if there is one.
fn cut(text: &str) -> usize {
    if text.len() <= MAX_TEXT_BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    let head = text.get(..end).unwrap_or_default().as_bytes();
    let line_end =
        head.windows(2).rposition(|pair| matches!(pair, [b'\n', next] if !next.is_ascii_whitespace()));
    line_end.map_or(end, |at| at + 1)
}

/// The merges as pairs. Of equal pairs the first counts, and pairs without a token are of no use: llama.cpp would
/// merge them and then fall apart again into bytes, which no real vocabulary wants.
fn pairs(merges: &Strings, vocab: &Vocab) -> Result<Vec<(String, String)>, TokenizerError> {
    let mut seen = HashSet::with_capacity(merges.len());
    let mut pairs = Vec::with_capacity(merges.len());
    for (at, merge) in merges.iter().enumerate() {
        let merge = std::str::from_utf8(merge).map_err(|_| TokenizerError::NotUtf8(at))?;
        if !seen.insert(merge) {
            continue;
        }
        if let Some((left, right)) = split_merge(merge)
            && vocab.contains_key(left)
            && vocab.contains_key(right)
        {
            pairs.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(pairs)
}

/// `"a b"`, where the left side may itself begin with a space.
fn split_merge(merge: &str) -> Option<(&str, &str)> {
    let at = merge.char_indices().skip(1).find(|(_, char)| *char == ' ').map(|(at, _)| at)?;
    Some((merge.get(..at)?, merge.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT_BYTES, cut, split_merge};

    #[test]
    fn a_merge_is_two_parts() {
        assert_eq!(split_merge("a b"), Some(("a", "b")));
        assert_eq!(split_merge("Ġt he"), Some(("Ġt", "he")));
        assert_eq!(split_merge("  b"), Some((" ", "b")));
        assert_eq!(split_merge("ab"), None);
        assert_eq!(split_merge(""), None);
    }

    #[test]
    fn long_texts_are_cut_at_line_ends() {
        assert_eq!(cut("short"), 5);
        let lines = "a line\n".repeat(MAX_TEXT_BYTES / 4);
        let at = cut(&lines);
        assert!(at <= MAX_TEXT_BYTES && at > MAX_TEXT_BYTES - 8);
        assert!(lines[..at].ends_with('\n'));
    }

    #[test]
    fn a_long_text_without_lines_is_cut_between_characters() {
        let text = "🦙".repeat(MAX_TEXT_BYTES);
        assert!(text.is_char_boundary(cut(&text)));
        let spaces = " ".repeat(2 * MAX_TEXT_BYTES);
        assert_eq!(cut(&spaces), MAX_TEXT_BYTES);
    }
}
