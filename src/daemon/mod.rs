//! The daemon.

pub mod wire;
