//! Black-box tests, one module per boundary, in one binary (it links llama.cpp once).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking"
)]

mod check_file;
mod cli;
mod engine;
mod gguf;
mod model;
mod random_model;
mod screens;
mod store;
mod tidy;
mod tokenizer;
mod vectors;
