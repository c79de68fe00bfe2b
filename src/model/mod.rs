//! Models on disk: check, tokenize without an engine, make random ones for measurements.

pub mod check;
pub mod random;
pub mod tokenizer;
