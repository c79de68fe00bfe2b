//! Black-box tests, one module for each boundary, in one binary so that they link once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what went wrong by panicking")]

mod model;
