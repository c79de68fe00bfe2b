//! The context meter's tokenizer: llama.cpp's vectors for real vocabularies, and rules on our own small ones.

use std::fmt::Write as _;
use std::path::Path;

use chela::gguf::{Gguf, Value};
use chela::model::tokenizer::{ContextTokenizer, TokenizerError};
use proptest::prelude::*;

use crate::vectors::{as_gguf, own_spm_vocab, own_vocab, vectors, vocab_file};

/// All 47 vectors, or a table of those that differ.
#[track_caller]
fn check_vectors(name: &str) {
    let (Some(file), Some(vectors)) = (vocab_file(name), vectors(name)) else {
        return;
    };
    let tokenizer = ContextTokenizer::from_gguf(&Gguf::open(&file).unwrap()).unwrap();
    let mut table = String::new();
    for (text, expected) in &vectors {
        let actual = tokenizer.encode(text, false);
        if actual != *expected {
            writeln!(table, "{text:?}\n  expected {expected:?}\n  actual   {actual:?}").unwrap();
        }
    }
    assert!(table.is_empty(), "{name}: these of {} vectors differ:\n{table}", vectors.len());
}

#[test]
fn qwen2_is_equal_to_llama_cpp() {
    check_vectors("qwen2");
}

#[test]
fn qwen3_is_equal_to_llama_cpp() {
    check_vectors("qwen3");
}

#[test]
fn llama_3_is_equal_to_llama_cpp() {
    check_vectors("llama-bpe");
}

const MERGES: &[&str] = &["h e", "l l", "he ll", "hell o", "Ġ w", "1 2", "Ġ Ġ"];
const SPECIAL: &[&str] = &["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

fn own(pre: &str) -> ContextTokenizer {
    ContextTokenizer::from_gguf(&as_gguf(own_vocab(pre, MERGES, SPECIAL))).unwrap()
}

/// Tokens are written as text: merged ones in full, bytes as characters.
#[track_caller]
fn check(pre: &str, special: bool, text: &str, expected: &[&str]) {
    let gguf = as_gguf(own_vocab(pre, MERGES, SPECIAL));
    let ids = ContextTokenizer::from_gguf(&gguf).unwrap().encode(text, special);
    let tokens = gguf.tokens().unwrap();
    let actual: Vec<&str> =
        ids.iter().map(|id| tokens.text(usize::try_from(*id).unwrap()).unwrap()).collect();
    assert_eq!(actual, expected, "{text:?}");
}

#[test]
fn pairs_merge_by_rank() {
    check("qwen2", false, "hello hell", &["hello", "Ġ", "hell"]);
}

#[test]
fn a_space_goes_with_the_next_word() {
    check("qwen2", false, "o w", &["o", "Ġw"]);
    check("qwen2", false, "   w", &["ĠĠ", "Ġw"]);
}

#[test]
fn digits_are_words_of_their_own_in_qwen_but_not_in_llama_3() {
    check("qwen2", false, "12", &["1", "2"]);
    check("llama-bpe", false, "12", &["12"]);
    check("smollm", false, "12", &["1", "2"]);
    check("gpt-2", false, "12", &["12"]);
}

#[test]
fn a_character_without_a_token_is_its_bytes() {
    check("qwen2", false, "é", &["Ã", "©"]);
}

#[test]
fn special_tokens_are_read_in_prompts_only() {
    check("qwen2", true, "<|im_start|>he<|im_end|>", &["<|im_start|>", "he", "<|im_end|>"]);
    assert_eq!(own("qwen2").count("<|im_end|>"), "<|im_end|>".len());
}

#[test]
fn user_defined_tokens_are_read_everywhere() {
    let mut metadata = own_vocab("qwen2", MERGES, &["<think>", "</think>"]);
    let n = as_gguf(metadata.clone()).tokens().unwrap().len();
    let mut types = vec![1; n];
    types[n - 2..].fill(4);
    metadata.set("tokenizer.ggml.token_type", Value::Array(chela::gguf::Array::I32(types)));
    let tokenizer = ContextTokenizer::from_gguf(&as_gguf(metadata)).unwrap();
    assert_eq!(tokenizer.count("<think>hello</think>"), 3);
}

#[test]
fn the_longest_special_token_wins() {
    let metadata = own_vocab("qwen2", &[], &["<|a|>", "<|a|><|b|>"]);
    let tokenizer = ContextTokenizer::from_gguf(&as_gguf(metadata)).unwrap();
    assert_eq!(tokenizer.encode("<|a|><|b|><|a|>", true).len(), 2);
}

#[test]
fn bos_is_told_apart_from_the_text() {
    let mut metadata = own_vocab("llama-bpe", MERGES, SPECIAL);
    metadata.set("tokenizer.ggml.bos_token_id", 264_u32.into());
    metadata.set("tokenizer.ggml.add_bos_token", true.into());
    let tokenizer = ContextTokenizer::from_gguf(&as_gguf(metadata)).unwrap();
    assert_eq!(tokenizer.bos(), Some(264));
    assert_eq!(tokenizer.encode("", true), Vec::<i32>::new());
    assert_eq!(own("qwen2").bos(), None);
}

#[test]
fn a_pre_tokenizer_that_only_llama_cpp_knows_is_refused_by_name() {
    let error = ContextTokenizer::from_gguf(&as_gguf(own_vocab("kimi-k2", MERGES, &[]))).err().unwrap();
    assert!(matches!(&error, TokenizerError::UnknownPreTokenizer(name) if name == "kimi-k2"), "{error}");
}

const PIECES: &[(&str, f32)] =
    &[("▁", -1.0), ("▁a", -2.0), ("a", -3.0), ("b", -4.0), ("ab", -9.0), ("▁ab", -2.5)];

#[track_caller]
fn check_spm(text: &str, expected: &[&str]) {
    let gguf = as_gguf(own_spm_vocab(PIECES));
    let ids = ContextTokenizer::from_gguf(&gguf).unwrap().encode(text, true);
    let tokens = gguf.tokens().unwrap();
    let actual: Vec<&str> =
        ids.iter().map(|id| tokens.text(usize::try_from(*id).unwrap()).unwrap()).collect();
    assert_eq!(actual, expected, "{text:?}");
}

#[test]
fn sentencepiece_merges_by_score_after_a_space_in_front() {
    check_spm("ab", &["▁ab"]);
    check_spm("ab ab", &["▁ab", "▁ab"]);
    check_spm("bab", &["▁", "b", "ab"]);
}

#[test]
fn sentencepiece_puts_a_space_after_special_tokens() {
    check_spm("<s>ab</s>a", &["<s>", "▁ab", "</s>", "▁a"]);
}

#[test]
fn sentencepiece_falls_apart_into_bytes() {
    check_spm("aé", &["▁a", "<0xC3>", "<0xA9>"]);
}

#[test]
fn sentencepiece_without_byte_tokens_is_refused() {
    let mut metadata = own_spm_vocab(PIECES);
    let few = ["<unk>", "<s>", "</s>", "▁", "a"].into_iter().collect::<chela::gguf::Strings>();
    metadata.set("tokenizer.ggml.tokens", few.into());
    let error = ContextTokenizer::from_gguf(&as_gguf(metadata)).err().unwrap();
    assert!(matches!(error, TokenizerError::MissingByte(0)), "{error}");
}

#[test]
fn a_long_line_of_spaces_is_counted() {
    assert!(own("qwen2").count(&" ".repeat(3 << 20)) > 0);
}

/// The bytes that a byte-level token stands for.
fn bytes_of(gguf: &Gguf, id: i32) -> Vec<u8> {
    let tokens = gguf.tokens().unwrap();
    let byte_of = |char: char| {
        (0..256).find(|at| tokens.text(*at).unwrap().starts_with(char)).map(|at| u8::try_from(at).unwrap())
    };
    let text = tokens.text(usize::try_from(id).unwrap()).unwrap();
    text.chars().map(|char| byte_of(char).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tokens_of_any_text_are_that_text(text in ".{0,40}") {
        let gguf = as_gguf(own_vocab("llama-bpe", MERGES, SPECIAL));
        let ids = ContextTokenizer::from_gguf(&gguf).unwrap().encode(&text, false);
        let bytes: Vec<u8> = ids.iter().flat_map(|id| bytes_of(&gguf, *id)).collect();
        prop_assert_eq!(bytes, text.into_bytes());
    }
}

#[test]
fn a_file_that_is_no_vocabulary_is_refused() {
    let gguf = as_gguf(chela::gguf::Metadata::default());
    assert!(matches!(
        ContextTokenizer::from_gguf(&gguf),
        Err(TokenizerError::Missing("tokenizer.ggml.model"))
    ));
    assert!(Gguf::open(Path::new("/nonexistent.gguf")).is_err());
}

/// Real vocabularies through llama.cpp itself: the engine's own tokenizer, in a random model with that vocabulary.
#[track_caller]
fn check_engine_vectors(name: &str) {
    use chela::engine::{Engine, LlamaEngine, LoadOptions};
    use chela::model::random::{Architecture, Geometry, write_random};
    let (Some(file), Some(vectors)) = (vocab_file(name), vectors(name)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.gguf");
    write_random(&path, &Geometry::tiny(Architecture::Qwen2), &Gguf::open(&file).unwrap(), 1).unwrap();
    let options = LoadOptions { n_ctx: 256, parallel: 1, ..LoadOptions::new(name, &path) };
    let engine = LlamaEngine::load(&options).unwrap();
    let differ: Vec<_> = vectors
        .iter()
        .filter(|(text, expected)| engine.tokenize(text, false).unwrap() != *expected)
        .collect();
    assert!(differ.is_empty(), "{name}: {} of {} vectors differ: {differ:?}", differ.len(), vectors.len());
}

#[test]
fn the_engine_passes_the_vectors_of_qwen2() {
    check_engine_vectors("qwen2");
}

#[test]
fn the_engine_passes_the_vectors_of_qwen3() {
    check_engine_vectors("qwen3");
}

#[test]
fn the_engine_passes_the_vectors_of_llama_3() {
    check_engine_vectors("llama-bpe");
}

/// The starter's tokenizer in both implementations: what the context meter counts is what the engine computes.
#[test]
fn the_context_meter_counts_as_the_engine_does() {
    use chela::engine::{Engine, LlamaEngine, LoadOptions};
    let starter = crate::engine::starter();
    let engine = LlamaEngine::load(&LoadOptions::new("starter", &starter)).unwrap();
    let meter = ContextTokenizer::from_gguf(&Gguf::open(&starter).unwrap()).unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&("\\PC{0,60}", any::<bool>()), |(text, special)| {
            prop_assert_eq!(meter.encode(&text, special), engine.tokenize(&text, special).unwrap());
            Ok(())
        })
        .unwrap();
}
