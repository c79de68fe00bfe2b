//! What is refused before llama.cpp sees it: files that it would reject, and files that would end the process.

use std::fs;
use std::path::{Path, PathBuf};

use chela::gguf::{Array, Draft, Gguf, Metadata, Strings, Value};
use chela::model::check::{CheckError, VocabularyProblem, check_file, check_header};
use chela::model::random::{Architecture, Geometry, write_random};
use proptest::prelude::*;

use crate::vectors::{as_gguf, own_spm_vocab, own_vocab};

const SPECIAL: &[&str] = &["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// A small model that is all right, in a folder that the caller keeps.
fn model(dir: &Path) -> PathBuf {
    let path = dir.join("model.gguf");
    let mut geometry = Geometry::tiny(Architecture::Qwen2);
    geometry.n_layers = 1;
    let vocab = as_gguf(own_vocab("qwen2", &["h e"], SPECIAL));
    write_random(&path, &geometry, &vocab, 1).unwrap();
    path
}

/// The header of that model after a change to its metadata.
fn changed(change: &dyn Fn(&mut Metadata)) -> Result<Vec<String>, CheckError> {
    let dir = tempfile::tempdir().unwrap();
    let mut gguf = Gguf::open(&model(dir.path())).unwrap();
    change(&mut gguf.metadata);
    check_header(Path::new("model.gguf"), &gguf, true)
}

#[track_caller]
fn check_refused(change: &dyn Fn(&mut Metadata), expected: &str) {
    let error = changed(change).expect_err("a file that must not be loaded").to_string();
    assert!(error.contains(expected) && error.contains("model.gguf"), "{error}");
}

#[track_caller]
fn check_warned(change: &dyn Fn(&mut Metadata), expected: &str) {
    let warnings = changed(change).unwrap();
    assert!(warnings.iter().any(|warning| warning.contains(expected)), "{warnings:?}");
}

/// Metadata without one key; there is no way to remove one from a draft.
fn without(metadata: &mut Metadata, key: &str) {
    let mut rest = Metadata::default();
    for (other, value) in metadata.iter().filter(|(other, _)| *other != key) {
        rest.set(other, value.clone());
    }
    *metadata = rest;
}

#[test]
fn a_good_model_passes_without_warnings() {
    let dir = tempfile::tempdir().unwrap();
    let checked = check_file(&model(dir.path())).unwrap();
    assert_eq!(checked.warnings, Vec::<String>::new());
    assert_eq!(checked.files, [dir.path().join("model.gguf")]);
    assert_eq!(checked.summary.quantization, "Q8_0");
    assert!(checked.summary.has_chat_template);
}

#[test]
fn unknown_architectures_are_refused() {
    check_refused(&|metadata| metadata.set("general.architecture", "gpt9".into()), "architecture gpt9");
}

#[test]
fn files_that_are_no_models_are_named() {
    check_refused(&|metadata| metadata.set("general.type", "adapter".into()), "a LoRA adapter");
    check_refused(&|metadata| metadata.set("general.architecture", "clip".into()), "mmproj");
    let vocab = as_gguf(own_vocab("qwen2", &[], SPECIAL));
    let error = check_header(Path::new("model.gguf"), &vocab, true).unwrap_err().to_string();
    assert!(error.contains("a vocabulary without weights"), "{error}");
}

#[test]
fn missing_keys_are_named() {
    for key in [
        "qwen2.context_length",
        "qwen2.embedding_length",
        "qwen2.block_count",
        "qwen2.attention.head_count",
        "general.architecture",
        "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
    ] {
        check_refused(&|metadata| without(metadata, key), key);
    }
}

#[test]
fn contradictions_are_refused() {
    check_refused(&|metadata| metadata.set("qwen2.block_count", 9_u32.into()), "9 layers are stated");
    check_refused(&|metadata| metadata.set("qwen2.embedding_length", 128_u32.into()), "the width is 128");
    check_refused(&|metadata| metadata.set("qwen2.context_length", 0_u32.into()), "none may be 0");
    check_refused(&|metadata| metadata.set("qwen2.attention.head_count", 0_u32.into()), "0 heads");
    check_refused(
        &|metadata| metadata.set("qwen2.attention.head_count_kv", 3_u32.into()),
        "3 key/value heads",
    );
}

fn tokens(metadata: &Metadata) -> Vec<String> {
    let tokens = metadata.strings("tokenizer.ggml.tokens").unwrap();
    (0..tokens.len()).map(|at| tokens.text(at).unwrap().to_owned()).collect()
}

fn set_tokens(metadata: &mut Metadata, tokens: Vec<String>) {
    metadata.set("tokenizer.ggml.tokens", tokens.into_iter().collect::<Strings>().into());
}

#[test]
fn a_vocabulary_of_the_wrong_size_is_refused() {
    let shorter = |metadata: &mut Metadata| {
        let mut tokens = tokens(metadata);
        tokens.pop();
        set_tokens(metadata, tokens);
    };
    check_refused(&shorter, "the vocabulary has 259 tokens, token_embd.weight 260 rows");
}

#[test]
fn a_byte_level_vocabulary_without_all_bytes_is_refused() {
    let no_newline = |metadata: &mut Metadata| {
        let tokens = tokens(metadata);
        set_tokens(metadata, tokens.into_iter().map(|token| token.replace('Ċ', "nothing")).collect());
    };
    check_refused(&no_newline, "1 of 256 bytes have no token (first: 0x0A)");
}

#[test]
fn bytes_that_no_text_has_may_be_missing() {
    let no_ff = |metadata: &mut Metadata| {
        let tokens = tokens(metadata);
        set_tokens(metadata, tokens.into_iter().map(|token| token.replace('ÿ', "nothing")).collect());
    };
    check_warned(&no_ff, "1 bytes that no text contains");
}

#[test]
fn two_equal_tokens_are_refused_because_llama_cpp_asserts() {
    let twice = |metadata: &mut Metadata| {
        let mut tokens = tokens(metadata);
        tokens[257] = tokens[258].clone();
        set_tokens(metadata, tokens);
    };
    check_refused(&twice, "is there twice");
}

#[test]
fn sentencepiece_without_byte_tokens_is_refused_because_llama_cpp_throws() {
    let swap = |keep_bytes: bool| {
        move |metadata: &mut Metadata| {
            for (key, value) in own_spm_vocab(&[("▁", -1.0)]).iter() {
                if key != "general.architecture" {
                    metadata.set(key, value.clone());
                }
            }
            let mut all = tokens(metadata);
            if !keep_bytes {
                all = all.into_iter().map(|token| token.replace("<0x", "<no byte ")).collect();
            }
            set_tokens(metadata, all);
        }
    };
    check_warned(
        &|metadata| {
            swap(true)(metadata);
            metadata.set("tokenizer.ggml.padding_token_id", u32::MAX.into());
        },
        "padding_token_id is 4294967295",
    );
    check_refused(&swap(false), "256 of 256 bytes have no token (first: 0x00)");
}

#[test]
fn special_ids_out_of_range_are_warned_about() {
    check_warned(
        &|metadata| metadata.set("tokenizer.ggml.bos_token_id", 9999_u32.into()),
        "beyond the 260 tokens",
    );
    check_warned(&|metadata| metadata.set("tokenizer.ggml.eos_token_id", u32::MAX.into()), "read as none");
}

#[test]
fn a_bos_that_llama_cpp_would_assert_on_is_refused() {
    let glm = |metadata: &mut Metadata| {
        metadata.set("tokenizer.ggml.pre", "glm4".into());
        metadata.set("tokenizer.ggml.add_bos_token", true.into());
    };
    check_refused(&glm, "tokenizer.ggml.add_bos_token is set");
}

#[test]
fn arrays_beside_the_tokens_must_fit() {
    check_refused(
        &|metadata| metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(vec![1]))),
        "1 entries for 260 tokens",
    );
    check_refused(&|metadata| metadata.set("tokenizer.ggml.token_type", "odd".into()), "wrong type");
    check_refused(&|metadata| metadata.set("tokenizer.ggml.model", "morse".into()), "tokenizer morse");
    check_refused(&|metadata| metadata.set("tokenizer.ggml.model", "none".into()), "cannot read text");
}

#[test]
fn odd_contexts_and_missing_templates_are_warned_about() {
    check_warned(&|metadata| metadata.set("qwen2.context_length", 128_u32.into()), "only 128 tokens");
    check_warned(&|metadata| without(metadata, "tokenizer.chat_template"), "no chat template");
}

#[test]
fn problems_are_values_too() {
    let error = changed(&|metadata| metadata.set("tokenizer.ggml.model", "none".into())).unwrap_err();
    assert!(matches!(error, CheckError::Vocabulary { problem: VocabularyProblem::NoModel, .. }));
}

/// One part of a split model: metadata only, which is all that is looked at before the parts are complete.
fn part(dir: &Path, number: u16) -> PathBuf {
    let mut metadata = own_vocab("qwen2", &[], SPECIAL);
    metadata.set("split.no", Value::U16(number));
    metadata.set("split.count", Value::U16(3));
    let path = dir.join(format!("big-{:05}-of-00003.gguf", number + 1));
    let mut bytes = Vec::new();
    Draft::new(metadata).write(&mut bytes, &mut |_, _| Ok(())).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_split_model_names_the_parts_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let first = part(dir.path(), 0);
    let third = part(dir.path(), 2);
    let error = check_file(&first).unwrap_err().to_string();
    assert!(error.contains("big-00002-of-00003.gguf") && !error.contains("big-00003"), "{error}");
    let error = check_file(&third).unwrap_err().to_string();
    assert!(error.contains("part 3 of 3") && error.contains("big-00001-of-00003.gguf"), "{error}");
}

#[test]
fn a_renamed_part_cannot_find_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let renamed = dir.path().join("renamed.gguf");
    fs::rename(part(dir.path(), 0), &renamed).unwrap();
    assert!(matches!(check_file(&renamed), Err(CheckError::Contradiction { .. })));
}

#[test]
fn foreign_files_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert!(check_file(&path).unwrap_err().to_string().contains("git lfs pull"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_header_never_panics(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let path = model(dir.path());
        let mut bytes = fs::read(&path).unwrap();
        let header = usize::try_from(Gguf::open(&path).unwrap().data_offset).unwrap();
        for (at, bit) in flips {
            bytes[at.index(header)] ^= 1 << bit;
        }
        if let Ok(gguf) = Gguf::parse(&path, &bytes) {
            drop(check_header(&path, &gguf, true));
        }
    }
}
