//! `chela completions` and `chela man`: what a package installs beside the binary, made from the grammar itself.

use std::io::Write;

use clap::Args;

use super::{Exit, command, exit};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The page of a subcommand, e.g. `ask` or `model pull`
    command: Vec<String>,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    // Into memory first: the generator panics when its reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "chela", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let mut page_of = command();
    page_of.build();
    let mut name = "chela".to_owned();
    for word in &args.command {
        let Some(found) = page_of.find_subcommand(word).cloned() else {
            let message = format!("there is no command \"{name} {word}\"; `chela --help` lists them");
            return Err(exit::Stop::new(Exit::NotFound, message).into());
        };
        name = format!("{name} {word}");
        page_of = found;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(page_of).render(&mut page)?;
    std::io::stdout().lock().write_all(&page)?;
    Ok(Exit::Done)
}
