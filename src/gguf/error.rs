//! What can be wrong with a file, in sentences that name it and say what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a file cannot be read as GGUF.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("cannot read {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not a GGUF file: {looks_like}", path.display())]
    NotGguf { path: PathBuf, looks_like: LooksLike },
    #[error(
        "{} was written for a machine with the other byte order (big-endian); get the ordinary little-endian GGUF of this model",
        path.display()
    )]
    WrongEndian { path: PathBuf },
    #[error("{} has GGUF version {found}, this program reads 2 and 3; {}", path.display(), version_advice(*found))]
    Version { path: PathBuf, found: u32 },
    #[error(
        "{} is truncated: it has {actual} bytes and should have {} {expected} (it ends inside {inside}); download or copy it again",
        path.display(),
        if *at_least { "at least" } else { "exactly" }
    )]
    Truncated { path: PathBuf, expected: u64, actual: u64, at_least: bool, inside: String },
    #[error("{} is damaged: {what} (near byte {at}); download it again or convert the model again", path.display())]
    Malformed { path: PathBuf, at: u64, what: String },
    #[error("{} is damaged: two tensors are called {name}; convert the model again", path.display())]
    DuplicateTensor { path: PathBuf, name: String },
    #[error("{} is damaged: the data of tensor {name} is misplaced ({what}); convert the model again", path.display())]
    Misplaced { path: PathBuf, name: String, what: String },
    #[error(
        "{} states an alignment of {alignment} bytes, which is no power of two; convert the model again",
        path.display()
    )]
    Alignment { path: PathBuf, alignment: u64 },
    #[error(
        "{} stores tensor {name} in type {id}, which the llama.cpp in this program does not know; {}",
        path.display(),
        "get another quantization of the model, or a newer chela"
    )]
    UnknownType { path: PathBuf, name: String, id: u32 },
}

/// What a file that is no GGUF seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LooksLike {
    Empty,
    TooShort(u64),
    Html,
    Json,
    LfsPointer,
    Zip,
    Safetensors,
    Gzip,
    Zstd,
    OldGgml,
    Zeros,
    Unknown([u8; 4]),
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = "download the file itself again";
        match self {
            Self::Empty => write!(f, "it is empty; {again}"),
            Self::TooShort(len) => write!(f, "it has only {len} bytes; {again}"),
            Self::Html => {
                write!(f, "it looks like a web page; {again}, with the link to the file, not to its page")
            }
            Self::Json => write!(f, "it looks like JSON, perhaps a server's error message; open it and see"),
            Self::LfsPointer => {
                write!(f, "it is a Git LFS pointer, not the file it points to; run `git lfs pull` beside it")
            }
            Self::Zip => {
                write!(f, "it looks like a zip archive or a PyTorch checkpoint; convert it to GGUF first")
            }
            Self::Safetensors => {
                write!(f, "it looks like safetensors; convert it to GGUF or get the model's GGUF")
            }
            Self::Gzip => write!(f, "it is compressed with gzip; unpack it first (gunzip)"),
            Self::Zstd => write!(f, "it is compressed with zstd; unpack it first (unzstd)"),
            Self::OldGgml => write!(f, "it is a GGML file from before GGUF (2023); get the model's GGUF"),
            Self::Zeros => write!(f, "it begins with zeros, like a download that never finished; {again}"),
            Self::Unknown(magic) => {
                write!(f, "it begins with \"{}\"; get the model's GGUF", magic.escape_ascii())
            }
        }
    }
}

/// Tells what the first bytes of a file look like. `head` holds up to 64 of them.
pub(super) fn looks_like(head: &[u8], file_len: u64) -> LooksLike {
    let trimmed = head.trim_ascii_start();
    let Some(magic) = head.first_chunk::<4>() else {
        return if file_len == 0 { LooksLike::Empty } else { LooksLike::TooShort(file_len) };
    };
    if head.starts_with(b"version https://git-lfs") {
        return LooksLike::LfsPointer;
    }
    if trimmed.starts_with(b"<") {
        return LooksLike::Html;
    }
    if trimmed.starts_with(b"{") || trimmed.starts_with(b"[") {
        return LooksLike::Json;
    }
    match magic {
        b"PK\x03\x04" => LooksLike::Zip,
        [0x1f, 0x8b, ..] => LooksLike::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => LooksLike::Zstd,
        b"lmgg" | b"fmgg" | b"tjgg" | b"algg" => LooksLike::OldGgml,
        [0, 0, 0, 0] => LooksLike::Zeros,
        _ if is_safetensors(head) => LooksLike::Safetensors,
        _ => LooksLike::Unknown(*magic),
    }
}

/// A 64-bit length of a JSON header, then the header.
fn is_safetensors(head: &[u8]) -> bool {
    head.get(8) == Some(&b'{') && head.get(4..8) == Some(&[0; 4])
}

fn version_advice(found: u32) -> &'static str {
    if found < 2 { "convert the model again" } else { "a newer chela may read it" }
}

#[cfg(test)]
mod tests {
    use super::{LooksLike, looks_like};

    #[track_caller]
    fn check(head: &[u8], expected: LooksLike) {
        assert_eq!(looks_like(head, head.len() as u64), expected);
    }

    #[test]
    fn says_what_a_foreign_file_is() {
        check(b"", LooksLike::Empty);
        check(b"GG", LooksLike::TooShort(2));
        check(b"\n<!DOCTYPE html><html>", LooksLike::Html);
        check(b"{\"error\":\"Repository not found\"}", LooksLike::Json);
        check(b"version https://git-lfs.github.com/spec/v1\noid sha256:12", LooksLike::LfsPointer);
        check(b"PK\x03\x04\x14\0", LooksLike::Zip);
        check(b"\x10\x02\0\0\0\0\0\0{\"__metadata__\"", LooksLike::Safetensors);
        check(b"\x1f\x8b\x08\0", LooksLike::Gzip);
        check(b"\x28\xb5\x2f\xfd\0", LooksLike::Zstd);
        check(b"lmgg\x01\0\0\0", LooksLike::OldGgml);
        check(&[0; 64], LooksLike::Zeros);
        check(b"ELF?", LooksLike::Unknown(*b"ELF?"));
    }

    #[test]
    fn advice_names_the_next_step() {
        assert!(LooksLike::LfsPointer.to_string().contains("git lfs pull"));
        assert!(LooksLike::Safetensors.to_string().contains("convert it to GGUF"));
    }
}
