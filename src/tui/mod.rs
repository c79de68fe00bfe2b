//! The chat: a conversation inline in the terminal's normal screen. The only home of ratatui and crossterm, and of
//! pulldown-cmark and syntect.
//!
//! What lives here: the state machine of the chat (`app`), what it looks like (`view`, `markdown`, `surface`), and the
//! driver that connects both to the terminal and to the daemon's client. What does not: anything about models or the
//! ledger; the chat knows the daemon's wire types and nothing behind them.
//!
//! What always holds: text that is finished is printed once, as ordinary lines, and never touched again; what is
//! redrawn is the live area below it; nothing typed is lost; the terminal is given back as it was found.

mod ansi;
pub mod app;
mod calls;
mod commands;
mod composer;
mod driver;
mod highlight;
mod history;
pub mod input;
mod keymap;
mod markdown;
pub mod mouse;
mod options;
mod pager;
mod picker;
mod process;
mod reader;
pub mod review;
mod status;
pub mod suggest;
pub mod surface;
mod terminal;
pub mod theme;
mod view;
mod wrap;

pub use driver::run;
pub use options::{ChatOptions, Connect, ListModels, LoadCounter, Resume, TerminalEnv};

/// Counts the tokens of a text as the loaded model does.
pub type TokenCounter = Box<dyn Fn(&str) -> usize + Send>;
