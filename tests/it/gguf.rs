//! The file format: what is written is read back; what is broken is refused, never trusted, and never panics.

use std::io::Write as _;
use std::path::Path;

use chela::gguf::{
    Array, Draft, Gguf, GgufError, LooksLike, Metadata, Strings, TensorType, Value, summarize,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn parse(bytes: &[u8]) -> Result<Gguf, GgufError> {
    Gguf::parse(Path::new("model.gguf"), bytes)
}

/// A file with one value of each type and three tensors.
fn sample() -> Vec<u8> {
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", "qwen3".into());
    metadata.set("general.name", "Sample".into());
    metadata.set("general.file_type", 7_u32.into());
    metadata.set("qwen3.context_length", 4096_u32.into());
    metadata.set("a.flag", true.into());
    metadata.set("a.float", 1.5_f32.into());
    metadata.set("a.numbers", Value::Array(Array::I32(vec![1, -2, 3])));
    metadata.set("tokenizer.ggml.tokens", ["a", "", "ü"].into_iter().collect::<Strings>().into());
    let mut draft = Draft::new(metadata);
    draft.tensor("token_embd.weight", &[32, 3], TensorType::Q8_0).unwrap();
    draft.tensor("output_norm.weight", &[32], TensorType::F32).unwrap();
    draft.tensor("blk.0.ffn_up.weight", &[64, 2], TensorType::F16).unwrap();
    let mut bytes = Vec::new();
    draft
        .write(&mut bytes, &mut |tensor, out| {
            out.write_all(&vec![7; usize::try_from(tensor.n_bytes().unwrap()).unwrap()])
        })
        .unwrap();
    bytes
}

/// Where the last tensor's data end; what follows is padding.
fn data_end(bytes: &[u8]) -> usize {
    let gguf = parse(bytes).unwrap();
    let last = gguf.tensors.last().unwrap();
    usize::try_from(gguf.data_offset + last.offset + last.n_bytes().unwrap()).unwrap()
}

#[test]
fn the_header_says_what_was_written() {
    let gguf = parse(&sample()).unwrap();
    assert_eq!((gguf.version, gguf.alignment, gguf.tensors.len()), (3, 32, 3));
    assert_eq!(gguf.data_offset % 32, 0);
    assert_eq!(gguf.tensor("blk.0.ffn_up.weight").unwrap().offset, 128 + 128);
    assert_eq!(gguf.metadata.i32s("a.numbers"), Some([1, -2, 3].as_slice()));
    assert_eq!(gguf.tokens().unwrap().text(2), Some("ü"));
    assert_eq!(gguf.metadata.iter().next().unwrap().0, "general.architecture");
}

#[test]
fn the_summary_is_what_a_person_asks_for() {
    let summary = summarize(&parse(&sample()).unwrap());
    assert_eq!(summary.architecture, "qwen3");
    assert_eq!(summary.quantization, "Q8_0");
    assert_eq!((summary.n_params, summary.n_vocab, summary.context_length), (96 + 32 + 128, 3, Some(4096)));
    assert_eq!(summary.trainable, Ok(()));
    assert!(!summary.has_chat_template && !summary.has_embeddings);
}

#[test]
fn an_architecture_that_cannot_be_trained_is_told_so() {
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", "mamba".into());
    let mut bytes = Vec::new();
    Draft::new(metadata).write(&mut bytes, &mut |_, _| Ok(())).unwrap();
    let sentence = summarize(&parse(&bytes).unwrap()).trainable.unwrap_err();
    let expected =
        "it has the architecture mamba, and the trainer knows llama, qwen2, qwen3; lessons still work";
    assert_eq!(sentence, expected);
}

#[test]
fn every_cut_is_an_error() {
    let bytes = sample();
    for len in 0..data_end(&bytes) {
        let error = parse(&bytes[..len]).expect_err("a cut file");
        let expected_kind = matches!(error, GgufError::Truncated { .. } | GgufError::NotGguf { .. });
        assert!(expected_kind, "{len} bytes: {error}");
    }
    assert!(parse(&bytes[..data_end(&bytes)]).is_ok());
}

#[test]
fn truncation_says_how_many_bytes_are_missing() {
    let bytes = sample();
    let error = parse(&bytes[..data_end(&bytes) - 1]).unwrap_err();
    let GgufError::Truncated { expected, actual, at_least, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (*expected, *actual, *at_least),
        (data_end(&bytes) as u64, data_end(&bytes) as u64 - 1, false)
    );
    assert!(error.to_string().contains("model.gguf is truncated"), "{error}");
    assert!(error.to_string().contains("tensor blk.0.ffn_up.weight"), "{error}");
}

/// The sample with some bytes replaced.
#[track_caller]
fn check_patched(at: usize, patch: &[u8], expected: &str) {
    let mut bytes = sample();
    bytes[at..at + patch.len()].copy_from_slice(patch);
    let error = parse(&bytes).expect_err("a patched file").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn absurd_counts_are_refused_before_anything_is_allocated() {
    check_patched(8, &u64::MAX.to_le_bytes(), "tensor count is 18446744073709551615");
    check_patched(16, &(1_u64 << 60).to_le_bytes(), "metadata count is 1152921504606846976");
    check_patched(24, &(1_u64 << 60).to_le_bytes(), "states a length of 1152921504606846976");
}

#[test]
fn an_absurd_array_is_refused_before_anything_is_allocated() {
    let bytes = sample();
    let key = b"a.numbers";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 8;
    check_patched(at, &(1_u64 << 60).to_le_bytes(), "truncated");
}

#[test]
fn wrong_byte_order_is_named() {
    check_patched(4, &3_u32.to_be_bytes(), "other byte order");
    check_patched(0, b"FUGG", "other byte order");
}

#[test]
fn other_versions_are_named() {
    check_patched(4, &1_u32.to_le_bytes(), "version 1");
    check_patched(4, &4_u32.to_le_bytes(), "a newer chela may read it");
}

#[test]
fn version_2_is_read() {
    let mut bytes = sample();
    bytes[4] = 2;
    assert_eq!(parse(&bytes).unwrap().version, 2);
}

#[track_caller]
fn check_foreign(bytes: &[u8], expected: LooksLike) {
    match parse(bytes) {
        Err(GgufError::NotGguf { looks_like, .. }) => assert_eq!(looks_like, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn foreign_files_are_told_apart() {
    check_foreign(b"", LooksLike::Empty);
    check_foreign(b"GG", LooksLike::TooShort(2));
    check_foreign(b"<!DOCTYPE html><html><head><title>Sign in</title>", LooksLike::Html);
    check_foreign(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 491400032\n",
        LooksLike::LfsPointer,
    );
    check_foreign(b"PK\x03\x04rest of an archive", LooksLike::Zip);
    check_foreign(&[0; 4096], LooksLike::Zeros);
}

/// A header with two tensor lines, written by hand.
fn two_tensors(second_name: &str, second_offset: u64, type_id: u32) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    for (name, offset) in [("first", 0), (second_name, second_offset)] {
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(32_u64.to_le_bytes());
        bytes.extend(type_id.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend([0; 1024]);
    bytes
}

#[test]
fn tensors_must_have_different_names_and_lie_one_after_the_other() {
    assert!(parse(&two_tensors("second", 128, 0)).is_ok());
    let error = |bytes: &[u8]| parse(bytes).expect_err("a bad table").to_string();
    assert!(error(&two_tensors("first", 128, 0)).contains("two tensors are called first"));
    assert!(error(&two_tensors("second", 64, 0)).contains("offset 64 instead of 128"));
    assert!(error(&two_tensors("second", u64::MAX, 0)).contains("misplaced"));
    assert!(error(&two_tensors("second", 128, 4)).contains("type 4, which the llama.cpp"));
}

#[test]
fn a_bad_alignment_is_refused() {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(17_u64.to_le_bytes());
    bytes.extend(b"general.alignment");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(24_u32.to_le_bytes());
    assert!(matches!(parse(&bytes), Err(GgufError::Alignment { alignment: 24, .. })));
}

#[test]
fn rows_must_be_whole_blocks() {
    let mut draft = Draft::default();
    assert!(draft.tensor("x", &[33, 2], TensorType::Q8_0).is_err());
    assert!(draft.tensor("x", &[u64::MAX, 2], TensorType::F32).is_err());
    draft.tensor("x", &[32, 2], TensorType::Q8_0).unwrap();
    assert!(draft.tensor("x", &[32, 2], TensorType::Q8_0).is_err());
}

#[test]
fn the_writer_notices_data_of_the_wrong_length() {
    let mut draft = Draft::default();
    draft.tensor("x", &[4], TensorType::F32).unwrap();
    let error = draft.write(&mut Vec::new(), &mut |_, out| out.write_all(&[0; 15])).unwrap_err();
    assert_eq!(error.to_string(), "tensor x takes 16 bytes, 15 were given");
}

#[test]
fn a_folder_or_a_missing_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = Gguf::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains(dir.path().to_str().unwrap()) && error.contains("not a file"), "{error}");
    let error = Gguf::open(&dir.path().join("no.gguf")).unwrap_err().to_string();
    assert!(error.contains("no.gguf"), "{error}");
}

#[test]
fn a_file_is_read_like_memory() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&sample()).unwrap();
    assert_eq!(Gguf::open(file.path()).unwrap(), parse(&sample()).unwrap());
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        (-1e9_f32..1e9).prop_map(Value::F32),
        (-1e9_f64..1e9).prop_map(Value::F64),
        any::<bool>().prop_map(Value::Bool),
        ".{0,20}".prop_map(Value::Text),
        vec(any::<u8>(), 0..9).prop_map(|items| Value::Array(Array::U8(items))),
        vec(any::<i8>(), 0..9).prop_map(|items| Value::Array(Array::I8(items))),
        vec(any::<u16>(), 0..9).prop_map(|items| Value::Array(Array::U16(items))),
        vec(any::<i16>(), 0..9).prop_map(|items| Value::Array(Array::I16(items))),
        vec(any::<u32>(), 0..9).prop_map(|items| Value::Array(Array::U32(items))),
        vec(any::<i32>(), 0..9).prop_map(|items| Value::Array(Array::I32(items))),
        vec(any::<u64>(), 0..9).prop_map(|items| Value::Array(Array::U64(items))),
        vec(any::<i64>(), 0..9).prop_map(|items| Value::Array(Array::I64(items))),
        vec(-1e9_f32..1e9, 0..9).prop_map(|items| Value::Array(Array::F32(items))),
        vec(-1e9_f64..1e9, 0..9).prop_map(|items| Value::Array(Array::F64(items))),
        vec(any::<bool>(), 0..9).prop_map(|items| Value::Array(Array::Bool(items))),
        vec(".{0,9}", 0..9).prop_map(|items| items.into_iter().collect::<Strings>().into()),
    ]
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let keys = vec(("[a-z.]{1,12}", any_value()), 0..12);
    let types: Vec<TensorType> = TensorType::all().collect();
    let tensors = vec((proptest::sample::select(types), 0_u64..3, vec(1_u64..4, 0..4)), 0..6);
    (keys, tensors, 0_u32..8).prop_map(|(keys, tensors, alignment)| {
        let mut metadata = Metadata::default();
        for (key, value) in keys {
            metadata.set(&key, value);
        }
        metadata.set("general.alignment", (1_u32 << alignment).into());
        let mut draft = Draft::new(metadata);
        for (number, (tensor_type, blocks, rest)) in tensors.into_iter().enumerate() {
            let mut dims = vec![blocks * tensor_type.block_len()];
            dims.extend(rest);
            dims.truncate(4);
            draft.tensor(&format!("t{number}"), &dims, tensor_type).unwrap();
        }
        draft
    })
}

fn written(draft: &Draft) -> Vec<u8> {
    let mut bytes = Vec::new();
    draft
        .write(&mut bytes, &mut |tensor, out| {
            out.write_all(&vec![1; usize::try_from(tensor.n_bytes().unwrap()).unwrap()])
        })
        .unwrap();
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(draft in any_draft()) {
        let gguf = parse(&written(&draft)).unwrap();
        prop_assert_eq!(&gguf.metadata, &draft.metadata);
        prop_assert_eq!(gguf.tensors.as_slice(), draft.tensors());
    }

    #[test]
    fn no_cut_is_read_as_a_whole_file(draft in any_draft(), at in any::<proptest::sample::Index>()) {
        let bytes = written(&draft);
        let gguf = parse(&bytes).unwrap();
        let end = gguf.tensors.last().map_or(gguf.data_offset, |last| {
            gguf.data_offset + last.offset + last.n_bytes().unwrap()
        });
        let cut = at.index(usize::try_from(end).unwrap());
        let result = parse(&bytes[..cut]);
        // Data of zero-length tensors need no bytes, so a cut inside the padding before them loses nothing.
        let all_empty = gguf.tensors.iter().all(|tensor| tensor.n_bytes() == Some(0));
        prop_assert!(result.is_err() || all_empty, "{} of {} bytes", cut, bytes.len());
    }

    #[test]
    fn flipped_bits_never_panic(flips in vec((any::<proptest::sample::Index>(), 0_u8..8), 1..8)) {
        let mut bytes = sample();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        drop(parse(&bytes));
    }

    #[test]
    fn any_bytes_never_panic(tail in vec(any::<u8>(), 0..200)) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tail);
        drop(parse(&bytes));
    }
}
