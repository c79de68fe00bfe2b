//! The user's shell: `chela shell`, which passes its bytes and reads along; what its command lines say, which of them
//! chela may run, running one, and what chela costs there. The only home of `portable_pty`.

pub mod danger;
pub mod init;
pub mod keys;
pub mod measure;
pub mod parse;
pub mod proxy;
pub mod rules;
pub mod run;
pub mod sandbox;
