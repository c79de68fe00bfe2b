//! From words to a proposal: the daemon, the request, the answer as it streams, and what is dangerous in it.

use std::path::Path;

use super::SuggestArgs;
use super::command::{Found, command};
use super::context::{Around, Failure, failure, is_failure};
use crate::cli::exit;
use crate::cli::place::{Place, is_off_record, variable};
use crate::client::{Client, ClientError};
use crate::config::{Paths, Settings};
use crate::daemon::wire::{ChatRequest, ChelaRequest, ModelState, Rate, Teach};
use crate::shell::danger::dangers;
use crate::tui::suggest::{Outcome, Proposal, Purpose, Telling};
use crate::turn::{Message, Role, SessionId, Source, TurnId, TurnKind};

const NO_FIX: &str = "no other command is known for this; ask with ? in your own words";
/// Longest answer in tokens: a long pipeline, or a fence with a sentence around it.
const MAX_TOKENS: usize = 200;

/// Everything that an answer needs, taken along to the thread that waits for it.
pub(super) struct Asking {
    pub(super) paths: Paths,
    pub(super) around: Around,
    pub(super) shell_id: String,
    purpose: Purpose,
    /// The command that failed, as the shell tells it.
    failed: Option<(String, i32)>,
    suggestion: Option<TurnId>,
}

impl Asking {
    pub(super) fn new(place: &Place, settings: &Settings, args: &SuggestArgs) -> Self {
        let failed = args.failed.as_deref().map(str::trim).filter(|text| !text.is_empty()).zip(args.status);
        Self {
            paths: place.paths.clone(),
            around: Around {
                agent: settings.chat.system.clone(),
                shell: args.shell,
                cwd: std::env::current_dir().ok().map(|cwd| cwd.to_string_lossy().into_owned()),
                home: variable("HOME"),
            },
            shell_id: shell_id(args.shell_id.as_deref()),
            purpose: args.purpose(),
            failed: failed.map(|(text, status)| (text.to_owned(), status)),
            suggestion: args.suggestion.map(TurnId).filter(|turn| turn.is_recorded()),
        }
    }

    /// The answer to what was typed, whatever the prompt is for.
    pub(super) fn answer(&self, words: &str, telling: &Telling) -> Outcome {
        let outcome = match self.purpose {
            Purpose::Ask => self.ask(words, telling),
            Purpose::Fix => self.fix(telling),
            Purpose::Teach => self.teach(words, telling),
        };
        outcome.unwrap_or_else(|error| Outcome::Failed(exit::sentence(&error)))
    }

    fn ask(&self, words: &str, telling: &Telling) -> anyhow::Result<Outcome> {
        let client = Client::connect(&self.paths)?;
        let last = self.last_failure(&client)?;
        self.proposed(&client, self.around.question(words, last.as_ref()), telling)
    }

    fn fix(&self, telling: &Telling) -> anyhow::Result<Outcome> {
        let client = Client::connect(&self.paths)?;
        match self.last_failure(&client)? {
            Some(failure) => {
                let outcome = self.proposed(&client, self.around.fix(&failure), telling)?;
                Ok(if repeats(&outcome, &failure) { Outcome::NoCommand(NO_FIX.to_owned()) } else { outcome })
            }
            None => Ok(Outcome::NoCommand("nothing is known of a command that failed here".to_owned())),
        }
    }

    /// The lesson first; then the question whose answer was wrong is asked again.
    fn teach(&self, words: &str, telling: &Telling) -> anyhow::Result<Outcome> {
        if is_off_record() {
            return Ok(Outcome::NoCommand("this shell is off the record; chela on first".to_owned()));
        }
        let client = Client::connect(&self.paths)?;
        let teach = Teach { text: words.to_owned(), scope: None, turn: self.suggestion };
        let lesson = client.teach(&teach)?;
        let Some(turn) = self.suggestion else {
            return Ok(Outcome::Done(format!("learned: {}", lesson.text)));
        };
        client.rate(turn, &Rate { good: false, note: None })?;
        telling.note(&format!("learned: {}; asking again …", lesson.text));
        let asked = client.turn(turn)?.messages.into_iter().rfind(|message| message.role == Role::User);
        match asked {
            Some(asked) => self.proposed(&client, self.around.question(&asked.content, None), telling),
            None => Ok(Outcome::Done(format!("learned: {}", lesson.text))),
        }
    }

    /// What the shell says failed, else what the daemon remembers. A daemon that does not know this shell remembers
    /// nothing.
    fn last_failure(&self, client: &Client) -> anyhow::Result<Option<Failure>> {
        let recent = match client.shell_memory(&self.shell_id) {
            Ok(memory) => memory.recent,
            Err(ClientError::Refused { status: 404, .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let told = self.failed.as_ref().map(|(text, status)| (text.as_str(), *status));
        Ok(failure(told, &recent).filter(|failure| is_failure(failure.status)))
    }

    fn proposed(
        &self,
        client: &Client,
        messages: Vec<Message>,
        telling: &Telling,
    ) -> anyhow::Result<Outcome> {
        wait_for_model(client, telling)?;
        let mut turn = None;
        let mut answer = String::new();
        for chunk in client.chat(&self.request(messages, TurnKind::Main))? {
            let chunk = chunk?;
            turn = chunk.chela.map(|chela| chela.turn).or(turn);
            for choice in chunk.choices {
                let piece = choice.delta.content.unwrap_or_default();
                if !piece.is_empty() {
                    telling.piece(&piece);
                    answer.push_str(&piece);
                }
            }
        }
        Ok(outcome(turn, &answer))
    }

    pub(super) fn request(&self, messages: Vec<Message>, kind: TurnKind) -> ChatRequest {
        ChatRequest {
            messages,
            temperature: Some(0.0),
            max_tokens: Some(MAX_TOKENS),
            store: is_off_record().then_some(false),
            chela: Some(ChelaRequest {
                session: SessionId(format!("shell-{}", self.shell_id)),
                parent: None,
                source: Source::Shell,
                kind,
                cwd: self.around.cwd.clone(),
                drop_oldest: false,
            }),
            ..ChatRequest::default()
        }
    }
}

/// Whether the command that failed is proposed again, which would fail again.
fn repeats(outcome: &Outcome, failure: &Failure) -> bool {
    let same = |command: &str| command.split_whitespace().eq(failure.command.split_whitespace());
    matches!(outcome, Outcome::Command(proposal) if same(&proposal.command))
}

fn outcome(turn: Option<TurnId>, answer: &str) -> Outcome {
    match (command(answer, is_program), turn) {
        (Found::Command(command), Some(turn)) => {
            let dangers = dangers(&command).into_iter().map(|danger| danger.why).collect();
            Outcome::Command(Proposal { turn, command, dangers })
        }
        (Found::Command(text) | Found::Prose(text), _) => {
            Outcome::NoCommand(format!("the answer is no command: {text}"))
        }
        (Found::Nothing, _) => Outcome::NoCommand("the answer is empty; say it in other words".to_owned()),
    }
}

/// Loading takes from a moment to a minute; only then is there something to say.
fn wait_for_model(client: &Client, telling: &Telling) -> anyhow::Result<()> {
    match client.status()?.model {
        ModelState::Ready { .. } => return Ok(()),
        ModelState::Loading { name } => telling.note(&format!("loading {name} …")),
        ModelState::None { .. } => {}
    }
    match client.wait_for_model()?.model {
        ModelState::None { reason } => Err(exit::Stop::new(crate::cli::Exit::NoModel, reason).into()),
        ModelState::Loading { .. } | ModelState::Ready { .. } => Ok(()),
    }
}

/// Whether a program of this name can be run here.
fn is_program(name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let is_executable = |file: &Path| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let path = variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(name)))
}

/// What the shell drew; a call by hand gets a session of its own by the process.
fn shell_id(given: Option<&str>) -> String {
    let is_plain =
        |id: &&str| !id.is_empty() && id.len() <= 32 && id.chars().all(|c| c.is_ascii_alphanumeric());
    given.filter(is_plain).map_or_else(|| format!("{:08x}", std::process::id()), str::to_owned)
}
