//! `chela serve`, and being the daemon: both run it in this process, the first with the TCP endpoint.

use anyhow::Context;
use clap::Args;

use super::place::{Place, redactor};
use super::{Exit, exit, loading, output};
use crate::client::Client;
use crate::daemon::{self, Announce, DaemonConfig, Listening, Outcome, ProcessRole, TcpEndpoint, TokenHash};

#[derive(Debug, Args)]
#[command(
    after_help = "Clients take what it prints: OPENAI_BASE_URL and OPENAI_API_KEY. It takes the place of a \
    background daemon, so the chat goes on through it; when it ends, the next question starts a background daemon."
)]
pub(super) struct ServeArgs {
    /// 0 takes any free port [default: the setting serve.port, 4114]
    #[arg(long)]
    port: Option<u16>,
    /// What clients must send as their API key [default: a fresh one, printed]
    #[arg(long)]
    token: Option<String>,
}

pub(super) fn run(place: &Place, args: ServeArgs) -> anyhow::Result<Exit> {
    let settings = place.prepare()?;
    let port = args.port.unwrap_or(settings.serve.port);
    // A token that the user chose is a secret that they know; only a fresh one has to be shown.
    let (token, shown) = match args.token {
        Some(token) if token.is_empty() => {
            return Err(
                exit::Stop::new(Exit::Usage, "an empty token lets everybody in; leave --token out").into()
            );
        }
        Some(token) => (token, "(the token you gave)".to_owned()),
        None => {
            let token = daemon::generate_token().context("no random numbers from the system")?;
            (token.clone(), token)
        }
    };
    if let Some(running) = Client::connect_if_running(&place.paths)? {
        output::note("taking the place of the background daemon");
        running.stop()?;
    }
    let endpoint = TcpEndpoint { port, token: TokenHash::of(&token) };
    let announce: Announce = Box::new(move |listening| announce(listening, &shown));
    be_the_daemon(place, ProcessRole::Foreground, Some(endpoint), Some(announce))
}

/// `chela daemon run`.
pub(super) fn run_daemon(place: &Place) -> anyhow::Result<Exit> {
    be_the_daemon(place, ProcessRole::Background, None, None)
}

fn be_the_daemon(
    place: &Place,
    role: ProcessRole,
    tcp: Option<TcpEndpoint>,
    announce: Option<Announce>,
) -> anyhow::Result<Exit> {
    let settings = place.prepare()?;
    let loader = loading::loader(place, &settings);
    let redactor = redactor(&settings.privacy.hide);
    let config = DaemonConfig {
        paths: place.paths.clone(),
        settings,
        loader,
        trainer: daemon::local_trainer(),
        course: daemon::usual_course(),
        redactor,
        tcp,
        role,
        announce,
    };
    match (daemon::run(config)?, role) {
        (Outcome::AlreadyRunning, ProcessRole::Foreground) => {
            Err(exit::Stop::new(Exit::Failed, "another daemon started at the same time; try again").into())
        }
        (Outcome::Stopped | Outcome::AlreadyRunning, _) => Ok(Exit::Done),
    }
}

fn announce(listening: &Listening, key: &str) {
    let Some(address) = listening.tcp else { return };
    // A closed stdout does not keep the endpoint from serving.
    let _ = output::line(&format!("OPENAI_BASE_URL=http://{address}/v1"));
    let _ = output::line(&format!("OPENAI_API_KEY={key}"));
    output::note("listening on this machine only; Ctrl+C ends it");
}
