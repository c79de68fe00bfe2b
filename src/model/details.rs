//! Everything about one model file: `chela model info`.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::gguf::{Gguf, summarize};

use super::manifest::{self, Manifest};
use super::{Found, Owner, header, starter, walk};
use crate::config::disk;

/// Lines of the chat template that are shown.
const TEMPLATE_LINES: usize = 12;

/// Characters of them: some templates are one very long line.
const TEMPLATE_CHARS: usize = 800;

/// The tokens with a job of their own, as keys of the header.
const SPECIAL: &[(&str, &str)] = &[
    ("bos", "tokenizer.ggml.bos_token_id"),
    ("eos", "tokenizer.ggml.eos_token_id"),
    ("eot", "tokenizer.ggml.eot_token_id"),
    ("eom", "tokenizer.ggml.eom_token_id"),
    ("unknown", "tokenizer.ggml.unknown_token_id"),
    ("separator", "tokenizer.ggml.seperator_token_id"),
    ("padding", "tokenizer.ggml.padding_token_id"),
];

/// A row of the list, and what only `info` shows. Fields of the header are absent when it cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Details {
    #[serde(flatten)]
    pub found: Found,
    /// The model's own name for itself.
    pub title: Option<String>,
    pub n_vocab: Option<usize>,
    pub n_tensors: Option<usize>,
    pub has_embeddings: bool,
    pub template: Option<Template>,
    pub special_tokens: Vec<SpecialToken>,
    /// What the file says about its licence.
    pub licence: Option<String>,
    /// Notice that goes with the model when it is passed on.
    pub attribution: Option<&'static str>,
    /// Where chela downloaded it from.
    pub source: Option<Manifest>,
    /// All files of a split model.
    pub files: Vec<PathBuf>,
}

/// The beginning of the model's own chat template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    pub head: String,
    /// Characters in the whole template.
    pub n_chars: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialToken {
    pub role: &'static str,
    pub id: u64,
    /// Absent when the vocabulary has no such entry.
    pub text: Option<String>,
}

/// The hash of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileHash {
    pub path: PathBuf,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// Reads the header again, for what a list leaves out.
pub fn details(found: Found) -> Details {
    let gguf = header::open(&found.path).ok();
    let summary = gguf.as_ref().map(summarize);
    let is_starter = found.owner == Owner::Chela && found.name == starter::NAME;
    let text = |key: &str| gguf.as_ref().and_then(|gguf| gguf.metadata.text(key)).map(str::to_owned);
    Details {
        title: summary.as_ref().and_then(|summary| summary.name.clone()),
        n_vocab: summary.as_ref().map(|summary| summary.n_vocab),
        n_tensors: gguf.as_ref().map(|gguf| gguf.tensors.len()),
        has_embeddings: summary.as_ref().is_some_and(|summary| summary.has_embeddings),
        template: text("tokenizer.chat_template").map(|template| head_of(&template)),
        special_tokens: gguf.as_ref().map(special_tokens).unwrap_or_default(),
        licence: text("general.license"),
        attribution: is_starter.then_some(starter::ATTRIBUTION),
        source: manifest::read(&found.path),
        files: walk::all_parts(&found.path),
        found,
    }
}

/// Hashes the model's files; `on_read` hears the bytes of all files read so far.
pub fn sha256(found: &Found, on_read: &mut dyn FnMut(u64)) -> io::Result<Vec<FileHash>> {
    let mut hashes = Vec::new();
    let mut before = 0;
    for path in walk::all_parts(&found.path) {
        let mut last = 0;
        let sha256 = disk::sha256_of(&path, &mut |done| {
            last = done;
            on_read(before + done);
            true
        })?;
        before += last;
        hashes.push(FileHash { path, sha256 });
    }
    Ok(hashes)
}

fn head_of(template: &str) -> Template {
    let lines: Vec<&str> = template.lines().take(TEMPLATE_LINES).collect();
    let head: String = lines.join("\n").chars().take(TEMPLATE_CHARS).collect();
    Template { head, n_chars: template.chars().count() }
}

fn special_tokens(gguf: &Gguf) -> Vec<SpecialToken> {
    let token = |&(role, key): &(&'static str, &str)| {
        // Files write "none" as the largest number.
        let id = gguf.metadata.uint(key).filter(|id| *id < u64::from(u32::MAX))?;
        let at = usize::try_from(id).ok()?;
        let text = gguf.tokens().and_then(|tokens| tokens.text(at)).map(str::to_owned);
        Some(SpecialToken { role, id, text })
    };
    SPECIAL.iter().filter_map(token).collect()
}
