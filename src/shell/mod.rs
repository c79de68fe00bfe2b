//! The shell co-pilot: the PTY proxy, marks, capture, hooks, and what stands between a suggestion and running it.

pub mod measure;
