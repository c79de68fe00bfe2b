//! Real vocabularies and llama.cpp's 47 vectors for them, from a folder outside the repository.
//!
//! The folder is named by `CHELA_VOCAB_DIR` and holds `ggml-vocab-NAME.gguf` beside `ggml-vocab-NAME.gguf.inp` and
//! `.out`, as llama.cpp's `models/` does (qwen3 has the vectors of qwen2). Vocabularies are large and have licences of
//! their own, so they are not part of this repository. Without the variable the callers say on stderr that they
//! skip; our own small vocabularies (`own_vocab`) are tested always.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use chela::gguf::{Array, Draft, Gguf, Metadata, Strings, Value};

/// The folder of `CHELA_VOCAB_DIR`. `None` (said aloud): the variable is not set.
#[expect(clippy::disallowed_methods, reason = "opt-in by environment is a test's own business")]
pub(crate) fn vocab_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("CHELA_VOCAB_DIR").map(PathBuf::from);
    if dir.is_none() {
        let mut out = std::io::stderr().lock();
        writeln!(out, "skipped: set CHELA_VOCAB_DIR to llama.cpp's models/ folder").unwrap();
    }
    dir
}

/// The vocabulary-only GGUF called `name`: `qwen2`, `qwen3` or `llama-bpe`.
pub(crate) fn vocab_file(name: &str) -> Option<PathBuf> {
    let path = vocab_dir()?.join(format!("ggml-vocab-{name}.gguf"));
    assert!(path.is_file(), "{} is missing", path.display());
    Some(path)
}

/// Text and expected ids (no BOS, special tokens not parsed), in llama.cpp's order.
pub(crate) fn vectors(name: &str) -> Option<Vec<(String, Vec<i32>)>> {
    let name = if name == "qwen3" { "qwen2" } else { name };
    let path = vocab_dir()?.join(format!("ggml-vocab-{name}.gguf"));
    let texts = fs::read_to_string(path.with_extension("gguf.inp")).expect("the .inp file");
    let ids = fs::read_to_string(path.with_extension("gguf.out")).expect("the .out file");
    let texts = texts.split("\n__ggml_vocab_test__\n");
    // The last text and the last line are empty: the 47th vector.
    let ids = ids.split('\n').map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    let vectors: Vec<(String, Vec<i32>)> = texts.map(str::to_owned).zip(ids).collect();
    assert_eq!(vectors.len(), 47, "{name}");
    Some(vectors)
}

/// A small byte-level vocabulary of our own: the 256 bytes, `merges`, then `special` as control tokens.
pub(crate) fn own_vocab(pre: &str, merges: &[&str], special: &[&str]) -> Metadata {
    let mut tokens: Vec<String> = byte_chars().map(String::from).collect();
    tokens.extend(merges.iter().map(|merge| merge.replacen(' ', "", 1)));
    let n_ordinary = tokens.len();
    tokens.extend(special.iter().map(ToString::to_string));
    let mut types = vec![1; n_ordinary];
    types.resize(tokens.len(), 3);
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", "qwen2".into());
    metadata.set("tokenizer.ggml.model", "gpt2".into());
    metadata.set("tokenizer.ggml.pre", pre.into());
    metadata.set("tokenizer.ggml.tokens", tokens.into_iter().collect::<Strings>().into());
    metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(types)));
    metadata.set("tokenizer.ggml.merges", merges.iter().copied().collect::<Strings>().into());
    metadata.set("tokenizer.ggml.add_bos_token", false.into());
    metadata
}

/// A small `SentencePiece` vocabulary of our own: unk, BOS, EOS, the 256 byte tokens, then `pieces` with their scores.
pub(crate) fn own_spm_vocab(pieces: &[(&str, f32)]) -> Metadata {
    let mut tokens = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(pieces.iter().map(|(piece, _)| (*piece).to_owned()));
    let mut types = vec![2, 3, 3];
    types.resize(259, 6);
    types.resize(tokens.len(), 1);
    let mut scores = vec![0.0; 259];
    scores.extend(pieces.iter().map(|(_, score)| score));
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", "llama".into());
    metadata.set("tokenizer.ggml.model", "llama".into());
    metadata.set("tokenizer.ggml.tokens", tokens.into_iter().collect::<Strings>().into());
    metadata.set("tokenizer.ggml.scores", Value::Array(Array::F32(scores)));
    metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(types)));
    metadata.set("tokenizer.ggml.bos_token_id", 1_u32.into());
    metadata.set("tokenizer.ggml.eos_token_id", 2_u32.into());
    metadata
}

/// Metadata as a header that was read back.
pub(crate) fn as_gguf(metadata: Metadata) -> Gguf {
    let mut bytes = Vec::new();
    Draft::new(metadata).write(&mut bytes, &mut |_, _| Ok(())).unwrap();
    Gguf::parse("own.gguf".as_ref(), &bytes).unwrap()
}

/// The 256 characters of byte-level BPE, by byte.
fn byte_chars() -> impl Iterator<Item = char> {
    let visible = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let hidden = move |byte: u32| (0x100..).nth((0..byte).filter(|byte| !visible(*byte)).count()).unwrap();
    (0..256)
        .map(move |byte| if visible(byte) { byte } else { hidden(byte) })
        .map(|code| char::from_u32(code).unwrap())
}
