//! The table of ggml tensor types: how many weights are in a block, and how many bytes that is.
//!
//! Source: `ggml.h` (`enum ggml_type`), `ggml.c` (`type_traits`) and the block structs of `ggml-common.h` in the
//! llama.cpp of llama-cpp-sys-2 0.1.161. Numbers that are missing were removed from the format.

/// A type that a tensor's weights can be stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorType(u8);

struct Row {
    id: u8,
    name: &'static str,
    block_len: u64,
    block_bytes: u64,
}

const fn row(id: u8, name: &'static str, block_len: u64, block_bytes: u64) -> Row {
    Row { id, name, block_len, block_bytes }
}

const TABLE: &[Row] = &[
    row(0, "F32", 1, 4),
    row(1, "F16", 1, 2),
    row(2, "Q4_0", 32, 18),
    row(3, "Q4_1", 32, 20),
    row(6, "Q5_0", 32, 22),
    row(7, "Q5_1", 32, 24),
    row(8, "Q8_0", 32, 34),
    row(9, "Q8_1", 32, 36),
    row(10, "Q2_K", 256, 84),
    row(11, "Q3_K", 256, 110),
    row(12, "Q4_K", 256, 144),
    row(13, "Q5_K", 256, 176),
    row(14, "Q6_K", 256, 210),
    row(15, "Q8_K", 256, 292),
    row(16, "IQ2_XXS", 256, 66),
    row(17, "IQ2_XS", 256, 74),
    row(18, "IQ3_XXS", 256, 98),
    row(19, "IQ1_S", 256, 50),
    row(20, "IQ4_NL", 32, 18),
    row(21, "IQ3_S", 256, 110),
    row(22, "IQ2_S", 256, 82),
    row(23, "IQ4_XS", 256, 136),
    row(24, "I8", 1, 1),
    row(25, "I16", 1, 2),
    row(26, "I32", 1, 4),
    row(27, "I64", 1, 8),
    row(28, "F64", 1, 8),
    row(29, "IQ1_M", 256, 56),
    row(30, "BF16", 1, 2),
    row(34, "TQ1_0", 256, 54),
    row(35, "TQ2_0", 256, 66),
    row(39, "MXFP4", 32, 17),
    row(40, "NVFP4", 64, 36),
    row(41, "Q1_0", 128, 18),
    row(42, "Q2_0", 64, 18),
];

impl TensorType {
    pub const F32: Self = Self(0);
    pub const F16: Self = Self(1);
    pub const Q4_0: Self = Self(2);
    pub const Q8_0: Self = Self(8);
    pub const Q4_K: Self = Self(12);
    pub const Q6_K: Self = Self(14);
    pub const BF16: Self = Self(30);

    /// `None` for numbers that ggml does not know, or no longer.
    pub fn from_id(id: u32) -> Option<Self> {
        let id = u8::try_from(id).ok()?;
        TABLE.iter().any(|row| row.id == id).then_some(Self(id))
    }

    /// All types, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| Self(row.id))
    }

    pub fn id(self) -> u32 {
        self.0.into()
    }

    pub fn name(self) -> &'static str {
        self.row().map_or("?", |row| row.name)
    }

    /// Weights in a block; rows are whole blocks.
    pub fn block_len(self) -> u64 {
        self.row().map_or(1, |row| row.block_len)
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> u64 {
        self.row().map_or(1, |row| row.block_bytes)
    }

    /// The `general.file_type` of a file whose matrices are all in this type (`enum llama_ftype`), for the types
    /// that chela writes.
    pub fn file_type(self) -> u32 {
        match self {
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
            Self::BF16 => 32,
            _ => 0,
        }
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.id == self.0)
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::TensorType;

    #[test]
    fn removed_and_unknown_numbers_are_no_types() {
        for id in [4, 5, 31, 32, 33, 36, 37, 38, 43, 255, 256, u32::MAX] {
            assert_eq!(TensorType::from_id(id), None, "{id}");
        }
    }

    #[test]
    fn every_type_comes_back_from_its_number() {
        for tensor_type in TensorType::all() {
            assert_eq!(TensorType::from_id(tensor_type.id()), Some(tensor_type));
            assert!(tensor_type.block_bytes() > 0 && tensor_type.block_len() > 0);
        }
        assert_eq!(TensorType::all().count(), 35);
    }

    #[test]
    fn named_constants_have_their_names() {
        assert_eq!(TensorType::Q8_0.name(), "Q8_0");
        assert_eq!(TensorType::BF16.name(), "BF16");
        assert_eq!(TensorType::Q6_K.name(), "Q6_K");
    }
}
