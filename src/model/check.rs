//! What can be known about a model file without llama.cpp: is it whole, is it a model, can its vocabulary hold any
//! text. Several of these mistakes abort the process inside C++, so they are found here first.
//!
//! What does not live here: loading the file in a child process, which catches the rest.

mod architectures;
mod vocabulary;

use std::path::{Path, PathBuf};

use crate::gguf::{Gguf, GgufError, Summary, Value, summarize};

pub use vocabulary::VocabularyProblem;

/// A file that has nothing wrong that its header could tell.
#[derive(Debug, Clone)]
pub struct Checked {
    pub gguf: Gguf,
    pub summary: Summary,
    /// All files of the model; more than one for a split model.
    pub files: Vec<PathBuf>,
    /// Sentences about what is odd but does not keep the model from being used.
    pub warnings: Vec<String>,
}

/// Why a file must not be given to llama.cpp.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error("{} is not a language model but {what}", path.display())]
    NotAModel { path: PathBuf, what: &'static str },
    #[error(
        "{} has the architecture {architecture}, which the llama.cpp in this program does not know; {}",
        path.display(),
        "choose another model, or a newer chela"
    )]
    UnknownArchitecture { path: PathBuf, architecture: String },
    #[error("{} does not state {key}; convert the model again", path.display())]
    MissingKey { path: PathBuf, key: String },
    #[error("{} contradicts itself: {what}; convert the model again", path.display())]
    Contradiction { path: PathBuf, what: String },
    #[error("{} has an unusable vocabulary: {problem}", path.display())]
    Vocabulary { path: PathBuf, problem: VocabularyProblem },
    #[error("{} is part {part} of {count}; name the first part, {}", path.display(), first.display())]
    NotTheFirstPart { path: PathBuf, part: u64, count: u64, first: PathBuf },
    #[error("{} is the first of {count} parts, and these are missing beside it: {}", path.display(), missing.join(", "))]
    MissingParts { path: PathBuf, count: u64, missing: Vec<String> },
}

/// Reads the header of the model file (for a split model: its first part) and checks all that it can tell.
pub fn check_file(path: &Path) -> Result<Checked, CheckError> {
    let gguf = Gguf::open(path)?;
    let files = parts(path, &gguf)?;
    let mut summary = summarize(&gguf);
    for part in files.iter().skip(1) {
        let part = summarize(&Gguf::open(part)?);
        summary.n_params = summary.n_params.saturating_add(part.n_params);
    }
    let mut warnings = check_header(path, &gguf, files.len() == 1)?;
    if gguf.version == 2 {
        warnings.push("the file has the old GGUF version 2; it still works".to_owned());
    }
    Ok(Checked { gguf, summary, files, warnings })
}

/// The checks on a header that was read already. `whole`: all tensors are in this file.
/// Returns warnings, one sentence each.
pub fn check_header(path: &Path, gguf: &Gguf, whole: bool) -> Result<Vec<String>, CheckError> {
    check_kind(path, gguf)?;
    let mut warnings = Vec::new();
    check_shape(path, gguf, whole, &mut warnings)?;
    vocabulary::check(gguf, &mut warnings)
        .map_err(|problem| CheckError::Vocabulary { path: path.to_owned(), problem })?;
    if gguf.metadata.text("tokenizer.chat_template").is_none_or(str::is_empty) {
        warnings.push("the file has no chat template; a plain ChatML template is used".to_owned());
    }
    Ok(warnings)
}

/// All parts of a split model, the first one first.
fn parts(path: &Path, gguf: &Gguf) -> Result<Vec<PathBuf>, CheckError> {
    let count = gguf.metadata.uint("split.count").unwrap_or(0);
    if count <= 1 {
        return Ok(vec![path.to_owned()]);
    }
    let part = gguf.metadata.uint("split.no").unwrap_or(0).saturating_add(1);
    // llama.cpp counts parts in 16 bits and finds them by this name only.
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (Some(prefix), true) =
        (name.strip_suffix(&format!("-{part:05}-of-{count:05}.gguf")), u16::try_from(count).is_ok())
    else {
        let what = format!("it is part {part} of {count}, but is not called …-{part:05}-of-{count:05}.gguf");
        return Err(CheckError::Contradiction { path: path.to_owned(), what });
    };
    let files: Vec<PathBuf> = (1..=count)
        .map(|number| path.with_file_name(format!("{prefix}-{number:05}-of-{count:05}.gguf")))
        .collect();
    if part != 1 {
        let first = files.into_iter().next().unwrap_or_default();
        return Err(CheckError::NotTheFirstPart { path: path.to_owned(), part, count, first });
    }
    let missing: Vec<String> = files
        .iter()
        .filter(|file| !file.is_file())
        .filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()))
        .collect();
    if missing.is_empty() {
        Ok(files)
    } else {
        Err(CheckError::MissingParts { path: path.to_owned(), count, missing })
    }
}

/// Is it a language model at all, and one that llama.cpp knows?
fn check_kind(path: &Path, gguf: &Gguf) -> Result<(), CheckError> {
    let not_a_model = |what| Err(CheckError::NotAModel { path: path.to_owned(), what });
    match gguf.metadata.text("general.type") {
        Some("adapter") => return not_a_model("a LoRA adapter; load the model that it was made for"),
        Some("mmproj") => return not_a_model("the image half of one (mmproj); load the other half"),
        Some("imatrix") => return not_a_model("an importance matrix for quantization"),
        _ => {}
    }
    let Some(architecture) = gguf.architecture() else {
        return Err(CheckError::MissingKey { path: path.to_owned(), key: "general.architecture".to_owned() });
    };
    if architecture == "clip" {
        return not_a_model("the image half of one (mmproj); load the other half");
    }
    if !architectures::KNOWN.contains(&architecture) {
        return Err(CheckError::UnknownArchitecture {
            path: path.to_owned(),
            architecture: architecture.to_owned(),
        });
    }
    if gguf.tensors.is_empty() && gguf.metadata.uint("split.count").unwrap_or(0) <= 1 {
        return not_a_model("a vocabulary without weights; get the model itself");
    }
    Ok(())
}

/// Do the numbers that the file states fit each other and its tensors?
fn check_shape(path: &Path, gguf: &Gguf, whole: bool, warnings: &mut Vec<String>) -> Result<(), CheckError> {
    let contradiction = |what: String| Err(CheckError::Contradiction { path: path.to_owned(), what });
    let context_length = required(path, gguf, "context_length")?;
    let width = required(path, gguf, "embedding_length")?;
    let n_layers = required(path, gguf, "block_count")?;
    check_heads(path, gguf, width)?;
    if context_length == 0 || width == 0 || n_layers == 0 {
        let what =
            format!("context length {context_length}, width {width}, {n_layers} layers: none may be 0");
        return contradiction(what);
    }
    if context_length < 256 {
        warnings.push(format!("the context is only {context_length} tokens, too short for a chat"));
    } else if context_length > 1 << 26 {
        warnings.push(format!("a context of {context_length} tokens is stated, which is hardly true"));
    }
    if !whole {
        return Ok(());
    }
    let n_vocab = gguf.tokens().map_or(0, crate::gguf::Strings::len) as u64;
    if let Some(embedding) = gguf.tensor("token_embd.weight") {
        if embedding.dims.first() != Some(&width) {
            let what = format!("token_embd.weight has rows of {:?}, the width is {width}", embedding.dims);
            return contradiction(what);
        }
        let rows = embedding.dims.get(1).copied().unwrap_or(1);
        if n_vocab > 0 && rows != n_vocab {
            let what = format!("the vocabulary has {n_vocab} tokens, token_embd.weight {rows} rows");
            return contradiction(what);
        }
    } else {
        return contradiction("tensor token_embd.weight is missing".to_owned());
    }
    let found = n_layers_found(gguf);
    if found > 0 && found < n_layers {
        return contradiction(format!("{n_layers} layers are stated, tensors are there for {found}"));
    }
    Ok(())
}

fn required(path: &Path, gguf: &Gguf, key: &str) -> Result<u64, CheckError> {
    gguf.of_architecture(key).and_then(Value::as_uint).ok_or_else(|| CheckError::MissingKey {
        path: path.to_owned(),
        key: format!("{}.{key}", gguf.architecture().unwrap_or_default()),
    })
}

/// The number of heads; an array of it (one per layer) is llama.cpp's to judge.
fn check_heads(path: &Path, gguf: &Gguf, width: u64) -> Result<(), CheckError> {
    let architecture = gguf.architecture().unwrap_or_default();
    if architectures::WITHOUT_HEADS.contains(&architecture)
        || matches!(gguf.of_architecture("attention.head_count"), Some(Value::Array(_)))
    {
        return Ok(());
    }
    let n_heads = required(path, gguf, "attention.head_count")?;
    let n_kv_heads = gguf.of_architecture("attention.head_count_kv").and_then(Value::as_uint);
    let n_kv_heads = n_kv_heads.unwrap_or(n_heads);
    let has_key_length = gguf.of_architecture("attention.key_length").is_some();
    let fits = n_heads > 0
        && n_kv_heads > 0
        && n_heads.is_multiple_of(n_kv_heads)
        && (has_key_length || width.is_multiple_of(n_heads));
    if fits {
        return Ok(());
    }
    let what = format!("{n_heads} heads and {n_kv_heads} key/value heads do not fit a width of {width}");
    Err(CheckError::Contradiction { path: path.to_owned(), what })
}

/// One more than the highest layer number among the tensors.
fn n_layers_found(gguf: &Gguf) -> u64 {
    let numbers = gguf.tensors.iter().filter_map(|tensor| {
        let (number, _) = tensor.name.strip_prefix("blk.")?.split_once('.')?;
        number.parse::<u64>().ok()
    });
    numbers.max().map_or(0, |highest| highest.saturating_add(1))
}
