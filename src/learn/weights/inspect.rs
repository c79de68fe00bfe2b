//! One pass over all weights: the hash that adapters are bound to, and whether every weight is a finite number.
//!
//! The hash covers what decides the model's output: the architecture's metadata, the tensor table, every tensor's
//! bytes. A new chat template or name leaves it as it is. Tensors are hashed in pieces, so that all threads of the
//! pool that this is called in take part; the result does not depend on how many there are.

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use sha2::{Digest, Sha256};

use super::{Decoder, WeightError, WeightFile};
use crate::config::disk;
use crate::gguf::{Gguf, TensorEntry};

/// What is known of a file after all of it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// SHA-256 over the content, in lower-case hexadecimal. An adapter belongs to a base by it.
    pub sha256: String,
    pub n_weights: u64,
}

/// Bytes that are hashed at a time, rounded down to whole blocks. Part of the hash's definition.
const PIECE_BYTES: u64 = 4 << 20;
/// Weights that are decoded at a time; a multiple of all block lengths. The numbers stay in the first-level cache.
const CHUNK_LEN: usize = 4096;

/// Some whole blocks of one tensor.
struct Piece<'a> {
    tensor: &'a TensorEntry,
    /// In bytes from the start of the tensor.
    start: u64,
    len: u64,
}

impl WeightFile {
    /// Reads everything once. `proceed` is asked before each piece of at most 4 MiB, from any thread of the pool;
    /// it may wait (a pause), and `false` ends the reading with [`WeightError::Cancelled`].
    pub fn inspect(&self, proceed: &(dyn Fn() -> bool + Sync)) -> Result<Inspection, WeightError> {
        let pieces: Vec<Piece<'_>> = self.tensors.iter().flat_map(pieces).collect();
        let digests = pieces
            .par_iter()
            .map_init(Vec::new, |bytes, piece| {
                if proceed() {
                    self.inspect_piece(piece, bytes)
                } else {
                    Err(WeightError::Cancelled { path: self.path.clone() })
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.check_unchanged()?;
        let mut hash = Sha256::new_with_prefix("chela base 1\n");
        hash.update(&self.stated);
        for tensor in &self.tensors {
            hash.update(format!("{} {} {:?}\n", tensor.name, tensor.tensor_type, tensor.dims));
        }
        for digest in digests {
            hash.update(digest);
        }
        let n_weights = self.tensors.iter().filter_map(TensorEntry::n_elements).sum();
        Ok(Inspection { sha256: disk::hex(&hash.finalize()), n_weights })
    }

    fn inspect_piece(&self, piece: &Piece<'_>, bytes: &mut Vec<u8>) -> Result<[u8; 32], WeightError> {
        let Piece { tensor, start, len } = *piece;
        bytes.resize(usize::try_from(len).unwrap_or(0), 0);
        self.read_at(
            &tensor.name,
            self.data_offset.saturating_add(tensor.offset.saturating_add(start)),
            bytes,
        )?;
        if let Some(at) = first_not_finite(tensor, bytes) {
            let before = start / tensor.tensor_type.block_bytes() * tensor.tensor_type.block_len();
            let (path, name) = (self.path.clone(), tensor.name.clone());
            return Err(WeightError::NotFinite { path, name, at: before.saturating_add(at) });
        }
        Ok(Sha256::digest(bytes).into())
    }
}

/// The architecture's metadata, one line for each key in alphabetical order. How a [`crate::gguf::Value`] is printed
/// is part of the hash's definition.
pub(super) fn stated(gguf: &Gguf) -> String {
    let prefix = format!("{}.", gguf.architecture().unwrap_or_default());
    let mut lines: Vec<String> = gguf
        .metadata
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, value)| format!("{key}={value:?}\n"))
        .collect();
    lines.sort();
    lines.concat()
}

fn pieces(tensor: &TensorEntry) -> impl Iterator<Item = Piece<'_>> {
    let block_bytes = tensor.tensor_type.block_bytes();
    let piece_bytes = PIECE_BYTES / block_bytes * block_bytes;
    let all = tensor.n_bytes().unwrap_or(0);
    (0..all.div_ceil(piece_bytes)).map(move |piece| {
        let start = piece * piece_bytes;
        Piece { tensor, start, len: piece_bytes.min(all - start) }
    })
}

/// Which weight of these blocks is infinite or no number.
fn first_not_finite(tensor: &TensorEntry, bytes: &[u8]) -> Option<u64> {
    let decoder = Decoder::of(tensor.tensor_type)?;
    let block_len = usize::try_from(tensor.tensor_type.block_len()).ok()?;
    let block_bytes = usize::try_from(tensor.tensor_type.block_bytes()).ok()?;
    let chunk_bytes = CHUNK_LEN / block_len * block_bytes;
    let mut numbers = vec![0.0; CHUNK_LEN];
    for (chunk, before) in bytes.chunks(chunk_bytes).zip((0_u64..).step_by(CHUNK_LEN)) {
        let numbers = numbers.get_mut(..chunk.len() / block_bytes * block_len)?;
        decoder.decode(chunk, numbers);
        if !all_finite(numbers) {
            let at = numbers.iter().position(|number| !number.is_finite())?;
            return Some(before.saturating_add(u64::try_from(at).ok()?));
        }
    }
    None
}

/// Without a branch in the loop, so that it is vectorized.
fn all_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(0, |largest, number| largest.max(number.to_bits() & 0x7fff_ffff)) < 0x7f80_0000
}
