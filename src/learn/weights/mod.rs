//! The frozen weights, read from the same GGUF file that the engine serves.
//!
//! What lives here: the model's shape, its tensors checked and named, rows of a matrix as they are stored, decoding
//! them, the hash that an adapter is bound to. What does not: multiplying (`kernels`), the format (`gguf`).
//!
//! What always holds: a file that was opened can be trained exactly as it is served, or it is refused by name. The
//! matrices are never in memory as a whole: rows are **read**, not mapped. The page cache is the one that
//! llama.cpp's map uses, so there is no second copy in either case; but a file that is cut off under a map kills
//! the process with SIGBUS, and under a read it is an error with a name.

mod decoder;
mod dequantize;
mod error;
mod geometry;
mod inspect;
mod rope;
mod table;

use std::fs::{File, Metadata};
use std::io::{self, BufReader};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::adapter::Linear;
use crate::gguf::{Gguf, TensorEntry, TensorType};

pub use decoder::Decoder;
pub use dequantize::Native;
pub use error::WeightError;
pub use geometry::{Architecture, Geometry};
pub use inspect::Inspection;
pub use rope::{Pairing, Rope, RopeTable, Scaling};

/// An open model file: its shape, its small vectors, and where its matrices are.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    file: File,
    opened_as: Identity,
    /// The whole tensor table, in the order of the file.
    tensors: Vec<TensorEntry>,
    data_offset: u64,
    /// The architecture's metadata in one text, for the hash.
    stated: String,
    pub geometry: Geometry,
    /// (`n_vocab`, `width`)
    pub embedding: Matrix,
    pub output_norm: Vec<f32>,
    /// (`n_vocab`, `width`); the embedding itself when the head is tied.
    pub head: Matrix,
    pub layers: Vec<LayerWeights>,
    /// `rope_freqs.weight`, when the file has it.
    rope_factors: Option<Vec<f32>>,
}

/// The weights of one decoder block. Vectors are in memory, matrices in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerWeights {
    pub attn_norm: Vec<f32>,
    pub q: Matrix,
    pub k: Matrix,
    pub v: Matrix,
    pub o: Matrix,
    pub q_bias: Option<Vec<f32>>,
    pub k_bias: Option<Vec<f32>>,
    pub v_bias: Option<Vec<f32>>,
    /// Only llama may have it.
    pub o_bias: Option<Vec<f32>>,
    /// Weights of the norm over each head's query; qwen3 has it. (`head_width`)
    pub q_norm: Option<Vec<f32>>,
    pub k_norm: Option<Vec<f32>>,
    pub ffn_norm: Vec<f32>,
    pub gate: Matrix,
    pub up: Matrix,
    pub down: Matrix,
}

/// Where a matrix is, and how it is stored. A row is what one output number is computed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    pub name: String,
    pub tensor_type: TensorType,
    /// Numbers that come out.
    pub n_rows: usize,
    /// Numbers that go in; whole blocks.
    pub n_cols: usize,
    row_bytes: usize,
    /// In bytes from the start of the file.
    offset: u64,
    decoder: Decoder,
}

/// What tells a file from another that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    len: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

impl WeightFile {
    /// Reads header and vectors, and checks that every tensor is there in the shape and a type that can be trained
    /// on. Takes milliseconds; the matrices are not looked at (see [`WeightFile::inspect`]).
    pub fn open(path: &Path) -> Result<Self, WeightError> {
        let io_error = |source| WeightError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        let about = file.metadata().map_err(io_error)?;
        if !about.is_file() {
            return Err(io_error(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
        }
        let gguf = Gguf::read(path, &mut BufReader::with_capacity(1 << 18, &file), about.len())?;
        let geometry = geometry::geometry(&gguf)
            .map_err(|reason| WeightError::Untrainable { path: path.to_owned(), reason })?;
        let weights = table::read(&table::Source { path, file: &file }, &gguf, &geometry)?;
        Ok(Self {
            path: path.to_owned(),
            opened_as: Identity::of(&about),
            stated: inspect::stated(&gguf),
            data_offset: gguf.data_offset,
            tensors: gguf.tensors,
            file,
            geometry,
            embedding: weights.embedding,
            output_norm: weights.output_norm,
            head: weights.head,
            layers: weights.layers,
            rope_factors: weights.rope_factors,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Angles of this model's rotary positions.
    pub fn rope_table(&self) -> RopeTable {
        RopeTable::new(&self.geometry.rope, self.rope_factors.as_deref())
    }

    /// Reads whole rows as they are stored into `bytes`, whose memory is used again: row `i` of the range begins at
    /// `i * matrix.row_bytes()`. Any thread may read at any time; the caller's
    /// pool shares the work.
    pub fn read_rows(
        &self,
        matrix: &Matrix,
        rows: Range<usize>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), WeightError> {
        /// Bytes that one thread reads at a time.
        const PART: usize = 1 << 18;
        let len = rows.len().saturating_mul(matrix.row_bytes);
        let start = u64::try_from(rows.start.saturating_mul(matrix.row_bytes)).unwrap_or(u64::MAX);
        if rows.end > matrix.n_rows || rows.start > rows.end {
            return Err(WeightError::NoSuchRows {
                name: matrix.name.clone(),
                start: rows.start,
                end: rows.end,
                n_rows: matrix.n_rows,
            });
        }
        bytes.resize(len, 0);
        let offset = matrix.offset.saturating_add(start);
        bytes.par_chunks_mut(PART).enumerate().try_for_each(|(at, part)| {
            let start = u64::try_from(at.saturating_mul(PART)).unwrap_or(u64::MAX);
            self.read_at(&matrix.name, offset.saturating_add(start), part)
        })
    }

    /// Compares the file under the path with the one that was opened. Called between steps: bytes that were
    /// exchanged in place are not noticed by reading them.
    pub fn check_unchanged(&self) -> Result<(), WeightError> {
        let about = std::fs::metadata(&self.path)
            .map_err(|source| WeightError::Io { path: self.path.clone(), source })?;
        let now = Identity::of(&about);
        let what = if now.inode != self.opened_as.inode {
            "is another file now".to_owned()
        } else if now.len != self.opened_as.len {
            format!("has {} bytes now and had {}", now.len, self.opened_as.len)
        } else if now.modified != self.opened_as.modified {
            "was written to".to_owned()
        } else {
            return Ok(());
        };
        Err(WeightError::Changed { path: self.path.clone(), what })
    }

    fn read_at(&self, name: &str, offset: u64, bytes: &mut [u8]) -> Result<(), WeightError> {
        self.file.read_exact_at(bytes, offset).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                let what = format!("ends inside tensor {name} now");
                return WeightError::Changed { path: self.path.clone(), what };
            }
            WeightError::Io { path: self.path.clone(), source }
        })
    }
}

impl LayerWeights {
    /// The matrix that an adapter's site changes.
    pub fn linear(&self, linear: Linear) -> &Matrix {
        match linear {
            Linear::Q => &self.q,
            Linear::K => &self.k,
            Linear::V => &self.v,
            Linear::O => &self.o,
            Linear::Gate => &self.gate,
            Linear::Up => &self.up,
            Linear::Down => &self.down,
        }
    }
}

impl Matrix {
    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Weights of one block, the least that can be decoded; divides `n_cols`.
    pub fn block_len(&self) -> usize {
        usize::try_from(self.tensor_type.block_len()).unwrap_or(1)
    }

    /// Bytes of one block.
    pub fn block_bytes(&self) -> usize {
        usize::try_from(self.tensor_type.block_bytes()).unwrap_or(1)
    }

    /// What turns stored blocks into numbers.
    pub fn decoder(&self) -> Decoder {
        self.decoder
    }
}

impl Identity {
    fn of(about: &Metadata) -> Self {
        Self {
            len: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            inode: (about.dev(), about.ino()),
        }
    }
}
