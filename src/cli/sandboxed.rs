//! `chela sandboxed`: restricts itself and becomes another program. Started by `chela do`, not by people.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use super::Exit;
use crate::shell::sandbox;

#[derive(Debug, Args)]
pub(super) struct SandboxedArgs {
    /// May write to this and below; several times
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// Returns only when it fails.
pub(super) fn run(args: &SandboxedArgs) -> anyhow::Result<Exit> {
    let Some((program, words)) = args.program.split_first() else { bail!("no program to run") };
    sandbox::confine(&args.write).context("the command was not run")?;
    let error = Command::new(program).args(words).exec();
    Err(error).with_context(|| format!("cannot run {}", program.to_string_lossy()))
}
