//! The user's shell: what its command lines say, which of them chela may run, running one, and what chela costs there.

pub mod danger;
pub mod init;
pub mod measure;
pub mod parse;
pub mod rules;
pub mod run;
pub mod sandbox;
