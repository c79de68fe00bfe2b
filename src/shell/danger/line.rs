//! What only the whole line shows: a download that runs, a bomb, a statement that is piped into a database.

use super::services::{SQL_CLIENTS, destroys};
use super::{Danger, DangerKind, Finding, grave, is_program};
use crate::shell::parse::{Joined, Line, SHELLS, Simple};

const FETCHERS: &[&str] =
    &["curl", "wget", "fetch", "aria2c", "http", "https", "xh", "lwp-download", "nc", "ncat"];

const INTERPRETERS: &[&str] = &["python", "python3", "perl", "ruby", "node", "php", "deno", "bun", "lua"];

pub(super) fn dangers(line: &Line) -> Vec<Danger> {
    let mut found: Vec<Danger> = line
        .commands
        .iter()
        .enumerate()
        .filter_map(|(at, command)| {
            let finding = runs_download(line, at, command).or_else(|| piped_sql(line, at, command))?;
            Some(finding.at(command.span.clone()))
        })
        .collect();
    found.extend(fork_bomb(line));
    found
}

/// `curl … | sh`, `bash <(curl …)`, `sh -c "$(curl …)"`, `eval "$(curl …)"`.
fn runs_download(line: &Line, at: usize, command: &Simple) -> Option<Finding> {
    let runs = is_program(command, SHELLS) || is_program(command, INTERPRETERS);
    let is_source = is_program(command, &["eval", "source", "."]);
    if !runs && !is_source {
        return None;
    }
    let is_fetcher = |other: &&Simple| is_program(other, FETCHERS);
    let before = line.commands.get(..at).unwrap_or_default();
    let within = line.commands.iter().filter(is_fetcher).any(|other| {
        other.is_nested && command.span.start <= other.span.start && other.span.end <= command.span.end
    });
    let reads_pipe = command.joined == Joined::Pipe && runs && reads_script(command);
    if within && !is_plain_code(command) || reads_pipe && before.iter().any(|other| is_fetcher(&other)) {
        return grave(DangerKind::RemoteCode, "Runs a script from the network that nobody has read.");
    }
    None
}

/// No script is named in the words: what comes through the pipe is it.
fn reads_script(command: &Simple) -> bool {
    let shell = is_program(command, SHELLS);
    let has_code =
        if shell { command.has_flag("c", &[]) } else { command.has_flag("cem", &["eval", "print"]) };
    let file = command.operands().next();
    !has_code && (file.is_none_or(|word| word.text == "-") || command.has_flag("s", &[]))
}

/// `python -c '…' "$(curl …)"`: the download is an argument and not the code.
fn is_plain_code(command: &Simple) -> bool {
    is_program(command, INTERPRETERS) && command.operands().next().is_some_and(|code| code.is_known)
}

/// `echo "DROP TABLE x" | psql`
fn piped_sql(line: &Line, at: usize, command: &Simple) -> Option<Finding> {
    if !is_program(command, SQL_CLIENTS) || command.joined != Joined::Pipe {
        return None;
    }
    let before = line
        .commands
        .get(..at)?
        .iter()
        .rev()
        .find(|other| other.through.is_empty() || other.program().is_some())?;
    if !is_program(before, &["echo", "printf", "cat"]) {
        return None;
    }
    let texts = before.arguments().iter().chain(before.given_text());
    texts.into_iter().find_map(|word| destroys(&word.text)).and_then(|why| grave(DangerKind::DropTables, why))
}

/// A function that starts itself twice: `f() { f | f & }; f`. The name is no program of the system.
fn fork_bomb(line: &Line) -> Option<Danger> {
    let pair = line.commands.windows(2).find(|pair| {
        let [first, second] = pair else { return false };
        let name = first.program();
        let is_bare = first.words.len() == 1 && second.words.len() == 1;
        is_bare
            && second.joined == Joined::Pipe
            && name.is_some()
            && name == second.program()
            && line.commands.iter().filter(|one| one.program() == name).count() > 2
    })?;
    let span = pair.first()?.span.clone();
    let finding =
        grave(DangerKind::ForkBomb, "Starts processes without end until the machine stands still.")?;
    Some(finding.at(span))
}
