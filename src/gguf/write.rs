//! Writing a file: the header at once, the weights streamed tensor by tensor.

use std::io::{self, Write};

use super::tensor_type::TensorType;
use super::value::{Array, Strings, Value};
use super::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, Metadata, TensorEntry, VERSION, align_up};

/// A file to be written: metadata, and the table of the tensors that will follow.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub metadata: Metadata,
    tensors: Vec<TensorEntry>,
    next_offset: u64,
}

/// Why a draft cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot write the GGUF file: {0}")]
    Io(#[from] io::Error),
    #[error("tensor {name} cannot have the shape {dims:?} in {tensor_type}")]
    Shape { name: String, dims: Vec<u64>, tensor_type: TensorType },
    #[error("two tensors are called {0}")]
    DuplicateTensor(String),
    #[error("tensor {name} takes {expected} bytes, {written} were given")]
    Length { name: String, expected: u64, written: u64 },
    #[error("set {ALIGNMENT_KEY} to a 32-bit power of two before the first tensor")]
    Alignment,
}

/// Writes the data of one tensor, exactly `tensor.n_bytes()` bytes.
pub type Fill<'a> = &'a mut dyn FnMut(&TensorEntry, &mut dyn Write) -> io::Result<()>;

impl Draft {
    /// Starts from metadata, for example that of another file.
    pub fn new(metadata: Metadata) -> Self {
        Self { metadata, tensors: Vec::new(), next_offset: 0 }
    }

    /// Announces a tensor. Data follow in the same order when the draft is written.
    pub fn tensor(&mut self, name: &str, dims: &[u64], tensor_type: TensorType) -> Result<(), WriteError> {
        let tensor =
            TensorEntry { name: name.to_owned(), dims: dims.to_vec(), tensor_type, offset: self.next_offset };
        if self.tensors.iter().any(|other| other.name == name) {
            return Err(WriteError::DuplicateTensor(tensor.name));
        }
        let alignment = self.alignment()?;
        let end = tensor.n_bytes().and_then(|n_bytes| self.next_offset.checked_add(n_bytes));
        let Some(next) = end.and_then(|end| align_up(end, alignment)) else {
            return Err(WriteError::Shape { name: tensor.name, dims: tensor.dims, tensor_type });
        };
        self.next_offset = next;
        self.tensors.push(tensor);
        Ok(())
    }

    pub fn tensors(&self) -> &[TensorEntry] {
        &self.tensors
    }

    /// Writes header, table and data. Only one tensor's data need to be in memory, or less: `fill` may stream.
    pub fn write(&self, out: &mut dyn Write, fill: Fill<'_>) -> Result<(), WriteError> {
        let alignment = self.alignment()?;
        let mut out = Counted { inner: out, count: 0 };
        write_header(&mut out, self)?;
        if !self.tensors.is_empty() {
            out.pad(alignment)?;
        }
        for tensor in &self.tensors {
            let (before, expected) = (out.count, tensor.n_bytes().unwrap_or(0));
            fill(tensor, &mut out)?;
            let written = out.count - before;
            if written != expected {
                return Err(WriteError::Length { name: tensor.name.clone(), expected, written });
            }
            out.pad(alignment)?;
        }
        out.flush()?;
        Ok(())
    }

    fn alignment(&self) -> Result<u64, WriteError> {
        match self.metadata.get(ALIGNMENT_KEY) {
            None => Ok(DEFAULT_ALIGNMENT),
            Some(&Value::U32(alignment)) if alignment.is_power_of_two() => Ok(alignment.into()),
            Some(_) => Err(WriteError::Alignment),
        }
    }
}

fn write_header(out: &mut dyn Write, draft: &Draft) -> io::Result<()> {
    out.write_all(b"GGUF")?;
    out.write_all(&VERSION.to_le_bytes())?;
    write_len(out, draft.tensors.len())?;
    write_len(out, draft.metadata.len())?;
    for (key, value) in draft.metadata.iter() {
        write_string(out, key.as_bytes())?;
        write_value(out, value)?;
    }
    for tensor in &draft.tensors {
        write_string(out, tensor.name.as_bytes())?;
        out.write_all(&u32::try_from(tensor.dims.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        for dim in &tensor.dims {
            out.write_all(&dim.to_le_bytes())?;
        }
        out.write_all(&tensor.tensor_type.id().to_le_bytes())?;
        out.write_all(&tensor.offset.to_le_bytes())?;
    }
    Ok(())
}

fn write_value(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    let type_id: u32 = match value {
        Value::U8(_) => 0,
        Value::I8(_) => 1,
        Value::U16(_) => 2,
        Value::I16(_) => 3,
        Value::U32(_) => 4,
        Value::I32(_) => 5,
        Value::F32(_) => 6,
        Value::Bool(_) => 7,
        Value::Text(_) => 8,
        Value::Array(_) => 9,
        Value::U64(_) => 10,
        Value::I64(_) => 11,
        Value::F64(_) => 12,
    };
    out.write_all(&type_id.to_le_bytes())?;
    match value {
        Value::U8(number) => out.write_all(&number.to_le_bytes()),
        Value::I8(number) => out.write_all(&number.to_le_bytes()),
        Value::U16(number) => out.write_all(&number.to_le_bytes()),
        Value::I16(number) => out.write_all(&number.to_le_bytes()),
        Value::U32(number) => out.write_all(&number.to_le_bytes()),
        Value::I32(number) => out.write_all(&number.to_le_bytes()),
        Value::F32(number) => out.write_all(&number.to_le_bytes()),
        Value::Bool(flag) => out.write_all(&[u8::from(*flag)]),
        Value::Text(text) => write_string(out, text.as_bytes()),
        Value::Array(array) => write_array(out, array),
        Value::U64(number) => out.write_all(&number.to_le_bytes()),
        Value::I64(number) => out.write_all(&number.to_le_bytes()),
        Value::F64(number) => out.write_all(&number.to_le_bytes()),
    }
}

fn write_array(out: &mut dyn Write, array: &Array) -> io::Result<()> {
    let type_id: u32 = match array {
        Array::U8(_) => 0,
        Array::I8(_) => 1,
        Array::U16(_) => 2,
        Array::I16(_) => 3,
        Array::U32(_) => 4,
        Array::I32(_) => 5,
        Array::F32(_) => 6,
        Array::Bool(_) => 7,
        Array::Strings(_) => 8,
        Array::U64(_) => 10,
        Array::I64(_) => 11,
        Array::F64(_) => 12,
    };
    out.write_all(&type_id.to_le_bytes())?;
    write_len(out, array.len())?;
    match array {
        Array::U8(items) => out.write_all(items),
        Array::I8(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::U16(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::I16(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::U32(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::I32(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::F32(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::Bool(items) => items.iter().try_for_each(|item| out.write_all(&[u8::from(*item)])),
        Array::Strings(items) => write_strings(out, items),
        Array::U64(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::I64(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
        Array::F64(items) => items.iter().try_for_each(|item| out.write_all(&item.to_le_bytes())),
    }
}

fn write_strings(out: &mut dyn Write, strings: &Strings) -> io::Result<()> {
    strings.iter().try_for_each(|string| write_string(out, string))
}

fn write_string(out: &mut dyn Write, string: &[u8]) -> io::Result<()> {
    write_len(out, string.len())?;
    out.write_all(string)
}

fn write_len(out: &mut dyn Write, len: usize) -> io::Result<()> {
    out.write_all(&(len as u64).to_le_bytes())
}

/// Knows how many bytes went through, so that offsets can be kept.
struct Counted<'a> {
    inner: &'a mut dyn Write,
    count: u64,
}

impl Counted<'_> {
    fn pad(&mut self, alignment: u64) -> io::Result<()> {
        let end = align_up(self.count, alignment).unwrap_or(self.count);
        io::copy(&mut io::Read::take(io::repeat(0), end - self.count), self)?;
        Ok(())
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.count += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
