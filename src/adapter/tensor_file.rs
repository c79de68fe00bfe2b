//! Named f32 tensors and a few words about them in one safetensors file, with a checksum: what a trainer saves itself
//! in. Written whole or not at all; what is read is exactly what was written, bit by bit.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, View, serialize_to_file};
use sha2::{Digest, Sha256};

use crate::config::disk;

/// Under this key of the file's metadata lies the checksum of everything else.
const CHECKSUM: &str = "chela.sha256";

/// One tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    pub shape: Vec<usize>,
    pub values: Cow<'a, [f32]>,
}

/// What is in a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile<'a> {
    pub words: BTreeMap<String, String>,
    pub tensors: BTreeMap<String, Tensor<'a>>,
}

#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("tensor {0} has a number that is not finite")]
    NotFinite(String),
}

impl TensorFile<'_> {
    /// Writes the file: beside its place first, synced, then moved there. Only the owner may read it.
    pub fn write(&self, path: &Path) -> Result<(), TensorFileError> {
        if let Some((name, _)) =
            self.tensors.iter().find(|(_, tensor)| !tensor.values.iter().all(|value| value.is_finite()))
        {
            return Err(TensorFileError::NotFinite(name.clone()));
        }
        disk::write_whole_with(path, |part| self.fill(part))
            .map_err(|source| TensorFileError::Io { path: path.to_owned(), source })
    }

    /// Writes into the file that is there already and is private.
    fn fill(&self, part: &Path) -> io::Result<()> {
        let mut words: HashMap<String, String> = self.words.clone().into_iter().collect();
        words.insert(CHECKSUM.to_owned(), self.checksum());
        let tensors = self.tensors.iter().map(|(name, tensor)| (name, Bytes(tensor)));
        serialize_to_file(tensors, Some(words), part).map_err(io::Error::other)
    }

    /// Lower-case hexadecimal SHA-256 of words, names, shapes and numbers.
    fn checksum(&self) -> String {
        let mut hasher = Sha256::new();
        let text = |hasher: &mut Sha256, text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        for (key, value) in &self.words {
            text(&mut hasher, key);
            text(&mut hasher, value);
        }
        for (name, tensor) in &self.tensors {
            text(&mut hasher, name);
            text(&mut hasher, &format!("{:?}", tensor.shape));
            tensor.values.iter().for_each(|value| hasher.update(value.to_le_bytes()));
        }
        disk::hex(&hasher.finalize())
    }
}

impl TensorFile<'static> {
    /// Reads the whole file and checks it.
    pub fn read(path: &Path) -> Result<Self, TensorFileError> {
        let bytes =
            std::fs::read(path).map_err(|source| TensorFileError::Io { path: path.to_owned(), source })?;
        decode(&bytes).map_err(|reason| TensorFileError::Damaged { path: path.to_owned(), reason })
    }
}

fn decode(bytes: &[u8]) -> Result<TensorFile<'static>, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut words: BTreeMap<String, String> =
        metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    let checksum = words.remove(CHECKSUM).ok_or("it has no checksum; another program wrote it")?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor {name} is not in f32"));
        }
        let number = |bytes: &[u8]| bytes.try_into().map(f32::from_le_bytes);
        let values: Result<Vec<f32>, _> = view.data().chunks_exact(4).map(number).collect();
        let values = values.map_err(|_| format!("tensor {name} ends early"))?;
        tensors.insert(name, Tensor { shape: view.shape().to_vec(), values: Cow::Owned(values) });
    }
    let read = TensorFile { words, tensors };
    if read.checksum() != checksum {
        return Err("its checksum is not that of its contents".to_owned());
    }
    Ok(read)
}

/// A tensor as the library wants to see it; its bytes are made one tensor at a time.
struct Bytes<'a>(&'a Tensor<'a>);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.0.values.len() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(values: Vec<f32>) -> TensorFile<'static> {
        let words = BTreeMap::from([("step".to_owned(), "3".to_owned())]);
        let tensor = Tensor { shape: vec![values.len()], values: Cow::Owned(values) };
        TensorFile { words, tensors: BTreeMap::from([("a".to_owned(), tensor)]) }
    }

    #[test]
    fn what_is_written_is_read_bit_by_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let written = file(vec![0.1, -0.0, f32::MIN_POSITIVE / 4.0, f32::MAX, 1.0 / 3.0]);
        written.write(&path).unwrap();
        let read = TensorFile::read(&path).unwrap();
        assert_eq!(read, written);
        let bits = |file: &TensorFile| {
            file.tensors["a"].values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(&read), bits(&written));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left behind");
    }

    #[test]
    fn numbers_that_are_not_finite_are_not_written() {
        let dir = tempfile::tempdir().unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            let error = file(vec![1.0, bad]).write(&dir.path().join("state")).unwrap_err();
            assert_eq!(error.to_string(), "tensor a has a number that is not finite");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        file(vec![1.0, 2.0]).write(&path).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_err(), "byte {at}");
        }
        for len in 0..good.len() {
            assert!(decode(&good[..len]).is_err(), "{len} bytes");
        }
        assert!(decode(&good).is_ok());
    }

    #[test]
    fn a_file_of_another_program_is_refused() {
        let data = 1.0_f32.to_le_bytes();
        let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![1], &data).unwrap();
        let bytes = safetensors::serialize([("a", view)], None).unwrap();
        assert_eq!(decode(&bytes).unwrap_err(), "it has no checksum; another program wrote it");
    }
}
