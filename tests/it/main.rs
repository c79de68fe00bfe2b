//! Black-box tests, one module for each boundary, in one binary (it links llama.cpp once).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what went wrong by panicking"
)]

mod adapter_cli;
mod adapter_files;
mod adapters;
mod agreement;
mod ask;
mod check_file;
mod cli;
mod crash;
mod credit;
mod distributions;
mod do_task;
mod embeddings;
mod encrypted;
mod engine;
mod faults;
mod forgetting;
mod gguf;
mod gradients;
mod hiding;
mod hooks_bash;
mod hooks_fish;
mod hooks_init;
mod hooks_posix;
mod hooks_stage;
mod hooks_zsh;
mod http;
mod idle_sessions;
mod learning;
mod lifecycle;
mod looking;
mod loop_store;
mod model;
mod owning;
mod parity;
mod poisoning;
mod policies;
mod privacy;
mod random_model;
mod redaction;
mod resume;
mod review;
mod review_pane;
mod screens;
mod served;
mod shell_bytes;
mod shell_ends;
mod shell_faults;
mod shell_nested;
mod shell_outcomes;
mod shell_passwords;
mod shell_place;
mod shell_programs;
mod shell_reports;
mod shell_ssh;
mod shell_terminal;
mod shell_told;
mod shell_twins;
mod store;
mod suggest_pty;
mod suggest_screens;
mod suggest_shells;
mod teaching;
mod tidy;
mod tokenizer;
mod train;
mod vectors;
mod weights;
