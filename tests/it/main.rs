//! Black-box tests, one module per boundary, in one binary.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod http;
mod lifecycle;
mod served;
mod store;
