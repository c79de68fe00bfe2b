//! Black-box tests, one module per boundary, in one binary (it links llama.cpp once).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking"
)]

mod engine;
