//! The command line: what can be typed, and one short file for each subcommand. The only home of clap.
//!
//! What always holds: stdout carries the answer or the listing and nothing else, chatter goes to stderr; exit codes
//! are those of `exit`; nothing is read or created before the arguments are understood.

mod adapter;
mod answer;
mod ask;
mod backup;
mod bench;
mod chat;
mod completions;
mod config;
mod consent;
mod daemon;
mod do_task;
mod doctor;
mod exit;
mod export;
mod forget;
mod import;
mod init;
mod learn;
mod lessons;
mod loading;
mod model;
mod off;
mod output;
mod place;
mod privacy;
mod redact;
mod review;
mod sandboxed;
mod serve;
mod served;
mod shell;
mod stats;
mod suggest;
mod teach;
mod tour;
mod train;
mod turns;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::{Exit, report};
use place::Place;

/// A personal agent in the terminal, on your machine.
///
/// Without a command: opens the chat. Everything runs locally; `chela doctor` says how things stand.
#[derive(Debug, Parser)]
#[command(name = "chela", version, after_help = exit::HELP, disable_help_subcommand = true)]
pub struct Args {
    /// Linear text: no redrawing, no progress bars (for screen readers, logs and dumb terminals)
    #[arg(long, global = true)]
    plain: bool,
    /// No colours (like the variable `NO_COLOR`)
    #[arg(long, global = true)]
    no_color: bool,
    /// Say more on stderr: which model answered, how fast
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(flatten)]
    chat: chat::ChatArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Chat in the terminal (what bare `chela` does)
    Chat(chat::ChatArgs),
    /// Ask once; only the answer goes to stdout
    Ask(ask::AskArgs),
    /// Do a task: proposes one command at a time, asks, runs it, looks, goes on
    Do(do_task::DoArgs),
    /// A command for your shell's line, from words or after a failure (the keys of `chela init` call this)
    Suggest(suggest::SuggestArgs),
    /// Find, download, choose and check models
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Teach a lesson; it holds from the next answer on
    Teach(teach::TeachArgs),
    /// Look at lessons, change them, take them back
    Lessons(lessons::LessonsArgs),
    /// See the loop at work, in a profile that is thrown away
    Tour(tour::TourArgs),
    /// Look at what is being learned, learn now, pause
    #[command(subcommand)]
    Learn(learn::LearnCommand),
    /// Print the hooks of a shell, or put them into its startup file
    Init(init::InitArgs),
    /// Take a lesson or a turn back out of everything: prompts, ledger, weights, files
    Forget(forget::ForgetArgs),
    /// See all that is kept of you, what was learned from it, and how to remove each
    Privacy(privacy::PrivacyArgs),
    /// Nothing that runs or is asked in this shell is recorded, until `chela on` (needs the hooks of `chela init`)
    Off,
    /// Back on the record
    #[command(hide = true)]
    On,
    /// Hide secrets in a text: stdin to stdout
    Redact(redact::RedactArgs),
    /// List turns: what was asked, what was concluded of the answers
    Turns(turns::TurnsArgs),
    /// See each thing that was learned, its proof, and take it back (full screen)
    Review(review::ReviewArgs),
    /// Explain an answer: what followed it, what was concluded and learned from it
    Why(why::WhyArgs),
    /// The loop in figures: rewards day by day, lessons, versions, the judge, the ledger
    Stats(stats::StatsArgs),
    /// Learn from a file of conversations: makes a candidate adapter
    Train(train::TrainArgs),
    /// Look at what was learned, choose a version of it, take it along
    #[command(subcommand)]
    Adapter(adapter::AdapterCommand),
    /// Your own shell, with chela reading along: what you run and how it ends teaches it
    Shell(shell::ShellArgs),
    /// Answer OpenAI clients on 127.0.0.1 until Ctrl+C
    Serve(serve::ServeArgs),
    /// The background process that holds the model
    #[command(subcommand)]
    Daemon(daemon::DaemonCommand),
    /// Check directories, settings, daemon, model and terminal; say what to do next
    Doctor(doctor::DoctorArgs),
    /// Read and change settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Take everything along: turns, lessons, training set, preference pairs, adapters
    Export(export::ExportArgs),
    /// Merge what chela export wrote into this ledger; what is known stays as it is
    Import(import::ImportArgs),
    /// Keep a copy of ledger and adapters in one file
    Backup(backup::BackupArgs),
    /// Put a backup in the place of what is here, which is kept
    Restore(backup::RestoreArgs),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Print the completion script of a shell
    Completions(completions::CompletionsArgs),
    /// Runs a program that may write only where it is told (what `chela do` starts)
    #[command(hide = true)]
    Sandboxed(sandboxed::SandboxedArgs),
    /// Print the manual page (roff): chela man | man -l -
    Man(completions::ManArgs),
}

/// Reads the command line. Ends the process on `--help`, `--version` (0) and on what cannot be understood (2).
pub fn parse() -> Args {
    Args::parse()
}

/// All that the program `chela-shell` does.
pub fn run_proxy() -> anyhow::Result<ExitCode> {
    shell::run_proxy(shell::ProxyArgs::parse())
}

/// The grammar of the command line, for completions, the manual page and tests.
pub fn command() -> clap::Command {
    Args::command()
}

/// Does what was asked for.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let place = Place::new(args.plain, args.no_color, args.verbose)?;
    let exit = match args.command {
        None => return chat::run(&place, args.chat),
        Some(_) if args.chat.chooses() => {
            let message = "--resume, --continue and --off belong to the chat here: chela --continue, or chela chat --continue";
            return Err(exit::Stop::new(Exit::Usage, message).into());
        }
        Some(Command::Chat(chat)) => return chat::run(&place, chat),
        Some(Command::Shell(shell)) => return shell::run(&place, shell),
        Some(Command::Review(review)) => return review::run(&place, &review),
        Some(Command::Ask(ask)) => ask::run(&place, &ask),
        Some(Command::Do(task)) => do_task::run(&place, &task),
        Some(Command::Sandboxed(sandboxed)) => sandboxed::run(&sandboxed),
        Some(Command::Suggest(suggest)) => suggest::run(&place, &suggest),
        Some(Command::Model(model)) => model::run(&place, model),
        Some(Command::Teach(teach)) => teach::run(&place, &teach),
        Some(Command::Lessons(lessons)) => lessons::run(&place, lessons),
        Some(Command::Tour(tour)) => tour::run(&place, &tour),
        Some(Command::Learn(command)) => learn::run(&place, &command),
        Some(Command::Init(init)) => init::run(&place, &init),
        Some(Command::Forget(forget)) => forget::run(&place, &forget),
        Some(Command::Privacy(privacy)) => privacy::run(&place, &privacy),
        Some(Command::Off | Command::On) => off::run(),
        Some(Command::Redact(redact)) => redact::run(&place, &redact),
        Some(Command::Turns(turns)) => turns::run(&place, turns),
        Some(Command::Why(why)) => why::run(&place, &why),
        Some(Command::Stats(stats)) => stats::run(&place, &stats),
        Some(Command::Train(train)) => train::run(&place, &train),
        Some(Command::Adapter(adapter)) => adapter::run(&place, adapter),
        Some(Command::Serve(serve)) => serve::run(&place, serve),
        Some(Command::Daemon(daemon)) => daemon::run(&place, &daemon),
        Some(Command::Doctor(doctor)) => doctor::run(&place, &doctor),
        Some(Command::Config(config)) => config::run(&place, config),
        Some(Command::Export(export)) => export::run(&place, &export),
        Some(Command::Import(import)) => import::run(&place, &import),
        Some(Command::Backup(backup)) => backup::back_up(&place, &backup),
        Some(Command::Restore(restore)) => backup::restore_from(&place, &restore),
        Some(Command::Bench(bench)) => bench::run(&place, &bench),
        Some(Command::Completions(completions)) => completions::run(&completions),
        Some(Command::Man(man)) => completions::man(&man),
    };
    exit.map(ExitCode::from)
}
