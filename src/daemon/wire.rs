//! What goes over the socket: request and response bodies of the daemon's HTTP API. May be used by `daemon`,
//! `client` and what stands below them. OpenAI's shapes for `/v1/`, ours for `/chela/v1/`.

pub mod credit;
pub mod dashboard;
pub mod forgetting;
pub mod looking;
pub mod owning;
pub mod review;
pub mod shell;

use serde::{Deserialize, Serialize};

// A manifest goes over the socket as it stands on the shelf.
pub use crate::adapter::Manifest;
// `SessionThread` is the body of `GET /chela/v1/sessions/{id}`. The ledger's rows go over the socket as they are.
use crate::config::{Dial, When};
use crate::lesson::Scope;
// Lessons go over the socket as they stand.
pub use crate::lesson::{Lesson, LessonId};
pub use crate::store::{
    LessonStory, RunId, RunRow, RunState, SessionRow, SessionThread, StateKind, TurnRow, TurnStory,
};
use crate::turn::{Ending, Message, PolicyVersion, SessionId, Source, TurnId, TurnKind};

/// Version of the private API. A client replaces an older daemon and refuses a newer one.
pub const PROTOCOL: u32 = 5;

/// Longest request body in bytes; a prompt that long fits no context.
pub const MAX_BODY: usize = 32 << 20;

/// `POST /v1/chat/completions`. Fields that OpenAI knows and we do not are refused by name (`unknown` catches them).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub messages: Vec<Message>,
    #[serde(default, deserialize_with = "null_is_false", skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_penalty: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    #[serde(default, alias = "max_completion_tokens", skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<usize>,
    /// `{"type":"text"}`, `{"type":"json_object"}`, or `{"type":"json_schema","json_schema":{"schema":…}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<serde_json::Value>,
    /// GBNF, as llama-server accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,
    /// OpenAI tool definitions; passed to the chat template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<serde_json::Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<serde_json::Value>,
    /// `false`, as OpenAI has it: the answer is off the record, and nothing of it is kept or learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// What chela's own clients add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chela: Option<ChelaRequest>,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

fn null_is_false<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(false))
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    One(String),
    Many(Vec<String>),
}

/// chela's own part of a chat request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChelaRequest {
    pub session: SessionId,
    /// The turn that this request continues; `None` starts a thread.
    #[serde(default)]
    pub parent: Option<TurnId>,
    pub source: Source,
    #[serde(default = "main_line")]
    pub kind: TurnKind,
    #[serde(default)]
    pub cwd: Option<String>,
    /// Leave out the oldest turns when the prompt does not fit, and say so in [`ChelaAnswer::dropped_messages`].
    /// Without it a prompt that does not fit is an error.
    #[serde(default)]
    pub drop_oldest: bool,
}

fn main_line() -> TurnKind {
    TurnKind::Main
}

/// A lesson in a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedLesson {
    pub id: LessonId,
    pub text: String,
}

/// Body of `POST /chela/v1/turns/{id}/rating`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub good: bool,
    /// Why, in the person's own words; a lesson may be drawn from them.
    #[serde(default)]
    pub note: Option<String>,
}

/// Body of `POST /chela/v1/lessons`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teach {
    /// Imperative, at most 160 characters.
    pub text: String,
    /// Where it holds; inferred from the text and the turn when absent.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// The turn that it is about.
    #[serde(default)]
    pub turn: Option<TurnId>,
}

/// Body of `GET /chela/v1/lessons`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonList {
    pub lessons: Vec<Lesson>,
}

/// Body of `POST /chela/v1/lessons/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeLesson {
    #[serde(flatten)]
    pub change: LessonWish,
    #[serde(default)]
    pub reason: String,
}

/// What a person wants of a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum LessonWish {
    /// Into every prompt that it fits, whatever it was before: a yes, or an undo.
    Activate,
    Retire,
    /// It was wrong.
    Prune,
    Reword {
        text: String,
    },
    Rescope {
        scope: Scope,
    },
    Pin {
        pinned: bool,
    },
}

/// A lesson before and after a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LessonChanged {
    pub was: Lesson,
    pub now: Lesson,
    /// The change's line of history; `None`: somebody else changed it at the same moment.
    #[serde(default)]
    pub event: Option<i64>,
}

/// One line of `GET /chela/v1/events`: what happened in the loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LoopEvent {
    /// What came of a turn. `reward` is −1, 0 or 1; `None`: nothing can be said, and `rule` says why. A
    /// lesson that comes of it is told before.
    Judged { turn: TurnId, reward: Option<i8>, rule: String, hint: Option<String> },
    /// A lesson is new or stands elsewhere. `turn`: the one it comes from, if it comes from one.
    Lesson { lesson: Lesson, turn: Option<TurnId> },
    /// A run's progress. `phase`: rehearsing, training or measuring; `done` of `total` in it.
    Learning { run: i64, phase: LearnPhase, done: u64, total: u64, loss: Option<f64>, eta_s: Option<f64> },
    /// The gate decided. `reasons`: sentences.
    Decided { run: i64, version: PolicyVersion, is_promoted: bool, reasons: Vec<String> },
    /// Another version answers from the next turn on.
    Serving { version: PolicyVersion },
    /// These are gone from everything.
    Forgotten { lessons: Vec<LessonId>, turns: Vec<TurnId> },
    /// Nothing is learned at present, and why: the machine is in use, on battery, nothing to learn.
    Waiting { reason: String },
    /// The listener was too slow for so many events.
    Missed { n_events: u64 },
}

/// Body of `GET /chela/v1/learn`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnStatus {
    pub dial: Dial,
    pub when: When,
    pub paused: bool,
    /// The round that runs.
    pub running: Option<RunId>,
    /// Its last [`LoopEvent::Learning`].
    pub progress: Option<LoopEvent>,
    /// Why nothing is learned at present, or why the round stands still.
    pub waits_for: Option<String>,
    /// Lessons and turns that the weights do not hold yet, as of the last look.
    pub n_waiting: usize,
    pub learned_today_s: u64,
    /// The newest round that has ended.
    pub last: Option<RunRow>,
}

/// Body of `POST /chela/v1/learn/now`; nothing at all is as good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnWish {
    /// From the base on, so that the weights lose what was taken back.
    #[serde(default)]
    pub anew: bool,
}

/// Answer of `POST /chela/v1/learn/now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnNow {
    /// A round runs already; it is the one to wait for.
    pub running: Option<RunId>,
    /// Otherwise the round will be the first one after this.
    pub after: RunId,
}

/// Body of `GET /chela/v1/learn/runs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunList {
    pub runs: Vec<RunRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnPhase {
    Rehearsing,
    Training,
    Measuring,
}

impl LearnPhase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rehearsing => "rehearsing",
            Self::Training => "training",
            Self::Measuring => "measuring",
        }
    }
}

/// chela's own part of an answer: in the first chunk of a stream, or in the whole body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChelaAnswer {
    /// Below zero: it is off the record.
    pub turn: TurnId,
    pub session: SessionId,
    pub policy: PolicyVersion,
    /// How many of the oldest messages did not fit and were left out.
    #[serde(default)]
    pub dropped_messages: usize,
    /// The lessons that stood in the prompt.
    #[serde(default)]
    pub lessons: Vec<UsedLesson>,
    /// Tokens that one request may use, prompt and answer together.
    pub n_ctx: usize,
    /// How the answer ended: in a whole body and in the last chunk with a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    pub total_tokens: usize,
    #[serde(default)]
    pub prompt_tokens_details: PromptTokensDetails,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PromptTokensDetails {
    pub cached_tokens: usize,
}

/// One chunk of a streamed answer (`object`: `chat.completion.chunk`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatChunk {
    pub id: String,
    pub object: String,
    pub created: i64,
    pub model: String,
    pub choices: Vec<ChunkChoice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chela: Option<ChelaAnswer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: Delta,
    #[serde(default)]
    pub logprobs: Option<LogprobList>,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A whole answer (`object`: `chat.completion`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatAnswer {
    pub id: String,
    pub object: String,
    pub created: i64,
    pub model: String,
    pub choices: Vec<Choice>,
    pub usage: Usage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chela: Option<ChelaAnswer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub index: u32,
    pub message: AnswerMessage,
    pub logprobs: Option<LogprobList>,
    pub finish_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerMessage {
    pub role: String,
    pub content: Option<String>,
    pub refusal: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogprobList {
    pub content: Vec<TokenLogprob>,
    pub refusal: Option<Vec<TokenLogprob>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    pub token: String,
    pub logprob: f32,
    pub bytes: Option<Vec<u8>>,
    pub top_logprobs: Vec<TopLogprob>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopLogprob {
    pub token: String,
    pub logprob: f32,
    pub bytes: Option<Vec<u8>>,
}

/// An error, in OpenAI's shape: `{"error": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorDetail {
    pub message: String,
    pub r#type: String,
    pub param: Option<String>,
    pub code: Option<String>,
}

/// `GET /health`: cheap, needs no model and no token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, `loading` or `no model`.
    pub status: String,
    pub version: String,
    pub protocol: u32,
    pub pid: u32,
}

/// `GET /chela/v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub protocol: u32,
    pub pid: u32,
    pub uptime_s: u64,
    /// Resident memory of the daemon in bytes; the model's mapped pages are in it once.
    pub memory_bytes: Option<u64>,
    pub policy: PolicyVersion,
    pub model: ModelState,
    pub running_requests: usize,
    pub ledger: String,
    pub log: String,
    /// Where the TCP endpoint listens, when it does.
    pub tcp: Option<String>,
    /// What the user should know and nobody asked about, e.g. a corrupt ledger that was set aside.
    #[serde(default)]
    pub notices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ModelState {
    /// Nothing loaded; `reason` says why and what to do.
    None {
        reason: String,
    },
    Loading {
        name: String,
    },
    Ready {
        model: LoadedModel,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadedModel {
    pub name: String,
    pub path: String,
    pub description: String,
    pub architecture: String,
    pub n_params: u64,
    pub size_bytes: u64,
    pub n_ctx: usize,
    pub n_ctx_train: usize,
    pub placement: String,
}

/// `POST /chela/v1/model`: loads another model for all clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UseModel {
    pub name: String,
}

/// `GET /chela/v1/adapters`, and what `POST /chela/v1/adapters/use` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterList {
    /// What answers new turns; 0 is the base.
    pub serving: PolicyVersion,
    /// The loaded model, if one is.
    pub model: Option<String>,
    /// By version, oldest first.
    pub adapters: Vec<AdapterRow>,
    pub broken: Vec<BrokenAdapter>,
    /// Why the version that was chosen does not answer.
    pub notice: Option<String>,
}

/// One version on the shelf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterRow {
    pub serving: bool,
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// A folder on the shelf that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenAdapter {
    pub name: String,
    pub problem: String,
}

/// `POST /chela/v1/adapters/use`: from the next turn on, and after a restart, this version answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseAdapter {
    /// 0: the base.
    pub version: PolicyVersion,
    /// Who wants it, and why; kept in the ledger.
    #[serde(default)]
    pub reason: String,
}

/// `POST /chela/v1/adapters/rollback`: from the next turn on, the version that served before answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollBack {
    /// Who wants it, and why; kept in the ledger.
    #[serde(default)]
    pub reason: String,
}

/// `GET /chela/v1/sessions?limit=&query=`: newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionList {
    pub sessions: Vec<SessionRow>,
}

/// `POST /chela/v1/shutdown`: new answers are refused at once; running ones may take `wait_s` seconds before they
/// are interrupted. An empty body means 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    #[serde(default)]
    pub wait_s: u64,
}

/// `POST /chela/v1/turns/{id}/interrupt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// False: the turn had already ended.
    pub was_running: bool,
}
