//! Ollama's store: `manifests/HOST/NAMESPACE/MODEL/TAG` is JSON that names the blob with the weights.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Owner;
use super::find::Candidate;

/// The layer that holds a GGUF file. Projectors, adapters, templates and licences have other types.
const WEIGHTS: &str = "application/vnd.ollama.image.model";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

pub(super) fn candidates(root: &Path) -> Vec<Candidate> {
    let manifests = root.join("manifests");
    let mut files = Vec::new();
    files_below(&manifests, 5, &mut files);
    files.sort();
    files.iter().filter_map(|file| candidate(root, &manifests, file)).collect()
}

/// `None` for what is no model of a kind that chela can read (safetensors, cloud models).
fn candidate(root: &Path, manifests: &Path, file: &Path) -> Option<Candidate> {
    let name = model_name(file.strip_prefix(manifests).ok()?)?;
    let manifest = std::fs::read(file).map_err(|err| err.to_string());
    let manifest: Result<Manifest, String> =
        manifest.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|err| err.to_string()));
    let layers = match manifest {
        Ok(manifest) => manifest.layers,
        Err(reason) => {
            let mut broken = Candidate::new(name.clone(), Owner::Ollama, file.to_path_buf());
            broken.problem =
                Some(format!("Ollama's manifest cannot be read ({reason}); try `ollama pull {name}`"));
            return Some(broken);
        }
    };
    let digest = layers.into_iter().find(|layer| layer.media_type == WEIGHTS)?.digest;
    let blob = root.join("blobs").join(blob_name(&digest)?);
    let mut candidate = Candidate::new(name.clone(), Owner::Ollama, blob);
    if !candidate.path.exists() {
        candidate.problem =
            Some(format!("its file is missing from Ollama's store; try `ollama pull {name}`"));
    }
    Some(candidate)
}

/// `sha256:ab…` → `sha256-ab…`; anything else could lead out of the store.
fn blob_name(digest: &str) -> Option<String> {
    let hex = digest.strip_prefix("sha256:").or_else(|| digest.strip_prefix("sha256-"))?;
    hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| format!("sha256-{hex}"))
}

/// As `ollama list` shows it: `qwen3:0.6b`, `user/model:tag`, `hf.co/ORG/REPO:tag`.
fn model_name(below: &Path) -> Option<String> {
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let (tag, path) = parts.split_last()?;
    let path = path.join("/");
    let path = path.strip_prefix("registry.ollama.ai/").unwrap_or(&path);
    let path = path.strip_prefix("library/").unwrap_or(path);
    (!path.is_empty()).then(|| format!("{path}:{tag}"))
}

fn files_below(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                files_below(&path, depth - 1, found);
            }
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(below: &str, expected: &str) {
        assert_eq!(model_name(Path::new(below)).as_deref(), Some(expected));
    }

    #[test]
    fn names_are_those_of_ollama_list() {
        check("registry.ollama.ai/library/qwen3/0.6b", "qwen3:0.6b");
        check("registry.ollama.ai/someone/tuned/latest", "someone/tuned:latest");
        check("hf.co/ORG/REPO/Q4_K_M", "hf.co/ORG/REPO:Q4_K_M");
    }

    #[test]
    fn a_digest_cannot_lead_out_of_the_store() {
        assert_eq!(blob_name("sha256:../../etc/passwd"), None);
        assert_eq!(blob_name("sha256:ab12").as_deref(), Some("sha256-ab12"));
    }
}
