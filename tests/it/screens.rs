//! The chat on a terminal: keys and events in, whole screens and scrollback out. The terminal is the vt100 crate's.

mod keys;
mod lessons;
mod off_record;
mod scrollback;
mod stage;
mod states;
