//! Small GGUF files and a home directory full of other programs' models.

use std::path::{Path, PathBuf};

use chela::gguf::{Draft, Metadata, TensorType, Value};
use chela::model::roots::{Env, Roots};
use tempfile::TempDir;

/// A header that lists well, and a few KiB of weights that depend on `seed`.
pub(crate) fn gguf(architecture: &str, seed: u8) -> Vec<u8> {
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", Value::Text(architecture.into()));
    metadata.set("general.name", Value::Text("Tiny".into()));
    metadata.set("general.file_type", Value::U32(7));
    metadata.set(&format!("{architecture}.context_length"), Value::U32(2048));
    metadata.set("tokenizer.chat_template", Value::Text("{{ messages }}".into()));
    metadata.set("tokenizer.ggml.eos_token_id", Value::U32(u32::MAX));
    metadata.set("tokenizer.ggml.bos_token_id", Value::U32(1));
    let mut draft = Draft::new(metadata);
    draft.tensor("token_embd.weight", &[64, 64], TensorType::F32).unwrap();
    let mut bytes = Vec::new();
    draft
        .write(&mut bytes, &mut |tensor, out| {
            let n_bytes = usize::try_from(tensor.n_bytes().unwrap()).unwrap();
            let weights: Vec<u8> = (0..=250_u8).cycle().take(n_bytes).map(|byte| byte ^ seed).collect();
            out.write_all(&weights)
        })
        .unwrap();
    bytes
}

/// A home directory; `roots` are what chela finds in it.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) roots: Roots,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Env {
            home: Some(dir.path().into()),
            ollama_models: Some(dir.path().join(".ollama/models")),
            llama_cache: Some(dir.path().join(".cache/llama.cpp")),
            ..Env::default()
        };
        let roots = Roots::from_env(&dir.path().join("chela/models"), &env);
        Self { dir, roots }
    }

    pub(crate) fn models_dir(&self) -> &Path {
        &self.roots.chela
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A model as `ollama pull` leaves it.
    pub(crate) fn put_ollama(&self, tag_path: &str, digest: &str, bytes: Option<&[u8]>) {
        let manifest = format!(
            r#"{{"schemaVersion":2,"layers":[
                {{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:77"}},
                {{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{digest}","size":1}}]}}"#
        );
        self.put(&format!(".ollama/models/manifests/{tag_path}"), manifest.as_bytes());
        if let Some(bytes) = bytes {
            self.put(&format!(".ollama/models/blobs/sha256-{digest}"), bytes);
        }
    }

    /// A file as `hf download` leaves it: a link from the snapshot into the blobs.
    pub(crate) fn put_huggingface(&self, repo: &str, commit: &str, file: &str, bytes: &[u8]) {
        let folder = format!(".cache/huggingface/hub/models--{}", repo.replace('/', "--"));
        let blob = self.put(&format!("{folder}/blobs/{commit}{}", file.len()), bytes);
        let link = self.dir.path().join(folder).join("snapshots").join(commit).join(file);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(blob, link).unwrap();
    }
}
