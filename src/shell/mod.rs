//! The user's shell: what its command lines say, and which of them chela may run.

pub mod danger;
pub mod parse;
