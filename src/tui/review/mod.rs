//! The review pane: each thing that chela learned, its proof, and taking it back; full screen.
//!
//! What lives here: the pane's state and what keys and answers do to it (`pane`), what is on the screen (`view`,
//! `list`, `detail`, tokens in `credit`, the dashboard in `board`), the person's filter as a question (`filter`), and the driver that connects these to terminal and
//! daemon (`driver`, `calls`). What does not: what a lesson or a verdict is; the pane knows the daemon's wire types.
//!
//! What always holds: state and drawing are pure; every step that changes something is one call to the daemon, and
//! what it answers is how the step is taken back; a call that fails leaves the list, marks and typed text as they are.

mod board;
mod calls;
mod credit;
mod detail;
mod driver;
mod event;
mod field;
mod filter;
mod keys;
mod list;
mod menu;
mod pane;
mod story;
mod view;

pub use calls::rows_below;
pub(super) use driver::{Guest, Left, visit};
pub use driver::{ReviewOptions, run};
pub use event::{Done, Effect, Event, Head, Key, Step, Story, Way};
pub use pane::{Pane, Start};
