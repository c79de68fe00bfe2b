//! The one place where `model` reads file headers: what `gguf` says, in the words of a list.

use std::path::{Path, PathBuf};

use crate::gguf::{Gguf, summarize};

use super::Header;

/// Opens the header only; the weights are not read. The error is a sentence for the list.
pub(super) fn open(path: &Path) -> Result<Gguf, String> {
    Gguf::open(path).map_err(|err| err.to_string())
}

/// The header of a model that consists of `parts`, the first of which says what it is.
pub(super) fn read(parts: &[PathBuf]) -> Result<Header, String> {
    let (first, rest) = parts.split_first().ok_or("it has no files")?;
    let mut header = read_first(first)?;
    for part in rest {
        header.parameters = header.parameters.saturating_add(summarize(&open(part)?).n_params);
    }
    Ok(header)
}

fn read_first(path: &Path) -> Result<Header, String> {
    let gguf = open(path)?;
    match gguf.metadata.text("general.type") {
        Some("adapter") => return Err("it is a LoRA adapter, which needs its base model".into()),
        Some("imatrix") => return Err("it is an importance matrix, not a model".into()),
        _ => {}
    }
    let summary = summarize(&gguf);
    if summary.n_params == 0 {
        return Err("it holds a vocabulary and no weights".into());
    }
    Ok(Header {
        architecture: summary.architecture,
        quantization: summary.quantization,
        parameters: summary.n_params,
        context: summary.context_length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0),
        trainable: summary.trainable.is_ok(),
        not_trainable_because: summary.trainable.err(),
    })
}
