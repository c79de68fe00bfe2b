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
//! The upper row stands: what follows an answer is its next state, rules and votes make a verdict of it, a person's
//! words make a lesson, and the lesson is in the next prompt. The lower row is a round of learning (`learn::cycle`), which
//! the daemon's learner begins when the machine is idle: it ends with the gate's decision, and only a promoted candidate
//! serves. The weights also learn from a file of conversations (`chela train`); there a person plays the gate.
//!
//! # Modules, in the order of the loop
//!
//! A module uses only modules above it; `tests/it/tidy.rs` enforces this and the one home of each heavy crate.
//!
//! | module | what lives there |
//! |---|---|
//! | [`config`] | settings resolved once (file, environment, flags) and where files live |
//! | [`redact`] | secrets and private names out of text, before it is stored, prompted or learned from; pure |
//! | [`turn`] | messages, turns, sessions; messages into a prompt through the model's own chat template; pure |
//! | [`gguf`] | the model file format: header, metadata, vocabulary, writing; pure |
//! | [`engine`] | serving: model, contexts, batching, sampling, adapters; the only home of llama.cpp |
//! | [`signal`] | detectors: what a next state says about the answer before it, by rules alone; pure |
//! | [`judge`] | verdicts: the order of evidence, the base model's votes, hints |
//! | [`lesson`] | which sentences a prompt gets, which contradict, when one retires; pure |
//! | [`adapter`] | LoRA matrices as a value; GGUF and PEFT files, manifest, the shelf of versions |
//! | [`learn`] | training: frozen weights, kernels, block forward and backward, losses, optimizer, worker |
//! | [`store`] | the ledger: schema steps, queries, the writer thread; the only home of rusqlite |
//! | [`model`] | models on disk: find, check, download, verify, quantize, the starter model |
//! | [`daemon`] | HTTP API, sessions, scheduling, lifecycle; the only home of axum |
//! | [`client`] | typed client of the daemon |
//! | [`shell`] | the user's shell: the PTY proxy, hooks, what command lines say and which may run; the only home of portable-pty |
//! | [`tui`] | the chat and the review pane; the only home of ratatui and crossterm |
//! | [`cli`] | subcommands, one short file each; the only home of clap |
//!
//! # Processes and threads
//!
//! One program to call, `chela`. A per-user **daemon** holds the model once for all terminals and is the only writer of
//! the ledger; clients are thin and start it on demand. `chela shell` becomes the small program beside it, `chela-shell`,
//! which links what the proxy needs and no more: every open terminal keeps one in memory.
//!
//! | thread in the daemon | owns |
//! |---|---|
//! | tokio runtime | sockets, HTTP and SSE |
//! | `engine` | model, contexts, KV cache, continuous batching; foreground before background |
//! | `store` | the single SQLite write connection (WAL) |
//! | `learner` | a round of learning: rehearsal, steps, exam; nice 19, stands still while somebody waits for an answer |
//! | `learn-N` | the trainer's own pool, one thread per physical core, nice 19 too: products, attention, optimizer |
//!
//! Judging is a task of the runtime: it takes turns that something followed, asks the engine behind every answer, and
//! never stands in the way of one.
//!
//! So is closing sessions in which nothing happens, and removing what is older than the person wants it kept.
//! `chela train` runs in its own process, on its main thread and a pool like the learner's.
//!
//! `chela shell` is a process of its own: one thread relays bytes between the terminal and the person's shell and reads a
//! copy along; another one tells the daemon what ran, through a bounded queue that drops rather than waits.
//!
//! # Invariants
//!
//! - No turn is lost once it was on the screen: tokens are committed to the ledger before they are sent to a client.
//!   Off the record this does not hold, and is not meant to: no row, no sample, no verdict and no lesson comes of such an
//!   answer, no line of the log quotes it, and the caches forget it when it has ended.
//! - Every turn records exact token ids, the log-probability of each sampled token, and the policy version.
//! - Policy version 0 is the base model and always serves.
//! - KV caches never outlive the adapter they were computed with.
//! - Nothing leaves the machine except a model download that the user asked for.
//! - Silence is not success: every truncation, drop, skip and refusal is shown or logged with its reason.
//! - A file is checked in a child process before llama.cpp sees it in the daemon: an abort there is a sentence here.
//!
//! - Only words that a person wrote become a hint or a lesson; other text has no way into the type that hints are drawn from.
//! - A lesson is in the ledger before it is in a prompt, and no correction of it is lost: each has its history.
//!
//! - What an import meets stays as it is, but for lessons that a newer one contradicts; a backup was read back before it has
//!   its name, and a restore keeps what it replaces.
//!
//! Of the shell:
//!
//! - The shell works when nothing else does: no byte waits for the daemon, the disk or a model.
//! - The terminal's modes are given back on every way out; who owns a terminal is decided by the terminal.
//! - Secrets are taken out of what ran in a shell before anything of it is kept.
//! - chela puts commands into the line; one that it runs was said yes to, or is allowed by a written rule.
//! - A command is told only with the shell's nonce at both ends; one that begins with a blank is told nobody.
//!
//! Of learning:
//!
//! - Only the adapter has gradients; the weights are read from the file that the engine serves, and never written.
//! - The same batch gives the same bits on any number of threads, and a run that was interrupted goes on with them.
//! - No step is taken on a loss or a gradient that is not finite.
//! - A model that the trainer would compute differently from llama.cpp is refused by name.
//! - An adapter names its base by hash and is refused for any other; a version number is never given twice.
//! - A file under its final name is whole: it was written beside it, synced, and renamed.
//! - What was learned answers nobody before its gate, or before a person chose it; what is asked at the gate is never
//!   trained on.
//! - A promotion, the lessons that it holds and the end of its run are one row's commit; a crash at any point leaves what
//!   served before.
//! - A lesson that the serving version does not hold stands in the prompts that it fits.
//! - A version that repeats a private text of the turns behind it, which the base does not say, serves nobody.
//! - What a person took out of learning is in no run's inputs, and a step of the review pane is taken back whole or not.

pub mod adapter;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod gguf;
pub mod judge;
pub mod learn;
pub mod lesson;
pub mod model;
pub mod redact;
pub mod shell;
pub mod signal;
pub mod store;
pub mod tui;
pub mod turn;
