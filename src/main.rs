//! Entry point: parse the command line, run it, turn the outcome into an exit code.

use std::process::ExitCode;

use chela::cli;

fn main() -> ExitCode {
    match cli::run(cli::parse()) {
        Ok(exit) => exit,
        Err(error) => cli::report(&error).into(),
    }
}
