//! The user's shell: `chela shell`, which passes its bytes and reads along; what its command lines say, which of them
//! chela may run, running one, and what chela costs there. The only home of `portable_pty`.

mod capture;
mod claim;
mod control;
pub mod danger;
pub mod guard;
pub mod init;
mod inject;
mod line;
mod marks;
pub mod measure;
mod observer;
pub mod parse;
mod pending;
pub mod proxy;
mod pty;
mod quoting;
mod relay;
mod report;
pub mod rules;
pub mod run;
pub mod sandbox;
mod signals;
mod spans;
mod terminal;
