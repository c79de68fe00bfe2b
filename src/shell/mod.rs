//! The shell co-pilot's own words and rules.
//!
//! Not here: the command line (`cli`), what the daemon makes of an outcome (`signal`), drawing (`tui`).

pub mod init;
