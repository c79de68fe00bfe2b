//! Special tokens: found in a text before anything else is, the longest first, as llama.cpp does.

use crate::gguf::Gguf;

/// A part of a text: a special token, or text between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fragment<'a> {
    Text(&'a str),
    Token(i32),
}

/// The special tokens of a vocabulary, the longest first.
pub(super) struct SpecialTokens(Vec<Special>);

struct Special {
    text: String,
    id: i32,
    /// Read as a token only in prompts; user-defined tokens are read as tokens everywhere.
    control: bool,
    /// White space after it is swallowed.
    rstrip: bool,
}

const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// Ends of a generation by their looks: control tokens whatever the file says.
const END_TEXTS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];
/// Fill-in-the-middle tokens by their looks, unless the file names its own under the key.
const FIM_TEXTS: &[(&str, &[&str])] = &[
    (
        "fim_pre_token_id",
        &[
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ],
    ),
    (
        "fim_suf_token_id",
        &[
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ],
    ),
    (
        "fim_mid_token_id",
        &[
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ],
    ),
    ("fim_pad_token_id", &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    ("fim_rep_token_id", &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]),
    ("fim_sep_token_id", &["<|file_sep|>"]),
];
/// Parts of gpt-oss answers, which must be seen.
const ALWAYS_SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

impl SpecialTokens {
    pub(super) fn new(gguf: &Gguf, tokens: &[String]) -> Self {
        let types = gguf.metadata.i32s("tokenizer.ggml.token_type").unwrap_or_default();
        let looks = Looks::new(gguf, tokens);
        let name = gguf.metadata.text("general.name").unwrap_or_default().to_lowercase();
        let is_phi3 = name.contains("phi-3") || name.contains("phi3");
        let mut special: Vec<Special> = tokens
            .iter()
            .zip(0_i32..)
            .enumerate()
            .filter_map(|(at, (text, id))| {
                let control = looks.control(text, types.get(at).copied().unwrap_or(0))?;
                let rstrip = is_phi3 && !["<unk>", "<s>", "<|endoftext|>"].contains(&text.as_str());
                Some(Special { text: text.clone(), id, control, rstrip })
            })
            .collect();
        special.sort_by_key(|special| std::cmp::Reverse(special.text.len()));
        Self(special)
    }

    /// Cuts the text at its special tokens. `control`: also at those that only prompts may contain.
    pub(super) fn split<'a>(&self, text: &'a str, control: bool) -> Vec<Fragment<'a>> {
        if text.is_empty() {
            return Vec::new();
        }
        let mut fragments = Vec::from([Fragment::Text(text)]);
        let present = bytes_in(text);
        for special in &self.0 {
            // Most tokens contain a byte that the text does not, and need no search.
            let possible =
                special.text.bytes().all(|byte| present.get(usize::from(byte)).copied().unwrap_or(true));
            if possible && (control || !special.control) {
                fragments = split_all(&fragments, special);
            }
        }
        fragments
    }
}

/// What a token's text tells about it, as `llama_vocab::impl::load` guesses.
struct Looks {
    control_texts: Vec<&'static str>,
    end_is_shown: bool,
}

impl Looks {
    fn new(gguf: &Gguf, tokens: &[String]) -> Self {
        let stated = |key: &str| gguf.metadata.contains(&format!("tokenizer.ggml.{key}"));
        let fim = FIM_TEXTS.iter().filter(|(key, _)| !stated(key)).flat_map(|(_, texts)| texts.iter());
        let has = |wanted: &str| tokens.iter().rev().take(4096).any(|text| text == wanted);
        let end_is_shown = (has("<|return|>") && has("<|call|>"))
            || (has("<|flush|>") && (has("<|calls|>") || has("<|call|>")));
        Self { control_texts: END_TEXTS.iter().chain(fim).copied().collect(), end_is_shown }
    }

    /// `None`: an ordinary token. Else whether it is read as a token in prompts only.
    fn control(&self, text: &str, token_type: i32) -> Option<bool> {
        if ALWAYS_SHOWN.contains(&text) || (self.end_is_shown && text == "<|end|>") {
            return Some(false);
        }
        match token_type {
            UNKNOWN | CONTROL => Some(true),
            USER_DEFINED => Some(self.control_texts.contains(&text)),
            _ => self.control_texts.contains(&text).then_some(true),
        }
    }
}

fn bytes_in(text: &str) -> [bool; 256] {
    let mut present = [false; 256];
    for byte in text.bytes() {
        if let Some(flag) = present.get_mut(usize::from(byte)) {
            *flag = true;
        }
    }
    present
}

fn split_all<'a>(fragments: &[Fragment<'a>], special: &Special) -> Vec<Fragment<'a>> {
    let mut finer = Vec::with_capacity(fragments.len());
    for fragment in fragments {
        match *fragment {
            Fragment::Token(id) => finer.push(Fragment::Token(id)),
            Fragment::Text(text) => split_one(text, special, &mut finer),
        }
    }
    finer
}

fn split_one<'a>(text: &'a str, special: &Special, finer: &mut Vec<Fragment<'a>>) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(special.text.as_str()) {
        if !before.is_empty() {
            finer.push(Fragment::Text(before));
        }
        finer.push(Fragment::Token(special.id));
        // C's `isspace`, which counts the vertical tab.
        let strip = |char: char| char.is_ascii_whitespace() || char == '\x0B';
        rest = if special.rstrip { after.trim_start_matches(strip) } else { after };
    }
    if !rest.is_empty() {
        finer.push(Fragment::Text(rest));
    }
}
