//! Black-box tests, one module per boundary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod check_file;
mod gguf;
mod random_model;
mod tokenizer;
mod vectors;
