//! `chela model quantize`: what is to be made of what, decided before the engine starts working.

use std::io;
use std::path::{Path, PathBuf};

use indicatif::DecimalBytes;

use super::{Found, choose, walk};
use crate::config::disk;
use crate::engine::{QUANTIZATIONS, Quantization};

/// Ready for the engine: the input exists, the output does not, and there is room for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizePlan {
    pub input: PathBuf,
    pub output: PathBuf,
    pub kind: Quantization,
    /// Bytes, roughly.
    pub estimated_size: u64,
    /// Set when quality suffers twice: the input is itself quantized.
    pub warning: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    #[error("there is no kind \"{0}\"; choose one of {names}", names = kind_names())]
    UnknownKind(String),
    #[error("{name} cannot be quantized: {problem}")]
    Broken { name: String, problem: String },
    #[error("{name} is {from} already; {to} would be no smaller and no better")]
    NothingToGain { name: String, from: String, to: &'static str },
    #[error("{name} is split into several files; join them first with llama-gguf-split --merge")]
    Split { name: String },
    #[error("{path} exists; remove it first or choose another kind")]
    Exists { path: PathBuf },
    #[error("not enough room in {dir}: about {need} are needed, {free} are free")]
    NoRoom { dir: PathBuf, need: DecimalBytes, free: DecimalBytes },
    #[error("cannot use {dir}: {reason}")]
    Dir { dir: PathBuf, reason: io::Error },
}

/// Plans `found` → `MODELS_DIR/TITLE-KIND.gguf`. Writes nothing.
pub fn plan(found: &Found, kind: &str, models_dir: &Path) -> Result<QuantizePlan, QuantizeError> {
    let kind = kind_named(kind)?;
    let name = found.name.clone();
    let header = match (&found.header, &found.problem) {
        (Some(header), None) => header,
        (_, problem) => {
            let problem = problem.clone().unwrap_or_else(|| "its header cannot be read".into());
            return Err(QuantizeError::Broken { name, problem });
        }
    };
    if walk::all_parts(&found.path).len() > 1 {
        return Err(QuantizeError::Split { name });
    }
    let from = QUANTIZATIONS.iter().find(|known| known.name.eq_ignore_ascii_case(&header.quantization));
    if from.is_some_and(|from| from.centibits <= kind.centibits) {
        return Err(QuantizeError::NothingToGain { name, from: header.quantization.clone(), to: kind.name });
    }
    let output = models_dir.join(format!("{}-{}.gguf", title_for_output(found), kind.name));
    if output.exists() {
        return Err(QuantizeError::Exists { path: output });
    }
    let estimated_size = header.parameters / 800 * kind.centibits + (1 << 20);
    check_room(models_dir, estimated_size)?;
    Ok(QuantizePlan {
        input: found.path.clone(),
        output,
        kind,
        estimated_size,
        warning: warning(&header.quantization),
    })
}

fn kind_named(text: &str) -> Result<Quantization, QuantizeError> {
    let found = QUANTIZATIONS.iter().find(|kind| kind.name.eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| QuantizeError::UnknownKind(text.to_owned()))
}

fn kind_names() -> String {
    QUANTIZATIONS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

/// The file's title without its old quantization. Ollama's files are named by their hash, so its tag is taken.
fn title_for_output(found: &Found) -> String {
    let title = walk::title(&found.path);
    let title = if title.starts_with("sha256-") { found.name.replace([':', '/'], "-") } else { title };
    choose::without_quant(&title).to_owned()
}

fn check_room(dir: &Path, need: u64) -> Result<(), QuantizeError> {
    let free =
        disk::free_bytes(dir).map_err(|reason| QuantizeError::Dir { dir: dir.to_path_buf(), reason })?;
    // A tenth more: the average hides models whose embeddings are large.
    let need = need + need / 10;
    if free >= need {
        return Ok(());
    }
    let (need, free) = (DecimalBytes(need), DecimalBytes(free));
    Err(QuantizeError::NoRoom { dir: dir.to_path_buf(), need, free })
}

fn warning(from: &str) -> Option<String> {
    let exact = ["F32", "F16", "BF16"].contains(&from);
    (!exact).then(|| {
        format!("the input is quantized already ({from}); an F16 or BF16 file gives a better result")
    })
}
