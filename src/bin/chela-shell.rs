//! The process between a terminal and its shell: what `chela shell` becomes. Small, because each open terminal has one.

use std::process::ExitCode;

use chela::cli;

fn main() -> ExitCode {
    match cli::run_proxy() {
        Ok(exit) => exit,
        Err(error) => cli::report(&error).into(),
    }
}
