//! chela: a personal agent in the terminal that runs on the user's machine and gets better by being used.
//!
//! This page is the architecture document. It says what the parts are, what flows between them, and what
//! never happens.
//!
//! ```text
//!  user / agent ──► turn ──► next state ──► signals ──► verdict ──► lesson ─────────────┐
//!    ▲                                      (detect)   (judge)      (fast)              │
//!    │                                                    │                             ▼
//!    └── answer ◄── engine ◄── adapter ◄── gate ◄── learn ◄── samples ◄── rehearsal ◄── ledger
//!                   (serve)    (promote)  (prove)  (gradient)            (idle replay)
//! ```
//!
//! What stands today is the lower left: a person's request becomes a prompt, the engine answers token by token,
//! and every turn is in the ledger before it is on the screen. The learning half of the drawing is built on it.
//!
//! # Modules, in the order of the loop
//!
//! A module uses only modules above it; `tests/it/tidy.rs` enforces this and the one home of each heavy crate.
//!
//! | module | what lives there |
//! |---|---|
//! | [`config`] | settings resolved once (file, environment, flags) and where files live |
//! | [`turn`] | messages, turns, sessions; messages into a prompt through the model's own chat template; pure |
//! | [`gguf`] | the model file format: header, metadata, vocabulary, writing; pure |
//! | [`engine`] | serving: model, contexts, batching, sampling, adapters; the only home of llama.cpp |
//! | [`adapter`] | LoRA matrices as a value; GGUF and PEFT files, manifest, the shelf of versions |
//! | [`learn`] | training: frozen weights, kernels, block forward and backward, losses, optimizer, worker |
//! | [`store`] | the ledger: schema steps, queries, the writer thread; the only home of rusqlite |
//! | [`model`] | models on disk: find, check, download, verify, quantize, the starter model |
//! | [`daemon`] | HTTP API, sessions, scheduling, lifecycle; the only home of axum |
//! | [`client`] | typed client of the daemon |
//! | [`tui`] | the chat; the only home of ratatui and crossterm |
//! | [`cli`] | subcommands, one short file each; the only home of clap |
//!
//! # Processes and threads
//!
//! One binary. A per-user **daemon** holds the model once for all terminals and is the only writer of the ledger;
//! clients are thin and start it on demand.
//!
//! | thread in the daemon | owns |
//! |---|---|
//! | tokio runtime | sockets, HTTP and SSE |
//! | `engine` | model, contexts, KV cache, continuous batching; foreground before background |
//! | `store` | the single SQLite write connection (WAL) |
//!
//! # Invariants
//!
//! - No turn is lost once it was on the screen: tokens are committed to the ledger before they are sent to a client.
//! - Every turn records exact token ids, the log-probability of each sampled token, and the policy version.
//! - Policy version 0 is the base model and always serves.
//! - KV caches never outlive the adapter they were computed with.
//! - Nothing leaves the machine except a model download that the user asked for.
//! - Silence is not success: every truncation, drop, skip and refusal is shown or logged with its reason.
//! - A file is checked in a child process before llama.cpp sees it in the daemon: an abort there is a sentence here.

pub mod adapter;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod gguf;
pub mod learn;
pub mod model;
pub mod store;
pub mod tui;
pub mod turn;
