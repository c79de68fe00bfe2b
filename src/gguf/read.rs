//! Reading a header. Every length is compared with the bytes that are left before anything is allocated.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use super::error::{GgufError, looks_like};
use super::tensor_type::TensorType;
use super::value::{Array, Strings, Value};
use super::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, Gguf, Metadata, TensorEntry, align_up};

const MAGIC: &[u8; 4] = b"GGUF";
/// Real headers are under 20 MB; a longer one is an attack or an accident.
const MAX_HEADER_BYTES: u64 = 512 << 20;
const MAX_KEYS: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1 << 18;
const MAX_KEY_BYTES: u64 = 1 << 16;
/// ggml's `GGML_MAX_NAME`, without the final NUL.
const MAX_NAME_BYTES: u64 = 63;
const MAX_DIMS: u32 = 4;
const CHUNK_BYTES: usize = 1 << 14;

impl Gguf {
    /// Reads the header of the file and checks that the file is long enough for its tensors.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let io_error = |source| GgufError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        let about = file.metadata().map_err(io_error)?;
        if !about.is_file() {
            return Err(io_error(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
        }
        Self::read(path, &mut BufReader::with_capacity(CHUNK_BYTES * 16, file), about.len())
    }

    /// Reads a header from memory; `path` is only for error messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, GgufError> {
        Self::read(path, &mut Cursor::new(bytes), bytes.len() as u64)
    }

    /// Reads a header from a reader of `file_len` bytes; `path` is only for error messages.
    pub fn read(path: &Path, reader: &mut dyn Read, file_len: u64) -> Result<Self, GgufError> {
        let mut source = Source { reader, path, at: 0, len: file_len };
        let version = read_version(&mut source)?;
        let n_tensors = source.count("the tensor count", MAX_TENSORS)?;
        let n_keys = source.count("the metadata count", MAX_KEYS)?;
        let metadata = read_metadata(&mut source, n_keys)?;
        let alignment = alignment_of(&source, &metadata)?;
        let tensors = read_tensors(&mut source, n_tensors)?;
        let data_offset = if tensors.is_empty() {
            source.at
        } else {
            align_up(source.at, alignment)
                .ok_or_else(|| source.malformed("the alignment is absurd".to_owned()))?
        };
        let gguf = Self { version, metadata, tensors, data_offset, alignment, file_len };
        check_layout(path, &gguf)?;
        Ok(gguf)
    }
}

/// The magic and the version. A foreign file is told apart by its first bytes.
fn read_version(source: &mut Source<'_>) -> Result<u32, GgufError> {
    let mut head = Vec::new();
    source.peek(8, &mut head)?;
    if head.get(..4) == Some(b"FUGG") {
        return Err(GgufError::WrongEndian { path: source.path.to_owned() });
    }
    if head.get(..4) != Some(MAGIC) {
        source.peek(56, &mut head)?;
        let looks_like = looks_like(&head, source.len);
        return Err(GgufError::NotGguf { path: source.path.to_owned(), looks_like });
    }
    let Some(version) = head.get(4..8).and_then(|bytes| bytes.first_chunk()) else {
        return Err(source.truncated(8, "the version"));
    };
    source.at = 8;
    match u32::from_le_bytes(*version) {
        version @ (2 | 3) => Ok(version),
        // Read with the wrong byte order, small numbers are multiples of 65,536.
        version if version != 0 && version.trailing_zeros() >= 16 => {
            Err(GgufError::WrongEndian { path: source.path.to_owned() })
        }
        found => Err(GgufError::Version { path: source.path.to_owned(), found }),
    }
}

fn read_metadata(source: &mut Source<'_>, n_keys: u64) -> Result<Metadata, GgufError> {
    let mut metadata = Metadata::default();
    for _ in 0..n_keys {
        let key = source.text("a metadata key", MAX_KEY_BYTES)?;
        if key.is_empty() {
            return Err(source.malformed("a metadata key is empty".to_owned()));
        }
        if metadata.contains(&key) {
            return Err(source.malformed(format!("the metadata key {key} is there twice")));
        }
        let type_id = source.u32(&key)?;
        let value = read_value(source, type_id, &key)?;
        metadata.set(&key, value);
    }
    Ok(metadata)
}

fn read_value(source: &mut Source<'_>, type_id: u32, key: &str) -> Result<Value, GgufError> {
    Ok(match type_id {
        0 => Value::U8(u8::from_le_bytes(source.bytes(key)?)),
        1 => Value::I8(i8::from_le_bytes(source.bytes(key)?)),
        2 => Value::U16(u16::from_le_bytes(source.bytes(key)?)),
        3 => Value::I16(i16::from_le_bytes(source.bytes(key)?)),
        4 => Value::U32(u32::from_le_bytes(source.bytes(key)?)),
        5 => Value::I32(i32::from_le_bytes(source.bytes(key)?)),
        6 => Value::F32(f32::from_le_bytes(source.bytes(key)?)),
        7 => Value::Bool(u8::from_le_bytes(source.bytes(key)?) != 0),
        8 => Value::Text(source.text(key, MAX_HEADER_BYTES)?),
        9 => Value::Array(read_array(source, key)?),
        10 => Value::U64(u64::from_le_bytes(source.bytes(key)?)),
        11 => Value::I64(i64::from_le_bytes(source.bytes(key)?)),
        12 => Value::F64(f64::from_le_bytes(source.bytes(key)?)),
        other => return Err(source.malformed(format!("{key} has the unknown value type {other}"))),
    })
}

fn read_array(source: &mut Source<'_>, key: &str) -> Result<Array, GgufError> {
    let type_id = source.u32(key)?;
    let n = source.u64(key)?;
    Ok(match type_id {
        0 => Array::U8(source.numbers(n, key, u8::from_le_bytes)?),
        1 => Array::I8(source.numbers(n, key, i8::from_le_bytes)?),
        2 => Array::U16(source.numbers(n, key, u16::from_le_bytes)?),
        3 => Array::I16(source.numbers(n, key, i16::from_le_bytes)?),
        4 => Array::U32(source.numbers(n, key, u32::from_le_bytes)?),
        5 => Array::I32(source.numbers(n, key, i32::from_le_bytes)?),
        6 => Array::F32(source.numbers(n, key, f32::from_le_bytes)?),
        7 => Array::Bool(source.numbers(n, key, |[byte]: [u8; 1]| byte != 0)?),
        8 => Array::Strings(source.strings(n, key)?),
        9 => return Err(source.malformed(format!("{key} is an array of arrays"))),
        10 => Array::U64(source.numbers(n, key, u64::from_le_bytes)?),
        11 => Array::I64(source.numbers(n, key, i64::from_le_bytes)?),
        12 => Array::F64(source.numbers(n, key, f64::from_le_bytes)?),
        other => return Err(source.malformed(format!("{key} has the unknown element type {other}"))),
    })
}

fn alignment_of(source: &Source<'_>, metadata: &Metadata) -> Result<u64, GgufError> {
    match metadata.get(ALIGNMENT_KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::U32(alignment)) if alignment.is_power_of_two() => Ok(alignment.into()),
        Some(&Value::U32(alignment)) => {
            Err(GgufError::Alignment { path: source.path.to_owned(), alignment: alignment.into() })
        }
        Some(_) => Err(source.malformed(format!("{ALIGNMENT_KEY} is not a 32-bit number"))),
    }
}

fn read_tensors(source: &mut Source<'_>, n_tensors: u64) -> Result<Vec<TensorEntry>, GgufError> {
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        let tensor = read_tensor(source)?;
        if !names.insert(tensor.name.clone()) {
            return Err(GgufError::DuplicateTensor { path: source.path.to_owned(), name: tensor.name });
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn read_tensor(source: &mut Source<'_>) -> Result<TensorEntry, GgufError> {
    let name = source.text("a tensor name", MAX_NAME_BYTES)?;
    let n_dims = source.u32(&name)?;
    if n_dims > MAX_DIMS {
        return Err(source.malformed(format!("tensor {name} has {n_dims} dimensions")));
    }
    let mut dims = Vec::new();
    for _ in 0..n_dims {
        dims.push(source.u64(&name)?);
    }
    let id = source.u32(&name)?;
    let offset = source.u64(&name)?;
    let Some(tensor_type) = TensorType::from_id(id) else {
        return Err(GgufError::UnknownType { path: source.path.to_owned(), name, id });
    };
    let tensor = TensorEntry { name, dims, tensor_type, offset };
    if tensor.n_bytes().is_none() {
        let TensorEntry { name, dims, tensor_type, .. } = tensor;
        return Err(
            source.malformed(format!("tensor {name} cannot have the shape {dims:?} in {tensor_type}"))
        );
    }
    Ok(tensor)
}

/// Tensors lie one after the other, each on an aligned offset (llama.cpp wants exactly this), inside the file.
fn check_layout(path: &Path, gguf: &Gguf) -> Result<(), GgufError> {
    let misplaced = |tensor: &TensorEntry, what: String| GgufError::Misplaced {
        path: path.to_owned(),
        name: tensor.name.clone(),
        what,
    };
    let (mut next, mut end, mut last) = (0_u64, gguf.data_offset, "the tensor table");
    for tensor in &gguf.tensors {
        if tensor.offset != next {
            return Err(misplaced(tensor, format!("offset {} instead of {next}", tensor.offset)));
        }
        let too_far = || misplaced(tensor, "it ends beyond any file".to_owned());
        let stop = tensor.n_bytes().and_then(|n_bytes| next.checked_add(n_bytes)).ok_or_else(too_far)?;
        end = gguf.data_offset.checked_add(stop).ok_or_else(too_far)?;
        next = align_up(stop, gguf.alignment).ok_or_else(too_far)?;
        last = &tensor.name;
        if end > gguf.file_len {
            break;
        }
    }
    if end <= gguf.file_len || gguf.tensors.is_empty() {
        return Ok(());
    }
    Err(GgufError::Truncated {
        path: path.to_owned(),
        expected: expected_len(gguf),
        actual: gguf.file_len,
        at_least: false,
        inside: format!("tensor {last}"),
    })
}

/// How long the file should be, by its last tensor; saturates.
fn expected_len(gguf: &Gguf) -> u64 {
    let last = gguf.tensors.iter().max_by_key(|tensor| tensor.offset);
    let stop = last.map_or(0, |tensor| tensor.offset.saturating_add(tensor.n_bytes().unwrap_or(0)));
    gguf.data_offset.saturating_add(stop)
}

/// A reader that knows how many bytes are left.
struct Source<'a> {
    reader: &'a mut dyn Read,
    path: &'a Path,
    at: u64,
    len: u64,
}

impl Source<'_> {
    /// Up to `n` more bytes, without counting them.
    fn peek(&mut self, n: u64, head: &mut Vec<u8>) -> Result<(), GgufError> {
        let read = (&mut *self.reader).take(n).read_to_end(head);
        read.map(drop).map_err(|error| self.io(error))
    }

    /// Reserves `n` bytes, or says why they cannot be there.
    fn claim(&mut self, n: u64, inside: &str) -> Result<(), GgufError> {
        let end = self.at.saturating_add(n);
        if end > self.len {
            return Err(self.truncated(end, inside));
        }
        if end > MAX_HEADER_BYTES {
            return Err(self.malformed(format!("{inside} would make the header longer than 512 MiB")));
        }
        self.at = end;
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8], inside: &str) -> Result<(), GgufError> {
        match self.reader.read_exact(buffer) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.truncated(self.at, inside))
            }
            Err(error) => Err(self.io(error)),
        }
    }

    fn bytes<const N: usize>(&mut self, inside: &str) -> Result<[u8; N], GgufError> {
        self.claim(N as u64, inside)?;
        let mut buffer = [0; N];
        self.fill(&mut buffer, inside)?;
        Ok(buffer)
    }

    fn u32(&mut self, inside: &str) -> Result<u32, GgufError> {
        self.bytes(inside).map(u32::from_le_bytes)
    }

    fn u64(&mut self, inside: &str) -> Result<u64, GgufError> {
        self.bytes(inside).map(u64::from_le_bytes)
    }

    fn count(&mut self, what: &str, limit: u64) -> Result<u64, GgufError> {
        let count = self.u64(what)?;
        if count > limit {
            return Err(self.malformed(format!("{what} is {count}, more than {limit}")));
        }
        Ok(count)
    }

    fn text(&mut self, inside: &str, limit: u64) -> Result<String, GgufError> {
        let len = self.u64(inside)?;
        if len > limit {
            return Err(self.malformed(format!("{inside} states a length of {len} bytes")));
        }
        self.claim(len, inside)?;
        // Claimed bytes are in the file, so the buffer is no longer than the file.
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        self.fill(&mut bytes, inside)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn strings(&mut self, n: u64, inside: &str) -> Result<Strings, GgufError> {
        self.expect_room(n, 8, inside)?;
        let mut strings = Strings::default();
        for _ in 0..n {
            let len = self.u64(inside)?;
            self.claim(len, inside)?;
            self.fill(strings.push_zeroed(usize::try_from(len).unwrap_or(usize::MAX)), inside)?;
        }
        Ok(strings)
    }

    fn numbers<T, const N: usize>(
        &mut self,
        n: u64,
        inside: &str,
        convert: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, GgufError> {
        self.expect_room(n, N as u64, inside)?;
        let mut numbers = Vec::new();
        let mut left = n.saturating_mul(N as u64);
        let mut chunk = [0_u8; CHUNK_BYTES];
        while left > 0 {
            let len = left.min(CHUNK_BYTES as u64);
            let part = chunk.get_mut(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
            self.claim(len, inside)?;
            self.fill(part, inside)?;
            numbers.extend(part.as_chunks().0.iter().map(|bytes| convert(*bytes)));
            left -= len;
        }
        Ok(numbers)
    }

    /// Refuses a length that the rest of the file cannot hold, before anything is read.
    fn expect_room(&self, n: u64, each: u64, inside: &str) -> Result<(), GgufError> {
        let end = self.at.saturating_add(n.saturating_mul(each));
        if end > self.len { Err(self.truncated(end, inside)) } else { Ok(()) }
    }

    fn truncated(&self, expected: u64, inside: &str) -> GgufError {
        let inside = inside.chars().take(80).collect();
        GgufError::Truncated {
            path: self.path.to_owned(),
            expected,
            actual: self.len,
            at_least: true,
            inside,
        }
    }

    fn malformed(&self, what: String) -> GgufError {
        GgufError::Malformed { path: self.path.to_owned(), at: self.at, what }
    }

    fn io(&self, source: io::Error) -> GgufError {
        GgufError::Io { path: self.path.to_owned(), source }
    }
}
