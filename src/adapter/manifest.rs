//! `manifest.json`: what an adapter is, where it came from, and what became of it. Pure but for the two ends.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AdapterError, Base};
use crate::config::disk;
use crate::turn::PolicyVersion;

/// The format that is written. Older ones are read, newer ones are refused.
pub const FORMAT: u32 = 1;

/// Everything that is known of one version, beside its matrices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub version: PolicyVersion,
    pub state: State,
    /// The version that training began with; the base when it began from nothing.
    pub parent: PolicyVersion,
    pub base: Base,
    pub rank: usize,
    pub alpha: f32,
    /// Unix seconds.
    pub created_at: i64,
    pub made: Made,
    pub file: FileStamp,
}

/// What became of a version (glossary: policy state).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made, not yet judged fit; serves nobody.
    Candidate,
    /// Serves, or has been chosen to.
    Promoted,
    /// Was promoted; a newer version serves.
    Superseded,
    /// Was promoted and taken back.
    Withdrawn,
}

/// How an adapter came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "lowercase")]
pub enum Made {
    Train(Training),
    /// `from`: the path that it was read from.
    Import {
        from: String,
    },
}

/// What a training run knows about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// SHA-256 over the samples in their order, lower-case hexadecimal.
    pub samples_sha256: String,
    pub n_samples: u64,
    /// Gradient steps.
    pub steps: u64,
    /// Mean loss over the training samples, in nats for each answer token.
    pub loss_before: Option<f64>,
    pub loss_after: Option<f64>,
    /// The same over samples that were held out.
    pub held_out_before: Option<f64>,
    pub held_out_after: Option<f64>,
}

/// How to know that the adapter's file is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Promoted => "promoted",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a manifest; one of a newer format is refused before its fields are looked at.
pub fn read(path: &Path) -> Result<Manifest, AdapterError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let refuse =
        |err: serde_json::Error| AdapterError::unusable(path, format!("its manifest is damaged ({err})"));
    let text = std::fs::read(path).map_err(|source| AdapterError::io(path, source))?;
    let Format { format } = serde_json::from_slice(&text).map_err(refuse)?;
    if format > FORMAT {
        return Err(AdapterError::FromTheFuture { path: path.to_path_buf(), found: format, known: FORMAT });
    }
    serde_json::from_slice(&text).map_err(refuse)
}

/// Writes it as a whole: after a crash there is the old one or the new one.
pub(super) fn write(path: &Path, manifest: &Manifest) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    disk::write_whole(path, &text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn base() -> Base {
        Base { name: "chela-starter".into(), sha256: "ab".repeat(32), architecture: "llama".into() }
    }

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            version: PolicyVersion(3),
            state: State::Candidate,
            parent: PolicyVersion(1),
            base: base(),
            rank: 16,
            alpha: 32.0,
            created_at: 1_700_000_000,
            made: Made::Train(Training {
                samples_sha256: "cd".repeat(32),
                n_samples: 200,
                steps: 75,
                loss_before: Some(2.5),
                loss_after: Some(0.25),
                held_out_before: Some(2.75),
                held_out_after: None,
            }),
            file: FileStamp { size: 12, sha256: "ef".repeat(32) },
        }
    }

    #[track_caller]
    fn check_round_trip(manifest: &Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        write(&path, manifest).unwrap();
        assert_eq!(&read(&path).unwrap(), manifest);
    }

    #[test]
    fn what_is_written_is_read() {
        check_round_trip(&manifest());
        check_round_trip(&Manifest { made: Made::Import { from: "/x".into() }, ..manifest() });
    }

    #[test]
    fn the_file_is_readable_and_stays_as_it_is() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&manifest()).unwrap(), @r#"
        {
          "format": 1,
          "version": 3,
          "state": "candidate",
          "parent": 1,
          "base": {
            "name": "chela-starter",
            "sha256": "abababababababababababababababababababababababababababababababab",
            "architecture": "llama"
          },
          "rank": 16,
          "alpha": 32.0,
          "created_at": 1700000000,
          "made": {
            "how": "train",
            "samples_sha256": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            "n_samples": 200,
            "steps": 75,
            "loss_before": 2.5,
            "loss_after": 0.25,
            "held_out_before": 2.75,
            "held_out_after": null
          },
          "file": {
            "size": 12,
            "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef"
          }
        }
        "#);
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        std::fs::write(&path, text).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("manifest.json"), "{error}");
    }

    #[test]
    fn a_newer_format_is_refused_before_its_fields_are_read() {
        check_refused(r#"{"format": 2, "version": "seven"}"#, "has format 2, this chela knows up to 1");
    }

    #[test]
    fn a_damaged_manifest_says_so() {
        check_refused("", "damaged");
        check_refused("{}", "missing field `format`");
        check_refused(r#"{"format": 1}"#, "missing field `version`");
        check_refused(r#"{"format": 1, "version": -1}"#, "damaged");
    }
}
