//! `chela` and `chela chat`: hands the chat what it must not find out itself. The chat is in `crate::tui`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::place::{Place, is_ignored, is_off_record, redactor, variable};
use super::{consent, loading, output};
use crate::client::Client;
use crate::config::Surface;
use crate::gguf::Gguf;
use crate::model::find;
use crate::model::tokenizer::ContextTokenizer;
use crate::tui::{self, ChatOptions, Connect, ListModels, LoadCounter, Resume, TerminalEnv};
use crate::turn::SessionId;

#[derive(Debug, Default, Args)]
pub(super) struct ChatArgs {
    /// Go on with this session (`/resume` inside the chat shows a list)
    #[arg(long, value_name = "ID", conflicts_with = "newest")]
    resume: Option<String>,
    /// Go on with the newest chat
    #[arg(id = "newest", short = 'c', long = "continue")]
    newest: bool,
    /// Off the record: nothing that is said is kept, or learned from (`/on` inside the chat ends it)
    #[arg(long, conflicts_with_all = ["resume", "newest"])]
    off: bool,
}

impl ChatArgs {
    /// Whether something is said that only a chat understands.
    pub(super) fn chooses(&self) -> bool {
        self.newest || self.resume.is_some() || self.off
    }
}

pub(super) fn run(place: &Place, args: ChatArgs) -> anyhow::Result<ExitCode> {
    let mut settings = place.prepare()?;
    if !args.off {
        consent::once(place, &mut settings)?;
    }
    let resume = args.resume.map(|id| Resume::Session(SessionId(id)));
    let resume = resume.or_else(|| args.newest.then_some(Resume::Last));
    let remembers = !is_ignored(&settings, Surface::Chat);
    tui::run(&ChatOptions {
        paths: place.paths.clone(),
        plain: settings.chat.plain,
        settings: settings.chat,
        cwd: std::env::current_dir().unwrap_or_default(),
        env: TerminalEnv::resolve(variable),
        remembers,
        is_off_record: args.off || (is_off_record() && resume.is_none()),
        resume,
        connect: connect(place),
        list_models: list_models(place),
        load_counter: load_counter(),
        redactor: Arc::new(redactor(&settings.privacy.hide)),
    })
}

fn connect(place: &Place) -> Connect {
    let paths = place.paths.clone();
    Arc::new(move || Client::connect(&paths))
}

fn list_models(place: &Place) -> ListModels {
    let roots = loading::roots(place);
    Arc::new(move || {
        let usable = find::list(&roots).into_iter().filter(|found| found.problem.is_none());
        Ok(usable
            .map(|found| (found.name, format!("{}, {}", output::size(found.size), found.owner)))
            .collect())
    })
}

/// Tokens of a text as the model counts them, computed here: the context meter asks with every key.
fn load_counter() -> LoadCounter {
    Arc::new(|model| {
        let gguf = Gguf::open(std::path::Path::new(&model.path)).ok()?;
        let tokenizer = ContextTokenizer::from_gguf(&gguf).ok()?;
        Some(Box::new(move |text| tokenizer.count(text)))
    })
}
