//! The user's shell: what its command lines say, which of them chela may run, and running one.

pub mod danger;
pub mod parse;
pub mod rules;
pub mod run;
pub mod sandbox;
