//! Embeddings: from models that have them, and a refusal from the others.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc;

use chela::engine::{Embed, Engine, EngineError, Job, LlamaEngine, LoadOptions};
use chela::gguf::{Draft, Gguf};

use crate::engine::starter;

/// The starter with the mark that makes a model an embedding model: mean pooling.
fn write_pooling(path: &Path) {
    let source = Gguf::open(&starter()).unwrap();
    let mut metadata = source.metadata.clone();
    metadata.set("qwen3.pooling_type", 1_u32.into());
    let mut draft = Draft::new(metadata);
    for tensor in &source.tensors {
        draft.tensor(&tensor.name, &tensor.dims, tensor.tensor_type).unwrap();
    }
    let mut weights = File::open(starter()).unwrap();
    draft
        .write(&mut File::create(path).unwrap(), &mut |tensor, out| {
            let from = source.tensor(&tensor.name).unwrap().offset;
            weights.seek(SeekFrom::Start(source.data_offset + from))?;
            let mut bytes = vec![0; usize::try_from(tensor.n_bytes().unwrap()).unwrap()];
            weights.read_exact(&mut bytes)?;
            out.write_all(&bytes)
        })
        .unwrap();
}

fn embed(engine: &LlamaEngine, text: &str) -> Result<Vec<f32>, EngineError> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    engine.submit(Job::Embed(Embed { text: text.to_owned(), done })).unwrap();
    receiver.recv().unwrap()
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[test]
fn texts_that_share_words_are_nearer_than_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pooling.gguf");
    write_pooling(&path);
    let engine = LlamaEngine::load(&LoadOptions::new("pooling", &path)).unwrap();
    assert!(engine.card().has_embeddings);
    let one = embed(&engine, "list all files in this folder").unwrap();
    let near = embed(&engine, "list all the files in a folder").unwrap();
    let far = embed(&engine, "systemctl restart nginx.service && echo ok").unwrap();
    assert_eq!(one.len(), 256);
    assert!((cosine(&one, &one) - 1.0).abs() < 1e-5, "the length is 1");
    assert!(cosine(&one, &near) > cosine(&one, &far), "{} {}", cosine(&one, &near), cosine(&one, &far));
    assert_eq!(embed(&engine, "").unwrap_err(), EngineError::EmptyPrompt);
    let n_prompt = embed(&engine, &"word ".repeat(3000)).unwrap_err();
    assert!(matches!(n_prompt, EngineError::PromptTooLong { n_ctx: 2048, .. }), "{n_prompt}");
}

#[test]
fn a_model_without_embeddings_says_so() {
    let engine = LlamaEngine::load(&LoadOptions::new("starter", &starter())).unwrap();
    assert_eq!(embed(&engine, "x").unwrap_err(), EngineError::NoEmbeddings("starter".to_owned()));
}
